package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"stafett/demo"
	"stafett/handover"
	"stafett/ledger"
	"stafett/ledger/sqlite"
)

// folded spells text without case and diacritics, in both ways of doing without them.
var folds = []*strings.Replacer{strings.NewReplacer("å", "a", "ø", "o", "æ", "ae", "é", "e"), strings.NewReplacer("å", "aa", "ø", "oe", "æ", "ae", "é", "e")}

// needles are what no output may hold: names, numbers, addresses and telephones of the
// fixtures' persons, in the ways in which output may spell them.
func needles() []string {
	seen := map[string]bool{}
	var out []string
	add := func(s string) {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	for _, p := range demo.People() {
		for _, s := range []string{p.FNR, p.FNR[:6] + " " + p.FNR[6:], p.Family, p.Given, p.Middle, p.Street, p.Phone} {
			low := strings.ToLower(s)
			add(low)
			for _, f := range folds {
				add(f.Replace(low))
			}
			add(strings.ToLower(url.QueryEscape(low)))
			add(strings.ToLower(url.PathEscape(s)))
			ascii := strconv.QuoteToASCII(low)
			add(ascii[1 : len(ascii)-1])
		}
	}
	return out
}

// reveals is the first needle in what was put out, with what stands around it.
func reveals(raw []byte) string {
	text := strings.ToLower(string(raw))
	for _, n := range needles() {
		if at := strings.Index(text, n); at >= 0 {
			return strconv.Quote(text[max(0, at-80):min(len(text), at+len(n)+40)])
		}
	}
	return ""
}

func mustNotReveal(t *testing.T, what string, raw []byte) {
	t.Helper()
	if found := reveals(raw); found != "" {
		t.Errorf("%s reveals a person: …%s…", what, found)
	}
}

func TestPrivacy_TheSearchFindsWhatIsThere(t *testing.T) {
	for _, s := range []string{"x 12034800241 y", "Solveig", "SOLVEIG", "TORBJØRN", "torbjorn", "Torbjoern", "S%C3%86TRE", `\u00e5shild`, "Aashild", "Saetre", "HAUGLAND,"} {
		if reveals([]byte(s)) == "" {
			t.Errorf("%q is not found", s)
		}
	}
	if found := reveals([]byte("Fjellheim sykehus sends ADT^A16 about a stay to Dalvik kommune")); found != "" {
		t.Errorf("found %s", found)
	}
}

func TestPrivacy_DemoPrintsNoPerson(t *testing.T) {
	t.Parallel()
	needsProcess(t)
	binary, err := gatewayBinary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "demo", "--once", "--verbose")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("demo: %v\n%s", err, out)
	}
	if !bytes.Contains(out, []byte("the balance holds")) || !bytes.Contains(out, []byte("level=")) {
		t.Fatalf("this is not the whole output:\n%s", out)
	}
	mustNotReveal(t, "demo --once --verbose", out)
}

// demoGateway runs the demonstration's parties against a gateway process of its own.
func demoGateway(t *testing.T) (*blackbox, *demo.Parties, demo.Tokens) {
	t.Helper()
	needsProcess(t)
	tokens := demo.NewTokens()
	parties, err := demo.Start(tokens, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(parties.Close)
	b := newBlackbox(t, newWireParties(t), nil)
	cfg, err := demoConfig(b.dir, parties, tokens)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Log = slog.LevelDebug
	raw, err := yaml.Marshal(cfg)
	if err == nil {
		err = os.WriteFile(b.config, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	b.operator = tokens.Operator
	b.tokens = map[handover.PartyID]string{demo.HospitalID: tokens.Hospital, demo.MunicipalityID: tokens.Municipality, demo.InstitutionID: tokens.Institution}
	b.natsPassword = b.tokens
	return b, parties, tokens
}

// TestPrivacy_AWholeRunRevealsNoPerson plays the scenario and a series of mistakes through
// a gateway that logs all it can, and searches everything that comes out of it.
func TestPrivacy_AWholeRunRevealsNoPerson(t *testing.T) {
	t.Parallel()
	b, parties, tokens := demoGateway(t)
	g := b.start()
	_, err := demo.Run(t.Context(), demo.Config{Parties: parties, Tokens: tokens, MLLPAddr: g.mllp, KITHURL: g.http + "/kith",
		FHIRURL: g.http + "/fhir", APIURL: g.http, NATSURL: g.nats,
		OnEntry: func(e demo.Entry) {
			var line bytes.Buffer
			_ = e.Render(&line, false, true)
			mustNotReveal(t, "the timeline", line.Bytes())
		}})
	if err != nil {
		t.Fatal(err)
	}
	b.mistakes()
	var health []byte
	for _, path := range []string{"/metrics", "/livez", "/readyz"} {
		a, err := b.request(t.Context(), "GET", path, "", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		health = append(health, a.body...)
	}
	if !bytes.Contains(health, []byte("stafett_messages_total")) {
		t.Error("these are not the metrics")
	}
	mustNotReveal(t, "/metrics", health)
	for _, party := range []handover.PartyID{demo.HospitalID, demo.MunicipalityID, demo.InstitutionID} {
		for _, e := range b.tail(g, party) {
			mustNotReveal(t, "an event", []byte(e.Subject+" "+string(e.Data)))
		}
	}
	for _, path := range []string{"/handovers", "/parked/messages", "/parked/deliveries", "/ledger/balance", "/ledger/checkpoint", "/events/verify"} {
		var v json.RawMessage
		b.get(path, tokens.Operator, &v)
		mustNotReveal(t, path, v)
	}
	b.stop(g)
	messages := b.searchRecord()
	g = b.start()
	for _, id := range messages {
		var v json.RawMessage
		b.get("/messages/"+string(id), tokens.Operator, &v)
		mustNotReveal(t, "GET /messages/"+string(id), v)
	}
	out, _ := b.cli("parked", "list")
	mustNotReveal(t, "parked list", []byte(out))
	b.stop(g)
	b.searchFolder()
	log, err := os.ReadFile(b.log.Name())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(log, []byte(`"DEBUG"`)) {
		t.Error("this is not the whole log")
	}
	for line := range bytes.Lines(log) {
		mustNotReveal(t, "the log", line)
	}
}

// mistakes puts a person's name and number where they do not belong; no answer repeats them.
func (b *blackbox) mistakes() {
	b.t.Helper()
	p := demo.Torbjorn
	names, person := url.PathEscape(p.Given+" "+p.Family), `"`+p.Family+" "+p.FNR+`"`
	token := b.tokens[demo.MunicipalityID]
	for _, c := range []struct {
		method, path, body string
		header             map[string]string
	}{
		{"GET", "/fhir/Patient?identifier=" + p.FNR, "", nil},
		{"GET", "/fhir/Patient/" + p.FNR, "", nil},
		{"GET", "/fhir/Patient/" + names, "", nil},
		{"GET", "/fhir/" + p.Family + "/1", "", nil},
		{"GET", "/fhir/Task?" + url.QueryEscape(p.Given+" "+p.Family) + "=" + p.FNR, "", nil},
		{"GET", "/fhir/Task?_lastUpdated=" + p.FNR, "", nil},
		{"GET", "/" + names, "", nil},
		{"GET", "/messages/" + p.FNR, "", nil},
		{"GET", "/messages/" + names, "", nil},
		{"POST", "/fhir/Patient", `{"resourceType":"Patient","` + p.Family + `":` + person + `}`, fhirType},
		{"POST", "/fhir/Patient", `{"resourceType":` + person + `}`, fhirType},
		{"POST", "/fhir/Patient", `{"resourceType":"Patient","birthDate":` + person + `}`, fhirType},
		{"POST", "/fhir/Patient", `{"resourceType":"Patient","gender":` + person + `,"gender":` + person + `}`, fhirType},
		{"POST", "/fhir/Task", `{"resourceType":"Task","status":` + person + `,"intent":"order","for":{"reference":` + person + `}}`, fhirType},
		{"POST", "/fhir", `{"resourceType":"Bundle","type":"transaction","identifier":{"value":` + person + `},"entry":[{"fullUrl":` + person + `,"request":{"method":"POST","url":` + person + `},"resource":{"resourceType":"Patient"}}]}`, fhirType},
		{"POST", "/fhir/Patient", `{"resourceType":"Patient"} ` + person, fhirType},
		{"POST", "/kith", "<" + p.Family + ">" + p.FNR + "</" + p.Given + ">", xmlType},
		{"POST", "/kith", "<MsgHead>" + p.FNR + "&" + p.Family + ";</MsgHead>", xmlType},
		{"POST", "/kith", `<?xml version="1.0" encoding="` + p.Family + `"?><x/>`, xmlType},
		{"POST", "/translate?from=hl7v2", "MSH|^~\\&|" + p.Family + "|" + p.FNR + "\rPID|" + p.FNR, nil},
		{"POST", "/translate?from=" + p.FNR + "&to=" + p.Family, "x", nil},
		{"POST", "/translate?from=kith", "<" + p.Family + " x='" + p.FNR + "'", nil},
		{"POST", "/handovers/" + p.FNR + "/answer", `{"event":` + person + `}`, nil},
		{"POST", "/handovers/1/answer", `{"day":` + person + `}`, nil},
		{"GET", "/events/verify?party=" + p.Family + "&from=" + p.FNR, "", nil},
		{"POST", "/parked/messages/" + p.FNR + "/" + p.Family, "", nil},
	} {
		header := map[string]string{"X-Request-Id": p.FNR}
		for k, v := range c.header {
			header[k] = v
		}
		for _, t := range []string{token, p.Family, b.operator} {
			a, err := b.request(b.t.Context(), c.method, c.path, t, []byte(c.body), header)
			if err != nil {
				b.t.Errorf("%s %.40s: no answer: %v", c.method, c.path, err)
				continue
			}
			if strings.Contains(c.path, "_lastUpdated") || a.status < 300 {
				continue // what was asked for is told back in the searchset's own link
			}
			mustNotReveal(b.t, c.method+" "+strings.SplitN(c.path, "?", 2)[0]+" answered "+strconv.Itoa(a.status), a.body)
		}
	}
	for _, raw := range []string{
		"MSH|^~\\&|EPJ|" + p.Family + "|STAFETT||x||ADT^A16|" + p.FNR + "|P|2.5\rPID|1||" + p.FNR,
		"MSH|^~\\&|EPJ|FJELLHEIM|STAFETT||20260101||ADT^A16^ADT_A16|Q1|P|2.5\rEVN||" + p.Family + "\rPID|1||" + p.FNR + "x^^^FNR^FNR||" + p.Family + "\rPV1|1|" + p.Given,
		"MSH|^~\\&|EPJ|FJELLHEIM|STAFETT||20260101||" + p.Family + "^" + p.Given + "|Q2|P|" + p.FNR,
		"PID|1||" + p.FNR + "||" + p.Family,
	} {
		if answer, err := b.mllp(b.t.Context(), []byte("\x0b"+raw+"\r\x1c\r")); err == nil {
			// MSA-2 and the mirrored header are the sender's own words.
			_, told, _ := strings.Cut(string(answer), "\rERR|")
			mustNotReveal(b.t, "an MLLP answer", []byte(told))
		}
	}
}

// searchRecord searches what the record says of messages, beside their bytes, and returns
// the messages that it knows.
func (b *blackbox) searchRecord() []handover.MessageID {
	b.t.Helper()
	ctx := b.t.Context()
	store, err := sqlite.Open(ctx, filepath.Join(b.dir, "ledger.db"), sqlite.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	defer store.Close()
	audit, err := ledger.All(func(after string) (ledger.Listing[ledger.Audit], error) {
		return store.AuditOf(ctx, ledger.AuditFilter{After: after})
	})
	if err != nil || len(audit) == 0 {
		b.t.Fatalf("%d audit records, %v", len(audit), err)
	}
	seen := map[handover.MessageID]bool{}
	var ids []handover.MessageID
	for _, a := range audit {
		raw, err := json.Marshal(a)
		if err != nil {
			b.t.Fatal(err)
		}
		mustNotReveal(b.t, "an audit record of "+string(a.Action), raw)
		if a.Message != "" && !seen[a.Message] {
			seen[a.Message] = true
			ids = append(ids, a.Message)
		}
	}
	if len(ids) < 20 {
		b.t.Errorf("only %d messages are known", len(ids))
	}
	return ids
}

// searchFolder searches the names of all files, and the content of all but the ledger's.
func (b *blackbox) searchFolder() {
	b.t.Helper()
	files := 0
	err := filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mustNotReveal(b.t, "a file's name", []byte(filepath.Base(path)))
		if d.IsDir() || strings.HasPrefix(d.Name(), "ledger.db") {
			return nil
		}
		files++
		raw, err := os.ReadFile(path)
		mustNotReveal(b.t, "the file "+d.Name(), raw)
		return err
	})
	if err != nil || files < 5 {
		b.t.Errorf("%d files were searched, %v", files, err)
	}
}
