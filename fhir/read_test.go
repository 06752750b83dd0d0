package fhir

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// fixtures are one resource of each type that Read reads, with what the models are weak at:
// contained resources, extensions of primitives, choices, exact decimals, false and 0.
var fixtures = []string{
	`{"resourceType":"Task","id":"t1","meta":{"versionId":"3","tag":[{"system":"urn:s","code":"c"}]},
	"contained":[{"resourceType":"Patient","id":"p"}],"identifier":[{"use":"official","system":"urn:i","value":"42"}],
	"basedOn":[{"reference":"CarePlan/1"},{"reference":"CarePlan/2"}],"status":"on-hold","_status":{"extension":[{"url":"urn:e","valueCode":"x"}]},
	"businessStatus":{"coding":[{"system":"urn:b","code":"deferred"},{"code":"other"}],"text":"Utsatt"},"intent":"order","priority":"asap",
	"code":{"coding":[{"system":"urn:k","code":"referral","userSelected":false}]},"focus":{"reference":"ServiceRequest/1"},"for":{"reference":"Patient/1"},
	"encounter":{"reference":"Encounter/1"},"executionPeriod":{"start":"2026-03-04","end":"2026-03-08T10:00:00+01:00"},
	"_authoredOn":{"extension":[{"url":"urn:e","valueCode":"unknown"}]},
	"requester":{"type":"Organization","identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"8094866"}},
	"owner":{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.4.101","value":"974589095"},"display":"Fjellheim"},
	"restriction":{"repetitions":2},"unknown":{"deep":[{"er":1}]},
	"input":[{"type":{"text":"a"},"valueDecimal":1.10},{"type":{"text":"b"},"_valueString":{"id":"x"}},{"type":{"text":"c"},"valueBoolean":false},{"type":{"text":"d"},"valueInteger":0}],
	"output":[{"id":"o","modifierExtension":[{"url":"urn:m","valueInteger":-1}],"type":{"coding":[{"system":"urn:stafett:next"}]},"valueReference":{"reference":"Task/2"}},
	{"type":{"coding":[{"system":"urn:stafett:next"}]},"valueCodeableConcept":{"coding":[{"code":"home"}]}},{"type":{"text":"n"},"valueCode":"home"}]}`,
	`{"resourceType":"CarePlan","id":"c1","contained":[{"resourceType":"Goal","id":"g"}],"instantiatesUri":["urn:a",null],"_instantiatesUri":[null,{"id":"x"}],
	"status":"active","intent":"plan","title":"Plan","subject":{"reference":"Patient/1"},"period":{"start":"2026"},"goal":[{"reference":"#g"}],
	"activity":[{"detail":{"status":"not-started","doNotPerform":false,"scheduledTiming":{"repeat":{"frequency":1,"period":1.50,"periodUnit":"d","dayOfWeek":["mon","tue"]}}}}]}`,
	`{"resourceType":"Observation","id":"o1","status":"final","category":[{"coding":[{"code":"vital-signs"}]}],"code":{"text":"Vekt"},
	"effectiveDateTime":"2026-03-04T10:00:00Z","valueQuantity":{"value":72.50,"comparator":"<","unit":"kg"},
	"component":[{"code":{"text":"a"},"valueString":"b"},{"code":{"text":"c"},"valueBoolean":false}]}`,
}

func TestRead_OurFixtures_AgreeWithTheTree(t *testing.T) {
	for _, raw := range fixtures {
		n := mustParse(t, raw)
		agree(t, n.ResourceType(), n)
	}
}

// TestRead_OfficialExamples_AgreeWithTheTree reads every Task, CarePlan and Observation of
// the unpacked npm package hl7.fhir.r4.examples 4.0.1.
func TestRead_OfficialExamples_AgreeWithTheTree(t *testing.T) {
	folder := os.Getenv("FHIR_R4_PACKAGE")
	if folder == "" {
		t.Skip("FHIR_R4_PACKAGE is not set: the unpacked package hl7.fhir.r4.examples 4.0.1 was not read")
	}
	for _, typ := range []string{"Task", "CarePlan", "Observation"} {
		files, err := filepath.Glob(filepath.Join(folder, typ+"-*.json"))
		if err != nil || len(files) < 10 {
			t.Fatalf("%d examples of %s, %v", len(files), typ, err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			agree(t, filepath.Base(file), mustParse(t, string(raw)))
		}
	}
}

// agree requires that a resource's typed value is its tree, leaf by leaf in both
// directions, and what encoding/json reads.
func agree(t *testing.T, name string, n *Node) {
	t.Helper()
	typed, err := readAny(n)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	standard := reflect.New(reflect.TypeOf(typed))
	if err := json.Unmarshal(n.JSON(), standard.Interface()); err != nil {
		t.Errorf("%s: encoding/json: %v", name, err)
	} else if !reflect.DeepEqual(typed, standard.Elem().Interface()) {
		t.Errorf("%s: not what encoding/json reads", name)
	}
	held, stands := map[string]string{}, map[string]string{}
	typedLeaves(reflect.ValueOf(typed), n.ResourceType(), held)
	treeLeaves(n, n.ResourceType(), stands)
	for _, path := range slices.Sorted(maps.Keys(held)) {
		if got, ok := stands[path]; !ok || got != held[path] {
			t.Errorf("%s: %s reads %q, the tree has %q", name, path, held[path], got)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(stands)) {
		if _, ok := held[path]; !ok && !notRead.MatchString(path) {
			t.Errorf("%s: %s is in the tree and not read", name, path)
		}
	}
}

// notRead is what the typed values do not hold: what no model knows.
var notRead = regexp.MustCompile(`^(?:` +
	`\w+\.(?:resourceType|contained)` + // the Go type; resources of any type
	`|.*\._` + // extensions of primitives, everywhere
	`|Task\.unknown` + // of our fixture
	`)`)

func readAny(n *Node) (any, error) {
	switch n.ResourceType() {
	case "Task":
		return Read[Task](n)
	case "CarePlan":
		return Read[CarePlan](n)
	}
	return Read[Observation](n)
}

func treeLeaves(n *Node, path string, out map[string]string) {
	switch n.Kind {
	case KindObject:
		for _, m := range n.Members {
			treeLeaves(m.Value, path+"."+m.Name, out)
		}
	case KindArray:
		for i, item := range n.Items {
			treeLeaves(item, path+"["+strconv.Itoa(i)+"]", out)
		}
	case KindNull:
	default:
		out[path] = n.Text
	}
}

// typedLeaves collects what a typed value holds. A mandatory element of the models that is
// "" is absent; a mandatory code is always there.
func typedLeaves(v reflect.Value, path string, out map[string]string) {
	if code, ok := v.Interface().(interface{ Code() string }); ok && v.Kind() == reflect.Int {
		out[path] = code.Code()
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			typedLeaves(v.Elem(), path, out)
		}
	case reflect.Slice:
		for i := range v.Len() {
			typedLeaves(v.Index(i), path+"["+strconv.Itoa(i)+"]", out)
		}
	case reflect.Struct:
		for _, f := range reflect.VisibleFields(v.Type()) {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
				typedLeaves(v.FieldByIndex(f.Index), path+"."+name, out)
			}
		}
	case reflect.String:
		if v.String() != "" {
			out[path] = v.String()
		}
	case reflect.Bool:
		out[path] = strconv.FormatBool(v.Bool())
	default:
		out[path] = strconv.FormatInt(v.Int(), 10)
	}
}

func TestRead_Task_HelpersSayWhatRulesAsk(t *testing.T) {
	task, err := Read[Task](mustParse(t, fixtures[0]))
	if err != nil {
		t.Fatal(err)
	}
	pair := func(a, b string) string { return a + "|" + b }
	for _, c := range []struct{ got, want string }{
		{Code(task.Status), "on-hold"},
		{Code(task.Priority), "asap"},
		{pair(FirstCoding(task.Code)), "urn:k|referral"},
		{pair(FirstCoding(task.BusinessStatus)), "urn:b|deferred"},
		{pair(FirstCoding(task.StatusReason)), "|"},
		{pair(LogicalIdentifier(task.Requester)), SystemHER + "|8094866"},
		{pair(LogicalIdentifier(task.Owner)), SystemOrgNumber + "|974589095"},
		{pair(LogicalIdentifier(task.For)), "|"},
		{pair(LogicalIdentifier(task.Location)), "|"},
		{Literal(task.For), "Patient/1"},
		{Literal(&task.BasedOn[1]), "CarePlan/2"},
		{Literal(task.Location), ""},
		{Value(Value(task.ExecutionPeriod).Start), "2026-03-04"},
		{task.Input[0].ValueDecimal.String(), "1.10"},
		{pair(FirstCoding(&task.Output[0].Type)), "urn:stafett:next|"},
		{Literal(task.Output[0].ValueReference), "Task/2"},
		{pair(FirstCoding(task.Output[1].ValueCodeableConcept)), "|home"},
		{Value(task.Output[2].ValueCode), "home"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
	if in := task.Input; in[1].ValueString != nil || in[2].ValueString != nil || in[3].ValueBoolean != nil {
		t.Errorf("a choice that is not there is read: %+v", in)
	}
}

func TestRead_AbsentRequiredCode_IsNotInvented(t *testing.T) {
	task, err := Read[Task](mustParse(t, `{"resourceType":"Task","_status":{"id":"x"}}`))
	if err != nil || task.Status != nil || task.Intent != nil || Code(task.Status) != "" {
		t.Errorf("%v %v %v", err, task.Status, task.Intent)
	}
	plan, err := Read[CarePlan](mustParse(t, `{"resourceType":"CarePlan","intent":null}`))
	if err != nil || plan.Status != nil || plan.Intent != nil {
		t.Errorf("%v %+v", err, plan)
	}
	observation, err := Read[Observation](mustParse(t, `{"resourceType":"Observation"}`))
	if err != nil || observation.Status != nil {
		t.Errorf("%v %+v", err, observation)
	}
}

func TestRead_CodeOutsideItsList_IsNoCodeOfIt(t *testing.T) {
	task, err := Read[Task](mustParse(t, `{"resourceType":"Task","status":"nearly","identifier":[{"use":"mine","value":"42"}]}`))
	if err != nil || Code(task.Status) != "<unknown>" || Code(task.Identifier[0].Use) != "<unknown>" || Value(task.Identifier[0].Value) != "42" {
		t.Errorf("%v %v %+v", err, task.Status, task.Identifier)
	}
}

func TestRead_WrongShape_RefusedAtPathWithoutValues(t *testing.T) {
	for _, c := range []struct{ raw, path string }{
		{`{"resourceType":"Device"}`, "Task"},
		{`{}`, "Task"},
		{`[{"resourceType":"Task"}]`, "Task"},
		{`{"resourceType":"Task","status":{"a":1}}`, "Task.status"},
		{`{"resourceType":"Task","description":5}`, "Task.description"},
		{`{"resourceType":"Task","for":"SECRET"}`, "Task.for"},
		{`{"resourceType":"Task","basedOn":{"reference":"SECRET"}}`, "Task.basedOn"},
		{`{"resourceType":"Task","basedOn":[{"reference":"a"},{"identifier":{"value":true}}]}`, "Task.basedOn[1].identifier.value"},
		{`{"resourceType":"Task","restriction":{"repetitions":1.5}}`, "Task.restriction.repetitions"},
		{`{"resourceType":"Task","restriction":{"repetitions":"1"}}`, "Task.restriction.repetitions"},
		{`{"resourceType":"Task","restriction":{"repetitions":99999999999999999999}}`, "Task.restriction.repetitions"},
		{`{"resourceType":"Task","input":[{"valueBoolean":"true"}]}`, "Task.input[0].valueBoolean"},
		{`{"resourceType":"Task","input":[{"valueDecimal":"1.0"}]}`, "Task.input[0].valueDecimal"},
		{`{"resourceType":"Task","input":[{"type":{"coding":[[]]}}]}`, "Task.input[0].type.coding[0]"},
	} {
		task, err := Read[Task](mustParse(t, c.raw))
		var e *ReadError
		if !errors.As(err, &e) || e.Path != c.path || strings.Contains(err.Error(), "SECRET") || !reflect.DeepEqual(task, Task{}) {
			t.Errorf("%s: %v", c.raw, err)
		}
	}
	if _, err := Read[Task](nil); err == nil {
		t.Error("nothing is read as a Task")
	}
}

// FuzzRead: no tree makes Read panic.
func FuzzRead(f *testing.F) {
	for _, raw := range fixtures {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		n, err := Parse(raw, DefaultLimits())
		if err != nil {
			return
		}
		for _, typ := range []string{"Task", "CarePlan", "Observation"} {
			n.Set("resourceType", Str(typ))
			readAny(n)
		}
	})
}

func TestTyped_Written_Refused(t *testing.T) {
	for _, v := range []any{Task{}, CarePlan{}, Observation{}} {
		if raw, err := json.Marshal(v); err == nil {
			t.Errorf("%T is written as %s", v, raw)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	n := mustParse(b, string(benchTask()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read[Task](n); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead_EncodingJSON(b *testing.B) {
	n := mustParse(b, string(benchTask()))
	b.ReportAllocs()
	for b.Loop() {
		var task Task
		if err := json.Unmarshal(n.JSON(), &task); err != nil {
			b.Fatal(err)
		}
	}
}
