package rest

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"stafett/fhir"
	"stafett/handover"
)

// entry is one entry of a batch or transaction on its way.
type entry struct {
	fhir.WriteEntry
	result fhir.EntryResult
	err    error // why it failed; of a batch only, a transaction fails as a whole
}

// bundle answers POST [base] with a batch or transaction (R4 3.1.0.11).
func (a *api) bundle(r *request) (answer, error) {
	if err := r.takes(jsonTypes, "a Bundle is sent as application/fhir+json in UTF-8"); err != nil {
		return answer{}, err
	}
	raw, err := a.written(r)
	if err != nil {
		return answer{}, err
	}
	w, entries, err := a.readBundle(r, raw)
	if err != nil {
		return answer{}, a.refuse(r, raw, err)
	}
	writes := 0
	for i := range entries {
		if entries[i].err == nil && entries[i].Method != http.MethodGet {
			w.Entries = append(w.Entries, entries[i].WriteEntry)
			writes++
		}
	}
	if writes > 0 {
		res, err := a.Writer.Write(r.Context(), r.caller, w)
		if err != nil {
			return answer{}, err
		}
		if len(res.Entries) != writes {
			return answer{}, noResult()
		}
		settle(entries, res.Entries)
	}
	a.reads(r, entries)
	return r.bundleAnswer(w.Mode, entries), nil
}

// readBundle parses a body as a batch or transaction. One bad entry fails a transaction;
// of a batch it fails alone.
func (a *api) readBundle(r *request, raw []byte) (fhir.Write, []entry, error) {
	const op = "rest.readBundle"
	w := fhir.Write{Raw: raw, Base: r.base(), Correlation: string(r.correlation)}
	n, err := a.resource(raw)
	if err != nil {
		return w, nil, err
	}
	if err := typed(n, "Bundle"); err != nil {
		return w, nil, err
	}
	switch n.Str("type") {
	case "transaction":
		w.Mode = fhir.WriteTransaction
	case "batch":
		w.Mode = fhir.WriteBatch
	default:
		return w, nil, &handover.Fault{Kind: handover.FaultUnsupported, Op: op, Path: "Bundle.type", Text: "a transaction or batch is taken here"}
	}
	nodes := n.Each("entry")
	if len(nodes) > a.EntriesMax {
		return w, nil, &handover.Fault{Kind: handover.FaultTooLarge, Op: op, Path: "Bundle.entry", Text: fmt.Sprintf("more than %d entries", a.EntriesMax)}
	}
	if w.Identity, err = r.identity(n); err != nil {
		return w, nil, err
	}
	entries := make([]entry, len(nodes))
	for i, node := range nodes {
		e := &entries[i]
		e.WriteEntry, e.err = a.readEntry(r, i, node)
		switch {
		case e.err == nil:
		case w.Mode == fhir.WriteTransaction:
			return w, nil, e.err
		case e.Method != http.MethodGet:
			// The Writer does not see this entry, so its end is recorded here.
			e.err = a.refuse(r, node.JSON(), e.err)
		}
	}
	return w, entries, nil
}

// readEntry reads one entry as a Bundle of its own, so that its neighbours' mistakes are
// not its own.
func (a *api) readEntry(r *request, i int, node *fhir.Node) (fhir.WriteEntry, error) {
	at := func(below string) string { return fmt.Sprintf("Bundle.entry[%d]%s", i, below) }
	invalid := func(below, text string) error {
		return wireFault(http.StatusBadRequest, "invalid", handover.FaultInvalid, text, at(below))
	}
	if node.Kind != fhir.KindObject {
		return fhir.WriteEntry{}, invalid("", "an entry is an object")
	}
	_, list, err := fhir.BundleEntries(fhir.Obj("resourceType", "Bundle", "type", "batch", "entry", []*fhir.Node{relative(node, r.base())}))
	var wrong *fhir.BundleError
	if errors.As(err, &wrong) {
		return fhir.WriteEntry{}, invalid(strings.TrimPrefix(wrong.Path, "Bundle.entry[0]"), wrong.Text)
	}
	if err != nil {
		return fhir.WriteEntry{}, err
	}
	e := list[0]
	switch {
	case !a.types[e.Type]:
		return e, &handover.Fault{Kind: handover.FaultUnsupported, Op: "rest.readEntry", Path: at(".request.url"), Text: "resources of this type are not stored here"}
	case e.Method == http.MethodPut && fhir.HoldsNationalNumber(e.ID):
		return e, &handover.Fault{Kind: handover.FaultInvalid, Op: "rest.readEntry", Path: at(".resource.id"), Text: "an id must not hold a national number"}
	}
	return e, nil
}

// relative makes a request.url that begins with our own base relative to it.
func relative(node *fhir.Node, base string) *fhir.Node {
	target := node.Str("request", "url")
	if !strings.HasPrefix(target, base+"/") {
		return node
	}
	request := &fhir.Node{Kind: fhir.KindObject, Members: append([]fhir.Member(nil), node.Get("request").Members...)}
	request.Set("url", fhir.Str(target[len(base)+1:]))
	e := &fhir.Node{Kind: fhir.KindObject, Members: append([]fhir.Member(nil), node.Members...)}
	e.Set("request", request)
	return e
}

// settle gives the Writer's results to the entries that it was handed.
func settle(entries []entry, results []fhir.EntryResult) {
	next := 0
	for i := range entries {
		e := &entries[i]
		if e.err != nil || e.Method == http.MethodGet {
			continue
		}
		e.result, e.err = results[next], results[next].Fault
		if e.result.Status == 0 && e.err == nil {
			e.result.Status = statusOf(e.Method, e.result)
		}
		next++
	}
}

// reads answers the GET entries, after the writes (R4 3.1.0.11.2). One that finds nothing
// says so in its own response: the writes are stored and stay.
func (a *api) reads(r *request, entries []entry) {
	for i := range entries {
		e := &entries[i]
		if e.Method != http.MethodGet || e.err != nil {
			continue
		}
		e.result, e.err = a.readIn(r, e.WriteEntry)
	}
}

func (a *api) readIn(r *request, e fhir.WriteEntry) (fhir.EntryResult, error) {
	if e.ID == "" {
		values, err := url.ParseQuery(e.Query)
		if err != nil {
			return fhir.EntryResult{}, &handover.Fault{Kind: handover.FaultMalformed, Op: "rest.readIn", Text: "not a query"}
		}
		page, err := a.searchset(r, e.Type, values)
		return fhir.EntryResult{Status: http.StatusOK, JSON: page}, err
	}
	v, err := a.Reader.Read(r.Context(), r.caller, e.Type, e.ID)
	if err != nil {
		return fhir.EntryResult{}, hidden(err)
	}
	if v.Deleted {
		return fhir.EntryResult{}, &handover.Fault{Kind: handover.FaultGone, Op: "rest.readIn"}
	}
	return fhir.EntryResult{Status: http.StatusOK, Type: v.Type, ID: v.ID, Version: v.Version, At: v.At, JSON: v.JSON}, nil
}

// bundleAnswer makes the response Bundle, its entries in the request's order.
func (r *request) bundleAnswer(mode fhir.WriteMode, entries []entry) answer {
	b := newBundle(string(mode)+"-response", -1)
	prefer := r.prefers()
	for i := range entries {
		e := &entries[i]
		if e.err != nil {
			v, _ := verdictOf(e.err)
			b.add("", nil, fhir.Member{Name: "response", Value: fhir.Obj("status", statusLine(v.status), "outcome", outcomeOf(e.err, r.correlation))})
			continue
		}
		r.addResult(b, e, prefer)
	}
	return answer{status: http.StatusOK, body: b.bytes()}
}

// noticeOf tells what the caller should know of a write that went well.
func noticeOf(text string) fhir.Issue {
	return fhir.Issue{Severity: "information", Code: "informational", Details: text}
}

// addResult adds what became of one entry. A resource that was written comes back only
// when it is asked for; one that was read always does.
func (r *request) addResult(b *bundle, e *entry, prefer preference) {
	res := e.result
	read, deleted := e.Method == http.MethodGet, e.Method == http.MethodDelete
	location, tag := "", ""
	var outcome *fhir.Node
	if res.Version > 0 {
		tag = etag(res.Version)
		if !read && !deleted {
			location = r.url(res.Type, res.ID, res.Version)
		}
	}
	if prefer == preferOutcome && !read {
		outcome = fhir.OperationOutcome()
	}
	if res.Notice != "" {
		outcome = fhir.OperationOutcome(noticeOf(res.Notice))
	}
	response := fhir.Obj("status", statusLine(res.Status), "location", location, "etag", tag,
		"lastModified", instant(res.At), "outcome", outcome)
	fullURL, resource := "", []byte(nil)
	if res.ID != "" && !deleted {
		fullURL = r.url(res.Type, res.ID, 0)
	}
	if read || (prefer == preferRepresentation && !deleted) {
		resource = res.JSON
	}
	b.add(fullURL, resource, fhir.Member{Name: "response", Value: response})
}
