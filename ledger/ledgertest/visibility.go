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

// testEnd: what a party was told stays readable as it was told, and what is written after the
// end is not: not read, not searched, not listed. What the unit of a further end grants is told.
func testEnd(t *testing.T, h Harness) {
	s := h.Open(t)
	write := func(id string, expect int64, given ...ledger.Grant) ledger.ResourceWrite {
		return ledger.ResourceWrite{Type: "Task", ID: id, Expect: expect, Author: hospital, JSON: []byte(`{}`), Grants: append(given, ledger.Grant{Party: hospital})}
	}
	unit := func(w ...ledger.ResourceWrite) ledger.Unit { return ledger.Unit{Resources: w} }
	forA, forB := ledger.Grant{Party: municipality, Handover: "a"}, ledger.Grant{Party: municipality, Handover: "b"}
	must(t, s, unit(write("t", 0), write("u", 0, forA)), unit(write("t", 1, forA)))
	closing := unit(write("t", 2))
	closing.End = []ledger.Ended{ledger.Ended(forA)}
	must(t, s, closing)
	reads := func(when string, id string, want ...int64) {
		t.Helper()
		var listed, read []int64
		page := must1(s.History(ctx, "Task", id, municipality, 100, ""))
		current := must1(s.Resource(ctx, "Task", id))
		for v := current.Version; v > 0; v-- {
			if slices.Contains(must1(s.ResourceVersion(ctx, "Task", id, v)).Visible, municipality) {
				read = append(read, v)
			}
		}
		for _, r := range page.Resources {
			listed = append(listed, r.Version)
		}
		found := must1(s.Search(ctx, search.Query{Type: "Task", Count: 10}, municipality)).Resources
		same(t, when+": reads", read, want)
		same(t, when+": history", listed, want)
		same(t, when+": finds", slices.ContainsFunc(found, func(r ledger.Resource) bool { return r.ID == id }), slices.Contains(want, current.Version))
		same(t, when+": visible", slices.Contains(current.Visible, municipality), slices.Contains(want, current.Version))
	}
	reads("as it ended", "t", 3, 2)
	reads("as it ended", "u", 1)
	same(t, "the last version", must1(s.Resource(ctx, "Task", "t")).Last, []handover.PartyID{municipality})
	same(t, "grants", must1(s.Grants(ctx, ledger.ResourceKey{Type: "Task", ID: "t"})), []ledger.Granted{{Grant: forA, Since: 2, Until: 3}})
	must(t, s, unit(write("t", 3, forA)), unit(write("u", 1)))
	reads("written after", "t", 3, 2)
	reads("written after", "u", 1)
	same(t, "grants of the current version", len(must1(s.ResourcesOf(ctx, "a"))[0].Grants), 0)
	same(t, "the author", must1(s.Resource(ctx, "Task", "t")).Last, []handover.PartyID(nil))
	must(t, s, ledger.Unit{End: []ledger.Ended{ledger.Ended(forA)}})
	reads("ended twice", "t", 3, 2)
	told := unit(write("u", 2, forA), write("new", 0, forA))
	told.End = closing.End
	must(t, s, told, unit(write("u", 3), write("new", 1)))
	reads("told after the end", "u", 3, 2, 1)
	reads("told after the end", "new", 1)
	reads("told of another", "t", 3, 2)
	must(t, s, unit(write("t", 4, forB)), unit(write("t", 5)))
	reads("by another handover", "t", 6, 5, 3, 2)
	deleted := write("u", 4)
	deleted.Deleted, deleted.JSON = true, nil
	must(t, s, unit(deleted))
	reads("deleted after", "u", 3, 2, 1)
	must(t, s, ledger.Unit{Hide: []ledger.Hidden{ledger.Hidden(forA)}})
	reads("taken back", "t", 6, 5)
	reads("taken back", "u")
	whole(t, s)
}

// seen is the contract of visibility in memory: how many versions there are, and from which
// on, and up to which, each grant holds.
type seen struct {
	versions int64
	given    map[ledger.Grant]ledger.Granted
}

func (m *seen) reads(p handover.PartyID, version int64) bool {
	for g, held := range m.given {
		if g.Party == p && held.Since <= version && (held.Until == 0 || held.Until >= version) {
			return true
		}
	}
	return false
}

func (m *seen) give(grants []ledger.Grant) {
	for _, g := range grants {
		if _, has := m.given[g]; !has {
			m.given[g] = ledger.Granted{Since: m.versions}
		}
	}
}

// end ends a grant where it has not ended, or is given again.
func (m *seen) end(g ledger.Grant, again bool) {
	if held, has := m.given[g]; has && g.Handover != "" && (held.Until == 0 || again) {
		held.Until = m.versions
		m.given[g] = held
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
		model := map[string]*seen{"r0": {given: map[ledger.Grant]ledger.Granted{}}, "r1": {given: map[ledger.Grant]ledger.Granted{}}}
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
	what := rapid.IntRange(0, 5).Draw(rt, "what")
	if what == 0 || what == 3 || what == 5 {
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
	if what >= 4 { // alone, or after a write in the same unit
		end := ledger.Ended{Party: rapid.SampledFrom(someParties).Draw(rt, "party"), Handover: rapid.SampledFrom(someHandovers).Draw(rt, "over")}
		u.End = []ledger.Ended{end}
		for _, each := range model {
			each.end(ledger.Grant(end), what == 5 && each == m && slices.Contains(grants, ledger.Grant(end)))
		}
	}
	if what == 2 || what == 3 {
		end := ledger.Hidden{Party: rapid.SampledFrom(someParties).Draw(rt, "wrong"), Handover: rapid.SampledFrom(someHandovers).Draw(rt, "ended")}
		u.Hide = []ledger.Hidden{end}
		for _, each := range model {
			if end.Handover != "" {
				delete(each.given, ledger.Grant(end))
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
			for g := range m.given {
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
