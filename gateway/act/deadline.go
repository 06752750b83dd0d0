package act

import (
	"slices"
	"strings"

	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
	"stafett/mappings/account"
)

// Overdue takes the next step of a handover whose deadline has passed; nil when nothing is
// late any more.
func Overdue(s *Snapshot, id handover.ID) (*Plan, error) {
	h, err := s.handover(id)
	if err != nil {
		return nil, err
	}
	if !h.Due(s.Now) {
		return nil, nil
	}
	d := newDecision(s, h, handover.Actor{Role: handover.RoleClock}, handover.Event{Name: handover.EventDeadlinePassed})
	err = d.decide()
	d.plan.Handover = d.next
	return &d.plan, err
}

// OverdueDelivery takes the next step of a delivery: no receipt by WarnAt raises
// attention; none by Deadline (96 h from GenDate) counts as negative; a parked one is
// escalated again.
func OverdueDelivery(s *Snapshot, d ledger.Delivery) *Plan {
	switch {
	case d.State.Parked():
		return s.escalateDelivery(d)
	case !s.Now.Before(d.Deadline):
		return s.undeliverable(d, "no receipt within the limit")
	}
	return s.unreceipted(d)
}

// escalateDelivery alerts the next contact of the party on whose behalf it was sent. An
// alert that itself is parked goes to the operator, and then stays listed as parked: what
// it was about escalates on its own.
func (s *Snapshot) escalateDelivery(d ledger.Delivery) *Plan {
	step := d.Step
	d.Step++
	d.Deadline = s.Now.Add(s.Policy.EscalationAfter(d.Step))
	plan := deliveryAlone(d)
	if d.Purpose == ledger.PurposeAlert && (d.Receiver == s.Operator || step > 0) || s.attended(d.Handover, s.Responsible(d)) {
		return plan
	}
	t := s.alertAbout(d.Handover, s.Responsible(d), step)
	t.ParkedDelivery = &d
	plan.Tellings = append(plan.Tellings, t)
	return plan
}

// OverdueMessage alerts the next contact about a parked message: of its sender, or of the
// operator where it is parked for our own fault. patient is the message's,
// nil where its sender is not known or it could not be read: a sender's wire may take no
// notice without one.
func OverdueMessage(s *Snapshot, m ledger.Message, patient *fhir.Node) *Plan {
	step := m.Step
	m.Step++
	m.Deadline = s.Now.Add(s.Policy.EscalationAfter(m.Step))
	plan := &Plan{Unit: ledger.Unit{Messages: []ledger.MessageUpdate{{Message: m}}}}
	if s.attended(m.Handover, m.Sender) {
		return plan
	}
	at, _, _ := strings.Cut(m.Contact, "/")
	to := s.orOperator(handover.PartyID(at))
	t := s.alertAbout(m.Handover, to, step)
	if patient != nil && to == m.Sender {
		t.Content = account.Canonical{Resources: []account.Named{{Name: NamePatient, Resource: patient}}}
	}
	t.ParkedMessage = &m
	plan.Tellings = []Telling{t}
	return plan
}

// attended reports whether an attention of the handover escalates to the party already: what
// is parked there is its cause, and one ladder is enough. What is parked stays listed.
func (s *Snapshot) attended(id handover.ID, p handover.PartyID) bool {
	if id == "" {
		return false
	}
	h, _ := s.Handovers.Get(id)
	return slices.ContainsFunc(h.Attentions, func(a handover.Attention) bool {
		return slices.Contains(causedByParked, a.Reason) && slices.Contains(a.Parties, p)
	})
}

// causedByParked are the attentions that a parked message or delivery raises.
var causedByParked = []handover.AttentionReason{handover.AttentionUnreachable, handover.AttentionIllegalEvent, handover.AttentionChainsMeet}

// alertAbout is an alert about something that is not a handover's state.
func (s *Snapshot) alertAbout(id handover.ID, to handover.PartyID, step int) Telling {
	t := Telling{Purpose: ledger.PurposeAlert, To: to, Event: handover.EventAttentionRaised, Number: step + 1,
		Scene: Scene{Actor: handover.Actor{Role: handover.RoleClock}}}
	if id == "" {
		return t
	}
	h, err := s.handover(id)
	s.Fail(err)
	t.Handover = h
	// A Task that the contact may not see is not told.
	t.Task = s.Current(ledger.ResourceKey{Type: "Task", ID: string(id)}, s.orOperator(to))
	return t
}

// orOperator is p, or the operator where p is no party of the directory.
func (s *Settings) orOperator(p handover.PartyID) handover.PartyID {
	if _, known := s.Directory.Party(p); known {
		return p
	}
	return s.Operator
}
