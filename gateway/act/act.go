// Package act decides what an act changes: an act is a message, a FHIR write, a receipt, a
// deadline that passed, or a named person's word. It is pure: no I/O, no clock, no wires.
//
//	act.go        what the record says (Snapshot), and what a plan still wants to read
//	plan.go       what an act changes (rows) and whom it tells (tellings)
//	decision.go   one event on one handover: decide, plan its effects and what follows
//	  stay.go     what a message says of a stay, laid over what is known
//	  telling.go  who is told, and what is taken back as it was told
//	view.go       a handover as the act leaves it: the versions that it writes
//	  resource.go, project.go, share.go: a message's resources, the Task, who may read what
//	  told.go     what a party was told of it, and how that differs
//	message.go    ← a message that was read       receipt.go  ← what became of a send
//	  place.go, merge.go: the handover that it belongs to; same.go: whether its patient is the same
//	  pass.go     what goes on as it came, and the receipt that is owed
//	write.go, task.go ← a FHIR write              deadline.go ← a deadline that passed
//	  named.go    what it may name, and what must stay as it is
//	anew.go       ← a person has what could not be told made again
//	person.go     ← a named person's word         kept.go     ← a message that does not pass
//	identity.go   ids that come again, and fresh ones
//
// Each entry takes a Snapshot and returns a Plan; what is called plan… adds rows to one. A
// Plan's tellings become deliveries in package tell; package kernel reads the snapshot,
// commits the rows and repeats on conflict.
package act

import (
	"errors"
	"time"

	"stafett/directory"
	"stafett/handover"
	"stafett/ledger"
)

// Settings are what an installation fixes for every act.
type Settings struct {
	Directory *directory.Directory
	Policy    handover.Policy
	Identity  Identity
	// Operator is the party whose contacts are told when no other party is responsible.
	Operator handover.PartyID
	// Wires is the order in which a party's wires are tried for a kind of handover, and Fast
	// says of a wire that its receipts come at once.
	Wires func(handover.Kind) []handover.Wire
	Fast  func(handover.Wire) bool
	// Tells says whether any message of a wire can tell an event; nil for always.
	Tells func(handover.Wire, handover.EventName) bool
	// Fresh draws a new id.
	Fresh func() string
}

// Asked is one kind of question to the record: the answers read so far, and the keys that a
// plan asked for in vain.
type Asked[K comparable, V any] struct {
	rows   map[K]answer[V]
	wanted []K
}

type answer[V any] struct {
	value V
	found bool
}

// Get returns the row of k; false when there is none, or when it is not read yet and is
// wanted from now on.
func (a *Asked[K, V]) Get(k K) (V, bool) {
	r, read := a.rows[k]
	if !read {
		a.Want(k)
	}
	return r.value, r.found
}

// Want asks for k ahead of a plan that will.
func (a *Asked[K, V]) Want(k K) {
	if _, read := a.rows[k]; read {
		return
	}
	a.wanted = append(a.wanted, k)
}

// Put answers k.
func (a *Asked[K, V]) Put(k K, v V, found bool) {
	if a.rows == nil {
		a.rows = map[K]answer[V]{}
	}
	a.rows[k] = answer[V]{v, found}
}

// Take returns what is wanted, each key once, and wants nothing more.
func (a *Asked[K, V]) Take() []K {
	seen := map[K]bool{}
	out := a.wanted[:0:0]
	for _, k := range a.wanted {
		if !seen[k] {
			seen[k] = true
			out = append(out, k)
		}
	}
	a.wanted = nil
	return out
}

// Key finds handovers by what a message refers to.
type Key struct {
	Kind  ledger.KeyKind
	Party handover.PartyID // whose namespace Value is of; empty for a patient
	Value string
}

// External names a message by its sender's, or a delivery by its receiver's, own id.
type External struct {
	Party handover.PartyID
	ID    string
}

// Match is a FHIR search condition over what a party may see.
type Match struct {
	Party       handover.PartyID
	Type, Query string
}

// Matched are the ids that a condition matches, at most two, or why it cannot be asked.
type Matched struct {
	IDs []string
	Err error
}

// Snapshot is what the record says, as far as it is read: not as of one moment, but what a
// plan writes it writes at the version that it read. A plan reads nothing: it asks, and
// what the snapshot does not hold is wanted. The kernel reads that and has the plan made
// anew, so "not read yet" is never taken for "not there".
type Snapshot struct {
	Settings
	Now time.Time
	// Retry says that a try before this one met a conflict.
	Retry bool

	Handovers Asked[handover.ID, handover.Handover]
	Keys      Asked[Key, []handover.Handover]
	Resources Asked[ledger.ResourceKey, ledger.Resource]
	// Grants are for which handovers a resource may be read, by whom, and since when.
	Grants     Asked[ledger.ResourceKey, []ledger.Granted]
	Deliveries Asked[handover.DeliveryID, ledger.Delivery]
	// Answered finds the delivery that a receipt is for, by its receiver and id.
	Answered Asked[External, ledger.Delivery]
	Messages Asked[handover.MessageID, ledger.Message]
	// First finds the messages of one sender and id, oldest first.
	First   Asked[External, []ledger.Message]
	Matches Asked[Match, Matched]
	// Belonging are the current resources of a handover, Sent its deliveries, Caused the
	// deliveries that a message caused.
	Belonging Asked[handover.ID, []ledger.Resource]
	Sent      Asked[handover.ID, []ledger.Delivery]
	Caused    Asked[handover.MessageID, []ledger.Delivery]
	// Versions are past versions of resources.
	Versions Asked[Version, ledger.Resource]
	// Guards are the versions of guards, by key; 0 where nothing was written under one. They
	// are asked for together with what they guard, or before it: the kernel reads them first.
	Guards Asked[string, int64]
	// Reach has Resources hold what is reached by references from one resource.
	Reach Asked[Reach, struct{}]

	failed error
	ids    []string // drawn for this act
	drawn  int      // of ids, by the plan that is being made
}

// Reach is a stored resource and what it refers to, near and far, as far as Author reads it;
// a Task is not gone through.
type Reach struct {
	Author handover.PartyID
	From   ledger.ResourceKey
}

// NewID is a fresh id. A plan that is made anew draws the same ids in the same order, so
// that what it asks about them is answered.
func (s *Snapshot) NewID() string {
	if s.drawn == len(s.ids) {
		s.ids = append(s.ids, s.Fresh())
	}
	s.drawn++
	return s.ids[s.drawn-1]
}

// newHandover is a fresh id of a handover, under which nothing can be stored yet.
func (s *Snapshot) newHandover() handover.ID {
	id := handover.ID(s.NewID())
	s.Sent.Put(id, nil, false)
	s.Belonging.Put(id, nil, false)
	return id
}

// Fail notes what a plan could not do. The plan goes on, because it is pure, and is thrown
// away. A nil err is nothing.
func (s *Snapshot) Fail(err error) { s.failed = errors.Join(s.failed, err) }

// Settle ends the making of a plan: it returns what that could not do, and forgets it.
func (s *Snapshot) Settle() error {
	failed := s.failed
	s.failed, s.drawn = nil, 0
	return failed
}

// Version names one version of a resource.
type Version struct {
	ledger.ResourceKey
	Number int64
}

// Ahead asks for what the outcome of a delivery is known to ask: its handover with the Task,
// and the message that it came of.
func (s *Snapshot) Ahead(d ledger.Delivery) {
	if d.Handover != "" && d.Purpose == ledger.PurposeTell {
		s.Handovers.Want(d.Handover)
		s.Resources.Want(ledger.ResourceKey{Type: "Task", ID: string(d.Handover)})
	}
}

// Complete reports whether everything that was asked of s has been answered.
func (s *Snapshot) Complete() bool {
	return len(s.Handovers.wanted)+len(s.Keys.wanted)+len(s.Resources.wanted)+len(s.Grants.wanted)+len(s.Deliveries.wanted)+
		len(s.Answered.wanted)+len(s.Messages.wanted)+len(s.First.wanted)+len(s.Matches.wanted)+
		len(s.Belonging.wanted)+len(s.Sent.wanted)+len(s.Caused.wanted)+len(s.Versions.wanted)+
		len(s.Reach.wanted)+len(s.Guards.wanted) == 0
}

// Lock is the key by which acts on one delivery wait for each other.
func (e External) Lock() string { return string(e.Party) + "|sent|" + e.ID }
