// Package events carries the ledger's event sequence to NATS JetStream and proves that
// it arrived: an embedded server or an external cluster, the stream HANDOVER whose
// sequence is the ledger's, the relay that fills it, the feeds that copy each party's
// own events into that party's own NATS account, and the reconciler.
//
// The ledger is the truth and everything here is derived from it: a stream that lost
// something is filled again from the ledger; a stream that holds something which the
// ledger does not know stops the relay and is never changed.
package events

import (
	"context"
	"errors"
	"fmt"

	"stafett/ledger"
)

// StreamName is the name of the stream, in the gateway's account and in every party's.
const StreamName = "HANDOVER"

// Sentinels, wrapped in what this package returns.
var (
	// ErrAhead: a stream holds events that the ledger does not have (a restored backup).
	ErrAhead = errors.New("events: stream is ahead of the ledger")
	// ErrForeign: a stream holds another event than the ledger at the same sequence.
	ErrForeign = errors.New("events: stream differs from the ledger")
	// ErrLedgerGap: the ledger's own sequence has a hole.
	ErrLedgerGap = errors.New("events: ledger sequence has a gap")
	// ErrWeakStream: the stream exists with weaker settings than durability requires.
	ErrWeakStream = errors.New("events: stream settings are weaker than required")
	// ErrNotSynced: the server does not sync every write, or will not say.
	ErrNotSynced = errors.New("events: server does not sync on every write")

	// errResync means: look again at where the stream stands.
	errResync = errors.New("events: position lost")
)

// loud reports whether err must stop the relay until an operator has acted.
func loud(err error) bool {
	return errors.Is(err, ErrAhead) || errors.Is(err, ErrForeign) || errors.Is(err, ErrLedgerGap) ||
		errors.Is(err, ErrWeakStream) || errors.Is(err, ErrNotSynced)
}

// eventAt reads one event of the ledger by its sequence number.
func eventAt(ctx context.Context, src ledger.EventLog, seq int64) (ledger.Event, error) {
	page, err := src.Events(ctx, seq-1, 1)
	if err != nil {
		return ledger.Event{}, fmt.Errorf("events: read ledger event %d: %w", seq, err)
	}
	if len(page) == 0 || page[0].Seq != seq {
		return ledger.Event{}, fmt.Errorf("%w: no event %d", ErrLedgerGap, seq)
	}
	return page[0], nil
}
