package hl7v2

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// Budget bounds the bytes of messages that are being received, over all connections of
// all servers that share it. Where it is used up, reading stops, and with it the sender.
//
// One message's worth is set aside: a message that finds no room waits for that, alone, so
// that half-read messages never wait for each other for ever.
type Budget struct {
	shared  *semaphore.Weighted
	reserve *semaphore.Weighted
	total   int64
}

// NewBudget returns a budget of total bytes, of which one message of messageMax is set
// aside. A total below twice messageMax is taken as that.
func NewBudget(total, messageMax int) *Budget {
	shared := max(int64(total)-int64(messageMax), int64(messageMax))
	return &Budget{shared: semaphore.NewWeighted(shared), reserve: semaphore.NewWeighted(1), total: shared}
}

// share is what one message holds of a budget.
type share struct {
	budget   *Budget
	held     int64
	reserved bool
}

// grow makes room for a message of size bytes in all. waited tells that it had to wait.
func (s *share) grow(ctx context.Context, size int) (waited bool, err error) {
	more := int64(size) - s.held
	if s.reserved || more <= 0 {
		return false, nil
	}
	if s.budget.shared.TryAcquire(more) {
		s.held += more
		return false, nil
	}
	if err := s.budget.reserve.Acquire(ctx, 1); err != nil {
		return true, err
	}
	s.reserved = true
	return true, nil
}

// release gives everything back.
func (s *share) release() {
	if s.held > 0 {
		s.budget.shared.Release(s.held)
	}
	if s.reserved {
		s.budget.reserve.Release(1)
	}
	s.held, s.reserved = 0, false
}
