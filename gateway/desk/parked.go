package desk

import (
	"cmp"
	"context"
	"errors"

	"stafett/access"
	"stafett/adapters"
	"stafett/gateway/act"
	"stafett/gateway/intake"
	"stafett/gateway/kernel"
	"stafett/handover"
	"stafett/ledger"
)

// ParkedMessages returns a page of the parked messages that the caller may act on, the
// oldest first.
func (g *Desk) ParkedMessages(ctx context.Context, c access.Caller, limit int, after string) (ledger.Listing[ledger.Message], error) {
	if err := mayList(c); err != nil {
		return ledger.Listing[ledger.Message]{}, err
	}
	return g.k.Ledger.ParkedMessages(ctx, ledger.ParkedFilter{Party: c.Party, Limit: limit, After: after})
}

// ParkedDeliveries is ParkedMessages for deliveries.
func (g *Desk) ParkedDeliveries(ctx context.Context, c access.Caller, limit int, after string) (ledger.Listing[ledger.Delivery], error) {
	if err := mayList(c); err != nil {
		return ledger.Listing[ledger.Delivery]{}, err
	}
	return g.k.Ledger.ParkedDeliveries(ctx, ledger.ParkedFilter{Party: c.Party, Limit: limit, After: after})
}

// ResolvedMessages returns a page of the messages that were parked and that a named person
// ended, of those that the caller may act on, the newest first.
func (g *Desk) ResolvedMessages(ctx context.Context, c access.Caller, limit int, after string) (ledger.Listing[ledger.Message], error) {
	if err := mayList(c); err != nil {
		return ledger.Listing[ledger.Message]{}, err
	}
	return g.k.Ledger.ResolvedMessages(ctx, ledger.ParkedFilter{Party: c.Party, Limit: limit, After: after})
}

// ResolvedDeliveries is ResolvedMessages for deliveries.
func (g *Desk) ResolvedDeliveries(ctx context.Context, c access.Caller, limit int, after string) (ledger.Listing[ledger.Delivery], error) {
	if err := mayList(c); err != nil {
		return ledger.Listing[ledger.Delivery]{}, err
	}
	return g.k.Ledger.ResolvedDeliveries(ctx, ledger.ParkedFilter{Party: c.Party, Limit: limit, After: after})
}

// Unheard returns a page of the applied messages whose content reached nobody, of those
// that the caller may act on, the oldest first.
func (g *Desk) Unheard(ctx context.Context, c access.Caller, limit int, after string) (ledger.Listing[ledger.Message], error) {
	if err := mayList(c); err != nil {
		return ledger.Listing[ledger.Message]{}, err
	}
	return g.k.Ledger.Unheard(ctx, ledger.ParkedFilter{Party: c.Party, Limit: limit, After: after})
}

func mayList(c access.Caller) error {
	if c.IsOperator() {
		return nil
	}
	return &handover.Fault{Kind: handover.FaultForbidden, Op: "desk.mayList", Text: "named persons only"}
}

// mayOperateDelivery: a person acts for the party on whose behalf the message was sent.
func (g *Desk) mayOperateDelivery(ctx context.Context, c access.Caller, d ledger.Delivery) error {
	if d.Handover == "" && d.Purpose == ledger.PurposeTell && d.Message != "" {
		m, err := g.k.Ledger.Message(ctx, d.Message)
		return cmp.Or(err, access.MayOperate(c, m.Sender))
	}
	if d.Handover == "" {
		return access.MayOperate(c, d.Receiver)
	}
	h, err := g.k.Ledger.Handover(ctx, d.Handover)
	if err != nil {
		return err
	}
	return access.MayOperate(c, act.Counterpart(h, d.Receiver))
}

// Reprocess takes a parked message through intake again, as after a correction of the
// directory or of a mapping.
func (g *Desk) Reprocess(ctx context.Context, c access.Caller, id handover.MessageID) (ledger.Message, error) {
	return g.takeAgain(ctx, c, id, intake.Ruling{})
}

// Verdict is what a named person says of a parked message's patient.
type Verdict = act.Verdict

// The verdicts.
const (
	VerdictCorrected   = act.VerdictCorrected
	VerdictAnotherStay = act.VerdictAnotherStay
)

// Rule takes a parked message through intake again with what a named person says of its
// patient: the handover's, corrected, or another stay's.
func (g *Desk) Rule(ctx context.Context, c access.Caller, id handover.MessageID, v Verdict) (ledger.Message, error) {
	return g.takeAgain(ctx, c, id, intake.Ruling{Verdict: v})
}

// Reroute takes a parked message through intake again with a receiver that a named person chose.
func (g *Desk) Reroute(ctx context.Context, c access.Caller, id handover.MessageID, to handover.PartyID) (ledger.Message, error) {
	if _, ok := g.k.Directory.Party(to); !ok {
		return ledger.Message{}, &handover.Fault{Kind: handover.FaultReceiverUnknown, Op: "desk.Reroute", Text: "no such party in the directory"}
	}
	return g.takeAgain(ctx, c, id, intake.Ruling{To: to})
}

func (g *Desk) takeAgain(ctx context.Context, c access.Caller, id handover.MessageID, r intake.Ruling) (ledger.Message, error) {
	m, err := g.parkedMessage(ctx, c, id)
	if err != nil {
		return m, err
	}
	if !g.intake.Retakes(m.Wire) {
		return m, &handover.Fault{Kind: handover.FaultUnsupported, Op: "desk.takeAgain", Text: "a FHIR write is refused, never parked; its sender sends it again"}
	}
	r.Person = c.Person
	if a := g.intake.TakeAgain(ctx, m, r); a.Outcome == adapters.OutcomeUnanswered {
		return m, a.Fault
	}
	g.k.Log.Info("a person acted", "message", id, "act", "taken again", "party", c.Party, "to", r.To, "verdict", r.Verdict)
	return g.k.Ledger.Message(ctx, id)
}

func (g *Desk) parkedMessage(ctx context.Context, c access.Caller, id handover.MessageID) (ledger.Message, error) {
	m, err := g.k.Ledger.Message(ctx, id)
	if err != nil {
		return m, kernel.NotFound(err)
	}
	if err := access.MayOperate(c, m.Sender); err != nil {
		return m, err
	}
	if m.Disposition != ledger.DispositionParked {
		return m, &handover.Fault{Kind: handover.FaultConflict, Op: "desk.parkedMessage", Text: "the message is not parked"}
	}
	return m, nil
}

// CloseMessage ends a parked message with a named person's reason. A sender that waits for a
// receipt is told that none comes, unless the person is its own.
func (g *Desk) CloseMessage(ctx context.Context, c access.Caller, id handover.MessageID, why string) error {
	m, err := g.parkedMessage(ctx, c, id)
	if err := cmp.Or(err, said(why)); err != nil {
		return err
	}
	in := g.intake.Read(ctx, m)
	tells := c.Party != m.Sender && m.Sender != "" && g.intake.Receipts(m)
	return g.commit(ctx, func(s *act.Snapshot) *act.Plan {
		plan := act.ClosedMessage(s, person(c), in, why)
		if tells {
			act.AddUnreceipted(s, plan, in, why)
		}
		return plan
	})
}

// ReceiptMessage ends a parked message with the receipt of its receiver, as a named person of
// the receiver gives it: nobody else speaks in its name (invariant 11).
func (g *Desk) ReceiptMessage(ctx context.Context, c access.Caller, id handover.MessageID, positive bool, why string) error {
	m, err := g.k.Ledger.Message(ctx, id)
	if err != nil {
		return kernel.NotFound(err)
	}
	switch {
	case !c.IsOperator() || c.Party == "" || !g.intake.IsFor(m, c.Party):
		return &handover.Fault{Kind: handover.FaultForbidden, Op: "desk.ReceiptMessage", Text: "a receipt is given by a person of the message's receiver"}
	case m.Disposition != ledger.DispositionParked:
		return &handover.Fault{Kind: handover.FaultConflict, Op: "desk.ReceiptMessage", Text: "the message is not parked"}
	case why == "":
		return said(why)
	}
	in := g.intake.Read(ctx, m)
	return g.commit(ctx, func(s *act.Snapshot) *act.Plan { return act.ReceiptedByPerson(s, person(c), in, positive, why) })
}

// said refuses an act without its reason.
func said(why string) error {
	if why == "" {
		return &handover.Fault{Kind: handover.FaultInvalid, Op: "desk.said", Text: "say why"}
	}
	return nil
}

func person(c access.Caller) act.Person { return act.Person{Name: c.Person, Party: c.Party} }

// commit stores an act on something as it was looked at; somebody else's change to it
// since then is a conflict.
func (g *Desk) commit(ctx context.Context, plan func(*act.Snapshot) *act.Plan) error {
	_, err := g.k.Once(ctx, "", func(s *act.Snapshot) (*act.Plan, error) { return plan(s), nil })
	if errors.Is(err, ledger.ErrConflict) {
		return &handover.Fault{Kind: handover.FaultConflict, Op: "desk.commit", Text: "somebody else changed it just now: look again"}
	}
	return err
}

func (g *Desk) parkedDelivery(ctx context.Context, c access.Caller, id handover.DeliveryID) (ledger.Delivery, error) {
	d, err := g.k.Ledger.Delivery(ctx, id)
	if err != nil {
		return d, kernel.NotFound(err)
	}
	if err := g.mayOperateDelivery(ctx, c, d); err != nil {
		return d, err
	}
	if !d.State.Parked() {
		return d, &handover.Fault{Kind: handover.FaultConflict, Op: "desk.parkedDelivery", Text: "the delivery is not parked"}
	}
	return d, nil
}

// CloseDelivery ends a parked delivery with a named person's reason.
func (g *Desk) CloseDelivery(ctx context.Context, c access.Caller, id handover.DeliveryID, why string) error {
	d, err := g.parkedDelivery(ctx, c, id)
	if err := cmp.Or(err, said(why)); err != nil {
		return err
	}
	return g.commit(ctx, func(s *act.Snapshot) *act.Plan { return act.ClosedDelivery(s, person(c), d, why) })
}

// Resend sends a parked delivery again: identical where the receiver never took it, as a
// new message of the same content where it was refused, and made anew of the handover as it
// stands where it could not be made; then it is the new delivery that is returned.
func (g *Desk) Resend(ctx context.Context, c access.Caller, id handover.DeliveryID) (ledger.Delivery, error) {
	d, err := g.parkedDelivery(ctx, c, id)
	if err != nil {
		return d, err
	}
	if len(d.Raw) == 0 {
		return g.makeAnew(ctx, c, d)
	}
	if d.Handover == "" && d.Purpose == ledger.PurposeTell && d.State == ledger.DeliveryRefused {
		return d, &handover.Fault{Kind: handover.FaultConflict, Op: "desk.Resend", Text: "the receiver refused its sender's own message: another one is its sender's to send"}
	}
	if h, err := g.k.Ledger.Handover(ctx, d.Handover); d.Handover != "" && (err != nil || h.Facts.AccessEnded && d.Receiver == h.Receiver) {
		return d, cmp.Or[error](err, &handover.Fault{Kind: handover.FaultConflict, Op: "desk.Resend", Text: "its receiver was the wrong one and is told nothing more: close it"})
	}
	var sent ledger.Delivery
	err = g.commit(ctx, func(s *act.Snapshot) (plan *act.Plan) {
		plan, sent = act.Resent(s, person(c), d, g.k.Rules[d.Wire].NewID)
		return plan
	})
	return sent, err
}

func (g *Desk) makeAnew(ctx context.Context, c access.Caller, d ledger.Delivery) (ledger.Delivery, error) {
	plan, err := g.k.Once(ctx, "", func(s *act.Snapshot) (*act.Plan, error) { return act.MadeAnew(s, person(c), d) })
	if err != nil {
		return d, err
	}
	made := plan.Unit.Deliveries[len(plan.Unit.Deliveries)-1]
	if len(made.Raw) == 0 {
		return made, &handover.Fault{Kind: handover.FaultConflict, Op: "desk.makeAnew", Text: "it cannot be made yet: " + made.Error}
	}
	return made, nil
}
