package fhirdoor

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"stafett/access"
	"stafett/fhir"
	"stafett/gateway/act"
	"stafett/handover"
	"stafett/ledger"
)

// locate finds what each entry is about, gives new resources their ids and resolves the
// references between entries: deletes first, conditional references last (R4 3.1.0.11.2).
func (t *writing) locate(s *act.Snapshot) error {
	t.entries, t.guards = make([]act.Entry, len(t.w.Entries)), nil
	for i := range t.entries {
		t.entries[i].WriteEntry = t.w.Entries[i]
	}
	deleted := map[string]bool{}
	for _, deletes := range []bool{true, false} {
		err := t.each(func(_ int, e *act.Entry) error {
			if deletes != (e.Method == http.MethodDelete) {
				return nil
			}
			err := t.resolve(s, e, deleted)
			if deletes && e.ID != "" {
				deleted[e.Type+"/"+e.ID] = true
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if err := t.overlap(); err != nil {
		return err
	}
	return t.refer(s, deleted)
}

// overlap refuses two entries that come to one resource, one of them by a condition that a
// resource meets.
func (t *writing) overlap() error {
	writes := map[string]bool{}
	for _, e := range t.entries {
		if e.ID != "" && e.Method != http.MethodGet && !e.Matched {
			writes[e.Type+"/"+e.ID] = true
		}
	}
	return t.each(func(_ int, e *act.Entry) error {
		if e.Matched && writes[e.Type+"/"+e.ID] {
			return &handover.Fault{Kind: handover.FaultInvalid, Op: "fhirdoor.overlap", Text: "a condition is met by a resource that another entry writes"}
		}
		return nil
	})
}

// refer gives new resources their ids and resolves the references between entries.
func (t *writing) refer(s *act.Snapshot, deleted map[string]bool) error {
	entries := make([]fhir.WriteEntry, len(t.entries))
	for i, e := range t.entries {
		entries[i] = e.WriteEntry
	}
	fresh := make([]bool, len(entries))
	assign := func(i int, typ string) string {
		fresh[i] = true
		return newResource(s, typ)
	}
	if err := fhir.ResolveTransaction(entries, assign); err != nil {
		return &handover.Fault{Kind: handover.FaultInvalid, Op: "fhirdoor.locate", Text: err.Error()}
	}
	for _, e := range entries {
		fhir.Relative(e.Resource, t.w.Base)
	}
	find := func(typ, query string) (string, error) {
		if id, ok := identified(entries, typ, query); ok {
			return id, nil
		}
		return t.referred(s, typ, query, deleted)
	}
	if err := fhir.ResolveConditional(entries, find); err != nil {
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

// identified is the one resource of the transaction that has the identifier which a
// conditional reference asks for.
func identified(entries []fhir.WriteEntry, typ, query string) (id string, ok bool) {
	values, err := url.ParseQuery(query)
	if system, value, found := strings.Cut(values.Get("identifier"), "|"); err == nil && found && len(values) == 1 {
		for _, e := range entries {
			if e.Type == typ && hasIdentifier(e.Resource, system, value) {
				id, ok = e.ID, !ok
			}
		}
	}
	return id, ok
}

func hasIdentifier(n *fhir.Node, system, value string) bool {
	return slices.ContainsFunc(n.Each("identifier"), func(i *fhir.Node) bool { return i.Str("system") == system && i.Str("value") == value })
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
func (t *writing) resolve(s *act.Snapshot, e *act.Entry, deleted map[string]bool) error {
	e.Named, e.Resource = e.ID != "", e.Resource.Clone()
	condition := e.Condition()
	if condition == "" {
		return nil
	}
	guard := t.guard(s, e.Type, condition)
	id, err := t.match(s, e.Type, condition, deleted)
	if err != nil {
		return err
	}
	if e.Matched = id != "" && e.Method == http.MethodPost; !e.Matched {
		t.guards = append(t.guards, guard)
	}
	if id == "" {
		return nil
	}
	if given := e.Resource.ID(); e.Method == http.MethodPut && given != "" && given != id {
		return &handover.Fault{Kind: handover.FaultMalformed, Op: "fhirdoor.resolve", Path: e.Type + ".id", Text: "the id is not that of the resource which meets the condition"}
	}
	e.ID = id
	if e.Resource != nil {
		fhir.SetID(e.Resource, id)
	}
	return nil
}

// guard is what two writes of one party that rest on one condition both raise: the one that
// comes second decides again.
func (t *writing) guard(s *act.Snapshot, typ, condition string) ledger.Guard {
	key := s.Identity.StableID(t.caller.Party, "condition|"+typ, t.canonical(condition))
	version, _ := s.Guards.Get(key)
	return ledger.Guard{Key: key, Expect: version}
}

// canonical makes two spellings of one condition equal: order and escaping of parameters, and
// references to this server.
func (t *writing) canonical(condition string) string {
	values, err := url.ParseQuery(strings.TrimPrefix(condition, "?"))
	if err != nil {
		return condition
	}
	for _, list := range values {
		for i := range list {
			list[i] = strings.ReplaceAll(list[i], t.w.Base+"/", "")
		}
	}
	return values.Encode()
}

// referred is the match of a conditional reference, which must have one (R4 3.1.0.11.2).
func (t *writing) referred(s *act.Snapshot, typ, query string, deleted map[string]bool) (string, error) {
	id, err := t.match(s, typ, query, deleted)
	if !s.Complete() {
		return s.NewID(), nil // until all conditions are answered, any id will do
	}
	if id == "" {
		err = cmp.Or[error](err, &handover.Fault{Kind: handover.FaultPrecondition, Op: "fhirdoor.referred", Text: "a conditional reference matches no resource"})
	}
	return id, err
}

// match finds the one resource of a condition among those that the caller may see and that
// the write does not delete; "" for none.
func (t *writing) match(s *act.Snapshot, typ, query string, deleted map[string]bool) (string, error) {
	query = t.canonical(query)
	if !hasCriterion(query) {
		return "", &handover.Fault{Kind: handover.FaultPrecondition, Op: "fhirdoor.match", Text: "a condition needs a search parameter"}
	}
	m, _ := s.Matches.Get(act.Match{Party: t.caller.Party, Type: typ, Query: query})
	ids := slices.DeleteFunc(slices.Clone(m.IDs), func(id string) bool { return deleted[typ+"/"+id] })
	if len(ids) > 1 {
		return "", &handover.Fault{Kind: handover.FaultPrecondition, Op: "fhirdoor.match", Text: "the condition matches more than one resource"}
	}
	return cmp.Or(ids...), m.Err
}

// hasCriterion reports whether a condition selects by what resources say: what begins with an
// underscore is how to answer, but for these (R4 3.1.1.1).
func hasCriterion(query string) bool {
	values, err := url.ParseQuery(query)
	for name, list := range values {
		bare, _, _ := strings.Cut(name, ":")
		if (!strings.HasPrefix(bare, "_") || slices.Contains(criteria, bare)) && slices.ContainsFunc(list, func(v string) bool { return v != "" }) {
			return true
		}
	}
	return err != nil // that it is no query is told where it is asked
}

var criteria = []string{"_id", "_lastUpdated", "_tag", "_profile", "_security", "_source", "_has"}

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
	case hidden && hasRead(s, t.caller.Party, e):
		return &handover.Fault{Kind: handover.FaultPrecondition, Op: op, Text: "the handover has ended: the current version is not the caller's to read"}
	case hidden:
		return &handover.Fault{Kind: handover.FaultNotFound, Op: op, Text: "no such resource"}
	case e.Method == http.MethodGet, e.Matched:
		return nil
	case !exists && e.Named && e.Method == http.MethodPut:
		// An id of the caller's choice could be a person's number, and ids are shown in events.
		return &handover.Fault{Kind: handover.FaultNotFound, Op: op, Text: "ids are assigned here: create with POST"}
	case versioned(e) != nil:
		return versioned(e)
	case cmp.Or(e.IfMatch, e.Current.Version) != e.Current.Version:
		return &handover.Fault{Kind: handover.FaultPrecondition, Op: op, Text: "the current version is not the one in If-Match"}
	}
	if err := cmp.Or(served(e), t.stamp(s, e)); err != nil {
		return err
	}
	if e.Type == "Task" {
		return t.authoriseTask(s, e)
	}
	return access.MayWriteResource(t.caller, e.Current.Author, e.Type, exists)
}

// hasRead reports whether a party reads earlier versions of what is stored.
func hasRead(s *act.Snapshot, p handover.PartyID, e *act.Entry) bool {
	grants, _ := s.Grants.Get(ledger.ResourceKey{Type: e.Type, ID: e.ID})
	return slices.ContainsFunc(grants, func(g ledger.Granted) bool { return g.Party == p })
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
	if err := access.MayAskByTask(act.ChangedMembers(fhir.Obj(), e.Resource)); err != nil || task.Requester == nil {
		return err
	}
	party, ok := s.PartyOf(task.Requester)
	if !ok {
		return &handover.Fault{Kind: handover.FaultSenderUnknown, Op: op, Path: "Task.requester", Text: "the requester is no party of the directory"}
	}
	return access.ConfirmSender(t.caller, party)
}
