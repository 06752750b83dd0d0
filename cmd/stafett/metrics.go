package main

import (
	"context"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"stafett/adapters"
	"stafett/adapters/hl7v2"
	"stafett/events"
	"stafett/handover"
	"stafett/ledger"
)

// metrics are the Prometheus series. Labels hold codes only.
type metrics struct {
	registry  *prometheus.Registry
	count     atomic.Int64 // of messages taken, for tuneMemory
	taken     *prometheus.CounterVec
	took      *prometheus.HistogramVec
	delivered *prometheus.CounterVec
	escalated *prometheus.CounterVec
	answered  *prometheus.CounterVec
	closed    *prometheus.CounterVec
	open      prometheus.Gauge
	stopped   prometheus.Counter
	published prometheus.Counter
	alarms    prometheus.Counter
	repaired  prometheus.Counter
	lag       prometheus.Gauge
	lagAge    prometheus.Gauge
	balance   *prometheus.GaugeVec
	requests  *prometheus.CounterVec
	// sharedAway is 1 while Redis is configured and out of reach.
	sharedAway prometheus.Gauge
	receivers
	unheard prometheus.Gauge
}

// receivers are the series of each receiver.
type receivers struct {
	pending, oldest, awaiting, parked, receipt *prometheus.GaugeVec
	failing                                    *prometheus.GaugeVec
}

func newReceivers() receivers {
	gauge := func(name, help string, more ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, append([]string{"receiver"}, more...))
	}
	return receivers{
		pending:  gauge("stafett_receiver_pending", "Deliveries that are to be sent to a receiver, at least each minute."),
		oldest:   gauge("stafett_receiver_oldest_pending_seconds", "Age of the oldest delivery that is to be sent, 0 for none, at least each minute."),
		awaiting: gauge("stafett_receiver_awaiting_receipt", "Deliveries whose receipt has not come, at least each minute."),
		parked:   gauge("stafett_receiver_parked", "Deliveries that wait for a named person, at least each minute."),
		receipt:  gauge("stafett_receiver_last_receipt_timestamp_seconds", "When a receiver last receipted, at least each minute."),
		failing:  gauge("stafett_receiver_failing_since_timestamp_seconds", "Since when sends to a receiver's service fail, 0 while they do not.", "service"),
	}
}

func (r receivers) set(boxes []ledger.Outbox, now time.Time) {
	for _, b := range boxes {
		to := string(b.Receiver)
		age := 0.0
		if !b.Oldest.IsZero() {
			age = now.Sub(b.Oldest).Seconds()
		}
		r.pending.WithLabelValues(to).Set(float64(b.Pending))
		r.oldest.WithLabelValues(to).Set(age)
		r.awaiting.WithLabelValues(to).Set(float64(b.Awaiting))
		r.parked.WithLabelValues(to).Set(float64(b.Parked))
		if !b.LastReceipt.IsZero() {
			r.receipt.WithLabelValues(to).Set(unixSeconds(b.LastReceipt))
		}
	}
}

// Failing tells since when sends to a receiver's service fail.
func (m *metrics) Failing(to handover.PartyID, service string, since time.Time) {
	seconds := 0.0
	if !since.IsZero() {
		seconds = unixSeconds(since)
	}
	m.failing.WithLabelValues(string(to), service).Set(seconds)
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), receivers: newReceivers(),
		unheard:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "stafett_unheard", Help: "Applied messages whose content reached nobody, at least each minute."}),
		taken:      prometheus.NewCounterVec(prometheus.CounterOpts{Name: "stafett_messages_total", Help: "Messages taken, by wire and disposition; unanswered ones have none."}, []string{"wire", "disposition"}),
		took:       prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "stafett_intake_seconds", Help: "From the last byte to the end of intake.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}, []string{"wire"}),
		delivered:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "stafett_deliveries_total", Help: "Deliveries that ended or were parked, by wire and state."}, []string{"wire", "state"}),
		escalated:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "stafett_escalations_total", Help: "Alerts made, by kind of handover."}, []string{"kind"}),
		answered:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "stafett_mllp_answers_total", Help: "MLLP messages by outcome."}, []string{"outcome"}),
		closed:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "stafett_mllp_connections_closed_total", Help: "MLLP connections that ended, by reason."}, []string{"reason"}),
		open:       prometheus.NewGauge(prometheus.GaugeOpts{Name: "stafett_mllp_connections", Help: "Open MLLP connections."}),
		stopped:    prometheus.NewCounter(prometheus.CounterOpts{Name: "stafett_mllp_reading_stopped_total", Help: "Times that MLLP reading stopped for messages in flight."}),
		published:  prometheus.NewCounter(prometheus.CounterOpts{Name: "stafett_events_published_total", Help: "Events that the stream has taken and synced."}),
		alarms:     prometheus.NewCounter(prometheus.CounterOpts{Name: "stafett_event_alarms_total", Help: "Times that a stream contradicted the ledger."}),
		repaired:   prometheus.NewCounter(prometheus.CounterOpts{Name: "stafett_event_streams_repaired_total", Help: "Streams that were rebuilt from the ledger."}),
		lag:        prometheus.NewGauge(prometheus.GaugeOpts{Name: "stafett_event_lag", Help: "Events that the stream does not hold yet."}),
		lagAge:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "stafett_event_lag_seconds", Help: "Age of the oldest event that the stream does not hold."}),
		balance:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "stafett_balance", Help: "Messages in the ledger by how they ended, at least each minute."}, []string{"disposition"}),
		sharedAway: prometheus.NewGauge(prometheus.GaugeOpts{Name: "stafett_redis_away", Help: "1 while Redis is configured and out of reach, so that callers' rates are counted in this process alone."}),
		requests:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "stafett_http_requests_total", Help: "HTTP requests by route and status."}, []string{"route", "status"}),
	}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.taken, m.took, m.delivered, m.escalated, m.answered, m.closed, m.open, m.stopped, m.published, m.alarms, m.repaired, m.lag, m.lagAge, m.balance, m.requests, m.sharedAway,
		m.pending, m.oldest, m.awaiting, m.parked, m.receipt, m.failing, m.unheard)
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Took counts a message and the time its intake took.
func (m *metrics) Took(w handover.Wire, d ledger.Disposition, took time.Duration) {
	m.count.Add(1)
	m.taken.WithLabelValues(string(w), string(d)).Inc()
	m.took.WithLabelValues(string(w)).Observe(took.Seconds())
}

// Delivered counts a delivery that ended or was parked.
func (m *metrics) Delivered(w handover.Wire, s ledger.DeliveryState) {
	m.delivered.WithLabelValues(string(w), string(s)).Inc()
}

// Escalated counts an alert.
func (m *metrics) Escalated(k handover.Kind) { m.escalated.WithLabelValues(string(k)).Inc() }

// ConnectionOpened counts an MLLP connection.
func (m *metrics) ConnectionOpened() { m.open.Inc() }

// ConnectionClosed counts the end of an MLLP connection.
func (m *metrics) ConnectionClosed(r hl7v2.CloseReason) {
	m.open.Dec()
	m.closed.WithLabelValues(string(r)).Inc()
}

// MessageAnswered counts an MLLP answer.
func (m *metrics) MessageAnswered(o adapters.Outcome, _ int, _ time.Duration) {
	m.answered.WithLabelValues(string(o)).Inc()
}

// ReadingStopped counts MLLP back-pressure.
func (m *metrics) ReadingStopped() { m.stopped.Inc() }

// watch reads what must be asked for: the relay's lag, and what the ledger sums up.
func (m *metrics) watch(ctx context.Context, record ledger.Record, r *events.Relay) {
	second, sums := time.NewTicker(time.Second), time.NewTimer(0)
	defer second.Stop()
	defer sums.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-second.C:
			if lag, err := r.Lag(ctx); err == nil {
				m.lag.Set(float64(lag.Events))
				age := 0.0
				if !lag.Oldest.IsZero() {
					age = time.Since(lag.Oldest).Seconds()
				}
				m.lagAge.Set(age)
			}
		case <-sums.C:
			start := time.Now()
			m.sumUp(ctx, record)
			sums.Reset(pauseAfter(time.Since(start)))
		}
	}
}

// pauseAfter lets the sums, which read all messages and deliveries, take no more than a
// hundredth of the time; they are never older than a minute and a little.
func pauseAfter(took time.Duration) time.Duration {
	return min(max(100*took, 5*time.Second), time.Minute)
}

// sumUp reads the sums of the ledger. What cannot be read now keeps its former value.
func (m *metrics) sumUp(ctx context.Context, record ledger.Record) {
	if b, err := record.Balance(ctx); err == nil {
		for d, n := range map[ledger.Disposition]int64{ledger.DispositionDelivered: b.Delivered, ledger.DispositionApplied: b.Applied,
			ledger.DispositionRepeated: b.Repeated, ledger.DispositionRefused: b.Refused, ledger.DispositionParked: b.Parked, ledger.DispositionClosed: b.Closed, ledger.DispositionMoving: b.Moving} {
			m.balance.WithLabelValues(string(d)).Set(float64(n))
		}
	}
	if boxes, err := record.Outbox(ctx); err == nil {
		m.receivers.set(boxes, time.Now())
	}
	if l, err := record.Unheard(ctx, ledger.ParkedFilter{Limit: 1}); err == nil {
		m.unheard.Set(float64(l.Total))
	}
}

// observeRequests counts requests by route pattern, so that no id becomes a label.
func (a *app) observeRequests(c *gin.Context) {
	start := time.Now()
	c.Next()
	route := c.FullPath()
	if route == "" {
		route = "none"
	}
	a.metrics.requests.WithLabelValues(route, strconv.Itoa(c.Writer.Status())).Inc()
	for _, e := range c.Errors {
		a.log.Warn("call failed", "route", route, "correlation", e.Meta, "cause", e.Err.Error())
	}
	a.log.Debug("request", "method", methodOf(c.Request), "route", route, "status", c.Writer.Status(), "took", time.Since(start))
}

// methodOf is a request's method when it is one of HTTP's: a caller can put anything there.
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	}
	return "other"
}
