package ledgertest

import (
	"fmt"
	"testing"
	"time"

	"stafett/handover"
	"stafett/ledger"
)

func messageUnit(id handover.MessageID, externalID, raw string) ledger.Unit {
	m := sampleMessage(id, externalID, []byte(raw), Start)
	return ledger.Unit{Message: &m}
}

func testRepeat(t *testing.T, h Harness) {
	s := h.Open(t)
	must(t, s, messageUnit("m1", "A", "one"))
	refuses(t, s, ledger.ErrRepeat, messageUnit("m2", "A", "one"))
	must(t, s, messageUnit("m3", "A", "other content"))
	must(t, s, messageUnit("m4", "", "no id"), messageUnit("m5", "", "no id"))
	elsewhere := messageUnit("m6", "A", "one")
	elsewhere.Message.Sender = municipality
	must(t, s, elsewhere)
	repeat := messageUnit("m7", "A", "one")
	repeat.Message.Disposition, repeat.Message.Repeats = ledger.DispositionRepeated, "m1"
	must(t, s, repeat)
	refuses(t, s, ledger.ErrConflict, messageUnit("m1", "B", "id exists"))
	refused := messageUnit("m12", "R", "refused")
	refused.Message.Disposition = ledger.DispositionRefused
	again := messageUnit("m13", "R", "refused")
	again.Message.Disposition = ledger.DispositionRefused
	must(t, s, refused, again)
	must(t, s, messageUnit("m14", "R", "refused"))
	refuses(t, s, ledger.ErrRepeat, messageUnit("m15", "R", "refused"))
	plain := messageUnit("m10", "P", "plain")
	plain.Message.Digest = ""
	must(t, s, plain)
	refuses(t, s, ledger.ErrRepeat, messageUnit("m11", "P", "plain"))
	changed := must1(s.Message(ctx, "m7"))
	changed.Disposition = ledger.DispositionApplied
	refuses(t, s, ledger.ErrConflict, ledger.Unit{Messages: []ledger.MessageUpdate{{Message: changed}}})

	results := must1(s.Apply(ctx, []ledger.Unit{messageUnit("m8", "C", "x"), messageUnit("m9", "C", "x")}))
	if results[0].Err != nil || results[1].Err == nil {
		t.Errorf("repeat within one batch: %v, %v", results[0].Err, results[1].Err)
	}
	var ids []handover.MessageID
	for _, m := range must1(s.MessagesByExternalID(ctx, hospital, "A")) {
		ids = append(ids, m.ID)
	}
	same(t, "by external id, oldest first, repeats left out", ids, []handover.MessageID{"m1", "m3"})
	whole(t, s)
}

func testConflicts(t *testing.T, h Harness) {
	s := h.Open(t)
	u := Unit(1)
	must(t, s, u)
	m := must1(s.Message(ctx, u.Message.ID))
	hd := must1(s.Handover(ctx, u.Handovers[0].ID))
	d := must1(s.Delivery(ctx, u.Deliveries[0].ID))
	r := u.Resources[0]
	at := func(v int64) []ledger.Unit {
		m2, h2, d2, r2 := m, hd, d, r
		m2.Version, h2.Version, d2.Version, r2.Expect = v, v, v, v
		return []ledger.Unit{{Messages: []ledger.MessageUpdate{{Message: m2}}}, {Handovers: []handover.Handover{h2}},
			{Deliveries: []ledger.Delivery{d2}}, {Resources: []ledger.ResourceWrite{r2}}}
	}
	for _, wrong := range []int64{0, 2, 99} {
		for _, unit := range at(wrong) {
			refuses(t, s, ledger.ErrConflict, unit)
		}
	}
	must(t, s, at(1)...)
	for _, unit := range at(1) {
		refuses(t, s, ledger.ErrConflict, unit)
	}
	must(t, s, at(2)...)
	any := r
	any.Expect = -1
	fresh := sampleResource("Task", "fresh", "", 1, Start)
	fresh.Expect = -1
	stored := must(t, s, ledger.Unit{Resources: []ledger.ResourceWrite{any, fresh, any}})[0].Resources
	same(t, "versions", []int64{stored[0].Version, stored[1].Version, stored[2].Version}, []int64{4, 1, 5})
	refuses(t, s, ledger.ErrConflict, ledger.Unit{Handovers: []handover.Handover{{ID: "never", Version: 3}}})
	refuses(t, s, ledger.ErrConflict, ledger.Unit{Deliveries: []ledger.Delivery{{ID: "never", Version: 3, State: ledger.DeliveryPending}}})
	refuses(t, s, ledger.ErrConflict, ledger.Unit{Resources: []ledger.ResourceWrite{{Type: "Task", ID: "never", Expect: 3}}})
	same(t, "handover", must1(s.Handover(ctx, hd.ID)).Version, int64(3))
	same(t, "message", must1(s.Message(ctx, m.ID)).Version, int64(3))
	same(t, "delivery", must1(s.Delivery(ctx, d.ID)).Version, int64(3))
	whole(t, s)
}

func testMessageUpdate(t *testing.T, h Harness) {
	s := h.Open(t)
	u := messageUnit("m1", "A", "one")
	u.Message.Disposition, u.Message.Contact, u.Message.Deadline = ledger.DispositionParked, "vakt", Start.Add(time.Hour)
	u.Message.Sender = ""
	must(t, s, u)
	change := must1(s.Message(ctx, "m1"))
	change.Raw, change.Digest, change.ExternalID, change.Wire = []byte("forged"), "f", "F", "another-wire"
	change.ReceivedAt, change.Caller = Start.Add(time.Hour), institution
	change.Answer, change.Report = nil, []byte(`{"new":1}`)
	change.Sender, change.Disposition, change.Resolution, change.Person = hospital, ledger.DispositionApplied, "rerouted", "kari"
	must(t, s, ledger.Unit{Messages: []ledger.MessageUpdate{{Message: change}}})
	want := *u.Message
	want.Version, want.Sender, want.Disposition, want.Resolution, want.Person = 2, hospital, ledger.DispositionApplied, "rerouted", "kari"
	want.Report = []byte(`{"new":1}`)
	same(t, "message", must1(s.Message(ctx, "m1")), want)
	whole(t, s)
}

// deliveryIn returns a delivery that keeps its promise in a state.
func deliveryIn(id handover.DeliveryID, m handover.MessageID, state ledger.DeliveryState) ledger.Delivery {
	d := sampleDelivery(id, "", m, Start)
	d.State, d.LeaseUntil, d.Contact = state, Start.Add(time.Minute), "vakt"
	return d
}

var deliveryStates = []ledger.DeliveryState{ledger.DeliveryPending, ledger.DeliverySending, ledger.DeliveryAwaiting,
	ledger.DeliveryReceipted, ledger.DeliveryRefused, ledger.DeliveryParked, ledger.DeliveryClosed, ledger.DeliverySuperseded}

// stateOf is the contract's sum, said again: the worst delivery decides.
func stateOf(stored ledger.Disposition, states []ledger.DeliveryState) ledger.Disposition {
	if stored != ledger.DispositionApplied {
		return stored
	}
	of := map[ledger.DeliveryState]ledger.Disposition{
		ledger.DeliveryPending: ledger.DispositionMoving, ledger.DeliverySending: ledger.DispositionMoving,
		ledger.DeliveryAwaiting: ledger.DispositionMoving, ledger.DeliveryReceipted: ledger.DispositionDelivered,
		ledger.DeliveryRefused: ledger.DispositionParked, ledger.DeliveryParked: ledger.DispositionParked,
		ledger.DeliveryClosed: ledger.DispositionClosed,
	}
	met := map[ledger.Disposition]bool{}
	for _, st := range states {
		met[of[st]] = true
	}
	for _, worst := range []ledger.Disposition{ledger.DispositionParked, ledger.DispositionMoving, ledger.DispositionClosed, ledger.DispositionDelivered} {
		if met[worst] {
			return worst
		}
	}
	return ledger.DispositionApplied
}

// sumOf is the balance of messages that count as given.
func sumOf(counted []ledger.Disposition) ledger.Balance {
	b := ledger.Balance{Received: int64(len(counted))}
	of := map[ledger.Disposition]*int64{ledger.DispositionDelivered: &b.Delivered, ledger.DispositionApplied: &b.Applied,
		ledger.DispositionRepeated: &b.Repeated, ledger.DispositionRefused: &b.Refused, ledger.DispositionParked: &b.Parked,
		ledger.DispositionClosed: &b.Closed, ledger.DispositionMoving: &b.Moving}
	for _, d := range counted {
		*of[d]++
	}
	return b
}

func testMessageState(t *testing.T, h Harness) {
	s := h.Open(t)
	n := 0
	var counted []ledger.Disposition
	check := func(stored ledger.Disposition, states ...ledger.DeliveryState) {
		n++
		counted = append(counted, stateOf(stored, states))
		id := handover.MessageID(fmt.Sprintf("m%d", n))
		u := messageUnit(id, "", string(id))
		u.Message.Disposition, u.Message.Contact, u.Message.Deadline = stored, "vakt", Start
		for i, st := range states {
			u.Deliveries = append(u.Deliveries, deliveryIn(handover.DeliveryID(fmt.Sprintf("%s-%d", id, i)), id, st))
		}
		must(t, s, u)
		if got := must1(s.MessageState(ctx, id)); got != stateOf(stored, states) {
			t.Errorf("%s with %v: got %s, want %s", stored, states, got, stateOf(stored, states))
		}
		if got := must1(s.DeliveriesOf(ctx, id)); len(got) != len(states) {
			t.Errorf("%d deliveries, want %d", len(got), len(states))
		}
	}
	for _, stored := range []ledger.Disposition{ledger.DispositionApplied, ledger.DispositionRepeated, ledger.DispositionRefused,
		ledger.DispositionParked, ledger.DispositionClosed, ledger.DispositionMoving} {
		check(stored)
		for _, a := range deliveryStates {
			check(stored, a)
			for _, b := range deliveryStates {
				check(stored, a, b)
			}
		}
	}
	b := must1(s.Balance(ctx))
	same(t, "the balance of them all", b, sumOf(counted))
	if !b.Holds() {
		t.Error("it does not hold")
	}
	_, err := s.MessageState(ctx, "none")
	wantNotFound(t, "state of no message", err)
}

func testBalance(t *testing.T, h Harness) {
	s := h.Open(t)
	if b := must1(s.Balance(ctx)); !b.Holds() || b.Received != 0 {
		t.Errorf("empty ledger: %+v", b)
	}
	parked := messageUnit("parked", "", "p")
	parked.Message.Disposition, parked.Message.Contact, parked.Message.Deadline = ledger.DispositionParked, "vakt", Start
	refused := messageUnit("refused", "", "r")
	refused.Message.Disposition = ledger.DispositionRefused
	refused.Deliveries = []ledger.Delivery{deliveryIn("d0", "refused", ledger.DeliveryPending)}
	repeated := messageUnit("repeated", "", "r")
	repeated.Message.Disposition = ledger.DispositionRepeated
	moving := messageUnit("moving", "", "m")
	moving.Deliveries = []ledger.Delivery{deliveryIn("d1", "moving", ledger.DeliveryReceipted), deliveryIn("d2", "moving", ledger.DeliveryAwaiting)}
	stuck := messageUnit("stuck", "", "s")
	stuck.Deliveries = []ledger.Delivery{deliveryIn("d3", "stuck", ledger.DeliveryRefused), deliveryIn("d4", "stuck", ledger.DeliveryPending)}
	done := messageUnit("done", "", "d")
	done.Deliveries = []ledger.Delivery{deliveryIn("d5", "done", ledger.DeliveryReceipted), deliveryIn("d6", "done", ledger.DeliverySuperseded)}
	closed := messageUnit("closed", "", "c")
	closed.Message.Disposition = ledger.DispositionClosed
	ended := messageUnit("ended", "", "e")
	ended.Deliveries = []ledger.Delivery{deliveryIn("d7", "ended", ledger.DeliveryReceipted), deliveryIn("d8", "ended", ledger.DeliveryClosed)}
	waiting := messageUnit("waiting", "", "w")
	waiting.Message.Disposition, waiting.Message.Deadline = ledger.DispositionMoving, Start
	must(t, s, parked, refused, repeated, moving, stuck, done, waiting, closed, ended, messageUnit("applied", "", "a"))
	b := must1(s.Balance(ctx))
	same(t, "balance", b, ledger.Balance{Received: 10, Delivered: 1, Applied: 1, Repeated: 1, Refused: 1, Parked: 2, Closed: 2, Moving: 2})
	if !b.Holds() {
		t.Error("the balance does not hold")
	}
	testBrokenPromises(t, h)
}

// testBrokenPromises names each way in which a message or handover can be forgotten.
func testBrokenPromises(t *testing.T, h Harness) {
	for name, f := range map[string]func(*ledger.Unit){
		"parked without contact":   func(u *ledger.Unit) { u.Message.Disposition, u.Message.Deadline = ledger.DispositionParked, Start },
		"parked without deadline":  func(u *ledger.Unit) { u.Message.Disposition, u.Message.Contact = ledger.DispositionParked, "vakt" },
		"waiting without deadline": func(u *ledger.Unit) { u.Message.Disposition = ledger.DispositionMoving },
		"unknown disposition":      func(u *ledger.Unit) { u.Message.Disposition = "lost" },
		"pending without attempt": func(u *ledger.Unit) {
			d := deliveryIn("d", "m", ledger.DeliveryPending)
			d.NextAttempt = time.Time{}
			u.Deliveries = []ledger.Delivery{d}
		},
		"sending without lease": func(u *ledger.Unit) {
			d := deliveryIn("d", "m", ledger.DeliverySending)
			d.LeaseUntil = time.Time{}
			u.Deliveries = []ledger.Delivery{d}
		},
		"awaiting without deadline": func(u *ledger.Unit) {
			d := deliveryIn("d", "m", ledger.DeliveryAwaiting)
			d.Deadline = time.Time{}
			u.Deliveries = []ledger.Delivery{d}
		},
		"delivery parked without contact": func(u *ledger.Unit) {
			d := deliveryIn("d", "m", ledger.DeliveryParked)
			d.Contact = ""
			u.Deliveries = []ledger.Delivery{d}
		},
	} {
		s := h.Open(t)
		u := messageUnit("m", "", "x")
		f(&u)
		must(t, s, u)
		b := must1(s.Balance(ctx))
		if b.Holds() {
			t.Errorf("%s: the balance holds", name)
		}
		same(t, name, b.Unaccounted, []handover.MessageID{"m"})
	}
	s := h.Open(t)
	hd := sampleHandover("h", Start)
	hd.Deadline = time.Time{}
	must(t, s, ledger.Unit{Handovers: []handover.Handover{hd}})
	same(t, "open without deadline", must1(s.Balance(ctx)).OpenHandoversWithoutDeadline, []handover.ID{"h"})
}
