// Package fhir is the canonical form that every wire is translated to: a FHIR R4 (4.0.1)
// resource is its exact JSON, kept as a tree with the order of members and the text of
// numbers. Rules that look into a Task, CarePlan or Observation read the tree into a type
// (Read) and change and write the tree. A resource is never stored as a
// re-marshalled struct, because those drop primitive extensions and unknown content.
package fhir

import (
	"strings"
	"unicode/utf8"
)

// NodeKind is the kind of one JSON value.
type NodeKind uint8

// The kinds of a JSON value (RFC 8259 section 3).
const (
	KindObject NodeKind = iota
	KindArray
	KindString
	KindNumber
	KindBool
	KindNull
)

var kindNames = [...]string{"object", "array", "string", "number", "boolean", "null"}

// String returns the JSON name of the kind.
func (k NodeKind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Node is one JSON value. The zero Node is an empty object. Read-only use is safe from
// several goroutines; changes are not. All methods accept a nil receiver.
type Node struct {
	Kind    NodeKind
	Members []Member // of an object, in order
	Items   []*Node  // of an array, in order
	// Text is a string decoded, a number verbatim ("1.10"), a boolean as "true" or "false".
	Text string
	// Line and Column are 1-based positions of the first byte, Column in bytes; 0 for a
	// node that was built.
	Line, Column int
}

// Member is one name and value of an object.
type Member struct {
	Name  string
	Value *Node
}

// Get returns the member named name, or nil.
func (n *Node) Get(name string) *Node {
	if n == nil {
		return nil
	}
	for i := range n.Members {
		if n.Members[i].Name == name {
			return n.Members[i].Value
		}
	}
	return nil
}

// At follows names from n; into an array it takes the first item. It returns nil when a
// step is missing.
func (n *Node) At(path ...string) *Node {
	for _, name := range path {
		n = first(n).Get(name)
	}
	return n
}

// Str returns the text of the string, number or boolean at path (an array's first item),
// or "".
func (n *Node) Str(path ...string) string {
	if v := first(n.At(path...)); v != nil {
		return v.Text
	}
	return ""
}

func first(n *Node) *Node {
	for n != nil && n.Kind == KindArray {
		if len(n.Items) == 0 {
			return nil
		}
		n = n.Items[0]
	}
	return n
}

// Each returns the items of the array named name, or the single value that is there
// instead; nil when it is absent.
func (n *Node) Each(name string) []*Node {
	v := n.Get(name)
	if v == nil {
		return nil
	}
	if v.Kind == KindArray {
		return v.Items
	}
	return []*Node{v}
}

// Set replaces the member named name in its place, or appends it. A nil v deletes it. On
// anything but an object it does nothing.
func (n *Node) Set(name string, v *Node) {
	if n == nil || n.Kind != KindObject {
		return
	}
	if v == nil {
		n.Delete(name)
		return
	}
	for i := range n.Members {
		if n.Members[i].Name == name {
			n.Members[i].Value = v
			return
		}
	}
	n.Members = append(n.Members, Member{name, v})
}

// SetFirst is Set, but a new member comes first, as resourceType and id conventionally do.
func (n *Node) SetFirst(name string, v *Node) {
	if n == nil || n.Kind != KindObject || v == nil {
		return
	}
	if n.Get(name) != nil {
		n.Set(name, v)
		return
	}
	n.Members = append([]Member{{name, v}}, n.Members...)
}

// Delete removes the member named name; the order of the others is kept.
func (n *Node) Delete(name string) {
	if n == nil {
		return
	}
	for i := range n.Members {
		if n.Members[i].Name == name {
			// A new slice: the old one may be shared with a neighbour in the parser's slab.
			kept := make([]Member, 0, len(n.Members)-1)
			n.Members = append(append(kept, n.Members[:i]...), n.Members[i+1:]...)
			return
		}
	}
}

// Append adds items to the array named name, making it when it is absent and wrapping a
// single value.
func (n *Node) Append(name string, items ...*Node) {
	if n == nil || n.Kind != KindObject || len(items) == 0 {
		return
	}
	v := n.Get(name)
	switch {
	case v == nil:
		n.Set(name, Arr(items...))
	case v.Kind == KindArray:
		v.Items = append(v.Items[:len(v.Items):len(v.Items)], items...)
	default:
		n.Set(name, Arr(append([]*Node{v}, items...)...))
	}
}

// Clone returns a deep copy.
func (n *Node) Clone() *Node {
	if n == nil {
		return nil
	}
	c := *n
	if n.Members != nil {
		c.Members = make([]Member, len(n.Members))
		for i, m := range n.Members {
			c.Members[i] = Member{m.Name, m.Value.Clone()}
		}
	}
	if n.Items != nil {
		c.Items = make([]*Node, len(n.Items))
		for i, item := range n.Items {
			c.Items[i] = item.Clone()
		}
	}
	return &c
}

// Equal reports whether two trees hold the same values in the same order, numbers by
// their text; positions are not compared.
func (n *Node) Equal(o *Node) bool {
	if n == nil || o == nil {
		return n == o
	}
	if n.Kind != o.Kind || n.Text != o.Text || len(n.Members) != len(o.Members) || len(n.Items) != len(o.Items) {
		return false
	}
	for i := range n.Members {
		if n.Members[i].Name != o.Members[i].Name || !n.Members[i].Value.Equal(o.Members[i].Value) {
			return false
		}
	}
	for i := range n.Items {
		if !n.Items[i].Equal(o.Items[i]) {
			return false
		}
	}
	return true
}

// ResourceType returns the resourceType of a resource, or "".
func (n *Node) ResourceType() string { return n.text("resourceType") }

// ID returns the logical id of a resource, or "".
func (n *Node) ID() string { return n.text("id") }

func (n *Node) text(name string) string {
	if v := n.Get(name); v != nil && v.Kind == KindString {
		return v.Text
	}
	return ""
}

// AppendJSON appends n as compact JSON: members in order, numbers verbatim, and nothing
// escaped that RFC 8259 section 7 does not require. A nil node is null.
func (n *Node) AppendJSON(dst []byte) []byte {
	if n == nil {
		return append(dst, "null"...)
	}
	switch n.Kind {
	case KindObject:
		dst = append(dst, '{')
		for i := range n.Members {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, n.Members[i].Name)
			dst = append(dst, ':')
			dst = n.Members[i].Value.AppendJSON(dst)
		}
		return append(dst, '}')
	case KindArray:
		dst = append(dst, '[')
		for i, item := range n.Items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = item.AppendJSON(dst)
		}
		return append(dst, ']')
	case KindString:
		return appendString(dst, n.Text)
	case KindNumber, KindBool:
		return append(dst, n.Text...)
	default:
		return append(dst, "null"...)
	}
}

// JSON returns n as compact JSON, as AppendJSON.
func (n *Node) JSON() []byte { return n.AppendJSON(nil) }

// MarshalJSON makes a Node embeddable in values that encoding/json writes.
func (n *Node) MarshalJSON() ([]byte, error) { return n.AppendJSON(nil), nil }

const hexDigits = "0123456789abcdef"

func appendString(dst []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
