package gateway_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"stafett/adapters"
	"stafett/adapters/hl7v2"
	"stafett/handover"
	"stafett/ledger"
	"stafett/message"
)

// failing is a store whose Apply fails as long as fail says so.
type failing struct {
	ledger.Store
	fail atomic.Pointer[func(ledger.Unit) error]
}

// TestWrite_AnswersTheTimeOfTheCommit: the answer, what is read and the search say one time.
func TestWrite_AnswersTheTimeOfTheCommit(t *testing.T) {
	b := newBench(t)
	res, err := b.writeBundle(asKommune, referralBundle)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range res.Entries {
		v, err := b.g.FHIR.Read(t.Context(), asKommune, e.Type, e.ID)
		if err != nil {
			t.Fatal(err)
		}
		if e.At.IsZero() || !v.At.Equal(e.At) || string(v.JSON) != string(e.JSON) {
			t.Errorf("answered %v %s\nread     %v %s", e.At, e.JSON, v.At, v.JSON)
		}
		at := ledger.TimeText(v.At)
		if got := parse(t, string(v.JSON)).Str("meta", "lastUpdated"); got != at {
			t.Errorf("%s says %s, stored at %s", e.Type, got, at)
		}
		if n := b.found(asKommune, e.Type, "_id="+e.ID+"&_lastUpdated="+at); n != 1 {
			t.Errorf("%s is found %d times by its time", e.Type, n)
		}
	}
}

func (s *failing) Apply(ctx context.Context, units []ledger.Unit) ([]ledger.Result, error) {
	f := s.fail.Load()
	if f == nil {
		return s.Store.Apply(ctx, units)
	}
	out := make([]ledger.Result, len(units))
	for i, u := range units {
		if out[i].Err = (*f)(u); out[i].Err != nil {
			continue
		}
		one, err := s.Store.Apply(ctx, units[i:i+1])
		if err != nil {
			return nil, err
		}
		out[i] = one[0]
	}
	return out, nil
}

func (s *failing) with(f func(ledger.Unit) error) { s.fail.Store(&f) }

// rows counts what the ledger holds.
func (b *bench) rows() string {
	b.t.Helper()
	sum := b.balanced()
	n := 0
	if err := b.store.EachResource(b.t.Context(), func(ledger.Resource) error { n++; return nil }); err != nil {
		b.t.Fatal(err)
	}
	head, err := b.store.Head(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return fmt.Sprintf("%d messages, %d resources, entry %d, event %d", sum.Received, n, head.Entry, head.Event)
}

// TestInvariant1_StorageFailureLeavesNothing: no answer, nothing half-written, and the
// same message is taken when there is room again.
func TestInvariant1_StorageFailureLeavesNothing(t *testing.T) {
	for name, err := range map[string]error{
		"full":          fmt.Errorf("test: %w", ledger.ErrFull),
		"closed":        fmt.Errorf("test: %w", ledger.ErrClosed),
		"conflict":      fmt.Errorf("test: %w", ledger.ErrConflict),
		"anything else": fmt.Errorf("test: input/output error"),
	} {
		t.Run(name, func(t *testing.T) {
			s := &failing{}
			b := newBench(t, func(b *bench) {
				b.wrap = func(inner ledger.Store) ledger.Store { s.Store = inner; return s }
			})
			before := b.rows()
			s.with(func(ledger.Unit) error { return err })
			good := adt{trigger: "A16", id: "M1", visit: "V1"}.String()
			for kind, raw := range map[string]string{"good": good, "refused": good[:40], "feed": adt{trigger: "A01", id: "M2", visit: "V2", noNeed: true}.String(),
				"no route": adt{trigger: "A16", id: "M3", visit: "V3", kommunenummer: "9999"}.String(), "waiting": adt{trigger: "A11", id: "M4", visit: "V4"}.String()} {
				a := b.hl7(raw)
				if a.Outcome != adapters.OutcomeUnanswered || len(a.Bytes) != 0 || a.Fault == nil || !a.Fault.Kind.Temporary() {
					t.Errorf("%s: %s, fault %v, bytes %q", kind, a.Outcome, a.Fault, a.Bytes)
				}
			}
			if a := b.kith(notat("n1", uuidOf("x"), "tekst")); a.Outcome != adapters.OutcomeUnanswered {
				t.Errorf("a KITH message: %s", a.Outcome)
			}
			if a := b.kith(notat("n1", uuidOf("x"), "tekst")[:900]); a.Outcome != adapters.OutcomeUnanswered {
				t.Errorf("a broken KITH message: %s", a.Outcome)
			}
			for what, err := range map[string]error{
				"transaction": second(b.writeBundle(asKommune, referralBundle)),
				"bad":         second(b.post(asKommune, `{"resourceType":"CarePlan","wrong":1}`)),
				"create":      second(b.post(asKommune, `{"resourceType":"Observation","status":"final","code":{"text":"x"}}`)),
				"read":        second(b.g.FHIR.Read(t.Context(), asKommune, "Patient", "x")),
				"history":     second(b.g.FHIR.History(t.Context(), asKommune, "Patient", "", 10, "")),
			} {
				if f := handover.FaultOf(err); f == nil || what != "read" && !f.Kind.Temporary() {
					t.Errorf("%s: %v", what, err)
				}
			}
			s.fail.Store(nil)
			if after := b.rows(); after != before {
				t.Fatalf("%s, before %s", after, before)
			}
			b.must(b.hl7(good))
			b.refer()
			b.deliver()
			if len(b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")) != 1 || len(b.ofType(institusjon, "transaction")) != 1 {
				t.Fatal("what was taken later was not delivered")
			}
			b.balanced()
		})
	}
}

func second[T any](_ T, err error) error { return err }

// TestInvariant1_ConflictIsDecidedAgain: two conflicts are not the sender's business.
func TestInvariant1_ConflictIsDecidedAgain(t *testing.T) {
	s := &failing{}
	b := newBench(t, func(b *bench) {
		b.wrap = func(inner ledger.Store) ledger.Store { s.Store = inner; return s }
	})
	left := 2
	s.with(func(ledger.Unit) error {
		if left--; left >= 0 {
			return ledger.ErrConflict
		}
		return nil
	})
	b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
	b.state(handover.StateRequested, sykehus)
	left = 2
	b.deliver()
	left = 2
	b.must(b.kith(appRec(b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")[0], "1")))
	left = 2
	_, err := b.writeBundle(asKommune, referralBundle)
	if err != nil {
		t.Fatal(err)
	}
	if sum := b.balanced(); sum.Received != 3 {
		t.Fatalf("%+v", sum)
	}
	s.fail.Store(nil)
}

// TestInvariant1_OutcomeNotStored: what was sent and not recorded is sent again, identical,
// when its lease has ended.
func TestInvariant1_OutcomeNotStored(t *testing.T) {
	s := &failing{}
	b := newBench(t, func(b *bench) {
		b.wrap = func(inner ledger.Store) ledger.Store { s.Store = inner; return s }
	})
	b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
	s.with(func(ledger.Unit) error { return ledger.ErrFull })
	b.deliver()
	if err := b.g.WatchOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.fail.Store(nil)
	b.pass(3 * time.Minute)
	b.deliver()
	got := b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")
	if len(got) != 2 || got[0].ID != got[1].ID || string(got[0].Raw) != string(got[1].Raw) {
		t.Fatalf("%d sent", len(got))
	}
	b.balanced()
}

// panicking is a codec that panics while it reads.
type panicking struct {
	*hl7v2.Codec
	on atomic.Bool
}

func (c *panicking) Decode(raw []byte, l message.Limits) (*message.Message, error) {
	if c.on.Load() {
		panic("as the test wants it")
	}
	return c.Codec.Decode(raw, l)
}

// As keeps the panic, whatever the party's settings.
func (c *panicking) As(adapters.Settings) adapters.Codec { return c }

// TestInvariant1_PanicLeavesTheMessageUnanswered: the sender still owns it.
func TestInvariant1_PanicLeavesTheMessageUnanswered(t *testing.T) {
	c := &panicking{Codec: &hl7v2.Codec{}}
	b := newBench(t, func(b *bench) { b.codec = c })
	before := b.rows()
	c.on.Store(true)
	if a := b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()); a.Outcome != adapters.OutcomeUnanswered || len(a.Bytes) != 0 {
		t.Fatalf("%s %q", a.Outcome, a.Bytes)
	}
	c.on.Store(false)
	if after := b.rows(); after != before {
		t.Fatalf("%s, before %s", after, before)
	}
	// The lock of its stay is free again.
	b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
	b.balanced()
}

// TestInvariant2_WaitingMessageThatPanicsIsSetAside: it stops nobody, and a person looks.
func TestInvariant2_WaitingMessageThatPanicsIsSetAside(t *testing.T) {
	c := &panicking{Codec: &hl7v2.Codec{}}
	b := newBench(t, func(b *bench) { b.codec = c })
	a := b.must(b.hl7(adt{trigger: "A11", id: "M2", visit: "V1"}.String()))
	c.on.Store(true)
	for range 5 {
		b.pass(2 * time.Minute)
		b.watch()
		b.balanced()
	}
	m := b.message(a.Message)
	if m.Disposition != ledger.DispositionParked || m.Contact == "" || m.Deadline.IsZero() {
		t.Fatalf("%s, contact %q", m.Disposition, m.Contact)
	}
	c.on.Store(false)
	m, err := b.g.Reprocess(t.Context(), asOperator, a.Message)
	if err != nil || m.Disposition != ledger.DispositionMoving {
		t.Fatalf("%s, %v", m.Disposition, err)
	}
	b.balanced()
}
