package intake

import (
	"cmp"
	"context"
	"slices"

	"stafett/access"
	"stafett/adapters"
	"stafett/directory"
	"stafett/handover"
)

// decode reads the bytes and the envelope. What could be read of a broken message is kept
// on the row, so that the refusal can be addressed and found.
func (g *Intake) decode(_ context.Context, t *taking) error {
	if t.codec == nil {
		return &handover.Fault{Kind: handover.FaultUnsupported, Op: "intake.decode", Text: "this wire is not served"}
	}
	tree, err := t.codec.Decode(t.in.Raw, g.limits)
	t.tree = tree
	if tree != nil {
		env, unread := t.codec.Envelope(tree)
		t.env, err = env, cmp.Or(err, unread)
	}
	if err != nil {
		g.believeCaller(t)
	}
	return err
}

// believeCaller takes the caller for the sender of a message that cannot be read, where the
// message says nothing else: the caller is all that is certain of it.
func (g *Intake) believeCaller(t *taking) {
	if p, _, ok := g.partyAt(t.env.Sender); ok && p.ID == t.in.Caller {
		t.sender, t.row.Sender = p, p.ID
	}
}

// identify finds who sent the message and for whom, and holds the caller to it.
func (g *Intake) identify(_ context.Context, t *taking) error {
	for _, check := range []func(*taking) error{g.identifySender, checkID, checkByWire, g.identifyReceiver} {
		if err := check(t); err != nil {
			return err
		}
	}
	return nil
}

func (g *Intake) identifySender(t *taking) error {
	sender, _, ok := g.partyAt(t.env.Sender)
	if !ok {
		return &handover.Fault{Kind: handover.FaultSenderUnknown, Op: identifyOp, Text: "the sender is no party of the directory"}
	}
	caller := access.Caller{Kind: access.CallerParty, Party: t.in.Caller}
	if err := access.ConfirmSender(caller, sender.ID); err != nil {
		return err
	}
	t.sender, t.row.Sender = sender, sender.ID
	return nil
}

const identifyOp = "intake.identify"

func checkID(t *taking) error {
	if externalID(t.env.ID, t.in.Raw) == "" && t.env.ID != "" {
		return &handover.Fault{Kind: handover.FaultBadMessageID, Op: identifyOp, Text: "an id must not hold a national number"}
	}
	return nil
}

// checkByWire has the wire's own checks made, in its order.
func checkByWire(t *taking) error {
	c, ok := t.codec.(adapters.Checker)
	if !ok {
		return nil
	}
	f := c.Check(t.tree, t.env)
	switch {
	case f == nil:
	case f.Kind == handover.FaultUnsupported && t.env.Version != "":
		// Not a format that is read here, but perhaps one that its receiver takes.
		t.unknown = f
	default:
		t.checked = true
		return f
	}
	return nil
}

// identifyReceiver finds whom the message is for: whom a named person chose, else whom it
// names; nobody where it names only the gateway.
func (g *Intake) identifyReceiver(t *taking) error {
	t.receiver, t.copies = t.rerouted, nil
	if t.env.Receipt == nil {
		g.identifyCopies(t)
	}
	if t.receiver != "" || !g.namesOther(t.env.Receiver) {
		return nil
	}
	receiver, service, ok := g.partyAt(t.env.Receiver)
	if !ok && len(t.copies) > 0 {
		// Its receiver gets it elsewhere; here it is a copy only.
		t.unread = true
		return nil
	}
	if !ok {
		return &handover.Fault{Kind: handover.FaultReceiverUnknown, Op: identifyOp, Text: "the receiver is no party of the directory"}
	}
	if t.env.Receiver.HERService != "" && service == nil {
		return &handover.Fault{Kind: handover.FaultServiceUnknown, Op: identifyOp, Text: "the receiving service is not known"}
	}
	t.receiver = receiver.ID
	return nil
}

// identifyCopies finds the parties of the directory that the message names for a copy, each
// once and none that it is for, or from, in its own right. Others get theirs elsewhere.
func (g *Intake) identifyCopies(t *taking) {
	receiver, _, _ := g.partyAt(t.env.Receiver)
	for _, a := range t.env.Copies {
		p, _, ok := g.partyAt(a)
		if ok && !slices.Contains(append(t.copies, t.sender.ID, receiver.ID, t.receiver), p.ID) {
			t.copies = append(t.copies, p.ID)
		}
	}
}

// namesOther reports whether an address names an organisation other than this gateway.
func (g *Intake) namesOther(a adapters.Address) bool {
	if _, service, ok := g.k.Directory.ByHER(a.HERService); ok && service != nil {
		return true
	}
	if cmp.Or(a.HER, a.HERService, a.OrgNumber) == "" {
		return cmp.Or(a.Facility, g.k.Self.Facility) != g.k.Self.Facility
	}
	return a.HER == "" || a.HER != handover.PlainNumber(g.k.Self.HER)
}

// partyAt finds the party, and the service, that an address names.
func (g *Intake) partyAt(a adapters.Address) (directory.Party, *directory.Service, bool) {
	return g.k.Directory.Named(a.HERService, a.HER, a.OrgNumber, a.Facility)
}
