package engine

import (
	"stafett/fhir"
	"stafett/mappings/language"
)

// writer writes the canonical form of a message.
type writer struct {
	canonical
	writes int // values written, constants not counted
	slab   []fhir.Node
}

// write puts text at a place of the canonical form, and counts what is new.
func (w *writer) write(p *language.Place, dst *fhir.Node, kind fhir.NodeKind, text string) written {
	if text == "" {
		return occupied
	}
	how := w.writeTo(p, dst, kind, text)
	w.writes += content[how]
	return how
}

func (w *writer) writeTo(p *language.Place, dst *fhir.Node, kind fhir.NodeKind, text string) written {
	switch p.Root {
	case language.RootHeader:
		return replace(w.c.Header.Value(p.Name), text)
	case language.RootDay:
		return fill(&w.c.Day, text)
	case language.RootFact:
		fact := w.c.Facts[p.Name]
		how := fill(&fact, text)
		w.c.Facts[p.Name] = fact
		return how
	case language.RootEvent:
		return occupied
	case language.RootResource:
		dst = w.resource(p.Resource)
	}
	return w.putText(dst, p.Steps, kind, text)
}

// replace writes a header value: the mapping knows better than the codec.
func replace(slot *string, text string) written {
	*slot = text
	return wrote
}

// fill writes what is empty.
func fill(slot *string, text string) written {
	switch *slot {
	case "":
		*slot = text
		return wrote
	case text:
		return equal
	}
	return occupied
}

// resource returns a resource, made when it is not there.
func (w *writer) resource(i int) *fhir.Node {
	if w.res[i] == nil {
		w.res[i] = fhir.Obj("resourceType", w.m.Resources[i].Type)
	}
	return w.res[i]
}

// always makes the resources that are there without content.
func (w *writer) always() {
	for i := range w.m.Resources {
		if w.m.Resources[i].Always {
			w.resource(i)
		}
	}
}

// node takes a node from a chunk: a resource has many, and they live and die together.
func (w *writer) node() *fhir.Node {
	if len(w.slab) == 0 {
		w.slab = make([]fhir.Node, 16)
	}
	n := &w.slab[0]
	w.slab = w.slab[1:]
	return n
}

// putText writes a leaf.
func (w *writer) putText(dst *fhir.Node, steps []language.FHIRStep, kind fhir.NodeKind, text string) written {
	v := w.node()
	v.Kind, v.Text = kind, text
	return put(dst, steps, v)
}

// open returns the object at a block's FHIR place, and whether it is new and not attached.
func (w *writer) open(s *language.Step, dst *fhir.Node) (node *fhir.Node, fresh bool) {
	if !s.HasPlace {
		return dst, false
	}
	root, last := w.rooted(&s.Place, dst), len(s.Place.Steps)-1
	if last < 0 {
		return w.openResource(&s.Place, root)
	}
	if s.Kind == language.StepIn {
		node = lookup(root, s.Place.Steps)
	}
	if node != nil {
		return node, false
	}
	return newItem(&s.Place.Steps[last]), true
}

// openResource is open for a place that is a whole resource.
func (w *writer) openResource(p *language.Place, there *fhir.Node) (node *fhir.Node, fresh bool) {
	if there == nil {
		return fhir.Obj("resourceType", w.m.Resources[p.Resource].Type), true
	}
	return there, false
}

// attach puts a fresh object where the block's FHIR place is.
func (w *writer) attach(s *language.Step, dst, node *fhir.Node) bool {
	if len(s.Place.Steps) == 0 {
		w.res[s.Place.Resource] = node
		return true
	}
	if s.Place.Root == language.RootResource {
		dst = w.resource(s.Place.Resource)
	}
	return attach(dst, s.Place.Steps, node)
}
