package gateway_test

import (
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
