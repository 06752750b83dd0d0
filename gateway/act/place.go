package act

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
	"stafett/mappings/account"
)

// Verdict is what a named person says of a message whose patient, or whose addressee, is not
// the handover's that it refers to.
type Verdict string

// The verdicts.
const (
	// VerdictCorrected: it is the handover's patient, whose marks the sender corrected.
	VerdictCorrected Verdict = "corrected"
	// VerdictAnotherStay: it is about another stay, whatever it refers to.
	VerdictAnotherStay Verdict = "another-stay"
)

// errNoHandover: the message belongs to no handover and begins none.
var errNoHandover = errors.New("gateway: the message is of a feed")

// doubtful: a named person must say whether the message belongs to the handover (invariant 9).
type doubtful struct {
	attention handover.AttentionReason
	fault     *handover.Fault
}

func (d *doubtful) Error() string { return d.fault.Error() }

// placed is where a message belongs: the handover as it was before, or its parties where
// the message begins it, and what the message tells of it.
type placed struct {
	before     handover.Handover
	event      handover.Event
	correction Correction
	// also are further open handovers of the person whom the message is about.
	also []handover.Handover
	// ends is an open handover that the message, which a named person sent elsewhere, ends.
	ends handover.Handover
	// first is an event that must have been before the message's own.
	first handover.EventName
}

// place finds the handover of the message, or the parties of the one that it begins. Its
// error is a *handover.Fault, a *doubtful about the handover before, errNoHandover or
// errBeforeOriginal.
func place(s *Snapshot, in Incoming) (placed, error) {
	p := placed{event: in.event(s)}
	if p.event.Name == handover.EventMerged && in.Content.Facts["visit"] == "" {
		return in.placeMerged(s, p)
	}
	h, err := in.find(s)
	p.before = h
	switch {
	case err != nil:
		return p, err
	case h.State == "":
		if ended := in.endedStay(s); ended.State != "" {
			return in.readmit(s, p, ended)
		}
		if p.before = in.elsewhere(s); p.before.State != "" && in.Verdict == "" && !in.Rerouted && slices.Contains(begins, p.event.Name) {
			return p, in.doubt(handover.AttentionReceiverMayBeWrong, handover.FaultNoRoute, "the patient has an open discharge to another receiver")
		}
	case in.movesTo(h) && in.Again && in.ParkedOn != h.ID:
		return p, &handover.Fault{Kind: handover.FaultAmbiguous, Op: "act.place", Text: "since the message came its stay has become a handover to another receiver: close it, or route what the sender said last"}
	case in.movesTo(h):
		p.ends = h
	case in.returns(s, h) && h.State.Open():
		return in.readmit(s, p, h)
	case in.returns(s, h):
		p.before = handover.Handover{}
	default:
		if in.samePlace(s, h) {
			p.event.Residence = ""
		}
		p.correction, err = in.belongs(s, h)
		return p, err
	}
	err = in.start(s, &p)
	if p.ends.State != "" && (errors.Is(err, errNoHandover) || errors.Is(err, errBeforeOriginal)) {
		p.before = p.ends
		return p, in.doubt(handover.AttentionReceiverMayBeWrong, handover.FaultNoRoute, "the message begins no handover at another receiver: its sender announces the stay anew")
	}
	p.before = handover.Handover{Kind: cmp.Or(in.Content.Kind, p.ends.Kind), Sender: p.event.Sender, Receiver: p.event.Receiver}
	return p, err
}

// readmit is a new stay of a patient whose stay before is still open: it ends that one and
// opens its successor.
func (in Incoming) readmit(s *Snapshot, p placed, ended handover.Handover) (placed, error) {
	p.before, p.event.Name = ended, handover.EventReadmitted
	if !in.Rerouted && in.isProtected(s) {
		return p, in.doubt(handover.AttentionReceiverMayBeWrong, handover.FaultNoRoute, reservedText)
	}
	if to, ok := in.route(s); ok {
		p.event.Receiver = to
	}
	return p, nil
}

// find finds the message's handover: by conversation, else stay number, else the patient with
// exactly one open chain. A zero Handover means none.
func (in Incoming) find(s *Snapshot) (handover.Handover, error) {
	if h, ok := in.referred(s); ok && in.Verdict != VerdictAnotherStay {
		return h, nil
	}
	if in.stay(s) != "" && in.Verdict == VerdictAnotherStay {
		return in.otherOfStay(s), nil
	}
	if in.stay(s) != "" {
		// A stay that is not known yet is a new one, whatever else the patient has.
		h, found := in.pick(s, in.ofStay(s))
		if found || in.Content.Facts["visit"] != "" || slices.Contains(begins, in.Content.Event) {
			return h, nil
		}
		// The time of admission stands for a number; without one of either the patient decides.
	}
	return in.findByPatient(s)
}

// referred is the handover of the conversation that the message refers to.
func (in Incoming) referred(s *Snapshot) (handover.Handover, bool) {
	for _, ref := range in.References {
		hs, _ := s.Keys.Get(Key{ledger.KeyConversation, in.Row.Sender, ref})
		if h, ok := in.pick(s, in.own(hs)); ok {
			return h, true
		}
	}
	return handover.Handover{}, false
}

// own keeps the handovers that the sender takes part in.
func (in Incoming) own(hs []handover.Handover) []handover.Handover {
	return slices.DeleteFunc(slices.Clone(hs), func(h handover.Handover) bool { return !TakesPart(in.Row.Sender, h) })
}

// pick prefers the message's own patient's, since a stay's number or a conversation may have come
// to be two persons'; of those the open handover, else the newest.
func (in Incoming) pick(s *Snapshot, hs []handover.Handover) (handover.Handover, bool) {
	if len(hs) == 0 {
		return handover.Handover{}, false
	}
	if len(hs) > 1 {
		another := func(h handover.Handover) bool { return !s.sameAs(h, in.patient(), in.Row.Sender).same }
		if own := slices.DeleteFunc(slices.Clone(hs), another); len(own) > 0 {
			hs = own
		}
	}
	open := slices.IndexFunc(hs, func(h handover.Handover) bool { return h.State.Open() })
	return in.sentOn(s, hs[max(open, 0)]), true
}

// sentOn is the handover that a receiver sent h on to, and it again, for a party that takes part in
// both; else h.
func (in Incoming) sentOn(s *Snapshot, h handover.Handover) handover.Handover {
	for range s.Policy.ForwardsMax {
		if h.State != handover.StateForwarded {
			break
		}
		next, found := s.Handovers.Get(h.Next.Handover)
		if !found || !TakesPart(in.Row.Sender, next) {
			break
		}
		h = next
	}
	return h
}

// otherOfStay is the open handover of the message's own patient under the number of its stay, which
// is not the one that a named person said it is not about; zero for none.
func (in Incoming) otherOfStay(s *Snapshot) handover.Handover {
	for _, h := range in.ofStay(s) {
		if h.ID != in.ParkedOn && h.State.Open() && in.patient() != nil && s.sameAs(h, in.patient(), in.Row.Sender).same {
			return h
		}
	}
	return handover.Handover{}
}

// ofStay are the handovers of the message's stay. One that is closed gives its number to the
// next patient; one that was registered in error, to the same one too.
func (in Incoming) ofStay(s *Snapshot) []handover.Handover {
	beginning := slices.Contains(begins, in.Content.Event)
	return slices.DeleteFunc(in.underStay(s), func(h handover.Handover) bool {
		return beginning && h.State == handover.StateVoided ||
			!h.State.Open() && !s.sameAs(h, in.patient(), in.Row.Sender).same
	})
}

// underStay are the handovers that were ever filed under the message's stay number.
func (in Incoming) underStay(s *Snapshot) []handover.Handover {
	var all []handover.Handover
	for _, number := range in.stays(s) {
		hs, _ := s.Keys.Get(Key{ledger.KeyVisit, in.Row.Sender, number})
		for _, h := range in.own(hs) {
			if !slices.ContainsFunc(all, func(known handover.Handover) bool { return known.ID == h.ID }) {
				all = append(all, h)
			}
		}
	}
	return all
}

// findByPatient is the patient's only open chain between the sender and the addressee; not the
// one that the message refers to, where a named person said that it is about another stay.
func (in Incoming) findByPatient(s *Snapshot) (handover.Handover, error) {
	open := map[handover.ChainID]handover.Handover{}
	wrong, refers := in.referred(s)
	for _, h := range in.openOfPatient(s) {
		if in.Verdict == VerdictAnotherStay && refers && h.Chain == wrong.Chain {
			continue
		}
		if in.addressed(h) && (h.Sender == in.Row.Sender || !slices.Contains(begins, in.Content.Event)) {
			open[h.Chain] = h
		}
	}
	if len(open) > 1 && !in.isOfPerson() {
		return handover.Handover{}, &handover.Fault{Kind: handover.FaultAmbiguous, Op: "act.find", Text: "the patient has more than one open chain"}
	}
	return latest(slices.Collect(maps.Values(open))), nil
}

// isOfPerson reports whether a message of a feed says nothing of a stay: it is about its person, in
// whatever stays.
func (in Incoming) isOfPerson() bool {
	personal := []string{NamePatient, NameTask, nameEncounter}
	stay := in.Content.Resource(nameEncounter)
	return in.Feed && in.Content.Event == handover.EventUpdated && stay.Get("period") == nil && stay.Get("location") == nil &&
		!slices.ContainsFunc(in.Content.Resources, func(r account.Named) bool { return !slices.Contains(personal, r.Name) })
}

// openOfPatient are the open handovers of the message's patient in which the sender takes part.
func (in Incoming) openOfPatient(s *Snapshot) []handover.Handover {
	return in.openOf(s, s.Identity.persons(in.Row.Sender, in.patient()))
}

// openOf are the sender's open handovers under any of the keys of a person.
func (in Incoming) openOf(s *Snapshot, persons []string) []handover.Handover {
	var open []handover.Handover
	for _, person := range persons {
		hs, _ := s.Keys.Get(Key{Kind: ledger.KeyPatient, Value: person})
		for _, h := range in.own(hs) {
			if h.State.Open() {
				open = append(open, h)
			}
		}
	}
	return open
}

// elsewhere is an open discharge of the patient to another receiver than the one that the
// sender addresses now; zero for none.
func (in Incoming) elsewhere(s *Snapshot) handover.Handover {
	for _, h := range in.openOfPatient(s) {
		if h.Kind == handover.KindDischarge && h.Sender == in.Row.Sender && !in.addressed(h) && !left(h) {
			return h
		}
	}
	return handover.Handover{}
}

// belongs holds the message to the handover that it refers to: the person, the addressee, and
// what the message says of route and protection (invariant 9).
func (in Incoming) belongs(s *Snapshot, h handover.Handover) (Correction, error) {
	met := s.sameAs(h, in.patient(), in.Row.Sender)
	if !met.same && in.Verdict != VerdictCorrected {
		return Correction{}, in.doubt(handover.AttentionChainsMeet, handover.FaultAmbiguous, "the patient is not the one of the handover that the message refers to")
	}
	return met.correction, in.stillFor(s, h)
}

// stillFor holds the message to the parties of its handover: the addressee, and what the
// message says of route and protection.
func (in Incoming) stillFor(s *Snapshot, h handover.Handover) error {
	switch {
	case !in.addressed(h) && in.Verdict != VerdictCorrected:
		return in.doubt(handover.AttentionChainsMeet, handover.FaultAmbiguous, "the message is not addressed to the other party of the handover that it refers to")
	case h.Sender != in.Row.Sender || !h.State.Open() || in.Rerouted:
		return nil
	case slices.ContainsFunc(h.Attentions, asksForReceiver):
		return in.doubt(handover.AttentionReceiverMayBeWrong, handover.FaultNoRoute, "a named person must first say whether the receiver is the right one")
	case !h.Facts.Protected && in.isProtected(s):
		return in.doubt(handover.AttentionReceiverMayBeWrong, handover.FaultNoRoute, reservedText)
	case in.moved(s, h):
		return in.doubt(handover.AttentionReceiverMayBeWrong, handover.FaultNoRoute, "the patient's municipality is not the receiver's any more: a named person must route it")
	}
	return nil
}

// asksForReceiver: nothing more is sent until a person has routed what raised it, or resolved it.
func asksForReceiver(a handover.Attention) bool {
	return a.Reason == handover.AttentionReceiverMayBeWrong
}

func (in Incoming) doubt(why handover.AttentionReason, kind handover.FaultKind, text string) error {
	return &doubtful{why, &handover.Fault{Kind: kind, Op: "act.belongs", Text: text}}
}

// addressed reports whether the message goes to the other party of h, or to the gateway.
func (in Incoming) addressed(h handover.Handover) bool {
	switch in.Receiver {
	case "":
		return true
	case in.Row.Sender:
		return false
	case h.Sender, h.Receiver:
		return true
	}
	return false
}

// moved reports whether the message names another place of residence than the one before,
// and its route leads to another receiver.
func (in Incoming) moved(s *Snapshot, h handover.Handover) bool {
	if in.residence() == "" || in.residence() == h.Facts.Residence || in.Receiver != "" || in.samePlace(s, h) {
		return false
	}
	to, routed := in.route(s)
	return to != h.Receiver && (routed || h.Facts.Residence != "")
}

// samePlace reports whether the message leaves out the municipality of a place that is known by
// its postal code: what it leaves out still holds.
func (in Incoming) samePlace(s *Snapshot, h handover.Handover) bool {
	f := in.Content.Facts
	return f["kommunenummer"] == "" && h.Sender == in.Row.Sender && f["postalCode"] == s.patientOf(h).Str("address", "postalCode")
}

// movesTo reports whether a named person sent a message of h's sender to another receiver.
func (in Incoming) movesTo(h handover.Handover) bool {
	return in.Rerouted && h.Sender == in.Row.Sender && h.State.Open() && in.Receiver != h.Receiver
}

// returns reports whether a message admits a patient who had left: one without a stay number, or
// with the number of that stay and a later time.
func (in Incoming) returns(s *Snapshot, h handover.Handover) bool {
	if in.Content.Event != handover.EventAdmitted || !left(h) || h.Sender != in.Row.Sender {
		return false
	}
	return in.stay(s) == "" && h.State.Open() || in.admitsAfter(h)
}

// admitsAfter reports whether a message admits a patient after the discharge that ended the stay of h.
func (in Incoming) admitsAfter(h handover.Handover) bool {
	at, err := time.Parse(time.RFC3339, in.Content.Facts["admittedAt"])
	return err == nil && !h.Facts.DischargedAt.IsZero() && at.After(h.Facts.DischargedAt)
}

// endedStay is the handover of an earlier stay that the patient has left and that is still
// open: a new admission at the same sender ends it and opens its successor. Where there
// are several chains the new stay is one more.
func (in Incoming) endedStay(s *Snapshot) handover.Handover {
	if in.Content.Event != handover.EventAdmitted || in.Verdict == VerdictAnotherStay {
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
	return h.ID != "" && (!h.Facts.DischargedAt.IsZero() || slices.Contains(inCare, h.State))
}

// inCare are the states in which the receiver has the patient.
var inCare = []handover.State{handover.StateInProgress, handover.StatePaused}

// begins are the events that may begin a handover.
var begins = []handover.EventName{handover.EventAdmitted, handover.EventReady, handover.EventRequested}

// follows are what a feed tells of patients with a handover or without: they begin none, and
// undo none that could still arrive.
var follows = []handover.EventName{handover.EventUpdated, handover.EventMoved, handover.EventLeave, handover.EventMerged}

// undoes are the events that take back what may still be on its way.
var undoes = []handover.EventName{handover.EventNotReady, handover.EventWithdrawn, handover.EventVoided, handover.EventDischargeCancelled}

const reservedText = "reservation or protected address: a named person must route it"

// start fills in the parties of the handover that a message begins, or says why it begins
// none.
func (in Incoming) start(s *Snapshot, p *placed) error {
	if err := in.mayBegin(s, p); err != nil {
		return err
	}
	if in.isTakenBack(s) {
		return &handover.Fault{Kind: handover.FaultAmbiguous, Op: "act.start", Text: "the stay was taken back after this message came: close it, or have its sender announce the stay anew"}
	}
	to, ok := in.route(s)
	if !ok {
		return &handover.Fault{Kind: handover.FaultNoRoute, Op: "act.start", Text: "no route of the sender leads to a receiver"}
	}
	p.event.Sender, p.event.Receiver, p.event.Copies, p.event.Chain = in.Row.Sender, to, in.Copies, in.chain(s)
	return nil
}

// isTakenBack reports whether the stay of a message that was kept was voided since it came.
func (in Incoming) isTakenBack(s *Snapshot) bool {
	return in.Again && slices.ContainsFunc(in.underStay(s), func(h handover.Handover) bool {
		return h.State == handover.StateVoided && !h.Since.Before(in.Row.ReceivedAt)
	})
}

// mayBegin says why a message begins no handover. A feed is not a handover: the sender's
// policy decides which of its patients are. Who addresses a message has decided.
func (in Incoming) mayBegin(s *Snapshot, p *placed) error {
	name, unreadable := p.event.Name, in.unreadableFact()
	switch {
	case in.Receiver == in.Row.Sender:
		return &handover.Fault{Kind: handover.FaultAmbiguous, Op: "act.start", Text: "the message is addressed to its own sender"}
	case in.Feed && (!slices.Contains(begins, name) || !in.policyStarts() && in.isParked(s)):
		return in.mayFollow(s, name)
	case slices.Contains(follows, name), !unreadable && !in.policyStarts():
		return errNoHandover
	case !in.Rerouted && slices.Contains(begins, name) && in.isProtected(s):
		return &handover.Fault{Kind: handover.FaultNoRoute, Op: "act.start", Text: reservedText}
	case unreadable && !in.Rerouted && !in.policyStarts() && slices.Contains(begins, name):
		return &handover.Fault{Kind: handover.FaultNoRoute, Op: "act.start", Text: "a fact that decides whether the stay is a handover cannot be read: a named person must route it"}
	case slices.Contains(begins, name):
		return nil
	case in.leaves(name):
		// A hospital that announced nothing discharges: never refused (DESIGN of the states).
		p.first = handover.EventAdmitted
		return nil
	case slices.Contains(undoes, name):
		return errBeforeOriginal
	}
	// An answer that refers to nothing known: only a named person can place it.
	return &handover.Fault{Kind: handover.FaultAmbiguous, Op: "act.start", Text: "the message refers to no known handover"}
}

// mayFollow says what becomes of a message of a feed that follows another of its stay, of which
// there is no handover: it waits for the one that a named person must route first, and what is
// no mere news for the one that may still be on its way.
func (in Incoming) mayFollow(s *Snapshot, name handover.EventName) error {
	switch {
	case in.isParked(s):
		return errBeforeOriginal
	case slices.Contains(follows, name), in.policyDenies(), in.stay(s) == "" && !in.policyStarts():
		return errNoHandover
	case (name == handover.EventVoided || !in.policyStarts()) && in.isMarked(s, markFed):
		return errNoHandover
	}
	return errBeforeOriginal
}

// leaves reports whether an event says that the patient has left the sender.
func (in Incoming) leaves(name handover.EventName) bool {
	return name == handover.EventDischarged || name == handover.EventDied && in.Content.Event == handover.EventDischarged
}

// opens plans what must be before the message's own event: the end of the handover that a
// named person sent the message away from, and the beginning of one that was never announced.
func (d *decision) opens(p placed) error {
	if p.ends.State != "" {
		end := newDecision(d.s, p.ends, ActorOf(p.ends.Sender, p.ends), handover.Event{Name: handover.EventWithdrawn})
		end.message = d.message
		if err := end.decide(); err != nil {
			return err
		}
		d.plan.add(end.plan)
	}
	if p.first == "" {
		return nil
	}
	event := p.event
	event.Name = p.first
	begun := newDecision(d.s, p.before, d.actor, event)
	effects, err := begun.judge()
	for _, e := range effects {
		if e.Kind == handover.EffectPublish {
			begun.planEvent(e)
		}
	}
	d.plan.add(begun.plan)
	d.before, d.opening = begun.next, true
	return err
}

// chain is the chain that the message begins.
func (in Incoming) chain(s *Snapshot) handover.ChainID {
	if in.Verdict == VerdictAnotherStay || len(in.underStay(s)) > 0 {
		return handover.ChainID(s.NewID()) // the number was another stay's
	}
	return handover.ChainID(s.Identity.StableID(in.Row.Sender, "chain", cmp.Or(in.stay(s), "conversation|"+in.Row.ExternalID)))
}

// stay is the key of the message's stay: its number is unique only within facility and
// authority; without a number, the patient at the time of admission. Empty for none: a message
// that is addressed has its conversation.
func (in Incoming) stay(s *Snapshot) string {
	f := in.Content.Facts
	if number := f["visit"]; number != "" {
		return strings.TrimRight(number+"|"+strings.ToUpper(f["facility"])+"|"+strings.ToUpper(f["visitAuthority"]), "|")
	}
	return in.unnumberedStay(s)
}

// unnumberedStay is the key of a stay without a number; empty where the time of admission is not said.
func (in Incoming) unnumberedStay(s *Snapshot) string {
	if persons := s.Identity.nationals(in.patient()); in.Feed && in.Content.Facts["admittedAt"] != "" && len(persons) > 0 {
		return "admitted|" + persons[0] + "|" + in.Content.Facts["admittedAt"]
	}
	return ""
}

// stays are the keys under which the message's stay may be filed: the bare number is how
// ledgers of before kept it.
func (in Incoming) stays(s *Snapshot) []string {
	keys := []string{in.stay(s)}
	if number := in.Content.Facts["visit"]; number != "" {
		if number != keys[0] {
			keys = append(keys, number)
		}
		// The stay may have been told of before it had a number.
		if unnumbered := in.unnumberedStay(s); unnumbered != "" {
			keys = append(keys, unnumbered)
		}
	}
	return keys
}

// conversations are the ids by which the sender's later messages may refer to this one; a
// feed refers to stays. One that a named person sent elsewhere leaves its conversation where it was.
func (in Incoming) conversations() []string {
	switch {
	case in.Feed:
		return nil
	case in.Verdict == VerdictAnotherStay:
		return []string{in.Row.ExternalID}
	}
	return slices.DeleteFunc([]string{in.Row.ExternalID, in.Row.Conversation}, func(id string) bool { return id == "" })
}

// route is the receiver: whom the message names, else where the sender's routes lead.
func (in Incoming) route(s *Snapshot) (handover.PartyID, bool) {
	if in.Receiver != "" && in.Receiver != in.Row.Sender {
		return in.Receiver, true
	}
	f := in.Content.Facts
	p, ok := s.Directory.Route(in.Row.Sender, in.Content.Kind, f["kommunenummer"], f["postalCode"])
	return p.ID, ok
}

// residence is the code by which the message is routed; empty for none.
func (in Incoming) residence() string {
	return cmp.Or(in.Content.Facts["kommunenummer"], in.Content.Facts["postalCode"])
}

func (in Incoming) reserved() bool { return in.Content.Facts["reserved"] == "true" }

func (in Incoming) patient() *fhir.Node { return in.Content.Resource(NamePatient) }

// policyStarts reports whether the message's patient is one whose stays are handovers.
func (in Incoming) policyStarts() bool {
	p, f := in.Sender.StartPolicy, in.Content.Facts
	known := p.KnownRecipient && f["knownRecipient"] == "true"
	assessed := p.AssessedNeed && f["assessedNeed"] == "true"
	return !in.Feed || known || assessed || f["unit"] != "" && slices.Contains(p.Units, f["unit"])
}

// policyDenies reports whether the message itself says that its patient is none of those.
func (in Incoming) policyDenies() bool {
	f := in.Content.Facts
	return !in.policyStarts() && f["knownRecipient"]+f["assessedNeed"] != ""
}

// unreadableFact reports whether a fact that the policy decides on cannot be read.
func (in Incoming) unreadableFact() bool {
	p, f := in.Sender.StartPolicy, in.Content.Facts
	return p.KnownRecipient && f["knownRecipient"] == account.Unreadable || p.AssessedNeed && f["assessedNeed"] == account.Unreadable
}

// Ahead asks for what Message is known to ask: how the message's handover is found, and
// the things that it names again.
func (in Incoming) Ahead(s *Snapshot) {
	for _, ref := range in.References {
		s.Keys.Want(Key{ledger.KeyConversation, in.Row.Sender, ref})
	}
	if in.stay(s) != "" {
		for _, number := range in.stays(s) {
			s.Keys.Want(Key{ledger.KeyVisit, in.Row.Sender, number})
		}
	}
	in.marked(s, markProtected)
	if slices.Contains(begins, in.Content.Event) {
		in.marked(s, markFed)
	}
	for _, r := range in.Content.Resources {
		if r.Key != "" && r.Name != NameTask && !s.mayBegin(r) {
			typ := r.Resource.ResourceType()
			s.Resources.Want(ledger.ResourceKey{Type: typ, ID: s.Identity.StableID(in.Row.Sender, typ, r.Key)})
		}
	}
}
