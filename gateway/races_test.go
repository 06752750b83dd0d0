package gateway_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"stafett/access"
	"stafett/adapters"
	"stafett/handover"
	"stafett/ledger"
)

// meddled is a store at which somebody else acts in the middle of an act: after it has read
// a row, or before its rows are stored. Each of them acts once.
type meddled struct {
	ledger.Store
	afterMessage, afterDelivery, afterDueMessages, afterDueDeliveries atomic.Pointer[func()]

	beforeUnit atomic.Pointer[func(ledger.Unit) bool]
}

// meddledBench is a bench over such a store.
func meddledBench(t *testing.T) (*bench, *meddled) {
	t.Helper()
	s := &meddled{}
	return newBench(t, func(b *bench) { b.wrap = func(inner ledger.Store) ledger.Store { s.Store = inner; return s } }), s
}

// once runs what is set, if anything.
func once(f *atomic.Pointer[func()]) {
	if run := f.Swap(nil); run != nil {
		(*run)()
	}
}

func (s *meddled) Message(ctx context.Context, id handover.MessageID) (ledger.Message, error) {
	defer once(&s.afterMessage)
	return s.Store.Message(ctx, id)
}

func (s *meddled) Delivery(ctx context.Context, id handover.DeliveryID) (ledger.Delivery, error) {
	defer once(&s.afterDelivery)
	return s.Store.Delivery(ctx, id)
}

func (s *meddled) DueMessages(ctx context.Context, at time.Time, limit int) ([]ledger.Message, error) {
	defer once(&s.afterDueMessages)
	return s.Store.DueMessages(ctx, at, limit)
}

func (s *meddled) DueDeliveries(ctx context.Context, at time.Time, limit int) ([]ledger.Delivery, error) {
	defer once(&s.afterDueDeliveries)
	return s.Store.DueDeliveries(ctx, at, limit)
}

// Apply lets beforeUnit look at the units until it says that it has acted.
func (s *meddled) Apply(ctx context.Context, units []ledger.Unit) ([]ledger.Result, error) {
	f := s.beforeUnit.Load()
	for _, u := range units {
		if f != nil && (*f)(u) {
			s.beforeUnit.Store(nil)
			break
		}
	}
	return s.Store.Apply(ctx, units)
}

// TestRace_ReceiptOvertakesTheTransportsAnswer: what the receiver has said of a message
// stands, whatever its transport says afterwards.
func TestRace_ReceiptOvertakesTheTransportsAnswer(t *testing.T) {
	taken := func() (adapters.Sent, error) { return adapters.Sent{}, nil }
	broken := func() (adapters.Sent, error) {
		return adapters.Sent{}, &handover.Fault{Kind: handover.FaultTemporary, Text: "the connection broke"}
	}
	refused := func() (adapters.Sent, error) {
		return adapters.Sent{}, &handover.Fault{Kind: handover.FaultInvalid, Text: "as the test wants it"}
	}
	for _, tt := range []struct {
		name, receipt string
		transport     func() (adapters.Sent, error)
		want          ledger.DeliveryState
		state         handover.State
	}{
		{"positive, then taken", "1", taken, ledger.DeliveryReceipted, handover.StateReceived},
		{"positive, then the connection breaks", "1", broken, ledger.DeliveryReceipted, handover.StateReceived},
		{"positive, then refused", "1", refused, ledger.DeliveryReceipted, handover.StateReceived},
		{"negative, then taken", "2", taken, ledger.DeliveryRefused, handover.StateRequested},
		{"negative, then the connection breaks", "2", broken, ledger.DeliveryRefused, handover.StateRequested},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			var receipt sync.Once
			b.out.answer = func(to adapters.Target, out adapters.Outgoing) (adapters.Sent, error) {
				if out.Type != "LOG_UTSKRIVNINGSKLAR" {
					return transportAnswer(to), nil
				}
				receipt.Do(func() { b.must(b.kith(appRec(out, tt.receipt))) })
				return tt.transport()
			}
			b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
			if _, err := b.g.DeliverOnce(t.Context()); err != nil {
				t.Fatal(err)
			}
			d := b.told(kommune, "LOG_UTSKRIVNINGSKLAR")
			if d.State != tt.want || d.Receipt == "" || !d.NextAttempt.IsZero() || d.LeaseOwner != "" {
				t.Errorf("%s, receipt %q, next attempt %v, leased to %q", d.State, d.Receipt, d.NextAttempt, d.LeaseOwner)
			}
			b.state(tt.state, sykehus)
			if unreachable := b.hasAttention(handover.AttentionUnreachable); unreachable != (tt.receipt == "2") {
				t.Errorf("unreachable: %t", unreachable)
			}
			b.pass(15 * time.Minute)
			b.out.answer = nil
			b.deliver()
			if n := len(b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")); n > 1 {
				t.Errorf("sent %d times", n)
			}
			b.balanced()
		})
	}
}

// TestRace_ParkedMessageIsClosedAtItsDeadline: who closes it between the clock's look and
// its act has the last word, and nobody is alerted.
func TestRace_ParkedMessageIsClosedAtItsDeadline(t *testing.T) {
	b, s := meddledBench(t)
	a := b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1", kommunenummer: "9999"}.String()))
	b.pass(time.Hour)
	closes := func() {
		if err := b.g.CloseMessage(t.Context(), forSykehus, a.Message, "ringte kommunen"); err != nil {
			t.Error(err)
		}
	}
	s.afterDueMessages.Store(&closes)
	b.watch()
	if m := b.message(a.Message); m.Disposition != ledger.DispositionClosed || m.Person != forSykehus.Person || m.Step != 0 ||
		m.Contact != "" || !m.Deadline.IsZero() || m.Resolution != "ringte kommunen" {
		t.Errorf("%s by %q at step %d, contact %q, deadline %v", m.Disposition, m.Person, m.Step, m.Contact, m.Deadline)
	}
	b.pass(48 * time.Hour)
	b.watch()
	b.deliver()
	if n := len(b.ofType(sykehus, "MDM^T02")); n != 0 {
		t.Errorf("%d alerts about a message that is closed", n)
	}
	b.balanced()
}

// TestRace_ReceiptAtTheDeadline: a receipt that comes between the clock's look and its act
// counts, and nobody is alerted.
func TestRace_ReceiptAtTheDeadline(t *testing.T) {
	for name, after := range map[string]time.Duration{"late": 25 * time.Hour, "over": 97 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			b, s := meddledBench(t)
			b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
			b.deliver()
			klar := b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")[0]
			b.pass(after)
			receipts := func() { b.must(b.kith(appRec(klar, "1"))) }
			s.afterDueDeliveries.Store(&receipts)
			b.watch()
			if d := b.told(kommune, "LOG_UTSKRIVNINGSKLAR"); d.State != ledger.DeliveryReceipted || d.Contact != "" || d.Step != 0 {
				t.Errorf("%s at step %d, contact %q", d.State, d.Step, d.Contact)
			}
			if b.hasAttention(handover.AttentionUnreachable) {
				t.Error("unreachable, although it has answered")
			}
			b.state(handover.StateReceived, sykehus)
			b.balanced()
		})
	}
}

// TestRace_TwoPersonsActOnOneDelivery: one wins, the other is told to look again, and
// nothing happens twice.
func TestRace_TwoPersonsActOnOneDelivery(t *testing.T) {
	closes := func(b *bench, c access.Caller, id handover.DeliveryID) error {
		return b.g.CloseDelivery(b.t.Context(), c, id, "ringte")
	}
	resends := func(b *bench, c access.Caller, id handover.DeliveryID) error {
		_, err := b.g.Resend(b.t.Context(), c, id)
		return err
	}
	type act func(*bench, access.Caller, handover.DeliveryID) error
	for _, tt := range []struct {
		name        string
		first, then act
		sends       int // after the act that wins
	}{
		{"both close", closes, closes, 0},
		{"both resend", resends, resends, 1},
		{"one closes, one resends", closes, resends, 0},
		{"one resends, one closes", resends, closes, 1},
	} {
		for how, park := range map[string]func(*bench){"refused": parkRefused, "never taken": parkUntaken} {
			t.Run(tt.name+", "+how, func(t *testing.T) {
				b, s := meddledBench(t)
				b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
				park(b)
				d := b.told(kommune, "LOG_UTSKRIVNINGSKLAR")
				sent := len(b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR"))
				wins := func() {
					if err := tt.first(b, asOperator, d.ID); err != nil {
						t.Error(err)
					}
				}
				s.afterDelivery.Store(&wins)
				isFault(t, tt.then(b, forSykehus, d.ID), handover.FaultConflict)
				b.deliver()
				if n := len(b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")) - sent; n != tt.sends {
					t.Errorf("sent %d times more, want %d", n, tt.sends)
				}
				if got := b.persons(ledger.AuditFilter{Handover: d.Handover}); len(got) != 1 || !strings.HasPrefix(got[0], asOperator.Person) {
					t.Errorf("acted: %q", got)
				}
				b.balanced()
			})
		}
	}
}

// parkRefused has the receiver refuse the only message.
func parkRefused(b *bench) {
	b.deliver()
	b.must(b.kith(appRec(b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")[0], "2")))
}

// parkUntaken has the receiver's transport take nothing.
func parkUntaken(b *bench) {
	b.out.answer = func(to adapters.Target, out adapters.Outgoing) (adapters.Sent, error) {
		if to.Party == kommune {
			return down(handover.FaultForbidden)(to, out)
		}
		return transportAnswer(to), nil
	}
	b.deliver()
	b.out.answer = nil
}

// TestRace_TwoPersonsActOnOneMessage: as for deliveries.
func TestRace_TwoPersonsActOnOneMessage(t *testing.T) {
	b, s := meddledBench(t)
	a := b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1", kommunenummer: "9999"}.String()))
	reroutes := func() {
		if m, err := b.g.Reroute(t.Context(), asOperator, a.Message, kommune); err != nil || m.Disposition != ledger.DispositionApplied {
			t.Errorf("%s, %v", m.Disposition, err)
		}
	}
	s.afterMessage.Store(&reroutes)
	isFault(t, b.g.CloseMessage(t.Context(), forSykehus, a.Message, "ringte"), handover.FaultConflict)
	if m := b.message(a.Message); m.Resolution != "" || m.Person != "" {
		t.Errorf("closed by %q: %q", m.Person, m.Resolution)
	}
	b.deliver()
	if n := len(b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")); n != 1 {
		t.Errorf("sent %d times", n)
	}
	b.balanced()
}

// TestRace_ResourceOfANewStayIsThereAlready: the stay of a new handover is taken for new
// without a look; where it is not, the next try looks.
func TestRace_ResourceOfANewStayIsThereAlready(t *testing.T) {
	b, s := meddledBench(t)
	seen := 0
	stores := func(u ledger.Unit) bool {
		w := encounterOf(u)
		if w == nil {
			return false
		}
		seen++
		first := *w
		first.Handover, first.Grants = "", []ledger.Grant{{Party: sykehus}}
		if out, err := s.Store.Apply(t.Context(), []ledger.Unit{{Resources: []ledger.ResourceWrite{first}}}); err != nil || out[0].Err != nil {
			t.Errorf("%v, %+v", err, out)
		}
		return true
	}
	s.beforeUnit.Store(&stores)
	b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
	b.state(handover.StateRequested, sykehus)
	if seen != 1 {
		t.Fatalf("stored before it %d times", seen)
	}
	n := b.mustRead(asKommune, "Encounter", taskOf(b, b.handover().ID))
	if v := n.Str("meta", "versionId"); v != "1" {
		t.Errorf("what says the same is shown as it is: the stay is at version %s", v)
	}
	b.balanced()
}

// encounterOf is the write of a stay in a unit that opens a handover; nil for none.
func encounterOf(u ledger.Unit) *ledger.ResourceWrite {
	for i := range u.Resources {
		if u.Resources[i].Type == "Encounter" && len(u.Handovers) > 0 {
			return &u.Resources[i]
		}
	}
	return nil
}

// taskOf is the id of the stay that a handover's Task is about.
func taskOf(b *bench, id handover.ID) string {
	b.t.Helper()
	return strings.TrimPrefix(b.mustRead(asKommune, "Task", string(id)).Str("encounter", "reference"), "Encounter/")
}

// TestDelivery_WhatIsToldToOneWhoIsAwayWaits: it is not claimed only to be put back;
// receipts and refusals, which somebody waits for, are tried at once.
func TestDelivery_WhatIsToldToOneWhoIsAwayWaits(t *testing.T) {
	b := newBench(t)
	// A note that the hospital has not got yet: its receipt is still to be relayed.
	b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
	b.receiptAll()
	klar := b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")[0]
	b.must(b.kith(notat("n1", klar.ID, "SVAR=KAN_MOTTA;DATO=2026-03-04")))

	away := func(to adapters.Target, out adapters.Outgoing) (adapters.Sent, error) {
		if to.Party == kommune {
			return down(handover.FaultTemporary)(to, out)
		}
		return adapters.Sent{}, nil
	}
	b.out.answer = away
	for i, visit := range []string{"V2", "V3", "V4"} {
		b.must(b.hl7(adt{trigger: "A01", id: "M" + visit, visit: visit, fnr: benchNumber(i)}.String()))
		if _, err := b.g.DeliverOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	until := b.g.NotBefore(kommune, "sykepleietjeneste").Truncate(time.Microsecond) // as the ledger keeps it
	if !until.After(b.now()) {
		t.Fatal("the receiver is not taken for away")
	}
	due := func(what string, ds []ledger.Delivery, want time.Time) {
		t.Helper()
		if len(ds) == 0 {
			t.Fatalf("no %s", what)
		}
		for _, d := range ds {
			if d.State != ledger.DeliveryPending || !d.NextAttempt.Equal(want) {
				t.Errorf("%s: %s, next attempt %v, want %v", what, d.State, d.NextAttempt, want)
			}
		}
	}
	a := b.must(b.hl7(adt{trigger: "A01", id: "M5", visit: "V5", fnr: benchNumber(5)}.String()))
	due("telling", b.caused(a.Message, ledger.PurposeTell), until)
	a = b.must(b.hl7(adt{trigger: "A16", id: "M6", visit: "V6", fnr: benchNumber(6)}.String()))
	due("telling to another service", b.caused(a.Message, ledger.PurposeTell), b.now())

	b.out.answer = nil
	note := b.ofType(sykehus, "MDM^T02")
	a = b.must(b.hl7(hl7Ack(note[len(note)-1])))
	due("receipt", b.caused(a.Message, ledger.PurposeReceipt), b.now())
	a = b.kith(strings.ReplaceAll(notat("n2", klar.ID, "tekst"), "DIALOG_NOTAT", "DIALOG_UKJENT"))
	due("refusal", b.caused(a.Message, ledger.PurposeRefusal), b.now())
	b.balanced()
}

// caused are the deliveries that a message caused, of one purpose.
func (b *bench) caused(id handover.MessageID, purpose ledger.Purpose) []ledger.Delivery {
	b.t.Helper()
	ds, err := b.store.DeliveriesOf(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	var out []ledger.Delivery
	for _, d := range ds {
		if d.Purpose == purpose {
			out = append(out, d)
		}
	}
	return out
}

// hl7Ack is the hospital's application acknowledgement, as a message of its own.
func hl7Ack(out adapters.Outgoing) string {
	return "MSH|^~\\&|EPJ|FJELLHEIM|STAFETT||20260302100000+0100||ACK|ACK" + out.ID[:10] + "|P|2.5\rMSA|AA|" + out.ID + "\r"
}

// TestReceipt_OneMessageIsReceiptedOnce: a message with two receivers gets one receipt, the
// first.
func TestReceipt_OneMessageIsReceiptedOnce(t *testing.T) {
	b := newBench(t)
	b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1"}.String()))
	h := b.handover()
	h.Copies = []handover.PartyID{institusjon}
	if _, err := b.store.Commit(t.Context(), ledger.Unit{Handovers: []handover.Handover{h}}); err != nil {
		t.Fatal(err)
	}
	a := b.must(b.hl7(enhanced(adt{trigger: "A16", id: "M2", visit: "V1"})))
	if n := len(b.caused(a.Message, ledger.PurposeTell)); n != 2 {
		t.Fatalf("told in %d messages", n)
	}
	b.receiptAll()
	for _, d := range b.caused(a.Message, ledger.PurposeTell) {
		if d.State != ledger.DeliveryReceipted {
			t.Errorf("%s at %s", d.State, d.Receiver)
		}
	}
	relayed := 0
	for _, ack := range b.ofType(sykehus, "ACK") {
		if bytes.Contains(ack.Raw, []byte("MSA|AA|M2")) {
			relayed++
		}
	}
	if relayed != 1 {
		t.Errorf("receipted %d times", relayed)
	}
	b.balanced()
}
