package transport

import (
	"context"
	"errors"
	"testing"
)

func TestBudget_FullThenReserveThenWait(t *testing.T) {
	b := NewBudget(200, 100)
	first, second, third := b.Share(), b.Share(), b.Share()
	ctx, cancel := context.WithCancel(t.Context())
	if waited, err := first.Grow(ctx, 100); waited || err != nil {
		t.Fatal("the first has room", err)
	}
	if waited, err := second.Grow(ctx, 50); !waited || err != nil || !second.reserved {
		t.Fatal("the second gets the reserve", err)
	}
	if waited, err := second.Grow(ctx, 100); waited || err != nil {
		t.Fatal("who has the reserve has room for a whole message", err)
	}
	cancel()
	if _, err := third.Grow(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Fatal("the third waits", err)
	}
	first.Release()
	second.Release()
	if waited, err := third.Grow(ctx, 100); waited || err != nil {
		t.Fatal("what was given back is there again", err)
	}
	third.Release()
}

func TestBudget_TryGrow(t *testing.T) {
	for name, c := range map[string]struct {
		total, messageMax int
		sizes             []int // of messages in hand, in order
		want              []bool
	}{
		"room for all":               {300, 100, []int{100, 100, 100}, []bool{true, true, true}},
		"one over":                   {300, 100, []int{100, 100, 100, 1}, []bool{true, true, true, false}},
		"the reserve is one":         {200, 100, []int{90, 20, 20, 10}, []bool{true, true, false, true}},
		"too small is two messages":  {0, 100, []int{100, 100, 1}, []bool{true, true, false}},
		"nothing needs no room":      {200, 100, []int{100, 100, 0}, []bool{true, true, true}},
		"the smallest after a large": {200, 100, []int{101, 100, 1}, []bool{true, true, false}},
	} {
		t.Run(name, func(t *testing.T) {
			b := NewBudget(c.total, c.messageMax)
			var held []*Share
			for i, size := range c.sizes {
				s := b.Share()
				if got := s.TryGrow(size); got != c.want[i] {
					t.Errorf("message %d of %d bytes: %t", i, size, got)
				}
				held = append(held, s)
			}
			for _, s := range held {
				s.Release()
				s.Release()
			}
			first, second := b.Share(), b.Share()
			if !first.TryGrow(c.messageMax) || !second.TryGrow(c.messageMax) {
				t.Error("what was given back is not there")
			}
		})
	}
}

// A message that grows takes only what it has not yet, and one byte too many frees nothing.
func TestShare_GrowsStepByStep(t *testing.T) {
	b := NewBudget(200, 100)
	a, other := b.Share(), b.Share()
	for _, size := range []int{10, 60, 60, 30, 100} {
		if !a.TryGrow(size) {
			t.Fatalf("no room for %d", size)
		}
	}
	if a.reserved {
		t.Error("the reserve was taken by a message that fits")
	}
	if !other.TryGrow(1) || !other.reserved {
		t.Error("the reserve is not there for the other")
	}
	if a.TryGrow(101) {
		t.Error("more than there is")
	}
}
