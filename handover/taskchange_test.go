package handover

import "testing"

func TestEventOfTaskChange(t *testing.T) {
	for _, c := range []struct {
		kind               Kind
		role               ActorRole
		from, to, business string
		want               EventName
	}{
		{KindReferral, RoleSender, "", "requested", "", EventRequested},
		{KindDischarge, RoleSender, "", "draft", "", EventAdmitted},
		{KindDischarge, RoleSender, "", "requested", "", EventReady},
		{KindDischarge, RoleSender, "draft", "requested", "", EventReady},
		{KindReferral, RoleSender, "", "draft", "", ""},
		{KindDischarge, RoleSender, "received", "draft", "", EventNotReady},
		{KindReferral, RoleSender, "received", "cancelled", "", EventWithdrawn},
		{KindReferral, RoleSender, "rejected", "cancelled", "", EventWithdrawn},
		{KindReferral, RoleSender, "in-progress", "cancelled", "", EventWithdrawalAsked},
		{KindReferral, RoleSender, "on-hold", "cancelled", "paused", EventWithdrawalAsked},
		{KindReferral, RoleSender, "on-hold", "cancelled", "deferred", EventWithdrawn},
		{KindReferral, RoleSender, "accepted", "on-hold", "deferred", EventTakenBack},
		{KindReferral, RoleSender, "received", "entered-in-error", "", EventVoided},
		{KindDischarge, RoleSender, "accepted", "in-progress", "", EventDischarged},
		{KindReferral, RoleSender, "accepted", "in-progress", "", ""},
		{KindDischarge, RoleSender, "in-progress", "accepted", "", EventDischargeCancelled},
		{KindReferral, RoleSender, "requested", "accepted", "", ""},
		{KindReferral, RoleSender, "requested", "completed", "", ""},
		{KindReferral, RoleSender, "requested", "requested", "", EventUpdated},
		{KindReferral, RoleReceiver, "", "requested", "", ""},
		{KindReferral, RoleReceiver, "requested", "received", "", EventReceipted},
		{KindReferral, RoleReceiver, "requested", "accepted", "", EventAccepted},
		{KindReferral, RoleReceiver, "on-hold", "accepted", "", EventAccepted},
		{KindReferral, RoleReceiver, "received", "on-hold", "", EventDeferred},
		{KindReferral, RoleReceiver, "received", "on-hold", "deferred", EventDeferred},
		{KindReferral, RoleReceiver, "on-hold", "on-hold", "deferred", EventDeferred},
		{KindReferral, RoleReceiver, "on-hold", "on-hold", "paused", EventUpdated},
		{KindReferral, RoleReceiver, "in-progress", "on-hold", "", EventPaused},
		{KindReferral, RoleReceiver, "in-progress", "on-hold", "paused", EventPaused},
		{KindReferral, RoleReceiver, "on-hold", "in-progress", "", EventResumed},
		{KindReferral, RoleReceiver, "accepted", "in-progress", "", EventStarted},
		{KindReferral, RoleReceiver, "in-progress", "in-progress", "", EventUpdated},
		{KindReferral, RoleReceiver, "accepted", "rejected", "", EventRetracted},
		{KindReferral, RoleReceiver, "accepted", "on-hold", "deferred", EventRetracted},
		{KindReferral, RoleReceiver, "accepted", "accepted", "retracted", EventRetracted},
		{KindReferral, RoleReceiver, "received", "rejected", "", EventDeclined},
		{KindReferral, RoleReceiver, "received", "rejected", "forwarded", EventForwarded},
		{KindReferral, RoleReceiver, "received", "rejected", "misaddressed", EventMisaddressed},
		{KindReferral, RoleReceiver, "in-progress", "completed", "", EventFinished},
		{KindReferral, RoleReceiver, "in-progress", "cancelled", "", EventWithdrawalConsented},
		{KindReferral, RoleReceiver, "in-progress", "in-progress", "withdrawal-refused", EventWithdrawalRefused},
		{KindReferral, RoleReceiver, "in-progress", "failed", "", ""}, // invariant 7
		{KindReferral, RoleReceiver, "received", "requested", "", ""},
		{KindReferral, RoleCopy, "received", "accepted", "", ""},
	} {
		got, ok := EventOfTaskChange(c.kind, c.role, c.from, c.to, c.business)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%s %s %q -> %s %s: %q, want %q", c.kind, c.role, c.from, c.to, c.business, got, c.want)
		}
	}
}

// What a party sees on the wire after a state change, told back by it, is that change.
func TestEventOfTaskChange_FollowsTheTable(t *testing.T) {
	p := DefaultPolicy()
	for _, kind := range Kinds() {
		for _, s := range States()[1:] {
			for _, a := range []Actor{sender(), receiver()} {
				for _, name := range p.AllowedEvents(kind, stored(kind, s), a, monday) {
					after, _, _, f := p.Decide(kind, stored(kind, s), full(name), a, monday)
					if f != nil || after.State == s || name == EventDied || name == EventReadmitted || name == EventAnsweredUnclearly {
						continue
					}
					business := after.State.BusinessStatus()
					if name == EventMisaddressed {
						business = string(name)
					}
					got, ok := EventOfTaskChange(kind, a.Role, s.TaskStatus(), after.State.TaskStatus(), business)
					if want := name; !ok || (got != want && !(got == EventReady && want == EventRequested)) {
						t.Errorf("%s %s by %s: %s -> %s reads as %q, was %s", kind, a.Role, a.Party, s, after.State, got, want)
					}
				}
			}
		}
	}
}
