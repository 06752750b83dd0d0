package ledger

import (
	"context"
	"sort"
	"time"

	"stafett/handover"
)

// sqlQueue is the Queue.
type sqlQueue struct{ *shared }

// ClaimDeliveries leases deliveries that are due at now. The versions rise, so that who
// decided on what was before the claim must decide again.
func (s sqlQueue) ClaimDeliveries(ctx context.Context, owner string, now time.Time, lease time.Duration, limit int) ([]Delivery, error) {
	if s.closed.Load() {
		return nil, ErrClosed
	}
	until := micros(now.Add(lease))
	var out []Delivery
	err := s.db.Update(ctx, func(tx Tx) error {
		out = nil
		var ords [][]any
		err := tx.Query("SELECT ord FROM delivery WHERE queue > 0 AND queue = 1 AND due <= ? ORDER BY due, ord"+limited(limit)+s.db.Locks().Skip,
			func(_ int, r Row) error {
				var ord int64
				err := r.Scan(&ord)
				ords = append(ords, columnsOf(ord))
				return err
			}, columnsOf(micros(now)))
		if err != nil || len(ords) == 0 {
			return err
		}
		for _, o := range ords {
			tx.Queue(`UPDATE delivery SET state = 'sending', attempts = attempts + 1, lease_owner = ?, lease_until = ?,
				due = ?, version = version + 1 WHERE ord = ?`, owner, until, until, o[0])
		}
		return tx.Query(selectDelivery+"WHERE d.ord = ?", func(_ int, r Row) error {
			d, err := scanDelivery(r)
			out = append(out, d)
			return err
		}, ords...)
	})
	if err != nil {
		return nil, err
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Order < out[j].Order })
	return out, nil
}

// DueDeliveries returns awaiting ones past their warning or deadline, and parked or
// refused ones past their deadline.
func (s sqlQueue) DueDeliveries(ctx context.Context, now time.Time, limit int) ([]Delivery, error) {
	return read(ctx, s.db, selectDelivery+"WHERE d.queue > 0 AND d.queue = 2 AND d.due <= ? ORDER BY d.due, d.ord"+limited(limit),
		columnsOf(micros(now)), scanDelivery)
}

// DueHandovers returns those whose deadline, or an attention's, has passed.
func (s sqlQueue) DueHandovers(ctx context.Context, now time.Time, limit int) ([]handover.Handover, error) {
	return read(ctx, s.db, selectHandover+"WHERE h.due > 0 AND h.due <= ? ORDER BY h.due"+limited(limit), columnsOf(micros(now)), scanHandover)
}

// DueMessages returns parked and waiting messages whose deadline has passed.
func (s sqlQueue) DueMessages(ctx context.Context, now time.Time, limit int) ([]Message, error) {
	return read(ctx, s.db, selectMessage+`WHERE m.disposition IN ('parked', 'moving') AND m.resolution = '' AND m.deadline > 0 AND m.deadline <= ?
		ORDER BY m.deadline`+limited(limit), columnsOf(micros(now)), scanMessage)
}

// nextDueQueries ask each for one time through a partial index.
var nextDueQueries = []string{
	"SELECT due FROM delivery WHERE queue > 0 AND queue = 1 ORDER BY due LIMIT 1",
	"SELECT due FROM delivery WHERE queue > 0 AND queue = 2 ORDER BY due LIMIT 1",
	"SELECT due FROM handover WHERE due > 0 ORDER BY due LIMIT 1",
	"SELECT deadline FROM message WHERE disposition IN ('parked', 'moving') AND resolution = '' AND deadline > 0 ORDER BY deadline LIMIT 1",
}

// NextDue is the earliest time at which a Claim or Due call has work; zero for none.
func (s sqlQueue) NextDue(ctx context.Context) (time.Time, error) {
	var next time.Time
	err := s.db.View(ctx, func(tx Tx) error {
		next = time.Time{}
		for _, q := range nextDueQueries {
			err := tx.Query(q, func(_ int, r Row) error {
				var us int64
				err := r.Scan(&us)
				next = earliest(next, timeOf(us))
				return err
			}, nil)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return next, err
}
