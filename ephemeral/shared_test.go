package ephemeral

import (
	"context"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// TestShared_GoesOnAloneWhileRedisIsAway: away at the start, there, away again, and back.
func TestShared_GoesOnAloneWhileRedisIsAway(t *testing.T) {
	mini := miniredis.NewMiniRedis()
	if err := mini.Start(); err != nil {
		t.Fatal(err)
	}
	addr := mini.Addr()
	mini.Close()
	told := make(chan error, 8)
	s, err := NewShared("redis://"+addr, SharedOptions{ProbeEvery: 10 * time.Millisecond, Changed: func(away error) { told <- away }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	next := func(away bool) {
		t.Helper()
		select {
		case err := <-told:
			if (err != nil) != away || s.Away() != away {
				t.Fatalf("told %v, away %t", err, s.Away())
			}
		case <-time.After(10 * time.Second):
			t.Fatal("nobody was told")
		}
	}
	allow := func(key string, want bool) {
		t.Helper()
		if ok, _, err := s.Allow(context.Background(), key, Rate{PerSecond: 0.001, Burst: 1}); err != nil || ok != want {
			t.Fatalf("%s: %t %v", key, ok, err)
		}
	}
	next(true)
	allow("a", true)
	allow("a", false)

	if err := mini.StartAddr(addr); err != nil {
		t.Fatal(err)
	}
	next(false)
	allow("b", true)
	allow("b", false)
	if len(mini.Keys()) == 0 {
		t.Error("Redis is back and holds nothing")
	}

	mini.Close()
	allow("c", true)
	next(true)
	allow("c", false)
	if err := mini.StartAddr(addr); err != nil {
		t.Fatal(err)
	}
	defer mini.Close()
	next(false)
	if len(told) != 0 {
		t.Error("the same was told twice")
	}
}

func TestShared_RefusesAnAddressThatIsNone(t *testing.T) {
	if _, err := NewShared("localhost:6379", SharedOptions{}); err == nil {
		t.Error("taken")
	}
}
