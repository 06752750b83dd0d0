package gateway

import (
	"context"
	"errors"
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
func (g *Gateway) reach(ctx context.Context, a *act, author handover.PartyID, from []*fhir.Node, f func(ledger.Resource, *fhir.Node) error) error {
	seen := map[place]bool{}
	for len(from) > 0 {
		n := from[0]
		from = from[1:]
		for _, ref := range localReferences(n) {
			if seen[ref] || ref.typ == "Task" || wrote(a.unit, ref.typ, ref.id) {
				continue
			}
			if seen[ref] = true; len(seen) > reachMax {
				return &handover.Fault{Kind: handover.FaultTooLarge, Op: "gateway.reach", Text: "the request refers to too many resources"}
			}
			cur, err := g.ledger.Resource(ctx, ref.typ, ref.id)
			if errors.Is(err, ledger.ErrNotFound) || err == nil && (cur.Deleted || cur.Author != author) {
				continue
			}
			if err != nil {
				return err
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

type place struct{ typ, id string }

func localReferences(n *fhir.Node) []place {
	var out []place
	fhir.References(n, func(ref *fhir.Node) {
		if typ, id, ok := localReference(ref); ok {
			out = append(out, place{typ, id})
		}
	})
	return out
}

// show lets the parties of a's handover read what author refers to.
func (g *Gateway) show(ctx context.Context, a *act, author handover.PartyID, from []*fhir.Node) error {
	return g.reach(ctx, a, author, from, func(cur ledger.Resource, n *fhir.Node) error { return showOne(a, cur, n) })
}

// showOne lets the parties of a's handover read one stored resource.
func showOne(a *act, cur ledger.Resource, n *fhir.Node) error {
	a.shown = append(a.shown, n)
	w, err := version(n, cur, cur.Author, a.next, a.now)
	if err == nil && w != nil {
		a.unit.Resources = append(a.unit.Resources, *w)
	}
	return err
}

// showRequest shows the receiver of a handover that an act opens what the sender had
// written for the one before it.
func (g *Gateway) showRequest(ctx context.Context, old handover.Handover, b *act) error {
	written, err := g.ledger.ResourcesOf(ctx, old.ID)
	if err != nil {
		return err
	}
	from := []*fhir.Node{b.taskNow}
	for _, r := range written {
		if r.Type == "Task" || r.Deleted || r.Author != old.Sender {
			continue
		}
		n, err := fhir.Parse(r.JSON, fhir.DefaultLimits())
		if err != nil {
			return err
		}
		if err := showOne(b, r, n); err != nil {
			return err
		}
		from = append(from, n)
	}
	return g.show(ctx, b, old.Sender, from)
}

// endAccess hides from party what it read for a's handover and for no other one.
func (g *Gateway) endAccess(ctx context.Context, a *act, party handover.PartyID) error {
	a.unit.Hide = append(a.unit.Hide, ledger.Hidden{Party: party, Handover: a.next.ID})
	a.unit.Audit = append(a.unit.Audit, ledger.Audit{At: a.now, Action: ledger.AuditDisclosure, Party: party,
		Handover: a.next.ID, Outcome: "access ended"})
	others, err := g.otherRequests(ctx, a.next, party)
	if err != nil {
		return err
	}
	return g.reach(ctx, a, a.next.Sender, []*fhir.Node{a.taskNow}, func(cur ledger.Resource, n *fhir.Node) error {
		other, needed := others[place{cur.Type, cur.ID}]
		home, visible := cur.Handover, cur.Visible
		switch {
		case needed && cur.Handover == a.next.ID:
			home = other // where the hiding of this handover's resources leaves it alone
		case !needed && cur.Handover != a.next.ID:
			visible = slices.DeleteFunc(slices.Clone(visible), func(p handover.PartyID) bool { return p == party })
		default:
			return nil
		}
		w, err := versionAfter(cur, n, cur.Author, visible, home, a.now)
		if err == nil {
			a.unit.Resources = append(a.unit.Resources, *w)
		}
		return err
	})
}

// otherRequests are the resources that other open handovers of the same sender name to
// party, each with one such handover.
func (g *Gateway) otherRequests(ctx context.Context, h handover.Handover, party handover.PartyID) (map[place]handover.ID, error) {
	hs, err := ledger.All(func(after string) (ledger.Listing[handover.Handover], error) {
		return g.ledger.Handovers(ctx, ledger.HandoverFilter{Party: party, OpenOnly: true, After: after})
	})
	if err != nil {
		return nil, err
	}
	out := map[place]handover.ID{}
	for _, o := range hs {
		if o.ID == h.ID || o.Sender != h.Sender {
			continue
		}
		task, err := g.current(ctx, "Task", string(o.ID), party)
		if errors.Is(err, ledger.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, ref := range localReferences(task) {
			out[ref] = o.ID
		}
	}
	return out, nil
}
