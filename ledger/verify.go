package ledger

import (
	"bytes"
	"context"
	"fmt"
)

// verifyChunk is how many entries are held while their rows are looked up; memory does
// not grow with the ledger.
const verifyChunk = 256

// The problems that a Finding names.
const (
	ProblemRemoved   = "removed"
	ProblemReordered = "reordered"
	ProblemChanged   = "changed"
	ProblemCutOff    = "cut-off"
)

// Verify walks the chain and every row it covers.
//
// Invariant 8: it names the first entry that was removed, reordered, changed or cut off
// at the end, and the first whose row is not what the entry vouched for.
func (s sqlAuditor) Verify(ctx context.Context, checkpoint *Checkpoint) (Verification, error) {
	v := &verifier{checkpoint: checkpoint}
	err := s.db.View(ctx, func(tx Tx) error {
		*v = verifier{checkpoint: checkpoint, verified: map[itemKind]int64{}}
		return v.run(ctx, tx)
	})
	return v.out, err
}

type verifier struct {
	checkpoint *Checkpoint
	head       head
	last       int64  // the last entry that holds
	digest     []byte // the chain's digest after it
	verified   map[itemKind]int64
	out        Verification
}

type storedEntry struct {
	n            int64
	body, digest []byte
	items        []item
}

func (v *verifier) find(entry int64, problem, detail string, args ...any) {
	if v.out.Finding == nil || entry < v.out.Finding.Entry {
		v.out.Finding = &Finding{Entry: entry, Problem: problem, Detail: fmt.Sprintf(detail, args...)}
	}
}

func (v *verifier) run(ctx context.Context, tx Tx) error {
	var err error
	if v.head, err = readHead(tx, ""); err != nil {
		return err
	}
	for v.out.Finding == nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		chunk, err := v.readChunk(tx)
		if err != nil {
			return err
		}
		if len(chunk) == 0 {
			break
		}
		whole, err := v.walk(tx, chunk)
		if err != nil {
			return err
		}
		if err := v.rows(tx, whole); err != nil {
			return err
		}
	}
	v.out.Entries, v.out.Head = v.last, hexDigest(v.digest)
	if v.out.Finding == nil {
		v.end()
	}
	for _, f := range []func(Tx) error{v.counts, v.current} {
		if v.out.Finding == nil {
			if err := f(tx); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *verifier) readChunk(tx Tx) ([]storedEntry, error) {
	var out []storedEntry
	err := tx.Query("SELECT n, body, digest FROM entry WHERE n > ? ORDER BY n"+limited(verifyChunk), func(_ int, r Row) error {
		var e storedEntry
		err := r.Scan(&e.n, &e.body, &e.digest)
		out = append(out, e)
		return err
	}, columnsOf(v.last))
	return out, err
}

// walk checks the chain itself and returns the entries before the first break.
func (v *verifier) walk(tx Tx, chunk []storedEntry) ([]storedEntry, error) {
	for i := range chunk {
		e := &chunk[i]
		want := v.last + 1
		if e.n != want {
			v.find(want, ProblemRemoved, "entry %d is missing", want)
			return chunk[:i], nil
		}
		number, items, err := decodeBody(e.body)
		if err == nil && number != want {
			return chunk[:i], v.misplaced(tx, want, number)
		}
		digest := chainDigest(v.digest, e.body)
		if err != nil || !bytes.Equal(digest, e.digest) {
			v.find(want, ProblemChanged, "the digest of entry %d is not that of its body", want)
			return chunk[:i], nil
		}
		if c := v.checkpoint; c != nil && c.Entry == want && c.Head != hexDigest(digest) {
			v.find(want, ProblemChanged, "the chain up to entry %d is not the one of the checkpoint", want)
			return chunk[:i], nil
		}
		e.items, v.last, v.digest = items, want, digest
	}
	return chunk, nil
}

// misplaced tells an entry that was put elsewhere from one that is gone.
func (v *verifier) misplaced(tx Tx, want, number int64) error {
	found := false
	err := tx.Query("SELECT body FROM entry WHERE n > ?", func(_ int, r Row) error {
		var body []byte
		err := r.Scan(&body)
		if n, _, bad := decodeBody(body); bad == nil && n == want {
			found = true
		}
		return err
	}, columnsOf(want))
	if found {
		v.find(want, ProblemReordered, "entry %d stands in the place of entry %d", number, want)
	} else {
		v.find(want, ProblemRemoved, "entry %d stands in the place of entry %d, which is gone", number, want)
	}
	return err
}

// end compares the chain's last entry with the head and the checkpoint.
func (v *verifier) end() {
	switch {
	case v.last < v.head.entry:
		v.find(v.last+1, ProblemCutOff, "the ledger's head names entry %d, the last one is %d", v.head.entry, v.last)
	case v.last > v.head.entry || !bytes.Equal(v.digest, v.head.digest):
		v.find(v.head.entry, ProblemChanged, "the ledger's head is not the end of the chain")
	}
	c := v.checkpoint
	if c == nil || v.out.Finding != nil {
		return
	}
	switch {
	case c.Epoch != v.head.epoch:
		v.find(0, ProblemChanged, "the checkpoint is of another ledger")
	case c.Entry > v.last:
		v.find(v.last+1, ProblemCutOff, "the checkpoint names entry %d, the last one is %d", c.Entry, v.last)
	case c.Event > v.head.event:
		v.find(v.last, ProblemCutOff, "the checkpoint names event %d, the last one is %d", c.Event, v.head.event)
	}
}

// checked is what a row said of itself.
type checked struct {
	entry  int64
	digest [32]byte
	whole  bool // its bytes are those of its digests
	erased bool
}

// rows compares the current rows with the last entries that mention them.
func (v *verifier) rows(tx Tx, entries []storedEntry) error {
	rows := map[itemKind]map[int64]*checked{}
	for _, e := range entries {
		for _, it := range e.items {
			if tableOf(it.kind) == "" {
				continue
			}
			if rows[it.kind] == nil {
				rows[it.kind] = map[int64]*checked{}
			}
			rows[it.kind][it.key] = nil
		}
	}
	for kind, m := range rows {
		if err := readChecked(tx, kind, m); err != nil {
			return err
		}
	}
	for i := range entries {
		v.entryRows(&entries[i], rows)
		if f := v.out.Finding; f != nil && f.Entry <= entries[i].n {
			return nil
		}
	}
	return nil
}

func (v *verifier) entryRows(e *storedEntry, rows map[itemKind]map[int64]*checked) {
	type key struct {
		kind itemKind
		key  int64
	}
	last := make(map[key]int, len(e.items)) // a unit may write a row twice; the last one counts
	for i, it := range e.items {
		last[key{it.kind, it.key}] = i
	}
	for i, it := range e.items {
		table := tableOf(it.kind)
		if table == "" || last[key{it.kind, it.key}] != i {
			continue
		}
		switch row := rows[it.kind][it.key]; {
		case row == nil:
			v.find(e.n, ProblemRemoved, "%s %d is missing", table, it.key)
		case row.entry < e.n:
			v.find(e.n, ProblemChanged, "%s %d is not in its last state", table, it.key)
		case row.entry == e.n && (row.digest != it.digest || !row.whole):
			v.find(e.n, ProblemChanged, "%s %d is not what was recorded", table, it.key)
		case row.entry == e.n:
			v.verified[it.kind]++
			if row.erased {
				v.out.Erased++
			}
			if it.kind == itemEvent {
				v.out.Events++
			}
		}
	}
}

// readChecked reads the rows of one table whose positions are the keys of m.
func readChecked(tx Tx, kind itemKind, m map[int64]*checked) error {
	query, scan := checkOf(kind)
	return lookUp(tx, query, m, func(pos int64) []any { return columnsOf(pos) }, func(pos int64, r Row) error {
		c, err := scan(r)
		m[pos] = &c
		return err
	})
}

// checkOf returns the query of one row by position and what its digest is made of.
func checkOf(kind itemKind) (string, func(Row) (checked, error)) {
	switch kind {
	case itemMessage:
		return selectMessage + "WHERE m.pos = ?", func(r Row) (checked, error) {
			row, err := scanMessageRow(r)
			return checkedRow(kind, row.entry, row.erased, row.content, row.fields(), row.parts()...), err
		}
	case itemDelivery:
		return selectDelivery + "WHERE d.ord = ?", func(r Row) (checked, error) {
			row, err := scanDeliveryRow(r)
			return checkedRow(kind, row.entry, row.erased, row.content, row.fields(), row.parts()...), err
		}
	case itemResource:
		return "SELECT " + versionTable.columns + " FROM resource_version WHERE vid = ?", func(r Row) (checked, error) {
			var row versionRow
			err := scanFields(r, row.fields())
			return checkedRow(kind, row.entry, row.erased, row.content, row.fields(), &row.JSON), err
		}
	case itemHandover:
		return "SELECT " + handoverTable.columns + " FROM handover WHERE pos = ?", func(r Row) (checked, error) {
			var row handoverRow
			err := scanFields(r, row.fields())
			return checkedRow(kind, row.entry, false, nil, row.fields()), err
		}
	case itemEvent:
		return "SELECT " + eventTable.columns + " FROM event WHERE seq = ?", func(r Row) (checked, error) {
			var row eventRow
			err := scanFields(r, row.fields())
			return checkedRow(kind, row.entry, false, nil, row.fields()), err
		}
	}
	return "SELECT " + auditTable.columns + " FROM audit WHERE id = ?", func(r Row) (checked, error) {
		var row auditRow
		err := scanFields(r, row.fields())
		return checkedRow(kind, row.entry, false, nil, row.fields()), err
	}
}

func checkedRow(kind itemKind, entry int64, erased bool, content []byte, fields []field, parts ...*[]byte) checked {
	c := checked{entry: entry, erased: erased, digest: digestOf(tableOf(kind), fields)}
	c.whole = len(parts) == 0 || contentMatches(content, parts...)
	if erased { // what was erased must be gone; its digests are the row's
		c.whole = true
		for _, p := range parts {
			c.whole = c.whole && len(*p) == 0
		}
	}
	return c
}

// counts finds rows that no entry vouches for.
func (v *verifier) counts(tx Tx) error {
	for kind := itemMessage; kind <= itemAudit; kind++ {
		var n int64
		if err := one(tx, "SELECT count(*) FROM "+tableOf(kind), nil, &n); err != nil {
			return err
		}
		if n != v.verified[kind] {
			if err := v.stray(tx, kind); err != nil {
				return err
			}
		}
	}
	if v.out.Finding == nil && v.out.Events != v.head.event {
		v.find(v.last, ProblemChanged, "the ledger's head names event %d, %d are recorded", v.head.event, v.out.Events)
	}
	return nil
}

// stray names the first row that claims an entry which does not mention it last.
func (v *verifier) stray(tx Tx, kind itemKind) error {
	mentioned := map[int64]int64{}
	err := tx.Query("SELECT n, body FROM entry ORDER BY n", func(_ int, r Row) error {
		var n int64
		var body []byte
		if err := r.Scan(&n, &body); err != nil {
			return err
		}
		_, items, err := decodeBody(body)
		for _, it := range items {
			if it.kind == kind {
				mentioned[it.key] = n
			}
		}
		return err
	}, nil)
	if err != nil {
		return err
	}
	key, _, _ := bytes.Cut([]byte(tableColumns(kind)), []byte(","))
	return tx.Query("SELECT "+string(key)+", entry FROM "+tableOf(kind), func(_ int, r Row) error {
		var pos, entry int64
		if err := r.Scan(&pos, &entry); err != nil {
			return err
		}
		if n, ok := mentioned[pos]; !ok {
			v.find(max(min(entry, v.last), 0), ProblemChanged, "%s %d is in no entry", tableOf(kind), pos)
		} else if n != entry {
			v.find(n, ProblemChanged, "%s %d claims another entry", tableOf(kind), pos)
		}
		return nil
	}, nil)
}

func tableColumns(kind itemKind) string {
	switch kind {
	case itemMessage:
		return messageTable.columns
	case itemHandover:
		return handoverTable.columns
	case itemResource:
		return versionTable.columns
	case itemDelivery:
		return deliveryTable.columns
	case itemEvent:
		return eventTable.columns
	}
	return auditTable.columns
}

// current checks that every resource points at its last version.
func (v *verifier) current(tx Tx) error {
	return tx.Query(`SELECT v.entry, v.vid FROM resource_version v LEFT JOIN resource r ON r.rid = v.rid
		WHERE v.version = (SELECT max(l.version) FROM resource_version l WHERE l.rid = v.rid)
		AND (r.rid IS NULL OR r.vid <> v.vid OR r.version <> v.version OR r.type <> v.type OR r.id <> v.id
			OR r.handover <> v.handover OR (r.deleted <> v.deleted AND v.erased = 0)) ORDER BY v.entry LIMIT 1`,
		func(_ int, r Row) error {
			var entry, vid int64
			err := r.Scan(&entry, &vid)
			v.find(entry, ProblemChanged, "resource_version %d is not what its resource points at", vid)
			return err
		}, nil)
}
