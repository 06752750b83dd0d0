package ledgertest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"stafett/fhir/search"
	"stafett/handover"
	"stafett/ledger"
)

// testShow: what is stored is shown as it is, from the version that was looked at, without a
// new version; to each for the handover named, and until that one's end.
func testShow(t *testing.T, h Harness) {
	s := h.Open(t)
	r := sampleResource("Patient", "p", "", 1, Start)
	r.Grants = granted(hospital, "")
	second := r
	second.Expect, second.Grants = 1, nil
	must(t, s, ledger.Unit{Resources: []ledger.ResourceWrite{r}}, ledger.Unit{Resources: []ledger.ResourceWrite{second}})
	show := func(expect int64, of handover.ID, to ...handover.PartyID) ledger.Unit {
		return ledger.Unit{Shown: []ledger.Shown{{Type: "Patient", ID: "p", Expect: expect, Grants: granted("", of, to...)}}}
	}
	refuses(t, s, ledger.ErrConflict, show(1, "a", municipality))
	none := show(1, "a", municipality)
	none.Shown[0].ID = "none"
	refuses(t, s, ledger.ErrNotFound, none)
	must(t, s, show(2, "a", municipality), show(2, "b", municipality, institution))
	reads := func(version int64) []handover.PartyID {
		return must1(s.ResourceVersion(ctx, "Patient", "p", version)).Visible
	}
	same(t, "before it was shown", reads(1), []handover.PartyID{hospital})
	same(t, "as it was shown", reads(2), []handover.PartyID{municipality, hospital, institution})
	same(t, "without a version of its own", must1(s.Resource(ctx, "Patient", "p")).Version, int64(2))
	same(t, "of either handover", []int{len(must1(s.ResourcesOf(ctx, "a"))), len(must1(s.ResourcesOf(ctx, "b")))}, []int{1, 1})
	same(t, "grants of one handover", must1(s.ResourcesOf(ctx, "b"))[0].Grants, granted("", "b", municipality, institution)[1:])
	same(t, "grants of all", must1(s.Grants(ctx, ledger.ResourceKey{Type: "Patient", ID: "p"})), []ledger.Granted{
		{Grant: ledger.Grant{Party: municipality, Handover: "a"}, Since: 2}, {Grant: ledger.Grant{Party: municipality, Handover: "b"}, Since: 2},
		{Grant: ledger.Grant{Party: institution, Handover: "b"}, Since: 2}})
	must(t, s, ledger.Unit{Hide: []ledger.Hidden{{Party: municipality, Handover: "a"}, {Party: hospital, Handover: "a"}}})
	same(t, "for the other handover", reads(2), []handover.PartyID{municipality, hospital, institution})
	must(t, s, ledger.Unit{Hide: []ledger.Hidden{{Party: municipality, Handover: "b"}}})
	same(t, "for none", reads(2), []handover.PartyID{hospital, institution})
	same(t, "the author's own is no handover's", len(must1(s.ResourcesOf(ctx, ""))), 0)
	deleted := r
	deleted.Expect, deleted.Deleted = 2, true
	must(t, s, ledger.Unit{Resources: []ledger.ResourceWrite{deleted}})
	same(t, "what was told is read as it was told, also when it is deleted", reads(2), []handover.PartyID{hospital, institution})
	whole(t, s)
}

// seen is the contract of visibility in memory: how many versions there are, and from which
// on each grant holds.
type seen struct {
	versions int64
	since    map[ledger.Grant]int64
}

func (m *seen) reads(p handover.PartyID, version int64) bool {
	for g, since := range m.since {
		if g.Party == p && since <= version {
			return true
		}
	}
	return false
}

func (m *seen) give(grants []ledger.Grant) {
	for _, g := range grants {
		if _, has := m.since[g]; !has {
			m.since[g] = m.versions
		}
	}
}

var (
	someParties   = []handover.PartyID{hospital, municipality, institution}
	someHandovers = []handover.ID{"", "h1", "h2", "h3"}
)

// testVisibility compares random writes, showings and ends of access with the model.
func testVisibility(t *testing.T, h Harness) {
	fewerChecks(t)
	rapid.Check(t, func(rt *rapid.T) {
		s := h.Open(t)
		defer func() { _ = s.Close() }()
		model := map[string]*seen{"r0": {since: map[ledger.Grant]int64{}}, "r1": {since: map[ledger.Grant]int64{}}}
		for range rapid.IntRange(1, 25).Draw(rt, "acts") {
			act(rt, s, model)
		}
		compareSeen(rt, s, model)
	})
}

// act is one random unit, and what it makes of the model.
func act(rt *rapid.T, s ledger.Store, model map[string]*seen) {
	id := rapid.SampledFrom([]string{"r0", "r1"}).Draw(rt, "resource")
	m := model[id]
	grants := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) ledger.Grant {
		return ledger.Grant{Party: rapid.SampledFrom(someParties).Draw(rt, "party"), Handover: rapid.SampledFrom(someHandovers).Draw(rt, "handover")}
	}), 0, 3).Draw(rt, "grants")
	var u ledger.Unit
	var want error
	what := rapid.IntRange(0, 3).Draw(rt, "what")
	if what == 0 || what == 3 {
		u.Resources = []ledger.ResourceWrite{{Type: "Task", ID: id, Expect: m.versions, JSON: []byte(`{}`), Grants: grants}}
		m.versions++
		m.give(grants)
	}
	if what == 1 {
		expect := max(1, m.versions-int64(rapid.IntRange(0, 1).Draw(rt, "stale")))
		u.Shown = []ledger.Shown{{Type: "Task", ID: id, Expect: expect, Grants: grants}}
		switch {
		case m.versions == 0:
			want = ledger.ErrNotFound
		case expect != m.versions:
			want = ledger.ErrConflict
		default:
			m.give(grants)
		}
	}
	if what >= 2 { // alone, or after a write in the same unit
		end := ledger.Hidden{Party: rapid.SampledFrom(someParties).Draw(rt, "wrong"), Handover: rapid.SampledFrom(someHandovers).Draw(rt, "ended")}
		u.Hide = []ledger.Hidden{end}
		for _, each := range model {
			if end.Handover != "" {
				delete(each.since, ledger.Grant(end))
			}
		}
	}
	if r := must1(s.Apply(ctx, []ledger.Unit{u}))[0]; !errors.Is(r.Err, want) {
		rt.Fatalf("got %v, want %v", r.Err, want)
	}
}

func compareSeen(rt *rapid.T, s ledger.Store, model map[string]*seen) {
	for _, p := range someParties {
		var found, versions []string
		for _, r := range must1(s.Search(ctx, search.Query{Type: "Task", Count: 10}, p)).Resources {
			found = append(found, r.ID)
		}
		for _, r := range must1(s.History(ctx, "Task", "", p, 1000, "")).Resources {
			versions = append(versions, fmt.Sprint(r.ID, "/", r.Version))
		}
		for id, m := range model {
			if slices.Contains(found, id) != (m.versions > 0 && m.reads(p, m.versions)) {
				rt.Fatalf("%s finds %v; %s has %+v", p, found, id, *m)
			}
			for v := int64(1); v <= m.versions; v++ {
				want := m.reads(p, v)
				read := slices.Contains(must1(s.ResourceVersion(ctx, "Task", id, v)).Visible, p)
				if read != want || slices.Contains(versions, fmt.Sprint(id, "/", v)) != want {
					rt.Fatalf("%s reads version %d: %t, history %v; %s has %+v", p, v, read, versions, id, *m)
				}
			}
		}
	}
	for _, h := range someHandovers[1:] {
		var of, want []string
		for _, r := range must1(s.ResourcesOf(ctx, h)) {
			of = append(of, r.ID)
		}
		for id, m := range model {
			for g := range m.since {
				if g.Handover == h && !slices.Contains(want, id) {
					want = append(want, id)
				}
			}
		}
		slices.Sort(of)
		slices.Sort(want)
		if !slices.Equal(of, want) {
			rt.Fatalf("of %s: %v, want %v", h, of, want)
		}
	}
}
