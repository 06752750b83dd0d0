package ledger

import (
	"cmp"
	"slices"
	"strings"
)

// statement is one step of a plan: an insert of rows, a change of one row, or anything.
type statement struct {
	into  *insertion // rows for a table, args holding one or more of them
	row   rowKey     // the one row that query touches; empty for a query that may see any
	query string
	args  []any
}

type rowKey struct {
	table string
	key   int64
}

// insertion is the insert of many rows into one table, in powers of two, so that each
// size is prepared once.
type insertion struct {
	table string
	width int
	sizes [insertSizes]string // by log2 of the rows
}

const insertSizes = 6 // at most 32 rows at a time

func newInsertion(table string, columns ...string) insertion {
	in := insertion{table: table, width: len(columns)}
	group := "(" + strings.TrimSuffix(strings.Repeat("?, ", in.width), ", ") + ")"
	for i := range in.sizes {
		in.sizes[i] = "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES " +
			strings.TrimSuffix(strings.Repeat(group+", ", 1<<i), ", ")
	}
	return in
}

// unless ends every size of the insert with a clause.
func (in insertion) unless(clause string) insertion {
	for i := range in.sizes {
		in.sizes[i] += " " + clause
	}
	return in
}

// sortRows orders search rows as their index does, so that a batch meets each of its pages
// once. Rows are rid, n, param, value, system.
func sortRows(args []any, width int) {
	rows := slices.Collect(slices.Chunk(args, width))
	slices.SortFunc(rows, func(a, b []any) int {
		if c := cmp.Compare(a[2].(int64), b[2].(int64)); c != 0 {
			return c
		}
		return cmp.Compare(a[3].(string), b[3].(string))
	})
	copy(args, slices.Concat(rows...))
}

// The tables that are not written from a struct's fields.
var (
	messageContentRows  = newInsertion("message_content", "pos", "raw", "answer", "envelope", "report")
	deliveryContentRows = newInsertion("delivery_content", "ord", "raw", "report")
	resourceRows        = newInsertion("resource", "rid", "type", "id", "version", "vid", "deleted", "at", "handover")
	searchRows          = newInsertion("search", "rid", "n", "param", "value", "system")
	visibilityRows      = newInsertion("visibility", "rid", "party", "handover", "since").unless("ON CONFLICT DO NOTHING")
	entryRows           = newInsertion("entry", "n", "body", "digest")
	keyRows             = newInsertion("handover_key", "kind", "party", "value", "handover").unless("ON CONFLICT DO NOTHING")
)

// insertOrder puts rows before those that refer to them.
var insertOrder = []*insertion{&messageTable.rows, &messageContentRows, &handoverTable.rows, &resourceRows, &versionTable.rows,
	&searchRows, &visibilityRows, &deliveryTable.rows, &deliveryContentRows, &eventTable.rows, &auditTable.rows, &entryRows, &keyRows}

// writer gathers the inserts of a whole batch into few statements. What changes a row that
// waits to be inserted comes after that insert; all else may go first.
type writer struct {
	tx      Tx
	pending map[*insertion][]any
	waiting map[rowKey]bool
}

func (w *writer) write(list []statement) {
	for _, st := range list {
		switch {
		case st.into != nil:
			w.gather(st)
		case st.row == rowKey{} || w.waiting[st.row]:
			w.flush()
			w.tx.Queue(st.query, st.args...)
		default:
			w.tx.Queue(st.query, st.args...)
		}
	}
}

func (w *writer) gather(st statement) {
	if w.pending == nil {
		w.pending, w.waiting = map[*insertion][]any{}, map[rowKey]bool{}
	}
	w.pending[st.into] = append(w.pending[st.into], st.args...)
	for i := 0; i < len(st.args); i += st.into.width {
		if key, ok := st.args[i].(int64); ok {
			w.waiting[rowKey{st.into.table, key}] = true
		}
	}
}

// flush inserts what waits.
func (w *writer) flush() {
	for _, in := range insertOrder {
		args := w.pending[in]
		if in == &searchRows {
			sortRows(args, in.width)
		}
		for size := insertSizes - 1; size >= 0; size-- {
			for n := in.width << size; len(args) >= n; args = args[n:] {
				w.tx.Queue(in.sizes[size], args[:n]...)
			}
		}
	}
	clear(w.pending)
	clear(w.waiting)
}
