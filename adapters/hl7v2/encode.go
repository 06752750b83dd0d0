package hl7v2

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"

	"stafett/handover"
	"stafett/message"
)

const opEncode = "hl7v2.Encode"

// fieldMax bounds the number of a field or part; it keeps a misspelt tree from becoming
// megabytes of separators.
const fieldMax = 999

// Encode writes a tree as ER7: by MSH-1 and MSH-2 of its MSH segment (the standard's where
// it has none), in the character set of its MSH-18, every segment ended by CR. It sets no
// value. A tree that ER7 cannot hold, or a character that the set does not have, is a
// *handover.Fault of kind invalid with the path.
func (c *Codec) Encode(root *message.Node) ([]byte, error) {
	if root == nil || len(root.Children) == 0 || root.Children[0].Name != "MSH" {
		return nil, notEncodable("", "a message starts with an MSH segment")
	}
	msh := root.Children[0]
	w := writer{}
	var fault *handover.Fault
	if w.d, fault = declaredBy(msh); fault != nil {
		return nil, fault
	}
	set, ok := c.charsetNamed(childText(msh, "18"))
	if !ok {
		return nil, notEncodable("MSH-18", "the character set is not one that is taken")
	}
	w.encoder, w.ascii = set.encoder(), set.ascii
	for i, s := range root.Children {
		if i > 0 && s.Name == "MSH" {
			return nil, notEncodable("MSH", "a message has one MSH segment")
		}
		w.segment(s)
		if w.fault != nil {
			return nil, w.fault
		}
	}
	return w.out.Bytes(), nil
}

func notEncodable(path, text string) *handover.Fault {
	return &handover.Fault{Kind: handover.FaultInvalid, Op: opEncode, Path: path, Text: text}
}

// childText is the value of the first leaf child named name; unlike Node.Text it never
// takes the node itself for its first part.
func childText(n *message.Node, name string) string {
	for _, c := range n.Children {
		if c.Name == name {
			return first(c).Value
		}
	}
	return ""
}

// first returns the leaf that n stands for: its first component's first subcomponent.
func first(n *message.Node) *message.Node {
	for len(n.Children) > 0 {
		child := n.Child("1")
		if child == nil {
			return &message.Node{}
		}
		n = child
	}
	return n
}

// declaredBy reads the delimiters of a built or decoded MSH segment.
func declaredBy(msh *message.Node) (delimiters, *handover.Fault) {
	field, encoding := childText(msh, "1"), childText(msh, "2")
	if field == "" {
		field = string(standardDelimiters.field)
	}
	if encoding == "" {
		encoding = standardDelimiters.encodingCharacters()
	}
	d, ok := readDelimiters([]byte("MSH" + field + encoding + field))
	if !ok || len(field) != 1 {
		return d, notEncodable("MSH-2", "MSH-1 and MSH-2 do not declare usable separators")
	}
	return d, nil
}

// writer holds one message while it is written.
type writer struct {
	out     bytes.Buffer
	d       delimiters
	encoder *encoding.Encoder
	ascii   bool
	// path is where the writer is: a segment's name, and numbers below it.
	path  []string
	fault *handover.Fault
}

// fail keeps the first fault, at the path that is being written.
func (w *writer) fail(text string) {
	if w.fault != nil {
		return
	}
	path := w.path[0]
	if len(w.path) > 1 {
		path += "-" + strings.Join(w.path[1:], ".")
	}
	w.fault = notEncodable(path, text)
}

// segment writes one segment and its end.
func (w *writer) segment(s *message.Node) {
	w.path = append(w.path[:0], s.Name)
	if !isSegmentName([]byte(s.Name)) {
		w.fail("a segment's name is not three capitals or digits")
		return
	}
	if s.Value != "" && len(s.Children) == 0 {
		w.fail("a segment has fields, not a value")
		return
	}
	w.out.WriteString(s.Name)
	last := 0
	if s.Name == "MSH" {
		w.out.WriteByte(w.d.field)
		w.out.WriteString(w.d.encodingCharacters())
		last = 2
	}
	previous := 0
	for _, f := range w.ordered(s.Children, true) {
		n := partNumber(f.Name)
		if s.Name == "MSH" && n <= 2 {
			continue
		}
		w.path = append(w.path, f.Name)
		if n == previous {
			w.separate(w.d.repetition, 1)
		} else {
			w.separate(w.d.field, n-last)
		}
		previous, last = n, n
		w.part(f, w.d.component)
		w.path = w.path[:1]
	}
	w.out.WriteByte('\r')
}

// partNumber is the number that name is, or 0.
func partNumber(name string) int {
	n := 0
	for i := range len(name) {
		c := name[i]
		if c < '0' || c > '9' || (i == 0 && c == '0') || n > fieldMax {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	if n > fieldMax {
		return 0
	}
	return n
}

// ordered returns nodes by number, repetitions in their order; only fields repeat.
func (w *writer) ordered(nodes []*message.Node, repeat bool) []*message.Node {
	last, sorted := 0, true
	for _, node := range nodes {
		n := partNumber(node.Name)
		if n == 0 {
			w.fail("a field or part is named by its number")
			return nil
		}
		sorted = sorted && n >= last
		last = n
	}
	if !sorted {
		nodes = slices.Clone(nodes)
		slices.SortStableFunc(nodes, func(a, b *message.Node) int { return partNumber(a.Name) - partNumber(b.Name) })
	}
	for i := 1; i < len(nodes) && !repeat; i++ {
		if nodes[i].Name == nodes[i-1].Name {
			w.fail("only a field repeats")
			return nil
		}
	}
	return nodes
}

// separate writes a separator n times.
func (w *writer) separate(separator byte, n int) {
	if separator == 0 && n > 0 {
		w.fail("MSH-2 does not declare the separator that the tree needs")
		return
	}
	for range n {
		w.out.WriteByte(separator)
	}
}

// part writes a repetition or a component, whose parts separator separates. The value of
// a node that also has parts is its first part's (HL7 2.5 section 2.5.3).
func (w *writer) part(n *message.Node, separator byte) {
	if len(n.Children) == 0 {
		w.value(n.Value)
		return
	}
	parts := w.ordered(n.Children, false)
	if n.Value != "" {
		if len(parts) > 0 && parts[0].Name == "1" {
			w.fail("a part has two values")
			return
		}
		w.value(n.Value)
	}
	last := 1
	for _, p := range parts {
		number := partNumber(p.Name)
		w.separate(separator, number-last)
		last = number
		w.path = append(w.path, p.Name)
		switch {
		case separator == w.d.component:
			w.part(p, w.d.subcomponent)
		case len(p.Children) > 0:
			w.fail("a subcomponent has no parts")
		default:
			w.value(p.Value)
		}
		w.path = w.path[:len(w.path)-1]
	}
}

// value writes a value with what separates escaped (HL7 2.5 section 2.7). A line break
// becomes \.br\, which is what a value read from the wire has for it.
func (w *writer) value(value string) {
	for i := 0; i < len(value); {
		plain := i
		for i < len(value) && !w.special(value[i]) {
			i++
		}
		if i > plain {
			w.text(value[plain:i])
		}
		if i == len(value) {
			return
		}
		size := 1
		if i+1 < len(value) && value[i] == '\r' && value[i+1] == '\n' {
			size = 2
		}
		w.escape(value[i+size-1])
		i += size
	}
}

// special reports whether c cannot stand in a value as it is.
func (w *writer) special(c byte) bool {
	return c < ' ' && c != '\t' || c == 0x7F || c == w.d.field || c == w.d.component || c == w.d.repetition ||
		c == w.d.escape || c == w.d.subcomponent || c == w.d.truncation
}

// escape writes the escape that stands for c.
func (w *writer) escape(c byte) {
	if w.d.escape == 0 {
		w.fail("MSH-2 does not declare the escape character that the value needs")
		return
	}
	var code string
	switch {
	case c == '\n':
		code = ".br"
	case c == '\r':
		code = "X0D"
	case c < ' ' || c == 0x7F:
		w.fail("a control character cannot be sent")
		return
	case c == w.d.field:
		code = "F"
	case c == w.d.component:
		code = "S"
	case c == w.d.subcomponent:
		code = "T"
	case c == w.d.repetition:
		code = "R"
	case c == w.d.escape:
		code = "E"
	default:
		code = "P"
	}
	w.out.WriteByte(w.d.escape)
	w.out.WriteString(code)
	w.out.WriteByte(w.d.escape)
}

// text writes text without anything to escape, in the message's character set.
func (w *writer) text(text string) {
	if isASCII(text) {
		w.out.WriteString(text)
		return
	}
	if !utf8.ValidString(text) {
		w.fail("a value is not UTF-8")
		return
	}
	if w.ascii {
		w.fail("the message's character set lacks a character of the value")
		return
	}
	if w.encoder != nil {
		encoded, err := w.encoder.String(text)
		if err != nil {
			w.fail("the message's character set lacks a character of the value")
			return
		}
		text = encoded
	}
	w.out.WriteString(text)
}
