package fhirdoor

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"stafett/access"
	"stafett/fhir"
	"stafett/gateway/act"
	"stafett/handover"
	"stafett/ledger"
)

const opAuthor = "fhirdoor.author"

// ours begins the systems and sources that only the gateway writes.
const ours = "urn:stafett:"

// readsOnly refuses a named person's write: persons act at the desk, under their own name, and
// not in their organisation's (invariant 11).
func readsOnly(c access.Caller) error {
	if c.Kind == access.CallerParty {
		return nil
	}
	return &handover.Fault{Kind: handover.FaultForbidden, Op: opAuthor, Text: "a person reads here and writes nothing: what persons decide is recorded at the desk"}
}

// versioned holds a change of a Task to the version that its writer has seen: both parties
// change it, and a stale copy would erase what the other one wrote.
func versioned(e *act.Entry) error {
	if e.Type == "Task" && e.Method == http.MethodPut && e.Current.Version > 0 && e.IfMatch == 0 {
		return &handover.Fault{Kind: handover.FaultPrecondition, Op: opAuthor, Path: "Task",
			Text: "a Task is changed under If-Match: read it, and send the version that was read"}
	}
	return nil
}

// served refuses the types whose promise is not kept here.
func served(e *act.Entry) error {
	if e.Type == "Subscription" && e.Resource != nil {
		return &handover.Fault{Kind: handover.FaultInvalid, Op: opAuthor, Path: "Subscription", Text: "subscriptions are not served yet: nothing would ever be sent"}
	}
	return nil
}

// stamp puts the author's own name where a resource says whose it is, and refuses a name that
// is not the author's (invariant 11).
func (t *writing) stamp(s *act.Snapshot, e *act.Entry) error {
	if e.Resource == nil || e.Matched {
		return nil
	}
	if err := stampMeta(e, author(t, e)); err != nil {
		return err
	}
	if err := cmp.Or(t.speaksForItself(s, e), t.staysItself(s, e), t.agents(s, e)); err != nil || e.Type != "Task" {
		return err
	}
	return cmp.Or(t.stampNotes(s, e), stampTask(s, e.Resource))
}

// stampMeta: labels of the gateway's own systems come from the gateway, and the source is the
// author.
func stampMeta(e *act.Entry, author handover.PartyID) error {
	meta := e.Resource.Get("meta")
	for _, element := range []string{"tag", "security"} {
		for _, label := range meta.Each(element) {
			known := slices.ContainsFunc(e.Before.At("meta").Each(element), label.Equal)
			if strings.HasPrefix(strings.ToLower(strings.TrimSpace(label.Str("system"))), ours) && !known {
				return &handover.Fault{Kind: handover.FaultInvalid, Op: opAuthor, Path: e.Type + ".meta." + element, Text: "a label of this system is the gateway's to give"}
			}
		}
	}
	if meta.Get("source") != nil {
		meta.Set("source", fhir.Str(ours+"party:"+string(author)))
	}
	return nil
}

// stampTask names requester and owner as the directory does.
func stampTask(s *act.Snapshot, n *fhir.Node) error {
	task, err := act.ReadTask(n)
	if err != nil {
		return err
	}
	for element, ref := range map[string]*fhir.Reference{"requester": task.Requester, "owner": task.Owner} {
		if id, ok := s.PartyOf(ref); ok {
			p, _ := s.Directory.Party(id)
			n.Get(element).Delete("reference")
			n.Get(element).Set("display", fhir.Str(p.Name))
		}
	}
	return nil
}

// stampNotes keeps the notes of a Task, which both parties write, and says whose a new one is.
func (t *writing) stampNotes(s *act.Snapshot, e *act.Entry) error {
	unsigned := func(n *fhir.Node) *fhir.Node {
		n = n.Clone()
		n.Delete("authorString")
		n.Delete("authorReference")
		return n
	}
	before := slices.Clone(e.Before.Each("note"))
	for _, note := range e.Resource.Each("note") {
		is := func(known *fhir.Node) bool {
			return known.Equal(note) || note.Equal(unsigned(note)) && unsigned(known).Equal(note)
		}
		if at := slices.IndexFunc(before, is); at >= 0 {
			note.Members = before[at].Clone().Members
			before = slices.Delete(before, at, at+1)
		} else if note.Equal(unsigned(note)) {
			by, _ := s.Directory.Party(t.caller.Party)
			note.Set("authorString", fhir.Str(by.Name))
		}
	}
	if len(before) > 0 {
		return &handover.Fault{Kind: handover.FaultInvalid, Op: opAuthor, Path: "Task.note", Text: "both parties write notes: those that are there are kept as they are, and new ones added"}
	}
	return nil
}

// agents holds the record types to the caller: nobody records what another one did.
func (t *writing) agents(s *act.Snapshot, e *act.Entry) error {
	var named []*fhir.Node
	switch e.Type {
	case "Provenance":
		for _, agent := range e.Resource.Each("agent") {
			named = append(named, agent.Get("who"), agent.Get("onBehalfOf"))
		}
	case "AuditEvent":
		named = append(named, e.Resource.At("source", "observer"))
		for _, agent := range e.Resource.Each("agent") {
			named = append(named, agent.Get("who"))
		}
	}
	for _, ref := range named {
		if ref != nil && (!t.isOwn(s, ref) || t.another(s, e, ref)) {
			return &handover.Fault{Kind: handover.FaultForbidden, Op: opAuthor, Path: e.Type + ".agent", Text: "an agent is the caller, by its identifier, or a resource of the caller's own"}
		}
	}
	return nil
}

// leadsTo is what a reference in an entry leads to: in the entry, in the write, or stored; nil
// for nothing that is here.
func (t *writing) leadsTo(s *act.Snapshot, e *act.Entry, ref *fhir.Node) *fhir.Node {
	if id, within := strings.CutPrefix(ref.Str("reference"), "#"); within {
		for _, n := range e.Resource.Each("contained") {
			if n.ID() == id {
				return n
			}
		}
		return nil
	}
	if key := act.LocalReferences(fhir.Obj("reference", ref)); len(key) > 0 {
		return t.resource(s, key[0])
	}
	return nil
}

// resource is a resource as the write leaves it; nil for none.
func (t *writing) resource(s *act.Snapshot, key ledger.ResourceKey) *fhir.Node {
	for i := range t.entries {
		if e := &t.entries[i]; e.Type == key.Type && e.ID == key.ID && e.Resource != nil {
			return e.Resource
		}
	}
	r, found := s.Resources.Get(key)
	if !found || r.Deleted {
		return nil
	}
	return s.Parse(r)
}

// author is whose the resource is.
func author(t *writing, e *act.Entry) handover.PartyID {
	return cmp.Or(e.Current.Author, t.caller.Party)
}

// isOwn reports whether a reference names the caller, or what the caller wrote.
func (t *writing) isOwn(s *act.Snapshot, ref *fhir.Node) bool {
	id := ref.Get("identifier")
	party, known := s.PartyNamed(id.Str("system"), id.Str("value"))
	if known && party != t.caller.Party {
		return false
	}
	if key := act.LocalReferences(ref); len(key) > 0 {
		if slices.ContainsFunc(t.entries, func(e act.Entry) bool { return e.Type == key[0].Type && e.ID == key[0].ID && e.Resource != nil }) {
			return true
		}
		r, _ := s.Resources.Get(key[0])
		return !s.Complete() || r.Author == t.caller.Party
	}
	return known
}
