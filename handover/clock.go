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
	case !f.HealthInfoAt.IsZero():
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
func (d *decision) escalate() {
	if !d.h.Deadline.IsZero() && !d.h.Deadline.After(d.now) {
		d.escalateState()
	}
	for i := range d.h.Attentions {
		a := &d.h.Attentions[i]
		if a.Reason == AttentionOverdue || a.Deadline.After(d.now) {
			continue
		}
		a.Step++
		a.Deadline = d.now.Add(d.p.EscalationAfter(a.Step))
		d.alert(a.Reason, a.Step, a.Parties)
	}
}

// escalateState alerts the party that owes the next step, and from the second step the
// custodian with it. While the state is late it carries the attention overdue, whose
// clock is the state's.
func (d *decision) escalateState() {
	d.h.Step++
	d.h.Deadline = d.nextStep()
	i := d.attention(AttentionOverdue)
	if i < 0 {
		d.h.Attentions = append(d.h.Attentions, Attention{Reason: AttentionOverdue, RaisedAt: d.now})
		i = len(d.h.Attentions) - 1
		d.notices = append(d.notices, Effect{Kind: EffectPublish, Event: EventAttentionRaised, Attention: AttentionOverdue})
	}
	parties := d.late()
	a := &d.h.Attentions[i]
	a.Step, a.Deadline = d.h.Step, d.h.Deadline
	for _, p := range parties {
		if !slices.Contains(a.Parties, p) {
			a.Parties = append(a.Parties, p)
		}
	}
	d.alert(AttentionOverdue, a.Step, parties)
}

func (d *decision) nextStep() time.Time {
	if d.h.State == StateReceived && d.kind == KindDischarge {
		return d.now.Add(rung(d.p.AnswerDischargeThen, d.h.Step-1))
	}
	next := d.now.Add(d.p.EscalationAfter(d.h.Step - 1))
	// The last limit for a receipt is a step of its own.
	if hard := d.p.ReceiptHard.from(d.h.Since); d.h.State == StateRequested && hard.After(d.now) && hard.Before(next) {
		return hard
	}
	return next
}

// late lists whom the present step of a late state goes to.
func (d *decision) late() []PartyID {
	party := d.h.Sender
	if owes(d.kind, d.h.State) == RoleReceiver && !d.h.Facts.AccessEnded {
		party = d.h.Receiver
	}
	if d.h.Step > 1 && d.h.Custodian != party {
		return []PartyID{party, d.h.Custodian}
	}
	return []PartyID{party}
}

func (d *decision) alert(reason AttentionReason, step int, parties []PartyID) {
	d.touched = true
	d.notices = append(d.notices, Effect{Kind: EffectPublish, Event: EventDeadlinePassed, Attention: reason, Step: step})
	for _, p := range parties {
		if p == d.h.Receiver && d.h.Facts.AccessEnded {
			continue
		}
		d.notices = append(d.notices, Effect{Kind: EffectAlert, Event: EventDeadlinePassed, Party: p, Attention: reason, Step: step})
	}
}

// Follows returns what the policy itself does next with h, if anything: a discharge whose
// notice and report are receipted is finished. The gateway decides it in the same
// transaction as what made it so.
func (p Policy) Follows(h Handover) (Event, Actor, bool) {
	f := h.Facts
	if h.Kind == KindDischarge && (h.State == StateInProgress || h.State == StatePaused) &&
		f.DischargeNoticeReceipted && f.ReportReceipted {
		return Event{Name: EventFinished, Next: Next{None: NoneReceived}}, Actor{Role: RolePolicy}, true
	}
	return Event{}, Actor{}, false
}
