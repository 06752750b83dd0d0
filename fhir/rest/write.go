package rest

import (
	"net/http"
	"strings"

	"stafett/fhir"
	"stafett/handover"
)

// create answers POST [type] (R4 3.1.0.8).
func (a *api) create(r *request) (answer, error) {
	if r.condition() != "" {
		return answer{}, parameterFault("a create takes no query: its condition goes in If-None-Exist")
	}
	return a.single(r, func(n *fhir.Node, e *fhir.WriteEntry) error {
		e.IfNoneExist = conditionOf(r.typ, r.Header.Get("If-None-Exist"))
		return nil
	})
}

// update answers PUT [type]/[id], which creates what does not exist (R4 3.1.0.4), and
// PUT [type]?query.
func (a *api) update(r *request) (answer, error) {
	if err := r.targeted(); err != nil {
		return answer{}, err
	}
	return a.single(r, func(n *fhir.Node, e *fhir.WriteEntry) (err error) {
		if r.id != "" && n.ID() != r.id {
			return wireFault(http.StatusBadRequest, "invalid", handover.FaultInvalid, "the resource's id must be that of the URL", r.typ+".id")
		}
		if fhir.HoldsNationalNumber(r.id) {
			return &handover.Fault{Kind: handover.FaultInvalid, Op: "rest.update", Path: r.typ + ".id", Text: "an id must not hold a national number"}
		}
		e.ID = r.id
		if r.id == "" {
			e.Query = r.condition()
		}
		e.IfMatch, err = r.ifMatch()
		return err
	})
}

// remove answers DELETE [type]/[id] (R4 3.1.0.7), and DELETE [type]?query.
func (a *api) remove(r *request) (answer, error) {
	if err := r.targeted(); err != nil {
		return answer{}, err
	}
	e := fhir.WriteEntry{Method: http.MethodDelete, Type: r.typ, ID: r.id}
	if r.id == "" {
		e.Query = r.condition()
	}
	var err error
	if e.IfMatch, err = r.ifMatch(); err != nil {
		return answer{}, err
	}
	// Without an identity: two deletes under one request id have the same empty body, and
	// the second would pass for a repeat of the first.
	return a.submit(r, fhir.Write{Mode: fhir.WriteSingle, Entries: []fhir.WriteEntry{e}})
}

// targeted refuses an update or delete that names no resource, by an id or a query.
func (r *request) targeted() error {
	if r.id != "" || r.condition() != "" {
		return nil
	}
	return &wireError{verdict: verdict{http.StatusMethodNotAllowed, "not-supported"},
		Fault:  &handover.Fault{Kind: handover.FaultUnsupported, Op: "rest", Text: "an update or delete names an id"},
		header: http.Header{"Allow": {"GET, HEAD, POST"}}}
}

// condition is the query of a conditional interaction, without what is meant for us.
func (r *request) condition() string {
	values := r.URL.Query()
	values.Del("_format")
	values.Del("_pretty")
	return values.Encode()
}

// conditionOf takes If-None-Exist with or without what stands before the query: the type, or
// the whole URL of a search.
func conditionOf(typ, value string) string {
	value = strings.TrimSpace(value)
	path, query, found := strings.Cut(value, "?")
	if found && (path == "" || path == typ || strings.HasSuffix(path, "/"+typ)) {
		return query
	}
	return value
}

func (r *request) ifMatch() (int64, error) {
	if r.Header.Get("If-None-Match") != "" {
		return 0, wireFault(http.StatusBadRequest, "not-supported", handover.FaultUnsupported, "If-None-Match is for reads", "")
	}
	value := r.Header.Get("If-Match")
	if value == "" {
		return 0, nil
	}
	version, ok := fhir.ParseETag(value)
	if !ok {
		return 0, wireFault(http.StatusBadRequest, "value", handover.FaultInvalid, `If-Match must be of the form W/"1"`, "")
	}
	return version, nil
}

// single reads the body of a create or update, lets more set the entry, and submits it.
func (a *api) single(r *request, more func(*fhir.Node, *fhir.WriteEntry) error) (answer, error) {
	if err := r.takes(jsonTypes, "a resource is sent as application/fhir+json in UTF-8"); err != nil {
		return answer{}, err
	}
	raw, err := a.written(r)
	if err != nil {
		return answer{}, err
	}
	w := fhir.Write{Mode: fhir.WriteSingle, Raw: raw}
	entry := fhir.WriteEntry{Method: r.Method, Type: r.typ}
	if entry.Resource, err = a.resource(raw); err == nil {
		err = typed(entry.Resource, r.typ)
	}
	if err == nil {
		err = more(entry.Resource, &entry)
	}
	if err == nil {
		w.Identity, err = r.identity(nil)
	}
	if err != nil {
		return answer{}, a.refuse(r, raw, err)
	}
	w.Entries = []fhir.WriteEntry{entry}
	return a.submit(r, w)
}

// written reads the body of a write. One over the limit is recorded as refused, without its bytes.
func (a *api) written(r *request) ([]byte, error) {
	raw, err := r.body(a.Limits.Bytes)
	if err != nil && handover.FaultOf(err).Kind == handover.FaultTooLarge {
		return nil, a.refuse(r, nil, err)
	}
	return raw, err
}

func typed(n *fhir.Node, typ string) error {
	if n.ResourceType() == typ {
		return nil
	}
	return wireFault(http.StatusBadRequest, "invalid", handover.FaultInvalid, "resourceType must be that of the URL", "resourceType")
}

// refuse has a body that cannot be handed on recorded before its sender is told why.
// Invariant 2: every message ends, the unreadable too.
func (a *api) refuse(r *request, raw []byte, err error) error {
	recorder, ok := a.Writer.(Refuser)
	if !ok {
		return err
	}
	f := handover.FaultOf(err)
	if stored := recorder.Refuse(r.Context(), r.caller, raw, f); stored != nil && handover.FaultOf(stored) != f {
		return stored
	}
	return err
}

// submit hands a single write to the Writer and answers with its result.
func (a *api) submit(r *request, w fhir.Write) (answer, error) {
	w.Base, w.Correlation = r.base(), string(r.correlation)
	res, err := a.Writer.Write(r.Context(), r.caller, w)
	if err != nil {
		return answer{}, err
	}
	if len(res.Entries) != 1 {
		return answer{}, noResult()
	}
	e := res.Entries[0]
	if e.Fault != nil {
		return answer{}, e.Fault
	}
	ans := answer{status: e.Status, version: e.Version, modified: e.At}
	if ans.status == 0 {
		ans.status = statusOf(w.Entries[0].Method, e)
	}
	if w.Entries[0].Method != http.MethodDelete {
		ans.location = r.url(e.Type, e.ID, e.Version)
	}
	if e.Notice != "" {
		ans.header = http.Header{"X-Stafett-Notice": {e.Notice}}
	}
	ans.body = r.preferred(w.Entries[0].Method, e)
	if ans.status == http.StatusNoContent && ans.body != nil {
		ans.status = http.StatusOK
	}
	return ans, nil
}

// noResult is the fault of a Writer that says neither what became of a write nor why not.
func noResult() error {
	return &handover.Fault{Kind: handover.FaultUnknown, Op: "rest", Text: "the writer returned no result"}
}

func statusOf(method string, e fhir.EntryResult) int {
	switch {
	case e.Created:
		return http.StatusCreated
	case method == http.MethodDelete:
		return http.StatusNoContent
	}
	return http.StatusOK
}

// preferred is the body that the caller wants of a single write: the resource as it is
// stored unless it says otherwise, nothing of a delete.
func (r *request) preferred(method string, e fhir.EntryResult) []byte {
	switch p := r.prefers(); {
	case p == preferMinimal:
		return nil
	case p == preferOutcome:
		if e.Notice != "" {
			return fhir.OperationOutcome(noticeOf(e.Notice)).JSON()
		}
		return fhir.OperationOutcome().JSON()
	case method == http.MethodDelete:
		return nil
	}
	return e.JSON
}
