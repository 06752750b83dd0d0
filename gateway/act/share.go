package act

import (
	"slices"

	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
)

// reachMax bounds how many stored resources one act may show or hide.
const reachMax = 200

// reach calls f with the stored resources that are referred to from those given, near and
// far, as far as author wrote them: nobody shows another party's resources, and a Task is
// another handover's.
func (d *decision) reach(author handover.PartyID, from []*fhir.Node, f func(ledger.Resource, *fhir.Node)) {
	seen := map[ledger.ResourceKey]bool{}
	for len(from) > 0 && len(seen) <= reachMax {
		n := from[0]
		from = from[1:]
		for _, ref := range LocalReferences(n) {
			if seen[ref] || ref.Type == "Task" || d.plan.Unit.Resource(ref.Type, ref.ID) != nil {
				continue
			}
			seen[ref] = true
			cur, found := d.current(ref)
			if !found || cur.Deleted || cur.Author != author {
				continue
			}
			node := d.s.Parse(cur)
			f(cur, node)
			from = append(from, node)
		}
	}
	if len(seen) > reachMax {
		d.s.Fail(&handover.Fault{Kind: handover.FaultTooLarge, Op: "act.reach", Text: "the request refers to too many resources"})
	}
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

// show lets the parties of the handover read what author refers to.
func (d *decision) show(author handover.PartyID, from []*fhir.Node) { d.reach(author, from, d.showOne) }

// showOne lets the parties of the handover read one stored resource.
func (d *decision) showOne(cur ledger.Resource, n *fhir.Node) {
	d.shown = append(d.shown, n)
	d.writeAfter(cur, n, cur.Author)
}

// showRequest shows the receiver of a handover that an act opens what the sender had
// written for the one before it.
func (d *decision) showRequest(old handover.Handover) {
	belonging, _ := d.s.Belonging.Get(old.ID)
	from := []*fhir.Node{d.taskNow}
	for _, r := range belonging {
		r = d.outer.asWritten(r)
		if r.Type == "Task" || r.Deleted || r.Author != old.Sender {
			continue
		}
		n := d.s.Parse(r)
		d.showOne(r, n)
		from = append(from, n)
	}
	d.show(old.Sender, from)
}

// asWritten is a stored resource as this act writes it, where it does.
func (d *decision) asWritten(r ledger.Resource) ledger.Resource {
	key := ledger.ResourceKey{Type: r.Type, ID: r.ID}
	if d.plan.Unit.Resource(r.Type, r.ID) != nil {
		r, _ = d.current(key)
	}
	return r
}

// endAccess hides from party what it read for the handover and for no other one.
func (d *decision) endAccess(party handover.PartyID) {
	d.plan.Unit.Hide = append(d.plan.Unit.Hide, ledger.Hidden{Party: party, Handover: d.next.ID})
	d.audit(ledger.Audit{Action: ledger.AuditDisclosure, Party: party, Handover: d.next.ID, Outcome: "access ended"})
	others := d.otherRequests(party)
	d.reach(d.next.Sender, []*fhir.Node{d.taskNow}, func(cur ledger.Resource, n *fhir.Node) {
		other, needed := others[keyOf(n)]
		own := cur.Handover == d.next.ID
		switch {
		case needed && own:
			// Where the hiding of this handover's resources leaves it alone.
			d.putVersion(cur, n, cur.Author, cur.Visible, other)
		case !needed && !own:
			d.putVersion(cur, n, cur.Author, without(cur.Visible, party), cur.Handover)
		}
	})
}

func without(all []handover.PartyID, one handover.PartyID) []handover.PartyID {
	return slices.DeleteFunc(slices.Clone(all), func(p handover.PartyID) bool { return p == one })
}

// otherRequests are the resources that other open handovers of the same sender name to
// party, each with one such handover.
func (d *decision) otherRequests(party handover.PartyID) map[ledger.ResourceKey]handover.ID {
	out := map[ledger.ResourceKey]handover.ID{}
	open, _ := d.s.Open.Get(party)
	for _, h := range open {
		if h.ID == d.next.ID || h.Sender != d.next.Sender || !TakesPart(party, h) {
			continue
		}
		task := d.s.Current(ledger.ResourceKey{Type: "Task", ID: string(h.ID)}, party)
		for _, ref := range LocalReferences(task) {
			out[ref] = h.ID
		}
	}
	return out
}
