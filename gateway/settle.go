package gateway

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"stafett/adapters"
	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
	"stafett/mappings/account"
)

// settle decides what the message means for its handover and commits all that follows in
// one transaction. A version conflict repeats the decision.
func (g *Gateway) settle(ctx context.Context, t *taking) error {
	if t.env.Receipt != nil {
		return g.settleReceipt(ctx, t)
	}
	about := cmp.Or(t.content.Facts["visit"], t.env.Parent, t.env.ID)
	defer g.lock(string(t.row.Sender) + "|" + about)()
	var err error
	for try := range decideTries {
		t.looks = try > 0
		if err = g.settleOnce(ctx, t); !errors.Is(err, ledger.ErrConflict) {
			return err
		}
	}
	return err
}

func (g *Gateway) settleOnce(ctx context.Context, t *taking) error {
	t.row.Handover, t.after = "", nil
	p, verdict, err := g.place(ctx, t)
	switch {
	case err != nil:
		return err
	case verdict == startFeed:
		return g.applyWithoutHandover(ctx, t)
	case verdict == startWait:
		return g.wait(ctx, t)
	}
	t.current, t.actor = p.before, actorOf(t.row.Sender, p.before)
	a := g.actOf(t, p)
	err = g.decide(ctx, a)
	var f *handover.Fault
	switch {
	case errors.Is(err, errBeforeOriginal):
		return g.wait(ctx, t)
	case errors.As(err, &f) && (f.Kind == handover.FaultIllegal || f.Kind == handover.FaultForbidden):
		return g.parkIllegal(ctx, t, f)
	case err != nil:
		return err
	}
	return g.commitApplied(ctx, t, a)
}

// placed is where a message belongs: the handover as it was before, or its parties where
// the message begins it, and what the message tells of it.
type placed struct {
	before   handover.Handover
	event    handover.Event
	readmits bool // the message begins a stay that ends the one before
}

// place finds the handover of the message, or says what becomes of one that has none.
func (g *Gateway) place(ctx context.Context, t *taking) (placed, startVerdict, error) {
	p := placed{event: g.eventOf(t)}
	var err error
	if p.before, err = g.find(ctx, t); err != nil || p.before.State != "" {
		return p, startNew, err
	}
	if p.event.Name == handover.EventAdmitted {
		if p.before, err = g.endedStay(ctx, t); err != nil {
			return p, startNew, err
		}
		if p.readmits = p.before.State != ""; p.readmits {
			p.event.Name = handover.EventReadmitted
			return p, startNew, nil
		}
	}
	verdict, err := g.start(t, &p.event)
	p.before = handover.Handover{Sender: p.event.Sender, Receiver: p.event.Receiver}
	return p, verdict, err
}

// actOf is the act that a placed message asks for.
func (g *Gateway) actOf(t *taking, p placed) *act {
	a := &act{now: t.now, actor: t.actor, event: p.event, kind: t.content.Kind, before: p.before, content: t.content,
		message: &t.row, looks: t.looks}
	if p.before.State != "" {
		a.kind = p.before.Kind
	}
	if p.readmits {
		a.content, a.successor = account.Canonical{}, t.content
	}
	a.event.FastReceipt = g.fastReceipt(p.before.Receiver, a.kind)
	return a
}

// commitApplied stores a decided message with all that it changes.
func (g *Gateway) commitApplied(ctx context.Context, t *taking, a *act) error {
	t.row.Handover = a.next.ID
	t.applied("")
	if a.event.Name == handover.EventReadmitted && a.opened != nil {
		t.row.Handover = a.opened.next.ID
	}
	g.answer(t)
	g.describe(t)
	t.putMessage(&a.unit)
	line := g.audit(t, ledger.AuditReceived, string(a.next.State))
	line.Detail = a.verdict
	a.unit.Audit = append(a.unit.Audit, line)
	if _, err := g.commit(ctx, a.unit); err != nil {
		return err
	}
	if visit := t.content.Facts["visit"]; visit != "" && t.actor.Role == handover.RoleSender {
		t.after = append(t.after, func() { g.waiting.arrived(t.row.Sender, visit) })
	}
	return nil
}

// endedStay is the handover of an earlier stay that the patient has left and that is still
// open: a new admission at the same sender ends it and opens its successor.
func (g *Gateway) endedStay(ctx context.Context, t *taking) (handover.Handover, error) {
	h, err := g.findByPatient(ctx, t)
	var f *handover.Fault
	if errors.As(err, &f) {
		return handover.Handover{}, nil // several chains: the new stay is one more
	}
	left := h.State == handover.StateInProgress || h.State == handover.StatePaused || !h.Facts.DischargedAt.IsZero()
	if err != nil || h.State == "" || h.Kind != handover.KindDischarge || h.Sender != t.row.Sender || !left {
		return handover.Handover{}, err
	}
	return h, nil
}

// fastReceipt: the wire by which a party will be told brings its receipt at once; not so
// of one that cannot be told.
func (g *Gateway) fastReceipt(id handover.PartyID, k handover.Kind) bool {
	p, _ := g.dir.Party(id)
	for _, w := range adapters.ByRank(g.codecs, k) {
		for _, s := range p.Services {
			if s.Wire == w {
				return g.codecs[w].FastReceipt()
			}
		}
	}
	return false
}

// receiptTerms are the policy's on a wire; one that is not served is not known to be fast.
func (g *Gateway) receiptTerms(w handover.Wire, at time.Time) (warn, hard time.Time) {
	codec := g.codecs[w]
	return g.policy.ReceiptTerms(codec != nil && codec.FastReceipt(), at)
}

// eventOf is the event that the message tells of.
func (g *Gateway) eventOf(t *taking) handover.Event {
	c := t.content
	ev := handover.Event{Name: c.Event, NewID: handover.ID(newID())}
	at := map[handover.EventName]string{
		handover.EventAdmitted: "admittedAt", handover.EventReady: "readyAt",
		handover.EventDischarged: "dischargedAt", handover.EventDied: "diedAt",
	}[c.Event]
	ev.At = parseTime(c.Facts[at])
	if c.Event == handover.EventDischarged && c.Facts["diedAt"] != "" {
		ev.Name, ev.At = handover.EventDied, parseTime(c.Facts["diedAt"])
	}
	if c.Day != "" {
		if day, err := time.ParseInLocation(time.DateOnly, c.Day, t.sender.Location()); err == nil {
			ev.Day = day
		}
	}
	if c.Event == handover.EventVoided {
		ev.Next = handover.Next{None: handover.NoneError}
	}
	return ev
}

func parseTime(s string) time.Time {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}

// actorOf is the capacity in which a party acts on a handover.
func actorOf(p handover.PartyID, h handover.Handover) handover.Actor {
	switch p {
	case h.Sender:
		return handover.Actor{Role: handover.RoleSender, Party: p}
	case h.Receiver:
		return handover.Actor{Role: handover.RoleReceiver, Party: p}
	}
	return handover.Actor{Role: handover.RoleCopy, Party: p}
}

// find finds the message's handover: by conversation, else stay number, else Task, else
// the patient with exactly one open chain. A zero Handover means none.
func (g *Gateway) find(ctx context.Context, t *taking) (handover.Handover, error) {
	for _, ref := range []string{t.env.Parent, t.env.Conversation} {
		if ref == "" {
			continue
		}
		hs, err := g.ledger.FindHandovers(ctx, ledger.KeyConversation, t.row.Sender, ref)
		if h, ok := g.pick(hs, t.row.Sender); ok || err != nil {
			return h, err
		}
	}
	if visit := t.content.Facts["visit"]; visit != "" {
		hs, err := g.ledger.FindHandovers(ctx, ledger.KeyVisit, t.row.Sender, visit)
		if err != nil {
			return handover.Handover{}, err
		}
		if h, ok := g.pick(hs, t.row.Sender); ok {
			return h, nil
		}
		// A stay that is not known yet is a new one, whatever else the patient has.
		return handover.Handover{}, nil
	}
	return g.findByPatient(ctx, t)
}

// pick prefers the open handover, else the newest; only those the party takes part in.
func (g *Gateway) pick(hs []handover.Handover, p handover.PartyID) (handover.Handover, bool) {
	var found handover.Handover
	for _, h := range hs {
		if !takesPart(p, h) {
			continue
		}
		if h.State.Open() {
			return h, true
		}
		if found.ID == "" {
			found = h
		}
	}
	return found, found.ID != ""
}

func takesPart(p handover.PartyID, h handover.Handover) bool {
	if p == h.Receiver {
		return !h.Facts.AccessEnded
	}
	return p == h.Sender || slices.Contains(h.Copies, p)
}

func (g *Gateway) findByPatient(ctx context.Context, t *taking) (handover.Handover, error) {
	open := map[handover.ChainID]handover.Handover{}
	for _, id := range personNumbers(resourceNamed(t.content, namePatient)) {
		hs, err := g.ledger.FindHandovers(ctx, ledger.KeyPatient, "", g.personKey(id.system, id.value))
		if err != nil {
			return handover.Handover{}, err
		}
		for _, h := range hs {
			if h.State.Open() && takesPart(t.row.Sender, h) {
				open[h.Chain] = h
			}
		}
	}
	switch len(open) {
	case 0:
		return handover.Handover{}, nil
	case 1:
		for _, h := range open {
			return h, nil
		}
	}
	return handover.Handover{}, &handover.Fault{Kind: handover.FaultAmbiguous, Op: "gateway.find", Text: "the patient has more than one open chain"}
}

type personNumber struct{ system, value string }

// personNumbers are the national numbers of a Patient.
func personNumbers(patient *fhir.Node) []personNumber {
	var out []personNumber
	for _, id := range patient.Each("identifier") {
		switch s := id.Str("system"); s {
		case fhir.SystemFNR, fhir.SystemDNR, fhir.SystemFHN:
			if v := id.Str("value"); v != "" {
				out = append(out, personNumber{s, v})
			}
		}
	}
	return out
}

// startVerdict says what becomes of a message that has no handover.
type startVerdict int

const (
	startNew startVerdict = iota
	startFeed
	startWait
)

// start says whether a message without a handover begins one, and fills in the event's
// parties. A feed is not a handover: the sender's policy decides which patients are.
func (g *Gateway) start(t *taking, ev *handover.Event) (startVerdict, error) {
	const op = "gateway.start"
	begins := ev.Name == handover.EventAdmitted || ev.Name == handover.EventReady ||
		ev.Name == handover.EventRequested || ev.Name == handover.EventDischarged
	if t.content.Facts["visit"] == "" {
		// An answer that refers to nothing known: only a named person can place it.
		return 0, &handover.Fault{Kind: handover.FaultAmbiguous, Op: op, Text: "the message refers to no known handover"}
	}
	if !g.policyStarts(t) {
		return startFeed, nil
	}
	if !begins || ev.Name == handover.EventDischarged {
		return startWait, nil
	}
	if t.content.Facts["reserved"] == "true" && t.rerouted == "" {
		return 0, &handover.Fault{Kind: handover.FaultNoRoute, Op: op, Text: "reservation or protected address: a named person must route it"}
	}
	to := t.receiver
	if to == "" || to == t.row.Sender {
		p, ok := g.dir.Route(t.row.Sender, t.content.Kind, t.content.Facts["kommunenummer"], t.content.Facts["postalCode"])
		if !ok {
			return 0, &handover.Fault{Kind: handover.FaultNoRoute, Op: op, Text: "no route of the sender leads to a receiver"}
		}
		to = p.ID
	}
	ev.Sender, ev.Receiver = t.row.Sender, to
	ev.Chain = handover.ChainID(g.stableID(t.row.Sender, "chain", t.content.Facts["visit"]))
	return startNew, nil
}

func (g *Gateway) policyStarts(t *taking) bool {
	p, f := t.sender.StartPolicy, t.content.Facts
	if p.KnownRecipient && f["knownRecipient"] == "true" || p.AssessedNeed && f["assessedNeed"] == "true" {
		return true
	}
	for _, u := range p.Units {
		if u == f["unit"] && u != "" {
			return true
		}
	}
	return false
}

// applyWithoutHandover records a message of the feed that concerns no handover.
func (g *Gateway) applyWithoutHandover(ctx context.Context, t *taking) error {
	t.applied("feed: no handover for this stay")
	g.answer(t)
	g.describe(t)
	return g.storeMessage(ctx, t, ledger.Unit{Audit: []ledger.Audit{g.audit(t, ledger.AuditReceived, "feed")}})
}

// parkIllegal keeps a message that was read but whose event the handover's state does not
// allow, and raises attention at both parties. It is receipted as read.
func (g *Gateway) parkIllegal(ctx context.Context, t *taking, f *handover.Fault) error {
	if t.codec.Refuses(handover.FaultIllegal) {
		return f
	}
	a := &act{now: t.now, actor: handover.Actor{Role: handover.RoleSystem}, kind: t.current.Kind, before: t.current, message: &t.row,
		event: handover.Event{Name: handover.EventAttentionRaised, Attention: handover.AttentionIllegalEvent}}
	if err := g.decide(ctx, a); err != nil {
		// A closed handover has no clock: the message's own contact and deadline are the mark.
		var closed *handover.Fault
		if !errors.As(err, &closed) || closed.Kind != handover.FaultIllegal {
			return err
		}
		a.unit = ledger.Unit{}
	}
	t.row.Disposition, t.row.Handover = ledger.DispositionParked, t.current.ID
	t.row.Reason, t.row.Detail = f.Kind, detailOf(f)
	t.row.Contact, t.row.Deadline = g.contactOf(t.row.Sender), t.now.Add(g.policy.EscalationAfter(0))
	g.answer(t)
	g.describe(t)
	t.putMessage(&a.unit)
	a.unit.Audit = append(a.unit.Audit, g.audit(t, ledger.AuditParked, string(f.Kind)))
	_, err := g.commit(ctx, a.unit)
	return err
}
