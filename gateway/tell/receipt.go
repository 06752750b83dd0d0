package tell

import (
	"encoding/json"
	"slices"

	"stafett/adapters"
	"stafett/directory"
	"stafett/gateway/act"
	"stafett/handover"
	"stafett/ledger"
	"stafett/mappings/account"
	"stafett/message"
)

// addReceipt adds the delivery of a receipt to the service that sent a message, in its own
// format; where the message names none that can be reached, to the one that takes receipts.
// Nothing where the wire shows receipts in another way, or allows no refusal; what cannot be
// made is a parked delivery, and the message that it is about is stored all the same.
func (t *Teller) addReceipt(s *act.Snapshot, u *ledger.Unit, r act.Receipting) {
	party, known := s.Directory.Party(r.Original.Sender)
	codec, ok := t.Rules[r.Original.Wire].(adapters.Codec)
	if !known || !ok {
		return
	}
	id := codec.NewID()
	env, err := envelopeOf(r.Original)
	var raw []byte
	if err == nil {
		raw, err = t.receiptBytes(codec, env, r, id, s)
	}
	if raw == nil && err == nil {
		return
	}
	d := ledger.Delivery{ID: handover.DeliveryID(s.NewID()), Message: r.Cause, Purpose: ledger.PurposeReceipt, Receiver: party.ID,
		Wire: r.Original.Wire, Type: codec.ReceiptType(), ExternalID: id, Raw: raw, Digest: message.DigestOf(raw),
		GenTime: s.Now, CreatedAt: s.Now, State: ledger.DeliveryPending, NextAttempt: s.Now}
	if r.Refusal != nil {
		d.Purpose = ledger.PurposeRefusal
	} else {
		d.Handover, d.Event = r.Handover, handover.EventReceipted
	}
	d.WarnAt, d.Deadline = s.Policy.ReceiptTerms(s.Fast(d.Wire), s.Now)
	service, ok := party.Sending(d.Wire, env.Sender.HERService)
	if !ok {
		service, ok = party.ServiceFor(d.Wire, d.Type)
	}
	switch {
	case err != nil:
		s.ParkDelivery(&d, s.Operator, act.Detail(handover.FaultOf(AsFault("tell.addReceipt", err))))
	case !ok:
		s.ParkDelivery(&d, s.Operator, "no service of the sender takes receipts")
	}
	d.Service = service.Name
	u.Deliveries = append(u.Deliveries, d)
}

// envelopeOf is what the wire said about a message; empty for what could not be read.
func envelopeOf(m ledger.Message) (env adapters.Envelope, err error) {
	if len(m.Envelope) > 0 {
		err = json.Unmarshal(m.Envelope, &env)
	}
	return env, err
}

// receiptBytes makes the receipt; nil where there is nobody in whose name. What the gateway
// refuses it refuses in its own name, which needs a number (invariant 11).
func (t *Teller) receiptBytes(codec adapters.Codec, env adapters.Envelope, r act.Receipting, id string, s *act.Snapshot) ([]byte, error) {
	party, _ := s.Directory.Party(r.Original.Sender)
	at := s.Now.In(party.Location())
	if r.Refusal != nil {
		if t.Self.HER == "" && t.Self.OrgNumber == "" {
			return nil, nil
		}
		env.Receiver = addressIn(t.Self)
		return codec.Refusal(env, r.Refusal, id, at)
	}
	if !giver(s.Directory, &env, r) {
		return nil, nil
	}
	return codec.Relay(env, *r.Receipt, id, at)
}

// giver makes the receiver of the message whoever gave the receipt, as the message itself
// names it: as its receiver, else as one that it names for a copy. A receiver that it does not
// name at all, because it was sent to the gateway or to one that is not served, is named by
// its own address. false where the receipt is not the receiver's and no copy was asked for
// (invariant 11).
func giver(dir *directory.Directory, env *adapters.Envelope, r act.Receipting) bool {
	gave := func(a adapters.Address) bool {
		p, _, ok := dir.Named(a.HERService, a.HER, a.OrgNumber, a.Facility)
		return ok && p.ID == r.From
	}
	p, _ := dir.Party(r.From)
	at := slices.IndexFunc(env.Copies, gave)
	switch {
	case gave(env.Receiver):
		env.Copies = nil
	case at >= 0:
		env.Receiver = env.Copies[at]
	case !r.AsReceiver:
		return false
	case env.Receiver.HER+env.Receiver.HERService+env.Receiver.OrgNumber == "":
	case p.HER+p.OrgNumber == "":
		return false // the message named somebody else, and that is not who gave it
	default:
		env.Receiver = adapters.Address{HER: p.HER, OrgNumber: p.OrgNumber, Name: p.Name}
	}
	return true
}

func addressIn(a account.Address) adapters.Address {
	return adapters.Address{HER: a.HER, HERService: a.HERService, OrgNumber: a.OrgNumber, Name: a.Name, ServiceName: a.ServiceName}
}
