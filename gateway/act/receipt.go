package act

import (
	"cmp"
	"regexp"
	"slices"
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
	plan := receipted(s, d, r, in.Row.ID)
	row := in.Row
	row.Handover = d.Handover
	ended(&row, "")
	in.addRow(plan, row)
	plan.addAudit(s.Now, in.audit(row, ledger.AuditReceipted, receiptWord(r)))
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
// nothing, except that a positive one after a negative still counts (DOMAIN 3.3); where the two
// say the opposite a person must look.
func receipted(s *Snapshot, d ledger.Delivery, r message.Receipt, by handover.MessageID) *Plan {
	before := d.State
	switch {
	case before == ledger.DeliveryReceipted && !r.Positive:
		return s.contradicted(d, r)
	case before.Ended(), before == ledger.DeliveryRefused && !r.Positive:
		return &Plan{}
	}
	d.Receipt, d.LeaseOwner, d.LeaseUntil = by, "", time.Time{}
	d.WarnAt, d.NextAttempt = time.Time{}, time.Time{}
	event := s.outcome(&d, r)
	plan := s.delivered(d, event)
	switch {
	case d.Purpose != ledger.PurposeTell:
	case before == ledger.DeliveryRefused:
		d.Error = "contradicting receipts: refused, then receipted"
		plan.Unit.Deliveries[0] = d
		plan.Tellings = append(plan.Tellings, s.alertOfDelivery(d))
	default:
		plan.addRelay(s, d, r, by)
	}
	return plan
}

// contradicted notes on a receipted delivery that its receiver's system has refused it as
// well, and has a person look at that. The sender was told the first, which is final
// (HIS 80415:2012 section 3.2).
func (s *Snapshot) contradicted(d ledger.Delivery, r message.Receipt) *Plan {
	d.Error = "contradicting receipts: receipted, then refused: " + codesOf(r)
	plan := deliveryAlone(d)
	if d.Purpose != ledger.PurposeTell {
		return plan
	}
	if h, _ := s.Handovers.Get(d.Handover); h.State.Open() {
		j := newDecision(s, h, handover.Actor{Role: handover.RoleSystem},
			handover.Event{Name: handover.EventAttentionRaised, Attention: handover.AttentionReceiptsContradict})
		s.Fail(j.decide())
		plan.add(j.plan)
		return plan
	}
	plan.Tellings = append(plan.Tellings, s.alertOfDelivery(d))
	return plan
}

// alertOfDelivery has the contact of whom a delivery was sent for look at it.
func (s *Snapshot) alertOfDelivery(d ledger.Delivery) Telling {
	t := s.alertAbout(d.Handover, s.Responsible(d), 0)
	t.ParkedDelivery = &d
	return t
}

// outcome is how a receipt leaves its delivery, and what that means for its handover.
func (s *Snapshot) outcome(d *ledger.Delivery, r message.Receipt) handover.EventName {
	if !r.Positive {
		s.ParkDelivery(d, s.Responsible(*d), "negative receipt: "+codesOf(r))
		d.State = ledger.DeliveryRefused
		return handover.EventUnreachable
	}
	d.State, d.EndedAt, d.Error = ledger.DeliveryReceipted, s.Now, ""
	d.Contact, d.Deadline, d.Step = "", time.Time{}, 0
	return handover.EventReceipted
}

// errorCode is what a code of a receipt looks like: E20 of KITH's 8221, 207 of HL7's 0357.
// What does not is the receiver's own spelling, and is neither kept nor logged.
var errorCode = regexp.MustCompile(`^[A-Z]{0,2}[0-9]{1,4}$`)

func codesOf(r message.Receipt) string {
	var codes []string
	for _, e := range r.Errors {
		if !errorCode.MatchString(e.Code) {
			e.Code = "?"
		}
		codes = append(codes, e.Code)
	}
	if len(codes) == 0 {
		return "no code"
	}
	return strings.Join(codes, ", ")
}

// delivered plans a delivery as it now stands, and lets its handover know that a party
// has (receipted), or has not (unreachable), what it was sent.
func (s *Snapshot) delivered(d ledger.Delivery, event handover.EventName) *Plan {
	plan := deliveryAlone(d)
	if d.Handover == "" || d.Purpose != ledger.PurposeTell {
		return plan
	}
	h, found := s.Handovers.Get(d.Handover)
	if !found {
		s.Fail(ledger.ErrNotFound)
		return plan
	}
	// Decide reads from the actor's party whose receipt, or whose silence, it is.
	j := newDecision(s, h, handover.Actor{Role: handover.RoleSystem, Party: d.Receiver},
		handover.Event{Name: event, Notice: d.Event, At: s.Now})
	j.decideUnlessClosed()
	plan.add(j.plan)
	return plan
}

// deliveryAlone is the plan of a delivery's row.
func deliveryAlone(d ledger.Delivery) *Plan {
	return &Plan{Unit: ledger.Unit{Deliveries: []ledger.Delivery{d}}}
}

// addRelay lets the sender of the original be told, in its own format, what a receiver says
// of it: exactly one receipt of each receiver, negative when it refuses any part of what the
// message became for it, positive when it has all of that.
func (p *Plan) addRelay(s *Snapshot, d ledger.Delivery, r message.Receipt, by handover.MessageID) {
	if d.Message == "" {
		return
	}
	original, _ := s.Messages.Get(d.Message)
	if len(original.Envelope) == 0 {
		return
	}
	// Two receipts at one moment must see each other, or neither would be the last.
	guard := ledger.Guard{Key: s.Identity.StableID(d.Receiver, "receipts", string(d.Message))}
	guard.Expect, _ = s.Guards.Get(guard.Key)
	caused, _ := s.Caused.Get(d.Message)
	others := slices.DeleteFunc(slices.Clone(caused), func(o ledger.Delivery) bool {
		return o.ID == d.ID || o.Purpose != ledger.PurposeTell || o.Receiver != d.Receiver
	})
	if len(others) > 0 {
		p.Unit.Guards = append(p.Unit.Guards, guard)
	}
	for _, other := range others {
		if slices.Contains(toldNo, other.State) || r.Positive && !other.State.Ended() {
			return
		}
	}
	p.Receipts = append(p.Receipts, s.relay(original, d, r, cmp.Or(by, original.ID)))
}

// toldNo are the states of a delivery whose refusal the sender was told.
var toldNo = []ledger.DeliveryState{ledger.DeliveryRefused, ledger.DeliverySuperseded}

// relay is a receiver's receipt for the sender of what it was sent.
func (s *Snapshot) relay(original ledger.Message, d ledger.Delivery, r message.Receipt, cause handover.MessageID) Receipting {
	asReceiver := d.Handover == ""
	if d.Handover != "" {
		h, _ := s.Handovers.Get(d.Handover)
		asReceiver = d.Receiver == Counterpart(h, original.Sender)
	}
	return Receipting{Original: original, Cause: cause, Handover: d.Handover, Receipt: &r, From: d.Receiver, AsReceiver: asReceiver}
}

// Responsible is whose contact follows up what could not be delivered: the party on whose
// behalf it was sent. Alerts breed no alerts: they are the operator's.
func (s *Snapshot) Responsible(d ledger.Delivery) handover.PartyID {
	if d.Handover == "" {
		// A message that was passed on is its sender's.
		m, _ := s.Messages.Get(d.Message)
		if d.Purpose == ledger.PurposeTell && m.Sender != "" {
			return m.Sender
		}
		return s.Operator
	}
	h, _ := s.Handovers.Get(d.Handover)
	return s.ResponsibleIn(h, d)
}

// ResponsibleIn is Responsible for a delivery about h, zero for none.
func (s *Settings) ResponsibleIn(h handover.Handover, d ledger.Delivery) handover.PartyID {
	if h.ID == "" || d.Purpose == ledger.PurposeAlert {
		return s.Operator
	}
	return Counterpart(h, d.Receiver)
}

// PutBack returns a claimed delivery untried, to be tried at the time given.
func PutBack(d ledger.Delivery, at time.Time) *Plan {
	d.State, d.NextAttempt = ledger.DeliveryPending, at
	d.LeaseOwner, d.LeaseUntil, d.Attempts = "", time.Time{}, max(d.Attempts-1, 0)
	return deliveryAlone(d)
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
func Attempted(s *Snapshot, d ledger.Delivery, a Attempt) *Plan {
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

func sent(s *Snapshot, d ledger.Delivery, a Attempt) *Plan {
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
	plan := deliveryAlone(d)
	plan.addAudit(s.Now, ledger.Audit{Action: ledger.AuditDelivered, Party: d.Receiver, Message: d.Message, Handover: d.Handover,
		Delivery: d.ID, Outcome: string(d.State)})
	return plan
}

// unreceipted leaves a delivery to its next attempt or to its receipt. One that has none
// when it should have had one is attention, whether or not it got away (invariant 4).
func (s *Snapshot) unreceipted(d ledger.Delivery) *Plan {
	if d.WarnAt.IsZero() || s.Now.Before(d.WarnAt) {
		return deliveryAlone(d)
	}
	d.WarnAt = time.Time{}
	if d.Handover == "" && d.Purpose == ledger.PurposeTell {
		// No handover can be marked: its sender is told before its own limit for a receipt.
		d.Error = cmp.Or(d.Error, "no receipt so far")
		plan := deliveryAlone(d)
		plan.Tellings = append(plan.Tellings, s.alertOfDelivery(d))
		return plan
	}
	return s.delivered(d, handover.EventUnreachable)
}

// undeliverable parks a delivery and marks its handover: a technical fault is attention,
// never an answer (invariant 7).
func (s *Snapshot) undeliverable(d ledger.Delivery, why string) *Plan {
	s.ParkDelivery(&d, s.Responsible(d), why)
	return s.delivered(d, handover.EventUnreachable)
}

// Abandoned parks a delivery without any of the consequences that its outcome panicked in.
func Abandoned(s *Snapshot, d ledger.Delivery) *Plan {
	s.ParkDelivery(&d, s.Operator, "panic while its outcome was recorded")
	return deliveryAlone(d)
}
