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
	// markFed: the admission was told and began no handover, so there is nothing to undo.
	markFed mark = "fed"
)

// marked are the guards of a mark: of the stay, and of the person where it is the person's.
func (in Incoming) marked(s *Snapshot, m mark) []ledger.Guard {
	if !in.Feed {
		return nil
	}
	of := []string{in.stay(s)}
	if m == markProtected {
		of = append(of, s.Identity.persons(in.Row.Sender, in.patient())...)
	}
	var out []ledger.Guard
	for _, key := range of {
		if key == "" {
			continue
		}
		g := ledger.Guard{Key: s.Identity.StableID(in.Row.Sender, string(m), key)}
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

// remember plans the marks that a message leaves, whatever became of it.
func (in Incoming) remember(s *Snapshot, p *Plan, fed bool) {
	if said := in.Content.Facts["reserved"]; said != "" {
		in.planMark(s, p, markProtected, said == "true")
	}
	switch {
	case fed && slices.Contains(begins, in.Content.Event):
		in.planMark(s, p, markFed, true)
	case fed && in.Content.Event == handover.EventVoided:
		in.planMark(s, p, markFed, false)
	}
}

// isProtected reports whether the person is protected, by this message or by one before that
// this one does not contradict: what a message leaves out still holds.
func (in Incoming) isProtected(s *Snapshot) bool {
	return in.reserved() || in.Content.Facts["reserved"] == "" && in.isMarked(s, markProtected)
}
