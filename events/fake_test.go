package events

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"stafett/handover"
	"stafett/ledger"
)

// memory is a ledger that holds events only.
type memory struct {
	mu     sync.Mutex
	epoch  string
	events []ledger.Event
}

func (m *memory) Events(_ context.Context, after int64, limit int) ([]ledger.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if after >= int64(len(m.events)) {
		return nil, nil
	}
	page := m.events[after:]
	return append([]ledger.Event(nil), page[:min(limit, len(page))]...), nil
}

func (m *memory) LastEvent(context.Context) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return int64(len(m.events)), nil
}

func (m *memory) Meta(context.Context) (ledger.Meta, error) {
	return ledger.Meta{Epoch: m.epoch}, nil
}

// The parties of the tests.
const (
	hospital     handover.PartyID = "fjellheim-sykehus"
	municipality handover.PartyID = "dalvik-kommune"
	institution  handover.PartyID = "solbakken-rehabilitering"
)

// add appends n events that go round the closed set, between changing parties.
func (m *memory) add(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	names, pairs := handover.EventNames(), [][2]handover.PartyID{{hospital, municipality},
		{municipality, institution}, {hospital, institution}}
	for range n {
		seq := int64(len(m.events) + 1)
		pair := pairs[seq%3]
		m.events = append(m.events, ledger.Event{Seq: seq, ID: fmt.Sprintf("%s-%d", m.epoch, seq),
			Handover: handover.ID(fmt.Sprintf("h-%d", seq%7)), Chain: handover.ChainID(fmt.Sprintf("c-%d", seq%5)),
			Kind: handover.Kinds()[seq%3], Name: names[seq%int64(len(names))], From: pair[0], To: pair[1],
			State: handover.StateRequested, Actor: pair[0], Role: handover.RoleSender, Reason: "told",
			Message:   handover.MessageID(fmt.Sprintf("m-%d", seq)),
			At:        time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(seq) * time.Second),
			ChainHead: handover.Digest(fmt.Sprintf("%064x", seq))})
	}
}

func (m *memory) cut(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = m.events[:n]
}

// readers are the parties' credentials in the tests.
func readers() []Reader {
	return []Reader{{hospital, "hospital-secret"}, {municipality, "municipality-secret"}, {institution, "institution-secret"}}
}

func openBus(t *testing.T, dir string) *Bus {
	t.Helper()
	b, err := Open(context.Background(), Config{Dir: dir, Readers: readers()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// relaying is a running relay of a test.
type relaying struct {
	*Relay
	stop   func()
	ended  chan error
	alarms chan error
}

func run(t *testing.T, src ledger.EventLog, b *Bus) *relaying {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &relaying{ended: make(chan error, 1), alarms: make(chan error, 16)}
	r.Relay = NewRelay(RelayConfig{Ledger: src, Bus: b, Poll: 20 * time.Millisecond,
		Alarm: func(_ handover.PartyID, err error) { r.alarms <- err }})
	done := make(chan struct{})
	go func() { r.ended <- r.Run(ctx); close(done) }()
	r.stop = func() { cancel(); <-done }
	t.Cleanup(r.stop)
	return r
}

// until polls a condition with a bound, for states that only a server tells.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline, tick := time.After(60*time.Second), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatal("not within a minute: " + what)
		case <-tick.C:
		}
	}
}

// rounds is how many: few, or many with STAFETT_TEST_SLOW.
func rounds(few, many int) int {
	if os.Getenv("STAFETT_TEST_SLOW") == "" {
		return few
	}
	return many
}

// settled waits until the stream and every feed hold what the ledger has.
func settled(t *testing.T, r *relaying, m *memory) {
	t.Helper()
	last, _ := m.LastEvent(context.Background())
	until(t, "relay at the ledger's end", func() bool {
		state, acked, _ := r.Status()
		return state == RelayRunning && acked == last
	})
	for party := range r.feeds {
		want := int64(0)
		for _, e := range m.events[:last] {
			if takesPart(e, party) {
				want = e.Seq
			}
		}
		until(t, "feed at the ledger's end", func() bool { seq, err := r.feedStatus(party); return err == nil && seq == want })
	}
}

// whole fails the test unless the stream and every party's stream hold the ledger.
func whole(t *testing.T, m *memory, b *Bus) {
	t.Helper()
	ctx := context.Background()
	got, err := Compare(ctx, m, b, 1)
	if err != nil || got.First != nil || got.Compared != int64(len(m.events)) {
		t.Fatalf("stream and ledger: %+v %+v %v", got, got.First, err)
	}
	for _, party := range b.Parties() {
		got, err := Verify(ctx, m, b, party, 1)
		if err != nil || got.First != nil {
			t.Fatalf("party %s: %+v %+v %v", party, got, got.First, err)
		}
	}
}

// feedStatus is the ledger's sequence of the last event that a party's own stream holds,
// and the error that stopped or delays the feed.
func (r *Relay) feedStatus(party handover.PartyID) (int64, error) {
	f := r.feeds[party]
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seq, f.err
}
