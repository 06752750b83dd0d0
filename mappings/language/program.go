// Package language reads mapping files into programs. docs/mapping-language.md describes
// the language for those who write it.
//
// syntax.go splits a file into statements with their positions, and statements.go is the
// table of their words: a form (form.go) that says how each is written, and what it means.
// declare.go keeps what a mapping declares, its bases first; compile.go, block.go, line.go,
// rule.go and reference.go turn the rest into a Program (program.go), which is data alone:
// what a line of the file says, with every name resolved. path.go reads places in messages,
// as the message's notation (notation.go) spells them, and place.go those in FHIR, against
// closed lists of names: segments and XML elements (vocabulary.go), conformance's element
// table, and account's facts and header values; names.go finds what a wrong one may mean.
// conversion.go finds a line's converter: converter.go and datetime.go hold those that it may
// name, concept.go the tables of codes. source.go reads the files and what they include, and set.go makes a set
// of them and finds the program for a message. Every mistake is a SyntaxError with file,
// line and column, and is found when the files are loaded; all of them are told at once.
package language

import (
	"slices"

	"stafett/fhir"
	"stafett/handover"
	"stafett/message"
)

// Program is one compiled mapping: what an engine runs, in either direction. It is made by
// Load alone, never changed after, and safe for concurrent use.
type Program struct {
	Name     string        // wire/file
	Wire     handover.Wire // whose messages it takes
	Notation Notation      // in which they are written
	// Type is the message type as the wire spells it; Version the version it is for, empty
	// for any.
	Type, Version string
	// Overlay is what parties have agreed on by that name, empty for none.
	Overlay string
	// Kind is the kind of handover the message is about, empty when the message does not say.
	Kind handover.Kind
	// Events are what the message can tell, in the order they are tried.
	Events []EventRule
	// Root is the document element of XML; its name is empty for other wires.
	Root      MsgStep
	Resources []Resource
	Steps     []Step
	// Everywhere are the names that are ignored wherever they stand, with the reason.
	Everywhere map[string]string
	Requires   []Require
	// Numbers are fields of segments that count the segment's repetitions.
	Numbers []MsgPath
	Shape   *Shape
	// Linked says that blocks refer to each other.
	Linked bool
	// Lines pair a message place with a canonical one, for the static coverage.
	Lines []Correspondence
}

// StatusFor returns the header.status with which the message tells event, and whether it
// tells it at all.
func (p *Program) StatusFor(event handover.EventName) (status string, ok bool) {
	i := slices.IndexFunc(p.Events, func(e EventRule) bool { return e.Event == event })
	if i < 0 {
		return "", false
	}
	if c := p.Events[i].Condition; c != nil && c.Place.Root == RootHeader && c.Place.Name == "status" && !c.Negate {
		return c.Value, true
	}
	return "", true
}

// Correspondence is one line of a mapping, as compiled.
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

// EventRule is an event that the message tells where the condition, if any, holds.
type EventRule struct {
	Event     handover.EventName
	Condition *Condition
}

// Resource is a declared resource of the canonical form.
type Resource struct {
	Name, Type string
	Always     bool // made even when nothing was mapped into it
	Repeated   bool // named NAME-1, NAME-2 …
	// Keys are the alternatives of its business identity; the first complete one counts.
	Keys [][]KeyPart

	pos position
}

// spelled is the name as the mapping declares it.
func (r *Resource) spelled() string { return either(r.Repeated, r.Name+"-*", r.Name) }

// KeyPart is a constant, a place, or another resource's key.
type KeyPart struct {
	Text  string
	Place *Place
	KeyOf int // index of the resource whose key is meant; -1 for none
}

// Condition holds over the canonical form, in either direction: the place has a value, or
// with Equals this Value.
type Condition struct {
	Place          Place
	Negate, Equals bool
	Value          string
}

// Require is what the canonical form must hold, all places of one alternative, or the
// translation is a fault.
type Require struct {
	ToOnly     bool // asked of arriving messages alone
	Any        [][]Place
	Kind       handover.FaultKind
	Text, Path string
}

// StepKind says what a step does.
type StepKind uint8

// The kinds of steps, as the statements that make them.
const (
	StepLine StepKind = iota
	StepIn
	StepEach
	StepEachResource
	StepJoin
	StepFHIR
	StepMessage
	StepIgnore // also carry
	StepPosition
	StepIgnoreFHIR
)

// Step is one compiled statement. What a kind does not need is zero.
type Step struct {
	Kind     StepKind
	Message  MsgPath
	Place    Place
	HasPlace bool
	Resource int // StepEachResource: index of the declaration
	// Once says that the resource is made of the place itself, not of each repetition of it.
	Once bool
	// Link says, in a group inside a group, which of the resources are a parent's own.
	Link *Link
	// Ref is what a StepFHIR refers to, nil for a constant.
	Ref *Ref
	// Converter is nil where a derived constant needs none.
	Converter        *Converter
	Condition        *Condition
	ToOnly, FromOnly bool
	Else             []ElsePart
	Constant         *fhir.Node // StepFHIR
	Source           *Place     // StepFHIR: the constant is derived from this place
	Value            string     // StepMessage
	Reason           string
	Always           bool // a block is made without content; StepIgnore: the place is carried
	Body             []Step
}

// Ref is a reference to a repeated resource: the one that is around or beside this
// repetition, or with Many all of those inside it, an item for each.
type Ref struct {
	Resource int
	Many     bool
}

// Link is where a child refers to its parent, in the child's resource; or with FromParent,
// where the parent's resource or item refers to its children. [] in Steps is each item.
type Link struct {
	FromParent bool
	Steps      []FHIRStep
}

// ElsePart stands in for an empty canonical place: a constant, or a place through a
// converter (the line's own when nil).
type ElsePart struct {
	Constant  string
	Place     *Place
	Converter *Converter
}

// MsgPath is a place in a message: steps from the message's root, or from the place of
// the enclosing block.
type MsgPath struct {
	Absolute bool
	Steps    []MsgStep
	Text     string // as spelled
}

// MsgStep is one child, with what must hold for a repetition to be meant.
type MsgStep struct {
	Name, Space string
	Filters     []MsgFilter
	Nth         int  // 1-based among the matching repetitions; 0 for the first
	Self        bool // the node itself
}

// MsgFilter holds when the leaf at path has the value; written, it is set to it. With Is it
// holds of a repetition that is what the name says; written, the block's own lines say so.
type MsgFilter struct {
	Path  []MsgStep
	Value string
	Is    Predicate
}

// Predicate asks of a repetition what no single value of it says; parent holds it and its
// siblings.
type Predicate func(parent, n *message.Node) bool

// RootKind says where a place in the canonical form starts.
type RootKind uint8

// The roots of places.
const (
	RootRelative RootKind = iota // the enclosing block's place
	RootResource
	RootHeader
	RootFact
	RootDay
	RootEvent
)

// Place is a place in the canonical form: in a resource, the header, the facts, the day
// or the event.
type Place struct {
	Root     RootKind
	Resource int    // index of the resource declaration
	Name     string // of the header value or the fact
	Steps    []FHIRStep
	Text     string // as spelled, after the places of its blocks
}

// FHIRStep is one member, or one item of an array.
type FHIRStep struct {
	Name    string
	Array   bool
	Append  bool // [] : each item in turn
	Index   int
	Filters []FHIRFilter
}

// FHIRFilter holds when the text at path is the value; written, it is set to it.
type FHIRFilter struct {
	Path  []FHIRStep
	Value string
}

// Shape is the order of children that a mapping's lines give, by first mention.
type Shape struct {
	name, space string
	kids        []*Shape
}

func (s *Shape) child(name, space string) *Shape {
	if i := s.index(name, space); i >= 0 {
		return s.kids[i]
	}
	k := &Shape{name: name, space: space}
	s.kids = append(s.kids, k)
	return k
}

// Rank returns a child's place in the order, and the order of its own children; unknown
// children come last.
func (s *Shape) Rank(name, space string) (int, *Shape) {
	if s == nil {
		return last, nil
	}
	if i := s.index(name, space); i >= 0 {
		return i, s.kids[i]
	}
	return last, nil
}

// last is the rank of what no line names.
const last = 1 << 20

func (s *Shape) index(name, space string) int {
	for i, k := range s.kids {
		if k.name == name && k.space == space {
			return i
		}
	}
	return -1
}
