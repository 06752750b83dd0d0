package engine

import (
	"stafett/mappings/language"
	"stafett/message"
)

// reader reads places of the message, and keeps the fates of what it has read.
type reader struct {
	fates
	stack []int32 // the nodes of the steps of each place that is being read
}

// match is a node that a place means, with the node of each step on the way. It is valid
// until it is released.
type match struct {
	id    int32 // -1 for none
	chain []int32
}

// chain takes room for the nodes of a place's steps; release gives it back.
func (r *reader) chain(p *language.MsgPath) []int32 {
	n := len(r.stack)
	for range p.Steps {
		r.stack = append(r.stack, -1)
	}
	return r.stack[n:len(r.stack):len(r.stack)]
}

func (r *reader) release(chain []int32) { r.stack = r.stack[:len(r.stack)-len(chain)] }

// from is the node that a place starts from.
func (r *reader) from(p *language.MsgPath, base int32) int32 {
	if p.Absolute {
		return 0
	}
	return base
}

// one finds the first node at a place; free leaves out those that a group has taken.
func (r *reader) one(p *language.MsgPath, base int32, free bool) match {
	chain := r.chain(p)
	return match{r.first(r.from(p, base), p.Steps, chain, free), chain}
}

// all visits the nodes at a place until visit returns false.
func (r *reader) all(p *language.MsgPath, base int32, visit func(m match) bool) {
	chain := r.chain(p)
	defer r.release(chain)
	r.find(r.from(p, base), p.Steps, chain, func(id int32) bool { return visit(match{id, chain}) })
}

// chose marks what chose the node that a step has read. A block without a place chooses a
// repetition.
func (r *reader) chose(s *language.Step, m match) {
	target := s.Place.Text
	if target == "" {
		target = "the choice of " + s.Message.Text
	}
	r.markFilters(s.Message.Steps, target, m.chain)
}

// take keeps a repetition from later blocks. A resource beside another takes nothing from it.
func (r *reader) take(s *language.Step, m match) {
	r.nodes[m.id].claimed = !s.Message.Steps[len(s.Message.Steps)-1].Self || !s.Once
	r.chose(s, m)
}

// taken reports a repetition that a group has taken.
func (r *reader) taken(id int32) bool { return r.nodes[id].claimed }

// repeats reads a place that is only written: for the mapping's reason it says nothing new.
func (r *reader) repeats(s *language.Step, base int32) {
	m := r.one(&s.Message, base, false)
	defer r.release(m.chain)
	if m.id < 0 {
		return
	}
	switch leaf := r.value(m.id); r.nodes[leaf].n.Value {
	case "":
	case r.null:
		r.because(leaf, explicitNull)
	default:
		r.ignore(leaf, s.Reason)
	}
}

// explicitNull is why a value that says "delete" is carried.
const explicitNull = "an explicit null (HL7 v2.5 section 2.5.3.3)"

// fixed reads a message constant: it is ignored where it is as expected, or where the
// mapping says why any value may be.
func (r *reader) fixed(s *language.Step, base int32) {
	r.all(&s.Message, base, func(m match) bool {
		leaf := r.value(m.id)
		switch {
		case r.nodes[leaf].n.Value == s.Value:
			r.ignore(leaf, "fixed by the format")
		case s.Reason != "":
			r.ignore(leaf, s.Reason)
		}
		return true
	})
}

// drop ignores all that is at a place, or carries it.
func (r *reader) drop(s *language.Step, base int32) {
	fate := message.FateIgnored
	if s.Always {
		fate = message.FateCarried
	}
	r.all(&s.Message, base, func(m match) bool {
		r.decide(m.id, fate, s.Reason)
		return true
	})
}
