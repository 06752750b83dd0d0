package ephemeral

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// probeEvery is how often a Redis that is away is asked whether it is back.
const probeEvery = time.Second

// SharedOptions of NewShared; zero fields take the defaults.
type SharedOptions struct {
	// Changed is told when Redis is out of reach, with the cause, and with nil when it is
	// back; default nobody. It is not called twice in a row with the same.
	Changed func(away error)
	// ProbeEvery is how often a Redis that is away is asked; default 1 s.
	ProbeEvery time.Duration
}

// Shared is a Store in Redis that goes on in this process while Redis is out of reach, at
// the start as well as later. What was counted on one side is not carried to the other.
type Shared struct {
	redis   *Redis
	alone   *Memory
	opts    SharedOptions
	away    atomic.Bool
	mu      sync.Mutex // of changes of away
	closing context.Context
	close   context.CancelFunc
	probes  sync.WaitGroup
}

var _ Store = (*Shared)(nil)

// NewShared makes a store on a redis:// or rediss:// address. Its error is that of the
// address; whether anything answers there is no condition.
func NewShared(address string, o SharedOptions) (*Shared, error) {
	r, err := dial(address)
	if err != nil {
		return nil, err
	}
	if o.Changed == nil {
		o.Changed = func(error) {}
	}
	if o.ProbeEvery <= 0 {
		o.ProbeEvery = probeEvery
	}
	s := &Shared{redis: r, alone: NewMemory(nil), opts: o}
	s.closing, s.close = context.WithCancel(context.Background())
	if err := r.ping(s.closing); err != nil {
		s.lost(err)
	}
	return s, nil
}

// Allow implements Store. While Redis is out of reach it is not asked, so that no caller
// waits for it.
func (s *Shared) Allow(ctx context.Context, key string, rate Rate) (bool, time.Duration, error) {
	if !s.away.Load() {
		ok, wait, err := s.redis.Allow(ctx, key, rate)
		if err == nil || errors.Is(err, ErrLimit) || ctx.Err() != nil {
			return ok, wait, err
		}
		s.lost(err)
	}
	return s.alone.Allow(ctx, key, rate)
}

// lost begins to count alone, and asks until Redis answers.
func (s *Shared) lost(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away.Load() || s.closing.Err() != nil {
		return
	}
	s.away.Store(true)
	s.opts.Changed(cause)
	s.probes.Go(s.awaitReturn)
}

func (s *Shared) awaitReturn() {
	tick := time.NewTicker(s.opts.ProbeEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.closing.Done():
			return
		case <-tick.C:
		}
		if s.redis.ping(s.closing) == nil {
			s.mu.Lock()
			s.away.Store(false)
			s.opts.Changed(nil)
			s.mu.Unlock()
			return
		}
	}
}

// Away reports whether it counts alone now.
func (s *Shared) Away() bool { return s.away.Load() }

// Close implements Store.
func (s *Shared) Close() error {
	s.mu.Lock()
	s.close()
	s.mu.Unlock()
	s.probes.Wait()
	return s.redis.Close()
}
