package act

import (
	"bytes"
	"encoding/json"
	"slices"

	"stafett/handover"
	"stafett/ledger"
	"stafett/message"
)

// Passing is a message that goes to a party as it came: the sender's own bytes and id.
type Passing struct {
	Message ledger.Message
	To      handover.PartyID
}

// passes reports whether the message can go to its receiver as it came.
func (in Incoming) passes(s *Settings) bool {
	return in.ReceiptOwed && in.Receiver != "" && in.Receiver != in.Row.Sender && s.TakesAsItIs(in.Receiver, in.Row)
}

// TakesAsItIs reports whether a service of p takes messages of a row's type on its wire.
func (s *Settings) TakesAsItIs(p handover.PartyID, row ledger.Message) bool {
	party, _ := s.Directory.Party(p)
	_, ok := party.ServiceFor(row.Wire, row.Type)
	return ok && row.Type != ""
}

// passedOn is the plan of a message that nothing here reads: its bytes go to its receiver and
// to whom it names for a copy, and their receipts come back. It acts on no handover; where it
// refers to one of its sender and its receiver it is shown there.
func (in Incoming) passedOn(s *Snapshot) *Plan {
	row := in.Row
	row.Handover = ""
	for _, ref := range in.References {
		hs, _ := s.Keys.Get(Key{ledger.KeyConversation, in.Row.Sender, ref})
		if h, ok := in.pick(s, in.own(hs)); ok && TakesPart(in.Receiver, h) && row.Handover == "" {
			row.Handover = h.ID
		}
	}
	ended(&row, "not read: passed on as it came")
	plan := in.alone(s, row, ledger.AuditReceived, "passed on")
	for _, p := range append([]handover.PartyID{in.Receiver}, in.Copies...) {
		if p != "" && s.TakesAsItIs(p, row) {
			plan.Passings = append(plan.Passings, Passing{Message: row, To: p})
		}
	}
	return plan
}

// followsPassed reports whether the message answers one that was passed on to its sender
// unread: the conversation is the parties' own.
func (in Incoming) followsPassed(s *Snapshot) bool {
	return slices.ContainsFunc(in.References, func(ref string) bool {
		d, found := s.Answered.Get(External{in.Row.Sender, ref})
		return found && d.Handover == "" && d.Purpose == ledger.PurposeTell && d.Receiver == in.Row.Sender
	})
}

// copied sends a message that acts on a handover to whom it names for a copy, where they are
// not told with the handover's own parties: as it came where they take that, else in words.
func (in Incoming) copied(d *decision, plan *Plan) {
	for _, p := range in.Copies {
		switch {
		case slices.ContainsFunc(plan.Tellings, func(t Telling) bool { return t.To == p && t.Purpose == ledger.PurposeTell }):
		case p == d.next.Sender || p == d.next.Receiver:
		case d.s.TakesAsItIs(p, in.Row):
			plan.Passings = append(plan.Passings, Passing{Message: in.Row, To: p})
		default:
			plan.Tellings = append(plan.Tellings, d.telling(p, d.event.Name))
		}
	}
}

// answered sees to it that a message whose sender waits for a receipt gets one of its
// receiver: the one that follows what the receiver is told of it; or, where it holds nothing
// new, the receipt of the earlier message with the same content, which the receiver has. What
// the receiver has not receipted so far it is told again.
func (in Incoming) answered(d *decision, plan *Plan) {
	h := d.next
	to := Counterpart(h, in.Row.Sender)
	tells := func(t Telling) bool { return t.To == to && t.Purpose == ledger.PurposeTell }
	if !in.ReceiptOwed || to == in.Row.Sender || h.ID == "" || d.opened != nil || slices.ContainsFunc(plan.Tellings, tells) {
		return
	}
	if plan.Unheard != "" || !TakesPart(to, h) {
		AddUnreceipted(d.s, plan, in, "the handover is closed, or its receiver was the wrong one: it is told nothing more")
		return
	}
	earlier := d.s.lastTold(h.ID, to, d.event.Name)
	said, _ := d.s.Messages.Get(earlier.Message)
	if earlier.State == ledger.DeliveryReceipted && said.Sender == in.Row.Sender && sameSaid(said, in.Row) {
		plan.Receipts = append(plan.Receipts, Receipting{Original: in.Row, Cause: in.Row.ID, Handover: h.ID,
			Receipt: &message.Receipt{Positive: true}, From: to, AsReceiver: true})
		return
	}
	t := d.telling(to, d.event.Name)
	if t.Task == nil {
		t.Task = d.s.Current(ledger.ResourceKey{Type: "Task", ID: string(h.ID)}, to)
	}
	plan.Tellings = append(plan.Tellings, t)
}

// lastTold is the last delivery by which a party was told an event of a handover.
func (s *Snapshot) lastTold(id handover.ID, to handover.PartyID, event handover.EventName) ledger.Delivery {
	sent, _ := s.Sent.Get(id)
	for _, d := range slices.Backward(sent) {
		if d.Receiver == to && d.Purpose == ledger.PurposeTell && d.Event == event && d.Message != "" {
			return d
		}
	}
	return ledger.Delivery{}
}

// sameSaid reports whether two messages differ in nothing but their id and their time.
func sameSaid(a, b ledger.Message) bool {
	return a.Type == b.Type && bytes.Equal(saidIn(a), saidIn(b))
}

func saidIn(m ledger.Message) []byte {
	var own struct{ ID, Time string }
	if json.Unmarshal(m.Envelope, &own) != nil {
		return m.Raw
	}
	said := m.Raw
	if own.ID != "" {
		said = bytes.ReplaceAll(said, []byte(own.ID), nil)
	}
	if own.Time != "" {
		// The head comes first; the same time further down is content.
		said = bytes.Replace(said, []byte(own.Time), nil, 1)
	}
	return said
}
