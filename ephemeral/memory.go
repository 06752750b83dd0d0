package ephemeral

import (
	"context"
	"math"
	"sync"
	"time"
)

// bucketsMax bounds the memory.
const bucketsMax = 200_000

// Memory is a Store in this process.
type Memory struct {
	now func() time.Time

	mu      sync.Mutex
	buckets map[string]bucket
}

type bucket struct {
	tokens float64
	at     time.Time
	full   time.Time // when it has refilled and may be forgotten
}

var _ Store = (*Memory)(nil)

// NewMemory makes an empty store that reads the time from now; nil is time.Now.
func NewMemory(now func() time.Time) *Memory {
	if now == nil {
		now = time.Now
	}
	return &Memory{now: now, buckets: map[string]bucket{}}
}

// Allow implements Store.
func (m *Memory) Allow(_ context.Context, key string, rate Rate) (bool, time.Duration, error) {
	if err := check(key, rate); err != nil {
		return false, 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	b, ok := m.buckets[key]
	if !ok {
		m.sweep(now)
		b = bucket{tokens: float64(rate.Burst), at: now}
	}
	b.tokens = math.Min(float64(rate.Burst), b.tokens+max(0, now.Sub(b.at).Seconds())*rate.PerSecond)
	b.at = now
	allowed := b.tokens >= 1
	if allowed {
		b.tokens--
	}
	b.full = now.Add(seconds((float64(rate.Burst) - b.tokens) / rate.PerSecond))
	m.buckets[key] = b
	if allowed {
		return true, 0, nil
	}
	return false, seconds((1 - b.tokens) / rate.PerSecond), nil
}

// Close implements Store.
func (m *Memory) Close() error { return nil }

// sweep forgets full buckets once there are too many, and then arbitrary ones.
func (m *Memory) sweep(now time.Time) {
	if len(m.buckets) < bucketsMax {
		return
	}
	for k, b := range m.buckets {
		if !now.Before(b.full) {
			delete(m.buckets, k)
		}
	}
	for k := range m.buckets {
		if len(m.buckets) < bucketsMax*3/4 {
			return
		}
		delete(m.buckets, k)
	}
}

// seconds rounds up to whole milliseconds, so that waiting so long is enough.
func seconds(s float64) time.Duration {
	return time.Duration(math.Ceil(math.Min(s, 1e9)*1000)) * time.Millisecond
}
