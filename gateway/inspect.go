package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"stafett/access"
	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
	"stafett/mappings/account"
	"stafett/mappings/engine"
)

// MessageView is what happened to one message, without its content: ids, codes, paths and
// times. It is what GET /messages/{id} returns.
type MessageView struct {
	ID          handover.MessageID     `json:"id"`
	ExternalID  string                 `json:"externalId,omitempty"`
	Wire        handover.Wire          `json:"wire"`
	Type        string                 `json:"type"`
	Sender      handover.PartyID       `json:"sender,omitempty"`
	ReceivedAt  time.Time              `json:"receivedAt"`
	Digest      handover.Digest        `json:"digest"`
	State       ledger.Disposition     `json:"state"`
	Reason      handover.FaultKind     `json:"reason,omitempty"`
	Detail      string                 `json:"detail,omitempty"`
	Repeats     handover.MessageID     `json:"repeats,omitempty"`
	Contact     string                 `json:"contact,omitempty"`
	Deadline    time.Time              `json:"deadline,omitzero"`
	Resolution  string                 `json:"resolution,omitempty"`
	Person      string                 `json:"person,omitempty"`
	Correlation handover.CorrelationID `json:"correlation,omitempty"`
	Handover    *HandoverView          `json:"handover,omitempty"`
	Deliveries  []DeliveryView         `json:"deliveries"`
	Report      json.RawMessage        `json:"report,omitempty"`
	Audit       []AuditView            `json:"audit,omitempty"`
}

// HandoverView is where a handover stands.
type HandoverView struct {
	ID         handover.ID          `json:"id"`
	Chain      handover.ChainID     `json:"chain"`
	Kind       handover.Kind        `json:"kind"`
	State      handover.State       `json:"state"`
	Sender     handover.PartyID     `json:"sender"`
	Receiver   handover.PartyID     `json:"receiver"`
	Custodian  handover.PartyID     `json:"custodian"`
	Since      time.Time            `json:"since"`
	Deadline   time.Time            `json:"deadline,omitzero"`
	Attentions []handover.Attention `json:"attentions,omitempty"`
	Facts      handover.Facts       `json:"facts"`
	Next       handover.Next        `json:"next,omitzero"`
}

// DeliveryView is what became of one outgoing message.
type DeliveryView struct {
	ID          handover.DeliveryID  `json:"id"`
	ExternalID  string               `json:"externalId,omitempty"`
	Receiver    handover.PartyID     `json:"receiver"`
	Service     string               `json:"service,omitempty"`
	Wire        handover.Wire        `json:"wire,omitempty"`
	Type        string               `json:"type"`
	Purpose     ledger.Purpose       `json:"purpose"`
	Event       handover.EventName   `json:"event,omitempty"`
	State       ledger.DeliveryState `json:"state"`
	Attempts    int                  `json:"attempts"`
	NextAttempt time.Time            `json:"nextAttempt,omitzero"`
	Deadline    time.Time            `json:"deadline,omitzero"`
	SentAt      time.Time            `json:"sentAt,omitzero"`
	EndedAt     time.Time            `json:"endedAt,omitzero"`
	Receipt     handover.MessageID   `json:"receipt,omitempty"`
	Error       string               `json:"error,omitempty"`
	Contact     string               `json:"contact,omitempty"`
	Report      json.RawMessage      `json:"report,omitempty"`
}

// AuditView is one line of the record.
type AuditView struct {
	At      time.Time          `json:"at"`
	Action  ledger.AuditAction `json:"action"`
	Party   handover.PartyID   `json:"party,omitempty"`
	Person  string             `json:"person,omitempty"`
	Outcome string             `json:"outcome,omitempty"`
	Detail  string             `json:"detail,omitempty"`
}

// Inspect answers "what happened to this message?". id is ours, or the sender's own when
// the caller is that sender. Others than its sender, its receivers and operators find nothing.
func (g *Gateway) Inspect(ctx context.Context, c access.Caller, id string) (MessageView, error) {
	m, err := g.findMessage(ctx, c, id)
	if err != nil {
		return MessageView{}, err
	}
	ds, err := g.ledger.DeliveriesOf(ctx, m.ID)
	if err != nil {
		return MessageView{}, err
	}
	if !mayInspect(c, m, ds) {
		return MessageView{}, notFound(ledger.ErrNotFound)
	}
	if err := g.auditRead(ctx, c, ledger.AuditRead, "Message/"+string(m.ID)); err != nil {
		return MessageView{}, err
	}
	v, err := g.messageView(ctx, m, ds)
	if err == nil && v.Handover != nil && c.Party != "" && v.Handover.Sender != c.Party && v.Handover.Receiver == c.Party && v.Handover.Facts.AccessEnded {
		v.Handover = nil // what became of it is no longer this party's to see
	}
	return v, err
}

func (g *Gateway) findMessage(ctx context.Context, c access.Caller, id string) (ledger.Message, error) {
	m, err := g.ledger.Message(ctx, handover.MessageID(id))
	if err == nil || !errors.Is(err, ledger.ErrNotFound) {
		return m, err
	}
	senders := []handover.PartyID{c.Party}
	if c.IsOperator() && c.Party == "" {
		senders = senders[:0]
		for _, p := range g.dir.Parties() {
			senders = append(senders, p.ID)
		}
	}
	for _, p := range senders {
		ms, err := g.ledger.MessagesByExternalID(ctx, p, id)
		if err != nil {
			return m, err
		}
		if len(ms) > 0 {
			return ms[len(ms)-1], nil
		}
	}
	return m, notFound(ledger.ErrNotFound)
}

func mayInspect(c access.Caller, m ledger.Message, ds []ledger.Delivery) bool {
	if c.IsOperator() && access.MayOperate(c, m.Sender) == nil {
		return true
	}
	if c.Party == "" {
		return false
	}
	if c.Party == m.Sender || c.Party == m.Caller {
		return true
	}
	for _, d := range ds {
		if d.Receiver == c.Party {
			return true
		}
	}
	return false
}

func (g *Gateway) messageView(ctx context.Context, m ledger.Message, ds []ledger.Delivery) (MessageView, error) {
	state, err := g.ledger.MessageState(ctx, m.ID)
	if err != nil {
		return MessageView{}, err
	}
	v := MessageView{ID: m.ID, ExternalID: m.ExternalID, Wire: m.Wire, Type: m.Type, Sender: m.Sender, ReceivedAt: m.ReceivedAt,
		Digest: m.Digest, State: state, Reason: m.Reason, Detail: m.Detail, Repeats: m.Repeats, Contact: m.Contact,
		Deadline: m.Deadline, Resolution: m.Resolution, Person: m.Person, Correlation: m.Correlation,
		Deliveries: []DeliveryView{}, Report: m.Report}
	for _, d := range ds {
		v.Deliveries = append(v.Deliveries, deliveryView(d))
	}
	if m.Handover != "" {
		h, err := g.ledger.Handover(ctx, m.Handover)
		if err != nil {
			return v, err
		}
		hv := ViewOf(h)
		v.Handover = &hv
	}
	as, err := g.ledger.AuditOf(ctx, ledger.AuditFilter{Message: m.ID, Limit: 1000})
	for _, a := range as {
		v.Audit = append(v.Audit, AuditView{At: a.At, Action: a.Action, Party: a.Party, Person: a.Person, Outcome: a.Outcome, Detail: a.Detail})
	}
	return v, err
}

func deliveryView(d ledger.Delivery) DeliveryView {
	return DeliveryView{ID: d.ID, ExternalID: d.ExternalID, Receiver: d.Receiver, Service: d.Service, Wire: d.Wire, Type: d.Type,
		Purpose: d.Purpose, Event: d.Event, State: d.State, Attempts: d.Attempts, NextAttempt: d.NextAttempt, Deadline: d.Deadline,
		SentAt: d.SentAt, EndedAt: d.EndedAt, Receipt: d.Receipt, Error: d.Error, Contact: d.Contact, Report: d.Report}
}

// ViewOf is where h stands.
func ViewOf(h handover.Handover) HandoverView {
	return HandoverView{ID: h.ID, Chain: h.Chain, Kind: h.Kind, State: h.State, Sender: h.Sender, Receiver: h.Receiver,
		Custodian: h.Custodian, Since: h.Since, Deadline: h.Deadline, Attentions: h.Attentions, Facts: h.Facts, Next: h.Next}
}

// Handovers returns the handovers that the caller takes part in.
func (g *Gateway) Handovers(ctx context.Context, c access.Caller, f ledger.HandoverFilter) ([]HandoverView, error) {
	if !c.IsOperator() || c.Party != "" {
		if c.Party == "" {
			return nil, &handover.Fault{Kind: handover.FaultForbidden, Op: "gateway.Handovers", Text: "no party"}
		}
		f.Party = c.Party
	}
	hs, err := g.ledger.Handovers(ctx, f)
	if err != nil {
		return nil, err
	}
	out := make([]HandoverView, len(hs.Items))
	for i, h := range hs.Items {
		out[i] = ViewOf(h)
	}
	return out, nil
}

// Translation is a dry run: what a message would become. Nothing is stored.
type Translation struct {
	Type      string            `json:"type"`
	Event     string            `json:"event,omitempty"`
	Resources []json.RawMessage `json:"resources"`
	Report    account.Report    `json:"report"`
	// Output is the message in the wanted format, when one was asked for.
	Output       string          `json:"output,omitempty"`
	OutputType   string          `json:"outputType,omitempty"`
	OutputReport *account.Report `json:"outputReport,omitempty"`
}

// Translate runs the stages of intake up to the decision over raw, and then makes a
// message of toType on wire to, when to is given.
func (g *Gateway) Translate(ctx context.Context, wire handover.Wire, raw []byte, to handover.Wire, toType string) (Translation, error) {
	if !g.retakes(wire) {
		return Translation{}, &handover.Fault{Kind: handover.FaultUnsupported, Op: "gateway.Translate", Text: "from hl7v2 or kith"}
	}
	t := &taking{codec: g.codecs[wire], now: g.now()}
	t.in.Wire, t.in.Raw = wire, raw
	if err := g.decode(ctx, t); err != nil {
		return Translation{}, err
	}
	t.sender, _, _ = g.partyAt(t.env.Sender)
	for _, stage := range []func(context.Context, *taking) error{g.translate, g.validate} {
		if err := stage(ctx, t); err != nil {
			return Translation{Type: t.env.Type, Report: t.report}, err
		}
	}
	out := Translation{Type: t.env.Type, Event: string(t.content.Event), Report: t.report, Resources: []json.RawMessage{}}
	for _, r := range t.content.Resources {
		out.Resources = append(out.Resources, r.Resource.JSON())
	}
	if to == "" {
		return out, nil
	}
	return out, g.translateTo(ctx, t, to, toType, &out)
}

func (g *Gateway) translateTo(_ context.Context, t *taking, to handover.Wire, typ string, out *Translation) error {
	codec := g.codecs[to]
	if codec == nil {
		return &handover.Fault{Kind: handover.FaultUnmapped, Op: "gateway.Translate", Text: "no mapping makes this message type"}
	}
	if b, ok := codec.(Bundler); ok {
		var ns []*fhir.Node
		for _, r := range t.content.Resources {
			ns = append(ns, r.Resource)
		}
		out.OutputType, out.Output = codec.TypeFor(t.content.Kind, t.content.Event, true), string(b.Bundle("", t.now, ns))
		return nil
	}
	if typ == "" {
		typ = codec.TypeFor(t.content.Kind, t.content.Event, true)
	}
	m, ok := g.mappings.For(to, typ, "", "")
	if !ok {
		return &handover.Fault{Kind: handover.FaultUnmapped, Op: "gateway.Translate", Text: "no mapping makes this message type"}
	}
	c := t.content
	c.Header = account.Header{ID: codec.NewID(), Type: typ, Status: "N", Time: codec.Time(t.now, t.sender.Location()),
		Sender: addressOf(t.sender), Receiver: g.self}
	tree, rep, err := engine.FromFHIR(m, c, engine.Context{Header: c.Header, Location: t.sender.Location()})
	if err != nil {
		return asFault("gateway.Translate", err)
	}
	raw, err := codec.Encode(tree)
	if err != nil {
		return asFault("gateway.Translate", err)
	}
	out.Output, out.OutputType, out.OutputReport = string(raw), typ, &rep
	return nil
}
