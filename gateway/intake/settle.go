package intake

import (
	"cmp"
	"context"

	"stafett/gateway/act"
	"stafett/gateway/kernel"
	"stafett/ledger"
)

// settle has the kernel decide what the message means and commit all that follows.
func (g *Intake) settle(ctx context.Context, t *taking) error {
	t.answer()
	t.row.Handover = ""
	in := t.incoming()
	key, ahead, decide := t.aboutHandover(in)
	if t.env.Receipt != nil {
		key, ahead, decide = t.aboutDelivery(in)
	}
	plan, err := g.k.Do(ctx, key, ahead, decide)
	if err != nil {
		return err
	}
	t.row = rowOf(plan)
	g.waits(ctx, t, plan)
	return nil
}

// aboutHandover: a message acts on the handover of its stay, or of what it refers to.
func (t *taking) aboutHandover(in act.Incoming) (string, kernel.Ahead, kernel.Plan) {
	about := cmp.Or(in.Content.Facts["visit"], t.env.Parent, t.env.ID)
	ahead := func(s *act.Snapshot) { in.Ahead(s) }
	return string(t.row.Sender) + "|" + about, ahead, func(s *act.Snapshot) (*act.Plan, error) { return act.Message(s, in) }
}

// aboutDelivery: a receipt acts on what was sent. The send that it answers may be recorded
// at this same time.
func (t *taking) aboutDelivery(in act.Incoming) (string, kernel.Ahead, kernel.Plan) {
	r := *t.env.Receipt
	sent := act.External{Party: t.row.Sender, ID: r.OriginalID}
	return sent.Lock(), func(s *act.Snapshot) { s.Answered.Want(sent) },
		func(s *act.Snapshot) (*act.Plan, error) { return act.Receipt(s, in, r) }
}

// rowOf is the message's row as it was committed: inserted, or updated when it was kept
// before.
func rowOf(p *act.Plan) ledger.Message {
	if p.Unit.Message != nil {
		return *p.Unit.Message
	}
	return p.Unit.Messages[0].Message
}

// waits remembers a message that waits for another of its stay, and tries those again
// that waited for this one.
func (g *Intake) waits(ctx context.Context, t *taking, p *act.Plan) {
	id, sender := t.row.ID, t.row.Sender
	switch {
	case t.row.Disposition == ledger.DispositionMoving:
		g.waiting.enter(sender, p.Waits, func() { g.TryAgain(context.WithoutCancel(ctx), id) })
	case p.Arrived != "":
		g.waiting.arrived(sender, p.Arrived)
	}
}
