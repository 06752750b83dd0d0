package act

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"

	"stafett/fhir"
	"stafett/fhir/search"
	"stafett/handover"
	"stafett/ledger"
	"stafett/mappings/account"
)

// Names by which a translated message's resources are known.
const (
	NameTask    = "task"
	NamePatient = "patient"
)

// store plans the decision's resources, the Task as the handover now stands, and the keys
// by which later messages find it.
func (d *decision) store() {
	task := d.task
	for _, r := range d.resolve() {
		switch {
		case r.Name != NameTask:
			d.write(r.Resource, d.actor.Party, d.fresh(r))
		case d.actor.Role == handover.RoleSender || d.before.State == "":
			task = r.Resource
		}
	}
	d.putTask(task)
	d.findBy()
}

// fresh reports whether a resource can be taken for new without a look: it has an id of
// its own, or it is the stay of a new handover. Where that is wrong the commit conflicts,
// and the second try looks.
func (d *decision) fresh(r account.Named) bool {
	return r.Key == "" || d.before.State == "" && !d.s.Retry && r.Name == "encounter"
}

// resolve gives each resource of a translated message its id and turns the names by which
// they refer to each other into references.
func (d *decision) resolve() []account.Named {
	refs := map[string]string{NameTask: "Task/" + string(d.next.ID)}
	out := make([]account.Named, len(d.content.Resources))
	for i, r := range d.content.Resources {
		n := r.Resource.Clone()
		id := d.idOf(r)
		fhir.SetID(n, id)
		refs[r.Name] = n.ResourceType() + "/" + id
		out[i] = account.Named{Name: r.Name, Resource: n, Key: r.Key}
	}
	for _, r := range out {
		fhir.References(r.Resource, func(ref *fhir.Node) {
			name, named := strings.CutPrefix(ref.Str("reference"), account.ReferencePrefix)
			to, known := refs[name]
			switch {
			case named && known:
				ref.Set("reference", fhir.Str(to))
			case named:
				d.s.Fail(&handover.Fault{Kind: handover.FaultInvalid, Op: "act.resolve", Path: name,
					Text: "a reference names a resource that the message does not have"})
			}
		})
	}
	return out
}

func (d *decision) idOf(r account.Named) string {
	switch {
	case r.Name == NameTask:
		return string(d.next.ID)
	case r.Key != "":
		return d.s.Identity.StableID(d.actor.Party, r.Resource.ResourceType(), r.Key)
	}
	return NewID()
}

// current is a resource as this act leaves it so far.
func (d *decision) current(key ledger.ResourceKey) (ledger.Resource, bool) {
	for at := d; at != nil; at = at.outer {
		if w := at.plan.Unit.Resource(key.Type, key.ID); w != nil {
			return ledger.Resource{Type: w.Type, ID: w.ID, Version: w.Expect, Author: w.Author, JSON: w.JSON, Deleted: w.Deleted,
				At: w.At, Handover: w.Handover, Visible: w.Visible}, true
		}
	}
	return d.s.Resources.Get(key)
}

// write plans a resource's new version, unless it says what is stored already.
func (d *decision) write(n *fhir.Node, author handover.PartyID, fresh bool) {
	var cur ledger.Resource
	if !fresh {
		cur, _ = d.current(keyOf(n))
	}
	d.writeAfter(cur, n, author)
}

// writeAfter plans the version after cur, which the handover's parties may read.
func (d *decision) writeAfter(cur ledger.Resource, n *fhir.Node, author handover.PartyID) {
	visible := union(union(cur.Visible, parties(d.next)...), author)
	if cur.Author != "" {
		author = cur.Author
	}
	if !says(cur, n) || len(visible) > len(cur.Visible) {
		d.putVersion(cur, n, author, visible, d.next.ID)
	}
}

// putVersion plans n as the version after cur, with its search rows. A plan that is made
// anew needs none.
func (d *decision) putVersion(cur ledger.Resource, n *fhir.Node, author handover.PartyID, visible []handover.PartyID, home handover.ID) {
	if !d.s.Complete() {
		return
	}
	stamp(n, cur.Version+1, d.s.Now)
	rows, err := search.Rows(n, search.Meta{LastUpdated: d.s.Now})
	if err != nil {
		d.s.Fail(&handover.Fault{Kind: handover.FaultInvalid, Op: "act.putVersion", Text: "the resource cannot be indexed", Path: n.ResourceType(), Err: err})
	}
	d.plan.Unit.Resources = append(d.plan.Unit.Resources, ledger.ResourceWrite{Type: n.ResourceType(), ID: n.ID(), Expect: cur.Version,
		Author: author, JSON: n.JSON(), At: d.s.Now, Rows: rows, Visible: visible, Handover: home})
}

// says reports whether n is what is stored already.
func says(cur ledger.Resource, n *fhir.Node) bool {
	if cur.Version == 0 || cur.Deleted {
		return false
	}
	stamp(n, cur.Version, cur.At)
	return bytes.Equal(n.AppendJSON(nil), cur.JSON)
}

func keyOf(n *fhir.Node) ledger.ResourceKey {
	return ledger.ResourceKey{Type: n.ResourceType(), ID: n.ID()}
}

// stamp sets meta.versionId and meta.lastUpdated and keeps what else meta holds.
func stamp(n *fhir.Node, version int64, at time.Time) {
	meta := n.Get("meta")
	if meta == nil || meta.Kind != fhir.KindObject {
		meta = fhir.Obj()
		after := 1
		if n.Get("id") != nil {
			after = 2
		}
		n.Members = slices.Insert(n.Members, min(after, len(n.Members)), fhir.Member{Name: "meta", Value: meta})
	}
	meta.Set("versionId", fhir.Str(strconv.FormatInt(version, 10)))
	meta.Set("lastUpdated", fhir.Str(at.UTC().Format(time.RFC3339Nano)))
}

// parties are those who take part in h: a receiver that was the wrong one no longer does.
func parties(h handover.Handover) []handover.PartyID {
	var out []handover.PartyID
	for _, p := range append([]handover.PartyID{h.Sender, h.Receiver}, h.Copies...) {
		if p != "" && (p != h.Receiver || !h.Facts.AccessEnded) {
			out = append(out, p)
		}
	}
	return out
}

func union(a []handover.PartyID, b ...handover.PartyID) []handover.PartyID {
	out := slices.Clone(a)
	for _, p := range b {
		if p != "" && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// findBy plans the keys by which later messages find the handover.
func (d *decision) findBy() {
	h := d.next
	key := func(k ledger.HandoverKey) {
		k.Handover = h.ID
		d.plan.Unit.Keys = append(d.plan.Unit.Keys, k)
	}
	if visit := d.content.Facts["visit"]; visit != "" && d.actor.Party == h.Sender {
		key(ledger.HandoverKey{Kind: ledger.KeyVisit, Party: h.Sender, Value: visit})
	}
	if d.before.State != "" {
		return
	}
	for _, person := range d.s.Identity.persons(d.patient()) {
		key(ledger.HandoverKey{Kind: ledger.KeyPatient, Value: person})
	}
}

func (d *decision) patient() *fhir.Node {
	if p := d.content.Resource(NamePatient); p != nil {
		return p
	}
	for _, n := range slices.Concat(d.written, d.shown) {
		if n.ResourceType() == "Patient" {
			return n
		}
	}
	return nil
}

// persons are the keys of a Patient's national numbers.
func (i Identity) persons(patient *fhir.Node) []string {
	var out []string
	for _, id := range patient.Each("identifier") {
		switch s := id.Str("system"); s {
		case fhir.SystemFNR, fhir.SystemDNR, fhir.SystemFHN:
			if v := id.Str("value"); v != "" {
				out = append(out, i.PersonKey(s, v))
			}
		}
	}
	return out
}

// Current is a stored resource for the eyes of p; nil where there is none. The node is the
// caller's own.
func (s *Snapshot) Current(key ledger.ResourceKey, p handover.PartyID) *fhir.Node {
	r, found := s.Resources.Get(key)
	if !found {
		return nil
	}
	return s.seen(r, p)
}

func (s *Snapshot) seen(r ledger.Resource, p handover.PartyID) *fhir.Node {
	if r.Deleted || !slices.Contains(r.Visible, p) {
		return nil
	}
	return s.Parse(r)
}

// Parse reads a stored resource.
func (s *Snapshot) Parse(r ledger.Resource) *fhir.Node {
	n, err := fhir.Parse(r.JSON, fhir.DefaultLimits())
	if err != nil {
		s.Fail(err)
		n = fhir.Obj("resourceType", r.Type)
	}
	return n
}
