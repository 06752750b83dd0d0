package deliver

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"stafett/handover"
)

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
