package act

import (
	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
)

// Writing is a FHIR write: who writes, and its entries with what is stored at their places.
type Writing struct {
	Message handover.MessageID
	Party   handover.PartyID
	Entries []Entry
}

// Entry is one entry of a FHIR write and what is stored at its place.
type Entry struct {
	fhir.WriteEntry
	Current ledger.Resource // zero when there is none
	Before  *fhir.Node      // the current version, parsed
	Matched bool            // a conditional create met an existing resource
	Named   bool            // the caller gave the id
}

// writes reports whether the entry stores a version of its resource.
func (e *Entry) writes() bool { return e.Resource != nil && !e.Matched }

// deletes reports whether the entry deletes what is there.
func (e *Entry) deletes() bool {
	return e.Method == "DELETE" && e.Current.Version > 0 && !e.Current.Deleted
}

// ChangesTask reports whether the entry acts on a handover.
func (e *Entry) ChangesTask() bool { return e.Type == "Task" && e.writes() }

// Write decides what a FHIR write means: its Task acts on the handover, the other resources
// are written into the handover's view.
func Write(s *Snapshot, w Writing) (*Plan, error) {
	task, err := w.task()
	if err != nil {
		return nil, err
	}
	h, err := w.handover(s, task)
	if err != nil {
		return nil, err
	}
	d := &decision{s: s, message: w.Message, next: h}
	w.resources(d, task)
	switch {
	case task != nil:
		err = w.act(d, task, h)
	case h.State.Open() && len(d.written) > 0:
		err = w.update(d, h)
	}
	w.deletions(d)
	d.plan.Handover = d.next
	return &d.plan, err
}

// task is the entry that acts on a handover; nil for none.
func (w Writing) task() (*Entry, error) {
	var task *Entry
	for i := range w.Entries {
		if !w.Entries[i].ChangesTask() {
			continue
		}
		if task != nil {
			return nil, &handover.Fault{Kind: handover.FaultUnsupported, Op: "act.Write", Text: "one transaction acts on one Task"}
		}
		task = &w.Entries[i]
	}
	return task, nil
}

// resources writes all but the Task, each after the version at which it was located, and
// shows the handover's parties what the caller refers to.
func (w Writing) resources(d *decision, task *Entry) {
	var from []*fhir.Node
	for i := range w.Entries {
		e := &w.Entries[i]
		if !e.writes() {
			continue
		}
		from = append(from, e.Resource)
		if e != task {
			d.writeAfter(e.Current, e.Resource, w.Party)
			d.written = append(d.written, e.Resource)
		}
	}
	if d.next.ID != "" {
		d.show(w.Party, from)
	}
}

func (w Writing) deletions(d *decision) {
	for i := range w.Entries {
		if e := &w.Entries[i]; e.deletes() {
			d.plan.Unit.Resources = append(d.plan.Unit.Resources, ledger.ResourceWrite{Type: e.Type, ID: e.ID, Expect: e.Current.Version,
				Author: e.Current.Author, Deleted: true, At: d.s.Now, Handover: e.Current.Handover})
		}
	}
}

// handover is what a write belongs to: its Task's, else that of a resource it refers to
// and that the caller takes part in. A zero Handover means none.
func (w Writing) handover(s *Snapshot, task *Entry) (handover.Handover, error) {
	switch {
	case task == nil:
		return w.referred(s)
	case task.Current.Version == 0:
		return w.newReferral(s, task)
	}
	h, found := s.Handovers.Get(handover.ID(task.ID))
	if !found {
		return h, ledger.ErrNotFound
	}
	return h, nil
}

func (w Writing) referred(s *Snapshot) (handover.Handover, error) {
	var found handover.Handover
	for i := range w.Entries {
		e := &w.Entries[i]
		id := e.Current.Handover
		if id == "" {
			id = referredHandover(s, e.Resource)
		}
		if id == "" {
			continue
		}
		h, stored := s.Handovers.Get(id)
		if !stored {
			return h, ledger.ErrNotFound
		}
		switch {
		case !TakesPart(w.Party, h), found.ID == h.ID:
		case found.ID == "":
			found = h
		case e.Type != "Patient":
			// What is written is shown to the parties of its handover: they must not be mixed up.
			return h, &handover.Fault{Kind: handover.FaultUnsupported, Op: "act.Write", Text: "one transaction writes into one handover"}
		}
	}
	return found, nil
}

// referredHandover is the handover of the first resource that n refers to and that has one.
// A Patient may be in many handovers: it says nothing about which one is meant.
func referredHandover(s *Snapshot, n *fhir.Node) handover.ID {
	for _, ref := range LocalReferences(n) {
		if ref.Type == "Patient" {
			continue
		}
		if r, _ := s.Resources.Get(ref); r.Handover != "" {
			return r.Handover
		}
	}
	return ""
}

// update tells the other party of resources written into an open handover.
func (w Writing) update(d *decision, h handover.Handover) error {
	d.actor, d.before, d.kind = ActorOf(w.Party, h), h, h.Kind
	if d.actor.Role == handover.RoleCopy {
		return &handover.Fault{Kind: handover.FaultForbidden, Op: "act.update", Text: "a copy receiver reads and does not change"}
	}
	d.event = handover.Event{Name: handover.EventUpdated}
	return d.decide()
}
