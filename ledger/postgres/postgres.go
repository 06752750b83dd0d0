// Package postgres keeps the ledger in a PostgreSQL database, which several gateway
// processes may share: whoever writes a batch locks the chain's head for that batch.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"stafett/ledger"
)

// Options of Open; zero values mean the defaults.
type Options struct {
	// Clock gives the time of checkpoints and of what comes without one; time.Now.
	Clock func() time.Time
	// Connections is the size of the pool; 8.
	Connections int
	// Schema is the schema that holds the ledger; public. It must exist.
	Schema string
}

// Store is a ledger in a PostgreSQL database.
type Store struct {
	*ledger.SQL
	db   *database
	once sync.Once
}

var _ ledger.Store = (*Store)(nil)

// Open connects to url (postgres://…) and brings the schema up to date. It fails when the
// schema is newer than this program, and when a setting that durability rests on does not
// read back as required.
func Open(ctx context.Context, url string, opts Options) (*Store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("postgres: the ledger's URL is not readable") // not wrapped: it may quote the password
	}
	configure(config, opts)
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("postgres: connecting to the ledger: %w", err)
	}
	db := &database{pool: pool}
	for _, f := range []func(context.Context) error{pool.Ping, db.checkSettings, db.migrate} {
		if err := f(ctx); err != nil {
			pool.Close()
			return nil, fmt.Errorf("postgres: opening the ledger: %w", err)
		}
	}
	return &Store{SQL: ledger.NewSQL(db, opts.Clock), db: db}, nil
}

func configure(config *pgxpool.Config, opts Options) {
	config.MaxConns = 8
	if opts.Connections > 0 {
		config.MaxConns = int32(opts.Connections)
	}
	params := config.ConnConfig.RuntimeParams
	params["application_name"] = "stafett"
	if opts.Schema != "" {
		params["search_path"] = pgx.Identifier{opts.Schema}.Sanitize()
	}
	// Plans are cached; one made while a table was small would scan it for ever. Every
	// hot statement has an index.
	params["enable_seqscan"] = "off"
	params["jit"] = "off"
}

// Ready commits a row: it fails when the connection is lost or the disk is full.
func (s *Store) Ready(ctx context.Context) error {
	return s.db.Update(ctx, func(tx ledger.Tx) error {
		tx.Queue("UPDATE meta SET probe = probe + 1")
		return tx.Flush()
	})
}

// Close ends all work and closes the connections.
func (s *Store) Close() error {
	s.once.Do(func() {
		s.Shut()
		s.db.closed.Store(true)
		s.db.pool.Close()
	})
	return nil
}

// database is the pool: a ledger.Database.
type database struct {
	pool   *pgxpool.Pool
	closed atomic.Bool
}

// settings are what durability rests on; any of them off loses commits with the power.
var settings = []string{"fsync", "synchronous_commit", "full_page_writes"}

func (db *database) checkSettings(ctx context.Context) error {
	for _, name := range settings {
		var got string
		if err := db.pool.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&got); err != nil {
			return fmt.Errorf("reading %s: %w", name, err)
		}
		if !durable(name, got) {
			return fmt.Errorf("refusing to start: %s reads back as %q", name, got)
		}
	}
	return nil
}

// durable: synchronous_commit has grades, and all but off sync the own disk first.
func durable(name, value string) bool {
	if name == "synchronous_commit" {
		return value == "on" || value == "local" || value == "remote_write" || value == "remote_apply"
	}
	return value == "on"
}

// Locks: several processes write, so rows are locked.
func (db *database) Locks() ledger.Locks {
	return ledger.Locks{Wait: " FOR UPDATE", Skip: " FOR UPDATE SKIP LOCKED"}
}

// attempts bounds how often a transaction is tried when the database asks for it.
const attempts = 5

// Update runs f in a transaction, again when the database ended it for another's sake.
func (db *database) Update(ctx context.Context, f func(ledger.Tx) error) error {
	var err error
	for range attempts {
		err = db.run(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite}, f)
		var e *pgconn.PgError
		if !errors.As(err, &e) || e.Code != codeSerialization && e.Code != codeDeadlock {
			return err
		}
	}
	return fmt.Errorf("%w: %w", ledger.ErrConflict, err)
}

// View runs f in a reading transaction that sees one snapshot.
func (db *database) View(ctx context.Context, f func(ledger.Tx) error) error {
	return db.run(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, f)
}

func (db *database) run(ctx context.Context, opts pgx.TxOptions, f func(ledger.Tx) error) error {
	if db.closed.Load() {
		return ledger.ErrClosed
	}
	pgxTx, err := db.pool.BeginTx(ctx, opts)
	if err != nil {
		return db.translate(err)
	}
	tx := &transaction{ctx: ctx, tx: pgxTx}
	err = f(tx)
	if err == nil {
		err = tx.Flush()
	}
	if err == nil && opts.AccessMode == pgx.ReadWrite {
		return db.translate(pgxTx.Commit(ctx))
	}
	// Without the caller's end: the connection must come back clean.
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if e := pgxTx.Rollback(end); err == nil && e != nil {
		err = e
	}
	return db.translate(err)
}

// SQLSTATE codes that mean something to callers (PostgreSQL 15, appendix A).
const (
	codeSerialization = "40001"
	codeDeadlock      = "40P01"
	codeUnique        = "23505"
	codeDiskFull      = "53100"
	codeReadOnly      = "25006"
	codeIO            = "58030"
)

func (db *database) translate(err error) error {
	if err == nil {
		return nil
	}
	if db.closed.Load() {
		return fmt.Errorf("%w: %w", ledger.ErrClosed, err)
	}
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return err
	}
	// Only the code: a server's detail quotes values of the row.
	short := &pgconn.PgError{Severity: e.Severity, Code: e.Code, Message: "the database refused", TableName: e.TableName, ConstraintName: e.ConstraintName}
	switch e.Code {
	case codeDiskFull, codeReadOnly, codeIO:
		return fmt.Errorf("%w: %w", ledger.ErrFull, short)
	case codeUnique:
		return fmt.Errorf("%w: %w", ledger.ErrConflict, short)
	}
	if e.Code[:2] == "22" || e.Code[:2] == "23" { // bad data: its message may quote it
		return short
	}
	return err
}
