package main

import (
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"stafett/bench"
)

// TestInvariant1_2_3_5_TwoGatewaysOnOneLedger: two processes share a PostgreSQL ledger; each
// takes half of the messages, and receipts come to whichever. Everything happens once.
func TestInvariant1_2_3_5_TwoGatewaysOnOneLedger(t *testing.T) {
	needsProcess(t)
	if os.Getenv("STAFETT_TEST_POSTGRES") == "" {
		t.Skip("two gateways share a PostgreSQL ledger: STAFETT_TEST_POSTGRES is not set")
	}
	compose{}.ledger(t, t.TempDir()) // sets STAFETT_LEDGER
	p := newWireParties(t)
	var directory string
	var operators []Operator
	one := newBlackbox(t, p, func(_ *blackbox, c *Config) {
		c.Ledger = Ledger{Postgres: "env:STAFETT_LEDGER"}
		directory, operators = c.Directory, c.Operators
	})
	two := newBlackbox(t, p, func(_ *blackbox, c *Config) {
		c.Ledger = Ledger{Postgres: "env:STAFETT_LEDGER"}
		c.Directory, c.Operators = directory, operators
	})
	two.tokens, two.operator = one.tokens, one.operator
	boxes := []*blackbox{one, two}
	for _, b := range boxes {
		b.start()
	}

	const senders, each = 6, 10
	var all sync.WaitGroup
	for sender := range senders {
		all.Go(func() {
			for n := range each {
				msg := bench.Message(sender, n)
				// The first answer decides; the other gateway must know the repeat.
				for _, b := range []*blackbox{boxes[n%2], boxes[(n+1)%2]} {
					if err := b.sendHL7(t.Context(), msg); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	all.Wait()
	one.until(time.Minute, "every notice has arrived", func() bool { return p.municipality.count("LOG_UTSKRIVNINGSKLAR") == senders*each })
	for i, a := range p.municipality.all() {
		if a.typ != "LOG_UTSKRIVNINGSKLAR" {
			continue
		}
		if a.times != 1 {
			t.Errorf("%s arrived %d times", a.id, a.times)
		}
		got, err := boxes[i%2].sendHTTP(t.Context(), "POST", "/kith", kommune, []byte(bench.Receipt(a.raw)), map[string]string{"Content-Type": "application/xml"})
		if err != nil || got.status != http.StatusAccepted {
			t.Fatalf("receipt: %d %v", got.status, err)
		}
	}
	for _, b := range boxes {
		v := b.settled(time.Minute)
		if !v.Holds || v.Repeated != senders*each || v.Delivered != senders*each || v.Parked+v.Refused != 0 {
			t.Errorf("%+v", v)
		}
		b.until(time.Minute, "the stream has caught up", func() bool {
			_, code := b.cli("events", "verify")
			return code == 0
		})
		b.proves("the chain is whole", "ledger", "verify")
	}
	for _, b := range boxes {
		b.stop(b.at.Load())
	}
}
