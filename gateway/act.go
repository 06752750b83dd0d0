package gateway

import (
	"context"
	"errors"
	"reflect"
	"time"

	"stafett/fhir"
	"stafett/fhir/search"
	"stafett/handover"
	"stafett/ledger"
	"stafett/mappings/account"
)

// errBeforeOriginal: the event undoes one that has not arrived yet.
var errBeforeOriginal = errors.New("gateway: the message undoes one that has not arrived")

// act is one event on one handover with all that it changes, gathered in unit. Messages,
// receipts, named persons and the clock all act through it.
type act struct {
	now     time.Time
	actor   handover.Actor
	event   handover.Event
	kind    handover.Kind
	before  handover.Handover // zero State when it is to be created
	content account.Canonical
	message *ledger.Message // the inbound message that caused it, or nil
	// task is the Task as its author or owner wrote it now; nil to keep the stored one.
	task *fhir.Node
	// written are resources of a FHIR write that are in the unit already.
	written []*fhir.Node
	// shown are stored resources that the act refers to and lets its parties read.
	shown []*fhir.Node
	// looks is set when a try before this one met a conflict.
	looks bool

	next    handover.Handover
	reason  handover.Reason
	unit    ledger.Unit
	verdict string     // what was decided and why, for the audit
	taskNow *fhir.Node // the Task as this act leaves it
	opened  *act       // the handover that this act opened
	// successor is the content of the stay that a readmission opens.
	successor account.Canonical
}

// decide runs the pure decision and gathers its consequences in the act's unit.
func (g *Gateway) decide(ctx context.Context, a *act) error {
	next, effects, reason, fault := g.policy.Decide(a.kind, a.before, a.event, a.actor, a.now)
	a.next, a.reason = next, reason
	if fault != nil {
		if reason == handover.ReasonBeforeOriginal {
			return errBeforeOriginal
		}
		return fault
	}
	a.verdict = string(a.event.Name) + ": " + string(reason)
	if a.message == nil {
		// A message's own audit line says what was decided on it.
		a.unit.Audit = append(a.unit.Audit, ledger.Audit{At: a.now, Action: ledger.AuditDecided, Party: a.actor.Party,
			Person: a.actor.Person, Handover: next.ID, Outcome: string(next.State), Detail: a.verdict})
	}
	if len(effects) == 0 && reflect.DeepEqual(next, a.before) && a.task == nil && len(a.content.Resources) == 0 {
		return nil
	}
	a.unit.Handovers = append(a.unit.Handovers, next)
	if err := g.store(ctx, a); err != nil {
		return err
	}
	if err := g.consequences(ctx, a, effects); err != nil {
		return err
	}
	return g.follow(ctx, a)
}

// follow lets the policy's own next event follow in the same transaction.
func (g *Gateway) follow(ctx context.Context, a *act) error {
	event, actor, ok := g.policy.Follows(a.next)
	if !ok {
		return nil
	}
	b := &act{now: a.now, actor: actor, event: event, kind: a.next.Kind, before: a.next, message: a.message, taskNow: a.taskNow}
	next, effects, reason, fault := g.policy.Decide(b.kind, b.before, b.event, b.actor, b.now)
	if fault != nil {
		return fault
	}
	b.next, b.reason = next, reason
	for i := range a.unit.Handovers {
		if a.unit.Handovers[i].ID == next.ID {
			a.unit.Handovers[i] = next
		}
	}
	if b.taskNow != nil {
		g.project(b.taskNow, next, b.now)
		if err := a.reviseTask(); err != nil {
			return err
		}
	}
	if err := g.consequences(ctx, b, effects); err != nil {
		return err
	}
	a.next = next
	a.unit.Events = append(a.unit.Events, b.unit.Events...)
	a.unit.Deliveries = append(a.unit.Deliveries, b.unit.Deliveries...)
	a.unit.Keys = append(a.unit.Keys, b.unit.Keys...)
	a.unit.Audit = append(a.unit.Audit, b.unit.Audit...)
	return nil
}

// reviseTask lets the unit write the Task as it now is.
func (a *act) reviseTask() error {
	for i := range a.unit.Resources {
		w := &a.unit.Resources[i]
		if w.Type != "Task" || w.ID != a.taskNow.ID() {
			continue
		}
		rows, err := search.Rows(a.taskNow, search.Meta{LastUpdated: w.At})
		if err != nil {
			return err
		}
		w.JSON, w.Rows = a.taskNow.JSON(), rows
	}
	return nil
}

func (a *act) messageID() handover.MessageID {
	if a.message == nil {
		return ""
	}
	return a.message.ID
}

// consequences turns effects into rows of the unit. Effects about the handover that this
// act opens come after the one that opens it.
func (g *Gateway) consequences(ctx context.Context, a *act, effects []handover.Effect) error {
	for _, e := range effects {
		on := a
		if e.Kind == handover.EffectOpen {
			if err := g.open(ctx, a, e); err != nil {
				return err
			}
			continue
		}
		if e.Handover.ID != "" && a.opened != nil {
			on = a.opened
		}
		if err := g.consequence(ctx, on, e); err != nil {
			return err
		}
	}
	if b := a.opened; b != nil {
		a.unit.Handovers = append(a.unit.Handovers, b.next)
		a.unit.Resources = append(a.unit.Resources, b.unit.Resources...)
		a.unit.Events = append(a.unit.Events, b.unit.Events...)
		a.unit.Deliveries = append(a.unit.Deliveries, b.unit.Deliveries...)
		a.unit.Keys = append(a.unit.Keys, b.unit.Keys...)
		a.unit.Audit = append(a.unit.Audit, b.unit.Audit...)
	}
	return nil
}

func (g *Gateway) consequence(ctx context.Context, a *act, e handover.Effect) error {
	switch e.Kind {
	case handover.EffectPublish:
		a.unit.Events = append(a.unit.Events, eventOf(a, e))
	case handover.EffectTell:
		return g.tell(ctx, a, e)
	case handover.EffectAlert:
		return g.alert(ctx, a, e)
	case handover.EffectEndAccess:
		return g.endAccess(ctx, a, e.Party)
	}
	return nil
}

func eventOf(a *act, e handover.Effect) ledger.Event {
	name := e.Event
	if name == "" {
		name = a.event.Name
	}
	return ledger.Event{Handover: a.next.ID, Chain: a.next.Chain, Kind: a.next.Kind, Name: name,
		From: a.next.Sender, To: a.next.Receiver, State: a.next.State, Actor: a.actor.Party, Role: a.actor.Role,
		Reason: a.reason, Attention: e.Attention, Message: a.messageID(), At: a.now}
}

// open stores the next handover of the chain. After a readmission the message's content is
// the new stay's; a forwarded request takes the Task it follows with it.
func (g *Gateway) open(ctx context.Context, a *act, e handover.Effect) error {
	b := &act{now: a.now, actor: a.actor, event: handover.Event{Name: e.Event}, kind: e.Handover.Kind, next: e.Handover,
		message: a.message, reason: a.reason}
	a.opened = b
	if a.event.Name == handover.EventReadmitted {
		b.content = a.successor
		return g.store(ctx, b)
	}
	b.content.Facts = a.content.Facts
	return g.storeSuccessor(ctx, a, b)
}

// settleAct decides and commits an act that no message causes (clock, person, receipt of a
// send); make builds it afresh from the handover as it now stands.
func (g *Gateway) settleAct(ctx context.Context, id handover.ID, make func(h handover.Handover) (*act, error)) (*act, error) {
	defer g.lock(string(id))()
	var last error
	for range decideTries * 2 {
		h, err := g.ledger.Handover(ctx, id)
		if err != nil {
			return nil, err
		}
		a, err := make(h)
		if err != nil || a == nil {
			return nil, err
		}
		if _, last = g.commit(ctx, a.unit); last == nil {
			return a, nil
		}
		if !errors.Is(last, ledger.ErrConflict) {
			return nil, last
		}
	}
	return nil, last
}
