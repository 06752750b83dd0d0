package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
)

// sqlAppender is the Appender.
type sqlAppender struct{ *shared }

// Apply applies units in order in one transaction. First all of them at once; when the
// database itself refuses a statement, again with each unit in a savepoint, so that the
// one which broke a rule fails alone.
func (s sqlAppender) Apply(ctx context.Context, units []Unit) ([]Result, error) {
	if s.closed.Load() {
		return nil, ErrClosed
	}
	if len(units) == 0 {
		return nil, nil
	}
	results, err := s.applyTogether(ctx, units)
	if err == nil || errors.Is(err, ErrFull) || errors.Is(err, ErrClosed) || ctx.Err() != nil {
		return results, err
	}
	return s.applySingly(ctx, units)
}

func (s sqlAppender) applyTogether(ctx context.Context, units []Unit) ([]Result, error) {
	var results []Result
	err := s.db.Update(ctx, func(tx Tx) error {
		var err error
		results, err = s.applyUnits(tx, units)
		return err
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

func (s sqlAppender) applySingly(ctx context.Context, units []Unit) ([]Result, error) {
	results := make([]Result, len(units))
	err := s.db.Update(ctx, func(tx Tx) error {
		for i := range units {
			tx.Queue("SAVEPOINT unit")
			if err := tx.Flush(); err != nil {
				return err
			}
			one, err := s.applyUnits(tx, units[i:i+1])
			if err == nil {
				results[i] = one[0]
				tx.Queue("RELEASE SAVEPOINT unit")
			} else if errors.Is(err, ErrFull) || errors.Is(err, ErrClosed) {
				return err
			} else {
				results[i] = Result{Err: err}
				tx.Queue("ROLLBACK TO SAVEPOINT unit")
			}
			if err := tx.Flush(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

// applyUnits plans and writes units; an error is the database's and spoils them all.
func (s sqlAppender) applyUnits(tx Tx, units []Unit) ([]Result, error) {
	w, err := prefetch(tx, units, s.db.Locks())
	if err != nil {
		return nil, err
	}
	w.now = s.clock()
	results := make([]Result, len(units))
	entries := w.head.entry
	out := &writer{tx: tx}
	lines := map[line]bool{}
	for i := range units {
		p := newPlan(w)
		applied, err := p.unit(&units[i])
		if err != nil {
			p.undo()
			results[i].Err = err
			continue
		}
		out.write(p.statements)
		maps.Copy(lines, p.lines)
		results[i].Applied = applied
	}
	out.flush()
	for l := range lines {
		h, r := string(l.handover), string(l.receiver)
		tx.Queue(requeueLine, h, r, h, r)
	}
	w.queueGuards(tx)
	if w.head.entry != entries {
		w.head.queue(tx)
	}
	return results, tx.Flush()
}

// head is the chain's end and the counters that a unit takes numbers from. Its row is
// locked by every writing transaction first, so numbers are in commit order without gaps.
type head struct {
	epoch                                                          string
	digest                                                         []byte
	entry, event, message, handover, delivery, audit, res, version int64
	// at is the time of the last resource version.
	at int64
}

const headColumns = "entry, digest, event, message, handover, delivery, audit, resource, version, at"

func readHead(tx Tx, lock string) (head, error) {
	var h head
	if err := one(tx, "SELECT epoch FROM meta", nil, &h.epoch); err != nil {
		return h, fmt.Errorf("ledger: meta: %w", err)
	}
	err := one(tx, "SELECT "+headColumns+" FROM head"+lock, nil, &h.entry, &h.digest, &h.event,
		&h.message, &h.handover, &h.delivery, &h.audit, &h.res, &h.version, &h.at)
	if err != nil {
		return h, fmt.Errorf("ledger: head: %w", err)
	}
	return h, nil
}

func (h *head) queue(tx Tx) {
	tx.Queue("UPDATE head SET entry = ?, digest = ?, event = ?, message = ?, handover = ?, delivery = ?, audit = ?, resource = ?, version = ?, at = ?",
		h.entry, h.digest, h.event, h.message, h.handover, h.delivery, h.audit, h.res, h.version, h.at)
}
