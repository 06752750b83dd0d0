package kith

import (
	"strings"

	"stafett/message"
)

func (r *reader) startTag() error {
	start := r.pos
	stop := nameEnd(r.src, start+1)
	name := r.src[start+1 : stop]
	prefix, local, ok := splitName(name)
	if !ok {
		return r.fail(start, "a tag that does not begin with a qualified name")
	}
	if len(r.open) == 0 && r.root != nil {
		return r.fail(start, "a second document element")
	}
	if len(r.open) >= r.limits.Depth {
		return r.tooLarge(start, "elements are nested too deep")
	}
	if err := r.flushText(); err != nil {
		return err
	}
	n, err := r.newNode(start)
	if err != nil {
		return err
	}
	n.Name = local
	r.push(n, name)
	r.pos = stop
	empty, err := r.attributes()
	if err != nil {
		return err
	}
	space, ok := r.lookup(prefix)
	if !ok {
		return r.fail(start, "an element whose namespace prefix is not declared")
	}
	n.Space = space
	if err := r.resolveAttributes(); err != nil {
		return err
	}
	if empty {
		r.close(r.pos)
	}
	return nil
}

func (r *reader) push(n *message.Node, name string) {
	if len(r.open) == 0 {
		r.root = n
	} else {
		r.open[len(r.open)-1].elements = true
		r.pending = append(r.pending, n)
	}
	r.open = append(r.open, frame{node: n, name: name, children: len(r.pending), bindings: len(r.bindings)})
}

// attributes reads up to the tag's end. Attributes become pending children, their Space
// still the prefix; namespace declarations become bindings.
func (r *reader) attributes() (empty bool, err error) {
	for count := 0; ; count++ {
		before := r.pos
		for r.pos < len(r.src) && isSpace(r.src[r.pos]) {
			r.pos++
		}
		rest := r.src[r.pos:]
		switch {
		case strings.HasPrefix(rest, ">"):
			r.pos++
			return false, nil
		case strings.HasPrefix(rest, "/>"):
			r.pos += 2
			return true, nil
		case rest == "":
			return false, r.fail(before, "a tag without end")
		case r.pos == before:
			return false, r.fail(before, "an attribute without white space before it")
		case count == maxAttributes:
			return false, r.tooLarge(before, "an element has too many attributes")
		}
		if err := r.attribute(); err != nil {
			return false, err
		}
	}
}

func (r *reader) attribute() error {
	start := r.pos
	stop := nameEnd(r.src, start)
	prefix, local, ok := splitName(r.src[start:stop])
	if !ok {
		return r.fail(start, "an attribute that does not begin with a qualified name")
	}
	valueStart, valueEnd, err := r.quoted(stop)
	if err != nil {
		return err
	}
	r.pos = valueEnd + 1
	value, err := r.resolve(r.src[valueStart:valueEnd], valueStart, true)
	if err != nil {
		return err
	}
	if prefix == "xmlns" || prefix == "" && local == "xmlns" {
		return r.bind(start, prefix, local, value)
	}
	n, err := r.newNode(start)
	if err != nil {
		return err
	}
	n.Name, n.Space, n.Value, n.End = attributeName(local), prefix, value, r.pos
	r.pending = append(r.pending, n)
	return nil
}

// attributeName saves an allocation for the attributes that nearly all messages use.
func attributeName(local string) string {
	switch local {
	case "V":
		return "@V"
	case "S":
		return "@S"
	case "DN":
		return "@DN"
	case "OT":
		return "@OT"
	}
	return "@" + local
}

// quoted finds the quoted value after an attribute's name that ends at from.
func (r *reader) quoted(from int) (start, end int, err error) {
	at := from
	for at < len(r.src) && isSpace(r.src[at]) {
		at++
	}
	if at == len(r.src) || r.src[at] != '=' {
		return 0, 0, r.fail(at, "an attribute without value")
	}
	for at++; at < len(r.src) && isSpace(r.src[at]); at++ {
	}
	if at == len(r.src) || r.src[at] != '"' && r.src[at] != '\'' {
		return 0, 0, r.fail(at, "an attribute value without quotes")
	}
	length := strings.IndexByte(r.src[at+1:], r.src[at])
	if length < 0 {
		return 0, 0, r.fail(at, "an attribute value without end")
	}
	if i := strings.IndexByte(r.src[at+1:at+1+length], '<'); i >= 0 {
		return 0, 0, r.fail(at+1+i, "< in an attribute value")
	}
	return at + 1, at + 1 + length, nil
}

// bind takes one namespace declaration (Namespaces in XML 1.0, section 3).
func (r *reader) bind(at int, prefix, local, uri string) error {
	name := ""
	if prefix == "xmlns" {
		name = local
	}
	reserved := uri == namespaceXMLNS || name == "xmlns" || (name == "xml") != (uri == namespaceXML)
	if reserved || name != "" && uri == "" {
		return r.fail(at, "a namespace declaration that is not allowed")
	}
	own := r.bindings[r.open[len(r.open)-1].bindings:]
	for _, b := range own {
		if b.prefix == name {
			return r.fail(at, "a duplicate attribute")
		}
	}
	if len(r.bindings) >= maxBindings {
		return r.tooLarge(at, "too many namespaces are in scope")
	}
	r.bindings = append(r.bindings, binding{name, uri})
	return nil
}

func (r *reader) lookup(prefix string) (string, bool) {
	for i := len(r.bindings) - 1; i >= 0; i-- {
		if r.bindings[i].prefix == prefix {
			return r.bindings[i].uri, true
		}
	}
	if prefix == "xml" {
		return namespaceXML, true
	}
	return "", prefix == ""
}

func (r *reader) resolveAttributes() error {
	attributes := r.pending[r.open[len(r.open)-1].children:]
	for i, a := range attributes {
		if a.Space != "" {
			space, ok := r.lookup(a.Space)
			if !ok {
				return r.fail(a.Start, "an attribute whose namespace prefix is not declared")
			}
			a.Space = space
		}
		for _, b := range attributes[:i] {
			if a.Name == b.Name && a.Space == b.Space {
				return r.fail(a.Start, "a duplicate attribute")
			}
		}
	}
	return nil
}

func (r *reader) endTag() error {
	start := r.pos
	stop := nameEnd(r.src, start+2)
	if len(r.open) == 0 || r.src[start+2:stop] != r.open[len(r.open)-1].name {
		return r.fail(start, "an end tag that closes no open element")
	}
	for stop < len(r.src) && isSpace(r.src[stop]) {
		stop++
	}
	if stop == len(r.src) || r.src[stop] != '>' {
		return r.fail(stop, "an end tag without end")
	}
	r.pos = stop + 1
	if err := r.flushText(); err != nil {
		return err
	}
	r.close(r.pos)
	return nil
}

// close ends the innermost open element at end and settles its text.
func (r *reader) close(end int) {
	f := r.open[len(r.open)-1]
	r.open = r.open[:len(r.open)-1]
	r.bindings = r.bindings[:f.bindings]
	f.node.End = end
	own := r.pending[f.children:]
	if !f.elements || !mixed(own) {
		kept := own[:0]
		for _, c := range own {
			if c.Name != TextName {
				kept = append(kept, c)
				continue
			}
			if !f.elements {
				f.node.Value += c.Value
			}
			r.recycle(c)
		}
		own = kept
	}
	f.node.Children = r.children(own)
	r.pending = r.pending[:f.children]
}

func mixed(children []*message.Node) bool {
	for _, c := range children {
		if c.Name == TextName && firstNonSpace(c.Value) >= 0 {
			return true
		}
	}
	return false
}

// closeAll keeps what was read of the elements that a fault left open. An attribute of
// the last one may still have its prefix as Space.
func (r *reader) closeAll() {
	for len(r.open) > 0 {
		r.close(0)
	}
}

func (r *reader) newNode(start int) (*message.Node, error) {
	if r.nodes >= r.limits.Nodes {
		return nil, r.tooLarge(start, "the message has too many elements")
	}
	r.nodes++
	var n *message.Node
	if last := len(r.free) - 1; last >= 0 {
		n, r.free = r.free[last], r.free[:last]
	} else {
		if len(r.nodeSlab) == 0 {
			r.nodeSlab = make([]message.Node, min(max(16, len(r.src)/48, r.nodes), 4096))
		}
		n, r.nodeSlab = &r.nodeSlab[0], r.nodeSlab[1:]
	}
	n.Start = start
	n.Line, n.Column = r.locate(start)
	return n, nil
}

func (r *reader) recycle(n *message.Node) {
	*n = message.Node{}
	r.nodes--
	r.free = append(r.free, n)
}

// children copies own into one shared backing array; the full slice expression makes a
// later append copy instead of writing into a neighbour.
func (r *reader) children(own []*message.Node) []*message.Node {
	if len(own) == 0 {
		return nil
	}
	if len(r.ptrSlab) < len(own) {
		r.ptrSlab = make([]*message.Node, max(len(own), min(max(16, len(r.src)/48, r.nodes), 4096)))
	}
	out := r.ptrSlab[:len(own):len(own)]
	r.ptrSlab = r.ptrSlab[len(own):]
	copy(out, own)
	return out
}

// locate returns the line and column of an offset; offsets come nearly always in order.
func (r *reader) locate(at int) (line, column int) {
	if at < r.at {
		return position(r.src, at)
	}
	for {
		i := strings.IndexByte(r.src[r.at:at], '\n')
		if i < 0 {
			break
		}
		r.at += i + 1
		r.line++
		r.lineStart = r.at
	}
	r.at = at
	return r.line, at - r.lineStart + 1
}
