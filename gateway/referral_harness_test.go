package gateway_test

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"stafett/access"
	"stafett/adapters"
	"stafett/fhir"
	"stafett/fhir/search"
	"stafett/handover"
)

// referralBundle is the municipality's request for a stay at the institution.
const referralBundle = `{"resourceType":"Bundle","type":"transaction","identifier":{"system":"urn:ietf:rfc:3986","value":"urn:uuid:5f0c1e9a-6a1d-4d2a-9a55-0d2b4a1c7e01"},"entry":[
{"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000001","resource":{"resourceType":"Patient","identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"12034800241"}],"name":[{"family":"Myrvang","given":["Solveig","Testdatter"]}],"gender":"female","birthDate":"1948-03-12","_birthDate":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthTime","valueDateTime":"1948-03-12T04:20:00+01:00"}]}},"request":{"method":"POST","url":"Patient"}},
{"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000002","resource":{"resourceType":"ServiceRequest","contained":[{"resourceType":"Organization","id":"o1","name":"Tildelingskontoret"}],"identifier":[{"system":"urn:dalvik:henvisning","value":"H-1"}],"status":"active","intent":"order","code":{"text":"Døgnrehabilitering"},"subject":{"reference":"urn:uuid:00000000-0000-4000-8000-000000000001"},"requester":{"reference":"#o1"}},"request":{"method":"POST","url":"ServiceRequest"}},
{"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000003","resource":{"resourceType":"CarePlan","status":"active","intent":"plan","title":"Plan","subject":{"reference":"urn:uuid:00000000-0000-4000-8000-000000000001"}},"request":{"method":"POST","url":"CarePlan"}},
{"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000004","resource":{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"29463-7"}]},"subject":{"reference":"urn:uuid:00000000-0000-4000-8000-000000000001"},"valueQuantity":{"value":61.10,"unit":"kg"}},"request":{"method":"POST","url":"Observation"}},
{"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000005","resource":{"resourceType":"Task","extension":[{"url":"urn:dalvik:haster","valueDecimal":1.10}],"identifier":[{"system":"urn:dalvik:oppgave","value":"T-1"}],"status":"requested","_status":{"extension":[{"url":"urn:dalvik:note","valueString":"s"}]},"intent":"order","code":{"coding":[{"system":"urn:stafett:handover-kind","code":"referral"}]},"focus":{"reference":"urn:uuid:00000000-0000-4000-8000-000000000002"},"basedOn":[{"reference":"urn:uuid:00000000-0000-4000-8000-000000000003"}],"for":{"reference":"urn:uuid:00000000-0000-4000-8000-000000000001"},"requester":{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80002"}},"owner":{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80301"}}},"request":{"method":"POST","url":"Task"}}
]}`

// referral is what a stored request consists of.
type referral struct{ patient, request, plan, observation, task string }

func parse(t testing.TB, text string) *fhir.Node {
	t.Helper()
	n, err := fhir.Parse([]byte(text), fhir.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// writeOf makes the write that the FHIR API makes of a Bundle.
func writeOf(t testing.TB, bundle string) fhir.Write {
	t.Helper()
	n := parse(t, bundle)
	mode, entries, err := fhir.BundleEntries(n)
	if err != nil {
		t.Fatal(err)
	}
	return fhir.Write{Mode: mode, Entries: entries, Raw: []byte(bundle), Identity: n.Str("identifier", "value"), Correlation: "c"}
}

func (b *bench) writeBundle(c access.Caller, bundle string) (fhir.WriteResult, error) {
	b.t.Helper()
	return b.g.FHIR.Write(b.t.Context(), c, writeOf(b.t, bundle))
}

// refer sends a referral, the Bundle changed by pairs of old and new text.
func (b *bench) refer(pairs ...string) referral {
	b.t.Helper()
	r, err := b.writeBundle(asKommune, strings.NewReplacer(pairs...).Replace(referralBundle))
	if err != nil {
		b.t.Fatal(err)
	}
	if len(r.Entries) != 5 {
		b.t.Fatalf("%d results", len(r.Entries))
	}
	return referral{r.Entries[0].ID, r.Entries[1].ID, r.Entries[2].ID, r.Entries[3].ID, r.Entries[4].ID}
}

// read returns what the caller reads, nil when it finds nothing.
func (b *bench) read(c access.Caller, typ, id string) *fhir.Node {
	b.t.Helper()
	v, err := b.g.FHIR.Read(b.t.Context(), c, typ, id)
	if err != nil {
		if k := handover.FaultOf(err).Kind; k != handover.FaultNotFound && k != handover.FaultGone {
			b.t.Fatalf("read %s: %v", typ, err)
		}
		return nil
	}
	return parse(b.t, string(v.JSON))
}

func (b *bench) mustRead(c access.Caller, typ, id string) *fhir.Node {
	b.t.Helper()
	n := b.read(c, typ, id)
	if n == nil {
		b.t.Fatalf("%s finds no %s", c.Party, typ)
	}
	return n
}

// found counts what a search finds.
func (b *bench) found(c access.Caller, typ, query string) int {
	b.t.Helper()
	values, err := url.ParseQuery(query)
	if err != nil {
		b.t.Fatal(err)
	}
	q, err := search.ParseQuery(typ, values)
	if err != nil {
		b.t.Fatal(err)
	}
	page, err := b.g.FHIR.Search(b.t.Context(), c, q)
	if err != nil {
		b.t.Fatal(err)
	}
	return len(page.Versions)
}

// putWrite is a PUT of one resource, against the version that n was read at.
func putWrite(n *fhir.Node) fhir.Write {
	version, _ := strconv.ParseInt(n.Str("meta", "versionId"), 10, 64)
	return fhir.Write{Mode: fhir.WriteSingle, Raw: n.JSON(), Entries: []fhir.WriteEntry{{Method: http.MethodPut, Type: n.ResourceType(), ID: n.ID(), IfMatch: version, Resource: n}}}
}

// change reads a Task as the caller, changes it and puts it back.
func (b *bench) change(c access.Caller, id string, f func(n *fhir.Node)) error {
	b.t.Helper()
	n := b.mustRead(c, "Task", id)
	f(n)
	_, err := b.g.FHIR.Write(b.t.Context(), c, putWrite(n))
	return err
}

func (b *bench) mustChange(c access.Caller, id string, f func(n *fhir.Node)) {
	b.t.Helper()
	if err := b.change(c, id, f); err != nil {
		b.t.Fatal(err)
	}
}

// status changes Task.status, and businessStatus unless it is empty.
func status(s, business string) func(*fhir.Node) {
	return func(n *fhir.Node) {
		n.Set("status", fhir.Str(s))
		if business != "" {
			n.Set("businessStatus", fhir.Concept("urn:stafett:business-status", business, ""))
		}
	}
}

func (b *bench) post(c access.Caller, text string) (fhir.WriteResult, error) {
	b.t.Helper()
	n := parse(b.t, text)
	return b.g.FHIR.Write(b.t.Context(), c, fhir.Write{Mode: fhir.WriteSingle, Raw: []byte(text), Entries: []fhir.WriteEntry{{Method: http.MethodPost, Type: n.ResourceType(), Resource: n}}})
}

func (b *bench) mustPost(c access.Caller, text string) string {
	b.t.Helper()
	r, err := b.post(c, text)
	if err != nil {
		b.t.Fatal(err)
	}
	return r.Entries[0].ID
}

// handoverOf is the handover that a Task carries.
func (b *bench) handoverOf(task string) handover.Handover {
	b.t.Helper()
	h, err := b.store.Handover(b.t.Context(), handover.ID(task))
	if err != nil {
		b.t.Fatal(err)
	}
	return h
}

func (b *bench) stateOf(task string, want handover.State, custodian handover.PartyID) {
	b.t.Helper()
	if h := b.handoverOf(task); h.State != want || h.Custodian != custodian {
		b.t.Fatalf("%s held by %s, want %s held by %s", h.State, h.Custodian, want, custodian)
	}
}

// lastBundle is the last Bundle that a party was sent.
func (b *bench) lastBundle(p handover.PartyID) *fhir.Node {
	b.t.Helper()
	all := b.ofType(p, "transaction")
	if len(all) == 0 {
		b.t.Fatalf("%s was sent no Bundle", p)
	}
	return parse(b.t, string(all[len(all)-1].Raw))
}

// typesOf counts the resources of a Bundle by type.
func typesOf(bundle *fhir.Node) map[string]int {
	out := map[string]int{}
	for _, e := range bundle.Each("entry") {
		out[e.Get("resource").ResourceType()]++
	}
	return out
}

// inBundle is the resource of a Bundle, or nil.
func inBundle(bundle *fhir.Node, typ, id string) *fhir.Node {
	for _, e := range bundle.Each("entry") {
		if r := e.Get("resource"); r.ResourceType() == typ && r.ID() == id {
			return r
		}
	}
	return nil
}

// isFault holds err against the kind that is wanted.
func isFault(t testing.TB, err error, want handover.FaultKind) *handover.Fault {
	t.Helper()
	var f *handover.Fault
	if !errors.As(err, &f) || f.Kind != want {
		t.Fatalf("%v, want a fault %s", err, want)
	}
	return f
}

// down is a receiver whose transport fails, temporarily or for good.
func down(kind handover.FaultKind) func(adapters.Target, adapters.Outgoing) (adapters.Sent, error) {
	return func(adapters.Target, adapters.Outgoing) (adapters.Sent, error) {
		return adapters.Sent{}, &handover.Fault{Kind: kind, Text: "as the test wants it"}
	}
}
