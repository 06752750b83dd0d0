// Package sqlite keeps the ledger in one SQLite file: one writing connection, a pool of
// reading ones, write-ahead log, a sync of the disk for every commit. It is for one
// process on one machine; the file is locked against a second one.
package sqlite

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"stafett/ledger"
)

// Options of Open; zero values mean the defaults.
type Options struct {
	// Clock gives the time of checkpoints and of what comes without one; time.Now.
	Clock func() time.Time
	// Readers is the number of reading connections; 4.
	Readers int
}

// Store is a ledger in a SQLite file.
type Store struct {
	*ledger.SQL
	db   *database
	lock *fileLock
	once sync.Once
	err  error
}

var _ ledger.Store = (*Store)(nil)

// Open opens or creates the ledger at path. It fails when another process holds the file,
// when the file is of a newer schema or of another program, and when a setting that
// durability rests on does not read back as required.
func Open(ctx context.Context, path string, opts Options) (*Store, error) {
	if opts.Readers <= 0 {
		opts.Readers = 4
	}
	abs, err := absolute(path)
	if err != nil {
		return nil, fmt.Errorf("sqlite: ledger path: %w", err)
	}
	lock, err := lockFile(abs + ".lock")
	if err != nil {
		return nil, err
	}
	if err := makeFile(abs); err != nil {
		return nil, errors.Join(err, lock.release())
	}
	db, err := openDatabase(ctx, abs, opts.Readers)
	if err != nil {
		return nil, errors.Join(err, lock.release())
	}
	if err := ownersAlone(abs); err != nil {
		return nil, errors.Join(err, db.close(), lock.release())
	}
	return &Store{SQL: ledger.NewSQL(db, opts.Clock), db: db, lock: lock}, nil
}

// absolute resolves links, so that one file has one lock.
func absolute(path string) (string, error) {
	if path == "" || strings.HasPrefix(path, ":memory:") {
		return "", errors.New("a ledger needs a file")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if whole, err := filepath.EvalSymlinks(abs); err == nil {
		return whole, nil
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(abs))
	return filepath.Join(dir, filepath.Base(abs)), err
}

// Ready commits a row: it fails when the disk is full, gone or read-only.
func (s *Store) Ready(ctx context.Context) error {
	return s.db.Update(ctx, func(tx ledger.Tx) error {
		tx.Queue("UPDATE meta SET probe = probe + 1")
		return tx.Flush()
	})
}

// Close ends all work and releases the file.
func (s *Store) Close() error {
	s.once.Do(func() {
		s.Shut()
		s.err = errors.Join(s.db.close(), s.lock.release())
	})
	return s.err
}

// database is the connections: a ledger.Database.
type database struct {
	mu      sync.Mutex // held by the one writing transaction
	writer  *conn
	readers chan *conn
	count   int
	closing chan struct{}
	closed  sync.Once
}

func openDatabase(ctx context.Context, path string, readers int) (*database, error) {
	file := (&url.URL{Path: path}).EscapedPath()
	writer, err := open("file:" + file + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
		"&_pragma=foreign_keys(1)&_pragma=cache_size(-65536)&_pragma=wal_autocheckpoint(16000)&_pragma=temp_store(MEMORY)")
	if err != nil {
		return nil, fmt.Errorf("sqlite: opening the ledger: %w", err)
	}
	db := &database{writer: writer, readers: make(chan *conn, readers), closing: make(chan struct{})}
	if err := db.start(ctx); err != nil {
		return nil, errors.Join(err, db.close())
	}
	for range readers {
		r, err := open("file:" + file + "?mode=ro&_pragma=busy_timeout(5000)&_pragma=query_only(1)&_pragma=cache_size(-4096)")
		if err != nil {
			return nil, errors.Join(fmt.Errorf("sqlite: opening the ledger for reading: %w", err), db.close())
		}
		db.count++
		db.readers <- r
	}
	return db, nil
}

func (db *database) start(ctx context.Context) error {
	if err := checkSettings(db.writer); err != nil {
		return err
	}
	return db.migrate(ctx, newMeta)
}

// settings are what durability and integrity rest on.
var settings = []struct{ name, want string }{
	{"journal_mode", "wal"},
	{"synchronous", "2"},
	{"foreign_keys", "1"},
}

// checkSettings reads back what was set: SQLite ignores a PRAGMA it cannot follow.
func checkSettings(c *conn) error {
	for _, s := range settings {
		got, err := c.text("PRAGMA " + s.name)
		if err != nil {
			return fmt.Errorf("sqlite: reading %s: %w", s.name, err)
		}
		if got != s.want {
			return fmt.Errorf("sqlite: refusing to start: %s reads back as %q, the ledger needs %q", s.name, got, s.want)
		}
	}
	return nil
}

// newMeta is the identity of a new ledger: an epoch and a secret.
func newMeta() (epoch string, secret []byte) {
	return strings.ToLower(rand.Text()[:16]), []byte(rand.Text() + rand.Text())[:32]
}

// Locks: there is one writer, so no rows need locking.
func (db *database) Locks() ledger.Locks { return ledger.Locks{} }

// Update runs f in a transaction on the writing connection.
func (db *database) Update(ctx context.Context, f func(ledger.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.writer == nil {
		return ledger.ErrClosed
	}
	// Not the caller's context: a statement that is interrupted half-way would leave it
	// unknown whether the transaction stands.
	tx := &transaction{conn: db.writer, ctx: context.Background()}
	if err := tx.conn.exec(tx.ctx, "BEGIN IMMEDIATE"); err != nil {
		return translate(err)
	}
	err := f(tx)
	if err == nil {
		err = tx.Flush()
	}
	if err == nil {
		err = tx.conn.exec(tx.ctx, "COMMIT")
	}
	if err != nil {
		// After some errors SQLite has rolled back by itself; then this one fails, rightly.
		_ = tx.conn.exec(tx.ctx, "ROLLBACK")
		return translate(err)
	}
	return nil
}

// View runs f in a reading transaction on a connection of the pool.
func (db *database) View(ctx context.Context, f func(ledger.Tx) error) error {
	var c *conn
	select {
	case <-db.closing:
		return ledger.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	case c = <-db.readers:
	}
	defer func() { db.readers <- c }()
	tx := &transaction{conn: c, ctx: ctx}
	if err := c.exec(ctx, "BEGIN"); err != nil {
		return translate(err)
	}
	err := f(tx)
	if end := c.exec(context.Background(), "ROLLBACK"); err == nil && end != nil {
		err = end
	}
	return translate(err)
}

func (db *database) close() error {
	var errs []error
	db.closed.Do(func() {
		close(db.closing)
		for range db.count {
			errs = append(errs, (<-db.readers).close())
		}
		db.mu.Lock()
		defer db.mu.Unlock()
		if db.writer != nil {
			errs = append(errs, db.writer.close())
		}
		db.writer = nil
	})
	return errors.Join(errs...)
}
