package act

import (
	"slices"

	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
)

// tellElsewhere tells the other open handovers in which the sender of a message has the Patient whom
// it changes, or whom it says now is the patient there (a merge), of the Patient alone.
func (in Incoming) tellElsewhere(d *decision, p placed) error {
	if d.creates() || d.actor.Role != handover.RoleSender {
		return nil
	}
	id := patientOf(d.taskNow)
	write := d.plan.Unit.Resource("Patient", id)
	others := p.also
	if write != nil && write.Expect > 0 {
		others = append(others, d.s.openWith(in.Row.Sender, ledger.ResourceKey{Type: "Patient", ID: id})...)
	}
	told := []handover.ID{d.next.ID}
	for _, h := range others {
		if slices.Contains(told, h.ID) || d.plan.changes(h.ID) {
			continue
		}
		told = append(told, h.ID)
		if err := in.tellOne(d, h, id, write); err != nil {
			return err
		}
	}
	return nil
}

// tellOne tells one of them. The Patient is the one of the act, which it writes, or which is stored.
func (in Incoming) tellOne(d *decision, h handover.Handover, id string, write *ledger.ResourceWrite) error {
	event := handover.Event{Name: d.event.Name, NewID: d.s.newHandover()}
	if !slices.Contains(follows, event.Name) {
		event.Name = handover.EventUpdated
	}
	f := newDecision(d.s, h, ActorOf(in.Row.Sender, h), event)
	f.message, f.outer, f.next = in.Row.ID, &d.view, h
	f.correction = d.s.sameAs(h, in.patient(), in.Row.Sender).correction
	task := f.storedTask(false)
	if patientOf(task) != id {
		task.Set("for", fhir.Obj("reference", "Patient/"+id))
		f.task = task
	}
	if write != nil {
		write.Grants = ledger.Union(write.Grants, f.grants()...)
		f.written, f.elsewhere = []*fhir.Node{d.patientOf(d.taskNow)}, []ledger.ResourceWrite{*write}
	} else if cur, found := d.s.Resources.Get(ledger.ResourceKey{Type: "Patient", ID: id}); found {
		f.planShownOne(cur, d.s.Parse(cur))
	}
	if err := f.decide(); err != nil {
		return err
	}
	d.plan.add(f.plan)
	return nil
}
