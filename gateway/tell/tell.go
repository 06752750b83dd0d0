// Package tell makes a plan's tellings into deliveries: for each receiver the content that
// it may see, in its own format, with the text that its people read. It is pure: bytes
// and identity are made once, here, and sent later as they are.
//
//	tell.go      where a telling goes, and the delivery's row
//	content.go   what a party is told: the sender's own message, or the handover as it stands
//	encode.go    that content in the receiver's format: mapped, or as FHIR resources
//	attach.go    documents of the content that the format has no place for
//	receipt.go   receipts for the sender of a message
//	pass.go      messages that go on as they came
//	text.go      notices in words
//	alert.go     alerts in words: what is due, by when and of whom
package tell

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"stafett/adapters"
	"stafett/directory"
	"stafett/fhir"
	"stafett/gateway/act"
	"stafett/handover"
	"stafett/ledger"
	"stafett/mappings/account"
	"stafett/mappings/language"
)

// Teller makes deliveries of tellings. Its methods are pure but for the fresh ids, and safe
// for concurrent use.
type Teller struct {
	Mappings *language.Set
	Rules    map[handover.Wire]adapters.Rules
	// Self is how the gateway names itself where no party speaks.
	Self account.Address
}

// Bundler is what rules add whose wire carries FHIR resources as they are, without a
// mapping: it makes the message from them. id is the message's identity.
type Bundler interface {
	Bundle(id string, at time.Time, resources []*fhir.Node) []byte
}

// OwnKinds is what rules add whose wire has messages that say what no event does: such a message
// is told in its own kind to a party that takes it, whatever event it is here.
type OwnKinds interface {
	OwnKind(typ string) bool
}

// AddDeliveries adds to the plan's rows the deliveries of its tellings and receipts. What
// no telling can be blamed for is a failure of s.
func (t *Teller) AddDeliveries(s *act.Snapshot, p *act.Plan) {
	for _, telling := range p.Tellings {
		t.addTelling(s, &p.Unit, telling)
	}
	for _, r := range p.Receipts {
		t.addReceipt(s, &p.Unit, r)
	}
	for _, m := range p.Passings {
		t.addPassing(s, &p.Unit, m)
	}
}

// outgoing is one message to make.
type outgoing struct {
	act.Telling
	s       *act.Snapshot
	party   directory.Party
	service directory.Service
	rules   adapters.Rules
	codec   adapters.Codec // of rules; set where a mapping makes the message
	typ     string
	own     bool // the message is told in its own kind
	content account.Canonical
	// unreadable is why the Task could not be read.
	unreadable error
}

// addTelling adds one delivery. What cannot be made is a parked delivery (invariant 2): it
// is in the record with its reason and its contact, never left out.
func (t *Teller) addTelling(s *act.Snapshot, u *ledger.Unit, telling act.Telling) {
	o := outgoing{Telling: telling, s: s}
	served := t.address(&o)
	if telling.National && !(served && o.national()) {
		return
	}
	if served && o.national() && len(telling.Changes) > 0 {
		defer t.addChanges(s, u, telling)
	}
	if !served && o.toldInFull(u) {
		return
	}
	d := t.delivery(&o)
	if !served {
		s.ParkDelivery(&d, s.ResponsibleIn(o.Handover, d), "no service of the receiver takes this message")
		u.Deliveries = append(u.Deliveries, d)
		return
	}
	err := t.fix(&d, &o)
	var f *handover.Fault
	if errors.As(err, &f) {
		s.ParkDelivery(&d, s.ResponsibleIn(o.Handover, d), act.Detail(f))
	} else {
		s.Fail(err)
	}
	u.Deliveries = append(u.Deliveries, d)
	u.Keys = append(u.Keys, ledger.HandoverKey{Kind: ledger.KeyConversation, Party: d.Receiver, Value: d.ExternalID, Handover: d.Handover})
}

// national reports whether the wire has a message of its own for the event, which holds no
// text: the changes are told beside it.
func (o *outgoing) national() bool {
	codec, ok := o.rules.(adapters.Codec)
	return ok && !codec.Notice(o.typ)
}

// toldInFull reports whether the party is told all of it by a notice of this act already, so that
// it can do without words.
func (o *outgoing) toldInFull(u *ledger.Unit) bool {
	return len(o.Changes) > 0 && slices.ContainsFunc(u.Deliveries, func(d ledger.Delivery) bool {
		return d.Receiver == o.To && d.Told == o.Told && len(d.Raw) > 0
	})
}

// addChanges adds the text that says what has changed.
func (t *Teller) addChanges(s *act.Snapshot, u *ledger.Unit, telling act.Telling) {
	telling.Event, telling.Content.Header.Type = handover.EventUpdated, ""
	t.addTelling(s, u, telling)
}

// address finds the service that is told and the type of the message; false when there
// is none.
func (t *Teller) address(o *outgoing) bool {
	var known bool
	o.party, known = o.s.Directory.Party(o.To)
	if o.Purpose == ledger.PurposeAlert {
		return t.addressContact(o, known)
	}
	if !known {
		return false
	}
	if t.addressOwn(o) {
		return true
	}
	bySender := o.Actor.Role == handover.RoleSender
	for _, w := range o.s.Wires(o.Handover.Kind) {
		for _, event := range inWordsToo(cmp.Or(o.TakesBack, o.Event)) {
			o.typ = t.Rules[w].TypeFor(o.Handover.Kind, event, bySender)
			service, ok := o.party.ServiceFor(w, o.typ)
			if ok {
				o.service, o.rules = service, t.Rules[w]
				return true
			}
		}
	}
	return false
}

// addressOwn finds the service that takes the act's own message in its kind; false for none.
func (t *Teller) addressOwn(o *outgoing) bool {
	typ := o.Content.Header.Type
	if o.Purpose != ledger.PurposeTell || o.TakesBack != "" || o.Event != o.Content.Event {
		return false
	}
	for _, w := range o.s.Wires(o.Handover.Kind) {
		kinds, ok := t.Rules[w].(OwnKinds)
		if !ok || !kinds.OwnKind(typ) {
			continue
		}
		if service, ok := o.party.ServiceFor(w, typ); ok {
			o.typ, o.own, o.service, o.rules = typ, true, service, t.Rules[w]
			return true
		}
	}
	return false
}

// inWordsToo lists how an event may be told: what is to be known of a patient reaches a party that
// takes no message of its own for it in words, as an update does.
func inWordsToo(event handover.EventName) []handover.EventName {
	if event == handover.EventHealthInfoSent || event == handover.EventReportSent {
		return []handover.EventName{event, handover.EventUpdated}
	}
	return []handover.EventName{event}
}

// addressContact finds where the contact of an escalation step is reached; the operator
// is told for a party that is not known.
func (t *Teller) addressContact(o *outgoing, known bool) bool {
	if !known {
		o.party, _ = o.s.Directory.Party(o.s.Operator)
	}
	service, ok := contactService(o.party, o.Number-1)
	if ok {
		o.service, o.rules = service, t.Rules[service.Wire]
		o.typ = o.rules.TypeFor(o.Handover.Kind, o.Event, false)
	}
	return ok
}

// contactService is where the contact of an escalation step is reached; steps beyond the
// last contact stay with it.
func contactService(p directory.Party, step int) (directory.Service, bool) {
	if len(p.Contacts) == 0 {
		return directory.Service{}, false
	}
	c := p.Contacts[min(max(step, 0), len(p.Contacts)-1)]
	return p.Service(c.Service)
}

// delivery is the row of a message to make.
func (t *Teller) delivery(o *outgoing) ledger.Delivery {
	now := o.s.Now
	d := ledger.Delivery{ID: handover.DeliveryID(o.s.NewID()), Message: o.Message, Handover: o.Handover.ID, Event: o.Event,
		Purpose: o.Purpose, Receiver: o.party.ID, Service: o.service.Name, Wire: o.service.Wire, Type: o.typ,
		Told: o.Told, GenTime: now, CreatedAt: now, State: ledger.DeliveryPending, NextAttempt: now, ReceiptDue: true}
	d.WarnAt, d.Deadline = o.s.Policy.ReceiptTerms(o.s.Fast(d.Wire), now)
	return d
}
