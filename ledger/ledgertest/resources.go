package ledgertest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"stafett/fhir/search"
	"stafett/handover"
	"stafett/ledger"
)

func testResources(t *testing.T, h Harness) {
	s := h.Open(t)
	r := sampleResource("Task", "t", "h", 1, Start)
	must(t, s, ledger.Unit{Resources: []ledger.ResourceWrite{r}})
	second := r
	second.Expect, second.JSON, second.Grants, second.Author, second.Handover = 1, []byte(`{"v": 2.10}`), nil, municipality, "other"
	stored := must(t, s, ledger.Unit{Resources: []ledger.ResourceWrite{second}})[0].Resources[0]
	now := must1(s.Resource(ctx, "Task", "t"))
	same(t, "second version", now, ledger.Resource{Type: "Task", ID: "t", Version: 2, Entry: 2, Author: municipality, JSON: second.JSON,
		At: stored.At, Handover: "h", Visible: []handover.PartyID{municipality, hospital}})
	gone := r
	gone.Expect, gone.JSON, gone.Deleted, gone.Grants = 2, nil, true, nil
	must(t, s, ledger.Unit{Resources: []ledger.ResourceWrite{gone}})
	deleted := must1(s.Resource(ctx, "Task", "t"))
	if !deleted.Deleted || deleted.JSON != nil || deleted.Version != 3 || len(deleted.Visible) != 2 {
		t.Errorf("deleted: %+v", deleted)
	}
	same(t, "deleted is not found by search", len(must1(s.Search(ctx, search.Query{Type: "Task", Count: 10}, "")).Resources), 0)
	same(t, "nor with its handover", len(must1(s.ResourcesOf(ctx, "h"))), 0)
	same(t, "the first version stays", string(must1(s.ResourceVersion(ctx, "Task", "t", 1)).JSON), string(r.JSON))
	same(t, "the exact bytes", string(must1(s.ResourceVersion(ctx, "Task", "t", 2)).JSON), `{"v": 2.10}`)
	again := r
	again.Expect = 3
	must(t, s, ledger.Unit{Resources: []ledger.ResourceWrite{again}})
	same(t, "back after delete", len(must1(s.Search(ctx, search.Query{Type: "Task", Count: 10}, "")).Resources), 1)
	for _, key := range [][2]string{{"Task", "x"}, {"Patient", "t"}, {"", ""}} {
		_, err := s.Resource(ctx, key[0], key[1])
		wantNotFound(t, "resource", err)
	}
	_, err := s.ResourceVersion(ctx, "Task", "t", 9)
	wantNotFound(t, "version", err)
	whole(t, s)
}

// testResourcesTogether: several resources are read as of one moment, whatever is written
// meanwhile.
func testResourcesTogether(t *testing.T, h Harness) {
	s := h.Open(t)
	pair := func(v int64) ledger.Unit {
		a, b := sampleResource("Task", "a", "h", 1, Start), sampleResource("Patient", "b", "", 1, Start)
		a.Expect, b.Expect = v, v
		return ledger.Unit{Resources: []ledger.ResourceWrite{a, b}}
	}
	gone := sampleResource("Goal", "gone", "", 1, Start)
	must(t, s, pair(0), ledger.Unit{Resources: []ledger.ResourceWrite{gone}})
	gone.Expect, gone.Deleted = 1, true
	must(t, s, ledger.Unit{Resources: []ledger.ResourceWrite{gone}})
	key := func(typ, id string) ledger.ResourceKey { return ledger.ResourceKey{Type: typ, ID: id} }
	for _, test := range []struct {
		name string
		keys []ledger.ResourceKey
	}{
		{"none", nil},
		{"one", []ledger.ResourceKey{key("Task", "a")}},
		{"in the order of the keys", []ledger.ResourceKey{key("Patient", "b"), key("Task", "a")}},
		{"deleted ones included", []ledger.ResourceKey{key("Task", "a"), key("Goal", "gone")}},
		{"missing ones left out", []ledger.ResourceKey{key("Task", "b"), key("Task", "a"), key("", ""), key("Patient", "b")}},
		{"nothing but missing ones", []ledger.ResourceKey{key("Task", "x\x00"), key("Patient", "a")}},
	} {
		var want []ledger.Resource
		for _, k := range test.keys {
			r, err := s.Resource(ctx, k.Type, k.ID)
			if err == nil {
				want = append(want, r)
			} else {
				wantNotFound(t, test.name, err)
			}
		}
		same(t, test.name, must1(s.Resources(ctx, test.keys)), want)
	}
	written := make(chan error, 1)
	go func() {
		for v := range int64(100) {
			if results, err := s.Apply(ctx, []ledger.Unit{pair(v + 1)}); err != nil || results[0].Err != nil {
				written <- fmt.Errorf("version %d: %w, %+v", v+2, err, results)
				return
			}
		}
		written <- nil
	}()
	for writing := true; writing; {
		select {
		case err := <-written:
			writing = false
			if err != nil {
				t.Error(err)
			}
		default:
		}
		both := must1(s.Resources(ctx, []ledger.ResourceKey{key("Task", "a"), key("Patient", "b")}))
		if len(both) != 2 || both[0].Version != both[1].Version {
			t.Fatalf("not of one moment: %+v", both)
		}
	}
}

func testHistory(t *testing.T, h Harness) {
	s := h.Open(t)
	for v := range int64(5) {
		a, b := sampleResource("Task", "a", "", 1, Start), sampleResource("Patient", "b", "", 1, Start)
		a.Expect, b.Expect, b.Grants = v, v, granted(hospital, "")
		a.Deleted = v == 4
		must(t, s, ledger.Unit{Resources: []ledger.ResourceWrite{a, b}})
	}
	walk := func(typ, id string, viewer handover.PartyID) (out []string) {
		before := ""
		for range 20 {
			page := must1(s.History(ctx, typ, id, viewer, 2, before))
			for _, r := range page.Resources {
				out = append(out, fmt.Sprintf("%s%d", r.ID, r.Version))
			}
			if before = page.Next; before == "" {
				return out
			}
		}
		t.Error("history does not end")
		return nil
	}
	same(t, "instance", walk("Task", "a", ""), []string{"a5", "a4", "a3", "a2", "a1"})
	same(t, "type", walk("Patient", "", ""), []string{"b5", "b4", "b3", "b2", "b1"})
	same(t, "all", walk("", "", hospital), []string{"b5", "a5", "b4", "a4", "b3", "a3", "b2", "a2", "b1", "a1"})
	same(t, "what a viewer may see", walk("", "", municipality), []string{"a5", "a4", "a3", "a2", "a1"})
	same(t, "an outsider", walk("Patient", "b", institution), []string(nil))
	if top := must1(s.History(ctx, "Task", "a", "", 1, "")).Resources[0]; !top.Deleted || top.JSON != nil {
		t.Error("the deleting version is not marked")
	}
	_, err := s.History(ctx, "", "", "", 1, "x")
	wantInvalid(t, err)
}

func wantInvalid(t testing.TB, err error) {
	t.Helper()
	var f *handover.Fault
	if !errors.As(err, &f) || f.Kind != handover.FaultInvalid {
		t.Errorf("got %v, want a fault of kind invalid", err)
	}
}

func testSearchPaging(t *testing.T, h Harness) {
	s := h.Open(t)
	var want []string
	var writes []ledger.ResourceWrite
	for i := range 23 {
		id := fmt.Sprintf("t%02d", i)
		want = append(want, id)
		writes = append(writes, sampleResource("Task", id, "", i, Start.Add(time.Duration(i/4)*time.Second)))
	}
	must(t, s, ledger.Unit{Resources: writes})
	code := search.Clause{Param: "code", Kind: search.KindToken, Values: []search.Value{{Value: "306206005"}}}
	walk := func(q search.Query) (out []string) {
		for range 30 {
			page := must1(s.Search(ctx, q, hospital))
			for _, r := range page.Resources {
				out = append(out, r.ID)
			}
			if q.Total && page.Total != len(want) || !q.Total && page.Total != -1 {
				t.Errorf("total %d", page.Total)
			}
			if q.After = page.Next; q.After == "" {
				return out
			}
			if len(page.Resources) != q.Count {
				t.Errorf("page of %d, want %d", len(page.Resources), q.Count)
			}
		}
		t.Error("paging does not end")
		return nil
	}
	same(t, "oldest first", walk(search.Query{Type: "Task", Count: 5}), want)
	same(t, "by clause", walk(search.Query{Type: "Task", Count: 4, Total: true, Clauses: []search.Clause{code}}), want)
	same(t, "exact page", walk(search.Query{Type: "Task", Count: 23}), want)
	reversed := make([]string, 0, len(want))
	for i := range want {
		reversed = append(reversed, want[len(want)-1-i])
	}
	same(t, "newest first", walk(search.Query{Type: "Task", Count: 7, SortDescending: true, Clauses: []search.Clause{code}}), reversed)
	for _, q := range []search.Query{{Type: "Task"}, {Type: "Task", Count: 1001}, {Type: "Task", Count: 5, After: "'; DROP TABLE resource"}, {Type: "Task", Count: 5, After: "1"}} {
		_, err := s.Search(ctx, q, "")
		wantInvalid(t, err)
	}
}

func testSearchVisibility(t *testing.T, h Harness) {
	s := h.Open(t)
	mine, theirs, nobody := sampleResource("Task", "mine", "", 1, Start), sampleResource("Task", "theirs", "", 1, Start), sampleResource("Task", "nobody", "", 1, Start)
	theirs.Grants, nobody.Grants = granted(municipality, ""), nil
	must(t, s, ledger.Unit{Resources: []ledger.ResourceWrite{mine, theirs, nobody}})
	q := search.Query{Type: "Task", Count: 10, Total: true, Clauses: []search.Clause{{Param: "identifier", Kind: search.KindToken, Values: []search.Value{{Value: "00000000001"}}}}}
	for viewer, want := range map[handover.PartyID]int{"": 3, hospital: 1, municipality: 2, institution: 0, "%": 0} {
		page := must1(s.Search(ctx, q, viewer))
		if len(page.Resources) != want || page.Total != want {
			t.Errorf("viewer %q sees %d (total %d), want %d", viewer, len(page.Resources), page.Total, want)
		}
	}
}

func testReindex(t *testing.T, h Harness) {
	s := h.Open(t)
	r := sampleResource("Task", "t", "", 1, Start)
	old := r
	old.Rows = nil
	must(t, s, ledger.Unit{Resources: []ledger.ResourceWrite{old}}, ledger.Unit{Resources: []ledger.ResourceWrite{sampleResource("Patient", "p", "", 2, Start)}})
	head := must1(s.Head(ctx)).Head
	q := search.Query{Type: "Task", Count: 10, Clauses: []search.Clause{{Param: "status", Kind: search.KindToken, Values: []search.Value{{Value: "requested"}}}}}
	same(t, "before", len(must1(s.Search(ctx, q, hospital)).Resources), 0)
	var seen []string
	if err := s.EachResource(ctx, func(res ledger.Resource) error { seen = append(seen, res.Type); return nil }); err != nil {
		t.Fatal(err)
	}
	same(t, "each", seen, []string{"Task", "Patient"})
	stop := errors.New("stop")
	if err := s.EachResource(ctx, func(ledger.Resource) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("EachResource: %v", err)
	}
	r.Expect = 2 // one that was written since it was read is left alone
	if err := s.Reindex(ctx, []ledger.ResourceWrite{r}); err != nil {
		t.Fatal(err)
	}
	same(t, "of another version", len(must1(s.Search(ctx, q, hospital)).Resources), 0)
	r.Expect = 1
	for range 2 {
		if err := s.Reindex(ctx, []ledger.ResourceWrite{r}); err != nil {
			t.Fatal(err)
		}
		same(t, "after", len(must1(s.Search(ctx, q, hospital)).Resources), 1)
	}
	keep := r
	keep.Grants, keep.Rows = granted(institution, ""), nil
	if err := s.Reindex(ctx, []ledger.ResourceWrite{keep}); err != nil {
		t.Fatal(err)
	}
	same(t, "rows replaced", len(must1(s.Search(ctx, q, hospital)).Resources), 0)
	same(t, "visibility kept", len(must1(s.Resource(ctx, "Task", "t")).Visible), 2)
	wantNotFound(t, "reindex of nothing", s.Reindex(ctx, []ledger.ResourceWrite{sampleResource("Task", "x", "", 1, Start)}))
	if must1(s.Head(ctx)).Head != head {
		t.Error("reindex made a chain entry")
	}
	unread := sampleResource("Task", "unread", "", 3, Start)
	unread.Grants = nil
	must(t, s, ledger.Unit{Resources: []ledger.ResourceWrite{unread}})
	unread.Expect = 1
	if err := s.Reindex(ctx, []ledger.ResourceWrite{unread}); err != nil {
		t.Fatal(err)
	}
	same(t, "its author reads it", must1(s.Resource(ctx, "Task", "unread")).Visible, []handover.PartyID{hospital})
	whole(t, s)
}
