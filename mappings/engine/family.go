package engine

import (
	"slices"
	"strings"

	"stafett/fhir"
	"stafett/mappings/account"
	"stafett/mappings/language"
)

// family knows, from FHIR, whose children are being written.
type family struct {
	c *account.Canonical
	// around is the resource or item of the repetition being written.
	around *fhir.Node
	// byReference finds a resource by the name of this translation and by its id.
	byReference map[string]*fhir.Node
	// written are the children that a parent has taken.
	written map[*fhir.Node]bool
}

// within runs f for one repetition.
func (f *family) within(node *fhir.Node, run func() bool) bool {
	outer := f.around
	f.around = node
	made := run()
	f.around = outer
	return made
}

// resourcesOf lists the resources that a block writes: all of the declaration, or in a block
// inside another those that are linked to the repetition being written and to no earlier one.
func (f *family) resourcesOf(link *language.Link, base string) []*fhir.Node {
	var all []*fhir.Node
	for i := range f.c.Resources {
		n := &f.c.Resources[i]
		if isRepetition(n.Name, base) && n.Resource != nil {
			all = append(all, n.Resource)
		}
	}
	if link == nil {
		return all
	}
	f.index()
	linked := f.parentIs
	if link.FromParent {
		all = f.inOrderOf(all, link)
		linked = func(*fhir.Node, *language.Link) bool { return true }
	}
	return slices.DeleteFunc(all, func(n *fhir.Node) bool { return f.written[n] || !linked(n, link) })
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

// index makes the resources findable by how others refer to them: by name within one
// translation, by type and id once they are stored.
func (f *family) index() {
	if f.byReference != nil {
		return
	}
	f.byReference, f.written = map[string]*fhir.Node{}, map[*fhir.Node]bool{}
	for i := range f.c.Resources {
		n := f.c.Resources[i].Resource
		if n == nil {
			continue
		}
		f.byReference[account.ReferencePrefix+f.c.Resources[i].Name] = n
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
	switch {
	case n == nil:
		return nil
	case len(steps) == 0:
		return []*fhir.Node{n}
	}
	s := &steps[0]
	if !s.Array || s.Filters != nil {
		return references(lookup(n, steps[:1]), steps[1:])
	}
	var out []*fhir.Node
	for _, item := range itemsOf(n.Get(s.Name)) {
		out = append(out, references(item, steps[1:])...)
	}
	return out
}
