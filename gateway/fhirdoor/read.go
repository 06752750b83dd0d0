package fhirdoor

import (
	"cmp"
	"context"

	"stafett/access"
	"stafett/fhir"
	"stafett/fhir/search"
	"stafett/gateway/act"
	"stafett/gateway/kernel"
	"stafett/handover"
	"stafett/ledger"
)

// viewer is whose eyes a caller reads with; operators see for the party they work for,
// or all when they work for none.
func viewer(c access.Caller) handover.PartyID { return c.Party }

// Read returns the last version that the caller may see. Where it may see none, none is found.
func (g *Door) Read(ctx context.Context, c access.Caller, typ, id string) (fhir.Version, error) {
	return g.readOne(ctx, c, typ, id, func() (ledger.Resource, error) { return g.last(ctx, c, typ, id) })
}

// last is the last version that the caller may see; the current one where it may see none.
func (g *Door) last(ctx context.Context, c access.Caller, typ, id string) (ledger.Resource, error) {
	current, err := g.k.Ledger.Resource(ctx, typ, id)
	if err != nil || access.MayRead(c, current.Visible) == nil {
		return current, err
	}
	seen, err := g.k.Ledger.History(ctx, typ, id, viewer(c), 1, "")
	if len(seen.Resources) == 0 {
		return current, err
	}
	return seen.Resources[0], err
}

// ReadVersion returns one version, where the caller may see that one.
func (g *Door) ReadVersion(ctx context.Context, c access.Caller, typ, id string, version int64) (fhir.Version, error) {
	return g.readOne(ctx, c, typ, id, func() (ledger.Resource, error) { return g.k.Ledger.ResourceVersion(ctx, typ, id, version) })
}

func (g *Door) readOne(ctx context.Context, c access.Caller, typ, id string, load func() (ledger.Resource, error)) (fhir.Version, error) {
	r, err := load()
	if err != nil {
		return fhir.Version{}, kernel.NotFound(err)
	}
	if err := access.MayRead(c, r.Visible); err != nil {
		return fhir.Version{}, cmp.Or[error](g.auditRead(ctx, c, ledger.AuditDenied, typ+"/"+id), kernel.NotFound(ledger.ErrNotFound))
	}
	if err := g.auditRead(ctx, c, ledger.AuditRead, typ+"/"+id); err != nil {
		return fhir.Version{}, err
	}
	if r.Deleted {
		return fhir.Version{}, &handover.Fault{Kind: handover.FaultGone, Op: "fhirdoor.Read", Text: "the resource was deleted"}
	}
	return versionOf(r), nil
}

func versionOf(r ledger.Resource) fhir.Version {
	return fhir.Version{Type: r.Type, ID: r.ID, Version: r.Version, At: r.At, JSON: r.JSON, Deleted: r.Deleted}
}

// auditRead records a read before its answer leaves; without the record there is no answer.
func (g *Door) auditRead(ctx context.Context, c access.Caller, action ledger.AuditAction, what string) error {
	return g.k.Audit(ctx, ledger.Audit{Action: action, Party: c.Party, Person: c.Person, Resource: what, Correlation: c.Correlation})
}

// History returns versions newest first of what the caller may see.
func (g *Door) History(ctx context.Context, c access.Caller, typ, id string, count int, before string) (fhir.VersionPage, error) {
	if err := g.mayFollow(ctx, c, typ, id); err != nil {
		return fhir.VersionPage{}, err
	}
	return pageOf(g.k.Ledger.History(ctx, typ, id, viewer(c), count, before))
}

// mayFollow holds a caller to the history of what it may read; what was deleted has one too.
func (g *Door) mayFollow(ctx context.Context, c access.Caller, typ, id string) error {
	if id == "" {
		return g.auditRead(ctx, c, ledger.AuditSearched, typ+"/_history")
	}
	_, err := g.Read(ctx, c, typ, id)
	if err != nil && handover.FaultOf(err).Kind == handover.FaultGone {
		return nil
	}
	return err
}

// Search returns matches that the caller may see.
func (g *Door) Search(ctx context.Context, c access.Caller, q search.Query) (fhir.VersionPage, error) {
	if err := g.auditRead(ctx, c, ledger.AuditSearched, q.Type); err != nil {
		return fhir.VersionPage{}, err
	}
	return pageOf(g.k.Ledger.Search(ctx, q, viewer(c)))
}

// pageOf is what the ledger returned, as the FHIR API shows it.
func pageOf(p ledger.Page, err error) (fhir.VersionPage, error) {
	if err != nil {
		return fhir.VersionPage{}, kernel.NotFound(err)
	}
	out := fhir.VersionPage{Next: p.Next, Total: p.Total}
	for _, r := range p.Resources {
		out.Versions = append(out.Versions, versionOf(r))
	}
	return out, nil
}

// Reindex computes the search rows of every current resource anew, and lets whoever takes
// part in a handover read what it is about, where that is missing: a ledger from before
// grants knows one handover of a resource. It returns how many resources there were.
func (g *Door) Reindex(ctx context.Context) (int, error) {
	n := 0
	var batch []ledger.ResourceWrite
	flush := func() error {
		err := g.k.Ledger.Reindex(ctx, batch)
		batch = batch[:0]
		return err
	}
	err := g.k.Ledger.EachResource(ctx, func(r ledger.Resource) error {
		w, err := indexed(r)
		if err != nil {
			return err
		}
		n++
		batch = append(batch, w)
		if len(batch) == 100 {
			return flush()
		}
		return nil
	})
	if err := cmp.Or(err, flush()); err != nil {
		return n, err
	}
	return n, g.regrant(ctx)
}

func (g *Door) regrant(ctx context.Context) error {
	_, err := ledger.All(func(after string) (ledger.Listing[handover.Handover], error) {
		page, err := g.k.Ledger.Handovers(ctx, ledger.HandoverFilter{After: after})
		for _, h := range page.Items {
			_, did := g.k.Do(ctx, "", nil, func(s *act.Snapshot) (*act.Plan, error) { return act.Regranted(s, h.ID) })
			err = cmp.Or(err, did)
		}
		page.Items = nil // only walked through
		return page, err
	})
	return err
}

// indexed is a resource with its search rows computed anew.
func indexed(r ledger.Resource) (ledger.ResourceWrite, error) {
	node, err := fhir.Parse(r.JSON, fhir.DefaultLimits())
	if err != nil {
		return ledger.ResourceWrite{}, err
	}
	rows, err := search.Rows(node, search.Meta{LastUpdated: r.At})
	return ledger.ResourceWrite{Type: r.Type, ID: r.ID, Expect: r.Version, Rows: rows}, err
}
