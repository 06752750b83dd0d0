package language

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// mistake is one kind of typing mistake: a line with it, and what is told of it.
type mistake struct {
	name, text string
	want       string // line:column: text
}

const adtHead = `mapping test/case
takes hl7v2 ADT^A01
resource patient Patient
resource observation-* Observation
PID-5.1 = patient.name[0].family
each OBX as observation-* {
.3.1 = code.text
}
`

// Lines that are appended to adtHead start at line 9.
var adtMistakes = []mistake{
	{"element", "PID-8 = patient.gendre : concept(sex)", `9:9: Patient has no element "gendre"; the nearest is "gender"`},
	{"element of a data type", "PID-5.2 = patient.name[0].givne[0]", `9:11: HumanName has no element "givne"; the nearest is "given"`},
	{"choice type", "PID-29 = patient.deceasedDatetime : ts", `9:10: Patient has no element "deceasedDatetime"; the nearest is "deceasedDateTime"`},
	{"element in a condition on an item", "PID-3 = patient.identifier[systen=urn:x].value", `9:9: Identifier has no element "systen"; the nearest is "system"`},
	{"value in a condition on an item", "PID-13 = patient.telecom[use=my home  phone].value", `9:10: the condition [use=my home  phone] can never hold: not a code: empty, or with spaces at an end or two together`},
	{"array without brackets", "PID-5.2 = patient.name.given[0]", `9:11: Patient.name is an array: write name[0], or what chooses an item`},
	{"brackets without an array", "PID-8 = patient.gender[0] : concept(sex)", `9:9: Patient.gender is no array`},
	{"every item in a line", "PID-5.2 = patient.name[].given[0]", `9:11: name[] means every item: it stands in each and with ref() alone`},
	{"object as a value", "PID-5 = patient.name[0]", `9:9: patient.name[0] is a HumanName, not a value: name one of its elements`},
	{"value as a block", "in PID-8 = patient.gender {\n.1 = patient.id\n}", `9:12: patient.gender is a value: a block needs what has elements`},
	{"resource type", "resource task Taks always", `9:15: there is no stored resource type "Taks"; the nearest is "Task"`},
	{"resource name", "PID-8 = patinet.gender : concept(sex)", `9:9: "patinet.gender" starts with no declared resource, and no block gives it one; the nearest is "patient"`},
	{"resource name in a key", "key patinet = id", `9:5: there is no resource "patinet"; the nearest is "patient"`},
	{"resource name in a condition", `message PID-30 = "Y" if patinet.deceasedDateTime`, `9:25: "patinet.deceasedDateTime" starts with no declared resource, and no block gives it one; the nearest is "patient"`},
	{"resource name in a reference", `fhir patient.managingOrganization.reference = ref(patinet)`, `9:47: there is no resource "patinet"; the nearest is "patient"`},
	{"literal reference", `fhir patient.managingOrganization.reference = "urn:stafett:patient"`, `9:47: a reference to a resource of the mapping is written ref(patient)`},
	{"reference to a repeated resource", `fhir patient.managingOrganization.reference = ref(observation-*)`, `9:47: observation-* is repeated: what refers to it stands in a block around it, beside it or inside it`},
	{"place of a repeated resource", "PID-8 = observation-*.id", `9:9: observation-* is repeated: its places stand in its block`},
	{"key of a repeated resource", "key observation = id", `9:5: observation-* is repeated: its repetitions have no key`},
	{"unused resource", "resource task Task", `9:1: nothing is mapped to or from the resource "task"`},
	{"fact", `PV1-19 = fact.visti only to fhir "x"`, `9:10: there is no fact "visti"; the nearest is "visit"`},
	{"value of a fact", "event admitted if fact.answer = KANMOTTA", `9:33: there is no value of fact.answer "KANMOTTA"; the nearest is "KAN_MOTTA"`},
	{"header value", "MSH-4 = header.sender.facilty", `9:9: the header has no value named "sender.facilty"; the nearest is "sender.facility"`},
	{"value of the header", "event voided if header.status = K", `9:33: there is no value of header.status "K"; the nearest is "C"`},
	{"event", "event admited", `9:7: there is no event "admited"; the nearest is "admitted"`},
	{"event that is never reached", "event admitted\nevent voided if header.status = C", `10:1: the event before holds always: this one is never reached`},
	{"kind", "kind dischage", `9:6: there is no kind "dischage"; the nearest is "discharge"`},
	{"fault kind", `require patient.name[0] : invlid "x" at PID-5`, `9:27: there is no fault kind "invlid"; the nearest is "invalid"`},
	{"place of a fault", `require patient.name[0] : invalid "x" at PDI-5`, `9:42: there is no segment "PDI"; the nearest is "PD1"`},
	{"converter", "PID-7 = patient.birthDate : tsdaet", `9:27: there is no converter "tsdaet"; the nearest is "tsdate"`},
	{"number of a converter's arguments", "PID-30 = patient.deceasedBoolean : yes(J)", `9:34: converter yes: takes the codes for yes and for no`},
	{"argument of a converter", `TXA-2 = day : svarlinje(dya) only to fhir "x"`, `9:13: converter svarlinje: takes answer or day`},
	{"no converter where the type needs one", "PID-7 = patient.birthDate", `9:9: patient.birthDate is a date: the line needs a converter, one of answertext, svarlinje, tsdate, xmldate`},
	{"converter of another type", "PID-7 = patient.birthDate : ts", `9:27: converter ts does not make a date, which patient.birthDate is`},
	{"converter of a fact", `PID-29 = fact.diedAt : ts only to fhir "x"`, `9:22: converter ts does not make a instant, which fact.diedAt is`},
	{"concept map", "PID-8 = patient.gender : concept(sexs)", `9:24: converter concept: there is no concept map "sexs"; the nearest is "sex"`},
	{"table of names as a concept map", "PID-8 = patient.gender : concept(sexnames)", `9:24: converter concept: sexnames is a table of names: names(sexnames)`},
	{"code of a concept map", "PID-8 = patient.gender : concept(sex)\nfhir patient.gender = \"femal\"", `10:23: there is no code in concept map sex "femal"; the nearest is "female"`},
	{"code instead of an empty place", `PID-8 = patient.gender : concept(sex) else "W"`, `9:44: there is no code in concept map sex "W"`},
	{"constant of another type", `fhir patient.active = "true"`, `9:23: patient.active is a boolean: a boolean is expected, not a string`},
	{"segment", "PIO-8 = patient.id", `9:1: there is no segment "PIO"; the nearest is "PID"`},
	{"field", "PID-88 = patient.id", `9:1: PID segment has no part 88: there are 40 at most`},
	{"field by a name", "PID-S = patient.id", `9:1: "S" is no number of a field, component or subcomponent`},
	{"part of a subcomponent", "PID-5.1.1.1 = patient.id", `9:1: PID: a subcomponent has no parts`},
	{"segment as a value", "PID = patient.id", `9:1: PID is a segment: a value is in a field`},
	{"missing reason", "ignore PID-9", `9:1: expected: ignore MESSAGE "REASON"`},
	{"empty reason", `ignore PID-9 ""`, `9:14: expected: ignore MESSAGE "REASON"`},
	{"one way without a reason", "PID-9 = patient.id only to fhir", `9:20: expected: only to|from fhir "REASON"`},
	{"word", `ingore PID-9 "x"`, `9:1: there is no statement "ingore"; the nearest is "ignore"`},
	{"word in a block", "in PID {\nfihr patient.active = true\n}", `10:1: there is no statement "fihr"; the nearest is "fhir"`},
	{"variable", "message PID-1 = $trigegr\nlet trigger A01", `9:17: the variable $trigegr is not set; the nearest is "$trigger"`},
	{"unused variable", "let trigger A01", `9:1: nothing uses the variable $trigger`},
	{"variable set twice", "let trigger A01\nlet trigger A02\nmessage EVN-1 = $trigger", `10:1: let trigger is declared twice, first in line 9`},
	{"unknown definition", "define person() {\nPID-8 = patient.id\n}\nuse persno()", `12:5: there is no definition "persno"; the nearest is "person"`},
	{"unused definition", "define person() {\nPID-8 = patient.id\n}", `9:1: nothing uses the definition "person"`},
	{"two definitions", "define a() {\n}\ndefine a() {\n}\nuse a()", `11:8: the definition "a" exists already`},
	{"wrong number of arguments", "define a(b) {\nmessage PID-1 = $b\n}\nuse a(1, 2)", `12:5: a takes 1 arguments, not 2`},
	{"parameter that no line uses", "define a(b) {\nmessage PID-1 = \"1\"\n}\nuse a(1)", `9:8: the lines of a do not use $b`},
	{"the same line twice", "PID-5.1 = patient.name[0].family", `9:1: line 5 says the same`},
	{"two keys", "key patient = id\nkey patient = birthDate", `10:5: the resource "patient" has a key already`},
	{"two blocks of a resource", "each DG1 as observation-* {\n.3.1 = code.text\n}", `9:13: observation-* has its block in line 6: one block makes a resource, or the way back would write it twice`},
	{"section", "include persons", `9:9: there is no section "persons"`},
	{"itself as a section", "include a\nsection a {\ninclude a\n}", `11:9: a includes itself`},
	{"section twice", "include a\ninclude a\nsection a {\nPID-8 = patient.id\n}", `10:9: a is included already`},
	{"unused section", "section a {\nPID-8 = patient.id\n}", `9:1: nothing includes the section "a"`},
	{"second base", "extends test/base\nextends test/base", `10:1: a file extends one other: it extends test/base in line 9; include what is shared`},
	{"messages taken twice", "takes hl7v2 ADT^A02", `9:1: takes is declared twice, first in line 2`},
	{"list that is not of the repetition", "each DG1 = patient.contact[] {\neach .3 = patient.telecom[] {\n.1 = value\n}\n}", `10:11: patient.telecom[] is not of this repetition of patient.contact[], which would all be written with it`},
	{"line that is not of the repetition", "each DG1 = patient.contact[] {\n.3 = patient.id\n}", `10:6: patient.id is not of this repetition of patient.contact[], which would all be written with it`},
}

const nestedHead = `mapping test/case
takes hl7v2 ORU^R01
resource a-* Observation
resource b-* Observation
resource c-* Observation
`

// Lines that are appended to nestedHead start at line 6.
var nestedMistakes = []mistake{
	{"child without a parent", "each OBX as a-* {\neach .5 as b-* {\n.1 = code.text\nin .2 as c-* {\n.1 = code.text\nfhir focus[0].reference = ref(parent)\n}\n}\n}",
		`7:12: b-* must say how it refers to a-*: a line fhir PLACE.reference = ref(parent) in its block, or fhir PLACE.reference = ref(b-*) in the one around it`},
	{"reference to what is no neighbour", "each OBX as a-* {\n.3 = code.text\nfhir focus[0].reference = ref(b-*)\n}\neach DG1 as b-* {\n.3 = code.text\n}\neach AL1 as c-* {\n.3 = code.text\n}",
		`8:27: b-* is not of this repetition of a-*: refer to what is around it, beside it or inside it`},
	{"one of several", "each OBX as a-* {\neach .5 as b-* {\n.1 = code.text\nin .2 as c-* {\n.1 = code.text\nfhir focus[0].reference = ref(parent)\n}\n}\nfhir hasMember[0].reference = ref(b-*)\n}",
		`14:31: b-* is several here: write [] at the element that repeats`},
	{"several of one", "each OBX as a-* {\neach .5 as b-* {\n.1 = code.text\nfhir focus[].reference = ref(parent)\n}\neach .3 as c-* {\n.1 = code.text\nfhir focus[0].reference = ref(parent)\n}\n}",
		`9:26: a-* is one here: write [0] instead of []`},
	{"parent of what has none", "each OBX as a-* {\n.3 = code.text\nfhir focus[0].reference = ref(parent)\n}\neach DG1 as b-* {\n.3 = code.text\n}\neach AL1 as c-* {\n.3 = code.text\n}",
		`8:27: there is no resource "parent"`},
	{"one alone", "each OBX as a-* {\n.3 = code.text\n}\nin DG1 as b-* {\n.3 = code.text\n}\neach AL1 as c-* {\n.3 = code.text\n}",
		`9:11: b-* would be one alone: in … as stands in a group that repeats`},
	{"reference that is none", "each OBX as a-* {\neach .5 as b-* {\n.1 = code.text\nfhir code.text = ref(parent)\n}\neach .3 as c-* {\n.1 = code.text\nfhir focus[0].reference = ref(parent)\n}\nfhir hasMember[].reference = ref(b-*)\n}",
		`9:6: ref() needs the reference of an element: code.text.reference`},
}

const xmlHead = `mapping test/case
takes kith LOG_INNLAGT
root m:MsgHead
namespace m http://www.kith.no/xmlstds/msghead/2006-05-24
resource patient Patient
m:MsgInfo/Patient/FamilyName = patient.name[0].family
`

// Lines that are appended to xmlHead start at line 7.
var xmlMistakes = []mistake{
	{"XML element", "m:MsgInfo/Pasient/GivenName = patient.name[0].given[0]", `7:1: there is no element of m "Pasient"; the nearest is "Patient"`},
	{"XML attribute", "m:MsgInfo/Type/@VV = patient.id", `7:1: there is no attribute "@VV"; the nearest is "@V"`},
	{"prefix", "n:MsgInfo/MsgId = header.id", `7:1: the namespace prefix "n" is not declared; the nearest is "m"`},
	{"no prefix", "MsgInfo/MsgId = header.id", `7:1: the element "MsgInfo" needs the prefix of its namespace`},
	{"namespace", "namespace fk http://www.kith.no/xmlstds/felleskomponent\nm:MsgInfo/fk:Ident = patient.id", `7:14: there is no namespace "http://www.kith.no/xmlstds/felleskomponent"; the nearest is "http://www.kith.no/xmlstds/felleskomponent1"`},
	{"unused prefix", "namespace fk http://www.kith.no/xmlstds/felleskomponent1", `7:1: nothing uses the namespace prefix "fk"`},
	{"XML place of a fault", `require patient.name[0] : invalid "x" at MsgHead/MsgInfo/Pasient`, `7:42: there is no element or attribute "Pasient"; the nearest is "Patient"`},
	{"ignored name", `ignore anywhere @schemaLocaton "x"`, `7:17: there is no element or attribute "@schemaLocaton"; the nearest is "@schemaLocation"`},
}

// The lines stand after the file's name, in line 2.
var takesMistakes = []mistake{
	{"wire", "takes fax ADT^A01", `2:7: the wire "fax" has no mappings; hl7v2 and kith have`},
	{"message type", "takes hl7v2 ADT-A01", `2:13: "ADT-A01" is no message type of hl7v2`},
	{"XML message type", "takes kith log_innlagt\nroot m:MsgHead\nnamespace m http://www.kith.no/xmlstds/msghead/2006-05-24", `2:12: "log_innlagt" is no message type of kith`},
	{"version", "takes hl7v2 ADT^A01 version newest", `2:29: "newest" is no version`},
	{"base", "takes hl7v2 ADT^A01\nextends test/bsae", `3:9: it extends "test/bsae", which does not exist; the nearest is "test/base"`},
	{"included mapping", "takes hl7v2 ADT^A01\ninclude test/base", `3:9: test/base is a mapping: it is extended, not included; only a file without takes is`},
	{"name twice", "mapping test/case2\ntakes hl7v2 ADT^A01", `2:1: the file is named already: mapping test/case`},
	{"file that nothing uses", "takes hl7v2", `1:1: nothing extends or includes "test/case", and it takes no message`},
	{"no root", "takes kith LOG_INNLAGT", `1:1: an XML mapping needs: root ELEMENT`},
}

func seeded(head string, list []mistake, check func(m mistake, told []string, err error)) {
	for _, m := range list {
		_, err := Load(fstest.MapFS{
			"test/case.map":    {Data: []byte(head + m.text + "\n")},
			"test/base.map":    {Data: []byte("mapping test/base\ntakes hl7v2\n")},
			"test/other.map":   {Data: []byte("mapping test/other\nextends test/base\ntakes hl7v2 ADT^A40\n")},
			"concept/test.map": {Data: []byte("concept sex\nM = male\nF = female\ndefault > unknown\nconcept sexnames\nmale = \"Mann\"\n")},
		})
		var told []string
		for _, e := range flat(err) {
			told = append(told, e.Error())
		}
		check(m, told, err)
	}
}

// Each kind of typing mistake is found when the files are loaded, where it stands, with
// what was meant, and as one mistake.
func TestTypingMistakesAreFoundWhenLoaded(t *testing.T) {
	kinds := 0
	check := func(m mistake, told []string, err error) {
		kinds++
		t.Run(m.name, func(t *testing.T) {
			want := []string{"test/case.map:" + m.want}
			if !slices.Equal(told, want) {
				t.Errorf("got  %s\nwant %s", strings.Join(told, "\n     "), want[0])
			}
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Error("no SyntaxError")
			}
		})
	}
	seeded(adtHead, adtMistakes, check)
	seeded(nestedHead, nestedMistakes, check)
	seeded(xmlHead, xmlMistakes, check)
	seeded("mapping test/case\n", takesMistakes, check)
	if kinds < 33 {
		t.Errorf("only %d kinds", kinds)
	}
}

// All mistakes of a set are told at once, in the order of files and lines.
func TestAllMistakesAreToldAtOnce(t *testing.T) {
	lines := []string{
		"PID-8 = patient.gendre", "PIO-8 = patient.id", "PID-7 = patient.birthDate : tsdaet", "ignore PID-9",
		"PV1-19 = fact.visti only to fhir \"x\"", "MSH-4 = header.sender.facilty", "let unused 1", "use nothing()", "ingore PID-9 \"x\"",
	}
	_, err := Load(fstest.MapFS{
		"test/case.map": {Data: []byte(adtHead + strings.Join(lines, "\n") + "\n")},
		"test/base.map": {Data: []byte("mapping test/base\n")},
	})
	told := flat(err)
	if len(told) != len(lines)+1 {
		t.Fatalf("%d mistakes of %d:\n%v", len(told), len(lines)+1, err)
	}
	if !slices.IsSortedFunc(told, comparePositions) {
		t.Errorf("not in order:\n%v", err)
	}
}
