package gateway_test

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"

	"stafett/handover"
)

// sixtyDays lets the clock run for 60 days, from one deadline to the next, with everybody
// away from the desk and every message receipted.
func (b *bench) sixtyDays() {
	b.t.Helper()
	for end := b.now().AddDate(0, 0, 60); ; {
		b.receiptAll()
		next, err := b.store.NextDue(b.t.Context())
		if err != nil {
			b.t.Fatal(err)
		}
		if next.IsZero() || next.After(end) {
			return
		}
		b.pass(max(next.Sub(b.now()), time.Second))
		b.watch()
	}
}

// alerted counts the alerts that a party was sent.
func (b *bench) alerted(p handover.PartyID) int {
	n := 0
	for _, o := range b.out.to(p) {
		if bytes.Contains(o.Raw, []byte("Varsel fra ")) {
			n++
		}
	}
	return n
}

// TestInvariant4_PerfectStaysAlertNobody: a stay whose every step is taken in time ends by
// itself, although its hospital has no wire for Helseopplysninger and Utskrivningsrapport.
func TestInvariant4_PerfectStaysAlertNobody(t *testing.T) {
	b := newBench(t)
	stays := 10
	if os.Getenv("STAFETT_TEST_SLOW") != "" {
		stays = 100
	}
	for i := range stays {
		visit := fmt.Sprintf("V%d", i)
		b.accepted(visit)
		b.must(b.hl7(adt{trigger: "A03", id: "A03" + visit, visit: visit}.String()))
		b.receiptAll()
		b.pass(2 * time.Hour)
	}
	b.sixtyDays()
	for _, h := range b.all() {
		if h.State != handover.StateCompleted || len(h.Attentions) > 0 {
			t.Errorf("a perfect stay is %s with %d attentions", h.State, len(h.Attentions))
		}
	}
	for _, p := range []handover.PartyID{sykehus, kommune} {
		if n := b.alerted(p); n != 0 {
			t.Errorf("%d alerts to %s for %d perfect stays", n, p, stays)
		}
	}
	b.balanced()
}

// TestInvariant4_UnheededAlertsBecomeSeldom: what nobody acts on for 60 days is told of seldom,
// and stays marked.
func TestInvariant4_UnheededAlertsBecomeSeldom(t *testing.T) {
	for _, c := range []struct {
		name     string
		reach    func(b *bench)
		alerts   map[handover.PartyID]int // at most
		unmarked bool
	}{
		{"admitted, and nothing more", func(b *bench) { b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1"}.String())) },
			map[handover.PartyID]int{sykehus: 8, kommune: 0}, false},
		{"ready, and never answered", func(b *bench) { b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String())) },
			map[handover.PartyID]int{sykehus: 21, kommune: 21}, false},
		{"accepted, and never discharged", func(b *bench) { b.accepted("V1") },
			map[handover.PartyID]int{sykehus: 17, kommune: 16}, false},
		{"parked", func(b *bench) {
			b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1", kommunenummer: "9999"}.String()))
		}, map[handover.PartyID]int{sykehus: 16, kommune: 0}, true},
		{"parked, with its attention", func(b *bench) {
			b.accepted("V1")
			b.must(b.hl7(adt{trigger: "A03", id: "M3", visit: "V1"}.String()))
			b.deliver()
			b.must(b.hl7(adt{trigger: "A25", id: "M4", visit: "V1"}.String()))
		}, map[handover.PartyID]int{sykehus: 34, kommune: 34}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			c.reach(b)
			b.sixtyDays()
			for p, most := range c.alerts {
				n := b.alerted(p)
				t.Logf("%s: %d alerts in 60 days", p, n)
				if n > most {
					t.Errorf("%s was alerted %d times, at most %d", p, n, most)
				}
			}
			if !c.unmarked && len(b.handover().Attentions) == 0 {
				t.Error("what is late is not marked any more")
			}
			b.balanced()
		})
	}
}
