package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"stafett/adapters"
	"stafett/handover"
	"stafett/ledger"
	"stafett/message"
)

// settleReceipt applies a receipt that arrived as a message of its own to the delivery that
// it is for, to the handover, and relays it to whoever sent the original.
func (g *Gateway) settleReceipt(ctx context.Context, t *taking) error {
	r := *t.env.Receipt
	var err error
	for range decideTries {
		var d ledger.Delivery
		d, err = g.ledger.DeliveryByExternalID(ctx, t.row.Sender, r.OriginalID)
		if errors.Is(err, ledger.ErrNotFound) {
			return &handover.Fault{Kind: handover.FaultAmbiguous, Op: "gateway.settleReceipt", Text: "the receipt is for no message that was sent to this party"}
		}
		if err != nil {
			return err
		}
		unlock := g.lock(string(d.ID))
		// The send that it answers may be recorded only now: look again, with nobody in between.
		if d, err = g.ledger.Delivery(ctx, d.ID); err == nil {
			err = g.settleReceiptOf(ctx, t, d, r)
		}
		unlock()
		if !errors.Is(err, ledger.ErrConflict) {
			return err
		}
	}
	return err
}

func (g *Gateway) settleReceiptOf(ctx context.Context, t *taking, d ledger.Delivery, r adapters.Receipt) error {
	t.row.Handover = d.Handover
	t.applied("")
	g.answer(t)
	g.describe(t)
	a, err := g.receipted(ctx, d, r, t.row.ID, t.now)
	if err != nil {
		return err
	}
	t.putMessage(&a.unit)
	a.unit.Audit = append(a.unit.Audit, g.audit(t, ledger.AuditReceipted, receiptWord(r)))
	_, err = g.commit(ctx, a.unit)
	return err
}

func receiptWord(r adapters.Receipt) string {
	if r.Positive {
		return "positive"
	}
	return "negative"
}

// receipted makes the act of a receipt: the delivery's outcome, what it means for the
// handover, and its relay. A second receipt for the same delivery is recorded and changes
// nothing, except that a late positive one still counts (DOMAIN 3.3).
func (g *Gateway) receipted(ctx context.Context, d ledger.Delivery, r adapters.Receipt, by handover.MessageID, now time.Time) (*act, error) {
	a := &act{now: now, actor: handover.Actor{Role: handover.RoleSystem}}
	if d.State.Ended() || d.State == ledger.DeliveryRefused && !r.Positive {
		return a, nil
	}
	d.Receipt, d.LeaseOwner, d.LeaseUntil = by, "", time.Time{}
	d.WarnAt, d.NextAttempt = time.Time{}, time.Time{}
	if r.Positive {
		d.State, d.EndedAt, d.Error = ledger.DeliveryReceipted, now, ""
		d.Contact, d.Deadline, d.Step = "", time.Time{}, 0
	} else {
		to, err := g.responsible(ctx, d)
		if err != nil {
			return nil, err
		}
		g.parkDelivery(&d, to, "negative receipt: "+codesOf(r), now)
		d.State = ledger.DeliveryRefused
	}
	a.unit.Deliveries = append(a.unit.Deliveries, d)
	if d.Purpose != ledger.PurposeTell {
		return a, nil
	}
	if err := g.tellHandover(ctx, a, d, r.Positive); err != nil {
		return nil, err
	}
	return a, g.relay(ctx, a, d, r, by)
}

func codesOf(r adapters.Receipt) string {
	s := ""
	for i, e := range r.Errors {
		if i > 0 {
			s += ", "
		}
		s += e.Code
	}
	if s == "" {
		return "no code"
	}
	return s
}

// tellHandover lets the handover know that a party has, or has not, what it was sent.
func (g *Gateway) tellHandover(ctx context.Context, a *act, d ledger.Delivery, positive bool) error {
	if d.Handover == "" {
		return nil
	}
	h, err := g.ledger.Handover(ctx, d.Handover)
	if err != nil {
		return err
	}
	// Decide reads from the actor's party whose receipt, or whose silence, it is.
	a.actor.Party = d.Receiver
	a.kind, a.before = h.Kind, h
	a.event = handover.Event{Name: handover.EventReceipted, Notice: d.Event, At: a.now}
	if !positive {
		a.event.Name = handover.EventUnreachable
	}
	err = g.decide(ctx, a)
	var f *handover.Fault
	if errors.As(err, &f) && f.Kind == handover.FaultIllegal {
		// A closed handover takes no receipt; the delivery still records it.
		return nil
	}
	return err
}

// relay tells the sender of the original, in its own format, that the receiver has it.
func (g *Gateway) relay(ctx context.Context, a *act, d ledger.Delivery, r adapters.Receipt, by handover.MessageID) error {
	if d.Message == "" {
		return nil
	}
	original, err := g.ledger.Message(ctx, d.Message)
	if err != nil {
		return err
	}
	codec := g.codecs[original.Wire]
	if codec == nil || len(original.Envelope) == 0 {
		return nil
	}
	var env adapters.Envelope
	if err := json.Unmarshal(original.Envelope, &env); err != nil {
		return err
	}
	cause := by
	if cause == "" {
		cause = original.ID
	}
	out, ok, err := g.receiptDelivery(original, cause, ledger.PurposeReceipt, a.now, func(id string) ([]byte, error) {
		return codec.Relay(env, r, id, a.now.In(g.zone(original.Sender)))
	})
	if err != nil || !ok {
		return err
	}
	if relayed, err := g.relayedAlready(ctx, original.ID); err != nil || relayed {
		return err
	}
	out.Handover, out.Event = d.Handover, handover.EventReceipted
	a.unit.Deliveries = append(a.unit.Deliveries, out)
	return nil
}

// relayedAlready: a message with several receivers gets one receipt, the first.
func (g *Gateway) relayedAlready(ctx context.Context, id handover.MessageID) (bool, error) {
	ds, err := g.ledger.DeliveriesOf(ctx, id)
	if err != nil {
		return false, err
	}
	told := 0
	for _, d := range ds {
		if d.Purpose == ledger.PurposeTell && d.State == ledger.DeliveryReceipted {
			told++
		}
	}
	return told > 0, nil
}

// receiptDelivery makes the delivery of a receipt to the sender of original.
func (g *Gateway) receiptDelivery(original ledger.Message, cause handover.MessageID, purpose ledger.Purpose, now time.Time, build func(id string) ([]byte, error)) (ledger.Delivery, bool, error) {
	p, ok := g.dir.Party(original.Sender)
	if !ok {
		return ledger.Delivery{}, false, nil
	}
	codec := g.codecs[original.Wire]
	typ, id := codec.ReceiptType(), codec.NewID()
	raw, err := build(id)
	if err != nil || raw == nil {
		return ledger.Delivery{}, false, err
	}
	d := ledger.Delivery{ID: handover.DeliveryID(newID()), Message: cause, Purpose: purpose, Receiver: p.ID,
		Wire: original.Wire, Type: typ, ExternalID: id, Raw: raw, Digest: message.DigestOf(raw),
		GenTime: now, CreatedAt: now, State: ledger.DeliveryPending, NextAttempt: now}
	d.WarnAt, d.Deadline = g.receiptTerms(d.Wire, now)
	s, ok := p.ServiceFor(original.Wire, typ)
	if !ok {
		g.parkDelivery(&d, g.operator, "no service of the sender takes receipts", now)
	}
	d.Service = s.Name
	return d, true, nil
}

// refusal makes the negative receipt of our own that the wire allows, before anything was
// forwarded (DOMAIN 3.3).
func (g *Gateway) refusal(t *taking, f *handover.Fault) (ledger.Delivery, bool) {
	if t.row.Sender == "" {
		return ledger.Delivery{}, false
	}
	original := t.row
	d, ok, err := g.receiptDelivery(original, t.row.ID, ledger.PurposeRefusal, t.now, func(id string) ([]byte, error) {
		return t.codec.Refusal(t.env, f, id, t.now.In(t.sender.Location()))
	})
	if err != nil {
		g.log.Error("a negative receipt could not be made", "message", t.row.ID, "cause", err.Error())
		return d, false
	}
	return d, ok
}
