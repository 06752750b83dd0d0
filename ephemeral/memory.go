package ephemeral

import (
	"bytes"
	"context"
	"math"
	"sync"
	"time"
)

// entriesMax bounds the memory.
const entriesMax = 200_000

// Memory is a Store in this process.
type Memory struct {
	now func() time.Time

	mu      sync.Mutex
	entries map[string]entry
	buckets map[string]bucket
}

type entry struct {
	value []byte
	until time.Time
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
	return &Memory{now: now, entries: map[string]entry{}, buckets: map[string]bucket{}}
}

// SetNX implements Store.
func (m *Memory) SetNX(_ context.Context, key string, ttl time.Duration) (bool, error) {
	if err := check(key, nil, ttl); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.entries["n:"+key]; ok && m.now().Before(e.until) {
		return false, nil
	}
	m.put("n:"+key, nil, ttl)
	return true, nil
}

// Get implements Store.
func (m *Memory) Get(_ context.Context, key string) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.entries["v:"+key]
	if !ok || !m.now().Before(e.until) {
		return nil, false, nil
	}
	return bytes.Clone(e.value), true, nil
}

// Set implements Store.
func (m *Memory) Set(_ context.Context, key string, value []byte, ttl time.Duration) error {
	if err := check(key, value, ttl); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put("v:"+key, bytes.Clone(value), ttl)
	return nil
}

// Allow implements Store.
func (m *Memory) Allow(_ context.Context, key string, rate Rate) (bool, time.Duration, error) {
	if err := checkRate(key, rate); err != nil {
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

func (m *Memory) put(key string, value []byte, ttl time.Duration) {
	now := m.now()
	m.sweep(now)
	m.entries[key] = entry{value: value, until: now.Add(ttl)}
}

// sweep drops what has expired once there is too much, and then arbitrary entries: a
// cache may forget.
func (m *Memory) sweep(now time.Time) {
	if len(m.entries)+len(m.buckets) < entriesMax {
		return
	}
	for k, e := range m.entries {
		if !now.Before(e.until) {
			delete(m.entries, k)
		}
	}
	for k, b := range m.buckets {
		if !now.Before(b.full) {
			delete(m.buckets, k)
		}
	}
	for k := range m.entries {
		if len(m.entries)+len(m.buckets) < entriesMax*3/4 {
			return
		}
		delete(m.entries, k)
	}
	for k := range m.buckets {
		if len(m.buckets) < entriesMax*3/4 {
			return
		}
		delete(m.buckets, k)
	}
}

// seconds rounds up to whole milliseconds, so that waiting so long is enough.
func seconds(s float64) time.Duration {
	return time.Duration(math.Ceil(math.Min(s, 1e9)*1000)) * time.Millisecond
}
