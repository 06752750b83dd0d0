package handover

// taskChange is one row of what a party means by moving Task.status (R4 Task, state
// machine): the owner moves it, the requester creates and ends it.
// An empty from or business means any; to is always named.
type taskChange struct {
	role     ActorRole
	kind     Kind // empty: any
	from     string
	to       string
	business string
	event    EventName
}

const noStatus = "none" // a Task that did not exist

// taskChanges are tried in order; the first that fits says the event.
var taskChanges = []taskChange{
	// The owner: the receiver.
	{RoleReceiver, "", "requested", "received", "", EventReceipted},
	{RoleReceiver, "", "", "on-hold", "withdrawal-refused", EventWithdrawalRefused},
	{RoleReceiver, "", "", "in-progress", "withdrawal-refused", EventWithdrawalRefused},
	{RoleReceiver, "", "", "accepted", "retracted", EventRetracted},
	{RoleReceiver, "", "accepted", "rejected", "", EventRetracted},
	{RoleReceiver, "", "accepted", "on-hold", "", EventRetracted},
	{RoleReceiver, "", "", "accepted", "", EventAccepted},
	{RoleReceiver, "", "", "rejected", "forwarded", EventForwarded},
	{RoleReceiver, "", "", "rejected", "misaddressed", EventMisaddressed},
	{RoleReceiver, "", "", "rejected", "", EventDeclined},
	{RoleReceiver, "", "in-progress", "on-hold", "", EventPaused},
	{RoleReceiver, "", "on-hold", "on-hold", "paused", EventUpdated},
	{RoleReceiver, "", "", "on-hold", "paused", EventPaused},
	{RoleReceiver, "", "", "on-hold", "deferred", EventDeferred},
	{RoleReceiver, "", "on-hold", "on-hold", "", EventUpdated},
	{RoleReceiver, "", "", "on-hold", "", EventDeferred},
	{RoleReceiver, "", "on-hold", "in-progress", "", EventResumed},
	{RoleReceiver, "", "in-progress", "in-progress", "", EventUpdated},
	{RoleReceiver, "", "", "in-progress", "", EventStarted},
	{RoleReceiver, "", "completed", "completed", "", EventUpdated},
	{RoleReceiver, "", "", "completed", "", EventFinished},
	{RoleReceiver, "", "", "cancelled", "", EventWithdrawalConsented},

	// The requester: the sender.
	{RoleSender, KindDischarge, noStatus, "draft", "", EventAdmitted},
	{RoleSender, KindDischarge, noStatus, "requested", "", EventReady},
	{RoleSender, KindDischarge, "draft", "requested", "", EventReady},
	{RoleSender, "", noStatus, "requested", "", EventRequested},
	{RoleSender, KindDischarge, "requested", "draft", "", EventNotReady},
	{RoleSender, KindDischarge, "received", "draft", "", EventNotReady},
	{RoleSender, KindDischarge, "on-hold", "draft", "", EventNotReady},
	{RoleSender, KindDischarge, "accepted", "draft", "", EventNotReady},
	{RoleSender, "", "accepted", "on-hold", "", EventTakenBack},
	{RoleSender, KindDischarge, "accepted", "in-progress", "", EventDischarged},
	{RoleSender, KindDischarge, "in-progress", "accepted", "", EventDischargeCancelled},
	{RoleSender, "", "in-progress", "cancelled", "", EventWithdrawalAsked},
	{RoleSender, "", "on-hold", "cancelled", "paused", EventWithdrawalAsked},
	{RoleSender, "", "", "cancelled", "", EventWithdrawn},
	{RoleSender, "", "", "entered-in-error", "", EventVoided},
	{RoleSender, "", "draft", "draft", "", EventUpdated},
	{RoleSender, "", "requested", "requested", "", EventUpdated},
	{RoleSender, "", "received", "received", "", EventUpdated},
	{RoleSender, "", "accepted", "accepted", "", EventUpdated},
	{RoleSender, "", "on-hold", "on-hold", "", EventUpdated},
	{RoleSender, "", "in-progress", "in-progress", "", EventUpdated},

	// A status that stays says nothing but that the content is new.
	{RoleReceiver, "", "draft", "draft", "", EventUpdated},
	{RoleReceiver, "", "requested", "requested", "", EventUpdated},
	{RoleReceiver, "", "received", "received", "", EventUpdated},
}

// EventOfTaskChange says which event a party means when it changes Task.status of a
// handover of kind from from (empty: it creates the Task) to to, with the new
// Task.businessStatus code. role is RoleReceiver for the owner and RoleSender for the
// requester. It is false where the change means nothing here: failed, for one, is a
// technical word that never becomes a clinical answer (Invariant 7). Whether the event
// is allowed now is for Decide to say.
func EventOfTaskChange(kind Kind, role ActorRole, from, to, businessStatus string) (EventName, bool) {
	if from == "" {
		from = noStatus
	}
	for _, c := range taskChanges {
		switch {
		case c.role != role, c.kind != "" && c.kind != kind, c.to != to:
		case c.from != from && (c.from != "" || from == noStatus):
		case c.business != "" && c.business != businessStatus:
		default:
			return c.event, true
		}
	}
	return "", false
}
