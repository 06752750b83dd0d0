package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Arrival is one thing that a party received.
type Arrival struct {
	// Type is what the party makes of it: LOG_INNLAGT, APPREC, MDM^T02, ACK, transaction.
	Type string
	// ID is the sender's id of it.
	ID  string
	At  time.Time
	Raw []byte
	// taken is set once a step has waited for it and got it.
	taken bool
}

// inbox keeps what a party received, in order, and lets a step wait for it.
type inbox struct {
	mu       sync.Mutex
	arrivals []*Arrival
	changed  chan struct{}
}

func newInbox() *inbox { return &inbox{changed: make(chan struct{})} }

func (b *inbox) put(a Arrival) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.arrivals = append(b.arrivals, &a)
	close(b.changed)
	b.changed = make(chan struct{})
}

// await returns the first arrival that matches and that no step has had, waiting for it.
func (b *inbox) await(ctx context.Context, what string, wait time.Duration, match func(Arrival) bool) (Arrival, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		b.mu.Lock()
		for _, a := range b.arrivals {
			if !a.taken && match(*a) {
				a.taken = true
				b.mu.Unlock()
				return *a, nil
			}
		}
		changed := b.changed
		b.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return Arrival{}, fmt.Errorf("%s did not arrive within %s; arrived and not looked at: %s", what, wait, b.untaken())
			}
			return Arrival{}, ctx.Err()
		}
	}
}

// all returns what has arrived so far.
func (b *inbox) all() []Arrival {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]Arrival, len(b.arrivals))
	for i, a := range b.arrivals {
		out[i] = *a
	}
	return out
}

// seen reports whether an id has arrived before: a party that stored it treats a repeat
// as one.
func (b *inbox) seen(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range b.arrivals {
		if a.ID == id && id != "" {
			return true
		}
	}
	return false
}

// untaken names the types of what no step has looked at.
func (b *inbox) untaken() string {
	out := ""
	for _, a := range b.all() {
		if !a.taken {
			out += " " + a.Type
		}
	}
	if out == "" {
		return "nothing"
	}
	return out[1:]
}
