package search

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"stafett/fhir"
)

func parse(t testing.TB, s string) *fhir.Node {
	t.Helper()
	n, err := fhir.Parse([]byte(s), fhir.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// spelled is a row on one line, without _id.
func spelled(rows []Row) []string {
	var out []string
	for _, r := range rows {
		s := r.Param + " "
		switch r.Kind {
		case KindDate:
			s += stamp(r.Low) + " " + stamp(r.High)
		case KindReference:
			s += r.RefType + "/" + r.RefID + " " + r.System + "|" + r.Value
		case KindQuantity, KindNumber:
			s += fmt.Sprint(r.Number, " ", r.Unit)
		case KindString:
			s += r.Value
		default:
			s += r.System + "|" + r.Value
		}
		out = append(out, s)
	}
	return out
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "open"
	}
	return t.Format(time.RFC3339Nano)
}

func TestRows_Resources_EveryKind(t *testing.T) {
	at := time.Date(2026, 11, 22, 4, 0, 0, 123456789, time.UTC)
	for _, c := range []struct {
		name, in string
		want     []string
	}{
		{"task", `{"resourceType":"Task","id":"t1","meta":{"tag":[{"system":"s","code":"c"}],"profile":["http://p|1"]},
			"identifier":[{"system":"http://hl7.no/fhir/NamingSystem/HERid","value":"1"},{"value":"only"},{"system":"s"}],"status":"requested","intent":"order",
			"code":{"coding":[{"system":"urn:stafett:handover-kind","code":"discharge"},{"system":"urn:stafett:handover-kind","code":"discharge"}]},
			"for":{"reference":"Patient/p/_history/4"},"basedOn":[{"reference":"#local"},{"reference":"https://other.example/fhir/CarePlan/7"}],
			"focus":{"reference":"urn:uuid:1"},"requester":{"type":"Organization","identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80001"}},
			"owner":{"reference":"Organization/o","identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80002"}},
			"executionPeriod":{"start":"2026-11-23"},"authoredOn":"2026-11-22T04:00:00+01:00"}`,
			[]string{"_id |t1", "_lastUpdated 2026-11-22T04:00:00.123456Z 2026-11-22T04:00:00.123457Z", "_profile |http://p|1", "_tag s|c",
				"authored-on 2026-11-22T03:00:00Z 2026-11-22T03:00:01Z", "based-on /https://other.example/fhir/CarePlan/7 |",
				"code urn:stafett:handover-kind|discharge", "focus /urn:uuid:1 |",
				"identifier urn:oid:2.16.578.1.12.4.1.2|1", "identifier |only", "intent |order", "owner Organization/o urn:oid:2.16.578.1.12.4.1.2|80002",
				"patient Patient/p |", "period 2026-11-22T23:00:00Z open", "requester Organization/ urn:oid:2.16.578.1.12.4.1.2|80001", "status |requested", "subject Patient/p |"}},
		{"patient", `{"resourceType":"Patient","id":"p","active":true,"name":[{"family":"SÆTRE","given":["Åshild  Eksempel",null]}],"birthDate":"1939-01-05",
			"telecom":[{"system":"phone","value":"99999999"},{"system":"email","value":"a@b.example"}],"address":[{"use":"home","line":["Storgata 1"],"postalCode":"9901"}],"deceasedDateTime":"2026"}`,
			[]string{"_id |p", "_lastUpdated 2026-11-22T04:00:00.123456Z 2026-11-22T04:00:00.123457Z", "active |true",
				"birthdate 1939-01-04T23:00:00Z 1939-01-05T23:00:00Z", "death-date 2025-12-31T23:00:00Z 2026-12-31T23:00:00Z", "deceased |true", "family saetre",
				"given ashild eksempel", "name saetre", "name ashild eksempel"}},
		{"observation", `{"resourceType":"Observation","status":"final","effectiveTiming":{"event":["2026-02","2026-01-01"]},"valueQuantity":{"value":1.10e1,"unit":"milligram","system":"http://unitsofmeasure.org","code":"mg"},
			"component":[{"valueQuantity":{"value":5,"unit":"poeng"}}],"subject":{"type":"Patient","identifier":{"value":"x"}}}`,
			[]string{"_lastUpdated 2026-11-22T04:00:00.123456Z 2026-11-22T04:00:00.123457Z", "combo-value-quantity 11 mg", "combo-value-quantity 5 poeng", "component-value-quantity 5 poeng",
				"date 2025-12-31T23:00:00Z 2026-02-28T23:00:00Z", "patient Patient/ |x", "status |final", "subject Patient/ |x", "value-quantity 11 mg"}},
		{"bundle", `{"resourceType":"Bundle","type":"message","timestamp":"2026-11-22T04:00:00.5Z","entry":[{"resource":{"resourceType":"MessageHeader","id":"m"}},{"resource":{"resourceType":"Composition","id":"c"}}]}`,
			[]string{"_lastUpdated 2026-11-22T04:00:00.123456Z 2026-11-22T04:00:00.123457Z", "message MessageHeader/m |", "timestamp 2026-11-22T04:00:00.5Z 2026-11-22T04:00:00.6Z", "type |message"}},
		{"goal and plan", `{"resourceType":"CarePlan","id":"c","instantiatesCanonical":["http://x|2"],"instantiatesUri":["urn:u"],"period":{"end":"2026-01"}}`,
			[]string{"_id |c", "_lastUpdated 2026-11-22T04:00:00.123456Z 2026-11-22T04:00:00.123457Z", "date open 2026-01-31T23:00:00Z", "instantiates-canonical /http://x|2 |", "instantiates-canonical /http://x |", "instantiates-uri |urn:u"}},
		{"wrong shapes", `{"resourceType":"Task","id":5,"status":["a"],"intent":{},"for":"x","code":[[]],"authoredOn":"yesterday","executionPeriod":{"start":"2026-02-30"},"identifier":"x"}`,
			[]string{"_lastUpdated 2026-11-22T04:00:00.123456Z 2026-11-22T04:00:00.123457Z", "status |a"}},
		{"not stored", `{"resourceType":"Medication","id":"m","status":"active"}`, []string{"_id |m", "_lastUpdated 2026-11-22T04:00:00.123456Z 2026-11-22T04:00:00.123457Z"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows, err := Rows(parse(t, c.in), Meta{LastUpdated: at})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, spelled(rows)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRows_TooMany_Refused(t *testing.T) {
	n := fhir.Obj("resourceType", "Task")
	for i := range rowsMax + 10 {
		n.Append("identifier", fhir.Identifier("s", fmt.Sprint(i)))
	}
	if _, err := Rows(n, Meta{}); !errors.Is(err, ErrTooManyRows) {
		t.Errorf("got %v", err)
	}
	if _, err := Rows(fhir.Obj("a", "b"), Meta{}); err == nil {
		t.Error("what is no resource has rows")
	}
}

func TestDateRange(t *testing.T) {
	for _, c := range []struct{ in, low, high string }{
		{"2026", "2025-12-31T23:00:00Z", "2026-12-31T23:00:00Z"},
		{"2024-02", "2024-01-31T23:00:00Z", "2024-02-29T23:00:00Z"},
		{"2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"}, // 23 hours: summer time starts
		{"2026-11-22T10:11Z", "2026-11-22T10:11:00Z", "2026-11-22T10:12:00Z"},
		{"2026-11-22T10:11:12-02:30", "2026-11-22T12:41:12Z", "2026-11-22T12:41:13Z"},
		{"2026-11-22T10:11:12 01:00", "2026-11-22T09:11:12Z", "2026-11-22T09:11:13Z"},
		{"2026-07-01T10:00:00", "2026-07-01T08:00:00Z", "2026-07-01T08:00:01Z"},
		{"2026-11-22T23:59:60Z", "2026-11-23T00:00:00Z", "2026-11-23T00:00:01Z"},
		{"2026-11-22T10:11:12.1234567Z", "2026-11-22T10:11:12.123456Z", "2026-11-22T10:11:12.123457Z"},
		{"", "", ""}, {"26", "", ""}, {"0000", "", ""}, {"2026-13", "", ""}, {"2026-00-01", "", ""}, {"2026-02-30", "", ""}, {"2026-1-1", "", ""}, {"2026-01-01-01", "", ""},
		{"2026T10:00Z", "", ""}, {"2026-01-01T", "", ""}, {"2026-01-01T24:00Z", "", ""}, {"2026-01-01T10:00:00.Z", "", ""}, {"2026-01-01T10:00:00.1234567xZ", "", ""},
		{"2026-01-01T10:00:00+15:00", "", ""}, {"2026-01-01T1:00Z", "", ""}, {"+026-01-01", "", ""}, {"2026-01-01T10:00+1:000", "", ""},
	} {
		low, high, ok := dateRange(c.in)
		if ok != (c.low != "") || ok && (stamp(low) != c.low || stamp(high) != c.high) {
			t.Errorf("%q: %v [%s, %s)", c.in, ok, stamp(low), stamp(high))
		}
	}
}

func TestNormalise(t *testing.T) {
	for in, want := range map[string]string{"MYRVANG": "myrvang", "Torbjørn  Prøve": "torbjorn prove", " Ærlig\tÅ ": "aerlig a", "é": "e",
		"Ŋuorra": "nuorra", "straße": "strasse", "  ": "", "plain 1": "plain 1", "\u0001": "", "A\u0000b": "ab"} {
		if got := Normalise(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		if once := Normalise(s); Normalise(once) != once {
			t.Fatalf("%q: %q, then %q", s, once, Normalise(once))
		}
	})
}

func TestParams_Tables(t *testing.T) {
	total := 0
	for _, typ := range fhir.StoredTypes() {
		params := Params(typ)
		total += len(params)
		if len(params) < 6 || params[0].Code != "_id" || params[1].Code != "_lastUpdated" {
			t.Errorf("%s: %v", typ, params)
		}
		for _, p := range params {
			if !slices.Contains([]Kind{KindToken, KindString, KindDate, KindReference, KindURI, KindQuantity, KindNumber}, p.Kind) {
				t.Errorf("%s.%s is of kind %s", typ, p.Code, p.Kind)
			}
		}
	}
	if total != 962 {
		t.Errorf("%d parameters are compiled", total)
	}
	counts := map[string]int{}
	for _, u := range compiled().uncompiled {
		counts[u.Reason]++
	}
	want := map[string]int{"a person's address and telephone are not indexed": 27, "composite: not supported": 31, "needs a phonetic algorithm": 4, "needs full text search": 90,
		"no element of a searchable type": 2, "no named queries": 46, "on an extension": 7, "special: needs geography": 1}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Errorf("not compiled: %s", diff)
	}
	if Params("Medication") != nil {
		t.Error("a type that is not stored has parameters")
	}
}

func query(t *testing.T, typ, raw string) (Query, error) {
	t.Helper()
	values, err := url.ParseQuery(raw)
	if err != nil {
		t.Fatal(err)
	}
	return ParseQuery(typ, values)
}

func TestParseQuery_Understood(t *testing.T) {
	day := func(s string) time.Time { v, _, _ := dateRange(s); return v }
	for _, c := range []struct {
		typ, in string
		want    Query
	}{
		{"Task", "", Query{Count: 50}},
		{"Task", "_count=5000&_sort=-_lastUpdated&_total=accurate&_after=x&_format=json", Query{Count: 1000, SortDescending: true, Total: true, After: "x"}},
		{"Task", "status=requested,received&_id=a", Query{Count: 50, Clauses: []Clause{
			{Param: "_id", Kind: KindToken, Values: []Value{{Value: "a"}}},
			{Param: "status", Kind: KindToken, Values: []Value{{Value: "requested"}, {Value: "received"}}}}}},
		{"Patient", "identifier=http://hl7.no/fhir/NamingSystem/FNR%7C1&identifier=%7C2&identifier=s%7C&identifier:not=a%5C%7Cb%5C,c", Query{Count: 50, Clauses: []Clause{
			{Param: "identifier", Kind: KindToken, Values: []Value{{HasSystem: true, System: fhir.SystemFNR, Value: "1"}}},
			{Param: "identifier", Kind: KindToken, Values: []Value{{HasSystem: true, Value: "2"}}},
			{Param: "identifier", Kind: KindToken, Values: []Value{{HasSystem: true, System: "s"}}},
			{Param: "identifier", Kind: KindToken, Modifier: ModifierNot, Values: []Value{{Value: "a|b,c"}}}}}},
		{"Task", "patient=7&subject=7&owner=Organization/1/_history/2&owner:Organization=3&owner:identifier=s%7C4&focus=https://x.example/A/1&focus=urn:uuid:1", Query{Count: 50, Clauses: []Clause{
			{Param: "focus", Kind: KindReference, Values: []Value{{RefID: "https://x.example/A/1"}}},
			{Param: "focus", Kind: KindReference, Values: []Value{{RefID: "urn:uuid:1"}}},
			{Param: "owner", Kind: KindReference, Values: []Value{{RefType: "Organization", RefID: "1"}}},
			{Param: "owner", Kind: KindReference, Values: []Value{{RefType: "Organization", RefID: "3"}}},
			{Param: "owner", Kind: KindReference, Modifier: ModifierIdentifier, Values: []Value{{HasSystem: true, System: "s", Value: "4"}}},
			{Param: "patient", Kind: KindReference, Values: []Value{{RefType: "Patient", RefID: "7"}}},
			{Param: "subject", Kind: KindReference, Values: []Value{{RefID: "7"}}}}}},
		{"Patient", "family=S%C3%A6tre&given:exact=%C3%85&name:contains=X&birthdate=ge1939&birthdate=lt1940-02", Query{Count: 50, Clauses: []Clause{
			{Param: "birthdate", Kind: KindDate, Values: []Value{{Prefix: PrefixGe, Low: day("1939"), High: day("1940")}}},
			{Param: "birthdate", Kind: KindDate, Values: []Value{{Prefix: PrefixLt, Low: day("1940-02"), High: day("1940-03")}}},
			{Param: "family", Kind: KindString, Values: []Value{{Value: "saetre", System: "Sætre"}}},
			{Param: "given", Kind: KindString, Modifier: ModifierExact, Values: []Value{{Value: "a", System: "Å"}}},
			{Param: "name", Kind: KindString, Modifier: ModifierContains, Values: []Value{{Value: "x", System: "X"}}}}}},
		{"Observation", "value-quantity=gt5.40%7Chttp://unitsofmeasure.org%7Cmg&value-quantity=-1e2&subject:missing=true", Query{Count: 50, Clauses: []Clause{
			{Param: "subject", Kind: KindReference, Modifier: ModifierMissing, Values: []Value{{Value: "true"}}},
			{Param: "value-quantity", Kind: KindQuantity, Values: []Value{{Prefix: PrefixGt, Number: 5.4, System: "http://unitsofmeasure.org", Value: "mg"}}},
			{Param: "value-quantity", Kind: KindQuantity, Values: []Value{{Prefix: PrefixEq, Number: -100}}}}}},
		{"CarePlan", "instantiates-uri=urn:u&_profile=http://p%7C1", Query{Count: 50, Clauses: []Clause{
			{Param: "_profile", Kind: KindURI, Values: []Value{{Value: "http://p|1"}}},
			{Param: "instantiates-uri", Kind: KindURI, Values: []Value{{Value: "urn:u"}}}}}},
	} {
		got, err := query(t, c.typ, c.in)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		c.want.Type = c.typ
		if diff := cmp.Diff(c.want, got, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); diff != "" {
			t.Errorf("%s: %s", c.in, strings.ReplaceAll(diff, "Prefix: \"\"", ""))
		}
	}
}

func TestParseQuery_NotUnderstood_Refused(t *testing.T) {
	many := strings.TrimSuffix(strings.Repeat("a,", 101), ",")
	clauses := strings.TrimSuffix(strings.Repeat("status=a&", 33), "&")
	for _, c := range []struct{ typ, in, code, text string }{
		{"Medication", "", "not-supported", "the resource type is not stored here"},
		{"Task", "stauts=a", "not-supported", "stauts: no search parameter of this type"},
		{"Task", "Solveig%20Myrvang=a", "not-supported", "?: no search parameter of this type"},
		{"Task", "patient.name=a", "not-supported", "patient.name: chained parameters are not supported: search the referenced type first"},
		{"Task", "patient:Patient.name=a", "not-supported", "patient:Patient.name: the modifier is not supported; supported are: :missing, :identifier, :<resource type>"},
		{"Task", "_include=Task:owner", "not-supported", refused["_include"]},
		{"Task", "_revinclude:iterate=x", "not-supported", refused["_revinclude"]},
		{"Task", "_has:Observation:patient:code=1", "not-supported", refused["_has"]},
		{"Task", "_text=x", "not-supported", "_text: not supported (needs full text search)"},
		{"Observation", "code-value-quantity=x", "not-supported", "code-value-quantity: not supported (composite: not supported)"},
		{"Task", "status:text=a", "not-supported", "status:text: the modifier is not supported; supported are: :missing, :not"},
		{"Task", "status:missing=yes", "value", "status:missing: true or false is expected"},
		{"Task", "status=", "value", "status: a value is expected"},
		{"Task", "status=a,", "value", "status: a value is expected"},
		{"Task", "status=%7C", "value", "status: a system or a code is expected"},
		{"Task", "status=a%7Cb%7Cc", "value", "status: code, system|code, |code or system| is expected"},
		{"Task", "status=" + many, "too-costly", "status: more than 100 alternatives"},
		{"Task", clauses, "too-costly", "more than 32 parameters"},
		{"Task", "status=" + strings.Repeat("a", 2001), "too-long", "status: a value of more than 2000 bytes"},
		{"Task", "owner=a b", "value", "owner: id, Type/id or a URL is expected"},
		{"Task", "owner:Organization=Practitioner/1", "value", "owner:Organization: the type of the value is not the modifier's"},
		{"Task", "modified=yesterday", "not-supported", "modified: the prefix is not supported; supported are: eq, ne, gt, lt, ge, le"},
		{"Task", "modified=ap2026", "not-supported", "modified: the prefix is not supported; supported are: eq, ne, gt, lt, ge, le"},
		{"Task", "modified=22.11.2026", "value", "modified: a date is expected: YYYY, YYYY-MM, YYYY-MM-DD or with Thh:mm, seconds and zone"},
		{"Observation", "value-quantity=NaN", "value", "value-quantity: a number is expected"},
		{"Observation", "value-quantity=0x10", "value", "value-quantity: a number is expected"},
		{"Observation", "value-quantity=1%7Cmg", "value", "value-quantity: a number is expected, for a quantity also number|system|code"},
		{"Patient", "family=%20", "value", "family: a value with letters or digits is expected"},
		{"Task", "_count=0", "value", "_count: a number of 1 or more is expected"},
		{"Task", "_count=-1", "value", "_count: a number of 1 or more is expected"},
		{"Task", "_sort=status", "not-supported", "_sort: only _lastUpdated and -_lastUpdated are supported"},
		{"Task", "_total=all", "value", "_total: none, estimate or accurate is expected"},
		{"Task", "_after=", "value", "_after: not a page link of ours"},
	} {
		_, err := query(t, c.typ, c.in)
		var e *Error
		if !errors.As(err, &e) || len(e.Issues) != 1 || e.Issues[0].Code != c.code || e.Issues[0].Details != c.text {
			t.Errorf("%.60s: got %+v", c.in, err)
		}
	}
}

// A resource must be found by every date and token that it was indexed under.
func TestRows_AndQuery_ReadDatesAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(-5e9, 5e9).Draw(t, "at"), 0).In(time.FixedZone("", 3600*rapid.IntRange(-12, 14).Draw(t, "zone")))
		text := at.Format(rapid.SampledFrom([]string{"2006", "2006-01", "2006-01-02", time.RFC3339}).Draw(t, "precision"))
		rows, err := Rows(fhir.Obj("resourceType", "Task", "authoredOn", text), Meta{})
		if err != nil || len(rows) != 1 {
			t.Fatalf("%s: %v %v", text, rows, err)
		}
		q, err := ParseQuery("Task", url.Values{"authored-on": {text}})
		if err != nil {
			t.Fatal(err)
		}
		if v := q.Clauses[0].Values[0]; !v.Low.Equal(rows[0].Low) || !v.High.Equal(rows[0].High) || !v.Low.Before(v.High) {
			t.Fatalf("%s: %v, %v", text, rows[0], v)
		}
	})
}

func FuzzParseQuery(f *testing.F) {
	for _, s := range []string{"status=a,b", "identifier=s|v", `identifier=a\`, "modified=ge2026-01-01T00:00:00Z", "owner:identifier=|"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		values, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		for _, typ := range []string{"Task", "Patient", "Observation"} {
			q, err := ParseQuery(typ, values)
			if err != nil && len(err.(*Error).Issues) == 0 {
				t.Fatal("an error without issues")
			}
			for _, c := range q.Clauses {
				if len(c.Values) == 0 {
					t.Fatalf("a clause without values: %+v", c)
				}
			}
		}
	})
}

func FuzzRows(f *testing.F) {
	f.Add([]byte(`{"resourceType":"Task","id":"a","status":"x","for":{"reference":"Patient/1"},"executionPeriod":{"start":"2026"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		n, err := fhir.Parse(raw, fhir.DefaultLimits())
		if err != nil {
			return
		}
		rows, _ := Rows(n, Meta{})
		for _, r := range rows {
			if r.Param == "" || r.Kind == "" {
				t.Fatalf("%+v", r)
			}
		}
	})
}

func BenchmarkRows_Task(b *testing.B) {
	input := strings.TrimSuffix(strings.Repeat(`{"type":{"text":"x"},"valueString":"y"},`, 12), ",")
	n := parse(b, `{"resourceType":"Task","id":"t1","meta":{"versionId":"1"},"identifier":[{"system":"s","value":"1"}],"status":"requested","intent":"order","priority":"routine",
		"code":{"coding":[{"system":"urn:stafett:handover-kind","code":"discharge"}]},"for":{"reference":"Patient/p"},"encounter":{"reference":"Encounter/e"},"focus":{"reference":"ServiceRequest/s"},
		"requester":{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80001"}},"owner":{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80002"}},
		"executionPeriod":{"start":"2026-11-23"},"authoredOn":"2026-11-22T04:00:00+01:00","lastModified":"2026-11-22T04:00:00+01:00","input":[`+input+`]}`)
	at := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Rows(n, Meta{LastUpdated: at}); err != nil {
			b.Fatal(err)
		}
	}
}
