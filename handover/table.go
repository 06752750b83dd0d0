package handover

var (
	onlyDischarge = []Kind{KindDischarge}
	noDischarge   = []Kind{KindReferral, KindCoordination}

	bySender   = []ActorRole{RoleSender}
	byReceiver = []ActorRole{RoleReceiver}
	byAnybody  = []ActorRole{RoleSender, RoleReceiver, RoleSystem}
	byReceipt  = []ActorRole{RoleSender, RoleReceiver, RoleCopy, RoleSystem}
	byFailure  = []ActorRole{RoleSystem, RoleClock}
	byWatch    = []ActorRole{RoleReader, RoleSystem, RolePolicy}

	inNone       = []State{StateNone}
	inAnswering  = []State{StateRequested, StateReceived, StateDeferred}
	inBeforeCare = []State{StateAnnounced, StateRequested, StateReceived, StateDeferred, StateAccepted}
	inCare       = []State{StateInProgress, StatePaused}
	inOpen       = []State{StateAnnounced, StateRequested, StateReceived, StateDeferred, StateAccepted, StateInProgress, StatePaused}
	inUnended    = []State{StateAnnounced, StateRequested, StateReceived, StateDeferred, StateAccepted, StateInProgress, StatePaused, StateDeclined}
	inEnded      = []State{StateCompleted, StateDeclined, StateForwarded, StateWithdrawn, StateVoided}
	inClosed     = []State{StateCompleted, StateForwarded, StateWithdrawn, StateVoided}
	inStored     = []State{StateAnnounced, StateRequested, StateReceived, StateDeferred, StateAccepted, StateInProgress, StatePaused, StateCompleted, StateDeclined, StateForwarded, StateWithdrawn, StateVoided}
)

func in(s ...State) []State                          { return s }
func facts(f ...factChange) []factChange             { return f }
func needs(n ...need) []need                         { return n }
func reasons(r ...AttentionReason) []AttentionReason { return r }

// What any readable answer by the receiver settles.
var answered = reasons(AttentionUnreachable, AttentionAnswerNeedsReading)

// What leaves an acceptance open to doubt.
var doubts = reasons(AttentionRetracted, AttentionDischargedUnaccepted)

var markUninformed = []markIf{{AttentionNoHealthInfo, whenUninformed}}

// table is the only source of what moves a handover: Decide interprets it and the
// drawing is generated from it. Rows of one event are tried in order.
var table = []rule{
	// The sender opens.
	{event: EventAdmitted, kinds: onlyDischarge, who: bySender, from: inNone, needs: needs(needOpening), to: StateAnnounced, custody: custodySender,
		facts: facts(factAdmitted), tell: tellOther, special: specialCreate, reason: ReasonOpened},
	{event: EventAdmitted, kinds: onlyDischarge, who: bySender, from: in(StateAnnounced), facts: facts(factAdmitted), reclock: true, tell: tellOther, reason: ReasonUpdated, quiet: true},
	{event: EventAdmitted, kinds: onlyDischarge, who: bySender, from: in(StateRequested, StateReceived, StateDeferred, StateAccepted, StateInProgress, StatePaused),
		facts: facts(factAdmittedOnce), tell: tellOther, reason: ReasonRecorded, quiet: true},
	{event: EventAdmitted, kinds: onlyDischarge, who: bySender, from: inEnded, facts: facts(factAdmittedOnce), reason: ReasonLate, quiet: true, idle: ReasonLate},

	{event: EventReady, kinds: onlyDischarge, who: bySender, from: inNone, needs: needs(needOpening), to: StateRequested, custody: custodySender,
		facts: facts(factReady), mark: markUninformed, tell: tellOther, special: specialCreate, reason: ReasonRequested},
	{event: EventReady, kinds: onlyDischarge, who: bySender, from: in(StateAnnounced), to: StateRequested,
		facts: facts(factReady), mark: markUninformed, tell: tellOther, reason: ReasonRequested},
	{event: EventReady, kinds: onlyDischarge, who: bySender, from: in(StateRequested, StateReceived, StateDeferred, StateAccepted),
		facts: facts(factReady), tell: tellOther, reason: ReasonUpdated, quiet: true},
	{event: EventReady, kinds: onlyDischarge, who: bySender, from: in(StateInProgress, StatePaused, StateCompleted), facts: facts(factReadyOnce), reason: ReasonLate, quiet: true, idle: ReasonLate},

	{event: EventRequested, who: bySender, from: inNone, needs: needs(needOpening), to: StateRequested, custody: custodySender,
		mark: markUninformed, tell: tellOther, special: specialCreate, reason: ReasonRequested},
	{event: EventRequested, who: bySender, from: in(StateRequested, StateReceived, StateDeferred, StateAccepted, StateInProgress, StatePaused, StateCompleted), reason: ReasonRecorded, quiet: true},

	// Receipts and their absence: technical facts (Invariant 7: they answer nothing).
	{event: EventReceipted, who: byReceipt, from: in(StateRequested), when: whenOfRequest, to: StateReceived, facts: facts(factReceipted), special: specialReached, reason: ReasonReceipted},
	{event: EventReceipted, who: byReceipt, from: inStored, when: whenOfReceiver, facts: facts(factReceipted), special: specialReached, reason: ReasonRecorded, quiet: true},
	{event: EventReceipted, who: byReceipt, from: inStored, special: specialReached, reason: ReasonRecorded, quiet: true},
	{event: EventUnreachable, who: byFailure, from: inOpen, special: specialMissed, reason: ReasonUnreachable, quiet: true},
	{event: EventUnreachable, who: byFailure, from: inEnded, reason: ReasonLate},

	// The receiver answers. Any answer implies receipt.
	{event: EventAccepted, who: byReceiver, from: inAnswering, when: whenDischarged, to: StateInProgress, custody: custodyReceiver,
		facts: facts(factPromised), clear: append(reasons(AttentionDischargedUnaccepted), answered...), tell: tellOther, reason: ReasonAcceptedAfterDischarge},
	{event: EventAccepted, who: byReceiver, from: inAnswering, to: StateAccepted, custody: custodyReceiver,
		facts: facts(factPromised), clear: answered, tell: tellOther, reason: ReasonAccepted},
	{event: EventAccepted, who: byReceiver, from: in(StateAccepted), when: whenDischarged, to: StateInProgress, facts: facts(factPromisedAnew),
		clear: append(doubts, answered...), tell: tellOther, reason: ReasonAcceptedAfterDischarge},
	{event: EventAccepted, who: byReceiver, from: in(StateAccepted), facts: facts(factPromisedAnew), reclock: true,
		clear: append(reasons(AttentionRetracted), answered...), tell: tellOther, reason: ReasonUpdated, quiet: true},
	{event: EventAccepted, who: byReceiver, from: in(StateInProgress, StatePaused, StateCompleted), reason: ReasonRecorded, quiet: true},

	{event: EventDeferred, who: byReceiver, from: in(StateRequested, StateReceived), to: StateDeferred, facts: facts(factPromised), clear: answered, tell: tellOther, reason: ReasonDeferred},
	{event: EventDeferred, who: byReceiver, from: in(StateDeferred), facts: facts(factPromised), reclock: true, clear: answered, tell: tellOther, reason: ReasonUpdated, quiet: true},

	{event: EventAnsweredUnclearly, who: byReceiver, from: in(StateRequested), to: StateReceived, clear: reasons(AttentionUnreachable),
		raise: reasons(AttentionAnswerNeedsReading), tell: tellOther, reason: ReasonAnswerUnclear},
	{event: EventAnsweredUnclearly, who: byReceiver, from: in(StateReceived, StateDeferred, StateAccepted), clear: reasons(AttentionUnreachable),
		raise: reasons(AttentionAnswerNeedsReading), tell: tellOther, reason: ReasonAnswerUnclear},

	{event: EventDeclined, who: byReceiver, from: inAnswering, to: StateDeclined, clear: answered, tell: tellOther, reason: ReasonDeclined},
	{event: EventDeclined, who: byReceiver, from: in(StateDeclined), reason: ReasonRecorded, quiet: true},
	{event: EventMisaddressed, who: byReceiver, from: inAnswering, to: StateDeclined, facts: facts(factAccessEnded), clear: answered, tell: tellOther,
		special: specialEndAccess, reason: ReasonMisaddressed},
	{event: EventMisaddressed, who: byReceiver, from: in(StateDeclined), facts: facts(factAccessEnded), tell: tellOther, special: specialEndAccess, reason: ReasonMisaddressed},
	{event: EventForwarded, who: byReceiver, from: inAnswering, needs: needs(needForward), to: StateForwarded, tell: tellOther, special: specialForward, reason: ReasonForwarded},

	// Second thoughts.
	{event: EventRetracted, who: byReceiver, from: in(StateAccepted), facts: facts(factPromisedAnew), reclock: true, raise: reasons(AttentionRetracted), tell: tellOther, reason: ReasonRetracted, quiet: true},
	{event: EventTakenBack, who: bySender, from: in(StateAccepted), to: StateDeferred, custody: custodySender, facts: facts(factPromised),
		clear: reasons(AttentionRetracted, AttentionAnswerNeedsReading), tell: tellOther, reason: ReasonTakenBack},
	{event: EventTakenBack, who: bySender, from: in(StateDeferred), reason: ReasonRecorded, quiet: true},
	{event: EventNotReady, kinds: onlyDischarge, who: bySender, from: in(StateRequested, StateReceived, StateDeferred, StateAccepted), to: StateAnnounced, custody: custodySender,
		facts: facts(factNotReady), clear: reasons(AttentionRetracted, AttentionAnswerNeedsReading, AttentionNoHealthInfo), tell: tellOther, reason: ReasonNotReady},
	{event: EventNotReady, kinds: onlyDischarge, who: bySender, from: in(StateAnnounced), when: whenUnready, reason: ReasonRecorded, quiet: true},
	{event: EventNotReady, kinds: onlyDischarge, who: bySender, from: in(StateNone, StateAnnounced), reason: ReasonBeforeOriginal, waits: true},

	{event: EventWithdrawn, who: bySender, from: inBeforeCare, to: StateWithdrawn, custody: custodySender, tell: tellOther, reason: ReasonWithdrawn, ends: NoneWithdrawn},
	{event: EventWithdrawn, who: bySender, from: in(StateDeclined), when: whenNextOwed, to: StateWithdrawn, custody: custodySender, tell: tellOther, reason: ReasonWithdrawn, ends: NoneWithdrawn},
	{event: EventWithdrawn, who: bySender, from: in(StateWithdrawn), reason: ReasonRecorded, quiet: true},
	{event: EventWithdrawn, who: bySender, from: inNone, reason: ReasonBeforeOriginal, waits: true},
	{event: EventWithdrawalAsked, who: bySender, from: inCare, facts: facts(factAsked), raise: reasons(AttentionWithdrawalAsked), tell: tellOther, reason: ReasonWithdrawalAsked, quiet: true},
	{event: EventWithdrawalConsented, who: byReceiver, from: inCare, when: whenAsked, to: StateWithdrawn, custody: custodySender, tell: tellOther, reason: ReasonWithdrawalConsented, ends: NoneWithdrawn},
	{event: EventWithdrawalRefused, who: byReceiver, from: inCare, when: whenAsked, facts: facts(factNotAsked), clear: reasons(AttentionWithdrawalAsked), tell: tellOther, reason: ReasonWithdrawalRefused},

	{event: EventVoided, who: bySender, from: inBeforeCare, to: StateVoided, custody: custodySender, tell: tellOther, reason: ReasonVoided, ends: NoneError},
	{event: EventVoided, who: bySender, from: in(StateInProgress), raise: reasons(AttentionVoidAfterStart), tell: tellOther, reason: ReasonVoidAfterStart, quiet: true},
	{event: EventVoided, who: bySender, from: in(StateVoided), reason: ReasonRecorded, quiet: true},
	{event: EventVoided, who: bySender, from: inNone, reason: ReasonBeforeOriginal, waits: true},

	// Care passes.
	{event: EventStarted, who: byReceiver, from: in(StateAccepted), to: StateInProgress, facts: facts(factPlannedEnd),
		clear: append(doubts, answered...), tell: tellOther, reason: ReasonStarted},
	{event: EventStarted, kinds: noDischarge, who: byReceiver, from: in(StateInProgress), facts: facts(factPlannedEnd), reclock: true, tell: tellOther, reason: ReasonUpdated, quiet: true},
	{event: EventStarted, who: byReceiver, from: in(StateInProgress), facts: facts(factPlannedEnd), tell: tellOther, reason: ReasonUpdated, quiet: true},
	{event: EventStarted, who: byReceiver, from: in(StatePaused, StateCompleted), reason: ReasonRecorded, quiet: true},

	{event: EventDischarged, kinds: onlyDischarge, who: bySender, from: in(StateAccepted), when: whenDoubted,
		facts: facts(factDischarged), raise: reasons(AttentionDischargedUnaccepted), tell: tellOther, reason: ReasonDischargedUnaccepted, quiet: true},
	{event: EventDischarged, kinds: onlyDischarge, who: bySender, from: in(StateAccepted), to: StateInProgress, facts: facts(factDischarged), tell: tellOther, reason: ReasonStartedByDischarge},
	{event: EventDischarged, kinds: onlyDischarge, who: bySender, from: in(StateAnnounced, StateRequested, StateReceived, StateDeferred, StateDeclined),
		facts: facts(factDischarged), raise: reasons(AttentionDischargedUnaccepted), tell: tellOther, reason: ReasonDischargedUnaccepted, quiet: true},
	{event: EventDischarged, kinds: onlyDischarge, who: bySender, from: in(StateInProgress), facts: facts(factDischarged), reclock: true, tell: tellOther, reason: ReasonRecorded, quiet: true},
	{event: EventDischarged, kinds: onlyDischarge, who: bySender, from: in(StatePaused), facts: facts(factDischarged), tell: tellOther, reason: ReasonRecorded, quiet: true},
	{event: EventDischarged, kinds: onlyDischarge, who: bySender, from: inClosed, facts: facts(factDischarged), reason: ReasonLate, quiet: true, idle: ReasonLate},

	{event: EventDischargeCancelled, kinds: onlyDischarge, who: bySender, from: in(StateInProgress), when: whenDischarged, to: StateAccepted, facts: facts(factUndischarged, factNotAsked),
		clear: reasons(AttentionDischargedUnaccepted, AttentionWithdrawalAsked, AttentionVoidAfterStart), tell: tellOther, reason: ReasonDischargeCancelled},
	{event: EventDischargeCancelled, kinds: onlyDischarge, who: bySender, from: in(StateCompleted), when: whenFinishedByDischarge, to: StateAccepted, special: specialReopen,
		facts: facts(factUndischarged), tell: tellOther, reason: ReasonDischargeCancelled},
	{event: EventDischargeCancelled, kinds: onlyDischarge, who: bySender, from: inStored, when: whenDischarged, facts: facts(factUndischarged),
		clear: reasons(AttentionDischargedUnaccepted), tell: tellOther, reason: ReasonDischargeCancelled},
	{event: EventDischargeCancelled, kinds: onlyDischarge, who: bySender, from: inStored, when: whenCancelled, reason: ReasonRecorded, quiet: true},
	{event: EventDischargeCancelled, kinds: onlyDischarge, who: bySender, from: append(in(StateNone), inStored...), reason: ReasonBeforeOriginal, waits: true},

	{event: EventPaused, who: byReceiver, from: in(StateInProgress), to: StatePaused, facts: facts(factPlannedEnd), tell: tellOther, reason: ReasonPaused},
	{event: EventPaused, who: byReceiver, from: in(StatePaused), reason: ReasonRecorded, quiet: true},
	{event: EventResumed, who: byReceiver, from: in(StatePaused), to: StateInProgress, facts: facts(factPlannedEnd), tell: tellOther, reason: ReasonResumed},
	{event: EventResumed, who: byReceiver, from: in(StateInProgress), reason: ReasonRecorded, quiet: true},

	// The end.
	{event: EventFinished, who: byReceiver, from: inCare, needs: needs(needNext), to: StateCompleted, tell: tellOther, reason: ReasonFinished},
	{event: EventFinished, kinds: onlyDischarge, who: []ActorRole{RolePolicy}, from: inCare, when: whenDelivered, to: StateCompleted, reason: ReasonFinishedByPolicy, ends: NoneReceived},
	{event: EventFinished, who: []ActorRole{RoleReceiver, RolePolicy}, from: in(StateCompleted), when: whenSameNext, reason: ReasonRecorded, quiet: true},
	{event: EventReadmitted, kinds: onlyDischarge, who: bySender, from: inCare, needs: needs(needSuccessor), to: StateCompleted, custody: custodySender, special: specialReadmit, reason: ReasonReadmitted},
	{event: EventReadmitted, kinds: onlyDischarge, who: bySender, from: inBeforeCare, needs: needs(needSuccessor), to: StateWithdrawn, custody: custodySender, special: specialReadmit, reason: ReasonReadmitted},
	{event: EventReadmitted, kinds: onlyDischarge, who: bySender, from: in(StateDeclined), when: whenNextOwed, needs: needs(needSuccessor), to: StateWithdrawn, custody: custodySender,
		special: specialReadmit, reason: ReasonReadmitted},
	{event: EventDied, who: byAnybody, from: inOpen, to: StateWithdrawn, facts: facts(factDied), tell: tellAll, reason: ReasonDied, ends: NoneDied},
	{event: EventDied, who: byAnybody, from: in(StateDeclined), when: whenNextOwed, to: StateWithdrawn, facts: facts(factDied), tell: tellAll, reason: ReasonDied, ends: NoneDied},
	{event: EventDied, who: byAnybody, from: inEnded, facts: facts(factDied), reason: ReasonLate, quiet: true, idle: ReasonLate},

	// What is known beside the state.
	{event: EventMerged, who: byAnybody, from: inUnended, needs: needs(needFollowing), tell: tellOther, special: specialNamed, reason: ReasonRecorded},
	{event: EventMerged, who: byAnybody, from: inClosed, reason: ReasonLate},
	{event: EventMoved, who: byAnybody, from: inUnended, needs: needs(needFollowing), tell: tellOther, special: specialNamed, reason: ReasonRecorded},
	{event: EventMoved, who: byAnybody, from: inClosed, reason: ReasonLate},
	{event: EventLeave, who: byAnybody, from: inUnended, needs: needs(needFollowing), tell: tellOther, special: specialNamed, reason: ReasonRecorded},
	{event: EventLeave, who: byAnybody, from: inClosed, reason: ReasonLate},
	{event: EventUpdated, kinds: noDischarge, who: byReceiver, from: in(StateInProgress), needs: needs(needFollowing), facts: facts(factPlannedEnd), reclock: true,
		tell: tellOther, special: specialNamed, reason: ReasonRecorded},
	{event: EventUpdated, who: byReceiver, from: inCare, needs: needs(needFollowing), facts: facts(factPlannedEnd), tell: tellOther, special: specialNamed, reason: ReasonRecorded},
	{event: EventUpdated, who: byAnybody, from: inUnended, needs: needs(needFollowing), tell: tellOther, special: specialNamed, reason: ReasonRecorded},
	{event: EventUpdated, who: byAnybody, from: inClosed, reason: ReasonLate},
	{event: EventHealthInfoSent, kinds: onlyDischarge, who: bySender, from: in(StateAnnounced), facts: facts(factInformed), reclock: true,
		clear: reasons(AttentionNoHealthInfo), tell: tellOther, reason: ReasonRecorded},
	{event: EventHealthInfoSent, kinds: onlyDischarge, who: bySender, from: inUnended, facts: facts(factInformed),
		clear: reasons(AttentionNoHealthInfo), tell: tellOther, reason: ReasonRecorded},
	{event: EventHealthInfoSent, kinds: onlyDischarge, who: bySender, from: inClosed, facts: facts(factInformed), reason: ReasonLate},
	{event: EventReportSent, kinds: onlyDischarge, who: bySender, from: inUnended, tell: tellOther, reason: ReasonRecorded},
	{event: EventReportSent, kinds: onlyDischarge, who: bySender, from: in(StateCompleted), tell: tellOther, reason: ReasonLate},
	{event: EventNextNamed, who: bySender, from: in(StateDeclined), when: whenNextOwed, needs: needs(needNext), reason: ReasonNextNamed},
	{event: EventNextNamed, who: bySender, from: in(StateDeclined), when: whenSameNext, reason: ReasonRecorded, quiet: true},

	// The clock and the persons who look.
	{event: EventDeadlinePassed, who: []ActorRole{RoleClock}, from: inStored, special: specialEscalate, reason: ReasonEscalated, quiet: true, idle: ReasonNotDue},
	{event: EventAttentionRaised, who: byWatch, from: inUnended, needs: needs(needAttention), special: specialRaise, reason: ReasonAttentionRaised, quiet: true},
	{event: EventAttentionResolved, who: byWatch, from: inStored, needs: needs(needAttention, needOwnAttention), special: specialResolve, reason: ReasonAttentionResolved, quiet: true},
}

// stateRow says what a state means beside Task.status: who holds it, who owes the next
// step, and its term. The drawing shows it.
type stateRow struct {
	state     State
	custodian string
	// owes maps the kind to the party that a late state is first escalated to.
	owes func(Kind) ActorRole
	term string
}

func senderOwes(Kind) ActorRole   { return RoleSender }
func receiverOwes(Kind) ActorRole { return RoleReceiver }

// dischargeOwes: in a discharge the hospital must let the patient go and report.
func dischargeOwes(k Kind) ActorRole {
	if k == KindDischarge {
		return RoleSender
	}
	return RoleReceiver
}

var stateTable = []stateRow{
	{StateAnnounced, "sender", senderOwes, "announced after the admission; announcedInformed once Helseopplysninger are sent"},
	{StateRequested, "sender", senderOwes, "receiptFast or receiptSlow by the receiver's wire; at the latest receiptHard"},
	{StateReceived, "sender", receiverOwes, "answerDischarge, then answerDischargeThen; answerReferral"},
	{StateDeferred, "sender", receiverOwes, "the promised day at deferredHour; deferredUnknown"},
	{StateAccepted, "receiver", dischargeOwes, "acceptedDays after the promised day; acceptedReferral where no day is known"},
	{StateInProgress, "receiver", dischargeOwes, "report; plannedEnd after the planned end, plannedEndUnknown after the start"},
	{StatePaused, "receiver", receiverOwes, "paused"},
	{StateCompleted, "receiver, until the next handover is accepted; sender after a readmission", nil, ""},
	{StateDeclined, "sender", senderOwes, "declinedDischarge or declinedReferral, until what is next is named"},
	{StateForwarded, "sender, also of the next", nil, ""},
	{StateWithdrawn, "sender, or the holder if the patient died", nil, ""},
	{StateVoided, "sender", nil, ""},
}

// Owes returns the party that must take the next step; empty when nobody must.
func (h Handover) Owes() PartyID {
	switch owes(h.Kind, h.State) {
	case RoleSender:
		return h.Sender
	case RoleReceiver:
		return h.Receiver
	}
	return ""
}

// owes returns who must end state s, empty when nobody does.
func owes(k Kind, s State) ActorRole {
	for i := range stateTable {
		if stateTable[i].state == s && stateTable[i].owes != nil {
			return stateTable[i].owes(k)
		}
	}
	return ""
}

// rows indexes the table by event.
var rows = indexRows()

func indexRows() map[EventName][]*rule {
	m := make(map[EventName][]*rule, len(table))
	for i := range table {
		m[table[i].event] = append(m[table[i].event], &table[i])
	}
	return m
}
