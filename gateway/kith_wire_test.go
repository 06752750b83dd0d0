package gateway_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/charmap"

	"stafett/access"
	"stafett/adapters"
	"stafett/handover"
	"stafett/ledger"
)

// ready is a stay whose notice the municipality has, and the notice.
func ready(t *testing.T, set ...func(*bench)) (*bench, adapters.Outgoing) {
	t.Helper()
	b := newBench(t, set...)
	b.must(b.hl7(adt{trigger: "A16", id: "M0", visit: "V1"}.String()))
	b.deliver()
	return b, b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")[0]
}

const yes = "SVAR=KAN_MOTTA;DATO=2026-03-04"

// spelled returns an edit of a message's text.
func spelled(pairs ...string) func(string) string {
	return func(s string) string { return strings.NewReplacer(pairs...).Replace(s) }
}

// declared writes a message in an encoding under a declaration.
func declared(table *charmap.Charmap, as string) func(string) string {
	return func(s string) string {
		s = strings.Replace(s, `encoding="UTF-8"`, `encoding="`+as+`"`, 1)
		s = strings.Replace(s, "<FamilyName>Myrvang<", "<FamilyName>Myrvåg<", 1)
		if table == nil {
			return s
		}
		out, err := table.NewEncoder().String(s)
		if err != nil {
			panic(err)
		}
		return out
	}
}

// TestKITH_SpellingsOfOneThing: what real senders write another way is understood as what it is.
func TestKITH_SpellingsOfOneThing(t *testing.T) {
	const sender, receiver = "<Id>80002</Id>", "<Id>80001</Id>"
	unit := func(her string) string {
		return receiver + `<TypeId V="HER" DN="HER-id" S="2.16.578.1.12.4.1.1.9051"/></Ident><Organisation><OrganisationName>Slagenheten</OrganisationName><Ident><Id>` + her + "</Id>"
	}
	nested := func(level1, level2 string) func(string) string {
		return func(s string) string {
			s = strings.Replace(s, receiver, strings.Replace(unit(level2), "80001", level1, 1), 1)
			return strings.Replace(s, `</Organisation></Receiver>`, `</Organisation></Organisation></Receiver>`, 1)
		}
	}
	for name, edit := range map[string]func(string) string{
		"as it is":                    spelled(),
		"HER-id with a dot":           spelled(receiver, "<Id>80.001</Id>", sender, "<Id> 80.002 </Id>"),
		"HER-id with hard blanks":     spelled(receiver, "<Id>80\u00a0001</Id>"),
		"HER-id with zeros":           spelled(sender, "<Id>0080002</Id>"),
		"organisation number, spaced": spelled(sender+`<TypeId V="HER" DN="HER-id" S="2.16.578.1.12.4.1.1.9051"/>`, `<Id>999 001 017</Id><TypeId V="ENH"/>`),
		"service with a dot":          nested("80001", "80.101"),
		"level 2 decides":             nested("80003", "80101"),
		"level 2, level 1 unknown":    nested("89999", "80101"),
		"references in capitals": func(s string) string {
			ref := between([]byte(s), "<RefToParent>", "<")
			return strings.ReplaceAll(s, ref, strings.ToUpper(ref))
		},
		"references in braces": func(s string) string {
			ref := between([]byte(s), "<RefToParent>", "<")
			return strings.ReplaceAll(s, ref, "{"+strings.ToUpper(ref)+"}")
		},
		"national number, spaced": spelled("<Id>"+solveig+"</Id>", "<Id>120348 00241</Id>", "<DateOfBirth>1948-03-12</DateOfBirth>", ""),
		"midnight as 24":          spelled("<GenDate>2026-03-02T11:00:00<", "<GenDate>2026-03-01T24:00:00<"),
		"encoding utf8":           spelled(`encoding="UTF-8"`, `encoding='utf8'`),
		"byte order mark":         func(s string) string { return "\uFEFF" + s },
		"Latin-1":                 declared(charmap.ISO8859_1, "iso-8859-1"),
		"Latin-1, spelled":        declared(charmap.ISO8859_1, "ISO8859-1"),
		"Latin-1, by name":        declared(charmap.ISO8859_1, "latin1"),
		"Latin-9":                 declared(charmap.ISO8859_15, "ISO-8859-15"),
		"Windows-1252":            declared(charmap.Windows1252, "windows-1252"),
		"production, spelled":     spelled(`<MIGversion>`, `<MIGversion>`, `</MsgId>`, `</MsgId><ProcessingStatus V="P" DN="Produksjon"/>`),
	} {
		t.Run(name, func(t *testing.T) {
			b, klar := ready(t, func(b *bench) {
				b.edit = strings.NewReplacer(`her: "80002"`, "her: \"80002\"\n    orgNumber: \"999001017\"")
			})
			a := b.must(b.kith(edit(notat("n1", klar.ID, yes))))
			if m := b.message(a.Message); m.Disposition != ledger.DispositionApplied {
				t.Fatalf("%s for %s: %s", m.Disposition, m.Reason, m.Detail)
			}
			b.state(handover.StateAccepted, kommune)
			b.balanced()
		})
	}
}

// TestKITH_GarbledIsTold: bytes that are not what they are declared to be never become a
// name; the sender is told on the connection and, its head being readable, by T01 or T02.
func TestKITH_GarbledIsTold(t *testing.T) {
	latin1 := func(s string) string {
		out, err := charmap.ISO8859_1.NewEncoder().String(strings.Replace(s, "<FamilyName>Myrvang<", "<FamilyName>Myrvåg<", 1))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for name, c := range map[string]struct {
		edit func(string) string
		kind handover.FaultKind
		code string
	}{
		"UTF-8 declared Latin-1":         {declared(nil, "ISO-8859-1"), handover.FaultMalformed, "T01"},
		"UTF-8 declared latin1":          {declared(nil, "iso8859-1"), handover.FaultMalformed, "T01"},
		"UTF-8 declared Latin-9":         {declared(nil, "iso-8859-15"), handover.FaultMalformed, "T01"},
		"UTF-8 declared Windows-1252":    {declared(nil, "Windows-1252"), handover.FaultMalformed, "T01"},
		"UTF-8 declared UTF-16":          {declared(nil, "utf-16"), handover.FaultMalformed, "T01"},
		"UTF-8 declared Unicode":         {declared(nil, "unicode"), handover.FaultMalformed, "T01"},
		"Latin-1 declared UTF-8":         {latin1, handover.FaultMalformed, "T01"},
		"Latin-1 declared nothing":       {func(s string) string { return strings.Replace(latin1(s), ` encoding="UTF-8"`, "", 1) }, handover.FaultMalformed, "T01"},
		"mark of UTF-8 and Latin-1":      {func(s string) string { return "\uFEFF" + declared(nil, "iso-8859-1")(s) }, handover.FaultMalformed, "T01"},
		"another encoding":               {declared(nil, "koi8-r"), handover.FaultUnsupported, "T10"},
		"a control character":            {spelled("SVAR=", "\x02SVAR="), handover.FaultMalformed, "T01"},
		"a line before the declaration":  {func(s string) string { return "\r\n" + s }, handover.FaultMalformed, "T01"},
		"cut off":                        {func(s string) string { return s[:len(s)-40] }, handover.FaultMalformed, "T01"},
		"GenDate is a date":              {spelled("<GenDate>2026-03-02T11:00:00<", "<GenDate>2026-03-02<"), handover.FaultInvalid, "T02"},
		"GenDate is none":                {spelled("<GenDate>2026-03-02T11:00:00<", "<GenDate>i dag<"), handover.FaultInvalid, "T02"},
		"no document":                    {spelled("<Document>", "<!--", "</Document>", "-->"), handover.FaultInvalid, "T02"},
		"a format that nobody has taken": {spelled("dialog/2013-01-23", "dialog/2031-01-01"), handover.FaultUnsupported, "T10"},
	} {
		t.Run(name, func(t *testing.T) {
			b, klar := ready(t)
			a := b.kith(c.edit(notat("n1", klar.ID, yes)))
			if a.Outcome != adapters.OutcomeRefused || a.Fault.Kind != c.kind {
				t.Fatalf("%s: %v", a.Outcome, a.Fault)
			}
			b.state(handover.StateRequested, sykehus)
			b.deliver()
			got := b.ofType(kommune, "APPREC")
			if len(got) != 1 {
				t.Fatalf("%d receipts", len(got))
			}
			b.refusedInOwnName(got[0], c.code)
			if !strings.Contains(string(got[0].Raw), "<Id>"+uuidOf("n1")+"</Id></OriginalMsgId>") {
				t.Errorf("the original is not quoted: %s", got[0].Raw)
			}
			b.balanced()
		})
	}
}

// refusedInOwnName holds a negative receipt to what only the gateway may say.
func (b *bench) refusedInOwnName(got adapters.Outgoing, code string) {
	b.t.Helper()
	raw := string(got.Raw)
	from := between(got.Raw, "<Sender>", "</Sender>")
	switch {
	case !strings.Contains(raw, `V="`+code+`"`) || !strings.Contains(raw, `<Status V="2"`):
		b.t.Errorf("not refused with %s: %s", code, raw)
	case !strings.Contains(from, "<Id>80009</Id>") || strings.Contains(from, "80001"):
		b.t.Errorf("not in the gateway's own name: %s", from)
	}
}

// TestKITH_NotaWithoutSystem: a note whose theme says no system is for a person to read.
func TestKITH_NoteWithoutSystem(t *testing.T) {
	for name, edit := range map[string]func(string) string{
		"no system":      spelled(` S="2.16.578.1.12.4.1.1.9155"`, ""),
		"another theme":  spelled(`V="1" DN="Tilbakemelding på mottak av utskrivningsklar pasient" S="2.16.578.1.12.4.1.1.9155"`, `V="6" DN="Henvendelse om pasient" S="2.16.578.1.12.4.1.1.7322"`),
		"another system": spelled(`S="2.16.578.1.12.4.1.1.9155"`, `S="2.16.578.1.12.4.1.1.9152"`),
	} {
		t.Run(name, func(t *testing.T) {
			b, klar := ready(t)
			b.must(b.kith(edit(notat("n1", klar.ID, yes))))
			b.state(handover.StateReceived, sykehus)
			b.attention(handover.AttentionAnswerNeedsReading)
			b.balanced()
		})
	}
}

// TestKITH_ReceiptInCapitals: a receipt that quotes the id in capitals is for the same message.
func TestKITH_ReceiptInCapitals(t *testing.T) {
	b, klar := ready(t)
	b.must(b.kith(strings.ReplaceAll(appRec(klar, "1"), klar.ID, strings.ToUpper(klar.ID))))
	b.state(handover.StateReceived, sykehus)
	b.balanced()
}

// TestKITH_NotServedGetsNoReceipt: no receipt for what is not for anybody here.
func TestKITH_NotServedGetsNoReceipt(t *testing.T) {
	b, klar := ready(t)
	raw := strings.NewReplacer("<Id>80001</Id>", "<Id>89999</Id>", "<GenDate>2026-03-02T11:00:00<", "<GenDate>2026-03-02<").Replace(notat("n1", klar.ID, yes))
	if a := b.kith(raw); a.Outcome != adapters.OutcomeRefused {
		t.Fatalf("%s: %v", a.Outcome, a.Fault)
	}
	b.deliver()
	if n := len(b.ofType(kommune, "APPREC")); n != 0 {
		t.Fatalf("%d receipts", n)
	}
	b.balanced()
}

// between two parties that speak KITH: the hospital's unit is reached by XML.
func withKITHHospital(b *bench) {
	b.edit = strings.NewReplacer(
		`services:
      - {name: slagenheten, her: "80101"`, `services:
      - {name: postmottak, her: "80102", wire: kith, url: "http://127.0.0.1:8091/", takes: [DIALOG_NOTAT, DIALOG_FORESPORSEL, IPLOS_TILBAKEMELDING, APPREC]}
      - {name: slagenheten, her: "80101"`)
}

// accepts is a transport that takes everything and receipts nothing.
func accepts(adapters.Target, adapters.Outgoing) (adapters.Sent, error) { return adapters.Sent{}, nil }

// receipts are those that a party was sent.
func (b *bench) receipts(p handover.PartyID) []adapters.Outgoing {
	b.t.Helper()
	b.deliver()
	return b.ofType(p, "APPREC")
}

// receiptOf is the only receipt that a party was sent for a message.
func (b *bench) receiptOf(p handover.PartyID, id string) string {
	b.t.Helper()
	var got []string
	for _, o := range b.receipts(p) {
		if strings.Contains(string(o.Raw), "<Id>"+id+"</Id></OriginalMsgId>") {
			got = append(got, string(o.Raw))
		}
	}
	if len(got) != 1 {
		b.t.Fatalf("%d receipts for one message: %q", len(got), got)
	}
	return got[0]
}

// fromService has a message come from a service of the municipality.
func fromService(raw, her string) string {
	const org = `<Id>80002</Id><TypeId V="HER" DN="HER-id" S="2.16.578.1.12.4.1.1.9051"/></Ident>`
	return strings.Replace(raw, org, org+`<Organisation><OrganisationName>Saksbehandling</OrganisationName><Ident><Id>`+her+`</Id><TypeId V="HER"/></Ident></Organisation>`, 1)
}

// TestKITH_ReceiptGoesToTheServiceThatSent: whatever order the services stand in.
func TestKITH_ReceiptGoesToTheServiceThatSent(t *testing.T) {
	for her, want := range map[string]string{"80202": "saksbehandling", "80.202": "saksbehandling", "80201": "sykepleietjeneste"} {
		b, klar := ready(t)
		a := b.must(b.kith(fromService(notat("n1", klar.ID, yes), her)))
		raw := b.receiptOf(kommune, uuidOf("n1"))
		if !strings.Contains(between([]byte(raw), "<Receiver>", "</Receiver>"), "<Id>"+her+"</Id>") {
			t.Errorf("not mirrored: %s", raw)
		}
		ds, err := b.store.DeliveriesOf(t.Context(), a.Message)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range ds {
			if d.Purpose == ledger.PurposeReceipt && d.Service != want {
				t.Errorf("%s: the receipt went to %s, want %s", her, d.Service, want)
			}
		}
		b.balanced()
	}
}

// TestKITH_SameAnswerAgain: each message gets its own receipt, the second on what the hospital
// has by the first; one with other words is told, and receipted as told.
func TestKITH_SameAnswerAgain(t *testing.T) {
	b, klar := ready(t)
	b.must(b.kith(notat("n1", klar.ID, yes)))
	if raw := b.receiptOf(kommune, uuidOf("n1")); !strings.Contains(raw, `<Status V="1"`) {
		t.Fatal(raw)
	}
	told := len(b.out.to(sykehus))
	b.must(b.kith(strings.Replace(notat("n2", klar.ID, yes), "11:00:00", "11:05:00", 1)))
	if raw := b.receiptOf(kommune, uuidOf("n2")); !strings.Contains(raw, `<Status V="1"`) || !strings.Contains(raw, "80001") {
		t.Fatal(raw)
	}
	if n := len(b.out.to(sykehus)); n != told {
		t.Errorf("told %d times more", n-told)
	}
	b.must(b.kith(notat("n3", klar.ID, yes+"\nRing oss.")))
	b.receiptOf(kommune, uuidOf("n3"))
	if n := len(b.out.to(sykehus)); n == told {
		t.Error("the new words reached nobody")
	}
	b.balanced()
}

// TestKITH_SameAnswerWhileAway: nothing is receipted that the receiver has not got.
func TestKITH_SameAnswerWhileAway(t *testing.T) {
	b, klar := ready(t)
	b.out.answer = func(adapters.Target, adapters.Outgoing) (adapters.Sent, error) {
		return adapters.Sent{}, &handover.Fault{Kind: handover.FaultTemporary}
	}
	b.must(b.kith(notat("n1", klar.ID, yes)))
	b.must(b.kith(notat("n2", klar.ID, yes)))
	if n := len(b.receipts(kommune)); n != 0 {
		t.Fatalf("%d receipts", n)
	}
	b.out.answer = nil
	b.pass(30 * time.Minute)
	b.receiptOf(kommune, uuidOf("n1"))
	b.receiptOf(kommune, uuidOf("n2"))
	b.balanced()
}

// ofKind is a message of another kind, which nothing here reads.
func ofKind(typ, id, ref string) string {
	return strings.NewReplacer(`<Type V="DIALOG_NOTAT" DN="Notat"/>`, `<Type V="`+typ+`" DN="x"/>`,
		"http://www.kith.no/xmlstds/dialog/2013-01-23", "http://ehelse.no/xmlstds/annet/2030-01-01").Replace(notat(id, ref, yes))
}

// TestKITH_UnmappedKind: what nothing here reads goes on as it came, where the receiver's
// service takes it, and its receipt comes back; else it is refused in the gateway's own name.
func TestKITH_UnmappedKind(t *testing.T) {
	b, klar := ready(t, withKITHHospital)
	b.out.answer = accepts
	raw := ofKind("IPLOS_TILBAKEMELDING", "n1", klar.ID)
	a := b.must(b.kith(raw))
	b.state(handover.StateRequested, sykehus)
	b.deliver()
	got := b.ofType(sykehus, "IPLOS_TILBAKEMELDING")
	if len(got) != 1 || string(got[0].Raw) != raw || got[0].ID != uuidOf("n1") {
		t.Fatalf("%d sent on", len(got))
	}
	m := b.message(a.Message)
	if m.Disposition != ledger.DispositionApplied || !strings.Contains(string(m.Report), "not read") {
		t.Fatalf("%s %s", m.Disposition, m.Report)
	}
	b.refuseMore(kommune)
	b.must(b.g.Take(t.Context(), adapters.Inbound{Wire: handover.WireKITH, Caller: sykehus, Raw: []byte(hospitalReceipt(got[0], "1"))}))
	if r := b.receiptOf(kommune, uuidOf("n1")); !strings.Contains(r, `<Status V="1"`) || !strings.Contains(between([]byte(r), "<Sender>", "</Sender>"), "80001") {
		t.Fatal(r)
	}
	refused := b.kith(ofKind("MEDISINSKE_OPPLYSNINGER", "n2", klar.ID))
	if refused.Outcome != adapters.OutcomeRefused || refused.Fault.Kind != handover.FaultUnsupported {
		t.Fatalf("%s %v", refused.Outcome, refused.Fault)
	}
	b.deliver()
	all := b.ofType(kommune, "APPREC")
	b.refusedInOwnName(all[len(all)-1], "T10")
	b.balanced()
}

func (b *bench) refuseMore(p handover.PartyID) {
	b.t.Helper()
	if n := len(b.receipts(p)); n != 0 {
		b.t.Fatalf("%d receipts before the receiver's", n)
	}
}

// hospitalReceipt is the hospital's receipt for what it was sent as it came.
func hospitalReceipt(out adapters.Outgoing, status string) string {
	return strings.NewReplacer("Dalvik kommune", "Fjellheim sykehus", "Fjellheim sykehus", "Dalvik kommune", "80001", "80002", "80002", "80001").Replace(appRec(out, status))
}

// TestKITH_AnswersToWhatWasPassedOn: the answer to a question that nothing here read goes on too.
func TestKITH_AnswersToWhatWasPassedOn(t *testing.T) {
	b := newBench(t, withKITHHospital)
	b.out.answer = accepts
	b.must(b.kith(ofKind("DIALOG_FORESPORSEL", "q1", uuidOf("none"))))
	b.deliver()
	if n := len(b.ofType(sykehus, "DIALOG_FORESPORSEL")); n != 1 {
		t.Fatalf("%d sent on", n)
	}
	swap := strings.NewReplacer("<Id>80001</Id>", "<Id>80002</Id>", "<Id>80002</Id>", "<Id>80001</Id>",
		`<Type V="DIALOG_NOTAT" DN="Notat"/>`, `<Type V="DIALOG_HELSEFAGLIG" DN="Helsefaglig dialog"/>`)
	answer := func(id, ref string) ledger.Message {
		a := b.must(b.g.Take(t.Context(), adapters.Inbound{Wire: handover.WireKITH, Caller: sykehus, Raw: []byte(swap.Replace(notat(id, ref, "Ja, hun bruker rullator.")))}))
		b.deliver()
		return b.message(a.Message)
	}
	if m := answer("a1", uuidOf("q1")); m.Disposition != ledger.DispositionApplied || len(b.ofType(kommune, "DIALOG_HELSEFAGLIG")) != 1 {
		t.Fatalf("%s for %s: %s", m.Disposition, m.Reason, m.Detail)
	}
	if m := answer("a2", uuidOf("another")); m.Disposition != ledger.DispositionParked {
		t.Fatalf("what refers to nothing known is %s", m.Disposition)
	}
	b.balanced()
}

// TestKITH_PassedOnIsItsSenders: what was passed on and is not receipted is its sender's to follow up.
func TestKITH_PassedOnIsItsSenders(t *testing.T) {
	b, klar := ready(t, withKITHHospital)
	b.out.answer = accepts
	b.must(b.kith(ofKind("IPLOS_TILBAKEMELDING", "n1", klar.ID)))
	b.deliver()
	b.pass(25 * time.Hour)
	b.watch()
	b.deliver()
	if told := b.ofType(kommune, "DIALOG_HELSEFAGLIG"); len(told) != 1 || !strings.Contains(string(told[0].Raw), uuidOf("n1")) {
		t.Fatalf("its sender is told %d times that it has no receipt", len(told))
	}
	b.pass(72 * time.Hour)
	b.watch()
	_, ds := b.parked(access.Caller{Kind: access.CallerOperator, Person: "Kari", Party: kommune})
	if len(ds) != 1 || ds[0].Type != "IPLOS_TILBAKEMELDING" {
		t.Fatalf("%+v", ds)
	}
	b.balanced()
}

// TestKITH_ToItself: a message to its own sender is nobody's.
func TestKITH_UnmappedToItself(t *testing.T) {
	b, klar := ready(t, withKITHHospital)
	raw := strings.Replace(ofKind("APPRECX_X", "n1", klar.ID), "<Id>80001</Id>", "<Id>80002</Id>", 1)
	if a := b.kith(raw); a.Outcome != adapters.OutcomeRefused {
		t.Fatalf("%s", a.Outcome)
	}
	b.balanced()
}

// TestKITH_Copies: a copy has a delivery and a receipt of its own, by its role, and is never
// taken for the receiver.
func TestKITH_Copies(t *testing.T) {
	const third = `<OtherReceiver><RoleReceiver V="COP" DN="Kopimottaker"/><Organisation><OrganisationName>Solbakken rehabilitering</OrganisationName><Ident><Id>80003</Id><TypeId V="HER" DN="HER-id" S="2.16.578.1.12.4.1.1.9051"/></Ident></Organisation></OtherReceiver>`
	setup := func(b *bench) {
		b.edit = strings.NewReplacer(
			`services:
      - {name: slagenheten, her: "80101"`, `services:
      - {name: postmottak, her: "80102", wire: kith, url: "http://127.0.0.1:8091/", takes: [DIALOG_NOTAT, IPLOS_TILBAKEMELDING, APPREC]}
      - {name: slagenheten, her: "80101"`,
			`- {name: rehabilitering, her: "80301", wire: fhir, url: "http://127.0.0.1:8083/", takes: ["*"]}`,
			`- {name: rehabilitering, her: "80301", wire: fhir, url: "http://127.0.0.1:8083/", takes: ["*"]}
      - {name: inntak, her: "80302", wire: kith, url: "http://127.0.0.1:8084/", takes: [DIALOG_NOTAT, IPLOS_TILBAKEMELDING]}`)
	}
	withCopy := func(s string) string { return strings.Replace(s, "</Receiver>", "</Receiver>"+third, 1) }
	asCopy := func(out adapters.Outgoing, status string) string {
		return strings.NewReplacer("<Id>80002</Id>", "<Id>80003</Id>", "<Id>80001</Id>", "<Id>80002</Id>").Replace(
			strings.Replace(appRec(out, status), uuidOf("apprec"+out.ID+status), uuidOf("copy"+out.ID+status), 1))
	}
	take := func(b *bench, p handover.PartyID, raw string) {
		b.must(b.g.Take(b.t.Context(), adapters.Inbound{Wire: handover.WireKITH, Caller: p, Raw: []byte(raw)}))
	}
	for name, raw := range map[string]func(ref string) string{
		"not read":  func(ref string) string { return withCopy(ofKind("IPLOS_TILBAKEMELDING", "n1", ref)) },
		"an answer": func(ref string) string { return withCopy(notat("n1", ref, yes)) },
	} {
		t.Run(name, func(t *testing.T) {
			b, klar := ready(t, setup)
			b.must(b.kith(raw(klar.ID)))
			b.out.answer = accepts
			b.deliver()
			h := b.handover()
			got := b.out.to(institusjon)
			if len(got) != 1 || string(got[0].Raw) != raw(klar.ID) {
				t.Fatalf("the copy got %d", len(got))
			}
			take(b, institusjon, asCopy(got[0], "1"))
			r := b.receiptOf(kommune, uuidOf("n1"))
			if !strings.Contains(r, `<Role V="COP"`) || !strings.Contains(between([]byte(r), "<Sender>", "</Sender>"), "80003") {
				t.Fatalf("not as a copy: %s", r)
			}
			if after := b.handover(); after.State != h.State || after.Custodian != h.Custodian {
				t.Errorf("a copy's receipt changed the handover: %s", after.State)
			}
			b.balanced()
		})
	}
	t.Run("the same organisation twice", func(t *testing.T) {
		b, klar := ready(t, setup)
		same := strings.NewReplacer("Solbakken rehabilitering", "Fjellheim sykehus", "80003", "80001").Replace(third)
		b.must(b.kith(strings.Replace(ofKind("IPLOS_TILBAKEMELDING", "n1", klar.ID), "</Receiver>", "</Receiver>"+same, 1)))
		b.deliver()
		got := b.ofType(sykehus, "IPLOS_TILBAKEMELDING")
		if len(got) != 1 {
			t.Fatalf("%d deliveries", len(got))
		}
		take(b, sykehus, hospitalReceipt(got[0], "1"))
		if r := b.receiptOf(kommune, uuidOf("n1")); !strings.Contains(r, `<Role V="PRIM"`) {
			t.Fatal(r)
		}
		b.balanced()
	})
	t.Run("a copy only", func(t *testing.T) {
		b, klar := ready(t, setup)
		b.must(b.kith(strings.Replace(withCopy(notat("n1", klar.ID, yes)), "<Id>80001</Id>", "<Id>89999</Id>", 1)))
		b.deliver()
		b.state(handover.StateRequested, sykehus)
		got := b.out.to(institusjon)
		if len(got) != 1 {
			t.Fatalf("%d deliveries", len(got))
		}
		take(b, institusjon, asCopy(got[0], "1"))
		if r := b.receiptOf(kommune, uuidOf("n1")); !strings.Contains(r, `<Role V="COP"`) {
			t.Fatal(r)
		}
		b.balanced()
	})
}

// TestKITH_ContradictingReceipts: a person sees that one system said yes and no of one message.
func TestKITH_ContradictingReceipts(t *testing.T) {
	b, klar := ready(t)
	b.must(b.kith(appRec(klar, "1")))
	b.state(handover.StateReceived, sykehus)
	b.must(b.kith(appRec(klar, "2")))
	b.state(handover.StateReceived, sykehus)
	b.attention(handover.AttentionReceiptsContradict)
	if d := b.told(kommune, "LOG_UTSKRIVNINGSKLAR"); d.State != ledger.DeliveryReceipted || !strings.Contains(d.Error, "contradicting") {
		t.Errorf("%s %q", d.State, d.Error)
	}
	b.balanced()

	b, klar = ready(t)
	b.must(b.kith(appRec(klar, "2")))
	b.deliver()
	told := len(b.ofType(sykehus, "MDM^T02"))
	b.must(b.kith(appRec(klar, "1")))
	b.state(handover.StateReceived, sykehus)
	b.deliver()
	if n := len(b.ofType(sykehus, "MDM^T02")); n == told {
		t.Error("nobody is told that a refused message was receipted")
	}
	if d := b.told(kommune, "LOG_UTSKRIVNINGSKLAR"); d.State != ledger.DeliveryReceipted || !strings.Contains(d.Error, "contradicting") {
		t.Errorf("%s %q", d.State, d.Error)
	}
	b.balanced()
}

// TestKITH_TestMessages: what its sender marks as a test is not acted on in production, and its
// sender is told so on the connection.
func TestKITH_TestMessages(t *testing.T) {
	marked := func(v string) func(string) string {
		return spelled("</MsgId>", `</MsgId><ProcessingStatus V="`+v+`" DN="Test"/>`)
	}
	for _, v := range []string{"D", "T", "d", " T "} {
		b, klar := ready(t)
		a := b.kith(marked(v)(notat("n1", klar.ID, yes)))
		if a.Outcome != adapters.OutcomeRefused || a.Fault.Kind != handover.FaultForbidden {
			t.Fatalf("%q: %s %v", v, a.Outcome, a.Fault)
		}
		b.state(handover.StateRequested, sykehus)
		if n := len(b.receipts(kommune)); n != 0 {
			t.Errorf("%q: %d receipts", v, n)
		}
		b.balanced()
	}
	b, klar := ready(t, func(b *bench) { b.kithCodec.Test = true })
	b.must(b.kith(marked("D")(notat("n1", klar.ID, yes))))
	b.state(handover.StateAccepted, kommune)
}

// TestKITH_APersonReceipts: what is parked ends with a receipt by a person of its receiver, or
// with a word to its sender why there is none.
func TestKITH_APersonReceipts(t *testing.T) {
	parkedNote := func(t *testing.T) (*bench, handover.MessageID) {
		b := newBench(t)
		a := b.must(b.kith(notat("n1", uuidOf("nothing"), "Fritekst.")))
		if m := b.message(a.Message); m.Disposition != ledger.DispositionParked {
			t.Fatalf("%s", m.Disposition)
		}
		return b, a.Message
	}
	for _, positive := range []bool{true, false} {
		b, id := parkedNote(t)
		isFault(t, b.g.ReceiptMessage(t.Context(), forKommune, id, positive, "lest"), handover.FaultForbidden)
		isFault(t, b.g.ReceiptMessage(t.Context(), asOperator, id, positive, "lest"), handover.FaultForbidden)
		isFault(t, b.g.ReceiptMessage(t.Context(), forSykehus, id, positive, ""), handover.FaultInvalid)
		if err := b.g.ReceiptMessage(t.Context(), forSykehus, id, positive, "Feil adressat"); err != nil {
			t.Fatal(err)
		}
		r := b.receiptOf(kommune, uuidOf("n1"))
		if positive != strings.Contains(r, `<Status V="1"`) || !positive && !strings.Contains(r, "Feil adressat") {
			t.Error(r)
		}
		if !strings.Contains(between([]byte(r), "<Sender>", "</Sender>"), "80001") {
			t.Errorf("not the receiver's: %s", r)
		}
		if m := b.message(id); m.Disposition != ledger.DispositionClosed || m.Person != forSykehus.Person {
			t.Errorf("%s by %q", m.Disposition, m.Person)
		}
		isFault(t, b.g.ReceiptMessage(t.Context(), forSykehus, id, positive, "igjen"), handover.FaultConflict)
		b.balanced()
	}
	b, id := parkedNote(t)
	if err := b.g.CloseMessage(t.Context(), asOperator, id, "Ukjent forløp"); err != nil {
		t.Fatal(err)
	}
	if n := len(b.receipts(kommune)); n != 0 {
		t.Fatalf("%d receipts", n)
	}
	told := b.ofType(kommune, "DIALOG_HELSEFAGLIG")
	if len(told) != 1 || !strings.Contains(string(told[0].Raw), "Ukjent forløp") || !strings.Contains(string(told[0].Raw), uuidOf("n1")) {
		t.Fatalf("%d told of the end: %s", len(told), told)
	}
	b.balanced()
}

// TestKITH_WrongReceiverIsToldNoMore: a receiver that was the wrong one is told nothing more, and
// its sender that no receipt comes.
func TestKITH_WrongReceiverIsToldNoMore(t *testing.T) {
	b := newBench(t, withKITHHospital)
	send := func(name, id, ref string) {
		raw, err := os.ReadFile("../adapters/kith/testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		edit := strings.NewReplacer("<Id>80101</Id>", "<Id>80102</Id>", "<Id>80004</Id>", "<Id>89998</Id>", between(raw, "<MsgId>", "<"), id,
			"</MsgId>", "</MsgId>"+ref)
		b.must(b.g.Take(t.Context(), adapters.Inbound{Wire: handover.WireKITH, Caller: sykehus, Raw: []byte(edit.Replace(string(raw)))}))
		b.deliver()
	}
	send("log_utskrivningsklar.xml", uuidOf("klar"), "")
	h := b.handover()
	b.mustChange(asKommune, string(h.ID), status("rejected", "misaddressed"))
	b.deliver()
	before := len(b.out.to(kommune))
	send("log_utskrevet.xml", uuidOf("utskrevet"), "<ConversationRef><RefToParent>"+uuidOf("klar")+"</RefToParent><RefToConversation>"+uuidOf("klar")+"</RefToConversation></ConversationRef>")
	for _, o := range b.out.to(kommune)[before:] {
		if strings.HasPrefix(o.Type, "LOG_") {
			t.Errorf("the wrong receiver was told %s", o.Type)
		}
	}
	for _, o := range b.ofType(sykehus, "APPREC") {
		if strings.Contains(string(o.Raw), uuidOf("utskrevet")) {
			t.Error("a receipt of nobody")
		}
	}
	b.balanced()
}

// TestKITH_HospitalsNoticeWithACopy: a hospital that speaks KITH tells the municipality, with a
// copy to one that speaks FHIR: each has its delivery, and the hospital's service a receipt of each.
func TestKITH_HospitalsNoticeWithACopy(t *testing.T) {
	raw, err := os.ReadFile("../adapters/kith/testdata/log_utskrivningsklar.xml")
	if err != nil {
		t.Fatal(err)
	}
	const id = "7d1c0f7e-3b0a-4c55-9d1e-000000000003"
	notice := strings.Replace(string(raw), "<Id>80101</Id>", "<Id>80102</Id>", 1)
	b := newBench(t, withKITHHospital)
	b.must(b.g.Take(t.Context(), adapters.Inbound{Wire: handover.WireKITH, Caller: sykehus, Raw: []byte(notice)}))
	b.deliver()
	h := b.handover()
	if h.Receiver != kommune || len(h.Copies) != 1 || h.Copies[0] != annen || h.State != handover.StateRequested {
		t.Fatalf("%s to %s, copies %v", h.State, h.Receiver, h.Copies)
	}
	if n := len(b.out.to(annen)); n != 1 {
		t.Fatalf("the copy got %d", n)
	}
	if r := b.receiptOf(sykehus, id); !strings.Contains(r, `<Role V="COP"`) || !strings.Contains(between([]byte(r), "<Sender>", "</Sender>"), "80004") {
		t.Fatalf("not a copy's: %s", r)
	}
	klar := b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")
	if len(klar) != 1 {
		t.Fatalf("the municipality got %d", len(klar))
	}
	b.must(b.kith(appRec(klar[0], "1")))
	b.state(handover.StateReceived, sykehus)
	b.deliver()
	var main string
	for _, o := range b.ofType(sykehus, "APPREC") {
		if strings.Contains(string(o.Raw), `<Role V="PRIM"`) {
			main = string(o.Raw)
		}
	}
	if !strings.Contains(between([]byte(main), "<Sender>", "</Sender>"), "80202") || len(b.ofType(sykehus, "APPREC")) != 2 {
		t.Fatalf("%d receipts, the receiver's %q", len(b.ofType(sykehus, "APPREC")), main)
	}
	b.mustRead(asAnnen, "Task", string(h.ID))
	b.balanced()
}
