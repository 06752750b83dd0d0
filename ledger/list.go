package ledger

import (
	"context"
	"strings"

	"stafett/handover"
)

// sqlLister is the Lister.
type sqlLister struct{ *shared }

// Handovers returns what the filter selects, newest first.
func (s sqlLister) Handovers(ctx context.Context, f HandoverFilter) ([]handover.Handover, error) {
	where, args := []string{"1 = 1"}, []any(nil)
	if f.Party != "" {
		p := string(f.Party)
		where = append(where, `(h.sender = ? OR h.receiver = ? OR h.copies LIKE ? ESCAPE '\')`)
		args = append(args, p, p, containing(","+p+","))
	}
	if f.Chain != "" {
		where, args = append(where, "h.chain = ?"), append(args, string(f.Chain))
	}
	if f.OpenOnly {
		where = append(where, "h.open = 1")
	}
	if f.Attention {
		where = append(where, "h.attention = 1")
	}
	return read(ctx, s.db, selectHandover+"WHERE "+strings.Join(where, " AND ")+" ORDER BY h.pos DESC"+limited(f.Limit), args, scanHandover)
}

// ParkedMessages returns the parked ones that nobody has resolved, oldest first.
func (s sqlLister) ParkedMessages(ctx context.Context, limit int) ([]Message, error) {
	return read(ctx, s.db, selectMessage+
		"WHERE m.disposition IN ('parked', 'moving') AND m.resolution = '' AND m.disposition = 'parked' ORDER BY m.received_at, m.pos"+limited(limit), nil, scanMessage)
}

// ParkedDeliveries returns those that a named person must act on, oldest first.
func (s sqlLister) ParkedDeliveries(ctx context.Context, limit int) ([]Delivery, error) {
	return read(ctx, s.db, selectDelivery+"WHERE d.state IN ('refused', 'parked') ORDER BY d.ord"+limited(limit), nil, scanDelivery)
}
