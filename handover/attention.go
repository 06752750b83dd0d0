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

// attention returns the index of the open attention, or -1.
func (d *decision) attention(reason AttentionReason) int {
	return slices.IndexFunc(d.h.Attentions, func(a Attention) bool { return a.Reason == reason })
}

// raise opens an attention and alerts its parties; one that is open already only gains
// the parties that it lacks, and its clock goes on.
func (d *decision) raise(reason AttentionReason, parties, about []PartyID) {
	i := d.attention(reason)
	if i < 0 {
		// Invariant 4: every attention has a deadline.
		after := d.p.EscalationAfter(0)
		deadline := d.now.Add(after)
		if reason == AttentionAnswerNeedsReading {
			deadline = d.p.AnswerReading.from(d.now)
		}
		d.h.Attentions = append(d.h.Attentions, Attention{Reason: reason, RaisedAt: d.now, Deadline: deadline})
		i = len(d.h.Attentions) - 1
		d.notices = append(d.notices, Effect{Kind: EffectPublish, Event: EventAttentionRaised, Attention: reason})
	}
	a := &d.h.Attentions[i]
	for _, p := range about {
		if !slices.Contains(a.About, p) {
			a.About, d.touched = append(a.About, p), true
		}
	}
	for _, p := range parties {
		if slices.Contains(a.Parties, p) {
			continue
		}
		a.Parties, d.touched = append(a.Parties, p), true
		if reason == AttentionNoHealthInfo {
			// The sender knows what it has not sent: its contact is told when the first hour is over.
			continue
		}
		d.notices = append(d.notices, Effect{Kind: EffectAlert, Event: EventAttentionRaised, Party: p, Attention: reason, Step: a.Step})
	}
}

// drop ends an attention. Those who were told that it is late are told of its end, once.
func (d *decision) drop(reason AttentionReason) {
	i := d.attention(reason)
	if i < 0 {
		return
	}
	a := d.h.Attentions[i]
	d.h.Attentions = slices.Delete(d.h.Attentions, i, i+1)
	if len(d.h.Attentions) == 0 {
		d.h.Attentions = nil
	}
	d.touched = true
	d.notices = append(d.notices, Effect{Kind: EffectPublish, Event: EventAttentionResolved, Attention: reason})
	if a.Step == 0 {
		return
	}
	for _, p := range a.Parties {
		if p == d.h.Receiver && d.h.Facts.AccessEnded {
			continue
		}
		d.notices = append(d.notices, Effect{Kind: EffectAlert, Event: EventAttentionResolved, Party: p, Attention: reason, Step: a.Step})
	}
}

// reached takes party out of an open unreachable, which ends with its last one.
func (d *decision) reached(party PartyID) {
	i := d.attention(AttentionUnreachable)
	if i < 0 || !slices.Contains(d.h.Attentions[i].About, party) {
		return
	}
	a := &d.h.Attentions[i]
	if len(a.About) == 1 {
		d.drop(AttentionUnreachable)
		return
	}
	a.About = slices.DeleteFunc(a.About, func(p PartyID) bool { return p == party })
	d.touched = true
}

// others are those who must look when party cannot be reached.
func (d *decision) others(party PartyID) []PartyID {
	if party == d.h.Sender && !d.h.Facts.AccessEnded {
		return []PartyID{d.h.Receiver}
	}
	return []PartyID{d.h.Sender}
}

// concerned are the parties whose contacts an attention is for.
func (d *decision) concerned(reason AttentionReason) []PartyID {
	switch reason {
	case AttentionUnreachable:
		return d.others(d.h.Receiver)
	case AttentionNoHealthInfo, AttentionReceiverMayBeWrong:
		return []PartyID{d.h.Sender}
	case AttentionWithdrawalAsked:
		return d.others(d.h.Sender)
	}
	if d.h.Facts.AccessEnded {
		return []PartyID{d.h.Sender}
	}
	return []PartyID{d.h.Sender, d.h.Receiver}
}
