package mappings

import (
	"stafett/fhir"
	"stafett/handover"
)

// Mapping is one compiled mapping. It is immutable and safe for concurrent use.
type Mapping struct {
	name, extends string
	wire          handover.Wire
	typ, version  string
	overlay       string
	kind          handover.Kind
	events        []eventRule
	root          msgStep // the document element of XML
	resources     []resourceDecl
	steps         []step
	everywhere    []ignoredName
	requires      []require
	numbers       []msgPath
	shape         *shape
	lines         []Correspondence
}

// Name returns the mapping's name: wire/file.
func (m *Mapping) Name() string { return m.name }

// Wire returns the wire whose messages the mapping takes.
func (m *Mapping) Wire() handover.Wire { return m.wire }

// Type returns the message type as the wire spells it, empty for a mapping that others
// extend and that takes none itself.
func (m *Mapping) Type() string { return m.typ }

// Version returns the version the mapping is for, empty for any.
func (m *Mapping) Version() string { return m.version }

// Overlay returns the name of the overlay the mapping belongs to, empty for none.
func (m *Mapping) Overlay() string { return m.overlay }

// Kind returns the kind of handover the message is about, empty when the message does
// not say.
func (m *Mapping) Kind() handover.Kind { return m.kind }

// Events returns the events the message can tell, in the order they are tried.
func (m *Mapping) Events() []handover.EventName {
	var out []handover.EventName
	for _, e := range m.events {
		out = append(out, e.event)
	}
	return out
}

// StatusFor returns the header.status with which the message tells event, and whether it
// tells it at all.
func (m *Mapping) StatusFor(event handover.EventName) (status string, ok bool) {
	for _, e := range m.events {
		if e.event != event {
			continue
		}
		if e.cond != nil && e.cond.place.root == rootHeader && e.cond.place.name == "status" && !e.cond.negate {
			return e.cond.value, true
		}
		return "", true
	}
	return "", false
}

// Correspondence is one line of a mapping, as compiled, for the static coverage.
type Correspondence struct {
	File    string
	Line    int
	Message string // place in the message
	FHIR    string // place in the canonical form
	// To and From say in which directions the line works.
	To, From bool
	// Reason is why it works in one direction only.
	Reason string
}

// Correspondences lists the lines that pair a message place with a canonical one.
func (m *Mapping) Correspondences() []Correspondence {
	return append([]Correspondence(nil), m.lines...)
}

type eventRule struct {
	event handover.EventName
	cond  *condition
}

type ignoredName struct{ name, reason string }

// resourceDecl declares a resource of the canonical form.
type resourceDecl struct {
	name, typ string
	always    bool // made even when nothing was mapped into it
	repeated  bool // named NAME-1, NAME-2 …
	keys      [][]keyPart
}

// keyPart is a constant, a place, or another resource's key.
type keyPart struct {
	text  string
	place *place
	keyOf int // resource whose key is meant; -1 for none
}

// condition holds over the canonical form, in either direction.
type condition struct {
	place  place
	negate bool
	equals bool
	value  string
}

// require is what the canonical form must hold, or the translation is a fault.
type require struct {
	toOnly bool // asked of arriving messages alone
	any    [][]place
	kind   handover.FaultKind
	text   string
	path   string
}

type stepKind uint8

const (
	stepLine stepKind = iota
	stepIn
	stepEach
	stepEachResource
	stepJoin
	stepFHIR
	stepMessage
	stepIgnore
	stepIgnoreFHIR
)

// step is one compiled statement.
type step struct {
	kind     stepKind
	pos      position
	msg      msgPath
	place    place
	hasPlace bool
	res      int // stepEachResource
	conv     *converter
	cond     *condition
	toOnly   bool
	fromOnly bool
	els      []elsePart
	constant *fhir.Node // stepFHIR
	source   *place     // stepFHIR: derived from this place
	value    string     // stepMessage
	reason   string
	always   bool
	body     []step
}

// elsePart is what stands in for an empty canonical place.
type elsePart struct {
	constant string
	place    *place
	conv     *converter
}

// shape is the order of children that a mapping's lines give, by first mention.
type shape struct {
	name, space string
	kids        []*shape
}

func (s *shape) child(name, space string) *shape {
	for _, k := range s.kids {
		if k.name == name && k.space == space {
			return k
		}
	}
	k := &shape{name: name, space: space}
	s.kids = append(s.kids, k)
	return k
}

// rank returns a child's place in the order; unknown children come last.
func (s *shape) rank(name, space string) (int, *shape) {
	if s != nil {
		for i, k := range s.kids {
			if k.name == name && k.space == space {
				return i, k
			}
		}
	}
	return 1 << 20, nil
}
