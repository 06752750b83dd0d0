package kernel

import (
	"context"
	"errors"

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
		return &handover.Fault{Kind: handover.FaultNotFound, Op: "gateway.Read", Text: "no such resource"}
	}
	return FaultOf(err)
}

func isAny(err error, list ...error) bool {
	for _, e := range list {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
