package kernel_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"stafett/directory"
	"stafett/gateway/act"
	"stafett/gateway/kernel"
	"stafett/handover"
	"stafett/ledger"
	"stafett/ledger/sqlite"
)

// stubborn is a store that meets a conflict as often as told.
type stubborn struct {
	ledger.Store
	conflicts atomic.Int64
}

func (s *stubborn) Apply(ctx context.Context, units []ledger.Unit) ([]ledger.Result, error) {
	if s.conflicts.Add(-1) < 0 {
		return s.Store.Apply(ctx, units)
	}
	out := make([]ledger.Result, len(units))
	for i := range out {
		out[i].Err = ledger.ErrConflict
	}
	return out, nil
}

func open(t *testing.T) (*kernel.Kernel, *stubborn, *ledger.Group) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &stubborn{Store: store}
	group := ledger.NewGroup(s, ledger.GroupOptions{})
	t.Cleanup(func() { group.Close() })
	k, err := kernel.New(t.Context(), kernel.Options{Ledger: group, Directory: &directory.Directory{}, Policy: handover.DefaultPolicy()})
	if err != nil {
		t.Fatal(err)
	}
	return k, s, group
}

func line(what string) *act.Plan {
	return &act.Plan{Unit: ledger.Unit{Audit: []ledger.Audit{{Action: ledger.AuditOperated, Handover: "h", Detail: what}}}}
}

func audits(t *testing.T, g *ledger.Group) int {
	t.Helper()
	lines, err := g.AuditOf(t.Context(), ledger.AuditFilter{Handover: "h"})
	if err != nil {
		t.Fatal(err)
	}
	return lines.Total
}

// TestDo_AConflictRepeatsTheWholeAct: with a new snapshot that says so, until it is stored
// once.
func TestDo_AConflictRepeatsTheWholeAct(t *testing.T) {
	k, s, g := open(t)
	s.conflicts.Store(3)
	var retries []bool
	p, err := k.Do(t.Context(), "h", nil, func(s *act.Snapshot) (*act.Plan, error) {
		retries = append(retries, s.Retry)
		return line("x"), nil
	})
	if err != nil || p == nil || fmt.Sprint(retries) != "[false true true true]" || audits(t, g) != 1 {
		t.Errorf("%v, %v, %v, %d lines", p, err, retries, audits(t, g))
	}
}

// TestDo_AConflictWithoutEndIsTemporary: bounded, nothing stored, and the sender may try
// again.
func TestDo_AConflictWithoutEndIsTemporary(t *testing.T) {
	k, s, g := open(t)
	s.conflicts.Store(1 << 30)
	tries := 0
	_, err := k.Do(t.Context(), "h", nil, func(*act.Snapshot) (*act.Plan, error) { tries++; return line("x"), nil })
	if !errors.Is(err, ledger.ErrConflict) || !kernel.FaultOf(err).Kind.Temporary() || tries < 3 || tries > 50 || audits(t, g) != 0 {
		t.Errorf("%v after %d tries", err, tries)
	}
}

// TestDo_APlanThatNeverHasEnoughEnds: what asks for ever more is refused, not followed.
func TestDo_APlanThatNeverHasEnoughEnds(t *testing.T) {
	k, _, g := open(t)
	rounds := 0
	_, err := k.Do(t.Context(), "", nil, func(s *act.Snapshot) (*act.Plan, error) {
		rounds++
		s.Handovers.Get(handover.ID(fmt.Sprint(rounds)))
		return line("x"), nil
	})
	if f := kernel.FaultOf(err); f.Kind != handover.FaultTooLarge || rounds > 100 || audits(t, g) != 0 {
		t.Errorf("%v after %d rounds", err, rounds)
	}
}

// TestDo_WhatAnIncompletePlanSaysIsNotHeard: neither its fault nor its rows.
func TestDo_WhatAnIncompletePlanSaysIsNotHeard(t *testing.T) {
	k, _, g := open(t)
	p, err := k.Do(t.Context(), "", nil, func(s *act.Snapshot) (*act.Plan, error) {
		_, found := s.Handovers.Get("none")
		if !s.Complete() {
			s.Fail(errors.New("too early to say"))
			return line("early"), &handover.Fault{Kind: handover.FaultIllegal}
		}
		return line(fmt.Sprint(found)), nil
	})
	if err != nil || p.Unit.Audit[0].Detail != "false" || audits(t, g) != 1 {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestDo_NothingToChange: a nil plan commits nothing; a fault of the complete plan is
// returned and nothing stored.
func TestDo_NothingToChange(t *testing.T) {
	k, _, g := open(t)
	if p, err := k.Do(t.Context(), "", nil, func(*act.Snapshot) (*act.Plan, error) { return nil, nil }); p != nil || err != nil {
		t.Errorf("%+v, %v", p, err)
	}
	want := errors.New("cannot be read")
	if _, err := k.Do(t.Context(), "", nil, func(s *act.Snapshot) (*act.Plan, error) { s.Fail(want); return line("x"), nil }); !errors.Is(err, want) {
		t.Error(err)
	}
	if n := audits(t, g); n != 0 {
		t.Errorf("%d lines", n)
	}
}

// TestDo_ActsWithOneKeyFollowEachOther, and those with others do not wait for them.
func TestDo_ActsWithOneKeyFollowEachOther(t *testing.T) {
	k, _, _ := open(t)
	var inside, most atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			_, err := k.Do(t.Context(), "one", nil, func(*act.Snapshot) (*act.Plan, error) {
				most.Store(max(most.Load(), inside.Add(1)))
				runtime.Gosched() // others would come in here
				inside.Add(-1)
				return line("x"), nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if most.Load() != 1 {
		t.Errorf("%d at once", most.Load())
	}
	held, done := make(chan struct{}), make(chan struct{})
	go func() {
		_, _ = k.Do(t.Context(), "one", nil, func(*act.Snapshot) (*act.Plan, error) { close(held); <-done; return nil, nil })
	}()
	<-held
	if _, err := k.Do(t.Context(), "another", nil, func(*act.Snapshot) (*act.Plan, error) { return line("x"), nil }); err != nil {
		t.Error(err)
	}
	close(done)
}
