package gateway

import (
	"testing"

	"stafett/adapters"
	"stafett/handover"
)

func TestTypeCode_KeepsCodesOnly(t *testing.T) {
	for _, c := range []struct {
		wire     handover.Wire
		in, want string
	}{
		{handover.WireHL7v2, "ADT^A16", "ADT^A16"},
		{handover.WireHL7v2, "ACK", "ACK"},
		{handover.WireHL7v2, "ADT^ZZ1", "ADT^ZZ1"},
		{handover.WireHL7v2, "", ""},
		{handover.WireHL7v2, "Nordmann^Kari", typeUnreadable},
		{handover.WireHL7v2, "NORDMANN", typeUnreadable},
		{handover.WireKITH, "DIALOG_NOTAT", "DIALOG_NOTAT"},
		{handover.WireKITH, "LOG_UTSKRIVNINGSKLAR", "LOG_UTSKRIVNINGSKLAR"},
		{handover.WireKITH, "APPREC", "APPREC"},
		{handover.WireKITH, "NORDMANN", typeUnreadable},
		{handover.WireKITH, "Nordmann_Kari", typeUnreadable},
		{handover.WireFHIR, "POST Task", "POST Task"},
	} {
		if got := typeCode(c.wire, c.in); got != c.want {
			t.Errorf("%s %q: %q, want %q", c.wire, c.in, got, c.want)
		}
	}
}

func TestExternalID_IsNoPersonsNumber(t *testing.T) {
	const number = "12034800241" // of a fictitious person
	for _, c := range []struct{ id, raw, want string }{
		{"FJ-1", "MSH|FJ-1", "FJ-1"},
		{number, "MSH|" + number + "\rPID|" + number, ""},
		{"A" + number + "-2", "MSH|A" + number + "-2\rPID|" + number, ""},
		// A counter that happens to be of right form.
		{number, "MSH|" + number + "\rPID|1", number},
		{"12034800242", "MSH|12034800242\rPID|12034800242", "12034800242"},
	} {
		tk := &taking{in: adapters.Inbound{Raw: []byte(c.raw)}, env: adapters.Envelope{ID: c.id}}
		if got := tk.externalID(); got != c.want {
			t.Errorf("%q: %q, want %q", c.id, got, c.want)
		}
	}
}
