package kernel

import (
	"sync"
	"time"
)

// sayAgain is how often a failure that goes on is told.
const sayAgain = time.Hour

// Outages keeps what fails again and again from filling a log: it is told when it begins,
// when its cause is another, each hour, and when it ends. The zero value is ready for use
// and safe for concurrent use.
type Outages struct {
	mu sync.Mutex
	at map[string]*Outage
}

// Outage is something that fails.
type Outage struct {
	Since    time.Time
	Failures int
	cause    string
	said     time.Time
}

// Failed records a failure of key and reports whether it is to be told.
func (o *Outages) Failed(key, cause string, now time.Time) (out Outage, tell bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.at == nil {
		o.at = map[string]*Outage{}
	}
	one := o.at[key]
	if one == nil {
		one = &Outage{Since: now}
		o.at[key] = one
	}
	one.Failures++
	if tell = one.cause != cause || now.Sub(one.said) >= sayAgain; tell {
		one.cause, one.said = cause, now
	}
	return *one, tell
}

// Ended records that key does not fail any more, and reports whether it did.
func (o *Outages) Ended(key string) (out Outage, was bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if at := o.at[key]; at != nil {
		delete(o.at, key)
		return *at, true
	}
	return Outage{}, false
}
