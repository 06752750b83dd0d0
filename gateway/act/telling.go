package act

import (
	"slices"

	"stafett/handover"
	"stafett/ledger"
)

// planTelling plans the messages by which a party learns what happened: one, or where what
// happened takes back several notices, one for each.
func (d *decision) planTelling(e handover.Effect) {
	t := d.telling(e.Party, d.eventOf(e))
	if t.Event != handover.EventVoided {
		d.plan.Tellings = append(d.plan.Tellings, t)
		return
	}
	d.plan.Tellings = append(d.plan.Tellings, d.takingBack(t)...)
}

// telling is the message by which a party learns of event.
func (d *decision) telling(to handover.PartyID, event handover.EventName) Telling {
	from := d.actor.Party
	if from == "" || from == to {
		from = Counterpart(d.next, to)
	}
	return Telling{Scene: d.scene(), Purpose: ledger.PurposeTell, To: to, From: from, Event: event}
}

// takingBack are the messages that take back, as it was told, each notice of a stay that its
// receiver still holds for true, the latest first. Where all of them were told in one type of
// message, one text takes them back.
func (d *decision) takingBack(t Telling) []Telling {
	standing := d.s.standing(d.before.ID, t.To)
	if len(standing) == 0 {
		return []Telling{t}
	}
	was := d.sceneBefore()
	t.Was = &was
	var out []Telling
	for _, notice := range slices.Backward(standing) {
		if len(out) > 0 && notice.Type == standing[len(standing)-1].Type {
			continue
		}
		t.TakesBack = notice.Event
		out = append(out, t)
	}
	return out
}

// sceneBefore is the handover as it stood before the act.
func (d *decision) sceneBefore() Scene {
	return Scene{Actor: d.actor, Handover: d.before, Task: d.storedTask(false), Message: d.message}
}

// noticeEndedBy are the notices of a stay that hold until another event ends them; voided ends
// them all (HIS 1149:2014 chapter 3).
var noticeEndedBy = map[handover.EventName]handover.EventName{
	handover.EventAdmitted: handover.EventVoided, handover.EventReady: handover.EventNotReady,
	handover.EventDischarged: handover.EventDischargeCancelled,
}

// standing are the notices of a stay that a party was told last and that still hold, the
// latest of each kind, oldest first.
func (s *Snapshot) standing(id handover.ID, p handover.PartyID) []ledger.Delivery {
	sent, _ := s.Sent.Get(id)
	var out []ledger.Delivery
	for _, d := range sent {
		if d.Receiver != p || d.Purpose != ledger.PurposeTell || neverLeaves(d) {
			continue
		}
		out = slices.DeleteFunc(out, func(n ledger.Delivery) bool {
			return n.Event == d.Event || noticeEndedBy[n.Event] == d.Event || d.Event == handover.EventVoided && n.Type == d.Type
		})
		if noticeEndedBy[d.Event] != "" {
			out = append(out, d)
		}
	}
	return out
}

// neverLeaves reports a message that could not be made, or that a named person ended before
// it was sent.
func neverLeaves(d ledger.Delivery) bool {
	return len(d.Raw) == 0 || d.State == ledger.DeliveryClosed && d.SentAt.IsZero()
}
