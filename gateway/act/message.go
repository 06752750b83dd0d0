package act

import (
	"errors"
	"slices"
	"time"

	"stafett/directory"
	"stafett/handover"
	"stafett/ledger"
	"stafett/mappings/account"
)

// Incoming is a message that was read: its row, with the positive answer that it gets, and
// what it says.
type Incoming struct {
	Row ledger.Message
	// Again says that the message was kept before; Person had it tried again.
	Again  bool
	Person string
	Sender directory.Party
	// Receiver is whom the message names, empty for none; Rerouted says that a named
	// person chose it.
	Receiver handover.PartyID
	Rerouted bool
	Content  account.Canonical
	// References are the messages that this one refers to, the nearest first.
	References []string
	// RefusesIllegal says that the wire refuses what the handover's state does not allow.
	RefusesIllegal bool
	// Copies are the parties that the message names for a copy. ReceiptOwed says that its
	// sender waits for a receipt by its receiver; Unread that nothing here reads it.
	Copies              []handover.PartyID
	ReceiptOwed, Unread bool
}

// waitAgain is how soon a message that waits for another is tried again, at the latest.
const waitAgain = time.Minute

// Message decides what a message means for its handover. A *handover.Fault says that it
// is to be refused or parked.
func Message(s *Snapshot, in Incoming) (*Plan, error) {
	if in.Unread {
		return in.passedOn(s), nil
	}
	d, err := in.decide(s)
	switch {
	case err == nil:
		return in.decided(d), nil
	case errors.Is(err, errNoHandover) && in.passes(&s.Settings):
		return in.passedOn(s), nil
	case errors.Is(err, errNoHandover) && in.ReceiptOwed:
		return nil, &handover.Fault{Kind: handover.FaultAmbiguous, Op: "act.Message", Text: "the message begins no handover, and no service of its receiver takes it as it is"}
	case errors.Is(err, errNoHandover):
		return in.applied(s, "feed: no handover for this stay", "feed"), nil
	case errors.Is(err, errBeforeOriginal):
		return in.wait(s)
	case slices.Contains(notAllowed, kindOf(err)):
		return in.parkIllegal(s, d.before, handover.FaultOf(err))
	}
	return nil, err
}

// decide finds where the message belongs, and decides what it means there. Its error is
// place's or the decision's.
func (in Incoming) decide(s *Snapshot) (*decision, error) {
	p, err := place(s, in)
	d := in.decisionOn(s, p)
	if err != nil {
		return d, err
	}
	if at := in.Content.Facts["unreadable"]; at != "" {
		// No other time stands in for one that a person can ask for.
		return d, &handover.Fault{Kind: handover.FaultAmbiguous, Op: "act.decide", Text: "a time that decides cannot be read", Path: at}
	}
	return d, d.decide()
}

// errNoHandover: the message belongs to no handover and begins none.
var errNoHandover = errors.New("gateway: the message is of a feed")

// notAllowed are the faults of an event that the handover's state, or the actor's part in
// it, does not allow.
var notAllowed = []handover.FaultKind{handover.FaultIllegal, handover.FaultForbidden}

// placed is where a message belongs: the handover as it was before, or its parties where
// the message begins it, and what the message tells of it.
type placed struct {
	before   handover.Handover
	event    handover.Event
	readmits bool // the message begins a stay that ends the one before
}

// place finds the handover of the message, or the parties of the one that it begins. Its
// error is a *handover.Fault, errNoHandover or errBeforeOriginal.
func place(s *Snapshot, in Incoming) (placed, error) {
	p := placed{event: in.event(s)}
	var err error
	if p.before, err = in.find(s); err != nil || p.before.State != "" {
		return p, err
	}
	if p.before = in.endedStay(s); p.before.State != "" {
		p.readmits, p.event.Name = true, handover.EventReadmitted
		return p, nil
	}
	err = in.start(s, &p.event)
	p.before = handover.Handover{Kind: in.Content.Kind, Sender: p.event.Sender, Receiver: p.event.Receiver}
	return p, err
}

// decisionOn is the decision that a placed message asks for.
func (in Incoming) decisionOn(s *Snapshot, p placed) *decision {
	d := newDecision(s, p.before, ActorOf(in.Row.Sender, p.before), p.event)
	d.event.FastReceipt = s.fastReceipt(p.before.Receiver, p.before.Kind)
	d.message, d.content = in.Row.ID, in.Content
	if p.readmits {
		d.content, d.successor = account.Canonical{}, in.Content
	}
	return d
}

// fastReceipt says that the wire by which a party will be told brings its receipt at once;
// not so of one that cannot be told.
func (s *Settings) fastReceipt(id handover.PartyID, k handover.Kind) bool {
	p, _ := s.Directory.Party(id)
	for _, w := range s.Wires(k) {
		if slices.ContainsFunc(p.Services, func(s directory.Service) bool { return s.Wire == w }) {
			return s.Fast(w)
		}
	}
	return false
}

// decided is the plan of a message that was decided on.
func (in Incoming) decided(d *decision) *Plan {
	row := in.Row
	row.Handover = d.next.ID
	if d.event.Name == handover.EventReadmitted && d.opened != nil {
		row.Handover = d.opened.next.ID
	}
	plan := d.plan
	plan.Handover = d.next
	ended(&row, "")
	in.addRow(&plan, row)
	in.copied(d, &plan)
	in.answered(d, &plan)
	line := in.audit(row, ledger.AuditReceived, string(d.next.State))
	line.Detail = d.verdict
	plan.addAudit(d.s.Now, line)
	if d.actor.Role == handover.RoleSender {
		plan.Arrived = in.Content.Facts["visit"]
	}
	return &plan
}

// ended marks a message as read and used; one that was kept before needs nobody any more.
func ended(row *ledger.Message, detail string) {
	row.Disposition, row.Reason, row.Detail = ledger.DispositionApplied, "", detail
	row.Contact, row.Deadline, row.Step = "", time.Time{}, 0
}

// addRow adds the message's row: inserted, or updated when it was kept before.
func (in Incoming) addRow(p *Plan, row ledger.Message) {
	if in.Again {
		p.Unit.Messages = append(p.Unit.Messages, ledger.MessageUpdate{Message: row})
		return
	}
	p.Unit.Message = &row
}

func (in Incoming) audit(row ledger.Message, action ledger.AuditAction, outcome string) ledger.Audit {
	return ledger.Audit{Action: action, Party: row.Sender, Person: in.Person, Message: row.ID, Handover: row.Handover,
		Outcome: outcome, Correlation: row.Correlation}
}

// applied is the plan of a message that changes its own row only.
func (in Incoming) applied(s *Snapshot, detail, outcome string) *Plan {
	row := in.Row
	row.Handover = ""
	ended(&row, detail)
	return in.alone(s, row, ledger.AuditReceived, outcome)
}

// alone is the plan of a message's row and its audit line.
func (in Incoming) alone(s *Snapshot, row ledger.Message, action ledger.AuditAction, outcome string) *Plan {
	plan := &Plan{}
	in.addRow(plan, row)
	plan.addAudit(s.Now, in.audit(row, action, outcome))
	return plan
}

// wait keeps a message that arrived before the one it follows (a cancellation before its
// original): it is tried again when that one arrives and every minute, and parked after 96 h.
func (in Incoming) wait(s *Snapshot) (*Plan, error) {
	longest := s.Policy.CancellationWaiting.After
	if in.ReceiptOwed {
		// Its sender is told before its own limit for a receipt, which is the same 96 h.
		longest = longest * 3 / 4
	}
	if s.Now.Sub(in.Row.ReceivedAt) >= longest {
		return nil, &handover.Fault{Kind: handover.FaultAmbiguous, Op: "act.wait", Text: "the message that it follows did not arrive in time"}
	}
	row := in.Row
	row.Handover = ""
	ended(&row, "waits for the message that it follows")
	row.Disposition, row.Deadline = ledger.DispositionMoving, s.Now.Add(waitAgain)
	plan := in.alone(s, row, ledger.AuditReceived, "waiting")
	plan.Waits = in.Content.Facts["visit"]
	return plan, nil
}

// parkIllegal keeps a message that was read but whose event the handover's state does not
// allow, and raises attention at both parties. It is receipted as read.
func (in Incoming) parkIllegal(s *Snapshot, h handover.Handover, f *handover.Fault) (*Plan, error) {
	if in.RefusesIllegal {
		return nil, f
	}
	d := newDecision(s, h, handover.Actor{Role: handover.RoleSystem},
		handover.Event{Name: handover.EventAttentionRaised, Attention: handover.AttentionIllegalEvent})
	d.message = in.Row.ID
	// Where the handover is closed the message's own contact and deadline are the mark.
	d.decideUnlessClosed()
	row := in.Row
	row.Handover = h.ID
	s.park(&row, f)
	plan := d.plan
	in.addRow(&plan, row)
	plan.addAudit(s.Now, in.audit(row, ledger.AuditParked, string(f.Kind)))
	return &plan, nil
}

// event is what the message tells.
func (in Incoming) event(s *Snapshot) handover.Event {
	c := in.Content
	ev := handover.Event{Name: c.Event, NewID: handover.ID(s.NewID())}
	if slices.Contains(tellsOfDeath, c.Event) && (c.Facts["diedAt"] != "" || c.Facts["died"] == "true") {
		ev.Name = handover.EventDied
	}
	at, _ := time.Parse(time.RFC3339, c.Facts[happenedAt[ev.Name]])
	ev.At = at.UTC()
	ev.Day, _ = time.ParseInLocation(time.DateOnly, c.Day, in.Sender.Location())
	return ev
}

// tellsOfDeath are the events whose message may tell that the patient died, with or without
// a time.
var tellsOfDeath = []handover.EventName{handover.EventDischarged, handover.EventUpdated}

// happenedAt names the fact that says when an event happened. A time that says nothing, or
// that cannot be read, is zero.
var happenedAt = map[handover.EventName]string{
	handover.EventAdmitted: "admittedAt", handover.EventReady: "readyAt",
	handover.EventDischarged: "dischargedAt", handover.EventDied: "diedAt",
}

// find finds the message's handover: by conversation, else stay number, else Task, else
// the patient with exactly one open chain. A zero Handover means none.
func (in Incoming) find(s *Snapshot) (handover.Handover, error) {
	for _, ref := range in.References {
		hs, _ := s.Keys.Get(Key{ledger.KeyConversation, in.Row.Sender, ref})
		if h, ok := pick(hs, in.Row.Sender); ok {
			return h, nil
		}
	}
	if visit := in.Content.Facts["visit"]; visit != "" {
		hs, _ := s.Keys.Get(Key{ledger.KeyVisit, in.Row.Sender, visit})
		// A stay that is not known yet is a new one, whatever else the patient has.
		h, _ := pick(hs, in.Row.Sender)
		return h, nil
	}
	return in.findByPatient(s)
}

// pick prefers the open handover, else the newest; only those the party takes part in.
func pick(hs []handover.Handover, p handover.PartyID) (handover.Handover, bool) {
	own := slices.DeleteFunc(slices.Clone(hs), func(h handover.Handover) bool { return !TakesPart(p, h) })
	if len(own) == 0 {
		return handover.Handover{}, false
	}
	open := slices.IndexFunc(own, func(h handover.Handover) bool { return h.State.Open() })
	return own[max(open, 0)], true
}

func (in Incoming) findByPatient(s *Snapshot) (handover.Handover, error) {
	open := map[handover.ChainID]handover.Handover{}
	for _, person := range s.Identity.persons(in.Content.Resource(NamePatient)) {
		hs, _ := s.Keys.Get(Key{Kind: ledger.KeyPatient, Value: person})
		for _, h := range hs {
			if h.State.Open() && TakesPart(in.Row.Sender, h) {
				open[h.Chain] = h
			}
		}
	}
	if len(open) > 1 {
		return handover.Handover{}, &handover.Fault{Kind: handover.FaultAmbiguous, Op: "act.find", Text: "the patient has more than one open chain"}
	}
	for _, h := range open {
		return h, nil
	}
	return handover.Handover{}, nil
}

// endedStay is the handover of an earlier stay that the patient has left and that is still
// open: a new admission at the same sender ends it and opens its successor. Where there
// are several chains the new stay is one more.
func (in Incoming) endedStay(s *Snapshot) handover.Handover {
	if in.Content.Event != handover.EventAdmitted {
		return handover.Handover{}
	}
	h, err := in.findByPatient(s)
	if err != nil || h.Kind != handover.KindDischarge || h.Sender != in.Row.Sender || !left(h) {
		return handover.Handover{}
	}
	return h
}

// left reports whether the patient has left the sender.
func left(h handover.Handover) bool {
	return !h.Facts.DischargedAt.IsZero() || slices.Contains(inCare, h.State)
}

// inCare are the states in which the receiver has the patient.
var inCare = []handover.State{handover.StateInProgress, handover.StatePaused}

// begins are the events that may begin a handover.
var begins = []handover.EventName{handover.EventAdmitted, handover.EventReady, handover.EventRequested}

// follows are what a feed tells of patients with a handover or without: they begin none, and
// undo none that could still arrive.
var follows = []handover.EventName{handover.EventUpdated, handover.EventMoved, handover.EventLeave, handover.EventMerged}

// start fills in the parties of the handover that a message begins, or says why it begins
// none. A feed is not a handover: the sender's policy decides which patients are.
func (in Incoming) start(s *Snapshot, ev *handover.Event) error {
	const op = "act.start"
	facts := in.Content.Facts
	switch {
	case slices.Contains(follows, ev.Name):
		return errNoHandover
	case facts["visit"] == "":
		// An answer that refers to nothing known: only a named person can place it.
		return &handover.Fault{Kind: handover.FaultAmbiguous, Op: op, Text: "the message refers to no known handover"}
	case !in.policyStarts():
		return errNoHandover
	case !slices.Contains(begins, ev.Name):
		return errBeforeOriginal
	case facts["reserved"] == "true" && !in.Rerouted:
		return &handover.Fault{Kind: handover.FaultNoRoute, Op: op, Text: "reservation or protected address: a named person must route it"}
	}
	to, ok := in.route(s)
	if !ok {
		return &handover.Fault{Kind: handover.FaultNoRoute, Op: op, Text: "no route of the sender leads to a receiver"}
	}
	ev.Sender, ev.Receiver, ev.Copies = in.Row.Sender, to, in.Copies
	ev.Chain = handover.ChainID(s.Identity.StableID(in.Row.Sender, "chain", facts["visit"]))
	return nil
}

// route is the receiver: whom the message names, else where the sender's routes lead.
func (in Incoming) route(s *Snapshot) (handover.PartyID, bool) {
	if in.Receiver != "" && in.Receiver != in.Row.Sender {
		return in.Receiver, true
	}
	facts := in.Content.Facts
	p, ok := s.Directory.Route(in.Row.Sender, in.Content.Kind, facts["kommunenummer"], facts["postalCode"])
	return p.ID, ok
}

func (in Incoming) policyStarts() bool {
	p, f := in.Sender.StartPolicy, in.Content.Facts
	known := p.KnownRecipient && f["knownRecipient"] == "true"
	assessed := p.AssessedNeed && f["assessedNeed"] == "true"
	return known || assessed || f["unit"] != "" && slices.Contains(p.Units, f["unit"])
}

// Ahead asks for what Message is known to ask: how the message's handover is found, and
// the things that it names again.
func (in Incoming) Ahead(s *Snapshot) {
	for _, ref := range in.References {
		s.Keys.Want(Key{ledger.KeyConversation, in.Row.Sender, ref})
	}
	if visit := in.Content.Facts["visit"]; visit != "" {
		s.Keys.Want(Key{ledger.KeyVisit, in.Row.Sender, visit})
	}
	for _, r := range in.Content.Resources {
		if r.Key != "" && r.Name != NameTask && !s.mayBegin(r) {
			typ := r.Resource.ResourceType()
			s.Resources.Want(ledger.ResourceKey{Type: typ, ID: s.Identity.StableID(in.Row.Sender, typ, r.Key)})
		}
	}
}
