package ledgertest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"stafett/handover"
	"stafett/ledger"
)

func deliveryIDs(list []ledger.Delivery) []handover.DeliveryID {
	out := make([]handover.DeliveryID, len(list))
	for i := range list {
		out[i] = list[i].ID
	}
	return out
}

func testClaimOrder(t *testing.T, h Harness) {
	s := h.Open(t)
	in := func(id handover.DeliveryID, hid handover.ID, to handover.PartyID) ledger.Delivery {
		d := sampleDelivery(id, hid, "", Start)
		d.Receiver = to
		return d
	}
	must(t, s, ledger.Unit{Deliveries: []ledger.Delivery{in("a1", "a", municipality), in("a2", "a", municipality), in("a3", "a", municipality),
		in("c1", "a", institution), in("b1", "b", municipality), in("n1", "", municipality), in("n2", "", municipality)}})
	claim := func() []handover.DeliveryID {
		return deliveryIDs(must1(s.ClaimDeliveries(ctx, "me", Start, time.Minute, 100)))
	}
	end := func(id handover.DeliveryID, state ledger.DeliveryState) {
		d := must1(s.Delivery(ctx, id))
		d.State, d.EndedAt = state, Start
		must(t, s, ledger.Unit{Deliveries: []ledger.Delivery{d}})
	}
	same(t, "the first of each line, and all without a handover", claim(), []handover.DeliveryID{"a1", "c1", "b1", "n1", "n2"})
	same(t, "leased", claim(), []handover.DeliveryID(nil))
	end("a1", ledger.DeliveryPending)
	same(t, "to be sent again, before the second", claim(), []handover.DeliveryID{"a1"})
	end("a1", ledger.DeliveryAwaiting)
	same(t, "one that awaits its receipt holds up nothing", claim(), []handover.DeliveryID{"a2"})
	end("a2", ledger.DeliveryParked)
	same(t, "nor does a parked one", claim(), []handover.DeliveryID{"a3"})
	must(t, s, ledger.Unit{Deliveries: []ledger.Delivery{in("a4", "a", municipality), in("a5", "a", municipality)}})
	same(t, "behind one under way", claim(), []handover.DeliveryID(nil))
	end("a3", ledger.DeliveryReceipted)
	same(t, "next", claim(), []handover.DeliveryID{"a4"})
	end("a2", ledger.DeliveryPending)
	end("a4", ledger.DeliveryPending)
	same(t, "one that is opened again comes first", claim(), []handover.DeliveryID{"a2"})
	same(t, "order of a handover", deliveryIDs(must1(s.DeliveriesOfHandover(ctx, "a"))), []handover.DeliveryID{"a1", "a2", "a3", "c1", "a4", "a5"})
	results := must1(s.Apply(ctx, []ledger.Unit{{Deliveries: []ledger.Delivery{{ID: "stateless"}}}}))
	if results[0].Err == nil {
		t.Error("a delivery without a state is stored, and nothing would see to it")
	}
	same(t, "by external id", must1(s.DeliveryByExternalID(ctx, municipality, "out-b1")).ID, handover.DeliveryID("b1"))
	_, err := s.DeliveryByExternalID(ctx, institution, "out-b1")
	wantNotFound(t, "external id of another receiver", err)
	whole(t, s)
}

func testClaimLease(t *testing.T, h Harness) {
	s := h.Open(t)
	d := sampleDelivery("d", "h", "", Start)
	d.NextAttempt = Start.Add(time.Minute)
	must(t, s, ledger.Unit{Deliveries: []ledger.Delivery{d}})
	claim := func(owner string, after time.Duration) []ledger.Delivery {
		return must1(s.ClaimDeliveries(ctx, owner, Start.Add(after), 10*time.Second, 10))
	}
	head := must1(s.Head(ctx)).Head
	same(t, "before its time", len(claim("a", 59*time.Second)), 0)
	first := claim("a", 60*time.Second)
	if len(first) != 1 {
		t.Fatal("not claimed at its time")
	}
	want := d
	want.State, want.Attempts, want.LeaseOwner, want.LeaseUntil = ledger.DeliverySending, 1, "a", Start.Add(70*time.Second)
	want.Order, want.Version = 1, 2
	same(t, "claimed", first[0], want)
	same(t, "stored as claimed", must1(s.Delivery(ctx, "d")), want)
	same(t, "within the lease", len(claim("b", 69*time.Second)), 0)
	same(t, "the lease is when to look next", must1(s.NextDue(ctx)), Start.Add(70*time.Second))
	second := claim("b", 70*time.Second)
	if len(second) != 1 || second[0].Attempts != 2 || second[0].LeaseOwner != "b" {
		t.Fatalf("an ended lease is not claimed: %+v", second)
	}
	if must1(s.Head(ctx)).Head != head {
		t.Error("a claim made a chain entry")
	}
	stale := first[0]
	stale.State = ledger.DeliveryAwaiting
	refuses(t, s, ledger.ErrConflict, ledger.Unit{Deliveries: []ledger.Delivery{stale}})
	done := second[0]
	done.State, done.Raw, done.ExternalID, done.Receiver, done.Told = ledger.DeliveryAwaiting, []byte("forged"), "forged", institution, "forged"
	must(t, s, ledger.Unit{Deliveries: []ledger.Delivery{done}})
	after := must1(s.Delivery(ctx, "d"))
	if string(after.Raw) != string(d.Raw) || after.ExternalID != d.ExternalID || after.Receiver != d.Receiver || after.Told != d.Told {
		t.Error("an update changed what goes out")
	}
	whole(t, s)
}

// testClaimConcurrent: every delivery is claimed by exactly one of many.
func testClaimConcurrent(t *testing.T, h Harness) {
	s := h.Open(t)
	stores := []ledger.Store{s}
	if h.Second != nil {
		stores = append(stores, h.Second(t, s))
	}
	const total = 120
	var units []ledger.Unit
	for i := range total {
		units = append(units, ledger.Unit{Deliveries: []ledger.Delivery{sampleDelivery(handover.DeliveryID(fmt.Sprint("d", i)), handover.ID(fmt.Sprint("h", i)), "", Start)}})
	}
	must(t, s, units...)
	var mu sync.Mutex
	claimed := map[handover.DeliveryID]int{}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range total {
				list, err := stores[i%len(stores)].ClaimDeliveries(ctx, fmt.Sprint("w", i), Start, time.Hour, 5)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, d := range list {
					claimed[d.ID]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for id, n := range claimed {
		if n != 1 {
			t.Errorf("%s was claimed %d times", id, n)
		}
	}
	if len(claimed) != total {
		t.Errorf("%d of %d were claimed", len(claimed), total)
	}
	whole(t, s)
}

func testOutbox(t *testing.T, h Harness) {
	s := h.Open(t)
	if out := must1(s.Outbox(ctx)); len(out) != 0 {
		t.Errorf("an empty ledger has %v", out)
	}
	in := func(id handover.DeliveryID, to handover.PartyID, state ledger.DeliveryState, made, ended time.Duration) ledger.Delivery {
		d := sampleDelivery(id, "h", "", Start)
		d.Receiver, d.State, d.CreatedAt = to, state, Start.Add(made)
		if d.State.Ended() {
			d.EndedAt = Start.Add(ended)
		}
		return d
	}
	must(t, s, ledger.Unit{Deliveries: []ledger.Delivery{
		in("a1", municipality, ledger.DeliveryReceipted, 0, time.Hour), in("a2", municipality, ledger.DeliveryReceipted, 0, 2*time.Hour),
		in("a3", municipality, ledger.DeliveryClosed, 0, 9*time.Hour), in("a4", municipality, ledger.DeliveryPending, 3*time.Hour, 0),
		in("a5", municipality, ledger.DeliverySending, 4*time.Hour, 0), in("a6", municipality, ledger.DeliveryAwaiting, 0, 0),
		in("b1", institution, ledger.DeliveryParked, 0, 0), in("b2", institution, ledger.DeliveryRefused, 0, 0)}})
	byReceiver := map[handover.PartyID]ledger.Outbox{}
	for _, o := range must1(s.Outbox(ctx)) {
		byReceiver[o.Receiver] = o
	}
	same(t, "per receiver", byReceiver, map[handover.PartyID]ledger.Outbox{
		municipality: {Receiver: municipality, Pending: 2, Oldest: Start.Add(3 * time.Hour), Awaiting: 1, LastReceipt: Start.Add(2 * time.Hour)},
		institution:  {Receiver: institution, Parked: 2}})
}
