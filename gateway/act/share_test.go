package act

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
)

const (
	institution handover.PartyID = "solbakken-rehabilitering"
	another     handover.PartyID = "fjordgloett-rehabilitering"
)

// row is a stored resource of a test: what it refers to, who wrote it, and who may read it
// for its handover, or for another one.
type row struct {
	key     string // Type/id
	author  handover.PartyID
	home    handover.ID
	visible []handover.PartyID
	also    []ledger.Grant
	refs    []string
	deleted bool
}

func (r row) resource() ledger.Resource {
	typ, id, _ := strings.Cut(r.key, "/")
	n := fhir.Obj("resourceType", typ, "id", id)
	if typ == "Task" {
		n.Set("status", fhir.Str(handover.StateReceived.TaskStatus()))
	}
	for _, ref := range r.refs {
		n.Append("supportingInfo", fhir.Obj("reference", ref))
	}
	grants := append([]ledger.Grant{{Party: r.author}}, r.also...)
	for _, p := range r.visible {
		grants = append(grants, ledger.Grant{Party: p, Handover: r.home})
	}
	stamp(n, 3, ledger.TimeText(noon))
	return stored(ledger.Resource{Type: typ, ID: id, Version: 3, Author: r.author, JSON: n.JSON(), At: noon, Handover: r.home,
		Deleted: r.deleted}, grants)
}

// stored is a resource with all its grants, also those of other handovers.
func stored(r ledger.Resource, grants []ledger.Grant) ledger.Resource {
	r.Grants = ledger.Union(slices.Clone(r.Grants), grants...)
	return granted(r, grants)
}

// given are grants as the ledger tells them.
func given(grants []ledger.Grant) []ledger.Granted {
	var out []ledger.Granted
	for _, g := range grants {
		if g.Handover != "" {
			out = append(out, ledger.Granted{Grant: g, Since: 3})
		}
	}
	return out
}

// for2 are grants for another handover.
func for2(parties ...handover.PartyID) []ledger.Grant {
	var out []ledger.Grant
	for _, p := range parties {
		out = append(out, ledger.Grant{Party: p, Handover: "h2"})
	}
	return out
}

// request is the handover that the tests begin from: the municipality has asked the institution.
func request() handover.Handover {
	return handover.Handover{ID: "h1", Chain: "c1", Kind: handover.KindReferral, State: handover.StateReceived, Sender: municipality,
		Receiver: institution, Custodian: municipality, Since: noon, Deadline: noon.AddDate(0, 0, 1), Version: 7}
}

// both are the parties of request.
var both = []handover.PartyID{municipality, institution}

// record is a snapshot of what is stored, and what it becomes.
type record struct {
	*Snapshot
	rows map[ledger.ResourceKey]ledger.Resource
}

func recordOf(t *testing.T, h handover.Handover, rows ...row) *record {
	t.Helper()
	r := &record{&Snapshot{Settings: snapshot(t, h, 1).Settings, Now: noon}, map[ledger.ResourceKey]ledger.Resource{}}
	r.Handovers.Put(h.ID, h, true)
	var belonging []ledger.Resource
	for _, one := range rows {
		row := one.resource()
		r.rows[ledger.ResourceKey{Type: row.Type, ID: row.ID}] = row
		row.Grants = slices.DeleteFunc(slices.Clone(row.Grants), func(g ledger.Grant) bool { return g.Handover != h.ID })
		if len(row.Grants) > 0 {
			belonging = append(belonging, row)
		}
	}
	r.Belonging.Put(h.ID, belonging, true)
	return r
}

// plan makes a plan as the kernel does: anew, until all that it asks for is answered.
func (r *record) plan(t *testing.T, make func() (*Plan, error)) (*Plan, error) {
	t.Helper()
	for range 20 {
		p, err := make()
		failed := r.Settle()
		if r.Complete() {
			if err == nil {
				err = failed
			}
			return p, err
		}
		for _, key := range r.Resources.Take() {
			row, found := r.rows[key]
			row.Grants = nil
			r.Resources.Put(key, row, found)
		}
		for _, key := range r.Grants.Take() {
			r.Grants.Put(key, given(r.rows[key].Grants), true)
		}
		for _, reach := range r.Reach.Take() {
			r.Reach.Put(reach, struct{}{}, true)
		}
		for _, id := range r.Handovers.Take() {
			r.Handovers.Put(id, handover.Handover{}, false)
		}
		for _, id := range r.Belonging.Take() {
			r.Belonging.Put(id, nil, false)
		}
		for _, id := range r.Sent.Take() {
			r.Sent.Put(id, nil, false)
		}
	}
	t.Fatal("the plan is never satisfied")
	return nil, nil
}

// store leaves the rows as the ledger does: each write at its version, then what is hidden.
func (r *record) store(t *testing.T, u ledger.Unit) {
	t.Helper()
	for _, w := range u.Resources {
		key := ledger.ResourceKey{Type: w.Type, ID: w.ID}
		if w.Expect != r.rows[key].Version {
			t.Errorf("%v is written at version %d, stored is %d", key, w.Expect, r.rows[key].Version)
		}
		row := ledger.Resource{Type: w.Type, ID: w.ID, Version: w.Expect + 1, Author: w.Author, JSON: w.JSON, Deleted: w.Deleted,
			Handover: w.Handover, Grants: r.rows[key].Grants, Visible: r.rows[key].Visible}
		r.rows[key] = stored(row, w.Grants)
	}
	for _, shown := range u.Shown {
		key := ledger.ResourceKey{Type: shown.Type, ID: shown.ID}
		if shown.Expect != r.rows[key].Version {
			t.Errorf("%v is shown at version %d, stored is %d", key, shown.Expect, r.rows[key].Version)
		}
		r.rows[key] = stored(r.rows[key], shown.Grants)
	}
	for _, hidden := range u.Hide {
		for key, row := range r.rows {
			left := slices.DeleteFunc(slices.Clone(row.Grants), func(g ledger.Grant) bool { return g == ledger.Grant(hidden) })
			row.Grants, row.Visible = nil, nil
			r.rows[key] = stored(row, left)
		}
	}
}

// readBy names what a party may read, in order.
func (r *record) readBy(p handover.PartyID) string {
	var out []string
	for key, stored := range r.rows {
		if !stored.Deleted && slices.Contains(stored.Visible, p) {
			out = append(out, key.Type+"/"+key.ID)
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// decided is the plan of one event on request by its receiver.
func (r *record) decided(t *testing.T, event handover.Event) (*Plan, error) {
	t.Helper()
	return r.plan(t, func() (*Plan, error) {
		h, _ := r.Handovers.Get("h1")
		d := newDecision(r.Snapshot, h, ActorOf(h.Receiver, h), event)
		err := d.decide()
		return &d.plan, err
	})
}

// TestEndAccess_WhoReadsWhatAfterwards: the wrong receiver reads nothing for the request any
// more, near or far; what it reads for another request, and what it wrote, stays.
func TestEndAccess_WhoReadsWhatAfterwards(t *testing.T) {
	visible := []handover.PartyID{municipality, institution, another}
	theirs := "Observation/theirs" // another party's, of another handover
	r := recordOf(t, request(),
		row{key: "Task/h1", author: municipality, home: "h1", visible: visible, refs: []string{"Patient/p", "ServiceRequest/q", "Task/h0"}},
		row{key: "Task/h2", author: municipality, home: "h2", visible: both, refs: []string{"Patient/p"}},
		row{key: "Patient/p", author: municipality, home: "h1", visible: visible, also: for2(both...)},
		row{key: "ServiceRequest/q", author: municipality, home: "h1", visible: visible, refs: []string{"Observation/far", theirs, "Patient/p", "Observation/gone"}},
		row{key: "Observation/far", author: municipality, home: "h1", visible: visible, refs: []string{"ServiceRequest/q"}},
		row{key: "Observation/gone", author: municipality, home: "h1", visible: visible, deleted: true},
		row{key: "Observation/own", author: institution, home: "h1", visible: visible},
		row{key: theirs, author: hospital, home: "h9", visible: append(slices.Clone(visible), hospital)})
	before, others := r.readBy(municipality), r.readBy(another)
	p, err := r.decided(t, handover.Event{Name: handover.EventMisaddressed})
	if err != nil {
		t.Fatal(err)
	}
	r.store(t, p.Unit)
	if got, want := r.readBy(institution), "Observation/own "+theirs+" Patient/p Task/h2"; got != want {
		t.Errorf("the institution reads %q, want %q", got, want)
	}
	if got := r.readBy(municipality); got != before {
		t.Errorf("the sender reads %q, before %q", got, before)
	}
	if got := r.readBy(another); got != others {
		t.Errorf("a copy reads %q, before %q", got, others)
	}
	if p.Unit.Resource("Patient", "p") != nil {
		t.Error("what another request needs gets a new version")
	}
	if !slices.ContainsFunc(p.Unit.Audit, func(a ledger.Audit) bool {
		return a.Action == ledger.AuditDisclosure && a.Party == institution && a.Handover == "h1"
	}) {
		t.Error("the end of access is not in the record")
	}
}

// TestReach_IsBounded: as many resources as the bound are shown; one more is refused.
func TestReach_IsBounded(t *testing.T) {
	for n, want := range map[int]handover.FaultKind{ReachMax: "", ReachMax + 1: handover.FaultTooLarge} {
		task := row{key: "Task/h1", author: municipality, home: "h1", visible: both}
		rows := make([]row, n)
		for i := range rows {
			rows[i] = row{key: fmt.Sprintf("Observation/o%d", i), author: municipality, home: "h1", visible: both}
			task.refs = append(task.refs, rows[i].key)
		}
		r := recordOf(t, request(), append(rows, task)...)
		p, err := r.decided(t, handover.Event{Name: handover.EventForwarded, ForwardTo: another, NewID: "h2"})
		if kindOf(err) != want {
			t.Errorf("%d resources: %v", n, err)
		}
		if err == nil {
			r.store(t, p.Unit)
			if got := len(strings.Fields(r.readBy(another))); got != n+1 {
				t.Errorf("%d resources: reads %d", n, got)
			}
		}
	}
}

// TestShowRequest_WritesNothingThatSaysTheSame: what is shown keeps its version, which the
// next receiver reads from, and its handover.
func TestShowRequest_WritesNothingThatSaysTheSame(t *testing.T) {
	r := forwarded(t)
	p, err := r.decided(t, handover.Event{Name: handover.EventForwarded, ForwardTo: another, NewID: "h2"})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Unit.Resources) != 2 || p.Unit.Resource("Task", "h1") == nil || p.Unit.Resource("Task", "h2") == nil {
		t.Errorf("more is written than the two Tasks: %d", len(p.Unit.Resources))
	}
	for _, shown := range p.Unit.Shown {
		if !slices.Equal(shown.Grants, for2(municipality, another)) {
			t.Errorf("%s/%s is shown by %v", shown.Type, shown.ID, shown.Grants)
		}
	}
}

// TestEndsFor: a handover ends for who is left without the patient; the sender, who has it, and
// whom a decline does not concern, read on.
func TestEndsFor(t *testing.T) {
	h := request()
	h.Copies = []handover.PartyID{another}
	for _, h.State = range handover.States() {
		var got []handover.PartyID
		for _, p := range parties(h) {
			if endsFor(p, h) {
				got = append(got, p)
			}
		}
		want := map[handover.State][]handover.PartyID{handover.StateDeclined: {institution}, handover.StateForwarded: {institution},
			handover.StateWithdrawn: {institution, another}, handover.StateVoided: {institution, another}}[h.State]
		if !slices.Equal(got, want) {
			t.Errorf("%s ends for %v, want %v", h.State, got, want)
		}
	}
}

// TestAfter_LastVersion: who reads a resource for the last time does not read what a write makes of it.
func TestAfter_LastVersion(t *testing.T) {
	s := snapshot(t, request(), 1)
	key := ledger.ResourceKey{Type: "Patient", ID: "p"}
	s.Resources.Put(key, ledger.Resource{Type: key.Type, ID: key.ID, Version: 2, Visible: []handover.PartyID{another, institution, municipality},
		Last: []handover.PartyID{another, institution}}, true)
	got := s.after(&ledger.ResourceWrite{Type: key.Type, ID: key.ID, Expect: 2, Grants: for2(institution)})
	if want := []handover.PartyID{municipality, institution}; !slices.Equal(got.Visible, want) || len(got.Last) > 0 {
		t.Errorf("read by %v, %v for the last time; want %v", got.Visible, got.Last, want)
	}
}

// TestHandoverOf: what a party writes about a request that was made twice belongs to the
// handover in which it has the request.
func TestHandoverOf(t *testing.T) {
	first, second := request(), request()
	second.ID, second.Receiver, second.Since = "h2", another, noon.AddDate(0, 0, 2)
	closed := request()
	closed.ID, closed.State, closed.Since = "h3", handover.StateCompleted, noon.AddDate(0, 0, 3)
	s := snapshot(t, first, 1)
	for _, h := range []handover.Handover{first, second, closed} {
		s.Handovers.Put(h.ID, h, true)
	}
	asked := row{key: "ServiceRequest/q", author: municipality, home: "h1", visible: both,
		also: append(for2(municipality, another), ledger.Grant{Party: municipality, Handover: "h3"})}.resource()
	key := ledger.ResourceKey{Type: asked.Type, ID: asked.ID}
	s.Grants.Put(key, given(asked.Grants), true)
	for party, want := range map[handover.PartyID]handover.ID{institution: "h1", another: "h2", municipality: "h2", hospital: ""} {
		if got := latest(s.handoversOf(key, party)).ID; got != want {
			t.Errorf("%s has it for %q, want %q", party, got, want)
		}
	}
}

// forwarded are the resources of a request that the institution passes on.
func forwarded(t *testing.T) *record {
	return recordOf(t, request(),
		row{key: "Task/h1", author: municipality, home: "h1", visible: both, refs: []string{"Patient/p", "ServiceRequest/q"}},
		row{key: "Patient/p", author: municipality, home: "h0", visible: both},
		row{key: "ServiceRequest/q", author: municipality, home: "h1", visible: both, refs: []string{"Observation/far", "Observation/theirs"}},
		row{key: "CarePlan/unnamed", author: municipality, home: "h1", visible: both, refs: []string{"Observation/unnamed"}},
		row{key: "Observation/unnamed", author: municipality},
		row{key: "Observation/far", author: municipality, home: "h0", visible: both},
		row{key: "Observation/gone", author: municipality, home: "h1", visible: both, deleted: true},
		row{key: "Observation/own", author: institution, home: "h1", visible: both},
		row{key: "Observation/theirs", author: hospital, home: "h9", visible: append(slices.Clone(both), hospital)},
		row{key: "Observation/unrelated", author: municipality, home: "h8", visible: both})
}

// TestShowRequest_WhoReadsWhatAfterwards: the next receiver reads what the sender had
// written for the request, near and far; nobody else's, and the Task of its own handover.
func TestShowRequest_WhoReadsWhatAfterwards(t *testing.T) {
	r := forwarded(t)
	before := r.readBy(institution)
	p, err := r.decided(t, handover.Event{Name: handover.EventForwarded, ForwardTo: another, NewID: "h2"})
	if err != nil {
		t.Fatal(err)
	}
	r.store(t, p.Unit)
	want := "CarePlan/unnamed Observation/far Observation/unnamed Patient/p ServiceRequest/q Task/h2"
	if got := r.readBy(another); got != want {
		t.Errorf("the next receiver reads %q, want %q", got, want)
	}
	if got := r.readBy(institution); got != before {
		t.Errorf("the one that passed it on reads %q, before %q", got, before)
	}
	if w := p.Unit.Resource("Observation", "gone"); w != nil {
		t.Error("what was deleted is written")
	}
}

// TestShowRequest_AsThisActWritesIt: what the same act changes is shown as it becomes, and
// its change is not lost.
func TestShowRequest_AsThisActWritesIt(t *testing.T) {
	r := forwarded(t)
	entry := func(key ledger.ResourceKey, change func(*fhir.Node)) Entry {
		stored := r.rows[key]
		n := r.Parse(stored)
		change(n)
		return Entry{WriteEntry: fhir.WriteEntry{Method: "PUT", Type: key.Type, ID: key.ID, Resource: n}, Current: stored, Before: r.Parse(stored)}
	}
	to := r.organisation(another)
	p, err := r.plan(t, func() (*Plan, error) {
		return Write(r.Snapshot, Writing{Party: institution, Entries: []Entry{
			entry(ledger.ResourceKey{Type: "ServiceRequest", ID: "q"}, func(n *fhir.Node) { n.Set("priority", fhir.Str("urgent")) }),
			entry(ledger.ResourceKey{Type: "Task", ID: "h1"}, func(n *fhir.Node) {
				n.Set("status", fhir.Str("rejected"))
				n.Set("businessStatus", fhir.Concept(systemBusinessStatus, "forwarded", ""))
				n.Set("owner", to)
			})}})
	})
	if err != nil {
		t.Fatal(err)
	}
	r.store(t, p.Unit)
	q := r.rows[ledger.ResourceKey{Type: "ServiceRequest", ID: "q"}]
	if q.Version != 4 || !strings.Contains(string(q.JSON), `"priority":"urgent"`) || !slices.Contains(q.Visible, another) {
		t.Errorf("at version %d, read by %v: %s", q.Version, q.Visible, q.JSON)
	}
}

// TestScene_StaysAsItWas: what is told of a decision shows the versions that it wrote, not
// those that one which followed in the same act wrote in their place.
func TestScene_StaysAsItWas(t *testing.T) {
	d := &decision{view: view{s: snapshot(t, request(), 1), next: request()}}
	write := func(status string) Plan {
		n := fhir.Obj("resourceType", "Encounter", "id", "e", "status", status)
		return Plan{Unit: ledger.Unit{Resources: []ledger.ResourceWrite{{Type: "Encounter", ID: "e", JSON: n.JSON(), Grants: for2(both...)}}}}
	}
	d.plan.add(write("in-progress"))
	scene := d.scene()
	d.plan.add(write("finished"))
	if got := scene.Resource(d.s, ledger.ResourceKey{Type: "Encounter", ID: "e"}, institution).Str("status"); got != "in-progress" {
		t.Errorf("the first decision's stay is %s", got)
	}
}

// TestTakesPart_AndInWhichCapacity: a receiver that was the wrong one takes no part.
func TestTakesPart_AndInWhichCapacity(t *testing.T) {
	for _, tt := range []struct {
		party handover.PartyID
		ended bool
		takes bool
		role  handover.ActorRole
	}{
		{municipality, false, true, handover.RoleSender}, {municipality, true, true, handover.RoleSender},
		{institution, false, true, handover.RoleReceiver}, {institution, true, false, handover.RoleReceiver},
		{another, false, true, handover.RoleCopy}, {another, true, true, handover.RoleCopy},
		{hospital, false, false, handover.RoleCopy}, {"", false, false, handover.RoleCopy},
	} {
		h := request()
		h.Copies, h.Facts.AccessEnded = []handover.PartyID{another}, tt.ended
		if got := TakesPart(tt.party, h); got != tt.takes {
			t.Errorf("%q, ended %t: takes part %t", tt.party, tt.ended, got)
		}
		if got := ActorOf(tt.party, h); got.Role != tt.role || got.Party != tt.party {
			t.Errorf("%q acts as %+v", tt.party, got)
		}
		if got := slices.Contains(parties(h), tt.party); got != tt.takes {
			t.Errorf("%q, ended %t: reads %t", tt.party, tt.ended, got)
		}
	}
}
