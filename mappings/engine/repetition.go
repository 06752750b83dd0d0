package engine

import (
	"slices"
	"strconv"
	"strings"

	"stafett/fhir"
	"stafett/mappings/account"
	"stafett/mappings/language"
	"stafett/message"
)

// repetitions knows, towards FHIR, which repetition of which block is being read: what a
// reference between blocks means.
type repetitions struct {
	// names are the resources of this repetition and of those around it, by declaration; nil
	// where no block refers to another.
	names []string
	// since is how many repeated resources there were when this repetition began.
	since int
}

// enter begins a repetition and returns what holds around it.
func (b *repetitions) enter(made int) (outer repetitions) {
	outer = *b
	b.since, b.names = made, slices.Clone(b.names)
	return outer
}

func (b *repetitions) leave(outer repetitions) { *b = outer }

func (b *repetitions) set(resource int, name string) {
	if b.names != nil {
		b.names[resource] = name
	}
}

// resourceOf makes a resource of one repetition. It gets its name, and its place among the
// others, before its lines are read, so that those inside can refer to it; without content
// both are given back.
func (r *toRun) resourceOf(s *language.Step, id int32, chain []int32) {
	d := &r.m.Resources[s.Resource]
	node, slot := fhir.Obj("resourceType", d.Type), len(r.repeated)
	if r.counts == nil {
		r.counts = map[int]int{}
	}
	r.counts[s.Resource]++
	name := d.Name + "-" + strconv.Itoa(r.counts[s.Resource])
	r.repeated = append(r.repeated, account.Named{Name: name, Resource: node})

	outer := r.blocks.enter(slot + 1)
	r.blocks.set(s.Resource, name)
	made := r.content(s, id, node)
	r.blocks.leave(outer)
	if !made {
		r.counts[s.Resource]--
		r.repeated = r.repeated[:slot]
		return
	}
	if s.Once {
		r.blocks.set(s.Resource, name)
	}
	r.take(s, id, chain)
}

// refer writes a reference between blocks: to the resource of this repetition, or an item
// for each of those inside it.
func (r *toRun) refer(s *language.Step, dst *fhir.Node) {
	if !s.Ref.Many {
		if name := r.blocks.names[s.Ref.Resource]; name != "" {
			put(dst, s.Place.Steps, fhir.Str(account.ReferencePrefix+name))
		}
		return
	}
	end := slices.IndexFunc(s.Place.Steps, func(st language.FHIRStep) bool { return st.Append }) + 1
	for _, n := range r.repeated[r.blocks.since:] {
		if isRepetition(n.Name, r.m.Resources[s.Ref.Resource].Name) {
			item := &fhir.Node{}
			put(item, s.Place.Steps[end:], fhir.Str(account.ReferencePrefix+n.Name))
			attach(dst, s.Place.Steps[:end], item)
		}
	}
}

// family knows, from FHIR, whose children are being written.
type family struct {
	// around is the resource or item of the repetition being written.
	around *fhir.Node
	// byReference finds a resource by the name of this translation and by its id.
	byReference map[string]*fhir.Node
	// written are the children that a parent has taken.
	written map[*fhir.Node]bool
}

// within runs f for one repetition.
func (r *fromRun) within(node *fhir.Node, f func() bool) bool {
	outer := r.family.around
	r.family.around = node
	made := f()
	r.family.around = outer
	return made
}

func (r *fromRun) eachResource(s *language.Step, base *message.Node, _ *fhir.Node) {
	for _, n := range r.resourcesOf(s) {
		made := r.within(n, func() bool { return r.block(s, base, n) })
		if made && s.Link != nil {
			r.family.written[n] = true
		}
		if made && s.Once {
			return
		}
	}
}

// resourcesOf lists the resources that a block writes: all of the declaration, or in a block
// inside another those that are linked to the repetition being written and to no earlier one.
func (r *fromRun) resourcesOf(s *language.Step) []*fhir.Node {
	var all []*fhir.Node
	for i := range r.c.Resources {
		n := &r.c.Resources[i]
		if isRepetition(n.Name, r.m.Resources[s.Resource].Name) && n.Resource != nil {
			all = append(all, n.Resource)
		}
	}
	if s.Link == nil {
		return all
	}
	r.family.index(r.c)
	linked := r.family.parentIs
	if s.Link.FromParent {
		all = r.family.inOrderOf(all, s.Link)
		linked = func(*fhir.Node, *language.Link) bool { return true }
	}
	return slices.DeleteFunc(all, func(n *fhir.Node) bool { return r.family.written[n] || !linked(n, s.Link) })
}

// parentIs reports whether a child refers to the resource that is being written.
func (f *family) parentIs(child *fhir.Node, link *language.Link) bool {
	return slices.ContainsFunc(references(child, link.Steps), func(ref *fhir.Node) bool { return f.find(ref) == f.around })
}

// inOrderOf lists the children that the parent refers to, in its order, each once.
func (f *family) inOrderOf(all []*fhir.Node, link *language.Link) []*fhir.Node {
	var out []*fhir.Node
	for _, ref := range references(f.around, link.Steps) {
		child := f.find(ref)
		if slices.Contains(all, child) && !slices.Contains(out, child) {
			out = append(out, child)
		}
	}
	return out
}

// index makes the resources of c findable by how others refer to them: by name within one
// translation, by type and id once they are stored.
func (f *family) index(c *account.Canonical) {
	if f.byReference != nil {
		return
	}
	f.byReference, f.written = map[string]*fhir.Node{}, map[*fhir.Node]bool{}
	for i := range c.Resources {
		n := c.Resources[i].Resource
		if n == nil {
			continue
		}
		f.byReference[account.ReferencePrefix+c.Resources[i].Name] = n
		if id := n.ID(); id != "" {
			f.byReference[n.ResourceType()+"/"+id] = n
		}
	}
}

// find returns the resource that a reference means, or nil. Of a URL the last two parts say it.
func (f *family) find(ref *fhir.Node) *fhir.Node {
	if n := f.byReference[ref.Text]; n != nil {
		return n
	}
	parts := strings.Split(ref.Text, "/")
	return f.byReference[strings.Join(parts[max(0, len(parts)-2):], "/")]
}

// references lists the values at steps below n. Of an array without conditions all items
// count: a stored resource may have gained others before the one that the mapping wrote.
func references(n *fhir.Node, steps []language.FHIRStep) []*fhir.Node {
	if n == nil || len(steps) == 0 {
		return oneOrNone(n)
	}
	s := &steps[0]
	if !s.Array || s.Filters != nil {
		return references(lookup(n, steps[:1]), steps[1:])
	}
	var out []*fhir.Node
	if arr := n.Get(s.Name); arr != nil {
		for _, item := range arr.Items {
			out = append(out, references(item, steps[1:])...)
		}
	}
	return out
}

func oneOrNone(n *fhir.Node) []*fhir.Node {
	if n == nil {
		return nil
	}
	return []*fhir.Node{n}
}
