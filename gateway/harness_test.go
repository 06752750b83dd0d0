package gateway_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"stafett/access"
	"stafett/adapters"
	"stafett/adapters/fhirbundle"
	"stafett/adapters/hl7v2"
	"stafett/adapters/kith"
	"stafett/directory"
	"stafett/gateway"
	"stafett/gateway/kernel"
	"stafett/handover"
	"stafett/ledger"
	"stafett/ledger/sqlite"
	"stafett/mappings"
	"stafett/mappings/account"
	"stafett/mappings/language"
	"stafett/message"
)

const (
	sykehus     handover.PartyID = "fjellheim-sykehus"
	kommune     handover.PartyID = "dalvik-kommune"
	institusjon handover.PartyID = "solbakken-rehabilitering"
	annen       handover.PartyID = "fjordgloett-rehabilitering"
)

var (
	asSykehus     = access.Caller{Kind: access.CallerParty, Party: sykehus}
	asKommune     = access.Caller{Kind: access.CallerParty, Party: kommune}
	asInstitusjon = access.Caller{Kind: access.CallerParty, Party: institusjon}
	asAnnen       = access.Caller{Kind: access.CallerParty, Party: annen}
	asOperator    = access.Caller{Kind: access.CallerOperator, Person: "Oda Operatør"}
)

// wireOut stands for the network: what is sent arrives in sent, and answer says what the
// receiver's transport replies.
type wireOut struct {
	mu     sync.Mutex
	sent   map[handover.PartyID][]adapters.Outgoing
	answer func(to adapters.Target, out adapters.Outgoing) (adapters.Sent, error)
}

func (w *wireOut) Send(_ context.Context, to adapters.Target, out adapters.Outgoing) (adapters.Sent, error) {
	w.mu.Lock()
	answer := w.answer
	w.mu.Unlock()
	if answer != nil {
		if s, err := answer(to, out); err != nil {
			return s, err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent[to.Party] = append(w.sent[to.Party], out)
	if answer != nil {
		return answer(to, out)
	}
	return transportAnswer(to), nil
}

// transportAnswer is a receiver that works: KITH takes, HL7 and FHIR receipt.
func transportAnswer(to adapters.Target) adapters.Sent {
	if to.Party == kommune && !strings.Contains(to.Service, "fhir") {
		return adapters.Sent{}
	}
	return adapters.Sent{Receipt: &adapters.Receipt{Positive: true}}
}

func (w *wireOut) Close() error { return nil }

// to returns what a party was sent, by type.
func (w *wireOut) to(p handover.PartyID) []adapters.Outgoing {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]adapters.Outgoing(nil), w.sent[p]...)
}

// bench is a gateway over a real SQLite ledger, real mappings and real codecs, with the
// network and the clock in the test's hand.
type bench struct {
	t     testing.TB
	g     *gateway.Gateway
	store *ledger.Group
	out   *wireOut
	mu    sync.Mutex
	at    time.Time
	path  string
	close func()
	// receipted are the messages that the municipality has receipted.
	receipted map[string]bool
	held      int // how much of what the hospital was sent was held to the standard
	// wrap stands between the gateway and its store, codec in the place of HL7 v2's, where
	// a test sets them; edit changes the directory's text. All are read when it opens.
	wrap  func(ledger.Store) ledger.Store
	codec adapters.Codec
	// kithCodec is KITH's.
	kithCodec kith.Codec
	edit      *strings.Replacer
	// mappings stand in the place of the embedded ones, operator in that of the hospital.
	mappings *language.Set
	operator handover.PartyID
}

func newBench(t testing.TB, set ...func(*bench)) *bench {
	t.Helper()
	b := &bench{t: t, at: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), out: &wireOut{sent: map[handover.PartyID][]adapters.Outgoing{}},
		path: filepath.Join(t.TempDir(), "ledger.db")}
	for _, f := range set {
		f(b)
	}
	b.open()
	t.Cleanup(func() { b.close() })
	return b
}

func (b *bench) open() {
	t := b.t
	t.Helper()
	text, err := os.ReadFile("testdata/directory.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if b.edit != nil {
		text = []byte(b.edit.Replace(string(text)))
	}
	dir, err := directory.Parse("directory.yaml", text, &hl7v2.Codec{}, kith.Codec{}, fhirbundle.Wire{})
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(t.Context(), b.path, sqlite.Options{Clock: b.now})
	if err != nil {
		t.Fatal(err)
	}
	var kept ledger.Store = store
	if b.wrap != nil {
		kept = b.wrap(kept)
	}
	var hl7 adapters.Codec = &hl7v2.Codec{}
	if b.codec != nil {
		hl7 = b.codec
	}
	b.store = ledger.NewGroup(kept, ledger.GroupOptions{})
	set, err := mappings.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	if b.mappings != nil {
		set = b.mappings
	}
	b.g, err = gateway.New(t.Context(), gateway.Options{
		Options: kernel.Options{Ledger: b.store, Directory: dir, Mappings: set, Policy: handover.DefaultPolicy(),
			Rules: []adapters.Rules{hl7, b.kithCodec, fhirbundle.Wire{}},
			Self:  account.Address{HER: "80009", Name: "Stafett"}, OperatorContact: cmp.Or(b.operator, sykehus), Clock: b.now},
		Senders: map[handover.Wire]adapters.Sender{handover.WireHL7v2: b.out, handover.WireKITH: b.out, handover.WireFHIR: b.out},
		Owner:   "test"})
	if err != nil {
		t.Fatal(err)
	}
	b.close = func() {
		if err := b.store.Close(); err != nil {
			t.Error(err)
		}
	}
}

func (b *bench) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.at
}

func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	b.at = b.at.Add(d)
	b.mu.Unlock()
}

// deliver sends what is due, until nothing is.
func (b *bench) deliver() {
	b.t.Helper()
	for range 100 {
		n, err := b.g.DeliverOnce(b.t.Context())
		if err != nil {
			b.t.Fatal(err)
		}
		if n == 0 {
			b.wellFormed()
			return
		}
	}
	b.t.Fatal("deliveries never end")
}

// wellFormed holds what was sent on HL7 v2 since it was last asked to the standard: it is read
// without any tolerance.
func (b *bench) wellFormed() {
	b.t.Helper()
	sent := b.out.to(sykehus)
	for _, o := range sent[b.held:] {
		if !strings.HasPrefix(string(o.Raw), "MSH") {
			continue
		}
		m, err := (&hl7v2.Codec{Types: []string{"MDM^T02", "ACK"}}).Decode(o.Raw, message.DefaultLimits())
		if err != nil || len(m.Tolerated) > 0 {
			b.t.Errorf("%s is not as the standard says: %v %v", o.Type, err, m.Tolerated)
		}
	}
	b.held = len(sent)
}

// receiptAll lets the municipality receipt everything that it was sent, until nothing more comes.
func (b *bench) receiptAll() {
	b.t.Helper()
	if b.receipted == nil {
		b.receipted = map[string]bool{}
	}
	for range 10 {
		b.deliver()
		for _, o := range b.out.to(kommune) {
			if o.Type != "APPREC" && o.Type != "transaction" && !b.receipted[o.ID] {
				b.receipted[o.ID] = true
				b.must(b.kith(appRec(o, "1")))
			}
		}
	}
}

func (b *bench) watch() {
	b.t.Helper()
	if err := b.g.WatchOnce(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

// hl7 sends one message of the hospital.
func (b *bench) hl7(raw string) adapters.Answer {
	b.t.Helper()
	return b.g.Take(b.t.Context(), adapters.Inbound{Wire: handover.WireHL7v2, Caller: sykehus, Raw: []byte(raw), Correlation: "c"})
}

// kith sends one message of the municipality.
func (b *bench) kith(raw string) adapters.Answer {
	b.t.Helper()
	return b.g.Take(b.t.Context(), adapters.Inbound{Wire: handover.WireKITH, Caller: kommune, Raw: []byte(raw), Correlation: "c"})
}

// must stops the test unless the message was stored.
func (b *bench) must(a adapters.Answer) adapters.Answer {
	b.t.Helper()
	if a.Outcome != adapters.OutcomeStored {
		b.t.Fatalf("answer %s, fault %v, bytes %q", a.Outcome, a.Fault, a.Bytes)
	}
	return a
}

// handover is the only one there is.
func (b *bench) handover() handover.Handover {
	b.t.Helper()
	hs, err := b.store.Handovers(b.t.Context(), ledger.HandoverFilter{})
	if err != nil || hs.Total != 1 {
		b.t.Fatalf("%d handovers, %v", hs.Total, err)
	}
	return hs.Items[0]
}

func (b *bench) state(want handover.State, custodian handover.PartyID) {
	b.t.Helper()
	if h := b.handover(); h.State != want || h.Custodian != custodian {
		b.t.Fatalf("%s held by %s, want %s held by %s", h.State, h.Custodian, want, custodian)
	}
}

// attention is the open one with this reason.
func (b *bench) attention(r handover.AttentionReason) handover.Attention {
	b.t.Helper()
	for _, a := range b.handover().Attentions {
		if a.Reason == r {
			return a
		}
	}
	b.t.Fatalf("no attention %s in %+v", r, b.handover().Attentions)
	return handover.Attention{}
}

// balanced holds the record against invariants 2, 4 and 8.
func (b *bench) balanced() ledger.Balance {
	b.t.Helper()
	sum, err := b.store.Balance(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	if !sum.Holds() {
		b.t.Fatalf("the balance does not hold: %+v", sum)
	}
	v, err := b.store.Verify(b.t.Context(), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	if v.Finding != nil {
		b.t.Fatalf("the chain is not whole: %+v", *v.Finding)
	}
	return sum
}

func (b *bench) message(id handover.MessageID) ledger.Message {
	b.t.Helper()
	m, err := b.store.Message(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return m
}

// ofType returns what a party was sent of one type, oldest first.
func (b *bench) ofType(p handover.PartyID, typ string) []adapters.Outgoing {
	var out []adapters.Outgoing
	for _, o := range b.out.to(p) {
		if o.Type == typ {
			out = append(out, o)
		}
	}
	return out
}

// adt is a message of the hospital about one stay.
type adt struct {
	trigger, id, visit string
	fnr                string
	noNeed             bool
	kommunenummer      string
	extra              string
}

const solveig = "12034800241"

func (m adt) String() string {
	if m.fnr == "" {
		m.fnr = solveig
	}
	if m.kommunenummer == "" {
		m.kommunenummer = "9901"
	}
	var s strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&s, format+"\r", args...) }
	line(`MSH|^~\&|EPJ|FJELLHEIM|STAFETT||20260302095500+0100||ADT^%s^ADT_%s|%s|P|2.5|||NE|NE||UNICODE UTF-8`, m.trigger, m.trigger, m.id)
	line(`EVN||20260302095500|||HJEL01|20260302093000`)
	line(`PID|1||%s^^^FNR^FNR||MYRVANG^SOLVEIG^TESTDATTER||19480312|F|||Storgata 1^^Dalvik^^9901^NO^H^^%s||^PRN^PH^^^^70000000`, m.fnr, m.kommunenummer)
	line(`PD1||||||||||||N`)
	discharged, disposition := "", ""
	if m.trigger == "A03" {
		discharged, disposition = "20260302093000", "1"
	}
	line(`PV1|1|I|SLAG^201^1^FJELLHEIM||||9999998^LEGE^LISE^^^^^^HPR^^^^HPR||||||||||||%s|||||||||||||||||%s||||||||20260225101500|%s`, m.visit, disposition, discharged)
	if m.trigger == "A16" {
		line(`PV2|||||||||20260302`)
	}
	if !m.noNeed {
		line(`OBX|1|CE|KOMTJ^Mottar kommunale tjenester^99STAFETT||J^Ja`)
	}
	return s.String() + m.extra
}

// appRec is the municipality's receipt for what it was sent.
func appRec(out adapters.Outgoing, status string) string {
	errs := ""
	if status == "2" {
		errs = `<Error V="T99" S="2.16.578.1.12.4.1.1.8221" DN="Annen feil"/>`
	}
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><AppRec xmlns="http://www.kith.no/xmlstds/apprec/2012-02-15"><MsgType V="APPREC"/><MIGversion>v1.1 2012-02-15</MIGversion><GenDate>2026-03-02T10:00:00</GenDate><Id>%s</Id><Sender><HCP><Inst><Name>Dalvik kommune</Name><Id>80002</Id><TypeId V="HER"/></Inst></HCP></Sender><Receiver><HCP><Inst><Name>Fjellheim sykehus</Name><Id>80001</Id><TypeId V="HER"/></Inst></HCP></Receiver><Status V="%s"/>%s<OriginalMsgId><MsgType V="%s"/><IssueDate>%s</IssueDate><Id>%s</Id></OriginalMsgId></AppRec>`,
		uuidOf("apprec"+out.ID+status), status, errs, out.Type, between(out.Raw, "<GenDate>", "<"), out.ID)
}

// notat is the municipality's answer in a DIALOG_NOTAT 9155.
func notat(id, ref, text string) string {
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><MsgHead xmlns="http://www.kith.no/xmlstds/msghead/2006-05-24"><MsgInfo><Type V="DIALOG_NOTAT" DN="Notat"/><MIGversion>v1.2 2006-05-24</MIGversion><GenDate>2026-03-02T11:00:00</GenDate><MsgId>%s</MsgId><ConversationRef><RefToParent>%s</RefToParent><RefToConversation>%s</RefToConversation></ConversationRef><Sender><Organisation><OrganisationName>Dalvik kommune</OrganisationName><Ident><Id>80002</Id><TypeId V="HER" DN="HER-id" S="2.16.578.1.12.4.1.1.9051"/></Ident></Organisation></Sender><Receiver><Organisation><OrganisationName>Fjellheim sykehus</OrganisationName><Ident><Id>80001</Id><TypeId V="HER" DN="HER-id" S="2.16.578.1.12.4.1.1.9051"/></Ident></Organisation></Receiver><Patient><FamilyName>Myrvang</FamilyName><GivenName>Solveig</GivenName><DateOfBirth>1948-03-12</DateOfBirth><Sex V="2" DN="Kvinne"/><Ident><Id>%s</Id><TypeId V="FNR" DN="Fødselsnummer" S="2.16.578.1.12.4.1.1.8116"/></Ident></Patient></MsgInfo><Document><RefDoc><MsgType V="XML" DN="XML-instans"/><Content><Dialogmelding xmlns="http://www.kith.no/xmlstds/dialog/2013-01-23"><Notat><TemaKodet V="1" DN="Tilbakemelding på mottak av utskrivningsklar pasient" S="2.16.578.1.12.4.1.1.9155"/><TekstNotatInnhold>%s</TekstNotatInnhold></Notat></Dialogmelding></Content></RefDoc></Document></MsgHead>`, uuidOf(id), ref, ref, solveig, text)
}

func between(raw []byte, before, after string) string {
	_, rest, _ := bytes.Cut(raw, []byte(before))
	v, _, _ := bytes.Cut(rest, []byte(after))
	return string(v)
}

// parked is what waits for a named person whom c stands for.
func (b *bench) parked(c access.Caller) (ms []ledger.Message, ds []ledger.Delivery) {
	b.t.Helper()
	messages, err := b.g.ParkedMessages(b.t.Context(), c, 0, "")
	if err != nil {
		b.t.Fatal(err)
	}
	deliveries, err := b.g.ParkedDeliveries(b.t.Context(), c, 0, "")
	if err != nil {
		b.t.Fatal(err)
	}
	return messages.Items, deliveries.Items
}
