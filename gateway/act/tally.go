package act

import (
	"slices"

	"stafett/handover"
	"stafett/ledger"
)

// A tally counts the messages that are parked under a key, by two guards that only rise: those
// that were parked, and those that are so no more.
type tally struct{ parked, ended ledger.Guard }

// What is counted.
const (
	// tallyStay: the messages that would begin a handover, and the merges that wait for one, by their
	// stay and their person.
	tallyStay = "stay"
	// tallyMeets: the messages that raised chains-meet at a handover.
	tallyMeets = "meets"
)

func (s *Snapshot) tally(of handover.PartyID, what, key string) tally {
	guard := func(side string) ledger.Guard {
		g := ledger.Guard{Key: s.Identity.StableID(of, what+"-"+side, key)}
		g.Expect, _ = s.Guards.Get(g.Key)
		return g
	}
	return tally{guard("parked"), guard("ended")}
}

func (t tally) open() int64 { return t.parked.Expect - t.ended.Expect }

// count plans that one more message is parked, or one fewer; what was parked before there was a
// tally is in none.
func (t tally) count(p *Plan, more bool) {
	switch {
	case more:
		p.Unit.Guards = append(p.Unit.Guards, t.parked)
	case t.open() > 0:
		p.Unit.Guards = append(p.Unit.Guards, t.ended)
	}
}

// tallies are those of the message's stay; with persons also of its person.
func (in Incoming) tallies(s *Snapshot, persons bool) []tally {
	var keys []string
	if stay := in.stay(s); stay != "" {
		keys = append(keys, stay)
	}
	if persons {
		keys = append(keys, s.Identity.persons(in.Row.Sender, in.patient())...)
		keys = append(keys, s.Identity.replaced(in.Row.Sender, in.patient())...)
	}
	var out []tally
	for _, key := range keys {
		out = append(out, s.tally(in.Row.Sender, tallyStay, key))
	}
	return out
}

// isParked reports whether a message that would begin the handover of this one's stay, or where
// this one tells of no stay of its person, waits for a named person.
func (in Incoming) isParked(s *Snapshot) bool {
	var own int64
	if in.wasKept() {
		own = 1
	}
	return in.Feed && slices.ContainsFunc(in.tallies(s, in.Content.Facts["visit"] == ""), func(t tally) bool { return t.open() > own })
}

// keptAs says how a message of a feed that others of its stay wait for is kept itself.
var keptAs = map[handover.EventName]ledger.Disposition{
	handover.EventAdmitted: ledger.DispositionParked, handover.EventReady: ledger.DispositionParked,
	handover.EventRequested: ledger.DispositionParked, handover.EventMerged: ledger.DispositionMoving,
}

// wasKept reports whether the message itself is counted.
func (in Incoming) wasKept() bool {
	kept := keptAs[in.Content.Event]
	return in.Again && kept != "" && in.Row.Disposition == kept
}

// planKept counts a message of a feed that others of its stay wait for, while it is kept itself.
func (in Incoming) planKept(s *Snapshot, p *Plan) {
	kept := keptAs[in.Content.Event]
	is := p.message().Disposition == kept
	if !in.Feed || kept == "" || in.wasKept() == is {
		return
	}
	for _, t := range in.tallies(s, true) {
		t.count(p, is)
	}
}

// meets reports whether a message was parked as one of another person, or to another addressee,
// than the handover's that it refers to.
func meets(m ledger.Message) bool {
	return m.Disposition == ledger.DispositionParked && m.Reason == handover.FaultAmbiguous && m.Handover != ""
}

// metBefore is the message as it was parked on the handover whose chains-meet it raised.
func (in Incoming) metBefore() ledger.Message {
	m := in.Row
	m.Handover = in.ParkedOn
	if !in.Again {
		m.Disposition = ""
	}
	return m
}

// planMeeting counts what a message has become: one more that meets a handover, or one fewer;
// the last one ends the attention that it raised.
func (in Incoming) planMeeting(s *Snapshot, p *Plan) {
	was, is := in.metBefore(), p.message()
	switch {
	case meets(was) && meets(is) && was.Handover == is.Handover:
	case meets(was):
		s.planParted(p, was)
	case meets(is):
		s.tally("", tallyMeets, string(is.Handover)).count(p, true)
	}
}

// planParted ends what a message raised at the handover that it met, unless another one meets it.
func (s *Snapshot) planParted(p *Plan, m ledger.Message) {
	t := s.tally("", tallyMeets, string(m.Handover))
	t.count(p, false)
	h, err := s.handover(m.Handover)
	if err != nil || t.open() > 1 || p.changes(h.ID) {
		return
	}
	d := newDecision(s, h, handover.Actor{Role: handover.RoleSystem}, handover.Event{})
	d.next, d.message = h, m.ID
	d.planResolved(handover.AttentionChainsMeet)
	p.add(d.plan)
}

// isLastToMeet reports whether no other message meets the handover that this one met.
func (in Incoming) isLastToMeet(s *Snapshot) bool {
	return s.tally("", tallyMeets, string(in.ParkedOn)).open() <= 1
}
