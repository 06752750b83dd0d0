package kernel

import (
	"log/slog"
	"sync"
	"time"
)

const (
	// sayAgain is how often a failure that goes on is told.
	sayAgain = time.Hour
	// settled is how long something must have worked before its next failure is another
	// outage: what comes and goes is told once.
	settled = 10 * time.Minute
)

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
	// Told says that its begin was told, so that its end is to be told as well.
	Told  bool
	cause string
	said  time.Time
	ended time.Time // zero while it fails
}

// Failed records a failure of key and reports whether it is to be told.
func (o *Outages) Failed(key, cause string, now time.Time) (out Outage, tell bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.at == nil {
		o.at = map[string]*Outage{}
	}
	one := o.at[key]
	switch {
	case one == nil || !one.ended.IsZero() && now.Sub(one.ended) >= settled:
		one = &Outage{Since: now}
		o.at[key] = one
	case !one.ended.IsZero():
		*one = Outage{Since: now, cause: one.cause, said: one.said}
	}
	one.Failures++
	if tell = one.cause != cause || now.Sub(one.said) >= sayAgain; tell {
		one.cause, one.said, one.Told = cause, now, true
	}
	return *one, tell
}

// Ended records that key does not fail any more, and reports whether it did until now.
func (o *Outages) Ended(key string, now time.Time) (out Outage, was bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	one := o.at[key]
	if one == nil || !one.ended.IsZero() {
		return Outage{}, false
	}
	one.ended = now
	return *one, true
}

// Tell logs, when it is to be told, that what fails, or with a nil error that it works again.
func (o *Outages) Tell(log *slog.Logger, what string, err error, now time.Time) {
	if err == nil {
		if out, _ := o.Ended(what, now); out.Told {
			log.Info(what+" works again", "since", out.Since, "failures", out.Failures)
		}
		return
	}
	if out, tell := o.Failed(what, err.Error(), now); tell {
		log.Error(what+" fails", "since", out.Since, "failures", out.Failures, "cause", err.Error())
	}
}
