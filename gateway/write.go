package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"stafett/access"
	"stafett/fhir"
	"stafett/fhir/search"
	"stafett/handover"
	"stafett/ledger"
	"stafett/message"
)

// writing is one FHIR write on its way through intake: the same stages as a message of any
// other wire, without the mapping.
type writing struct {
	caller  access.Caller
	w       fhir.Write
	now     time.Time
	row     ledger.Message
	unit    ledger.Unit
	targets []target
	results []fhir.EntryResult
}

// target is one entry and what is stored at its place.
type target struct {
	fhir.WriteEntry
	current ledger.Resource // zero when there is none
	before  *fhir.Node      // the current version, parsed
	matched bool            // a conditional create met an existing resource
	named   bool            // the caller gave the id
}

// Write takes a write of the FHIR API. It returns after the commit; a *handover.Fault says
// why not, and is recorded with the body unless it is temporary.
func (g *Gateway) Write(ctx context.Context, c access.Caller, w fhir.Write) (result fhir.WriteResult, err error) {
	g.inHand.Add(1)
	defer g.inHand.Done()
	defer func() {
		if p := recover(); p != nil {
			g.log.Error("intake panicked", "correlation", w.Correlation, "panic", fmt.Sprintf("%T", p))
			result, err = fhir.WriteResult{}, &handover.Fault{Kind: handover.FaultUnknown, Op: "gateway.Write", Text: "panic"}
		}
	}()
	if w.Mode == fhir.WriteBatch {
		return g.writeBatch(ctx, c, w)
	}
	t := g.beginWrite(c, w)
	defer func() { g.observe.Took(t.row.Wire, t.row.Disposition, g.now().Sub(t.now)) }()
	if first, ok, err := g.replay(ctx, t); ok || err != nil {
		return first, err
	}
	for range decideTries {
		if err = g.writeOnce(ctx, t); !errors.Is(err, ledger.ErrConflict) {
			break
		}
	}
	switch {
	case err == nil:
		return fhir.WriteResult{Status: statusOf(t), Entries: t.results}, nil
	case errors.Is(err, ledger.ErrRepeat):
		first, _, err := g.replay(ctx, t)
		return first, err
	}
	f := handover.FaultOf(storageFault(err))
	if f.Kind.Temporary() {
		return fhir.WriteResult{}, f
	}
	return fhir.WriteResult{}, g.refuseWrite(ctx, t, f)
}

// Refuse records a write that the FHIR API could not read, with its bytes and the reason.
func (g *Gateway) Refuse(ctx context.Context, c access.Caller, raw []byte, f *handover.Fault) error {
	return g.refuseWrite(ctx, g.beginWrite(c, fhir.Write{Mode: fhir.WriteSingle, Raw: raw, Correlation: string(c.Correlation)}), f)
}

func (g *Gateway) beginWrite(c access.Caller, w fhir.Write) *writing {
	now := g.now()
	if len(w.Raw) == 0 {
		w.Raw = bareWrite(w)
	}
	return &writing{caller: c, w: w, now: now, row: ledger.Message{ID: handover.MessageID(newID()), Sender: c.Party, Caller: c.Party,
		Wire: handover.WireFHIR, Type: writeType(w), ExternalID: w.Identity, Digest: message.DigestOf(w.Raw), Raw: w.Raw,
		ReceivedAt: now, Correlation: handover.CorrelationID(w.Correlation)}}
}

// bareWrite stands for the bytes of a write that has no body: without it all deletes
// would have one digest.
func bareWrite(w fhir.Write) []byte {
	var b []byte
	for _, e := range w.Entries {
		b = fmt.Appendf(b, "%s %s/%s?%s If-Match %d\n", e.Method, e.Type, e.ID, e.Query, e.IfMatch)
	}
	return b
}

func writeType(w fhir.Write) string {
	if w.Mode != fhir.WriteTransaction && len(w.Entries) == 1 {
		return w.Entries[0].Method + " " + w.Entries[0].Type
	}
	return string(w.Mode)
}

func statusOf(t *writing) int {
	if t.w.Mode == fhir.WriteTransaction || len(t.results) != 1 {
		return http.StatusOK
	}
	return t.results[0].Status
}

// refuseWrite commits the refused body and returns the fault, or why that failed.
func (g *Gateway) refuseWrite(ctx context.Context, t *writing, f *handover.Fault) error {
	t.row.Disposition, t.row.Reason, t.row.Detail = ledger.DispositionRefused, f.Kind, detailOf(f)
	t.row.ExternalID = "" // what was refused may be sent again, mended, under its identity
	row := t.row
	_, err := g.commit(ctx, ledger.Unit{Message: &row, Audit: []ledger.Audit{{At: t.now, Action: ledger.AuditRefused,
		Party: t.caller.Party, Message: t.row.ID, Outcome: string(f.Kind), Correlation: t.row.Correlation}}})
	if err != nil {
		return handover.FaultOf(storageFault(err))
	}
	g.log.Warn("message refused", "correlation", t.row.Correlation, "message", t.row.ID, "wire", t.row.Wire,
		"type", t.row.Type, "sender", t.row.Sender, "fault", f.Kind, "path", f.Path)
	return f
}

// replay answers a write that was stored before as the first time.
func (g *Gateway) replay(ctx context.Context, t *writing) (fhir.WriteResult, bool, error) {
	if t.row.ExternalID == "" {
		return fhir.WriteResult{}, false, nil
	}
	first, err := g.firstOf(ctx, t.row.Sender, t.row.ExternalID, t.row.Digest)
	if errors.Is(err, ledger.ErrNotFound) {
		return fhir.WriteResult{}, false, nil
	}
	if err != nil {
		return fhir.WriteResult{}, false, handover.FaultOf(storageFault(err))
	}
	var places []answeredEntry
	if err := json.Unmarshal(first.Answer, &places); err != nil {
		return fhir.WriteResult{}, false, err
	}
	result := fhir.WriteResult{Status: first.AnswerCode}
	for _, p := range places {
		e, err := g.answered(ctx, p)
		if err != nil {
			return fhir.WriteResult{}, false, handover.FaultOf(storageFault(err))
		}
		result.Entries = append(result.Entries, e)
	}
	row := t.row
	row.ID, row.Disposition, row.Repeats, row.Raw, row.Handover = handover.MessageID(newID()), ledger.DispositionRepeated, first.ID, nil, first.Handover
	t.row.Disposition = row.Disposition
	_, err = g.commit(ctx, ledger.Unit{Message: &row, Audit: []ledger.Audit{{At: t.now, Action: ledger.AuditReceived, Party: t.caller.Party,
		Message: row.ID, Outcome: "repeated", Correlation: row.Correlation}}})
	if err != nil {
		return fhir.WriteResult{}, false, handover.FaultOf(storageFault(err))
	}
	return result, true, nil
}

// answeredEntry is one entry of a first answer, enough to give it again.
type answeredEntry struct {
	Status  int    `json:"status"`
	Type    string `json:"type"`
	ID      string `json:"id"`
	Version int64  `json:"version"`
	Created bool   `json:"created,omitempty"`
}

func (g *Gateway) answered(ctx context.Context, p answeredEntry) (fhir.EntryResult, error) {
	e := fhir.EntryResult{Status: p.Status, Type: p.Type, ID: p.ID, Version: p.Version, Created: p.Created}
	if p.Version == 0 {
		return e, nil
	}
	v, err := g.ledger.ResourceVersion(ctx, p.Type, p.ID, p.Version)
	e.At, e.JSON = v.At, v.JSON
	return e, err
}

// writeBatch takes each entry as a write of its own (R4 3.1.0.11.1).
func (g *Gateway) writeBatch(ctx context.Context, c access.Caller, w fhir.Write) (fhir.WriteResult, error) {
	out := fhir.WriteResult{Status: http.StatusOK}
	for i, e := range w.Entries {
		single := fhir.Write{Mode: fhir.WriteSingle, Entries: []fhir.WriteEntry{e}, Correlation: w.Correlation}
		if w.Identity != "" {
			single.Identity = fmt.Sprintf("%s#%d", w.Identity, i)
		}
		if e.Resource != nil {
			single.Raw = e.Resource.JSON()
		}
		r, err := g.Write(ctx, c, single)
		if err != nil {
			out.Entries = append(out.Entries, fhir.EntryResult{Fault: err})
			continue
		}
		out.Entries = append(out.Entries, r.Entries...)
	}
	return out, nil
}

func (g *Gateway) writeOnce(ctx context.Context, t *writing) error {
	t.unit, t.targets, t.results, t.row.Handover = ledger.Unit{}, nil, nil, ""
	for _, stage := range []func(context.Context, *writing) error{
		g.validateWrite, g.locate, g.authorise, g.settleWrite, g.commitWrite,
	} {
		if err := stage(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

func (g *Gateway) validateWrite(_ context.Context, t *writing) error {
	for i, e := range t.w.Entries {
		if e.Resource == nil {
			continue
		}
		if f := g.invalid(e.Resource); f != nil {
			if t.w.Mode == fhir.WriteTransaction {
				f.Path = fmt.Sprintf("Bundle.entry[%d].resource: %s", i, f.Path)
			}
			return f
		}
	}
	return nil
}

// locate finds what each entry is about, gives new resources their ids and resolves the
// references between entries.
func (g *Gateway) locate(ctx context.Context, t *writing) error {
	entries := make([]fhir.WriteEntry, len(t.w.Entries))
	t.targets = make([]target, len(entries))
	for i, e := range t.w.Entries {
		if e.Resource != nil {
			e.Resource = e.Resource.Clone()
		}
		tg := &t.targets[i]
		tg.WriteEntry, tg.named = e, e.ID != ""
		if err := g.condition(ctx, t, tg); err != nil {
			return err
		}
		entries[i] = tg.WriteEntry
	}
	if err := fhir.ResolveTransaction(entries, func(int, string) string { return newID() }); err != nil {
		return &handover.Fault{Kind: handover.FaultInvalid, Op: "gateway.locate", Text: err.Error()}
	}
	if err := fhir.ResolveConditional(entries, func(typ, query string) (string, error) { return g.referred(ctx, t, typ, query) }); err != nil {
		return errors.Unwrap(err)
	}
	for i := range t.targets {
		tg := &t.targets[i]
		tg.WriteEntry = entries[i]
		if tg.ID == "" {
			continue
		}
		cur, err := g.ledger.Resource(ctx, tg.Type, tg.ID)
		if errors.Is(err, ledger.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		tg.current = cur
		if !cur.Deleted {
			if tg.before, err = fhir.Parse(cur.JSON, fhir.DefaultLimits()); err != nil {
				return err
			}
		}
	}
	return nil
}

// condition resolves If-None-Exist and conditional update and delete; matches see only
// what the caller may see.
func (g *Gateway) condition(ctx context.Context, t *writing, tg *target) error {
	query := tg.IfNoneExist
	if tg.Method != http.MethodPost {
		query = tg.Query
	}
	if query == "" || tg.ID != "" || tg.Method == http.MethodGet {
		return nil
	}
	id, err := g.match(ctx, t, tg.Type, query)
	if err != nil || id == "" {
		return err
	}
	tg.ID, tg.matched = id, tg.Method == http.MethodPost
	if tg.Resource != nil {
		setID(tg.Resource, id)
	}
	return nil
}

// referred is the match of a conditional reference, which must have one (R4 3.1.0.11.2).
func (g *Gateway) referred(ctx context.Context, t *writing, typ, query string) (string, error) {
	id, err := g.match(ctx, t, typ, query)
	if err == nil && id == "" {
		err = &handover.Fault{Kind: handover.FaultPrecondition, Op: "gateway.referred", Text: "a conditional reference matches no resource"}
	}
	return id, err
}

// match finds the one resource of a condition among those that the caller may see; "" for none.
func (g *Gateway) match(ctx context.Context, t *writing, typ, query string) (string, error) {
	const op = "gateway.match"
	values, err := url.ParseQuery(strings.TrimPrefix(query, "?"))
	if err != nil {
		return "", &handover.Fault{Kind: handover.FaultInvalid, Op: op, Text: "the condition is no query"}
	}
	q, err := search.ParseQuery(typ, values)
	if err != nil {
		return "", &handover.Fault{Kind: handover.FaultInvalid, Op: op, Text: err.Error()}
	}
	q.Count = 2
	page, err := g.ledger.Search(ctx, q, t.caller.Party)
	if err != nil {
		return "", err
	}
	switch len(page.Resources) {
	case 0:
		return "", nil
	case 1:
		return page.Resources[0].ID, nil
	}
	return "", &handover.Fault{Kind: handover.FaultPrecondition, Op: op, Text: "the condition matches more than one resource"}
}

// authorise holds the caller to what it may write, and the versions to what it expects.
func (g *Gateway) authorise(_ context.Context, t *writing) error {
	const op = "gateway.authorise"
	for i := range t.targets {
		tg := &t.targets[i]
		exists := tg.current.Version > 0
		if !exists && tg.Method == http.MethodPut && tg.named {
			// An id of the caller's choice could be a person's number, and ids are shown in events.
			return &handover.Fault{Kind: handover.FaultNotFound, Op: op, Text: "ids are assigned here: create with POST"}
		}
		if exists {
			// What the caller may not see does not exist for it.
			if access.MayRead(t.caller, tg.current.Visible) != nil {
				if tg.Method == http.MethodDelete {
					tg.current, tg.before = ledger.Resource{}, nil
					continue // answered as an id that never was
				}
				return &handover.Fault{Kind: handover.FaultNotFound, Op: op, Text: "no such resource"}
			}
		}
		if tg.Method == http.MethodGet || tg.matched {
			continue
		}
		if tg.IfMatch != 0 && tg.IfMatch != tg.current.Version {
			return &handover.Fault{Kind: handover.FaultPrecondition, Op: op, Text: "the current version is not the one in If-Match"}
		}
		if tg.Type == "Task" {
			if tg.Method == http.MethodDelete {
				return &handover.Fault{Kind: handover.FaultForbidden, Op: op, Path: "Task", Text: "a handover is not deleted: withdraw it by Task.status cancelled"}
			}
			continue // the decision about a Task needs its handover
		}
		if err := access.MayWriteResource(t.caller, tg.current.Author, tg.Type, exists); err != nil {
			return err
		}
	}
	return nil
}

// settleWrite lets each Task entry act on its handover, writes the other resources into
// its view, and makes one unit of it all.
func (g *Gateway) settleWrite(ctx context.Context, t *writing) error {
	task := -1
	for i, tg := range t.targets {
		if tg.Type == "Task" && (tg.Method == http.MethodPost || tg.Method == http.MethodPut) && !tg.matched {
			if task >= 0 {
				return &handover.Fault{Kind: handover.FaultUnsupported, Op: "gateway.settleWrite", Text: "one transaction acts on one Task"}
			}
			task = i
		}
	}
	h, err := g.handoverOf(ctx, t, task)
	if err != nil {
		return err
	}
	a := &act{now: t.now, message: &t.row}
	a.next = h
	for i := range t.targets {
		if i == task || t.targets[i].Resource == nil || t.targets[i].matched {
			continue
		}
		if err := g.put(ctx, a, t.targets[i].Resource, t.caller.Party, false); err != nil {
			return err
		}
		a.written = append(a.written, t.targets[i].Resource)
	}
	if h.ID != "" {
		from := a.written
		if task >= 0 {
			from = append(slices.Clone(from), t.targets[task].Resource)
		}
		if err := g.show(ctx, a, t.caller.Party, from); err != nil {
			return err
		}
	}
	if task >= 0 {
		if err := g.taskAct(ctx, t, a, &t.targets[task], h); err != nil {
			return err
		}
	} else if h.State.Open() && len(a.written) > 0 {
		if err := g.updatedAct(ctx, t, a, h); err != nil {
			return err
		}
	}
	for _, tg := range t.targets {
		if tg.Method == http.MethodDelete && tg.current.Version > 0 && !tg.current.Deleted {
			a.unit.Resources = append(a.unit.Resources, ledger.ResourceWrite{Type: tg.Type, ID: tg.ID, Expect: tg.current.Version,
				Author: tg.current.Author, Deleted: true, At: t.now, Handover: tg.current.Handover})
		}
	}
	t.row.Handover = a.next.ID
	t.unit = a.unit
	return nil
}

// handoverOf is the handover that a write belongs to: its Task's, else that of a resource
// it refers to and that the caller takes part in. A zero Handover means none.
func (g *Gateway) handoverOf(ctx context.Context, t *writing, task int) (handover.Handover, error) {
	if task >= 0 {
		tg := t.targets[task]
		if tg.current.Version == 0 {
			return g.newReferral(ctx, t, tg)
		}
		return g.ledger.Handover(ctx, handover.ID(tg.ID))
	}
	var found handover.Handover
	for _, tg := range t.targets {
		id := tg.current.Handover
		if id == "" && tg.Resource != nil {
			var err error
			if id, err = g.referredHandover(ctx, tg.Resource); err != nil {
				return handover.Handover{}, err
			}
		}
		if id == "" {
			continue
		}
		h, err := g.ledger.Handover(ctx, id)
		if err != nil {
			return h, err
		}
		switch {
		case !takesPart(t.caller.Party, h), found.ID == h.ID:
		case found.ID == "":
			found = h
		case tg.Type != "Patient":
			// What is written is shown to the parties of its handover: they must not be mixed up.
			return h, &handover.Fault{Kind: handover.FaultUnsupported, Op: "gateway.handoverOf", Text: "one transaction writes into one handover"}
		}
	}
	return found, nil
}

func (g *Gateway) referredHandover(ctx context.Context, n *fhir.Node) (handover.ID, error) {
	var id handover.ID
	var err error
	fhir.References(n, func(ref *fhir.Node) {
		typ, rid, ok := localReference(ref)
		// A Patient may be in many handovers: it says nothing about which one is meant.
		if !ok || id != "" || err != nil || typ == "Patient" {
			return
		}
		r, e := g.ledger.Resource(ctx, typ, rid)
		if e == nil {
			id = r.Handover
		} else if !errors.Is(e, ledger.ErrNotFound) {
			err = e
		}
	})
	return id, err
}

// commitWrite stores the unit and makes the results.
func (g *Gateway) commitWrite(ctx context.Context, t *writing) error {
	t.row.Disposition = ledger.DispositionApplied
	var places []answeredEntry
	for _, tg := range t.targets {
		if w := writeOf(t.unit, tg.Type, tg.ID); w != nil && w.Expect != tg.current.Version {
			// It changed after the caller was held to what it may write, and to If-Match.
			return ledger.ErrConflict
		}
		r, err := g.result(ctx, t, tg)
		if err != nil {
			return err
		}
		t.results = append(t.results, r)
		places = append(places, answeredEntry{Status: r.Status, Type: r.Type, ID: r.ID, Version: r.Version, Created: r.Created})
	}
	answer, err := json.Marshal(places)
	if err != nil {
		return err
	}
	t.row.Answer, t.row.AnswerCode = answer, statusOf(t)
	row := t.row
	t.unit.Message = &row
	t.unit.Audit = append(t.unit.Audit, ledger.Audit{At: t.now, Action: ledger.AuditReceived, Party: t.caller.Party, Message: row.ID,
		Handover: row.Handover, Outcome: string(row.Disposition), Correlation: row.Correlation})
	_, err = g.commit(ctx, t.unit)
	return err
}

// writeOf is a unit's write of one resource, nil when there is none.
func writeOf(u ledger.Unit, typ, id string) *ledger.ResourceWrite {
	for i := range u.Resources {
		if w := &u.Resources[i]; w.Type == typ && w.ID == id {
			return w
		}
	}
	return nil
}

// result is what the caller is told of one entry, by the versions that the commit stores.
func (g *Gateway) result(ctx context.Context, t *writing, tg target) (fhir.EntryResult, error) {
	r := fhir.EntryResult{Status: http.StatusOK, Type: tg.Type, ID: tg.ID}
	for _, w := range t.unit.Resources {
		if w.Type == tg.Type && w.ID == tg.ID {
			r.Version, r.At, r.JSON = w.Expect+1, w.At, w.JSON
			if w.Expect == 0 {
				r.Status, r.Created = http.StatusCreated, true
			}
			if w.Deleted {
				r.Status = http.StatusNoContent
			}
			return r, nil
		}
	}
	if tg.current.Version == 0 {
		if tg.Method == http.MethodDelete {
			r.Status = http.StatusNoContent
			return r, nil
		}
		return r, &handover.Fault{Kind: handover.FaultNotFound, Op: "gateway.result", Text: "no such resource"}
	}
	if tg.Method == http.MethodDelete {
		r.Status = http.StatusNoContent
	}
	r.Version, r.At, r.JSON = tg.current.Version, tg.current.At, tg.current.JSON
	return r, nil
}
