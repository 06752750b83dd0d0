package fhirbundle

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stafett/adapters"
	"stafett/adapters/adaptertest"
	"stafett/conformance"
	"stafett/fhir"
	"stafett/handover"
	"stafett/message"
)

const awkward = `{ "resourceType" : "Patient", "id":"p1", "active":true, "_birthDate":{"extension":[{"url":"u","valueDecimal":1.10},{"url":"v","valueDecimal":1e2}]},
 "name":[{"given":["Solveig",null,"Testdatter"],"_given":[null,{"id":"g"},null],"family":"MYRVANG \" \\ \n å"}],
 "contained":[{"resourceType":"Organization","id":"o"}], "odd":[[1,[]],[],{}], "none":[], "empty":{}, "null":null }`

func parse(t testing.TB, s string) *fhir.Node {
	t.Helper()
	n, err := fhir.Parse([]byte(s), fhir.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func transaction(t testing.TB) []byte {
	return Codec{Base: "https://stafett.example/fhir/"}.Bundle("m-1", time.Date(2026, 11, 22, 5, 0, 0, 0, time.FixedZone("", 3600)), []*fhir.Node{
		parse(t, `{"resourceType":"Patient","id":"p1","name":[{"family":"MYRVANG"}]}`),
		parse(t, `{"resourceType":"Task","id":"t1","status":"requested","intent":"order","for":{"reference":"Patient/p1"},"description":"a<b>&c"}`)})
}

func TestTransaction_Exact(t *testing.T) {
	want := `{"resourceType":"Bundle","identifier":{"system":"urn:stafett:message","value":"m-1"},"type":"transaction","timestamp":"2026-11-22T04:00:00.000Z","entry":[` +
		`{"fullUrl":"https://stafett.example/fhir/Patient/p1","resource":{"resourceType":"Patient","id":"p1","name":[{"family":"MYRVANG"}]},"request":{"method":"PUT","url":"Patient/p1"}},` +
		`{"fullUrl":"https://stafett.example/fhir/Task/t1","resource":{"resourceType":"Task","id":"t1","status":"requested","intent":"order","for":{"reference":"Patient/p1"},"description":"a<b>&c"},"request":{"method":"PUT","url":"Task/t1"}}]}`
	if got := string(transaction(t)); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func TestTransaction_IsReadByFHIRAndConforms(t *testing.T) {
	plain := Codec{}.Bundle("m-1", time.Now(), []*fhir.Node{parse(t, `{"resourceType":"Flag","id":"f","status":"active","code":{"text":"x"},"subject":{"reference":"Patient/p"}}`)})
	again := Codec{}.Bundle("m-1", time.Now(), []*fhir.Node{parse(t, `{"resourceType":"Flag","id":"f"}`)})
	for _, raw := range [][]byte{transaction(t), plain} {
		n := parse(t, string(raw))
		for _, i := range conformance.Validate(n) {
			t.Errorf("%+v", i)
		}
		mode, entries, err := fhir.BundleEntries(n)
		if err != nil || mode != fhir.WriteTransaction {
			t.Fatal(err, mode)
		}
		if err := fhir.ResolveTransaction(entries, func(int, string) string { return "x" }); err != nil {
			t.Error(err)
		}
	}
	url := func(raw []byte) string { return parse(t, string(raw)).Str("entry", "fullUrl") }
	if url(plain) != url(again) || !strings.HasPrefix(url(plain), "urn:uuid:") {
		t.Errorf("fullUrl %s, then %s", url(plain), url(again))
	}
}

func TestCodec_Suite(t *testing.T) {
	adaptertest.RunCodec(t, Codec{}, adaptertest.Samples{
		Good:    [][]byte{transaction(t), []byte(awkward), []byte("\n" + awkward + "\n")},
		Private: []string{"MYRVANG", "Solveig"},
	})
}

func TestCodec_RoundTrip_Exact(t *testing.T) {
	m, err := Codec{}.Decode([]byte(awkward), message.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := Codec{}.Encode(m.Root)
	if err != nil {
		t.Fatal(err)
	}
	if want := parse(t, awkward).JSON(); !bytes.Equal(raw, want) {
		t.Errorf("\n got %s\nwant %s", raw, want)
	}
	if got := m.Root.Text("name", "family"); got != "MYRVANG \" \\ \n å" {
		t.Errorf("family %q", got)
	}
	given := m.Root.At("name").All("given")
	if len(given) != 3 || given[2].Value != "Testdatter" || string(m.Verbatim(given[2])) != `"Testdatter"` {
		t.Errorf("given %+v", given)
	}
	if got := string(m.Verbatim(m.Root.At("name", "family"))); got != `"MYRVANG \" \\ \n å"` {
		t.Errorf("verbatim %s", got)
	}
}

func TestCodec_AnyObject_RoundTrips(t *testing.T) {
	var value func(depth int) *rapid.Generator[*fhir.Node]
	value = func(depth int) *rapid.Generator[*fhir.Node] {
		return rapid.Custom(func(t *rapid.T) *fhir.Node {
			kinds := 6
			if depth == 0 {
				kinds = 4
			}
			switch rapid.IntRange(1, kinds).Draw(t, "kind") {
			case 1:
				return fhir.Str(rapid.String().Draw(t, "text"))
			case 2:
				return fhir.Num(rapid.StringMatching(`-?(0|[1-9][0-9]{0,5})(\.[0-9]{1,5})?([eE][+-]?[0-9]{1,2})?`).Draw(t, "number"))
			case 3:
				return fhir.Bool(rapid.Bool().Draw(t, "bool"))
			case 4:
				return fhir.Null()
			case 5:
				return fhir.Arr(rapid.SliceOfN(value(depth-1), 0, 4).Draw(t, "items")...)
			}
			n := fhir.Obj()
			for range rapid.IntRange(0, 5).Draw(t, "members") {
				n.Set(rapid.String().Draw(t, "name"), value(depth-1).Draw(t, "value"))
			}
			return n
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		n := fhir.Obj("resourceType", "Basic", "v", value(4).Draw(t, "v"))
		m, err := Codec{}.Decode(n.JSON(), message.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		raw, err := Codec{}.Encode(m.Root)
		if err != nil || !bytes.Equal(raw, n.JSON()) {
			t.Fatalf("%s came back as %s, %v", n.JSON(), raw, err)
		}
	})
}

func TestCodec_Envelope(t *testing.T) {
	for _, c := range []struct {
		in      string
		typ, id string
		kind    handover.FaultKind
	}{
		{string(transaction(t)), "transaction", "m-1", ""},
		{`{"resourceType":"Bundle","id":"b","type":"batch"}`, "batch", "b", ""},
		{`{"resourceType":"Task","id":"t"}`, "Task", "t", ""},
		{`{"resourceType":"Task"}`, "Task", "", handover.FaultBadMessageID},
		{`{"id":"t"}`, "", "", handover.FaultMalformed},
	} {
		m, err := Codec{}.Decode([]byte(c.in), message.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		env, err := Codec{}.Envelope(m)
		kind := handover.FaultKind("")
		if err != nil {
			kind = handover.FaultOf(err).Kind
		}
		if env.Type != c.typ || env.ID != c.id || kind != c.kind || env.Version != Version {
			t.Errorf("%s: %+v, %v", c.in, env, err)
		}
	}
	if _, err := (Codec{}).Decode([]byte(`[1]`), message.DefaultLimits()); handover.FaultOf(err).Kind != handover.FaultMalformed {
		t.Errorf("an array: %v", err)
	}
}

func TestCodec_Attach_DocumentIsInTheBundle(t *testing.T) {
	m, err := Codec{}.Decode(transaction(t), message.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	doc := adapters.Document{Title: "Ikke overført", ContentType: "text/plain; charset=utf-8", Data: []byte("linje æøå\n")}
	if err := (Codec{}).Attach(m.Root, doc); err != nil {
		t.Fatal(err)
	}
	raw, err := Codec{}.Encode(m.Root)
	if err != nil {
		t.Fatal(err)
	}
	n := parse(t, string(raw))
	for _, i := range conformance.Validate(n) {
		t.Errorf("%+v", i)
	}
	entries := n.Each("entry")
	if len(entries) != 3 || entries[2].Str("resource", "content", "attachment", "data") != "bGluamUgw6bDuMOlCg==" {
		t.Errorf("%s", raw)
	}
	task, err := Codec{}.Decode([]byte(`{"resourceType":"Task","id":"t"}`), message.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if err := (Codec{}).Attach(task.Root, doc); handover.FaultOf(err).Kind != handover.FaultUnsupported {
		t.Errorf("a Task took a document: %v", err)
	}
}

func TestCodec_Encode_BuiltTree(t *testing.T) {
	root := &message.Node{Children: []*message.Node{{Name: "resourceType", Value: "Flag"}, {Name: "x", Children: []*message.Node{{Name: "y", Value: "z"}}},
		{Name: "n", Space: "number", Value: "1.10"}, {Name: "a", Space: "string[]", Value: "1"}}}
	raw, err := Codec{}.Encode(root)
	if err != nil || string(raw) != `{"resourceType":"Flag","x":{"y":"z"},"n":1.10,"a":["1"]}` {
		t.Errorf("%s, %v", raw, err)
	}
	deep := &message.Node{Name: "d"}
	for range 100 {
		deep = &message.Node{Name: "d", Children: []*message.Node{deep}}
	}
	for name, bad := range map[string]*message.Node{
		"nil": nil, "deep": deep, "number": {Children: []*message.Node{{Name: "n", Space: "number", Value: "1.x"}}},
		"repeat": {Children: []*message.Node{{Name: "n", Value: "1"}, {Name: "n", Value: "2"}}},
	} {
		if raw, err := (Codec{}).Encode(bad); err == nil {
			t.Errorf("%s is encoded as %s", name, raw)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(awkward))
	f.Add(transaction(f))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := Codec{}.Decode(raw, message.DefaultLimits())
		if err != nil {
			if f := handover.FaultOf(err); f.Kind != handover.FaultMalformed && f.Kind != handover.FaultTooLarge {
				t.Fatal(err)
			}
			return
		}
		_, _ = Codec{}.Envelope(m)
		n, err := fhir.Parse(raw, fhir.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		out, err := Codec{}.Encode(m.Root)
		if err != nil || !bytes.Equal(out, n.JSON()) {
			t.Fatalf("%s came back as %s, %v", n.JSON(), out, err)
		}
	})
}
