package kith

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"stafett/handover"
	"stafett/message"
)

const xmlDeclaration = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// Encode writes root as an XML document in UTF-8 without added white space. Children keep
// their order; children named "@…" are attributes, those named TextName are text.
//
// Prefixes follow from the namespaces alone: Hodemelding, AppRec and bodies of their own
// kind are default namespaces; a PLO body has its prefix and poKomponent is the default
// inside it; felleskomponent1 and other shared parts have a prefix, declared where a body
// begins. An unknown namespace becomes the default where it is used.
//
// It returns a fault of kind invalid for a tree that XML cannot express.
func (Codec) Encode(root *message.Node) ([]byte, error) {
	if root == nil {
		return nil, encodeFault("", "there is no tree to write")
	}
	w := &writer{}
	w.buf.Grow(4096)
	w.buf.WriteString(xmlDeclaration)
	if err := w.element(root); err != nil {
		return nil, err
	}
	return w.buf.Bytes(), nil
}

func encodeFault(path, text string) error {
	return &handover.Fault{Kind: handover.FaultInvalid, Op: "kith.Encode", Text: text, Path: path}
}

// maxEncodeDepth bounds recursion on a tree that somebody built.
const maxEncodeDepth = 512

type writer struct {
	buf      bytes.Buffer
	bindings []binding
	path     []string
}

func (w *writer) fail(text string) error { return encodeFault(strings.Join(w.path, "/"), text) }

func (w *writer) element(n *message.Node) error {
	if len(w.path) >= maxEncodeDepth {
		return w.fail("elements are nested too deep")
	}
	if !validName(n.Name) {
		return w.fail("a child's name is not an XML name")
	}
	w.path = append(w.path, n.Name)
	mark := len(w.bindings)
	w.declare(n)
	w.buf.WriteByte('<')
	name := w.qualified(n.Space, n.Name, false)
	w.buf.WriteString(name)
	for _, b := range w.bindings[mark:] {
		w.binding(b)
	}
	content, err := w.attributes(n)
	if err != nil {
		return err
	}
	if err := w.content(n, name, content); err != nil {
		return err
	}
	w.bindings = w.bindings[:mark]
	w.path = w.path[:len(w.path)-1]
	return nil
}

func (w *writer) binding(b binding) {
	w.buf.WriteString(" xmlns")
	if b.prefix != "" {
		w.buf.WriteString(":" + b.prefix)
	}
	w.buf.WriteString(`="`)
	w.escape(b.uri, true)
	w.buf.WriteByte('"')
}

// attributes writes n's attributes and reports whether it has other children.
func (w *writer) attributes(n *message.Node) (content bool, err error) {
	for i, c := range n.Children {
		if !strings.HasPrefix(c.Name, "@") {
			content = true
			continue
		}
		if !validName(c.Name[1:]) || len(c.Children) > 0 {
			return false, w.fail("an attribute that XML cannot express")
		}
		for _, d := range n.Children[:i] {
			if d.Name == c.Name && d.Space == c.Space {
				return false, w.fail("an attribute stands twice")
			}
		}
		w.buf.WriteString(" " + w.qualified(c.Space, c.Name[1:], true) + `="`)
		if !w.escape(c.Value, true) {
			return false, w.fail("an attribute value holds a character that XML does not allow")
		}
		w.buf.WriteByte('"')
	}
	return content, nil
}

func (w *writer) content(n *message.Node, name string, children bool) error {
	if !children && n.Value == "" {
		w.buf.WriteString("/>")
		return nil
	}
	if children && n.Value != "" {
		return w.fail("an element has both a value and children")
	}
	w.buf.WriteByte('>')
	if !w.escape(n.Value, false) {
		return w.fail("a value holds a character that XML does not allow")
	}
	for _, c := range n.Children {
		switch {
		case strings.HasPrefix(c.Name, "@"):
		case c.Name == TextName:
			if !w.escape(c.Value, false) {
				return w.fail("text holds a character that XML does not allow")
			}
		default:
			if err := w.element(c); err != nil {
				return err
			}
		}
	}
	w.buf.WriteString("</" + name + ">")
	return nil
}

// declare binds what n and its attributes need and, where a body begins, the prefixes
// used anywhere below it.
func (w *writer) declare(n *message.Node) {
	mark := len(w.bindings)
	if !w.bound(n.Space, false) {
		b, known := bodies[n.Space]
		switch {
		case known && b.component != "":
			w.bind(b.prefix, n.Space)
			w.bind("", b.component)
			w.shared(n)
		case prefixes[n.Space] != "":
			w.bind(prefixes[n.Space], n.Space)
		default:
			w.bind("", n.Space)
			if known {
				w.shared(n)
			}
		}
	}
	for _, c := range n.Children {
		if strings.HasPrefix(c.Name, "@") && c.Space != "" && !w.bound(c.Space, true) {
			w.bind(w.attributePrefix(c.Space), c.Space)
		}
	}
	slices.SortStableFunc(w.bindings[mark:], func(a, b binding) int { return strings.Compare(a.prefix, b.prefix) })
}

func (w *writer) bind(prefix, uri string) {
	w.bindings = append(w.bindings, binding{prefix, uri})
}

// shared binds the prefixed namespaces that elements below n use.
func (w *writer) shared(n *message.Node) {
	for _, c := range n.Children {
		if strings.HasPrefix(c.Name, "@") {
			continue
		}
		if p := prefixes[c.Space]; p != "" && !w.bound(c.Space, false) {
			w.bind(p, c.Space)
		}
		w.shared(c)
	}
}

func (w *writer) attributePrefix(uri string) string {
	if p := prefixes[uri]; p != "" {
		return p
	}
	for i := 1; ; i++ {
		p := "ns" + strconv.Itoa(i)
		if !slices.ContainsFunc(w.bindings, func(b binding) bool { return b.prefix == p }) {
			return p
		}
	}
}

// bound reports whether uri can be written at this place without a declaration.
func (w *writer) bound(uri string, attribute bool) bool {
	_, ok := w.prefix(uri, attribute)
	return ok
}

// prefix finds the innermost prefix in scope for uri; an attribute cannot use the default.
func (w *writer) prefix(uri string, attribute bool) (string, bool) {
	if uri == namespaceXML {
		return "xml", true
	}
	for i := len(w.bindings) - 1; i >= 0; i-- {
		b := w.bindings[i]
		if b.uri != uri || attribute && b.prefix == "" {
			continue
		}
		hidden := slices.ContainsFunc(w.bindings[i+1:], func(c binding) bool { return c.prefix == b.prefix })
		if !hidden {
			return b.prefix, true
		}
	}
	if uri != "" {
		return "", false
	}
	// No namespace needs no declaration where no default is in scope.
	return "", !slices.ContainsFunc(w.bindings, func(b binding) bool { return b.prefix == "" && b.uri != "" })
}

func (w *writer) qualified(uri, local string, attribute bool) string {
	if attribute && uri == "" {
		return local
	}
	if p, _ := w.prefix(uri, attribute); p != "" {
		return p + ":" + local
	}
	return local
}

// escape writes s so that reading gives s again. It reports whether XML can express s.
func (w *writer) escape(s string, attribute bool) bool {
	last := 0
	for i := 0; i < len(s); i++ {
		b := s[i]
		if b >= utf8.RuneSelf {
			c, size := utf8.DecodeRuneInString(s[i:])
			if c == utf8.RuneError && size == 1 || !allowedRune(c) {
				return false
			}
			i += size - 1
			continue
		}
		if !allowedRune(rune(b)) {
			return false
		}
		with := replacement(b, attribute)
		if with == "" {
			continue
		}
		w.buf.WriteString(s[last:i])
		w.buf.WriteString(with)
		last = i + 1
	}
	w.buf.WriteString(s[last:])
	return true
}

func replacement(b byte, attribute bool) string {
	switch b {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	case '\r':
		return "&#13;"
	}
	if !attribute {
		return ""
	}
	switch b {
	case '"':
		return "&quot;"
	case '\n':
		return "&#10;"
	case '\t':
		return "&#9;"
	}
	return ""
}
