package engine

import (
	"stafett/fhir"
	"stafett/mappings/language"
)

// lookup returns the value at steps below n, or nil. An item with conditions is the
// first that meets them; [] is the first item.
func lookup(n *fhir.Node, steps []language.FHIRStep) *fhir.Node {
	for i := range steps {
		n = step(n, &steps[i])
	}
	return n
}

// step is what one step means below n, or nil.
func step(n *fhir.Node, s *language.FHIRStep) *fhir.Node {
	v := n.Get(s.Name)
	if v == nil || (v.Kind == fhir.KindArray) != s.Array {
		return nil
	}
	if s.Array {
		return itemOf(s, v)
	}
	return v
}

// itemOf returns the item of arr that the step means, or nil.
func itemOf(s *language.FHIRStep, arr *fhir.Node) *fhir.Node {
	i := s.Index
	for s.Filters != nil && i < len(arr.Items) && !meets(s, arr.Items[i]) {
		i++
	}
	if i >= len(arr.Items) {
		return nil
	}
	return arr.Items[i]
}

func meets(s *language.FHIRStep, item *fhir.Node) bool {
	for i := range s.Filters {
		if v := lookup(item, s.Filters[i].Path); v == nil || v.Text != s.Filters[i].Value {
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

// content is what a written value counts for: a block without any is not made.
var content = [...]int{wrote: 1, equal: 0, occupied: 0}

// put writes a leaf at steps below n, making what is missing.
func put(n *fhir.Node, steps []language.FHIRStep, v *fhir.Node) written {
	last := len(steps) - 1
	holder := reach(n, steps[:max(0, last)])
	if holder == nil || last < 0 {
		return occupied
	}
	s := &steps[last]
	old := holder.Get(s.Name)
	if s.Array {
		return putItem(old, s, v, holder)
	}
	if old != nil {
		return compare(old, v)
	}
	setMember(holder, s.Name, v)
	return wrote
}

// putItem writes a value into an array, unless the item that is meant is there.
func putItem(arr *fhir.Node, s *language.FHIRStep, v, holder *fhir.Node) written {
	if arr == nil {
		setMember(holder, s.Name, fhir.Arr(v))
		return wrote
	}
	if item := itemOf(s, arr); item != nil {
		return compare(item, v)
	}
	if arr.Kind != fhir.KindArray || s.Filters != nil {
		return occupied
	}
	arr.Items = append(arr.Items, v)
	return wrote
}

// reach follows steps to an object, making what is missing; nil where something else stands.
func reach(n *fhir.Node, steps []language.FHIRStep) *fhir.Node {
	for i := range steps {
		if !isObject(n) {
			return nil
		}
		s := &steps[i]
		old := n.Get(s.Name)
		if old == nil {
			old = empty(s)
			setMember(n, s.Name, old)
		}
		n = into(old, s)
	}
	if !isObject(n) {
		return nil
	}
	return n
}

// empty is what a step finds when it is made: an object, or an array.
func empty(s *language.FHIRStep) *fhir.Node {
	if s.Array {
		return &fhir.Node{Kind: fhir.KindArray}
	}
	return &fhir.Node{}
}

// into is the node itself, or the item of an array that a step means, made when it is missing.
func into(n *fhir.Node, s *language.FHIRStep) *fhir.Node {
	if !s.Array {
		return n
	}
	if n.Kind != fhir.KindArray {
		return nil
	}
	item := itemOf(s, n)
	if item == nil {
		item = newItem(s)
		n.Items = append(n.Items, item)
	}
	return item
}

// itemsOf lists the items of an array; none of what is not there.
func itemsOf(n *fhir.Node) []*fhir.Node {
	if n == nil {
		return nil
	}
	return n.Items
}

func isObject(n *fhir.Node) bool { return n != nil && n.Kind == fhir.KindObject }

func setMember(n *fhir.Node, name string, v *fhir.Node) {
	if n.Members == nil {
		n.Members = make([]fhir.Member, 0, 4) // as most objects have
	}
	n.Members = append(n.Members, fhir.Member{Name: name, Value: v})
}

func compare(old, v *fhir.Node) written {
	if isValue(old) && old.Kind == v.Kind && old.Text == v.Text {
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

// attach puts an object that was made apart at steps below n, in an array after the others.
func attach(n *fhir.Node, steps []language.FHIRStep, v *fhir.Node) bool {
	last := len(steps) - 1
	s := &steps[last]
	holder := reach(n, steps[:last])
	if holder == nil {
		return false
	}
	old := holder.Get(s.Name)
	if s.Array && old != nil {
		old.Items = append(old.Items, v)
		return old.Kind == fhir.KindArray
	}
	return put(holder, steps[last:], v) == wrote
}
