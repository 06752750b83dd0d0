// Package kernel is the one way in which anything changes a handover, a message or a
// delivery: it locks, reads what the plan asks of the record, has the plan made (package
// act), has its tellings made (package tell), commits once, and wakes what waits. A
// conflict repeats all of it, here and nowhere else.
//
// The doors before it (intake, fhirdoor, deliver, clock, desk) differ; nothing here or
// behind here knows which door it was.
//
//	kernel.go  one act from its lock to what it wakes
//	load.go    what a snapshot wants, read from the ledger
//	lock.go    locks by key
//	fault.go   what a door tells of an act that failed
package kernel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"stafett/adapters"
	"stafett/directory"
	"stafett/fhir"
	"stafett/gateway/act"
	"stafett/gateway/tell"
	"stafett/handover"
	"stafett/ledger"
	"stafett/mappings/account"
	"stafett/mappings/language"
)

// Options are what a Kernel is made of. All fields without a stated default are required.
type Options struct {
	Ledger    *ledger.Group
	Directory *directory.Directory
	Mappings  *language.Set
	Policy    handover.Policy
	// Rules are those of the wires that are served; a wire that is received on has a Codec.
	Rules []adapters.Rules
	// Self is how the gateway names itself where no party speaks (notices about parked
	// messages); OperatorContact is the party whose first contact is told when no other
	// party is responsible.
	Self            account.Address
	OperatorContact handover.PartyID
	// Clock is the time; default time.Now.
	Clock func() time.Time
	// Notify is called after every commit that holds events; default nothing.
	Notify func()
	// Log and Observe take what is worth reading and counting; default nothing.
	Log     *slog.Logger
	Observe Observer
}

// Observer receives what is worth counting. Its methods must not block.
type Observer interface {
	Took(wire handover.Wire, d ledger.Disposition, took time.Duration)
	Delivered(wire handover.Wire, state ledger.DeliveryState)
	Escalated(kind handover.Kind)
	// Failing is told at each failed send since when a receiver's service fails, and with
	// the zero time when it answers again.
	Failing(to handover.PartyID, service string, since time.Time)
}

type observeNothing struct{}

func (observeNothing) Took(handover.Wire, ledger.Disposition, time.Duration) {}
func (observeNothing) Delivered(handover.Wire, ledger.DeliveryState)         {}
func (observeNothing) Escalated(handover.Kind)                               {}
func (observeNothing) Failing(handover.PartyID, string, time.Time)           {}

// Sending is what delivers: it is woken by what there is to send, and says when the next
// send to a receiver that is away may be tried (zero when it may now).
type Sending interface {
	Wake()
	NotBefore(p handover.PartyID, service string) time.Time
}

type sendNothing struct{}

func (sendNothing) Wake()                                        {}
func (sendNothing) NotBefore(handover.PartyID, string) time.Time { return time.Time{} }

// Kernel commits acts. Its methods are safe for concurrent use.
type Kernel struct {
	act.Settings
	Rules    map[handover.Wire]adapters.Rules
	Mappings *language.Set
	Self     account.Address
	Log      *slog.Logger
	Observe  Observer
	// Outages are of the loops.
	Outages Outages
	// Ledger is for what a door lists or searches; acts read through their snapshot.
	Ledger  ledger.Record
	group   *ledger.Group
	teller  tell.Teller
	locks   keyedLocks
	clock   func() time.Time
	notify  func()
	sending Sending
}

// New makes a kernel.
func New(ctx context.Context, o Options) (*Kernel, error) {
	k := &Kernel{Rules: map[handover.Wire]adapters.Rules{}, Mappings: o.Mappings, Self: o.Self,
		Log: cmp.Or(o.Log, slog.New(slog.DiscardHandler)), Observe: cmp.Or[Observer](o.Observe, observeNothing{}),
		Ledger: o.Ledger, group: o.Ledger, clock: o.Clock, notify: o.Notify, sending: sendNothing{}}
	for _, r := range o.Rules {
		k.Rules[r.Wire()] = r
	}
	if k.clock == nil {
		k.clock = time.Now
	}
	if k.notify == nil {
		k.notify = func() {}
	}
	meta, err := o.Ledger.Meta(ctx)
	if err != nil {
		return nil, fmt.Errorf("gateway: read the ledger's meta: %w", err)
	}
	k.Settings = act.Settings{Directory: o.Directory, Policy: o.Policy, Identity: act.Identity{Secret: meta.Secret},
		Operator: o.OperatorContact, Wires: k.wires(), Fast: k.fast, Tells: k.tells(), Fresh: NewID}
	k.teller = tell.Teller{Mappings: o.Mappings, Rules: k.Rules, Self: o.Self}
	return k, nil
}

// wires is the order in which a party's wires are tried, for every kind.
func (k *Kernel) wires() func(handover.Kind) []handover.Wire {
	order := map[handover.Kind][]handover.Wire{}
	for _, kind := range append(handover.Kinds(), "") {
		order[kind] = adapters.ByRank(k.Rules, kind)
	}
	return func(kind handover.Kind) []handover.Wire { return order[kind] }
}

// fast says that receipts come at once on a wire; one that is not served is not known to be.
func (k *Kernel) fast(w handover.Wire) bool {
	r := k.Rules[w]
	return r != nil && r.FastReceipt()
}

// tells says of a wire which events its messages can tell.
func (k *Kernel) tells() func(handover.Wire, handover.EventName) bool {
	type told struct {
		wire  handover.Wire
		event handover.EventName
	}
	can := map[told]bool{}
	if k.Mappings == nil {
		return nil
	}
	for _, m := range k.Mappings.Programs() {
		for _, e := range m.Events {
			can[told{m.Wire, e.Event}] = true
		}
	}
	return func(w handover.Wire, e handover.EventName) bool { return can[told{w, e}] }
}

// Codec is the format of a wire; nil where messages do not come through intake.
func (k *Kernel) Codec(w handover.Wire) adapters.Codec {
	c, _ := k.Rules[w].(adapters.Codec)
	return c
}

// Serve sets what sends. It is called once, before the first act.
func (k *Kernel) Serve(s Sending) { k.sending = s }

// Now is the time, as the ledger keeps it.
func (k *Kernel) Now() time.Time { return k.clock().UTC().Truncate(time.Microsecond) }

// Bundle makes the message of a wire that carries FHIR resources as they are; false for
// another wire.
func (k *Kernel) Bundle(w handover.Wire, resources []*fhir.Node) ([]byte, bool) {
	b, ok := k.Rules[w].(tell.Bundler)
	if !ok {
		return nil, false
	}
	return b.Bundle("", k.Now(), resources), true
}

// NewID is a fresh id, ordered by time (RFC 9562 version 7).
func NewID() string {
	id, err := uuid.NewV7()
	if err != nil {
		panic(err) // the system's randomness is gone: nothing can go on
	}
	return id.String()
}

// tries bounds how often a version conflict repeats an act, rounds how often a plan asks
// for more.
const (
	tries  = 9
	rounds = 64
)

// Plan decides an act from what the record says. It is pure, because it is made as often
// as it takes. A nil Plan without an error changes nothing.
type Plan func(*act.Snapshot) (*act.Plan, error)

// Ahead asks for what a plan is known to ask first, so that one reading does.
type Ahead func(*act.Snapshot)

// Do commits the act that plan decides, whole (invariants 1 and 5), and returns what was
// committed; nil when there was nothing to change. Acts with the same key wait for each
// other; an empty key waits for none. The error is plan's, or the ledger's: ErrConflict
// when it was met at every try.
func (k *Kernel) Do(ctx context.Context, key string, ahead Ahead, plan Plan) (*act.Plan, error) {
	return k.do(ctx, tries, key, ahead, plan)
}

// Once is Do for an act on a row that was read before it: where somebody has changed that
// row since, the act is not repeated, and the error is ErrConflict.
func (k *Kernel) Once(ctx context.Context, key string, plan Plan) (*act.Plan, error) {
	return k.do(ctx, 1, key, nil, plan)
}

func (k *Kernel) do(ctx context.Context, tries int, key string, ahead Ahead, plan Plan) (*act.Plan, error) {
	defer k.locks.lock(key)()
	var err error
	for try := range tries {
		s := &act.Snapshot{Settings: k.Settings, Now: k.Now(), Retry: try > 0}
		if ahead != nil {
			ahead(s)
		}
		var p *act.Plan
		if p, err = k.once(ctx, s, plan); !errors.Is(err, ledger.ErrConflict) {
			return p, err
		}
	}
	return nil, err
}

func (k *Kernel) once(ctx context.Context, s *act.Snapshot, plan Plan) (*act.Plan, error) {
	p, err := k.decide(ctx, s, plan)
	if err != nil || p == nil {
		return nil, err
	}
	applied, err := k.group.Commit(ctx, p.Unit)
	if err != nil {
		return nil, err
	}
	p.Stored = applied.Resources
	k.committed(p)
	return p, nil
}

// decide has the plan made, and told, until the snapshot holds all that is asked of it.
func (k *Kernel) decide(ctx context.Context, s *act.Snapshot, plan Plan) (*act.Plan, error) {
	for range rounds {
		if err := k.load(ctx, s); err != nil {
			return nil, err
		}
		p, err := plan(s)
		if err == nil && p != nil && s.Complete() {
			planned := len(p.Unit.Deliveries)
			k.teller.AddDeliveries(s, p)
			k.postpone(s, p.Unit.Deliveries[planned:])
		}
		failed := s.Settle()
		if s.Complete() {
			return p, cmp.Or(err, failed)
		}
	}
	return nil, &handover.Fault{Kind: handover.FaultTooLarge, Op: "kernel.Do", Text: "the act refers to too much"}
}

// postpone lets what is told to a receiver that is away wait: it need not be claimed only
// to be put back.
func (k *Kernel) postpone(s *act.Snapshot, told []ledger.Delivery) {
	for i := range told {
		d := &told[i]
		tells := d.Purpose == ledger.PurposeTell || d.Purpose == ledger.PurposeAlert
		until := k.sending.NotBefore(d.Receiver, d.Service)
		if tells && d.State == ledger.DeliveryPending && until.After(s.Now) {
			d.NextAttempt = until
		}
	}
}

// committed wakes, counts and logs.
func (k *Kernel) committed(p *act.Plan) {
	if len(p.Unit.Events) > 0 {
		k.notify()
	}
	if len(p.Unit.Deliveries) > 0 {
		k.sending.Wake()
	}
	for _, d := range p.Unit.Deliveries {
		if d.State.Ended() || d.Contact != "" {
			k.Observe.Delivered(d.Wire, d.State)
		}
	}
	for _, t := range p.Tellings {
		if t.Purpose == ledger.PurposeAlert {
			k.Observe.Escalated(t.Handover.Kind)
		}
	}
	k.logAct(p)
}

// Audit records one line that no act causes, such as a read.
func (k *Kernel) Audit(ctx context.Context, line ledger.Audit) error {
	line.At = k.Now()
	if _, err := k.group.Commit(ctx, ledger.Unit{Audit: []ledger.Audit{line}}); err != nil {
		return FaultOf(err)
	}
	return nil
}
