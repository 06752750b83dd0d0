package events

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stafett/ledger"
)

func TestInvariant5_ReconcilerFindsOnceAndIsQuietWhenWhole(t *testing.T) {
	t.Parallel()
	m, b, r := filled(t, 40)
	ctx, cancel := context.WithCancel(context.Background())
	found, ended := make(chan Report, 8), make(chan struct{})
	go func() {
		defer close(ended)
		RunReconciler(ctx, m, b, 5*time.Millisecond, func(rep Report, err error) {
			if err == nil {
				found <- rep
			}
		})
	}()
	m.add(20)
	r.Notify()
	settled(t, r, m)
	js, _, err := b.ensurePartyStream(ctx, institution)
	if err != nil {
		t.Fatal(err)
	}
	// A party's whole stream lost is a tail that its feed fills again.
	if err := js.DeleteStream(ctx, StreamName); err != nil {
		t.Fatal(err)
	}
	until(t, "party stream filled again", func() bool {
		got, err := Verify(ctx, m, b, institution, 1)
		return err == nil && got.First == nil && got.Compared > 0
	})
	cancel()
	<-ended
	if len(found) > 0 {
		t.Errorf("found %+v in streams that are whole", <-found)
	}
}

func TestRecent_IsAWindowWithoutGaps(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var r recent
		last := int64(0)
		first := int64(1)
		for range rapid.IntRange(1, 3*recentMax).Draw(t, "n") {
			last++
			r.add(ledger.Event{Seq: last})
		}
		if rapid.Bool().Draw(t, "gap") {
			last += 5
			first = last
			r.add(ledger.Event{Seq: last})
		}
		seq := rapid.Int64Range(0, last).Draw(t, "seq")
		got, ok := r.after(seq)
		if ok != (seq+1 >= max(first, r.events[0].Seq)) {
			t.Fatalf("after %d of %d: %t", seq, last, ok)
		}
		if ok && int64(len(got)) != last-seq {
			t.Fatalf("after %d of %d: %d events", seq, last, len(got))
		}
		for i, e := range got {
			if e.Seq != seq+1+int64(i) {
				t.Fatalf("event %d at place %d after %d", e.Seq, i, seq)
			}
		}
	})
}
