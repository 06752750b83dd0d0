package ledger

import (
	"context"
	"errors"
	"sync"

	"stafett/handover"
)

// GroupOptions bound a Group; zero values mean the defaults.
type GroupOptions struct {
	// Units is the most units of one transaction; 256.
	Units int
	// Bytes is the most content of one transaction; 8 MiB. A larger unit goes alone.
	Bytes int
	// Waiting is the most units that wait; 4096. One more is refused as overload.
	Waiting int
}

// Group is group commit above any Store: requests that wait while a transaction commits
// share the next one, so that one sync of the disk serves all of them and none is delayed
// for company. It is the Store's Record; units go in through Commit alone.
type Group struct {
	record
	store   Store
	opts    GroupOptions
	mu      sync.Mutex
	wake    *sync.Cond
	waiting []*request
	closing bool
	done    chan struct{}
}

// record is embedded under a name of this package, so that nobody reaches the Store, and
// applies units, past the Group.
type record interface{ Record }

var _ Record = (*Group)(nil)

type request struct {
	unit   Unit
	bytes  int
	result chan Result
}

// NewGroup starts a group commit over s.
func NewGroup(s Store, opts GroupOptions) *Group {
	if opts.Units <= 0 {
		opts.Units = 256
	}
	if opts.Bytes <= 0 {
		opts.Bytes = 8 << 20
	}
	if opts.Waiting <= 0 {
		opts.Waiting = 4096
	}
	g := &Group{record: s, store: s, opts: opts, done: make(chan struct{})}
	g.wake = sync.NewCond(&g.mu)
	go g.run()
	return g
}

// Commit applies one unit and returns when it is durable. Its error is the unit's own
// (ErrConflict, ErrRepeat), the batch's (ErrFull), ErrClosed, ctx's while it still waited
// (then nothing was stored), or a *handover.Fault of kind overload.
func (g *Group) Commit(ctx context.Context, u Unit) (Applied, error) {
	if err := ctx.Err(); err != nil {
		return Applied{}, err
	}
	r := &request{unit: u, bytes: sizeOf(&u), result: make(chan Result, 1)}
	if err := g.enqueue(r); err != nil {
		return Applied{}, err
	}
	select {
	case res := <-r.result:
		return res.Applied, res.Err
	case <-ctx.Done():
		if g.withdraw(r) {
			return Applied{}, ctx.Err()
		}
		// Its transaction is under way: the outcome is what is true, so it is waited for.
		res := <-r.result
		return res.Applied, res.Err
	}
}

func (g *Group) enqueue(r *request) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closing {
		return ErrClosed
	}
	if len(g.waiting) >= g.opts.Waiting {
		return &handover.Fault{Kind: handover.FaultOverload, Op: "ledger.Commit", Text: "too many messages are waiting to be stored"}
	}
	g.waiting = append(g.waiting, r)
	g.wake.Signal()
	return nil
}

// withdraw takes r out of the queue; false when it is no longer in it.
func (g *Group) withdraw(r *request) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, w := range g.waiting {
		if w == r {
			g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// Waiting is how many units wait for a transaction.
func (g *Group) Waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.waiting)
}

// Close refuses new units, commits those that wait, and closes the Store.
func (g *Group) Close() error {
	g.mu.Lock()
	if g.closing {
		g.mu.Unlock()
		<-g.done
		return nil
	}
	g.closing = true
	g.wake.Signal()
	g.mu.Unlock()
	<-g.done
	return g.store.Close()
}

func (g *Group) run() {
	defer close(g.done)
	for batch := g.take(); batch != nil; batch = g.take() {
		g.apply(batch)
	}
}

// take waits for requests and returns as many as one transaction may hold; nil at the end.
func (g *Group) take() []*request {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.waiting) == 0 {
		if g.closing {
			return nil
		}
		g.wake.Wait()
	}
	n, bytes := 0, 0
	for n < len(g.waiting) && n < g.opts.Units && (n == 0 || bytes+g.waiting[n].bytes <= g.opts.Bytes) {
		bytes += g.waiting[n].bytes
		n++
	}
	batch := append([]*request(nil), g.waiting[:n]...)
	rest := copy(g.waiting, g.waiting[n:])
	clear(g.waiting[rest:])
	g.waiting = g.waiting[:rest]
	return batch
}

var errShort = errors.New("ledger: store returned too few results")

func (g *Group) apply(batch []*request) {
	units := make([]Unit, len(batch))
	for i, r := range batch {
		units[i] = r.unit
	}
	// No request's context: a batch belongs to all of its requests.
	results, err := g.store.Apply(context.Background(), units)
	if err == nil && len(results) != len(batch) {
		err = errShort
	}
	for i, r := range batch {
		if err != nil {
			r.result <- Result{Err: err}
		} else {
			r.result <- results[i]
		}
	}
}

// sizeOf is the content of a unit in bytes, near enough for a limit.
func sizeOf(u *Unit) int {
	n := 512
	if m := u.Message; m != nil {
		n += len(m.Raw) + len(m.Answer) + len(m.Envelope) + len(m.Report)
	}
	for i := range u.Resources {
		n += len(u.Resources[i].JSON) + 64*len(u.Resources[i].Rows)
	}
	for i := range u.Deliveries {
		n += len(u.Deliveries[i].Raw) + len(u.Deliveries[i].Report)
	}
	return n
}
