package gateway_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"stafett/adapters"
	"stafett/handover"
)

// BenchmarkIntake takes ready-for-discharge messages from 32 senders, from bytes to commit.
func BenchmarkIntake(b *testing.B) {
	bench := newBench(b)
	var n atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(16)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			raw := adt{trigger: "A16", id: fmt.Sprintf("B%d", i), visit: fmt.Sprintf("V%d", i), fnr: benchNumber(int(i))}.String()
			a := bench.g.Take(b.Context(), adapters.Inbound{Wire: handover.WireHL7v2, Caller: sykehus, Raw: []byte(raw)})
			if a.Outcome != adapters.OutcomeStored {
				b.Fatalf("%s: %v", a.Outcome, a.Fault)
			}
		}
	})
}

// benchNumber is the n-th number of a national number's form with right check digits.
func benchNumber(n int) string {
	for ; ; n++ {
		s := fmt.Sprintf("%02d%02d%02d%03d", n%28+1, n/28%12+1, n/336%100, n/33600%500)
		k1 := digit(s, 3, 7, 6, 1, 8, 9, 4, 5, 2)
		k2 := digit(s+fmt.Sprint(k1), 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
		if k1 < 10 && k2 < 10 {
			return s + fmt.Sprint(k1) + fmt.Sprint(k2)
		}
	}
}

func digit(s string, weights ...int) int {
	sum := 0
	for i, w := range weights {
		sum += w * int(s[i]-'0')
	}
	return (11 - sum%11) % 11
}
