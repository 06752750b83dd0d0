package events

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"stafett/handover"
	"stafett/ledger"
)

const (
	// windowMax bounds the publishes that wait for their answer.
	windowMax = 256
	// pageSize is how many events are read from the ledger at a time.
	pageSize = 512
	// pollEvery is how often the ledger is looked at when nobody notifies.
	pollEvery = time.Second
)

// RelayState is what the relay is doing.
type RelayState string

// The relay's states.
const (
	RelayStarting RelayState = "starting"
	RelayRunning  RelayState = "running"
	RelayRetrying RelayState = "retrying" // NATS or the ledger is away
	RelayHalted   RelayState = "halted"   // the stream contradicts the ledger; a person must act
)

// RelayConfig sets a relay up. Nil functions are not called.
type RelayConfig struct {
	Ledger ledger.EventLog
	Bus    *Bus
	// Alarm is called once for each loud stop, with the party whose feed stopped or "" for the relay.
	Alarm func(party handover.PartyID, err error)
	// Published is called with the number of events that the stream has taken and synced.
	Published func(n int)
	// Retry is called with each passing failure, of a party's feed or of the relay (""), and
	// with nil while there is none.
	Retry func(party handover.PartyID, err error)
	// Poll overrides how often the ledger is looked at without notice.
	Poll time.Duration
}

// Relay publishes the ledger's events in order, each at its own sequence (invariant 5).
type Relay struct {
	cfg   RelayConfig
	epoch string
	wake  chan struct{}
	feeds map[handover.PartyID]*feed
	// recent spares feeds that keep up the look-ups.
	recent recent

	mu    sync.Mutex
	state RelayState
	err   error
	acked int64
}

// NewRelay makes a relay; Run starts it.
func NewRelay(cfg RelayConfig) *Relay {
	if cfg.Poll <= 0 {
		cfg.Poll = pollEvery
	}
	if cfg.Alarm == nil {
		cfg.Alarm = func(handover.PartyID, error) {}
	}
	if cfg.Published == nil {
		cfg.Published = func(int) {}
	}
	if cfg.Retry == nil {
		cfg.Retry = func(handover.PartyID, error) {}
	}
	r := &Relay{cfg: cfg, wake: make(chan struct{}, 1), state: RelayStarting, feeds: map[handover.PartyID]*feed{}}
	for party := range cfg.Bus.parties {
		r.feeds[party] = newFeed(r, party)
	}
	return r
}

// Notify says that the ledger has new events; it never blocks.
func (r *Relay) Notify() { notify(r.wake) }

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Status tells what the relay is doing, the error that stopped or delays it, and the
// last sequence that the stream holds.
func (r *Relay) Status() (RelayState, int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state, r.acked, r.err
}

func (r *Relay) set(state RelayState, err error) {
	r.mu.Lock()
	r.state, r.err = state, err
	r.mu.Unlock()
}

func (r *Relay) setAcked(n int64) {
	r.mu.Lock()
	r.acked = n
	r.mu.Unlock()
}

// Lag is how far the stream is behind the ledger.
type Lag struct {
	Events int64
	// Oldest is the time of the first event that the stream does not hold; zero for none.
	Oldest time.Time
}

// Lag compares the ledger's last event with the last one that the stream holds.
func (r *Relay) Lag(ctx context.Context) (Lag, error) {
	_, acked, _ := r.Status()
	last, err := r.cfg.Ledger.LastEvent(ctx)
	if err != nil {
		return Lag{}, fmt.Errorf("events: lag: %w", err)
	}
	if last <= acked {
		return Lag{}, nil
	}
	e, err := eventAt(ctx, r.cfg.Ledger, acked+1)
	return Lag{Events: last - acked, Oldest: e.At}, err
}

// Run relays until ctx ends, and then returns nil. It returns an error only when the
// stream or the ledger contradicts what was published before: nothing is repaired then.
func (r *Relay) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	for _, f := range r.feeds {
		running.Go(func() { f.run(ctx) })
	}
	err := untilLoud(ctx, r.once, func(err error) {
		r.set(RelayRetrying, err)
		r.cfg.Retry("", err)
		r.cfg.Bus.revive(err)
	})
	if err != nil {
		r.set(RelayHalted, err)
		r.cfg.Alarm("", err)
	}
	return err
}

// untilLoud repeats once with backoff until ctx ends or an error is loud. A lost position
// is ordinary (another process published first) and is looked up again soon.
func untilLoud(ctx context.Context, once func(context.Context) error, failed func(error)) error {
	wait := &backoff.ExponentialBackOff{InitialInterval: 20 * time.Millisecond, RandomizationFactor: 0.5,
		Multiplier: 2, MaxInterval: 5 * time.Second}
	wait.Reset()
	for ctx.Err() == nil {
		started := time.Now()
		err := once(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if loud(err) {
			return err
		}
		if time.Since(started) > wait.MaxInterval {
			wait.Reset()
		}
		pause := 50*time.Millisecond + rand.N(150*time.Millisecond)
		if !errors.Is(err, errResync) {
			failed(err)
			pause = wait.NextBackOff()
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return nil
}

// once finds out where the stream stands and publishes from there until something fails.
func (r *Relay) once(ctx context.Context) error {
	r.recent.forget()
	meta, err := r.cfg.Ledger.Meta(ctx)
	if err != nil {
		return fmt.Errorf("events: ledger epoch: %w", err)
	}
	r.epoch = meta.Epoch
	st, err := r.cfg.Bus.ensureStream(ctx)
	if err != nil {
		return err
	}
	anew, err := Repair(ctx, r.cfg.Ledger, r.cfg.Bus)
	if err != nil {
		return err
	}
	if anew {
		return errResync
	}
	last, err := position(ctx, st, r.cfg.Ledger, r.epoch)
	if err != nil {
		return err
	}
	js, err := streams(r.cfg.Bus.conn)
	if err != nil {
		return err
	}
	defer js.CleanupPublisher()
	r.setAcked(last)
	r.set(RelayRunning, nil)
	p := &publisher{js: js, next: last + 1, acked: r.taken}
	for {
		n, err := r.page(ctx, p)
		if err != nil {
			return err
		}
		r.cfg.Retry("", nil)
		if n > 0 {
			continue
		}
		if err := r.idle(ctx, st, p.next-1); err != nil {
			return err
		}
	}
}

// page publishes the next page of the ledger and waits for every answer.
func (r *Relay) page(ctx context.Context, p *publisher) (int, error) {
	page, err := r.cfg.Ledger.Events(ctx, p.next-1, pageSize)
	if err != nil {
		return 0, fmt.Errorf("events: read ledger: %w", err)
	}
	for _, e := range page {
		if e.Seq != p.next {
			p.drain(ctx)
			return 0, fmt.Errorf("%w: event %d follows %d", ErrLedgerGap, e.Seq, p.next-1)
		}
		msg, err := Encode(e, r.epoch)
		if err == nil {
			err = p.publish(ctx, msg, e)
		}
		if err != nil {
			p.drain(ctx)
			return 0, err
		}
	}
	if err := p.drain(ctx); err != nil {
		return 0, err
	}
	return len(page), nil
}

// taken is called for each event that the stream has taken, in order.
func (r *Relay) taken(e ledger.Event) {
	r.setAcked(e.Seq)
	r.recent.add(e)
	r.cfg.Published(1)
	for _, party := range []handover.PartyID{e.From, e.To} {
		if f := r.feeds[party]; f != nil {
			notify(f.wake)
		}
	}
}

// idle waits for news; when none came it looks whether the stream is still where it was,
// because a stream that is deleted says nothing to a relay that has nothing to publish.
func (r *Relay) idle(ctx context.Context, st jetstream.Stream, last int64) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-r.wake:
		return nil
	case <-time.After(r.cfg.Poll):
	}
	info, err := st.Info(ctx)
	if err != nil {
		return fmt.Errorf("events: look at stream: %w", err)
	}
	if int64(info.State.LastSeq) != last || damaged(info.State) {
		return errResync
	}
	return nil
}

// position returns the stream's last sequence after checking that the stream is neither
// ahead of the ledger nor different from it there (invariant 5).
func position(ctx context.Context, st jetstream.Stream, src ledger.EventLog, epoch string) (int64, error) {
	info, err := st.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("events: look at stream: %w", err)
	}
	last := int64(info.State.LastSeq)
	if last == 0 {
		return 0, nil
	}
	// Read after the stream was: what the stream holds, the ledger had committed before.
	have, err := src.LastEvent(ctx)
	if err != nil {
		return 0, fmt.Errorf("events: last event of the ledger: %w", err)
	}
	if last > have {
		return 0, fmt.Errorf("%w: stream %d, ledger %d", ErrAhead, last, have)
	}
	if err := sameAt(ctx, st, src, epoch, last); err != nil {
		return 0, err
	}
	return last, nil
}

// sameAt compares one stored message with the ledger's event of the same sequence.
func sameAt(ctx context.Context, st jetstream.Stream, src ledger.EventLog, epoch string, seq int64) error {
	raw, err := st.GetMsg(ctx, uint64(seq))
	if err != nil {
		return fmt.Errorf("events: read message %d: %w", seq, err)
	}
	return sameMessage(ctx, raw, src, epoch, seq)
}

// sameMessage compares a stored message with the ledger's event of sequence seq.
func sameMessage(ctx context.Context, raw *jetstream.RawStreamMsg, src ledger.EventLog, epoch string, seq int64) error {
	e, err := eventAt(ctx, src, seq)
	if err != nil {
		return err
	}
	want, err := Encode(e, epoch)
	if err != nil {
		return err
	}
	if raw.Header.Get(headerID) != e.ID {
		return fmt.Errorf("%w: sequence %d holds event %q, the ledger has %q", ErrForeign, seq, raw.Header.Get(headerID), e.ID)
	}
	if digestOf(raw.Subject, raw.Header, raw.Data) != digestOf(want.Subject, want.Header, want.Data) {
		return fmt.Errorf("%w: sequence %d holds other bytes of event %q", ErrForeign, seq, e.ID)
	}
	return nil
}

// publisher sends messages one behind the other without waiting for each answer. Every
// message names the sequence it must follow, so an answer that fails makes all later
// ones fail too: there can be no gap and no disorder, whoever else publishes.
type publisher struct {
	js     jetstream.JetStream
	next   int64
	flight []inFlight
	acked  func(ledger.Event)
}

type inFlight struct {
	event  ledger.Event
	seq    int64
	future jetstream.PubAckFuture
}

func (p *publisher) publish(ctx context.Context, msg *nats.Msg, e ledger.Event) error {
	if len(p.flight) >= windowMax {
		if err := p.settle(ctx); err != nil {
			return err
		}
	}
	future, err := p.js.PublishMsgAsync(msg, jetstream.WithExpectStream(StreamName),
		jetstream.WithExpectLastSequence(uint64(p.next-1)), jetstream.WithRetryAttempts(1))
	if err != nil {
		return fmt.Errorf("events: publish event %d: %w", e.Seq, err)
	}
	p.flight = append(p.flight, inFlight{event: e, seq: p.next, future: future})
	p.next++
	return nil
}

// settle waits for the oldest answer and checks it.
func (p *publisher) settle(ctx context.Context) error {
	f := p.flight[0]
	p.flight = p.flight[1:]
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-f.future.Err():
		if wrongLast(err) {
			return fmt.Errorf("%w: at event %d", errResync, f.event.Seq)
		}
		return fmt.Errorf("events: publish event %d: %w", f.event.Seq, err)
	case ack := <-f.future.Ok():
		if int64(ack.Sequence) != f.seq {
			return fmt.Errorf("%w: event %q is stored at sequence %d, not %d", ErrForeign, f.event.ID, ack.Sequence, f.seq)
		}
	}
	p.acked(f.event)
	return nil
}

// drain settles everything in flight and returns the first failure.
func (p *publisher) drain(ctx context.Context) error {
	var first error
	for len(p.flight) > 0 {
		if err := p.settle(ctx); err != nil && first == nil {
			first = err
			// The rest cannot have been taken in order; they are told apart by looking
			// at the stream again.
			p.acked = func(ledger.Event) {}
		}
	}
	return first
}

// wrongLast reports whether the server refused because another message came first.
func wrongLast(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}
