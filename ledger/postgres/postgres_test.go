package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"stafett/ledger"
	"stafett/ledger/ledgertest"
)

// testURL names a server on which tests make schemas of their own.
const testURL = "STAFETT_TEST_POSTGRES"

var schemas atomic.Int64

// server returns the test server's URL; asked for and not reachable is a failure.
func server(t testing.TB) string {
	t.Helper()
	url := os.Getenv(testURL)
	if url == "" {
		t.Skip(testURL + " is not set: the PostgreSQL suite needs a server")
	}
	return url
}

func connect(t testing.TB) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(context.Background(), server(t))
	if err != nil {
		t.Fatalf("%s is set, but: %v", testURL, err)
	}
	return c
}

// newSchema makes an empty schema that is dropped at the end of the test.
func newSchema(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("stafett_test_%d_%d", time.Now().UnixNano(), schemas.Add(1))
	run(t, "CREATE SCHEMA "+name)
	t.Cleanup(func() { run(t, "DROP SCHEMA "+name+" CASCADE") })
	return name
}

func run(t testing.TB, script string) {
	t.Helper()
	c := connect(t)
	defer func() { _ = c.Close(context.Background()) }()
	if _, err := c.Exec(context.Background(), "SET client_min_messages = warning; "+script); err != nil {
		t.Fatal(err)
	}
}

func openTest(t testing.TB, schema string) *Store {
	t.Helper()
	s, err := Open(context.Background(), server(t), Options{Schema: schema})
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
	names := map[ledger.Store]string{}
	open := func(t testing.TB, schema string) ledger.Store {
		s := openTest(t, schema)
		names[s] = schema
		return s
	}
	ledgertest.Run(t, ledgertest.Harness{
		Open: func(t testing.TB) ledger.Store { return open(t, newSchema(t)) },
		Reopen: func(t testing.TB, s ledger.Store) ledger.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, names[s])
		},
		Back: `CREATE TABLE v1 (rid BIGINT NOT NULL, party TEXT NOT NULL, PRIMARY KEY (rid, party));
			INSERT INTO v1 SELECT DISTINCT rid, party FROM visibility; DROP TABLE visibility; ALTER TABLE v1 RENAME TO visibility;
			CREATE INDEX resource_handover ON resource (handover) WHERE handover <> '';
			DROP INDEX message_external; ALTER TABLE head DROP COLUMN at; DROP TABLE guard; DROP INDEX message_resolved; DROP INDEX message_unheard; DROP INDEX delivery_resolved;
			ALTER TABLE message DROP COLUMN resolved_at; ALTER TABLE message DROP COLUMN unheard;
			ALTER TABLE delivery DROP COLUMN told; ALTER TABLE delivery DROP COLUMN resolution; ALTER TABLE delivery DROP COLUMN person;
			UPDATE meta SET schema_version = 1`,
		Exec: func(t testing.TB, s ledger.Store, script string) {
			run(t, "SET search_path = "+names[s]+"; "+dropKeys()+script)
		},
		Second: func(t testing.TB, s ledger.Store) ledger.Store { return open(t, names[s]) },
	})
}

// dropKeys takes the foreign keys away first, as one who tampers can.
func dropKeys() string {
	var b strings.Builder
	for table, key := range map[string]string{"message_content": "pos", "delivery_content": "ord", "resource_version": "rid"} {
		fmt.Fprintf(&b, "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s_%s_fkey; ", table, table, key)
	}
	return b.String()
}

func BenchmarkCommit(b *testing.B) {
	ledgertest.BenchmarkCommit(b, openTest(b, newSchema(b)))
}

func TestInvariant1_UnsafeSettings_Refused(t *testing.T) {
	s, err := Open(context.Background(), withSetting(server(t), "synchronous_commit=off"), Options{Schema: newSchema(t)})
	if err == nil {
		_ = s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "refusing to start: synchronous_commit") {
		t.Errorf("synchronous_commit off: got %v", err)
	}
	for _, test := range []struct {
		name, value string
		want        bool
	}{
		{"fsync", "on", true}, {"fsync", "off", false}, {"full_page_writes", "off", false}, {"full_page_writes", "on", true},
		{"synchronous_commit", "on", true}, {"synchronous_commit", "remote_apply", true}, {"synchronous_commit", "local", true}, {"synchronous_commit", "off", false},
	} {
		if durable(test.name, test.value) != test.want {
			t.Errorf("%s=%s: durable is %v", test.name, test.value, !test.want)
		}
	}
}

// withSetting adds a server setting to a URL.
func withSetting(url, setting string) string {
	mark := "?"
	if strings.Contains(url, "?") {
		mark = "&"
	}
	name, value, _ := strings.Cut(setting, "=")
	return url + mark + name + "=" + value
}

func TestOpen_NewerSchema_Refused(t *testing.T) {
	schema := newSchema(t)
	openTest(t, schema)
	run(t, "UPDATE "+schema+".meta SET schema_version = 99")
	s, err := Open(context.Background(), server(t), Options{Schema: schema})
	if err == nil {
		_ = s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "schema is version 99") {
		t.Errorf("got %v", err)
	}
}

func TestOpen_Errors(t *testing.T) {
	_, err := Open(context.Background(), "postgres://user:hemmelig@[/x", Options{})
	if err == nil || strings.Contains(err.Error(), "hemmelig") {
		t.Errorf("a broken URL: %v", err)
	}
	_, err = Open(context.Background(), "postgres://user:hemmelig@127.0.0.1:1/x", Options{})
	if err == nil || strings.Contains(err.Error(), "hemmelig") {
		t.Errorf("no server: %v", err)
	}
}

// Two processes that start on an empty database make one schema.
func TestOpen_Together(t *testing.T) {
	schema := newSchema(t)
	epochs := make(chan string, 4)
	for range 4 {
		go func() {
			s, err := Open(context.Background(), server(t), Options{Schema: schema, Connections: 2})
			if err != nil {
				epochs <- err.Error()
				return
			}
			meta, err := s.Meta(context.Background())
			if err != nil {
				meta.Epoch = err.Error()
			}
			epochs <- meta.Epoch
			_ = s.Close()
		}()
	}
	first := <-epochs
	for range 3 {
		if e := <-epochs; e != first {
			t.Errorf("%s and %s", first, e)
		}
	}
}

func TestErrors_FullDisk_ErrFull(t *testing.T) {
	schema := newSchema(t)
	openTest(t, schema)
	s, err := Open(context.Background(), server(t), Options{Schema: schema})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	err = s.db.translate(fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: codeDiskFull, Detail: "value"}))
	if !errors.Is(err, ledger.ErrFull) || strings.Contains(err.Error(), "value") {
		t.Errorf("full disk: %v", err)
	}
	if err := s.Ready(context.Background()); err != nil {
		t.Error(err)
	}
}
