package language

import (
	"strings"

	"stafett/handover"
)

// rules compiles what a mapping says of its message as a whole.
type rules struct {
	*declarations
	*places
	*paths
	eventsOf, rootOf *source // whose statements those of the program are
}

// order compiles: order PLACE PART PART …
func (r *rules) order(m *match, sc scope) []Step {
	_, inner := r.path(m.pos("PLACE"), m.text("PLACE"), sc)
	for _, i := range m.all("PARTS") {
		in := &reading{pos: m.s.at(i)}
		steps, _ := r.steps(in, m.s.tokens[i].text, inner.origin)
		r.fail(in.err)
		inner.shape.follow(steps)
	}
	return nil
}

// root compiles: root ELEMENT, the document element of XML.
func (r *rules) root(m *match, _ scope) []Step {
	if r.rootOf == r.src {
		r.fail(m.s.pos.errorf("root is declared twice"))
	}
	in := &reading{pos: m.pos("ELEMENT")}
	steps, _ := r.steps(in, m.text("ELEMENT"), origin{})
	if r.fail(in.err); steps != nil {
		r.m.Root, r.rootOf = steps[0], r.src
	}
	return nil
}

// event compiles: event NAME [if …]. A file's own events take the place of its bases'.
func (r *rules) event(m *match, sc scope) []Step {
	if r.eventsOf != r.src {
		r.m.Events, r.eventsOf = nil, r.src
	}
	r.fail(among(m.pos("EVENT"), "event", m.text("EVENT"), handover.EventNames()))
	if n := len(r.m.Events); n > 0 && r.m.Events[n-1].Condition == nil {
		r.fail(m.s.pos.errorf("the event before holds always: this one is never reached"))
	}
	r.m.Events = append(r.m.Events, EventRule{handover.EventName(m.text("EVENT")), r.condition(m, sc)})
	return nil
}

// key compiles: key NAME = PART + PART | PART …
func (r *rules) key(m *match, sc scope) []Step {
	name := m.text("NAME")
	i, ok := r.byName[name]
	if !ok {
		r.fail(m.pos("NAME").errorf("there is no resource %q%s", name, r.hintResource(name)))
		return nil
	}
	res := &r.m.Resources[i]
	if res.Repeated {
		r.fail(m.pos("NAME").errorf("%s is repeated: its repetitions have no key", res.spelled()))
	}
	if res.Keys != nil {
		r.fail(m.pos("NAME").errorf("the resource %q has a key already", name))
	}
	sc.relative, sc.base, sc.typ = true, "", typeOf(res)
	res.Keys = eachPart(m, r.alternatives(m), func(pos position, t token) KeyPart { return r.keyPart(pos, t, i, sc) })
	return nil
}

func (r *rules) keyPart(pos position, t token, res int, sc scope) KeyPart {
	part := KeyPart{KeyOf: -1, Text: t.text}
	other, isKey := strings.CutSuffix(t.text, ".key")
	switch {
	case t.quoted:
	case isKey:
		i, ok := r.byName[other]
		if part.KeyOf = i; !ok || i >= res {
			r.fail(pos.errorf("there is no resource %q declared before%s", other, r.hintResource(other)))
		}
	default:
		place := r.value(pos, r.single(pos, t, sc))
		part.Place = &place.Place
	}
	return part
}

// alternatives splits PARTS at | into alternatives and at + into parts, as token indexes.
func (r *rules) alternatives(m *match) [][]int {
	out := [][]int{nil}
	wantPart := true
	for _, i := range m.all("PARTS") {
		t, last := m.s.tokens[i], len(out)-1
		switch {
		case wantPart:
			out[last], wantPart = append(out[last], i), false
		case t.is("+"):
			wantPart = true
		case t.is("|"):
			out, wantPart = append(out, nil), true
		default:
			r.fail(m.s.at(i).errorf("expected + or |"))
			return nil
		}
	}
	if wantPart {
		r.fail(m.s.pos.errorf("a part is missing at the end"))
	}
	return out
}

// eachPart reads the parts of alternatives.
func eachPart[T any](m *match, alternatives [][]int, read func(pos position, t token) T) [][]T {
	out := make([][]T, len(alternatives))
	for k, alternative := range alternatives {
		for _, i := range alternative {
			out[k] = append(out[k], read(m.s.at(i), m.s.tokens[i]))
		}
	}
	return out
}

// require compiles: require PLACE + PLACE | PLACE : FAULT "text" at PATH, and expect, which
// is asked of arriving messages alone.
func (r *rules) require(m *match, sc scope) []Step {
	q := Require{ToOnly: m.s.word() == "expect", Kind: handover.FaultKind(m.text("FAULT")), Text: m.text("TEXT"), Path: m.text("PATH")}
	r.fail(among(m.pos("FAULT"), "fault kind", m.text("FAULT"), handover.FaultKinds()))
	r.fail(r.notation.reported(r.paths, m.pos("PATH"), q.Path))
	sc.relative = false
	q.Any = eachPart(m, r.alternatives(m), func(pos position, t token) Place { return r.single(pos, t, sc).Place })
	r.m.Requires = append(r.m.Requires, q)
	return nil
}
