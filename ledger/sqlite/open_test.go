package sqlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stafett/ledger"
	"stafett/ledger/ledgertest"
)

func wantRefusal(t *testing.T, path, part string) {
	t.Helper()
	s, err := Open(context.Background(), path, Options{})
	if err == nil {
		_ = s.Close()
		t.Fatalf("opened, want an error about %q", part)
	}
	if !strings.Contains(err.Error(), part) {
		t.Errorf("got %v, want an error about %q", err, part)
	}
}

func TestOpen_SecondHolder_Refused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ledger.db")
	first := openTest(t, path)
	wantRefusal(t, path, "another process holds the ledger")
	link := filepath.Join(dir, "other.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, link, "another process holds the ledger")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	openTest(t, path)
}

func TestOpen_NewerSchema_Refused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	if err := openTest(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	execBehind(t, path, "PRAGMA user_version = 99")
	wantRefusal(t, path, "schema is version 99")
}

func TestOpen_OtherFiles_Refused(t *testing.T) {
	dir := t.TempDir()
	foreign := filepath.Join(dir, "foreign.db")
	execBehind(t, foreign, "CREATE TABLE patients (name TEXT)")
	wantRefusal(t, foreign, "another program")
	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, text, "not a database")
	wantRefusal(t, ":memory:", "needs a file")
	wantRefusal(t, "", "needs a file")
	wantRefusal(t, filepath.Join(dir, "none", "ledger.db"), "path")
}

// TestInvariant1_UnsafeSettings_Refused: each setting that durability rests on is read back.
func TestInvariant1_UnsafeSettings_Refused(t *testing.T) {
	for _, pragma := range []string{"journal_mode = DELETE", "synchronous = NORMAL", "synchronous = OFF", "foreign_keys = 0"} {
		db := openTest(t, filepath.Join(t.TempDir(), "ledger.db")).db
		if err := checkSettings(db.writer); err != nil {
			t.Fatal(err)
		}
		for range db.count { // journal_mode cannot change while others read
			if err := (<-db.readers).close(); err != nil {
				t.Fatal(err)
			}
		}
		db.count = 0
		if err := db.writer.exec(context.Background(), "PRAGMA "+pragma); err != nil {
			t.Fatal(err)
		}
		if err := checkSettings(db.writer); err == nil || !strings.Contains(err.Error(), "refusing to start") {
			t.Errorf("%s: got %v", pragma, err)
		}
	}
}

// TestInvariant1_FullDisk_ErrFull: a full disk is told apart, stores nothing of the batch,
// turns readiness off, and passes.
func TestInvariant1_FullDisk_ErrFull(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, filepath.Join(t.TempDir(), "ledger.db"))
	limit := func(pages string) {
		if _, err := s.db.writer.text("PRAGMA max_page_count = " + pages); err != nil {
			t.Fatal(err)
		}
	}
	limit("200")
	stored := 0
	var err error
	for n := 0; n < 1000; n++ {
		if _, err = s.Apply(ctx, []ledger.Unit{ledgertest.Unit(2 * n), ledgertest.Unit(2*n + 1)}); err != nil {
			break
		}
		stored = n + 1
	}
	if !errors.Is(err, ledger.ErrFull) {
		t.Fatalf("got %v, want ErrFull", err)
	}
	head, err := s.Head(ctx)
	if err != nil || head.Entry != int64(2*stored) {
		t.Errorf("%d entries after %d whole batches, %v", head.Entry, stored, err)
	}
	limit("1000000")
	if err := s.Ready(ctx); err != nil {
		t.Errorf("not ready after the disk has room: %v", err)
	}
	r, err := s.Apply(ctx, []ledger.Unit{ledgertest.Unit(2 * stored)})
	if err != nil || r[0].Err != nil {
		t.Errorf("after the disk has room: %v %v", err, r)
	}
	v, err := s.Verify(ctx, nil)
	if err != nil || v.Finding != nil {
		t.Errorf("%v %+v", err, v.Finding)
	}
}

func TestReady_ReadOnly_ErrFull(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "ledger.db"))
	if err := s.db.writer.exec(context.Background(), "PRAGMA query_only = 1"); err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(context.Background()); !errors.Is(err, ledger.ErrFull) {
		t.Errorf("got %v, want ErrFull", err)
	}
	if _, err := s.Apply(context.Background(), []ledger.Unit{ledgertest.Unit(1)}); !errors.Is(err, ledger.ErrFull) {
		t.Errorf("got %v, want ErrFull", err)
	}
}

func TestIndexes_AreUsed(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "ledger.db"))
	for _, query := range []string{
		"SELECT due FROM delivery WHERE queue > 0 AND queue = 1 ORDER BY due LIMIT 1",
		"SELECT ord FROM delivery WHERE queue > 0 AND queue = 1 AND due <= 5 ORDER BY due, ord LIMIT 9",
		"SELECT due FROM handover WHERE due > 0 ORDER BY due LIMIT 1",
		"SELECT deadline FROM message WHERE disposition IN ('parked', 'moving') AND resolution = '' AND deadline > 0 ORDER BY deadline LIMIT 1",
		"SELECT pos FROM message WHERE sender = 'a' AND external_id = 'b' AND digest = 'c' AND disposition NOT IN ('repeated', 'refused') AND external_id <> ''",
		"SELECT pos FROM message WHERE handover = 'a' AND handover <> '' ORDER BY pos",
		"SELECT ord FROM delivery WHERE external_id = 'a' AND external_id <> '' AND receiver = 'b'",
		"SELECT ord FROM delivery WHERE message = 'a' AND message <> ''",
		"SELECT count(*) FROM message m WHERE m.unheard <> ''",
		"SELECT pos FROM message m WHERE m.resolution <> ''",
		"SELECT ord FROM delivery d WHERE (d.resolution <> '' OR d.state = 'closed')",
		"SELECT rid FROM search WHERE param = 1 AND value = 'x' AND system = 2",
	} {
		err := s.db.writer.query(context.Background(), "EXPLAIN QUERY PLAN "+query, nil, func(r ledger.Row) error {
			if plan := r.(row)[3].(string); !strings.Contains(plan, "INDEX") {
				t.Errorf("%s\n%s", query, plan)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}
