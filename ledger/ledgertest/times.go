package ledgertest

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"stafett/fhir/search"
	"stafett/ledger"
)

func timed(id string, expect int64) ledger.ResourceWrite {
	return ledger.ResourceWrite{Type: "Task", ID: id, Expect: expect, Author: hospital, Grants: granted(hospital, ""),
		JSON: fmt.Appendf(nil, `{"resourceType":"Task","id":%q,"meta":{"versionId":"%d","lastUpdated":"%s"}}`, id, expect+1, ledger.Unstamped)}
}

// testCommitTime: a version has one time, which its JSON, its search and its history say.
func testCommitTime(t *testing.T, h Harness) {
	s := h.Open(t)
	write := timed("a", 0)
	text := string(write.JSON)
	first := must(t, s, ledger.Unit{Resources: []ledger.ResourceWrite{write, timed("b", 0)}})[0].Resources
	same(t, "what is written is the writer's own", string(write.JSON), text)
	second := must(t, s, ledger.Unit{Resources: []ledger.ResourceWrite{timed("a", 1)}})[0].Resources
	if !first[1].At.After(first[0].At) || !second[0].At.After(first[1].At) {
		t.Errorf("times do not rise: %v %v", first, second)
	}
	for version, want := range map[int64]time.Time{1: first[0].At, 2: second[0].At} {
		r := must1(s.ResourceVersion(ctx, "Task", "a", version))
		if !r.At.Equal(want) || !strings.Contains(string(r.JSON), `"lastUpdated":"`+ledger.TimeText(want)+`"`) {
			t.Errorf("version %d: %v in %s, want %v", version, r.At, r.JSON, want)
		}
	}
	found := must1(s.Search(ctx, changedAfter(first[1].At), ""))
	if len(found.Resources) != 1 || !found.Resources[0].At.Equal(second[0].At) {
		t.Errorf("changed after the first commit: %+v", found.Resources)
	}
	last := second[0].At
	s = h.Reopen(t, s)
	if at := must(t, s, ledger.Unit{Resources: []ledger.ResourceWrite{timed("c", 0)}})[0].Resources[0].At; !at.After(last) {
		t.Errorf("after reopening %v, before it %v", at, last)
	}
	whole(t, s)
}

func changedAfter(at time.Time) search.Query {
	return search.Query{Type: "Task", Count: 40, Clauses: []search.Clause{{Param: "_lastUpdated", Kind: search.KindDate,
		Values: []search.Value{{Prefix: search.PrefixGt, Low: at, High: at.Add(time.Microsecond)}}}}}
}

// testCommitTimePoller: who asks for what changed after the last that it has seen misses nothing,
// whoever writes at the same time.
func testCommitTimePoller(t *testing.T, h Harness) {
	first := h.Open(t)
	groups := []*ledger.Group{ledger.NewGroup(first, ledger.GroupOptions{Units: 8})}
	if h.Second != nil {
		groups = append(groups, ledger.NewGroup(h.Second(t, first), ledger.GroupOptions{Units: 8}))
	}
	const writers, each = 16, 63
	var written atomic.Bool
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if _, err := groups[w%len(groups)].Commit(ctx, ledger.Unit{Resources: []ledger.ResourceWrite{timed(fmt.Sprintf("w%d-%d", w, i), 0)}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	go func() { wg.Wait(); written.Store(true) }()
	seen := map[string]bool{}
	var last time.Time
	for {
		done := written.Load()
		page := must1(first.Search(ctx, changedAfter(last), hospital))
		for _, r := range page.Resources {
			if !r.At.After(last) {
				t.Fatalf("%v after %v", r.At, last)
			}
			last, seen[r.ID] = r.At, true
		}
		if done && len(page.Resources) == 0 {
			break
		}
	}
	if len(seen) != writers*each {
		t.Errorf("%d of %d were missed", writers*each-len(seen), writers*each)
	}
	whole(t, first)
}
