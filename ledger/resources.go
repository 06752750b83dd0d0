package ledger

import (
	"context"
	"strconv"

	"stafett/handover"
)

// sqlResources is the ResourceReader.
type sqlResources struct{ *shared }

// resources runs a query for resource columns, once for each list of args, and adds who
// may read each.
func (s sqlResources) resources(ctx context.Context, query string, args ...[]any) ([]Resource, error) {
	var out []Resource
	err := s.db.View(ctx, func(tx Tx) error {
		var rows []resourceRow
		err := tx.Query(query, func(_ int, r Row) error {
			row, err := scanResource(r)
			rows = append(rows, row)
			return err
		}, args...)
		if err == nil {
			out, err = withVisible(tx, rows)
		}
		return err
	})
	return out, err
}

func (s sqlResources) resource(ctx context.Context, query string, args ...any) (Resource, error) {
	list, err := s.resources(ctx, query, args)
	if err != nil {
		return Resource{}, err
	}
	if len(list) == 0 {
		return Resource{}, ErrNotFound
	}
	return list[0], nil
}

// Resource returns the current version, a deleted one included.
func (s sqlResources) Resource(ctx context.Context, typ, id string) (Resource, error) {
	return s.resource(ctx, selectCurrent+"WHERE r.type = ? AND r.id = ?", cleanText(typ), cleanText(id))
}

// Resources returns the current versions of several resources as of one moment.
func (s sqlResources) Resources(ctx context.Context, keys []ResourceKey) ([]Resource, error) {
	lists := make([][]any, len(keys))
	for i, k := range keys {
		lists[i] = columnsOf(cleanText(k.Type), cleanText(k.ID))
	}
	return s.resources(ctx, selectCurrent+"WHERE r.type = ? AND r.id = ?", lists...)
}

const versionColumns = "r.rid, r.type, r.id, v.version, v.entry, v.author, v.deleted, v.at, v.handover, v.json"

// ResourceVersion returns one version.
func (s sqlResources) ResourceVersion(ctx context.Context, typ, id string, version int64) (Resource, error) {
	return s.resource(ctx, "SELECT "+versionColumns+` FROM resource r JOIN resource_version v ON v.rid = r.rid AND v.version = ?
		WHERE r.type = ? AND r.id = ?`, version, cleanText(typ), cleanText(id))
}

// ResourcesOf returns the current resources of which somebody may read a version for a handover,
// with the grants that hold for the current one.
func (s sqlResources) ResourcesOf(ctx context.Context, id handover.ID) ([]Resource, error) {
	type row struct {
		key   ResourceKey
		grant Grant
	}
	granted, err := read(ctx, s.db, "SELECT r.type, r.id, w.party FROM visibility w JOIN resource r ON r.rid = w.rid WHERE w.handover = ? AND w.handover <> '' AND "+heldAt("r.version")+" ORDER BY w.party",
		columnsOf(string(id)), func(r Row) (row, error) {
			g := row{grant: Grant{Handover: id}}
			err := r.Scan(&g.key.Type, &g.key.ID, (*string)(&g.grant.Party))
			return g, err
		})
	if err != nil {
		return nil, err
	}
	grants := map[ResourceKey][]Grant{}
	for _, g := range granted {
		grants[g.key] = append(grants[g.key], g.grant)
	}
	out, err := s.resources(ctx, selectCurrent+"WHERE r.rid IN (SELECT w.rid FROM visibility w WHERE w.handover = ? AND w.handover <> '') AND r.deleted = 0 ORDER BY r.rid", columnsOf(string(id)))
	for i := range out {
		out[i].Grants = grants[ResourceKey{out[i].Type, out[i].ID}]
	}
	return out, err
}

// Grants returns for which handovers a resource may be read, by whom, since when and until when.
func (s sqlResources) Grants(ctx context.Context, key ResourceKey) ([]Granted, error) {
	return read(ctx, s.db, "SELECT w.party, w.handover, w.since, w.until FROM visibility w JOIN resource r ON r.rid = w.rid WHERE r.type = ? AND r.id = ? AND w.handover <> '' ORDER BY w.party, w.handover",
		columnsOf(cleanText(key.Type), cleanText(key.ID)), func(r Row) (g Granted, err error) {
			err = r.Scan((*string)(&g.Party), (*string)(&g.Handover), &g.Since, &g.Until)
			return g, err
		})
}

// History returns versions newest first, of those that viewer may read.
func (s sqlResources) History(ctx context.Context, typ, id string, viewer handover.PartyID, limit int, before string) (Page, error) {
	page := Page{Total: -1}
	limit = pageSize(limit)
	var where []condition
	if typ != "" {
		where = append(where, condition{"r.type = ?", columnsOf(cleanText(typ))})
	}
	if id != "" {
		where = append(where, condition{"r.id = ?", columnsOf(cleanText(id))})
	}
	if viewer != "" {
		where = append(where, seenBy(viewer, "v.version"))
	}
	if before != "" {
		vid, err := position(before)
		if err != nil {
			return page, err
		}
		where = append(where, condition{"v.vid < ?", columnsOf(vid)})
	}
	only := all(where)
	query := "SELECT " + versionColumns + ", v.vid FROM resource_version v JOIN resource r ON r.rid = v.rid WHERE " + only.sql +
		" ORDER BY v.vid DESC" + limited(limit+1)
	err := s.db.View(ctx, func(tx Tx) error {
		rows, vids, err := searchPage(tx, query, only.args)
		if err != nil {
			return err
		}
		page.Next = ""
		if len(rows) > limit {
			rows, page.Next = rows[:limit], strconv.FormatInt(vids[limit-1], 10)
		}
		page.Resources, err = withVisible(tx, rows)
		return err
	})
	return page, err
}
