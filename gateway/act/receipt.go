package act

import (
	"errors"
	"strings"
	"time"

	"stafett/handover"
	"stafett/ledger"
	"stafett/message"
)

// Receipt applies a receipt that arrived as a message of its own: to the delivery that it
// is for, to the handover, and on to whoever sent the original.
func Receipt(s *Snapshot, in Incoming, r message.Receipt) (*Plan, error) {
	d, found := s.Answered.Get(External{in.Row.Sender, r.OriginalID})
	if !found {
		return nil, &handover.Fault{Kind: handover.FaultAmbiguous, Op: "act.Receipt", Text: "the receipt is for no message that was sent to this party"}
	}
	plan, err := receipted(s, d, r, in.Row.ID)
	if err != nil {
		return nil, err
	}
	row := in.Row
	row.Handover = d.Handover
	ended(&row, "")
	in.put(plan, row)
	line := in.audit(row, ledger.AuditReceipted, receiptWord(r))
	line.At = s.Now
	plan.Unit.Audit = append(plan.Unit.Audit, line)
	return plan, nil
}

func receiptWord(r message.Receipt) string {
	if r.Positive {
		return "positive"
	}
	return "negative"
}

// receipted is what a receipt changes: the delivery's outcome, what it means for the
// handover, and its relay. A second receipt for the same delivery is recorded and changes
// nothing, except that a late positive one still counts (DOMAIN 3.3).
func receipted(s *Snapshot, d ledger.Delivery, r message.Receipt, by handover.MessageID) (*Plan, error) {
	if d.State.Ended() || d.State == ledger.DeliveryRefused && !r.Positive {
		return &Plan{}, nil
	}
	d.Receipt, d.LeaseOwner, d.LeaseUntil = by, "", time.Time{}
	d.WarnAt, d.NextAttempt = time.Time{}, time.Time{}
	if r.Positive {
		d.State, d.EndedAt, d.Error = ledger.DeliveryReceipted, s.Now, ""
		d.Contact, d.Deadline, d.Step = "", time.Time{}, 0
	} else {
		s.ParkDelivery(&d, s.Responsible(d), "negative receipt: "+codesOf(r))
		d.State = ledger.DeliveryRefused
	}
	name := handover.EventUnreachable
	if r.Positive {
		name = handover.EventReceipted
	}
	plan, err := s.delivered(d, name)
	if err == nil && d.Purpose == ledger.PurposeTell {
		s.relay(plan, d, r, by)
	}
	return plan, err
}

func codesOf(r message.Receipt) string {
	var codes []string
	for _, e := range r.Errors {
		codes = append(codes, e.Code)
	}
	if len(codes) == 0 {
		return "no code"
	}
	return strings.Join(codes, ", ")
}

// delivered plans a delivery as it now stands, and lets its handover know that a party
// has (receipted), or has not (unreachable), what it was sent; an empty event says nothing.
func (s *Snapshot) delivered(d ledger.Delivery, event handover.EventName) (*Plan, error) {
	plan := &Plan{Unit: ledger.Unit{Deliveries: []ledger.Delivery{d}}}
	if d.Handover == "" || d.Purpose != ledger.PurposeTell || event == "" {
		return plan, nil
	}
	h, found := s.Handovers.Get(d.Handover)
	if !found {
		return nil, ledger.ErrNotFound
	}
	// Decide reads from the actor's party whose receipt, or whose silence, it is.
	j := &decision{s: s, actor: handover.Actor{Role: handover.RoleSystem, Party: d.Receiver}, kind: h.Kind, before: h,
		event: handover.Event{Name: event, Notice: d.Event, At: s.Now}}
	err := j.decide()
	var f *handover.Fault
	if errors.As(err, &f) && f.Kind == handover.FaultIllegal {
		// A closed handover takes no receipt; the delivery still records it.
		return plan, nil
	}
	plan.add(j.plan)
	return plan, err
}

// relay tells the sender of the original, in its own format, that the receiver has it. A
// message with several receivers gets one receipt, the first.
func (s *Snapshot) relay(p *Plan, d ledger.Delivery, r message.Receipt, by handover.MessageID) {
	if d.Message == "" {
		return
	}
	original, found := s.Messages.Get(d.Message)
	caused, _ := s.Caused.Get(d.Message)
	if !found || len(original.Envelope) == 0 || receiptedBefore(caused) {
		return
	}
	cause := by
	if cause == "" {
		cause = original.ID
	}
	p.Receipts = append(p.Receipts, Receipting{Original: original, Cause: cause, Handover: d.Handover, Receipt: &r})
}

func receiptedBefore(ds []ledger.Delivery) bool {
	for _, d := range ds {
		if d.Purpose == ledger.PurposeTell && d.State == ledger.DeliveryReceipted {
			return true
		}
	}
	return false
}

// Responsible is whose contact follows up what could not be delivered: the party on whose
// behalf it was sent. Alerts breed no alerts: they are the operator's.
func (s *Snapshot) Responsible(d ledger.Delivery) handover.PartyID {
	if d.Handover == "" || d.Purpose == ledger.PurposeAlert {
		return s.Operator
	}
	h, _ := s.Handovers.Get(d.Handover)
	return Counterpart(h, d.Receiver)
}

// ParkDelivery leaves a delivery to a named person at a party.
func (s *Snapshot) ParkDelivery(d *ledger.Delivery, to handover.PartyID, why string) {
	d.State, d.Error = ledger.DeliveryParked, why
	d.Contact, d.Deadline, d.Step = s.Contact(to), s.Now.Add(s.Policy.EscalationAfter(0)), 0
	d.WarnAt, d.NextAttempt, d.LeaseOwner, d.LeaseUntil = time.Time{}, time.Time{}, "", time.Time{}
}

// Attempt is what became of one send.
type Attempt struct {
	// Receipt is set where the receiver's reply was its receipt.
	Receipt *message.Receipt
	// Fault is why it failed; nil when the transport took the message.
	Fault *handover.Fault
	// Retry is when a temporary failure is tried again.
	Retry time.Time
}

// Attempted decides what became of a send.
func Attempted(s *Snapshot, d ledger.Delivery, a Attempt) (*Plan, error) {
	d.LeaseOwner, d.LeaseUntil = "", time.Time{}
	switch {
	case a.Fault == nil:
		return sent(s, d, a)
	case a.Fault.Kind.Temporary() && s.Now.Before(d.Deadline):
		d.State, d.NextAttempt, d.Error = ledger.DeliveryPending, a.Retry, string(a.Fault.Kind)
		return s.unreceipted(d)
	}
	return s.undeliverable(d, string(a.Fault.Kind)+": "+Detail(a.Fault))
}

func sent(s *Snapshot, d ledger.Delivery, a Attempt) (*Plan, error) {
	if d.SentAt.IsZero() {
		d.SentAt = s.Now
	}
	switch {
	case a.Receipt != nil:
		return receipted(s, d, *a.Receipt, "")
	case !d.ReceiptDue:
		return receipted(s, d, message.Receipt{Positive: true}, "")
	}
	d.State, d.NextAttempt, d.Error = ledger.DeliveryAwaiting, time.Time{}, ""
	return &Plan{Unit: ledger.Unit{Deliveries: []ledger.Delivery{d}, Audit: []ledger.Audit{{At: s.Now, Action: ledger.AuditDelivered,
		Party: d.Receiver, Message: d.Message, Handover: d.Handover, Delivery: d.ID, Outcome: string(d.State)}}}}, nil
}

// unreceipted leaves a delivery to its next attempt or to its receipt. One that has none
// when it should have had one is attention, whether or not it got away (invariant 4).
func (s *Snapshot) unreceipted(d ledger.Delivery) (*Plan, error) {
	if d.WarnAt.IsZero() || s.Now.Before(d.WarnAt) {
		return s.delivered(d, "")
	}
	d.WarnAt = time.Time{}
	return s.delivered(d, handover.EventUnreachable)
}

// undeliverable parks a delivery and marks its handover: a technical fault is attention,
// never an answer (invariant 7).
func (s *Snapshot) undeliverable(d ledger.Delivery, why string) (*Plan, error) {
	s.ParkDelivery(&d, s.Responsible(d), why)
	return s.delivered(d, handover.EventUnreachable)
}

// Abandon parks a delivery without any of the consequences that its outcome panicked in.
func Abandon(s *Snapshot, d ledger.Delivery) *Plan {
	s.ParkDelivery(&d, s.Operator, "panic while its outcome was recorded")
	return &Plan{Unit: ledger.Unit{Deliveries: []ledger.Delivery{d}}}
}
