package act

import (
	"slices"
	"time"

	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
)

const (
	// systemHandoverKind codes Task.code; systemBusinessStatus codes Task.businessStatus.
	systemHandoverKind   = "urn:stafett:handover-kind"
	systemBusinessStatus = "urn:stafett:business-status"
)

// planTask plans the Task that carries the handover: as given, else as stored, else an
// empty one, with the elements that the handover decides.
func (d *decision) planTask(task *fhir.Node) {
	created := d.creates()
	if task == nil {
		task = d.storedTask(created)
	}
	fhir.SetID(task, string(d.next.ID))
	d.s.Project(task, d.next)
	d.taskNow = task
	d.planResource(task, d.next.Sender, created)
}

func (d *decision) storedTask(created bool) *fhir.Node {
	empty := fhir.Obj("resourceType", "Task", "id", string(d.next.ID))
	if created {
		return empty
	}
	cur, found := d.s.Resources.Get(ledger.ResourceKey{Type: "Task", ID: string(d.next.ID)})
	if !found {
		d.s.Fail(ledger.ErrNotFound)
		return empty
	}
	return d.s.Parse(cur)
}

// Project sets what the handover decides of a Task: status, businessStatus, requester,
// owner, the promised day and when it last changed.
func (s *Snapshot) Project(task *fhir.Node, h handover.Handover) {
	task.Set("status", fhir.Str(h.State.TaskStatus()))
	if b := h.State.BusinessStatus(); b != "" {
		task.Set("businessStatus", fhir.Concept(systemBusinessStatus, b, ""))
	} else if task.At("businessStatus", "coding").Str("system") == systemBusinessStatus {
		task.Delete("businessStatus")
	}
	authored := s.Now.UTC().Format(time.RFC3339)
	for _, unset := range []struct {
		element string
		value   func() *fhir.Node
	}{
		{"intent", func() *fhir.Node { return fhir.Str("order") }},
		{"code", func() *fhir.Node { return fhir.Concept(systemHandoverKind, string(h.Kind), "") }},
		{"requester", func() *fhir.Node { return s.organisation(h.Sender) }},
		{"owner", func() *fhir.Node { return s.organisation(h.Receiver) }},
		{"authoredOn", func() *fhir.Node { return fhir.Str(authored) }},
	} {
		if task.Get(unset.element) == nil {
			task.Set(unset.element, unset.value())
		}
	}
	s.projectDay(task, h)
	task.Set("lastModified", fhir.Str(authored))
}

// projectDay sets the promised day, which until care begins is what the handover says it is: one
// that was taken back stands no longer. From then on the start is the receiver's.
func (s *Snapshot) projectDay(task *fhir.Node, h handover.Handover) {
	period := task.Get("executionPeriod")
	inCare := slices.Contains(caring, h.State)
	switch day := h.Facts.PromisedDay; {
	case inCare && period.Get("start") != nil:
	case !day.IsZero():
		if period == nil {
			period = fhir.Obj()
			task.Set("executionPeriod", period)
		}
		period.Set("start", fhir.Str(day.In(s.Zone(h.Sender)).Format(time.DateOnly)))
	case !inCare && period.Get("start") != nil:
		period.Delete("start")
		if len(period.Members) == 0 {
			task.Delete("executionPeriod")
		}
	}
}

// caring are the states in which the receiver has begun.
var caring = []handover.State{handover.StateInProgress, handover.StatePaused, handover.StateCompleted}

// Zone is the time zone of a party.
func (s *Settings) Zone(id handover.PartyID) *time.Location {
	p, _ := s.Directory.Party(id)
	return p.Location()
}

// organisation refers to a party by its national identifier.
func (s *Settings) organisation(id handover.PartyID) *fhir.Node {
	p, _ := s.Directory.Party(id)
	if p.HER != "" {
		return fhir.LogicalRef("Organization", fhir.SystemHER, p.HER, p.Name)
	}
	return fhir.LogicalRef("Organization", fhir.SystemOrgNumber, p.OrgNumber, p.Name)
}

// planSuccessorTask plans the Task of a handover that an act opens, as a copy of the Task it
// follows with the new owner, and shows its receiver what the sender had written.
func (d *decision) planSuccessorTask() {
	task := d.outer.taskNow.Clone()
	fhir.SetID(task, string(d.next.ID))
	for _, own := range append([]string{"meta", "owner", "identifier"}, receivers...) {
		task.Delete(own)
	}
	d.s.Project(task, d.next)
	d.taskNow = task
	d.planResource(task, d.next.Sender, true)
	d.planShownRequest(d.outer.next)
}

// Contact is where a party is escalated to, as it stands in the record.
func (s *Settings) Contact(id handover.PartyID) string {
	p, _ := s.Directory.Party(id)
	if len(p.Contacts) == 0 {
		p, _ = s.Directory.Party(s.Operator)
	}
	return string(p.ID) + "/" + p.Contacts[0].Name
}
