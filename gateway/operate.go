package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"stafett/access"
	"stafett/adapters"
	"stafett/handover"
	"stafett/ledger"
	"stafett/message"
)

// Parked is what waits for a named person.
type Parked struct {
	Messages   []ledger.Message
	Deliveries []ledger.Delivery
}

// parkedMax bounds a listing.
const parkedMax = 1000

// ListParked returns what is parked and the caller may operate on.
func (g *Gateway) ListParked(ctx context.Context, c access.Caller) (Parked, error) {
	if !c.IsOperator() {
		return Parked{}, &handover.Fault{Kind: handover.FaultForbidden, Op: "gateway.ListParked", Text: "named persons only"}
	}
	mine := ledger.ParkedFilter{Party: c.Party, Limit: parkedMax}
	ms, err := g.ledger.ParkedMessages(ctx, mine)
	if err != nil {
		return Parked{}, err
	}
	ds, err := g.ledger.ParkedDeliveries(ctx, mine)
	return Parked{Messages: ms.Items, Deliveries: ds.Items}, err
}

// mayOperateDelivery: a person acts for the party on whose behalf the message was sent.
func (g *Gateway) mayOperateDelivery(ctx context.Context, c access.Caller, d ledger.Delivery) error {
	if d.Handover == "" {
		return access.MayOperate(c, d.Receiver)
	}
	h, err := g.ledger.Handover(ctx, d.Handover)
	if err != nil {
		return err
	}
	return access.MayOperate(c, counterpart(h, d.Receiver))
}

// Reprocess takes a parked message through intake again, as after a correction of the
// directory or of a mapping.
func (g *Gateway) Reprocess(ctx context.Context, c access.Caller, id handover.MessageID) (ledger.Message, error) {
	return g.takeAgain(ctx, c, id, "")
}

// Reroute takes a parked message through intake again with a receiver that a named person chose.
func (g *Gateway) Reroute(ctx context.Context, c access.Caller, id handover.MessageID, to handover.PartyID) (ledger.Message, error) {
	if _, ok := g.dir.Party(to); !ok {
		return ledger.Message{}, &handover.Fault{Kind: handover.FaultReceiverUnknown, Op: "gateway.Reroute", Text: "no such party in the directory"}
	}
	return g.takeAgain(ctx, c, id, to)
}

func (g *Gateway) takeAgain(ctx context.Context, c access.Caller, id handover.MessageID, to handover.PartyID) (ledger.Message, error) {
	m, err := g.parkedMessage(ctx, c, id)
	if err != nil {
		return m, err
	}
	if !g.retakes(m.Wire) {
		return m, &handover.Fault{Kind: handover.FaultUnsupported, Op: "gateway.takeAgain", Text: "a FHIR write is refused, never parked; its sender sends it again"}
	}
	t := g.resume(m)
	t.person, t.rerouted = c.Person, to
	if a := g.takeSafely(ctx, t); a.Outcome == adapters.OutcomeUnanswered {
		return m, a.Fault
	}
	return g.ledger.Message(ctx, id)
}

func (g *Gateway) retakes(w handover.Wire) bool {
	codec := g.codecs[w]
	return codec != nil && codec.Retakes()
}

// resume is a stored message on its way through intake again.
func (g *Gateway) resume(m ledger.Message) *taking {
	return &taking{in: adapters.Inbound{Wire: m.Wire, Caller: m.Caller, Raw: m.Raw, ReceivedAt: m.ReceivedAt, Correlation: m.Correlation},
		now: g.now(), codec: g.codecs[m.Wire], row: m, again: true}
}

// tryAgain takes a waiting message through intake again; what fails stays as it is and is
// found again by its deadline.
func (g *Gateway) tryAgain(ctx context.Context, id handover.MessageID) {
	m, err := g.ledger.Message(ctx, id)
	if err != nil || m.Disposition != ledger.DispositionMoving {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			g.log.Error("a waiting message panicked", "message", id, "panic", fmt.Sprintf("%T", p))
			g.setMessageAside(ctx, m)
		}
	}()
	if a := g.take(ctx, g.resume(m)); a.Outcome == adapters.OutcomeUnanswered {
		g.log.Warn("a waiting message could not be tried again", "message", id, "fault", a.Fault.Kind)
	}
}

// setMessageAside counts a panic against a waiting message; after some it is parked.
func (g *Gateway) setMessageAside(ctx context.Context, m ledger.Message) {
	now := g.now()
	m.Step++
	m.Deadline = now.Add(waitAgain)
	if m.Step >= panicTries {
		m.Disposition, m.Reason, m.Detail, m.Step = ledger.DispositionParked, handover.FaultUnknown, "panic while it was tried again", 0
		m.Contact, m.Deadline = g.contactOf(m.Sender), now.Add(g.policy.EscalationAfter(0))
	}
	if _, err := g.commit(ctx, ledger.Unit{Messages: []ledger.MessageUpdate{{Message: m}}}); err != nil {
		g.log.Error("a waiting message could not be set aside", "message", m.ID, "cause", err.Error())
	}
}

func (g *Gateway) parkedMessage(ctx context.Context, c access.Caller, id handover.MessageID) (ledger.Message, error) {
	m, err := g.ledger.Message(ctx, id)
	if err != nil {
		return m, notFound(err)
	}
	if err := access.MayOperate(c, m.Sender); err != nil {
		return m, err
	}
	if m.Disposition != ledger.DispositionParked {
		return m, &handover.Fault{Kind: handover.FaultConflict, Op: "gateway.parkedMessage", Text: "the message is not parked"}
	}
	return m, nil
}

// CloseMessage ends a parked message with a named person's reason.
func (g *Gateway) CloseMessage(ctx context.Context, c access.Caller, id handover.MessageID, why string) error {
	m, err := g.parkedMessage(ctx, c, id)
	if err != nil {
		return err
	}
	if why == "" {
		return &handover.Fault{Kind: handover.FaultInvalid, Op: "gateway.CloseMessage", Text: "say why"}
	}
	m.Disposition, m.Resolution, m.Person = ledger.DispositionApplied, why, c.Person
	m.Contact, m.Deadline = "", time.Time{}
	_, err = g.commit(ctx, ledger.Unit{Messages: []ledger.MessageUpdate{{Message: m}},
		Audit: []ledger.Audit{g.operated(c, "closed", ledger.Audit{Message: id, Handover: m.Handover})}})
	return err
}

func (g *Gateway) operated(c access.Caller, outcome string, a ledger.Audit) ledger.Audit {
	a.At, a.Action, a.Party, a.Person, a.Outcome = g.now(), ledger.AuditOperated, c.Party, c.Person, outcome
	return a
}

func (g *Gateway) parkedDelivery(ctx context.Context, c access.Caller, id handover.DeliveryID) (ledger.Delivery, error) {
	d, err := g.ledger.Delivery(ctx, id)
	if err != nil {
		return d, notFound(err)
	}
	if err := g.mayOperateDelivery(ctx, c, d); err != nil {
		return d, err
	}
	if d.State != ledger.DeliveryParked && d.State != ledger.DeliveryRefused {
		return d, &handover.Fault{Kind: handover.FaultConflict, Op: "gateway.parkedDelivery", Text: "the delivery is not parked"}
	}
	return d, nil
}

// CloseDelivery ends a parked delivery with a named person's reason.
func (g *Gateway) CloseDelivery(ctx context.Context, c access.Caller, id handover.DeliveryID, why string) error {
	d, err := g.parkedDelivery(ctx, c, id)
	if err != nil {
		return err
	}
	if why == "" {
		return &handover.Fault{Kind: handover.FaultInvalid, Op: "gateway.CloseDelivery", Text: "say why"}
	}
	d.State, d.EndedAt, d.Deadline, d.Contact = ledger.DeliveryClosed, g.now(), time.Time{}, ""
	d.Error = "closed: " + why
	_, err = g.commit(ctx, ledger.Unit{Deliveries: []ledger.Delivery{d},
		Audit: []ledger.Audit{g.operated(c, "closed", ledger.Audit{Delivery: id, Handover: d.Handover, Message: d.Message})}})
	return err
}

// Resend sends a parked delivery again: identical where the receiver never took it; as a
// new message of the same content where it was refused, since a receipt is final and the
// same id would be taken for a repeat (DOMAIN 3.3).
func (g *Gateway) Resend(ctx context.Context, c access.Caller, id handover.DeliveryID) (ledger.Delivery, error) {
	d, err := g.parkedDelivery(ctx, c, id)
	if err != nil {
		return d, err
	}
	if len(d.Raw) == 0 {
		return d, &handover.Fault{Kind: handover.FaultConflict, Op: "gateway.Resend", Text: "this message could not be made: reprocess what caused it"}
	}
	now := g.now()
	u := ledger.Unit{Audit: []ledger.Audit{g.operated(c, "resent", ledger.Audit{Delivery: id, Handover: d.Handover, Message: d.Message})}}
	if d.State == ledger.DeliveryRefused {
		again := g.renew(d, now)
		d.State, d.EndedAt, d.Deadline, d.Contact = ledger.DeliveryClosed, now, time.Time{}, ""
		u.Deliveries = append(u.Deliveries, d)
		u.Keys = append(u.Keys, ledger.HandoverKey{Kind: ledger.KeyConversation, Party: again.Receiver, Value: again.ExternalID, Handover: again.Handover})
		d = again
	}
	d.State, d.NextAttempt, d.Error, d.Contact, d.Step = ledger.DeliveryPending, now, "", "", 0
	d.WarnAt, d.Deadline = g.receiptTerms(d.Wire, now)
	u.Deliveries = append(u.Deliveries, d)
	_, err = g.commit(ctx, u)
	return d, err
}

// renew is a delivery of the same content under a new identity.
func (g *Gateway) renew(d ledger.Delivery, now time.Time) ledger.Delivery {
	old := d.ExternalID
	d.ID, d.ExternalID, d.Version, d.Order = handover.DeliveryID(newID()), g.codecs[d.Wire].NewID(), 0, 0
	d.Raw = bytes.ReplaceAll(d.Raw, []byte(old), []byte(d.ExternalID))
	d.Digest = message.DigestOf(d.Raw)
	d.CreatedAt, d.Attempts, d.SentAt, d.EndedAt, d.Receipt = now, 0, time.Time{}, time.Time{}, ""
	return d
}

// Answer is what a named person reads out of a text that no rule could read.
type Answer struct {
	Handover handover.ID
	// Event is accepted, deferred, declined or another event of the party's own.
	Event handover.EventName
	// Day is the promised day, zero when unknown.
	Day time.Time
	// For is the party whose answer it is; the person must be allowed to act for it.
	For handover.PartyID
	// Next is what follows, where the event ends the handover.
	Next handover.Next
	// Attention is the attention that attention-resolved ends.
	Attention handover.AttentionReason
}

// RecordAnswer records a named person's reading as the party's own act (invariant 3: never
// the free text, always somebody with a name).
func (g *Gateway) RecordAnswer(ctx context.Context, c access.Caller, in Answer) (handover.Handover, error) {
	if !c.IsOperator() {
		return handover.Handover{}, &handover.Fault{Kind: handover.FaultForbidden, Op: "gateway.RecordAnswer", Text: "named persons only"}
	}
	a, err := g.settleAct(ctx, in.Handover, func(h handover.Handover) (*act, error) {
		party := in.For
		if party == "" {
			party = h.Receiver
			if in.Event == handover.EventAttentionResolved && c.Party != "" {
				party = c.Party
			}
		}
		if err := access.MayOperate(c, party); err != nil && !readsUnclear(c, h, party) {
			return nil, err
		}
		a := &act{now: g.now(), kind: h.Kind, before: h,
			actor: handover.Actor{Role: handover.RoleReader, Party: party, Person: c.Person},
			event: handover.Event{Name: in.Event, Day: in.Day, Next: in.Next, Attention: in.Attention, NewID: handover.ID(newID())}}
		if err := g.decide(ctx, a); err != nil {
			return nil, err
		}
		a.unit.Audit = append(a.unit.Audit, g.operated(c, string(in.Event), ledger.Audit{Handover: h.ID}))
		return a, nil
	})
	if err != nil {
		if errors.Is(err, ledger.ErrNotFound) {
			return handover.Handover{}, notFound(err)
		}
		return handover.Handover{}, handover.FaultOf(storageFault(err))
	}
	return a.next, nil
}

// readsUnclear: a reader for the sender may record what the receiver has written, for the
// note is in its hands; without such a note the answer would be its own (invariant 3).
func readsUnclear(c access.Caller, h handover.Handover, party handover.PartyID) bool {
	return c.IsOperator() && c.Party == h.Sender && party == h.Receiver &&
		slices.ContainsFunc(h.Attentions, func(a handover.Attention) bool { return a.Reason == handover.AttentionAnswerNeedsReading })
}
