package act

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"stafett/directory"
	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
	"stafett/mappings/account"
)

// errBeforeOriginal: the event undoes one that has not arrived yet.
var errBeforeOriginal = errors.New("gateway: the message undoes one that has not arrived")

// decision is one event on one handover with all that follows from it, gathered in plan.
type decision struct {
	view
	actor   handover.Actor
	event   handover.Event
	before  handover.Handover // zero State when it is to be created
	content account.Canonical
	message handover.MessageID // the inbound message that caused it; empty for none
	// correction is what the message corrects of the handover's patient.
	correction Correction
	// complete are the message's stay and Task laid over what was known of them.
	complete map[string]*fhir.Node
	// task is the Task as its author or owner wrote it now; nil to keep the stored one.
	task *fhir.Node
	// written are resources of a FHIR write, in the plan already.
	written []*fhir.Node
	// elsewhere are the writes of those that another handover's decision plans.
	elsewhere []ledger.ResourceWrite
	// stay and conversations are the keys by which later messages find the handover.
	stay          string
	conversations []string
	// successor is the content of the stay that a readmission opens, successorStay its key.
	successor     account.Canonical
	successorStay string
	// inherits is the handover whose stay goes on in the one that the decision creates.
	inherits handover.ID
	// older says that the message was kept, and that its sender's later ones were told since.
	older bool
	// opening says that before was opened by this same act.
	opening bool

	reason  handover.Reason
	verdict string    // what was decided and why, for the audit
	opened  *decision // the handover that this one opened
}

// newDecision is what actor's event means for the handover before.
func newDecision(s *Snapshot, before handover.Handover, actor handover.Actor, event handover.Event) *decision {
	if before.State == "" {
		event.WithoutHealthInfo = !s.mayTell(event.Sender, handover.EventHealthInfoSent)
		event.WithoutReport = !s.mayTell(event.Sender, handover.EventReportSent)
	}
	return &decision{view: view{s: s}, before: before, actor: actor, event: event}
}

// retracts reports whether the receiver takes back that it can receive the patient: by the agreed
// convention it answers no after its yes.
func (d *decision) retracts() bool {
	return d.event.Name == handover.EventDeferred && d.actor.Role == handover.RoleReceiver && d.before.State == handover.StateAccepted
}

// mayTell reports whether an event can arrive from a party, on any of its wires.
func (s *Settings) mayTell(id handover.PartyID, event handover.EventName) bool {
	p, _ := s.Directory.Party(id)
	return s.Tells == nil || slices.ContainsFunc(p.Services, func(at directory.Service) bool { return s.Tells(at.Wire, event) })
}

// decide runs the pure decision and gathers its consequences. Its error is the decision's:
// a *handover.Fault, with errBeforeOriginal where the event undoes what has not arrived.
func (d *decision) decide() error {
	effects, err := d.judge()
	if err != nil {
		return err
	}
	changes := !d.changesNothing(effects)
	if changes {
		d.plan.Unit.Handovers = append(d.plan.Unit.Handovers, d.next)
		d.planHeard(effects)
		d.planContent()
		d.planEffects(effects)
		d.planDifferences()
		d.planEnds()
	}
	d.verdict = string(d.event.Name) + ": " + string(d.reason)
	if d.message == "" {
		// A message's own audit line says what was decided on it.
		d.planAudit(ledger.Audit{Action: ledger.AuditDecided, Party: d.actor.Party, Person: d.actor.Person,
			Handover: d.next.ID, Outcome: string(d.next.State), Detail: d.verdict})
	}
	if changes {
		d.planWhatFollows()
	}
	return nil
}

// decideUnlessClosed is decide for what may come when the handover is closed: it takes no
// receipt and has no clock, and then nothing is planned for it.
func (d *decision) decideUnlessClosed() {
	if err := d.decide(); kindOf(err) != handover.FaultIllegal {
		d.s.Fail(err)
	}
}

// kindOf is the kind of a fault; empty for none.
func kindOf(err error) handover.FaultKind {
	if err == nil {
		return ""
	}
	return handover.FaultOf(err).Kind
}

func (d *decision) judge() ([]handover.Effect, error) {
	next, effects, reason, fault := d.s.Policy.Decide(d.before.Kind, d.before, d.event, d.actor, d.s.Now)
	d.next, d.reason = next, reason
	if fault == nil {
		return effects, nil
	}
	if reason == handover.ReasonBeforeOriginal {
		return nil, fmt.Errorf("%w: %w", errBeforeOriginal, fault)
	}
	return nil, fault
}

func (d *decision) changesNothing(effects []handover.Effect) bool {
	return len(effects) == 0 && d.task == nil && len(d.content.Resources) == 0 && reflect.DeepEqual(d.next, d.before)
}

// planWhatFollows lets the policy's own next event follow in the same transaction.
func (d *decision) planWhatFollows() {
	event, actor, ok := d.s.Policy.Follows(d.next)
	if !ok {
		return
	}
	d.planFurther(actor, event, func(f *decision) { f.planTask(d.taskNow.Clone()) })
}

// planResolved ends an attention that the decision answered; nothing where it is not open.
func (d *decision) planResolved(reason handover.AttentionReason) {
	if !slices.ContainsFunc(d.next.Attentions, func(a handover.Attention) bool { return a.Reason == reason }) {
		return
	}
	resolved := handover.Event{Name: handover.EventAttentionResolved, Attention: reason}
	d.planFurther(handover.Actor{Role: handover.RoleSystem}, resolved, func(f *decision) { f.taskNow = d.taskNow })
}

// planFurther plans one more event on the same handover in the same transaction; task gives the
// further decision its Task before its effects are planned.
func (d *decision) planFurther(actor handover.Actor, event handover.Event, task func(*decision)) {
	f := newDecision(d.s, d.next, actor, event)
	f.message, f.outer = d.message, &d.view
	effects, err := f.judge()
	d.s.Fail(err)
	f.plan.Unit.Handovers = append(f.plan.Unit.Handovers, f.next)
	task(f)
	f.planEffects(effects)
	d.plan.add(f.plan)
	d.next = f.next
}

// planEffects turns effects into rows and tellings. Those about the handover that this
// decision opens come after the one that opens it.
func (d *decision) planEffects(effects []handover.Effect) {
	for _, e := range effects {
		on := d
		if e.Handover.ID != "" && d.opened != nil {
			on = d.opened
		}
		planEffect[e.Kind](on, e)
	}
	if d.opened != nil {
		d.plan.add(d.opened.plan)
	}
}

// planEffect says what each effect plans.
var planEffect = map[handover.EffectKind]func(*decision, handover.Effect){
	handover.EffectOpen:      (*decision).planNext,
	handover.EffectPublish:   (*decision).planEvent,
	handover.EffectTell:      (*decision).planTelling,
	handover.EffectAlert:     (*decision).planAlert,
	handover.EffectEndAccess: func(d *decision, e handover.Effect) { d.planEndOfAccess(e.Party) },
}

func (d *decision) planEvent(e handover.Effect) {
	h := d.next
	d.plan.Unit.Events = append(d.plan.Unit.Events, ledger.Event{Handover: h.ID, Chain: h.Chain, Kind: h.Kind, Name: d.eventOf(e),
		From: h.Sender, To: h.Receiver, State: h.State, Actor: d.actor.Party, Role: d.actor.Role,
		Reason: d.reason, Attention: e.Attention, Message: d.message, At: d.s.Now})
}

// eventOf is what an effect publishes or tells; the decision's own event where it says none.
func (d *decision) eventOf(e handover.Effect) handover.EventName {
	return cmp.Or(e.Event, d.event.Name)
}

// planNext opens the next handover of the chain. After a readmission the message's content
// is the new stay's; a forwarded request takes the Task it follows with it.
func (d *decision) planNext(e handover.Effect) {
	next := &decision{view: view{s: d.s, next: e.Handover, outer: &d.view}, actor: d.actor, event: handover.Event{Name: e.Event},
		message: d.message, reason: d.reason}
	d.opened = next
	next.plan.Unit.Handovers = append(next.plan.Unit.Handovers, next.next)
	if d.event.Name == handover.EventReadmitted {
		next.content, next.stay = d.successor, d.successorStay
		next.planContent()
		return
	}
	next.content.Facts = d.content.Facts
	next.planSuccessorTask()
}

// planAlert plans the notice by which a contact is escalated to, on a wire of its own party.
func (d *decision) planAlert(e handover.Effect) {
	d.plan.Tellings = append(d.plan.Tellings, Telling{Scene: d.scene(), Purpose: ledger.PurposeAlert, To: e.Party,
		Event: d.eventOf(e), Attention: e.Attention, Number: alertNumber(e)})
}

// alertNumber counts alerts from 1. An attention is alerted when it is raised (step 0);
// what its party knew before, for the first time at its first step.
func alertNumber(e handover.Effect) int {
	if e.Attention == handover.AttentionOverdue || e.Attention == handover.AttentionNoHealthInfo {
		return max(e.Step, 1)
	}
	return e.Step + 1
}

// scene is the decision as it stands now.
func (d *decision) scene() Scene {
	return Scene{Actor: d.actor, Handover: d.next, Task: d.taskNow, Content: d.content, Message: d.message,
		Written: slices.Concat(d.plan.Unit.Resources, d.elsewhere), Before: d.writtenBefore(), Shown: slices.Clone(d.plan.Unit.Shown), Correction: d.correction}
}

// Counterpart is the other party of h.
func Counterpart(h handover.Handover, p handover.PartyID) handover.PartyID {
	if p == h.Sender {
		return h.Receiver
	}
	return h.Sender
}

// TakesPart reports whether p is told of h and may read what belongs to it.
func TakesPart(p handover.PartyID, h handover.Handover) bool {
	if p == h.Receiver {
		return !h.Facts.AccessEnded
	}
	return p == h.Sender || slices.Contains(h.Copies, p)
}

// ActorOf is the capacity in which a party acts on a handover.
func ActorOf(p handover.PartyID, h handover.Handover) handover.Actor {
	switch p {
	case h.Sender:
		return handover.Actor{Role: handover.RoleSender, Party: p}
	case h.Receiver:
		return handover.Actor{Role: handover.RoleReceiver, Party: p}
	}
	return handover.Actor{Role: handover.RoleCopy, Party: p}
}
