package fhirdoor

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"stafett/access"
	"stafett/conformance"
	"stafett/fhir"
	"stafett/gateway/act"
	"stafett/gateway/kernel"
	"stafett/handover"
	"stafett/ledger"
	"stafett/message"
)

// writing is one FHIR write on its way: each stage fills its part, anew at each try.
type writing struct {
	caller access.Caller
	w      fhir.Write
	// self are the gateway's own numbers, by system, and selfName its name: nobody else speaks by them.
	self     map[string]string
	selfName string
	row      ledger.Message
	entries  []act.Entry        // locate
	guards   []ledger.Guard     // locate
	results  []fhir.EntryResult // answer, or what was answered the first time
	status   int
}

// Write takes a write of the FHIR API. It returns after the commit; a *handover.Fault says
// why not, and is recorded with the body unless it is temporary.
func (g *Door) Write(ctx context.Context, c access.Caller, w fhir.Write) (result fhir.WriteResult, err error) {
	g.inHand.Add(1)
	defer g.inHand.Done()
	defer func() {
		if p := recover(); p != nil {
			g.k.Log.Error("intake panicked", "correlation", w.Correlation, "panic", fmt.Sprintf("%T", p))
			result, err = fhir.WriteResult{}, &handover.Fault{Kind: handover.FaultUnknown, Op: "fhirdoor.Write", Text: "panic"}
		}
	}()
	if err := readsOnly(c); err != nil {
		return fhir.WriteResult{}, g.refuse(ctx, g.begin(c, w), handover.FaultOf(err))
	}
	if w.Mode == fhir.WriteBatch {
		return g.batch(ctx, c, w)
	}
	t := g.begin(c, w)
	began := g.k.Now()
	defer func() { g.k.Observe.Took(t.row.Wire, t.row.Disposition, g.k.Now().Sub(began)) }()
	return g.write(ctx, t)
}

func (g *Door) write(ctx context.Context, t *writing) (fhir.WriteResult, error) {
	decide := t.plan(sync.OnceValue(func() error { return g.validate(t.w) }))
	plan, err := g.k.Do(ctx, "", t.ahead, decide)
	if errors.Is(err, ledger.ErrRepeat) {
		// The first one was committed since this one was decided: now it is found.
		plan, err = g.k.Do(ctx, "", t.ahead, decide)
	}
	if err == nil {
		t.row = *plan.Unit.Message
		t.stored(plan)
		return fhir.WriteResult{Status: t.status, Entries: t.results}, nil
	}
	f := kernel.FaultOf(err)
	if f.Kind.Temporary() {
		return fhir.WriteResult{}, f
	}
	return fhir.WriteResult{}, g.refuse(ctx, t, f)
}

// plan is the list of a write's stages. What was taken before is answered as it was, whatever
// is thought of it now.
func (t *writing) plan(validate func() error) kernel.Plan {
	return func(s *act.Snapshot) (*act.Plan, error) {
		if plan, err := t.repeat(s); plan != nil || err != nil || !s.Complete() {
			return plan, err
		}
		if err := cmp.Or(validate(), t.locate(s)); err != nil || !s.Complete() {
			return nil, err
		}
		if err := t.authorise(s); err != nil {
			return nil, err
		}
		plan, err := act.Write(s, act.Writing{Message: t.row.ID, Party: t.caller.Party, Entries: t.entries, Guards: t.guards})
		if err != nil {
			return nil, err
		}
		return plan, t.answer(s, plan)
	}
}

// ahead asks for what is named by id, and for a first time.
func (t *writing) ahead(s *act.Snapshot) {
	if t.row.ExternalID != "" {
		s.First.Want(act.External{Party: t.row.Sender, ID: t.row.ExternalID})
	}
	for _, e := range t.w.Entries {
		if e.ID != "" {
			s.Resources.Want(ledger.ResourceKey{Type: e.Type, ID: e.ID})
		}
	}
}

// Refuse records a write that the FHIR API could not read, with its bytes and the reason.
func (g *Door) Refuse(ctx context.Context, c access.Caller, raw []byte, f *handover.Fault) error {
	return g.refuse(ctx, g.begin(c, fhir.Write{Mode: fhir.WriteSingle, Raw: raw, Correlation: string(c.Correlation)}), f)
}

// refuse commits the refused body and returns the fault, or why that failed.
func (g *Door) refuse(ctx context.Context, t *writing, f *handover.Fault) error {
	row := t.row
	row.ExternalID = "" // what was refused may be sent again, mended, under its identity
	if t.caller.Kind != access.CallerParty {
		row.Sender = "" // a person is not the organisation
	}
	plan, err := g.k.Do(ctx, "", nil, func(s *act.Snapshot) (*act.Plan, error) { return act.Refused(s, row, t.caller.Person, f), nil })
	if err != nil {
		return kernel.FaultOf(err)
	}
	t.row = *plan.Unit.Message
	g.k.Log.Warn("message refused", "correlation", t.row.Correlation, "message", t.row.ID, "wire", t.row.Wire,
		"type", t.row.Type, "sender", t.row.Sender, "fault", f.Kind, "path", f.Path)
	return f
}

func (g *Door) begin(c access.Caller, w fhir.Write) *writing {
	if len(w.Raw) == 0 {
		w.Raw = bareWrite(w)
	}
	self := map[string]string{fhir.SystemHER: g.k.Self.HER, fhir.SystemOrgNumber: g.k.Self.OrgNumber}
	return &writing{caller: c, w: w, self: self, selfName: g.k.Self.Name, row: ledger.Message{ID: handover.MessageID(kernel.NewID()), Sender: c.Party, Caller: c.Party,
		Wire: handover.WireFHIR, Type: writeType(w), ExternalID: w.Identity, Digest: message.DigestOf(w.Raw), Raw: w.Raw,
		ReceivedAt: g.k.Now(), Correlation: handover.CorrelationID(w.Correlation)}}
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
	if alone(w) {
		return w.Entries[0].Method + " " + w.Entries[0].Type
	}
	return string(w.Mode)
}

// alone reports whether a write has one entry and is answered as that.
func alone(w fhir.Write) bool { return w.Mode != fhir.WriteTransaction && len(w.Entries) == 1 }

// batch takes each entry as a write of its own (R4 3.1.0.11.1).
func (g *Door) batch(ctx context.Context, c access.Caller, w fhir.Write) (fhir.WriteResult, error) {
	out := fhir.WriteResult{Status: http.StatusOK}
	for i, e := range w.Entries {
		single := fhir.Write{Mode: fhir.WriteSingle, Entries: []fhir.WriteEntry{e}, Base: w.Base, Correlation: w.Correlation}
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

// validate holds each resource against the structure of FHIR R4. The fault is the first
// deviation; its cause, a *conformance.Error, names them all.
func (g *Door) validate(w fhir.Write) error {
	var all []conformance.Issue
	for i, e := range w.Entries {
		if e.Resource == nil {
			continue
		}
		for _, issue := range g.validator(e.Resource) {
			if issue.Severity != conformance.SeverityError {
				continue
			}
			if w.Mode == fhir.WriteTransaction {
				issue.Path = fmt.Sprintf("Bundle.entry[%d].resource: %s", i, issue.Path)
			}
			all = append(all, issue)
		}
	}
	if len(all) == 0 {
		return nil
	}
	first := all[0]
	return &handover.Fault{Kind: handover.FaultInvalid, Op: "fhirdoor.validate", Text: first.Text, Path: first.Path, Line: first.Line, Column: first.Column,
		Err: &conformance.Error{Issues: all}}
}

// answeredEntry is one entry of a first answer, enough to give it again.
type answeredEntry struct {
	Status  int    `json:"status"`
	Type    string `json:"type"`
	ID      string `json:"id"`
	Version int64  `json:"version"`
	Created bool   `json:"created,omitempty"`
}

// repeat answers a write that was stored before as the first time; nil for another.
func (t *writing) repeat(s *act.Snapshot) (*act.Plan, error) {
	if t.row.ExternalID == "" {
		return nil, nil
	}
	plan, first, found := act.Repeat(s, t.row)
	if !found {
		return nil, nil
	}
	var places []answeredEntry
	if err := json.Unmarshal(first.Answer, &places); err != nil {
		return nil, err
	}
	t.status, t.results = first.AnswerCode, nil
	for _, p := range places {
		t.results = append(t.results, p.result(s))
	}
	return plan, nil
}

// result is the entry's first answer, with the version that it told.
func (p answeredEntry) result(s *act.Snapshot) fhir.EntryResult {
	r := fhir.EntryResult{Status: p.Status, Type: p.Type, ID: p.ID, Version: p.Version, Created: p.Created}
	if p.Version == 0 {
		return r
	}
	v, found := s.Versions.Get(act.Version{ResourceKey: ledger.ResourceKey{Type: p.Type, ID: p.ID}, Number: p.Version})
	if !found {
		s.Fail(ledger.ErrNotFound)
	}
	r.At, r.JSON = v.At, v.JSON
	return r
}

// answer makes the results by the versions that the plan stores, and adds the message.
func (t *writing) answer(s *act.Snapshot, p *act.Plan) error {
	t.results = nil
	var places []answeredEntry
	err := t.each(func(_ int, e *act.Entry) error {
		r, err := result(p, e)
		t.results = append(t.results, r)
		places = append(places, answeredEntry{Status: r.Status, Type: r.Type, ID: r.ID, Version: r.Version, Created: r.Created})
		return err
	})
	if err != nil {
		return err
	}
	t.status = http.StatusOK
	if alone(t.w) {
		t.status = t.results[0].Status
	}
	row := t.row
	row.Answer, _ = json.Marshal(places) // texts and numbers always can be marshalled
	row.AnswerCode = t.status
	act.AddMessage(s, p, row)
	return nil
}

// stored puts the times of the versions that the commit stored into the results.
func (t *writing) stored(p *act.Plan) {
	for i := range t.results {
		r := &t.results[i]
		if at, stored := p.StoredAt(r.Type, r.ID); stored {
			r.At, r.JSON = at, ledger.Stamp(r.JSON, at)
		}
	}
}

// result is what the caller is told of one entry, but for the time, which is the commit's.
func result(p *act.Plan, e *act.Entry) (fhir.EntryResult, error) {
	r := fhir.EntryResult{Status: http.StatusOK, Type: e.Type, ID: e.ID}
	w := p.Unit.Resource(e.Type, e.ID)
	if w == nil {
		return unchanged(r, e)
	}
	r.Version, r.JSON = w.Expect+1, w.JSON
	if w.Expect == 0 {
		r.Status, r.Created = http.StatusCreated, true
	}
	if w.Deleted {
		r.Status = http.StatusNoContent
	}
	switch {
	case w.Deleted:
	case p.Handover.ID == "" && act.IsBeside(e.Resource):
		r.Notice = "stored for its author alone: it is part of no open handover, so nobody else reads it"
	case p.Handover.ID != "" && len(p.Tellings) == 0 && !p.Handover.State.Open():
		r.Notice = "stored, and told to nobody: its handover has ended"
	}
	return r, nil
}

// unchanged is the result of an entry that stored nothing. To delete what is not there is
// no fault.
func unchanged(r fhir.EntryResult, e *act.Entry) (fhir.EntryResult, error) {
	r.Version, r.At, r.JSON = e.Current.Version, e.Current.At, e.Current.JSON
	if e.Method == http.MethodDelete {
		r.Status = http.StatusNoContent
	} else if r.Version == 0 {
		return r, &handover.Fault{Kind: handover.FaultNotFound, Op: "fhirdoor.result", Text: "no such resource"}
	}
	return r, nil
}
