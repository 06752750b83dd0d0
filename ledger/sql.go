package ledger

import (
	"context"
	"sync/atomic"
	"time"
)

// SQL is the whole of Store that follows from SQL alone, for Store implementations: they
// give it a Database, embed it, and add Ready and Close. Everything that both databases
// must do alike (planning a unit, chain, search, claims, verification) is here, once, role
// by role.
type SQL struct {
	shared *shared
	sqlAppender
	sqlReader
	sqlResources
	sqlSearcher
	sqlLister
	sqlQueue
	sqlEvents
	sqlAuditor
}

// shared is what the roles have in common.
type shared struct {
	db     Database
	clock  func() time.Time
	closed atomic.Bool
}

// NewSQL returns the shared part of a Store over db; clock nil means time.Now.
func NewSQL(db Database, clock func() time.Time) *SQL {
	if clock == nil {
		clock = time.Now
	}
	s := &shared{db: db, clock: clock}
	return &SQL{s, sqlAppender{s}, sqlReader{s}, sqlResources{s}, sqlSearcher{s}, sqlLister{s}, sqlQueue{s}, sqlEvents{s}, sqlAuditor{s}}
}

// Shut makes every later call that writes fail with ErrClosed.
func (s *SQL) Shut() { s.shared.closed.Store(true) }

// Database is what a Store implementation gives to SQL. Both methods translate driver
// errors: a full, failing or read-only disk to ErrFull, a broken unique rule to
// ErrConflict, a closed database to ErrClosed.
type Database interface {
	// Update runs f in one writing transaction, durable when it returns nil. It may run f
	// again where the database asks for that.
	Update(ctx context.Context, f func(Tx) error) error
	// View runs f in one reading transaction that sees one snapshot.
	View(ctx context.Context, f func(Tx) error) error
	// Locks says how the database spells row locks.
	Locks() Locks
}

// Locks are clauses that end a SELECT; both are empty where there is only one writer.
type Locks struct {
	Wait string // lock the rows, wait for others
	Skip string // lock the rows, leave out those that others hold
}

// Tx is one transaction. Statements are spelled with ? for parameters. Parameters are
// string, int64, float64, []byte and nil.
type Tx interface {
	// Queue runs a statement now or at the next Flush or Query, in order. Its error is
	// that of Flush.
	Queue(query string, args ...any)
	Flush() error
	// Query runs query once for each list of args, in one round trip where the database
	// can, and calls each with the list's index for each row. each must not use the Tx.
	Query(query string, each func(i int, r Row) error, args ...[]any) error
}

// Row is one row of a result. Scan takes *string, *int64, *float64 and *[]byte; NULL
// becomes the zero value.
type Row interface {
	Scan(dest ...any) error
}

// columnsOf returns one argument list, for queries that run once.
func columnsOf(args ...any) []any { return args }

// one runs a query whose single row is scanned into dest; ErrNotFound when there is none.
func one(tx Tx, query string, args []any, dest ...any) error {
	found := false
	err := tx.Query(query, func(_ int, r Row) error {
		found = true
		return r.Scan(dest...)
	}, args)
	if err == nil && !found {
		return ErrNotFound
	}
	return err
}

// read runs query in a View and collects its rows.
func read[T any](ctx context.Context, db Database, query string, args []any, scan func(Row) (T, error)) ([]T, error) {
	var out []T
	err := db.View(ctx, func(tx Tx) error {
		out = nil
		return tx.Query(query, func(_ int, r Row) error {
			v, err := scan(r)
			out = append(out, v)
			return err
		}, args)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// readOne is read for a single row.
func readOne[T any](ctx context.Context, db Database, query string, args []any, scan func(Row) (T, error)) (T, error) {
	rows, err := read(ctx, db, query, args, scan)
	var zero T
	if err != nil {
		return zero, err
	}
	if len(rows) == 0 {
		return zero, ErrNotFound
	}
	return rows[0], nil
}
