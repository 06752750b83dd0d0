package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"stafett/api"
	"stafett/bench"
	"stafett/demo"
	"stafett/handover"
	"stafett/ledger"
)

// spelled is one request or message that says a person's name or number where a format has
// a key, a type, an id, a code or a part of an address.
type spelled struct {
	what, method, path, body string
	header                   map[string]string
}

// misspelled are such requests; name and number are what they must not leave anywhere.
func misspelled(t *testing.T, name, number string) []spelled {
	kithNote := func(old, new string) string {
		t.Helper()
		whole := string(kithMessage(t, uuid.NewString()))
		if !strings.Contains(whole, old) {
			t.Errorf("the note has no %s", old)
		}
		return strings.Replace(whole, old, new, 1)
	}
	patient := func(rest string) string { return `{"resourceType":"Patient",` + rest + `}` }
	entry := func(method, url, resource string) string {
		return `{"resourceType":"Bundle","type":"transaction","entry":[{"fullUrl":"urn:uuid:` + uuid.NewString() + `","request":{"method":"` + method + `","url":"` + url + `"},"resource":` + resource + `}]}`
	}
	out := []spelled{
		{"FHIR: a key that FHIR does not have", "POST", "/fhir/Patient", patient(`"` + name + `":1`), fhirType},
		{"FHIR: such a key further in", "POST", "/fhir/Patient", patient(`"name":[{"` + name + `":"x"}]`), fhirType},
		{"FHIR: such a key of a primitive", "POST", "/fhir/Patient", patient(`"_` + name + `":{"id":"x"}`), fhirType},
		{"FHIR: such a key twice", "POST", "/fhir/Patient", patient(`"` + name + `":1,"` + name + `":2`), fhirType},
		{"FHIR: an unknown key with a number", "POST", "/fhir/Patient", patient(`"x` + number + `":{"y":[{"` + name + `":{}}]}`), fhirType},
		{"FHIR: a type", "POST", "/fhir/Patient", `{"resourceType":"` + name + `"}`, fhirType},
		{"FHIR: a type in the address", "POST", "/fhir/" + name, `{"resourceType":"` + name + `"}`, fhirType},
		{"FHIR: a contained type", "POST", "/fhir/Patient", patient(`"contained":[{"resourceType":"` + name + `","id":"a"}]`), fhirType},
		{"FHIR: an extension", "POST", "/fhir/Patient", patient(`"extension":[{"url":"` + name + `","value` + name + `":"x"}]`), fhirType},
		{"FHIR: a value type", "POST", "/fhir/Observation", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"value` + name + `":1}`, fhirType},
		{"FHIR: a date", "POST", "/fhir/Patient", patient(`"birthDate":"` + number + `"`), fhirType},
		{"FHIR: a reference", "POST", "/fhir/Observation", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"` + name + `/` + number + `"}}`, fhirType},
		{"FHIR: a reference's type", "POST", "/fhir/Observation", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"type":"` + name + `","reference":"Patient/x"}}`, fhirType},
		{"FHIR: an id", "PUT", "/fhir/Patient/" + name, patient(`"id":"` + name + `"`), fhirType},
		{"FHIR: an id with a number", "PUT", "/fhir/Patient/p" + number, patient(`"id":"p` + number + `"`), fhirType},
		{"FHIR: an entry's type", "POST", "/fhir", entry("POST", name, `{"resourceType":"`+name+`"}`), fhirType},
		{"FHIR: an entry's address", "POST", "/fhir", entry("PUT", "Patient/"+name, patient(`"id":"`+name+`"`)), fhirType},
		{"FHIR: an entry's condition", "POST", "/fhir", entry("PUT", "Patient?"+name+"="+number, patient(`"active":true`)), fhirType},
		{"FHIR: an entry's method", "POST", "/fhir", entry(name, "Patient", patient(`"active":true`)), fhirType},
		{"FHIR: an entry's key", "POST", "/fhir", entry("POST", "Patient", patient(`"`+name+`":1`)), fhirType},
		{"FHIR: a Bundle's type", "POST", "/fhir", `{"resourceType":"Bundle","type":"` + name + `"}`, fhirType},
		{"FHIR: a Task's code", "POST", "/fhir/Task", `{"resourceType":"Task","status":"requested","intent":"order","code":{"coding":[{"system":"` + name + `","code":"` + number + `"}]}}`, fhirType},
		{"FHIR: a Task's owner", "POST", "/fhir/Task", `{"resourceType":"Task","status":"requested","intent":"order","owner":{"reference":"` + name + `/` + number + `"}}`, fhirType},
		{"FHIR: a condition", "POST", "/fhir/Patient", patient(`"active":true`), map[string]string{"Content-Type": "application/fhir+json", "If-None-Exist": name + "=" + number}},
		{"FHIR: a version", "PUT", "/fhir/Patient/x", patient(`"id":"x"`), map[string]string{"Content-Type": "application/fhir+json", "If-Match": name}},
		{"FHIR: a media type", "POST", "/fhir/Patient", patient(`"active":true`), map[string]string{"Content-Type": "application/" + name}},
		{"FHIR: a wish", "POST", "/fhir/Patient", patient(`"active":true`), map[string]string{"Content-Type": "application/fhir+json", "Prefer": name}},
		{"FHIR: an identity", "POST", "/fhir/Patient", patient(`"active":true`), map[string]string{"Content-Type": "application/fhir+json", "X-Request-Id": name}},
		{"FHIR: a patch", "PATCH", "/fhir/Patient/x", `[{"op":"` + name + `","path":"/` + name + `/` + number + `"}]`, map[string]string{"Content-Type": "application/json-patch+json"}},
		{"FHIR: a parameter", "GET", "/fhir/Patient?" + name + "=" + number, "", nil},
		{"FHIR: a modifier", "GET", "/fhir/Patient?name:" + name + "=x", "", nil},
		{"FHIR: a chain", "GET", "/fhir/Task?patient." + name + "=x", "", nil},
		{"FHIR: an order", "GET", "/fhir/Patient?_sort=" + name, "", nil},
		{"FHIR: an include", "GET", "/fhir/Task?_include=" + name + ":" + number, "", nil},
		{"FHIR: a format", "GET", "/fhir/Patient?_format=" + name, "", nil},
		{"FHIR: an operation", "POST", "/fhir/Patient/$" + name, "{}", fhirType},
		{"FHIR: deeper", "GET", "/fhir/Patient/" + name + "/" + number + "/_history/" + name, "", nil},
		{"HTTP: a method", name, "/fhir/Patient", "", nil},
		{"HTTP: a path", "GET", "/" + name + "/" + number, "", nil},
		{"API: an id", "GET", "/messages/" + name, "", nil},
		{"API: a key", "POST", "/parked/messages/x/close", `{"` + name + `":"` + number + `"}`, nil},
		{"API: a verb", "POST", "/parked/deliveries/x/" + name, "", nil},
		{"API: a query", "GET", "/handovers?open=" + name, "", nil},
		{"API: a wire", "POST", "/translate?from=" + name, "x", nil},
		{"KITH: a type", "POST", "/kith", kithNote(`<Type V="DIALOG_NOTAT"`, `<Type V="`+name+`"`), xmlType},
		{"KITH: a type as they are spelled", "POST", "/kith", kithNote(`<Type V="DIALOG_NOTAT"`, `<Type V="DIALOG_`+strings.ToUpper(name)+`"`), xmlType},
		{"KITH: a type with a number", "POST", "/kith", kithNote(`<Type V="DIALOG_NOTAT"`, `<Type V="T`+number+`"`), xmlType},
		{"KITH: an element", "POST", "/kith", kithNote(`</MsgInfo>`, `<`+name+`>x</`+name+`></MsgInfo>`), xmlType},
		{"KITH: an attribute", "POST", "/kith", kithNote(`<MsgInfo>`, `<MsgInfo `+name+`="x">`), xmlType},
		{"KITH: a namespace", "POST", "/kith", kithNote(`<MsgInfo>`, `<MsgInfo xmlns:`+name+`="urn:`+number+`">`), xmlType},
		{"KITH: a root", "POST", "/kith", `<` + name + ` xmlns="urn:` + number + `"/>`, xmlType},
		{"KITH: broken off", "POST", "/kith", kithNote(`</MsgInfo>`, `</`+name+`>`), xmlType},
		{"KITH: a document's root", "POST", "/kith", kithNote(`<Dialogmelding`, `<`+name+`/><Dialogmelding`), xmlType},
		{"KITH: a message id", "POST", "/kith", kithNote(`<MsgId>`, `<MsgId>`+number), xmlType},
		{"KITH: a time", "POST", "/kith", kithNote(`<GenDate>`, `<GenDate>`+name), xmlType},
		{"KITH: an identifier", "POST", "/kith", kithNote(`<Id>80002</Id>`, `<Id>`+number+`</Id>`), xmlType},
		{"KITH: an encoding", "POST", "/kith", `<?xml version="1.0" encoding="` + name + `"?><MsgHead/>`, xmlType},
	}
	return out
}

// kithMessage is a note of the municipality's that refers to nothing.
func kithMessage(t *testing.T, id string) []byte {
	return note(t, id, "Vi har plass.", []byte("<MsgId>"+uuid.NewString()+"<Patient>13875912345</Patient>"))
}

// misspelledHL7 are messages of the hospital, each with its own id.
func misspelledHL7(name, number string) map[string]string {
	head := func(n int, typ, id, version string) string {
		return fmt.Sprintf("MSH|^~\\&|EPJ|FJELLHEIM|STAFETT|STAFETT|20261128080000||%s|%s%d|P|%s", typ, id, n, version)
	}
	pid := "\rPID|1||13875912345^^^FNR^FNR||TESTESEN^PRØVE||19590713|F\rPV1|1|I"
	return map[string]string{
		"a type":            head(1, name+"^"+name, "S", "2.5") + pid,
		"a type's number":   head(2, number, "S", "2.5") + pid,
		"an event":          head(3, "ADT^"+name+"^ADT_A01", "S", "2.5") + pid,
		"a structure":       head(4, "ADT^A01^"+name, "S", "2.5") + pid,
		"a version":         head(5, "ADT^A01^ADT_A01", "S", name) + pid,
		"an id":             head(6, "ADT^A01^ADT_A01", number, "2.5") + pid,
		"a segment":         head(7, "ADT^A01^ADT_A01", "S", "2.5") + "\rEVN||20261128080000" + pid + "\r" + name[:3] + "|1|x\r" + name + "|2|y",
		"segments twice":    head(8, "ADT^A01^ADT_A01", "S", "2.5") + pid + pid,
		"a character set":   head(9, "ADT^A01^ADT_A01", "S", "2.5||||||"+name) + pid,
		"a processing code": strings.Replace(head(10, "ADT^A01^ADT_A01", "S", "2.5"), "|P|", "|"+name+"|", 1) + pid,
		"a facility":        strings.Replace(head(11, "ADT^A01^ADT_A01", "S", "2.5"), "FJELLHEIM", name, 1) + pid,
		"a stay":            head(12, "ADT^A01^ADT_A01", "S", "2.5") + pid + strings.Repeat("|", 17) + number,
		"codes":             head(13, "ADT^A03^ADT_A03", "S", "2.5") + "\rEVN|" + name + "|" + name + pid + strings.Repeat("|", 17) + "V1" + strings.Repeat("|", 17) + name,
		"no message":        name + "|" + number,
		"separators":        "MSH|" + name + "|" + number,
	}
}

// TestPrivacy_NothingOfASendersSpelling: what stands as a key, a type, an id or an address in
// what comes in is a sender's spelling, and may be a name or a number. None of it is in the
// log, in metrics, in the audit, or in what is told of a message.
func TestPrivacy_NothingOfASendersSpelling(t *testing.T) {
	p := newWireParties(t)
	box := boxFor(t, p)
	cfg, err := sandboxConfig(box)
	if err != nil {
		t.Fatal(err)
	}
	log := &lockedBuffer{}
	a, err := startApp(t.Context(), cfg, slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.shutdown(); err != nil {
			t.Error(err)
		}
	})
	b := blackboxOf(t, box)
	b.at.Store(&gatewayProcess{http: "http://" + a.httpAddr, mllp: a.mllpAddr[0], nats: a.bus.ClientURL()})
	told := 0
	logged := func(what string) {
		t.Helper()
		said := log.String()
		mustNotReveal(t, "the log, after "+what+",", []byte(said[told:]))
		told = len(said)
	}
	person := demo.Torbjorn
	for _, name := range []string{"Haugland", strings.ToUpper(person.Family)} {
		for _, m := range misspelled(t, name, person.FNR) {
			for _, token := range []string{b.tokens[kommune], b.operator} {
				answer, err := b.request(t.Context(), m.method, m.path, token, []byte(m.body), m.header)
				if err != nil {
					t.Errorf("%s: %v", m.what, err)
				} else if answer.status >= 300 && !strings.HasPrefix(m.path, "/fhir") {
					mustNotReveal(t, "the answer to "+m.what, answer.body)
				}
			}
			logged(m.what)
		}
		for what, raw := range misspelledHL7(name, person.FNR) {
			_, _ = b.mllp(t.Context(), []byte("\x0b"+strings.ReplaceAll(raw, "|S", "|"+uuid.NewString()[:8])+"\r\x1c\r"))
			logged("HL7: " + what)
		}
	}
	b.answeredWith(p, person.Family)
	logged("an answer with an element that no format has")
	b.refusedInWords(p, person.Family)
	logged("a negative receipt")
	resp, err := http.Get("http://" + a.httpAddr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	var metrics bytes.Buffer
	_, err = metrics.ReadFrom(resp.Body)
	resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	mustNotReveal(t, "/metrics", metrics.Bytes())
	audit, err := ledger.All(func(after string) (ledger.Listing[ledger.Audit], error) {
		return a.ledger.AuditOf(t.Context(), ledger.AuditFilter{After: after})
	})
	if err != nil {
		t.Fatal(err)
	}
	messages := map[handover.MessageID]bool{}
	for _, line := range audit {
		raw, err := json.Marshal(line)
		if err != nil {
			t.Fatal(err)
		}
		mustNotReveal(t, "an audit record of "+string(line.Action), raw)
		messages[line.Message] = line.Message != ""
	}
	if len(messages) < 40 {
		t.Errorf("only %d messages are known", len(messages))
	}
	for id, named := range messages {
		if !named {
			continue
		}
		var v map[string]any
		b.get("/messages/"+url.PathEscape(string(id)), b.operator, &v)
		delete(v, "externalId") // the sender's own id of its message
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		mustNotReveal(t, "what is told of a message", raw)
	}
	for _, path := range []string{"/parked/messages", "/parked/deliveries", "/handovers", "/ledger/unheard"} {
		var list json.RawMessage
		b.get(path, b.operator, &list)
		mustNotReveal(t, path, list)
	}
}

// answeredWith has the municipality answer with an element of that name, which goes along to
// the hospital.
func (b *blackbox) answeredWith(p *wireParties, name string) {
	b.t.Helper()
	s := &senders{blackbox: b, ctx: b.t.Context()}
	notices := make(chan arrived, 8)
	p.municipality.set(func(a arrived) {
		if a.typ == "LOG_UTSKRIVNINGSKLAR" {
			notices <- a
		}
	})
	s.hl7(bench.Message(2, 2))
	select {
	case notice := <-notices:
		before, id := p.hospital.count("MDM"), uuid.NewString()
		answer := strings.Replace(string(note(b.t, id, "Vi har plass.", notice.raw)), "</MsgInfo>", "<"+name+">verdi</"+name+"></MsgInfo>", 1)
		s.kith(id, []byte(answer))
		b.until(20*time.Second, "the hospital is told", func() bool { return p.hospital.count("MDM") > before })
	case <-time.After(20 * time.Second):
		b.t.Fatal("no notice arrived")
	}
	for _, err := range s.failures() {
		b.t.Error(err)
	}
}

// refusedInWords has the municipality refuse a notice with a name for a code.
func (b *blackbox) refusedInWords(p *wireParties, name string) {
	b.t.Helper()
	s := &senders{blackbox: b, ctx: b.t.Context()}
	p.municipality.set(func(a arrived) {
		s.working.Go(func() {
			receipt := []byte(strings.Replace(bench.Receipt(a.raw), `<Status V="1" DN="OK"/>`,
				`<Status V="2" DN="Avvist"/><Error V="`+name+`" S="`+name+`" DN="`+name+`"/>`, 1))
			s.kith(cut(receipt, "<Id>", "<"), receipt)
		})
	})
	s.hl7(bench.Message(1, 1))
	b.until(20*time.Second, "a delivery is refused", func() bool {
		var list api.List[api.ParkedDelivery]
		b.get("/parked/deliveries", b.operator, &list)
		return list.Total > 0
	})
	s.working.Wait()
}

// TestLimits_ABusyReaderIsNotHeldBack: the default rate is beyond what one municipality's
// systems read together.
func TestLimits_ABusyReaderIsNotHeldBack(t *testing.T) {
	path, token := example(t)
	cfg, err := loadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Limits.RequestsPerSecond = defaultConfig().Limits.RequestsPerSecond
	a, err := startApp(t.Context(), cfg, discarded())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.shutdown(); err != nil {
			t.Error(err)
		}
	})
	var readers sync.WaitGroup
	var held atomic.Int64
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}
	for range 32 {
		readers.Go(func() {
			for range 100 {
				r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+a.httpAddr+"/fhir/Task?status=requested", nil)
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("Authorization", "Bearer "+token["fjordby-kommune"])
				resp, err := client.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					held.Add(1)
				}
			}
		})
	}
	readers.Wait()
	if n := held.Load(); n > 0 {
		t.Errorf("%d of 3200 reads were held back", n)
	}
}
