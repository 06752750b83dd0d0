package intake

import (
	"context"

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
		env, envErr := t.codec.Envelope(tree)
		t.env = env
		if err == nil {
			err = envErr
		}
	}
	if err != nil {
		// The caller is all that is certain of a message that cannot be read.
		if p, _, ok := g.partyAt(t.env.Sender); ok && p.ID == t.in.Caller {
			t.sender, t.row.Sender = p, p.ID
		}
		return err
	}
	return nil
}

// identify finds who sent the message and for whom, and holds the caller to it.
func (g *Intake) identify(_ context.Context, t *taking) error {
	const op = "intake.identify"
	sender, _, ok := g.partyAt(t.env.Sender)
	if !ok {
		return &handover.Fault{Kind: handover.FaultSenderUnknown, Op: op, Text: "the sender is no party of the directory"}
	}
	caller := access.Caller{Kind: access.CallerParty, Party: t.in.Caller}
	if err := access.ConfirmSender(caller, sender.ID); err != nil {
		return err
	}
	t.sender, t.row.Sender = sender, sender.ID
	if externalID(t.env.ID, t.in.Raw) != t.env.ID {
		return &handover.Fault{Kind: handover.FaultBadMessageID, Op: op, Text: "an id must not hold a national number"}
	}
	if c, ok := t.codec.(adapters.Checker); ok {
		if f := c.Check(t.tree, t.env); f != nil {
			return f
		}
	}
	if t.rerouted != "" {
		t.receiver = t.rerouted
		return nil
	}
	if !g.namesOther(t.env.Receiver) {
		return nil
	}
	receiver, service, ok := g.partyAt(t.env.Receiver)
	if !ok {
		return &handover.Fault{Kind: handover.FaultReceiverUnknown, Op: op, Text: "the receiver is no party of the directory"}
	}
	if t.env.Receiver.HERService != "" && service == nil {
		return &handover.Fault{Kind: handover.FaultServiceUnknown, Op: op, Text: "the receiving service is not known"}
	}
	t.receiver = receiver.ID
	return nil
}

// namesOther reports whether an address names an organisation other than this gateway.
func (g *Intake) namesOther(a adapters.Address) bool {
	if a.HER == "" && a.HERService == "" && a.OrgNumber == "" {
		return a.Facility != "" && a.Facility != g.k.Self.Facility
	}
	return a.HER != g.k.Self.HER || a.HER == ""
}

// partyAt finds the party that an address names: by HER-id of the service, of the
// organisation, by organisation number, by MSH facility, in that order.
func (g *Intake) partyAt(a adapters.Address) (directory.Party, *directory.Service, bool) {
	if a.HERService != "" {
		if p, s, ok := g.k.Directory.ByHER(a.HERService); ok && (a.HER == "" || a.HER == p.HER) {
			return p, s, true
		}
	}
	if a.HER != "" {
		if p, s, ok := g.k.Directory.ByHER(a.HER); ok {
			return p, s, true
		}
	}
	if a.OrgNumber != "" {
		if p, ok := g.k.Directory.ByOrgNumber(a.OrgNumber); ok {
			return p, nil, true
		}
	}
	if a.Facility != "" {
		if p, ok := g.k.Directory.ByFacility(a.Facility); ok {
			return p, nil, true
		}
	}
	return directory.Party{}, nil, false
}
