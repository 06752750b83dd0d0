package handover

// The reasons, in the order in which a handover can meet them. The set is closed.
const (
	// ReasonOpened: the first event of a handover.
	ReasonOpened Reason = "opened"
	// ReasonRequested: the receiver is asked to take the patient.
	ReasonRequested Reason = "requested"
	// ReasonReceipted: the receiver's system has the request.
	ReasonReceipted Reason = "receipted"
	// ReasonUnreachable: a party's system did not take or receipt what it was sent.
	ReasonUnreachable Reason = "unreachable"
	// ReasonAccepted: the receiver takes the patient; custody moved.
	ReasonAccepted Reason = "accepted"
	// ReasonAcceptedAfterDischarge: accepted when the patient had already left.
	ReasonAcceptedAfterDischarge Reason = "accepted-after-discharge"
	// ReasonDeferred: the receiver cannot take the patient yet.
	ReasonDeferred Reason = "deferred"
	// ReasonAnswerUnclear: an answer that no rule can read; custody stays.
	ReasonAnswerUnclear Reason = "answer-unclear"
	// ReasonDeclined: the receiver does not take the patient.
	ReasonDeclined Reason = "declined"
	// ReasonMisaddressed: the receiver is the wrong one, its access ends.
	ReasonMisaddressed Reason = "misaddressed"
	// ReasonForwarded: the receiver passed the request on.
	ReasonForwarded Reason = "forwarded"
	// ReasonRetracted: the receiver takes its acceptance back; custody stays until the sender takes it.
	ReasonRetracted Reason = "retracted"
	// ReasonTakenBack: the sender took custody back.
	ReasonTakenBack Reason = "taken-back"
	// ReasonNotReady: the patient is no longer ready for discharge.
	ReasonNotReady Reason = "not-ready"
	// ReasonWithdrawn: the sender ended its request.
	ReasonWithdrawn Reason = "withdrawn"
	// ReasonWithdrawalAsked, ReasonWithdrawalConsented and ReasonWithdrawalRefused: a
	// withdrawal after the start needs the receiver's consent.
	ReasonWithdrawalAsked     Reason = "withdrawal-asked"
	ReasonWithdrawalConsented Reason = "withdrawal-consented"
	ReasonWithdrawalRefused   Reason = "withdrawal-refused"
	// ReasonVoided: registered in error.
	ReasonVoided Reason = "voided"
	// ReasonVoidAfterStart: voided when care had begun; a person must look.
	ReasonVoidAfterStart Reason = "void-after-start"
	// ReasonStarted: the receiver has begun.
	ReasonStarted Reason = "started"
	// ReasonStartedByDischarge: an accepted patient left the sender.
	ReasonStartedByDischarge Reason = "started-by-discharge"
	// ReasonDischargedUnaccepted: the patient left and nobody had accepted.
	ReasonDischargedUnaccepted Reason = "discharged-without-acceptance"
	// ReasonDischargeCancelled: the patient has not left after all.
	ReasonDischargeCancelled Reason = "discharge-cancelled"
	// ReasonPaused and ReasonResumed: the receiver interrupted its care and went on.
	ReasonPaused  Reason = "paused"
	ReasonResumed Reason = "resumed"
	// ReasonFinished: the receiver ended its part.
	ReasonFinished Reason = "finished"
	// ReasonFinishedByPolicy: discharge notice and report are receipted.
	ReasonFinishedByPolicy Reason = "finished-by-policy"
	// ReasonReadmitted: the patient is back at the sender; a successor follows.
	ReasonReadmitted Reason = "readmitted"
	// ReasonDied: the patient died.
	ReasonDied Reason = "died"
	// ReasonNextNamed: the sender said what follows a declined handover.
	ReasonNextNamed Reason = "next-named"
	// ReasonEscalated: a deadline passed; the next step was taken.
	ReasonEscalated Reason = "escalated"
	// ReasonNotDue: the clock came, and no deadline had passed.
	ReasonNotDue Reason = "not-due"
	// ReasonAttentionRaised and ReasonAttentionResolved: somebody marked or unmarked the handover.
	ReasonAttentionRaised   Reason = "attention-raised"
	ReasonAttentionResolved Reason = "attention-resolved"
	// ReasonUpdated: known already, with new content.
	ReasonUpdated Reason = "updated"
	// ReasonRecorded: noted; the state does not depend on it.
	ReasonRecorded Reason = "recorded"
	// ReasonLate: noted on a handover that it can no longer change.
	ReasonLate Reason = "late"
	// ReasonRepeated: everything that the event says was known; nothing follows.
	ReasonRepeated Reason = "repeated"
	// ReasonBeforeOriginal (with a fault): it undoes what has not arrived; hold it for
	// Policy.CancellationWaiting and try again, then park it.
	ReasonBeforeOriginal Reason = "before-original"
	// ReasonIllegal (with a fault): not allowed in this state.
	ReasonIllegal Reason = "illegal"
	// ReasonForbidden (with a fault): not this actor's to say.
	ReasonForbidden Reason = "forbidden"
	// ReasonInvalid (with a fault): the event lacks what it must name.
	ReasonInvalid Reason = "invalid"
)

// Reasons lists every reason.
func Reasons() []Reason {
	return []Reason{ReasonOpened, ReasonRequested, ReasonReceipted, ReasonUnreachable,
		ReasonAccepted, ReasonAcceptedAfterDischarge, ReasonDeferred, ReasonAnswerUnclear,
		ReasonDeclined, ReasonMisaddressed, ReasonForwarded, ReasonRetracted, ReasonTakenBack,
		ReasonNotReady, ReasonWithdrawn, ReasonWithdrawalAsked, ReasonWithdrawalConsented,
		ReasonWithdrawalRefused, ReasonVoided, ReasonVoidAfterStart, ReasonStarted,
		ReasonStartedByDischarge, ReasonDischargedUnaccepted, ReasonDischargeCancelled,
		ReasonPaused, ReasonResumed, ReasonFinished, ReasonFinishedByPolicy, ReasonReadmitted,
		ReasonDied, ReasonNextNamed, ReasonEscalated, ReasonNotDue, ReasonAttentionRaised,
		ReasonAttentionResolved, ReasonUpdated, ReasonRecorded, ReasonLate, ReasonRepeated,
		ReasonBeforeOriginal, ReasonIllegal, ReasonForbidden, ReasonInvalid}
}
