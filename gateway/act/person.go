package act

import (
	"bytes"
	"slices"
	"time"

	"stafett/handover"
	"stafett/ledger"
	"stafett/mappings/account"
	"stafett/message"
)

// Person is a named person who acts, for the party given where it is one's own.
type Person struct {
	Name  string
	Party handover.PartyID
}

func (p Person) operated(s *Snapshot, outcome string, line ledger.Audit) ledger.Audit {
	line.At, line.Action, line.Party, line.Person, line.Outcome = s.Now, ledger.AuditOperated, p.Party, p.Name, outcome
	return line
}

// Answered records a named person's reading as the act of a party (invariant 3: never the
// free text, always somebody with a name).
func Answered(s *Snapshot, by Person, h handover.Handover, party handover.PartyID, event handover.Event) (*Plan, error) {
	if err := s.follows(event.Next, h, party, "next"); err != nil {
		return nil, err
	}
	event.NewID = s.newHandover()
	// Who says that the receiver is the right one says it of a protected person too.
	event.Protected = event.Name == handover.EventAttentionResolved && event.Attention == handover.AttentionReceiverMayBeWrong && s.isProtected(h)
	d := newDecision(s, h, handover.Actor{Role: handover.RoleReader, Party: party, Person: by.Name}, event)
	if err := d.decide(); err != nil {
		return nil, err
	}
	d.planAudit(by.operated(s, string(event.Name), ledger.Audit{Handover: h.ID}))
	if by.Party != party && len(d.plan.Tellings) > 0 {
		d.planTold(party)
	}
	d.plan.Handover = d.next
	return &d.plan, nil
}

// planTold tells a party of what another one's person recorded in its name.
func (d *decision) planTold(party handover.PartyID) {
	d.plan.Tellings = append(d.plan.Tellings, Telling{Scene: d.scene(), Purpose: ledger.PurposeTell, To: party, Event: d.event.Name})
}

// ClosedMessage ends a parked message with a named person's reason. What it says is read again, as
// far as it can be: what follows it waits for it no more.
func ClosedMessage(s *Snapshot, by Person, in Incoming, why string) *Plan {
	m := in.Row
	m.Disposition, m.Resolution, m.Person, m.ResolvedAt = ledger.DispositionClosed, why, by.Name, s.Now
	m.Contact, m.Deadline = "", time.Time{}
	plan := &Plan{Unit: ledger.Unit{Messages: []ledger.MessageUpdate{{Message: m}},
		Audit: []ledger.Audit{by.operated(s, "closed", ledger.Audit{Message: m.ID, Handover: m.Handover})}}}
	in.Again, in.ParkedOn = true, in.Row.Handover
	in.planKept(s, plan)
	in.planMeeting(s, plan)
	if in.Feed && slices.Contains(begins, in.Content.Event) {
		in.planMark(s, plan, markFed, true)
	}
	return plan
}

// ReceiptedByPerson ends a parked message with the receipt that a named person of its receiver
// gives; why is the reason of a negative one, and stands in the record of either.
func ReceiptedByPerson(s *Snapshot, by Person, in Incoming, positive bool, why string) *Plan {
	m := in.Row
	r := message.Receipt{Positive: positive}
	if !positive {
		r.Errors = []message.ReceiptError{{Code: "X99", Text: why}}
	}
	plan := ClosedMessage(s, by, in, receiptWord(r)+" receipt: "+why)
	plan.Receipts = append(plan.Receipts, Receipting{Original: m, Cause: m.ID, Handover: m.Handover, Receipt: &r, From: by.Party, AsReceiver: true})
	return plan
}

// AddUnreceipted adds to the end of a parked message that its sender, who waits for a receipt,
// is told that none comes, and why: under the head of the message's own patient, where it could
// be read.
func AddUnreceipted(s *Snapshot, plan *Plan, in Incoming, why string) {
	m := in.Row
	about := m.Handover
	if meets(m) {
		about = ""
	}
	t := s.alertAbout(about, s.orOperator(m.Sender), 0)
	t.Event = handover.EventAttentionResolved
	if patient := in.patient(); patient != nil {
		t.Content = account.Canonical{Resources: []account.Named{{Name: NamePatient, Resource: patient}}}
	}
	m.Detail = why
	t.ParkedMessage = &m
	plan.Tellings = append(plan.Tellings, t)
}

// ClosedDelivery ends a parked delivery with a named person's reason.
func ClosedDelivery(s *Snapshot, by Person, d ledger.Delivery, why string) *Plan {
	by.ended(s, &d, ledger.DeliveryClosed, why)
	d.Error = "closed: " + why
	return &Plan{Unit: ledger.Unit{Deliveries: []ledger.Delivery{d},
		Audit: []ledger.Audit{by.operated(s, "closed", ledger.Audit{Delivery: d.ID, Handover: d.Handover, Message: d.Message})}}}
}

// ended ends a parked delivery by a named person's act.
func (p Person) ended(s *Snapshot, d *ledger.Delivery, state ledger.DeliveryState, how string) {
	d.State, d.EndedAt, d.Deadline, d.Contact = state, s.Now, time.Time{}, ""
	d.Resolution, d.Person = how, p.Name
}

// Resent lets a parked delivery be sent again: identical where the receiver never took it; under
// identity, a fresh one of its wire, where it was refused, since a receipt is final and the
// same id would be taken for a repeat (DOMAIN 3.3). It returns the delivery that is sent.
func Resent(s *Snapshot, by Person, d ledger.Delivery, identity func() string) (*Plan, ledger.Delivery) {
	plan := &Plan{Unit: ledger.Unit{Audit: []ledger.Audit{by.operated(s, "resent", ledger.Audit{Delivery: d.ID, Handover: d.Handover, Message: d.Message})}}}
	u := &plan.Unit
	if d.State == ledger.DeliveryRefused {
		again := renew(s, d, identity())
		by.ended(s, &d, ledger.DeliverySuperseded, "resent")
		u.Deliveries = append(u.Deliveries, d)
		u.Keys = append(u.Keys, ledger.HandoverKey{Kind: ledger.KeyConversation, Party: again.Receiver, Value: again.ExternalID, Handover: again.Handover})
		d = again
	}
	d.State, d.NextAttempt, d.Error, d.Contact, d.Step = ledger.DeliveryPending, s.Now, "", "", 0
	d.WarnAt, d.Deadline = s.Policy.ReceiptTerms(s.Fast(d.Wire), s.Now)
	u.Deliveries = append(u.Deliveries, d)
	return plan, d
}

// renew is a delivery of the same content under a new identity.
func renew(s *Snapshot, d ledger.Delivery, identity string) ledger.Delivery {
	d.Raw = bytes.ReplaceAll(d.Raw, []byte(d.ExternalID), []byte(identity))
	d.ID, d.ExternalID, d.Version, d.Order = handover.DeliveryID(s.NewID()), identity, 0, 0
	d.Digest = message.DigestOf(d.Raw)
	d.CreatedAt, d.Attempts, d.SentAt, d.EndedAt, d.Receipt = s.Now, 0, time.Time{}, time.Time{}, ""
	return d
}
