package ephemeral

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// store is an implementation under test with a way to let time pass.
type store struct {
	Store
	pass func(time.Duration)
}

func TestMemory(t *testing.T) {
	exercise(t, func(t *testing.T) store {
		var offset atomic.Int64
		start := time.Now()
		return store{NewMemory(func() time.Time { return start.Add(time.Duration(offset.Load())) }),
			func(d time.Duration) { offset.Add(int64(d)) }}
	})
}

func TestRedis_Miniature(t *testing.T) {
	exercise(t, func(t *testing.T) store {
		mini := miniredis.RunT(t)
		now := time.Now()
		mini.SetTime(now)
		s, err := dial("redis://" + mini.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return store{s, func(d time.Duration) { now = now.Add(d); mini.SetTime(now); mini.FastForward(d) }}
	})
}

func TestRedis_Real(t *testing.T) {
	url := os.Getenv("STAFETT_TEST_REDIS")
	if url == "" {
		t.Skip("STAFETT_TEST_REDIS is not set: the suite has run against a miniature server only")
	}
	if !strings.Contains(url, "://") {
		url = "redis://" + url
	}
	exercise(t, func(t *testing.T) store {
		s, err := dial(url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		// The server's own clock passes; a timer waits for it.
		return store{s, func(d time.Duration) { <-time.After(d + 20*time.Millisecond) }}
	})
}

// exercise is the suite that every Store passes.
func exercise(t *testing.T, open func(*testing.T) store) {
	ctx, unique := context.Background(), fmt.Sprintf("%s-%d-", t.Name(), time.Now().UnixNano())
	t.Run("one winner among many", func(t *testing.T) {
		s, won := open(t), atomic.Int64{}
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				if ok, _, err := s.Allow(ctx, unique+"race", Rate{PerSecond: 0.001, Burst: 1}); err == nil && ok {
					won.Add(1)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d winners", won.Load())
		}
	})
	t.Run("burst, then rate", func(t *testing.T) {
		s, rate := open(t), Rate{PerSecond: 2, Burst: 3}
		for i := range 3 {
			if ok, _, err := s.Allow(ctx, unique+"b", rate); err != nil || !ok {
				t.Fatal(i, ok, err)
			}
		}
		ok, wait, err := s.Allow(ctx, unique+"b", rate)
		if err != nil || ok || wait <= 0 || wait > 500*time.Millisecond {
			t.Fatal(ok, wait, err)
		}
		if ok, _, err := s.Allow(ctx, unique+"other", rate); err != nil || !ok {
			t.Fatal("another key is limited too", err)
		}
		s.pass(wait)
		if ok, _, err := s.Allow(ctx, unique+"b", rate); err != nil || !ok {
			t.Fatal("waiting as told was not enough", err)
		}
		s.pass(2 * time.Second)
		for i := range 3 {
			if ok, _, err := s.Allow(ctx, unique+"b", rate); err != nil || !ok {
				t.Fatal(i, ok, err)
			}
		}
		if ok, _, _ := s.Allow(ctx, unique+"b", rate); ok {
			t.Fatal("more than the burst was saved up")
		}
	})
	t.Run("limits", func(t *testing.T) {
		s, rate := open(t), Rate{PerSecond: 1, Burst: 1}
		for _, c := range []struct {
			key  string
			rate Rate
		}{{strings.Repeat("x", keyBytesMax+1), rate}, {"", rate}, {"k", Rate{}}, {"k", Rate{PerSecond: 1}}, {"k", Rate{PerSecond: math.NaN(), Burst: 1}}} {
			if _, _, err := s.Allow(ctx, c.key, c.rate); !errors.Is(err, ErrLimit) {
				t.Errorf("%d bytes of key, %+v: %v", len(c.key), c.rate, err)
			}
		}
	})
}

func TestRedis_AwayIsAnError(t *testing.T) {
	mini := miniredis.RunT(t)
	ctx := context.Background()
	url := "redis://" + mini.Addr()
	s, err := dial(url)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mini.Close()
	if _, _, err := s.Allow(ctx, "k", Rate{1, 1}); err == nil {
		t.Error("Allow")
	}
	if err := s.ping(ctx); err == nil {
		t.Error("connected to nothing")
	}
}

func TestMemory_IsBounded(t *testing.T) {
	m := NewMemory(nil)
	for i := range bucketsMax + 1000 {
		if _, _, err := m.Allow(context.Background(), fmt.Sprint(i), Rate{PerSecond: 0.001, Burst: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if len(m.buckets) > bucketsMax {
		t.Fatalf("%d buckets", len(m.buckets))
	}
}
