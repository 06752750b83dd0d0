package act

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"stafett/fhir"
	"stafett/handover"
)

// systemNext codes what names what follows a handover: Task.output of its owner, Task.input of its requester.
const systemNext = "urn:stafett:next"

// newReferral is the handover that a new Task asks for: the caller is the requester, the
// owner is a party of the directory.
func (w Writing) newReferral(s *Snapshot, e *Entry) (handover.Handover, error) {
	const op = "act.newReferral"
	task, err := ReadTask(e.Resource)
	if err != nil {
		return handover.Handover{}, err
	}
	kind, err := kindOfTask(e.Resource)
	if err != nil {
		return handover.Handover{}, err
	}
	owner, ok := s.PartyOf(task.Owner)
	if !ok {
		return handover.Handover{}, &handover.Fault{Kind: handover.FaultReceiverUnknown, Op: op, Path: "Task.owner", Text: "the owner is no party that is served here"}
	}
	if fhir.Code(task.Status) != handover.StateRequested.TaskStatus() {
		return handover.Handover{}, &handover.Fault{Kind: handover.FaultIllegal, Op: op, Path: "Task.status",
			Text: "a new handover begins as requested", Allowed: []handover.EventName{handover.EventRequested}}
	}
	return handover.Handover{ID: handover.ID(e.ID), Kind: kind, Sender: w.Party, Receiver: owner}, nil
}

// kindOfTask is the kind of handover that a new Task asks for, by its code of the gateway's system; a
// referral where it has none.
func kindOfTask(task *fhir.Node) (handover.Kind, error) {
	var kind handover.Kind
	for _, c := range task.Get("code").Each("coding") {
		if fhir.SystemMeant(c.Str("system")) != fhir.SystemMeant(systemHandoverKind) {
			continue
		}
		said := handover.Kind(c.Str("code"))
		if !slices.Contains(handover.Kinds(), said) || kind != "" && kind != said {
			return "", &handover.Fault{Kind: handover.FaultInvalid, Op: "act.kindOfTask", Path: "Task.code", Text: "the handover is of one kind: referral, discharge or coordination"}
		}
		kind = said
	}
	return cmp.Or(kind, handover.KindReferral), nil
}

// ReadTask reads a Task that conformance let pass.
func ReadTask(n *fhir.Node) (fhir.Task, error) {
	task, err := fhir.Read[fhir.Task](n)
	var wrong *fhir.ReadError
	if errors.As(err, &wrong) {
		return task, &handover.Fault{Kind: handover.FaultInvalid, Op: "act.ReadTask", Path: wrong.Path, Text: wrong.Text}
	}
	return task, err
}

// PartyOf finds the party that a logical reference names.
func (s *Settings) PartyOf(ref *fhir.Reference) (handover.PartyID, bool) {
	system, value := fhir.LogicalIdentifier(ref)
	return s.PartyNamed(system, value)
}

// PartyNamed finds the party that an identifier names.
func (s *Settings) PartyNamed(system, value string) (handover.PartyID, bool) {
	switch fhir.PreferredSystem(system) {
	case fhir.SystemHER:
		p, _, ok := s.Directory.ByHER(value)
		return p.ID, ok
	case fhir.SystemOrgNumber:
		p, ok := s.Directory.ByOrgNumber(value)
		return p.ID, ok
	}
	return "", false
}

// decideTask decides what a created or updated Task means for its handover.
func (w Writing) decideTask(d *decision, e *Entry, h handover.Handover) error {
	task, err := ReadTask(e.Resource)
	if err != nil {
		return err
	}
	d.task = e.Resource
	if e.Current.Version > 0 {
		d.actor, d.before = ActorOf(w.Party, h), h
		if d.event, err = d.taskEvent(e, task, h); err != nil {
			return err
		}
		w.correct(d)
		return onStatus(d.decide())
	}
	d.actor = handover.Actor{Role: handover.RoleSender, Party: w.Party}
	d.before = handover.Handover{Kind: h.Kind, Sender: h.Sender, Receiver: h.Receiver}
	d.event = handover.Event{Name: handover.EventRequested, NewID: h.ID, Sender: h.Sender, Receiver: h.Receiver,
		Chain: w.chainOf(d.s, e, h.Sender)}
	return cmp.Or(d.decide(), w.nameNext(d, e))
}

// onStatus says of an event that is not allowed which element told it.
func onStatus(err error) error {
	if f := handover.FaultOf(err); err != nil && f.Kind == handover.FaultIllegal && f.Path == "" {
		told := *f
		told.Path = "Task.status"
		return &told
	}
	return err
}

// requestKey names the chain of a referral: the first request's identifier.
func (w Writing) requestKey(task *Entry) string {
	for _, typ := range []string{"ServiceRequest", "Task"} {
		for _, e := range w.Entries {
			id := e.Resource.At("identifier")
			if e.Type == typ && id.Str("value") != "" {
				return id.Str("system") + "|" + id.Str("value")
			}
		}
	}
	return task.ID
}

// taskEvent reads a changed Task as an event by the caller's role in the handover.
func (d *decision) taskEvent(e *Entry, task fhir.Task, h handover.Handover) (handover.Event, error) {
	ev := handover.Event{NewID: d.s.newHandover()}
	var err error
	if ev.Name, err = d.taskEventName(e, task, h); err != nil {
		return ev, err
	}
	if d.actor.Role == handover.RoleReceiver {
		if err = d.sayDays(&ev, e, task, h); err != nil {
			return ev, err
		}
	}
	if ev.Name == handover.EventForwarded {
		err = d.forward(&ev, e, task)
	}
	if err == nil {
		ev.Next, err = nextSaid(task, d.actor.Role)
	}
	if err == nil {
		err = d.s.follows(ev.Next, h, d.actor.Party, "Task."+saysNext[d.actor.Role])
	}
	if ev.Name == handover.EventUpdated && h.State == handover.StateDeclined && !ev.Next.IsZero() {
		ev.Name = handover.EventNextNamed
	}
	return ev, err
}

// follows holds what is said to come next to a handover of the same chain in which the party
// takes part.
func (s *Snapshot) follows(next handover.Next, h handover.Handover, by handover.PartyID, path string) error {
	if next.Handover == "" {
		return nil
	}
	after, found := s.Handovers.Get(next.Handover)
	if !s.Complete() || found && after.Chain == h.Chain && TakesPart(by, after) {
		return nil
	}
	return &handover.Fault{Kind: handover.FaultInvalid, Op: "act.follows", Path: path, Text: "what is next is no handover of the same chain in which the party takes part"}
}

// chainOf is the chain of a new request: that of the Task which it is part of, else its own.
func (w Writing) chainOf(s *Snapshot, e *Entry, sender handover.PartyID) handover.ChainID {
	if h, found := wholeOf(s, e, sender); found {
		return h.Chain
	}
	return handover.ChainID(s.Identity.StableID(sender, "chain", w.requestKey(e)))
}

// wholeOf is the handover of the Task which a new one is part of, where the caller holds it for the
// same patient.
func wholeOf(s *Snapshot, e *Entry, sender handover.PartyID) (handover.Handover, bool) {
	for _, ref := range LocalReferences(e.Resource.Get("partOf")) {
		h, _ := s.Handovers.Get(handover.ID(ref.ID))
		whole, _ := s.Resources.Get(ref)
		if ref.Type == "Task" && h.Custodian == sender && Reads(sender, whole) && patientOf(s.Parse(whole)) == patientOf(e.Resource) {
			return h, true
		}
	}
	return handover.Handover{}, false
}

// nameNext names a new request as what follows the declined one that it is part of, where its sender
// still owes that.
func (w Writing) nameNext(d *decision, e *Entry) error {
	h, found := wholeOf(d.s, e, d.next.Sender)
	if !found || h.Sender != d.next.Sender || h.State != handover.StateDeclined || !h.Next.IsZero() {
		return nil
	}
	f := newDecision(d.s, h, d.actor, handover.Event{Name: handover.EventNextNamed, Next: handover.Next{Handover: d.next.ID}})
	f.message, f.outer = w.Message, &d.view
	effects, err := f.judge()
	if err != nil {
		return err
	}
	f.plan.Unit.Handovers = append(f.plan.Unit.Handovers, f.next)
	f.planTask(nil)
	f.planEffects(effects)
	d.plan.add(f.plan)
	return nil
}

// taskEventName is the event that leads from the Task's status to the new one: updated
// where the status stays.
func (d *decision) taskEventName(e *Entry, task fhir.Task, h handover.Handover) (handover.EventName, error) {
	changed := ChangedMembers(e.Before, e.Resource)
	if !slices.ContainsFunc(changed, isStatus) {
		return handover.EventUpdated, nil
	}
	_, business := fhir.FirstCoding(task.BusinessStatus)
	name, ok := handover.EventOfTaskChange(h.Kind, d.actor.Role, e.Before.Str("status"), fhir.Code(task.Status), business)
	switch {
	case !ok:
		return "", d.illegalChange(h, "Task.status", "no event of this party leads from the present status to this one")
	case name != handover.EventForwarded && slices.Contains(changed, "owner"):
		// Another owner than the handover's receiver would stand in the Task.
		return "", d.illegalChange(h, "Task.owner", "the owner changes only in forwarding, which the present status does not allow")
	}
	return name, nil
}

func (d *decision) illegalChange(h handover.Handover, path, text string) error {
	return &handover.Fault{Kind: handover.FaultIllegal, Op: "act.taskEvent", Path: path, Text: text,
		Allowed: d.s.Policy.AllowedEvents(h.Kind, h, d.actor, d.s.Now)}
}

func isStatus(element string) bool { return element == "status" || element == "businessStatus" }

// forward reads to whom the request is passed on. The Task that was passed on keeps its
// owner: the next one has the new owner.
func (d *decision) forward(ev *handover.Event, e *Entry, task fhir.Task) error {
	to, ok := d.s.PartyOf(task.Owner)
	if !ok {
		return &handover.Fault{Kind: handover.FaultReceiverUnknown, Op: "act.forward", Path: "Task.owner", Text: "the new owner is no party that is served here"}
	}
	ev.ForwardTo = to
	e.Resource.Set("owner", e.Before.Get("owner").Clone())
	return nil
}

// ChangedMembers names the top-level elements that differ, id and meta left out.
func ChangedMembers(before, after *fhir.Node) []string {
	var out []string
	for _, m := range slices.Concat(after.Members, before.Members) {
		same := before.Get(m.Name).Equal(after.Get(m.Name))
		if !same && !slices.Contains(kept, m.Name) && !slices.Contains(out, m.Name) {
			out = append(out, m.Name)
		}
	}
	return out
}

// kept are the elements of a resource that the gateway sets.
var kept = []string{"id", "meta"}

// saysNext is the element in which each party says what comes next; neither says it in the other's
// place.
var saysNext = map[handover.ActorRole]string{handover.RoleSender: "input", handover.RoleReceiver: "output"}

// nextSaid reads what a party says in its Task comes next; zero where it says nothing.
func nextSaid(task fhir.Task, by handover.ActorRole) (handover.Next, error) {
	said := map[string][]fhir.TaskParameter{"input": task.Input, "output": task.Output}[saysNext[by]]
	for _, p := range said {
		if system, _ := fhir.FirstCoding(&p.Type); system != systemNext {
			continue
		}
		if next := nextOf(p); !next.IsZero() {
			return next, nil
		}
		return handover.Next{}, &handover.Fault{Kind: handover.FaultInvalid, Op: "act.nextSaid", Path: "Task." + saysNext[by],
			Text: "what is next is a Task (valueReference) or a reason why there is none (valueCode)"}
	}
	return handover.Next{}, nil
}

// nextOf reads a Task, or the reason why there is none.
func nextOf(p fhir.TaskParameter) handover.Next {
	if id, ok := strings.CutPrefix(fhir.Literal(p.ValueReference), "Task/"); ok {
		return handover.Next{Handover: handover.ID(id)}
	}
	_, code := fhir.FirstCoding(p.ValueCodeableConcept)
	for _, v := range []string{fhir.Value(p.ValueCode), fhir.Value(p.ValueString), code} {
		if r := handover.NoneReason(v); slices.Contains(handover.NoneReasons(), r) {
			return handover.Next{None: r}
		}
	}
	return handover.Next{}
}
