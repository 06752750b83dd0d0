package language

import (
	"regexp"
	"strconv"
	"strings"

	"stafett/handover"
)

// Notation is how a message is written, which says what its parts are called.
type Notation uint8

// The notations of wires with mappings.
const (
	ER7 Notation = iota // segments, and fields, components and subcomponents by number
	XML                 // elements and attributes, by name and namespace
)

// notation is what the places of a message depend on.
type notation struct {
	Notation
	types      *regexp.Regexp // how message types are spelled
	separators string         // between the steps of a place
	marks      []string       // what a place below a block's own may start with
	rooted     bool           // a mapping names the document element
	enter      func(r *paths, in *reading, s *MsgStep, at origin) (below origin)
	// anywhere checks a name that is ignored in every place, reported a place as reports spell it.
	anywhere func(pos position, name string) error
	reported func(r *paths, pos position, path string) error
}

// notations are those of the wires that have mappings.
var notations map[handover.Wire]*notation

func init() {
	notations = map[handover.Wire]*notation{
		handover.WireHL7v2: {Notation: ER7, types: regexp.MustCompile(`^[A-Z][A-Z0-9]{2}\^[A-Z][A-Z0-9]{2}$`),
			separators: ".-", marks: []string{"-", "."}, enter: enterER7, anywhere: numberedAnywhere, reported: reportedER7},
		handover.WireKITH: {Notation: XML, types: regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`),
			separators: "/", marks: []string{"."}, rooted: true, enter: enterXML, anywhere: namedAnywhere, reported: reportedXML},
	}
}

// self is the name of a step that means the node itself.
const self = "self"

// spellSelf puts a name where a place means its own start: "." and ".[…]", in ER7 also
// before the number of a part.
func (n *notation) spellSelf(text string) string {
	own := text
	for _, mark := range n.marks {
		own = strings.TrimPrefix(own, mark)
	}
	if strings.HasPrefix(own+"[", "[") {
		return self + own
	}
	return either(n.Notation == ER7, own, text)
}

// The levels of an ER7 message.
const (
	levelMessage = iota
	levelSegment
	levelField
	levelComponent
	levelSubcomponent
)

var (
	localSegment = regexp.MustCompile(`^Z[A-Z0-9]{2}$`)
	numberedPart = regexp.MustCompile(`^[1-9][0-9]?$`)
)

// spot is where in an ER7 message a place stands, as far as names depend on it.
type spot struct {
	segment string
	level   int
}

// enterER7 checks a segment, or the number of a part.
func enterER7(_ *paths, in *reading, s *MsgStep, at origin) origin {
	below := spot{at.spot.segment, at.spot.level + 1}
	if at.spot.level == levelMessage {
		below.segment = s.Name
		in.note(segment(in.pos, s.Name))
	} else {
		in.note(at.spot.part(in.pos, s.Name))
	}
	return origin{spot: below}
}

// segment refuses a segment that neither the standard nor a party has.
func segment(pos position, name string) error {
	if _, known := segments[name]; known || localSegment.MatchString(name) {
		return nil
	}
	return pos.unknown("segment", name, keys(segments))
}

// part refuses a number that no part at a spot has.
func (at spot) part(pos position, name string) error {
	number, _ := strconv.Atoi(name)
	switch limit := at.parts(); {
	case at.level >= levelSubcomponent:
		return pos.errorf("%s: a subcomponent has no parts", at.segment)
	case !numberedPart.MatchString(name):
		return pos.errorf("%q is no number of a field, component or subcomponent", name)
	case number > limit:
		return pos.errorf("%s %s has no part %d: there are %d at most", at.segment, levelNames[at.level], number, limit)
	}
	return nil
}

var levelNames = [...]string{levelSegment: "segment", levelField: "field", levelComponent: "component"}

// parts is how many parts there can be at a spot: a party's own segments have any number.
func (at spot) parts() int {
	if at.level != levelSegment {
		return maxComponents
	}
	if count, known := segments[at.segment]; known {
		return count
	}
	return 99
}

func numberedAnywhere(pos position, _ string) error {
	return pos.errorf("parts of HL7 v2 have numbers: name the place instead")
}

func reportedER7(r *paths, pos position, path string) error {
	in := &reading{pos: pos}
	r.steps(in, path, origin{})
	return in.err
}

// enterXML checks an element, or an attribute, of the namespace that its prefix means.
func enterXML(r *paths, in *reading, s *MsgStep, at origin) origin {
	own, attribute := strings.CutPrefix(s.Name, "@")
	if attribute {
		s.Space = "" // an attribute inherits no namespace
	}
	if prefix, local, prefixed := strings.Cut(own, ":"); prefixed {
		s.Name, s.Space = either(attribute, "@", "")+local, r.spaceOf(in, prefix)
	}
	if attribute {
		in.note(listed(in.pos, "attribute", s.Name, elementsOf()[attributes]))
		return at
	}
	in.note(r.element(in.pos, s))
	return origin{space: s.Space}
}

// element refuses one that its namespace does not have. Of an unknown namespace the line
// that declares it is told.
func (r *paths) element(pos position, s *MsgStep) error {
	known, declared := elementsOf()[s.Space]
	switch _, listed := known[s.Name]; {
	case s.Space == "":
		return pos.errorf("the element %q needs the prefix of its namespace", s.Name)
	case listed, !declared:
		return nil
	}
	return pos.unknown("element of "+r.prefixOf(s.Space), s.Name, keys(known))
}

// namedAnywhere checks an element or attribute of any namespace.
func namedAnywhere(pos position, name string) error {
	return listed(pos, "element or attribute", name, everyXMLName())
}

// reportedXML checks a path without prefixes.
func reportedXML(_ *paths, pos position, path string) error {
	in := &reading{pos: pos}
	for name := range strings.SplitSeq(path, "/") {
		in.note(namedAnywhere(pos, name))
	}
	return in.err
}
