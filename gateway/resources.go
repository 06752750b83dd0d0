package gateway

import (
	"bytes"
	"context"
	"errors"
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

const (
	nameTask    = "task"
	namePatient = "patient"
	// urnName is how resources of one translated message refer to each other.
	urnName = "urn:stafett:"
	// systemHandoverKind codes Task.code; systemBusinessStatus codes Task.businessStatus.
	systemHandoverKind   = "urn:stafett:handover-kind"
	systemBusinessStatus = "urn:stafett:business-status"
	systemEvent          = "urn:stafett:event"
)

func resourceNamed(c account.Canonical, name string) *fhir.Node {
	for _, r := range c.Resources {
		if r.Name == name {
			return r.Resource
		}
	}
	return nil
}

// store puts the act's resources, the Task as the handover now stands, and the keys by
// which later messages find it into the unit.
func (g *Gateway) store(ctx context.Context, a *act) error {
	task := a.task
	if len(a.content.Resources) > 0 {
		resolved, err := g.resolve(a)
		if err != nil {
			return err
		}
		for _, r := range resolved {
			if r.Name == nameTask {
				if a.actor.Role == handover.RoleSender || a.before.State == "" {
					task = r.Resource
				}
				continue
			}
			if err := g.put(ctx, a, r.Resource, a.actor.Party, a.fresh(r)); err != nil {
				return err
			}
		}
	}
	if err := g.putTask(ctx, a, task); err != nil {
		return err
	}
	g.keys(a)
	return nil
}

// fresh reports whether a resource can be taken for new without a look: it has an id of
// its own, or it is the stay of a new handover. Where that is wrong the commit conflicts,
// and the second try looks.
func (a *act) fresh(r account.Named) bool {
	return r.Key == "" || a.before.State == "" && !a.looks && r.Name == "encounter"
}

// resolve gives each resource of a translated message its id and turns the names by which
// they refer to each other into references.
func (g *Gateway) resolve(a *act) ([]account.Named, error) {
	refs := map[string]string{nameTask: "Task/" + string(a.next.ID)}
	out := make([]account.Named, len(a.content.Resources))
	for i, r := range a.content.Resources {
		n := r.Resource.Clone()
		typ, id := n.ResourceType(), ""
		switch {
		case r.Name == nameTask:
			id = string(a.next.ID)
		case r.Key != "":
			id = g.stableID(a.actor.Party, typ, r.Key)
		default:
			id = newID()
		}
		setID(n, id)
		refs[r.Name] = typ + "/" + id
		out[i] = account.Named{Name: r.Name, Resource: n, Key: r.Key}
	}
	var missing string
	for _, r := range out {
		fhir.References(r.Resource, func(ref *fhir.Node) {
			name, ok := strings.CutPrefix(ref.Str("reference"), urnName)
			if !ok {
				return
			}
			to, ok := refs[name]
			if !ok {
				missing = name
				return
			}
			ref.Set("reference", fhir.Str(to))
		})
	}
	if missing != "" {
		return nil, &handover.Fault{Kind: handover.FaultInvalid, Op: "gateway.resolve", Text: "a reference names a resource that the message does not have", Path: missing}
	}
	return out, nil
}

func setID(n *fhir.Node, id string) {
	if n.Get("id") != nil {
		n.Set("id", fhir.Str(id))
		return
	}
	// After resourceType, where a reader expects it.
	at := min(1, len(n.Members))
	n.Members = slices.Insert(n.Members, at, fhir.Member{Name: "id", Value: fhir.Str(id)})
}

// put writes a resource as its new version, unless it says what is stored already.
func (g *Gateway) put(ctx context.Context, a *act, n *fhir.Node, author handover.PartyID, fresh bool) error {
	var cur ledger.Resource
	if !fresh {
		var err error
		if cur, err = g.ledger.Resource(ctx, n.ResourceType(), n.ID()); err != nil && !errors.Is(err, ledger.ErrNotFound) {
			return err
		}
	}
	w, err := version(n, cur, author, a.next, a.now)
	if err != nil || w == nil {
		return err
	}
	a.unit.Resources = append(a.unit.Resources, *w)
	return nil
}

// version makes the write of n's next version after cur with its search and visibility
// rows; nil when nothing would change.
func version(n *fhir.Node, cur ledger.Resource, author handover.PartyID, h handover.Handover, now time.Time) (*ledger.ResourceWrite, error) {
	visible := union(cur.Visible, parties(h)...)
	visible = union(visible, author)
	if cur.Author != "" {
		author = cur.Author
	}
	if cur.Version > 0 && !cur.Deleted {
		stamp(n, cur.Version, cur.At)
		if bytes.Equal(n.AppendJSON(nil), cur.JSON) && len(visible) == len(cur.Visible) {
			return nil, nil
		}
	}
	return versionAfter(cur, n, author, visible, h.ID, now)
}

// versionAfter is the write of n as the version after cur, with its search rows.
func versionAfter(cur ledger.Resource, n *fhir.Node, author handover.PartyID, visible []handover.PartyID, home handover.ID, now time.Time) (*ledger.ResourceWrite, error) {
	stamp(n, cur.Version+1, now)
	rows, err := search.Rows(n, search.Meta{LastUpdated: now})
	if err != nil {
		return nil, &handover.Fault{Kind: handover.FaultInvalid, Op: "gateway.version", Text: "the resource cannot be indexed", Path: n.ResourceType(), Err: err}
	}
	return &ledger.ResourceWrite{Type: n.ResourceType(), ID: n.ID(), Expect: cur.Version, Author: author, JSON: n.JSON(),
		At: now, Rows: rows, Visible: visible, Handover: home}, nil
}

// stamp sets meta.versionId and meta.lastUpdated and keeps what else meta holds.
func stamp(n *fhir.Node, version int64, at time.Time) {
	meta := n.Get("meta")
	if meta == nil || meta.Kind != fhir.KindObject {
		meta = fhir.Obj()
		at := 1
		if n.Get("id") != nil {
			at = 2
		}
		n.Members = slices.Insert(n.Members, min(at, len(n.Members)), fhir.Member{Name: "meta", Value: meta})
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

// putTask writes the Task that carries the handover: as given, else as stored, with the
// elements that the handover decides.
func (g *Gateway) putTask(ctx context.Context, a *act, task *fhir.Node) error {
	created := a.before.State == ""
	if task == nil && created {
		task = fhir.Obj("resourceType", "Task", "id", string(a.next.ID))
	}
	if task == nil {
		cur, err := g.ledger.Resource(ctx, "Task", string(a.next.ID))
		if err != nil {
			return err
		}
		if task, err = fhir.Parse(cur.JSON, fhir.DefaultLimits()); err != nil {
			return err
		}
	}
	setID(task, string(a.next.ID))
	g.project(task, a.next, a.now)
	a.taskNow = task
	return g.put(ctx, a, task, a.next.Sender, created)
}

// project sets what the handover decides of a Task: status, businessStatus, requester,
// owner, the promised day and when it last changed.
func (g *Gateway) project(task *fhir.Node, h handover.Handover, now time.Time) {
	task.Set("status", fhir.Str(h.State.TaskStatus()))
	if b := h.State.BusinessStatus(); b != "" {
		task.Set("businessStatus", fhir.Concept(systemBusinessStatus, b, ""))
	} else if task.At("businessStatus", "coding").Str("system") == systemBusinessStatus {
		task.Delete("businessStatus")
	}
	if task.Get("intent") == nil {
		task.Set("intent", fhir.Str("order"))
	}
	if task.Get("code") == nil {
		task.Set("code", fhir.Concept(systemHandoverKind, string(h.Kind), ""))
	}
	if task.Get("requester") == nil {
		task.Set("requester", g.organisation(h.Sender))
	}
	if task.Get("owner") == nil {
		task.Set("owner", g.organisation(h.Receiver))
	}
	if task.Get("authoredOn") == nil {
		task.Set("authoredOn", fhir.Str(now.UTC().Format(time.RFC3339)))
	}
	if !h.Facts.PromisedDay.IsZero() {
		period := task.Get("executionPeriod")
		if period == nil {
			period = fhir.Obj()
			task.Set("executionPeriod", period)
		}
		period.Set("start", fhir.Str(h.Facts.PromisedDay.In(g.zone(h.Sender)).Format(time.DateOnly)))
	}
	task.Set("lastModified", fhir.Str(now.UTC().Format(time.RFC3339)))
}

func (g *Gateway) zone(id handover.PartyID) *time.Location {
	p, _ := g.dir.Party(id)
	return p.Location()
}

// organisation refers to a party by its national identifier.
func (g *Gateway) organisation(id handover.PartyID) *fhir.Node {
	p, _ := g.dir.Party(id)
	if p.HER != "" {
		return fhir.LogicalRef("Organization", fhir.SystemHER, p.HER, p.Name)
	}
	return fhir.LogicalRef("Organization", fhir.SystemOrgNumber, p.OrgNumber, p.Name)
}

// keys lets later messages find the handover.
func (g *Gateway) keys(a *act) {
	h := a.next
	if visit := a.content.Facts["visit"]; visit != "" && a.actor.Party == h.Sender {
		a.unit.Keys = append(a.unit.Keys, ledger.HandoverKey{Kind: ledger.KeyVisit, Party: h.Sender, Value: visit, Handover: h.ID})
	}
	if a.before.State == "" {
		for _, id := range personNumbers(a.patient()) {
			a.unit.Keys = append(a.unit.Keys, ledger.HandoverKey{Kind: ledger.KeyPatient, Value: g.personKey(id.system, id.value), Handover: h.ID})
		}
	}
}

func (a *act) patient() *fhir.Node {
	if p := resourceNamed(a.content, namePatient); p != nil {
		return p
	}
	for _, n := range slices.Concat(a.written, a.shown) {
		if n.ResourceType() == "Patient" {
			return n
		}
	}
	return nil
}

// storeSuccessor stores the Task of a handover that an act opens, as a copy of the Task
// it follows with the new owner.
func (g *Gateway) storeSuccessor(ctx context.Context, a, b *act) error {
	task := a.taskNow.Clone()
	setID(task, string(b.next.ID))
	task.Delete("meta")
	task.Delete("owner")
	task.Delete("output")
	task.Delete("identifier")
	task.Delete("statusReason")
	g.project(task, b.next, b.now)
	b.taskNow = task
	w, err := version(task, ledger.Resource{}, b.next.Sender, b.next, b.now)
	if err != nil {
		return err
	}
	if w != nil {
		b.unit.Resources = append(b.unit.Resources, *w)
	}
	return g.showRequest(ctx, a.next, b)
}

func wrote(u ledger.Unit, typ, id string) bool { return writeOf(u, typ, id) != nil }

// localReference splits a reference to a resource stored here.
func localReference(ref *fhir.Node) (typ, id string, ok bool) {
	s, _, _ := strings.Cut(ref.Str("reference"), "/_history/")
	typ, id, ok = strings.Cut(s, "/")
	if !ok || typ == "" || id == "" || strings.ContainsAny(typ, ":#") || strings.Contains(id, "/") {
		return "", "", false
	}
	return typ, id, true
}
