package postgres

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

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
