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
	if t.Root == RootResource && repeats(t.Steps) && r.all(name, st) {
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

// all lets a resource that is one alone refer to all of a repeated one; false where there is none.
func (r *references) all(name string, st *Step) bool {
	i, ok := r.byName[plainName(name)]
	if ok {
		r.lib.use(r.m.Resources[i].pos)
		st.Ref = &Ref{Resource: i, Many: true}
	}
	return ok
}

// repeats reports whether a place means every item of a list.
func repeats(steps []FHIRStep) bool {
	return slices.ContainsFunc(steps, func(s FHIRStep) bool { return s.Append })
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
	many := repeats(to.steps)
	to.resource = i
	*to.ref = Ref{Resource: i, Many: many}
	switch reach := b.reach(i); {
	case reach == unreached:
		r.fail(to.pos.errorf("%s is not of this repetition of %s: refer to what is around it, beside it or inside it", name, b.name))
	case reach == single && many:
		r.fail(to.pos.errorf("%s is one here: write [0] instead of []", name))
	case reach == several && !many:
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

// reach is how many of a resource a repetition of a block means.
type reach uint8

const (
	unreached reach = iota
	single
	several
)

// reach of a resource: one of it is around b, or beside b or what is around it; several may
// be inside.
func (b *block) reach(resource int) reach {
	for p := b; p != nil; p = p.parent {
		if p.holds(resource, true) || p != b && p.resource == resource {
			return single
		}
	}
	return either(b.holds(resource, false), several, unreached)
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
	if up := refersTo(child.refs, parent.resource); up != nil {
		*child.link = Link{Steps: up.steps}
		return
	}
	if down := refersTo(parent.refs, child.resource); down != nil {
		*child.link = Link{FromParent: true, Steps: down.steps}
		return
	}
	r.fail(child.pos.errorf("%s must say how it refers to %s: a line fhir PLACE.reference = ref(parent) in its block, or fhir PLACE.reference = ref(%s) in the one around it", child.name, parent.name, child.name))
}

// refersTo returns the first reference to a resource, or nil; the items of a list are none.
func refersTo(refs []*reference, resource int) *reference {
	for _, ref := range refs {
		if ref.resource == resource && resource >= 0 {
			return ref
		}
	}
	return nil
}
