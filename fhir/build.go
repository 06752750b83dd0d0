package fhir

import (
	"fmt"
	"slices"
	"strconv"
)

// Obj makes an object of name, value pairs. A value is a string, *Node, []*Node, bool,
// int or int64. FHIR has no empty values (R4 2.6.2), so nil, "", a nil *Node and an
// empty []*Node leave the member out. It panics on an odd count or another type: those
// are mistakes in code, never in data.
func Obj(members ...any) *Node {
	if len(members)%2 != 0 {
		panic("fhir.Obj: a name without a value")
	}
	n := &Node{Kind: KindObject, Members: make([]Member, 0, len(members)/2)}
	for i := 0; i < len(members); i += 2 {
		name, ok := members[i].(string)
		if !ok {
			panic(fmt.Sprintf("fhir.Obj: argument %d is not a name", i))
		}
		if v := built(members[i+1]); v != nil {
			n.Members = append(n.Members, Member{name, v})
		}
	}
	return n
}

func built(v any) *Node {
	switch v := v.(type) {
	case nil:
		return nil
	case string:
		if v == "" {
			return nil
		}
		return Str(v)
	case *Node:
		return v
	case []*Node:
		if len(v) == 0 {
			return nil
		}
		return Arr(v...)
	case bool:
		return Bool(v)
	case int:
		return Num(strconv.Itoa(v))
	case int64:
		return Num(strconv.FormatInt(v, 10))
	default:
		panic(fmt.Sprintf("fhir.Obj: a value of type %T", v))
	}
}

// Str makes a string.
func Str(s string) *Node { return &Node{Kind: KindString, Text: s} }

// Num makes a number of its text, which must be a JSON number ("1.10").
func Num(text string) *Node { return &Node{Kind: KindNumber, Text: text} }

// Bool makes a boolean.
func Bool(b bool) *Node { return &Node{Kind: KindBool, Text: strconv.FormatBool(b)} }

// Arr makes an array; nil items are left out.
func Arr(items ...*Node) *Node {
	n := &Node{Kind: KindArray, Items: make([]*Node, 0, len(items))}
	for _, item := range items {
		if item != nil {
			n.Items = append(n.Items, item)
		}
	}
	return n
}

// LogicalRef makes a Reference by business identifier. Empty arguments are left out.
func LogicalRef(typ, system, value, display string) *Node {
	return Obj("type", typ, "identifier", Identifier(system, value), "display", display)
}

// Identifier makes an Identifier. Empty arguments are left out.
func Identifier(system, value string) *Node { return Obj("system", system, "value", value) }

// Coding makes a Coding. Empty arguments are left out.
func Coding(system, code, display string) *Node {
	return Obj("system", system, "code", code, "display", display)
}

// Concept makes a CodeableConcept of one Coding.
func Concept(system, code, display string) *Node {
	return Obj("coding", Arr(Coding(system, code, display)))
}

// TextConcept makes a CodeableConcept of text alone.
func TextConcept(text string) *Node { return Obj("text", text) }

// SetID sets a resource's id, after resourceType where a reader expects it.
func SetID(n *Node, id string) {
	if n.Get("id") != nil {
		n.Set("id", Str(id))
		return
	}
	at := min(1, len(n.Members))
	n.Members = slices.Insert(n.Members, at, Member{Name: "id", Value: Str(id)})
}
