package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"stafett/adapters"
	"stafett/handover"
	"stafett/ledger"
)

// deliveries are those of the only handover, oldest first.
func (b *bench) deliveries() []ledger.Delivery {
	b.t.Helper()
	ds, err := b.store.DeliveriesOfHandover(b.t.Context(), b.handover().ID)
	if err != nil {
		b.t.Fatal(err)
	}
	return ds
}

// told is the first delivery of a type to a party that tells what happened.
func (b *bench) told(p handover.PartyID, typ string) ledger.Delivery {
	b.t.Helper()
	for _, d := range b.deliveries() {
		if d.Receiver == p && d.Type == typ && d.Purpose == ledger.PurposeTell {
			return d
		}
	}
	b.t.Fatalf("no %s to %s", typ, p)
	return ledger.Delivery{}
}

func (b *bench) hasAttention(r handover.AttentionReason) bool {
	for _, a := range b.handover().Attentions {
		if a.Reason == r {
			return true
		}
	}
	return false
}

// TestDelivery_TemporaryFailureBacksOff: an hour of silence loses nothing.
func TestDelivery_TemporaryFailureBacksOff(t *testing.T) {
	b := newBench(t)
	tries := 0
	b.out.answer = func(to adapters.Target, out adapters.Outgoing) (adapters.Sent, error) {
		tries++
		return down(handover.FaultTemporary)(to, out)
	}
	b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
	var last time.Duration
	for range 12 {
		before, now := tries, b.now()
		b.deliver()
		if tries != before+1 {
			t.Fatalf("%d tries at one time", tries-before)
		}
		d := b.told(kommune, "LOG_UTSKRIVNINGSKLAR")
		if d.State != ledger.DeliveryPending || d.NextAttempt.IsZero() || !d.NextAttempt.After(now) {
			t.Fatalf("%s, next attempt %v", d.State, d.NextAttempt)
		}
		wait := d.NextAttempt.Sub(now)
		if wait > 10*time.Minute || wait < last/3 {
			t.Fatalf("waits %s after %s", wait, last)
		}
		last = wait
		b.pass(wait + 11*time.Minute) // the breaker's pause is over as well
		b.balanced()
	}
	b.out.answer = nil
	b.deliver()
	if d := b.told(kommune, "LOG_UTSKRIVNINGSKLAR"); d.State != ledger.DeliveryAwaiting || d.Attempts != 13 {
		t.Fatalf("%s after %d attempts", d.State, d.Attempts)
	}
	if n := len(b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")); n != 1 {
		t.Fatalf("%d arrived", n)
	}
}

// TestInvariant4_NoTransportForFourDays: attention when the receipt should have come,
// parked at 96 h with the counterpart's contact, and a late positive receipt still counts.
func TestInvariant4_NoTransportForFourDays(t *testing.T) {
	b := newBench(t)
	b.out.answer = func(to adapters.Target, out adapters.Outgoing) (adapters.Sent, error) {
		if to.Party == kommune {
			return down(handover.FaultTemporary)(to, out)
		}
		return transportAnswer(to), nil
	}
	b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
	for range 25 * 4 {
		b.deliver()
		b.pass(15 * time.Minute)
	}
	b.watch()
	if a := b.attention(handover.AttentionUnreachable); len(a.Parties) != 1 || a.Parties[0] != sykehus {
		t.Fatalf("attention at %v", a.Parties)
	}
	for range 73 * 4 {
		b.deliver()
		b.watch()
		b.pass(15 * time.Minute)
	}
	d := b.told(kommune, "LOG_UTSKRIVNINGSKLAR")
	if d.State != ledger.DeliveryParked || !strings.HasPrefix(d.Contact, string(sykehus)+"/") || d.Deadline.IsZero() {
		t.Fatalf("%s, contact %q, deadline %v", d.State, d.Contact, d.Deadline)
	}
	if len(b.ofType(sykehus, "MDM^T02")) == 0 {
		t.Fatal("the hospital's contact was not alerted")
	}
	b.state(handover.StateRequested, sykehus) // invariant 7: no answer came of it
	b.balanced()

	b.out.answer = nil
	b.must(b.kith(appRec(adapters.Outgoing{ID: d.ExternalID, Type: d.Type, Raw: d.Raw}, "1")))
	b.state(handover.StateReceived, sykehus)
	if d := b.told(kommune, "LOG_UTSKRIVNINGSKLAR"); d.State != ledger.DeliveryReceipted || d.Contact != "" {
		t.Fatalf("%s, contact %q", d.State, d.Contact)
	}
	if b.hasAttention(handover.AttentionUnreachable) {
		t.Fatal("still unreachable")
	}
	b.balanced()
}

// TestDelivery_NoReceipt: the transport took it, and then nothing: warned, then parked.
func TestInvariant4_NoReceiptForFourDays(t *testing.T) {
	b := newBench(t)
	b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
	b.deliver()
	b.pass(23 * time.Hour)
	b.watch()
	if b.hasAttention(handover.AttentionUnreachable) {
		t.Fatal("warned before a KITH receipt is late")
	}
	b.pass(2 * time.Hour)
	b.watch()
	b.attention(handover.AttentionUnreachable)
	b.pass(72 * time.Hour)
	b.watch()
	d := b.told(kommune, "LOG_UTSKRIVNINGSKLAR")
	if d.State != ledger.DeliveryParked {
		t.Fatalf("%s", d.State)
	}
	b.balanced()
	b.must(b.kith(appRec(b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")[0], "1")))
	b.state(handover.StateReceived, sykehus)
	b.balanced()
}

// TestInvariant7_PermanentFailureParks: an undeliverable message is attention, not an answer.
func TestInvariant7_PermanentFailureParks(t *testing.T) {
	b := newBench(t)
	b.out.answer = func(to adapters.Target, out adapters.Outgoing) (adapters.Sent, error) {
		if to.Party == kommune {
			return down(handover.FaultInvalid)(to, out)
		}
		return transportAnswer(to), nil
	}
	a := b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
	b.deliver()
	d := b.told(kommune, "LOG_UTSKRIVNINGSKLAR")
	if d.State != ledger.DeliveryParked || d.Attempts != 1 || !strings.HasPrefix(d.Contact, string(sykehus)+"/") {
		t.Fatalf("%s after %d attempts, contact %q", d.State, d.Attempts, d.Contact)
	}
	b.state(handover.StateRequested, sykehus)
	b.attention(handover.AttentionUnreachable)
	if s, err := b.store.MessageState(t.Context(), a.Message); err != nil || s != ledger.DispositionParked {
		t.Fatalf("%s, %v", s, err)
	}
	b.balanced()
}

// enhanced is the same message from a hospital in enhanced mode.
func enhanced(m adt) string {
	return strings.Replace(m.String(), "|2.5|||NE|NE|", "|2.5|||AL|AL|", 1)
}

func TestReceipt_NegativeIsRelayed(t *testing.T) {
	b := newBench(t)
	a := b.must(b.hl7(enhanced(adt{trigger: "A16", id: "M1", visit: "V1"})))
	if !bytes.Contains(a.Bytes, []byte("MSA|CA|M1")) {
		t.Fatalf("commit answer %q", a.Bytes)
	}
	b.deliver()
	klar := b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")[0]
	b.must(b.kith(appRec(klar, "2")))
	b.state(handover.StateRequested, sykehus)
	b.attention(handover.AttentionUnreachable)
	if d := b.told(kommune, "LOG_UTSKRIVNINGSKLAR"); d.State != ledger.DeliveryRefused || d.Contact == "" || !strings.Contains(d.Error, "T99") {
		t.Fatalf("%+v", d)
	}
	b.deliver()
	acks := b.ofType(sykehus, "ACK")
	if len(acks) != 1 || !bytes.Contains(acks[0].Raw, []byte("MSA|AE|M1")) {
		t.Fatalf("%d acknowledgements: %q", len(acks), acks)
	}
	// Another negative one says nothing new.
	before := b.told(kommune, "LOG_UTSKRIVNINGSKLAR")
	b.pass(30 * time.Minute)
	b.must(b.kith(strings.Replace(appRec(klar, "2"), uuidOf("apprec"+klar.ID+"2"), uuidOf("again"), 1)))
	b.deliver()
	if after := b.told(kommune, "LOG_UTSKRIVNINGSKLAR"); !after.Deadline.Equal(before.Deadline) || after.Version != before.Version {
		t.Errorf("the deadline moved from %v to %v", before.Deadline, after.Deadline)
	}
	if n := len(b.ofType(sykehus, "ACK")); n != 1 {
		t.Errorf("%d acknowledgements", n)
	}
	b.balanced()
}

func TestReceipt_RelayedInTheSendersMode(t *testing.T) {
	for name, tt := range map[string]struct {
		message func(adt) string
		want    int
	}{"enhanced": {enhanced, 3}, "original": {adt.String, 0}} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			for i, trigger := range []string{"A01", "A16", "A25"} {
				b.must(b.hl7(tt.message(adt{trigger: trigger, id: "M" + trigger, visit: "V1"})))
				b.receiptAll()
				if n := len(b.ofType(sykehus, "ACK")); n != min(i+1, tt.want) {
					t.Fatalf("%d acknowledgements after %s", n, trigger)
				}
			}
			for _, ack := range b.ofType(sykehus, "ACK") {
				if !bytes.Contains(ack.Raw, []byte("MSA|AA|MA")) {
					t.Errorf("%q", ack.Raw)
				}
			}
			b.balanced()
		})
	}
}

// TestReceipt_HospitalsAnswerIsRelayedAsAppRec: the municipality learns that the hospital
// has its note.
func TestReceipt_HospitalsAnswerIsRelayedAsAppRec(t *testing.T) {
	b := newBench(t)
	b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
	b.receiptAll()
	klar := b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")[0]
	b.must(b.kith(notat("n1", klar.ID, "SVAR=KAN_MOTTA;DATO=2026-03-04")))
	if n := len(b.ofType(kommune, "APPREC")); n != 0 {
		t.Fatal("receipted before the hospital has it")
	}
	b.deliver()
	recs := b.ofType(kommune, "APPREC")
	if len(recs) != 1 || !bytes.Contains(recs[0].Raw, []byte(uuidOf("n1"))) || !bytes.Contains(recs[0].Raw, []byte(`<Status V="1"`)) {
		t.Fatalf("%d receipts: %s", len(recs), recs)
	}
	b.balanced()
}

// TestReceipt_RepeatedAndUnknown: a second one changes nothing; one for nothing is parked.
func TestReceipt_RepeatedAndUnknown(t *testing.T) {
	b := newBench(t)
	b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
	b.deliver()
	klar := b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")[0]
	b.must(b.kith(appRec(klar, "1")))
	events, h := b.lastEvent(), b.handover()
	b.must(b.kith(appRec(klar, "1"))) // the same bytes
	a := b.must(b.kith(strings.Replace(appRec(klar, "1"), uuidOf("apprec"+klar.ID+"1"), uuidOf("second"), 1)))
	if m := b.message(a.Message); m.Disposition != ledger.DispositionApplied {
		t.Fatalf("%s", m.Disposition)
	}
	if b.lastEvent() != events || b.handover().Version != h.Version {
		t.Fatal("a second receipt changed something")
	}
	// A negative one after the positive: the first is final, and a person looks.
	b.must(b.kith(appRec(klar, "2")))
	if b.handover().State != h.State || b.told(kommune, klar.Type).State != ledger.DeliveryReceipted {
		t.Fatal("a negative receipt after the positive changed what is known")
	}
	b.attention(handover.AttentionReceiptsContradict)
	a = b.must(b.kith(appRec(adapters.Outgoing{ID: uuidOf("nothing"), Type: klar.Type, Raw: klar.Raw}, "1")))
	if m := b.message(a.Message); m.Disposition != ledger.DispositionParked || m.Contact == "" {
		t.Fatalf("%s", m.Disposition)
	}
	b.balanced()
}

func (b *bench) lastEvent() int64 {
	b.t.Helper()
	n, err := b.store.LastEvent(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

// TestDelivery_OrderPerHandover: what failed holds back what follows it in its handover,
// and nothing of another.
func TestDelivery_OrderPerHandover(t *testing.T) {
	b := newBench(t)
	first := true
	b.out.answer = func(to adapters.Target, out adapters.Outgoing) (adapters.Sent, error) {
		if out.Type == "LOG_INNLAGT" && first && bytes.Contains(out.Raw, []byte(solveig)) {
			return down(handover.FaultTemporary)(to, out)
		}
		return transportAnswer(to), nil
	}
	b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1"}.String()))
	b.must(b.hl7(adt{trigger: "A16", id: "M2", visit: "V1"}.String()))
	b.must(b.hl7(adt{trigger: "A01", id: "M3", visit: "V2", fnr: "30095100186"}.String()))
	b.must(b.hl7(adt{trigger: "A16", id: "M4", visit: "V2", fnr: "30095100186"}.String()))
	b.deliver()
	got := b.out.to(kommune)
	if len(got) != 2 || got[0].Type != "LOG_INNLAGT" || got[1].Type != "LOG_UTSKRIVNINGSKLAR" || bytes.Contains(got[0].Raw, []byte(solveig)) {
		t.Fatalf("%d arrived", len(got))
	}
	first = false
	b.pass(time.Minute)
	b.deliver()
	got = b.out.to(kommune)[2:]
	if len(got) != 2 || got[0].Type != "LOG_INNLAGT" || got[1].Type != "LOG_UTSKRIVNINGSKLAR" {
		t.Fatalf("%d arrived out of order", len(got))
	}
}

// TestDelivery_DeadReceiverBlocksNobody: many for one that is down, one for another.
func TestDelivery_DeadReceiverBlocksNobody(t *testing.T) {
	b := newBench(t)
	tries := 0
	b.out.answer = func(to adapters.Target, out adapters.Outgoing) (adapters.Sent, error) {
		if to.Party == kommune {
			b.mu.Lock()
			tries++
			b.mu.Unlock()
			return down(handover.FaultTemporary)(to, out)
		}
		return transportAnswer(to), nil
	}
	const n = 150
	for i := range n {
		b.must(b.hl7(adt{trigger: "A16", id: fmt.Sprintf("M%d", i), visit: fmt.Sprintf("V%d", i), fnr: benchNumber(i)}.String()))
	}
	b.refer()
	for range 10 {
		if _, err := b.g.DeliverOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.ofType(institusjon, "transaction")) != 1 {
		t.Fatal("the institution waits for the municipality")
	}
	if tries > 64+16 {
		t.Fatalf("%d tries at a receiver that is down", tries)
	}
	b.out.answer = nil
	for range 400 {
		b.pass(5 * time.Second)
		if _, err := b.g.DeliverOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")); got != n {
		t.Fatalf("%d of %d arrived", got, n)
	}
	b.balanced()
}

// TestInvariant1_CrashBetweenSendAndRecord: what may have been sent is sent again, identical.
func TestInvariant1_CrashBetweenSendAndRecord(t *testing.T) {
	b := newBench(t)
	b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
	// Another process claims it and is gone before it records anything.
	ds, err := b.store.ClaimDeliveries(t.Context(), "gone", b.now(), 2*time.Minute, 10)
	if err != nil || len(ds) == 0 {
		t.Fatalf("%d claimed, %v", len(ds), err)
	}
	var lost ledger.Delivery
	for _, d := range ds {
		if d.Type == "LOG_UTSKRIVNINGSKLAR" {
			lost = d
		}
	}
	if n, _ := b.g.DeliverOnce(t.Context()); n != 0 {
		t.Fatal("a leased delivery was sent")
	}
	b.balanced()
	b.close()
	b.open()
	b.pass(2*time.Minute + time.Second)
	b.deliver()
	got := b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")
	if len(got) != 1 || got[0].ID != lost.ExternalID || !bytes.Equal(got[0].Raw, lost.Raw) {
		t.Fatalf("%d sent, not as the first time", len(got))
	}
	if d := b.told(kommune, "LOG_UTSKRIVNINGSKLAR"); d.Attempts != 2 || d.State != ledger.DeliveryAwaiting {
		t.Fatalf("%s after %d attempts", d.State, d.Attempts)
	}
	b.balanced()
}

// TestDelivery_PanicIsSetAside: after three tries, and the receiver is not blocked by it.
func TestInvariant2_PanicInASenderIsSetAside(t *testing.T) {
	b := newBench(t)
	b.out.answer = func(to adapters.Target, out adapters.Outgoing) (adapters.Sent, error) {
		if bytes.Contains(out.Raw, []byte(solveig)) && to.Party == kommune {
			panic("as the test wants it")
		}
		return transportAnswer(to), nil
	}
	const many = 20 // more than one receiver's share of the workers
	for i := range many {
		b.must(b.hl7(adt{trigger: "A16", id: fmt.Sprintf("M%d", i), visit: fmt.Sprintf("V%d", i)}.String()))
	}
	for range 60 {
		b.deliver()
		b.pass(15 * time.Minute)
	}
	ds, err := b.store.ParkedDeliveries(t.Context(), ledger.ParkedFilter{})
	if err != nil || ds.Total != many {
		t.Fatalf("%d parked, %v", ds.Total, err)
	}
	for _, d := range ds.Items {
		if d.Attempts != 3 {
			t.Errorf("%d attempts", d.Attempts)
		}
	}
	b.must(b.hl7(adt{trigger: "A16", id: "other", visit: "other", fnr: "30095100186"}.String()))
	b.deliver()
	if len(b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")) != 1 {
		t.Fatal("the receiver is blocked by what panicked")
	}
	b.balanced()
}

// TestDelivery_RunsUntilToldToStop: the loop itself, woken by a commit.
func TestDelivery_RunsUntilToldToStop(t *testing.T) {
	b := newBench(t)
	arrived := make(chan struct{}, 16)
	b.out.answer = func(to adapters.Target, _ adapters.Outgoing) (adapters.Sent, error) {
		arrived <- struct{}{}
		return transportAnswer(to), nil
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { b.g.Deliver(ctx); close(done) }()
	b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
	select {
	case <-arrived:
	case <-time.After(20 * time.Second):
		t.Fatal("nothing was sent")
	}
	stop()
	<-done
	b.balanced()
}

// cursed is a store in which one handover cannot be looked at without a panic.
type cursed struct {
	ledger.Store
	on atomic.Bool
}

func (c *cursed) Handover(ctx context.Context, id handover.ID) (handover.Handover, error) {
	if c.on.Load() {
		panic("a handover that nobody foresaw")
	}
	return c.Store.Handover(ctx, id)
}

// TestDelivery_OutcomeThatPanicsIsSetAside: sent again, identical, a few times; then a
// person looks, and the rest goes on.
func TestDelivery_OutcomeThatPanicsIsSetAside(t *testing.T) {
	c := &cursed{}
	b := newBench(t, func(b *bench) {
		b.wrap = func(inner ledger.Store) ledger.Store { c.Store = inner; return c }
	})
	b.out.answer = func(adapters.Target, adapters.Outgoing) (adapters.Sent, error) {
		return adapters.Sent{Receipt: &adapters.Receipt{Positive: true}}, nil
	}
	b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
	c.on.Store(true)
	for range 3 {
		if _, err := b.g.DeliverOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.pass(10 * time.Minute)
	}
	sent := b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")
	if len(sent) != 3 || string(sent[0].Raw) != string(sent[2].Raw) {
		t.Fatalf("sent %d times", len(sent))
	}
	c.on.Store(false)
	if _, ds := b.parked(asOperator); len(ds) != 1 || ds[0].Contact == "" || ds[0].Error == "" {
		t.Fatalf("parked %+v", ds)
	}
	b.must(b.hl7(adt{trigger: "A16", id: "M2", visit: "V2", fnr: benchNumber(7)}.String()))
	b.deliver()
	if n := len(b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")); n != 4 {
		t.Errorf("%d sent after it", n)
	}
	b.balanced()
}
