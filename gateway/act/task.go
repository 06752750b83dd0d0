package act

import (
	"errors"
	"slices"
	"strings"

	"stafett/fhir"
	"stafett/handover"
)

// systemNext codes Task.output that names what follows a completed handover.
const systemNext = "urn:stafett:next"

// newReferral is the handover that a new Task asks for: the caller is the requester, the
// owner is a party of the directory.
func (w Writing) newReferral(s *Snapshot, e *Entry) (handover.Handover, error) {
	const op = "act.newReferral"
	task, err := ReadTask(e.Resource)
	if err != nil {
		return handover.Handover{}, err
	}
	_, code := fhir.FirstCoding(task.Code)
	kind := handover.Kind(code)
	if !slices.Contains(handover.Kinds(), kind) {
		kind = handover.KindReferral
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
	return d.decide()
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
	ev.Next = nextOf(task)
	if err == nil {
		err = d.s.follows(ev.Next, h, d.actor.Party)
	}
	if ev.Name == handover.EventUpdated && h.State == handover.StateDeclined && !ev.Next.IsZero() {
		ev.Name = handover.EventNextNamed
	}
	return ev, err
}

// follows holds what is said to come next to a handover of the same chain in which the party
// takes part.
func (s *Snapshot) follows(next handover.Next, h handover.Handover, party handover.PartyID) error {
	if next.Handover == "" {
		return nil
	}
	after, found := s.Handovers.Get(next.Handover)
	if !s.Complete() || found && after.Chain == h.Chain && TakesPart(party, after) {
		return nil
	}
	return &handover.Fault{Kind: handover.FaultInvalid, Op: "act.follows", Path: "Task.output", Text: "what is next is no Task of the same chain in which the caller takes part"}
}

// chainOf is the chain of a new request: that of the Task which it is part of, where the caller
// holds that one for the same patient, else its own.
func (w Writing) chainOf(s *Snapshot, e *Entry, sender handover.PartyID) handover.ChainID {
	for _, ref := range LocalReferences(e.Resource.Get("partOf")) {
		h, _ := s.Handovers.Get(handover.ID(ref.ID))
		whole, _ := s.Resources.Get(ref)
		if ref.Type == "Task" && h.Custodian == sender && Reads(sender, whole) && patientOf(s.Parse(whole)) == patientOf(e.Resource) {
			return h.Chain
		}
	}
	return handover.ChainID(s.Identity.StableID(sender, "chain", w.requestKey(e)))
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

// nextOf reads what the Task says comes next: in output, where the owner says it, or in
// input, where the requester does.
func nextOf(task fhir.Task) handover.Next {
	for _, o := range slices.Concat(task.Output, task.Input) {
		if system, _ := fhir.FirstCoding(&o.Type); system != systemNext {
			continue
		}
		if id, ok := strings.CutPrefix(fhir.Literal(o.ValueReference), "Task/"); ok {
			return handover.Next{Handover: handover.ID(id)}
		}
		_, code := fhir.FirstCoding(o.ValueCodeableConcept)
		for _, v := range []string{fhir.Value(o.ValueCode), fhir.Value(o.ValueString), code} {
			if r := handover.NoneReason(v); slices.Contains(handover.NoneReasons(), r) {
				return handover.Next{None: r}
			}
		}
	}
	return handover.Next{}
}
