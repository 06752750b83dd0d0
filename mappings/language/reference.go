package language

import (
	"slices"
	"strings"
)

// references compiles how the resources of blocks refer to each other.
type references struct{ *declarations }

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

// refer compiles: fhir PLACE = ref(NAME).
func (r *references) refer(m *match, name string, st *Step, t target, sc scope) []Step {
	pos := m.pos("VALUE")
	if !isReference(t, m.text("FHIR")) {
		r.fail(m.pos("FHIR").errorf("ref() needs the reference of an element: %s.reference", m.text("FHIR")))
		return nil
	}
	if i, ok := r.byName[name]; ok && !r.m.Resources[i].Repeated {
		r.lib.use(r.m.Resources[i].pos)
		st.Constant = localReference(name)
		return []Step{*st}
	}
	if sc.block == nil || t.Root != RootRelative {
		r.fail(r.outOfReach(pos, name))
		return nil
	}
	st.Ref, r.m.Linked = &Ref{}, true
	sc.block.refs = append(sc.block.refs, &reference{pos, name, -1, slices.Concat(sc.steps, t.Steps), st.Ref})
	return []Step{*st}
}

// outOfReach is the mistake of a reference to what is not one alone, outside of its blocks.
func (r *references) outOfReach(pos position, name string) error {
	if i, ok := r.byName[plainName(name)]; ok {
		r.lib.use(r.m.Resources[i].pos)
		return pos.errorf("%s is repeated: what refers to it stands in a block around it, beside it or inside it", name)
	}
	return pos.errorf("there is no resource %q%s", name, r.hintResource(name))
}

// isReference reports whether a place is the reference of a Reference.
func isReference(t target, spelled string) bool {
	return strings.HasSuffix("."+spelled, ".reference") && t.typ.Name() == "string"
}

// resolve finds what a reference of a block means: what is around the block, one resource
// of the same repetition, or all of those inside.
func (r *references) resolve(b *block, to *reference) {
	name := to.name
	if name == "parent" {
		name = b.around()
	}
	i, known := r.byName[plainName(name)]
	if !known {
		r.fail(to.pos.errorf("there is no resource %q%s", name, r.hintResource(to.name)))
		return
	}
	many := slices.ContainsFunc(to.steps, func(s FHIRStep) bool { return s.Append })
	to.resource = i
	*to.ref = Ref{Resource: i, Many: many}
	one, all := b.reach(i)
	switch {
	case !one && !all:
		r.fail(to.pos.errorf("%s is not of this repetition of %s: refer to what is around it, beside it or inside it", name, b.name))
	case one && many:
		r.fail(to.pos.errorf("%s is one here: write [0] instead of []", name))
	case all && !many:
		r.fail(to.pos.errorf("%s is several here: write [] at the element that repeats", name))
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
func (r *references) link(parent, child *block) {
	if child.resource < 0 {
		return // the items of a list stand in their parent
	}
	for _, ref := range child.refs {
		if ref.resource >= 0 && ref.resource == parent.resource {
			*child.link = Link{Steps: ref.steps}
			return
		}
	}
	for _, ref := range parent.refs {
		if ref.resource == child.resource {
			*child.link = Link{FromParent: true, Steps: ref.steps}
			return
		}
	}
	r.fail(child.pos.errorf("%s must say how it refers to %s: a line fhir PLACE.reference = ref(parent) in its block, or fhir PLACE.reference = ref(%s) in the one around it", child.name, parent.name, child.name))
}
