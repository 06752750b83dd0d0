package intake

import (
	"context"
	"encoding/json"
	"fmt"

	"stafett/adapters"
	"stafett/fhir"
	"stafett/gateway/act"
	"stafett/handover"
	"stafett/ledger"
)

// Retakes says whether a stored message of a wire can be taken again.
func (g *Intake) Retakes(w handover.Wire) bool {
	return g.k.Codec(w) != nil
}

// Ruling is what a named person decides of a kept message: its receiver, empty for the
// message's own, and whose stay it is about.
type Ruling struct {
	Person  string
	To      handover.PartyID
	Verdict act.Verdict
}

// TakeAgain takes a kept message through intake again, for a named person.
func (g *Intake) TakeAgain(ctx context.Context, m ledger.Message, r Ruling) adapters.Answer {
	t := g.resume(m)
	t.person, t.rerouted, t.verdict = r.Person, r.To, r.Verdict
	return g.takeSafely(ctx, t)
}

// resume is a stored message on its way through intake again.
func (g *Intake) resume(m ledger.Message) *taking {
	in := adapters.Inbound{Wire: m.Wire, Caller: m.Caller, Raw: m.Raw, ReceivedAt: m.ReceivedAt, Correlation: m.Correlation}
	return &taking{in: in, now: g.k.Now(), codec: g.codecOf(in), row: m, again: true, parkedOn: m.Handover}
}

// panicTries is how often a waiting message may panic before it is parked.
const panicTries = 3

// TryAgain takes a waiting message through intake again; what fails stays as it is and is
// found again by its deadline.
func (g *Intake) TryAgain(ctx context.Context, id handover.MessageID) {
	m, err := g.k.Ledger.Message(ctx, id)
	if err != nil || m.Disposition != ledger.DispositionMoving {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			g.k.Log.Error("a waiting message panicked", "message", id, "panic", fmt.Sprintf("%T", p))
			g.setAside(ctx, m)
		}
	}()
	if a := g.take(ctx, g.resume(m)); a.Outcome == adapters.OutcomeUnanswered {
		g.k.Log.Warn("a waiting message could not be tried again", "message", id, "fault", a.Fault.Kind)
	}
}

func (g *Intake) setAside(ctx context.Context, m ledger.Message) {
	_, err := g.k.Once(ctx, "", func(s *act.Snapshot) (*act.Plan, error) { return act.SetAside(s, m, panicTries), nil })
	if err != nil {
		g.k.Log.Error("a waiting message could not be set aside", "message", m.ID, "cause", err.Error())
	}
}

// Read is a stored message with what it says, as far as it can be read.
func (g *Intake) Read(ctx context.Context, m ledger.Message) act.Incoming {
	t := g.resume(m)
	t.sender, _ = g.k.Directory.Party(m.Sender)
	in := act.Incoming{Row: m, Sender: t.sender, Feed: t.feeds()}
	if g.decode(ctx, t) == nil && g.translate(ctx, t) == nil {
		in.Content = t.content
	}
	return in
}

// Patient is the patient of a message that its own sender is told about; nil where none
// can be read.
func (g *Intake) Patient(ctx context.Context, m ledger.Message) *fhir.Node {
	in := g.Read(ctx, m)
	return in.Content.Resource(act.NamePatient)
}

// Receipts reports whether the sender of a stored message waits for a receipt that is a message
// of its own.
func (g *Intake) Receipts(m ledger.Message) bool {
	codec := g.k.Codec(m.Wire)
	return codec != nil && !codec.FastReceipt() && m.Type != codec.ReceiptType()
}

// IsFor reports whether a stored message names p as its receiver, on a wire where receipts are
// messages of their own.
func (g *Intake) IsFor(m ledger.Message, p handover.PartyID) bool {
	var env adapters.Envelope
	if !g.Receipts(m) || json.Unmarshal(m.Envelope, &env) != nil {
		return false
	}
	to, _, ok := g.partyAt(env.Receiver)
	return ok && to.ID == p && p != m.Sender
}
