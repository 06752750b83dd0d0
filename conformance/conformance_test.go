package conformance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stafett/fhir"
)

func fixture(t testing.TB, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func parse(t testing.TB, s string) *fhir.Node {
	t.Helper()
	n, err := fhir.Parse([]byte(s), fhir.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

var fixtures = []string{"task", "patient", "questionnaire", "bundle"}

func TestValidate_Fixtures_NoIssues(t *testing.T) {
	for _, name := range fixtures {
		for _, i := range Validate(parse(t, fixture(t, name))) {
			t.Errorf("%s: %+v", name, i)
		}
	}
}

// Each mutant replaces one text of a fixture and must be caught at its element.
var mutants = []struct{ fixture, old, new, code, path string }{
	{"task", `"resourceType": "Task",`, ``, CodeRequired, "resourceType"},
	{"task", `"resourceType": "Task"`, `"resourceType": "Oppgave"`, CodeStructure, "resourceType"},
	{"task", `"resourceType": "Task"`, `"resourceType": "Period"`, CodeStructure, "resourceType"},
	{"task", `"resourceType": "Task"`, `"resourceType": 5`, CodeStructure, "resourceType"},
	{"task", `"id": "task-1"`, `"id": "task_1"`, CodeValue, "Task.id"},
	{"task", `"id": "task-1"`, `"id": ""`, CodeValue, "Task.id"},
	{"task", `"id": "task-1"`, `"id": "` + strings.Repeat("a", 65) + `"`, CodeValue, "Task.id"},
	{"task", `"status": "requested",`, ``, CodeRequired, "Task.status"},
	{"task", `"status": "requested"`, `"status": ["requested"]`, CodeStructure, "Task.status"},
	{"task", `"status": "requested"`, `"status": {"code": "requested"}`, CodeStructure, "Task.status"},
	{"task", `"status": "requested"`, `"status": " requested"`, CodeValue, "Task.status"},
	{"task", `"status": "requested"`, `"status": "a  b"`, CodeValue, "Task.status"},
	{"task", `"status": "requested"`, `"status": null`, CodeStructure, "Task.status"},
	{"task", `"status": "requested"`, `"Status": "requested"`, CodeStructure, "Task.?"},
	{"task", `"priority": "routine"`, `"urgency": "routine"`, CodeStructure, "Task.?"},
	{"task", `"priority": "routine"`, `"Solveig Myrvang": "routine"`, CodeStructure, "Task.?"},
	{"task", `"priority": "routine"`, `"_for": {"id": "x"}`, CodeStructure, "Task._for"},
	{"task", `"priority": "routine"`, `"_priority": {"id": "x"}`, CodeInvariant, "Task._priority"},
	{"task", `"priority": "routine"`, `"_priority": {"value": "x", "extension": [{"url":"u","valueCode":"c"}]}`, CodeStructure, "Task._priority.value"},
	{"task", `"identifier": [{`, `"identifier": [{"systm": "x", `, CodeStructure, "Task.identifier[0].?"},
	{"task", `"identifier": [{`, `"identifier": [{}, {`, CodeInvariant, "Task.identifier[0]"},
	{"task", `"identifier": [{`, `"identifier": [null, {`, CodeStructure, "Task.identifier[0]"},
	{"task", `"identifier": [{`, `"identifier": [[], {`, CodeStructure, "Task.identifier[0]"},
	{"task", `"basedOn": [{"reference": "CarePlan/cp"}]`, `"basedOn": {"reference": "CarePlan/cp"}`, CodeStructure, "Task.basedOn"},
	{"task", `"basedOn": [{"reference": "CarePlan/cp"}]`, `"basedOn": []`, CodeInvariant, "Task.basedOn"},
	{"task", `"for": {"reference": "Patient/p"}`, `"for": [{"reference": "Patient/p"}]`, CodeStructure, "Task.for"},
	{"task", `"for": {"reference": "Patient/p"}`, `"for": "Patient/p"`, CodeStructure, "Task.for"},
	{"task", `"userSelected": false`, `"userSelected": "false"`, CodeStructure, "Task.code.coding[0].userSelected"},
	{"task", `"start": "2026-11-23"`, `"start": "2026-02-30"`, CodeValue, "Task.executionPeriod.start"},
	{"task", `"start": "2026-11-23"`, `"start": "2026-11-23T10:00:00"`, CodeValue, "Task.executionPeriod.start"},
	{"task", `"start": "2026-11-23"`, `"start": "2026-11-23T10:00Z"`, CodeValue, "Task.executionPeriod.start"},
	{"task", `"start": "2026-11-23"`, `"start": "23.11.2026"`, CodeValue, "Task.executionPeriod.start"},
	{"task", `"start": "2026-11-23"`, `"start": "20261123"`, CodeValue, "Task.executionPeriod.start"},
	{"task", `"end": "2026-11"`, `"end": "2026-13"`, CodeValue, "Task.executionPeriod.end"},
	{"task", `"lastUpdated": "2026-11-22T05:00:00.123+01:00"`, `"lastUpdated": "2026-11-22"`, CodeValue, "Task.meta.lastUpdated"},
	{"task", `05:00:00.123+01:00`, `05:00:00.123+15:00`, CodeValue, "Task.meta.lastUpdated"},
	{"task", `"repetitions": 1`, `"repetitions": 0`, CodeValue, "Task.restriction.repetitions"},
	{"task", `"repetitions": 1`, `"repetitions": 1.0`, CodeValue, "Task.restriction.repetitions"},
	{"task", `"repetitions": 1`, `"repetitions": "1"`, CodeStructure, "Task.restriction.repetitions"},
	{"task", `"valueUnsignedInt": 0`, `"valueUnsignedInt": -1`, CodeValue, "Task.input[4].valueUnsignedInt"},
	{"task", `-2147483648`, `-2147483649`, CodeValue, "Task.input[5].valueInteger"},
	{"task", `"valueUuid": "urn:uuid:`, `"valueUuid": "`, CodeValue, "Task.input[0].valueUuid"},
	{"task", `urn:oid:1.2.840.0.1`, `urn:oid:1.02`, CodeValue, "Task.input[1].valueOid"},
	{"task", `QUJD\nREU=`, `QUJD\nREU`, CodeValue, "Task.input[2].valueBase64Binary"},
	{"task", `23:59:60`, `24:00:00`, CodeValue, "Task.input[3].valueTime"},
	{"task", `"valueTime": "23:59:60"`, `"valueTime": "23:59:60", "valueString": "x"`, CodeStructure, "Task.input[3].valueString"},
	{"task", `"valueTime": "23:59:60"`, `"valueClock": "23:59:60"`, CodeStructure, "Task.input[3].?"},
	{"task", `, "valueTime": "23:59:60"`, ``, CodeRequired, "Task.input[3].value"},
	{"task", `{"text": "clock"}, "valueTime"`, `{"text": "clock"}, "value"`, CodeStructure, "Task.input[3].value"},
	{"task", `"type": {"text": "clock"}, `, ``, CodeRequired, "Task.input[3].type"},
	{"task", `"description": "Æ Ø Å\nto linjer"`, `"description": ""`, CodeValue, "Task.description"},
	{"task", `"description": "Æ Ø Å\nto linjer"`, `"description": "a\u0000b"`, CodeValue, "Task.description"},
	{"task", `"instantiatesUri": "urn:example:protocol"`, `"instantiatesUri": "urn:example: protocol"`, CodeValue, "Task.instantiatesUri"},
	{"task", `<div xmlns=\"http://www.w3.org/1999/xhtml\">Utskrivningsklar</div>`, `Utskrivningsklar`, CodeValue, "Task.text.div"},
	{"task", `"url": "inner", `, ``, CodeRequired, "Task.extension[0].extension[0].url"},
	{"task", `"url": "inner", "valuePositiveInt": 3`, `"url": "inner"`, CodeInvariant, "Task.extension[0].extension[0]"},
	{"task", `"url": "https://example.org/nested",`, `"url": "https://example.org/nested", "valueCode": "x",`, CodeInvariant, "Task.extension[0]"},
	{"task", `{"resourceType": "Organization", "id": "unit",`, `{"id": "unit",`, CodeRequired, "Task.contained[0].resourceType"},
	{"task", `{"resourceType": "Organization", "id": "unit",`, `{"resourceType": "Organization",`, CodeRequired, "Task.contained[0].id"},
	{"task", `"name": "Slagenheten"`, `"names": "Slagenheten"`, CodeStructure, "Task.contained[0].?"},
	{"task", `"name": "Slagenheten"`, `"contained": [{"resourceType": "Flag"}]`, CodeInvariant, "Task.contained[0].contained"},
	{"task", `"value": 1.10`, `"value": "1.10"`, CodeStructure, "Task.contained[1].amount.numerator.value"},
	{"task", `"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]`, `"id": "a"`, CodeInvariant, "Task.extension[1]._valueDateTime"},
	{"patient", `"active": true`, `"active": 1`, CodeStructure, "Patient.active"},
	{"patient", `"deceasedBoolean": false`, `"deceasedBoolean": false, "deceasedDateTime": "2026"`, CodeStructure, "Patient.deceasedDateTime"},
	{"patient", `"given": ["Solveig", null, "Testdatter"]`, `"given": ["Solveig", null, null]`, CodeInvariant, "Patient.name[0]._given[2]"},
	{"patient", `"given": ["Solveig", null, "Testdatter"]`, `"given": [null, null, "Testdatter"]`, CodeStructure, "Patient.name[0].given[0]"},
	{"patient", `"given": ["Solveig", null, "Testdatter"]`, `"given": ["Solveig", "", "Testdatter"]`, CodeValue, "Patient.name[0].given[1]"},
	{"patient", `"given": ["Solveig", null, "Testdatter"]`, `"given": ["Solveig", "x"]`, CodeStructure, "Patient.name[0]._given"},
	{"patient", `"given": ["Solveig", null, "Testdatter"]`, `"given": "Solveig"`, CodeStructure, "Patient.name[0].given"},
	{"patient", `"_family": {"id": "f"}`, `"_family": [{"id": "f"}]`, CodeStructure, "Patient.name[0]._family"},
	{"patient", `"_family": {"id": "f"}`, `"_family": {}`, CodeInvariant, "Patient.name[0]._family"},
	{"patient", `"birthDate": "1948-03-12"`, `"birthDate": "1948-3-12"`, CodeValue, "Patient.birthDate"},
	{"patient", `"birthDate": "1948-03-12"`, `"birthdate": "1948-03-12"`, CodeStructure, "Patient.?"},
	{"patient", `"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "nb"}]}, `, ``, CodeRequired, "Patient.communication[0].language"},
	{"patient", `"contact": [{`, `"contact": [{"age": 5, `, CodeStructure, "Patient.contact[0].age"},
	{"questionnaire", `"linkId": "1.1.1", `, ``, CodeRequired, "Questionnaire.item[0].item[0].item[0].linkId"},
	{"questionnaire", `"valueInteger": 4`, `"valueDecimal": 4`, CodeStructure, "Questionnaire.item[0].item[0].item[0].answerOption[0].valueDecimal"},
	{"bundle", `"resourceType": "Flag"`, `"resourceType": "Flagg"`, CodeStructure, "Bundle.entry[0].resource.resourceType"},
	{"bundle", `"code": {"text": "reservert"}, `, ``, CodeRequired, "Bundle.entry[0].resource.code"},
	{"bundle", `"method": "POST", `, ``, CodeRequired, "Bundle.entry[0].request.method"},
}

func TestValidate_Mutants_Caught(t *testing.T) {
	for _, m := range mutants {
		source := fixture(t, m.fixture)
		if strings.Count(source, m.old) != 1 {
			t.Errorf("%q occurs %d times in %s", m.old, strings.Count(source, m.old), m.fixture)
			continue
		}
		issues := Validate(parse(t, strings.Replace(source, m.old, m.new, 1)))
		found := slices.ContainsFunc(issues, func(i Issue) bool {
			return i.Code == m.code && i.Path == m.path && i.Severity == SeverityError && i.Text != ""
		})
		if !found {
			t.Errorf("%s with %q: want %s at %s, got %+v", m.fixture, m.new, m.code, m.path, issues)
		}
	}
}

func TestValidate_NotAResource_Refused(t *testing.T) {
	for _, n := range []*fhir.Node{nil, fhir.Str("x"), fhir.Arr(), &fhir.Node{Kind: fhir.KindNull}, {}} {
		if len(Validate(n)) == 0 {
			t.Errorf("%s is accepted", n.JSON())
		}
	}
}

func TestValidate_ManyIssues_Bounded(t *testing.T) {
	n := fhir.Obj("resourceType", "Flag")
	for range 1000 {
		n.Append("identifier", fhir.Obj("wrong", "x"))
	}
	issues := Validate(n)
	if len(issues) != issuesMax || issues[issuesMax-1].Code != CodeTooLong {
		t.Errorf("%d issues, the last is %+v", len(issues), issues[len(issues)-1])
	}
}

func TestIssue_NeverQuotesValues(t *testing.T) {
	for _, name := range fixtures {
		source := fixture(t, name)
		rapid.Check(t, func(t *rapid.T) {
			n, err := fhir.Parse([]byte(source), fhir.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			const secret = "Ola Hemmelig 01015000232"
			targets := leaves(n, nil)
			*targets[rapid.IntRange(0, len(targets)-1).Draw(t, "leaf")] = fhir.Node{Kind: fhir.NodeKind(rapid.IntRange(2, 3).Draw(t, "kind")), Text: secret}
			report, err := json.Marshal(Validate(n))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(report), "Hemmelig") || strings.Contains(string(report), "01015000232") {
				t.Fatalf("%s", report)
			}
		})
	}
}

func leaves(n *fhir.Node, out []*fhir.Node) []*fhir.Node {
	if len(n.Members)+len(n.Items) == 0 {
		return append(out, n)
	}
	for _, m := range n.Members {
		out = leaves(m.Value, out)
	}
	for _, item := range n.Items {
		out = leaves(item, out)
	}
	return out
}

func TestTable_EveryTypeIsWhole(t *testing.T) {
	resources := 0
	for _, def := range table().types {
		if def.kind == kindResource {
			resources++
		}
		if len(def.elements) > 128 {
			t.Errorf("%s has %d elements", def.name, len(def.elements))
		}
		choices := 0
		for _, e := range def.elements {
			if e.choice {
				choices++
			}
		}
		if choices > 8 {
			t.Errorf("%s has %d choices: elementSet holds 8", def.name, choices)
		}
	}
	if resources != 146 {
		t.Errorf("%d resource types", resources)
	}
	for _, typ := range fhir.StoredTypes() {
		if def := table().types[typ]; def == nil || def.kind != kindResource {
			t.Errorf("%s is stored but not known", typ)
		}
	}
}

func TestIsDiv(t *testing.T) {
	for s, want := range map[string]bool{
		`<div xmlns="http://www.w3.org/1999/xhtml">a</div>`: true,
		`<div/>`: true,
		` <div><p class='x' style="a:b">1 &lt; 2 &#160; <!-- <script> --> <br/><img src="#p" alt=">"/></p></div> `: true,
		`<div><a href="https://x.example/a?b=c:d">x</a><a href="Patient/1">y</a><a href="#a:b">z</a></div>`:        true,
		`<div><img src="data:image/png;base64,QQ=="/></div>`:                                                       true,
		``:                                                   false,
		`text`:                                               false,
		`<p>a</p>`:                                           false,
		`<div>a</div><div>b</div>`:                           false,
		`<div>a</div> tail`:                                  false,
		`<div>a`:                                             false,
		`<div><p></div></p>`:                                 false,
		`<div><br></div>`:                                    false,
		`<div><script>x</script></div>`:                      false,
		`<div><SCRIPT>x</SCRIPT></div>`:                      false,
		`<divx>a</divx>`:                                     false,
		`<div><iframe src="https://x"/></div>`:               false,
		`<div><form><input/></form></div>`:                   false,
		`<div onclick="x()">a</div>`:                         false,
		`<div OnClick = 'x()'>a</div>`:                       false,
		`<div><img src="x"onerror="y"/></div>`:               false,
		`<div><img src="x"/onerror="y"/></div>`:              false,
		`<div><a href="javascript:x()">a</a></div>`:          false,
		`<div><a href=" JavaScript:x()">a</a></div>`:         false,
		`<div><a href="java&#115;cript:x()">a</a></div>`:     false,
		`<div><a href="java&#115;cript&#58;x()">a</a></div>`: false,
		`<div><a href="javascript&colon;x()">a</a></div>`:    false,
		`<div><a href="java	script:x()">a</a></div>`:         false,
		`<div><a href="data:text/html,x">a</a></div>`:        false,
		`<div><a href=x>a</a></div>`:                         false,
		`<div><?php x ?></div>`:                              false,
		`<div><![CDATA[x]]></div>`:                           false,
		`<div><>`:                                            false,
		`<div><!-- x</div>`:                                  false,
	} {
		if got := isDiv(s); got != want {
			t.Errorf("%s: %v", s, got)
		}
	}
}

func FuzzValidate(f *testing.F) {
	for _, name := range fixtures {
		f.Add([]byte(fixture(f, name)))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if n, err := fhir.Parse(raw, fhir.DefaultLimits()); err == nil {
			for _, i := range Validate(n) {
				if i.Text == "" || i.Code == "" || i.Severity == "" {
					t.Fatalf("%+v", i)
				}
			}
		}
	})
}

func BenchmarkValidate_Task(b *testing.B) {
	n := parse(b, fixture(b, "task"))
	b.ReportAllocs()
	for b.Loop() {
		if Validate(n) != nil {
			b.Fatal("issues")
		}
	}
}
