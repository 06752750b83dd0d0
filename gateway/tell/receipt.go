package tell

import (
	"encoding/json"
	"time"

	"stafett/adapters"
	"stafett/gateway/act"
	"stafett/handover"
	"stafett/ledger"
	"stafett/message"
)

// addReceipt adds the delivery of a receipt to the sender of a message, in its own format.
// Nothing where the wire shows receipts in another way, or allows no refusal; what cannot be
// made is a parked delivery, and the message that it is about is stored all the same.
func (t *Teller) addReceipt(s *act.Snapshot, u *ledger.Unit, r act.Receipting) {
	party, known := s.Directory.Party(r.Original.Sender)
	codec, ok := t.Rules[r.Original.Wire].(adapters.Codec)
	if !known || !ok {
		return
	}
	id := codec.NewID()
	raw, err := t.receiptBytes(codec, r, id, s.Now.In(party.Location()))
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
	service, ok := party.ServiceFor(d.Wire, d.Type)
	switch {
	case err != nil:
		s.ParkDelivery(&d, s.Operator, act.Detail(handover.FaultOf(AsFault("tell.addReceipt", err))))
	case !ok:
		s.ParkDelivery(&d, s.Operator, "no service of the sender takes receipts")
	}
	d.Service = service.Name
	u.Deliveries = append(u.Deliveries, d)
}

// receiptBytes makes the receipt. What the gateway refuses it refuses in its own name, and by
// no receipt where it has no number by which it could be named (invariant 11).
func (t *Teller) receiptBytes(codec adapters.Codec, r act.Receipting, id string, at time.Time) ([]byte, error) {
	var env adapters.Envelope
	if len(r.Original.Envelope) > 0 {
		if err := json.Unmarshal(r.Original.Envelope, &env); err != nil {
			return nil, err
		}
	}
	if r.Refusal == nil {
		return codec.Relay(env, *r.Receipt, id, at)
	}
	if t.Self.HER == "" && t.Self.OrgNumber == "" {
		return nil, nil
	}
	env.Receiver = adapters.Address{HER: t.Self.HER, HERService: t.Self.HERService, OrgNumber: t.Self.OrgNumber,
		Name: t.Self.Name, ServiceName: t.Self.ServiceName}
	return codec.Refusal(env, r.Refusal, id, at)
}
