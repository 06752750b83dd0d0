package handover

import (
	"cmp"
	"slices"
	"time"
)

// decision is one call of Decide while it is worked out, on the handover that it watches;
// before is what the caller gave and is never written to.
type decision struct {
	watched
	before Handover
	e      Event
	a      Actor
	as     ActorRole // the actor's capacity: a reader acts as its party
	about  PartyID   // whose receipt, or whose silence
	at     time.Time // when it happened, never zero
	day    time.Time // e.Day as 00:00 UTC of that day in Oslo, or zero

	opened []Effect // what an opened handover causes
}

// Decide says what follows when a causes e on h: the handover afterwards, what the
// gateway must do in the same transaction, and why. It is pure: no I/O, no clock, h is
// not changed. h with State "" or StateNone is a handover that does not exist yet.
//
// The fault is of kind illegal (with the allowed events), forbidden or invalid; then the
// handover comes back unchanged without effects, and the reason tells an event that
// undoes what has not arrived yet (ReasonBeforeOriginal) from others.
func (p Policy) Decide(kind Kind, h Handover, e Event, a Actor, now time.Time) (Handover, []Effect, Reason, *Fault) {
	d := newDecision(p, kind, h, e, a, now)
	r, reason, fault := d.find()
	if fault != nil {
		if fault.Kind == FaultIllegal {
			fault.Allowed = p.AllowedEvents(kind, h, a, now)
		}
		return h, nil, reason, fault
	}
	d.apply(r)
	if r.quiet && !d.changed() {
		if r.idle != "" {
			return h, nil, r.idle, nil
		}
		return h, nil, ReasonRepeated, nil
	}
	return d.h, d.effects(r), r.reason, nil
}

func newDecision(p Policy, kind Kind, h Handover, e Event, a Actor, now time.Time) *decision {
	d := &decision{watched: watched{p: p, kind: kind, h: clone(h), now: instant(now)}, before: h, e: e, a: a, at: instant(e.At)}
	if d.h.State == "" {
		d.h.State = StateNone
	}
	if e.At.IsZero() {
		d.at = d.now
	}
	d.day = dayOf(e.Day)
	return d
}

// instant is t as a ledger gives it back, so that a stored time equals a repeated one.
func instant(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

func dayOf(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	t = t.In(oslo)
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

func clone(h Handover) Handover {
	h.Copies = slices.Clone(h.Copies)
	h.Hops = slices.Clone(h.Hops)
	h.Attentions = slices.Clone(h.Attentions)
	for i := range h.Attentions {
		h.Attentions[i].Parties = slices.Clone(h.Attentions[i].Parties)
		h.Attentions[i].About = slices.Clone(h.Attentions[i].About)
	}
	return h
}

// find checks who speaks and what is said, and returns the row that decides.
func (d *decision) find() (*rule, Reason, *Fault) {
	if f := d.checkEvent(); f != nil {
		return nil, ReasonInvalid, f
	}
	if f := d.checkActor(); f != nil {
		return nil, ReasonForbidden, f
	}
	r := d.match()
	switch {
	case r == nil && !d.mayEver():
		return nil, ReasonForbidden, forbidden("this event is not the actor's to tell")
	case r == nil:
		return nil, ReasonIllegal, illegal("the event is not allowed in this state")
	case r.waits:
		return nil, ReasonBeforeOriginal, illegal("the event undoes one that has not arrived")
	}
	for _, n := range r.needs {
		if f := n.ok(d); f != nil {
			return nil, reasonOf(f), f
		}
	}
	return r, "", nil
}

func reasonOf(f *Fault) Reason {
	switch f.Kind {
	case FaultForbidden:
		return ReasonForbidden
	case FaultIllegal:
		return ReasonIllegal
	}
	return ReasonInvalid
}

// match returns the first row that fits, or nil.
func (d *decision) match() *rule {
	for _, r := range rows[d.e.Name] {
		if d.mayTell(r) && slices.Contains(r.from, d.h.State) && (r.when.ok == nil || r.when.ok(d)) {
			return r
		}
	}
	return nil
}

func (d *decision) mayTell(r *rule) bool {
	if len(r.kinds) > 0 && !slices.Contains(r.kinds, d.kind) {
		return false
	}
	return slices.Contains(r.who, d.as) || slices.Contains(r.who, d.a.Role)
}

// mayEver tells an illegal event from one that this actor can never cause.
func (d *decision) mayEver() bool {
	byKind := false
	for _, r := range rows[d.e.Name] {
		if d.mayTell(r) {
			return true
		}
		byKind = byKind || len(r.kinds) == 0 || slices.Contains(r.kinds, d.kind)
	}
	// Not of this kind at all: illegal, whoever says it.
	return !byKind
}

// apply works the row's columns out on d.h.
func (d *decision) apply(r *rule) {
	if r.special == specialCreate {
		d.create()
	}
	for _, f := range r.facts {
		f.set(&d.h.Facts, d)
	}
	if d.as == RoleSender {
		d.h.Facts.Residence = cmp.Or(d.e.Residence, d.h.Facts.Residence)
	}
	d.h.Facts.Protected = d.h.Facts.Protected || d.e.Protected
	d.move(r)
	for _, reason := range r.clear {
		if reason == AttentionUnreachable {
			d.reached(d.h.Receiver)
			continue
		}
		d.drop(reason)
	}
	for _, reason := range r.raise {
		d.raise(reason, d.concerned(reason), nil)
	}
	for _, m := range r.mark {
		if m.when.ok(d) {
			d.raise(m.reason, d.concerned(m.reason), nil)
		}
	}
	d.applySpecial(r.special)
	d.reclock(r)
	d.close(r)
}

// move sets state, custody and what is next.
func (d *decision) move(r *rule) {
	if r.to != "" {
		d.h.State = r.to
	}
	// Invariant 3: custody goes to a party only by its own act. A consented withdrawal is
	// the sender's act: it asked.
	switch {
	case r.custody == custodyReceiver && d.as == RoleReceiver:
		d.h.Custodian = d.h.Receiver
	case r.custody == custodySender && (d.as == RoleSender || d.before.Facts.WithdrawalAsked):
		d.h.Custodian = d.h.Sender
	}
	// Invariant 3: a handover ends only by naming what is next.
	switch {
	case d.e.Name == EventDied && r.ends != "":
		d.h.Next = Next{None: NoneDied}
	case r.ends != "" && d.e.Next.IsZero():
		d.h.Next = Next{None: r.ends}
	case r.ends != "" || d.e.Name == EventNextNamed || d.e.Name == EventFinished:
		if d.before.Next.IsZero() {
			d.h.Next = d.e.Next
		}
	}
}

func (d *decision) applySpecial(s special) {
	switch s {
	case specialReached:
		d.reached(d.about)
	case specialMissed:
		d.raise(AttentionUnreachable, d.others(d.about), []PartyID{d.about})
	case specialNamed:
		if d.e.Attention != "" {
			d.raise(d.e.Attention, d.concerned(d.e.Attention), nil)
		}
	case specialRaise:
		var about []PartyID
		if d.e.Attention == AttentionUnreachable {
			about = []PartyID{d.h.Receiver}
		}
		d.raise(d.e.Attention, d.concerned(d.e.Attention), about)
	case specialResolve:
		d.drop(d.e.Attention)
	case specialReopen:
		d.h.Next = Next{}
	case specialForward:
		d.forward()
	case specialReadmit:
		d.readmit()
	case specialEscalate:
		d.escalate()
	}
}

// reclock starts the state's term when the state is new, or when a fact on which the
// term depends changed; a state that was late then is no longer.
func (d *decision) reclock(r *rule) {
	entered := d.h.State != d.stateBefore()
	if !entered && !(r.reclock && d.h.Facts != d.before.Facts) {
		return
	}
	if entered {
		d.h.Since = d.now
	}
	d.drop(AttentionOverdue)
	d.h.Step = 0
	// Invariant 4: every open handover has a deadline.
	d.h.Deadline = d.p.term(d.kind, d.h, d.e.FastReceipt, d.now)
}

// close ends the clocks of a handover that owes nothing any more.
func (d *decision) close(r *rule) {
	if d.h.State.Open() || d.h.State == StateNone || d.h.Next.IsZero() {
		return
	}
	if d.h.State == StateDeclined && r.event != EventNextNamed {
		return // an attention raised after the end still needs its person
	}
	for len(d.h.Attentions) > 0 {
		d.drop(d.h.Attentions[0].Reason)
	}
	d.h.Deadline, d.h.Step, d.h.Facts.WithdrawalAsked = time.Time{}, 0, false
}

func (d *decision) stateBefore() State {
	if d.before.State == "" {
		return StateNone
	}
	return d.before.State
}

func (d *decision) changed() bool {
	return d.touched || d.h.State != d.stateBefore() || d.h.Facts != d.before.Facts ||
		d.h.Next != d.before.Next || d.h.Custodian != d.before.Custodian ||
		!d.h.Deadline.Equal(d.before.Deadline) || d.h.Step != d.before.Step
}

// effects lists what the gateway must do, in the order in which it must be seen.
func (d *decision) effects(r *rule) []Effect {
	out := make([]Effect, 0, 4+len(d.opened)+len(d.notices))
	switch r.special {
	case specialEscalate, specialRaise, specialResolve: // the notices publish these themselves
	default:
		out = append(out, Effect{Kind: EffectPublish, Event: d.e.Name})
	}
	out = append(out, d.opened...)
	for _, party := range d.audience(r) {
		out = append(out, Effect{Kind: EffectTell, Event: d.e.Name, Party: party})
	}
	out = append(out, d.notices...)
	if r.special == specialEndAccess {
		out = append(out, Effect{Kind: EffectEndAccess, Event: d.e.Name, Party: d.h.Receiver})
	}
	return out
}

func (d *decision) audience(r *rule) []PartyID {
	if r.special == specialReadmit {
		return d.readmitAudience()
	}
	switch {
	case r.tell == tellNobody:
		return nil
	case r.tell == tellOther && d.as == RoleSender:
		return d.receivers()
	case r.tell == tellOther && d.as == RoleReceiver:
		return []PartyID{d.h.Sender}
	}
	all := append([]PartyID{d.h.Sender}, d.receivers()...)
	return slices.DeleteFunc(all, func(p PartyID) bool {
		return p == d.a.Party && d.a.Role != RoleSystem
	})
}

// receivers are the receiver and the copies; the copies follow what the sender says. A
// receiver that was the wrong one is told nothing more.
func (d *decision) receivers() []PartyID {
	out := make([]PartyID, 0, 1+len(d.h.Copies))
	if !d.before.Facts.AccessEnded {
		out = append(out, d.h.Receiver)
	}
	return append(out, d.h.Copies...)
}
