package intake

import (
	"context"
	"errors"

	"stafett/adapters"
	"stafett/gateway/act"
	"stafett/gateway/kernel"
	"stafett/handover"
	"stafett/ledger"
)

// conclude ends a message that did not pass: repeated, refused or parked, each committed
// with its raw bytes; or unanswered, and then the sender still owns it.
func (g *Intake) conclude(ctx context.Context, t *taking, err error) adapters.Answer {
	if errors.Is(err, ledger.ErrRepeat) {
		return g.repeat(ctx, t)
	}
	f := kernel.FaultOf(err)
	if f.Kind.Temporary() {
		g.k.Log.Warn("message left unanswered", "correlation", t.in.Correlation, "wire", t.in.Wire, "fault", f.Kind, "cause", f.Error())
		return unanswered(t, f)
	}
	answer, err := g.keep(ctx, t, f)
	if errors.Is(err, ledger.ErrRepeat) {
		return g.repeat(ctx, t)
	}
	if err != nil {
		f := kernel.FaultOf(err)
		g.k.Log.Error("a refusal could not be stored", "correlation", t.in.Correlation, "cause", f.Error())
		return unanswered(t, f)
	}
	return answer
}

// keep commits a refused or parked message. One that was answered positively before is
// never refused afterwards, nor one that fails by our own fault.
func (g *Intake) keep(ctx context.Context, t *taking, f *handover.Fault) (adapters.Answer, error) {
	refused := !t.again && !t.ours && (t.codec == nil || t.checked || t.codec.Refuses(f.Kind))
	if !refused {
		t.answer()
	} else if t.codec != nil {
		t.row.Answer = t.codec.Answer(t.env, t.row.ID, f, t.now)
	}
	in, receipted := t.incoming(), t.in.Broken == nil && g.serves(t.env.Receiver)
	plan, err := g.k.Do(ctx, "", nil, func(s *act.Snapshot) (*act.Plan, error) {
		if in.Repeats(s) {
			return nil, ledger.ErrRepeat
		}
		return act.Kept(s, in, f, refused, receipted), nil
	})
	if err != nil {
		return adapters.Answer{}, err
	}
	t.row = rowOf(plan)
	g.k.Log.Warn("message "+string(t.row.Disposition), "correlation", t.in.Correlation, "message", t.row.ID,
		"wire", t.in.Wire, "type", t.row.Type, "sender", t.row.Sender, "fault", f.Kind, "path", f.Path)
	if refused {
		return adapters.Answer{Outcome: adapters.OutcomeRefused, Bytes: t.row.Answer, Fault: f, Message: t.row.ID}, nil
	}
	return stored(t), nil
}

// serves reports whether an address names a party of the directory, or nobody but the gateway:
// what others are sent gets no receipt from here, not even a negative one.
func (g *Intake) serves(a adapters.Address) bool {
	_, _, known := g.partyAt(a)
	return known || !g.namesOther(a)
}

// repeat answers as the first time and changes nothing: same sender, id and digest.
func (g *Intake) repeat(ctx context.Context, t *taking) adapters.Answer {
	row := t.incoming().Row
	var first ledger.Message
	plan, err := g.k.Do(ctx, "", nil, func(s *act.Snapshot) (*act.Plan, error) {
		var plan *act.Plan
		var found bool
		if plan, first, found = act.Repeat(s, row); !found {
			return nil, ledger.ErrNotFound
		}
		return plan, nil
	})
	if err != nil {
		return unanswered(t, kernel.FaultOf(err))
	}
	t.row = rowOf(plan)
	if first.Disposition == ledger.DispositionRefused {
		return adapters.Answer{Outcome: adapters.OutcomeRefused, Bytes: first.Answer, Message: first.ID,
			Fault: &handover.Fault{Kind: first.Reason, Text: first.Detail}}
	}
	return adapters.Answer{Outcome: adapters.OutcomeStored, Bytes: first.Answer, Message: first.ID}
}
