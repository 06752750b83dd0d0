package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return noon }

// everything fills any fixture.
func everything() map[string]string {
	v := Solveig.values()
	for _, k := range []string{"NOW", "ID", "VISIT", "ADMITTED", "READY", "LEFT", "CODE", "ORIGINAL", "TEXT", "TODAY", "RECEIVER_NAME", "RECEIVER_HER",
		"RECEIVER_SERVICE", "RECEIVER_SERVICE_HER", "OWN_NAME", "OWN_HER", "PEER_NAME", "PEER_HER", "ORIGINAL_TYPE", "ORIGINAL_DATE", "NAME", "HER",
		"PATIENT", "REQUEST", "PLAN", "OBSERVATION", "WEIGHT", "TASK", "REFERRAL", "PLANNED_END", "HOSPITAL_URL", "MUNICIPALITY_KITH_URL",
		"MUNICIPALITY_FHIR_URL", "INSTITUTION_FHIR_URL", "HOSPITAL_TOKEN_FILE", "MUNICIPALITY_TOKEN_FILE", "INSTITUTION_TOKEN_FILE",
		"MUNICIPALITY_SERVICE_TOKEN_FILE", "INSTITUTION_SERVICE_TOKEN_FILE"} {
		v[k] = "x"
	}
	v["OWN_DEPT"], v["PEER_DEPT"], v["ENTRIES"] = "", "", "{}"
	return v
}

func TestFixtures_AreWellFormed(t *testing.T) {
	files, err := fixtures.ReadDir("fixtures")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		raw, err := fill(f.Name(), everything())
		if err != nil {
			t.Fatal(err)
		}
		switch filepath.Ext(f.Name()) {
		case ".xml":
			if _, err := tokens(raw); err != nil {
				t.Errorf("%s: %v", f.Name(), err)
			}
		case ".json":
			if f.Name() == "task-output.json" {
				raw = append(append([]byte("{"), bytes.TrimRight(raw, ", \n")...), '}')
			}
			if !json.Valid(raw) {
				t.Errorf("%s is not JSON", f.Name())
			}
		case ".hl7":
			if bytes.Contains(raw, []byte("\n")) || !bytes.HasPrefix(raw, []byte("MSH|^~\\&|")) || raw[len(raw)-1] != '\r' {
				t.Errorf("%s is not HL7 v2", f.Name())
			}
		}
		if _, err := fill(f.Name(), nil); err == nil && f.Name() != "task-output.json" {
			t.Errorf("%s has nothing to fill", f.Name())
		}
	}
}

// tokens reads XML to its end.
func tokens(raw []byte) (int, error) {
	d, n := xml.NewDecoder(bytes.NewReader(raw)), 0
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		n++
	}
}

func TestPeople_HaveValidNumbers(t *testing.T) {
	for _, p := range People() {
		if !strings.HasPrefix(p.FNR, p.Born.Format("020106")) {
			t.Errorf("%s: birth date", p.Given)
		}
		if odd := (p.FNR[8]-'0')%2 == 1; odd == p.Female {
			t.Errorf("%s: sex digit", p.Given)
		}
		for _, weights := range [][]int{{3, 7, 6, 1, 8, 9, 4, 5, 2, 1}, {5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1}} {
			sum := 0
			for i, w := range weights {
				sum += w * int(p.FNR[i]-'0')
			}
			if sum%11 != 0 {
				t.Errorf("%s: check digit", p.Given)
			}
		}
	}
}

func started(t *testing.T) (*Parties, Tokens) {
	t.Helper()
	tokens := NewTokens()
	p, err := Start(tokens, clock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p, tokens
}

func TestHospital_StoresThenAnswers(t *testing.T) {
	p, _ := started(t)
	ctx := context.Background()
	addr := strings.TrimPrefix(p.Hospital.URL(), "mllp://")
	for _, c := range []struct{ raw, code, typ string }{
		{"MSH|^~\\&|STAFETT|X|EPJ|FJELLHEIM|20260302||MDM^T02^MDM_T02|M1|P|2.5|||AL|NE\rTXA|1\r", "CA", "MDM^T02"},
		{"MSH|^~\\&|STAFETT|X|EPJ|FJELLHEIM|20260302||ACK^A01^ACK|M2|P|2.5\rMSA|AA|F1\r", "AA", "ACK"},
		{"MSH|^~\\&|STAFETT|X|EPJ|FJELLHEIM|20260302||ACK^A01^ACK|M2|P|2.5\rMSA|AA|F1\r", "AA", ""},
		{"rubbish\r", "AE", ""},
	} {
		answer, err := p.Hospital.Send(ctx, addr, []byte(c.raw))
		if err != nil {
			t.Fatal(err)
		}
		if got := field(segment(answer, "MSA"), 1); got != c.code {
			t.Errorf("answered %s, want %s", got, c.code)
		}
		if c.typ == "" {
			continue
		}
		if _, err := p.Hospital.inbox.await(ctx, c.typ, time.Minute, func(a Arrival) bool { return a.Type == c.typ }); err != nil {
			t.Error(err)
		}
	}
}

// message is what a gateway might send the municipality.
const message = `<?xml version="1.0"?><MsgHead xmlns="http://www.kith.no/xmlstds/msghead/2006-05-24"><MsgInfo><Type V="LOG_INNLAGT"/>` +
	`<GenDate>2026-03-02T12:00:00+01:00</GenDate><MsgId>m-1</MsgId><Sender><Organisation><OrganisationName>Fjellheim sykehus</OrganisationName>` +
	`<Ident><Id>80001</Id></Ident></Organisation></Sender><Receiver><Organisation><OrganisationName>Dalvik kommune</OrganisationName>` +
	`<Ident><Id>80002</Id></Ident><Organisation><OrganisationName>Sykepleietjeneste</OrganisationName><Ident><Id>80201</Id></Ident></Organisation>` +
	`</Organisation></Receiver></MsgInfo></MsgHead>`

func TestMunicipality_ReceiptsOnceWithMirroredAddresses(t *testing.T) {
	p, keys := started(t)
	receipts := make(chan []byte, 4)
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		if r.Header.Get("Authorization") != "Bearer "+keys.Municipality {
			t.Error("the municipality does not say who it is")
		}
		receipts <- raw
		w.WriteHeader(http.StatusAccepted)
	}))
	defer gateway.Close()
	p.Municipality.answerTo(gateway.URL)
	ctx := context.Background()
	post := func(token string) int {
		r, err := call(ctx, http.MethodPost, p.Municipality.KITHURL(), token, "application/xml", []byte(message), nil)
		if err != nil {
			t.Fatal(err)
		}
		return r.status
	}
	if got := post("wrong"); got != http.StatusUnauthorized {
		t.Errorf("a stranger got %d", got)
	}
	for range 2 {
		if got := post(keys.ToMunicipality); got != http.StatusAccepted {
			t.Errorf("got %d", got)
		}
	}
	raw := <-receipts
	if _, err := tokens(raw); err != nil {
		t.Fatal(err)
	}
	sender, receiver := between(raw, "<Sender>", "</Sender>"), between(raw, "<Receiver>", "</Receiver>")
	for _, want := range []string{"Dalvik kommune", "<Id>80002</Id>", "<Dept>", "<Name>Sykepleietjeneste</Name>", "<Id>80201</Id>"} {
		if !strings.Contains(sender, want) {
			t.Errorf("sender lacks %s", want)
		}
	}
	if !strings.Contains(receiver, "<Id>80001</Id>") || strings.Contains(receiver, "<Dept>") {
		t.Error("receiver is not the message's sender")
	}
	for _, want := range []string{`<MsgType V="LOG_INNLAGT"/>`, "<IssueDate>2026-03-02T12:00:00+01:00</IssueDate>", "<Id>m-1</Id>"} {
		if !strings.Contains(between(raw, "<OriginalMsgId>", "</OriginalMsgId>"), want) {
			t.Errorf("original lacks %s", want)
		}
	}
	p.Municipality.sending.Wait()
	if len(receipts) != 0 || p.Municipality.trouble() != nil {
		t.Errorf("%d more receipts, %v", len(receipts), p.Municipality.trouble())
	}
}

func TestInstitution_TakesTransactionsOnly(t *testing.T) {
	p, keys := started(t)
	ctx := context.Background()
	for body, want := range map[string]int{`{"resourceType":"Bundle","type":"transaction","identifier":{"value":"b1"}}`: 200,
		`{"resourceType":"Bundle","type":"batch"}`: 400, `{`: 400} {
		r, err := call(ctx, http.MethodPost, p.Institution.URL(), keys.ToInstitution, "application/fhir+json", []byte(body), nil)
		if err != nil || r.status != want {
			t.Errorf("%s: %d %v", body, r.status, err)
		}
	}
	if got := p.Institution.inbox.all(); len(got) != 1 || got[0].ID != "b1" {
		t.Errorf("%d arrivals", len(got))
	}
}

func TestInstitution_ChangesTheStatusAndNothingElse(t *testing.T) {
	p, _ := started(t)
	const task = `{"resourceType":"Task","id":"7","businessStatus":{"coding":[{"code":"deferred"}]},"status" : "received","intent":"order"}`
	var put string
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `W/"3"`)
		if r.Method == http.MethodPut {
			raw, _ := io.ReadAll(r.Body)
			put = r.Header.Get("If-Match") + string(raw)
		}
		io.WriteString(w, task)
	}))
	defer gateway.Close()
	if _, err := p.Institution.changeTask(context.Background(), gateway.URL, "7", "accepted", "", 200); err != nil {
		t.Fatal(err)
	}
	if want := `W/"3"` + strings.Replace(task, `"status" : "received"`, `"status":"accepted"`, 1); put != want {
		t.Errorf("put %s", put)
	}
}

func TestInbox_AwaitIsBounded(t *testing.T) {
	b := newInbox()
	b.put(Arrival{Type: "OTHER"})
	_, err := b.await(context.Background(), "a thing", 10*time.Millisecond, func(a Arrival) bool { return a.Type == "THING" })
	if err == nil || !strings.Contains(err.Error(), "OTHER") {
		t.Fatal(err)
	}
	go b.put(Arrival{Type: "THING"})
	if _, err := b.await(context.Background(), "a thing", time.Minute, func(a Arrival) bool { return a.Type == "THING" }); err != nil {
		t.Fatal(err)
	}
}

func TestWriteDirectory_NamesEveryPartyAndKeepsTokensOut(t *testing.T) {
	p, keys := started(t)
	path, err := p.WriteDirectory(t.TempDir(), keys)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{HospitalID, MunicipalityID, InstitutionID, p.Hospital.URL(), p.Municipality.KITHURL(), p.Institution.URL()} {
		if !strings.Contains(string(raw), id) {
			t.Errorf("no %s", id)
		}
	}
	if strings.Contains(string(raw), keys.Hospital) || strings.Contains(string(raw), keys.ToMunicipality) {
		t.Error("the directory holds a token")
	}
}

func TestRender_KeepsToItsWidth(t *testing.T) {
	e := Entry{At: noon, Step: "Utskrivningsklar", Who: "Fjellheim sykehus", Format: "HL7 v2.5 over MLLP", What: strings.Repeat("ord og ", 40),
		Became: []string{"LOG_UTSKRIVNINGSKLAR → Dalvik kommune", strings.Repeat("x", 300)}, State: "received", Custodian: HospitalID,
		Receipts: []string{"AppRec OK"}, Events: []string{"ready", "receipted"}, Carried: []string{"ZKO-2"}, Unmapped: []string{"Observation.value"},
		Notes: []string{"frist"}}
	var plain, colour bytes.Buffer
	for i := range 2 {
		if err := e.Render(&plain, false, i == 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Render(&colour, true, true); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(plain.String(), "\n") {
		if utf8.RuneCountInString(line) > widthMax || strings.Contains(line, "\x1b") {
			t.Errorf("%q", line)
		}
	}
	if strings.Count(plain.String(), "── Utskrivningsklar") != 1 {
		t.Error("one heading for one step")
	}
	if !strings.Contains(colour.String(), "\x1b[1;36m") {
		t.Error("no colour")
	}
}

// The national schemas judge the fixtures where they are at hand.
func TestFixtures_AreValidByTheNationalSchemas(t *testing.T) {
	dir := os.Getenv("STAFETT_STANDARDS")
	if dir == "" {
		t.Skip("STAFETT_STANDARDS is not set: the XML fixtures were checked to be well-formed only")
	}
	lint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint is not installed: the XML fixtures were checked to be well-formed only")
	}
	p, _ := started(t)
	note, _, err := p.Municipality.note(Solveig, newUUID(), "SVAR=KAN_MOTTA;DATO=2026-03-04")
	if err != nil {
		t.Fatal(err)
	}
	own, err := partyBlock("OWN", []byte(between([]byte(message), "<Receiver>", "</Receiver>")))
	if err != nil {
		t.Fatal(err)
	}
	peer, err := partyBlock("PEER", []byte(between([]byte(message), "<Sender>", "</Sender>")))
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := fill("apprec.xml", merged(own, peer, map[string]string{"NOW": xmlTime(noon), "ID": newUUID(), "ORIGINAL": newUUID(),
		"ORIGINAL_TYPE": "LOG_INNLAGT", "ORIGINAL_DATE": xmlTime(noon)}))
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{"note": note, "receipt": receipt} {
		file := filepath.Join(t.TempDir(), name+".xml")
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(lint, "--noout", "--nonet", "--schema", filepath.Join(dir, "norway", "xsd", "driver.xsd"), file).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
