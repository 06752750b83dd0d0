package handover

import (
	"cmp"
	"slices"
)

// create fills what a first event says about its handover.
func (d *decision) create() {
	h := &d.h
	h.Kind = d.kind
	h.ID = cmp.Or(h.ID, d.e.NewID)
	h.Chain = cmp.Or(h.Chain, d.e.Chain)
	h.Sender = cmp.Or(h.Sender, d.e.Sender)
	h.Receiver = cmp.Or(h.Receiver, d.e.Receiver)
	if len(h.Copies) == 0 {
		h.Copies = d.e.Copies
	}
	h.Copies = copiesOf(h.Copies, h.Sender, h.Receiver)
	h.Facts.WithoutHealthInfo, h.Facts.WithoutReport = d.e.WithoutHealthInfo, d.e.WithoutReport
}

// copiesOf leaves out repeats and those who are told in their own right.
func copiesOf(copies []PartyID, sender, receiver PartyID) []PartyID {
	var out []PartyID
	for _, c := range union(nil, copies) {
		if c != "" && c != sender && c != receiver {
			out = append(out, c)
		}
	}
	return out
}

// union is a and, each once, what of b it lacks.
func union(a, b []PartyID) []PartyID {
	for _, p := range b {
		if !slices.Contains(a, p) {
			a = append(a, p)
		}
	}
	return a
}

// forward opens the next handover, from the original sender to the receiver named.
func (d *decision) forward() {
	f := d.h.Facts
	next := Handover{
		ID: d.e.NewID, Chain: d.h.Chain, Kind: d.kind, State: StateRequested,
		Sender: d.h.Sender, Receiver: d.e.ForwardTo,
		// Invariant 3: the one who passes a request on gives away nothing it had.
		Custodian: d.h.Sender,
		Copies:    copiesOf(d.h.Copies, d.h.Sender, d.e.ForwardTo),
		Facts: Facts{AdmittedAt: f.AdmittedAt, ReadyAt: f.ReadyAt, DischargedAt: f.DischargedAt, Residence: f.Residence, Protected: f.Protected,
			WithoutHealthInfo: f.WithoutHealthInfo, WithoutReport: f.WithoutReport},
		Hops: append(slices.Clone(d.h.Hops), d.h.Receiver),
	}
	d.open(next, EventRequested)
}

// readmit opens the successor of a patient who is back at the sender.
func (d *decision) readmit() {
	receiver := cmp.Or(d.e.Receiver, d.h.Receiver)
	next := Handover{
		ID: d.e.NewID, Chain: d.h.Chain, Kind: d.kind, State: StateAnnounced,
		Sender: d.h.Sender, Receiver: receiver, Custodian: d.h.Sender,
		Copies: copiesOf(d.h.Copies, d.h.Sender, receiver),
		Facts:  Facts{AdmittedAt: d.at, Residence: d.h.Facts.Residence, Protected: d.h.Facts.Protected, WithoutHealthInfo: d.h.Facts.WithoutHealthInfo, WithoutReport: d.h.Facts.WithoutReport},
	}
	d.open(next, EventAdmitted)
}

// readmitAudience: one who is told of the new stay needs no second message about the old.
func (d *decision) readmitAudience() []PartyID {
	if to := cmp.Or(d.e.Receiver, d.h.Receiver); to == d.h.Receiver || d.h.Facts.AccessEnded {
		return nil
	}
	return []PartyID{d.h.Receiver}
}

// open stores next as the handover that follows, with its clock, its attentions and its
// tellings.
func (d *decision) open(next Handover, first EventName) {
	d.h.Next = Next{Handover: next.ID}
	n := &decision{watched: watched{p: d.p, kind: d.kind, h: next, now: d.now}, e: d.e, a: d.a, at: d.at}
	n.h.Since = d.now
	n.h.Deadline = d.p.term(d.kind, n.h, d.e.FastReceipt, d.now)
	if first == EventRequested && whenUninformed.ok(n) {
		n.raise(AttentionNoHealthInfo, n.concerned(AttentionNoHealthInfo), nil)
	}
	if whenDischarged.ok(n) {
		n.raise(AttentionDischargedUnaccepted, n.concerned(AttentionDischargedUnaccepted), nil)
	}
	d.opened = append(d.opened, Effect{Kind: EffectOpen, Event: first}, Effect{Kind: EffectPublish, Event: first})
	for _, party := range n.receivers() {
		d.opened = append(d.opened, Effect{Kind: EffectTell, Event: first, Party: party})
	}
	d.opened = append(d.opened, n.notices...)
	for i := range d.opened {
		d.opened[i].Handover = clone(n.h)
	}
}
