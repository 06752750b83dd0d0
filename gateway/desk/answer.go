package desk

import (
	"context"
	"slices"
	"time"

	"stafett/access"
	"stafett/gateway/act"
	"stafett/gateway/kernel"
	"stafett/handover"
	"stafett/ledger"
)

// Answer is what a named person reads out of a text that no rule could read.
type Answer struct {
	Handover handover.ID
	// Event is accepted, deferred, declined or another event of the party's own.
	Event handover.EventName
	// Day is the promised day, zero when unknown.
	Day time.Time
	// For is the party whose answer it is; the person must be allowed to act for it.
	For handover.PartyID
	// Next is what follows, where the event ends the handover or names that.
	Next handover.Next
	// Attention is the attention that attention-resolved ends.
	Attention handover.AttentionReason
}

// RecordAnswer records a named person's reading as the party's own act (invariant 3: never
// the free text, always somebody with a name).
func (g *Desk) RecordAnswer(ctx context.Context, c access.Caller, in Answer) (handover.Handover, error) {
	if !c.IsOperator() {
		return handover.Handover{}, &handover.Fault{Kind: handover.FaultForbidden, Op: "desk.RecordAnswer", Text: "named persons only"}
	}
	plan, err := g.k.Do(ctx, string(in.Handover), nil, func(s *act.Snapshot) (*act.Plan, error) {
		h, found := s.Handovers.Get(in.Handover)
		if !found {
			return nil, ledger.ErrNotFound
		}
		party := in.party(c, h)
		if err := mayRecord(c, h, party, in.Event); err != nil {
			return nil, err
		}
		return act.Answered(s, person(c), h, party, handover.Event{Name: in.Event, Day: in.Day, Next: in.Next, Attention: in.Attention})
	})
	if err != nil {
		return handover.Handover{}, kernel.NotFound(err)
	}
	return plan.Handover, nil
}

// party is whose answer it is: the receiver's, where the person says nothing else; what is next
// is the sender's to name, and an attention is resolved for one's own.
func (in Answer) party(c access.Caller, h handover.Handover) handover.PartyID {
	switch {
	case in.For != "":
		return in.For
	case in.Event == handover.EventAttentionResolved && c.Party != "":
		return c.Party
	case in.Event == handover.EventNextNamed:
		return h.Sender
	}
	return h.Receiver
}

// mayRecord: a person records what the own party says; the gateway's operator for any. A
// reader for the sender may record what the receiver has written, for the note is in its
// hands, where that leaves custody with the sender. What moves custody is recorded by the
// receiver's own person (invariant 3).
func mayRecord(c access.Caller, h handover.Handover, party handover.PartyID, event handover.EventName) error {
	err := access.MayOperate(c, party)
	switch {
	case err == nil || c.Party != h.Sender || party != h.Receiver || !needsReading(h):
		return err
	case slices.Contains(leavesCustody, event):
		return nil
	}
	return &handover.Fault{Kind: handover.FaultForbidden, Op: "desk.RecordAnswer",
		Text: "what moves custody is recorded by a person of the receiver, or by the gateway's operator"}
}

// leavesCustody are the answers of a receiver after which the sender still holds the handover.
var leavesCustody = []handover.EventName{handover.EventDeferred, handover.EventDeclined, handover.EventMisaddressed}

func needsReading(h handover.Handover) bool {
	return slices.ContainsFunc(h.Attentions, func(a handover.Attention) bool { return a.Reason == handover.AttentionAnswerNeedsReading })
}
