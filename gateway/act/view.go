package act

import (
	"cmp"

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
	plan  Plan
	// outer is the view of the handover that opened this one.
	outer *view
}

func (v *view) planAudit(line ledger.Audit) { v.plan.addAudit(v.s.Now, line) }

// current is a resource as this act leaves it so far.
func (v *view) current(key ledger.ResourceKey) (ledger.Resource, bool) {
	for at := v; at != nil; at = at.outer {
		if w := at.plan.Unit.Resource(key.Type, key.ID); w != nil {
			return ledger.Resource{Type: w.Type, ID: w.ID, Version: w.Expect, Author: w.Author, JSON: w.JSON, Deleted: w.Deleted,
				Handover: w.Handover, Visible: w.Visible}, true
		}
	}
	return v.s.Resources.Get(key)
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

// planAfter plans the version after cur, which the handover's parties may read.
func (v *view) planAfter(cur ledger.Resource, n *fhir.Node, author handover.PartyID) {
	visible := union(cur.Visible, append(parties(v.next), author)...)
	if !says(cur, n) || len(visible) > len(cur.Visible) {
		v.planVersion(cur, n, cmp.Or(cur.Author, author), visible, v.next.ID)
	}
}

// planVersion plans n as the version after cur, with its search rows. A plan that is made
// anew needs none.
func (v *view) planVersion(cur ledger.Resource, n *fhir.Node, author handover.PartyID, visible []handover.PartyID, home handover.ID) {
	if !v.s.Complete() {
		return
	}
	stamp(n, cur.Version+1, ledger.Unstamped)
	rows, err := search.Rows(n, search.Meta{})
	if err != nil {
		v.s.Fail(&handover.Fault{Kind: handover.FaultInvalid, Op: "act.planVersion", Text: "the resource cannot be indexed", Path: n.ResourceType(), Err: err})
	}
	v.plan.Unit.Resources = append(v.plan.Unit.Resources, ledger.ResourceWrite{Type: n.ResourceType(), ID: n.ID(), Expect: cur.Version,
		Author: author, JSON: n.JSON(), Rows: rows, Visible: visible, Handover: home})
}
