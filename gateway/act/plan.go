package act

import (
	"cmp"
	"slices"
	"time"

	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
	"stafett/mappings/account"
	"stafett/message"
)

// Plan is everything that one act changes, and whom it tells.
type Plan struct {
	Unit     ledger.Unit
	Tellings []Telling
	Receipts []Receipting
	Passings []Passing
	// Handover is the act's handover as the act leaves it; zero when it concerns none.
	Handover handover.Handover
	// Unheard says why content of the act's message reaches nobody; empty when it reaches somebody
	// or is known.
	Unheard handover.Unheard
	// Waits is the stay, or the patient, whose earlier message the act's message waits for,
	// Arrived the one that messages may have waited for; empty for none.
	Waits, Arrived string
	// Stored are the versions of the unit's resources, in their order, once it is committed.
	Stored []ledger.Stored
}

// StoredAt is the time of the version that the committed plan stored of a resource; false
// when it stored none.
func (p *Plan) StoredAt(typ, id string) (time.Time, bool) {
	for i, w := range p.Unit.Resources {
		if w.Type == typ && w.ID == id && i < len(p.Stored) {
			return p.Stored[i].At, true
		}
	}
	return time.Time{}, false
}

// add joins what a further decision of the same act changes.
func (p *Plan) add(further Plan) {
	p.Unit.Add(further.Unit)
	p.Tellings = append(p.Tellings, further.Tellings...)
	p.Receipts = append(p.Receipts, further.Receipts...)
	p.Passings = append(p.Passings, further.Passings...)
	p.Unheard = cmp.Or(p.Unheard, further.Unheard)
}

// message is the row of the act's message as the plan leaves it; zero for none.
func (p *Plan) message() ledger.Message {
	switch {
	case p.Unit.Message != nil:
		return *p.Unit.Message
	case len(p.Unit.Messages) > 0:
		return p.Unit.Messages[0].Message
	}
	return ledger.Message{}
}

// changes reports whether the plan changes a handover.
func (p *Plan) changes(id handover.ID) bool {
	return slices.ContainsFunc(p.Unit.Handovers, func(h handover.Handover) bool { return h.ID == id })
}

func (p *Plan) addAudit(at time.Time, line ledger.Audit) {
	line.At = at
	p.Unit.Audit = append(p.Unit.Audit, line)
}

// Scene is one event on one handover as it ends: all that may be told of it.
type Scene struct {
	Actor    handover.Actor
	Handover handover.Handover // zero for what concerns none
	// Task carries the handover; nil where there is none.
	Task *fhir.Node
	// Content is what the act's message says, Message which one that is.
	Content account.Canonical
	Message handover.MessageID
	// Written are the resource versions that the act writes, Before those of the decision
	// from which this one followed: they are looked up, and not told for themselves.
	Written, Before []ledger.ResourceWrite
	// Shown are the resources that the act lets further parties read as they are.
	Shown []ledger.Shown
	// Correction is what the message corrects of the patient whom the handover was about all along.
	Correction Correction
}

// Correction says which of a person's marks a sender corrected (invariant 9).
type Correction struct {
	// Number: the national number; the receiver filed what it was told before in somebody
	// else's record. Numbers: there is another one than before, or one more. Name: anything else
	// that tells one person from another.
	Number, Numbers, Name bool
}

// Resource is a resource as the scene leaves it, for the eyes of p; nil when there is none.
// The node is the caller's own.
func (c *Scene) Resource(s *Snapshot, key ledger.ResourceKey, p handover.PartyID) *fhir.Node {
	var r ledger.Resource
	if w := c.write(key); w != nil {
		r = s.after(w)
	} else {
		r, _ = s.Resources.Get(key)
	}
	for _, shown := range c.Shown {
		if shown.Type == key.Type && shown.ID == key.ID {
			r = granted(r, shown.Grants)
		}
	}
	return s.seen(r, p)
}

// write is the act's write of a resource; nil when there is none.
func (c *Scene) write(key ledger.ResourceKey) *ledger.ResourceWrite {
	own, before := ledger.Unit{Resources: c.Written}, ledger.Unit{Resources: c.Before}
	return cmp.Or(own.Resource(key.Type, key.ID), before.Resource(key.Type, key.ID))
}

// Telling is one message to make: to whom, on whose behalf, about what.
type Telling struct {
	Scene
	Purpose ledger.Purpose
	// To is told; From is on whose behalf, empty for the gateway itself.
	To, From handover.PartyID
	// Event is what is told.
	Event handover.EventName
	// TakesBack is the earlier event that this one undoes, where its notice is taken back as it
	// was told: with the content of Was.
	TakesBack handover.EventName
	Was       *Scene
	// Told is the digest of what the party knows by it, Changes what differs from what it knew.
	Told    handover.Digest
	Changes []Change
	// Anew says that it follows no earlier message: those were about a wrong number.
	Anew bool
	// National says that it is told only where the wire has a message of its own for it.
	National bool
	// Attention and Number are set for an alert: Number counts from 1 and says to which
	// contact it goes.
	Attention handover.AttentionReason
	Number    int
	// ParkedMessage or ParkedDelivery is what an alert is about, where it is not the
	// handover's own state.
	ParkedMessage  *ledger.Message
	ParkedDelivery *ledger.Delivery
}

// Receipting is a receipt to make for the sender of a message: the receiver's, relayed, or
// the gateway's own refusal.
type Receipting struct {
	Original ledger.Message
	Cause    handover.MessageID // the message that causes it
	Handover handover.ID
	// Receipt is relayed; Refusal is the reason of a refusal. Exactly one is set.
	Receipt *message.Receipt
	Refusal *handover.Fault
	// From is the party that gave Receipt; AsReceiver says that it did so as the one that the
	// message was for, and not only because it may have been sent a copy.
	From       handover.PartyID
	AsReceiver bool
}
