package gateway_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"stafett/gateway/desk"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stafett/access"
	"stafett/adapters"
	"stafett/handover"
	"stafett/ledger"
)

// randomActs are what can happen to three stays; each says what it did.
var randomActs = []struct {
	name string
	do   func(b *bench, r *rapid.T, n int) string
}{
	{"hospital", func(b *bench, r *rapid.T, n int) string {
		stay := rapid.IntRange(0, 2).Draw(r, "stay")
		trigger := rapid.SampledFrom([]string{"A01", "A16", "A16", "A25", "A03", "A13", "A11"}).Draw(r, "trigger")
		m := adt{trigger: trigger, id: fmt.Sprintf("M%d", n), visit: fmt.Sprintf("V%d", stay), fnr: []string{solveig, solveig, "30095100186"}[stay]}
		text := m.String()
		if trigger == "A03" && rapid.IntRange(0, 5).Draw(r, "dead") == 0 {
			text = dead(m)
		}
		return string(b.hl7(text).Outcome) + " " + trigger + " " + m.visit
	}},
	{"note", func(b *bench, r *rapid.T, n int) string {
		ref := uuidOf("x")
		if klar := b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR"); len(klar) > 0 {
			ref = klar[rapid.IntRange(0, len(klar)-1).Draw(r, "which")].ID
		}
		text := rapid.SampledFrom([]string{"SVAR=KAN_MOTTA;DATO=2026-03-04", "SVAR=KAN_IKKE_MOTTA;DATO=2026-03-05", "SVAR=KAN_IKKE_MOTTA;DATO=UKJENT", "Fritekst."}).Draw(r, "text")
		return string(b.kith(notat(fmt.Sprintf("n%d", n), ref, text)).Outcome) + " " + text
	}},
	{"receipt", func(b *bench, r *rapid.T, _ int) string {
		all := b.out.to(kommune)
		all = slices.DeleteFunc(all, func(o adapters.Outgoing) bool { return o.Type == "APPREC" })
		if len(all) == 0 {
			return "of nothing"
		}
		o := all[rapid.IntRange(0, len(all)-1).Draw(r, "which")]
		s := rapid.SampledFrom([]string{"1", "1", "2"}).Draw(r, "status")
		return string(b.kith(appRec(o, s)).Outcome) + " " + s + " " + o.Type
	}},
	{"person", func(b *bench, r *rapid.T, _ int) string {
		hs := b.all()
		if len(hs) == 0 {
			return "with nothing to do"
		}
		h := hs[rapid.IntRange(0, len(hs)-1).Draw(r, "which")]
		in := desk.Answer{Handover: h.ID, Event: rapid.SampledFrom([]handover.EventName{handover.EventAccepted, handover.EventDeferred, handover.EventDeclined,
			handover.EventFinished, handover.EventAttentionResolved, handover.EventWithdrawn, handover.EventMisaddressed, handover.EventPaused, handover.EventRetracted}).Draw(r, "event")}
		if in.Event == handover.EventFinished {
			in.Next.None = handover.NoneHome
		}
		if in.Event == handover.EventWithdrawn {
			in.For = h.Sender
		}
		if len(h.Attentions) > 0 {
			in.Attention = h.Attentions[0].Reason
		}
		_, err := b.g.RecordAnswer(b.t.Context(), asOperator, in)
		return fmt.Sprint(in.Event, " ", err)
	}},
	{"parked", func(b *bench, r *rapid.T, _ int) string {
		ms, ds := b.parked(asOperator)
		if len(ms) > 0 && rapid.Bool().Draw(r, "message") {
			m := ms[rapid.IntRange(0, len(ms)-1).Draw(r, "which")]
			if rapid.Bool().Draw(r, "close") {
				return fmt.Sprint("close ", b.g.CloseMessage(b.t.Context(), asOperator, m.ID, "x"))
			}
			_, err := b.g.Reprocess(b.t.Context(), asOperator, m.ID)
			return fmt.Sprint("reprocess ", err)
		}
		if len(ds) > 0 {
			d := ds[rapid.IntRange(0, len(ds)-1).Draw(r, "which")]
			if rapid.Bool().Draw(r, "close") {
				return fmt.Sprint("close delivery ", b.g.CloseDelivery(b.t.Context(), asOperator, d.ID, "x"))
			}
			_, err := b.g.Resend(b.t.Context(), asOperator, d.ID)
			return fmt.Sprint("resend ", err)
		}
		return "nothing"
	}},
	{"network", func(b *bench, r *rapid.T, _ int) string {
		kind := rapid.SampledFrom([]handover.FaultKind{"", "", handover.FaultTemporary, handover.FaultInvalid}).Draw(r, "fault")
		b.out.answer = nil
		if kind != "" {
			b.out.answer = down(kind)
		}
		return string(kind)
	}},
	{"deliver", func(b *bench, _ *rapid.T, _ int) string { b.deliver(); return "" }},
	{"time", func(b *bench, r *rapid.T, _ int) string {
		d := rapid.SampledFrom([]time.Duration{time.Minute, time.Hour, 5 * time.Hour, 26 * time.Hour, 100 * time.Hour}).Draw(r, "time")
		b.pass(d)
		b.watch()
		return d.String()
	}},
}

// clocked holds invariants 3 and 4 against all that is stored.
func (b *bench) clocked() {
	b.t.Helper()
	holders := map[handover.ChainID]handover.PartyID{}
	for _, h := range b.all() {
		if h.State.Open() && h.Deadline.IsZero() {
			b.t.Fatalf("an open handover in %s has no deadline", h.State)
		}
		for _, a := range h.Attentions {
			if a.Deadline.IsZero() || len(a.Parties) == 0 {
				b.t.Fatalf("attention %s: deadline %v, parties %v", a.Reason, a.Deadline, a.Parties)
			}
		}
		if h.State.Open() {
			if p, ok := holders[h.Chain]; ok && p != h.Custodian {
				b.t.Fatalf("a chain is held by %s and by %s", p, h.Custodian)
			}
			holders[h.Chain] = h.Custodian
		}
		if h.Custodian != h.Sender && h.Custodian != h.Receiver {
			b.t.Fatalf("held by %s, who takes no part", h.Custodian)
		}
		task := b.mustRead(asSykehus, "Task", string(h.ID))
		if s := task.Str("status"); s != h.State.TaskStatus() {
			b.t.Fatalf("Task.status %s of a handover in %s", s, h.State)
		}
		ds, err := b.store.DeliveriesOfHandover(b.t.Context(), h.ID)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, d := range ds {
			b.deliveryClocked(d)
		}
	}
	ms, err := b.store.ParkedMessages(b.t.Context(), ledger.ParkedFilter{})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, m := range ms.Items {
		if m.Contact == "" || m.Deadline.IsZero() {
			b.t.Fatalf("a parked message has contact %q and deadline %v", m.Contact, m.Deadline)
		}
	}
}

func (b *bench) deliveryClocked(d ledger.Delivery) {
	b.t.Helper()
	ok := true
	switch d.State {
	case ledger.DeliveryPending:
		ok = !d.NextAttempt.IsZero() && !d.Deadline.IsZero()
	case ledger.DeliverySending:
		ok = !d.LeaseUntil.IsZero()
	case ledger.DeliveryAwaiting:
		ok = !d.Deadline.IsZero()
	case ledger.DeliveryParked, ledger.DeliveryRefused:
		ok = !d.Deadline.IsZero() && d.Contact != ""
	}
	if !ok {
		b.t.Fatalf("a delivery in %s has no clock: next %v, deadline %v, contact %q", d.State, d.NextAttempt, d.Deadline, d.Contact)
	}
}

// TestInvariant4_RandomLives: whatever happens in whatever order, everything is accounted
// for and everything open has a clock.
func TestInvariant4_RandomLives(t *testing.T) {
	var log []string
	t.Cleanup(func() {
		if t.Failed() {
			for _, l := range log {
				t.Log(l)
			}
		}
	})
	fewerChecks(t)
	rapid.Check(t, func(r *rapid.T) {
		log = nil
		b := newBench(t)
		defer func() { b.close(); b.close = func() {} }()
		steps := rapid.IntRange(1, 20).Draw(r, "steps")
		for n := range steps {
			act := randomActs[rapid.IntRange(0, len(randomActs)-1).Draw(r, "act")]
			log = append(log, act.name)
			log[len(log)-1] += ": " + act.do(b, r, n)
			sum, err := b.store.Balance(t.Context())
			if err != nil || !sum.Holds() {
				t.Fatalf("%+v, %v", sum, err)
			}
			b.clocked()
		}
		b.out.answer = nil
		for range 3 {
			b.deliver()
			b.pass(2 * time.Hour)
			b.watch()
		}
		b.clocked()
		b.balanced()
	})
}

// TestInvariant3_RandomTaskChanges: whatever the two parties write into a Task, and however
// the clock runs, custody moves to a party by its own act alone, a refused change changes
// nothing, and the Task shows what the handover is.
func TestInvariant3_RandomTaskChanges(t *testing.T) {
	statuses := []string{"draft", "requested", "received", "accepted", "rejected", "cancelled", "in-progress", "on-hold", "failed", "completed", "entered-in-error"}
	business := []string{"", "", "deferred", "paused", "forwarded", "misaddressed", "retracted", "withdrawal-refused"}
	fewerChecks(t)
	rapid.Check(t, func(r *rapid.T) {
		b := newBench(t)
		defer func() { b.close(); b.close = func() {} }()
		id := b.refer().task
		b.deliver()
		var log []string
		for range rapid.IntRange(1, 15).Draw(r, "steps") {
			before := b.handoverOf(id)
			c := rapid.SampledFrom([]access.Caller{asKommune, asInstitusjon, asInstitusjon}).Draw(r, "by")
			n := b.read(c, "Task", id)
			if n == nil || rapid.IntRange(0, 5).Draw(r, "clock") == 0 {
				b.pass(rapid.SampledFrom([]time.Duration{time.Hour, 30 * time.Hour, 400 * time.Hour}).Draw(r, "time"))
				b.watch()
				b.deliver()
				if h := b.handoverOf(id); h.State != before.State && h.State != handover.StateReceived || h.Custodian != before.Custodian {
					t.Fatalf("%v: the clock made %s of %s, held by %s", log, h.State, before.State, h.Custodian)
				}
				continue
			}
			status(rapid.SampledFrom(statuses).Draw(r, "status"), rapid.SampledFrom(business).Draw(r, "business"))(n)
			if rapid.Bool().Draw(r, "next") {
				name := "output"
				if c.Party == kommune {
					name = "input"
				}
				n.Append(name, parse(t, `{"type":{"coding":[{"system":"urn:stafett:next"}]},"valueCode":"home"}`))
			}
			_, err := b.g.FHIR.Write(t.Context(), c, putWrite(n))
			h := b.handoverOf(id)
			log = append(log, fmt.Sprintf("%s: %s %s -> %s (%v)", c.Party, n.Str("status"), n.Str("businessStatus", "coding", "code"), h.State, err))
			if err != nil {
				if k := handover.FaultOf(err).Kind; k == handover.FaultUnknown || k.Temporary() {
					t.Fatalf("%v", log)
				}
				if h.Version != before.Version {
					t.Fatalf("%v: a refused change changed something", log)
				}
				continue
			}
			if h.Custodian != before.Custodian && h.Custodian != c.Party && !before.Facts.WithdrawalAsked {
				t.Fatalf("%v: custody went to %s", log, h.Custodian)
			}
			if s := b.mustRead(asKommune, "Task", id).Str("status"); s != h.State.TaskStatus() {
				t.Fatalf("%v: Task.status %s", log, s)
			}
			if !h.State.Open() && h.State != handover.StateDeclined && h.Next.IsZero() {
				t.Fatalf("%v: ended without what is next", log)
			}
			if (h.State.Open() || h.Next.IsZero()) && h.Deadline.IsZero() {
				t.Fatalf("%v: no deadline", log)
			}
		}
		b.balanced()
	})
}

// fewerChecks makes the random runs of a test 20 instead of rapid's 100, unless
// STAFETT_TEST_SLOW or the command line asks for more.
func fewerChecks(t *testing.T) {
	checks := flag.Lookup("rapid.checks")
	if os.Getenv("STAFETT_TEST_SLOW") != "" || checks.Value.String() != checks.DefValue {
		return
	}
	_ = checks.Value.Set("20")
	t.Cleanup(func() { _ = checks.Value.Set(checks.DefValue) })
}
