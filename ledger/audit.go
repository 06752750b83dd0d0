package ledger

import (
	"context"
	"time"
)

// sqlAuditor is the Auditor.
type sqlAuditor struct{ *shared }

// auditList is the record in its order.
var auditList = listOf[Audit]{"SELECT " + auditTable.columns + ", id FROM audit ", "audit", "id", false, scanListedAudit}

func scanListedAudit(r Row) (Audit, int64, error) {
	var row auditRow
	var id int64
	err := scanFields(trailing{r, &id}, row.fields())
	return row.Audit, id, err
}

// AuditOf lists audit records, oldest first.
func (s sqlAuditor) AuditOf(ctx context.Context, f AuditFilter) (Listing[Audit], error) {
	var where []condition
	if f.Message != "" {
		where = append(where, condition{"message = ? AND message <> ''", columnsOf(cleanText(string(f.Message)))})
	}
	if f.Handover != "" {
		where = append(where, condition{"handover = ? AND handover <> ''", columnsOf(cleanText(string(f.Handover)))})
	}
	return auditList.page(ctx, s.db, all(where), f.Limit, f.After)
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
