// Package deliver sends what is due and records what became of it.
//
//	deliver.go   the loop: claim, send, record
//	outcome.go   recording
//	breakers.go  a receiver that is slow or away
//	outage.go    what is told of it
package deliver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"

	"stafett/adapters"
	"stafett/directory"
	"stafett/gateway/kernel"
	"stafett/handover"
	"stafett/ledger"
)

// Options tune sending; zero fields take the defaults.
type Options struct {
	// Workers is how many sends may be in hand at once; default 128. WorkersPerReceiver
	// bounds one receiver's share, so that a slow one blocks nobody else; default 32.
	Workers, WorkersPerReceiver int
	// Timeout of one send; default 15 s. Lease is how long a claimed delivery is ours;
	// default 2 min, and always longer than Timeout.
	Timeout, Lease time.Duration
	// RetryMin and RetryMax bound the exponential backoff; defaults 2 s and 10 min.
	RetryMin, RetryMax time.Duration
	// Poll is how often due work is looked for when nothing wakes the loop; default 1 s.
	Poll time.Duration
	// Gather is how long due work is let come together, because each claim is a synced
	// transaction of its own; default 20 ms.
	Gather time.Duration
}

func (o Options) withDefaults() Options {
	o.Workers = or(o.Workers, 128)
	o.WorkersPerReceiver = or(o.WorkersPerReceiver, 32)
	o.Timeout = or(o.Timeout, 15*time.Second)
	o.Lease = max(or(o.Lease, 2*time.Minute), 2*o.Timeout)
	o.RetryMin = or(o.RetryMin, 2*time.Second)
	o.RetryMax = or(o.RetryMax, 10*time.Minute)
	o.Poll = or(o.Poll, time.Second)
	o.Gather = or(o.Gather, 20*time.Millisecond)
	return o
}

// or is v, or its default where v is not above zero.
func or[T int | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}

// Deliverer sends. Its methods are safe for concurrent use.
type Deliverer struct {
	k        *kernel.Kernel
	senders  map[handover.Wire]adapters.Sender
	opts     Options
	owner    string // this process, in leases
	wake     chan struct{}
	breakers breakers
}

// New makes a deliverer that the kernel wakes. owner names this process in leases; empty
// for a random id.
func New(k *kernel.Kernel, senders map[handover.Wire]adapters.Sender, owner string, o Options) *Deliverer {
	g := &Deliverer{k: k, senders: senders, opts: o.withDefaults(), owner: cmp.Or(owner, uuid.NewString()), wake: make(chan struct{}, 1)}
	k.Serve(g)
	return g
}

// Wake has the loop look for what is due.
func (g *Deliverer) Wake() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// NotBefore is when the next send to a receiver that is away may be tried; zero when it
// may now.
func (g *Deliverer) NotBefore(p handover.PartyID, service string) time.Time {
	return g.breakers.until(p, service)
}

// Deliver claims, sends and records until ctx ends, and then waits for the sends in hand.
// At start it finds by their expired leases the sends that a crash cut off: intent is
// recorded before the effect, so they are sent again, identical.
func (g *Deliverer) Deliver(ctx context.Context) {
	var sends sync.WaitGroup
	defer sends.Wait()
	slots := make(chan struct{}, g.opts.Workers)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.wake:
			timer.Reset(g.opts.Gather)
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
		case <-timer.C:
		}
		for g.claim(ctx, slots, &sends) {
		}
		timer.Reset(g.opts.Poll)
	}
}

// DeliverOnce sends what is due now and returns how many there were, after all of them
// have ended.
func (g *Deliverer) DeliverOnce(ctx context.Context) (int, error) {
	ds, err := g.k.Ledger.ClaimDeliveries(ctx, g.owner, g.k.Now(), g.opts.Lease, g.opts.Workers)
	if err != nil {
		return 0, err
	}
	var sends sync.WaitGroup
	for _, d := range ds {
		sends.Go(func() { g.deliverOne(ctx, d) })
	}
	sends.Wait()
	return len(ds), nil
}

// claim takes what is due into the free slots, and reports whether more may be due.
func (g *Deliverer) claim(ctx context.Context, slots chan struct{}, sends *sync.WaitGroup) bool {
	free := cap(slots) - len(slots)
	if ctx.Err() != nil || free == 0 {
		return false
	}
	ds, err := g.k.Ledger.ClaimDeliveries(ctx, g.owner, g.k.Now(), g.opts.Lease, free)
	if ctx.Err() == nil {
		g.k.Outages.Tell(g.k.Log, "claiming deliveries", err, g.k.Now())
	}
	if err != nil {
		return false
	}
	for _, d := range ds {
		slots <- struct{}{}
		sends.Add(1)
		go func() {
			defer sends.Done()
			defer func() { <-slots; g.Wake() }()
			g.deliverOne(context.WithoutCancel(ctx), d)
		}()
	}
	return len(ds) == free
}

// deliverOne is one attempt: send, then record the outcome.
func (g *Deliverer) deliverOne(ctx context.Context, d ledger.Delivery) {
	defer func() {
		if p := recover(); p != nil {
			// Its lease ends and it is sent again, identical; in the end a person looks.
			g.k.Log.Error("recording an outcome panicked", "delivery", d.ID, "attempt", d.Attempts, "panic", fmt.Sprintf("%T", p))
			if d.Attempts >= panicTries {
				g.setAside(ctx, d)
			}
		}
	}()
	release, wait := g.breakers.enter(ctx, d.Receiver, d.Service, g.opts.WorkersPerReceiver, g.k.Now())
	if wait > 0 {
		g.putBack(ctx, d, wait)
		return
	}
	sent, err := g.sendSafely(ctx, d)
	temporary := err != nil && handover.FaultOf(err).Kind.Temporary()
	release(temporary, g.k.Now(), g.backoff(d.Attempts))
	g.record(ctx, d, sent, err)
}

// panicTries is how often a message may panic before it is set aside.
const panicTries = 3

// sendSafely turns a panic of the sender into a fault, which ends the attempts at last.
func (g *Deliverer) sendSafely(ctx context.Context, d ledger.Delivery) (sent adapters.Sent, err error) {
	defer func() {
		if p := recover(); p != nil {
			g.k.Log.Error("a send panicked", "delivery", d.ID, "attempt", d.Attempts, "panic", fmt.Sprintf("%T", p))
			f := &handover.Fault{Kind: handover.FaultTemporary, Op: "deliver.sendSafely", Text: "panic while sending"}
			if d.Attempts >= panicTries {
				f.Kind = handover.FaultInvalid
			}
			sent, err = adapters.Sent{}, f
		}
	}()
	return g.sendOnce(ctx, d)
}

func (g *Deliverer) sendOnce(ctx context.Context, d ledger.Delivery) (adapters.Sent, error) {
	target, err := g.target(d)
	if err != nil {
		return adapters.Sent{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, g.opts.Timeout)
	defer cancel()
	return g.senders[d.Wire].Send(ctx, target, adapters.Outgoing{Type: d.Type, ID: d.ExternalID, Raw: d.Raw})
}

func (g *Deliverer) target(d ledger.Delivery) (adapters.Target, error) {
	p, _ := g.k.Directory.Party(d.Receiver)
	s, ok := p.Service(d.Service)
	if !ok {
		return adapters.Target{}, &handover.Fault{Kind: handover.FaultServiceUnknown, Op: "deliver.target", Text: "the receiver's service is not in the directory"}
	}
	t := adapters.Target{Party: p.ID, Service: s.Name, URL: s.URL}
	var errs []error
	resolve := func(to *string, ref string, f func(string) (string, error)) {
		if ref != "" {
			v, err := f(ref)
			*to = v
			errs = append(errs, err)
		}
	}
	resolve(&t.Token, s.Token, directory.ResolveSecret)
	resolve(&t.CAFile, s.CAFile, directory.ResolveFile)
	resolve(&t.CertFile, s.CertFile, directory.ResolveFile)
	resolve(&t.KeyFile, s.KeyFile, directory.ResolveFile)
	if err := errors.Join(errs...); err != nil {
		return t, &handover.Fault{Kind: handover.FaultTemporary, Op: "deliver.target", Text: "the service's credentials cannot be read", Err: err}
	}
	return t, nil
}

// backoff grows exponentially with the attempts, with full jitter in its upper half.
func (g *Deliverer) backoff(attempts int) time.Duration {
	d := g.opts.RetryMax
	if attempts < 20 {
		d = min(d, g.opts.RetryMin<<max(attempts-1, 0))
	}
	return d/2 + rand.N(d/2+1)
}
