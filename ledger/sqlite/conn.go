package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"stafett/ledger"
)

// conn is one connection with its prepared statements. It uses the driver without
// database/sql, whose pooling and locks cost more than most of our statements.
type conn struct {
	driver.Conn
	statements map[string]driver.Stmt
	args       []driver.NamedValue
}

func open(dsn string) (*conn, error) {
	c, err := new(sqlite.Driver).Open(dsn)
	if err != nil {
		return nil, translate(err)
	}
	return &conn{Conn: c, statements: map[string]driver.Stmt{}}, nil
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.statements {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.Conn.Close())...)
}

// preparedLimit bounds the prepared statements of a connection; searches come in many shapes.
const preparedLimit = 512

func (c *conn) prepared(query string) (driver.Stmt, error) {
	if s, ok := c.statements[query]; ok {
		return s, nil
	}
	if len(c.statements) >= preparedLimit {
		for q, s := range c.statements {
			if err := s.Close(); err != nil {
				return nil, err
			}
			delete(c.statements, q)
		}
	}
	s, err := c.Prepare(query)
	if err != nil {
		return nil, fmt.Errorf("sqlite: preparing: %w", err)
	}
	c.statements[query] = s
	return s, nil
}

func (c *conn) named(args []any) []driver.NamedValue {
	c.args = c.args[:0]
	for i, a := range args {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return c.args
}

func (c *conn) exec(ctx context.Context, query string, args ...any) error {
	s, err := c.prepared(query)
	if err != nil {
		return err
	}
	_, err = s.(driver.StmtExecContext).ExecContext(ctx, c.named(args))
	return err
}

// query calls each with every row.
func (c *conn) query(ctx context.Context, query string, args []any, each func(ledger.Row) error) (err error) {
	s, err := c.prepared(query)
	if err != nil {
		return err
	}
	rows, err := s.(driver.StmtQueryContext).QueryContext(ctx, c.named(args))
	if err != nil {
		return err
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	r := row(make([]driver.Value, len(rows.Columns())))
	for {
		switch err := rows.Next(r); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := each(r); err != nil {
			return err
		}
	}
}

// script runs several statements.
func (c *conn) script(sql string) error {
	_, err := c.Conn.(driver.ExecerContext).ExecContext(context.Background(), sql, nil)
	return err
}

// text returns the first column of a query's row as text.
func (c *conn) text(query string) (string, error) {
	var out string
	err := c.query(context.Background(), query, nil, func(r ledger.Row) error {
		out = fmt.Sprint(r.(row)[0])
		return nil
	})
	return out, err
}

// row is one row of values.
type row []driver.Value

// Scan converts to what the ledger asks for; NULL becomes the zero value.
func (r row) Scan(dest ...any) error {
	if len(dest) != len(r) {
		return fmt.Errorf("sqlite: %d columns scanned into %d", len(r), len(dest))
	}
	for i, d := range dest {
		if !assign(d, r[i]) {
			return fmt.Errorf("sqlite: column %d holds a %T where a %T is read", i+1, r[i], d)
		}
	}
	return nil
}

func assign(dest any, v driver.Value) bool {
	switch d := dest.(type) {
	case *string:
		switch s := v.(type) {
		case string:
			*d = s
			return true
		case nil:
			*d = ""
			return true
		}
	case *int64:
		switch n := v.(type) {
		case int64:
			*d = n
			return true
		case nil:
			*d = 0
			return true
		}
	case *float64:
		switch f := v.(type) {
		case float64:
			*d = f
			return true
		case int64:
			*d = float64(f)
			return true
		}
	case *[]byte:
		switch b := v.(type) {
		case []byte:
			*d = b
			return true
		case nil:
			*d = nil
			return true
		}
	}
	return false
}

// transaction is a ledger.Tx: statements run at once.
type transaction struct {
	conn *conn
	ctx  context.Context
	err  error // of the first statement that failed since the last Flush
}

func (t *transaction) Queue(query string, args ...any) {
	if t.err == nil {
		t.err = t.conn.exec(t.ctx, query, args...)
	}
}

func (t *transaction) Flush() error {
	err := t.err
	t.err = nil
	return translate(err)
}

func (t *transaction) Query(query string, each func(int, ledger.Row) error, args ...[]any) error {
	if err := t.Flush(); err != nil {
		return err
	}
	for i, list := range args {
		if err := t.conn.query(t.ctx, query, list, func(r ledger.Row) error { return each(i, r) }); err != nil {
			return translate(err)
		}
	}
	return nil
}

// translate names what the ledger's callers must tell apart.
func translate(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR:
		return fmt.Errorf("%w: %w", ledger.ErrFull, err)
	case sqlite3.SQLITE_CONSTRAINT:
		return fmt.Errorf("%w: %w", ledger.ErrConflict, err)
	}
	return err
}
