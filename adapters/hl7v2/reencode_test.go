package hl7v2

import (
	"stafett/handover"
	"stafett/message"
)

// reencode writes a decoded message again with every unedited part byte for byte as it
// was received: separators that say nothing, escapes that are not ours, segment ends. It
// proves that the tree accounts for every byte. A message with edited, added or removed
// nodes is a fault of kind invalid: it is a new message, for Encode.
func reencode(m *message.Message) ([]byte, error) {
	if m == nil || m.Root == nil {
		return nil, notEncodable("", "there is no decoded message")
	}
	r := rewriter{m: m, out: make([]byte, 0, len(m.Raw))}
	if !r.node(m.Root) || len(r.out) != len(m.Raw) {
		return nil, &handover.Fault{Kind: handover.FaultInvalid, Op: "hl7v2.Reencode",
			Text: "the tree is not as it was decoded"}
	}
	return r.out, nil
}

// rewriter copies a message part by part.
type rewriter struct {
	m   *message.Message
	out []byte
}

// node copies n: the bytes between its children, which are separators, and its children.
func (r *rewriter) node(n *message.Node) bool {
	if n.Start != len(r.out) || n.End < n.Start || n.End > len(r.m.Raw) {
		return false
	}
	for _, c := range n.Children {
		if c.Start < len(r.out) || c.End > n.End {
			return false
		}
		r.out = append(r.out, r.m.Raw[len(r.out):c.Start]...)
		if !r.node(c) {
			return false
		}
	}
	r.out = append(r.out, r.m.Raw[len(r.out):n.End]...)
	return true
}
