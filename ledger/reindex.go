package ledger

import (
	"context"

	"stafett/handover"
)

// EachResource calls f with every current resource that is not deleted, in pages, so that
// f may take its time and write.
func (s sqlSearcher) EachResource(ctx context.Context, f func(Resource) error) error {
	const page = 200
	last := int64(0)
	for {
		var rows []resourceRow
		var list []Resource
		err := s.db.View(ctx, func(tx Tx) error {
			rows = nil
			err := tx.Query(selectCurrent+"WHERE r.rid > ? AND r.deleted = 0 ORDER BY r.rid"+limited(page), func(_ int, r Row) error {
				row, err := scanResource(r)
				rows = append(rows, row)
				return err
			}, columnsOf(last))
			if err == nil {
				list, err = withVisible(tx, rows)
			}
			return err
		})
		if err != nil || len(rows) == 0 {
			return err
		}
		for i := range list {
			if err := f(list[i]); err != nil {
				return err
			}
		}
		last = rows[len(rows)-1].rid
	}
}

// Reindex replaces the search rows of current versions, and lets authors read their own.
func (s sqlSearcher) Reindex(ctx context.Context, rows []ResourceWrite) error {
	if s.closed.Load() {
		return ErrClosed
	}
	return s.db.Update(ctx, func(tx Tx) error {
		if _, err := readHead(tx, s.db.Locks().Wait); err != nil {
			return err
		}
		return reindex(tx, rows)
	})
}

func reindex(tx Tx, rows []ResourceWrite) error {
	for i := range rows {
		r := &rows[i]
		var rid, deleted, version int64
		var author string
		err := one(tx, "SELECT r.rid, r.deleted, r.version, v.author FROM resource r JOIN resource_version v ON v.vid = r.vid WHERE r.type = ? AND r.id = ?",
			columnsOf(r.Type, r.ID), &rid, &deleted, &version, &author)
		if err != nil {
			return err
		}
		if version != r.Expect {
			continue // it was written, with its rows, since it was read
		}
		p := &plan{}
		p.indexRows(rid, true, deleted != 0, r)
		p.grant(rid, 1, []Grant{{Party: handover.PartyID(author)}})
		p.flushRows()
		w := &writer{tx: tx}
		w.write(p.statements)
		w.flush()
	}
	return tx.Flush()
}
