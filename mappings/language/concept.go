package language

import (
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
	var errs []error
	var m *conceptMap
	for _, s := range statements {
		if s.block {
			errs = append(errs, s.pos.errorf("a concept map has no blocks"))
			continue
		}
		if s.word() == "concept" && !s.tokens[0].quoted {
			if m, err = newConcept(s, into); err != nil {
				errs = append(errs, err)
			}
			continue
		}
		if m == nil {
			errs = append(errs, s.pos.errorf("a table must start with: concept NAME"))
			continue
		}
		if err := m.add(s); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func newConcept(s *statement, into map[string]*conceptMap) (*conceptMap, error) {
	m := &conceptMap{kind: fhir.KindString, to: map[string]string{}, from: map[string]string{}}
	switch {
	case len(s.tokens) == 2:
	case len(s.tokens) == 3 && s.tokens[2].text == "boolean":
		m.kind = fhir.KindBool
	default:
		return m, s.pos.errorf("a table starts with: concept NAME [boolean]")
	}
	m.name, m.pos = s.tokens[1].text, s.pos
	if into[m.name] != nil {
		return m, s.at(1).errorf("the concept map %q exists already", m.name)
	}
	into[m.name] = m
	return m, nil
}

func (m *conceptMap) add(s *statement) error {
	if len(s.tokens) != 3 {
		return s.pos.errorf("a line of a concept map is: CODE = CODE, CODE > CODE or CODE < CODE")
	}
	wire, op, code := s.tokens[0].text, s.tokens[1].text, s.tokens[2].text
	m.names = m.names || s.tokens[2].quoted
	if m.kind == fhir.KindBool && code != "true" && code != "false" {
		return s.at(2).errorf("this table's FHIR side is true or false")
	}
	if op != "=" && op != ">" && op != "<" {
		return s.at(1).errorf("expected =, > or <")
	}
	if wire == "default" && !s.tokens[0].quoted {
		switch op {
		case ">":
			m.toDefault = code
		case "<":
			m.fromDefault = code
		default:
			return s.at(1).errorf("a default has one direction: > or <")
		}
		return nil
	}
	if op != "<" {
		if _, dup := m.to[wire]; dup {
			return s.pos.errorf("the code has a line towards FHIR already")
		}
		m.to[wire] = code
	}
	if op != ">" {
		if _, dup := m.from[code]; dup {
			return s.at(2).errorf("the code has a line from FHIR already")
		}
		m.from[code] = wire
	}
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
