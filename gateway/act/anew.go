package act

import (
	"slices"

	"stafett/handover"
	"stafett/ledger"
)

// MadeAnew lets what could not be made, or had nowhere to go, be made again of the handover as
// it stands, after a person has mended the cause. Its error is a *handover.Fault where there is
// nothing to make it of.
func MadeAnew(s *Snapshot, by Person, d ledger.Delivery) (*Plan, error) {
	if d.Purpose != ledger.PurposeTell || d.Handover == "" {
		return nil, &handover.Fault{Kind: handover.FaultConflict, Op: "act.MadeAnew", Text: "only what a handover tells can be made anew: close it"}
	}
	h, err := s.handover(d.Handover)
	if err != nil {
		return nil, err
	}
	if !TakesPart(d.Receiver, h) {
		return nil, &handover.Fault{Kind: handover.FaultConflict, Op: "act.MadeAnew", Text: "its receiver takes no part in the handover any more: close it"}
	}
	if s.takenBack(d) {
		return nil, &handover.Fault{Kind: handover.FaultConflict, Op: "act.MadeAnew", Text: "what it tells was taken back meanwhile: close it"}
	}
	from := Counterpart(h, d.Receiver)
	a := newDecision(s, h, ActorOf(from, h), handover.Event{Name: d.Event})
	a.next, a.message = h, d.Message
	a.taskNow = a.storedTask(false)
	t := a.telling(d.Receiver, d.Event)
	t.Told = a.toldTo(d.Receiver).digest
	t.Written = s.saidBy(from, h)
	if d.Event == handover.EventVoided {
		was := a.sceneBefore()
		t.TakesBack, t.Was = s.noticeOf(d), &was
	}
	told := d
	by.ended(s, &told, ledger.DeliverySuperseded, "made anew")
	return &Plan{Handover: h, Tellings: []Telling{t}, Unit: ledger.Unit{Deliveries: []ledger.Delivery{told},
		Audit: []ledger.Audit{by.operated(s, "made anew", ledger.Audit{Delivery: d.ID, Handover: d.Handover, Message: d.Message})}}}, nil
}

// takenBack reports whether a later message to the same receiver ends what a notice tells.
func (s *Snapshot) takenBack(notice ledger.Delivery) bool {
	sent, _ := s.Sent.Get(notice.Handover)
	return noticeEndedBy[notice.Event] != "" && slices.ContainsFunc(sent, func(d ledger.Delivery) bool {
		return d.Receiver == notice.Receiver && d.Order > notice.Order && (d.Event == noticeEndedBy[notice.Event] || d.Event == handover.EventVoided)
	})
}

// saidBy is all that belongs to a handover of what a party wrote, as if an act wrote it now.
func (s *Snapshot) saidBy(p handover.PartyID, h handover.Handover) []ledger.ResourceWrite {
	belonging, _ := s.Belonging.Get(h.ID)
	var out []ledger.ResourceWrite
	for _, r := range belonging {
		if r.Author == p && !r.Deleted && !slices.Contains(NotBeside, r.Type) {
			out = append(out, ledger.ResourceWrite{Type: r.Type, ID: r.ID, Expect: r.Version, Author: r.Author, JSON: r.JSON, Grants: r.Grants, Handover: r.Handover})
		}
	}
	return out
}

// noticeOf is the event of the notice that a cancellation of the same type takes back.
func (s *Snapshot) noticeOf(cancellation ledger.Delivery) handover.EventName {
	sent, _ := s.Sent.Get(cancellation.Handover)
	for _, d := range slices.Backward(sent) {
		if d.Receiver == cancellation.Receiver && d.Type == cancellation.Type && noticeEndedBy[d.Event] != "" {
			return d.Event
		}
	}
	return ""
}
