package fhirdoor

import (
	"cmp"
	"errors"
	"net/http"

	"stafett/access"
	"stafett/fhir"
	"stafett/gateway/act"
	"stafett/handover"
	"stafett/ledger"
)

// locate finds what each entry is about, gives new resources their ids and resolves the
// references between entries.
func (t *writing) locate(s *act.Snapshot) error {
	t.entries = make([]act.Entry, len(t.w.Entries))
	entries := make([]fhir.WriteEntry, len(t.w.Entries))
	err := t.each(func(i int, e *act.Entry) error {
		e.WriteEntry = t.w.Entries[i]
		err := t.resolve(s, e)
		entries[i] = e.WriteEntry
		return err
	})
	if err != nil {
		return err
	}
	fresh := make([]bool, len(entries))
	assign := func(i int, typ string) string {
		fresh[i] = true
		return newResource(s, typ)
	}
	if err := fhir.ResolveTransaction(entries, assign); err != nil {
		return &handover.Fault{Kind: handover.FaultInvalid, Op: "fhirdoor.locate", Text: err.Error()}
	}
	if err := fhir.ResolveConditional(entries, func(typ, query string) (string, error) { return t.referred(s, typ, query) }); err != nil {
		return errors.Unwrap(err)
	}
	for i := range t.entries {
		t.entries[i].WriteEntry = entries[i]
		if !fresh[i] && entries[i].ID != "" {
			addStored(s, &t.entries[i])
		}
	}
	return nil
}

// newResource is the id of a resource to be created. That nothing is stored under it needs
// no look.
func newResource(s *act.Snapshot, typ string) string {
	id := s.NewID()
	s.Resources.Put(ledger.ResourceKey{Type: typ, ID: id}, ledger.Resource{}, false)
	return id
}

// each calls f with every entry until it fails.
func (t *writing) each(f func(i int, e *act.Entry) error) error {
	for i := range t.entries {
		if err := f(i, &t.entries[i]); err != nil {
			return err
		}
	}
	return nil
}

// addStored adds what is stored at the entry's place.
func addStored(s *act.Snapshot, e *act.Entry) {
	cur, found := s.Resources.Get(ledger.ResourceKey{Type: e.Type, ID: e.ID})
	e.Current = cur
	if found && !cur.Deleted {
		e.Before = s.Parse(cur)
	}
}

// resolve gives the entry its own copy of the resource, and the id that its condition
// matches.
func (t *writing) resolve(s *act.Snapshot, e *act.Entry) error {
	e.Named, e.Resource = e.ID != "", e.Resource.Clone()
	condition := e.Condition()
	if condition == "" {
		return nil
	}
	id, err := t.match(s, e.Type, condition)
	if id == "" {
		return err
	}
	e.ID, e.Matched = id, e.Method == http.MethodPost
	if e.Resource != nil {
		fhir.SetID(e.Resource, id)
	}
	return nil
}

// referred is the match of a conditional reference, which must have one (R4 3.1.0.11.2).
func (t *writing) referred(s *act.Snapshot, typ, query string) (string, error) {
	id, err := t.match(s, typ, query)
	if !s.Complete() {
		return s.NewID(), nil // until all conditions are answered, any id will do
	}
	if id == "" {
		err = cmp.Or[error](err, &handover.Fault{Kind: handover.FaultPrecondition, Op: "fhirdoor.referred", Text: "a conditional reference matches no resource"})
	}
	return id, err
}

// match finds the one resource of a condition among those that the caller may see; "" for none.
func (t *writing) match(s *act.Snapshot, typ, query string) (string, error) {
	m, _ := s.Matches.Get(act.Match{Party: t.caller.Party, Type: typ, Query: query})
	if len(m.IDs) > 1 {
		return "", &handover.Fault{Kind: handover.FaultPrecondition, Op: "fhirdoor.match", Text: "the condition matches more than one resource"}
	}
	return cmp.Or(m.IDs...), m.Err
}

// authorise holds the caller to what it may write, and the versions to what it expects.
func (t *writing) authorise(s *act.Snapshot) error {
	return t.each(func(_ int, e *act.Entry) error { return t.authoriseEntry(s, e) })
}

func (t *writing) authoriseEntry(s *act.Snapshot, e *act.Entry) error {
	const op = "fhirdoor.authorise"
	exists := e.Current.Version > 0
	// What the caller may not see does not exist for it.
	hidden := exists && access.MayRead(t.caller, e.Current.Visible) != nil
	switch {
	case hidden && e.Method == http.MethodDelete:
		e.Current, e.Before = ledger.Resource{}, nil
		return nil // answered as an id that never was
	case hidden:
		return &handover.Fault{Kind: handover.FaultNotFound, Op: op, Text: "no such resource"}
	case e.Method == http.MethodGet, e.Matched:
		return nil
	case !exists && e.Named && e.Method == http.MethodPut:
		// An id of the caller's choice could be a person's number, and ids are shown in events.
		return &handover.Fault{Kind: handover.FaultNotFound, Op: op, Text: "ids are assigned here: create with POST"}
	case cmp.Or(e.IfMatch, e.Current.Version) != e.Current.Version:
		return &handover.Fault{Kind: handover.FaultPrecondition, Op: op, Text: "the current version is not the one in If-Match"}
	case e.Type == "Task":
		return t.authoriseTask(s, e)
	}
	return access.MayWriteResource(t.caller, e.Current.Author, e.Type, exists)
}

// authoriseTask: the caller asks in its own name, and changes what its part in the
// handover lets it change.
func (t *writing) authoriseTask(s *act.Snapshot, e *act.Entry) error {
	const op = "fhirdoor.authorise"
	if e.Method == http.MethodDelete {
		return &handover.Fault{Kind: handover.FaultForbidden, Op: op, Path: "Task", Text: "a handover is not deleted: withdraw it by Task.status cancelled"}
	}
	task, err := act.ReadTask(e.Resource)
	if err != nil {
		return err
	}
	if e.Before != nil {
		h, _ := s.Handovers.Get(handover.ID(e.ID))
		return access.MayChangeTask(t.caller, act.ActorOf(t.caller.Party, h).Role, act.ChangedMembers(e.Before, e.Resource), task)
	}
	if task.Requester == nil {
		return nil
	}
	party, ok := s.PartyOf(task.Requester)
	if !ok {
		return &handover.Fault{Kind: handover.FaultSenderUnknown, Op: op, Path: "Task.requester", Text: "the requester is no party of the directory"}
	}
	return access.ConfirmSender(t.caller, party)
}
