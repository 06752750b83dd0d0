package ledgertest

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"stafett/ledger"
)

// BenchmarkCommit commits typical units through a Group from 256 requests at a time, and
// reports units per second.
func BenchmarkCommit(b *testing.B, s ledger.Store) {
	g := ledger.NewGroup(s, ledger.GroupOptions{})
	var n atomic.Int64
	n.Store(time.Now().UnixNano())
	b.SetParallelism(128)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := g.Commit(context.Background(), Unit(int(n.Add(1)))); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "units/s")
	if err := g.Close(); err != nil {
		b.Error(err)
	}
}
