package gateway

import (
	"strings"
	"testing"

	"stafett/directory"
	"stafett/handover"
)

func TestAlertText_TheEndReadsAsAnEnd(t *testing.T) {
	g := &Gateway{dir: &directory.Directory{}}
	a := &act{next: handover.Handover{State: handover.StateRequested}}
	raised := g.alertText(a, handover.EventDeadlinePassed, handover.AttentionOverdue, 2)
	over := g.alertText(a, handover.EventAttentionResolved, handover.AttentionOverdue, 2)
	if !strings.HasPrefix(raised, "Varsel fra overføringsportalen, trinn 2.") || !strings.HasPrefix(over, "Varselet er avsluttet") {
		t.Errorf("raised %q, over %q", raised, over)
	}
}
