package ledger

import (
	"context"
	"time"
)

// sqlAuditor is the Auditor.
type sqlAuditor struct{ *shared }

// AuditOf returns audit records, oldest first.
func (s sqlAuditor) AuditOf(ctx context.Context, f AuditFilter) ([]Audit, error) {
	var where []condition
	if f.Message != "" {
		where = append(where, condition{"message = ? AND message <> ''", columnsOf(cleanText(string(f.Message)))})
	}
	if f.Handover != "" {
		where = append(where, condition{"handover = ? AND handover <> ''", columnsOf(cleanText(string(f.Handover)))})
	}
	only := all(where)
	return read(ctx, s.db, "SELECT "+auditTable.columns+" FROM audit WHERE "+only.sql+" ORDER BY id"+limited(f.Limit), only.args,
		func(r Row) (Audit, error) {
			var row auditRow
			err := scanFields(r, row.fields())
			return row.Audit, err
		})
}

// Head returns the chain's end as a checkpoint.
func (s sqlAuditor) Head(ctx context.Context) (Checkpoint, error) {
	c := Checkpoint{At: s.clock().UTC().Truncate(time.Microsecond)}
	err := s.db.View(ctx, func(tx Tx) error {
		h, err := readHead(tx, "")
		c.Epoch, c.Entry, c.Head, c.Event = h.epoch, h.entry, hexDigest(h.digest), h.event
		return err
	})
	return c, err
}
