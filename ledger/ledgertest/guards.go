package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"stafett/handover"
	"stafett/ledger"
)

// guarded is a unit of one message under guards.
func guarded(id string, guards ...ledger.Guard) ledger.Unit {
	u := messageUnit(handover.MessageID(id), "", id)
	u.Guards = guards
	return u
}

func versionOf(ctx context.Context, s ledger.Store, key string) int64 {
	return must1(s.Guards(ctx, []string{"none", key}))[key]
}

func testGuards(t *testing.T, h Harness) {
	s := h.Open(t)
	a, b := ledger.Guard{Key: "a"}, ledger.Guard{Key: "b"}
	same(t, "a guard that nothing was written under", versionOf(ctx, s, "a"), int64(0))
	must(t, s, guarded("1", a))
	same(t, "after one write", versionOf(ctx, s, "a"), int64(1))
	refuses(t, s, ledger.ErrConflict, guarded("2", a))
	refuses(t, s, ledger.ErrConflict, guarded("2", b, a))
	same(t, "a guard of a refused unit", versionOf(ctx, s, "b"), int64(0))
	refuses(t, s, ledger.ErrConflict, guarded("2", ledger.Guard{Key: "b", Expect: 1}))
	a.Expect = 1
	must(t, s, guarded("2", b, a, a))
	same(t, "raised once by a unit that names it twice", versionOf(ctx, s, "a"), int64(2))
	same(t, "the other", versionOf(ctx, s, "b"), int64(1))

	a.Expect = 2
	then := ledger.Guard{Key: "a", Expect: 3}
	results := must1(s.Apply(ctx, []ledger.Unit{guarded("3", a), guarded("4", a), guarded("5", then)}))
	if results[0].Err != nil || !errors.Is(results[1].Err, ledger.ErrConflict) || results[2].Err != nil {
		t.Errorf("in one batch each sees those before it: %v, %v, %v", results[0].Err, results[1].Err, results[2].Err)
	}
	same(t, "after the batch", versionOf(ctx, s, "a"), int64(4))
	s = h.Reopen(t, s)
	same(t, "after reopening", versionOf(ctx, s, "a"), int64(4))
	whole(t, s)
}

// testGuardsConcurrent: of many that commit at once under one guard at one version, one does.
func testGuardsConcurrent(t *testing.T, h Harness) {
	first := h.Open(t)
	groups := []*ledger.Group{ledger.NewGroup(first, ledger.GroupOptions{Units: 8})}
	if h.Second != nil {
		groups = append(groups, ledger.NewGroup(h.Second(t, first), ledger.GroupOptions{Units: 8}))
	}
	const writers, rounds = 24, 5
	for round := range int64(rounds) {
		var won, lost atomic.Int64
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				_, err := groups[w%len(groups)].Commit(ctx, guarded(fmt.Sprint(round, "-", w), ledger.Guard{Key: "one", Expect: round}))
				switch {
				case err == nil:
					won.Add(1)
				case errors.Is(err, ledger.ErrConflict):
					lost.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 || lost.Load() != writers-1 {
			t.Errorf("%d of %d won, %d met a conflict", won.Load(), writers, lost.Load())
		}
	}
	same(t, "version", versionOf(ctx, first, "one"), int64(rounds))
	whole(t, first)
}
