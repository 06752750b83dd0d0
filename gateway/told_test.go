package gateway_test

import (
	"encoding/base64"
	"regexp"
	"strings"
	"testing"
	"time"

	"stafett/handover"
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
