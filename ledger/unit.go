package ledger

import (
	"cmp"
	"slices"

	"stafett/handover"
)

// Add joins to u what a further act of the same transaction changes. What both write stands
// once, as the further act leaves it: a row is written at the version that the first of
// them expected, and each handover, resource, delivery and message gets one new version.
// A resource that the further act shows and this one writes is shown by that write. Keys,
// events, audit lines, guards, ends, hidings and erasures follow in order. A transaction inserts one
// message: o's is taken where u has none.
func (u *Unit) Add(o Unit) {
	if u.Message == nil {
		u.Message = o.Message
	}
	u.Messages = merge(u.Messages, o.Messages, func(m MessageUpdate) handover.MessageID { return m.Message.ID },
		func(old, now MessageUpdate) MessageUpdate { now.Message.Version = old.Message.Version; return now })
	u.Handovers = merge(u.Handovers, o.Handovers, func(h handover.Handover) handover.ID { return h.ID },
		func(old, now handover.Handover) handover.Handover { now.Version = old.Version; return now })
	for _, s := range o.Shown {
		u.Show(s)
	}
	u.Resources = merge(u.Resources, o.Resources, func(w ResourceWrite) ResourceKey { return ResourceKey{w.Type, w.ID} },
		func(old, now ResourceWrite) ResourceWrite {
			now.Expect, now.Grants = old.Expect, Union(old.Grants, now.Grants...)
			now.Handover = cmp.Or(old.Handover, now.Handover)
			return now
		})
	u.Deliveries = merge(u.Deliveries, o.Deliveries, func(d Delivery) handover.DeliveryID { return d.ID },
		func(old, now Delivery) Delivery { now.Version = old.Version; return now })
	u.Keys = append(u.Keys, o.Keys...)
	u.Events = append(u.Events, o.Events...)
	u.Audit = append(u.Audit, o.Audit...)
	u.Guards = append(u.Guards, o.Guards...)
	u.End = Union(u.End, o.End...)
	u.Hide = append(u.Hide, o.Hide...)
	u.Erase = append(u.Erase, o.Erase...)
}

// Show adds to u that a stored resource is shown, by its write where u writes it.
func (u *Unit) Show(s Shown) {
	if w := u.Resource(s.Type, s.ID); w != nil {
		w.Grants = Union(w.Grants, s.Grants...)
		return
	}
	u.Shown = merge(u.Shown, []Shown{s}, func(s Shown) ResourceKey { return ResourceKey{s.Type, s.ID} },
		func(old, now Shown) Shown { old.Grants = Union(old.Grants, now.Grants...); return old })
}

// Union is a and, each once, what of b it lacks; zero values are none. It shares no memory
// with a.
func Union[T comparable](a []T, b ...T) []T {
	var zero T
	out := slices.Clone(a)
	for _, v := range b {
		if v != zero && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// Resource is the write of one resource in u; nil when there is none.
func (u *Unit) Resource(typ, id string) *ResourceWrite {
	i := slices.IndexFunc(u.Resources, func(w ResourceWrite) bool { return w.Type == typ && w.ID == id })
	if i < 0 {
		return nil
	}
	return &u.Resources[i]
}

// merge appends further rows; one whose key is there already takes its place, as join has it.
func merge[T any, K comparable](rows, further []T, key func(T) K, join func(old, now T) T) []T {
	for _, now := range further {
		i := slices.IndexFunc(rows, func(old T) bool { return key(old) == key(now) })
		if i < 0 {
			rows = append(rows, now)
			continue
		}
		rows[i] = join(rows[i], now)
	}
	return rows
}
