package tell

import (
	"strings"
	"testing"

	"stafett/directory"
	"stafett/gateway/act"
	"stafett/handover"
	"stafett/ledger"
)

func TestAlertText_TheEndReadsAsAnEnd(t *testing.T) {
	text := func(event handover.EventName) string {
		o := outgoing{s: &act.Snapshot{Settings: act.Settings{Directory: &directory.Directory{}}},
			Telling: act.Telling{Scene: act.Scene{Handover: handover.Handover{State: handover.StateRequested}}, Purpose: ledger.PurposeAlert,
				Event: event, Attention: handover.AttentionOverdue, Number: 2}}
		return o.text()
	}
	raised, over := text(handover.EventDeadlinePassed), text(handover.EventAttentionResolved)
	if !strings.HasPrefix(raised, "Varsel fra overføringsportalen, trinn 2.") || !strings.HasPrefix(over, "Varselet er avsluttet") {
		t.Errorf("raised %q, over %q", raised, over)
	}
}
