package events

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"stafett/handover"
	"stafett/ledger"
)

// feed copies one party's events from the gateway's stream into the stream of the
// party's own account, in order. The accounts share nothing, so no party can reach past
// its own copy whatever it asks the server for.
type feed struct {
	relay *Relay
	party handover.PartyID
	wake  chan struct{}

	mu  sync.Mutex
	err error
	seq int64 // the ledger's sequence of the last copied event
}

func newFeed(r *Relay, party handover.PartyID) *feed {
	return &feed{relay: r, party: party, wake: make(chan struct{}, 1)}
}

func (f *feed) set(seq int64, err error) {
	f.mu.Lock()
	f.err = err
	if err == nil {
		f.seq = seq
	}
	f.mu.Unlock()
}

func (f *feed) run(ctx context.Context) {
	err := untilLoud(ctx, f.once, func(err error) {
		f.set(0, err)
		f.relay.cfg.Retry(f.party, err)
		f.relay.cfg.Bus.revive(err)
	})
	if err != nil {
		f.set(0, err)
		f.relay.cfg.Alarm(f.party, err)
	}
}

// once copies from where the party's stream stands until something fails.
func (f *feed) once(ctx context.Context) error {
	js, st, err := f.relay.cfg.Bus.ensurePartyStream(ctx, f.party)
	if err != nil {
		return err
	}
	defer js.CleanupPublisher()
	source, err := f.relay.cfg.Bus.ensureStream(ctx)
	if err != nil {
		return err
	}
	meta, err := f.relay.cfg.Ledger.Meta(ctx)
	if err != nil {
		return fmt.Errorf("events: ledger epoch: %w", err)
	}
	anew, err := RepairParty(ctx, f.relay.cfg.Ledger, f.relay.cfg.Bus, f.party)
	if err != nil {
		return err
	}
	if anew {
		return errResync
	}
	own, seq, err := feedPosition(ctx, st, f.relay.cfg.Ledger, meta.Epoch)
	if err != nil {
		return err
	}
	f.set(seq, nil)
	heads := &heads{source: source, filters: SubjectsOf(f.party), after: seq}
	p := &publisher{js: js, next: own + 1, acked: func(e ledger.Event) { f.set(e.Seq, nil) }}
	prefix := prefixOf(st.CachedInfo().Config)
	for {
		if err := f.copy(ctx, heads, p, prefix, meta.Epoch); err != nil {
			return err
		}
		f.relay.cfg.Retry(f.party, nil)
		if err := f.idle(ctx, st, p.next-1); err != nil {
			return err
		}
	}
}

// copy publishes everything that the source holds for the party now: what the relay has
// just published from memory, what is older by looking it up.
func (f *feed) copy(ctx context.Context, h *heads, p *publisher, prefix, epoch string) error {
	for {
		fresh, ok := f.relay.recent.after(h.after)
		if !ok {
			if err := f.catchUp(ctx, h, p, prefix, epoch); err != nil {
				return err
			}
			if fresh, ok = f.relay.recent.after(h.after); !ok {
				return p.drain(ctx)
			}
		}
		if len(fresh) == 0 {
			return p.drain(ctx)
		}
		for _, e := range fresh {
			if takesPart(e, f.party) {
				if err := f.send(ctx, p, e, prefix, epoch); err != nil {
					return errors.Join(err, p.drain(ctx))
				}
			}
			h.after = e.Seq
		}
	}
}

// catchUp publishes what the source holds for the party up to the source's present end.
func (f *feed) catchUp(ctx context.Context, h *heads, p *publisher, prefix, epoch string) error {
	if err := h.refresh(ctx); err != nil {
		return err
	}
	for {
		seq, err := h.take(ctx)
		if err != nil || seq == 0 {
			return errors.Join(err, p.drain(ctx))
		}
		e, err := eventAt(ctx, f.relay.cfg.Ledger, seq)
		if err == nil {
			err = f.send(ctx, p, e, prefix, epoch)
		}
		if err != nil {
			return errors.Join(err, p.drain(ctx))
		}
	}
}

// send publishes one event, made from the ledger again and not from the copy.
func (f *feed) send(ctx context.Context, p *publisher, e ledger.Event, prefix, epoch string) error {
	msg, err := Encode(e, epoch)
	if err != nil {
		return err
	}
	msg.Subject = prefix + msg.Subject
	return p.publish(ctx, msg, e)
}

// idle waits for the relay's notice; without one it looks whether the party's stream is
// still where it was.
func (f *feed) idle(ctx context.Context, st jetstream.Stream, own int64) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-f.wake:
		return nil
	case <-time.After(2 * f.relay.cfg.Poll):
	}
	info, err := st.Info(ctx)
	if err != nil {
		return fmt.Errorf("events: look at the stream of party %s: %w", f.party, err)
	}
	if int64(info.State.LastSeq) != own {
		return errResync
	}
	return nil
}

// feedPosition returns a party stream's own last sequence and the ledger's sequence of
// that message, after the same checks as for the gateway's stream.
func feedPosition(ctx context.Context, st jetstream.Stream, src ledger.EventLog, epoch string) (int64, int64, error) {
	info, err := st.Info(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("events: look at party stream: %w", err)
	}
	own := info.State.LastSeq
	if own == 0 {
		return 0, 0, nil
	}
	raw, err := st.GetMsg(ctx, own)
	if err != nil {
		return 0, 0, fmt.Errorf("events: read message %d of party stream: %w", own, err)
	}
	seq := sequenceOf(raw.Header)
	have, err := src.LastEvent(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("events: last event of the ledger: %w", err)
	}
	if seq == 0 {
		return 0, 0, fmt.Errorf("%w: message %d of a party stream is not an event", ErrForeign, own)
	}
	if seq > have {
		return 0, 0, fmt.Errorf("%w: party stream holds %d, ledger %d", ErrAhead, seq, have)
	}
	return int64(own), seq, sameMessage(ctx, raw, src, epoch, seq)
}

// heads merges the events that a party sent and those it received into one sequence. The
// server looks each up by subject, so a party with few events costs little however long
// the stream is.
type heads struct {
	source  jetstream.Stream
	filters [2]string
	after   int64
	// until is the source's end, read before the heads are: between the two look-ups new
	// events may come, and behind until one of them could be overlooked.
	until int64
	next  [2]int64
}

func (h *heads) refresh(ctx context.Context) error {
	info, err := h.source.Info(ctx)
	if err != nil {
		return fmt.Errorf("events: look at stream: %w", err)
	}
	if damaged(info.State) {
		// Copying now would pass over what is missing; the relay makes the stream anew.
		return errors.New("events: the stream lacks messages inside")
	}
	h.until = int64(info.State.LastSeq)
	return nil
}

// take returns the sequence of the party's next event, 0 when there is none up to until.
func (h *heads) take(ctx context.Context) (int64, error) {
	first := int64(0)
	for i, filter := range h.filters {
		if h.next[i] <= h.after {
			raw, err := h.source.GetMsg(ctx, uint64(h.after+1), jetstream.WithGetMsgSubject(filter))
			switch {
			case err == nil:
				h.next[i] = int64(raw.Sequence)
			case errors.Is(err, jetstream.ErrMsgNotFound):
				h.next[i] = 0
				continue
			default:
				return 0, fmt.Errorf("events: look for the next event: %w", err)
			}
		}
		if first == 0 || h.next[i] < first {
			first = h.next[i]
		}
	}
	if first == 0 || first > h.until {
		h.after = max(h.after, h.until)
		return 0, nil
	}
	h.after = first
	return first, nil
}
