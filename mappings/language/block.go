package language

import (
	"slices"
	"strings"

	"stafett/conformance"
)

// scope is what a block gives its lines: parameters, where message and FHIR places start,
// and the repetition they belong to.
type scope struct {
	vars     map[string]variable
	origin   origin
	shape    *Shape
	inner    bool // in a block
	relative bool // FHIR places may be relative
	typ      conformance.Type
	base     string     // what relative FHIR places are spelled after in reports
	steps    []FHIRStep // from the repeated resource or item to where they start
	block    *block
}

// in compiles: in PLACE [= FHIR PLACE] [as RESOURCE] [always] [if …] {
func (c *compiler) in(m *match, sc scope) []Step {
	st := Step{Kind: StepIn, Always: m.group("always") != nil, Condition: c.condition(m, sc)}
	var inner scope
	st.Message, inner = c.path(m.pos("MESSAGE"), m.text("MESSAGE"), sc)
	place, as := m.group("="), m.group("as")
	switch {
	case place != nil && as != nil:
		c.fail(as.pos("RESOURCE").errorf("a block has a FHIR place or a resource, not both"))
		return nil
	case as != nil:
		return c.asResource(as, &st, m.s, sc, inner)
	case place != nil:
		t := c.single(place.pos("FHIR"), place.token("FHIR"), sc)
		c.holder(place.pos("FHIR"), t, sc, "a block")
		st.Place, st.HasPlace = t.Place, true
		inner.relative, inner.typ, inner.base = true, t.typ, t.Text
		inner.steps = slices.Concat(sc.steps, t.Steps)
	}
	st.Body = c.body(m.s.body, inner)
	return []Step{st}
}

// each compiles: each PLACE = FHIR PLACE[] {   and   each PLACE as RESOURCE {
func (c *compiler) each(m *match, sc scope) []Step {
	st := Step{Kind: StepEach, Condition: c.condition(m, sc)}
	var inner scope
	st.Message, inner = c.path(m.pos("MESSAGE"), m.text("MESSAGE"), sc)
	if m.has("RESOURCE") {
		return c.asResource(m, &st, m.s, sc, inner)
	}
	t := c.place(m.pos("FHIR"), m.token("FHIR"), sc)
	c.holder(m.pos("FHIR"), t, sc, "a repeated group")
	if n := len(t.Steps); n == 0 || !t.Steps[n-1].repeats() {
		c.fail(m.pos("FHIR").errorf("a repeated group needs an array: %s[]", m.text("FHIR")))
	}
	st.Place, st.HasPlace = t.Place, true
	inner.relative, inner.typ, inner.base = true, t.typ, t.Text
	b := &block{resource: -1, name: t.Text, pos: m.s.pos}
	return c.repeated(b, &st, m.s, sc, inner)
}

// repeats reports whether a step means several items.
func (s *FHIRStep) repeats() bool { return s.Append || s.Filters != nil }

// asResource compiles the block of a repeated resource.
func (c *compiler) asResource(m *match, st *Step, s *statement, sc, inner scope) []Step {
	pos, name := m.pos("RESOURCE"), m.text("RESOURCE")
	i, ok := c.byName[plainName(name)]
	if !ok || !strings.HasSuffix(name, "-*") || !c.m.Resources[i].Repeated {
		c.fail(pos.errorf("there is no repeated resource %q%s", name, c.hintResource(name)))
		return nil
	}
	r := &c.m.Resources[i]
	c.lib.use(r.pos)
	st.Once = st.Kind == StepIn
	st.Kind, st.Resource, st.Place = StepEachResource, i, Place{Text: name}
	inner.relative, inner.base = true, name
	inner.typ, _ = conformance.ResourceType(r.Type)
	b := &block{resource: i, name: name, pos: pos, parent: sc.block, once: st.Once}
	c.fail(b.beside(c.blocks[i]))
	c.blocks[i] = append(c.blocks[i], b)
	if st.Once && sc.block == nil {
		c.fail(pos.errorf("%s would be one alone: in … as stands in a group that repeats", name))
	}
	if sc.block != nil {
		b.link = &Link{}
		st.Link = b.link
	}
	return c.repeated(b, st, s, sc, inner)
}

// beside refuses a second block of a resource, unless each hangs on another block around it:
// the way back could not tell whose a resource is, and would write it twice.
func (b *block) beside(others []*block) error {
	for _, first := range others {
		if b.parent == nil || first.parent == nil || b.parent == first.parent {
			return b.pos.errorf("%s has its block in line %d: one block makes a resource, or the way back would write it twice", b.name, first.pos.line)
		}
	}
	return nil
}

// repeated compiles the lines of a block and then what they refer to.
func (c *compiler) repeated(b *block, st *Step, s *statement, sc, inner scope) []Step {
	b.parent = sc.block
	if b.parent != nil {
		b.parent.blocks = append(b.parent.blocks, b)
	}
	inner.block, inner.steps = b, nil
	st.Body = c.body(s.body, inner)
	for _, r := range b.refs {
		c.resolve(b, r)
	}
	for _, child := range b.blocks {
		c.link(b, child)
	}
	return []Step{*st}
}
