package hl7v2

import (
	"bytes"
	"slices"
	"strconv"

	"stafett/handover"
	"stafett/message"
)

// What Message.Tolerated may name: departures from the syntax that were read anyway.
const (
	// ToleratedLineFeed: segments ended by LF or CR LF instead of CR (2.5 section 2.5.1).
	ToleratedLineFeed = "segment-end-lf"
	// ToleratedBlank: empty lines between or after segments.
	ToleratedBlank = "blank-segment"
	// ToleratedUnended: the last segment had no end.
	ToleratedUnended = "last-segment-unended"
	// ToleratedLineFeedInValue: a bare line feed inside a value.
	ToleratedLineFeedInValue = "line-feed-in-value"
	// ToleratedCharset: the bytes are not in the set that MSH-18 names, and say which.
	ToleratedCharset = "other-character-set"
	// ToleratedStart: a byte order mark or line ends before the MSH segment.
	ToleratedStart = "before-header"
	// ToleratedSeparatorInText: a text with separators that were not escaped (2.5 section 2.7).
	ToleratedSeparatorInText = "separator-in-text"
)

// Decode parses ER7. Line is the number of the segment, Column the byte offset in it + 1;
// Start and End are offsets in raw, whatever the character set, or in Decoded where something
// stands before the header. A *handover.Fault of kind
// malformed, too-large or unsupported (MSH-18) says where; with it the message holds the
// segments read so far, or is nil where there is no readable MSH. A limit that is not
// positive is that of message.DefaultLimits.
func (c *Codec) Decode(raw []byte, limits message.Limits) (*message.Message, error) {
	limits = withDefaults(limits)
	if len(raw) > limits.Bytes {
		return c.header(raw), tooLarge("the message has more bytes than are taken", 0, 0)
	}
	start := beforeHeader(raw)
	p := parser{codec: c, raw: raw[start:], limits: limits, stack: make([]*message.Node, 0, 64)}
	m, fault := p.message()
	if m != nil && start > 0 {
		m.Raw, m.Decoded = raw, raw[start:]
		p.tolerate(ToleratedStart)
	}
	if fault != nil {
		return m, fault
	}
	return m, nil
}

// byteOrderMark is what some editors write before UTF-8.
var byteOrderMark = []byte("\xEF\xBB\xBF")

// beforeHeader is how many bytes stand before what should be the MSH segment.
func beforeHeader(raw []byte) int {
	rest := bytes.TrimLeft(bytes.TrimPrefix(raw, byteOrderMark), "\r\n")
	if !bytes.HasPrefix(rest, []byte("MSH")) {
		return 0
	}
	return len(raw) - len(rest)
}

func withDefaults(l message.Limits) message.Limits {
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
	l.Nodes = min(l.Nodes, nodesMax)
	return l
}

// nodesMax bounds the elements of a message on this wire, where each takes two bytes: the
// longest admissions have a few thousand.
const nodesMax = 100_000

// headerBytes is how much of an oversized message is read for its MSH.
const headerBytes = 4 << 10

// header decodes the MSH segment alone, of a message that is refused unread. It returns
// nil where none is readable.
func (c *Codec) header(raw []byte) *message.Message {
	head := raw[beforeHeader(raw):]
	head = head[:min(len(head), headerBytes)]
	end := bytes.IndexAny(head, "\r\n")
	if end < 0 {
		return nil
	}
	p := parser{codec: c, raw: head[:end], limits: message.DefaultLimits()}
	m, _ := p.message()
	return m
}

const opDecode = "hl7v2.Decode"

func tooLarge(text string, line, column int) *handover.Fault {
	return &handover.Fault{Kind: handover.FaultTooLarge, Op: opDecode, Text: text, Line: line, Column: column}
}

func malformed(text string, line, column int) *handover.Fault {
	return &handover.Fault{Kind: handover.FaultMalformed, Op: opDecode, Text: text, Line: line, Column: column}
}

// parser holds one message while it is read.
type parser struct {
	codec  *Codec
	raw    []byte
	text   string // raw, shared by all values that need no change
	limits message.Limits
	d      delimiters
	class  *[256]byte
	set    charset

	// raw has no CR from returnFrom up to returnAt; equal where nothing is known.
	returnFrom, returnAt int
	line, lineStart      int
	separated            bool // the field that is read has components
	nodes                int
	slab                 []message.Node
	kidSlab              []*message.Node
	stack                []*message.Node
	out                  *message.Message
	fault                *handover.Fault
}

// message reads the whole message.
func (p *parser) message() (*message.Message, *handover.Fault) {
	if !bytes.HasPrefix(p.raw, []byte("MSH")) {
		return nil, malformed("the message does not start with an MSH segment", 1, 1)
	}
	var ok bool
	if p.d, ok = readDelimiters(p.raw); !ok {
		return nil, malformed("MSH-1 and MSH-2 do not declare usable separators", 1, 4)
	}
	p.class = p.d.classes()
	p.out = &message.Message{Wire: handover.WireHL7v2, Raw: p.raw}
	root := p.node("message", 0, len(p.raw))
	if p.limits.Depth < 3 {
		return nil, tooLarge("the message is nested deeper than is taken", 1, 1)
	}
	p.out.Root = root
	p.readCharset()
	if p.fault == nil {
		p.segments()
	}
	root.Children = p.kids(0)
	return p.out, p.fault
}

// readCharset reads MSH-18 ahead of the rest, which is read by it.
func (p *parser) readCharset() {
	p.line = 1
	msh := p.raw[:p.segmentEnd(0, p.d.field)]
	name, offset := msh[:0], 0
	// MSH-1 is the separator itself, so MSH-18 follows the 17th.
	for n := 1; n <= 17; n++ {
		i := bytes.IndexByte(msh[offset:], p.d.field)
		if i < 0 {
			offset = -1
			break
		}
		offset += i + 1
	}
	if offset > 0 {
		name = msh[offset:]
		name = name[:lengthUntil(name, p.d.field, p.d.repetition)]
	}
	var ok bool
	p.text = string(p.raw)
	if p.set, ok = p.codec.charsetNamed(string(name)); !ok {
		p.fault = &handover.Fault{Kind: handover.FaultUnsupported, Op: opDecode, Path: "MSH-18",
			Text: "the character set is not one that is taken", Line: 1, Column: offset + 1}
	} else if bad := p.set.invalidAt(p.raw); bad >= 0 {
		line, column := p.position(bad)
		p.fault = malformed("the bytes are not of the character set that MSH-18 names", line, column)
	}
	if set, other := p.set.betrayed(p.raw); p.fault == nil && other {
		p.set = set
		p.tolerate(ToleratedCharset)
	}
	if fault := p.fault; fault != nil {
		// MSH is read nevertheless, for the answer; any bytes can be read as 8859/1.
		p.fault, p.set = nil, latin1
		p.segment(0, len(msh))
		p.fault = fault
	}
}

// lengthUntil is the length of b before the first of the separators that are declared.
func lengthUntil(b []byte, separators ...byte) int {
	for i, c := range b {
		if c != 0 && slices.Contains(separators, c) {
			return i
		}
	}
	return len(b)
}

// position finds the segment and column of an offset.
func (p *parser) position(offset int) (line, column int) {
	start, line := 0, 1
	for {
		end := p.segmentEnd(start, p.d.field)
		if offset <= end || end >= len(p.raw) {
			return line, offset - start + 1
		}
		if end > start {
			line++
		}
		start = end + 1
	}
}

// segments reads all segments.
func (p *parser) segments() {
	p.line = 0
	for start := 0; start < len(p.raw) && p.fault == nil; {
		end := p.segmentEnd(start, p.d.field)
		next := end
		if end < len(p.raw) {
			next++
			if p.raw[end] == '\n' {
				p.tolerate(ToleratedLineFeed)
			} else if next < len(p.raw) && p.raw[next] == '\n' {
				p.tolerate(ToleratedLineFeed)
				next++
			}
		} else {
			p.tolerate(ToleratedUnended)
		}
		if end == start {
			p.tolerate(ToleratedBlank)
		} else {
			p.line++
			if bytes.IndexByte(p.raw[start:end], '\n') >= 0 {
				p.tolerate(ToleratedLineFeedInValue)
			}
			p.segment(start, end)
		}
		start = next
	}
}

// segmentEnd finds the end of the segment that starts at start: a CR, or a LF that a
// segment, another end or nothing follows. Any other LF belongs to a value.
func (p *parser) segmentEnd(start int, field byte) int {
	for i := start; i < len(p.raw); {
		cr := p.nextReturn(i)
		lf := bytes.IndexByte(p.raw[i:cr], '\n')
		if lf < 0 {
			return cr
		}
		if i += lf; p.startsSegment(i+1, field) {
			return i
		}
		i++
	}
	return len(p.raw)
}

// nextReturn finds the first CR at i or after, or the end. It remembers what it found: a
// message of line feeds alone would else be searched to its end once for each.
func (p *parser) nextReturn(i int) int {
	if i < p.returnFrom || i > p.returnAt || p.returnFrom == p.returnAt {
		p.returnFrom, p.returnAt = i, len(p.raw)
		if n := bytes.IndexByte(p.raw[i:], '\r'); n >= 0 {
			p.returnAt = i + n
		}
	}
	return p.returnAt
}

// startsSegment reports whether what stands at offset i can follow a segment's end.
func (p *parser) startsSegment(i int, field byte) bool {
	rest := p.raw[i:]
	if len(rest) == 0 || rest[0] == '\r' || rest[0] == '\n' {
		return true
	}
	if len(rest) < 3 || !isSegmentName(rest[:3]) {
		return false
	}
	return len(rest) == 3 || rest[3] == field || rest[3] == '\r' || rest[3] == '\n'
}

// isSegmentName reports whether b is a letter and two letters or digits, in capitals.
func isSegmentName(b []byte) bool {
	for i, c := range b {
		letter := c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return len(b) == 3
}

func (p *parser) tolerate(what string) {
	if !slices.Contains(p.out.Tolerated, what) {
		p.out.Tolerated = append(p.out.Tolerated, what)
	}
}

// segment reads raw[start:end] and pushes its node.
func (p *parser) segment(start, end int) {
	p.lineStart = start
	b := p.raw[start:end]
	if len(b) < 3 || !isSegmentName(b[:3]) || (len(b) > 3 && b[3] != p.d.field) {
		p.fail(malformed("a segment does not start with a segment name and a field separator", p.line, 1))
		return
	}
	isHeader := string(b[:3]) == "MSH"
	if isHeader && start > 0 {
		p.fail(malformed("a second message starts inside the message", p.line, 1))
		return
	}
	n := p.node(p.text[start:start+3], start, end)
	if n == nil {
		return
	}
	base := len(p.stack)
	at, number := start+3, 0
	if isHeader {
		at, number = p.delimiterFields(start), 2
	}
	for at < end && p.fault == nil {
		at++ // the separator
		number++
		fieldEnd := at
		if i := bytes.IndexByte(p.raw[at:end], p.d.field); i >= 0 {
			fieldEnd += i
		} else {
			fieldEnd = end
		}
		if fieldEnd > at {
			p.separated = !isText(n.Name, number, p.stack[base:])
			p.field(numberName(number), at, fieldEnd)
		}
		at = fieldEnd
	}
	n.Children = p.kids(base)
	p.stack = append(p.stack, n)
}

// isText reports a field whose values are text without parts (TX, ST and FT, 2.5 section
// 2.A): OBX-5, by what OBX-2 says among the fields before, and NTE-3.
func isText(segment string, number int, before []*message.Node) bool {
	switch {
	case segment == "NTE":
		return number == 3
	case segment != "OBX" || number != 5:
		return false
	}
	typ := slices.IndexFunc(before, func(n *message.Node) bool { return n.Name == "2" })
	return typ >= 0 && (before[typ].Value == "TX" || before[typ].Value == "ST" || before[typ].Value == "FT")
}

// delimiterFields pushes MSH-1 and MSH-2, which are not split, and returns where MSH-2 ends.
func (p *parser) delimiterFields(start int) int {
	end := start + 4 + len(p.d.encodingCharacters())
	for _, f := range []struct {
		name     string
		from, to int
	}{{"1", start + 3, start + 4}, {"2", start + 4, end}} {
		if n := p.node(f.name, f.from, f.to); n != nil {
			n.Value = p.text[f.from:f.to]
			p.stack = append(p.stack, n)
		}
	}
	return end
}

// field reads the repetitions of one field and pushes a node for each.
func (p *parser) field(name string, start, end int) {
	found := p.scan(start, end)
	if found&classRepetition == 0 {
		p.part(name, start, end, found, p.d.component, 3)
		return
	}
	for from := start; from <= end && p.fault == nil; {
		to := p.cut(from, end, p.d.repetition)
		p.part(name, from, to, p.scan(from, to), p.d.component, 3)
		from = to + 1
	}
}

// scan returns the classes of the bytes in raw[start:end], and fails on control characters.
func (p *parser) scan(start, end int) byte {
	var found byte
	class := p.class
	for _, c := range p.raw[start:end] {
		found |= class[c]
	}
	if found&classControl != 0 {
		for i, c := range p.raw[start:end] {
			if class[c]&classControl != 0 {
				p.fail(malformed("a control character stands in a value", p.line, start+i-p.lineStart+1))
				break
			}
		}
	}
	return found
}

// part pushes the node of a repetition, a component or a subcomponent. It is split by
// separator where it holds one; depth is that of the node.
func (p *parser) part(name string, start, end int, found, separator byte, depth int) {
	if p.fault != nil {
		return
	}
	n := p.node(name, start, end)
	if n == nil {
		return
	}
	// A field with subcomponents has the component they belong to: a&b is not a^b.
	split := byte(classComponent | classSubcomponent)
	if separator == p.d.subcomponent {
		split = classSubcomponent
	}
	if found&split != 0 && !p.separated {
		p.tolerate(ToleratedSeparatorInText)
	}
	if found&split == 0 || !p.separated {
		n.Value = p.value(start, end, found)
		p.stack = append(p.stack, n)
		return
	}
	if depth >= p.limits.Depth {
		p.fail(tooLarge("the message is nested deeper than is taken", p.line, n.Column))
		return
	}
	base := len(p.stack)
	for from, number := start, 1; from <= end && p.fault == nil; number++ {
		to := p.cut(from, end, separator)
		if to > from {
			p.sub(numberName(number), from, to, separator, depth+1)
		}
		from = to + 1
	}
	n.Children = p.kids(base)
	p.stack = append(p.stack, n)
}

// sub pushes a component (split at subcomponents) or a subcomponent (a leaf).
func (p *parser) sub(name string, start, end int, separator byte, depth int) {
	found := p.scan(start, end)
	if separator == p.d.component {
		p.part(name, start, end, found, p.d.subcomponent, depth)
		return
	}
	if n := p.node(name, start, end); n != nil {
		n.Value = p.value(start, end, found)
		p.stack = append(p.stack, n)
	}
}

// cut returns where raw[from:end] ends or is separated.
func (p *parser) cut(from, end int, separator byte) int {
	if i := bytes.IndexByte(p.raw[from:end], separator); i >= 0 {
		return from + i
	}
	return end
}

// value is the text of a leaf.
func (p *parser) value(start, end int, found byte) string {
	if found&classEscape != 0 {
		return p.unescape(p.raw[start:end])
	}
	if found&classHigh != 0 && p.set.table != nil {
		return p.set.toUTF8(p.raw[start:end])
	}
	return p.text[start:end]
}

// node returns a new node for raw[start:end], or nil at the limit.
func (p *parser) node(name string, start, end int) *message.Node {
	if p.nodes++; p.nodes > p.limits.Nodes {
		p.fail(tooLarge("the message has more elements than are taken", p.line, start-p.lineStart+1))
		return nil
	}
	if len(p.slab) == 0 {
		p.slab = make([]message.Node, p.chunk())
	}
	n := &p.slab[0]
	p.slab = p.slab[1:]
	n.Name, n.Start, n.End = name, start, end
	n.Line, n.Column = max(p.line, 1), start-p.lineStart+1
	return n
}

// chunk is how many nodes are allocated at once: as many as fill the allocator's 2 KB
// (an answer has some twenty) or 8 KB (an admission has a few hundred).
func (p *parser) chunk() int {
	if len(p.raw) < 512 {
		return 19
	}
	return 78
}

// kids moves what was pushed since base into a slice of its own.
func (p *parser) kids(base int) []*message.Node {
	n := len(p.stack) - base
	if n == 0 {
		return nil
	}
	if len(p.kidSlab) < n {
		p.kidSlab = make([]*message.Node, max(n, 2*p.chunk()))
	}
	out := p.kidSlab[:n:n]
	p.kidSlab = p.kidSlab[n:]
	copy(out, p.stack[base:])
	p.stack = p.stack[:base]
	return out
}

func (p *parser) fail(f *handover.Fault) {
	if p.fault == nil {
		p.fault = f
	}
}

// numberNames are the names of fields and parts; no field of HL7 2.8 has a higher number.
var numberNames = func() (names [128]string) {
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names
}()

func numberName(n int) string {
	if n < len(numberNames) {
		return numberNames[n]
	}
	return strconv.Itoa(n)
}
