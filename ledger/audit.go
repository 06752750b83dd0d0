package ledger

import (
	"context"
	"strings"
	"time"
)

// sqlAuditor is the Auditor.
type sqlAuditor struct{ *shared }

// AuditOf returns audit records, oldest first.
func (s sqlAuditor) AuditOf(ctx context.Context, f AuditFilter) ([]Audit, error) {
	where, args := []string{"1 = 1"}, []any(nil)
	if f.Message != "" {
		where, args = append(where, "message = ? AND message <> ''"), append(args, cleanText(string(f.Message)))
	}
	if f.Handover != "" {
		where, args = append(where, "handover = ? AND handover <> ''"), append(args, cleanText(string(f.Handover)))
	}
	return read(ctx, s.db, "SELECT "+auditTable.columns+" FROM audit WHERE "+strings.Join(where, " AND ")+" ORDER BY id"+limited(f.Limit), args,
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
