package gateway

import (
	"context"
	"sync"
	"time"

	"stafett/handover"
	"stafett/ledger"
)

const (
	waitDetail = "waits for the message that it follows"
	waitAgain  = time.Minute
)

// wait keeps a message that arrived before the one it follows (a cancellation before its
// original): it is tried again when that one arrives and every minute, and parked after 96 h.
func (g *Gateway) wait(ctx context.Context, t *taking) error {
	if t.now.Sub(t.row.ReceivedAt) >= g.policy.CancellationWaiting.After {
		return &handover.Fault{Kind: handover.FaultAmbiguous, Op: "gateway.wait", Text: "the message that it follows did not arrive in time"}
	}
	t.applied(waitDetail)
	t.row.Disposition = ledger.DispositionMoving
	t.row.Deadline = t.now.Add(waitAgain)
	g.answer(t)
	g.describe(t)
	if err := g.storeMessage(ctx, t, ledger.Unit{Audit: []ledger.Audit{g.audit(t, ledger.AuditReceived, "waiting")}}); err != nil {
		return err
	}
	id, sender, visit := t.row.ID, t.row.Sender, t.content.Facts["visit"]
	t.after = append(t.after, func() {
		g.waiting.enter(sender, visit, func() { g.tryAgain(context.WithoutCancel(ctx), id) })
	})
	return nil
}

// waitingRoom remembers, in this process only, what waits for which stay; the deadline in
// the ledger finds what it forgets.
type waitingRoom struct {
	mu    sync.Mutex
	calls map[string][]func()
}

const waitingRoomMax = 10_000

func (w *waitingRoom) enter(p handover.PartyID, visit string, call func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calls == nil {
		w.calls = map[string][]func(){}
	}
	if len(w.calls) < waitingRoomMax {
		key := string(p) + "|" + visit
		w.calls[key] = append(w.calls[key], call)
	}
}

func (w *waitingRoom) arrived(p handover.PartyID, visit string) {
	w.mu.Lock()
	key := string(p) + "|" + visit
	calls := w.calls[key]
	delete(w.calls, key)
	w.mu.Unlock()
	for _, call := range calls {
		call()
	}
}
