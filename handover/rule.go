package handover

import (
	"slices"
	"time"
)

// rule is one row of the transition table. Rows of one event are tried in order; the
// first that fits kind, actor, state and guard decides.
type rule struct {
	event EventName
	kinds []Kind // empty: every kind
	who   []ActorRole
	from  []State
	when  guard
	needs []need
	to    State // empty: the state stays
	// custody moves only to the party whose own act this is (Invariant 3).
	custody custody
	facts   []factChange
	// reclock starts the state's term anew when a fact changed.
	reclock bool
	raise   []AttentionReason
	mark    []markIf
	clear   []AttentionReason
	tell    audience
	special special
	reason  Reason
	// quiet: when nothing changes the event is a repeat, and nothing follows.
	quiet bool
	// idle is the reason then; empty: ReasonRepeated.
	idle Reason
	// waits: it undoes what has not arrived; a fault with ReasonBeforeOriginal.
	waits bool
	// ends is the reason why nothing follows, where the event names none.
	ends NoneReason
}

// custody says who holds the handover afterwards.
type custody string

const (
	custodyStays    custody = ""
	custodySender   custody = "sender"
	custodyReceiver custody = "receiver"
)

// audience says who is told what happened, in its own format.
type audience string

const (
	tellNobody audience = ""
	// tellOther: the sender's act to receiver and copies, the receiver's to the sender.
	tellOther audience = "the other"
	tellAll   audience = "all"
)

// special names what a row does beside the columns.
type special string

const (
	specialCreate    special = "create"
	specialForward   special = "open the next with the forwarded-to receiver"
	specialReadmit   special = "open a successor"
	specialReopen    special = "nothing follows any more"
	specialEndAccess special = "end the receiver's access"
	specialReached   special = "clear unreachable of the party that receipted"
	specialMissed    special = "raise unreachable"
	specialNamed     special = "raise what the event names"
	specialRaise     special = "raise"
	specialResolve   special = "resolve"
	specialEscalate  special = "next step of what is late"
)

// guard is a named condition; it must not depend on what an event names in free form,
// so that AllowedEvents can ask it with an event that only has a name.
type guard struct {
	name string
	ok   func(d *decision) bool
}

var (
	whenDischarged = guard{"discharged", func(d *decision) bool { return !d.h.Facts.DischargedAt.IsZero() }}
	whenCancelled  = guard{"discharge cancelled before", func(d *decision) bool { return !d.h.Facts.DischargeCancelledAt.IsZero() }}
	whenUnready    = guard{"not ready before", func(d *decision) bool { return !d.h.Facts.NotReadyAt.IsZero() }}
	whenNextOwed   = guard{"next not named", func(d *decision) bool { return d.h.Next.IsZero() }}
	whenAsked      = guard{"withdrawal asked", func(d *decision) bool { return d.h.Facts.WithdrawalAsked }}
	whenDelivered  = guard{"notice and report receipted, acceptance not in doubt", func(d *decision) bool { return d.h.Facts.delivered() && !d.h.doubted() }}
	// A discharge then is one without acceptance.
	whenDoubted = guard{"retracted, or discharged without acceptance", func(d *decision) bool { return d.h.doubted() }}
	// What the policy took for the end rested on the discharge.
	whenFinishedByDischarge = guard{"finished by the discharge", func(d *decision) bool {
		return d.h.Next.None == NoneReceived && d.h.Facts.delivered() && !d.h.Facts.DischargedAt.IsZero()
	}}
	whenOfReceiver = guard{"by the receiver", func(d *decision) bool { return d.about == d.h.Receiver }}
	// A receipt for an earlier notice must not pass for one of the request.
	whenOfRequest = guard{"by the receiver, of the request", func(d *decision) bool {
		return d.about == d.h.Receiver && isRequest(d.e.Notice)
	}}
	whenSameNext = guard{"same next", func(d *decision) bool { return d.e.Next.IsZero() || d.e.Next == d.h.Next }}
)

func isRequest(notice EventName) bool {
	return notice == "" || notice == EventReady || notice == EventRequested
}

// markIf raises an attention when the condition holds after the facts have changed.
type markIf struct {
	reason AttentionReason
	when   guard
}

var whenUninformed = guard{"no Helseopplysninger", func(d *decision) bool {
	return d.kind == KindDischarge && d.h.Facts.owesHealthInfo()
}}

// need is something that the event must name.
type need struct {
	name string
	ok   func(d *decision) *Fault
}

var (
	needNext = need{"next", func(d *decision) *Fault {
		n := d.e.Next
		if (n.Handover == "") == (n.None == "") || (n.None != "" && !slices.Contains(NoneReasons(), n.None)) {
			return invalid("name what is next: either a handover or the reason why there is none")
		}
		if n.Handover == d.h.ID {
			return invalid("a handover cannot follow itself")
		}
		return nil
	}}
	needOpening   = need{"sender, receiver, chain, id", func(d *decision) *Fault { return d.checkOpening() }}
	needSuccessor = need{"id of the successor", func(d *decision) *Fault { return d.checkSuccessor() }}
	needForward   = need{"another receiver, within the limit", func(d *decision) *Fault { return d.checkForward() }}
	needAttention = need{"attention reason", func(d *decision) *Fault {
		if !slices.Contains(AttentionReasons(), d.e.Attention) {
			return invalid("name the attention reason")
		}
		if d.e.Attention == AttentionOverdue {
			return illegal("overdue follows the state's deadline and ends with it")
		}
		return nil
	}}
	needOwnAttention = need{"attention of the reader's party", func(d *decision) *Fault { return d.checkResolve() }}
	needFollowing    = need{"chains-meet, receiver-may-be-wrong or nothing", func(d *decision) *Fault {
		switch d.e.Attention {
		case "", AttentionChainsMeet, AttentionReceiverMayBeWrong:
			return nil
		}
		return invalid("only chains-meet or receiver-may-be-wrong follows from this event")
	}}
)

// factChange is a named change of Facts.
type factChange struct {
	name string
	set  func(f *Facts, d *decision)
}

// correct replaces a time by the actor's newer word; an event that names no time of its
// own corrects nothing. once keeps the first.
func correct(t *time.Time, d *decision) {
	if t.IsZero() || (!d.e.At.IsZero() && !t.Equal(d.at)) {
		*t = d.at
	}
}

func once(t *time.Time, v time.Time) {
	if t.IsZero() {
		*t = v
	}
}

var (
	factAdmitted     = factChange{"admitted", func(f *Facts, d *decision) { correct(&f.AdmittedAt, d) }}
	factAdmittedOnce = factChange{"admitted, if unknown", func(f *Facts, d *decision) { once(&f.AdmittedAt, d.at) }}
	factReady        = factChange{"ready", func(f *Facts, d *decision) { correct(&f.ReadyAt, d); f.NotReadyAt = time.Time{} }}
	factReadyOnce    = factChange{"ready, if unknown", func(f *Facts, d *decision) { once(&f.ReadyAt, d.at) }}
	factNotReady     = factChange{"not ready", setNotReady}
	factReceipted    = factChange{"receipted", setReceipted}
	factPromised     = factChange{"promised day", func(f *Facts, d *decision) { f.PromisedDay = d.day }}
	factPromisedAnew = factChange{"promised day, if named", setPromisedAnew}
	factPlannedEnd   = factChange{"planned end, if named", setPlannedEnd}
	factDischarged   = factChange{"discharged", setDischarged}
	factUndischarged = factChange{"not discharged", setUndischarged}
	factDied         = factChange{"died", func(f *Facts, d *decision) { once(&f.DiedAt, d.at) }}
	factInformed     = factChange{"Helseopplysninger sent", func(f *Facts, d *decision) { once(&f.HealthInfoAt, d.at) }}
	factAsked        = factChange{"withdrawal asked", func(f *Facts, _ *decision) { f.WithdrawalAsked = true }}
	factNotAsked     = factChange{"withdrawal not asked", func(f *Facts, _ *decision) { f.WithdrawalAsked = false }}
	factAccessEnded  = factChange{"access ended", func(f *Facts, _ *decision) { f.AccessEnded = true }}
)

// setNotReady forgets what the next ready notice must earn again; the earlier days stay
// payable by the events that are on record.
func setNotReady(f *Facts, d *decision) {
	f.NotReadyAt = d.at
	f.ReadyAt, f.ReceiptedAt, f.PromisedDay = time.Time{}, time.Time{}, time.Time{}
}

func setReceipted(f *Facts, d *decision) {
	switch {
	case isRequest(d.e.Notice) && d.h.State != StateAnnounced:
		once(&f.ReceiptedAt, d.at)
	case d.e.Notice == EventDischarged && !f.DischargedAt.IsZero():
		f.DischargeNoticeReceipted = true
	case d.e.Notice == EventReportSent:
		f.ReportReceipted = true
	}
}

func setPromisedAnew(f *Facts, d *decision) {
	if !d.day.IsZero() {
		f.PromisedDay = d.day
	}
}

func setPlannedEnd(f *Facts, d *decision) {
	if !d.day.IsZero() {
		f.PlannedEnd = d.day
	}
}

func setDischarged(f *Facts, d *decision) {
	correct(&f.DischargedAt, d)
	f.DischargeCancelledAt = time.Time{}
}

func setUndischarged(f *Facts, d *decision) {
	f.DischargedAt = time.Time{}
	once(&f.DischargeCancelledAt, d.at)
	f.DischargeNoticeReceipted, f.ReportReceipted = false, false
}
