package sqlite

import (
	"context"
	"path/filepath"
	"testing"

	"stafett/ledger"
	"stafett/ledger/ledgertest"
)

func BenchmarkCommit(b *testing.B) {
	s, err := Open(context.Background(), filepath.Join(b.TempDir(), "ledger.db"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	ledgertest.BenchmarkCommit(b, s)
}

func TestSmoke(t *testing.T) {
	ctx := context.Background()
	s, err := Open(ctx, filepath.Join(t.TempDir(), "ledger.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 20 {
		r, err := s.Apply(ctx, []ledger.Unit{ledgertest.Unit(2 * i), ledgertest.Unit(2*i + 1)})
		if err != nil || r[0].Err != nil || r[1].Err != nil {
			t.Fatal(err, r)
		}
	}
	v, err := s.Verify(ctx, nil)
	t.Logf("%+v %v", v, err)
	if v.Finding != nil {
		t.Fatal(*v.Finding)
	}
	ds, err := s.ClaimDeliveries(ctx, "me", ledgertest.Start.AddDate(1, 0, 0), 1e9, 10)
	if err != nil || len(ds) != 10 {
		t.Fatal(err, len(ds))
	}
	v, err = s.Verify(ctx, nil)
	if err != nil || v.Finding != nil {
		t.Fatal(err, v.Finding)
	}
	bal, err := s.Balance(ctx)
	t.Logf("%+v %v", bal, err)
}
