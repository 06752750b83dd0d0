package act

import (
	"slices"

	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
	"stafett/mappings/account"
)

// planTelling plans the messages by which a party learns what happened: one, or where what
// happened takes back several notices, one for each. What tells of content alone is told to
// who has it not.
func (d *decision) planTelling(e handover.Effect) {
	t := d.telling(e.Party, d.eventOf(e))
	what := d.toldTo(e.Party)
	t.Told = what.digest
	switch {
	case slices.Contains(contentOnly, t.Event) && len(d.written) == 0 && d.message != "" && !what.differs:
		return
	case slices.Contains(contentOnly, t.Event):
		d.planAgain(t, what)
	case t.Event == handover.EventVoided:
		d.plan.Tellings = append(d.plan.Tellings, d.takingBack(t)...)
	case t.Event == handover.EventDischargeCancelled:
		d.planDischargeCancelled(t, what)
	default:
		t.Anew = d.planCorrected(t)
		t.Changes = d.worthSaying(t, what.changes)
		d.plan.Tellings = append(d.plan.Tellings, t)
	}
}

// planDischargeCancelled takes the discharge back as it was told. What its message says anew is
// told by a message that holds.
func (d *decision) planDischargeCancelled(t Telling, what knowledge) {
	if slices.ContainsFunc(d.s.standing(d.before.ID, t.To), isDischarge) {
		was := d.sceneBefore()
		t.TakesBack, t.Was = handover.EventDischarged, &was
	}
	what.changes = slices.DeleteFunc(what.changes, func(c Change) bool { return c.After == "" })
	if len(what.changes) == 0 {
		d.plan.Tellings = append(d.plan.Tellings, t)
		return
	}
	told := t.Told
	t.Told = ""
	d.plan.Tellings = append(d.plan.Tellings, t)
	again := d.telling(t.To, handover.EventUpdated)
	again.Told = told
	d.planAgain(again, what)
}

func isDischarge(d ledger.Delivery) bool { return d.Event == handover.EventDischarged }

// planDifferences tells those whom the event tells nothing, of content that they were not told
// (invariant 6). It is the one place where content alone makes somebody be told.
func (d *decision) planDifferences() {
	if d.creates() || d.message == "" && len(d.written) == 0 {
		return
	}
	if d.next.Facts.AccessEnded && d.actor.Role == handover.RoleSender && len(d.toldTo(d.next.Receiver).changes) > 0 {
		d.plan.Unheard = handover.UnheardAccessEnded
	}
	for _, p := range d.listeners() {
		if d.tells(p) {
			continue
		}
		what := d.toldTo(p)
		switch {
		case !what.differs:
		case !d.hears():
			d.plan.Unheard = handover.UnheardClosed
		default:
			if !slices.Contains(contentOnly, d.event.Name) {
				d.reason = handover.ReasonUpdated
				d.planEvent(handover.Effect{Event: handover.EventUpdated})
			}
			t := d.telling(p, handover.EventUpdated)
			t.Told = what.digest
			d.planAgain(t, what)
		}
	}
}

// tells reports whether the act tells a party of the handover.
func (d *decision) tells(p handover.PartyID) bool {
	return slices.ContainsFunc(d.plan.Tellings, func(t Telling) bool {
		return t.To == p && t.Handover.ID == d.next.ID && t.Purpose == ledger.PurposeTell
	})
}

// listeners are those who are told what the actor says, and all of what one says who takes no part.
func (d *decision) listeners() []handover.PartyID {
	h := d.next
	switch {
	case d.actor.Role == handover.RoleReceiver:
		return []handover.PartyID{h.Sender}
	case d.tellsForThird():
		return slices.DeleteFunc(parties(h), func(p handover.PartyID) bool {
			return slices.ContainsFunc(d.outer.plan.Tellings, func(t Telling) bool { return t.To == p }) // of the same change
		})
	case d.actor.Role != handover.RoleSender:
		return nil
	case h.Facts.AccessEnded:
		return h.Copies
	}
	return append([]handover.PartyID{h.Receiver}, h.Copies...)
}

// tellsForThird reports whether a party that takes no part wrote what is told.
func (d *decision) tellsForThird() bool {
	return d.actor.Role == handover.RoleSystem && len(d.written) > 0
}

// hears reports whether what the actor says is still told: after the end, while the receiver has
// the patient, and what the receiver adds to what it has finished.
func (d *decision) hears() bool {
	h := d.next
	if h.State != handover.StateCompleted {
		return h.State.Open() || h.State == handover.StateDeclined
	}
	return d.actor.Role == handover.RoleReceiver || h.Next.None == handover.NoneReceived
}

// planAgain tells content that differs: in full by the latest notice of the stay, where the wire
// has one, and what has changed in words.
func (d *decision) planAgain(t Telling, what knowledge) {
	t.Changes = d.worthSaying(t, what.changes)
	if d.actor.Role == handover.RoleSender {
		t.Anew = d.planCorrected(t)
		standing := slices.DeleteFunc(d.s.standing(d.before.ID, t.To), d.ends)
		if len(standing) > 0 {
			d.planNotice(t, standing[len(standing)-1].Event)
		}
	}
	d.plan.Tellings = append(d.plan.Tellings, t)
}

// planNotice tells a notice of the stay again with all that is known now.
func (d *decision) planNotice(t Telling, event handover.EventName) {
	t.Event, t.National, t.Changes = event, true, nil
	t.Content = d.known(t.Content)
	d.plan.Tellings = append(d.plan.Tellings, t)
}

// known is a message's content with its stay and Task as they stand now, and with the stay, its unit
// and the person responsible where the message says nothing of them.
func (d *decision) known(c account.Canonical) account.Canonical {
	c.Resources = slices.Clone(c.Resources)
	for i, r := range c.Resources {
		if n := d.complete[r.Name]; n != nil {
			c.Resources[i].Resource = n
		}
	}
	add := func(name string, n *fhir.Node) {
		if n != nil && c.Resource(name) == nil {
			c.Resources = append(c.Resources, account.Named{Name: name, Resource: n})
		}
	}
	add(nameEncounter, d.led(d.taskNow.Str("encounter", "reference")))
	stay := c.Resource(nameEncounter)
	add("practitioner", d.led(stay.Str("participant", "individual", "reference")))
	add("unit", d.unitNamed(stay.Str("location", "location", "display")))
	return c
}

// led is what a reference leads to as the act leaves it; nil for nothing.
func (d *decision) led(ref string) *fhir.Node {
	typ, id, ok := fhir.SplitLocal(ref)
	if !ok {
		return nil
	}
	r, found := d.current(ledger.ResourceKey{Type: typ, ID: id})
	if !found || r.Deleted {
		return nil
	}
	return d.s.Parse(r)
}

// unitNamed is the unit of the stay that the sender told of by that name; nil for none.
func (d *decision) unitNamed(name string) *fhir.Node {
	belonging, _ := d.s.Belonging.Get(d.before.ID)
	for _, r := range belonging {
		if r.Type == "Organization" && !r.Deleted && name != "" {
			if n := d.s.Parse(r); n.Str("name") == name {
				return n
			}
		}
	}
	return nil
}

// planCorrected takes back, as it was told, what was filed under a wrong national number, and
// tells anew all of it that the event itself does not (invariant 9).
func (d *decision) planCorrected(t Telling) (anew bool) {
	if d.creates() || d.actor.Role != handover.RoleSender || !d.numberCorrected() {
		return false
	}
	standing := d.s.standing(d.before.ID, t.To)
	was := d.sceneBefore()
	for _, notice := range slices.Backward(standing) {
		if d.event.Name == handover.EventDischargeCancelled && isDischarge(notice) {
			continue // the event takes it back itself
		}
		back := t
		back.Event, back.TakesBack, back.Was, back.National, back.Changes = handover.EventUpdated, notice.Event, &was, true, nil
		d.plan.Tellings = append(d.plan.Tellings, back)
	}
	t.Anew = true
	standing = slices.DeleteFunc(standing, d.ends)
	for i, notice := range standing {
		told := notice.Event == t.Event || i == len(standing)-1 && slices.Contains(contentOnly, t.Event)
		if !told {
			d.planNotice(t, notice.Event)
		}
	}
	return true
}

// ends reports whether the event of the act ends a notice.
func (d *decision) ends(notice ledger.Delivery) bool {
	return noticeEndedBy[notice.Event] == d.event.Name
}

// numberCorrected reports whether the patient's national number is another than before.
func (d *decision) numberCorrected() bool {
	if d.correction.Number {
		return true
	}
	return renumbered(personOf(d.patientOf(d.storedTask(false))), personOf(d.patientOf(d.taskNow)))
}

// patientOf is the patient whom a Task names, as the act leaves it; nil for none.
func (d *decision) patientOf(task *fhir.Node) *fhir.Node {
	return d.led(task.Str("for", "reference"))
}

// worthSaying are the changes that a message says in words: all where it repeats what was told, or
// tells of a merge, of which no notice holds the numbers; else what is new stands in the message
// itself.
func (d *decision) worthSaying(t Telling, all []Change) []Change {
	all = d.labelled(all)
	repeats := slices.ContainsFunc(d.s.standing(d.before.ID, t.To), func(n ledger.Delivery) bool { return n.Event == t.Event })
	repeats = repeats || saidAnew[d.before.State] == t.Event
	if repeats || slices.Contains(contentOnly, t.Event) || t.Event == handover.EventMerged {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(c Change) bool {
		return !c.Number && (c.Before == "" && !c.remark || c.After == "" && !c.beside)
	})
}

// telling is the message by which a party learns of event.
func (d *decision) telling(to handover.PartyID, event handover.EventName) Telling {
	from := d.actor.Party
	if d.tellsForThird() {
		from = "" // neither of the two said it: the gateway does
	} else if from == "" || from == to {
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

// labelled are changes by the labels of the handover's kind.
func (d *decision) labelled(all []Change) []Change {
	if d.next.Kind == handover.KindDischarge {
		return all
	}
	all = slices.Clone(all)
	for i := range all {
		all[i].Label = account.RequestLabel(all[i].Label)
	}
	return all
}
