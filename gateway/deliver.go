package gateway

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"stafett/adapters"
	"stafett/directory"
	"stafett/handover"
	"stafett/ledger"
)

// DeliveryOptions tune sending; zero fields take the defaults.
type DeliveryOptions struct {
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

func (o DeliveryOptions) withDefaults() DeliveryOptions {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	if o.Workers <= 0 {
		o.Workers = 128
	}
	if o.WorkersPerReceiver <= 0 {
		o.WorkersPerReceiver = 32
	}
	set(&o.Timeout, 15*time.Second)
	set(&o.Lease, 2*time.Minute)
	o.Lease = max(o.Lease, 2*o.Timeout)
	set(&o.RetryMin, 2*time.Second)
	set(&o.RetryMax, 10*time.Minute)
	set(&o.Poll, time.Second)
	set(&o.Gather, 20*time.Millisecond)
	return o
}

// Deliver claims, sends and records until ctx ends, and then waits for the sends in hand.
// At start it finds by their expired leases the sends that a crash cut off: intent is
// recorded before the effect, so they are sent again, identical.
func (g *Gateway) Deliver(ctx context.Context) {
	var sends sync.WaitGroup
	defer sends.Wait()
	slots := make(chan struct{}, g.delivery.Workers)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.wake:
			timer.Reset(g.delivery.Gather)
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
		case <-timer.C:
		}
		for g.claim(ctx, slots, &sends) {
		}
		timer.Reset(g.delivery.Poll)
	}
}

// DeliverOnce sends what is due now and returns how many there were, after all of them
// have ended.
func (g *Gateway) DeliverOnce(ctx context.Context) (int, error) {
	ds, err := g.ledger.ClaimDeliveries(ctx, g.owner, g.now(), g.delivery.Lease, g.delivery.Workers)
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
func (g *Gateway) claim(ctx context.Context, slots chan struct{}, sends *sync.WaitGroup) bool {
	free := cap(slots) - len(slots)
	if ctx.Err() != nil || free == 0 {
		return false
	}
	ds, err := g.ledger.ClaimDeliveries(ctx, g.owner, g.now(), g.delivery.Lease, free)
	if err != nil {
		if ctx.Err() == nil {
			g.log.Error("deliveries could not be claimed", "cause", err.Error())
		}
		return false
	}
	for _, d := range ds {
		slots <- struct{}{}
		sends.Add(1)
		go func() {
			defer sends.Done()
			defer func() { <-slots; g.wakeDelivery() }()
			g.deliverOne(context.WithoutCancel(ctx), d)
		}()
	}
	return len(ds) == free
}

// deliverOne is one attempt: send, then record the outcome.
func (g *Gateway) deliverOne(ctx context.Context, d ledger.Delivery) {
	defer func() {
		if p := recover(); p != nil {
			// Its lease ends and it is sent again, identical; in the end a person looks.
			g.log.Error("recording an outcome panicked", "delivery", d.ID, "attempt", d.Attempts, "panic", fmt.Sprintf("%T", p))
			if d.Attempts >= panicTries {
				g.setAside(ctx, d)
			}
		}
	}()
	release, wait := g.breakers.enter(ctx, d.Receiver, d.Service, g.delivery.WorkersPerReceiver, g.now())
	if wait > 0 {
		g.putBack(ctx, d, wait)
		return
	}
	sent, err := g.sendSafely(ctx, d)
	temporary := err != nil && handover.FaultOf(err).Kind.Temporary()
	release(temporary, g.now(), g.backoff(d.Attempts))
	g.recordOutcome(ctx, d, sent, err)
}

// panicTries is how often a message may panic before it is set aside.
const panicTries = 3

// sendSafely turns a panic of the sender into a fault, which ends the attempts at last.
func (g *Gateway) sendSafely(ctx context.Context, d ledger.Delivery) (sent adapters.Sent, err error) {
	defer func() {
		if p := recover(); p != nil {
			g.log.Error("a send panicked", "delivery", d.ID, "attempt", d.Attempts, "panic", fmt.Sprintf("%T", p))
			f := &handover.Fault{Kind: handover.FaultTemporary, Op: "gateway.sendSafely", Text: "panic while sending"}
			if d.Attempts >= panicTries {
				f.Kind = handover.FaultInvalid
			}
			sent, err = adapters.Sent{}, f
		}
	}()
	return g.sendOnce(ctx, d)
}

// setAside parks a delivery without any of the consequences that it may have panicked in.
func (g *Gateway) setAside(ctx context.Context, d ledger.Delivery) {
	fresh, err := g.ledger.Delivery(ctx, d.ID)
	if err == nil && fresh.State == ledger.DeliverySending {
		g.parkDelivery(&fresh, g.operator, "panic while its outcome was recorded", g.now())
		_, err = g.commit(ctx, ledger.Unit{Deliveries: []ledger.Delivery{fresh}})
	}
	if err != nil {
		g.log.Error("a delivery could not be set aside", "delivery", d.ID, "cause", err.Error())
	}
}

func (g *Gateway) sendOnce(ctx context.Context, d ledger.Delivery) (adapters.Sent, error) {
	target, err := g.target(d)
	if err != nil {
		return adapters.Sent{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, g.delivery.Timeout)
	defer cancel()
	return g.senders[d.Wire].Send(ctx, target, adapters.Outgoing{Type: d.Type, ID: d.ExternalID, Raw: d.Raw})
}

func (g *Gateway) target(d ledger.Delivery) (adapters.Target, error) {
	gone := &handover.Fault{Kind: handover.FaultServiceUnknown, Op: "gateway.target", Text: "the receiver's service is not in the directory"}
	p, ok := g.dir.Party(d.Receiver)
	if !ok {
		return adapters.Target{}, gone
	}
	s, ok := p.Service(d.Service)
	if !ok {
		return adapters.Target{}, gone
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
		return t, &handover.Fault{Kind: handover.FaultTemporary, Op: "gateway.target", Text: "the service's credentials cannot be read", Err: err}
	}
	return t, nil
}

// backoff grows exponentially with the attempts, with full jitter in its upper half.
func (g *Gateway) backoff(attempts int) time.Duration {
	d := g.delivery.RetryMax
	if attempts < 20 {
		d = min(d, g.delivery.RetryMin<<max(attempts-1, 0))
	}
	return d/2 + rand.N(d/2+1)
}

// putBack returns a claimed delivery untried, for its receiver is at its limit or down.
func (g *Gateway) putBack(ctx context.Context, d ledger.Delivery, wait time.Duration) {
	d.State, d.NextAttempt = ledger.DeliveryPending, g.now().Add(wait)
	d.LeaseOwner, d.LeaseUntil, d.Attempts = "", time.Time{}, max(d.Attempts-1, 0)
	if _, err := g.ledger.Commit(ctx, ledger.Unit{Deliveries: []ledger.Delivery{d}}); err != nil {
		g.log.Warn("a delivery could not be put back; its lease will end", "delivery", d.ID, "cause", err.Error())
	}
}

// recordOutcome stores what became of an attempt. If that fails the lease runs out and the
// message is sent again, identical.
func (g *Gateway) recordOutcome(ctx context.Context, d ledger.Delivery, sent adapters.Sent, sendErr error) {
	// A receiver may receipt before its transport has answered us.
	defer g.lock(string(d.ID))()
	var err error
	for range decideTries * 3 {
		var a *act
		if a, err = g.outcome(ctx, d, sent, sendErr); err == nil {
			if _, err = g.commit(ctx, a.unit); err == nil {
				return
			}
		}
		if !errors.Is(err, ledger.ErrConflict) {
			break
		}
		fresh, e := g.ledger.Delivery(ctx, d.ID)
		if e != nil || fresh.State != ledger.DeliverySending {
			return // a receipt overtook the transport's answer
		}
		d.Version = fresh.Version
	}
	g.log.Warn("a delivery's outcome could not be stored; its lease will end", "delivery", d.ID, "cause", err.Error())
}

func (g *Gateway) outcome(ctx context.Context, d ledger.Delivery, sent adapters.Sent, sendErr error) (*act, error) {
	now := g.now()
	d.LeaseOwner, d.LeaseUntil = "", time.Time{}
	if sendErr == nil {
		if d.SentAt.IsZero() {
			d.SentAt = now
		}
		if sent.Receipt != nil || !d.ReceiptDue {
			r := adapters.Receipt{Positive: true}
			if sent.Receipt != nil {
				r = *sent.Receipt
			}
			return g.receipted(ctx, d, r, "", now)
		}
		d.State, d.NextAttempt, d.Error = ledger.DeliveryAwaiting, time.Time{}, ""
		a := &act{now: now, unit: ledger.Unit{Deliveries: []ledger.Delivery{d}}}
		a.unit.Audit = append(a.unit.Audit, ledger.Audit{At: now, Action: ledger.AuditDelivered, Party: d.Receiver,
			Message: d.Message, Handover: d.Handover, Delivery: d.ID, Outcome: string(d.State)})
		return a, nil
	}
	f := handover.FaultOf(sendErr)
	g.log.Info("a send failed", "delivery", d.ID, "receiver", d.Receiver, "attempt", d.Attempts, "fault", f.Kind, "cause", f.Error())
	if f.Kind.Temporary() && now.Before(d.Deadline) {
		d.State, d.NextAttempt, d.Error = ledger.DeliveryPending, now.Add(g.backoff(d.Attempts)), string(f.Kind)
		return g.stillTrying(ctx, d, now)
	}
	return g.undeliverable(ctx, d, string(f.Kind)+": "+detailOf(f), now)
}

// stillTrying leaves a delivery to its next attempt. One that has no receipt when it should
// have had one is attention, whether or not it got away (invariant 4).
func (g *Gateway) stillTrying(ctx context.Context, d ledger.Delivery, now time.Time) (*act, error) {
	late := !d.WarnAt.IsZero() && !now.Before(d.WarnAt)
	if late {
		d.WarnAt = time.Time{}
	}
	a := &act{now: now, actor: handover.Actor{Role: handover.RoleSystem}, unit: ledger.Unit{Deliveries: []ledger.Delivery{d}}}
	if !late || d.Purpose != ledger.PurposeTell {
		return a, nil
	}
	return a, g.tellHandover(ctx, a, d, false)
}

// undeliverable parks a delivery and marks its handover: a technical fault is attention,
// never an answer (invariant 7).
func (g *Gateway) undeliverable(ctx context.Context, d ledger.Delivery, why string, now time.Time) (*act, error) {
	to, err := g.responsible(ctx, d)
	if err != nil {
		return nil, err
	}
	g.parkDelivery(&d, to, why, now)
	a := &act{now: now, actor: handover.Actor{Role: handover.RoleSystem}, unit: ledger.Unit{Deliveries: []ledger.Delivery{d}}}
	if d.Purpose != ledger.PurposeTell {
		return a, nil
	}
	return a, g.tellHandover(ctx, a, d, false)
}

// breakers keep a slow or absent receiver from taking every worker.
type breakers struct {
	mu sync.Mutex
	at map[string]*breaker
}

type breaker struct {
	slots    *semaphore.Weighted
	inHand   int // sends that wait for a slot or have one
	failures int
	until    time.Time
}

// patience is how long a send waits for its receiver's other sends to end; putting it back
// would cost a commit and claiming it again another.
const patience = 500 * time.Millisecond

// breakerAfter is how many failures in a row stop all but one probe.
const breakerAfter = 3

// until is when the next send to a receiver that is away may be tried; zero when it may now.
func (b *breakers) until(p handover.PartyID, service string) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if br := b.at[string(p)+"|"+service]; br != nil {
		return br.until
	}
	return time.Time{}
}

// enter asks to send now. A wait above zero means: not now.
func (b *breakers) enter(ctx context.Context, p handover.PartyID, service string, limit int, now time.Time) (release func(failed bool, now time.Time, pause time.Duration), wait time.Duration) {
	br, wait := b.pass(string(p)+"|"+service, limit, now)
	if wait > 0 {
		return nil, wait
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if br.slots.Acquire(ctx, 1) != nil {
		b.leave(br, func() {})
		return nil, patience + rand.N(patience)
	}
	return func(failed bool, now time.Time, pause time.Duration) {
		br.slots.Release(1)
		b.leave(br, func() {
			if !failed {
				br.failures, br.until = 0, time.Time{}
			} else if br.failures++; br.failures >= breakerAfter {
				br.until = now.Add(pause)
			}
		})
	}, 0
}

// pass lets a send through to its receiver's slots: all while it answers, one probe at a
// time when it has not.
func (b *breakers) pass(key string, limit int, now time.Time) (*breaker, time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at == nil {
		b.at = map[string]*breaker{}
	}
	br := b.at[key]
	if br == nil {
		br = &breaker{slots: semaphore.NewWeighted(int64(limit))}
		b.at[key] = br
	}
	switch {
	case now.Before(br.until):
		return nil, br.until.Sub(now) + rand.N(time.Second)
	case br.failures >= breakerAfter && br.inHand > 0:
		return nil, 2*time.Second + rand.N(time.Second)
	}
	br.inHand++
	return br, 0
}

func (b *breakers) leave(br *breaker, record func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	br.inHand--
	record()
}
