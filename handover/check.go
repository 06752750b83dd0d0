package handover

import (
	"cmp"
	"slices"
	"time"
)

const decideOp = "handover.Decide"

func invalid(text string) *Fault {
	return &Fault{Kind: FaultInvalid, Op: decideOp, Text: text}
}

func illegal(text string) *Fault {
	return &Fault{Kind: FaultIllegal, Op: decideOp, Text: text}
}

func forbidden(text string) *Fault {
	return &Fault{Kind: FaultForbidden, Op: decideOp, Text: text}
}

// dayWindow bounds the days that an event may name: a deadline further away would be
// no deadline.
const dayWindow = 366 * 24 * time.Hour

func (d *decision) checkEvent() *Fault {
	switch {
	case !slices.Contains(Kinds(), d.kind) || (d.h.Kind != "" && d.h.Kind != d.kind):
		return invalid("the kind is not the handover's")
	case !slices.Contains(States(), d.h.State):
		return invalid("the state is not known")
	case rows[d.e.Name] == nil:
		return invalid("the event is not known")
	case !d.day.IsZero() && (d.day.Sub(d.now) > dayWindow || d.now.Sub(d.day) > dayWindow):
		return invalid("the day named must lie within a year")
	case d.e.Next.Handover != "" && d.e.Next.None != "":
		return invalid("name either a handover that is next or the reason why there is none")
	case d.e.Next.None != "" && !slices.Contains(NoneReasons(), d.e.Next.None):
		return invalid("the reason why nothing follows is not known")
	}
	return nil
}

// checkActor finds the capacity in which the actor speaks, and for receipts whose it is.
func (d *decision) checkActor() *Fault {
	switch d.a.Role {
	case RoleSystem, RolePolicy, RoleClock:
		d.as = d.a.Role
		return d.checkAbout()
	case RoleReader:
		if d.a.Person == "" {
			return forbidden("a reader must be a named person")
		}
	case RoleSender, RoleReceiver, RoleCopy:
	default:
		return forbidden("the actor's role is not known")
	}
	d.as = d.capacity()
	switch {
	case d.as == "" || (d.a.Role == RoleReader && d.as == RoleCopy):
		return forbidden("the actor takes no part in this handover")
	case d.a.Role != RoleReader && d.a.Role != d.as:
		return forbidden("the actor is another party of this handover")
	case d.as == RoleReceiver && d.h.Facts.AccessEnded:
		return forbidden("the receiver's access has ended")
	}
	return d.checkAbout()
}

// capacity is the part that the actor's party has.
func (d *decision) capacity() ActorRole {
	sender, receiver, copies := d.h.Sender, d.h.Receiver, d.h.Copies
	if d.h.State == StateNone {
		sender, receiver = cmp.Or(sender, d.e.Sender), cmp.Or(receiver, d.e.Receiver)
		copies = append(copies[:len(copies):len(copies)], d.e.Copies...)
	}
	switch {
	case d.a.Party == "":
	case d.a.Party == sender:
		return RoleSender
	case d.a.Party == receiver:
		return RoleReceiver
	case slices.Contains(copies, d.a.Party):
		return RoleCopy
	}
	return ""
}

func (d *decision) checkAbout() *Fault {
	d.about = cmp.Or(d.a.Party, d.h.Receiver)
	if d.h.State == StateNone || (d.e.Name != EventReceipted && d.e.Name != EventUnreachable) {
		return nil
	}
	if d.about != d.h.Sender && d.about != d.h.Receiver && !slices.Contains(d.h.Copies, d.about) {
		return forbidden("the receipt is of no party of this handover")
	}
	return nil
}

func (d *decision) checkOpening() *Fault {
	sender, receiver := cmp.Or(d.h.Sender, d.e.Sender), cmp.Or(d.h.Receiver, d.e.Receiver)
	switch {
	case cmp.Or(d.h.ID, d.e.NewID) == "":
		return invalid("a new handover needs an id")
	case cmp.Or(d.h.Chain, d.e.Chain) == "":
		return invalid("a new handover needs a chain")
	case sender == "" || receiver == "":
		return invalid("a new handover needs a sender and a receiver")
	case sender == receiver:
		return invalid("sender and receiver must be two parties")
	}
	return nil
}

func (d *decision) checkForward() *Fault {
	to := d.e.ForwardTo
	switch {
	case to == "":
		return invalid("name the receiver that the request is forwarded to")
	case d.e.NewID == "" || d.e.NewID == d.h.ID:
		return invalid("an id for the new handover is needed")
	case to == d.h.Sender:
		return illegal("a request cannot be forwarded to its sender")
	case to == d.h.Receiver || slices.Contains(d.h.Hops, to):
		return illegal("the request has been with that receiver already")
	case len(d.h.Hops) >= d.p.ForwardsMax:
		return illegal("the request has been forwarded too often")
	}
	return nil
}

func (d *decision) checkSuccessor() *Fault {
	switch {
	case d.e.NewID == "" || d.e.NewID == d.h.ID:
		return invalid("an id for the new handover is needed")
	case d.e.Receiver == d.h.Sender:
		return invalid("sender and receiver must be two parties")
	case d.e.Receiver == "" && d.h.Facts.AccessEnded:
		return invalid("name the receiver of the new stay")
	}
	return nil
}

// checkResolve lets a person clear only what its own party was told to look at.
func (d *decision) checkResolve() *Fault {
	i := d.attention(d.e.Attention)
	if i < 0 || d.a.Role != RoleReader || slices.Contains(d.h.Attentions[i].Parties, d.a.Party) {
		return nil
	}
	return forbidden("the attention is for another party to resolve")
}

// AllowedEvents lists, in life-cycle order, what actor may cause on h now with an effect;
// repeats and what the event itself would have to name are left out of account. It is
// nil for an actor that has no part in h.
func (p Policy) AllowedEvents(kind Kind, h Handover, actor Actor, now time.Time) []EventName {
	// One decision asks for all: matching reads and never writes.
	d := newDecision(p, kind, Handover{}, Event{Name: EventUpdated}, actor, now)
	d.h = h
	if d.h.State == "" {
		d.h.State = StateNone
	}
	if d.h.State == StateNone && d.h.Sender == "" {
		d.h.Sender = actor.Party
	}
	if d.checkEvent() != nil {
		return nil
	}
	var out []EventName
	for _, name := range eventNames {
		d.e.Name = name
		if d.checkActor() != nil {
			continue
		}
		r := d.match()
		if r == nil || r.waits || r.repeatsOnly() || (r.special == specialEscalate && !h.Due(d.now)) {
			continue
		}
		out = append(out, name)
	}
	return out
}

var eventNames = EventNames()

func (r *rule) repeatsOnly() bool {
	return r.quiet && len(r.facts) == 0 && len(r.raise) == 0 && len(r.clear) == 0 && r.special == ""
}
