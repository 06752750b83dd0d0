package ledgertest

import (
	"context"
	"runtime"
)

type ctxType = context.Context

func cancelable() (context.Context, context.CancelFunc) { return context.WithCancel(ctx) }

// pause lets others run while a test waits for a state that has no signal.
func pause() { runtime.Gosched() }
