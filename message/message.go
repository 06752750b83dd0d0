// Package message holds a decoded message as one tree, whatever its wire: names,
// values, order, line and column, and the verbatim slice of every node, so that each
// element can be mapped, carried along unaltered, or named in a report by its path.
package message

import (
	"crypto/sha256"
	"encoding/hex"

	"stafett/handover"
)

// Message is one decoded message. Raw is never altered.
type Message struct {
	Wire handover.Wire
	Raw  []byte
	// Decoded is Raw as UTF-8, set only when Raw is in another encoding; then positions
	// and slices of nodes are Decoded's.
	Decoded []byte
	// Root is the whole message: for XML the document element, for ER7 a node named
	// "message" whose children are the segments.
	Root *Node
	// Tolerated names the departures from the wire's syntax that were read anyway, once
	// each; the codec says which there are.
	Tolerated []string
}

// Node is one element of a message.
//
// XML: Name is the local name and Space the namespace URI; an attribute is a child
// named "@" + its local name; Value is the text of an element without element children.
//
// ER7: a segment is named as in MSH, PID; its children are field repetitions named by
// the field's number ("3"), one child per repetition; theirs are components ("1"), and
// theirs subcomponents. A part that has only one sub-part is a leaf with its value, so
// that PID-8 and PID-8.1 are the same node. Value is unescaped and in UTF-8.
type Node struct {
	Name     string
	Space    string
	Value    string
	Children []*Node
	// Line and Column are 1-based, of the first byte; 0 for a node that was built.
	Line, Column int
	// Start and End bound the verbatim slice in Message.Raw, or in Decoded where it is set.
	Start, End int
}

// Verbatim returns the bytes of n as they were received, in UTF-8 when the decoder set
// Decoded; nil for a node that was built.
func (m *Message) Verbatim(n *Node) []byte {
	if m == nil {
		return nil
	}
	source := m.Raw
	if m.Decoded != nil {
		source = m.Decoded
	}
	if n == nil || n.Start < 0 || n.End <= n.Start || n.End > len(source) {
		return nil
	}
	return source[n.Start:n.End]
}

// DigestOf returns the SHA-256 of b.
func DigestOf(b []byte) handover.Digest {
	sum := sha256.Sum256(b)
	return handover.Digest(hex.EncodeToString(sum[:]))
}

// Child returns the first child named name, or nil. The child "1" of a leaf is the leaf
// itself, as in HL7 v2 (2.5 section 2.5.3: a field is its first component).
func (n *Node) Child(name string) *Node {
	if n == nil {
		return nil
	}
	for _, c := range n.Children {
		if c != nil && c.Name == name {
			return c
		}
	}
	if name == "1" && len(n.Children) == 0 {
		return n
	}
	return nil
}

// All returns the children named name, in order.
func (n *Node) All(name string) []*Node {
	if n == nil {
		return nil
	}
	var out []*Node
	for _, c := range n.Children {
		if c != nil && c.Name == name {
			out = append(out, c)
		}
	}
	if out == nil && name == "1" && len(n.Children) == 0 {
		return []*Node{n}
	}
	return out
}

// At follows names from n and returns the first match, or nil.
func (n *Node) At(names ...string) *Node {
	for _, name := range names {
		if n = n.Child(name); n == nil {
			return nil
		}
	}
	return n
}

// Text returns the value at names below n, or "".
func (n *Node) Text(names ...string) string {
	if c := n.At(names...); c != nil {
		return c.Value
	}
	return ""
}

// Limits bound what a decoder takes.
type Limits struct {
	Bytes int // of one message
	Depth int // of nesting
	Nodes int // in one message
}

// DefaultLimits are 20 MB a message, 64 levels and 500,000 nodes.
func DefaultLimits() Limits { return Limits{Bytes: 20 << 20, Depth: 64, Nodes: 500_000} }

// Fate says what became of one element of a message.
type Fate string

// The fates.
const (
	FateMapped  Fate = "mapped"
	FateCarried Fate = "carried"
	FateIgnored Fate = "ignored"
)

// ElementFate is the fate of one element, by path and never by value.
type ElementFate struct {
	Path   string `json:"path"`
	Line   int    `json:"line,omitempty"`
	Fate   Fate   `json:"fate"`
	Reason string `json:"reason,omitempty"`
	// Target is where it went, for mapped.
	Target string `json:"target,omitempty"`
}
