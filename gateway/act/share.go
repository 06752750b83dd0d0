package act

import (
	"slices"

	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
)

// ReachMax bounds how many stored resources one act may show or hide.
const ReachMax = 200

// reach calls f with the stored resources that are referred to from those given, near and
// far, as far as author wrote them: nobody shows another party's resources, and a Task is
// another handover's.
func (v *view) reach(author handover.PartyID, from []*fhir.Node, f func(ledger.Resource, *fhir.Node)) {
	if !v.askReach(author, from) {
		return
	}
	seen := map[ledger.ResourceKey]bool{}
	for len(from) > 0 {
		n := from[0]
		from = from[1:]
		for _, ref := range LocalReferences(n) {
			if seen[ref] || ref.Type == "Task" || v.plans(ref) {
				continue
			}
			seen[ref] = true
			cur, _ := v.current(ref)
			if cur.Deleted || cur.Author != author {
				continue
			}
			node := v.s.Parse(cur)
			f(cur, node)
			from = append(from, node)
		}
		if len(seen) > ReachMax {
			v.s.Fail(&handover.Fault{Kind: handover.FaultTooLarge, Op: "act.reach", Text: "the request refers to too many resources"})
			return
		}
	}
}

// askReach asks for all that reach will go through; false while it is not read.
func (v *view) askReach(author handover.PartyID, from []*fhir.Node) bool {
	for _, n := range from {
		for _, ref := range LocalReferences(n) {
			if ref.Type != "Task" && !v.plans(ref) {
				v.s.Reach.Want(Reach{author, ref})
			}
		}
	}
	return v.s.Complete()
}

// LocalReferences are the resources stored here that n refers to.
func LocalReferences(n *fhir.Node) []ledger.ResourceKey {
	var out []ledger.ResourceKey
	fhir.References(n, func(ref *fhir.Node) {
		if typ, id, ok := fhir.SplitLocal(ref.Str("reference")); ok {
			out = append(out, ledger.ResourceKey{Type: typ, ID: id})
		}
	})
	return out
}

// planShown lets the parties of the handover read what author refers to.
func (v *view) planShown(author handover.PartyID, from []*fhir.Node) {
	v.reach(author, from, v.planShownOne)
}

// planShownOne lets the parties of the handover read one stored resource.
func (v *view) planShownOne(cur ledger.Resource, n *fhir.Node) {
	v.shown = append(v.shown, n)
	v.planAfter(cur, n, cur.Author)
}

// planShownRequest lets the receiver of a handover that an act opens read what the sender
// had written for the one before it.
func (v *view) planShownRequest(old handover.Handover) {
	belonging, _ := v.s.Belonging.Get(old.ID)
	from := []*fhir.Node{v.taskNow}
	for _, r := range belonging {
		r = v.outer.asWritten(r)
		if r.Type == "Task" || r.Deleted || r.Author != old.Sender {
			continue
		}
		n := v.s.Parse(r)
		v.planShownOne(r, n)
		from = append(from, n)
	}
	v.planShown(old.Sender, from)
}

// asWritten is a stored resource as this act writes it, where it does.
func (v *view) asWritten(r ledger.Resource) ledger.Resource {
	if key := (ledger.ResourceKey{Type: r.Type, ID: r.ID}); v.plans(key) {
		r, _ = v.current(key)
	}
	return r
}

// plans reports whether the act writes a resource for this handover.
func (v *view) plans(key ledger.ResourceKey) bool {
	return v.plan.Unit.Resource(key.Type, key.ID) != nil
}

// planEndOfAccess hides from party what it read for the handover and for no other one.
func (v *view) planEndOfAccess(party handover.PartyID) {
	v.plan.Unit.Hide = append(v.plan.Unit.Hide, ledger.Hidden{Party: party, Handover: v.next.ID})
	v.planAudit(ledger.Audit{Action: ledger.AuditDisclosure, Party: party, Handover: v.next.ID, Outcome: "access ended"})
	others := v.otherRequests(party)
	v.reach(v.next.Sender, []*fhir.Node{v.taskNow}, func(cur ledger.Resource, n *fhir.Node) {
		other, needed := others[keyOf(n)]
		if own := cur.Handover == v.next.ID; own != needed {
			return // hidden with its handover, or needed and no part of it
		}
		// What is needed goes where the hiding of this handover's resources leaves it alone.
		visible, home := cur.Visible, other
		if !needed {
			visible, home = without(cur.Visible, party), cur.Handover
		}
		v.planVersion(cur, n, cur.Author, visible, home)
	})
}

func without(all []handover.PartyID, one handover.PartyID) []handover.PartyID {
	return slices.DeleteFunc(slices.Clone(all), func(p handover.PartyID) bool { return p == one })
}

// otherRequests are the resources that other open handovers of the same sender name to
// party, each with one such handover.
func (v *view) otherRequests(party handover.PartyID) map[ledger.ResourceKey]handover.ID {
	out := map[ledger.ResourceKey]handover.ID{}
	open, _ := v.s.Open.Get(party)
	for _, h := range open {
		if h.ID == v.next.ID || h.Sender != v.next.Sender || !TakesPart(party, h) {
			continue
		}
		task := v.s.Current(ledger.ResourceKey{Type: "Task", ID: string(h.ID)}, party)
		for _, ref := range LocalReferences(task) {
			out[ref] = h.ID
		}
	}
	return out
}
