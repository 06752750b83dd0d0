package kernel_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stafett/adapters"
	"stafett/adapters/fhirbundle"
	"stafett/adapters/hl7v2"
	"stafett/adapters/kith"
	"stafett/directory"
	"stafett/gateway/act"
	"stafett/gateway/kernel"
	"stafett/handover"
	"stafett/ledger"
	"stafett/ledger/sqlite"
	"stafett/mappings"
)

// counts is what an observer was told, in order.
type counts []string

func (c *counts) Took(w handover.Wire, d ledger.Disposition, _ time.Duration) {
	*c = append(*c, fmt.Sprint("took ", w, " ", d))
}
func (c *counts) Delivered(w handover.Wire, s ledger.DeliveryState) {
	*c = append(*c, fmt.Sprint("delivered ", w, " ", s))
}
func (c *counts) Failing(to handover.PartyID, _ string, since time.Time) {
	*c = append(*c, fmt.Sprint("failing ", to, !since.IsZero()))
}
func (c *counts) Escalated(k handover.Kind) { *c = append(*c, fmt.Sprint("escalated ", k)) }

// TestObserve_WhatIsCounted: an escalation when a contact is alerted, a delivery when it has
// ended or waits for a person; and neither when the act is not stored.
func TestObserve_WhatIsCounted(t *testing.T) {
	dir, err := directory.Load("../testdata/directory.yaml", &hl7v2.Codec{}, kith.Codec{}, fhirbundle.Wire{})
	if err != nil {
		t.Fatal(err)
	}
	set, err := mappings.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &stubborn{Store: store}
	group := ledger.NewGroup(s, ledger.GroupOptions{})
	t.Cleanup(func() { group.Close() })
	var got counts
	var log bytes.Buffer
	k, err := kernel.New(t.Context(), kernel.Options{Ledger: group, Directory: dir, Mappings: set, Policy: handover.DefaultPolicy(),
		Rules: []adapters.Rules{&hl7v2.Codec{}, kith.Codec{}, fhirbundle.Wire{}}, OperatorContact: "fjellheim-sykehus", Observe: &got,
		Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	telling := func(p ledger.Purpose, to handover.PartyID, event handover.EventName) act.Telling {
		return act.Telling{Purpose: p, To: to, Event: event, Number: 1, Scene: act.Scene{
			Actor:    handover.Actor{Role: handover.RoleReceiver, Party: "solbakken-rehabilitering"},
			Handover: handover.Handover{ID: "h", Kind: handover.KindReferral, State: handover.StateReceived, Sender: "dalvik-kommune", Receiver: "solbakken-rehabilitering"}}}
	}
	const alert, tell = ledger.PurposeAlert, ledger.PurposeTell
	for _, tt := range []struct {
		name     string
		tellings []act.Telling
		want     []string
	}{
		{"nothing", nil, nil},
		{"a telling", []act.Telling{telling(tell, "dalvik-kommune", handover.EventAccepted)}, nil},
		{"an alert", []act.Telling{telling(alert, "solbakken-rehabilitering", handover.EventDeadlinePassed)}, []string{"escalated referral"}},
		{"a telling and two alerts", []act.Telling{telling(tell, "dalvik-kommune", handover.EventAccepted),
			telling(alert, "dalvik-kommune", handover.EventDeadlinePassed), telling(alert, "solbakken-rehabilitering", handover.EventDeadlinePassed)},
			[]string{"escalated referral", "escalated referral"}},
		{"a telling that cannot be made", []act.Telling{telling(tell, "nobody", handover.EventAccepted)}, []string{"delivered  parked"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			plan := func(*act.Snapshot) (*act.Plan, error) {
				p := line("x")
				p.Tellings = tt.tellings
				return p, nil
			}
			got = nil
			s.conflicts.Store(1)
			if _, err := k.Once(t.Context(), "", plan); err == nil || len(got) != 0 {
				t.Errorf("counted %q of what was not stored, %v", got, err)
			}
			if _, err := k.Do(t.Context(), "", nil, plan); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("counted %q, want %q", got, tt.want)
			}
		})
	}
	if n := strings.Count(log.String(), `msg=escalated handover=h to=`); n != 3 {
		t.Errorf("%d of 3 alerts are logged:\n%s", n, &log)
	}
	log.Reset()
	if _, err := k.Do(t.Context(), "", nil, func(s *act.Snapshot) (*act.Plan, error) {
		return &act.Plan{Unit: ledger.Unit{Audit: []ledger.Audit{{At: s.Now, Action: ledger.AuditOperated, Party: "dalvik-kommune", Person: "Kari Nordmann",
			Delivery: "d", Outcome: "closed"}}}}, nil
	}); err != nil {
		t.Fatal(err)
	}
	if said := log.String(); !strings.Contains(said, `msg="a person acted" delivery=d act=closed party=dalvik-kommune`) || strings.Contains(said, "Kari") {
		t.Errorf("a person's act is logged as %s", said)
	}
}
