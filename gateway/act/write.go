package act

import (
	"cmp"
	"slices"
	"time"

	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
)

// Writing is a FHIR write: who writes, and its entries with what is stored at their places.
type Writing struct {
	Message handover.MessageID
	Party   handover.PartyID
	Entries []Entry
	// Guards are of the conditions that the entries rest on.
	Guards []ledger.Guard
}

// Entry is one entry of a FHIR write and what is stored at its place.
type Entry struct {
	fhir.WriteEntry
	Current ledger.Resource // zero when there is none
	Before  *fhir.Node      // the current version, parsed; nil when there is none or it was deleted
	Matched bool            // a conditional create met an existing resource
	Named   bool            // the caller gave the id
}

// writes reports whether the entry stores a version of its resource.
func (e *Entry) writes() bool { return e.Resource != nil && !e.Matched }

func (e *Entry) key() ledger.ResourceKey { return ledger.ResourceKey{Type: e.Type, ID: e.ID} }

// deletes reports whether the entry deletes what is there.
func (e *Entry) deletes() bool {
	return e.Method == "DELETE" && e.Before != nil
}

// changesTask reports whether the entry acts on a handover.
func (e *Entry) changesTask() bool { return e.Type == "Task" && e.writes() }

// Write decides what a FHIR write means: its Task acts on the handover, the other resources
// are written into the handover's view.
func Write(s *Snapshot, w Writing) (*Plan, error) {
	task, err := w.task()
	if err != nil {
		return nil, err
	}
	h, err := w.handover(s, task)
	if err != nil {
		return nil, err
	}
	if err := cmp.Or(w.named(s, task), w.settled(s)); err != nil {
		return nil, err
	}
	if task != nil {
		if err := w.together(s, task, h); err != nil {
			return nil, err
		}
	}
	if err := w.aboutOne(s, task, h); err != nil {
		return nil, err
	}
	d := &decision{view: view{s: s, next: h}, message: w.Message}
	if task != nil {
		d.taskNow = task.Resource
	}
	w.planResources(d, task)
	if d.strange {
		return nil, &handover.Fault{Kind: handover.FaultUnsupported, Op: "act.Write", Text: "the write refers to a resource that is about another patient: whom the handover is with would read it"}
	}
	switch {
	case task != nil:
		err = w.decideTask(d, task, h)
	case len(d.written) > 0 && (h.State.Open() || w.addsTo(h)):
		err = w.decideUpdate(d, h)
	}
	if err == nil {
		err = w.decideElsewhere(d)
	}
	w.planDeletions(d)
	d.plan.Unit.Guards = append(d.plan.Unit.Guards, w.Guards...)
	d.plan.Handover = d.next
	return &d.plan, err
}

// addsTo reports whether the writer is the receiver of a handover that it has finished, and adds
// to it, as with its last report.
func (w Writing) addsTo(h handover.Handover) bool {
	return h.State == handover.StateCompleted && w.Party == h.Receiver
}

// which are the entries of which is holds.
func (w Writing) which(is func(*Entry) bool) []*Entry {
	var out []*Entry
	for i := range w.Entries {
		if e := &w.Entries[i]; is(e) {
			out = append(out, e)
		}
	}
	return out
}

// task is the entry that acts on a handover; nil for none.
func (w Writing) task() (*Entry, error) {
	switch tasks := w.which((*Entry).changesTask); len(tasks) {
	case 0:
		return nil, nil
	case 1:
		return tasks[0], nil
	}
	return nil, &handover.Fault{Kind: handover.FaultUnsupported, Op: "act.Write", Text: "one transaction acts on one Task"}
}

// planResources plans all but the Task, each after the version at which it was located, and
// lets the handover's parties read what the caller refers to.
func (w Writing) planResources(d *decision, task *Entry) {
	var from []*fhir.Node
	for _, e := range w.which((*Entry).writes) {
		from = append(from, e.Resource)
		if e != task {
			d.planAfter(e.Current, e.Resource, w.Party)
			d.written = append(d.written, e.Resource)
		}
	}
	if d.next.ID != "" {
		d.planShown(w.Party, from)
	}
}

func (w Writing) planDeletions(d *decision) {
	for _, e := range w.which((*Entry).deletes) {
		d.plan.Unit.Resources = append(d.plan.Unit.Resources, ledger.ResourceWrite{Type: e.Type, ID: e.ID, Expect: e.Current.Version,
			Author: e.Current.Author, Deleted: true, Handover: e.Current.Handover})
	}
}

// handover is what a write belongs to: its Task's, else that of a resource it refers to
// and that the caller takes part in. A zero Handover means none.
func (w Writing) handover(s *Snapshot, task *Entry) (handover.Handover, error) {
	switch {
	case task == nil:
		return w.referred(s)
	case task.Current.Version == 0:
		return w.newReferral(s, task)
	}
	return s.handover(handover.ID(task.ID))
}

// referred is the handover that all of a write belongs to; zero for none.
func (w Writing) referred(s *Snapshot) (handover.Handover, error) {
	var common []handover.Handover
	for _, e := range w.which(func(e *Entry) bool { return e.Type != "Patient" }) {
		for _, of := range e.handovers(s, w.Party) {
			if common == nil {
				common = of
			}
			if common = inBoth(common, of); len(common) == 0 {
				// What is written is shown to the parties of its handover: they must not be mixed up.
				return handover.Handover{}, &handover.Fault{Kind: handover.FaultUnsupported, Op: "act.Write", Text: "one transaction writes into one handover, and a resource belongs to one: write for each alone, and what is moved anew"}
			}
		}
	}
	for _, e := range w.which(func(e *Entry) bool { return e.Type == "Patient" }) {
		for _, of := range e.handovers(s, w.Party) {
			if common == nil {
				common = of
			}
		}
	}
	if common == nil {
		return w.ofPatient(s)
	}
	return latest(common), nil
}

// handovers are those that an entry belongs to as party has it: by its own resource, and by each of
// those that it refers to.
func (e *Entry) handovers(s *Snapshot, party handover.PartyID) [][]handover.Handover {
	var keys []ledger.ResourceKey
	if e.Current.Version > 0 && !slices.Contains(aboutNobody, e.Type) {
		keys = append(keys, e.key())
	}
	var out [][]handover.Handover
	for _, key := range append(keys, placing(e.Resource)...) {
		of := slices.DeleteFunc(s.handoversOf(key, party), func(h handover.Handover) bool { return !TakesPart(party, h) })
		if len(of) > 0 {
			out = append(out, of)
		}
	}
	return out
}

// handover is the one for which party has the entry's resource, or what that refers to; zero
// for none.
func (e *Entry) handover(s *Snapshot, party handover.PartyID) handover.Handover {
	for _, of := range e.handovers(s, party) {
		return latest(of)
	}
	return handover.Handover{}
}

// handover is a handover that the record must hold.
func (s *Snapshot) handover(id handover.ID) (handover.Handover, error) {
	h, found := s.Handovers.Get(id)
	if !found {
		return h, ledger.ErrNotFound
	}
	return h, nil
}

// ofOneHandover reports whether what is written about a resource is for the handover that it is
// part of: a Patient, or who gives care, may be in many.
func ofOneHandover(key ledger.ResourceKey) bool {
	return !isPatient(key) && !slices.Contains(aboutNobody, key.Type)
}

// placing are the references of n that say which handover it is for.
func placing(n *fhir.Node) []ledger.ResourceKey {
	return slices.DeleteFunc(LocalReferences(n), func(ref ledger.ResourceKey) bool { return !ofOneHandover(ref) })
}

func isPatient(key ledger.ResourceKey) bool { return key.Type == "Patient" }

// decideUpdate tells the other party of resources written into an open handover.
func (w Writing) decideUpdate(d *decision, h handover.Handover) error {
	d.actor, d.before = ActorOf(w.Party, h), h
	if d.actor.Role == handover.RoleCopy {
		return &handover.Fault{Kind: handover.FaultForbidden, Op: "act.decideUpdate", Text: "a copy receiver reads and does not change"}
	}
	d.event = w.told(d.written)
	w.correct(d)
	return d.decide()
}

// told is the event of what a write says of a handover's patient: that it died, or no more than
// what it is.
func (w Writing) told(written []*fhir.Node) handover.Event {
	for _, e := range w.patients(written) {
		if isDead(e.Resource) && !isDead(e.Before) {
			at, _ := time.Parse(time.RFC3339, e.Resource.Str("deceasedDateTime"))
			return handover.Event{Name: handover.EventDied, At: at.UTC()}
		}
	}
	return handover.Event{Name: handover.EventUpdated}
}

// patients are the entries that write Patients among what a decision tells.
func (w Writing) patients(written []*fhir.Node) []*Entry {
	return w.which(func(e *Entry) bool { return e.Type == "Patient" && e.writes() && slices.Contains(written, e.Resource) })
}

func isDead(patient *fhir.Node) bool {
	return patient.Str("deceasedBoolean") == "true" || patient.Str("deceasedDateTime") != ""
}

// correct has a decision know what the write corrects of its patient. Another national number, or
// a Patient who step by step is not whom the holders were told of first, needs a person's eyes;
// only an update carries that mark.
func (w Writing) correct(d *decision) {
	d.correction = w.corrects(d.s, d.written)
	another := slices.ContainsFunc(w.patients(d.written), func(e *Entry) bool { return e.Before != nil && d.s.becomesAnother(e) })
	if (d.correction.Number || another) && d.event.Name == handover.EventUpdated {
		d.event.Attention = handover.AttentionChainsMeet
	}
}

// elsewhereMax bounds in how many open handovers one write is told; each costs some 3 ms.
const elsewhereMax = 2000

// decideElsewhere tells the other open handovers in which the writer has what it changed, each
// of that alone.
func (w Writing) decideElsewhere(d *decision) error {
	written := map[handover.ID][]*fhir.Node{}
	var others []handover.Handover
	for _, e := range w.which((*Entry).writes) {
		for _, h := range w.elsewhere(d, e) {
			if written[h.ID] == nil {
				others = append(others, h)
			}
			written[h.ID] = append(written[h.ID], e.Resource)
			write := d.plan.Unit.Resource(e.Type, e.ID)
			v := view{s: d.s, next: h}
			write.Grants = ledger.Union(write.Grants, v.grants()...)
		}
	}
	if len(others) > elsewhereMax {
		return &handover.Fault{Kind: handover.FaultTooLarge, Op: "act.decideElsewhere", Text: "too many open handovers would be told of the change at once: write it as a new resource"}
	}
	// Those in which the writer takes part come first: who is told there is told once.
	slices.SortStableFunc(others, func(a, b handover.Handover) int { return rank(w.actor(a)) - rank(w.actor(b)) })
	for _, h := range others {
		f := newDecision(d.s, h, w.actor(h), w.told(written[h.ID]))
		f.message, f.outer, f.next = w.Message, &d.view, h
		f.written = w.withCarers(d, f, written[h.ID])
		for _, n := range f.written {
			f.elsewhere = append(f.elsewhere, *d.plan.Unit.Resource(n.ResourceType(), n.ID()))
		}
		w.correct(f)
		if err := f.decide(); err != nil {
			return err
		}
		d.plan.add(f.plan)
	}
	return nil
}

// withCarers are the resources that are told in another handover, with those of who gives care that
// they name: what is written with them, and what is stored, is the handover's too.
func (w Writing) withCarers(d, f *decision, told []*fhir.Node) []*fhir.Node {
	named := slices.Clone(told)
	for i := 0; i < len(named) && i < ReachMax; i++ {
		for _, ref := range LocalReferences(named[i]) {
			if !slices.Contains(aboutNobody, ref.Type) || slices.ContainsFunc(named, func(n *fhir.Node) bool { return n.ResourceType() == ref.Type && n.ID() == ref.ID }) {
				continue
			}
			if write := d.plan.Unit.Resource(ref.Type, ref.ID); write != nil {
				write.Grants = ledger.Union(write.Grants, f.grants()...)
				for _, e := range w.which(func(e *Entry) bool { return e.writes() && e.key() == ref }) {
					named = append(named, e.Resource)
				}
			} else if cur, _ := d.s.Resources.Get(ref); Reads(w.Party, cur) {
				f.planShownOne(cur, d.s.Parse(cur))
			}
		}
	}
	return named
}

// rank puts the gateway after who takes part.
func rank(a handover.Actor) int {
	if a.Role == handover.RoleSystem {
		return 1
	}
	return 0
}

// why are the grants by which an entry is of handovers: its own, and of what is new those of one
// resource that it refers to and that the act's handover has as well.
func (w Writing) why(d *decision, e *Entry) []ledger.Granted {
	if e.Current.Version > 0 {
		out, _ := d.s.Grants.Get(e.key())
		return out
	}
	var out []ledger.Granted
	for _, ref := range placing(e.Resource) {
		of := d.s.handoversOf(ref, w.Party)
		if !slices.ContainsFunc(of, func(h handover.Handover) bool { return h.ID == d.next.ID }) {
			continue
		}
		for _, h := range of {
			out = append(out, ledger.Granted{Grant: ledger.Grant{Party: w.Party, Handover: h.ID}})
		}
	}
	return out
}

// elsewhere are the open handovers beside the act's own in which the writer has what the entry
// changes, and of what it wrote itself also those of others, whom it was shown to in turn.
func (w Writing) elsewhere(d *decision, e *Entry) []handover.Handover {
	if d.plan.Unit.Resource(e.Type, e.ID) == nil || e.Type == "Task" {
		return nil // it says what was stored, or is one handover's own
	}
	own := e.Current.Version > 0 && e.Current.Author == w.Party
	var out []handover.Handover
	for _, g := range w.why(d, e) {
		listed := slices.ContainsFunc(out, func(h handover.Handover) bool { return h.ID == g.Handover })
		if listed || g.Party != w.Party && !own || g.Handover == d.next.ID {
			continue
		}
		if h, _ := d.s.Handovers.Get(g.Handover); h.State.Open() && (own || w.actor(h).Role != handover.RoleSystem) {
			out = append(out, h)
		}
	}
	return out
}

// actor is the writer's capacity in a handover; where it is no more than read to it, or was
// shown on by others, the gateway tells what changed.
func (w Writing) actor(h handover.Handover) handover.Actor {
	if w.Party == h.Sender || w.Party == h.Receiver {
		return ActorOf(w.Party, h)
	}
	return handover.Actor{Role: handover.RoleSystem}
}
