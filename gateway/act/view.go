package act

import (
	"cmp"
	"slices"

	"stafett/fhir"
	"stafett/fhir/search"
	"stafett/handover"
	"stafett/ledger"
)

// view is a handover as an act leaves it: the rows that the act plans for it, and who may
// read what of it.
type view struct {
	s       *Snapshot
	next    handover.Handover
	taskNow *fhir.Node // the Task as the act leaves it
	// shown are stored resources that the act refers to and lets its parties read.
	shown []*fhir.Node
	// heard are the parties that the act may tell although the handover had ended for them.
	heard []handover.PartyID
	plan  Plan
	// strange says that what the act refers to leads to what is about another patient.
	strange bool
	// outer is the view of the handover that opened this one.
	outer *view
}

func (v *view) planAudit(line ledger.Audit) { v.plan.addAudit(v.s.Now, line) }

// current is a resource as this act leaves it so far.
func (v *view) current(key ledger.ResourceKey) (ledger.Resource, bool) {
	for at := v; at != nil; at = at.outer {
		if w := at.plan.Unit.Resource(key.Type, key.ID); w != nil {
			return v.s.after(w), true
		}
	}
	return v.s.Resources.Get(key)
}

// after is a resource as a write leaves it, at the version that the write expects.
func (s *Snapshot) after(w *ledger.ResourceWrite) ledger.Resource {
	var r ledger.Resource
	if w.Expect > 0 {
		r, _ = s.Resources.Get(ledger.ResourceKey{Type: w.Type, ID: w.ID})
	}
	r.Visible, r.Last = without(r.Visible, r.Last), nil
	r.Type, r.ID, r.Version, r.Author = w.Type, w.ID, w.Expect, w.Author
	r.Grants = w.Grants
	r.JSON, r.Deleted, r.Handover = w.JSON, w.Deleted, cmp.Or(r.Handover, w.Handover)
	return granted(r, w.Grants)
}

func without(all, some []handover.PartyID) []handover.PartyID {
	return slices.DeleteFunc(slices.Clone(all), func(p handover.PartyID) bool { return slices.Contains(some, p) })
}

// granted is a resource that further grants are given of.
func granted(r ledger.Resource, grants []ledger.Grant) ledger.Resource {
	for _, g := range grants {
		r.Visible = ledger.Union(r.Visible, g.Party)
	}
	return r
}

// writtenBefore are the resources that the decisions from which this one followed write.
func (v *view) writtenBefore() []ledger.ResourceWrite {
	var out []ledger.ResourceWrite
	for at := v.outer; at != nil; at = at.outer {
		out = append(out, at.plan.Unit.Resources...)
	}
	return out
}

// planResource plans a resource's new version, unless it says what is stored already. A
// fresh one is taken for new without a look.
func (v *view) planResource(n *fhir.Node, author handover.PartyID, fresh bool) {
	var cur ledger.Resource
	if !fresh {
		cur, _ = v.current(keyOf(n))
	}
	v.planAfter(cur, n, author)
}

// planAfter plans the version after cur, which the handover's parties may read; where n says
// what cur does, they may read cur.
func (v *view) planAfter(cur ledger.Resource, n *fhir.Node, author handover.PartyID) {
	if says(cur, n) {
		v.planShow(cur)
		return
	}
	author = cmp.Or(cur.Author, author)
	v.planVersion(cur, n, author, append(v.grants(), ledger.Grant{Party: author}))
}

// planVersion plans n as the version after cur, with its search rows. A plan that is made
// anew needs none.
func (v *view) planVersion(cur ledger.Resource, n *fhir.Node, author handover.PartyID, grants []ledger.Grant) {
	if !v.s.Complete() {
		return
	}
	stamp(n, cur.Version+1, ledger.Unstamped)
	rows, err := search.Rows(n, search.Meta{})
	if err != nil {
		v.s.Fail(&handover.Fault{Kind: handover.FaultInvalid, Op: "act.planVersion", Text: "the resource cannot be indexed", Path: n.ResourceType(), Err: err})
	}
	v.plan.Unit.Resources = append(v.plan.Unit.Resources, ledger.ResourceWrite{Type: n.ResourceType(), ID: n.ID(), Expect: cur.Version,
		Author: author, JSON: n.JSON(), Rows: rows, Grants: grants, Handover: v.next.ID})
}
