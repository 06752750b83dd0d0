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

// block is a group that repeats: a list's items, or a resource for each repetition. What
// belongs to one repetition is known by it.
type block struct {
	resource int    // -1 for the items of a list
	name     string // as spelled
	pos      position
	parent   *block
	once     bool  // in … as: one of each repetition around it
	link     *Link // how a resource and what is around it refer to each other
	blocks   []*block
	refs     []*reference
}

// reference is a line "fhir PLACE = ref(NAME)" of a block.
type reference struct {
	pos      position
	name     string
	resource int
	steps    []FHIRStep // from the block's resource or item
	ref      *Ref
}

// path reads a message place, notes its order, and returns the scope below it.
func (c *compiler) path(pos position, text string, sc scope) (MsgPath, scope) {
	p, below, err := c.reader.readMsgPath(pos, text, sc.origin)
	c.fail(err)
	inner := sc
	inner.origin, inner.inner = below, true
	if p.Absolute {
		inner.shape = c.m.Shape
	}
	for i := range p.Steps {
		inner.shape = inner.shape.below(&p.Steps[i])
	}
	return p, inner
}

// below notes a step, and what its conditions name, in the order of children.
func (s *Shape) below(st *MsgStep) *Shape {
	if !st.Self {
		s = s.child(st.Name, st.Space)
	}
	for i := range st.Filters {
		at := s
		for j := range st.Filters[i].Path {
			at = at.below(&st.Filters[i].Path[j])
		}
	}
	return s
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
		c.inResource(place.pos("FHIR"), t, "a block")
		c.ofRepetition(place.pos("FHIR"), t, sc)
		c.object(place.pos("FHIR"), t)
		st.Place, st.HasPlace = t.Place, true
		inner.relative, inner.typ, inner.base = true, t.typ, t.Text
		inner.steps = slices.Concat(sc.steps, t.Steps)
	}
	st.Body = c.body(m.s.body, inner)
	return []Step{st}
}

// object refuses a value where a block needs what has elements.
func (c *compiler) object(pos position, t target) {
	if t.typ.Primitive() {
		c.fail(pos.errorf("%s is a value: a block needs what has elements", t.Text))
	}
}

// ofRepetition refuses, in a group that repeats, a place that is not of the repetition: on
// the way back each repetition would be written with it.
func (c *compiler) ofRepetition(pos position, t target, sc scope) {
	if sc.block != nil && t.Root != RootRelative {
		c.fail(pos.errorf("%s is not of this repetition of %s, which would all be written with it", t.Text, sc.block.name))
	}
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
	c.inResource(m.pos("FHIR"), t, "a repeated group")
	c.ofRepetition(m.pos("FHIR"), t, sc)
	c.object(m.pos("FHIR"), t)
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
	if first, dup := c.blocks[i]; dup {
		c.fail(pos.errorf("%s has its block in line %d: one block makes a resource, or the way back would write it twice", name, first.line))
	}
	c.blocks[i] = pos
	st.Once = st.Kind == StepIn
	st.Kind, st.Resource, st.Place = StepEachResource, i, Place{Text: name}
	inner.relative, inner.base = true, name
	inner.typ, _ = conformance.ResourceType(r.Type)
	b := &block{resource: i, name: name, pos: pos, once: st.Once}
	if st.Once && sc.block == nil {
		c.fail(pos.errorf("%s would be one alone: in … as stands in a group that repeats", name))
	}
	if sc.block != nil {
		b.link = &Link{}
		st.Link = b.link
	}
	return c.repeated(b, st, s, sc, inner)
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

// refer compiles: fhir PLACE = ref(NAME).
func (c *compiler) refer(m *match, name string, st *Step, t target, sc scope) []Step {
	pos := m.pos("VALUE")
	if !isReference(t, m.text("FHIR")) {
		c.fail(m.pos("FHIR").errorf("ref() needs the reference of an element: %s.reference", m.text("FHIR")))
		return nil
	}
	if i, ok := c.byName[name]; ok && !c.m.Resources[i].Repeated {
		c.lib.use(c.m.Resources[i].pos)
		st.Constant = localReference(name)
		return []Step{*st}
	}
	if sc.block == nil || t.Root != RootRelative {
		c.fail(c.outOfReach(pos, name))
		return nil
	}
	st.Ref, c.m.Linked = &Ref{}, true
	sc.block.refs = append(sc.block.refs, &reference{pos, name, -1, slices.Concat(sc.steps, t.Steps), st.Ref})
	return []Step{*st}
}

// outOfReach is the mistake of a reference to what is not one alone, outside of its blocks.
func (c *compiler) outOfReach(pos position, name string) error {
	if i, ok := c.byName[plainName(name)]; ok {
		c.lib.use(c.m.Resources[i].pos)
		return pos.errorf("%s is repeated: what refers to it stands in a block around it, beside it or inside it", name)
	}
	return pos.errorf("there is no resource %q%s", name, c.hintResource(name))
}

// isReference reports whether a place is the reference of a Reference.
func isReference(t target, spelled string) bool {
	return strings.HasSuffix("."+spelled, ".reference") && t.typ.Name() == "string"
}

// resolve finds what a reference of a block means: what is around the block, one resource
// of the same repetition, or all of those inside.
func (c *compiler) resolve(b *block, r *reference) {
	name := r.name
	if name == "parent" {
		name = b.around()
	}
	i, known := c.byName[plainName(name)]
	if !known {
		c.fail(r.pos.errorf("there is no resource %q%s", name, c.hintResource(r.name)))
		return
	}
	many := slices.ContainsFunc(r.steps, func(s FHIRStep) bool { return s.Append })
	r.resource = i
	*r.ref = Ref{Resource: i, Many: many}
	one, all := b.reach(i)
	switch {
	case !one && !all:
		c.fail(r.pos.errorf("%s is not of this repetition of %s: refer to what is around it, beside it or inside it", name, b.name))
	case one && many:
		c.fail(r.pos.errorf("%s is one here: write [0] instead of []", name))
	case all && !many:
		c.fail(r.pos.errorf("%s is several here: write [] at the element that repeats", name))
	}
}

// around is the name of the resource whose block is around b; "parent" where none is.
func (b *block) around() string {
	for p := b.parent; p != nil; p = p.parent {
		if p.resource >= 0 {
			return p.name
		}
	}
	return "parent"
}

// reach reports whether a resource is one for a repetition of b, or those inside it.
func (b *block) reach(resource int) (one, all bool) {
	for p := b; p != nil; p = p.parent {
		one = one || p.holds(resource, true)
	}
	for p := b.parent; p != nil; p = p.parent {
		one = one || p.resource == resource
	}
	return one, !one && b.holds(resource, false)
}

// holds reports whether a block has that of a resource inside it, once or for each repetition.
func (b *block) holds(resource int, once bool) bool {
	return slices.ContainsFunc(b.blocks, func(in *block) bool { return in.resource == resource && in.once == once })
}

// link finds how a child and what is around it refer to each other. Without that, the way
// back could not tell one parent's children from another's.
func (c *compiler) link(parent, child *block) {
	if child.resource < 0 {
		return // the items of a list stand in their parent
	}
	for _, r := range child.refs {
		if r.resource >= 0 && r.resource == parent.resource {
			*child.link = Link{Steps: r.steps}
			return
		}
	}
	for _, r := range parent.refs {
		if r.resource == child.resource {
			*child.link = Link{FromParent: true, Steps: r.steps}
			return
		}
	}
	c.fail(child.pos.errorf("%s must say how it refers to %s: a line fhir PLACE.reference = ref(parent) in its block, or fhir PLACE.reference = ref(%s) in the one around it", child.name, parent.name, child.name))
}
