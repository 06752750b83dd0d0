// Package ephemeral keeps what nodes share for a short time: the rates of callers. It
// lives in this process or in Redis. Losing all of it costs speed and never a message:
// first answers, leases and sequences are the ledger's.
package ephemeral

import (
	"context"
	"errors"
	"time"
)

// ErrLimit: a key is longer than the store takes, or a rate is not positive.
var ErrLimit = errors.New("ephemeral: over a limit")

const keyBytesMax = 512

// Rate is a token bucket: Burst at once, then PerSecond.
type Rate struct {
	PerSecond float64
	Burst     int
}

// Store is shared short-lived state. Keys hold digests and ids, never what names a
// patient. A method returns an error when the state is out of reach; the caller decides
// what is safe without it.
type Store interface {
	// Allow takes one token from the bucket of key; false means wait at least the
	// duration returned.
	Allow(ctx context.Context, key string, rate Rate) (bool, time.Duration, error)
	// Close frees what the store holds.
	Close() error
}

// check refuses what neither implementation stores.
func check(key string, r Rate) error {
	if key == "" || len(key) > keyBytesMax || r.Burst < 1 || !(r.PerSecond > 0) {
		return ErrLimit
	}
	return nil
}
