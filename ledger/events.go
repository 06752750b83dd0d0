package ledger

import (
	"context"
	"strconv"
)

// sqlEvents is the EventLog.
type sqlEvents struct{ *shared }

// Meta returns what was fixed at the first start.
func (s sqlEvents) Meta(ctx context.Context) (Meta, error) {
	return readOne(ctx, s.db, "SELECT epoch, secret, schema_version FROM meta", nil, func(r Row) (Meta, error) {
		var m Meta
		var schema int64
		err := r.Scan(&m.Epoch, &m.Secret, &schema)
		m.Schema = int(schema)
		return m, err
	})
}

// Events returns events after a sequence number, in order.
func (s sqlEvents) Events(ctx context.Context, after int64, limit int) ([]Event, error) {
	return read(ctx, s.db, "SELECT m.epoch, "+prefixed("e", eventTable.columns)+" FROM event e CROSS JOIN meta m WHERE e.seq > ? ORDER BY e.seq"+limited(limit),
		columnsOf(after), func(r Row) (Event, error) {
			var row eventRow
			var epoch string
			err := scanFields(r, append([]field{{"epoch", &epoch, loose}}, row.fields()...))
			row.ID = epoch + "-" + strconv.FormatInt(row.Seq, 10)
			return row.Event, err
		})
}

// LastEvent returns the last sequence number, 0 before the first event.
func (s sqlEvents) LastEvent(ctx context.Context) (int64, error) {
	return readOne(ctx, s.db, "SELECT event FROM head", nil, func(r Row) (n int64, err error) { return n, r.Scan(&n) })
}
