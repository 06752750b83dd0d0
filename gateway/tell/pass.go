package tell

import (
	"cmp"

	"stafett/adapters"
	"stafett/directory"
	"stafett/gateway/act"
	"stafett/handover"
	"stafett/ledger"
)

// addPassing adds the delivery of a message as it came. Its identity is the sender's, by which
// the receiver's receipt names it.
func (t *Teller) addPassing(s *act.Snapshot, u *ledger.Unit, p act.Passing) {
	m := p.Message
	party, _ := s.Directory.Party(p.To)
	env, err := envelopeOf(m)
	s.Fail(err)
	d := ledger.Delivery{ID: handover.DeliveryID(s.NewID()), Message: m.ID, Purpose: ledger.PurposeTell, Receiver: party.ID,
		Wire: m.Wire, Type: m.Type, ExternalID: handover.PlainID(cmp.Or(env.ReceiptID, env.ID)), Raw: m.Raw, Digest: m.Digest,
		GenTime: s.Now, CreatedAt: s.Now, State: ledger.DeliveryPending, NextAttempt: s.Now, ReceiptDue: true}
	d.WarnAt, d.Deadline = s.Policy.ReceiptTerms(s.Fast(d.Wire), s.Now)
	d.Service = serviceNamed(s.Directory, party, m, env).Name
	u.Deliveries = append(u.Deliveries, d)
}

// serviceNamed is the service that the message names, where it takes such messages, else the
// first that does.
func serviceNamed(dir *directory.Directory, party directory.Party, m ledger.Message, env adapters.Envelope) directory.Service {
	for _, a := range append([]adapters.Address{env.Receiver}, env.Copies...) {
		if p, s, ok := dir.Named(a.HERService, a.HER, a.OrgNumber, a.Facility); ok && s != nil && p.ID == party.ID && s.Accepts(m.Wire, m.Type) {
			return *s
		}
	}
	s, _ := party.ServiceFor(m.Wire, m.Type)
	return s
}
