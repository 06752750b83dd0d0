package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"stafett/handover"
	"stafett/ledger"
	"stafett/mappings/account"
)

// watchBatch bounds one pass over what is due.
const watchBatch = 200

// Watch runs WatchOnce at every poll until ctx ends.
func (g *Gateway) Watch(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := g.WatchOnce(ctx); err != nil && ctx.Err() == nil {
			g.log.Error("the watch could not finish its pass", "cause", err.Error())
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// WatchOnce escalates everything whose deadline has passed by now: handovers and their
// attentions, deliveries without a receipt, parked messages (invariant 4).
func (g *Gateway) WatchOnce(ctx context.Context) error {
	now := g.now()
	return errors.Join(g.watchHandovers(ctx, now), g.watchDeliveries(ctx, now), g.watchMessages(ctx, now))
}

// guarded turns a panic over one thing that is due into an error: the others are still seen to.
func guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic (%T)", p)
		}
	}()
	return f()
}

func (g *Gateway) watchHandovers(ctx context.Context, now time.Time) error {
	due, err := g.ledger.DueHandovers(ctx, now, watchBatch)
	if err != nil {
		return err
	}
	var errs []error
	for _, h := range due {
		err := guarded(func() error {
			_, err := g.settleAct(ctx, h.ID, func(h handover.Handover) (*act, error) {
				if h.NextDue().IsZero() || h.NextDue().After(now) {
					return nil, nil
				}
				a := &act{now: now, actor: handover.Actor{Role: handover.RoleClock}, kind: h.Kind, before: h,
					event: handover.Event{Name: handover.EventDeadlinePassed}}
				return a, g.decide(ctx, a)
			})
			return err
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("handover %s: %w", h.ID, err))
		}
	}
	return errors.Join(errs...)
}

func (g *Gateway) watchDeliveries(ctx context.Context, now time.Time) error {
	due, err := g.ledger.DueDeliveries(ctx, now, watchBatch)
	if err != nil {
		return err
	}
	var errs []error
	for _, d := range due {
		err := guarded(func() error { return g.watchDelivery(ctx, d, now) })
		if err != nil && !errors.Is(err, ledger.ErrConflict) {
			errs = append(errs, fmt.Errorf("delivery %s: %w", d.ID, err))
		}
	}
	return errors.Join(errs...)
}

// watchDelivery: no receipt by WarnAt raises attention; none by Deadline (96 h from
// GenDate) counts as negative; a parked one is escalated again.
func (g *Gateway) watchDelivery(ctx context.Context, d ledger.Delivery, now time.Time) error {
	var a *act
	var err error
	switch d.State {
	case ledger.DeliveryParked, ledger.DeliveryRefused:
		a, err = g.escalateDelivery(ctx, d, now)
	default:
		if !now.Before(d.Deadline) {
			a, err = g.undeliverable(ctx, d, "no receipt within the limit", now)
			break
		}
		d.WarnAt = time.Time{}
		a = &act{now: now, actor: handover.Actor{Role: handover.RoleSystem}, unit: ledger.Unit{Deliveries: []ledger.Delivery{d}}}
		if d.Purpose == ledger.PurposeTell {
			err = g.tellHandover(ctx, a, d, false)
		}
	}
	if err != nil {
		return err
	}
	_, err = g.commit(ctx, a.unit)
	return err
}

// escalateDelivery alerts the next contact of the party on whose behalf it was sent. An
// alert that itself is parked goes to the operator, so that alerts breed no alerts.
func (g *Gateway) escalateDelivery(ctx context.Context, d ledger.Delivery, now time.Time) (*act, error) {
	step := d.Step
	d.Step++
	d.Deadline = now.Add(g.policy.EscalationAfter(d.Step))
	a := &act{now: now, actor: handover.Actor{Role: handover.RoleClock}, unit: ledger.Unit{Deliveries: []ledger.Delivery{d}}}
	to, err := g.responsible(ctx, d)
	if err != nil {
		return nil, err
	}
	if d.Purpose == ledger.PurposeAlert && (d.Receiver == g.operator || step > 0) {
		// What the alert was about escalates on its own; this one stays listed as parked.
		g.log.Error("an alert is parked", "delivery", d.ID, "receiver", d.Receiver, "error", d.Error)
		return a, nil
	}
	text := fmt.Sprintf("Varsel fra overføringsportalen, trinn %d. Meldingen %s til %s er ikke levert og må følges opp (%s).",
		step+1, d.ExternalID, g.partyName(d.Receiver), d.Error)
	return a, g.notifyContact(ctx, a, to, step, text, d.Handover)
}

// watchMessages tries waiting messages again and escalates parked ones.
func (g *Gateway) watchMessages(ctx context.Context, now time.Time) error {
	due, err := g.ledger.DueMessages(ctx, now, watchBatch)
	if err != nil {
		return err
	}
	var errs []error
	for _, m := range due {
		if m.Disposition == ledger.DispositionMoving {
			g.tryAgain(ctx, m.ID)
			continue
		}
		step := m.Step
		m.Step++
		m.Deadline = now.Add(g.policy.EscalationAfter(m.Step))
		a := &act{now: now, actor: handover.Actor{Role: handover.RoleClock}, unit: ledger.Unit{Messages: []ledger.MessageUpdate{{Message: m}}}}
		to := m.Sender
		if _, known := g.dir.Party(to); known {
			a.content = g.patientIn(ctx, m)
		} else {
			to = g.operator
		}
		text := fmt.Sprintf("Varsel fra overføringsportalen, trinn %d. Meldingen %s er satt til side og må behandles av en person: %s (%s).",
			step+1, m.ID, m.Reason, m.Detail)
		err := guarded(func() error { return g.notifyContact(ctx, a, to, step, text, m.Handover) })
		if err == nil {
			_, err = g.commit(ctx, a.unit)
		}
		if err != nil && !errors.Is(err, ledger.ErrConflict) {
			errs = append(errs, fmt.Errorf("message %s: %w", m.ID, err))
		}
	}
	return errors.Join(errs...)
}

// patientIn is the patient of a message that its own sender is told about, where it can be
// read; the sender's wire may take no notice without one.
func (g *Gateway) patientIn(ctx context.Context, m ledger.Message) account.Canonical {
	t := g.resume(m)
	t.sender, _ = g.dir.Party(m.Sender)
	err := guarded(func() error {
		if err := g.decode(ctx, t); err != nil {
			return err
		}
		return g.translate(ctx, t)
	})
	patient := resourceNamed(t.content, namePatient)
	if err != nil || patient == nil {
		return account.Canonical{}
	}
	return account.Canonical{Resources: []account.Named{{Name: namePatient, Resource: patient}}}
}

// notifyContact adds an alert about something that is not a handover's state to the act.
func (g *Gateway) notifyContact(ctx context.Context, a *act, to handover.PartyID, step int, text string, about handover.ID) error {
	p, ok := g.dir.Party(to)
	if !ok {
		p, ok = g.dir.Party(g.operator)
	}
	o := outgoing{to: p, event: handover.EventAttentionRaised, purpose: ledger.PurposeAlert}
	if about != "" {
		h, err := g.ledger.Handover(ctx, about)
		if err != nil {
			return err
		}
		a.next = h
		if a.taskNow, err = g.current(ctx, "Task", string(about), p.ID); err != nil && !errors.Is(err, ledger.ErrNotFound) {
			return err
		}
	}
	if ok {
		ok = g.atContact(&o, a.next.Kind, step)
	}
	g.observe.Escalated(a.next.Kind)
	return g.send(ctx, a, o, ok, text)
}
