package act

import (
	"slices"

	"stafett/handover"
	"stafett/ledger"
)

// A mark is what a message of a feed says that must be known when the next one of its stay or
// person comes, although there is no handover to keep it in. It is a guard, by a keyed digest:
// it holds while its version is odd.
type mark string

const (
	// markProtected: a reservation or a protected address, of the person and of the stay.
	markProtected mark = "protected"
	// markFed: the stay is known and no handover, so there is nothing to undo.
	markFed mark = "fed"
	// markAnotherStay: a named person said that the parked message is about another stay.
	markAnotherStay mark = "another-stay"
)

// marked are the guards of a mark of the message's stay, and of its person where it is the
// person's.
func (in Incoming) marked(s *Snapshot, m mark) []ledger.Guard {
	if !in.Feed {
		return nil
	}
	of := []string{in.stay(s)}
	if m == markProtected {
		of = append(of, s.Identity.persons(in.Row.Sender, in.patient())...)
	}
	return s.guards(in.Row.Sender, m, of)
}

// guards are those of a mark of a sender's stays and persons, by their keys.
func (s *Snapshot) guards(sender handover.PartyID, m mark, of []string) []ledger.Guard {
	var out []ledger.Guard
	for _, key := range of {
		if key == "" {
			continue
		}
		g := ledger.Guard{Key: s.Identity.StableID(sender, string(m), key)}
		g.Expect, _ = s.Guards.Get(g.Key)
		out = append(out, g)
	}
	return out
}

func holds(g ledger.Guard) bool { return g.Expect%2 == 1 }

func (in Incoming) isMarked(s *Snapshot, m mark) bool {
	return slices.ContainsFunc(in.marked(s, m), holds)
}

// planMark sets a mark, or ends it.
func (in Incoming) planMark(s *Snapshot, p *Plan, m mark, set bool) {
	for _, g := range in.marked(s, m) {
		if holds(g) != set {
			p.Unit.Guards = append(p.Unit.Guards, g)
		}
	}
}

// remember plans the marks that a message leaves, whatever became of it. What waited is not the
// last word: it ends no protection.
func (in Incoming) remember(s *Snapshot, p *Plan, fed bool) {
	said := in.Content.Facts["reserved"]
	if said == "true" || said == "" && in.Content.Event == handover.EventMerged && in.isProtected(s) {
		in.planMark(s, p, markProtected, true)
	} else if said != "" && !in.Again {
		in.planMark(s, p, markProtected, false)
	}
	if event := in.Content.Event; fed || slices.Contains(begins, event) {
		in.planMark(s, p, markFed, fed && event != handover.EventVoided)
	}
	in.planKept(s, p)
	in.planMeeting(s, p)
	in.planVerdict(s, p)
}

// asRuled is the message with what a named person said of it before, where it was parked again.
func (in Incoming) asRuled(s *Snapshot) Incoming {
	if in.Again && in.Verdict == "" && in.Row.Disposition == ledger.DispositionParked && holds(in.verdict(s)) {
		in.Verdict = VerdictAnotherStay
	}
	return in
}

func (in Incoming) verdict(s *Snapshot) ledger.Guard {
	return s.guards(in.Row.Sender, markAnotherStay, []string{string(in.Row.ID)})[0]
}

// planVerdict remembers what a named person said of a message that is parked still.
func (in Incoming) planVerdict(s *Snapshot, p *Plan) {
	if in.Verdict == "" {
		return
	}
	said := in.Verdict == VerdictAnotherStay && p.message().Disposition == ledger.DispositionParked
	if g := in.verdict(s); holds(g) != said {
		p.Unit.Guards = append(p.Unit.Guards, g)
	}
}

// isProtected reports whether the person is protected, by this message or by one before that
// this one does not contradict: what a message leaves out still holds. A merged person is by any
// of the numbers.
func (in Incoming) isProtected(s *Snapshot) bool {
	switch {
	case in.Content.Facts["reserved"] != "":
		return in.reserved()
	case !in.Feed:
		return false
	case in.isMarked(s, markProtected):
		return true
	}
	return slices.ContainsFunc(s.guards(in.Row.Sender, markProtected, s.Identity.replaced(in.Row.Sender, in.patient())), holds)
}

// isProtected reports whether a message said that the patient of a handover is protected.
func (s *Snapshot) isProtected(h handover.Handover) bool {
	return slices.ContainsFunc(s.guards(h.Sender, markProtected, s.Identity.persons(h.Sender, s.patientOf(h))), holds)
}
