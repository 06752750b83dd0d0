package gateway_test

import (
	"strings"
	"testing"

	"stafett/handover"
	"stafett/ledger"
)

// dialogue is a message of the municipality in a conversation, of another kind than an answer.
func dialogue(typ, id, ref, body string) string {
	s := notat(id, ref, "")
	from, _, _ := strings.Cut(s, "<Notat>")
	_, to, _ := strings.Cut(s, "</Notat>")
	return strings.Replace(from, `V="DIALOG_NOTAT" DN="Notat"`, `V="`+typ+`" DN="x"`, 1) + body + to
}

// TestInvariant3_NoDialogueMovesCustody: what the municipality writes is told to the hospital, and
// who has the patient stays as it was; what could be an answer waits for a person.
func TestInvariant3_NoDialogueMovesCustody(t *testing.T) {
	for _, c := range []struct {
		typ, body, text string
		read            bool
	}{
		{"DIALOG_FORESPORSEL", `<Foresporsel><TypeForesp V="4" DN="Legemiddelopplysninger" S="2.16.578.1.12.4.1.1.9154"/><Sporsmal>Bruker hun rullator?</Sporsmal></Foresporsel>`, "Bruker hun rullator?", false},
		{"DIALOG_SVAR", `<Notat><TemaKodet V="5" DN="Svar på forespørsel" S="2.16.578.1.12.4.1.1.9069"/><TekstNotatInnhold>Vi kan ta imot henne.</TekstNotatInnhold></Notat>`, "Vi kan ta imot henne.", false},
		{"DIALOG_SVAR", `<Notat><TemaKodet V="3" DN="Har ikke ønskede opplysninger" S="2.16.578.1.12.4.1.1.9069"/></Notat>`, "||Har ikke ønskede opplysninger|", false},
		{"DIALOG_AVVIK", `<Notat><TemaKodet V="1" DN="Feil adressat" S="2.16.578.1.12.4.1.1.8117"/><TekstNotatInnhold>Hun bor ikke her.</TekstNotatInnhold></Notat>`, "||Feil adressat|", true},
		{"DIALOG_STATUS_HENVISNING", `<Notat><TemaKodet V="1" DN="Innkalles til helsehjelp" S="2.16.578.1.12.4.1.1.9148"/><TekstNotatInnhold>Time 2. mars.</TekstNotatInnhold></Notat>`, "Time 2. mars.", true},
	} {
		t.Run(c.typ, func(t *testing.T) {
			b, klar := ready(t)
			b.must(b.kith(appRec(klar, "1")))
			told := len(b.ofType(sykehus, "MDM^T02"))
			a := b.must(b.kith(dialogue(c.typ, "d1", klar.ID, c.body)))
			b.deliver()
			if m := b.message(a.Message); m.Disposition == ledger.DispositionParked {
				t.Fatalf("%s: %s", m.Reason, m.Detail)
			}
			b.state(handover.StateReceived, sykehus)
			if got := b.hasAttention(handover.AttentionAnswerNeedsReading); got != c.read {
				t.Errorf("a person must read it: %v", got)
			}
			sent := b.ofType(sykehus, "MDM^T02")[told:]
			if len(sent) == 0 || !strings.Contains(string(sent[0].Raw), c.text) {
				t.Errorf("the hospital is told %d times: %q", len(sent), sent)
			}
			b.balanced()
		})
	}
}

// TestKITH_AQuestionStaysOne: between two that speak KITH a question about a handover is told as one,
// in its conversation, with all that it holds.
func TestKITH_AQuestionStaysOne(t *testing.T) {
	b, klar := ready(t, withKITHHospital)
	b.out.answer = accepts
	b.must(b.kith(dialogue("DIALOG_FORESPORSEL", "q1", klar.ID, `<Foresporsel><TypeForesp V="4" DN="Legemiddelopplysninger" S="2.16.578.1.12.4.1.1.9154"/><Sporsmal>Hvilke bruker hun?</Sporsmal><Begrunnelse>Kommer i morgen</Begrunnelse></Foresporsel>`)))
	b.deliver()
	told := b.ofType(sykehus, "DIALOG_FORESPORSEL")
	if len(told) != 1 || !strings.Contains(string(told[0].Raw), "<Begrunnelse>Kommer i morgen</Begrunnelse>") {
		t.Fatalf("told %d times: %q", len(told), told)
	}
	b.balanced()
}
