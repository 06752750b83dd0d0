package engine

import (
	"stafett/fhir"
	"stafett/mappings/language"
)

// lookup returns the value at steps below n, or nil. An item with conditions is the
// first that meets them; [] is the first item.
func lookup(n *fhir.Node, steps []language.FHIRStep) *fhir.Node {
	for i := range steps {
		if n == nil || n.Kind != fhir.KindObject {
			return nil
		}
		s := &steps[i]
		v := n.Get(s.Name)
		if v == nil || (v.Kind == fhir.KindArray) != s.Array {
			return nil
		}
		if s.Array {
			v = itemOf(s, v)
		}
		n = v
	}
	return n
}

// itemOf returns the item of arr that the step means, or nil.
func itemOf(s *language.FHIRStep, arr *fhir.Node) *fhir.Node {
	if s.Filters == nil {
		if s.Index < len(arr.Items) {
			return arr.Items[s.Index]
		}
		return nil
	}
	for _, it := range arr.Items {
		if meets(s, it) {
			return it
		}
	}
	return nil
}

func meets(s *language.FHIRStep, item *fhir.Node) bool {
	for i := range s.Filters {
		v := lookup(item, s.Filters[i].Path)
		if v == nil || v.Text != s.Filters[i].Value {
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
func put(n *fhir.Node, steps []language.FHIRStep, v *fhir.Node) written {
	for i := range steps {
		s, last := &steps[i], i == len(steps)-1
		if n == nil || n.Kind != fhir.KindObject {
			return occupied
		}
		old := n.Get(s.Name)
		if s.Array {
			if old == nil {
				old = &fhir.Node{Kind: fhir.KindArray}
				n.Members = appendMember(n.Members, fhir.Member{Name: s.Name, Value: old})
			}
			if old.Kind != fhir.KindArray {
				return occupied
			}
			item := itemOf(s, old)
			switch {
			case item == nil && last && s.Filters == nil:
				old.Items = append(old.Items, v)
				return wrote
			case item == nil:
				item = newItem(s)
				old.Items = append(old.Items, item)
			case last:
				return compare(item, v)
			}
			n = item
			continue
		}
		switch {
		case old == nil && last:
			n.Members = appendMember(n.Members, fhir.Member{Name: s.Name, Value: v})
			return wrote
		case old == nil:
			old = &fhir.Node{}
			n.Members = appendMember(n.Members, fhir.Member{Name: s.Name, Value: old})
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
func newItem(s *language.FHIRStep) *fhir.Node {
	item := &fhir.Node{}
	for i := range s.Filters {
		put(item, s.Filters[i].Path, fhir.Str(s.Filters[i].Value))
	}
	return item
}

// attach puts an object that was made apart at steps below n.
func attach(n *fhir.Node, steps []language.FHIRStep, v *fhir.Node) bool {
	last := len(steps) - 1
	for i := range steps[:last] {
		s := &steps[i]
		old := n.Get(s.Name)
		if old == nil {
			old = &fhir.Node{}
			if s.Array {
				old.Kind = fhir.KindArray
			}
			n.Members = appendMember(n.Members, fhir.Member{Name: s.Name, Value: old})
		}
		if (old.Kind == fhir.KindArray) != s.Array {
			return false
		}
		if s.Array {
			item := itemOf(s, old)
			if item == nil {
				item = newItem(s)
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
	old := n.Get(s.Name)
	switch {
	case s.Array && old == nil:
		n.Members = appendMember(n.Members, fhir.Member{Name: s.Name, Value: fhir.Arr(v)})
	case s.Array && old.Kind == fhir.KindArray:
		old.Items = append(old.Items, v)
	case !s.Array && old == nil:
		n.Members = appendMember(n.Members, fhir.Member{Name: s.Name, Value: v})
	default:
		return false
	}
	return true
}
