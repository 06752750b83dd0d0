package gateway

import (
	"context"
	"slices"
	"strings"
	"time"

	"stafett/access"
	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
)

// systemNext codes Task.output that names what follows a completed handover.
const systemNext = "urn:stafett:next"

// newReferral is the handover that a new Task asks for: the caller is the requester, the
// owner is a party of the directory.
func (g *Gateway) newReferral(_ context.Context, t *writing, tg target) (handover.Handover, error) {
	const op = "gateway.newReferral"
	task := tg.Resource
	kind := handover.Kind(task.Str("code", "coding", "code"))
	if !slices.Contains(handover.Kinds(), kind) {
		kind = handover.KindReferral
	}
	if requester, ok := g.partyOf(task.Get("requester")); ok || task.Get("requester") != nil {
		if !ok {
			return handover.Handover{}, &handover.Fault{Kind: handover.FaultSenderUnknown, Op: op, Path: "Task.requester", Text: "the requester is no party of the directory"}
		}
		if err := access.ConfirmSender(t.caller, requester); err != nil {
			return handover.Handover{}, err
		}
	}
	owner, ok := g.partyOf(task.Get("owner"))
	if !ok {
		return handover.Handover{}, &handover.Fault{Kind: handover.FaultReceiverUnknown, Op: op, Path: "Task.owner", Text: "the owner is no party that is served here"}
	}
	if s := task.Str("status"); s != handover.StateRequested.TaskStatus() {
		return handover.Handover{}, &handover.Fault{Kind: handover.FaultIllegal, Op: op, Path: "Task.status",
			Text: "a new handover begins as requested", Allowed: []handover.EventName{handover.EventRequested}}
	}
	return handover.Handover{ID: handover.ID(tg.ID), Kind: kind, Sender: t.caller.Party, Receiver: owner}, nil
}

// partyOf finds the party that a logical reference names.
func (g *Gateway) partyOf(ref *fhir.Node) (handover.PartyID, bool) {
	value := ref.Str("identifier", "value")
	switch fhir.PreferredSystem(ref.Str("identifier", "system")) {
	case fhir.SystemHER:
		p, _, ok := g.dir.ByHER(value)
		return p.ID, ok
	case fhir.SystemOrgNumber:
		p, ok := g.dir.ByOrgNumber(value)
		return p.ID, ok
	}
	return "", false
}

// taskAct is what a created or updated Task means for its handover.
func (g *Gateway) taskAct(ctx context.Context, t *writing, a *act, tg *target, h handover.Handover) error {
	a.task, a.kind = tg.Resource, h.Kind
	if tg.current.Version == 0 {
		a.actor = handover.Actor{Role: handover.RoleSender, Party: t.caller.Party}
		a.event = handover.Event{Name: handover.EventRequested, NewID: h.ID, Sender: h.Sender, Receiver: h.Receiver,
			Chain: handover.ChainID(g.stableID(h.Sender, "chain", requestKey(t, tg))), Day: dayOf(tg.Resource, "end")}
		a.before = handover.Handover{Sender: h.Sender, Receiver: h.Receiver}
	} else {
		if err := g.changeOf(t, a, tg, h); err != nil {
			return err
		}
	}
	return g.decide(ctx, a)
}

// requestKey names the chain of a referral: the first request's identifier.
func requestKey(t *writing, tg *target) string {
	for _, n := range []string{"ServiceRequest", "Task"} {
		for _, o := range t.targets {
			if o.Type == n && o.Resource != nil {
				if id := o.Resource.At("identifier"); id.Str("value") != "" {
					return id.Str("system") + "|" + id.Str("value")
				}
			}
		}
	}
	return tg.ID
}

// changeOf reads a changed Task as an event by the caller's role in the handover.
func (g *Gateway) changeOf(t *writing, a *act, tg *target, h handover.Handover) error {
	const op = "gateway.changeOf"
	a.actor, a.before = actorOf(t.caller.Party, h), h
	changed := changedMembers(tg.before, tg.Resource)
	if err := access.MayChangeTask(t.caller, a.actor.Role, changed); err != nil {
		return err
	}
	from, to := tg.before.Str("status"), tg.Resource.Str("status")
	status := tg.Resource.Str("businessStatus", "coding", "code")
	ev := handover.Event{Name: handover.EventUpdated, NewID: handover.ID(newID())}
	if slices.Contains(changed, "status") || slices.Contains(changed, "businessStatus") {
		name, ok := handover.EventOfTaskChange(h.Kind, a.actor.Role, from, to, status)
		if !ok {
			return &handover.Fault{Kind: handover.FaultIllegal, Op: op, Path: "Task.status", Text: "no event of this party leads from the present status to this one",
				Allowed: g.policy.AllowedEvents(h.Kind, h, a.actor, t.now)}
		}
		ev.Name = name
	}
	switch ev.Name {
	case handover.EventAccepted, handover.EventDeferred:
		ev.Day = dayOf(tg.Resource, "start")
	case handover.EventStarted:
		ev.Day = dayOf(tg.Resource, "end")
	case handover.EventForwarded:
		to, ok := g.partyOf(tg.Resource.Get("owner"))
		if !ok {
			return &handover.Fault{Kind: handover.FaultReceiverUnknown, Op: op, Path: "Task.owner", Text: "the new owner is no party that is served here"}
		}
		ev.ForwardTo = to
		// The Task that was passed on keeps its owner: the next one has the new owner.
		tg.Resource.Set("owner", tg.before.Get("owner").Clone())
	case handover.EventWithdrawn:
		ev.Next = handover.Next{None: handover.NoneWithdrawn}
	case handover.EventVoided:
		ev.Next = handover.Next{None: handover.NoneError}
	}
	if n := nextOf(tg.Resource); !n.IsZero() {
		ev.Next = n
	}
	if ev.Name == handover.EventUpdated && h.State == handover.StateDeclined && !ev.Next.IsZero() {
		ev.Name = handover.EventNextNamed
	}
	a.event = ev
	return nil
}

// changedMembers names the top-level elements that differ, id and meta left out.
func changedMembers(before, after *fhir.Node) []string {
	var out []string
	for _, m := range after.Members {
		if old := before.Get(m.Name); (old == nil || !old.Equal(m.Value)) && m.Name != "id" && m.Name != "meta" {
			out = append(out, m.Name)
		}
	}
	for _, m := range before.Members {
		if after.Get(m.Name) == nil && m.Name != "id" && m.Name != "meta" {
			out = append(out, m.Name)
		}
	}
	return out
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

// updatedAct tells the other party of resources written into an open handover.
func (g *Gateway) updatedAct(ctx context.Context, t *writing, a *act, h handover.Handover) error {
	a.actor, a.before, a.kind = actorOf(t.caller.Party, h), h, h.Kind
	if a.actor.Role == handover.RoleCopy {
		return &handover.Fault{Kind: handover.FaultForbidden, Op: "gateway.updatedAct", Text: "a copy receiver reads and does not change"}
	}
	a.event = handover.Event{Name: handover.EventUpdated}
	resources := a.unit.Resources
	a.unit = ledger.Unit{Resources: resources}
	return g.decide(ctx, a)
}
