package language

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
)

// load compiles one mapping file beside a small concept map.
func load(text string) (*Set, error) {
	return Load(fstest.MapFS{
		"test/case.map":    {Data: []byte(text)},
		"concept/test.map": {Data: []byte("concept sex\nM = male\nF = female\ndefault > unknown\n")},
	})
}

func TestMistakesNameFileLineAndColumn(t *testing.T) {
	head := "mapping test/case\ntakes hl7v2 ADT^A01\nresource patient Patient\n"
	for _, c := range []struct{ name, text, want string }{
		{"no name", "takes hl7v2 ADT^A01\n", "test/case.map:1:1: the file does not say: mapping NAME"},
		{"unknown wire", "mapping x\ntakes fax X\n", `case.map:2:7: the wire "fax" has no mappings`},
		{"unknown converter", head + "PID-8 = patient.gender : sexes\n", `case.map:4:24: there is no converter "sexes"`},
		{"converter's arguments", head + "PID-8 = patient.gender : concept(kjonn)\n", `case.map:4:24: converter concept: there is no concept map "kjonn"`},
		{"unknown resource", head + "PID-8 = person.gender\n", `case.map:4:9: "person.gender" starts with no declared resource`},
		{"unknown header value", head + "MSH-4 = header.sender.phone\n", `case.map:4:9: the header has no value named "sender.phone"`},
		{"open block", head + "in PID-3[5=FNR] = patient.identifier[0] {\n.1 = value\n", "case.map:4:1: this block is not closed"},
		{"closing nothing", head + "}\n", "case.map:4:1: no block is open here"},
		{"open quote", head + "ignore PID-9 \"why\n", "case.map:4:14: the quoted text is not closed"},
		{"open bracket", head + "PID-3[5=FNR.1 = patient.id\n", "case.map:4:1: a bracket is not closed"},
		{"no reason", head + "ignore PID-9\n", `case.map:4:1: expected: ignore MESSAGE "REASON"`},
		{"one way without a reason", head + "PID-9 = patient.gender only to fhir\n", `case.map:4:24: expected: only to|from fhir "REASON"`},
		{"unknown event", head + "event admited\n", `case.map:4:7: there is no event "admited"`},
		{"unknown kind", head + "kind transfer\n", `case.map:4:6: there is no kind "transfer"`},
		{"unknown fault", head + "require patient.name[0].family : bad \"x\" at PID-5\n", `case.map:4:34: there is no fault kind "bad"`},
		{"unset variable", head + "message MSH-9.2 = $trigger\n", "case.map:4:19: the variable $trigger is not set"},
		{"unknown definition", head + "use ident(FNR)\n", `case.map:4:5: there is no definition "ident"`},
		{"wrong arguments", head + "define ident(a, b) {\n}\nuse ident(FNR)\n", "case.map:6:5: ident takes 2 arguments"},
		{"endless definition", head + "define a(b) {\nuse a($b)\n}\nuse a(x)\n", "definitions use each other more than 16 deep"},
		{"unknown base", "mapping x\nextends y\ntakes hl7v2 ADT^A01\n", `case.map:2:9: it extends "y", which does not exist`},
		{"itself as base", "mapping x\nextends x\ntakes hl7v2 ADT^A01\n", "it extends itself"},
		{"two resources", head + "resource patient Patient\n", `case.map:4:10: the resource "patient" is declared twice`},
		{"group without array", head + "each PID-3 = patient.identifier {\n}\n", "case.map:4:14: a repeated group needs an array"},
		{"repeated resource", head + "each OBX as patient-* {\n}\n", `case.map:4:13: there is no repeated resource "patient-*"`},
		{"namespace", "mapping x\ntakes kith T\nroot m:A\n", `case.map:3:6: the namespace prefix "m" is not declared`},
		{"no root", "mapping x\ntakes kith T\n", "case.map:1:1: an XML mapping needs: root ELEMENT"},
		{"condition", head + "PID-8 = patient.gender if\n", "case.map:4:24: expected: if [not] PLACE"},
		{"condition without a resource", head + "PID-8 = patient.gender if gender = x\n", `case.map:4:27: "gender" starts with no declared resource`},
		{"requirement without a resource", head + "require gender : invalid \"x\" at PID-8\n", `case.map:4:9: "gender" starts with no declared resource`},
		{"array and not", head + "PID-5.1 = patient.name[0].family\nPID-5.2 = patient.name.given[0]\n", "case.map:5:11: Patient.name is an array: write name[0]"},
		{"array and not in a block", head + "PID-5.1 = patient.name[0].family\nin PID-5 = patient.name[0] {\n.2 = family[0]\n}\n", "case.map:6:6: HumanName.family is no array"},
		{"declaration in a block", head + "in PID {\nkind discharge\n}\n", "case.map:5:1: kind cannot stand in a block"},
		{"relative place", head + "PID-8 = .gender\n", `case.map:4:9: ".gender" starts with no declared resource`},
		{"reserved name", head + "resource header Patient\n", `case.map:4:10: the name "header" is taken`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := load(c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v\nwant %s", err, c.want)
			}
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || syntax.Line == 0 || syntax.Column == 0 {
				t.Fatalf("%v is no SyntaxError with a position", err)
			}
		})
	}
}

func TestEveryMistakeIsReportedOnce(t *testing.T) {
	_, err := Load(fstest.MapFS{
		"a/base.map": {Data: []byte("mapping base\ntakes hl7v2\nresource p Patient\nPID-8 = p.gender : nothing\nPID-7 = q.birthDate\n")},
		"a/one.map":  {Data: []byte("mapping one\nextends base\ntakes hl7v2 ADT^A01\n")},
		"a/two.map":  {Data: []byte("mapping two\nextends base\ntakes hl7v2 ADT^A03\n")},
	})
	if err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Fatalf("want two lines, got:\n%v", err)
	}
}

func TestConceptMapMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"M = male\n":                              "test.map:1:1: a table must start with: concept NAME",
		"concept a\nM = male\nM = female\n":       "test.map:3:1: the code has a line towards FHIR already",
		"concept a\nM = male\nX = male\n":         "test.map:3:5: the code has a line from FHIR already",
		"concept a\nM ~ male\n":                   "test.map:2:3: expected =, > or <",
		"concept a\ndefault = male\n":             "test.map:2:9: a default has one direction",
		"concept a boolean\nM = yes\n":            "test.map:2:5: this table's FHIR side is true or false",
		"concept a\nconcept a\n":                  `test.map:2:9: the concept map "a" exists already`,
		"concept a\nM = male = male\n":            "test.map:2:1: a line of a concept map is",
		"concept a {\n}\n":                        "test.map:1:1: a concept map has no blocks",
		"concept a b c\n":                         "test.map:1:1: a table starts with",
		"concept a\nM > male\nM > unknown\n":      "test.map:3:1: the code has a line towards FHIR already",
		"concept a\nM < male\nF < male\n":         "test.map:3:5: the code has a line from FHIR already",
		"concept a boolean\n\"1\" = \"true\" }\n": "test.map:2:1: a line of a concept map is",
	} {
		_, err := Load(fstest.MapFS{"concept/test.map": {Data: []byte(text)}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func TestTwoMappingsOfOneMessageAreRefused(t *testing.T) {
	_, err := Load(fstest.MapFS{
		"a/one.map": {Data: []byte("mapping one\ntakes hl7v2 ADT^A01\n")},
		"a/two.map": {Data: []byte("mapping two\ntakes hl7v2 ADT^A01\n")},
	})
	if err == nil || !strings.Contains(err.Error(), "one takes the same messages") {
		t.Fatal(err)
	}
}
