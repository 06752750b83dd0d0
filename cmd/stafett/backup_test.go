package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"stafett/ledger"
	"stafett/ledger/sqlite"
)

// grown opens the ledger and adds entries to it.
func grown(t *testing.T, file string, entries int) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), file, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range entries {
		results, err := s.Apply(context.Background(), []ledger.Unit{{Audit: []ledger.Audit{{Action: ledger.AuditOperated, Outcome: strconv.Itoa(i)}}}})
		if err != nil || results[0].Err != nil {
			t.Fatal(err, results[0].Err)
		}
	}
	return s
}

// TestInvariant8_ABackupIsWholeAndOneWithoutItsLogIsNot: a copy of a ledger that is being
// written, and the mistake of copying its file alone.
func TestInvariant8_ABackupIsWholeAndOneWithoutItsLogIsNot(t *testing.T) {
	path, _ := example(t)
	dir := filepath.Dir(path)
	file := filepath.Join(dir, "ledger.db")
	if err := grown(t, file, 10).Close(); err != nil {
		t.Fatal(err)
	}
	running := grown(t, file, 10) // of these the write-ahead log holds all
	defer running.Close()

	copied := filepath.Join(dir, "copy.db")
	out, code := run(t, "ledger", "backup", copied, "--config", path)
	if code != 0 || !strings.Contains(out, "20 entries") || !strings.Contains(out, "the chain is whole") {
		t.Fatalf("exit %d: %s", code, out)
	}
	if out, code := run(t, "ledger", "verify", "--file", copied); code != 0 || !strings.Contains(out, "holds the checkpoint") {
		t.Errorf("exit %d: %s", code, out)
	}
	if out, code := run(t, "ledger", "backup", copied, "--config", path); code != 1 || !strings.Contains(out, "replaces nothing") {
		t.Errorf("exit %d: %s", code, out)
	}

	bare := filepath.Join(dir, "bare.db")
	raw, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(bare, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	out, code = run(t, "ledger", "verify", "--file", bare)
	if code != 0 || !strings.Contains(out, "10 entries") || !strings.Contains(out, "only a checkpoint shows") {
		t.Errorf("exit %d: %s", code, out)
	}
	out, code = run(t, "ledger", "verify", "--file", bare, "--checkpoint", checkpointOf(copied), "--json")
	var v struct {
		Whole   bool
		Finding struct{ Problem string }
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 2 || v.Whole || v.Finding.Problem != "cut-off" {
		t.Errorf("exit %d, %v: %s", code, err, out)
	}
}

// TestBackup_OfAnotherSchema: what this program could not verify it does not copy.
func TestBackup_OfAnotherSchema(t *testing.T) {
	path, _ := example(t)
	file := filepath.Join(filepath.Dir(path), "ledger.db")
	if err := grown(t, file, 1).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", file)
	if err == nil {
		_, err = db.Exec("PRAGMA user_version = 1")
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "copy.db")
	for _, command := range [][]string{{"ledger", "backup", to, "--config", path}, {"ledger", "verify", "--file", file}} {
		if out, code := run(t, command...); code != 1 || !strings.Contains(out, "schema is version 1") {
			t.Errorf("%v: exit %d: %s", command, code, out)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(to)); err != nil || len(left) != 0 {
		t.Errorf("%v %v", left, err)
	}
}

func TestBackup_OfNothing(t *testing.T) {
	path, _ := example(t)
	to := filepath.Join(t.TempDir(), "copy.db")
	if out, code := run(t, "ledger", "backup", to, "--config", path); code != 1 || !strings.Contains(out, "no ledger to copy") {
		t.Errorf("exit %d: %s", code, out)
	}
	for _, name := range []string{to, to + ".part", checkpointOf(to)} {
		if _, err := os.Stat(name); err == nil {
			t.Errorf("%s was made", filepath.Base(name))
		}
	}
}

// TestFiles_AreTheirOwnersAlone: what a whole run leaves, also where an older one left it
// open to others.
func TestFiles_AreTheirOwnersAlone(t *testing.T) {
	path, token := example(t)
	dir := filepath.Dir(path)
	file, store := filepath.Join(dir, "ledger.db"), filepath.Join(dir, "events")
	if err := grown(t, file, 1).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(store, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{file: 0o644, store: 0o755} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := loadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	a, err := startApp(t.Context(), cfg, discarded())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("STAFETT_URL", "http://"+a.httpAddr)
	t.Setenv("STAFETT_TOKEN", token["operator"])
	for _, command := range [][]string{{"ledger", "backup", filepath.Join(dir, "copy.db"), "--config", path},
		{"ledger", "checkpoint", "--out", filepath.Join(dir, "head.json")}} {
		if out, code := run(t, command...); code != 0 {
			t.Errorf("%v: exit %d: %s", command, code, out)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) < 8 {
		t.Fatalf("%d files, %v", len(entries), err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", e.Name(), info.Mode())
		}
	}
	if err := a.shutdown(); err != nil {
		t.Error(err)
	}
}
