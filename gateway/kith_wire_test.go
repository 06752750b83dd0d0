package gateway_test

import (
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"

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
		"midnight as 24":      spelled("<GenDate>2026-03-02T11:00:00<", "<GenDate>2026-03-01T24:00:00<"),
		"encoding utf8":       spelled(`encoding="UTF-8"`, `encoding='utf8'`),
		"byte order mark":     func(s string) string { return "\uFEFF" + s },
		"Latin-1":             declared(charmap.ISO8859_1, "iso-8859-1"),
		"Latin-1, spelled":    declared(charmap.ISO8859_1, "ISO8859-1"),
		"Latin-1, by name":    declared(charmap.ISO8859_1, "latin1"),
		"Latin-9":             declared(charmap.ISO8859_15, "ISO-8859-15"),
		"Windows-1252":        declared(charmap.Windows1252, "windows-1252"),
		"production, spelled": spelled(`<MIGversion>`, `<MIGversion>`, `</MsgId>`, `</MsgId><ProcessingStatus V="P" DN="Produksjon"/>`),
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
