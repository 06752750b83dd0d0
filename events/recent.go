package events

import (
	"sync"

	"stafett/ledger"
)

// recentMax is how many of the last published events are kept in memory.
const recentMax = 4096

// recent is the last events that the gateway's stream has taken from this relay, without
// a gap, so that feeds which keep up need not ask for them.
type recent struct {
	mu     sync.Mutex
	events []ledger.Event
}

// add appends an event; one that does not follow the last makes the window begin anew.
func (r *recent) add(e ledger.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.events); n > 0 && r.events[n-1].Seq+1 != e.Seq {
		r.events = nil
	}
	if len(r.events) == recentMax {
		// A new slice: callers of after may still read the old one.
		r.events = append(make([]ledger.Event, 0, recentMax), r.events[recentMax/2:]...)
	}
	r.events = append(r.events, e)
}

// after returns the events behind a sequence; false when the window does not reach back
// so far. The caller must not change them.
func (r *recent) after(seq int64) ([]ledger.Event, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.events) == 0 || r.events[0].Seq > seq+1 {
		return nil, false
	}
	i := seq + 1 - r.events[0].Seq
	if i >= int64(len(r.events)) {
		return nil, true
	}
	return r.events[i:], true
}

// forget empties the window: what was published is no longer certain to be stored.
func (r *recent) forget() {
	r.mu.Lock()
	r.events = nil
	r.mu.Unlock()
}
