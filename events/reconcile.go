package events

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"stafett/handover"
	"stafett/ledger"
)

// Difference is the first place where a stream and the ledger part.
type Difference struct {
	// Sequence is the ledger's number.
	Sequence int64
	// Problem is missing, different, foreign or ahead.
	Problem string
	// Inside is set when a missing event has later ones after it, so that no relay will
	// publish it.
	Inside bool
	// Detail names ids and digests.
	Detail string
}

// Comparison is the outcome of comparing a stream with the ledger.
type Comparison struct {
	Ledger, Stream int64 // last sequences
	Compared       int64 // events found equal
	// First is nil when the stream holds exactly what the ledger says.
	First *Difference
}

// Compare walks the gateway's stream and the ledger side by side from sequence from (1
// for all) and reports the first difference: ids, subjects, headers and bytes.
func Compare(ctx context.Context, src ledger.EventLog, b *Bus, from int64) (Comparison, error) {
	st, err := b.ensureStream(ctx)
	if err != nil {
		return Comparison{}, err
	}
	all := func(ledger.Event) bool { return true }
	return compare(ctx, src, st, max(from, 1), all, func(seq int64) (uint64, error) { return uint64(seq), nil })
}

// Verify proves that a party's subscription missed nothing from the ledger's sequence
// from on: every event of the ledger in which the party takes part stands in the party's
// own stream, in order, with the same bytes, and nothing else does.
func Verify(ctx context.Context, src ledger.EventLog, b *Bus, party handover.PartyID, from int64) (Comparison, error) {
	_, st, err := b.ensurePartyStream(ctx, party)
	if err != nil {
		return Comparison{}, err
	}
	mine := func(e ledger.Event) bool { return takesPart(e, party) }
	return compare(ctx, src, st, max(from, 1), mine, func(seq int64) (uint64, error) { return firstFrom(ctx, st, seq) })
}

// firstFrom finds the first message of a party's stream whose ledger sequence is at
// least seq, by halving: the numbers rise with the stream's own.
func firstFrom(ctx context.Context, st jetstream.Stream, seq int64) (uint64, error) {
	info, err := st.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("events: look at party stream: %w", err)
	}
	low, high := uint64(1), info.State.LastSeq+1
	for low < high {
		mid := low + (high-low)/2
		raw, err := st.GetMsg(ctx, mid)
		if err != nil {
			return 0, fmt.Errorf("events: read message %d: %w", mid, err)
		}
		if sequenceOf(raw.Header) < seq {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, nil
}

// comparison is the state of one walk.
type comparison struct {
	src    ledger.EventLog
	st     jetstream.Stream
	epoch  string
	cursor uint64 // the stream's own next sequence
	last   uint64 // the stream's own last sequence
	out    Comparison
}

func compare(ctx context.Context, src ledger.EventLog, st jetstream.Stream, from int64, mine func(ledger.Event) bool,
	start func(int64) (uint64, error)) (Comparison, error) {
	meta, err := src.Meta(ctx)
	if err != nil {
		return Comparison{}, fmt.Errorf("events: ledger epoch: %w", err)
	}
	info, err := st.Info(ctx)
	if err != nil {
		return Comparison{}, fmt.Errorf("events: look at stream: %w", err)
	}
	c := &comparison{src: src, st: st, epoch: meta.Epoch, last: info.State.LastSeq}
	// Read after the stream was, so that the ledger is never the older one.
	if c.out.Ledger, err = src.LastEvent(ctx); err != nil {
		return Comparison{}, fmt.Errorf("events: last event of the ledger: %w", err)
	}
	c.out.Stream = int64(info.State.LastSeq)
	if c.cursor, err = start(from); err != nil {
		return Comparison{}, err
	}
	if err := c.walk(ctx, from, mine); err != nil {
		return Comparison{}, err
	}
	if c.out.First == nil && c.cursor <= c.last {
		c.out.First = &Difference{Sequence: c.out.Ledger + 1, Problem: "ahead",
			Detail: fmt.Sprintf("the stream goes on to %d where the ledger ends", c.last)}
	}
	return c.out, nil
}

// walk goes through the ledger in pages until the first difference or the end that the
// ledger had when the walk began.
func (c *comparison) walk(ctx context.Context, from int64, mine func(ledger.Event) bool) error {
	for after := from - 1; after < c.out.Ledger; {
		page, err := c.src.Events(ctx, after, pageSize)
		if err != nil {
			return fmt.Errorf("events: read ledger: %w", err)
		}
		if len(page) == 0 {
			return fmt.Errorf("%w: nothing after %d of %d", ErrLedgerGap, after, c.out.Ledger)
		}
		for _, e := range page {
			after = e.Seq
			if e.Seq > c.out.Ledger || !mine(e) {
				continue
			}
			if done, err := c.step(ctx, e); done || err != nil {
				return err
			}
		}
	}
	return nil
}

// step compares one event of the ledger with the stream's next message.
func (c *comparison) step(ctx context.Context, e ledger.Event) (bool, error) {
	inside := c.cursor <= c.last
	differ := func(problem, detail string) (bool, error) {
		c.out.First = &Difference{Sequence: e.Seq, Problem: problem, Inside: inside, Detail: detail}
		return true, nil
	}
	if !inside {
		return differ("missing", fmt.Sprintf("event %s is not in the stream, which ends at %d", e.ID, c.last))
	}
	raw, err := c.st.GetMsg(ctx, c.cursor)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return differ("missing", fmt.Sprintf("event %s is gone from inside the stream", e.ID))
	}
	if err != nil {
		return true, fmt.Errorf("events: read message %d: %w", c.cursor, err)
	}
	c.cursor++
	if id := raw.Header.Get(headerID); id != e.ID {
		if n := sequenceOf(raw.Header); n > e.Seq {
			return differ("missing", fmt.Sprintf("event %s was passed over; %s follows", e.ID, id))
		}
		return differ("foreign", fmt.Sprintf("the stream holds %q where the ledger has %s", id, e.ID))
	}
	want, err := Encode(e, c.epoch)
	if err != nil {
		return true, err
	}
	have, due := digestOf(raw.Subject, raw.Header, raw.Data), digestOf(want.Subject, want.Header, want.Data)
	if have != due {
		return differ("different", fmt.Sprintf("event %s has digest %s in the stream, %s by the ledger", e.ID, have, due))
	}
	c.out.Compared++
	return false, nil
}

// Report is the outcome of Reconcile.
type Report struct {
	Stream  Comparison
	Parties map[handover.PartyID]Comparison
	// Rebuilt names the accounts whose stream was made anew: "" for the gateway's.
	Rebuilt []handover.PartyID
}

// Whole reports whether every stream held exactly what the ledger says.
func (r Report) Whole() bool {
	for _, c := range r.Parties {
		if c.First != nil {
			return false
		}
	}
	return r.Stream.First == nil
}

// Reconcile compares the gateway's stream and every party's with the ledger from
// sequence from on, and has rebuilt what lost something inside (invariant 5). It reports
// what it found before anything was rebuilt. A missing tail is what a running relay is
// about to publish; a stream that is ahead or foreign is reported and left alone.
func Reconcile(ctx context.Context, src ledger.EventLog, b *Bus, from int64) (Report, error) {
	out := Report{Parties: map[handover.PartyID]Comparison{}}
	var err error
	if out.Stream, err = Compare(ctx, src, b, from); err != nil {
		return out, err
	}
	if anew, err := Repair(ctx, src, b); err != nil {
		return out, err
	} else if anew {
		out.Rebuilt = append(out.Rebuilt, "")
	}
	for _, party := range b.Parties() {
		if out.Parties[party], err = Verify(ctx, src, b, party, from); err != nil {
			return out, err
		}
		anew, err := RepairParty(ctx, src, b, party)
		if err == nil && !anew && out.Parties[party].inside() {
			anew, err = true, b.renewParty(ctx, party)
		}
		if err != nil {
			return out, err
		}
		if anew {
			out.Rebuilt = append(out.Rebuilt, party)
		}
	}
	return out, nil
}

// Lost reports whether a stream misses or differs in something that no relay is about to
// publish: more than a tail that is on its way.
func (r Report) Lost() bool {
	lost := func(d *Difference) bool { return d != nil && (d.Problem != "missing" || d.Inside) }
	for _, c := range r.Parties {
		if lost(c.First) {
			return true
		}
	}
	return lost(r.Stream.First)
}

// RunReconciler reconciles at once and then at every tick until ctx ends: first
// everything, then what came since the last pass that found all streams whole. found is
// called for each pass that lost or rebuilt something, or failed.
func RunReconciler(ctx context.Context, src ledger.EventLog, b *Bus, every time.Duration, found func(Report, error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	from := int64(1)
	for ctx.Err() == nil {
		report, err := Reconcile(ctx, src, b, from)
		switch {
		case ctx.Err() != nil:
		case err != nil || report.Lost() || len(report.Rebuilt) > 0:
			found(report, err)
			from = 1
		case report.Whole():
			from = report.proved() + 1
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// proved is the last sequence up to which every stream was compared.
func (r Report) proved() int64 {
	last := r.Stream.Ledger
	for _, c := range r.Parties {
		last = min(last, c.Ledger)
	}
	return last
}

// inside reports whether an event was passed over although later ones are there.
func (c Comparison) inside() bool {
	return c.First != nil && c.First.Problem == "missing" && c.First.Inside
}

// renewParty deletes a party's stream; its feed fills it again from the first event.
func (b *Bus) renewParty(ctx context.Context, party handover.PartyID) error {
	js, _, err := b.ensurePartyStream(ctx, party)
	if err != nil {
		return err
	}
	if err := js.DeleteStream(ctx, StreamName); err != nil {
		return fmt.Errorf("events: make stream of party %s anew: %w", party, err)
	}
	return nil
}

// Repair rebuilds what was lost: when the stream lacks messages inside and everything it
// still holds is the ledger's, it is made anew and the relay fills it from the first
// sequence. A missing tail needs no repair, the relay publishes it. A stream that is
// ahead or foreign is never touched. Repair reports whether the stream was made anew.
func Repair(ctx context.Context, src ledger.EventLog, b *Bus) (bool, error) {
	st, err := b.ensureStream(ctx)
	if err != nil {
		return false, err
	}
	js, err := streams(b.conn)
	if err != nil {
		return false, err
	}
	return rebuild(ctx, src, js, st, func(own uint64, _ int64) int64 { return int64(own) })
}

// RepairParty does the same for the stream in a party's account.
func RepairParty(ctx context.Context, src ledger.EventLog, b *Bus, party handover.PartyID) (bool, error) {
	js, st, err := b.ensurePartyStream(ctx, party)
	if err != nil {
		return false, err
	}
	return rebuild(ctx, src, js, st, func(_ uint64, named int64) int64 { return named })
}

// rebuild deletes a damaged stream once each message that survives is proved to be the
// ledger's; seqOf tells the ledger's sequence from a message's own and the one it names.
func rebuild(ctx context.Context, src ledger.EventLog, js jetstream.JetStream, st jetstream.Stream,
	seqOf func(own uint64, named int64) int64) (bool, error) {
	info, err := st.Info(ctx)
	if err != nil {
		return false, fmt.Errorf("events: look at stream: %w", err)
	}
	if !damaged(info.State) {
		return false, nil
	}
	meta, err := src.Meta(ctx)
	if err != nil {
		return false, fmt.Errorf("events: ledger epoch: %w", err)
	}
	have, err := src.LastEvent(ctx)
	if err != nil {
		return false, fmt.Errorf("events: last event of the ledger: %w", err)
	}
	for own := info.State.FirstSeq; own <= info.State.LastSeq && info.State.Msgs > 0; own++ {
		raw, err := st.GetMsg(ctx, own)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return false, fmt.Errorf("events: read message %d: %w", own, err)
		}
		seq := seqOf(own, sequenceOf(raw.Header))
		if seq < 1 || seq > have {
			return false, fmt.Errorf("%w: message %d, ledger %d", ErrAhead, seq, have)
		}
		if err := sameMessage(ctx, raw, src, meta.Epoch, seq); err != nil {
			return false, err
		}
	}
	if err := js.DeleteStream(ctx, StreamName); err != nil {
		return false, fmt.Errorf("events: make stream anew: %w", err)
	}
	return true, nil
}
