package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"stafett/adapters"
	"stafett/directory"
	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
	"stafett/mappings/account"
	"stafett/mappings/engine"
	"stafett/message"
)

// outgoing is one message to make.
type outgoing struct {
	to      directory.Party
	service directory.Service
	typ     string
	event   handover.EventName
	purpose ledger.Purpose
	content account.Canonical
	from    handover.PartyID // on whose behalf; empty for the gateway itself
}

// tell makes the message by which a party learns what happened.
func (g *Gateway) tell(ctx context.Context, a *act, e handover.Effect) error {
	event := e.Event
	if event == "" {
		event = a.event.Name
	}
	o := outgoing{event: event, purpose: ledger.PurposeTell, from: a.actor.Party}
	if o.from == "" || o.from == e.Party {
		o.from = counterpart(a.next, e.Party)
	}
	bySender := a.actor.Role == handover.RoleSender
	var ok bool
	if o.to, ok = g.dir.Party(e.Party); ok {
		for _, w := range adapters.ByRank(g.codecs, a.next.Kind) {
			o.typ = g.codecs[w].TypeFor(a.next.Kind, event, bySender)
			if o.service, ok = o.to.ServiceFor(w, o.typ); ok {
				break
			}
		}
	}
	return g.send(ctx, a, o, ok, g.noticeText(a, event))
}

// alert makes the notice by which a contact is escalated to, on a wire of its own party.
func (g *Gateway) alert(ctx context.Context, a *act, e handover.Effect) error {
	to, ok := g.dir.Party(e.Party)
	if !ok {
		to, ok = g.dir.Party(g.operator)
	}
	o := outgoing{to: to, event: e.Event, purpose: ledger.PurposeAlert}
	if o.event == "" {
		o.event = a.event.Name
	}
	if ok {
		ok = g.atContact(&o, a.next.Kind, alertNumber(e)-1)
	}
	g.observe.Escalated(a.next.Kind)
	return g.send(ctx, a, o, ok, g.alertText(a, o.event, e.Attention, alertNumber(e)))
}

// alertNumber counts alerts from 1. An attention is alerted when it is raised (step 0); a
// late state for the first time at its first step.
func alertNumber(e handover.Effect) int {
	if e.Attention == handover.AttentionOverdue {
		return max(e.Step, 1)
	}
	return e.Step + 1
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

// atContact sets the service and the type by which an escalation step's contact is told.
func (g *Gateway) atContact(o *outgoing, k handover.Kind, step int) bool {
	var ok bool
	if o.service, ok = contactService(o.to, step); ok {
		o.typ = g.codecs[o.service.Wire].TypeFor(k, o.event, false)
	}
	return ok
}

func counterpart(h handover.Handover, p handover.PartyID) handover.PartyID {
	if p == h.Sender {
		return h.Receiver
	}
	return h.Sender
}

// send adds the delivery to the act's unit. What cannot be made is a parked delivery: it is
// in the record with its reason and its contact, never left out.
func (g *Gateway) send(ctx context.Context, a *act, o outgoing, served bool, notice string) error {
	d := ledger.Delivery{ID: handover.DeliveryID(newID()), Message: a.messageID(), Handover: a.next.ID, Event: o.event,
		Purpose: o.purpose, Receiver: o.to.ID, Service: o.service.Name, Wire: o.service.Wire, Type: o.typ,
		GenTime: a.now, CreatedAt: a.now, State: ledger.DeliveryPending, NextAttempt: a.now, ReceiptDue: true}
	d.WarnAt, d.Deadline = g.receiptTerms(d.Wire, a.now)
	if until := g.breakers.until(d.Receiver, d.Service); until.After(a.now) {
		// Nobody is there now: it need not be claimed only to be put back.
		d.NextAttempt = until
	}
	if !served {
		g.parkDelivery(&d, g.responsibleIn(a.next, d), "no service of the receiver takes this message", a.now)
		a.unit.Deliveries = append(a.unit.Deliveries, d)
		return nil
	}
	if err := g.make(ctx, a, &d, o, notice); err != nil {
		var f *handover.Fault
		if !errors.As(err, &f) {
			return err
		}
		g.parkDelivery(&d, g.responsibleIn(a.next, d), detailOf(f), a.now)
	}
	a.unit.Deliveries = append(a.unit.Deliveries, d)
	a.unit.Keys = append(a.unit.Keys, ledger.HandoverKey{Kind: ledger.KeyConversation, Party: d.Receiver, Value: d.ExternalID, Handover: d.Handover})
	return nil
}

// responsibleIn is whose contact follows up what could not be delivered: the party on
// whose behalf it was sent. Alerts breed no alerts: they are the operator's.
func (g *Gateway) responsibleIn(h handover.Handover, d ledger.Delivery) handover.PartyID {
	if h.ID == "" || d.Purpose == ledger.PurposeAlert {
		return g.operator
	}
	return counterpart(h, d.Receiver)
}

func (g *Gateway) responsible(ctx context.Context, d ledger.Delivery) (handover.PartyID, error) {
	var h handover.Handover
	if d.Handover != "" {
		var err error
		if h, err = g.ledger.Handover(ctx, d.Handover); err != nil {
			return "", err
		}
	}
	return g.responsibleIn(h, d), nil
}

// parkDelivery leaves a delivery to a named person at a party.
func (g *Gateway) parkDelivery(d *ledger.Delivery, to handover.PartyID, why string, now time.Time) {
	d.State, d.Error = ledger.DeliveryParked, why
	d.Contact, d.Deadline, d.Step = g.contactOf(to), now.Add(g.policy.EscalationAfter(0)), 0
	d.WarnAt, d.NextAttempt, d.LeaseOwner, d.LeaseUntil = time.Time{}, time.Time{}, "", time.Time{}
}

// make fixes the outgoing bytes and identity, once.
func (g *Gateway) make(ctx context.Context, a *act, d *ledger.Delivery, o outgoing, notice string) error {
	codec := g.codecs[o.service.Wire]
	d.ExternalID = codec.NewID()
	if b, ok := codec.(Bundler); ok {
		raw, err := g.transaction(ctx, a, b, d.ExternalID, o, notice)
		d.Raw, d.Digest = raw, message.DigestOf(raw)
		return err
	}
	content, err := g.contentFor(ctx, a, o, notice)
	if err != nil {
		return err
	}
	o.content = content
	if err := g.header(ctx, a, d, &o); err != nil {
		return err
	}
	raw, report, err := g.encode(o)
	if err != nil {
		return err
	}
	d.Raw, d.Digest, d.Report = raw, message.DigestOf(raw), report
	return nil
}

// encode writes content in the service's format; what has no place there is attached as a
// readable document (invariant 6).
func (g *Gateway) encode(o outgoing) (raw, report []byte, err error) {
	const op = "gateway.encode"
	m, ok := g.mappings.For(o.service.Wire, o.typ, "", o.to.Overlay)
	if !ok {
		return nil, nil, &handover.Fault{Kind: handover.FaultUnmapped, Op: op, Text: "no mapping makes this message type"}
	}
	tree, rep, err := engine.FromFHIR(m, o.content, engine.Context{Header: o.content.Header, Location: o.to.Location()})
	if err != nil {
		return nil, nil, asFault(op, err)
	}
	codec := g.codecs[o.service.Wire]
	if len(rep.Leftover) > 0 {
		doc := adapters.Document{Title: "Opplysninger uten egen plass i meldingen", ContentType: "text/plain; charset=utf-8", Data: account.Readable(rep.Leftover, "nb")}
		if err := codec.Attach(tree, doc); err != nil {
			return nil, nil, asFault(op, err)
		}
	}
	if o.service.CommitAnswer {
		codec.AskCommitAnswer(tree)
	}
	if raw, err = codec.Encode(tree); err != nil {
		return nil, nil, asFault(op, err)
	}
	report, err = json.Marshal(rep)
	return raw, report, err
}

func asFault(op string, err error) error {
	var f *handover.Fault
	if errors.As(err, &f) {
		return f
	}
	return &handover.Fault{Kind: handover.FaultInvalid, Op: op, Text: "the message could not be made", Err: err}
}

// header is the envelope of an outgoing message.
func (g *Gateway) header(ctx context.Context, a *act, d *ledger.Delivery, o *outgoing) error {
	codec := g.codecs[o.service.Wire]
	h := account.Header{ID: d.ExternalID, Type: o.typ, Status: "N",
		Time:     codec.Time(d.GenTime, o.to.Location()),
		Sender:   g.addressOf(o.from),
		Receiver: addressOf(o.to)}
	h.Receiver.HERService, h.Receiver.ServiceName = o.service.HER, o.service.Name
	h.Receiver.Application, h.Receiver.Facility = o.service.Application, o.service.Facility
	if codec.Cancels(o.event) {
		h.Status = "C"
		earlier, err := g.ledger.DeliveriesOfHandover(ctx, a.next.ID)
		if err != nil {
			return err
		}
		for _, e := range earlier {
			if e.Receiver == d.Receiver && e.Type == o.typ {
				h.Parent, h.Conversation = e.ExternalID, e.ExternalID
			}
		}
	}
	facts := map[string]string{}
	for k, v := range o.content.Facts {
		facts[k] = v
	}
	facts["status"] = h.Status
	o.content.Header, o.content.Facts = h, facts
	return nil
}

func (g *Gateway) addressOf(id handover.PartyID) account.Address {
	p, ok := g.dir.Party(id)
	if !ok {
		return g.self
	}
	return addressOf(p)
}

func addressOf(p directory.Party) account.Address {
	a := account.Address{HER: p.HER, OrgNumber: p.OrgNumber, Name: p.Name, Application: "STAFETT", Facility: p.HER}
	if len(p.Facilities) > 0 {
		a.Facility = p.Facilities[0]
	}
	if len(p.Services) > 0 {
		// The first service is the one that the party is answered at.
		a.HERService, a.ServiceName = p.Services[0].HER, p.Services[0].Name
	}
	return a
}

// transaction is what a FHIR receiver is sent: the resources of this act, the Task and a
// notice, each under the id it has here.
func (g *Gateway) transaction(ctx context.Context, a *act, b Bundler, id string, o outgoing, notice string) ([]byte, error) {
	var resources []*fhir.Node
	seen := map[string]bool{}
	add := func(n *fhir.Node) {
		key := n.ResourceType() + "/" + n.ID()
		if !seen[key] {
			seen[key] = true
			resources = append(resources, n)
		}
	}
	if err := g.visibleTo(ctx, a, o.to.ID, add); err != nil {
		return nil, err
	}
	note := g.communication(a, o.event, notice)
	note.Set("id", fhir.Str(newID()))
	if !takesPart(o.to.ID, a.next) {
		note.Delete("about")
		note.Delete("subject")
	}
	fhir.References(note, func(ref *fhir.Node) {
		switch ref.Str("reference") {
		case urnName + nameTask:
			ref.Set("reference", fhir.Str("Task/"+string(a.next.ID)))
		default:
			if to := a.taskNow.Str("for", "reference"); to != "" {
				ref.Set("reference", fhir.Str(to))
			}
		}
	})
	if note.Str("subject", "reference") == urnName+namePatient {
		note.Delete("subject")
	}
	add(note)
	return b.Bundle(id, a.now, resources), nil
}

// visibleTo walks what this act writes and what its Task refers to, as far as the party
// may see it.
func (g *Gateway) visibleTo(ctx context.Context, a *act, p handover.PartyID, add func(*fhir.Node)) error {
	if !takesPart(p, a.next) {
		return nil // a notice to one who has no part, such as the gateway's operator
	}
	for _, w := range a.unit.Resources {
		if w.JSON == nil || w.Type == "Task" || !slices.Contains(w.Visible, p) {
			continue
		}
		n, err := fhir.Parse(w.JSON, fhir.DefaultLimits())
		if err != nil {
			return err
		}
		add(n)
	}
	content, err := g.referenced(ctx, a, p)
	if err != nil {
		return err
	}
	for _, n := range content {
		add(n)
	}
	if a.taskNow != nil {
		add(a.taskNow)
	}
	return nil
}

// referenced loads what the Task refers to and this act does not write, as far as the
// party may see it.
func (g *Gateway) referenced(ctx context.Context, a *act, p handover.PartyID) ([]*fhir.Node, error) {
	var out []*fhir.Node
	for _, ref := range localReferences(a.taskNow) {
		if ref.typ == "Task" || wrote(a.unit, ref.typ, ref.id) {
			continue
		}
		n, err := g.current(ctx, ref.typ, ref.id, p)
		if err == nil {
			out = append(out, n)
		} else if !errors.Is(err, ledger.ErrNotFound) {
			return nil, err
		}
	}
	return out, nil
}
