package fhir

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits bound what Parse takes.
type Limits struct {
	Bytes int // of the whole input
	Depth int // of nested objects and arrays
	Nodes int // JSON values
}

// DefaultLimits are 20 MB, 64 levels and 500,000 values.
func DefaultLimits() Limits { return Limits{Bytes: 20 << 20, Depth: 64, Nodes: 500_000} }

// ParseError says where and why input is not the JSON that we take. Its text and path
// hold no values.
type ParseError struct {
	Line, Column int // 1-based; Column counts bytes
	// Path is the element at fault, as Task.input[0].valueString; "" at the root.
	Path string
	Text string
	// TooLarge tells a limit from a syntax error.
	TooLarge bool
}

// Error returns position, path and text.
func (e *ParseError) Error() string {
	at := ""
	if e.Path != "" {
		at = " at " + e.Path
	}
	return fmt.Sprintf("json: line %d, column %d%s: %s", e.Line, e.Column, at, e.Text)
}

// Parse reads one JSON value (RFC 8259). It refuses what would make two readers disagree:
// duplicate names, invalid UTF-8, lone surrogates, a byte order mark and bytes after the
// value. The error is a *ParseError.
func Parse(raw []byte, limits Limits) (*Node, error) {
	if len(raw) > limits.Bytes {
		return nil, &ParseError{Line: 1, Column: 1, TooLarge: true,
			Text: "more than " + strconv.Itoa(limits.Bytes) + " bytes"}
	}
	// One copy, shared by every string without escapes.
	p := &parser{s: string(raw), limits: limits, line: 1}
	if !utf8.ValidString(p.s) {
		return nil, invalidUTF8(p.s)
	}
	root, err := p.document()
	if err != nil {
		err.Path = typedPath(p.root, err.Path)
		return nil, err
	}
	return root, nil
}

// typedPath puts the resource type in front, as FHIR expressions have it.
func typedPath(root *Node, path string) string {
	typ := ""
	if root != nil {
		if typ = root.ResourceType(); !plainName(typ) {
			typ = ""
		}
	}
	if typ == "" {
		return strings.TrimPrefix(path, ".")
	}
	return typ + path
}

func invalidUTF8(s string) *ParseError {
	line, start := 1, 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			return &ParseError{Line: line, Column: i - start + 1, Text: "invalid UTF-8"}
		}
		i += size
		if r == '\n' {
			line, start = line+1, i
		}
	}
	return &ParseError{Line: line, Column: 1, Text: "invalid UTF-8"}
}

// slab is how many nodes and members are allocated together; one allocation for each
// value would cost most of the parse.
const slab = 64

type parser struct {
	s         string
	pos       int
	line      int
	lineStart int
	depth     int
	nodes     int
	limits    Limits
	root      *Node // the outermost object as far as it was read, for error paths

	nodeSlab   []Node
	memberSlab []Member
	itemSlab   []*Node
	members    []Member // stack of members of the open objects
	items      []*Node  // stack of items of the open arrays
}

func (p *parser) document() (*Node, *ParseError) {
	p.space()
	root, err := p.value()
	if err != nil {
		return nil, err
	}
	p.space()
	if p.pos < len(p.s) {
		return nil, p.fail("bytes after the JSON value")
	}
	return root, nil
}

func (p *parser) fail(text string) *ParseError { return p.failAt(p.pos, text) }

func (p *parser) failAt(pos int, text string) *ParseError {
	return &ParseError{Line: p.line, Column: pos - p.lineStart + 1, Text: text}
}

func (p *parser) space() {
	for p.pos < len(p.s) {
		switch p.s[p.pos] {
		case '\n':
			p.line++
			p.lineStart = p.pos + 1
		case ' ', '\t', '\r':
		default:
			return
		}
		p.pos++
	}
}

func (p *parser) peek() byte {
	if p.pos < len(p.s) {
		return p.s[p.pos]
	}
	return 0
}

func (p *parser) node(kind NodeKind) (*Node, *ParseError) {
	if p.nodes++; p.nodes > p.limits.Nodes {
		err := p.fail("more than " + strconv.Itoa(p.limits.Nodes) + " values")
		err.TooLarge = true
		return nil, err
	}
	if len(p.nodeSlab) == 0 {
		p.nodeSlab = make([]Node, min(slab, p.estimate()))
	}
	n := &p.nodeSlab[0]
	p.nodeSlab = p.nodeSlab[1:]
	n.Kind, n.Line, n.Column = kind, p.line, p.pos-p.lineStart+1
	return n, nil
}

// estimate guesses how many values the rest of the input has, so that a small resource
// does not pay for a whole slab.
func (p *parser) estimate() int { return (len(p.s)-p.pos)/12 + 1 }

func (p *parser) value() (*Node, *ParseError) {
	switch c := p.peek(); {
	case c == '{':
		return p.object()
	case c == '[':
		return p.array()
	case c == '"':
		n, err := p.node(KindString)
		if err != nil {
			return nil, err
		}
		n.Text, err = p.str()
		return n, err
	case c == '-' || c >= '0' && c <= '9':
		n, err := p.node(KindNumber)
		if err != nil {
			return nil, err
		}
		n.Text, err = p.number()
		return n, err
	case c == 't':
		return p.literal("true", KindBool)
	case c == 'f':
		return p.literal("false", KindBool)
	case c == 'n':
		return p.literal("null", KindNull)
	case p.pos >= len(p.s):
		return nil, p.fail("the input ends where a value is expected")
	default:
		return nil, p.fail("a value is expected")
	}
}

func (p *parser) literal(word string, kind NodeKind) (*Node, *ParseError) {
	if !strings.HasPrefix(p.s[p.pos:], word) {
		return nil, p.fail("a value is expected")
	}
	n, err := p.node(kind)
	if err != nil {
		return nil, err
	}
	if kind == KindBool {
		n.Text = word
	}
	p.pos += len(word)
	return n, nil
}

func (p *parser) enter() *ParseError {
	if p.depth++; p.depth > p.limits.Depth {
		err := p.fail("nested deeper than " + strconv.Itoa(p.limits.Depth) + " levels")
		err.TooLarge = true
		return err
	}
	return nil
}

func (p *parser) object() (*Node, *ParseError) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	n, err := p.node(KindObject)
	if err != nil {
		return nil, err
	}
	if p.root == nil {
		p.root = n
	}
	base := len(p.members)
	if err := p.objectMembers(base, n == p.root); err != nil {
		return nil, err
	}
	n.Members = p.takeMembers(base)
	p.depth--
	return n, nil
}

func (p *parser) objectMembers(base int, isRoot bool) *ParseError {
	p.pos++ // {
	if p.space(); p.peek() == '}' {
		p.pos++
		return nil
	}
	var seen map[string]struct{}
	for {
		if err := p.member(base, &seen); err != nil {
			if isRoot {
				p.root.Members = p.members[base:]
			}
			return err
		}
		p.space()
		switch p.peek() {
		case ',':
			p.pos++
			p.space()
		case '}':
			p.pos++
			return nil
		default:
			if isRoot {
				p.root.Members = p.members[base:]
			}
			return p.fail("',' or '}' is expected")
		}
	}
}

func (p *parser) member(base int, seen *map[string]struct{}) *ParseError {
	if p.peek() != '"' {
		return p.fail("a name in quotes is expected")
	}
	start := p.pos
	name, err := p.str()
	if err != nil {
		return err
	}
	if p.duplicate(name, base, seen) {
		err := p.failAt(start, "the same name twice in one object")
		err.Path = "." + safeName(name)
		return err
	}
	p.space()
	if p.peek() != ':' {
		return p.fail("':' is expected")
	}
	p.pos++
	p.space()
	v, err := p.value()
	if err != nil {
		err.Path = "." + safeName(name) + err.Path
		return err
	}
	p.members = append(p.members, Member{name, v})
	return nil
}

// duplicate looks through the open object's names, by a map once there are many: a
// hostile object with 100,000 names must not cost their square.
func (p *parser) duplicate(name string, base int, seen *map[string]struct{}) bool {
	open := p.members[base:]
	if len(open) < 32 {
		for i := range open {
			if open[i].Name == name {
				return true
			}
		}
		return false
	}
	if *seen == nil {
		*seen = make(map[string]struct{}, 2*len(open))
		for i := range open {
			(*seen)[open[i].Name] = struct{}{}
		}
	}
	if _, ok := (*seen)[name]; ok {
		return true
	}
	(*seen)[name] = struct{}{}
	return false
}

// takeMembers moves the members above base from the stack to a slice of their own whose
// capacity is its length, so that appending to one object never writes into another.
func (p *parser) takeMembers(base int) []Member {
	open := p.members[base:]
	count := len(open)
	if count == 0 {
		return nil
	}
	if count > len(p.memberSlab) {
		p.memberSlab = make([]Member, max(count, min(slab, p.estimate()+count)))
	}
	out := p.memberSlab[:count:count]
	p.memberSlab = p.memberSlab[count:]
	copy(out, open)
	p.members = p.members[:base]
	return out
}

func (p *parser) array() (*Node, *ParseError) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	n, err := p.node(KindArray)
	if err != nil {
		return nil, err
	}
	base := len(p.items)
	if err := p.arrayItems(base); err != nil {
		return nil, err
	}
	n.Items = p.takeItems(base)
	p.depth--
	return n, nil
}

func (p *parser) arrayItems(base int) *ParseError {
	p.pos++ // [
	if p.space(); p.peek() == ']' {
		p.pos++
		return nil
	}
	for {
		v, err := p.value()
		if err != nil {
			err.Path = "[" + strconv.Itoa(len(p.items)-base) + "]" + err.Path
			return err
		}
		p.items = append(p.items, v)
		p.space()
		switch p.peek() {
		case ',':
			p.pos++
			p.space()
		case ']':
			p.pos++
			return nil
		default:
			return p.fail("',' or ']' is expected")
		}
	}
}

func (p *parser) takeItems(base int) []*Node {
	open := p.items[base:]
	count := len(open)
	if count == 0 {
		return nil
	}
	if count > len(p.itemSlab) {
		p.itemSlab = make([]*Node, max(count, 16))
	}
	out := p.itemSlab[:count:count]
	p.itemSlab = p.itemSlab[count:]
	copy(out, open)
	p.items = p.items[:base]
	return out
}

func (p *parser) number() (string, *ParseError) {
	start := p.pos
	if p.peek() == '-' {
		p.pos++
	}
	if p.peek() == '0' {
		p.pos++
	} else if !p.digits() {
		return "", p.fail("a digit is expected")
	}
	if p.peek() == '.' {
		p.pos++
		if !p.digits() {
			return "", p.fail("a digit is expected after the decimal point")
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.pos++
		if c := p.peek(); c == '+' || c == '-' {
			p.pos++
		}
		if !p.digits() {
			return "", p.fail("a digit is expected in the exponent")
		}
	}
	return p.s[start:p.pos], nil
}

func (p *parser) digits() bool {
	start := p.pos
	for p.pos < len(p.s) && p.s[p.pos] >= '0' && p.s[p.pos] <= '9' {
		p.pos++
	}
	return p.pos > start
}

func (p *parser) str() (string, *ParseError) {
	start := p.pos + 1
	s := p.s
	for i := start; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			p.pos = i + 1
			return s[start:i], nil
		case c == '\\':
			p.pos = i
			return p.escaped(start)
		case c < 0x20:
			return "", p.failAt(i, "a control character in a string")
		}
	}
	return "", p.fail("a string that is not closed")
}

// escaped reads on in a string at its first backslash.
func (p *parser) escaped(start int) (string, *ParseError) {
	out := append(make([]byte, 0, p.pos-start+32), p.s[start:p.pos]...)
	for p.pos < len(p.s) {
		c := p.s[p.pos]
		switch {
		case c == '"':
			p.pos++
			return string(out), nil
		case c < 0x20:
			return "", p.fail("a control character in a string")
		case c != '\\':
			out = append(out, c)
			p.pos++
		default:
			var err *ParseError
			if out, err = p.escape(out); err != nil {
				return "", err
			}
		}
	}
	return "", p.fail("a string that is not closed")
}

func (p *parser) escape(out []byte) ([]byte, *ParseError) {
	at := p.pos
	p.pos++
	c := p.peek()
	p.pos++
	switch c {
	case '"', '\\', '/':
		return append(out, c), nil
	case 'b':
		return append(out, '\b'), nil
	case 'f':
		return append(out, '\f'), nil
	case 'n':
		return append(out, '\n'), nil
	case 'r':
		return append(out, '\r'), nil
	case 't':
		return append(out, '\t'), nil
	case 'u':
		return p.unicodeEscape(out, at)
	default:
		return nil, p.failAt(at, "an unknown escape in a string")
	}
}

func (p *parser) unicodeEscape(out []byte, at int) ([]byte, *ParseError) {
	r, ok := p.hex4()
	if !ok {
		return nil, p.failAt(at, `four hexadecimal digits are expected after \u`)
	}
	if !utf16.IsSurrogate(r) {
		return utf8.AppendRune(out, r), nil
	}
	if strings.HasPrefix(p.s[min(p.pos, len(p.s)):], `\u`) {
		p.pos += 2
		if low, ok := p.hex4(); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return utf8.AppendRune(out, pair), nil
			}
		}
	}
	return nil, p.failAt(at, "a surrogate without its pair")
}

func (p *parser) hex4() (rune, bool) {
	if p.pos+4 > len(p.s) {
		return 0, false
	}
	var r rune
	for _, c := range []byte(p.s[p.pos : p.pos+4]) {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	p.pos += 4
	return r, true
}

// safeName is name when it looks like an element's, else "?": a path is shown and
// logged, and a hostile or broken sender can put anything into a name.
func safeName(name string) string {
	if plainName(name) {
		return name
	}
	return "?"
}

func plainName(name string) bool {
	if name == "" || len(name) > 64 {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}
