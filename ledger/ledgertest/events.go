package ledgertest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"stafett/handover"
	"stafett/ledger"
)

func eventUnit(id string) ledger.Unit {
	return ledger.Unit{Events: []ledger.Event{sampleEvent(handover.ID(id), "", Start), sampleEvent(handover.ID(id), "", Start)}}
}

// Invariant 5: the sequence is in commit order and has no gaps, and each event carries
// the chain's head before its unit.
func testEvents(t *testing.T, h Harness) {
	s := h.Open(t)
	same(t, "last of none", must1(s.LastEvent(ctx)), int64(0))
	first := must(t, s, eventUnit("a"))[0]
	bad := eventUnit("x")
	bad.Handovers = []handover.Handover{{ID: "none", Version: 4}}
	refuses(t, s, ledger.ErrConflict, bad)
	second := must(t, s, eventUnit("b"))[0]
	same(t, "sequence", append(first.Events, second.Events...), []int64{1, 2, 3, 4})
	epoch := must1(s.Meta(ctx)).Epoch
	list := must1(s.Events(ctx, 1, 2))
	if len(list) != 2 || list[0].Seq != 2 || list[1].Seq != 3 || list[1].ID != epoch+"-3" {
		t.Errorf("events after 1, at most 2: %+v", list)
	}
	if list[1].ChainHead != first.Head || list[0].ChainHead != "" {
		t.Error("an event does not carry the head before its unit")
	}
	same(t, "last", must1(s.LastEvent(ctx)), int64(4))
	same(t, "after the last", len(must1(s.Events(ctx, 4, 10))), 0)
	whole(t, s)
}

func testGroup(t *testing.T, h Harness) {
	s := h.Open(t)
	g := ledger.NewGroup(s, ledger.GroupOptions{Units: 16})
	const workers, each = 16, 20
	var mu sync.Mutex
	entries, events := map[int64]bool{}, map[int64]bool{}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				u := Unit(w*each + i)
				if i%5 == 4 { // fails alone, whoever shares its transaction
					u.Handovers[0].Version = 9
				}
				applied, err := g.Commit(ctx, u)
				if i%5 == 4 {
					if !errors.Is(err, ledger.ErrConflict) {
						t.Errorf("got %v, want a conflict", err)
					}
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := g.Message(ctx, u.Message.ID); err != nil {
					t.Errorf("not to be read after the commit: %v", err)
				}
				mu.Lock()
				entries[applied.Entry], events[applied.Events[0]] = true, true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	const total = workers * each * 4 / 5
	if len(entries) != total || len(events) != total || must1(g.LastEvent(ctx)) != total {
		t.Errorf("%d entries, %d events, last %d, want %d", len(entries), len(events), must1(g.LastEvent(ctx)), total)
	}
	whole(t, s)
}

// held is a Store whose Apply waits, so that a queue can form.
type held struct {
	ledger.Store
	began chan int
	free  chan struct{}
}

func (h *held) Apply(c ctxType, units []ledger.Unit) ([]ledger.Result, error) {
	h.began <- len(units)
	<-h.free
	return h.Store.Apply(c, units)
}

func holdGroup(t *testing.T, h Harness, opts ledger.GroupOptions) (*ledger.Group, *held) {
	hold := &held{Store: h.Open(t), began: make(chan int, 100), free: make(chan struct{})}
	return ledger.NewGroup(hold, opts), hold
}

// queued waits until n units wait in g.
func queued(g *ledger.Group, n int) {
	for g.Waiting() != n {
		pause()
	}
}

func testGroupOverload(t *testing.T, h Harness) {
	g, hold := holdGroup(t, h, ledger.GroupOptions{Units: 2, Waiting: 3})
	var wg sync.WaitGroup
	commit := func(n int) {
		wg.Go(func() {
			if _, err := g.Commit(ctx, Unit(n)); err != nil {
				t.Error(err)
			}
		})
	}
	commit(1)
	same(t, "first batch", <-hold.began, 1)
	for i := range 3 {
		commit(2 + i)
	}
	queued(g, 3)
	_, err := g.Commit(ctx, Unit(9))
	var f *handover.Fault
	if !errors.As(err, &f) || f.Kind != handover.FaultOverload {
		t.Errorf("over the limit: %v", err)
	}
	close(hold.free)
	wg.Wait()
	same(t, "batches are bounded by count", []int{<-hold.began, <-hold.began}, []int{2, 1})

	big, hold := holdGroup(t, h, ledger.GroupOptions{Bytes: 3 * 9000})
	g = big
	commit(1)
	<-hold.began
	for i := range 4 {
		commit(2 + i)
	}
	queued(g, 4)
	close(hold.free)
	wg.Wait()
	for range 2 {
		if n := <-hold.began; n > 3 {
			t.Errorf("a batch of %d units passes the limit of bytes", n)
		}
	}
}

func testGroupClose(t *testing.T, h Harness) {
	g, hold := holdGroup(t, h, ledger.GroupOptions{})
	var wg sync.WaitGroup
	errs := make(chan error, 10)
	for i := range 10 {
		wg.Go(func() { _, err := g.Commit(ctx, Unit(i)); errs <- err })
	}
	alone := <-hold.began
	queued(g, 10-alone)
	closed := make(chan error)
	go func() { closed <- g.Close() }()
	close(hold.free)
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Errorf("a unit that waited at Close: %v", err)
		}
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if _, err := g.Commit(ctx, Unit(99)); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("Commit after Close: %v", err)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
}

func testGroupCancel(t *testing.T, h Harness) {
	g, hold := holdGroup(t, h, ledger.GroupOptions{})
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = g.Commit(ctx, Unit(1)) })
	<-hold.began
	c, cancel := cancelable()
	result := make(chan error)
	go func() { _, err := g.Commit(c, Unit(2)); result <- err }()
	queued(g, 1)
	cancel()
	if err := <-result; !errors.Is(err, c.Err()) {
		t.Errorf("canceled while waiting: %v", err)
	}
	c2, cancel2 := cancelable()
	go func() { _, err := g.Commit(c2, Unit(3)); result <- err }()
	queued(g, 1)
	hold.free <- struct{}{}
	wg.Wait()
	<-hold.began
	cancel2()
	hold.free <- struct{}{}
	if err := <-result; err != nil {
		t.Errorf("canceled during its transaction: %v, though it was stored", err)
	}
	_, err := g.Message(ctx, Unit(2).Message.ID)
	wantNotFound(t, "a unit canceled in the queue", err)
	if _, err := g.Message(ctx, Unit(3).Message.ID); err != nil {
		t.Error(err)
	}
	if _, err := g.Commit(c, Unit(4)); err == nil {
		t.Error("a canceled request is committed")
	}
}

// testTwoInstances: two processes write one ledger; nothing is lost or doubled.
func testTwoInstances(t *testing.T, h Harness) {
	if h.Second == nil {
		t.Skip("this store is for one process")
	}
	a := h.Open(t)
	stores := []*ledger.Group{ledger.NewGroup(a, ledger.GroupOptions{Units: 4}), ledger.NewGroup(h.Second(t, a), ledger.GroupOptions{Units: 4})}
	must(t, a, ledger.Unit{Handovers: []handover.Handover{sampleHandover("shared", Start)}})
	const workers, each = 8, 25
	var mu sync.Mutex
	raised, once := 0, 0
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			g := stores[w%2]
			for i := range each {
				u := Unit(w*each + i)
				shared := must1(g.Handover(ctx, "shared"))
				u.Handovers = append(u.Handovers, shared)
				_, err := g.Commit(ctx, u)
				_, again := g.Commit(ctx, messageUnit(handover.MessageID(fmt.Sprint("r", w, "-", i)), fmt.Sprint("same", i), "same"))
				mu.Lock()
				if err == nil {
					raised++
				} else if !errors.Is(err, ledger.ErrConflict) {
					t.Error(err)
				}
				if again == nil {
					once++
				} else if !errors.Is(again, ledger.ErrRepeat) {
					t.Error(again)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if v := must1(a.Handover(ctx, "shared")).Version; v != int64(raised)+1 {
		t.Errorf("version %d after %d successful writes", v, raised)
	}
	if once != each {
		t.Errorf("%d of %d repeated messages were stored", once, each)
	}
	if n := must1(a.LastEvent(ctx)); n != int64(raised) {
		t.Errorf("%d events of %d units", n, raised)
	}
	whole(t, a)
}
