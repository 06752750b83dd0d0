package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// result is what the load met.
type result struct {
	answered, refused atomic.Int64
	latencies         []time.Duration
	took              time.Duration
	lag               time.Duration // the most that was seen
	backlog           []int64       // open deliveries, sampled each fifth of the run
	failure           error
}

// load keeps every connection busy for o.Seconds.
func load(ctx context.Context, o Options, g *process) *result {
	r := &result{}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(o.Seconds)*time.Second)
	defer cancel()
	limit := rate.NewLimiter(rate.Inf, 1)
	if o.Rate > 0 {
		limit = rate.NewLimiter(rate.Limit(o.Rate), o.Connections)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	start := time.Now()
	for i := range o.Connections {
		wg.Add(1)
		go func() {
			defer wg.Done()
			own, err := sendLoop(ctx, g.mllp, i, limit, r)
			mu.Lock()
			r.latencies = append(r.latencies, own...)
			if err != nil && r.failure == nil {
				r.failure = err
			}
			mu.Unlock()
		}()
	}
	wg.Add(1)
	go func() { defer wg.Done(); g.sample(ctx, o, r) }()
	wg.Wait()
	r.took = time.Since(start)
	slices.Sort(r.latencies)
	return r
}

// sendLoop sends one message after another on one connection.
func sendLoop(ctx context.Context, addr string, connection int, limit *rate.Limiter, r *result) ([]time.Duration, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	var own []time.Duration
	for n := 0; ctx.Err() == nil; n++ {
		if limit.Wait(ctx) != nil {
			break
		}
		msg := Message(connection, n)
		start := time.Now()
		if _, err := conn.Write(msg); err != nil {
			return own, err
		}
		_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
		answer, err := in.ReadBytes(0x1c)
		if err != nil {
			return own, err
		}
		own = append(own, time.Since(start))
		if _, err := in.ReadByte(); err != nil {
			return own, err
		}
		if bytes.Contains(answer, []byte("MSA|AA|")) {
			r.answered.Add(1)
		} else {
			r.refused.Add(1)
		}
	}
	return own, nil
}

// sample watches the relay's lag, and the backlog at each fifth of the run.
func (c *process) sample(ctx context.Context, o Options, r *result) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for second := 1; ; second++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		v, err := c.metric(ctx, "stafett_event_lag_seconds")
		if err == nil {
			r.lag = max(r.lag, time.Duration(v*float64(time.Second)))
		}
		if o.Whole && second%max(o.Seconds/5, 1) == 0 {
			sent, _ := c.metric(ctx, `stafett_messages_total{disposition="applied",wire="hl7v2"}`)
			ended, _ := c.metric(ctx, `stafett_deliveries_total{state="receipted",wire="kith"}`)
			r.backlog = append(r.backlog, int64(sent-ended))
		}
	}
}

func (r *result) print(out io.Writer, o Options) {
	n := len(r.latencies)
	if n == 0 {
		fmt.Fprintln(out, "no message was answered:", r.failure)
		return
	}
	at := func(q float64) time.Duration {
		return r.latencies[min(n-1, int(q*float64(n)))].Round(10 * time.Microsecond)
	}
	fmt.Fprintf(out, "intake: %d answered AA, %d otherwise, in %v over %d connections: %.0f messages/s\n", r.answered.Load(), r.refused.Load(),
		r.took.Round(time.Millisecond), o.Connections, float64(r.answered.Load())/r.took.Seconds())
	fmt.Fprintf(out, "latency: p50 %v, p95 %v, p99 %v, max %v\n", at(0.5), at(0.95), at(0.99), r.latencies[n-1].Round(10*time.Microsecond))
	fmt.Fprintf(out, "event relay: at most %v behind\n", r.lag.Round(time.Millisecond))
	if o.Whole {
		fmt.Fprintf(out, "backlog, messages not yet ended, at each fifth of the run: %v\n", r.backlog)
	}
	if r.failure != nil {
		fmt.Fprintln(out, "a connection failed:", r.failure)
	}
}
