package gateway_test

import (
	"testing"

	"stafett/access"
	"stafett/handover"
)

// reached are the ways of a referral to each state in which its Task can be changed.
var reached = map[handover.State]func(*bench, referral){
	handover.StateReceived: func(*bench, referral) {},
	handover.StateDeferred: func(b *bench, r referral) { b.mustChange(asInstitusjon, r.task, status("on-hold", "deferred")) },
	handover.StateAccepted: func(b *bench, r referral) { b.mustChange(asInstitusjon, r.task, status("accepted", "")) },
	handover.StateInProgress: func(b *bench, r referral) {
		b.mustChange(asInstitusjon, r.task, status("accepted", ""))
		b.mustChange(asInstitusjon, r.task, status("in-progress", ""))
	},
	handover.StatePaused: func(b *bench, r referral) {
		b.mustChange(asInstitusjon, r.task, status("accepted", ""))
		b.mustChange(asInstitusjon, r.task, status("in-progress", ""))
		b.mustChange(asInstitusjon, r.task, status("on-hold", "paused"))
	},
	handover.StateDeclined:  func(b *bench, r referral) { b.mustChange(asInstitusjon, r.task, status("rejected", "")) },
	handover.StateWithdrawn: func(b *bench, r referral) { b.mustChange(asKommune, r.task, status("cancelled", "")) },
}

// taskStatuses are http://hl7.org/fhir/task-status (R4).
var taskStatuses = []string{"draft", "requested", "received", "accepted", "rejected", "ready", "cancelled", "in-progress", "on-hold", "failed", "completed", "entered-in-error"}

// TestTaskStatus_EveryChangeHasAnAnswer: whatever status a party sets in whatever state, it is
// taken, or refused in words that a caller can act on.
func TestTaskStatus_EveryChangeHasAnAnswer(t *testing.T) {
	for _, kind := range []handover.Kind{handover.KindReferral, handover.KindDischarge} {
		for state, reach := range reached {
			t.Run(string(kind)+" "+string(state), func(t *testing.T) { everyStatus(t, kind, state, reach) })
		}
	}
}

func everyStatus(t *testing.T, kind handover.Kind, state handover.State, reach func(*bench, referral)) {
	var b *bench
	var r referral
	arrive := func() {
		b = newBench(t)
		r = b.refer(`"code":"referral"`, `"code":"`+string(kind)+`"`)
		b.deliver()
		reach(b, r)
	}
	arrive()
	if h := b.handoverOf(r.task); h.State != state {
		t.Fatalf("reached %s", h.State)
	}
	for _, c := range []access.Caller{asKommune, asInstitusjon} {
		for _, s := range taskStatuses {
			before := b.handoverOf(r.task)
			err := b.change(c, r.task, status(s, ""))
			if err == nil {
				if after := b.handoverOf(r.task); after.State != before.State {
					arrive() // one change at a time: what follows is another state's
				}
				continue
			}
			f := handover.FaultOf(err)
			if f.Kind.Temporary() || f.Text == "" || f.Kind == handover.FaultIllegal && f.Path == "" {
				t.Errorf("%s sets %s: %s %q at %q", c.Party, s, f.Kind, f.Text, f.Path)
			}
		}
	}
	b.balanced()
}
