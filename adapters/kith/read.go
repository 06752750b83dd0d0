package kith

import (
	"cmp"
	"strconv"
	"strings"
	"unicode/utf8"

	"stafett/handover"
	"stafett/message"
)

// TextName is the name of a child that holds a run of text in an element with both text
// and element children.
const TextName = "#text"

const (
	namespaceXML   = "http://www.w3.org/XML/1998/namespace"
	namespaceXMLNS = "http://www.w3.org/2000/xmlns/"

	// maxAttributes of one element and maxBindings of namespaces in scope bound the work
	// that one element can cause.
	maxAttributes = 128
	maxBindings   = 256
)

// Read parses raw as XML 1.0 with namespaces.
//
// Each element and attribute is a node with Space as namespace URI. Attributes are the
// first children, named "@" + local name; declarations of namespaces are not nodes. Value
// is the character data of an element without element children, CDATA and references
// resolved, line ends as \n. In an element with element children, text that is only white
// space is dropped; if any other text stands there, all its text runs are children named
// TextName. Comments and processing instructions are skipped.
//
// Lines and columns are 1-based, columns count bytes. Positions are those of raw in UTF-8;
// for another encoding Decoded is set and they are Decoded's.
//
// Zero limits mean message.DefaultLimits. Faults are of kind malformed, too-large or
// unsupported with line and column; the message beside a fault holds the elements read
// until then, those still open with End 0. Beside one about the character encoding it is read
// as the bytes look, for its head alone.
func Read(raw []byte, limits message.Limits) (*message.Message, error) {
	m := &message.Message{Wire: handover.WireKITH, Raw: raw}
	limits = orDefault(limits)
	if len(raw) > limits.Bytes {
		return m, readFault(handover.FaultTooLarge, "the message has too many bytes", 0, 0)
	}
	text, same, garbled := decodeText(raw)
	if !same {
		m.Decoded = []byte(text)
	}
	r := &reader{src: text, limits: limits, line: 1}
	err := cmp.Or(garbled, r.characters(), r.document())
	r.closeAll()
	m.Root = r.root
	if trimmed := strings.TrimLeft(text, "\uFEFF \t\r\n"); err != nil && m.Root == nil && len(trimmed) < len(text) {
		m.Root = headOf(trimmed, limits)
	}
	return m, err
}

// headOf is what can be read of a text that has something before its declaration.
func headOf(text string, limits message.Limits) *message.Node {
	r := &reader{src: text, limits: limits, line: 1}
	_ = r.document() // why the message is refused is known already
	r.closeAll()
	return r.root
}

func orDefault(l message.Limits) message.Limits {
	d := message.DefaultLimits()
	if l.Bytes <= 0 {
		l.Bytes = d.Bytes
	}
	if l.Depth <= 0 {
		l.Depth = d.Depth
	}
	if l.Nodes <= 0 {
		l.Nodes = d.Nodes
	}
	return l
}

func readFault(kind handover.FaultKind, text string, line, column int) *handover.Fault {
	return &handover.Fault{Kind: kind, Op: "kith.Read", Text: text, Line: line, Column: column}
}

// reader is one pass over src. Names and values are slices of src wherever they need no
// decoding, so that a message costs few allocations.
type reader struct {
	src    string
	pos    int
	limits message.Limits
	root   *message.Node
	open   []frame
	// pending holds the children of all open elements; a frame knows where its own begin.
	pending  []*message.Node
	bindings []binding
	nodes    int

	// The current run of text: value, or parts when it has more than one piece.
	value            string
	parts            []byte
	runStart, runEnd int

	// The last position resolved to a line.
	at, line, lineStart int

	nodeSlab []message.Node
	ptrSlab  []*message.Node
	free     []*message.Node
}

type frame struct {
	node     *message.Node
	name     string // as written, prefix included
	children int    // index of its first child in pending
	bindings int    // length of bindings before it
	elements bool   // it has element children
}

type binding struct{ prefix, uri string }

func (r *reader) fail(at int, text string) error {
	line, column := position(r.src, min(at, len(r.src)))
	return readFault(handover.FaultMalformed, text, line, column)
}

func (r *reader) tooLarge(at int, text string) error {
	line, column := position(r.src, at)
	return readFault(handover.FaultTooLarge, text, line, column)
}

func (r *reader) document() error {
	if strings.HasPrefix(r.src, "\uFEFF") {
		r.pos = len("\uFEFF")
	}
	if err := r.declaration(); err != nil {
		return err
	}
	for r.pos < len(r.src) {
		if err := r.text(); err != nil {
			return err
		}
		if r.pos == len(r.src) {
			break
		}
		if err := r.markup(); err != nil {
			return err
		}
	}
	if len(r.open) > 0 {
		return r.fail(len(r.src), "the document ends inside an element")
	}
	if r.root == nil {
		return r.fail(len(r.src), "the document has no element")
	}
	return nil
}

// characters checks the whole text once for what XML 1.0 production 2 excludes.
func (r *reader) characters() error {
	for i := 0; i < len(r.src); i++ {
		b := r.src[i]
		if b >= ' ' && b < utf8.RuneSelf || b == '\n' || b == '\t' || b == '\r' {
			continue
		}
		if b < ' ' {
			return r.fail(i, "a control character that XML does not allow")
		}
		c, size := utf8.DecodeRuneInString(r.src[i:])
		if c == utf8.RuneError && size <= 1 {
			return r.fail(i, "bytes that are not UTF-8")
		}
		if c == 0xFFFE || c == 0xFFFF {
			return r.fail(i, "a character that XML does not allow")
		}
		i += size - 1
	}
	return nil
}

// markup reads what begins with the '<' at pos.
func (r *reader) markup() error {
	rest := r.src[r.pos:]
	switch {
	case strings.HasPrefix(rest, "</"):
		return r.endTag()
	case strings.HasPrefix(rest, "<!--"):
		return r.comment()
	case strings.HasPrefix(rest, "<![CDATA["):
		return r.cdata()
	case strings.HasPrefix(rest, "<!DOCTYPE"):
		return r.fail(r.pos, "a document type declaration is not taken")
	case strings.HasPrefix(rest, "<!"):
		return r.fail(r.pos, "markup that XML does not know")
	case strings.HasPrefix(rest, "<?"):
		return r.instruction()
	}
	return r.startTag()
}

// text reads character data up to the next '<' or the end.
func (r *reader) text() error {
	start := r.pos
	end := strings.IndexByte(r.src[start:], '<')
	if end < 0 {
		end = len(r.src)
	} else {
		end += start
	}
	if end == start {
		return nil
	}
	r.pos = end
	piece := r.src[start:end]
	if len(r.open) == 0 {
		if i := firstNonSpace(piece); i >= 0 {
			return r.fail(start+i, "text outside the document element")
		}
		return nil
	}
	if i := strings.Index(piece, "]]>"); i >= 0 {
		return r.fail(start+i, "]]> in text")
	}
	piece, err := r.resolve(piece, start, false)
	if err != nil {
		return err
	}
	r.addText(piece, start, end)
	return nil
}

func firstNonSpace(s string) int {
	for i := 0; i < len(s); i++ {
		if !isSpace(s[i]) {
			return i
		}
	}
	return -1
}

func isSpace(b byte) bool { return b == ' ' || b == '\n' || b == '\t' || b == '\r' }

func (r *reader) addText(piece string, start, end int) {
	if piece == "" {
		return
	}
	switch {
	case r.value == "":
		r.value, r.runStart = piece, start
	default:
		if len(r.parts) == 0 {
			r.parts = append(r.parts, r.value...)
		}
		r.parts = append(r.parts, piece...)
	}
	r.runEnd = end
}

// flushText makes the current run a child of the open element; close decides its fate.
func (r *reader) flushText() error {
	if r.value == "" {
		return nil
	}
	n, err := r.newNode(r.runStart)
	if err != nil {
		return err
	}
	n.Name, n.Value, n.End = TextName, r.value, r.runEnd
	if len(r.parts) > 0 {
		n.Value = string(r.parts)
		r.parts = r.parts[:0]
	}
	r.value = ""
	r.pending = append(r.pending, n)
	return nil
}

func (r *reader) comment() error {
	start := r.pos
	end := strings.Index(r.src[start+4:], "--")
	if end < 0 {
		return r.fail(start, "a comment without end")
	}
	end += start + 4
	if !strings.HasPrefix(r.src[end:], "-->") {
		return r.fail(end, "-- inside a comment")
	}
	r.pos = end + 3
	return nil
}

func (r *reader) cdata() error {
	if len(r.open) == 0 {
		return r.fail(r.pos, "CDATA outside the document element")
	}
	start := r.pos + len("<![CDATA[")
	end := strings.Index(r.src[start:], "]]>")
	if end < 0 {
		return r.fail(r.pos, "CDATA without end")
	}
	end += start
	r.addText(lineEnds(r.src[start:end]), r.pos, end+3)
	r.pos = end + 3
	return nil
}

// lineEnds makes \r\n and \r into \n (XML 1.0 section 2.11).
func lineEnds(s string) string {
	if strings.IndexByte(s, '\r') < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

func (r *reader) instruction() error {
	start := r.pos
	end := strings.Index(r.src[start+2:], "?>")
	if end < 0 {
		return r.fail(start, "a processing instruction without end")
	}
	end += start + 2
	stop := nameEnd(r.src, start+2)
	target := r.src[start+2 : stop]
	if !validName(target) || stop < end && !isSpace(r.src[stop]) {
		return r.fail(start+2, "the target of a processing instruction is not a name")
	}
	if strings.EqualFold(target, "xml") {
		return r.fail(start, "an XML declaration that is not at the start")
	}
	r.pos = end + 2
	return nil
}

// declaration reads the XML declaration, if there is one (XML 1.0 production 23).
func (r *reader) declaration() error {
	rest := r.src[r.pos:]
	if !strings.HasPrefix(rest, "<?xml") || len(rest) < 6 || !isSpace(rest[5]) {
		return nil
	}
	start := r.pos
	end := strings.Index(rest, "?>")
	if end < 0 {
		return r.fail(start, "the XML declaration has no end")
	}
	body := rest[5:end]
	for i, name := range [...]string{"version", "encoding", "standalone"} {
		value, after, found, ok := pseudoAttribute(body, name)
		if !ok || !found && i == 0 {
			return r.fail(start, "the XML declaration is not well-formed")
		}
		if !found {
			continue
		}
		body = after
		if name == "version" && value != "1.0" {
			line, column := position(r.src, start)
			return readFault(handover.FaultUnsupported, "an XML version other than 1.0", line, column)
		}
		if name == "standalone" && value != "yes" && value != "no" {
			return r.fail(start, "the XML declaration is not well-formed")
		}
	}
	if firstNonSpace(body) >= 0 {
		return r.fail(start, "the XML declaration is not well-formed")
	}
	r.pos = start + end + 2
	return nil
}

// pseudoAttribute takes name="value" off the front of an XML declaration's body.
func pseudoAttribute(body, name string) (value, after string, found, ok bool) {
	rest := strings.TrimLeft(body, " \t\r\n")
	if !strings.HasPrefix(rest, name) {
		return "", body, false, true
	}
	if len(rest) == len(body) {
		return "", body, true, false
	}
	rest = strings.TrimLeft(rest[len(name):], " \t\r\n")
	if !strings.HasPrefix(rest, "=") {
		return "", body, true, false
	}
	rest = strings.TrimLeft(rest[1:], " \t\r\n")
	if rest == "" || rest[0] != '"' && rest[0] != '\'' {
		return "", body, true, false
	}
	value, after, closed := strings.Cut(rest[1:], rest[:1])
	return value, after, true, closed
}

// resolve replaces references and line ends in s, which stands at offset at. In an
// attribute, white space becomes spaces too (XML 1.0 section 3.3.3).
func (r *reader) resolve(s string, at int, attribute bool) (string, error) {
	plain := strings.IndexByte(s, '&') < 0 && strings.IndexByte(s, '\r') < 0
	if plain && (!attribute || strings.IndexByte(s, '\n') < 0 && strings.IndexByte(s, '\t') < 0) {
		return s, nil
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '&':
			c, size, ok := reference(s[i:])
			if !ok {
				return "", r.fail(at+i, "a reference that is neither a character nor one of the five entities")
			}
			b.WriteRune(c)
			i += size - 1
		case c == '\r':
			if i+1 < len(s) && s[i+1] == '\n' {
				i++
			}
			b.WriteByte(lineEnd(attribute))
		case c == '\n':
			b.WriteByte(lineEnd(attribute))
		case c == '\t' && attribute:
			b.WriteByte(' ')
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

func lineEnd(attribute bool) byte {
	if attribute {
		return ' '
	}
	return '\n'
}

// reference reads the reference at the start of s and returns its character and length.
func reference(s string) (c rune, size int, ok bool) {
	// The longest reference that means anything is &#x10FFFF; leading zeros allow more.
	end := strings.IndexByte(s[:min(len(s), 64)], ';')
	if end < 2 {
		return 0, 0, false
	}
	name := s[1:end]
	switch name {
	case "lt":
		return '<', end + 1, true
	case "gt":
		return '>', end + 1, true
	case "amp":
		return '&', end + 1, true
	case "apos":
		return '\'', end + 1, true
	case "quot":
		return '"', end + 1, true
	}
	if name[0] != '#' {
		return 0, 0, false
	}
	digits, base := name[1:], 10
	if strings.HasPrefix(digits, "x") {
		digits, base = digits[1:], 16
	}
	if digits == "" || strings.ContainsAny(digits, "+-_") {
		return 0, 0, false
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil || !allowedRune(rune(n)) || n > utf8.MaxRune {
		return 0, 0, false
	}
	return rune(n), end + 1, true
}

// allowedRune is XML 1.0 production 2.
func allowedRune(c rune) bool {
	return c == '\t' || c == '\n' || c == '\r' || c >= 0x20 && c <= 0xD7FF ||
		c >= 0xE000 && c <= 0xFFFD || c >= 0x10000 && c <= utf8.MaxRune
}
