package ledger

import (
	"context"
	"time"

	"stafett/handover"
)

// Outbox sums the deliveries to one receiver.
type Outbox struct {
	Receiver handover.PartyID
	// Pending are to be sent or are being sent, the first of them made at Oldest.
	Pending int64
	Oldest  time.Time
	// Awaiting were taken by the transport and wait for their receipt; Parked wait for a person.
	Awaiting, Parked int64
	// LastReceipt is when the receiver last receipted; zero for never.
	LastReceipt time.Time
}

const outboxes = `SELECT d.receiver, sum(CASE WHEN d.state IN ('pending', 'sending') THEN 1 ELSE 0 END),
	COALESCE(min(CASE WHEN d.state IN ('pending', 'sending') THEN d.created_at END), 0),
	sum(CASE WHEN d.state = 'awaiting' THEN 1 ELSE 0 END), sum(CASE WHEN d.state IN ('parked', 'refused') THEN 1 ELSE 0 END),
	COALESCE(max(CASE WHEN d.state = 'receipted' THEN d.ended_at END), 0)
	FROM delivery d GROUP BY d.receiver ORDER BY d.receiver`

// Outbox sums what waits, per receiver.
func (s sqlQueue) Outbox(ctx context.Context) ([]Outbox, error) {
	return read(ctx, s.db, outboxes, nil, func(r Row) (w Outbox, err error) {
		var receiver string
		var oldest, last int64
		err = r.Scan(&receiver, &w.Pending, &oldest, &w.Awaiting, &w.Parked, &last)
		w.Receiver, w.Oldest, w.LastReceipt = handover.PartyID(receiver), timeOf(oldest), timeOf(last)
		return w, err
	})
}
