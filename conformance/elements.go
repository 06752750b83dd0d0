package conformance

import (
	"slices"
	"strings"
	"sync"

	"stafett/fhir"
)

// Type is a type of R4 as the element table has it: a resource, a data type, or an element
// with children of its own. It is for reading only; the zero Type has no elements.
type Type struct{ def *typeDef }

// Member is an element of a type under its JSON name: of a choice there is one for each
// type, and _name is what stands beside the primitive name.
type Member struct {
	Type Type
	// Many says that the element repeats: in JSON it is an array.
	Many bool
}

// ResourceType returns the type of a resource by its name, as in resourceType.
func ResourceType(name string) (Type, bool) {
	def := table().types[name]
	return Type{def}, def != nil && def.kind == kindResource
}

// PrimitiveType returns a primitive type by its name, such as dateTime.
func PrimitiveType(name string) Type { return Type{table().types[name]} }

// Name is the type's name in R4; empty for the zero Type.
func (t Type) Name() string {
	if t.def == nil {
		return ""
	}
	return t.def.name
}

// Primitive reports whether the type is a value without elements of its own.
func (t Type) Primitive() bool { return t.def != nil && t.def.kind == kindPrimitive }

// Any reports whether the type is any resource, whose elements only its content says.
func (t Type) Any() bool { return t.def != nil && t.def.kind == kindAnyResource }

// Member returns an element by its JSON name.
func (t Type) Member(name string) (Member, bool) {
	if t.def == nil {
		return Member{}, false
	}
	plain, beside := strings.CutPrefix(name, "_")
	use, ok := t.def.members[plain]
	switch {
	case !ok, beside && use.typ.kind != kindPrimitive:
		return Member{}, false
	case beside:
		return Member{Type{table().element}, t.def.elements[use.element].many}, true
	}
	return Member{Type{use.typ}, t.def.elements[use.element].many}, true
}

// Members lists the JSON names of the type's elements, sorted.
func (t Type) Members() []string {
	var out []string
	if t.def != nil {
		for name := range t.def.members {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// Check says what is wrong with a primitive's value; it is empty when nothing is.
func (t Type) Check(n *fhir.Node) string {
	if !t.Primitive() {
		return ""
	}
	_, text := t.def.check(n)
	return text
}

// ShownPath is a path in JSON with "?" for each name that R4 does not have: a sender can put
// anything there, and paths are logged.
func ShownPath(path string) string {
	segments := strings.Split(path, ".")
	for i, segment := range segments {
		name, index, indexed := strings.Cut(segment, "[")
		segments[i] = shownName(name)
		if indexed {
			segments[i] += "[" + index
		}
	}
	return strings.Join(segments, ".")
}

func shownName(name string) string {
	if plain := strings.TrimPrefix(name, "_"); name == "" || elementNames()[plain] {
		return name
	}
	return "?"
}

// elementNames are the names of all resources and elements.
var elementNames = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{"resourceType": true}
	for name, def := range table().types {
		names[name] = true
		for member := range def.members {
			names[member] = true
		}
	}
	return names
})
