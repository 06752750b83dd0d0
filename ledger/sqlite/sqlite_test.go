package sqlite

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"stafett/ledger"
	"stafett/ledger/ledgertest"
)

func openTest(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(context.Background(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	paths := map[ledger.Store]string{}
	open := func(t testing.TB, path string) ledger.Store {
		s := openTest(t, path)
		paths[s] = path
		return s
	}
	ledgertest.Run(t, ledgertest.Harness{
		Open: func(t testing.TB) ledger.Store { return open(t, filepath.Join(t.TempDir(), "ledger.db")) },
		Reopen: func(t testing.TB, s ledger.Store) ledger.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, paths[s])
		},
		Back: `CREATE TABLE v1 (rid INTEGER NOT NULL, party TEXT NOT NULL, PRIMARY KEY (rid, party)) WITHOUT ROWID;
			INSERT INTO v1 SELECT DISTINCT rid, party FROM visibility; DROP TABLE visibility; ALTER TABLE v1 RENAME TO visibility;
			CREATE INDEX resource_handover ON resource (handover) WHERE handover <> '';
			DROP INDEX message_external; ALTER TABLE head DROP COLUMN at; DROP TABLE guard; DROP INDEX message_resolved; DROP INDEX message_unheard; DROP INDEX delivery_resolved;
			ALTER TABLE message DROP COLUMN resolved_at; ALTER TABLE message DROP COLUMN unheard;
			ALTER TABLE delivery DROP COLUMN told; ALTER TABLE delivery DROP COLUMN resolution; ALTER TABLE delivery DROP COLUMN person;
			PRAGMA user_version = 1`,
		Exec: func(t testing.TB, s ledger.Store, script string) { execBehind(t, paths[s], script) },
	})
}

// execBehind writes to the file without the ledger, as one with a tool and access can.
func execBehind(t testing.TB, path, script string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Exec("PRAGMA foreign_keys = 0; " + script); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkCommit(b *testing.B) {
	ledgertest.BenchmarkCommit(b, openTest(b, filepath.Join(b.TempDir(), "ledger.db")))
}
