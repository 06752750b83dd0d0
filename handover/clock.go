package handover

import (
	"slices"
	"time"
)

// term returns when the state that h entered, or entered anew, at now must have ended;
// zero when nobody owes its end. fast is the event's FastReceipt.
func (p Policy) term(kind Kind, h Handover, fast bool, now time.Time) time.Time {
	discharge := kind == KindDischarge
	switch h.State {
	case StateAnnounced:
		return p.announcedTerm(h, now)
	case StateRequested:
		return pick(fast, p.ReceiptFast, p.ReceiptSlow).from(now)
	case StateReceived:
		return pick(discharge, p.AnswerDischarge, p.AnswerReferral).from(now)
	case StateDeferred:
		// A day whose hour has passed says no more than an unknown one.
		if t := (Calendar{}).at(h.Facts.PromisedDay, 0, p.DeferredHour); !h.Facts.PromisedDay.IsZero() && t.After(now) {
			return t
		}
		return p.DeferredUnknown.from(now)
	case StateAccepted:
		return p.acceptedTerm(discharge, h, now)
	case StateInProgress:
		if discharge {
			return p.Report.from(now)
		}
		if h.Facts.PlannedEnd.IsZero() {
			return p.PlannedEndUnknown.from(now)
		}
		return p.PlannedEnd.from(later(Calendar{}.at(h.Facts.PlannedEnd, 0, p.DeferredHour), now))
	case StatePaused:
		return p.Paused.from(now)
	case StateDeclined:
		if h.Next.IsZero() {
			return pick(discharge, p.DeclinedDischarge, p.DeclinedReferral).from(now)
		}
	}
	return time.Time{}
}

// announcedTerm runs from the admission itself, and from now for a patient who became
// ill again.
func (p Policy) announcedTerm(h Handover, now time.Time) time.Time {
	switch f := h.Facts; {
	case !f.owesHealthInfo():
		return p.AnnouncedInformed.from(now)
	case f.AdmittedAt.IsZero() || f.AdmittedAt.After(now) || !f.NotReadyAt.IsZero():
		return p.Announced.from(now)
	default:
		return p.Announced.from(f.AdmittedAt)
	}
}

func (p Policy) acceptedTerm(discharge bool, h Handover, now time.Time) time.Time {
	if h.Facts.PromisedDay.IsZero() && !discharge {
		return p.AcceptedReferral.from(now)
	}
	return Calendar{}.at(later(h.Facts.PromisedDay, now), p.AcceptedDays, p.DeferredHour)
}

func pick(first bool, a, b Term) Term {
	if first {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// escalate takes the next step of everything that is late. It never moves the state.
func (w *watched) escalate() {
	if !w.h.Deadline.IsZero() && !w.h.Deadline.After(w.now) {
		w.escalateState()
	}
	for i := range w.h.Attentions {
		a := &w.h.Attentions[i]
		if a.Reason == AttentionOverdue || a.Deadline.After(w.now) {
			continue
		}
		a.Step++
		a.Deadline = w.now.Add(w.p.EscalationAfter(a.Step))
		w.alert(a.Reason, a.Step, a.Parties)
	}
}

// escalateState alerts the party that owes the next step, and from the second step the
// custodian with it. While the state is late it carries the attention overdue, whose
// clock is the state's.
func (w *watched) escalateState() {
	w.h.Step++
	w.h.Deadline = w.nextStep()
	i := w.attention(AttentionOverdue)
	if i < 0 {
		w.h.Attentions = append(w.h.Attentions, Attention{Reason: AttentionOverdue, RaisedAt: w.now})
		i = len(w.h.Attentions) - 1
		w.notices = append(w.notices, Effect{Kind: EffectPublish, Event: EventAttentionRaised, Attention: AttentionOverdue})
	}
	parties := w.late()
	a := &w.h.Attentions[i]
	a.Step, a.Deadline = w.h.Step, w.h.Deadline
	a.Parties = union(a.Parties, parties)
	w.alert(AttentionOverdue, a.Step, parties)
}

func (w *watched) nextStep() time.Time {
	if w.h.State == StateAnnounced && !w.h.Facts.owesHealthInfo() {
		// A long stay: nothing is due, and it is looked at again at the ladder's last pace.
		return w.now.Add(w.p.EscalationAfter(len(w.p.Escalation)))
	}
	if w.h.State == StateReceived && w.kind == KindDischarge {
		return w.now.Add(rung(w.p.AnswerDischargeThen, w.h.Step-1))
	}
	next := w.now.Add(w.p.EscalationAfter(w.h.Step - 1))
	// The last limit for a receipt is a step of its own.
	if hard := w.p.ReceiptHard.from(w.h.Since); w.h.State == StateRequested && hard.After(w.now) && hard.Before(next) {
		return hard
	}
	return next
}

// late lists whom the present step of a late state goes to.
func (w *watched) late() []PartyID {
	party := w.h.Sender
	if owes(w.kind, w.h.State) == RoleReceiver && !w.h.Facts.AccessEnded {
		party = w.h.Receiver
	}
	if w.h.Step > 1 && w.h.Custodian != party {
		return []PartyID{party, w.h.Custodian}
	}
	return []PartyID{party}
}

func (w *watched) alert(reason AttentionReason, step int, parties []PartyID) {
	w.touched = true
	w.notices = append(w.notices, Effect{Kind: EffectPublish, Event: EventDeadlinePassed, Attention: reason, Step: step})
	w.alertAll(parties, Effect{Event: EventDeadlinePassed, Attention: reason, Step: step})
}

// alertAll notes an alert to each of the parties, but to a receiver that was the wrong one.
func (w *watched) alertAll(parties []PartyID, e Effect) {
	e.Kind = EffectAlert
	for _, p := range parties {
		if p == w.h.Receiver && w.h.Facts.AccessEnded {
			continue
		}
		e.Party = p
		w.notices = append(w.notices, e)
	}
}

// owesHealthInfo reports whether the sender's Helseopplysninger are waited for.
func (f Facts) owesHealthInfo() bool { return f.HealthInfoAt.IsZero() && !f.WithoutHealthInfo }

// delivered reports whether the receiver has all that a discharge owes it and that can
// arrive: the notice, and the report.
func (f Facts) delivered() bool {
	return f.DischargeNoticeReceipted && (f.ReportReceipted || f.WithoutReport)
}

// doubted reports whether a person must still settle that the receiver takes the patient.
func (h Handover) doubted() bool {
	return slices.ContainsFunc(h.Attentions, func(a Attention) bool { return slices.Contains(doubts, a.Reason) })
}

// Follows returns what the policy itself does next with h, if anything: a discharge whose
// notice and report are receipted is finished, unless its acceptance is in doubt. The gateway decides it in the same
// transaction as what made it so.
func (p Policy) Follows(h Handover) (Event, Actor, bool) {
	if h.Kind == KindDischarge && (h.State == StateInProgress || h.State == StatePaused) && h.Facts.delivered() && !h.doubted() {
		return Event{Name: EventFinished, Next: Next{None: NoneReceived}}, Actor{Role: RolePolicy}, true
	}
	return Event{}, Actor{}, false
}
