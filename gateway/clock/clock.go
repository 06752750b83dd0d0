// Package clock escalates what is late: handovers and their attentions, deliveries without
// a receipt, parked messages. It never closes anything.
package clock

import (
	"context"
	"errors"
	"fmt"
	"time"

	"stafett/fhir"
	"stafett/gateway/act"
	"stafett/gateway/intake"
	"stafett/gateway/kernel"
	"stafett/handover"
	"stafett/ledger"
)

// batch bounds one pass over what is due.
const batch = 200

// Clock watches deadlines. Its methods are safe for concurrent use.
type Clock struct {
	k      *kernel.Kernel
	intake *intake.Intake
}

// New makes a clock. Waiting messages are tried again through in.
func New(k *kernel.Kernel, in *intake.Intake) *Clock { return &Clock{k, in} }

// Watch runs WatchOnce at every poll until ctx ends.
func (g *Clock) Watch(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := g.WatchOnce(ctx); ctx.Err() == nil {
			g.k.Outages.Tell(g.k.Log, "the watch over deadlines", err, g.k.Now())
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// WatchOnce escalates everything whose deadline has passed by now (invariant 4).
func (g *Clock) WatchOnce(ctx context.Context) error {
	now := g.k.Now()
	return errors.Join(
		each(ctx, now, g.k.Ledger.DueHandovers, g.handover),
		each(ctx, now, g.k.Ledger.DueDeliveries, g.delivery),
		each(ctx, now, g.k.Ledger.DueMessages, g.message))
}

// each sees to all that is due. One that fails, or panics, keeps none of the others; what
// somebody else changed meanwhile is seen to at the next pass.
func each[T any](ctx context.Context, now time.Time, due func(context.Context, time.Time, int) ([]T, error), see func(context.Context, T) error) error {
	list, err := due(ctx, now, batch)
	if err != nil {
		return err
	}
	var errs []error
	for _, one := range list {
		if err := guarded(func() error { return see(ctx, one) }); !errors.Is(err, ledger.ErrConflict) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// guarded turns a panic over one thing that is due into an error.
func guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic (%T)", p)
		}
	}()
	return f()
}

func (g *Clock) handover(ctx context.Context, h handover.Handover) error {
	_, err := g.k.Do(ctx, string(h.ID), nil, func(s *act.Snapshot) (*act.Plan, error) { return act.Overdue(s, h.ID) })
	return about("handover", h.ID, err)
}

func (g *Clock) delivery(ctx context.Context, d ledger.Delivery) error {
	plan, err := g.k.Once(ctx, act.External{Party: d.Receiver, ID: d.ExternalID}.Lock(), func(s *act.Snapshot) (*act.Plan, error) {
		return act.OverdueDelivery(s, d), nil
	})
	if plan != nil && d.State.Parked() && len(plan.Tellings) == 0 {
		g.k.Log.Error("an alert is parked", "delivery", d.ID, "receiver", d.Receiver, "error", d.Error)
	}
	return about("delivery", d.ID, err)
}

// message tries a waiting message again and escalates a parked one.
func (g *Clock) message(ctx context.Context, m ledger.Message) error {
	if m.Disposition == ledger.DispositionMoving {
		g.intake.TryAgain(ctx, m.ID)
		return nil
	}
	patient := g.patient(ctx, m)
	_, err := g.k.Once(ctx, "", func(s *act.Snapshot) (*act.Plan, error) { return act.OverdueMessage(s, m, patient), nil })
	return about("message", m.ID, err)
}

// patient is the message's, where its sender is known and it can be read without harm.
func (g *Clock) patient(ctx context.Context, m ledger.Message) (patient *fhir.Node) {
	if _, known := g.k.Directory.Party(m.Sender); !known {
		return nil
	}
	_ = guarded(func() error { patient = g.intake.Patient(ctx, m); return nil })
	return patient
}

func about[ID ~string](what string, id ID, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", what, id, err)
}
