package transport

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// InFlightDefault is the bytes in hand where no Budget is given: 64 MB.
const InFlightDefault = 64 << 20

// Budget bounds the bytes of messages in hand, over all wires and connections that share
// it. Where it is used up, a wire stops reading or says that it is overloaded.
//
// One message's worth is set aside: a message that finds no room gets that, alone, so that
// half-read messages never wait for each other for ever.
type Budget struct {
	shared  *semaphore.Weighted
	reserve *semaphore.Weighted
}

// NewBudget returns a budget of total bytes, of which one message of messageMax is set
// aside. A total below twice messageMax is taken as that.
func NewBudget(total, messageMax int) *Budget {
	shared := max(int64(total)-int64(messageMax), int64(messageMax))
	return &Budget{shared: semaphore.NewWeighted(shared), reserve: semaphore.NewWeighted(1)}
}

// Share returns what one message holds of b, nothing yet.
func (b *Budget) Share() *Share { return &Share{budget: b} }

// Share is what one message holds of a Budget. It is not safe for concurrent use.
type Share struct {
	budget   *Budget
	held     int64
	reserved bool
}

// Grow makes room for a message of size bytes in all, and waits for it where there is
// none; waited tells that it had to take or await what is set aside. The error is ctx's.
func (s *Share) Grow(ctx context.Context, size int) (waited bool, err error) {
	if s.fits(size) {
		return false, nil
	}
	if err := s.budget.reserve.Acquire(ctx, 1); err != nil {
		return true, err
	}
	s.reserved = true
	return true, nil
}

// TryGrow is Grow for a wire that says at once that there is no room.
func (s *Share) TryGrow(size int) bool {
	if s.fits(size) {
		return true
	}
	s.reserved = s.budget.reserve.TryAcquire(1)
	return s.reserved
}

// fits takes what size needs of what is shared; whoever has the reserve needs no more.
func (s *Share) fits(size int) bool {
	more := int64(size) - s.held
	if s.reserved || more <= 0 {
		return true
	}
	if !s.budget.shared.TryAcquire(more) {
		return false
	}
	s.held += more
	return true
}

// Release gives everything back. It may be called again.
func (s *Share) Release() {
	if s.held > 0 {
		s.budget.shared.Release(s.held)
	}
	if s.reserved {
		s.budget.reserve.Release(1)
	}
	s.held, s.reserved = 0, false
}
