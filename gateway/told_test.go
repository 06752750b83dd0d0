package gateway_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"stafett/adapters"
	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
)

// notices are what the municipality was told in national messages: each with its status.
func (b *bench) notices() string {
	b.t.Helper()
	var out []string
	for _, o := range b.out.to(kommune) {
		if status := between(o.Raw, `Forsendelsesstatus V="`, `"`); status != "" {
			out = append(out, strings.TrimPrefix(o.Type, "LOG_")+" "+status)
		}
	}
	return strings.Join(out, ", ")
}

// TestTold_TheLastWordOverSequences: after each sequence the municipality holds for true what
// the hospital said last, and what is no longer so was taken back as it was told.
func TestTold_TheLastWordOverSequences(t *testing.T) {
	const yes = "yes"
	for _, tt := range []struct {
		steps string // triggers, "yes" for an acceptance, "days" for time that passes
		state handover.State
		want  string
	}{
		{"A01 A11", handover.StateVoided, "INNLAGT N, INNLAGT C"},
		{"A01 A16 A11", handover.StateVoided, "INNLAGT N, UTSKRIVNINGSKLAR N, UTSKRIVNINGSKLAR C, INNLAGT C"},
		{"A16 A11", handover.StateVoided, "UTSKRIVNINGSKLAR N, UTSKRIVNINGSKLAR C"},
		{"A01 A16 A25 A11", handover.StateVoided, "INNLAGT N, UTSKRIVNINGSKLAR N, AVMELDING N, INNLAGT C"},
		{"A01 A16 A25 A16 A11", handover.StateVoided, "INNLAGT N, UTSKRIVNINGSKLAR N, AVMELDING N, UTSKRIVNINGSKLAR N, UTSKRIVNINGSKLAR C, INNLAGT C"},
		{"A01 A16 A03 A11", handover.StateVoided, "INNLAGT N, UTSKRIVNINGSKLAR N, UTSKREVET N, UTSKREVET C, UTSKRIVNINGSKLAR C, INNLAGT C"},
		{"A01 A16 A03 A13 A11", handover.StateVoided, "INNLAGT N, UTSKRIVNINGSKLAR N, UTSKREVET N, UTSKREVET C, UTSKRIVNINGSKLAR C, INNLAGT C"},
		{"A01 A16 yes A11", handover.StateVoided, "INNLAGT N, UTSKRIVNINGSKLAR N, UTSKRIVNINGSKLAR C, INNLAGT C"},
		{"A01 A11 A01", handover.StateAnnounced, "INNLAGT N, INNLAGT C, INNLAGT N"},
		{"A01 A11 A16", handover.StateReceived, "INNLAGT N, INNLAGT C, UTSKRIVNINGSKLAR N"},
		{"A01 A11 A01 A11 A01", handover.StateAnnounced, "INNLAGT N, INNLAGT C, INNLAGT N, INNLAGT C, INNLAGT N"},
		{"A01 A11 A01 A16 A03", handover.StateReceived, "INNLAGT N, INNLAGT C, INNLAGT N, UTSKRIVNINGSKLAR N, UTSKREVET N"},
		{"A01 A11 A01 A16 yes A03", handover.StateCompleted, "INNLAGT N, INNLAGT C, INNLAGT N, UTSKRIVNINGSKLAR N, UTSKREVET N"},
		{"A01 A16 yes A03 days A13", handover.StateAccepted, "INNLAGT N, UTSKRIVNINGSKLAR N, UTSKREVET N, UTSKREVET C"},
		{"A01 A16 yes A03 days A13 A03", handover.StateCompleted, "INNLAGT N, UTSKRIVNINGSKLAR N, UTSKREVET N, UTSKREVET C, UTSKREVET N"},
		{"A01 dead", handover.StateWithdrawn, "INNLAGT N, UTSKREVET N"},
		{"A01 A16 yes dead", handover.StateWithdrawn, "INNLAGT N, UTSKRIVNINGSKLAR N, UTSKREVET N"},
		{"A01 A11 A01 dated-death", handover.StateWithdrawn, "INNLAGT N, INNLAGT C, INNLAGT N, UTSKREVET N"},
	} {
		t.Run(tt.steps, func(t *testing.T) {
			b := newBench(t)
			for i, step := range strings.Fields(tt.steps) {
				id := string(rune('a'+i)) + step
				m := adt{trigger: step, id: id, visit: "V1"}
				switch step {
				case yes:
					klar := b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")
					b.must(b.kith(notat(id, klar[len(klar)-1].ID, "SVAR=KAN_MOTTA;DATO=2026-03-03")))
				case "days":
					b.pass(3 * 24 * time.Hour)
				case "dead":
					m.trigger = "A03"
					b.must(b.hl7(strings.Replace(dead(m), "20260302080000|Y\r", "|Y\r", 1)))
				case "dated-death":
					m.trigger = "A03"
					b.must(b.hl7(dead(m)))
				default:
					b.must(b.hl7(m.String()))
				}
				b.receiptAll()
			}
			if got := b.notices(); got != tt.want {
				t.Errorf("told %s\nwant %s", got, tt.want)
			}
			b.lastState(tt.state)
			if strings.Contains(tt.steps, "dea") {
				told := b.out.to(kommune)
				if raw := string(told[len(told)-1].Raw); !strings.Contains(raw, `Uttilstand V="2"`) {
					t.Errorf("the death is told as %s", raw)
				}
			}
			if ms, ds := b.parked(asOperator); len(ms)+len(ds) > 0 {
				t.Errorf("parked: %d messages, %+v", len(ms), ds)
			}
			b.balanced()
		})
	}
}

// lastState holds the newest handover against the state wanted: those before it were voided.
func (b *bench) lastState(want handover.State) {
	b.t.Helper()
	for _, h := range b.all() {
		if h.State != handover.StateVoided && h.State != want {
			b.t.Errorf("%s is %s, want %s", h.ID, h.State, want)
		}
	}
}

// toldHospital opens a gateway whose hospital is told on a wire.
func toldHospital(t *testing.T, wire handover.Wire) *bench {
	const service = `wire: hl7v2, url: "mllp://127.0.0.1:2575", takes: ["*"], application: EPJ, facility: FJELLHEIM`
	return newBench(t, func(b *bench) {
		if wire != handover.WireHL7v2 {
			b.edit = strings.NewReplacer(service, `wire: `+string(wire)+`, url: "http://127.0.0.1:8089/", takes: ["*"]`)
		}
	})
}

// plain is a message with what is in Base64 in it made readable as well.
func plain(raw []byte) string {
	text := strings.ReplaceAll(string(raw), "\\E\\", "\\")
	for _, part := range regexp.MustCompile(`[A-Za-z0-9+/=\s]{24,}`).FindAllString(text, -1) {
		if data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(part), "")); err == nil {
			text += "\n" + string(data)
		}
	}
	return text
}

// TestInvariant6_NothingOfAnAnswerStaysBehind: the remark, the further notes and the documents of
// an answer reach the hospital on each wire, word for word; two answers are for a person to read.
func TestInvariant6_NothingOfAnAnswerStaysBehind(t *testing.T) {
	const yes = "SVAR=KAN_MOTTA;DATO=2026-03-04"
	remark := func(s string) string {
		return strings.Replace(s, "</TekstNotatInnhold>", "</TekstNotatInnhold><Merknad>men bare hvis seng er på plass</Merknad>", 1)
	}
	letter := func(text string) string {
		return `<Document><RefDoc><MsgType V="XML" DN="XML-instans"/><Content><Dialogmelding xmlns="http://www.kith.no/xmlstds/dialog/2013-01-23"><Notat><TemaKodet V="1" DN="Tilbakemelding på mottak av utskrivningsklar pasient" S="2.16.578.1.12.4.1.1.9155"/><TekstNotatInnhold>` +
			text + `</TekstNotatInnhold></Notat></Dialogmelding></Content></RefDoc></Document>`
	}
	const pdf = `<Document><RefDoc><MsgType V="A" DN="Vedlegg"/><MimeType>application/pdf</MimeType><Description>Plan</Description><Content><Base64Container xmlns="http://www.kith.no/xmlstds/base64container">JVBERi0xLjQgcGxhbiBmb3Igc2VuZw==</Base64Container></Content></RefDoc></Document>`
	further := func(s, more string) string { return strings.Replace(s, "</MsgHead>", more+"</MsgHead>", 1) }
	for _, tt := range []struct {
		name  string
		edit  func(string) string
		state handover.State
		says  string
	}{
		{"remark", remark, handover.StateAccepted, "men bare hvis seng er på plass"},
		{"two documents", func(s string) string { return further(s, letter("SVAR=KAN_IKKE_MOTTA;DATO=UKJENT")) }, handover.StateReceived, "SVAR=KAN_IKKE_MOTTA;DATO=UKJENT"},
		{"two notes", func(s string) string {
			note := letter("Nei, likevel ikke.")
			note = note[strings.Index(note, "<Notat>"):strings.Index(note, "</Dialogmelding>")]
			return strings.Replace(s, "</Dialogmelding>", note+"</Dialogmelding>", 1)
		}, handover.StateReceived, "Nei, likevel ikke."},
		{"a further note in a further letter", func(s string) string {
			return further(s, strings.Replace(letter("Se under."), "</Dialogmelding>", `<Notat><TemaKodet V="6" S="2.16.578.1.12.4.1.1.7322"/><TekstNotatInnhold>Har hun rullator?</TekstNotatInnhold></Notat></Dialogmelding>`, 1))
		}, handover.StateReceived, "Har hun rullator?"},
		{"pdf", func(s string) string { return further(s, pdf) }, handover.StateAccepted, "%PDF-1.4 plan for seng"},
	} {
		for _, wire := range []handover.Wire{handover.WireHL7v2, handover.WireKITH, handover.WireFHIR} {
			t.Run(tt.name+" to "+string(wire), func(t *testing.T) {
				b := toldHospital(t, wire)
				b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
				b.receiptAll()
				b.must(b.kith(tt.edit(notat("n1", b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")[0].ID, yes))))
				if h := b.handover(); h.State != tt.state {
					t.Errorf("%s, want %s", h.State, tt.state)
				}
				if tt.state == handover.StateReceived {
					b.attention(handover.AttentionAnswerNeedsReading)
				}
				b.deliver()
				var all string
				for _, o := range b.out.to(sykehus) {
					all += plain(o.Raw)
				}
				if !strings.Contains(all, tt.says) || !strings.Contains(all, yes) {
					t.Errorf("the hospital is not told %q: %s", tt.says, all)
				}
				if ms, ds := b.parked(asOperator); len(ms)+len(ds) > 0 {
					t.Errorf("parked: %d messages, %+v", len(ms), ds)
				}
				b.balanced()
			})
		}
	}
}

// edited is a message of the stay V1 with parts of its text replaced, in pairs.
func edited(trigger, id string, pairs ...string) string {
	return strings.NewReplacer(pairs...).Replace(adt{trigger: trigger, id: id, visit: "V1"}.String())
}

// infection is an observation that a ward adds.
func infection(value string) string {
	return "OBX|9|ST|MRSA^MRSA^99X||" + value + "||||||F\r"
}

// inError takes an infection back (OBX-11).
func inError(value string) string { return strings.Replace(infection(value), "|F\r", "|D\r", 1) }

// nth is one of several findings of one code that the ward numbers (OBX-4).
func nth(number, value string) string {
	return strings.Replace(infection(value), "99X||", "99X|"+number+"|", 1)
}

// deleted takes back what an OBX said.
func deleted(obx string) string { return strings.Replace(obx, "||||||F", "||||||D", 1) }

// allergy is what a ward says that the patient does not tolerate.
func allergy(substance, severity string) string {
	return "AL1|1|DA|" + substance + "^99X|" + severity + "\r"
}

const (
	epikrise = "OBX|1|ED|EPI^Epikrise^99X||^application^pdf^Base64^JVBERi0xLjQKJSVFT0YK||||||F\r"
	known    = "OBX|1|CE|KOMTJ^Mottar kommunale tjenester^99STAFETT||J^Ja\r"
	unknown  = "OBX|1|CE|KOMTJ^Mottar kommunale tjenester^99STAFETT||J^Ja||||||D\r"
)

// TestInvariant6_ToldWheneverTheContentDiffers: by the notice of the stay in full, in its
// conversation, and in words what changed; and nobody is told what he knows.
func TestInvariant6_ToldWheneverTheContentDiffers(t *testing.T) {
	renamed := []string{"MYRVANG^SOLVEIG", "MYRVANG-LUND^SOLVEIG"}
	for _, tt := range []struct {
		name    string
		first   []string // the messages before
		then    string
		notices string   // told again in full
		says    []string // the last text; nil for none
	}{
		{"the same again", []string{edited("A01", "1"), edited("A16", "2")}, edited("A16", "3", "20260302095500", "20260302101000"), "", nil},
		{"another name", []string{edited("A01", "1"), edited("A16", "2")}, edited("A16", "3", renamed...), "UTSKRIVNINGSKLAR N", []string{"Endret:\n- Etternavn: MYRVANG-LUND (tidligere MYRVANG)"}},
		{"an infection", []string{edited("A01", "1"), edited("A16", "2")}, edited("A16", "3") + infection("positiv"), "UTSKRIVNINGSKLAR N", []string{"MRSA", "positiv", "(nytt)"}},
		{"an infection that is over", []string{edited("A16", "1"), edited("A16", "2") + infection("positiv")}, edited("A16", "3") + infection("negativ"), "UTSKRIVNINGSKLAR N", []string{"negativ (tidligere positiv)"}},
		{"and is there again", []string{edited("A16", "1") + infection("positiv"), edited("A16", "2") + infection("negativ")}, edited("A16", "3") + infection("positiv"), "UTSKRIVNINGSKLAR N", []string{"positiv (tidligere negativ)"}},
		{"told once", []string{edited("A16", "1"), edited("A16", "2") + infection("positiv")}, edited("A16", "3") + infection("positiv"), "", nil},
		{"an infection that was entered in error", []string{edited("A16", "1"), edited("A16", "2") + infection("positiv")}, edited("A08", "3") + inError("positiv"), "UTSKRIVNINGSKLAR N", []string{"positiv (oppgis ikke lenger)"}},
		{"posted as wrong", []string{edited("A16", "1") + infection("positiv")}, edited("A16", "2") + strings.Replace(infection(""), "|F\r", "|W\r", 1), "UTSKRIVNINGSKLAR N", []string{"positiv (oppgis ikke lenger)"}},
		{"in error what was never told", []string{edited("A16", "1")}, edited("A08", "2") + inError("positiv"), "", nil},
		{"a diagnosis in error", []string{edited("A16", "1") + "DG1|1||I63.9^Hjerneinfarkt^I10||20260225|F\r"}, edited("A08", "2") + "DG1|1||I63.9^Hjerneinfarkt^I10||20260225|F|||||||||||||||D\r", "UTSKRIVNINGSKLAR N", []string{"(oppgis ikke lenger)"}},
		{"two of one code that are left out", []string{edited("A16", "1") + infection("nese") + infection("sår")}, edited("A08", "2"), "", nil},
		{"two of one code again", []string{edited("A16", "1") + infection("nese") + infection("sår")}, edited("A08", "2") + infection("sår") + infection("nese"), "", nil},
		{"one of two in error", []string{edited("A16", "1") + infection("nese") + infection("sår")}, edited("A08", "2") + inError("nese"), "UTSKRIVNINGSKLAR N", []string{"nese (oppgis ikke lenger)"}},
		{"both in error", []string{edited("A16", "1") + infection("nese") + infection("sår")}, edited("A08", "2") + inError("nese") + inError("sår"), "UTSKRIVNINGSKLAR N", []string{"nese (oppgis ikke lenger)", "sår (oppgis ikke lenger)"}},
		{"what is over in error", []string{edited("A16", "1") + infection("gammel"), edited("A08", "2") + infection("ny")}, edited("A08", "3") + inError("gammel"), "", nil},
		{"the latest of two in error", []string{edited("A16", "1") + infection("gammel"), edited("A08", "2") + infection("ny")}, edited("A08", "3") + inError("ny"), "UTSKRIVNINGSKLAR N", []string{"ny (oppgis ikke lenger)"}},
		{"said twice in error", []string{edited("A16", "1") + infection("positiv"), edited("A08", "2") + infection("positiv")}, edited("A08", "3") + inError("positiv"), "UTSKRIVNINGSKLAR N", []string{"positiv (oppgis ikke lenger)"}},
		{"in error which of two is not said", []string{edited("A16", "1") + infection("nese") + infection("sår")}, edited("A08", "2") + inError(""), "UTSKRIVNINGSKLAR N", []string{"MRSA: feilregistrert (nytt)"}},
		{"in error and there again", []string{edited("A16", "1") + infection("positiv"), edited("A08", "2") + inError("positiv")}, edited("A08", "3") + infection("positiv"), "UTSKRIVNINGSKLAR N", []string{"positiv (nytt)"}},
		{"in error with the notice", []string{edited("A01", "1") + infection("positiv")}, edited("A16", "2") + inError("positiv"), "UTSKRIVNINGSKLAR N", []string{"positiv (oppgis ikke lenger)"}},
		{"said after it was in error unsaid", []string{edited("A16", "1"), edited("A08", "2") + inError("x")}, edited("A08", "3") + infection("positiv"), "UTSKRIVNINGSKLAR N", []string{"Observasjon MRSA, Resultat: positiv (nytt)"}},
		{"what is left out still holds", []string{edited("A16", "1") + infection("positiv")}, edited("A16", "2"), "", nil},
		{"an allergy beside another", []string{edited("A01", "1") + allergy("PEN^Penicillin", "SV^Alvorlig")}, edited("A08", "2") + allergy("NUT^Nøtter", "MO^Moderat"), "INNLAGT N", []string{"Endret:\n- Allergi eller overfølsomhet Nøtter", "Moderat (MO); medication; allergy (nytt)"}},
		{"an allergy that has no code", []string{edited("A01", "1") + allergy("^Penicillin", "SV^Alvorlig")}, edited("A08", "2") + allergy("^Nøtter", "SV^Alvorlig"), "INNLAGT N", []string{"Endret:\n- Allergi eller overfølsomhet Nøtter"}},
		{"an allergy that is worse", []string{edited("A01", "1") + allergy("PEN^Penicillin", "MO^Moderat") + allergy("NUT^Nøtter", "MO^Moderat")}, edited("A08", "2") + allergy("PEN^Penicillin", "SV^Alvorlig"), "INNLAGT N", []string{"Endret:\n- Allergi eller overfølsomhet Penicillin, Alvorlighet: Alvorlig (SV) (tidligere Moderat (MO))"}},
		{"an allergy that is left out", []string{edited("A01", "1") + allergy("PEN^Penicillin", "SV^Alvorlig") + allergy("NUT^Nøtter", "MO^Moderat")}, edited("A08", "2") + allergy("NUT^Nøtter", "MO^Moderat"), "", nil},
		{"allergies that are deleted", []string{edited("A01", "1") + allergy("PEN^Penicillin", "SV^Alvorlig") + allergy("NUT^Nøtter", "MO^Moderat")}, edited("A08", "2") + "AL1|\"\"|\"\"|\"\"|\"\"|\"\"|\"\"\r", "INNLAGT N", []string{"Penicillin; Alvorlig (SV); ", "Nøtter; Moderat (MO); "}},
		{"one of a set", []string{edited("A01", "1") + infection("MRSA positiv") + infection("ESBL positiv")}, edited("A08", "2") + infection("ESBL positiv"), "", nil},
		{"a further one of a set", []string{edited("A01", "1") + infection("MRSA positiv") + infection("ESBL positiv")}, edited("A08", "2") + infection("VRE positiv"), "INNLAGT N", []string{"Endret:\n- Observasjon MRSA, Resultat: VRE positiv (nytt)\n"}},
		{"of a set that one was taken from", []string{edited("A01", "1") + infection("MRSA") + infection("ESBL"), edited("A08", "2") + inError("MRSA")}, edited("A08", "3") + infection("VRE"), "INNLAGT N", []string{"Endret:\n- Observasjon MRSA, Resultat: VRE (nytt)\n"}},
		{"several where there was one", []string{edited("A01", "1") + infection("MRSA")}, edited("A08", "2") + infection("ESBL") + infection("VRE"), "INNLAGT N", []string{"ESBL", "VRE", "(nytt)"}},
		{"one of a set in error and another one", []string{edited("A01", "1") + infection("MRSA") + infection("ESBL")}, edited("A08", "2") + inError("MRSA") + infection("VRE"), "INNLAGT N", []string{"VRE (nytt)", "MRSA (oppgis ikke lenger)"}},
		{"one line of a note as wrong", []string{edited("A01", "1") + infection("Bruker briller") + infection("Går med stokk") + infection("Hører dårlig")}, edited("A08", "2") + strings.Replace(infection("Går med stokk"), "|F\r", "|W\r", 1), "INNLAGT N", []string{"Endret:\n- Observasjon MRSA, Resultat: Går med stokk (oppgis ikke lenger)\n"}},
		{"of two numbered the first", []string{edited("A01", "1") + nth("1", "MRSA positiv") + nth("2", "ESBL positiv")}, edited("A08", "2") + nth("1", "MRSA negativ"), "INNLAGT N", []string{"Endret:\n- Observasjon MRSA, Resultat: MRSA negativ (tidligere MRSA positiv)\n"}},
		{"the first of two numbered in error", []string{edited("A01", "1") + nth("1", "MRSA positiv") + nth("2", "ESBL positiv")}, edited("A08", "2") + deleted(nth("1", "")), "INNLAGT N", []string{"Endret:\n- Observasjon MRSA, Resultat: MRSA positiv (oppgis ikke lenger)\n"}},
		{"and another one in its place", []string{edited("A01", "1") + nth("1", "MRSA positiv") + nth("2", "ESBL positiv"), edited("A08", "2") + deleted(nth("1", "MRSA positiv"))}, edited("A08", "3") + nth("1", "VRE positiv"), "INNLAGT N", []string{"Endret:\n- Observasjon MRSA, Resultat: VRE positiv (nytt)\n"}},
		{"one of two numbered by its value in error", []string{edited("A01", "1") + nth("1", "MRSA positiv") + nth("2", "ESBL positiv")}, edited("A08", "2") + inError("ESBL positiv"), "INNLAGT N", []string{"Endret:\n- Observasjon MRSA, Resultat: ESBL positiv (oppgis ikke lenger)\n"}},
		{"a number by what it was before in error", []string{edited("A01", "1") + nth("1", "gammel"), edited("A08", "2") + nth("1", "ny")}, edited("A08", "3") + deleted(nth("1", "")), "INNLAGT N", []string{"Endret:\n- Observasjon MRSA, Resultat: ny (oppgis ikke lenger)\n"}},
		{"a document in error", []string{edited("A01", "1") + epikrise}, edited("A08", "2") + deleted(epikrise), "INNLAGT N", []string{"(oppgis ikke lenger)"}},
		{"a document in error without its data", []string{edited("A01", "1") + epikrise}, edited("A08", "2") + "OBX|1|ED|EPI^Epikrise^99X||||||||W\r", "INNLAGT N", []string{"(oppgis ikke lenger)"}},
		{"a document in error without its type", []string{edited("A01", "1") + epikrise}, edited("A08", "2") + "OBX|1||EPI^Epikrise^99X||\"\"||||||D\r", "INNLAGT N", []string{"(oppgis ikke lenger)"}},
		{"a document in error that was never told", []string{edited("A01", "1") + epikrise}, edited("A08", "2") + deleted(strings.Replace(epikrise, "JVBERi0xLjQKJSVFT0YK", "JVBERi0xLjQKbm9l", 1)), "", nil},
		{"a fact in error", []string{edited("A01", "1")}, edited("A08", "2", known, unknown), "INNLAGT N", []string{"Mottar kommunale tjenester: Ja (oppgis ikke lenger)"}},
		{"a fact in error and there again", []string{edited("A01", "1"), edited("A08", "2", known, unknown)}, edited("A08", "3"), "INNLAGT N", []string{"Mottar kommunale tjenester: Ja (nytt)"}},
		{"another remark", []string{edited("A01", "1") + "NTE|1||Trenger tolk\r"}, edited("A08", "2") + "NTE|1||Bor i 3. etasje\r", "INNLAGT N", []string{"Endret:\n- Melding, Tekst: Bor i 3. etasje (nytt)\n"}},
		{"remarks in another order", []string{edited("A01", "1") + "NTE|1||Trenger tolk\rNTE|2||Bor i 3. etasje\r"}, edited("A08", "2") + "NTE|1||Bor i 3. etasje\r", "", nil},
		{"another address", []string{edited("A01", "1")}, edited("A01", "2", "Storgata 1", "Bakken 3"), "INNLAGT N", []string{"Gateadresse: Bakken 3 (tidligere Storgata 1)"}},
		{"another unit", []string{edited("A01", "1")}, edited("A01", "2", "SLAG^201", "REHAB^301"), "INNLAGT N", []string{"REHAB (tidligere SLAG)"}},
		{"another expected day", []string{edited("A01", "1"), edited("A16", "2")}, edited("A16", "3", "PV2|||||||||20260302", "PV2|||||||||20260305"), "UTSKRIVNINGSKLAR N", []string{"2026-03-05 (tidligere 2026-03-02)"}},
		{"another destination", []string{edited("A01", "1"), edited("A16", "2"), edited("A03", "3")}, edited("A03", "4", "|||||||1||||||||20260225", "|||||||2||||||||20260225"), "UTSKREVET N", []string{"Utskrives til"}},
		{"another person responsible", []string{edited("A01", "1")}, edited("A01", "2", "LEGE^LISE", "LEGE^KARI"), "INNLAGT N", []string{"KARI (tidligere LISE)"}},
		{"an update that says nothing new", []string{edited("A01", "1"), edited("A16", "2")}, edited("A08", "3"), "", nil},
		{"an update", []string{edited("A01", "1"), edited("A16", "2")}, edited("A08", "3", renamed...), "UTSKRIVNINGSKLAR N", []string{"MYRVANG-LUND (tidligere MYRVANG)"}},
		{"an update of one who is only admitted", []string{edited("A01", "1")}, edited("A08", "3", renamed...), "INNLAGT N", []string{"MYRVANG-LUND (tidligere MYRVANG)"}},
		{"an update of one who has left", []string{edited("A01", "1"), edited("A16", "2"), edited("A03", "3")}, edited("A08", "4", renamed...), "UTSKREVET N", []string{"MYRVANG-LUND (tidligere MYRVANG)"}},
		{"a move", []string{edited("A01", "1"), edited("A16", "2")}, edited("A02", "3", "SLAG^201", "REHAB^301"), "UTSKRIVNINGSKLAR N", []string{"REHAB (tidligere SLAG)"}},
		{"a correction when the state moves", []string{edited("A01", "1")}, edited("A16", "2", renamed...), "UTSKRIVNINGSKLAR N", []string{"MYRVANG-LUND (tidligere MYRVANG)"}},
		{"nothing but the state moves", []string{edited("A01", "1")}, edited("A16", "2"), "UTSKRIVNINGSKLAR N", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			for _, m := range tt.first {
				b.must(b.hl7(m))
				b.deliver()
			}
			before := b.out.to(kommune)
			b.must(b.hl7(tt.then))
			b.deliver()
			b.out.mu.Lock()
			b.out.sent[kommune] = b.out.sent[kommune][len(before):]
			b.out.mu.Unlock()
			if got := b.notices(); got != tt.notices {
				t.Errorf("told %q, want %q", got, tt.notices)
			}
			texts := b.ofType(kommune, "DIALOG_HELSEFAGLIG")
			if (len(texts) > 0) != (tt.says != nil) {
				t.Errorf("%d texts: %s", len(texts), texts)
			}
			for _, says := range tt.says {
				if len(texts) == 0 || !strings.Contains(string(texts[len(texts)-1].Raw), says) {
					t.Errorf("does not say %q: %s", says, texts)
				}
			}
			for _, o := range b.out.to(kommune) {
				again := slices.ContainsFunc(before, func(e adapters.Outgoing) bool { return e.Type == o.Type })
				if strings.HasPrefix(o.Type, "LOG_") && again != strings.Contains(string(o.Raw), "<RefToParent>") {
					t.Errorf("%s is told again: %v, and refers to nothing or to what is not", o.Type, again)
				}
			}
			if ms, ds := b.parked(asOperator); len(ms)+len(ds) > 0 {
				t.Errorf("parked: %d messages, %+v", len(ms), ds)
			}
			b.balanced()
		})
	}
}

// TestInvariant9_ACorrectedNumberIsTakenBackWhereItWasFiled: each notice by the number that it was
// told under, and then all is told anew under the right one, which alone is named in words.
func TestInvariant9_ACorrectedNumberIsTakenBackWhereItWasFiled(t *testing.T) {
	const wrong, right = solveig, "30095100186"
	for _, tt := range []struct{ then, want string }{
		{"A16", "UTSKRIVNINGSKLAR C wrong, INNLAGT C wrong, INNLAGT N right, UTSKRIVNINGSKLAR N right"},
		{"A08", "UTSKRIVNINGSKLAR C wrong, INNLAGT C wrong, INNLAGT N right, UTSKRIVNINGSKLAR N right"},
		{"A03", "UTSKRIVNINGSKLAR C wrong, INNLAGT C wrong, INNLAGT N right, UTSKRIVNINGSKLAR N right, UTSKREVET N right"},
	} {
		t.Run(tt.then, func(t *testing.T) {
			b := newBench(t)
			b.must(b.hl7(edited("A01", "1")))
			b.must(b.hl7(edited("A16", "2")))
			b.deliver()
			before := len(b.out.to(kommune))
			b.must(b.hl7(edited(tt.then, "3", wrong, right)))
			b.deliver()
			var got []string
			for _, o := range b.out.to(kommune)[before:] {
				who := "wrong"
				if strings.Contains(string(o.Raw), right) {
					who = "right"
				}
				if both := strings.Contains(string(o.Raw), right) && strings.Contains(string(o.Raw), wrong); both {
					t.Errorf("%s names both: %s", o.Type, o.Raw)
				}
				if status := between(o.Raw, `Forsendelsesstatus V="`, `"`); status != "" {
					got = append(got, strings.TrimPrefix(o.Type, "LOG_")+" "+status+" "+who)
					if status == "N" && tt.then != "A03" && strings.Contains(string(o.Raw), "RefToParent") {
						t.Errorf("told anew in the conversation about another person: %s", o.Raw)
					}
				} else if who != "right" || !strings.Contains(string(o.Raw), "rettet") && !strings.Contains(string(o.Raw), "Varsel fra") {
					t.Errorf("in words: %s", o.Raw)
				}
			}
			if s := strings.Join(got, ", "); s != tt.want {
				t.Errorf("told %s\nwant %s", s, tt.want)
			}
			if ms, ds := b.parked(asOperator); len(ms)+len(ds) > 0 {
				t.Errorf("parked: %d messages, %+v", len(ms), ds)
			}
			b.balanced()
		})
	}
}

// TestTold_TheReceiversSecondWord: the same yes again tells nobody anything, and a remark on it does.
func TestTold_TheReceiversSecondWord(t *testing.T) {
	b := newBench(t)
	ref := b.accepted("V1")
	b.deliver()
	before := len(b.out.to(sykehus))
	b.must(b.kith(notat("again", ref, "SVAR=KAN_MOTTA;DATO=2026-03-03")))
	b.deliver()
	if n := len(b.out.to(sykehus)); n != before {
		t.Errorf("the same answer is told %d times", n-before)
	}
	b.must(b.kith(notat("more", ref, "SVAR=KAN_MOTTA;DATO=2026-03-03\nmen bare hvis seng er på plass")))
	b.deliver()
	if told := b.out.to(sykehus); len(told) != before+1 || !strings.Contains(string(told[before].Raw), "men bare hvis seng") {
		t.Errorf("the remark is told %d times", len(told)-before)
	}
	b.balanced()
}

// TestTold_WhatReachesNobodyIsSaidSo: the content that a closed handover no longer tells, and not
// what is known or what a feed says.
func TestTold_WhatReachesNobodyIsSaidSo(t *testing.T) {
	for _, tt := range []struct {
		steps []string
		want  handover.Unheard
	}{
		{[]string{edited("A01", "1"), edited("A16", "2")}, ""},
		{[]string{edited("A01", "1"), edited("A16", "2"), edited("A16", "3")}, ""},
		{[]string{edited("A01", "1"), edited("A16", "2"), edited("A16", "3") + infection("positiv")}, ""},
		{[]string{edited("A01", "1"), edited("A11", "2"), edited("A08", "3") + infection("positiv")}, handover.UnheardClosed},
		{[]string{edited("A01", "1"), edited("A11", "2"), edited("A08", "3")}, ""},
		{[]string{adt{trigger: "A08", id: "1", visit: "V9", noNeed: true}.String()}, ""},
	} {
		b := newBench(t)
		var last adapters.Answer
		for _, m := range tt.steps {
			last = b.must(b.hl7(m))
		}
		if m := b.message(last.Message); m.Unheard != string(tt.want) {
			t.Errorf("after %d messages %q, want %q (%s)", len(tt.steps), m.Unheard, tt.want, m.Detail)
		}
		b.balanced()
	}
}

// TestTold_AFHIRReceiverIsToldWhatDiffers: as on the national wire, in one transaction.
func TestTold_AFHIRReceiverIsToldWhatDiffers(t *testing.T) {
	b := newBench(t, func(b *bench) {
		b.edit = strings.NewReplacer("takes: [LOG_INNLAGT, LOG_UTSKREVET, DIALOG_HELSEFAGLIG, APPREC]", "takes: [APPREC]",
			"takes: [LOG_UTSKRIVNINGSKLAR, LOG_AVMELDING]", "takes: [APPREC]")
	})
	for i, tt := range []struct {
		message string
		told    int
		says    string
	}{
		{edited("A01", "1"), 1, "har lagt inn pasienten"},
		{edited("A16", "2"), 1, "melder pasienten utskrivningsklar"},
		{edited("A16", "3"), 0, ""},
		{edited("A16", "4") + infection("positiv"), 1, "Endret:"},
		{edited("A08", "5", "MYRVANG^SOLVEIG", "MYRVANG-LUND^SOLVEIG") + infection("positiv"), 1, "Etternavn: MYRVANG-LUND (tidligere MYRVANG)"},
		{edited("A08", "6", "MYRVANG^SOLVEIG", "MYRVANG-LUND^SOLVEIG") + infection("positiv"), 0, ""},
		{edited("A11", "7"), 1, "registrert ved en feil"},
	} {
		before := len(b.out.to(kommune))
		b.must(b.hl7(tt.message))
		b.deliver()
		told := b.out.to(kommune)[before:]
		if len(told) != tt.told || len(told) > 0 && !strings.Contains(string(told[0].Raw), tt.says) {
			t.Errorf("%d: told %d times, want %d saying %q: %s", i, len(told), tt.told, tt.says, told)
		}
	}
	b.balanced()
}

// TestTold_ARetraction: a no after the yes moves nothing, is for both to look at, and reaches the
// hospital in the municipality's own words.
func TestTold_ARetraction(t *testing.T) {
	b := newBench(t)
	ref := b.accepted("V1")
	b.receiptAll()
	const words = "SVAR=KAN_IKKE_MOTTA;DATO=UKJENT\nPlassen er gått til en annen."
	b.must(b.kith(notat("no", ref, words)))
	b.state(handover.StateAccepted, kommune)
	if a := b.attention(handover.AttentionRetracted); len(a.Parties) != 2 {
		t.Errorf("attention at %v", a.Parties)
	}
	b.receiptAll()
	var all string
	for _, o := range b.ofType(sykehus, "MDM^T02") {
		all += string(o.Raw)
	}
	if !strings.Contains(all, "Plassen er gått til en annen.") || !strings.Contains(all, "trekker tilbake at pasienten kan tas imot") {
		t.Error("the hospital is not told in the municipality's words")
	}
	alerts := b.ofType(kommune, "DIALOG_HELSEFAGLIG")
	if len(alerts) == 0 || !strings.Contains(string(alerts[len(alerts)-1].Raw), "trekker tilbake") {
		t.Error("the municipality's own contact is not told")
	}
	// A new yes settles it.
	b.must(b.kith(notat("yes again", ref, "SVAR=KAN_MOTTA;DATO=2026-03-05")))
	b.state(handover.StateAccepted, kommune)
	if len(b.handover().Attentions) > 0 {
		t.Errorf("%+v", b.handover().Attentions)
	}
	if ms, ds := b.parked(asOperator); len(ms)+len(ds) > 0 {
		t.Errorf("parked: %d messages, %+v", len(ms), ds)
	}
	b.balanced()
}

// TestTold_WhatCouldNotBeToldIsMadeAnew: nothing is parked that no act can end. After the cause is
// mended a person has it made of the handover as it stands.
func TestTold_WhatCouldNotBeToldIsMadeAnew(t *testing.T) {
	const takes = "takes: [LOG_UTSKRIVNINGSKLAR, LOG_AVMELDING]"
	b := newBench(t, func(b *bench) {
		b.edit = strings.NewReplacer(takes, "takes: [LOG_AVMELDING]", `url: "http://127.0.0.1:8082/", takes: ["*"]`, `url: "http://127.0.0.1:8082/", takes: [APPREC]`)
	})
	a := b.must(b.hl7(edited("A16", "1") + infection("positiv")))
	_, ds := b.parked(asOperator)
	if len(ds) != 1 || len(ds[0].Raw) > 0 {
		t.Fatalf("%+v", ds)
	}
	if _, err := b.g.Resend(t.Context(), asOperator, ds[0].ID); err == nil {
		t.Error("made where it cannot be")
	}
	b.close()
	b.edit = nil
	b.open()
	_, ds = b.parked(asOperator)
	made, err := b.g.Resend(t.Context(), asOperator, ds[len(ds)-1].ID)
	if err != nil || made.State != ledger.DeliveryPending {
		t.Fatalf("%s, %v", made.State, err)
	}
	b.receiptAll()
	if klar := b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR"); len(klar) != 1 || !strings.Contains(plain(klar[0].Raw), "positiv") {
		t.Fatalf("%d told", len(klar))
	}
	b.state(handover.StateReceived, sykehus)
	if _, ds = b.parked(asOperator); len(ds) > 0 {
		t.Errorf("still parked: %+v", ds)
	}
	if m := b.message(a.Message); m.Disposition == ledger.DispositionParked {
		t.Errorf("its message is %s", m.Disposition)
	}
	b.must(b.hl7(edited("A16", "2") + infection("positiv")))
	b.deliver()
	if n := len(b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")); n != 1 {
		t.Errorf("what is known is told again: %d", n)
	}
	b.balanced()
}

// TestInvariant6_AFHIRWriteReachesAPartyThatSpeaksKITH: the request whole, and what the institution
// writes later: its findings in words, a document as it is, a text word for word.
func TestInvariant6_AFHIRWriteReachesAPartyThatSpeaksKITH(t *testing.T) {
	b := newBench(t, func(b *bench) {
		b.edit = strings.NewReplacer(`wire: fhir, url: "http://127.0.0.1:8082/", takes: ["*"]`, `wire: kith, url: "http://127.0.0.1:8082/", takes: [DIALOG_HELSEFAGLIG]`,
			`wire: fhir, url: "http://127.0.0.1:8083/", takes: ["*"]`, `wire: kith, url: "http://127.0.0.1:8083/", takes: ["*"]`)
	})
	r := b.refer()
	b.deliver()
	told := func(p handover.PartyID, says ...string) {
		t.Helper()
		var all string
		for _, o := range b.out.to(p) {
			all += plain(o.Raw)
		}
		for _, s := range says {
			if !strings.Contains(all, s) {
				t.Errorf("%s is not told %q: %s", p, s, all)
			}
		}
	}
	told(institusjon, "har sendt en henvisning", "61.10", "Plan")
	b.mustPost(asInstitusjon, `{"resourceType":"Observation","status":"final","code":{"text":"Gangfunksjon"},"basedOn":[{"reference":"ServiceRequest/`+r.request+`"}],"valueQuantity":{"value":1.10,"unit":"m/s"}}`)
	b.mustPost(asInstitusjon, `{"resourceType":"DocumentReference","status":"current","subject":{"reference":"Patient/`+r.patient+`"},"context":{"related":[{"reference":"ServiceRequest/`+r.request+`"}]},"content":[{"attachment":{"contentType":"application/pdf","title":"Epikrise","data":"JVBERi0xLjQgZXBpa3Jpc2UgZnJhIG9zcw=="}}]}`)
	b.mustPost(asInstitusjon, `{"resourceType":"Communication","status":"completed","basedOn":[{"reference":"ServiceRequest/`+r.request+`"}],"payload":[{"contentString":"Hun trenger rullator."}],"note":[{"text":"fra fysioterapeut"}]}`)
	b.deliver()
	told(kommune, "1.10 m/s", "%PDF-1.4 epikrise fra oss", "Hun trenger rullator.", "Merknad: fra fysioterapeut")
	if ms, ds := b.parked(asOperator); len(ms)+len(ds) > 0 {
		t.Errorf("parked: %d messages, %+v", len(ms), ds)
	}
	b.balanced()
}

// ward is what a hospital says of a stay: what is true of the patient now, and what may be said next.
type ward struct {
	r                    *rand.Rand
	name, nr, mrsa, unit string
	state, left          string // of the stay: none, in, ready, out; and before it was out
	sent                 int
}

// mayBeSaid are the triggers that fit each state of a stay.
var mayBeSaid = map[string][]string{"none": {"A01", "A16"}, "in": {"A01", "A16", "A08", "A02", "A11", "A03"},
	"ready": {"A16", "A25", "A08", "A02", "A11", "A03"}, "out": {"A13", "A08", "A03"}}

// next is the ward's next message, with a correction now and then.
func (w *ward) next() (trigger, raw string) {
	one := func(of ...string) string { return of[w.r.IntN(len(of))] }
	trigger = one(mayBeSaid[w.state]...)
	switch w.r.IntN(6) {
	case 0:
		w.name = one("MYRVANG", "MYRVANG-LUND", "LUND")
	case 1:
		w.mrsa = one("positiv", "negativ")
	case 2:
		w.unit = one("SLAG", "REHAB")
	case 3:
		w.nr = one(solveig, "30095100186")
	}
	switch {
	case trigger == "A01" && w.state == "none", trigger == "A25":
		w.state = "in"
	case trigger == "A16":
		w.state = "ready"
	case trigger == "A03" && w.state != "out":
		w.state, w.left = "out", w.state
	case trigger == "A13":
		w.state = w.left
	case trigger == "A11":
		w.state = "none"
	}
	w.sent++
	raw = edited(trigger, fmt.Sprintf("w%d", w.sent), "MYRVANG^SOLVEIG", w.name+"^SOLVEIG", solveig, w.nr, "SLAG^201", w.unit+"^201")
	if w.mrsa != "" {
		raw += infection(w.mrsa)
	}
	return trigger, raw
}

// lastTold is what the municipality was told last, of the person and of a finding, in messages
// that take nothing back.
func (b *bench) lastTold(finding string) (person, value string) {
	b.t.Helper()
	result := regexp.MustCompile(finding + `[^\n]*\n  Resultat: (\w+)`)
	for _, o := range b.out.to(kommune) {
		text := plain(o.Raw)
		if o.Type == "APPREC" || strings.Contains(text, "Varsel") || strings.Contains(text, `Forsendelsesstatus V="C"`) {
			continue
		}
		person = between(o.Raw, "<FamilyName>", "<") + " " + between(o.Raw, "<Ident><Id>", "<")
		if i := strings.Index(text, "<Patient>"); i > 0 {
			person = between(o.Raw, "<FamilyName>", "<") + " " + between([]byte(text[i:]), "<Ident><Id>", "<")
		}
		if found := result.FindStringSubmatch(text); found != nil {
			value = found[1]
		}
	}
	return person, value
}

// TestInvariant6_TheLastWordIsTold: over random stays with corrections, what the municipality was
// told last of the person and of an infection is what the hospital said last.
func TestInvariant6_TheLastWordIsTold(t *testing.T) {
	runs := 5
	if os.Getenv("STAFETT_TEST_SLOW") != "" {
		runs = 200
	}
	for seed := range runs {
		b := newBench(t)
		w := &ward{r: rand.New(rand.NewPCG(uint64(seed), 6)), name: "MYRVANG", nr: solveig, unit: "SLAG", state: "none"}
		var said []string
		for range 10 {
			trigger, m := w.next()
			said = append(said, strings.Join([]string{trigger, w.name, w.nr, w.unit, w.mrsa}, " "))
			b.must(b.hl7(m))
			b.receiptAll()
			if trigger == "A11" {
				continue // taken back as it was told
			}
			person, mrsa := b.lastTold("MRSA")
			if person != w.name+" "+w.nr || mrsa != w.mrsa {
				t.Fatalf("seed %d: %s\ntold of %q, MRSA %q", seed, strings.Join(said, "\n"), person, mrsa)
			}
		}
		if ms, ds := b.parked(asOperator); len(ms)+len(ds) > 0 {
			t.Errorf("seed %d: parked %d messages, %+v\n%s", seed, len(ms), ds, strings.Join(said, "\n"))
		}
		b.balanced()
	}
}

// TestTold_WhatTheReceiverAddsToWhatItFinished: its last report is told, and the handover stays as
// it ended; what its sender writes afterwards is not told to one who has the patient no more.
func TestTold_WhatTheReceiverAddsToWhatItFinished(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	b.deliver()
	for _, status := range []string{"accepted", "in-progress", "completed"} {
		b.mustChange(asInstitusjon, r.task, func(n *fhir.Node) {
			n.Set("status", fhir.Str(status))
			n.Append("output", parse(t, `{"type":{"coding":[{"system":"urn:stafett:next","code":"next"}]},"valueCode":"home"}`))
		})
	}
	b.deliver()
	before := len(b.out.to(kommune))
	id := b.mustPost(asInstitusjon, `{"resourceType":"Observation","status":"final","code":{"text":"Gangfunksjon"},"basedOn":[{"reference":"ServiceRequest/`+r.request+`"}],"valueQuantity":{"value":1.30}}`)
	b.deliver()
	if len(b.out.to(kommune)) != before+1 || inBundle(b.lastBundle(kommune), "Observation", id) == nil {
		t.Errorf("the last report is told %d times", len(b.out.to(kommune))-before)
	}
	before = len(b.out.to(institusjon))
	b.mustPost(asKommune, `{"resourceType":"Observation","status":"final","code":{"text":"Vekt"},"basedOn":[{"reference":"ServiceRequest/`+r.request+`"}],"valueQuantity":{"value":60}}`)
	b.deliver()
	if n := len(b.out.to(institusjon)); n != before {
		t.Errorf("the institution is told %d times", n-before)
	}
	b.stateOf(r.task, handover.StateCompleted, institusjon)
	b.balanced()
}

// TestInvariant6_ANoticeAgainIsWhole: a notice that is told again because of a message without the
// stay says all of the stay that it said before.
func TestInvariant6_ANoticeAgainIsWhole(t *testing.T) {
	for _, c := range []struct{ notice, trigger string }{
		{"A01", "A31"}, {"A01", "A40"}, {"A01", "A47"}, {"A01", "A08"}, {"A16", "A31"}, {"A03", "A31"}, {"A16", "A08"},
	} {
		trigger := c.notice + " " + c.trigger
		b := newBench(t)
		b.must(b.hl7(adt{trigger: "A01", id: "M0", visit: "V1"}.String()))
		if c.notice != "A01" {
			b.must(b.hl7(adt{trigger: c.notice, id: "M1", visit: "V1"}.String()))
		}
		b.receiptAll()
		extra := ""
		if c.trigger == "A40" || c.trigger == "A47" {
			extra = "MRG|77001^^^FJELLHEIM^PI\r"
		}
		m := regexp.MustCompile(`PV1[^\r]*\r`).ReplaceAllString(adt{trigger: c.trigger, id: "M2", extra: extra, noNeed: true}.String(), "")
		m = strings.ReplaceAll(m, "20260302093000", "20260302113000")
		b.must(b.hl7(strings.Replace(m, "MYRVANG^", "MYRVANG-LUND^", 1)))
		b.receiptAll()
		// A merge is told in words alone.
		notices := b.ofType(kommune, map[string]string{"A01": "LOG_INNLAGT", "A16": "LOG_UTSKRIVNINGSKLAR", "A03": "LOG_UTSKREVET"}[c.notice])
		if want := map[bool]int{true: 1, false: 2}[extra != ""]; len(notices) != want {
			t.Errorf("%s: %d notices", trigger, len(notices))
			continue
		}
		hendelse := func(raw []byte) string { return between(raw, "</InformasjonOmForsendelsen>", "</RefDoc>") }
		if was, is := hendelse(notices[0].Raw), hendelse(notices[len(notices)-1].Raw); was == "" || was != is {
			t.Errorf("%s: the stay was\n%s\nand is\n%s", trigger, was, is)
		}
		if !b.leaks(kommune, "Etternavn: MYRVANG-LUND (tidligere MYRVANG)") {
			t.Errorf("%s: the new name is not told", trigger)
		}
		for _, o := range b.ofType(kommune, "DIALOG_HELSEFAGLIG") {
			if strings.Contains(string(o.Raw), "oppgis ikke lenger") {
				t.Errorf("%s: what the message leaves out is told as no longer said: %s", trigger, between(o.Raw, "<TekstNotatInnhold>", "</Notat>"))
			}
		}
	}
}
