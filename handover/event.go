package handover

import "time"

// EventName names what happened to a handover. The set is closed: it is the set of
// names a subscriber can meet, and each has a JSON Schema.
type EventName string

// The events, in life-cycle order.
const (
	EventAdmitted            EventName = "admitted"
	EventReady               EventName = "ready"
	EventRequested           EventName = "requested"
	EventReceipted           EventName = "receipted"
	EventUnreachable         EventName = "unreachable" // receipt refused, none in time, undeliverable
	EventAccepted            EventName = "accepted"
	EventDeferred            EventName = "deferred"
	EventAnsweredUnclearly   EventName = "answered-unclearly"
	EventDeclined            EventName = "declined"
	EventMisaddressed        EventName = "misaddressed"
	EventForwarded           EventName = "forwarded"
	EventRetracted           EventName = "retracted"
	EventTakenBack           EventName = "taken-back"
	EventNotReady            EventName = "not-ready"
	EventWithdrawn           EventName = "withdrawn"
	EventWithdrawalAsked     EventName = "withdrawal-asked"
	EventWithdrawalConsented EventName = "withdrawal-consented"
	EventWithdrawalRefused   EventName = "withdrawal-refused"
	EventVoided              EventName = "voided"
	EventStarted             EventName = "started"
	EventDischarged          EventName = "discharged"
	EventDischargeCancelled  EventName = "discharge-cancelled"
	EventPaused              EventName = "paused"
	EventResumed             EventName = "resumed"
	EventFinished            EventName = "finished"
	EventReadmitted          EventName = "readmitted"
	EventDied                EventName = "died"
	EventMerged              EventName = "merged"
	EventMoved               EventName = "moved"
	EventLeave               EventName = "leave"
	EventUpdated             EventName = "updated"
	EventHealthInfoSent      EventName = "health-info-sent"
	EventReportSent          EventName = "report-sent" // Utskrivningsrapport
	EventNextNamed           EventName = "next-named"
	EventDeadlinePassed      EventName = "deadline-passed"
	EventAttentionRaised     EventName = "attention-raised"
	EventAttentionResolved   EventName = "attention-resolved"
)

// EventNames lists every event in life-cycle order.
func EventNames() []EventName {
	return []EventName{EventAdmitted, EventReady, EventRequested, EventReceipted, EventUnreachable,
		EventAccepted, EventDeferred, EventAnsweredUnclearly, EventDeclined, EventMisaddressed,
		EventForwarded, EventRetracted, EventTakenBack, EventNotReady, EventWithdrawn,
		EventWithdrawalAsked, EventWithdrawalConsented, EventWithdrawalRefused, EventVoided,
		EventStarted, EventDischarged, EventDischargeCancelled, EventPaused, EventResumed,
		EventFinished, EventReadmitted, EventDied, EventMerged, EventMoved, EventLeave,
		EventUpdated, EventHealthInfoSent, EventReportSent, EventNextNamed,
		EventDeadlinePassed, EventAttentionRaised, EventAttentionResolved}
}

// Event is something that happened, as told by an actor.
type Event struct {
	Name EventName
	// At is when it happened by the actor's own account; zero means now.
	At time.Time
	// Day is the promised day of accepted and deferred (zero: unknown), and the planned
	// end of started.
	Day time.Time
	// Next is what finished, withdrawn, voided and next-named name.
	Next Next
	// ForwardTo is the receiver that forwarded names.
	ForwardTo PartyID
	// NewID is the id for a handover this event may open (forwarded, readmitted).
	NewID ID
	// Chain, Sender, Receiver and Copies describe a handover that does not exist yet.
	Chain    ChainID
	Sender   PartyID
	Receiver PartyID
	Copies   []PartyID
	// Attention is the reason that attention-raised raises and attention-resolved clears;
	// of merged, moved, leave and updated the one that follows, if any: chains-meet or
	// receiver-may-be-wrong.
	Attention AttentionReason
	// Notice tells which outgoing message a receipt is for, by the event that caused it;
	// empty: the request itself.
	Notice EventName
	// FastReceipt, of ready, requested and forwarded: the receiver's receipt comes with the
	// transport's answer, so that a missing one is soon late.
	FastReceipt bool
	// Residence, of the sender, and Protected: Facts of the same names.
	Residence string
	Protected bool
	// WithoutHealthInfo and WithoutReport, of what opens a handover: Facts of the same names.
	WithoutHealthInfo, WithoutReport bool
}

// AttentionReason says why a named person must look.
type AttentionReason string

// The attention reasons.
const (
	AttentionUnreachable          AttentionReason = "unreachable"
	AttentionAnswerNeedsReading   AttentionReason = "answer-needs-reading"
	AttentionRetracted            AttentionReason = "retracted"
	AttentionWithdrawalAsked      AttentionReason = "withdrawal-asked"
	AttentionVoidAfterStart       AttentionReason = "void-after-start"
	AttentionDischargedUnaccepted AttentionReason = "discharged-without-acceptance"
	AttentionNoHealthInfo         AttentionReason = "no-health-info"
	AttentionReceiverMayBeWrong   AttentionReason = "receiver-may-be-wrong"
	AttentionChainsMeet           AttentionReason = "chains-meet"
	AttentionOverdue              AttentionReason = "overdue"
	AttentionIllegalEvent         AttentionReason = "illegal-event"
	AttentionPatientDied          AttentionReason = "patient-died"
	// AttentionReceiptsContradict: one system has receipted a message, and refused it as well.
	AttentionReceiptsContradict AttentionReason = "receipts-contradict"
)

// AttentionReasons lists every attention reason.
func AttentionReasons() []AttentionReason {
	return []AttentionReason{AttentionUnreachable, AttentionAnswerNeedsReading, AttentionRetracted,
		AttentionWithdrawalAsked, AttentionVoidAfterStart, AttentionDischargedUnaccepted,
		AttentionNoHealthInfo, AttentionReceiverMayBeWrong, AttentionChainsMeet, AttentionOverdue,
		AttentionIllegalEvent, AttentionPatientDied, AttentionReceiptsContradict}
}

// NoneReason says why no handover follows an ended one.
type NoneReason string

// The reasons why nothing follows.
const (
	NoneHome        NoneReason = "home"         // the patient needs no further service
	NoneDied        NoneReason = "died"         // the patient died
	NoneError       NoneReason = "error"        // the handover was registered in error
	NoneWithdrawn   NoneReason = "withdrawn"    // the need is gone
	NoneSenderKeeps NoneReason = "sender-keeps" // the sender goes on itself
	NoneReceived    NoneReason = "received"     // the receiver goes on with its own services
)

// NoneReasons lists every reason why nothing follows.
func NoneReasons() []NoneReason {
	return []NoneReason{NoneHome, NoneDied, NoneError, NoneWithdrawn, NoneSenderKeeps, NoneReceived}
}
