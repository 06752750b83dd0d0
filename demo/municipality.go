package demo

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Municipality speaks the national XML over HTTP, and FHIR from its referral system.
type Municipality struct {
	web    *webServer
	now    func() time.Time
	tokens Tokens
	inbox  *inbox
	fhir   *inbox

	mu      sync.Mutex
	kithURL string
	failed  error
	sending sync.WaitGroup
	ctx     context.Context
	cancel  context.CancelFunc
}

func startMunicipality(tokens Tokens, now func() time.Time) (*Municipality, error) {
	ctx, cancel := context.WithCancel(context.Background())
	m := &Municipality{now: now, tokens: tokens, inbox: newInbox(), fhir: newInbox(), ctx: ctx, cancel: cancel}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /meldinger", m.receive)
	mux.HandleFunc("POST /fhir", m.receiveFHIR)
	mux.HandleFunc("POST /fhir/{$}", m.receiveFHIR)
	web, err := startWeb(mux)
	if err != nil {
		cancel()
		return nil, err
	}
	m.web = web
	return m, nil
}

// KITHURL and FHIRURL are where the municipality receives.
func (m *Municipality) KITHURL() string { return m.web.url + "/meldinger" }

// FHIRURL is the base of its referral system.
func (m *Municipality) FHIRURL() string { return m.web.url + "/fhir" }

// Close stops receiving and waits for receipts that are being sent.
func (m *Municipality) Close() {
	m.cancel()
	m.web.Close()
	m.sending.Wait()
}

// answerTo sets where receipts are sent.
func (m *Municipality) answerTo(kithURL string) {
	m.mu.Lock()
	m.kithURL = kithURL
	m.mu.Unlock()
}

// receive stores a message, answers 202, and then sends an AppRec of its own making.
func (m *Municipality) receive(w http.ResponseWriter, r *http.Request) {
	raw, ok := readBody(w, r, m.tokens.ToMunicipality)
	if !ok {
		return
	}
	m.mu.Lock()
	url := m.kithURL
	m.mu.Unlock()
	a := Arrival{Type: "APPREC", ID: between(raw, "<Id>", "</Id>"), At: m.now(), Raw: raw}
	if !strings.Contains(string(raw), "<AppRec") {
		a.Type, a.ID = between(raw, `<Type V="`, `"`), between(raw, "<MsgId>", "</MsgId>")
	}
	repeat := m.inbox.seen(a.ID)
	if !repeat {
		m.inbox.put(a)
	}
	w.WriteHeader(http.StatusAccepted)
	// One receipt for each message, none for a repeat and none for a receipt (HIS 80415:2012).
	if a.Type == "APPREC" || repeat || url == "" {
		return
	}
	m.sending.Go(func() {
		if err := m.receipt(m.ctx, url, a); err != nil && m.ctx.Err() == nil {
			m.mu.Lock()
			m.failed = err
			m.mu.Unlock()
		}
	})
}

// trouble is the first receipt that the gateway did not take.
func (m *Municipality) trouble() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.failed
}

// receipt sends a positive AppRec with the addresses of the message mirrored.
func (m *Municipality) receipt(ctx context.Context, url string, a Arrival) error {
	own, err := partyBlock("OWN", []byte(between(a.Raw, "<Receiver>", "</Receiver>")))
	if err != nil {
		return err
	}
	peer, err := partyBlock("PEER", []byte(between(a.Raw, "<Sender>", "</Sender>")))
	if err != nil {
		return err
	}
	raw, err := fill("apprec.xml", merged(own, peer, map[string]string{"NOW": xmlTime(m.now()), "ID": newUUID(), "ORIGINAL": a.ID,
		"ORIGINAL_TYPE": a.Type, "ORIGINAL_DATE": between(a.Raw, "<GenDate>", "</GenDate>")}))
	if err != nil {
		return err
	}
	return m.Send(ctx, url, raw)
}

// partyBlock cuts names and HER-ids out of a Sender or Receiver block.
func partyBlock(prefix string, block []byte) (map[string]string, error) {
	names, ids := everyBetween(block, "<OrganisationName>", "</OrganisationName>"), everyBetween(block, "<Id>", "</Id>")
	if len(names) == 0 || len(ids) == 0 {
		return nil, fmt.Errorf("municipality: a received message names no %s organisation", strings.ToLower(prefix))
	}
	out := map[string]string{prefix + "_NAME": names[0], prefix + "_HER": ids[0], prefix + "_DEPT": ""}
	inner := block[strings.Index(string(block), "<Organisation>")+len("<Organisation>"):]
	i := strings.Index(string(inner), "<Organisation>")
	if i < 0 {
		return out, nil
	}
	unit := inner[i:]
	dept, err := fill("apprec-dept.xml", map[string]string{"NAME": between(unit, "<OrganisationName>", "</OrganisationName>"),
		"HER": between(unit, "<Id>", "</Id>")})
	out[prefix+"_DEPT"] = string(dept)
	return out, err
}

func everyBetween(raw []byte, start, end string) []string {
	var out []string
	text := string(raw)
	for {
		_, rest, ok := strings.Cut(text, start)
		if !ok {
			return out
		}
		var value string
		if value, text, ok = strings.Cut(rest, end); !ok {
			return out
		}
		out = append(out, value)
	}
}

// Send posts one XML message to the gateway; anything but 202 with no body is an error.
func (m *Municipality) Send(ctx context.Context, url string, raw []byte) error {
	r, err := m.post(ctx, url, raw)
	if err != nil {
		return err
	}
	if r.status != http.StatusAccepted || len(r.body) > 0 {
		return fmt.Errorf("municipality: expected 202 without a body, got %d: %.300s", r.status, r.body)
	}
	return nil
}

func (m *Municipality) post(ctx context.Context, url string, raw []byte) (reply, error) {
	return call(ctx, http.MethodPost, url, m.tokens.Municipality, "application/xml; charset=utf-8", raw, nil)
}

// note makes a DIALOG_NOTAT that answers a message about a patient.
func (m *Municipality) note(p Person, original, text string) (raw []byte, id string, err error) {
	return m.noteTo("Fjellheim sykehus", "80001", "Slagenheten", "80101", p, original, text)
}

func (m *Municipality) noteTo(name, her, service, serviceHER string, p Person, original, text string) ([]byte, string, error) {
	id := newUUID()
	raw, err := fill("dialog-notat.xml", merged(p.values(), map[string]string{"NOW": xmlTime(m.now()), "ID": id, "ORIGINAL": original,
		"TEXT": html.EscapeString(text), "TODAY": m.now().In(oslo).Format(time.DateOnly), "RECEIVER_NAME": name, "RECEIVER_HER": her,
		"RECEIVER_SERVICE": service, "RECEIVER_SERVICE_HER": serviceHER}))
	return raw, id, err
}

func (m *Municipality) receiveFHIR(w http.ResponseWriter, r *http.Request) {
	takeTransaction(w, r, m.tokens.ToMunicipality, m.fhir, m.now)
}
