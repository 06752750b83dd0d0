package kith

import (
	"regexp"
	"testing"
	"time"

	"stafett/adapters/adaptertest"
	"stafett/handover"
)

func TestRules_Suite(t *testing.T) {
	adaptertest.RunRules(t, Codec{}, adaptertest.Prescribed{
		ID:         regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`),
		TimeLayout: time.RFC3339,
		Types:      []string{"DIALOG_NOTAT", "LOG_UTSKRIVNINGSKLAR", "APPREC", "HENVISNING", "EPIKRISE"},
		Texts:      []string{"HAUGLAND_OLA", "LOG_HAUGLAND", "LOG_", "log_innlagt", "ADT^A16", "KARI"},
	})
}

// A stay is told by its national messages, by its hospital alone; all else is a dialogue.
func TestRules_TypeFor(t *testing.T) {
	for _, c := range []struct {
		kind     handover.Kind
		event    handover.EventName
		bySender bool
		want     string
		cancels  bool
	}{
		{handover.KindDischarge, handover.EventAdmitted, true, "LOG_INNLAGT", false},
		{handover.KindDischarge, handover.EventReady, true, "LOG_UTSKRIVNINGSKLAR", false},
		{handover.KindDischarge, handover.EventNotReady, true, "LOG_AVMELDING", false},
		{handover.KindDischarge, handover.EventDischarged, true, "LOG_UTSKREVET", false},
		{handover.KindDischarge, handover.EventStarted, true, "LOG_UTSKREVET", false},
		{handover.KindDischarge, handover.EventVoided, true, "LOG_INNLAGT", true},
		{handover.KindDischarge, handover.EventDischargeCancelled, true, "LOG_UTSKREVET", true},
		{handover.KindDischarge, handover.EventHealthInfoSent, true, "HELSEOPPL_SOKNAD", false},
		{handover.KindDischarge, handover.EventReportSent, true, "UTSKRIVNINGSRAPPORT", false},
		{handover.KindDischarge, handover.EventStarted, false, "DIALOG_HELSEFAGLIG", false},
		{handover.KindDischarge, handover.EventAccepted, false, "DIALOG_HELSEFAGLIG", false},
		{handover.KindReferral, handover.EventReady, true, "DIALOG_HELSEFAGLIG", false},
	} {
		typ := Codec{}.TypeFor(c.kind, c.event, c.bySender)
		if typ != c.want || (Codec{}).Cancels(c.event) != c.cancels {
			t.Errorf("%s of a %s: %s, cancels %t", c.event, c.kind, typ, Codec{}.Cancels(c.event))
		}
	}
}
