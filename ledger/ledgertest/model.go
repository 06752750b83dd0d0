package ledgertest

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"

	"pgregory.net/rapid"

	"stafett/handover"
	"stafett/ledger"
)

// model is the contract in memory: versions of everything, and the counters.
type model struct {
	messages   map[handover.MessageID]ledger.Message
	once       map[string]bool
	handovers  map[handover.ID]int64
	deliveries map[handover.DeliveryID]int64
	resources  map[string]int64
	events     int64
	entries    int64
}

// fewerChecks makes the random runs of a test 25 instead of rapid's 100, unless
// STAFETT_TEST_SLOW or the command line asks for more.
func fewerChecks(t *testing.T) {
	checks := flag.Lookup("rapid.checks")
	if os.Getenv("STAFETT_TEST_SLOW") != "" || checks.Value.String() != checks.DefValue {
		return
	}
	_ = checks.Value.Set("25")
	t.Cleanup(func() { _ = checks.Value.Set(checks.DefValue) })
}

func newModel() model {
	return model{messages: map[handover.MessageID]ledger.Message{}, once: map[string]bool{}, handovers: map[handover.ID]int64{},
		deliveries: map[handover.DeliveryID]int64{}, resources: map[string]int64{}}
}

func copied[K comparable, V any](m map[K]V) map[K]V {
	out := make(map[K]V, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

func (m model) clone() model {
	m.messages, m.once, m.handovers = copied(m.messages), copied(m.once), copied(m.handovers)
	m.deliveries, m.resources = copied(m.deliveries), copied(m.resources)
	return m
}

// apply returns the model after u, or the error that u must have.
func (m model) apply(u *ledger.Unit) (model, error) {
	m = m.clone()
	m.entries++
	m.events += int64(len(u.Events))
	if msg := u.Message; msg != nil {
		if _, ok := m.messages[msg.ID]; ok {
			return m, ledger.ErrConflict
		}
		key := string(msg.Sender) + "|" + msg.ExternalID + "|" + string(msg.Digest)
		if msg.Disposition != ledger.DispositionRepeated && msg.Disposition != ledger.DispositionRefused && msg.ExternalID != "" {
			if m.once[key] {
				return m, ledger.ErrRepeat
			}
			m.once[key] = true
		}
		stored := *msg
		stored.Version = 1
		m.messages[msg.ID] = stored
	}
	for _, up := range u.Messages {
		old, ok := m.messages[up.Message.ID]
		if !ok {
			return m, ledger.ErrNotFound
		}
		if old.Version != up.Message.Version || (old.Disposition == ledger.DispositionRepeated) != (up.Message.Disposition == ledger.DispositionRepeated) {
			return m, ledger.ErrConflict
		}
		old.Version++
		old.Detail, old.Disposition = up.Message.Detail, up.Message.Disposition
		m.messages[old.ID] = old
	}
	for _, h := range u.Handovers {
		if m.handovers[h.ID] != h.Version {
			return m, ledger.ErrConflict
		}
		m.handovers[h.ID]++
	}
	for _, r := range u.Resources {
		if r.Expect >= 0 && m.resources[r.ID] != r.Expect {
			return m, ledger.ErrConflict
		}
		m.resources[r.ID]++
	}
	for _, d := range u.Deliveries {
		if m.deliveries[d.ID] != d.Version {
			return m, ledger.ErrConflict
		}
		m.deliveries[d.ID]++
	}
	return m, nil
}

var dispositions = []ledger.Disposition{ledger.DispositionApplied, ledger.DispositionRepeated, ledger.DispositionRefused}

// randomUnit draws small ids and near versions, so that units meet.
func randomUnit(rt *rapid.T) ledger.Unit {
	var u ledger.Unit
	id := func(label string) string { return fmt.Sprint(label, rapid.IntRange(0, 3).Draw(rt, label)) }
	version := func() int64 { return int64(rapid.IntRange(0, 3).Draw(rt, "version")) }
	if rapid.Bool().Draw(rt, "message") {
		m := sampleMessage(handover.MessageID(fmt.Sprint("m", rapid.IntRange(0, 12).Draw(rt, "m"))), rapid.SampledFrom([]string{"", "A", "B", "C"}).Draw(rt, "external"), []byte(id("raw")), Start)
		m.Disposition = rapid.SampledFrom(dispositions).Draw(rt, "disposition")
		u.Message = &m
	}
	for range rapid.IntRange(0, 1).Draw(rt, "updates") {
		m := sampleMessage(handover.MessageID(fmt.Sprint("m", rapid.IntRange(0, 12).Draw(rt, "m"))), "", nil, Start)
		m.Version, m.Detail, m.Disposition = max(1, version()), id("detail"), rapid.SampledFrom(dispositions).Draw(rt, "new disposition")
		u.Messages = append(u.Messages, ledger.MessageUpdate{Message: m})
	}
	for range rapid.IntRange(0, 2).Draw(rt, "handovers") {
		h := sampleHandover(handover.ID(id("h")), Start)
		h.Version = version()
		u.Handovers = append(u.Handovers, h)
	}
	for range rapid.IntRange(0, 2).Draw(rt, "resources") {
		r := sampleResource("Task", id("r"), "", 1, Start)
		r.JSON = []byte(`{}`)
		r.Expect, r.Deleted = version()-1, rapid.Bool().Draw(rt, "deleted")
		u.Resources = append(u.Resources, r)
	}
	for range rapid.IntRange(0, 2).Draw(rt, "deliveries") {
		d := deliveryIn(handover.DeliveryID(id("d")), "", rapid.SampledFrom(deliveryStates).Draw(rt, "state"))
		d.Version, d.Handover, d.Raw = version(), "line", []byte("x")
		u.Deliveries = append(u.Deliveries, d)
	}
	for range rapid.IntRange(0, 2).Draw(rt, "events") {
		u.Events = append(u.Events, sampleEvent("h", "", Start))
	}
	return u
}

// testModel compares random batches with the model.
func testModel(t *testing.T, h Harness) {
	fewerChecks(t)
	rapid.Check(t, func(rt *rapid.T) {
		s := h.Open(t)
		defer func() { _ = s.Close() }()
		want := newModel()
		for range rapid.IntRange(1, 12).Draw(rt, "batches") {
			batch := rapid.SliceOfN(rapid.Custom(randomUnit), 1, 5).Draw(rt, "units")
			results, err := s.Apply(ctx, batch)
			if err != nil {
				rt.Fatalf("Apply: %v", err)
			}
			for i := range batch {
				after, wantErr := want.apply(&batch[i])
				if !errors.Is(results[i].Err, wantErr) {
					rt.Fatalf("unit %d: got %v, want %v", i, results[i].Err, wantErr)
				}
				if wantErr == nil {
					want = after
				}
			}
		}
		want.compare(rt, s)
	})
}

func (m *model) compare(rt *rapid.T, s ledger.Store) {
	head := must1(s.Head(ctx))
	if head.Entry != m.entries || head.Event != m.events {
		rt.Fatalf("head %+v, want entry %d and event %d", head, m.entries, m.events)
	}
	for id, want := range m.messages {
		got := must1(s.Message(ctx, id))
		if got.Version != want.Version || got.Disposition != want.Disposition || got.Detail != want.Detail || string(got.Raw) != string(want.Raw) {
			rt.Fatalf("message %s: got %+v, want %+v", id, got, want)
		}
	}
	for id, version := range m.handovers {
		if got := must1(s.Handover(ctx, id)); got.Version != version {
			rt.Fatalf("handover %s is version %d, want %d", id, got.Version, version)
		}
	}
	for id, version := range m.resources {
		if got := must1(s.Resource(ctx, "Task", id)); got.Version != version {
			rt.Fatalf("resource %s is version %d, want %d", id, got.Version, version)
		}
	}
	m.compareLine(rt, s)
	if v := must1(s.Verify(ctx, nil)); v.Finding != nil || v.Entries != m.entries || v.Events != m.events {
		rt.Fatalf("verification %+v %+v", v, v.Finding)
	}
}

// compareLine: of one line of deliveries, only the first that is not sent yet can be claimed.
func (m *model) compareLine(rt *rapid.T, s ledger.Store) {
	line := must1(s.DeliveriesOfHandover(ctx, "line"))
	if len(line) != len(m.deliveries) {
		rt.Fatalf("%d deliveries, want %d", len(line), len(m.deliveries))
	}
	var want []handover.DeliveryID
	for _, d := range line {
		if d.Version != m.deliveries[d.ID] {
			rt.Fatalf("delivery %s is version %d, want %d", d.ID, d.Version, m.deliveries[d.ID])
		}
	}
	for _, d := range line {
		if d.State == ledger.DeliveryPending || d.State == ledger.DeliverySending {
			want = append(want, d.ID)
			break
		}
	}
	claimed := deliveryIDs(must1(s.ClaimDeliveries(ctx, "me", Start.AddDate(1, 0, 0), 1, 10)))
	if fmt.Sprint(claimed) != fmt.Sprint(want) {
		rt.Fatalf("claimed %v, want %v", claimed, want)
	}
}
