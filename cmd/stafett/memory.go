package main

import (
	"context"
	"os"
	"runtime/debug"
	"time"
)

// Messages make much short-lived garbage. Under load it is collected rarely, for speed;
// otherwise as Go does by default, so that an idle gateway stays small. memorySoft is
// where Go begins to collect in earnest whatever the load.
const (
	gcBusy     = 600
	gcIdle     = 100
	busyPerSec = 50
	memorySoft = 1 << 30
)

// tuneMemory follows the load until ctx ends. GOGC and GOMEMLIMIT in the environment decide
// where they are set.
func (a *app) tuneMemory(ctx context.Context) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memorySoft)
	}
	if os.Getenv("GOGC") != "" {
		return
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	busy, before := false, a.metrics.count.Load()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := a.metrics.count.Load()
		if is := now-before > busyPerSec; is != busy {
			busy = is
			percent := gcIdle
			if busy {
				percent = gcBusy
			}
			debug.SetGCPercent(percent)
		}
		before = now
	}
}
