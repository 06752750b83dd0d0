package fhirbundle

import (
	"strings"
	"testing"
	"time"

	"stafett/conformance"
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

func transaction(t testing.TB) []byte {
	return Wire{Base: "https://stafett.example/fhir/"}.Bundle("m-1", time.Date(2026, 11, 22, 5, 0, 0, 0, time.FixedZone("", 3600)), []*fhir.Node{
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

// TestTransaction_LeavesOutOurVersions: what meta says of a version here is not sent, the rest is.
func TestTransaction_LeavesOutOurVersions(t *testing.T) {
	patient := parse(t, `{"resourceType":"Patient","id":"p1","meta":{"versionId":"2","lastUpdated":"2026-11-22T04:00:00Z"}}`)
	flag := parse(t, `{"resourceType":"Flag","id":"f1","meta":{"versionId":"2","tag":[{"code":"x"}]}}`)
	entries := parse(t, string(Wire{}.Bundle("m-1", time.Now(), []*fhir.Node{patient, flag}))).Each("entry")
	if got := string(entries[0].Get("resource").JSON()); got != `{"resourceType":"Patient","id":"p1"}` {
		t.Error(got)
	}
	if got := string(entries[1].Get("resource").JSON()); got != `{"resourceType":"Flag","id":"f1","meta":{"tag":[{"code":"x"}]}}` {
		t.Error(got)
	}
	if patient.Str("meta", "versionId") != "2" {
		t.Error("the caller's resource was changed")
	}
}

func TestTransaction_IsReadByFHIRAndConforms(t *testing.T) {
	plain := Wire{}.Bundle("m-1", time.Now(), []*fhir.Node{parse(t, `{"resourceType":"Flag","id":"f","status":"active","code":{"text":"x"},"subject":{"reference":"Patient/p"}}`)})
	again := Wire{}.Bundle("m-1", time.Now(), []*fhir.Node{parse(t, `{"resourceType":"Flag","id":"f"}`)})
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
