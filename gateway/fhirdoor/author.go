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
	if e.Type == "Task" {
		if err := t.keepNotes(s, e); err != nil {
			return err
		}
	}
	if err := cmp.Or(t.speaksForItself(s, e), t.agents(s, e)); err != nil || e.Type != "Task" {
		return err
	}
	return stampTask(s, e.Resource)
}

// stampMeta: labels of the gateway's own systems come from the gateway, and the source is the
// author.
func stampMeta(e *act.Entry, author handover.PartyID) error {
	meta := e.Resource.Get("meta")
	for _, element := range []string{"tag", "security"} {
		for _, label := range meta.Each(element) {
			known := slices.ContainsFunc(e.Before.At("meta").Each(element), label.Equal)
			if isOurs(label.Str("system")) && !known {
				return &handover.Fault{Kind: handover.FaultInvalid, Op: opAuthor, Path: e.Type + ".meta." + element, Text: "a label of this system is the gateway's to give"}
			}
		}
	}
	if meta.Get("source") != nil {
		meta.Set("source", fhir.Str(ours+"party:"+string(author)))
	}
	return nil
}

// isOurs reports a system of the gateway's own, however it is spelled.
func isOurs(system string) bool {
	return strings.HasPrefix(fhir.SystemMeant(system), strings.TrimPrefix(ours, "urn:"))
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

// keepNotes lets a Task's notes be added to and no more: they are both parties' words. Those that
// were there stand first, as they were; one that says no author is the caller's.
func (t *writing) keepNotes(s *act.Snapshot, e *act.Entry) error {
	before := e.Before.Each("note")
	missing := slices.Clone(before)
	isThere := func(note *fhir.Node) bool {
		i := slices.IndexFunc(missing, func(n *fhir.Node) bool { return plain(n) == plain(note) })
		if i >= 0 {
			missing = slices.Delete(missing, i, i+1)
		}
		return i >= 0
	}
	caller, _ := s.Directory.Party(t.caller.Party)
	var fresh []*fhir.Node
	for _, note := range e.Resource.Each("note") {
		if isThere(note) {
			continue
		}
		unsigned := note.Get("authorString") == nil && note.Get("authorReference") == nil
		if unsigned {
			note.Set("authorString", fhir.Str(caller.Name))
		}
		// Who wrote an unsigned note may send it again as it was written.
		if !unsigned || !isThere(note) {
			fresh = append(fresh, note)
		}
	}
	if len(missing) > 0 {
		return &handover.Fault{Kind: handover.FaultInvalid, Op: opAuthor, Path: "Task.note",
			Text: "notes are added and never changed or left out: send those that are there as they were read, and the new ones with them"}
	}
	if all := slices.Concat(before, fresh); len(all) > 0 {
		e.Resource.Set("note", fhir.Arr(all...).Clone())
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
		if ref != nil && !t.isOwn(s, ref) {
			return &handover.Fault{Kind: handover.FaultForbidden, Op: opAuthor, Path: e.Type + ".agent", Text: "an agent is the caller, by its identifier, or a resource of the caller's own"}
		}
	}
	return nil
}

// speaksForItself refuses words in another party's name, as far as they are new, and what would
// put them into it afterwards.
func (t *writing) speaksForItself(s *act.Snapshot, e *act.Entry) error {
	said := map[string]bool{}
	for _, v := range voicesOf(e.Before) {
		said[v.words] = true
	}
	for _, v := range voicesOf(e.Resource) {
		if !said[v.words] && slices.ContainsFunc(t.saidBy(s, v.ref, v.in), t.isAnother) {
			return &handover.Fault{Kind: handover.FaultForbidden, Op: opAuthor, Path: e.Type, Text: "who speaks in it is another party, which speaks for itself"}
		}
	}
	return t.staysItself(s, e)
}

// staysItself refuses to make what may have spoken already another party's. Who describes another
// party writes that anew.
func (t *writing) staysItself(s *act.Snapshot, e *act.Entry) error {
	if _, speaks := bodies[e.Type]; !speaks || e.Current.Version == 0 {
		return nil
	}
	var was []handover.PartyID
	if e.Before != nil {
		was = t.bornBy(s, e.Before)
	}
	for _, party := range t.bornBy(s, e.Resource) {
		if t.isAnother(party) && !slices.Contains(was, party) {
			return &handover.Fault{Kind: handover.FaultForbidden, Op: opAuthor, Path: e.Type, Text: "it may have spoken already, and does not become another party: write that one anew"}
		}
	}
	return nil
}

func (t *writing) isAnother(party handover.PartyID) bool { return party != t.caller.Party }

// resource is a resource as the write leaves it, and its author; nil for none.
func (t *writing) resource(s *act.Snapshot, key ledger.ResourceKey) (*fhir.Node, handover.PartyID) {
	for i := range t.entries {
		if e := &t.entries[i]; writes(e, key) {
			return e.Resource, author(t, e)
		}
	}
	r, found := s.Resources.Get(key)
	if !found || r.Deleted {
		return nil, ""
	}
	return s.Parse(r), r.Author
}

// writes reports whether an entry stores a version of a resource.
func writes(e *act.Entry, key ledger.ResourceKey) bool {
	return e.Type == key.Type && e.ID == key.ID && e.Resource != nil && !e.Matched
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
		if slices.ContainsFunc(t.entries, func(e act.Entry) bool { return writes(&e, key[0]) }) {
			return true
		}
		r, _ := s.Resources.Get(key[0])
		return !s.Complete() || r.Author == t.caller.Party
	}
	return known
}
