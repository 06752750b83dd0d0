// Package ephemeral keeps what nodes share for a short time: nonces that were seen,
// rate limits, cached answers. It lives in this process or in Redis. Losing all of it
// costs speed and never a message: first answers, leases and sequences are the ledger's.
package ephemeral

import (
	"context"
	"errors"
	"time"
)

// ErrLimit: a key or a value is larger than the store takes, or a time is not positive.
var ErrLimit = errors.New("ephemeral: over a limit")

// Limits of what is stored.
const (
	keyBytesMax   = 512
	valueBytesMax = 1 << 20
)

// Rate is a token bucket: Burst at once, then PerSecond.
type Rate struct {
	PerSecond float64
	Burst     int
}

// Store is shared short-lived state. Keys hold digests and ids, never what names a
// patient. Every method returns an error when the state is out of reach; the caller
// decides what is safe without it.
type Store interface {
	// SetNX stores key for ttl and reports true, or reports false when it is there already.
	SetNX(ctx context.Context, key string, ttl time.Duration) (bool, error)
	// Allow takes one token from the bucket of key; false means wait at least the
	// duration returned.
	Allow(ctx context.Context, key string, rate Rate) (bool, time.Duration, error)
	// Get returns a cached value, and false when there is none.
	Get(ctx context.Context, key string) ([]byte, bool, error)
	// Set caches a value for ttl.
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// Close frees what the store holds.
	Close() error
}

// check refuses what neither implementation stores.
func check(key string, value []byte, ttl time.Duration) error {
	if key == "" || len(key) > keyBytesMax || len(value) > valueBytesMax || ttl < time.Millisecond {
		return ErrLimit
	}
	return nil
}

func checkRate(key string, r Rate) error {
	if key == "" || len(key) > keyBytesMax || r.Burst < 1 || !(r.PerSecond > 0) {
		return ErrLimit
	}
	return nil
}
