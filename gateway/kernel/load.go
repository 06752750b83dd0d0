package kernel

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"stafett/fhir/search"
	"stafett/gateway/act"
	"stafett/handover"
	"stafett/ledger"
)

// load answers what the snapshot is asked for and does not hold.
func (k *Kernel) load(ctx context.Context, s *act.Snapshot) error {
	r := k.Ledger
	return errors.Join(
		k.guards(ctx, s),
		each(ctx, &s.Handovers, r.Handover),
		each(ctx, &s.Keys, func(ctx context.Context, q act.Key) ([]handover.Handover, error) {
			return r.FindHandovers(ctx, q.Kind, q.Party, q.Value)
		}),
		k.reach(ctx, s),
		k.resources(ctx, s),
		each(ctx, &s.Grants, r.Grants),
		each(ctx, &s.Versions, func(ctx context.Context, v act.Version) (ledger.Resource, error) {
			return r.ResourceVersion(ctx, v.Type, v.ID, v.Number)
		}),
		each(ctx, &s.Deliveries, r.Delivery),
		each(ctx, &s.Answered, func(ctx context.Context, q act.External) (ledger.Delivery, error) {
			return r.DeliveryByExternalID(ctx, q.Party, q.ID)
		}),
		each(ctx, &s.Messages, r.Message),
		each(ctx, &s.First, func(ctx context.Context, q act.External) ([]ledger.Message, error) {
			return r.MessagesByExternalID(ctx, q.Party, q.ID)
		}),
		each(ctx, &s.Matches, k.match),
		each(ctx, &s.Belonging, r.ResourcesOf),
		each(ctx, &s.Sent, r.DeliveriesOfHandover),
		each(ctx, &s.Caused, r.DeliveriesOf),
	)
}

// each answers one kind of question; a row that is not there is an answer too.
func each[K comparable, V any](ctx context.Context, a *act.Asked[K, V], read func(context.Context, K) (V, error)) error {
	for _, key := range a.Take() {
		v, err := read(ctx, key)
		if err != nil && !errors.Is(err, ledger.ErrNotFound) {
			return err
		}
		a.Put(key, v, err == nil)
	}
	return nil
}

// guards answers all that are wanted by one reading.
func (k *Kernel) guards(ctx context.Context, s *act.Snapshot) error {
	keys := s.Guards.Take()
	if len(keys) == 0 {
		return nil
	}
	versions, err := k.Ledger.Guards(ctx, keys)
	for _, key := range keys {
		s.Guards.Put(key, versions[key], versions[key] > 0)
	}
	return err
}

// resources answers all that are wanted by one reading.
func (k *Kernel) resources(ctx context.Context, s *act.Snapshot) error {
	keys := s.Resources.Take()
	if len(keys) == 0 {
		return nil
	}
	rows, err := k.Ledger.Resources(ctx, keys)
	if err != nil {
		return err
	}
	for _, key := range keys {
		s.Resources.Put(key, ledger.Resource{}, false)
	}
	for _, r := range rows {
		s.Resources.Put(ledger.ResourceKey{Type: r.Type, ID: r.ID}, r, true)
	}
	return nil
}

// reach reads what is reached from some resources, one reading for each step away from
// them. The plan refuses what goes beyond the bound.
func (k *Kernel) reach(ctx context.Context, s *act.Snapshot) error {
	from := map[handover.PartyID][]ledger.ResourceKey{}
	for _, r := range s.Reach.Take() {
		s.Reach.Put(r, struct{}{}, true)
		from[r.Author] = append(from[r.Author], r.From)
	}
	for author, keys := range from {
		seen := map[ledger.ResourceKey]bool{}
		for len(keys) > 0 && len(seen) <= act.ReachMax {
			for _, key := range keys {
				seen[key] = true
				s.Resources.Want(key)
			}
			if err := k.resources(ctx, s); err != nil {
				return err
			}
			keys = next(s, author, keys, seen)
		}
	}
	return nil
}

// next are the resources that those of keys which author reads refer to, each once.
func next(s *act.Snapshot, author handover.PartyID, keys []ledger.ResourceKey, seen map[ledger.ResourceKey]bool) []ledger.ResourceKey {
	var out []ledger.ResourceKey
	for _, key := range keys {
		r, _ := s.Resources.Get(key)
		if !act.Reads(author, r) {
			continue
		}
		for _, ref := range act.LocalReferences(s.Parse(r)) {
			if ref.Type != "Task" && !seen[ref] {
				seen[ref] = true
				out = append(out, ref)
			}
		}
	}
	return out
}

// matchesMax is how many matches of a condition are looked at: two tell that there is more
// than one, and the write may delete some.
const matchesMax = 20

// match asks a condition of what its party may see.
func (k *Kernel) match(ctx context.Context, m act.Match) (act.Matched, error) {
	const op = "kernel.match"
	invalid := func(text string) (act.Matched, error) {
		return act.Matched{Err: &handover.Fault{Kind: handover.FaultInvalid, Op: op, Text: text}}, nil
	}
	values, err := url.ParseQuery(strings.TrimPrefix(m.Query, "?"))
	if err != nil {
		return invalid("the condition is no query")
	}
	q, err := search.ParseQuery(m.Type, values)
	if err != nil {
		return invalid(err.Error())
	}
	q.Count = matchesMax
	page, err := k.Ledger.Search(ctx, q, m.Party)
	var out act.Matched
	for _, r := range page.Resources {
		out.IDs = append(out.IDs, r.ID)
	}
	return out, err
}
