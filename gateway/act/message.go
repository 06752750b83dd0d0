package act

import (
	"cmp"
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
	// ParkedOn is the handover whose attention it raised when it was kept.
	ParkedOn handover.ID
	Sender   directory.Party
	// Receiver is whom the message names, empty for none; Rerouted says that a named
	// person chose it.
	Receiver handover.PartyID
	Rerouted bool
	// Feed says that the wire tells of every patient: a policy decides whose stays are handovers.
	Feed bool
	// Verdict is what a named person said of the message's patient; empty for nothing.
	Verdict Verdict
	Content account.Canonical
	// References are the messages that this one refers to, the nearest first.
	References []string
	// RefusesIllegal says that the wire refuses what the handover's state does not allow.
	RefusesIllegal bool
	// Ours says that what is wrong with it is our own mapping's or code's fault.
	Ours bool
	// Copies are the parties that the message names for a copy. ReceiptOwed says that its
	// sender waits for a receipt by its receiver; Unread that nothing here reads it.
	Copies              []handover.PartyID
	ReceiptOwed, Unread bool
}

// A message that waits for another is tried again when that one comes, and at the latest after
// as long as it has waited already, between waitAgain and waitAgainMax: another process may have
// taken what it waits for.
const (
	waitAgain    = time.Minute
	waitAgainMax = time.Hour
)

// Message decides what a message means for its handover. A *handover.Fault says that it
// is to be refused or parked.
func Message(s *Snapshot, in Incoming) (*Plan, error) {
	in = in.asRuled(s)
	if in.Repeats(s) {
		return nil, ledger.ErrRepeat
	}
	if in.Unread {
		return in.passedOn(s), nil
	}
	d, err := in.decide(s)
	fed := errors.Is(err, errNoHandover)
	plan, err := in.outcome(s, d, err)
	if err == nil {
		in.remember(s, plan, fed)
	}
	return plan, err
}

// outcome is the plan of a message that was decided on, or what becomes of one that was not.
func (in Incoming) outcome(s *Snapshot, d *decision, err error) (*Plan, error) {
	var doubt *doubtful
	switch {
	case err == nil:
		return in.decided(d), nil
	case (errors.Is(err, errNoHandover) || kindOf(err) == handover.FaultAmbiguous && in.followsPassed(s)) && in.passes(&s.Settings):
		return in.passedOn(s), nil
	case errors.Is(err, errNoHandover) && in.ReceiptOwed:
		return nil, &handover.Fault{Kind: handover.FaultAmbiguous, Op: "act.Message", Text: "the message begins no handover, and no service of its receiver takes it as it is"}
	case errors.Is(err, errNoHandover):
		return in.applied(s, "feed: no handover for this stay", "feed"), nil
	case errors.Is(err, errBeforeOriginal):
		return in.wait(s)
	case errors.As(err, &doubt):
		return in.parkOn(s, d.before, doubt.fault, doubt.attention), nil
	case slices.Contains(notAllowed, kindOf(err)):
		if in.RefusesIllegal {
			return nil, err
		}
		return in.parkOn(s, d.before, handover.FaultOf(err), handover.AttentionIllegalEvent), nil
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
	if err := cmp.Or(in.timely(p), in.alive(p), d.opens(p)); err != nil {
		return d, err
	}
	if err := d.decide(); err != nil {
		return d, err
	}
	if err := in.tellElsewhere(d, p); err != nil {
		return d, err
	}
	if in.Rerouted {
		d.planResolved(handover.AttentionReceiverMayBeWrong)
	}
	in.planRuled(d)
	return d, nil
}

// planRuled ends the attention that the message raised where it was parked, which it is no more.
func (in Incoming) planRuled(d *decision) {
	if was := in.metBefore(); meets(was) && was.Handover == d.next.ID && in.isLastToMeet(d.s) {
		d.planResolved(handover.AttentionChainsMeet)
	}
}

// timely holds what takes back to what was before it: a cancellation that waited does not undo
// what happened after it.
func (in Incoming) timely(p placed) error {
	if !in.Again || in.Person != "" || !slices.Contains(undoes, p.event.Name) {
		return nil
	}
	at, err := time.Parse(time.RFC3339, in.Content.Facts["occurredAt"])
	f := p.before.Facts
	if err == nil && slices.ContainsFunc([]time.Time{f.AdmittedAt, f.ReadyAt, f.DischargedAt}, at.Before) {
		return &handover.Fault{Kind: handover.FaultAmbiguous, Op: "act.timely", Text: "the message takes back what happened after it"}
	}
	return nil
}

// alive asks a person about a stay that goes on after its patient was reported dead: what was
// told cannot be taken back by itself.
func (in Incoming) alive(p placed) error {
	if p.before.Next.None != handover.NoneDied || p.event.Name == handover.EventDied || in.Row.Sender != p.before.Sender ||
		slices.Contains(follows, p.event.Name) && in.Content.Facts["died"] != "false" {
		return nil
	}
	return &handover.Fault{Kind: handover.FaultIllegal, Op: "act.alive", Text: "the patient was reported dead, and the message says otherwise"}
}

// notAllowed are the faults of an event that the handover's state, or the actor's part in
// it, does not allow.
var notAllowed = []handover.FaultKind{handover.FaultIllegal, handover.FaultForbidden}

// decisionOn is the decision that a placed message asks for.
func (in Incoming) decisionOn(s *Snapshot, p placed) *decision {
	d := newDecision(s, p.before, ActorOf(in.Row.Sender, p.before), p.event)
	d.event.FastReceipt = s.fastReceipt(p.before.Receiver, p.before.Kind)
	d.message, d.content, d.correction = in.Row.ID, in.Content, p.correction
	d.inherits = p.ends.ID
	if d.older = in.isOlder(s, p.before); d.older {
		d.event.Residence = ""
	}
	if d.retracts() {
		d.event.Name = handover.EventRetracted
	}
	if p.event.Name == handover.EventReadmitted {
		d.content, d.successor, d.successorStay = account.Canonical{}, in.Content, in.stay(s)
	} else {
		d.stay, d.conversations = in.stay(s), in.conversations()
	}
	return d
}

// isOlder reports whether a message that was kept comes after what its sender said later has been
// told. What takes back has its own order in time.
func (in Incoming) isOlder(s *Snapshot, h handover.Handover) bool {
	if !in.Again || h.State == "" || slices.Contains(undoes, in.Content.Event) {
		return false
	}
	sent, _ := s.Sent.Get(h.ID)
	return slices.ContainsFunc(sent, func(d ledger.Delivery) bool {
		if d.Purpose != ledger.PurposeTell || d.Message == "" || d.Message == in.Row.ID {
			return false
		}
		m, _ := s.Messages.Get(d.Message)
		return m.Sender == in.Row.Sender && m.ReceivedAt.After(in.Row.ReceivedAt)
	})
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
	row.Unheard = string(plan.Unheard)
	in.addRow(&plan, row)
	in.copied(d, &plan)
	in.answered(d, &plan)
	line := in.audit(row, ledger.AuditReceived, string(d.next.State))
	line.Detail = d.verdict
	plan.addAudit(d.s.Now, line)
	if d.actor.Role == handover.RoleSender {
		plan.Arrived = in.meeting(d.s)
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
// original): it is tried again when that one arrives, and parked after 96 h. Its beginning to wait is
// audited, and its end; not each try between.
func (in Incoming) wait(s *Snapshot) (*Plan, error) {
	longest := s.Policy.CancellationWaiting.After
	if in.ReceiptOwed {
		// Its sender is told before its own limit for a receipt, which is the same 96 h.
		longest = longest * 3 / 4
	}
	waited := s.Now.Sub(in.Row.ReceivedAt)
	switch {
	case waited < longest:
	case in.Feed && !in.policyStarts() && !in.isParked(s):
		return in.applied(s, "feed: what it follows never came", "feed"), nil
	default:
		return nil, &handover.Fault{Kind: handover.FaultAmbiguous, Op: "act.wait", Text: "the message that it follows did not arrive in time"}
	}
	row := in.Row
	row.Handover = ""
	ended(&row, "waits for the message that it follows")
	row.Disposition, row.Deadline = ledger.DispositionMoving, s.Now.Add(min(max(waited, waitAgain), waitAgainMax, longest-waited))
	plan := &Plan{Waits: in.meeting(s)}
	in.addRow(plan, row)
	if in.Row.Disposition != ledger.DispositionMoving {
		plan.addAudit(s.Now, in.audit(row, ledger.AuditReceived, "waiting"))
	}
	return plan, nil
}

// meeting is where a message that waits and the one that it waits for meet: their stay, else
// their patient. Empty for neither.
func (in Incoming) meeting(s *Snapshot) string {
	if stay := in.stay(s); stay != "" {
		return stay
	}
	if persons := s.Identity.nationals(in.patient()); len(persons) > 0 {
		return persons[0]
	}
	return ""
}

// parkOn keeps a message that was read but that h, or what the message says of its person and
// its parties, does not allow to be applied, and raises attention at the handover. It is
// receipted as read.
func (in Incoming) parkOn(s *Snapshot, h handover.Handover, f *handover.Fault, why handover.AttentionReason) *Plan {
	d := newDecision(s, h, handover.Actor{Role: handover.RoleSystem}, handover.Event{Name: handover.EventAttentionRaised, Attention: why})
	d.message = in.Row.ID
	if h.State != "" {
		// Where the handover is closed the message's own contact and deadline are the mark.
		d.decideUnlessClosed()
	}
	row := in.Row
	row.Handover = h.ID
	s.park(&row, f)
	plan := d.plan
	in.addRow(&plan, row)
	plan.addAudit(s.Now, in.audit(row, ledger.AuditParked, string(f.Kind)))
	return &plan
}

// event is what the message tells.
func (in Incoming) event(s *Snapshot) handover.Event {
	c := in.Content
	ev := handover.Event{Name: c.Event, NewID: s.newHandover()}
	if slices.Contains(tellsOfDeath, c.Event) && (c.Facts["diedAt"] != "" || c.Facts["died"] == "true") {
		ev.Name = handover.EventDied
	}
	at, _ := time.Parse(time.RFC3339, c.Facts[happenedAt[ev.Name]])
	ev.At = at.UTC()
	ev.Day, _ = time.ParseInLocation(time.DateOnly, c.Day, in.Sender.Location())
	ev.Residence, ev.Protected = in.residence(), in.Rerouted && in.isProtected(s)
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
