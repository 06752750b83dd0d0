package gateway_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"stafett/adapters"
	"stafett/handover"
	"stafett/ledger"
)

// alerts are the services of p that its contacts were alerted on, in order.
func (b *bench) alerts(p handover.PartyID, event handover.EventName) []string {
	b.t.Helper()
	var out []string
	for _, d := range b.deliveries() {
		if d.Receiver == p && d.Purpose == ledger.PurposeAlert && d.Event == event {
			out = append(out, d.Service)
		}
	}
	return out
}

// until lets time pass to t0+d, with the watch and the delivery running every quarter.
func (b *bench) until(at time.Time) {
	b.t.Helper()
	for b.now().Before(at) {
		b.pass(min(15*time.Minute, at.Sub(b.now())))
		b.watch()
		b.deliver()
	}
}

// TestInvariant4_SilenceEscalates: the ready notice that nobody answers goes step by step
// to the contacts, is delivered there, and its end is announced once.
func TestInvariant4_SilenceEscalatesAndEndsOnce(t *testing.T) {
	b := newBench(t, func(b *bench) {
		b.edit = strings.NewReplacer("{name: Leder tildelingskontoret, service: sykepleietjeneste}", "{name: Leder tildelingskontoret, service: saksbehandling}")
	})
	b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
	b.deliver()
	klar := b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")[0]
	b.must(b.kith(appRec(klar, "1")))
	start := b.now()
	late := func() []string { return b.alerts(kommune, handover.EventDeadlinePassed) }
	b.until(start.Add(119 * time.Minute))
	if n := len(late()); n != 0 {
		t.Fatalf("%d alerts before the answer is due", n)
	}
	b.until(start.Add(2 * time.Hour))
	b.until(start.Add(2*time.Hour + 30*time.Minute))
	if got := late(); fmt.Sprint(got) != "[sykepleietjeneste]" {
		t.Fatalf("first step: %v", got)
	}
	b.attention(handover.AttentionOverdue)
	b.until(start.Add(6*time.Hour + 30*time.Minute))
	if got := late(); fmt.Sprint(got) != "[sykepleietjeneste saksbehandling]" {
		t.Fatalf("second step: %v", got)
	}
	b.until(start.Add(26*time.Hour + 30*time.Minute))
	if got := late(); len(got) != 7 || got[6] != "saksbehandling" {
		t.Fatalf("after a day: %v", got)
	}
	b.state(handover.StateReceived, sykehus) // invariant 7
	if n := len(b.alerts(sykehus, handover.EventDeadlinePassed)); n == 0 {
		t.Error("the custodian was never alerted")
	}
	b.balanced()

	b.must(b.kith(notat("n1", klar.ID, "SVAR=KAN_MOTTA;DATO=2026-03-04")))
	for range 8 {
		b.until(b.now().Add(15 * time.Minute))
	}
	if b.hasAttention(handover.AttentionOverdue) {
		t.Fatal("still overdue")
	}
	for _, p := range []handover.PartyID{kommune, sykehus} {
		ends := 0
		for _, d := range b.deliveries() {
			if d.Receiver == p && d.Purpose == ledger.PurposeAlert && d.Event == handover.EventAttentionResolved && d.CreatedAt.After(start.Add(26*time.Hour)) {
				ends++
			}
		}
		// The end of overdue, and of no-health-info only when that was escalated too.
		if ends != 1 {
			t.Errorf("%s was told of the end %d times", p, ends)
		}
	}
	b.balanced()
}

// TestInvariant4_ParkedMessageEscalates: 1 h, 4 h, then daily.
func TestInvariant4_ParkedMessageEscalates(t *testing.T) {
	b := newBench(t)
	a := b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1", kommunenummer: "9999"}.String()))
	start := b.now()
	for i, due := range []time.Duration{time.Hour, 5 * time.Hour, 29 * time.Hour, 53 * time.Hour, 77 * time.Hour} {
		b.pass(start.Add(due - time.Minute).Sub(b.now()))
		b.watch()
		b.deliver()
		if n := len(b.ofType(sykehus, "MDM^T02")); n != i {
			t.Fatalf("%d alerts before %s", n, due)
		}
		b.pass(time.Minute)
		b.watch()
		b.deliver()
		sent := b.ofType(sykehus, "MDM^T02")
		if len(sent) != i+1 {
			t.Fatalf("%d alerts at %s", len(sent), due)
		}
		// It is about the sender's own patient, as the wire demands.
		if text := string(sent[i].Raw); !strings.Contains(text, solveig) || !strings.Contains(text, string(a.Message)) {
			t.Fatalf("the alert says %q", text)
		}
		b.balanced()
	}
	if err := b.g.CloseMessage(t.Context(), asOperator, a.Message, "ringte"); err != nil {
		t.Fatal(err)
	}
	b.pass(48 * time.Hour)
	b.watch()
	b.deliver()
	if n := len(b.ofType(sykehus, "MDM^T02")); n != 5 {
		t.Fatalf("%d alerts after it was closed", n)
	}
}

// TestInvariant4_ParkedReceiptEscalates: without a patient the contact is told as well.
func TestInvariant4_ParkedReceiptEscalates(t *testing.T) {
	b := newBench(t)
	b.must(b.kith(appRec(adapters.Outgoing{ID: uuidOf("nothing"), Type: "LOG_INNLAGT", Raw: []byte("<GenDate>2026-03-02T10:00:00<")}, "1")))
	b.pass(time.Hour + time.Minute)
	b.watch()
	b.deliver()
	if n := len(b.ofType(kommune, "DIALOG_HELSEFAGLIG")); n != 1 {
		ds, _ := b.store.ParkedDeliveries(t.Context(), ledger.ParkedFilter{})
		t.Fatalf("%d alerts; parked: %+v", n, ds)
	}
	b.balanced()
}

// TestInvariant4_ParkedDeliveryEscalates: at the contact of the one who wanted it sent.
func TestInvariant4_ParkedDeliveryEscalates(t *testing.T) {
	b := newBench(t)
	b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
	b.deliver()
	b.must(b.kith(appRec(b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")[0], "2")))
	b.deliver()
	before := len(b.ofType(sykehus, "MDM^T02"))
	for i := range 4 {
		d := b.told(kommune, "LOG_UTSKRIVNINGSKLAR")
		if d.Step != i || !strings.HasPrefix(d.Contact, string(sykehus)) {
			t.Fatalf("step %d at %s", d.Step, d.Contact)
		}
		b.pass(d.Deadline.Sub(b.now()))
		b.watch()
		b.deliver()
		if n := len(b.ofType(sykehus, "MDM^T02")); n <= before {
			t.Fatalf("no alert at step %d", i)
		} else {
			before = n
		}
		b.balanced()
	}
}

// TestInvariant4_AlertsBreedNoAlerts: an unreachable contact does not make more and more.
func TestInvariant4_AlertsBreedNoAlerts(t *testing.T) {
	b := newBench(t)
	b.out.answer = down(handover.FaultInvalid)
	b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
	b.must(b.hl7(adt{trigger: "A16", id: "M2", visit: "V2", fnr: "30095100186", kommunenummer: "9999"}.String()))
	count := func() int {
		ds, err := b.store.ParkedDeliveries(t.Context(), ledger.ParkedFilter{})
		if err != nil {
			t.Fatal(err)
		}
		return ds.Total
	}
	var days []int
	for range 12 {
		for range 24 {
			b.deliver()
			b.pass(time.Hour)
			b.watch()
		}
		days = append(days, count())
	}
	for i := 6; i < len(days); i++ {
		if grown := days[i] - days[i-1]; grown > 2*(days[4]-days[3])+4 {
			t.Fatalf("parked deliveries by day: %v", days)
		}
	}
	t.Logf("parked deliveries by day: %v", days)
	if slices.Max(days) > 1000 {
		t.Fatalf("parked deliveries by day: %v", days)
	}
	b.balanced()
}

// TestInvariant4_NoticeToTheOperatorHoldsNoPatient: the operator's party has no part in it.
func TestPrivacy_OperatorsPartySeesNoPatientOfOthers(t *testing.T) {
	b := newBench(t)
	b.out.answer = func(to adapters.Target, out adapters.Outgoing) (adapters.Sent, error) {
		if to.Party == sykehus {
			return transportAnswer(to), nil
		}
		return down(handover.FaultInvalid)(to, out)
	}
	b.refer()
	for range 60 {
		b.deliver()
		b.pass(time.Hour)
		b.watch()
	}
	got := b.out.to(sykehus)
	if len(got) == 0 {
		t.Fatal("the operator was never told")
	}
	for _, o := range got {
		if text := strings.ToLower(string(o.Raw)); strings.Contains(text, solveig) || strings.Contains(text, "myrvang") {
			t.Fatalf("the operator's party was sent the patient of others: %s", o.Raw)
		}
	}
	b.balanced()
}

// TestInvariant4_EveryStateIsLate: whatever a handover waits in, its deadline escalates.
func TestInvariant4_EveryStateIsLate(t *testing.T) {
	klar := func(b *bench) string { return b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")[0].ID }
	receipt := func(b *bench) { b.receiptAll() }
	tests := []struct {
		state handover.State
		reach func(b *bench)
	}{
		{handover.StateAnnounced, func(b *bench) { b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1"}.String())); receipt(b) }},
		{handover.StateRequested, func(b *bench) { b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String())); b.deliver() }},
		{handover.StateReceived, func(b *bench) { b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String())); receipt(b) }},
		{handover.StateDeferred, func(b *bench) {
			b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
			receipt(b)
			b.must(b.kith(notat("n", klar(b), "SVAR=KAN_IKKE_MOTTA;DATO=UKJENT")))
		}},
		{handover.StateAccepted, func(b *bench) {
			b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
			receipt(b)
			b.must(b.kith(notat("n", klar(b), "SVAR=KAN_MOTTA;DATO=2026-03-03")))
		}},
		{handover.StateInProgress, func(b *bench) {
			b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
			receipt(b)
			b.must(b.kith(notat("n", klar(b), "SVAR=KAN_MOTTA;DATO=2026-03-03")))
			b.must(b.hl7(adt{trigger: "A03", id: "M2", visit: "V1"}.String()))
			b.deliver()
		}},
	}
	for _, tt := range tests {
		t.Run(string(tt.state), func(t *testing.T) {
			b := newBench(t)
			tt.reach(b)
			h := b.handover()
			if h.State != tt.state || h.Deadline.IsZero() {
				t.Fatalf("%s, deadline %v", h.State, h.Deadline)
			}
			b.pass(h.Deadline.Sub(b.now()) + time.Second)
			b.watch()
			late := b.handover()
			if late.State != tt.state || late.Custodian != h.Custodian || late.Step != 1 || !late.Deadline.After(b.now()) {
				t.Fatalf("%s held by %s, step %d, deadline %v", late.State, late.Custodian, late.Step, late.Deadline)
			}
			b.attention(handover.AttentionOverdue)
			// The same pass again escalates nothing.
			b.watch()
			if again := b.handover(); again.Version != late.Version {
				t.Fatal("escalated twice")
			}
			b.balanced()
		})
	}
}
