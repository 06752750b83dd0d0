package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"stafett/adapters"
	"stafett/directory"
	"stafett/handover"
	"stafett/ledger"
	"stafett/mappings/account"
	"stafett/message"
)

// decideTries bounds how often a version conflict repeats the decision.
const decideTries = 3

// taking is one message on its way through intake; each stage fills its part.
type taking struct {
	in    adapters.Inbound
	now   time.Time
	codec adapters.Codec
	row   ledger.Message

	tree     *message.Message  // decode
	env      adapters.Envelope // decode
	sender   directory.Party   // identify
	receiver handover.PartyID  // identify; empty when the message names none
	content  account.Canonical // translate
	report   account.Report    // translate
	actor    handover.Actor    // find
	current  handover.Handover // find; zero when none
	after    []func()          // what the commit sets going
	looks    bool              // settle: an earlier try met a conflict
	again    bool              // a kept message that is tried again
	person   string            // the named person who had it tried again
	rerouted handover.PartyID  // the receiver that person chose
}

// Take is intake. It returns only after the commit, or unanswered (invariant 1).
func (g *Gateway) Take(ctx context.Context, in adapters.Inbound) (answer adapters.Answer) {
	g.inHand.Add(1)
	defer g.inHand.Done()
	t := g.begin(in)
	defer func() { g.observe.Took(in.Wire, t.row.Disposition, g.now().Sub(t.now)) }()
	return g.takeSafely(ctx, t)
}

// takeSafely leaves a message that panics unanswered: its sender still owns it.
func (g *Gateway) takeSafely(ctx context.Context, t *taking) (answer adapters.Answer) {
	defer func() {
		if p := recover(); p != nil {
			g.log.Error("intake panicked", "correlation", t.in.Correlation, "panic", fmt.Sprintf("%T", p))
			answer = unanswered(t, &handover.Fault{Kind: handover.FaultUnknown, Op: "gateway.Take", Text: "panic"})
		}
	}()
	return g.take(ctx, t)
}

// take is the list of intake's stages.
func (g *Gateway) take(ctx context.Context, t *taking) adapters.Answer {
	for _, stage := range []func(context.Context, *taking) error{
		g.decode, g.identify, g.translate, g.validate, g.settle,
	} {
		if err := stage(ctx, t); err != nil {
			return g.conclude(ctx, t, err)
		}
	}
	for _, f := range t.after {
		f()
	}
	return stored(t)
}

func (g *Gateway) begin(in adapters.Inbound) *taking {
	now := g.now()
	if in.ReceivedAt.IsZero() {
		in.ReceivedAt = now
	}
	return &taking{in: in, now: now, codec: g.codecs[in.Wire], row: ledger.Message{
		ID: handover.MessageID(newID()), Caller: in.Caller, Wire: in.Wire,
		Digest: message.DigestOf(in.Raw), Raw: in.Raw,
		ReceivedAt: in.ReceivedAt.UTC(), Correlation: in.Correlation,
	}}
}

func stored(t *taking) adapters.Answer {
	return adapters.Answer{Outcome: adapters.OutcomeStored, Bytes: t.row.Answer, Message: t.row.ID}
}

func unanswered(t *taking, f *handover.Fault) adapters.Answer {
	t.row.Disposition = ""
	return adapters.Answer{Outcome: adapters.OutcomeUnanswered, Fault: f}
}

// conclude ends a message that did not pass: repeated, refused or parked, each committed
// with its raw bytes; or unanswered, and then the sender still owns it.
func (g *Gateway) conclude(ctx context.Context, t *taking, err error) adapters.Answer {
	if errors.Is(err, ledger.ErrRepeat) {
		return g.repeat(ctx, t)
	}
	f := handover.FaultOf(storageFault(err))
	if f.Kind.Temporary() {
		g.log.Warn("message left unanswered", "correlation", t.in.Correlation, "wire", t.in.Wire, "fault", f.Kind, "cause", f.Error())
		return unanswered(t, f)
	}
	answer, err := g.keep(ctx, t, f)
	switch {
	case errors.Is(err, ledger.ErrRepeat):
		return g.repeat(ctx, t)
	case err != nil:
		f := handover.FaultOf(storageFault(err))
		g.log.Error("a refusal could not be stored", "correlation", t.in.Correlation, "cause", f.Error())
		return unanswered(t, f)
	}
	return answer
}

// storageFault turns what the ledger says into a fault; a conflict that outlived its tries
// is temporary.
func storageFault(err error) error {
	var f *handover.Fault
	switch {
	case errors.As(err, &f):
		return err
	case errors.Is(err, ledger.ErrFull), errors.Is(err, ledger.ErrClosed), errors.Is(err, ledger.ErrConflict),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &handover.Fault{Kind: handover.FaultTemporary, Text: "not stored", Err: err}
	}
	return err
}

// keep commits a refused or parked message (invariant 2: with the raw bytes and the reason).
func (g *Gateway) keep(ctx context.Context, t *taking, f *handover.Fault) (adapters.Answer, error) {
	// A message that was answered positively before is never refused afterwards.
	refused := t.codec.Refuses(f.Kind) && !t.again
	t.row.Reason, t.row.Detail = f.Kind, detailOf(f)
	u := ledger.Unit{}
	action := ledger.AuditParked
	if refused {
		action = ledger.AuditRefused
		t.row.Disposition = ledger.DispositionRefused
		t.row.Answer = t.codec.Answer(t.env, t.row.ID, f, t.now)
		if d, ok := g.refusal(t, f); ok {
			u.Deliveries = append(u.Deliveries, d)
		}
	} else {
		t.row.Disposition = ledger.DispositionParked
		g.answer(t)
		t.row.Contact = g.contactOf(t.row.Sender)
		t.row.Deadline = t.now.Add(g.policy.EscalationAfter(0))
	}
	g.describe(t)
	u.Audit = append(u.Audit, g.audit(t, action, string(f.Kind)))
	if err := g.storeMessage(ctx, t, u); err != nil {
		return adapters.Answer{}, err
	}
	g.log.Warn("message "+string(t.row.Disposition), "correlation", t.in.Correlation, "message", t.row.ID,
		"wire", t.in.Wire, "type", t.row.Type, "sender", t.row.Sender, "fault", f.Kind, "path", f.Path)
	if refused {
		return adapters.Answer{Outcome: adapters.OutcomeRefused, Bytes: t.row.Answer, Fault: f, Message: t.row.ID}, nil
	}
	return stored(t), nil
}

// applied ends the message as read and used; one that was kept before needs nobody any more.
func (t *taking) applied(detail string) {
	t.row.Disposition, t.row.Reason, t.row.Detail = ledger.DispositionApplied, "", detail
	t.row.Contact, t.row.Deadline, t.row.Step = "", time.Time{}, 0
}

// storeMessage inserts the message, or updates it when it is one that was kept before.
func (g *Gateway) storeMessage(ctx context.Context, t *taking, u ledger.Unit) error {
	t.putMessage(&u)
	_, err := g.commit(ctx, u)
	return err
}

func (t *taking) putMessage(u *ledger.Unit) {
	row := t.row
	if t.again {
		u.Messages = append(u.Messages, ledger.MessageUpdate{Message: row})
		return
	}
	u.Message = &row
}

// answer makes the positive transport answer, once: a message tried again keeps its first.
func (g *Gateway) answer(t *taking) {
	if !t.again {
		t.row.Answer = t.codec.Answer(t.env, t.row.ID, nil, t.now)
	}
}

// describe puts what the envelope and the report say on the message's row.
func (g *Gateway) describe(t *taking) {
	t.row.Type, t.row.ExternalID, t.row.Conversation = t.codec.TypeCode(t.env.Type), t.externalID(), t.env.Conversation
	if b, err := json.Marshal(t.env); err == nil {
		t.row.Envelope = b
	}
	if len(t.report.Fates) > 0 {
		if b, err := json.Marshal(t.report); err == nil {
			t.row.Report = b
		}
	}
}

// detailOf is the fault's text and place, safe to keep and to show.
func detailOf(f *handover.Fault) string {
	s := f.Text
	if f.Path != "" {
		s += " at " + f.Path
	}
	if f.Line > 0 {
		s += fmt.Sprintf(" (line %d, column %d)", f.Line, f.Column)
	}
	return s
}

func (g *Gateway) audit(t *taking, action ledger.AuditAction, outcome string) ledger.Audit {
	return ledger.Audit{At: t.now, Action: action, Party: t.row.Sender, Person: t.person, Message: t.row.ID,
		Handover: t.row.Handover, Outcome: outcome, Correlation: t.in.Correlation}
}

// repeat answers as the first time and changes nothing: same sender, id and digest.
func (g *Gateway) repeat(ctx context.Context, t *taking) adapters.Answer {
	first, err := g.firstOf(ctx, t.row.Sender, t.env.ID, t.row.Digest)
	if err != nil {
		return unanswered(t, handover.FaultOf(storageFault(err)))
	}
	t.row.Disposition, t.row.Repeats = ledger.DispositionRepeated, first.ID
	t.row.Reason, t.row.Contact, t.row.Deadline = "", "", time.Time{}
	t.row.Raw, t.row.Report, t.row.Handover = nil, nil, first.Handover
	t.row.Answer, t.row.AnswerCode = first.Answer, first.AnswerCode
	t.row.Type, t.row.ExternalID = t.codec.TypeCode(t.env.Type), t.externalID()
	u := ledger.Unit{Audit: []ledger.Audit{g.audit(t, ledger.AuditReceived, "repeated")}}
	if err := g.storeMessage(ctx, t, u); err != nil {
		return unanswered(t, handover.FaultOf(storageFault(err)))
	}
	if first.Disposition == ledger.DispositionRefused {
		return adapters.Answer{Outcome: adapters.OutcomeRefused, Bytes: first.Answer, Message: first.ID,
			Fault: &handover.Fault{Kind: first.Reason, Text: first.Detail}}
	}
	return adapters.Answer{Outcome: adapters.OutcomeStored, Bytes: first.Answer, Message: first.ID}
}

func (g *Gateway) firstOf(ctx context.Context, sender handover.PartyID, externalID string, digest handover.Digest) (ledger.Message, error) {
	all, err := g.ledger.MessagesByExternalID(ctx, sender, externalID)
	if err != nil {
		return ledger.Message{}, err
	}
	for _, m := range all {
		if m.Digest == digest {
			return m, nil
		}
	}
	return ledger.Message{}, ledger.ErrNotFound
}
