package ledger

import (
	"context"
	"fmt"

	"stafett/handover"
)

// worst ranks a delivery's state: 0 ended, 1 closed, 2 open, 3 waiting for a named person,
// none for one that another took the place of. What was superseded before schema 2 is
// closed with the receipt that refused it.
const worst = `CASE WHEN d.state IN ('refused', 'parked') THEN 3 WHEN d.ended = 0 THEN 2
	WHEN d.state = 'superseded' OR d.state = 'closed' AND d.error LIKE 'negative receipt: %' THEN NULL
	WHEN d.state = 'closed' THEN 1 ELSE 0 END`

// storedDisposition is as what it counts before its deliveries do. What was closed before
// schema 2 is stored as applied, and knows no time.
const storedDisposition = "CASE WHEN m.disposition = 'applied' AND m.resolution <> '' AND m.resolved_at = 0 THEN 'closed' ELSE m.disposition END"

// sumOf adds a message's deliveries to its stored disposition; rank is -1 where none counts.
func sumOf(stored Disposition, rank int64) Disposition {
	if stored != DispositionApplied {
		return stored
	}
	switch rank {
	case 0:
		return DispositionDelivered
	case 1:
		return DispositionClosed
	case 2:
		return DispositionMoving
	case 3:
		return DispositionParked
	}
	return DispositionApplied
}

// unaccounted lists broken promises: what moves without a next time, and what is parked
// without a contact or a deadline.
const unaccounted = `SELECT m.id FROM message m WHERE m.disposition = 'parked' AND m.resolution = ''
		AND (m.contact = '' OR m.deadline = 0)
	UNION SELECT d.message FROM delivery d WHERE d.ended = 0 AND d.message <> '' AND (
		(d.state = 'pending' AND d.next_attempt = 0) OR (d.state = 'sending' AND d.lease_until = 0)
		OR (d.state = 'awaiting' AND d.deadline = 0 AND d.warn_at = 0)
		OR (d.state IN ('refused', 'parked') AND (d.contact = '' OR d.deadline = 0)))
	UNION SELECT m.id FROM message m WHERE m.disposition = 'moving' AND m.deadline = 0
	UNION SELECT m.id FROM message m WHERE m.disposition NOT IN ('applied', 'repeated', 'refused', 'parked', 'closed', 'moving')
	ORDER BY 1`

// Balance is invariant 2's sum over one snapshot.
func (s sqlAuditor) Balance(ctx context.Context) (Balance, error) {
	var b Balance
	err := s.db.View(ctx, func(tx Tx) error {
		b = Balance{}
		if err := tx.Query("SELECT "+storedDisposition+", COALESCE(w.rank, -1), count(*) FROM message m LEFT JOIN (SELECT d.message, max("+worst+`) AS rank
			FROM delivery d WHERE d.message <> '' GROUP BY d.message) w ON w.message = m.id GROUP BY 1, 2`, b.count, nil); err != nil {
			return err
		}
		if err := tx.Query(unaccounted, func(_ int, r Row) error {
			var id string
			err := r.Scan(&id)
			b.Unaccounted = append(b.Unaccounted, handover.MessageID(id))
			return err
		}, nil); err != nil {
			return err
		}
		return tx.Query("SELECT h.id FROM handover h WHERE h.open = 1 AND h.deadline = 0 ORDER BY h.pos", func(_ int, r Row) error {
			var id string
			err := r.Scan(&id)
			b.OpenHandoversWithoutDeadline = append(b.OpenHandoversWithoutDeadline, handover.ID(id))
			return err
		}, nil)
	})
	return b, err
}

func (b *Balance) count(_ int, r Row) error {
	var stored string
	var rank, n int64
	if err := r.Scan(&stored, &rank, &n); err != nil {
		return fmt.Errorf("ledger: balance: %w", err)
	}
	b.Received += n
	switch sumOf(Disposition(stored), rank) {
	case DispositionDelivered:
		b.Delivered += n
	case DispositionApplied:
		b.Applied += n
	case DispositionRepeated:
		b.Repeated += n
	case DispositionRefused:
		b.Refused += n
	case DispositionParked:
		b.Parked += n
	case DispositionClosed:
		b.Closed += n
	case DispositionMoving:
		b.Moving += n
	}
	return nil
}
