package handover

import (
	"testing"
	"time"
)

const (
	hospital     PartyID = "fjellheim-sykehus"
	municipality PartyID = "dalvik-kommune"
	institution  PartyID = "solbakken-rehabilitering"
	copied       PartyID = "dalvik-legesenter"
)

// monday is an ordinary working day.
var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func sender() Actor   { return Actor{Role: RoleSender, Party: hospital} }
func receiver() Actor { return Actor{Role: RoleReceiver, Party: municipality} }
func system() Actor   { return Actor{Role: RoleSystem} }
func clock() Actor    { return Actor{Role: RoleClock} }
func reader(p PartyID) Actor {
	return Actor{Role: RoleReader, Party: p, Person: "Kari Leser"}
}

func opening(name EventName) Event {
	return Event{Name: name, NewID: "h1", Chain: "c1", Sender: hospital, Receiver: municipality, Copies: []PartyID{copied}}
}

// walk plays steps from nothing and fails on the first fault.
type step struct {
	e Event
	a Actor
}

func walk(t *testing.T, kind Kind, steps ...step) Handover {
	t.Helper()
	p := DefaultPolicy()
	var h Handover
	for i, s := range steps {
		var f *Fault
		h, _, _, f = p.Decide(kind, h, s.e, s.a, monday.Add(time.Duration(i)*time.Minute))
		if f != nil {
			t.Fatalf("step %d %s: %v", i, s.e.Name, f)
		}
	}
	return h
}

func TestDecide_Stroke_CustodyMovesAtAcceptance(t *testing.T) {
	h := walk(t, KindDischarge,
		step{opening(EventAdmitted), sender()},
		step{Event{Name: EventReceipted, Notice: EventAdmitted}, system()},
		step{Event{Name: EventReady}, sender()},
		step{Event{Name: EventReceipted, Notice: EventReady}, system()},
		step{Event{Name: EventAnsweredUnclearly}, receiver()},
		step{Event{Name: EventDeferred, Day: monday.AddDate(0, 0, 3)}, reader(municipality)},
	)
	if h.State != StateDeferred || h.Custodian != hospital {
		t.Fatalf("state %s custodian %s", h.State, h.Custodian)
	}
	if want := time.Date(2026, 3, 5, 11, 0, 0, 0, time.UTC); !h.Deadline.Equal(want) {
		t.Errorf("deadline %v, want %v", h.Deadline, want)
	}
	p := DefaultPolicy()
	h, _, reason, f := p.Decide(KindDischarge, h, Event{Name: EventAccepted, Day: monday.AddDate(0, 0, 3)}, receiver(), monday.Add(time.Hour))
	if f != nil || h.State != StateAccepted || h.Custodian != municipality || reason != ReasonAccepted {
		t.Fatalf("%s %s %s %v", h.State, h.Custodian, reason, f)
	}
	h, _, _, f = p.Decide(KindDischarge, h, Event{Name: EventDischarged}, sender(), monday.Add(2*time.Hour))
	if f != nil || h.State != StateInProgress || h.Custodian != municipality {
		t.Fatalf("%s %s %v", h.State, h.Custodian, f)
	}
}
