package kernel

import (
	"context"
	"errors"
	"slices"

	"stafett/handover"
	"stafett/ledger"
)

// FaultOf turns what Do returns into a fault; what the ledger could not do, and a conflict
// that outlived its tries, is temporary.
func FaultOf(err error) *handover.Fault {
	var f *handover.Fault
	if !errors.As(err, &f) && isAny(err, ledger.ErrFull, ledger.ErrClosed, ledger.ErrConflict, context.DeadlineExceeded, context.Canceled) {
		return &handover.Fault{Kind: handover.FaultTemporary, Text: "not stored", Err: err}
	}
	return handover.FaultOf(err)
}

// NotFound is FaultOf for a reader: what is not there is not found.
func NotFound(err error) *handover.Fault {
	if errors.Is(err, ledger.ErrNotFound) {
		return &handover.Fault{Kind: handover.FaultNotFound, Op: "kernel.NotFound", Text: "no such resource"}
	}
	return FaultOf(err)
}

func isAny(err error, list ...error) bool {
	return slices.ContainsFunc(list, func(e error) bool { return errors.Is(err, e) })
}
