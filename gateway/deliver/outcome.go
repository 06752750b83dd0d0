package deliver

import (
	"context"
	"time"

	"stafett/adapters"
	"stafett/gateway/act"
	"stafett/handover"
	"stafett/ledger"
)

// putBack returns a claimed delivery untried, for its receiver is at its limit or down.
func (g *Deliverer) putBack(ctx context.Context, d ledger.Delivery, wait time.Duration) {
	_, err := g.k.Once(ctx, "", func(s *act.Snapshot) (*act.Plan, error) { return act.PutBack(d, s.Now.Add(wait)), nil })
	if err != nil {
		g.k.Log.Warn("a delivery could not be put back; its lease will end", "delivery", d.ID, "cause", err.Error())
	}
}

// record stores what became of an attempt. If that fails the lease runs out and the message
// is sent again, identical.
func (g *Deliverer) record(ctx context.Context, d ledger.Delivery, sent adapters.Sent, sendErr error) {
	attempt := act.Attempt{Receipt: sent.Receipt}
	if sendErr != nil {
		attempt.Fault = handover.FaultOf(sendErr)
		attempt.Retry = g.k.Now().Add(g.backoff(d.Attempts))
	}
	g.report(d, attempt.Fault, g.k.Now())
	// A receiver may receipt before its transport has answered us.
	key := act.External{Party: d.Receiver, ID: d.ExternalID}.Lock()
	_, err := g.k.Do(ctx, key, func(s *act.Snapshot) { s.Ahead(d) }, func(s *act.Snapshot) (*act.Plan, error) {
		now, ok := claimed(s, d)
		if !ok {
			return nil, nil // a receipt overtook the transport's answer
		}
		return act.Attempted(s, now, attempt), nil
	})
	if err != nil {
		g.k.Log.Warn("a delivery's outcome could not be stored; its lease will end", "delivery", d.ID, "cause", err.Error())
	}
}

// claimed is the delivery as it stands: as it was claimed, unless that met a conflict.
// false when it is not being sent any more.
func claimed(s *act.Snapshot, d ledger.Delivery) (ledger.Delivery, bool) {
	if !s.Retry {
		return d, true
	}
	fresh, _ := s.Deliveries.Get(d.ID)
	d.Version = fresh.Version
	return d, fresh.State == ledger.DeliverySending
}

// setAside parks a delivery without any of the consequences that it may have panicked in.
func (g *Deliverer) setAside(ctx context.Context, d ledger.Delivery) {
	_, err := g.k.Do(ctx, "", nil, func(s *act.Snapshot) (*act.Plan, error) {
		fresh, _ := s.Deliveries.Get(d.ID)
		if fresh.State != ledger.DeliverySending {
			return nil, nil
		}
		return act.Abandoned(s, fresh), nil
	})
	if err != nil {
		g.k.Log.Error("a delivery could not be set aside", "delivery", d.ID, "cause", err.Error())
	}
}
