package events

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// connectTimeout is how long a connection to a server may take.
const connectTimeout = 5 * time.Second

var errHeld = errors.New("events: not dialed yet")

// dialer opens what a NATS connection runs over, while ctx lasts.
type dialer struct {
	ctx context.Context
	// wait bounds the opening of one, in nanoseconds; at 0 it is refused at once.
	wait atomic.Int64
}

// newDialer shares one connectTimeout between the servers of c, so that the first walk over all
// of them takes no longer where nothing answers.
func newDialer(ctx context.Context, c Connect) *dialer {
	d := &dialer{ctx: ctx}
	d.allow(connectTimeout / time.Duration(1+strings.Count(c.URL, ",")))
	return d
}

func (d *dialer) allow(wait time.Duration) { d.wait.Store(int64(wait)) }

// Dial implements nats.CustomDialer.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	wait := time.Duration(d.wait.Load())
	if wait == 0 {
		return nil, errHeld
	}
	return (&net.Dialer{Timeout: wait}).DialContext(d.ctx, network, address)
}

// over has names looked up by d too, within its time.
func (d *dialer) over(more ...nats.Option) []nats.Option {
	return append(more, nats.SetCustomDialer(d), nats.SkipHostLookup())
}

// patient connects to who may be away: then the connection is made when it comes, and wasAway is
// true. The first walk over its servers is the only one that is waited for.
func (d *dialer) patient(c Connect) (conn *nats.Conn, wasAway bool, err error) {
	conn, err = dial(c, d.over()...)
	if wasAway = away(err); wasAway {
		d.allow(0)
		conn, err = dial(c, d.over(nats.RetryOnFailedConnect(true))...)
	}
	d.allow(connectTimeout)
	return conn, wasAway, err
}
