package fhir

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func mustParse(t testing.TB, s string) *Node {
	t.Helper()
	n, err := Parse([]byte(s), DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

const transaction = `{"resourceType":"Bundle","type":"transaction","entry":[
{"fullUrl":"urn:uuid:11111111-1111-4111-8111-111111111111","resource":{"resourceType":"Patient","active":true},"request":{"method":"POST","url":"Patient","ifNoneExist":"identifier=s|v"}},
{"fullUrl":"http://a.example/fhir/CarePlan/cp","resource":{"resourceType":"CarePlan","id":"cp","subject":{"reference":"urn:uuid:11111111-1111-4111-8111-111111111111"},
 "contained":[{"resourceType":"Goal","id":"g","subject":{"reference":"urn:uuid:11111111-1111-4111-8111-111111111111"}}],"goal":[{"reference":"#g"}]},"request":{"method":"POST","url":"CarePlan"}},
{"fullUrl":"http://a.example/fhir/Task/t1","resource":{"resourceType":"Task","id":"t1","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\"http://a.example/fhir/CarePlan/cp\">x</a></div>"},
 "basedOn":[{"reference":"CarePlan/cp"}],"for":{"reference":"Patient?identifier=s%7Cv"},"owner":{"reference":"Organization?identifier=o"},
 "input":[{"type":{"text":"x"},"valueReference":{"reference":"http://a.example/fhir/CarePlan/cp/_history/3"}},{"type":{"text":"y"},"valueUri":"urn:uuid:11111111-1111-4111-8111-111111111111"}],
 "extension":[{"url":"u","valueReference":{"reference":"urn:uuid:11111111-1111-4111-8111-111111111111"}}],"identifier":[{"system":"urn:ietf:rfc:3986","value":"urn:uuid:11111111-1111-4111-8111-111111111111"}]},
 "request":{"method":"PUT","url":"Task/t1","ifMatch":"W/\"4\""}},
{"request":{"method":"DELETE","url":"Flag/f"}},
{"request":{"method":"GET","url":"Task?status=requested"}}]}`

func TestResolveTransaction_References_AllRewritten(t *testing.T) {
	mode, entries, err := BundleEntries(mustParse(t, transaction))
	if err != nil || mode != WriteTransaction || len(entries) != 5 {
		t.Fatalf("%v %v %d", err, mode, len(entries))
	}
	if entries[2].IfMatch != 4 || entries[4].Query != "status=requested" || entries[0].IfNoneExist != "identifier=s|v" {
		t.Errorf("entries %+v", entries)
	}
	if err := ResolveTransaction(entries, func(i int, typ string) string { return fmt.Sprintf("%s-%d", strings.ToLower(typ), i) }); err != nil {
		t.Fatal(err)
	}
	want := `{"resourceType":"CarePlan","id":"careplan-1","subject":{"reference":"Patient/patient-0"},"contained":[{"resourceType":"Goal","id":"g","subject":{"reference":"Patient/patient-0"}}],"goal":[{"reference":"#g"}]}`
	if got := string(entries[1].Resource.JSON()); got != want {
		t.Errorf("CarePlan\n got %s\nwant %s", got, want)
	}
	want = `{"resourceType":"Task","id":"t1","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\"CarePlan/careplan-1\">x</a></div>"},"basedOn":[{"reference":"CarePlan/careplan-1"}],"for":{"reference":"Patient/patient-0"},"owner":{"reference":"Organization?identifier=o"},"input":[{"type":{"text":"x"},"valueReference":{"reference":"CarePlan/careplan-1"}},{"type":{"text":"y"},"valueUri":"Patient/patient-0"}],"extension":[{"url":"u","valueReference":{"reference":"Patient/patient-0"}}],"identifier":[{"system":"urn:ietf:rfc:3986","value":"urn:uuid:11111111-1111-4111-8111-111111111111"}]}`
	if got := string(entries[2].Resource.JSON()); got != want {
		t.Errorf("Task\n got %s\nwant %s", got, want)
	}
	if got := string(entries[0].Resource.JSON()); got != `{"resourceType":"Patient","id":"patient-0","active":true}` {
		t.Errorf("Patient %s", got)
	}
	if err := ResolveConditional(entries, func(typ, query string) (string, error) { return typ + "1", nil }); err != nil {
		t.Fatal(err)
	}
	if got := entries[2].Resource.Str("owner", "reference"); got != "Organization/Organization1" {
		t.Errorf("conditional reference: %s", got)
	}
}

func TestResolveTransaction_Unresolvable_Refused(t *testing.T) {
	task := func(s string) *Node { return mustParse(t, s) }
	for _, c := range []struct {
		name    string
		entries []WriteEntry
		path    string
	}{
		{"unknown urn", []WriteEntry{{Method: "POST", Type: "Task", Resource: task(`{"resourceType":"Task","for":{"reference":"urn:uuid:0"}}`)}}, "Bundle.entry[0].resource"},
		{"unknown urn in contained", []WriteEntry{{Method: "POST", Type: "Task", Resource: task(`{"resourceType":"Task","contained":[{"a":[{"reference":"urn:stafett:patient"}]}]}`)}}, "Bundle.entry[0].resource"},
		{"same fullUrl", []WriteEntry{
			{Method: "POST", Type: "Task", FullURL: "urn:uuid:1", Resource: task(`{"resourceType":"Task"}`)},
			{Method: "POST", Type: "Task", FullURL: "urn:uuid:1", Resource: task(`{"resourceType":"Task"}`)}}, "Bundle.entry[1].fullUrl"},
		{"same resource", []WriteEntry{
			{Method: "PUT", Type: "Task", ID: "a", Resource: task(`{"resourceType":"Task","id":"a"}`)},
			{Method: "DELETE", Type: "Task", ID: "a"}}, "Bundle.entry[1]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := 0
			err := ResolveTransaction(c.entries, func(int, string) string { n++; return fmt.Sprint("id", n) })
			var e *BundleError
			if !errors.As(err, &e) || e.Path != c.path {
				t.Errorf("got %v, want an error at %s", err, c.path)
			}
		})
	}
}

func TestBundleEntries_Wrong_RefusedAtElement(t *testing.T) {
	entry := func(s string) string { return `{"resourceType":"Bundle","type":"batch","entry":[` + s + `]}` }
	for _, c := range []struct{ in, path string }{
		{`{"resourceType":"Task"}`, "Bundle"},
		{`{"resourceType":"Bundle","type":"history"}`, "Bundle.type"},
		{entry(`{}`), "Bundle.entry[0].request.method"},
		{entry(`{"request":{"method":"PATCH","url":"Task/a"}}`), "Bundle.entry[0].request.method"},
		{entry(`{"request":{"method":"GET","url":"task"}}`), "Bundle.entry[0].request.url"},
		{entry(`{"request":{"method":"GET","url":"Task/a/_history"}}`), "Bundle.entry[0].request.url"},
		{entry(`{"request":{"method":"POST","url":"Task"}}`), "Bundle.entry[0].resource"},
		{entry(`{"resource":{"resourceType":"Flag"},"request":{"method":"POST","url":"Task"}}`), "Bundle.entry[0].resource.resourceType"},
		{entry(`{"resource":{"resourceType":"Task"},"request":{"method":"POST","url":"Task/a"}}`), "Bundle.entry[0].request.url"},
		{entry(`{"resource":{"resourceType":"Task"},"request":{"method":"PUT","url":"Task"}}`), "Bundle.entry[0].request.url"},
		{entry(`{"resource":{"resourceType":"Task","id":"b"},"request":{"method":"PUT","url":"Task/a"}}`), "Bundle.entry[0].resource.id"},
		{entry(`{"resource":{"resourceType":"Task","id":"b"},"request":{"method":"PUT","url":"Task/b","ifMatch":"3"}}`), "Bundle.entry[0].request.ifMatch"},
		{entry(`{"resource":{"resourceType":"Task","id":"b"},"request":{"method":"PUT","url":"Task/b","ifNoneExist":"a=b"}}`), "Bundle.entry[0].request.ifNoneExist"},
		{entry(`{"resource":{"resourceType":"Task"},"request":{"method":"DELETE","url":"Task/b"}}`), "Bundle.entry[0].resource"},
		{entry(`{"request":{"method":"DELETE","url":"Task"}}`), "Bundle.entry[0].request.url"},
	} {
		_, _, err := BundleEntries(mustParse(t, c.in))
		var e *BundleError
		if !errors.As(err, &e) || e.Path != c.path {
			t.Errorf("%s: got %v, want an error at %s", c.in, err, c.path)
		}
	}
}

func TestSplitReference(t *testing.T) {
	for _, c := range []struct{ in, base, typ, id string }{
		{"Patient/1", "", "Patient", "1"},
		{"Patient/1/_history/2", "", "Patient", "1"},
		{"https://x.example/fhir/Patient/1", "https://x.example/fhir/", "Patient", "1"},
		{"#a", "", "", ""}, {"urn:uuid:1", "", "", ""}, {"Patient?a=b", "", "", ""}, {"Patient", "", "", ""},
		{"patient/1", "", "", ""}, {"a/Patient/1", "", "", ""}, {"Patient/", "", "", ""}, {"", "", "", ""}, {"/1", "", "", ""}, {"Patient/a b", "", "", ""},
	} {
		base, typ, id, ok := SplitReference(c.in)
		if base != c.base || typ != c.typ || id != c.id || ok != (c.typ != "") {
			t.Errorf("%q: %q %q %q %v", c.in, base, typ, id, ok)
		}
	}
}
