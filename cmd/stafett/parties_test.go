package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"stafett/handover"
	"stafett/message"
)

// wireParties are the systems of three parties: they take what comes, count it by the
// identity that the gateway gave it, and hand each first arrival on.
type wireParties struct {
	hospital     *hl7System
	municipality *httpSystem // national XML
	referrals    *httpSystem // the municipality's FHIR
	institution  *httpSystem
}

// arrivals is what one system has received.
type arrivals struct {
	mu    sync.Mutex
	byID  map[string]*arrived
	order []string
	first func(arrived) // called for the first arrival of each identity
}

type arrived struct {
	id, typ string
	raw     []byte
	digest  handover.Digest
	times   int
	differs bool // the same identity came with other bytes
}

func (a *arrivals) put(id, typ string, raw []byte) {
	a.mu.Lock()
	if a.byID == nil {
		a.byID = map[string]*arrived{}
	}
	got, first := a.byID[id], false
	if got == nil {
		got, first = &arrived{id: id, typ: typ, raw: raw, digest: message.DigestOf(raw)}, true
		a.byID[id] = got
		a.order = append(a.order, id)
	}
	got.times++
	got.differs = got.differs || got.digest != message.DigestOf(raw)
	tell, what := a.first, *got
	a.mu.Unlock()
	if first && tell != nil {
		tell(what)
	}
}

// all returns what has arrived, in order of first arrival.
func (a *arrivals) all() []arrived {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]arrived, 0, len(a.order))
	for _, id := range a.order {
		out = append(out, *a.byID[id])
	}
	return out
}

// count is how many identities of a type have arrived.
func (a *arrivals) count(typ string) int {
	n := 0
	for _, m := range a.all() {
		if m.typ == typ {
			n++
		}
	}
	return n
}

func newWireParties(t *testing.T) *wireParties {
	t.Helper()
	p := &wireParties{hospital: &hl7System{}, municipality: &httpSystem{take: takeXML}, referrals: &httpSystem{take: takeBundle},
		institution: &httpSystem{take: takeBundle}}
	p.hospital.open(t)
	for _, s := range []*httpSystem{p.municipality, p.referrals, p.institution} {
		s.open(t)
	}
	return p
}

// httpSystem receives over HTTP.
type httpSystem struct {
	arrivals
	addr   string
	server *http.Server
	take   func(*arrivals, http.ResponseWriter, []byte)
}

// open listens: on any port the first time, on the same one after a close.
func (s *httpSystem) open(t *testing.T) {
	t.Helper()
	if s.addr == "" {
		s.addr = "127.0.0.1:0"
		t.Cleanup(s.close)
	}
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	s.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		s.take(&s.arrivals, w, raw)
	})}
	server := s.server
	go func() { _ = server.Serve(l) }()
}

func (s *httpSystem) close() { s.server.Close() }

func takeXML(a *arrivals, w http.ResponseWriter, raw []byte) {
	typ, id := cut(raw, `<Type V="`, `"`), cut(raw, "<MsgId>", "<")
	if bytes.Contains(raw, []byte("<AppRec")) {
		typ, id = "APPREC", cut(raw, "<Id>", "<")
	}
	w.WriteHeader(http.StatusAccepted)
	a.put(id, typ, raw)
}

func takeBundle(a *arrivals, w http.ResponseWriter, raw []byte) {
	var bundle struct {
		Identifier struct{ Value string }
		Entry      []json.RawMessage
	}
	if err := json.Unmarshal(raw, &bundle); err != nil || bundle.Identifier.Value == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/fhir+json")
	stored := strings.Repeat(`{"response":{"status":"200 OK"}},`, len(bundle.Entry))
	_, _ = io.WriteString(w, `{"resourceType":"Bundle","type":"transaction-response","entry":[`+strings.TrimSuffix(stored, ",")+`]}`)
	a.put(bundle.Identifier.Value, "transaction", raw)
}

// hl7System receives over MLLP and answers each message positively.
type hl7System struct {
	arrivals
	addr string
}

func (s *hl7System) open(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
}

func (s *hl7System) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		raw, err := readMLLP(in)
		if err != nil {
			return
		}
		code := "AA"
		if hl7Field(raw, "MSH", 14) == "AL" {
			code = "CA"
		}
		typ, _, _ := strings.Cut(hl7Field(raw, "MSH", 8), "^")
		id := hl7Field(raw, "MSH", 9)
		s.put(id, typ, raw)
		_, err = fmt.Fprintf(conn, "\x0bMSH|^~\\&|EPJ|FJELLHEIM|STAFETT|STAFETT|%s||ACK|A%s|P|2.5\rMSA|%s|%s\r\x1c\r",
			time.Now().Format("20060102150405"), id, code, id)
		if err != nil {
			return
		}
	}
}

// fixture is a message of the demonstration's parties with its places filled.
func fixture(t *testing.T, name string, values map[string]string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "demo", "fixtures", name))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range values {
		raw = bytes.ReplaceAll(raw, []byte("{{"+k+"}}"), []byte(v))
	}
	if at := bytes.Index(raw, []byte("{{")); at >= 0 {
		t.Fatalf("%s: nothing for %.30s", name, raw[at:])
	}
	return raw
}

var elevenDigits = regexp.MustCompile(`\b[0-9]{11}\b`)

// note is the municipality's answer to a LOG_UTSKRIVNINGSKLAR, about the same patient.
func note(t *testing.T, id, text string, notice []byte) []byte {
	t.Helper()
	now := time.Now()
	return fixture(t, "dialog-notat.xml", map[string]string{"ID": id, "ORIGINAL": cut(notice, "<MsgId>", "<"), "TEXT": text,
		"NOW": now.Format("2006-01-02T15:04:05-07:00"), "TODAY": now.Format(time.DateOnly),
		"FAMILY": "LASTTEST", "GIVEN": "BENK", "MIDDLE": "PRØVE", "BIRTH_ISO": "1948-03-12", "SEX_CODE": "2", "SEX_NAME": "Kvinne",
		"FNR":           string(elevenDigits.Find([]byte(cut(notice, "<Patient>", "</Patient>")))),
		"RECEIVER_NAME": "Fjellheim sykehus", "RECEIVER_HER": "80001", "RECEIVER_SERVICE": "Slagenheten", "RECEIVER_SERVICE_HER": "80101"})
}
