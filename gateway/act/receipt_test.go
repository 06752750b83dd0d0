package act

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"stafett/adapters/fhirbundle"
	"stafett/adapters/hl7v2"
	"stafett/adapters/kith"
	"stafett/directory"
	"stafett/fhir"
	"stafett/fhir/search"
	"stafett/handover"
	"stafett/ledger"
	"stafett/message"
)

const (
	hospital     handover.PartyID = "fjellheim-sykehus"
	municipality handover.PartyID = "dalvik-kommune"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// snapshot is what the record says of one handover: itself and its Task, at a version.
func snapshot(t *testing.T, h handover.Handover, taskVersion int64) *Snapshot {
	t.Helper()
	dir, err := directory.Load("../testdata/directory.yaml", &hl7v2.Codec{}, kith.Codec{}, fhirbundle.Wire{})
	if err != nil {
		t.Fatal(err)
	}
	s := &Snapshot{Now: noon, Settings: Settings{Fresh: func() string { return "fresh" }, Directory: dir, Policy: handover.DefaultPolicy(), Operator: hospital,
		Wires: func(handover.Kind) []handover.Wire { return nil }, Fast: func(handover.Wire) bool { return false }}}
	s.Handovers.Put(h.ID, h, true)
	task := fhir.Obj("resourceType", "Task", "id", string(h.ID), "status", h.State.TaskStatus(), "intent", "order")
	s.Resources.Put(ledger.ResourceKey{Type: "Task", ID: string(h.ID)}, ledger.Resource{Type: "Task", ID: string(h.ID), Version: taskVersion,
		Author: h.Sender, JSON: task.JSON(), At: noon, Handover: h.ID, Visible: []handover.PartyID{h.Sender, h.Receiver}}, true)
	return s
}

func inProgress() handover.Handover {
	return handover.Handover{ID: "h1", Chain: "c1", Kind: handover.KindDischarge, State: handover.StateInProgress, Sender: hospital,
		Receiver: municipality, Custodian: municipality, Since: noon.Add(-time.Hour), Deadline: noon.Add(time.Hour), Version: 7,
		Facts: handover.Facts{ReportReceipted: true, DischargedAt: noon.Add(-time.Hour)}}
}

// told is a delivery about h whose receipt is awaited.
func told(h handover.Handover, event handover.EventName) ledger.Delivery {
	return ledger.Delivery{ID: "d1", Handover: h.ID, Event: event, Purpose: ledger.PurposeTell, Receiver: h.Receiver,
		State: ledger.DeliverySending, ReceiptDue: true, Version: 3, Deadline: noon.Add(time.Hour)}
}

// TestFollow_OneTransactionWritesEachRowOnce: the receipt that lets the policy finish a
// discharge records itself and finishes it in one unit, with each row as it ends and
// nothing of either decision left out.
func TestFollow_OneTransactionWritesEachRowOnce(t *testing.T) {
	h := inProgress()
	s := snapshot(t, h, 5)
	plan := Attempted(s, told(h, handover.EventDischarged), Attempt{Receipt: &message.Receipt{Positive: true}})
	if err := s.Settle(); err != nil || !s.Complete() {
		t.Fatalf("complete %v, %v", s.Complete(), err)
	}
	u := plan.Unit
	if len(u.Handovers) != 1 || u.Handovers[0].State != handover.StateCompleted || u.Handovers[0].Version != h.Version ||
		!u.Handovers[0].Facts.DischargeNoticeReceipted || u.Handovers[0].Next.None != handover.NoneReceived {
		t.Errorf("handovers %+v", u.Handovers)
	}
	if len(u.Resources) != 1 {
		t.Fatalf("%d resource versions", len(u.Resources))
	}
	w := u.Resources[0]
	task, err := fhir.Parse(w.JSON, fhir.DefaultLimits())
	if err != nil || w.Type != "Task" || w.Expect != 5 || task.Str("status") != "completed" || task.Str("meta", "versionId") != "6" {
		t.Errorf("Task %s at %d, %v", w.JSON, w.Expect, err)
	}
	if rows, err := search.Rows(task, search.Meta{}); err != nil || !reflect.DeepEqual(rows, w.Rows) {
		t.Errorf("the Task is found by %+v, %v", w.Rows, err)
	}
	var events []handover.EventName
	for _, e := range u.Events {
		events = append(events, e.Name)
	}
	if !reflect.DeepEqual(events, []handover.EventName{handover.EventReceipted, handover.EventFinished}) {
		t.Errorf("events %v", events)
	}
	if u.Events[0].State != handover.StateInProgress || u.Events[1].State != handover.StateCompleted {
		t.Errorf("events in %s and %s", u.Events[0].State, u.Events[1].State)
	}
	if len(u.Deliveries) != 1 || u.Deliveries[0].State != ledger.DeliveryReceipted || u.Deliveries[0].Version != 3 {
		t.Errorf("deliveries %+v", u.Deliveries)
	}
	if len(u.Audit) != 1 || u.Audit[0].Outcome != string(handover.StateInProgress) {
		t.Errorf("audit %+v", u.Audit)
	}
}

// TestFollow_WhatWasToldBeforeStaysAsItWas: a telling of the first decision shows the Task
// as that decision left it, not as the one that followed did.
func TestFollow_WhatWasToldBeforeStaysAsItWas(t *testing.T) {
	h := inProgress()
	d := newDecision(snapshot(t, h, 5), h, handover.Actor{Role: handover.RoleSystem, Party: municipality},
		handover.Event{Name: handover.EventReceipted, Notice: handover.EventDischarged, At: noon})
	if err := d.decide(); err != nil {
		t.Fatal(err)
	}
	if got := d.taskNow.Str("status"); got != "in-progress" {
		t.Errorf("the first decision's Task is %s", got)
	}
	if d.next.State != handover.StateCompleted {
		t.Errorf("the act leaves it %s", d.next.State)
	}
}

// TestFollow_NothingFollowsWhatIsNotYetDue: without the report the receipt is all.
func TestFollow_NothingFollowsWhatIsNotYetDue(t *testing.T) {
	h := inProgress()
	h.Facts.ReportReceipted = false
	s := snapshot(t, h, 5)
	plan := Attempted(s, told(h, handover.EventDischarged), Attempt{Receipt: &message.Receipt{Positive: true}})
	if err := s.Settle(); err != nil || len(plan.Unit.Handovers) != 1 || plan.Unit.Handovers[0].State != handover.StateInProgress || len(plan.Unit.Events) != 1 {
		t.Errorf("%+v, %v", plan.Unit, err)
	}
}

// TestInvariant7_AFaultIsNoAnswer: no kind of fault of a send moves the state.
func TestInvariant7_AFaultIsNoAnswer(t *testing.T) {
	for _, kind := range handover.FaultKinds() {
		h := inProgress()
		h.State, h.Facts = handover.StateRequested, handover.Facts{}
		h.Custodian = hospital
		d := told(h, handover.EventReady)
		s := snapshot(t, h, 5)
		plan := Attempted(s, d, Attempt{Fault: &handover.Fault{Kind: kind}, Retry: noon.Add(time.Minute)})
		if err := s.Settle(); err != nil {
			t.Fatal(err)
		}
		for _, now := range plan.Unit.Handovers {
			if now.State != h.State || now.Custodian != h.Custodian {
				t.Errorf("%s: %s held by %s", kind, now.State, now.Custodian)
			}
		}
		got := plan.Unit.Deliveries[0]
		if kind.Temporary() != (got.State == ledger.DeliveryPending && got.NextAttempt.Equal(noon.Add(time.Minute))) {
			t.Errorf("%s: the delivery is %s, next at %s", kind, got.State, got.NextAttempt)
		}
	}
}

// TestSnapshot_NotReadIsNotAbsent: a plan over nothing wants what it needs, and over the
// answers comes out as over a snapshot that held them from the start.
func TestSnapshot_NotReadIsNotAbsent(t *testing.T) {
	h := inProgress()
	whole := snapshot(t, h, 5)
	empty := &Snapshot{Settings: whole.Settings, Now: noon}
	attempt := Attempt{Receipt: &message.Receipt{Positive: true}}
	want := Attempted(whole, told(h, handover.EventDischarged), attempt)
	if err := whole.Settle(); err != nil {
		t.Fatal(err)
	}
	for round := range 10 {
		got := Attempted(empty, told(h, handover.EventDischarged), attempt)
		failed := empty.Settle()
		if empty.Complete() {
			if failed != nil || round == 0 {
				t.Fatalf("after %d rounds: %v", round, failed)
			}
			if !bytes.Equal(got.Unit.Resources[0].JSON, want.Unit.Resources[0].JSON) || !reflect.DeepEqual(got.Unit.Handovers, want.Unit.Handovers) {
				t.Errorf("%+v, want %+v", got.Unit, want.Unit)
			}
			return
		}
		for _, id := range empty.Handovers.Take() {
			v, found := whole.Handovers.Get(id)
			empty.Handovers.Put(id, v, found)
		}
		for _, key := range empty.Resources.Take() {
			v, found := whole.Resources.Get(key)
			empty.Resources.Put(key, v, found)
		}
	}
	t.Fatal("the plan is never satisfied")
}
