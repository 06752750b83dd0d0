package language

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"stafett/fhir"
)

// conceptMap is a table of codes, read in both directions, or a table of names.
type conceptMap struct {
	name                   string
	pos                    position
	names                  bool // a table of names, which are quoted
	kind                   fhir.NodeKind
	to, from               map[string]string
	toDefault, fromDefault string
}

// parseConcepts reads a file of tables. A table starts with "concept NAME" (or "concept
// NAME boolean"); its lines are
//
//	M = male          both ways
//	A > other         towards FHIR only
//	U < unknown       from FHIR only
//	default > unknown what an unlisted code becomes towards FHIR (it is also carried)
//	default < U       and from FHIR
func parseConcepts(file, text string, into map[string]*conceptMap) error {
	statements, err := parse(file, text)
	if err != nil {
		return err
	}
	var wrong mistakes
	var m *conceptMap
	for _, s := range statements {
		if s.tokens[0].is("concept") && !s.block {
			m, err = newConcept(s, into)
			wrong.fail(err)
			continue
		}
		wrong.fail(m.line(s))
	}
	return errors.Join(wrong.errs...)
}

// line adds a line to the table that is being read, nil before the first.
func (m *conceptMap) line(s *statement) error {
	switch {
	case s.block:
		return s.pos.errorf("a concept map has no blocks")
	case m == nil:
		return s.pos.errorf("a table must start with: concept NAME")
	}
	return m.add(s)
}

func newConcept(s *statement, into map[string]*conceptMap) (*conceptMap, error) {
	m := &conceptMap{kind: fhir.KindString, pos: s.pos, to: map[string]string{}, from: map[string]string{}}
	read, err := read(s, conceptForm)
	if err != nil {
		return m, s.pos.errorf("a table starts with: concept NAME [boolean]")
	}
	m.name = read.text("VALUE")
	if read.group("boolean") != nil {
		m.kind = fhir.KindBool
	}
	if into[m.name] != nil {
		return m, s.at(1).errorf("the concept map %q exists already", m.name)
	}
	into[m.name] = m
	return m, nil
}

var conceptForm = forms("concept VALUE [boolean]")

// conceptOps say in which directions a line holds.
var conceptOps = map[string]struct{ to, from bool }{"=": {true, true}, ">": {true, false}, "<": {false, true}}

func (m *conceptMap) add(s *statement) error {
	if len(s.tokens) != 3 {
		return s.pos.errorf("a line of a concept map is: CODE = CODE, CODE > CODE or CODE < CODE")
	}
	wire, code := s.tokens[0], s.tokens[2].text
	op, known := conceptOps[s.tokens[1].text]
	m.names = m.names || s.tokens[2].quoted
	switch {
	case m.kind == fhir.KindBool && code != "true" && code != "false":
		return s.at(2).errorf("this table's FHIR side is true or false")
	case !known:
		return s.at(1).errorf("expected =, > or <")
	case wire.is("default"):
		return m.addDefault(s, op.to, op.from, code)
	}
	return cmp.Or(
		addCode(m.to, op.to, wire.text, code, s.pos, "the code has a line towards FHIR already"),
		addCode(m.from, op.from, code, wire.text, s.at(2), "the code has a line from FHIR already"))
}

func (m *conceptMap) addDefault(s *statement, to, from bool, code string) error {
	if to == from {
		return s.at(1).errorf("a default has one direction: > or <")
	}
	*either(to, &m.toDefault, &m.fromDefault) = code
	return nil
}

// addCode notes one direction of a line, when it has that.
func addCode(table map[string]string, holds bool, code, other string, pos position, twice string) error {
	if !holds {
		return nil
	}
	if _, dup := table[code]; dup {
		return pos.errorf("%s", twice)
	}
	table[code] = other
	return nil
}

// wireCodes lists the codes of the wire that a line can write or read.
func (m *conceptMap) wireCodes() []string {
	return slices.Concat(keys(m.to), slices.Collect(maps.Values(m.from)), []string{m.fromDefault})
}

// fhirCodes lists the codes of the FHIR side.
func (m *conceptMap) fhirCodes() []string {
	return slices.Concat(keys(m.from), slices.Collect(maps.Values(m.to)), []string{m.toDefault})
}
