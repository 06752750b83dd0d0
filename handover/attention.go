package handover

import (
	"slices"
	"time"
)

// NextDue is the earliest of h's deadlines, zero when nothing is owed.
func (h Handover) NextDue() time.Time {
	next := h.Deadline
	for i := range h.Attentions {
		if t := h.Attentions[i].Deadline; next.IsZero() || t.Before(next) {
			next = t
		}
	}
	return next
}

// Due reports whether a deadline of h has passed by now.
func (h Handover) Due(now time.Time) bool {
	next := h.NextDue()
	return !next.IsZero() && !next.After(now)
}

// watched is a handover under its clocks while a decision is worked out: the attentions
// that are raised, dropped and escalated, and the notices that this causes.
type watched struct {
	p    Policy
	kind Kind
	h    Handover // a copy
	now  time.Time

	touched bool     // an attention was raised, changed or cleared
	notices []Effect // what the attentions cause
}

// attention returns the index of the open attention, or -1.
func (w *watched) attention(reason AttentionReason) int {
	return slices.IndexFunc(w.h.Attentions, func(a Attention) bool { return a.Reason == reason })
}

// raise opens an attention and alerts its parties; one that is open already only gains
// the parties that it lacks, and its clock goes on.
func (w *watched) raise(reason AttentionReason, parties, about []PartyID) {
	i := w.attention(reason)
	if i < 0 {
		// Invariant 4: every attention has a deadline.
		deadline := w.now.Add(w.p.EscalationAfter(0))
		if reason == AttentionAnswerNeedsReading {
			deadline = w.p.AnswerReading.from(w.now)
		}
		w.h.Attentions = append(w.h.Attentions, Attention{Reason: reason, RaisedAt: w.now, Deadline: deadline})
		i = len(w.h.Attentions) - 1
		w.notices = append(w.notices, Effect{Kind: EffectPublish, Event: EventAttentionRaised, Attention: reason})
	}
	a := &w.h.Attentions[i]
	for _, p := range about {
		if !slices.Contains(a.About, p) {
			a.About, w.touched = append(a.About, p), true
		}
	}
	for _, p := range parties {
		if slices.Contains(a.Parties, p) {
			continue
		}
		a.Parties, w.touched = append(a.Parties, p), true
		if reason == AttentionNoHealthInfo {
			// The sender knows what it has not sent: its contact is told when the first hour is over.
			continue
		}
		w.notices = append(w.notices, Effect{Kind: EffectAlert, Event: EventAttentionRaised, Party: p, Attention: reason, Step: a.Step})
	}
}

// drop ends an attention. Those who were told that it is late are told of its end, once.
func (w *watched) drop(reason AttentionReason) {
	i := w.attention(reason)
	if i < 0 {
		return
	}
	a := w.h.Attentions[i]
	w.h.Attentions = slices.Delete(w.h.Attentions, i, i+1)
	if len(w.h.Attentions) == 0 {
		w.h.Attentions = nil
	}
	w.touched = true
	w.notices = append(w.notices, Effect{Kind: EffectPublish, Event: EventAttentionResolved, Attention: reason})
	if a.Step > 0 {
		w.alertAll(a.Parties, Effect{Event: EventAttentionResolved, Attention: reason, Step: a.Step})
	}
}

// reached takes party out of an open unreachable, which ends with its last one.
func (w *watched) reached(party PartyID) {
	i := w.attention(AttentionUnreachable)
	if i < 0 || !slices.Contains(w.h.Attentions[i].About, party) {
		return
	}
	a := &w.h.Attentions[i]
	if len(a.About) == 1 {
		w.drop(AttentionUnreachable)
		return
	}
	a.About = slices.DeleteFunc(a.About, func(p PartyID) bool { return p == party })
	w.touched = true
}

// others are those who must look when party cannot be reached.
func (w *watched) others(party PartyID) []PartyID {
	if party == w.h.Sender && !w.h.Facts.AccessEnded {
		return []PartyID{w.h.Receiver}
	}
	return []PartyID{w.h.Sender}
}

// concerned are the parties whose contacts an attention is for.
func (w *watched) concerned(reason AttentionReason) []PartyID {
	switch reason {
	case AttentionUnreachable:
		return w.others(w.h.Receiver)
	case AttentionNoHealthInfo, AttentionReceiverMayBeWrong:
		return []PartyID{w.h.Sender}
	case AttentionWithdrawalAsked:
		return w.others(w.h.Sender)
	}
	if w.h.Facts.AccessEnded {
		return []PartyID{w.h.Sender}
	}
	return []PartyID{w.h.Sender, w.h.Receiver}
}
