// Package gateway is the way of a message through Stafett: intake from a wire to the
// commit, delivery to the receivers, the watch over deadlines, and what a named person
// can do about what is parked.
//
//	wire -> intake: decode, identify, translate, validate, settle (find, decide, commit) -> answer
//	deliver: claim, send, record the outcome    watch: deadlines, attention, parked
//
// Every write passes settle or one of its siblings, and each of them ends in one commit
// that holds all its consequences. Nothing here talks to a network but deliver.
package gateway

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"stafett/adapters"
	"stafett/conformance"
	"stafett/directory"
	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
	"stafett/mappings/account"
	"stafett/mappings/language"
	"stafett/message"
)

// Options are what a Gateway is made of. All fields without a stated default are required.
type Options struct {
	Ledger    *ledger.Group
	Directory *directory.Directory
	Mappings  *language.Set
	Policy    handover.Policy
	Codecs    []adapters.Codec
	Senders   map[handover.Wire]adapters.Sender
	// Self is how the gateway names itself where no party speaks (notices about parked
	// messages); OperatorContact is the party whose first contact is told when no other
	// party is responsible.
	Self            account.Address
	OperatorContact handover.PartyID
	Limits          message.Limits
	Delivery        DeliveryOptions
	// Owner names this process in leases; default a random id.
	Owner string
	// Clock is the time; default time.Now.
	Clock func() time.Time
	// Notify is called after every commit that holds events; default nothing.
	Notify func()
	Log    *slog.Logger
	// Observe receives counts for metrics; default nothing.
	Observe Observer
}

// Observer receives what is worth counting. Its methods must not block.
type Observer interface {
	Took(wire handover.Wire, d ledger.Disposition, took time.Duration)
	Delivered(wire handover.Wire, state ledger.DeliveryState)
	Escalated(kind handover.Kind)
}

type observeNothing struct{}

func (observeNothing) Took(handover.Wire, ledger.Disposition, time.Duration) {}
func (observeNothing) Delivered(handover.Wire, ledger.DeliveryState)         {}
func (observeNothing) Escalated(handover.Kind)                               {}

// Bundler is what a codec adds whose wire carries FHIR resources as they are, without a
// mapping: it makes the message from them. id is the message's identity.
type Bundler interface {
	Bundle(id string, at time.Time, resources []*fhir.Node) []byte
}

// Gateway takes, delivers and watches. Its methods are safe for concurrent use.
type Gateway struct {
	ledger    *ledger.Group
	dir       *directory.Directory
	mappings  *language.Set
	policy    handover.Policy
	codecs    map[handover.Wire]adapters.Codec
	senders   map[handover.Wire]adapters.Sender
	self      account.Address
	operator  handover.PartyID
	limits    message.Limits
	delivery  DeliveryOptions
	owner     string
	clock     func() time.Time
	notify    func()
	log       *slog.Logger
	observe   Observer
	meta      ledger.Meta
	locks     [256]sync.Mutex
	waiting   waitingRoom
	wake      chan struct{}
	breakers  breakers
	inHand    sync.WaitGroup
	validator func(*fhir.Node) []conformance.Issue
}

var _ adapters.Intake = (*Gateway)(nil)

// New makes a gateway and checks that it can work: every party that can be escalated to
// has a contact, every wire a codec and a sender.
func New(ctx context.Context, o Options) (*Gateway, error) {
	g := &Gateway{
		ledger: o.Ledger, dir: o.Directory, mappings: o.Mappings, policy: o.Policy,
		codecs: map[handover.Wire]adapters.Codec{}, senders: o.Senders,
		self: o.Self, operator: o.OperatorContact, limits: o.Limits,
		delivery: o.Delivery.withDefaults(), owner: o.Owner, clock: o.Clock,
		notify: o.Notify, log: o.Log, observe: o.Observe,
		wake: make(chan struct{}, 1), validator: conformance.Validate,
	}
	for _, c := range o.Codecs {
		g.codecs[c.Wire()] = c
	}
	if g.owner == "" {
		g.owner = uuid.NewString()
	}
	if g.clock == nil {
		g.clock = time.Now
	}
	if g.notify == nil {
		g.notify = func() {}
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	if g.observe == nil {
		g.observe = observeNothing{}
	}
	if g.limits == (message.Limits{}) {
		g.limits = message.DefaultLimits()
	}
	if err := g.check(); err != nil {
		return nil, err
	}
	meta, err := g.ledger.Meta(ctx)
	if err != nil {
		return nil, fmt.Errorf("gateway: read the ledger's meta: %w", err)
	}
	g.meta = meta
	return g, nil
}

func (g *Gateway) check() error {
	if err := g.policy.Validate(); err != nil {
		return fmt.Errorf("gateway: policy: %w", err)
	}
	var errs []error
	for _, p := range g.dir.Parties() {
		if len(p.Contacts) == 0 {
			errs = append(errs, fmt.Errorf("gateway: party %s has no contact to escalate to", p.ID))
		}
		for _, s := range p.Services {
			if g.codecs[s.Wire] == nil || g.senders[s.Wire] == nil {
				errs = append(errs, fmt.Errorf("gateway: party %s, service %s: wire %q is not served", p.ID, s.Name, s.Wire))
			}
		}
	}
	if _, ok := g.dir.Party(g.operator); !ok {
		errs = append(errs, fmt.Errorf("gateway: operator contact %q is no party of the directory", g.operator))
	}
	return errors.Join(errs...)
}

func (g *Gateway) now() time.Time { return g.clock().UTC().Truncate(time.Microsecond) }

// lock serialises acts on one handover or stay inside this process; between processes the
// ledger's versions do. It only saves repeated decisions.
func (g *Gateway) lock(key string) func() {
	h := fnv.New32a()
	h.Write([]byte(key))
	m := &g.locks[h.Sum32()%uint32(len(g.locks))]
	m.Lock()
	return m.Unlock
}

// commit stores one act and wakes what waits for it.
func (g *Gateway) commit(ctx context.Context, u ledger.Unit) (ledger.Applied, error) {
	applied, err := g.ledger.Commit(ctx, u)
	if err != nil {
		return applied, err
	}
	if len(u.Events) > 0 {
		g.notify()
	}
	if len(u.Deliveries) > 0 {
		g.wakeDelivery()
	}
	for _, d := range u.Deliveries {
		if d.State.Ended() || d.Contact != "" {
			g.observe.Delivered(d.Wire, d.State)
		}
	}
	return applied, nil
}

func (g *Gateway) wakeDelivery() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

func newID() string {
	id, err := uuid.NewV7()
	if err != nil {
		panic(err) // the system's randomness is gone: nothing can go on
	}
	return id.String()
}

// stableID is the id of the same thing in every message of one party. It is keyed, so that
// nobody can try numbers against it.
func (g *Gateway) stableID(party handover.PartyID, typ, key string) string {
	sum := g.keyed("id", string(party), typ, key)
	var u uuid.UUID
	copy(u[:], sum)
	u[6] = u[6]&0x0f | 0x80 // RFC 9562 version 8: by our own rule
	u[8] = u[8]&0x3f | 0x80
	return u.String()
}

// personKey stands for a person's number where messages of several parties must meet; it
// is never shown to anybody.
func (g *Gateway) personKey(system, value string) string {
	return hex.EncodeToString(g.keyed("person", system, value))
}

func (g *Gateway) keyed(parts ...string) []byte {
	mac := hmac.New(sha256.New, g.meta.Secret)
	for _, p := range parts {
		fmt.Fprintf(mac, "%d:%s", len(p), p)
	}
	return mac.Sum(nil)
}

// contactOf returns where a party is escalated to, as it stands in the record.
func (g *Gateway) contactOf(id handover.PartyID) string {
	p, ok := g.dir.Party(id)
	if !ok || len(p.Contacts) == 0 {
		p, _ = g.dir.Party(g.operator)
	}
	return string(p.ID) + "/" + p.Contacts[0].Name
}

// Drain waits until what intake has in hand is answered.
func (g *Gateway) Drain() { g.inHand.Wait() }
