package tell

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"

	"stafett/adapters"
	"stafett/directory"
	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
	"stafett/mappings/account"
	"stafett/mappings/engine"
	"stafett/message"
)

// fix gives a delivery its bytes and its identity, once.
func (t *Teller) fix(d *ledger.Delivery, o *outgoing) error {
	d.ExternalID = o.rules.NewID()
	if b, ok := o.rules.(Bundler); ok {
		d.Raw = b.Bundle(d.ExternalID, o.s.Now, o.resources())
		d.Digest = message.DigestOf(d.Raw)
		return nil
	}
	var ok bool
	if o.codec, ok = o.rules.(adapters.Codec); !ok {
		return unmapped("tell.fix")
	}
	if o.cancels() && o.Was != nil {
		o.Scene = *o.Was
	}
	o.content = o.contentFor()
	if o.cancels() && o.TakesBack == handover.EventDischarged {
		undischarge(o.content.Resource("encounter"))
	}
	if o.unreadable != nil {
		return AsFault("tell.fix", o.unreadable)
	}
	t.header(d, o)
	raw, report, err := t.encode(o)
	if err != nil {
		return err
	}
	d.Raw, d.Digest, d.Report = raw, message.DigestOf(raw), report
	return nil
}

// undischarge makes the end of a stay that of a discharge that did not happen.
func undischarge(stay *fhir.Node) {
	end := stay.Str("period", "end")
	if end == "" {
		return
	}
	stay.Get("period").Delete("end")
	cancelled := fhir.Obj("url", "urn:stafett:cancelled-discharge", "valueDateTime", end)
	if known := stay.Get("extension"); known != nil {
		known.Items = append(known.Items, cancelled)
		return
	}
	stay.Set("extension", fhir.Arr(cancelled))
}

// encode writes content in the service's format; what has no place there is attached as a
// readable document (invariant 6).
func (t *Teller) encode(o *outgoing) (raw, report []byte, err error) {
	const op = "tell.encode"
	m, ok := t.Mappings.For(o.service.Wire, o.typ, "", o.party.Overlay)
	if !ok {
		return nil, nil, unmapped(op)
	}
	tree, rep, err := engine.FromFHIR(m, o.content, engine.Context{Header: o.content.Header, Location: o.party.Location()})
	if err != nil {
		return nil, nil, AsFault(op, err)
	}
	rest, err := o.attachDocuments(tree, rep.Leftover)
	if err != nil {
		return nil, nil, AsFault(op, err)
	}
	if len(rest) > 0 {
		doc := adapters.Document{Title: "Opplysninger uten egen plass i meldingen", ContentType: "text/plain; charset=utf-8", Data: account.Readable(rest, "nb")}
		if err := o.codec.Attach(tree, doc); err != nil {
			return nil, nil, AsFault(op, err)
		}
	}
	if o.service.CommitAnswer {
		o.codec.AskCommitAnswer(tree)
	}
	if raw, err = o.codec.Encode(tree); err != nil {
		return nil, nil, AsFault(op, err)
	}
	report, err = json.Marshal(engine.Shown(rep))
	return raw, report, err
}

func unmapped(op string) error {
	return &handover.Fault{Kind: handover.FaultUnmapped, Op: op, Text: "no mapping makes this message type"}
}

// AsFault is err as the fault of a message that could not be made.
func AsFault(op string, err error) error {
	var f *handover.Fault
	if errors.As(err, &f) {
		return f
	}
	return &handover.Fault{Kind: handover.FaultInvalid, Op: op, Text: "the message could not be made", Err: err}
}

// header is the envelope of an outgoing message.
func (t *Teller) header(d *ledger.Delivery, o *outgoing) {
	h := account.Header{ID: d.ExternalID, Type: o.typ, Status: "N",
		Time:     o.codec.Time(d.GenTime, o.party.Location()),
		Sender:   t.addressOf(o.s.Directory, o.From),
		Receiver: AddressOf(o.party)}
	h.Receiver.HERService, h.Receiver.ServiceName = o.service.HER, o.service.Name
	h.Receiver.Application, h.Receiver.Facility = o.service.Application, o.service.Facility
	if o.cancels() {
		h.Status = "C"
	}
	h.Parent, h.Conversation = o.thread()
	if o.own && (h.Parent != "" || o.Content.Header.Status == "C") {
		h.Status = cmp.Or(o.Content.Header.Status, h.Status) // of what it changes or takes back
	}
	facts := map[string]string{}
	maps.Copy(facts, o.content.Facts)
	facts["status"] = h.Status
	o.content.Header, o.content.Facts = h, facts
}

// cancels reports whether the message takes an earlier one of its type back (Volven 7309 C).
func (o *outgoing) cancels() bool {
	return !o.codec.Notice(o.typ) && (o.TakesBack != "" || o.codec.Cancels(o.Event))
}

// thread is the message that this one follows, and the first one of its conversation (HITS
// 1218:2019): of its type to the same receiver; of a text the receiver's own message that it
// answers, else the latest notice that it was sent. What is told anew follows nothing.
func (o *outgoing) thread() (parent, first string) {
	notice := o.codec.Notice(o.typ)
	if o.Anew || notice && o.Purpose != ledger.PurposeTell {
		return "", ""
	}
	if own := o.answered(); notice && own != "" {
		return own, own
	}
	earlier, _ := o.s.Sent.Get(o.Handover.ID)
	typ := o.typ
	for _, e := range earlier {
		switch {
		case e.Receiver != o.party.ID || e.ExternalID == "" || e.Wire != o.service.Wire || o.codec.Notice(e.Type):
		case e.Event == handover.EventUpdated:
			// Taken back because of a wrong number: what follows is another person's conversation.
			typ, parent, first = e.Type, "", ""
		case notice && e.Type != typ:
			typ, parent, first = e.Type, e.ExternalID, e.ExternalID
		case e.Type == typ:
			parent, first = e.ExternalID, cmp.Or(first, e.ExternalID)
		}
	}
	return parent, first
}

// answered is the receiver's own message that the act's message answers, by way of what was made
// of it; empty for none.
func (o *outgoing) answered() string {
	ref := o.Content.Header.Parent
	if ref == "" {
		return ""
	}
	sent, _ := o.s.Sent.Get(o.Handover.ID)
	for _, d := range sent {
		if d.ExternalID != ref || d.Message == "" {
			continue
		}
		if m, found := o.s.Messages.Get(d.Message); found && m.Sender == o.party.ID {
			return m.ExternalID
		}
	}
	return ""
}

func (t *Teller) addressOf(dir *directory.Directory, id handover.PartyID) account.Address {
	p, ok := dir.Party(id)
	if !ok {
		return t.Self
	}
	return AddressOf(p)
}

// AddressOf is a party as an outgoing message names it.
func AddressOf(p directory.Party) account.Address {
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
