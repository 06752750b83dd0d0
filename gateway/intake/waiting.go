package intake

import (
	"sync"

	"stafett/handover"
)

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
