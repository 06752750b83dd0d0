package desk

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"stafett/access"
	"stafett/gateway/kernel"
	"stafett/handover"
	"stafett/ledger"
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
	Deliveries  []DeliveryView         `json:"deliveries,omitempty"`
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
	Facts      handover.Facts       `json:"facts,omitzero"`
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
// the caller is that sender. Others than its sender, its receivers and operators, and the
// persons of a KITH message's receiver, find nothing.
func (g *Desk) Inspect(ctx context.Context, c access.Caller, id string) (MessageView, error) {
	m, err := g.findMessage(ctx, c, id)
	if err != nil {
		return MessageView{}, err
	}
	ds, err := g.k.Ledger.DeliveriesOf(ctx, m.ID)
	if err != nil {
		return MessageView{}, err
	}
	if !mayInspect(c, m, ds) && !(c.IsOperator() && g.intake.IsFor(m, c.Party)) {
		return MessageView{}, kernel.NotFound(ledger.ErrNotFound)
	}
	if err := g.auditRead(ctx, c, "Message/"+string(m.ID)); err != nil {
		return MessageView{}, err
	}
	v, err := g.messageView(ctx, m, ds)
	if v.Handover.hiddenFrom(c.Party) {
		v.Handover = nil
	}
	return v, err
}

// hiddenFrom: what becomes of a handover is not its receiver's to see after its access has
// ended.
func (v *HandoverView) hiddenFrom(p handover.PartyID) bool {
	return v != nil && v.Facts.AccessEnded && v.Receiver == p && v.Sender != p
}

func (g *Desk) findMessage(ctx context.Context, c access.Caller, id string) (ledger.Message, error) {
	m, err := g.k.Ledger.Message(ctx, handover.MessageID(id))
	if err == nil || !errors.Is(err, ledger.ErrNotFound) {
		return m, err
	}
	for _, p := range g.speaksFor(c) {
		ms, err := g.k.Ledger.MessagesByExternalID(ctx, p, handover.PlainID(id))
		if err != nil {
			return m, err
		}
		if len(ms) > 0 {
			return ms[len(ms)-1], nil
		}
	}
	return m, kernel.NotFound(ledger.ErrNotFound)
}

// speaksFor are the parties whose own ids of messages a caller may use: an operator who
// works for none uses everybody's.
func (g *Desk) speaksFor(c access.Caller) []handover.PartyID {
	if !c.IsOperator() || c.Party != "" {
		return []handover.PartyID{c.Party}
	}
	var all []handover.PartyID
	for _, p := range g.k.Directory.Parties() {
		all = append(all, p.ID)
	}
	return all
}

// mayInspect: an operator of the sender, and the parties that sent or were sent something.
func mayInspect(c access.Caller, m ledger.Message, ds []ledger.Delivery) bool {
	operates := c.IsOperator() && access.MayOperate(c, m.Sender) == nil
	parties := []handover.PartyID{m.Sender, m.Caller}
	for _, d := range ds {
		parties = append(parties, d.Receiver)
	}
	return operates || c.Party != "" && slices.Contains(parties, c.Party)
}

func (g *Desk) messageView(ctx context.Context, m ledger.Message, ds []ledger.Delivery) (MessageView, error) {
	state, err := g.k.Ledger.MessageState(ctx, m.ID)
	if err != nil {
		return MessageView{}, err
	}
	v := MessageView{ID: m.ID, ExternalID: m.ExternalID, Wire: m.Wire, Type: m.Type, Sender: m.Sender, ReceivedAt: m.ReceivedAt,
		Digest: m.Digest, State: state, Reason: m.Reason, Detail: m.Detail, Repeats: m.Repeats, Contact: m.Contact,
		Deadline: m.Deadline, Resolution: m.Resolution, Person: m.Person, Correlation: m.Correlation,
		Report: m.Report}
	for _, d := range ds {
		v.Deliveries = append(v.Deliveries, deliveryView(d))
	}
	if m.Handover != "" {
		h, err := g.k.Ledger.Handover(ctx, m.Handover)
		if err != nil {
			return v, err
		}
		hv := ViewOf(h)
		v.Handover = &hv
	}
	as, err := ledger.All(func(after string) (ledger.Listing[ledger.Audit], error) {
		return g.k.Ledger.AuditOf(ctx, ledger.AuditFilter{Message: m.ID, After: after})
	})
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

// Handovers returns a page of the handovers that the caller takes part in.
func (g *Desk) Handovers(ctx context.Context, c access.Caller, f ledger.HandoverFilter) (ledger.Listing[HandoverView], error) {
	out := ledger.Listing[HandoverView]{}
	if c.Party != "" {
		f.Party = c.Party
	} else if !c.IsOperator() {
		return out, &handover.Fault{Kind: handover.FaultForbidden, Op: "desk.Handovers", Text: "no party"}
	}
	hs, err := g.k.Ledger.Handovers(ctx, f)
	if err != nil {
		return out, err
	}
	out.Next, out.Total, out.Items = hs.Next, hs.Total, make([]HandoverView, len(hs.Items))
	for i, h := range hs.Items {
		out.Items[i] = ViewOf(h)
	}
	return out, nil
}
