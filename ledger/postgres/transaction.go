package postgres

import (
	"context"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"stafett/ledger"
)

// transaction is a ledger.Tx: queued statements go to the server together.
type transaction struct {
	ctx   context.Context
	tx    pgx.Tx
	batch *pgx.Batch
}

func (t *transaction) Queue(query string, args ...any) {
	if t.batch == nil {
		t.batch = &pgx.Batch{}
	}
	t.batch.Queue(numbered(query), args...)
}

func (t *transaction) Flush() error {
	if t.batch == nil {
		return nil
	}
	batch := t.batch
	t.batch = nil
	return t.tx.SendBatch(t.ctx, batch).Close()
}

func (t *transaction) Query(query string, each func(int, ledger.Row) error, args ...[]any) error {
	if err := t.Flush(); err != nil {
		return err
	}
	query = numbered(query)
	if len(args) == 1 {
		rows, err := t.tx.Query(t.ctx, query, args[0]...)
		return collect(rows, err, 0, each)
	}
	// In pieces, so that the server's answers never fill both sides' buffers.
	const piece = 500
	for start := 0; start < len(args); start += piece {
		batch := &pgx.Batch{}
		for _, list := range args[start:min(start+piece, len(args))] {
			batch.Queue(query, list...)
		}
		if err := t.send(batch, start, each); err != nil {
			return err
		}
	}
	return nil
}

func (t *transaction) send(batch *pgx.Batch, start int, each func(int, ledger.Row) error) (err error) {
	results := t.tx.SendBatch(t.ctx, batch)
	defer func() {
		if e := results.Close(); err == nil {
			err = e
		}
	}()
	for i := range batch.Len() {
		rows, err := results.Query()
		if err := collect(rows, err, start+i, each); err != nil {
			return err
		}
	}
	return nil
}

func collect(rows pgx.Rows, err error, i int, each func(int, ledger.Row) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(i, row{rows}); err != nil {
			return err
		}
	}
	return rows.Err()
}

// row copies what pgx scans: its byte slices live only until the next row.
type row struct{ rows pgx.Rows }

// Scan converts to what the ledger asks for; NULL becomes the zero value.
func (r row) Scan(dest ...any) error { return r.rows.Scan(dest...) }

var numberedQueries sync.Map

// numbered spells the placeholders of a query as PostgreSQL does: $1, $2, …
func numbered(query string) string {
	if q, ok := numberedQueries.Load(query); ok {
		return q.(string)
	}
	var b strings.Builder
	n := 0
	for i := range len(query) {
		if query[i] != '?' {
			b.WriteByte(query[i])
			continue
		}
		n++
		b.WriteString("$" + strconv.Itoa(n))
	}
	q := b.String()
	numberedQueries.Store(query, q)
	return q
}
