package gateway_test

import (
	"fmt"
	"strings"
	"testing"

	"stafett/adapters"
	"stafett/gateway/act"
	"stafett/handover"
	"stafett/ledger"
)

// logMessage is a Pasientlogistikk message of a hospital that speaks KITH.
type logMessage struct {
	typ, id, ref string
	status       string // Forsendelsesstatus; N when empty
	from, to     string // HER-ids; the hospital's and the municipality's when empty
	died         bool
}

// her is a party of the head.
func her(name, id string) string {
	return `<Organisation><OrganisationName>` + name + `</OrganisationName><Ident><Id>` + id + `</Id><TypeId V="HER" DN="HER-id" S="2.16.578.1.12.4.1.1.9051"/></Ident></Organisation>`
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (m logMessage) String() string {
	event := func(code, text, at string) string {
		return `<TidsfestetHendelse><Hendelsekode V="` + code + `" DN="` + text + `" S="2.16.578.1.12.4.1.1.9121"/><TidspunktForHendelse V="` + at + `"/><Anslag>false</Anslag></TidsfestetHendelse>`
	}
	condition := ""
	if m.died {
		condition = `<Uttilstand V="2" DN="Som død" S="2.16.578.1.12.4.1.1.8431"/>`
	}
	body := map[string]string{
		"LOG_INNLAGT":          `<p1:MeldingInnlagtPasient>` + event("1", "Pasient innlagt", "2026-03-01T10:00:00") + `</p1:MeldingInnlagtPasient>`,
		"LOG_UTSKRIVNINGSKLAR": `<p1:MeldingUtskrivningsklarPasient>` + event("1", "Pasient innlagt", "2026-03-01T10:00:00") + event("3", "Pasient utskrivningsklar", "2026-03-02T08:00:00") + `</p1:MeldingUtskrivningsklarPasient>`,
		"LOG_AVMELDING":        `<p1:AvmeldingUtskrivningsklarPasient>` + event("1", "Pasient innlagt", "2026-03-01T10:00:00") + event("3", "Pasient utskrivningsklar", "2026-03-02T08:00:00") + event("4", "Pasient ikke lenger utskrivningsklar", "2026-03-02T09:30:00") + `</p1:AvmeldingUtskrivningsklarPasient>`,
		"LOG_UTSKREVET":        `<p1:MeldingOmUtskrevetPasient><UtskrevetTil>` + condition + `<UtTil V="1" DN="Bosted" S="2.16.578.1.12.4.1.1.8408"/></UtskrevetTil>` + event("2", "Pasient utskrevet", "2026-03-02T09:45:00") + `</p1:MeldingOmUtskrevetPasient>`,
	}[m.typ]
	ref := ""
	if m.ref != "" {
		ref = "<ConversationRef><RefToParent>" + m.ref + "</RefToParent><RefToConversation>" + m.ref + "</RefToConversation></ConversationRef>"
	}
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><MsgHead xmlns="http://www.kith.no/xmlstds/msghead/2006-05-24"><MsgInfo><Type V="%s" DN="Melding"/><MIGversion>v1.2 2006-05-24</MIGversion><GenDate>2026-03-02T10:00:00+01:00</GenDate><MsgId>%s</MsgId>%s<Sender>%s</Sender><Receiver>%s</Receiver><Patient><FamilyName>Myrvang</FamilyName><GivenName>Solveig</GivenName><DateOfBirth>1948-03-12</DateOfBirth><Sex V="2" DN="Kvinne"/><Ident><Id>%s</Id><TypeId V="FNR" DN="Fødselsnummer" S="2.16.578.1.12.4.1.1.8116"/></Ident></Patient></MsgInfo><Document><RefDoc><IssueDate V="2026-03-02T10:00:00+01:00"/><MsgType V="XML" DN="XML-instans"/><Content><p1:Pasientlogistikk xmlns:p1="http://www.kith.no/xmlstds/po/Pasientlogistikk/2012-04-01" xmlns="http://www.kith.no/xmlstds/po/poKomponent/2012-04-01" xmlns:fk1="http://www.kith.no/xmlstds/felleskomponent1"><InformasjonOmForsendelsen><Forsendelsesstatus V="%s" DN="Ny"/></InformasjonOmForsendelsen><TilknyttetEnhet><Kontaktenhet><fk1:OrganisationName>Slagenheten</fk1:OrganisationName><fk1:Ident><fk1:Id>SLAG</fk1:Id><fk1:TypeId V="LAV" DN="Lokal identifikator for avdelinger" S="2.16.578.1.12.4.1.1.9051"/></fk1:Ident></Kontaktenhet></TilknyttetEnhet><AnsvarForRapport><AnsvarligRapport><fk1:TypeHealthcareProfessional V="SP" DN="Sykepleier"/><fk1:RoleToPatient V="9" DN="Primærkontakt" S="2.16.578.1.12.4.1.1.9034"/><fk1:FamilyName>Lie</fk1:FamilyName><fk1:GivenName>Kari</fk1:GivenName></AnsvarligRapport></AnsvarForRapport>%s</p1:Pasientlogistikk></Content></RefDoc></Document></MsgHead>`,
		m.typ, uuidOf(m.id), ref, her("Fjellheim sykehus", or(m.from, "80001")), her("Dalvik kommune", or(m.to, "80002")), solveig, or(m.status, "N"), body)
}

// log sends a Pasientlogistikk message of the hospital by KITH.
func (b *bench) log(m logMessage) adapters.Answer {
	b.t.Helper()
	return b.must(b.g.Take(b.t.Context(), adapters.Inbound{Wire: handover.WireKITH, Caller: sykehus, Raw: []byte(m.String()), Correlation: "c"}))
}

// kithHospital is a hospital whose only wire is KITH.
func kithHospital(b *bench) {
	b.edit = strings.NewReplacer(`wire: hl7v2, url: "mllp://127.0.0.1:2575", takes: ["*"], application: EPJ, facility: FJELLHEIM`,
		`wire: kith, url: "http://127.0.0.1:8091/", takes: [DIALOG_NOTAT, DIALOG_HELSEFAGLIG, LOG_INNLAGT, LOG_UTSKRIVNINGSKLAR, LOG_AVMELDING, LOG_UTSKREVET, APPREC]`,
		"    facilities: [FJELLHEIM]\n", "")
}

// applied holds a message to have been read and used.
func (b *bench) applied(a adapters.Answer) {
	b.t.Helper()
	if m := b.message(a.Message); m.Disposition != ledger.DispositionApplied {
		b.t.Fatalf("%s for %s: %s", m.Disposition, m.Reason, m.Detail)
	}
}

// TestKITH_AStayBegins: whichever message comes first begins the handover, because the hospital
// chose its receiver, who is told and whose receipt comes back.
func TestKITH_AStayBegins(t *testing.T) {
	for typ, state := range map[string]handover.State{
		"LOG_INNLAGT": handover.StateAnnounced, "LOG_UTSKRIVNINGSKLAR": handover.StateReceived, "LOG_UTSKREVET": handover.StateReceived,
	} {
		t.Run(typ, func(t *testing.T) {
			b := newBench(t, withKITHHospital)
			b.out.answer = accepts
			a := b.log(logMessage{typ: typ, id: "m1"})
			b.applied(a)
			b.deliver()
			got := b.ofType(kommune, typ)
			if len(got) != 1 || !strings.Contains(string(got[0].Raw), solveig) {
				t.Fatalf("%d sent on", len(got))
			}
			b.receiptAll()
			if typ == "LOG_UTSKREVET" {
				state = b.handover().State // its own test says which
			}
			b.state(state, sykehus)
			if raw := b.receiptOf(sykehus, uuidOf("m1")); !strings.Contains(raw, `<Status V="1"`) || !strings.Contains(between([]byte(raw), "<Sender>", "</Sender>"), "80002") {
				t.Error(raw)
			}
			b.balanced()
		})
	}
}

// TestKITH_AWholeStay: a later message finds the stay by its conversation, or by its patient.
func TestKITH_AWholeStay(t *testing.T) {
	for name, refers := range map[string]bool{"by conversation": true, "by patient": false} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, kithHospital)
			b.out.answer = accepts
			ref := ""
			if refers {
				ref = uuidOf("m1")
			}
			b.applied(b.log(logMessage{typ: "LOG_INNLAGT", id: "m1"}))
			b.applied(b.log(logMessage{typ: "LOG_UTSKRIVNINGSKLAR", id: "m2", ref: ref}))
			b.receiptAll()
			b.state(handover.StateReceived, sykehus)
			b.applied(b.log(logMessage{typ: "LOG_AVMELDING", id: "m3", ref: ref}))
			b.state(handover.StateAnnounced, sykehus)
			b.applied(b.log(logMessage{typ: "LOG_UTSKRIVNINGSKLAR", id: "m4", ref: ref}))
			b.receiptAll()
			klar := b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")
			b.applied(b.must(b.kith(notat("n1", klar[len(klar)-1].ID, yes))))
			b.state(handover.StateAccepted, kommune)
			b.applied(b.log(logMessage{typ: "LOG_UTSKREVET", id: "m5", ref: ref}))
			b.receiptAll()
			if !b.leaks(sykehus, "2026-03-04", "4. mars", "04.03.2026") {
				t.Error("the hospital was not told when the patient may come")
			}
			for _, typ := range []string{"LOG_INNLAGT", "LOG_AVMELDING", "LOG_UTSKREVET"} {
				if n := len(b.ofType(kommune, typ)); n != 1 {
					t.Errorf("%d %s", n, typ)
				}
			}
			for i := range 5 {
				b.receiptOf(sykehus, uuidOf(fmt.Sprintf("m%d", i+1)))
			}
			b.state(b.handover().State, kommune)
			b.balanced()
		})
	}
}

// TestInvariant9_KITHStays: another patient's message in a stay's conversation, and one to
// another municipality, tell the first one nothing.
func TestInvariant9_KITHStays(t *testing.T) {
	begun := func(t *testing.T) *bench {
		b := newBench(t, kithHospital)
		b.out.answer = accepts
		b.applied(b.log(logMessage{typ: "LOG_INNLAGT", id: "m1"}))
		b.receiptAll()
		return b
	}
	send := func(b *bench, raw string) adapters.Answer {
		return b.must(b.g.Take(t.Context(), adapters.Inbound{Wire: handover.WireKITH, Caller: sykehus, Raw: []byte(raw), Correlation: "c"}))
	}
	klar := logMessage{typ: "LOG_UTSKRIVNINGSKLAR", id: "m2", ref: uuidOf("m1")}
	t.Run("another person", func(t *testing.T) {
		b := begun(t)
		a := send(b, about(klar.String(), ingrid, "Strand", "Ingrid", "1965-10-05"))
		b.parkedOn(a.Message, handover.AttentionChainsMeet)
		b.state(handover.StateAnnounced, sykehus)
		if b.leaks(kommune, ingrid, "Strand") {
			t.Error("the municipality was told of the stranger")
		}
		if m, err := b.g.Rule(t.Context(), forSykehus, a.Message, act.VerdictAnotherStay); err != nil || m.Disposition != ledger.DispositionApplied {
			t.Fatalf("%s, %v", m.Disposition, err)
		}
		b.inState(handover.StateAnnounced)
		b.inState(handover.StateRequested)
		b.balanced()
	})
	t.Run("another person, no conversation", func(t *testing.T) {
		b := begun(t)
		other := klar
		other.ref = ""
		b.applied(send(b, about(other.String(), ingrid, "Strand", "Ingrid", "1965-10-05")))
		b.inState(handover.StateAnnounced)
		b.inState(handover.StateRequested)
		b.balanced()
	})
	t.Run("another receiver", func(t *testing.T) {
		b := begun(t)
		other := klar
		other.to = "80003"
		a := send(b, other.String())
		if m := b.message(a.Message); m.Disposition != ledger.DispositionParked {
			t.Fatalf("%s", m.Disposition)
		}
		if b.leaks(institusjon, solveig) || len(b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")) != 0 {
			t.Error("it was told")
		}
		b.balanced()
	})
	t.Run("to itself", func(t *testing.T) {
		b := begun(t)
		other := klar
		other.to = "80001"
		a := send(b, other.String())
		if m := b.message(a.Message); m.Disposition != ledger.DispositionParked {
			t.Fatalf("%s", m.Disposition)
		}
		b.state(handover.StateAnnounced, sykehus)
		b.balanced()
	})
}

// TestKITH_Undone: what takes back is sent before what it takes back, or after.
func TestKITH_Undone(t *testing.T) {
	klar, off := logMessage{typ: "LOG_UTSKRIVNINGSKLAR", id: "m1"}, logMessage{typ: "LOG_AVMELDING", id: "m2", ref: uuidOf("m1")}
	t.Run("before", func(t *testing.T) {
		b := newBench(t, kithHospital)
		b.out.answer = accepts
		a := b.log(off)
		if m := b.message(a.Message); m.Disposition != ledger.DispositionMoving {
			t.Fatalf("%s", m.Disposition)
		}
		b.applied(b.log(klar))
		b.applied(a)
		b.state(handover.StateAnnounced, sykehus)
		b.receiptAll()
		b.receiptOf(sykehus, uuidOf("m2"))
		b.balanced()
	})
	t.Run("an admission in error", func(t *testing.T) {
		b := newBench(t, kithHospital)
		b.out.answer = accepts
		b.applied(b.log(logMessage{typ: "LOG_INNLAGT", id: "m1"}))
		b.receiptAll()
		b.applied(b.log(logMessage{typ: "LOG_INNLAGT", id: "m2", ref: uuidOf("m1"), status: "C"}))
		b.state(handover.StateVoided, sykehus)
		b.deliver()
		if got := b.ofType(kommune, "LOG_INNLAGT"); len(got) != 2 || !strings.Contains(string(got[1].Raw), `Forsendelsesstatus V="C"`) {
			t.Errorf("%d notices", len(got))
		}
		b.applied(b.log(logMessage{typ: "LOG_INNLAGT", id: "m3"}))
		b.inState(handover.StateAnnounced)
		b.receiptAll()
		b.balanced()
	})
	t.Run("a discharge", func(t *testing.T) {
		b := newBench(t, kithHospital)
		b.out.answer = accepts
		b.applied(b.log(klar))
		b.receiptAll()
		b.applied(b.must(b.kith(notat("n1", b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")[0].ID, yes))))
		b.applied(b.log(logMessage{typ: "LOG_UTSKREVET", id: "m3", ref: uuidOf("m1")}))
		b.applied(b.log(logMessage{typ: "LOG_UTSKREVET", id: "m4", ref: uuidOf("m3"), status: "C"}))
		b.state(handover.StateAccepted, kommune)
		b.receiptAll()
		b.balanced()
	})
	t.Run("a death", func(t *testing.T) {
		b := newBench(t, kithHospital)
		b.out.answer = accepts
		b.applied(b.log(klar))
		b.receiptAll()
		b.applied(b.log(logMessage{typ: "LOG_UTSKREVET", id: "m3", ref: uuidOf("m1"), died: true}))
		b.state(handover.StateWithdrawn, sykehus)
		b.receiptAll()
		b.balanced()
	})
}

// TestKITH_AMunicipalityTellsAHospital: the messages go both ways between two parties.
func TestKITH_AMunicipalityTellsAHospital(t *testing.T) {
	b := newBench(t, kithHospital)
	b.out.answer = accepts
	raw := logMessage{typ: "LOG_INNLAGT", id: "m1", from: "80002", to: "80001"}.String()
	b.applied(b.must(b.kith(raw)))
	b.deliver()
	if n := len(b.ofType(sykehus, "LOG_INNLAGT")); n != 1 {
		t.Fatalf("%d sent on", n)
	}
	b.state(handover.StateAnnounced, kommune)
	b.balanced()
}
