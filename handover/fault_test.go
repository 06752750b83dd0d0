package handover

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestFaultOf(t *testing.T) {
	if FaultOf(nil) != nil {
		t.Error("a fault out of nothing")
	}
	cause := errors.New("disk on fire")
	if f := FaultOf(cause); f.Kind != FaultUnknown || !f.Kind.Temporary() || !errors.Is(f, cause) {
		t.Errorf("%+v", f)
	}
	inner := &Fault{Kind: FaultInvalid, Op: "hl7v2.Decode", Text: "no patient id", Path: "PID-3", Line: 3, Column: 5}
	f := FaultOf(fmt.Errorf("intake: %w", inner))
	if f != inner || f.Kind.Temporary() {
		t.Errorf("%+v", f)
	}
	if got, want := f.Error(), "hl7v2.Decode: invalid: no patient id at PID-3 (line 3, column 5)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	temporary := 0
	for _, k := range FaultKinds() {
		if k.Temporary() {
			temporary++
		}
	}
	if temporary != 3 {
		t.Errorf("%d temporary kinds", temporary)
	}
}

func TestStates_EachIsDrawnOnce(t *testing.T) {
	if len(stateTable) != len(States())-1 {
		t.Fatalf("%d rows for %d states", len(stateTable), len(States()))
	}
	seen := map[string]State{}
	for i, s := range States()[1:] {
		if stateTable[i].state != s {
			t.Errorf("row %d is %s, want %s", i, stateTable[i].state, s)
		}
		if (owes(KindReferral, s) != "") != (s.Open() || s == StateDeclined) {
			t.Errorf("%s: who owes its end?", s)
		}
		// On the wire only declined and forwarded's Task.status agree, and businessStatus tells them apart.
		wire := s.TaskStatus() + " " + s.BusinessStatus()
		if seen[wire] != "" {
			t.Errorf("%s and %s look alike", s, seen[wire])
		}
		seen[wire] = s
	}
	if StateNone.TaskStatus() != "" {
		t.Error("nothing has a status")
	}
}

func TestTable_EveryRowNamesKnownThings(t *testing.T) {
	for i, r := range table {
		if !slices.Contains(EventNames(), r.event) || !slices.Contains(Reasons(), r.reason) || len(r.from) == 0 || len(r.who) == 0 {
			t.Errorf("row %d: %+v", i, r)
		}
		for _, role := range r.who {
			if !slices.Contains(ActorRoles(), role) {
				t.Errorf("row %d: role %s", i, role)
			}
		}
		if r.to != "" && !r.to.Open() && r.to != StateDeclined && r.ends == "" && len(r.needs) == 0 {
			t.Errorf("row %d ends %s without naming what is next", i, r.event)
		}
	}
	for _, name := range EventNames() {
		if len(rows[name]) == 0 {
			t.Errorf("no row for %s", name)
		}
	}
}

func TestPolicy_ReceiptTerms(t *testing.T) {
	p := DefaultPolicy()
	for fast, want := range map[bool]time.Duration{true: time.Hour, false: 24 * time.Hour} {
		warn, hard := p.ReceiptTerms(fast, monday)
		if warn.Sub(monday) != want || hard.Sub(monday) != 96*time.Hour {
			t.Errorf("%t: %v %v", fast, warn, hard)
		}
	}
	if (Calendar{}).Location().String() != "Europe/Oslo" {
		t.Error("deadlines are not in Oslo")
	}
}
