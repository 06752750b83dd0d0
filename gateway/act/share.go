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
func (d *decision) reach(author handover.PartyID, from []*fhir.Node, f func(ledger.Resource, *fhir.Node) error) error {
	seen := map[ledger.ResourceKey]bool{}
	for len(from) > 0 {
		n := from[0]
		from = from[1:]
		for _, ref := range LocalReferences(n) {
			if seen[ref] || ref.Type == "Task" || d.plan.Unit.Resource(ref.Type, ref.ID) != nil {
				continue
			}
			if seen[ref] = true; len(seen) > reachMax {
				return &handover.Fault{Kind: handover.FaultTooLarge, Op: "act.reach", Text: "the request refers to too many resources"}
			}
			cur, found := d.current(ref)
			if !found || cur.Deleted || cur.Author != author {
				continue
			}
			node, err := fhir.Parse(cur.JSON, fhir.DefaultLimits())
			if err != nil {
				return err
			}
			if err := f(cur, node); err != nil {
				return err
			}
			from = append(from, node)
		}
	}
	return nil
}

// LocalReferences are the resources stored here that n refers to.
func LocalReferences(n *fhir.Node) []ledger.ResourceKey {
	var out []ledger.ResourceKey
	fhir.References(n, func(ref *fhir.Node) {
		if typ, id, ok := fhir.LocalReference(ref); ok {
			out = append(out, ledger.ResourceKey{Type: typ, ID: id})
		}
	})
	return out
}

// show lets the parties of the handover read what author refers to.
func (d *decision) show(author handover.PartyID, from []*fhir.Node) error {
	return d.reach(author, from, d.showOne)
}

// showOne lets the parties of the handover read one stored resource.
func (d *decision) showOne(cur ledger.Resource, n *fhir.Node) error {
	d.shown = append(d.shown, n)
	w, err := version(n, cur, cur.Author, d.next, d.s.Now)
	if err == nil && w != nil {
		d.plan.Unit.Resources = append(d.plan.Unit.Resources, *w)
	}
	return err
}

// showRequest shows the receiver of a handover that an act opens what the sender had
// written for the one before it.
func (d *decision) showRequest(old handover.Handover) error {
	belonging, _ := d.s.Belonging.Get(old.ID)
	from := []*fhir.Node{d.taskNow}
	for _, r := range belonging {
		if r.Type == "Task" || r.Deleted || r.Author != old.Sender {
			continue
		}
		// What this same act wrote is shown as it wrote it.
		if now := d.outer.plan.Unit.Resource(r.Type, r.ID); now != nil {
			r, _ = d.current(ledger.ResourceKey{Type: r.Type, ID: r.ID})
		}
		if r.Deleted {
			continue
		}
		n, err := fhir.Parse(r.JSON, fhir.DefaultLimits())
		if err != nil {
			return err
		}
		if err := d.showOne(r, n); err != nil {
			return err
		}
		from = append(from, n)
	}
	return d.show(old.Sender, from)
}

// endAccess hides from party what it read for the handover and for no other one.
func (d *decision) endAccess(party handover.PartyID) error {
	d.plan.Unit.Hide = append(d.plan.Unit.Hide, ledger.Hidden{Party: party, Handover: d.next.ID})
	d.audit(ledger.Audit{Action: ledger.AuditDisclosure, Party: party, Handover: d.next.ID, Outcome: "access ended"})
	others, err := d.otherRequests(party)
	if err != nil || d.taskNow == nil {
		return err
	}
	return d.reach(d.next.Sender, []*fhir.Node{d.taskNow}, func(cur ledger.Resource, n *fhir.Node) error {
		other, needed := others[ledger.ResourceKey{Type: cur.Type, ID: cur.ID}]
		home, visible := cur.Handover, cur.Visible
		switch {
		case needed && cur.Handover == d.next.ID:
			home = other // where the hiding of this handover's resources leaves it alone
		case !needed && cur.Handover != d.next.ID:
			visible = slices.DeleteFunc(slices.Clone(visible), func(p handover.PartyID) bool { return p == party })
		default:
			return nil
		}
		w, err := versionAfter(cur, n, cur.Author, visible, home, d.s.Now)
		if err == nil {
			d.plan.Unit.Resources = append(d.plan.Unit.Resources, *w)
		}
		return err
	})
}

// otherRequests are the resources that other open handovers of the same sender name to
// party, each with one such handover.
func (d *decision) otherRequests(party handover.PartyID) (map[ledger.ResourceKey]handover.ID, error) {
	out := map[ledger.ResourceKey]handover.ID{}
	open, _ := d.s.Open.Get(party)
	for _, h := range open {
		if h.ID == d.next.ID || h.Sender != d.next.Sender || !TakesPart(party, h) {
			continue
		}
		task, err := Current(d.s, "Task", string(h.ID), party)
		if err != nil {
			return nil, err
		}
		if task == nil {
			continue
		}
		for _, ref := range LocalReferences(task) {
			out[ref] = h.ID
		}
	}
	return out, nil
}
