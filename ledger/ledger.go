// Package ledger is the durable record: messages, resources, handovers, deliveries, events
// and audit, chained by digest. A Unit is everything that one act changes; a Store applies
// units, each whole or not at all. Package ledgertest holds the suite that every Store passes.
//
// The contract: ledger.go says what is stored, unit.go joins units, roles.go says what can
// be asked of a Store, role by role, and group.go commits the units of many at once.
//
// The rest is SQL (sql.go), which both databases share; they give it a Database.
//
//   - Writing. apply.go runs a batch: prefetch.go locks the head and reads the rows that
//     its units mention, plan.go (with erase.go and searchrow.go) turns each unit into
//     statements without touching the database, writer.go gathers those into few. rows.go
//     and field.go bind structs to columns and to the digest of a row; chain.go is the
//     entry that vouches for a unit's rows. guard.go holds what rests on a search, stamp.go
//     the times of versions.
//   - Reading. read.go, resources.go, list.go, queue.go and events.go are a role each;
//     searchsql.go and reindex.go are the Searcher, audit.go, balance.go and verify.go the
//     Auditor.
//   - Schema. migration.go numbers the steps of a database's schema.
package ledger

import (
	"errors"
	"time"

	"stafett/fhir/search"
	"stafett/handover"
)

// Sentinels that a Store returns, wrapped.
var (
	// ErrConflict: a version or a precondition was not as expected; decide again.
	ErrConflict = errors.New("ledger: version conflict")
	// ErrRepeat: a message of this sender, external id and digest is stored already, and was
	// not refused.
	ErrRepeat = errors.New("ledger: message repeated")
	// ErrNotFound: no such row.
	ErrNotFound = errors.New("ledger: not found")
	// ErrFull: the storage is full or read-only; nothing was stored.
	ErrFull = errors.New("ledger: storage full")
	// ErrClosed: the ledger is closing; nothing was stored.
	ErrClosed = errors.New("ledger: closed")
)

// Disposition is how a received message ended, before its deliveries are looked at.
type Disposition string

// The dispositions. A message that is stored as applied and has deliveries counts as its
// worst one: parked when one is parked, else moving while one is open, else closed when a
// named person closed one, else delivered. A superseded delivery does not count: the one
// that took its place does. Balance and MessageState do that sum. Stored are: applied,
// repeated, refused, parked, closed, and moving for a message that waits until its Deadline
// for the one it is about.
const (
	DispositionDelivered Disposition = "delivered"
	DispositionApplied   Disposition = "applied"
	DispositionRepeated  Disposition = "repeated"
	DispositionRefused   Disposition = "refused"
	DispositionParked    Disposition = "parked"
	DispositionClosed    Disposition = "closed" // a named person ended it: see Resolution
	DispositionMoving    Disposition = "moving"
)

// Message is one received message.
type Message struct {
	ID          handover.MessageID
	Sender      handover.PartyID // as the message names it and access confirmed it; may be empty
	Caller      handover.PartyID // as the transport authenticated it
	Wire        handover.Wire
	Type        string
	ExternalID  string
	Digest      handover.Digest // empty: the store takes Raw's
	Raw         []byte
	ReceivedAt  time.Time
	Correlation handover.CorrelationID
	Disposition Disposition
	Reason      handover.FaultKind // refused and parked: why
	Detail      string             // Fault text and path; no content of the message
	Handover    handover.ID        // the handover it was applied to; may be empty
	// Conversation ids by which answers refer to it.
	Conversation string
	// Answer is the first transport answer, given again to a repeat. AnswerCode is an
	// HTTP status where the wire has one.
	Answer     []byte
	AnswerCode int
	// Envelope is the wire's envelope as JSON, for receipts that must quote it.
	Envelope []byte
	// Report is the translation report as JSON: fates by path, never by value.
	Report []byte
	// Repeats is the first message when Disposition is repeated.
	Repeats handover.MessageID
	// Contact, Deadline and Step are set while parked (invariant 2).
	Contact  string
	Deadline time.Time
	Step     int
	// Resolution says how a parked message was ended, by which named person, and when.
	Resolution string
	Person     string
	ResolvedAt time.Time
	// Unheard is a code of a closed list: why the content of an applied message reached
	// nobody. Empty when it reached somebody, or when it held nothing to tell.
	Unheard string
	Version int64
}

// MessageUpdate changes a stored message; its raw bytes, digest and identity never change,
// a repeat stays a repeat, and a nil Answer, Envelope or Report keeps what is stored.
// Message.Version is the version expected.
type MessageUpdate struct{ Message Message }

// DeliveryState is where a delivery is.
type DeliveryState string

// The delivery states, in life-cycle order.
const (
	DeliveryPending    DeliveryState = "pending"    // to be sent at NextAttempt
	DeliverySending    DeliveryState = "sending"    // intent recorded; outcome unknown until Lease ends
	DeliveryAwaiting   DeliveryState = "awaiting"   // the transport took it; a receipt is due by Deadline
	DeliveryReceipted  DeliveryState = "receipted"  // positive receipt, or none is due on this wire; ended
	DeliveryRefused    DeliveryState = "refused"    // negative receipt; parked until a named person acts
	DeliveryParked     DeliveryState = "parked"     // undeliverable or no receipt; a named person must act
	DeliveryClosed     DeliveryState = "closed"     // ended by a named person; nothing took its place
	DeliverySuperseded DeliveryState = "superseded" // ended: another of the same content was sent in its place
)

// Ended reports whether nothing more is due.
func (s DeliveryState) Ended() bool {
	return s == DeliveryReceipted || s == DeliveryClosed || s == DeliverySuperseded
}

// Parked reports whether a named person must act.
func (s DeliveryState) Parked() bool { return s == DeliveryParked || s == DeliveryRefused }

// Purpose says why a delivery exists.
type Purpose string

// The purposes.
const (
	PurposeTell    Purpose = "tell"    // what happened, to a party of the handover
	PurposeReceipt Purpose = "receipt" // a relayed receipt
	PurposeRefusal Purpose = "refusal" // a negative receipt of our own
	PurposeAlert   Purpose = "alert"   // an escalation or attention notice to a contact
)

// Delivery is one outgoing message to one receiver. Raw, ExternalID and Type are made
// once and never change (resent identical).
type Delivery struct {
	ID         handover.DeliveryID
	Message    handover.MessageID // the inbound message that caused it; empty for clock and person
	Handover   handover.ID
	Event      handover.EventName
	Purpose    Purpose
	Receiver   handover.PartyID
	Service    string
	Wire       handover.Wire
	Type       string
	ExternalID string
	Raw        []byte
	Digest     handover.Digest
	GenTime    time.Time
	// Told is the digest of the content that the receiver is told by it, without the
	// message's own identity and times; fixed. Empty where it tells nothing of a handover.
	Told handover.Digest
	// Report is the outbound translation report as JSON.
	Report []byte
	State  DeliveryState
	// ReceiptDue says whether the wire owes a receipt after the transport took it.
	ReceiptDue  bool
	Attempts    int
	NextAttempt time.Time // pending
	WarnAt      time.Time // no receipt yet: raise attention, zero when done or none due
	Deadline    time.Time // hard limit (96 h from GenTime)
	LeaseOwner  string
	LeaseUntil  time.Time
	// Error is the last failure, without content.
	Error     string
	CreatedAt time.Time
	SentAt    time.Time
	EndedAt   time.Time
	// Receipt is the inbound message that receipted it; empty for synchronous receipts.
	Receipt handover.MessageID
	// Contact and Step are set while parked or refused; Deadline then repeats.
	Contact string
	Step    int
	// Resolution says how a parked one was ended, by which named person; when is EndedAt.
	Resolution string
	Person     string
	// Order is the ledger's position, set by the store: deliveries of one handover to one
	// receiver are sent in this order, one at a time.
	Order   int64
	Version int64
}

// ResourceWrite stores a new version of a resource.
type ResourceWrite struct {
	Type, ID string
	// Expect is the version that must be the current one: 0 for none (create), -1 for any.
	Expect int64
	Author handover.PartyID
	// JSON is exact, with id and meta in place, Unstamped in the place of the version's
	// time; nil deletes.
	JSON    []byte
	Deleted bool
	Rows    []search.Row
	// Grants let parties read it from this version on, beside those that may already.
	Grants []Grant
	// Handover is the one that it was first written for; may be empty. One that has one
	// keeps it.
	Handover handover.ID
}

// Grant is why a party may read a resource: for a handover, or, where that is empty, as its
// author. Each holds from the version at which it was given, and ends alone (Ended, Hidden),
// so that one handover's end takes nothing from another.
type Grant struct {
	Party    handover.PartyID
	Handover handover.ID
}

// Granted is a grant that was given, the version from which on it holds, and the last one for
// which it does; 0 where it has no end.
type Granted struct {
	Grant
	Since, Until int64
}

// Shown lets parties read a stored resource as it is, and what it becomes.
type Shown struct {
	Type, ID string
	// Expect is the version that must be the current one.
	Expect int64
	Grants []Grant
}

// ResourceKey names a resource.
type ResourceKey struct{ Type, ID string }

// Resource is one stored version.
type Resource struct {
	Type, ID string
	Version  int64
	Entry    int64 // of the ledger: what was committed together has one
	Author   handover.PartyID
	JSON     []byte // nil when deleted
	Deleted  bool
	At       time.Time // as meta.lastUpdated says; later than that of every version stored before
	Handover handover.ID
	// Visible are who may read this version, each once, in order.
	Visible []handover.PartyID
	// Last are those of Visible who may read no later one.
	Last []handover.PartyID
	// Grants are those for one handover that hold for this version, where the resource was found
	// by that one; a resource that tells of nobody in particular has some for each handover there
	// ever was.
	Grants []Grant
}

// KeyKind is a way in which a later message finds its handover.
type KeyKind string

// The key kinds.
const (
	KeyConversation KeyKind = "conversation" // message id that answers refer to
	KeyVisit        KeyKind = "visit"        // sender + PV1-19
	KeyPatient      KeyKind = "patient"      // keyed hash of a person's number; never the number
)

// HandoverKey lets a later message find a handover.
type HandoverKey struct {
	Kind     KeyKind
	Party    handover.PartyID // whose namespace the value is of; empty for patient
	Value    string
	Handover handover.ID
}

// Event is one entry of the event sequence.
type Event struct {
	// Seq is the position in the sequence, from 1 without gaps, set by the store. It is
	// the stream's sequence as well.
	Seq      int64
	ID       string // ledger epoch + "-" + Seq, set by the store
	Handover handover.ID
	Chain    handover.ChainID
	Kind     handover.Kind
	Name     handover.EventName
	From, To handover.PartyID // the handover's sender and receiver
	State    handover.State
	Actor    handover.PartyID
	Role     handover.ActorRole
	Reason   handover.Reason
	// Attention is set for attention events.
	Attention handover.AttentionReason
	Message   handover.MessageID
	At        time.Time
	// ChainHead is the ledger chain's head before the unit that holds this event, set by the store.
	ChainHead handover.Digest
}

// AuditAction is a verb of the audit record.
type AuditAction string

// The audit actions.
const (
	AuditReceived   AuditAction = "received"
	AuditRefused    AuditAction = "refused"
	AuditParked     AuditAction = "parked"
	AuditDecided    AuditAction = "decided"
	AuditDelivered  AuditAction = "delivered"
	AuditReceipted  AuditAction = "receipted"
	AuditRead       AuditAction = "read"
	AuditSearched   AuditAction = "searched"
	AuditDenied     AuditAction = "denied"
	AuditOperated   AuditAction = "operated" // a named person acted: reroute, resend, close …
	AuditDisclosure AuditAction = "disclosure"
)

// Audit is one auditable act. It names ids and codes, never a person who is a patient.
type Audit struct {
	At          time.Time
	Action      AuditAction
	Party       handover.PartyID
	Person      string // a named person of staff
	Message     handover.MessageID
	Handover    handover.ID
	Delivery    handover.DeliveryID
	Resource    string // Type/id
	Outcome     string
	Detail      string
	Correlation handover.CorrelationID
}

// Unit is everything that one act changes; applied whole or not at all (invariants 1, 5).
type Unit struct {
	Message    *Message // insert
	Messages   []MessageUpdate
	Handovers  []handover.Handover // Version is the version expected; stored as Version+1
	Keys       []HandoverKey
	Shown      []Shown // before Resources
	Resources  []ResourceWrite
	Deliveries []Delivery // insert when Version is 0, else update with Version expected
	Events     []Event
	Audit      []Audit
	// Guards make what rests on a search atomic: the unit fails with ErrConflict where one
	// is not at the version expected. They are in no chain entry: they only keep order.
	Guards []Guard
	// End ends what a party may read for a handover at the versions that the unit leaves.
	End []Ended
	// Hide ends what a party may read for a handover, and its keys; after all else.
	Hide []Hidden
	// Erase removes content by law.
	Erase []Erasure
}

// Ended ends the grants that one party has for one handover: what it may read so far stays
// readable as it is, what is written later is not. What had ended before stays as it ended, but
// for what the same unit grants again.
type Ended struct {
	Party    handover.PartyID
	Handover handover.ID
}

// Hidden takes back the grants that one party has for one handover, in every version.
type Hidden struct {
	Party    handover.PartyID
	Handover handover.ID
}

// Applied is what the store assigned to a unit.
type Applied struct {
	// Entry is the chain position of the unit, Head the chain's head after it.
	Entry int64
	Head  handover.Digest
	// Events holds the assigned sequence numbers, Resources the assigned versions, in order.
	Events    []int64
	Resources []Stored
}

// Stored is a version that a unit stored, with its time: strictly increasing in commit order.
type Stored struct {
	Version int64
	At      time.Time
}

// Result is one unit's outcome in a batch.
type Result struct {
	Applied Applied
	Err     error
}
