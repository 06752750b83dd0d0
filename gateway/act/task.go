package act

import (
	"slices"
	"strings"
	"time"

	"stafett/fhir"
	"stafett/handover"
)

// systemNext codes Task.output that names what follows a completed handover.
const systemNext = "urn:stafett:next"

// newReferral is the handover that a new Task asks for: the caller is the requester, the
// owner is a party of the directory.
func (w Writing) newReferral(s *Snapshot, e *Entry) (handover.Handover, error) {
	const op = "act.newReferral"
	task := e.Resource
	kind := handover.Kind(task.Str("code", "coding", "code"))
	if !slices.Contains(handover.Kinds(), kind) {
		kind = handover.KindReferral
	}
	owner, ok := s.PartyOf(task.Get("owner"))
	if !ok {
		return handover.Handover{}, &handover.Fault{Kind: handover.FaultReceiverUnknown, Op: op, Path: "Task.owner", Text: "the owner is no party that is served here"}
	}
	if task.Str("status") != handover.StateRequested.TaskStatus() {
		return handover.Handover{}, &handover.Fault{Kind: handover.FaultIllegal, Op: op, Path: "Task.status",
			Text: "a new handover begins as requested", Allowed: []handover.EventName{handover.EventRequested}}
	}
	return handover.Handover{ID: handover.ID(e.ID), Kind: kind, Sender: w.Party, Receiver: owner}, nil
}

// PartyOf finds the party that a logical reference names.
func (s *Settings) PartyOf(ref *fhir.Node) (handover.PartyID, bool) {
	value := ref.Str("identifier", "value")
	switch fhir.PreferredSystem(ref.Str("identifier", "system")) {
	case fhir.SystemHER:
		p, _, ok := s.Directory.ByHER(value)
		return p.ID, ok
	case fhir.SystemOrgNumber:
		p, ok := s.Directory.ByOrgNumber(value)
		return p.ID, ok
	}
	return "", false
}

// act is what a created or updated Task means for its handover.
func (w Writing) act(d *decision, e *Entry, h handover.Handover) error {
	d.task, d.kind = e.Resource, h.Kind
	if e.Current.Version > 0 {
		d.actor, d.before = ActorOf(w.Party, h), h
		event, err := d.taskEvent(e, h)
		if err != nil {
			return err
		}
		d.event = event
		return d.decide()
	}
	d.actor = handover.Actor{Role: handover.RoleSender, Party: w.Party}
	d.before = handover.Handover{Sender: h.Sender, Receiver: h.Receiver}
	d.event = handover.Event{Name: handover.EventRequested, NewID: h.ID, Sender: h.Sender, Receiver: h.Receiver,
		Chain: handover.ChainID(d.s.Identity.StableID(h.Sender, "chain", w.requestKey(e))), Day: dayOf(e.Resource, "end")}
	return d.decide()
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
func (d *decision) taskEvent(e *Entry, h handover.Handover) (handover.Event, error) {
	ev := handover.Event{Name: handover.EventUpdated, NewID: handover.ID(NewID())}
	task := e.Resource
	changed := ChangedMembers(e.Before, task)
	if slices.Contains(changed, "status") || slices.Contains(changed, "businessStatus") {
		name, ok := handover.EventOfTaskChange(h.Kind, d.actor.Role, e.Before.Str("status"), task.Str("status"), task.Str("businessStatus", "coding", "code"))
		if !ok {
			return ev, &handover.Fault{Kind: handover.FaultIllegal, Op: "act.taskEvent", Path: "Task.status", Text: "no event of this party leads from the present status to this one",
				Allowed: d.s.Policy.AllowedEvents(h.Kind, h, d.actor, d.s.Now)}
		}
		ev.Name = name
	}
	switch ev.Name {
	case handover.EventAccepted, handover.EventDeferred:
		ev.Day = dayOf(task, "start")
	case handover.EventStarted:
		ev.Day = dayOf(task, "end")
	case handover.EventForwarded:
		to, ok := d.s.PartyOf(task.Get("owner"))
		if !ok {
			return ev, &handover.Fault{Kind: handover.FaultReceiverUnknown, Op: "act.taskEvent", Path: "Task.owner", Text: "the new owner is no party that is served here"}
		}
		ev.ForwardTo = to
		// The Task that was passed on keeps its owner: the next one has the new owner.
		task.Set("owner", e.Before.Get("owner").Clone())
	case handover.EventWithdrawn:
		ev.Next = handover.Next{None: handover.NoneWithdrawn}
	case handover.EventVoided:
		ev.Next = handover.Next{None: handover.NoneError}
	}
	if n := nextOf(task); !n.IsZero() {
		ev.Next = n
	}
	if ev.Name == handover.EventUpdated && h.State == handover.StateDeclined && !ev.Next.IsZero() {
		ev.Name = handover.EventNextNamed
	}
	return ev, nil
}

// ChangedMembers names the top-level elements that differ, id and meta left out.
func ChangedMembers(before, after *fhir.Node) []string {
	var out []string
	for _, m := range after.Members {
		if old := before.Get(m.Name); old == nil || !old.Equal(m.Value) {
			out = append(out, m.Name)
		}
	}
	for _, m := range before.Members {
		if after.Get(m.Name) == nil {
			out = append(out, m.Name)
		}
	}
	return slices.DeleteFunc(out, func(name string) bool { return name == "id" || name == "meta" })
}

// dayOf reads an end of Task.executionPeriod as a day; zero when absent.
func dayOf(task *fhir.Node, end string) time.Time {
	s := task.Str("executionPeriod", end)
	if len(s) < len(time.DateOnly) {
		return time.Time{}
	}
	day, err := time.ParseInLocation(time.DateOnly, s[:len(time.DateOnly)], handover.Calendar{}.Location())
	if err != nil {
		return time.Time{}
	}
	return day
}

// nextOf reads what the Task says comes next: in output, where the owner says it, or in
// input, where the requester does.
func nextOf(task *fhir.Node) handover.Next {
	for _, o := range slices.Concat(task.Each("output"), task.Each("input")) {
		if o.Str("type", "coding", "system") != systemNext {
			continue
		}
		if id, ok := strings.CutPrefix(o.Str("valueReference", "reference"), "Task/"); ok {
			return handover.Next{Handover: handover.ID(id)}
		}
		for _, v := range []string{o.Str("valueCode"), o.Str("valueString"), o.Str("valueCodeableConcept", "coding", "code")} {
			if r := handover.NoneReason(v); slices.Contains(handover.NoneReasons(), r) {
				return handover.Next{None: r}
			}
		}
	}
	return handover.Next{}
}
