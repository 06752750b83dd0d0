package fhirdoor

import (
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
	entries := make([]fhir.WriteEntry, len(t.w.Entries))
	t.entries = make([]act.Entry, len(entries))
	for i, e := range t.w.Entries {
		t.entries[i].Named = e.ID != ""
		if e.Resource != nil {
			e.Resource = e.Resource.Clone()
		}
		id, err := t.condition(s, e)
		if err != nil {
			return err
		}
		if id != "" {
			e.ID, t.entries[i].Matched = id, e.Method == http.MethodPost
			if e.Resource != nil {
				fhir.SetID(e.Resource, id)
			}
		}
		entries[i] = e
	}
	fresh := make([]bool, len(entries))
	if err := fhir.ResolveTransaction(entries, func(i int, _ string) string { fresh[i] = true; return act.NewID() }); err != nil {
		return &handover.Fault{Kind: handover.FaultInvalid, Op: "fhirdoor.locate", Text: err.Error()}
	}
	if err := fhir.ResolveConditional(entries, func(typ, query string) (string, error) { return t.referred(s, typ, query) }); err != nil {
		return errors.Unwrap(err)
	}
	for i := range t.entries {
		t.entries[i].WriteEntry = entries[i]
		if entries[i].ID == "" || fresh[i] {
			continue
		}
		if err := stored(s, &t.entries[i]); err != nil {
			return err
		}
	}
	return nil
}

// stored adds what is stored at the entry's place.
func stored(s *act.Snapshot, e *act.Entry) (err error) {
	cur, found := s.Resources.Get(ledger.ResourceKey{Type: e.Type, ID: e.ID})
	if !found {
		return nil
	}
	e.Current = cur
	if !cur.Deleted {
		e.Before, err = fhir.Parse(cur.JSON, fhir.DefaultLimits())
	}
	return err
}

// condition resolves If-None-Exist and conditional update and delete; matches see only
// what the caller may see.
func (t *writing) condition(s *act.Snapshot, e fhir.WriteEntry) (string, error) {
	query := e.Query
	if e.Method == http.MethodPost {
		query = e.IfNoneExist
	}
	if query == "" || e.ID != "" || e.Method == http.MethodGet {
		return "", nil
	}
	return t.match(s, e.Type, query)
}

// referred is the match of a conditional reference, which must have one (R4 3.1.0.11.2).
func (t *writing) referred(s *act.Snapshot, typ, query string) (string, error) {
	id, err := t.match(s, typ, query)
	if err == nil && id == "" {
		err = &handover.Fault{Kind: handover.FaultPrecondition, Op: "fhirdoor.referred", Text: "a conditional reference matches no resource"}
	}
	return id, err
}

// match finds the one resource of a condition among those that the caller may see; "" for none.
func (t *writing) match(s *act.Snapshot, typ, query string) (string, error) {
	m, _ := s.Matches.Get(act.Match{Party: t.caller.Party, Type: typ, Query: query})
	switch {
	case m.Err != nil:
		return "", m.Err
	case len(m.IDs) == 0:
		return "", nil
	case len(m.IDs) == 1:
		return m.IDs[0], nil
	}
	return "", &handover.Fault{Kind: handover.FaultPrecondition, Op: "fhirdoor.match", Text: "the condition matches more than one resource"}
}

// authorise holds the caller to what it may write, and the versions to what it expects.
func (t *writing) authorise(s *act.Snapshot) error {
	for i := range t.entries {
		if err := t.authoriseEntry(s, &t.entries[i]); err != nil {
			return err
		}
	}
	return nil
}

func (t *writing) authoriseEntry(s *act.Snapshot, e *act.Entry) error {
	const op = "fhirdoor.authorise"
	exists := e.Current.Version > 0
	if !exists && e.Method == http.MethodPut && e.Named {
		// An id of the caller's choice could be a person's number, and ids are shown in events.
		return &handover.Fault{Kind: handover.FaultNotFound, Op: op, Text: "ids are assigned here: create with POST"}
	}
	if exists && access.MayRead(t.caller, e.Current.Visible) != nil {
		// What the caller may not see does not exist for it.
		if e.Method != http.MethodDelete {
			return &handover.Fault{Kind: handover.FaultNotFound, Op: op, Text: "no such resource"}
		}
		e.Current, e.Before = ledger.Resource{}, nil
		return nil // answered as an id that never was
	}
	if e.Method == http.MethodGet || e.Matched {
		return nil
	}
	if e.IfMatch != 0 && e.IfMatch != e.Current.Version {
		return &handover.Fault{Kind: handover.FaultPrecondition, Op: op, Text: "the current version is not the one in If-Match"}
	}
	if e.Type == "Task" {
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
