package tell

import (
	"strings"
	"testing"
	"time"

	"stafett/directory"
	"stafett/gateway/act"
	"stafett/handover"
	"stafett/ledger"
)

// alertOf is an alert about a handover of a kind and state, with one attention.
func alertOf(kind handover.Kind, state handover.State, reason handover.AttentionReason, event handover.EventName, language string) string {
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	h := handover.Handover{ID: "h1", Kind: kind, State: state, Sender: "fjellheim-sykehus", Receiver: "dalvik-kommune", Since: at,
		Attentions: []handover.Attention{{Reason: reason, RaisedAt: at.Add(2 * time.Hour), Deadline: at.Add(6 * time.Hour), Parties: []handover.PartyID{"fjellheim-sykehus", "dalvik-kommune"}}}}
	o := outgoing{s: &act.Snapshot{Settings: act.Settings{Directory: &directory.Directory{}}}, party: directory.Party{Language: language},
		Telling: act.Telling{Scene: act.Scene{Handover: h}, Purpose: ledger.PurposeAlert, Event: event, Attention: reason, Number: 2}}
	return o.text()
}

func TestAlertText_TheEndReadsAsAnEnd(t *testing.T) {
	raised := alertOf(handover.KindReferral, handover.StateRequested, handover.AttentionOverdue, handover.EventDeadlinePassed, "nb")
	over := alertOf(handover.KindReferral, handover.StateRequested, handover.AttentionOverdue, handover.EventAttentionResolved, "nb")
	if !strings.HasPrefix(raised, "Varsel fra overføringsportalen, trinn 2.") || !strings.HasPrefix(over, "Varselet er avsluttet") {
		t.Errorf("raised %q, over %q", raised, over)
	}
}

// TestAlertText_SaysWhatByWhenAndForWhom: over all that can be late or marked, in both languages.
func TestAlertText_SaysWhatByWhenAndForWhom(t *testing.T) {
	dated := map[string]string{"nb": " 02.03.2026 kl. ", "en": " 2 March 2026 at "}
	for _, kind := range handover.Kinds() {
		for _, state := range handover.States() {
			for _, reason := range handover.AttentionReasons() {
				if !state.Open() && state != handover.StateDeclined {
					continue
				}
				for _, language := range []string{"nb", "en"} {
					text := alertOf(kind, state, reason, handover.EventDeadlinePassed, language)
					lines := strings.Split(text, "\n")
					if len(lines) != 3 || strings.Contains(text, "%!") || strings.Count(text, dated[language]) < 2 || strings.Contains(text, overdue.in(language)) {
						t.Errorf("%s %s %s: %s", kind, state, reason, text)
					}
				}
			}
		}
	}
	want := "Varsel fra overføringsportalen, trinn 2. Svar på meldingen om utskrivningsklar pasient mangler.\n" +
		"Fristen gikk ut 02.03.2026 kl. 15:00. Følges opp av: Overføringsportalen.\n" +
		"Tilstand: mottatt siden 02.03.2026 kl. 13:00. Overføring: h1."
	if got := alertOf(handover.KindDischarge, handover.StateReceived, handover.AttentionOverdue, handover.EventDeadlinePassed, "nb"); got != want {
		t.Errorf("%s", got)
	}
}
