package mappings

import "stafett/fhir"

// lookup returns the value at steps below n, or nil. An item with conditions is the
// first that meets them; [] is the first item.
func lookup(n *fhir.Node, steps []fhirStep) *fhir.Node {
	for i := range steps {
		if n == nil || n.Kind != fhir.KindObject {
			return nil
		}
		s := &steps[i]
		v := n.Get(s.name)
		if v == nil || (v.Kind == fhir.KindArray) != s.array {
			return nil
		}
		if s.array {
			v = s.item(v)
		}
		n = v
	}
	return n
}

// item returns the item of arr that the step means, or nil.
func (s *fhirStep) item(arr *fhir.Node) *fhir.Node {
	if s.filters == nil {
		if s.index < len(arr.Items) {
			return arr.Items[s.index]
		}
		return nil
	}
	for _, it := range arr.Items {
		if s.meets(it) {
			return it
		}
	}
	return nil
}

func (s *fhirStep) meets(item *fhir.Node) bool {
	for i := range s.filters {
		v := lookup(item, s.filters[i].path)
		if v == nil || v.Text != s.filters[i].value {
			return false
		}
	}
	return true
}

// written is what came of writing a value.
type written uint8

const (
	wrote    written = iota
	equal            // the same value stood there
	occupied         // another value stands there; it is not overwritten
)

// put writes a leaf at steps below n, making what is missing.
func put(n *fhir.Node, steps []fhirStep, v *fhir.Node) written {
	for i := range steps {
		s, last := &steps[i], i == len(steps)-1
		if n == nil || n.Kind != fhir.KindObject {
			return occupied
		}
		old := n.Get(s.name)
		if s.array {
			if old == nil {
				old = &fhir.Node{Kind: fhir.KindArray}
				n.Members = appendMember(n.Members, fhir.Member{Name: s.name, Value: old})
			}
			if old.Kind != fhir.KindArray {
				return occupied
			}
			item := s.item(old)
			switch {
			case item == nil && last && s.filters == nil:
				old.Items = append(old.Items, v)
				return wrote
			case item == nil:
				item = s.newItem()
				old.Items = append(old.Items, item)
			case last:
				return compare(item, v)
			}
			n = item
			continue
		}
		switch {
		case old == nil && last:
			n.Members = appendMember(n.Members, fhir.Member{Name: s.name, Value: v})
			return wrote
		case old == nil:
			old = &fhir.Node{}
			n.Members = appendMember(n.Members, fhir.Member{Name: s.name, Value: old})
		case last:
			return compare(old, v)
		}
		n = old
	}
	return occupied
}

// appendMember starts with room for a few members, as most objects have.
func appendMember(list []fhir.Member, m fhir.Member) []fhir.Member {
	if list == nil {
		list = make([]fhir.Member, 0, 4)
	}
	return append(list, m)
}

func compare(old, v *fhir.Node) written {
	if old.Kind == v.Kind && old.Kind > fhir.KindArray && old.Text == v.Text {
		return equal
	}
	return occupied
}

// newItem makes an object that meets the step's conditions.
func (s *fhirStep) newItem() *fhir.Node {
	item := &fhir.Node{}
	for i := range s.filters {
		put(item, s.filters[i].path, fhir.Str(s.filters[i].value))
	}
	return item
}

// attach puts an object that was made apart at steps below n.
func attach(n *fhir.Node, steps []fhirStep, v *fhir.Node) bool {
	last := len(steps) - 1
	for i := range steps[:last] {
		s := &steps[i]
		old := n.Get(s.name)
		if old == nil {
			old = &fhir.Node{}
			if s.array {
				old.Kind = fhir.KindArray
			}
			n.Members = appendMember(n.Members, fhir.Member{Name: s.name, Value: old})
		}
		if (old.Kind == fhir.KindArray) != s.array {
			return false
		}
		if s.array {
			item := s.item(old)
			if item == nil {
				item = s.newItem()
				old.Items = append(old.Items, item)
			}
			old = item
		}
		if old.Kind != fhir.KindObject {
			return false
		}
		n = old
	}
	s := &steps[last]
	old := n.Get(s.name)
	switch {
	case s.array && old == nil:
		n.Members = appendMember(n.Members, fhir.Member{Name: s.name, Value: fhir.Arr(v)})
	case s.array && old.Kind == fhir.KindArray:
		old.Items = append(old.Items, v)
	case !s.array && old == nil:
		n.Members = appendMember(n.Members, fhir.Member{Name: s.name, Value: v})
	default:
		return false
	}
	return true
}
