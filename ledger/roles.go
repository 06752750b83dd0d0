package ledger

import (
	"context"
	"time"

	"stafett/fhir/search"
	"stafett/handover"
)

// Store is a database that keeps the ledger: every role, and its end. Times come back in
// UTC with microseconds. Methods return ErrNotFound where a single row is asked for and
// missing. Whoever uses a ledger asks for the role it needs.
type Store interface {
	Appender
	Record
	// Close ends all work; what is asked afterwards fails with ErrClosed.
	Close() error
}

// Record is every role but Appender: what stays open to all while a Group alone appends.
// What of it writes, ClaimDeliveries and Reindex, makes no chain entry.
type Record interface {
	Reader
	ResourceReader
	Searcher
	Lister
	Queue
	EventLog
	Auditor
	// Ready fails when the store cannot commit now (full disk, lost connection).
	Ready(ctx context.Context) error
}

// Appender adds to the record; nothing else changes what the chain covers.
type Appender interface {
	// Apply applies units in order in one transaction, each in a savepoint: a failing
	// unit is rolled back alone and its error is in its Result. The error returned is of
	// the whole batch (then nothing is stored): ErrFull, ErrClosed or a cause.
	Apply(ctx context.Context, units []Unit) ([]Result, error)
}

// Reader finds messages, handovers and deliveries by their ids, by the ids that others
// gave them, and by what they belong to.
type Reader interface {
	Message(ctx context.Context, id handover.MessageID) (Message, error)
	// MessagesByExternalID returns the stored messages of one sender and id, oldest
	// first, repeats left out.
	MessagesByExternalID(ctx context.Context, sender handover.PartyID, externalID string) ([]Message, error)
	// MessageState is the message's disposition with its deliveries summed in.
	MessageState(ctx context.Context, id handover.MessageID) (Disposition, error)
	// MessagesOf returns the messages applied to a handover, oldest first.
	MessagesOf(ctx context.Context, id handover.ID) ([]Message, error)

	Handover(ctx context.Context, id handover.ID) (handover.Handover, error)
	// FindHandovers returns the handovers that have a key, newest first.
	FindHandovers(ctx context.Context, kind KeyKind, party handover.PartyID, value string) ([]handover.Handover, error)

	Delivery(ctx context.Context, id handover.DeliveryID) (Delivery, error)
	// DeliveriesOf returns what a message caused, in order.
	DeliveriesOf(ctx context.Context, id handover.MessageID) ([]Delivery, error)
	// DeliveriesOfHandover returns a handover's deliveries, in order.
	DeliveriesOfHandover(ctx context.Context, id handover.ID) ([]Delivery, error)
	// DeliveryByExternalID finds what a receipt refers to; the newest, should there be several.
	DeliveryByExternalID(ctx context.Context, receiver handover.PartyID, externalID string) (Delivery, error)

	// Guards returns the versions of guards, by key; none of one under which nothing was written yet.
	Guards(ctx context.Context, keys []string) (map[string]int64, error)
}

// ResourceReader reads resources and their versions.
type ResourceReader interface {
	// Resource returns the current version, a deleted one included.
	Resource(ctx context.Context, typ, id string) (Resource, error)
	// Resources returns the current versions of several resources in the order of their
	// keys, deleted ones included, all as of one moment. What does not exist is left out.
	Resources(ctx context.Context, keys []ResourceKey) ([]Resource, error)
	ResourceVersion(ctx context.Context, typ, id string, version int64) (Resource, error)
	// ResourcesOf returns the current resources of which somebody may read a version for a
	// handover, with those grants that hold for the current one, deleted ones left out.
	ResourcesOf(ctx context.Context, id handover.ID) ([]Resource, error)
	// Grants returns for which handovers a resource may be read, by whom, since when and until when.
	Grants(ctx context.Context, key ResourceKey) ([]Granted, error)
	// History returns versions newest first, of those that viewer may read; viewer "" sees
	// all. id may be empty for a type, typ for all. before is the opaque position behind
	// which to continue.
	History(ctx context.Context, typ, id string, viewer handover.PartyID, limit int, before string) (Page, error)
}

// Searcher finds resources by their search rows, which are derived and can be made anew.
type Searcher interface {
	// Search returns a page of what viewer may see; viewer "" sees all and is for operators.
	Search(ctx context.Context, q search.Query, viewer handover.PartyID) (Page, error)
	// EachResource calls f with every current resource, in any order; for reindex.
	EachResource(ctx context.Context, f func(Resource) error) error
	// Reindex replaces the search rows of versions that are still current (Expect), and lets
	// their authors read them; derived data, so it makes no chain entry.
	Reindex(ctx context.Context, rows []ResourceWrite) error
}

// Lister lists in pages what is open or waits for a named person. A position that no page
// told is a *handover.Fault of kind invalid.
type Lister interface {
	// Handovers lists the newest first.
	Handovers(ctx context.Context, f HandoverFilter) (Listing[handover.Handover], error)
	// ParkedMessages lists the parked ones that nobody has resolved, oldest first.
	ParkedMessages(ctx context.Context, f ParkedFilter) (Listing[Message], error)
	// ParkedDeliveries lists the refused and parked ones, oldest first.
	ParkedDeliveries(ctx context.Context, f ParkedFilter) (Listing[Delivery], error)
	// ResolvedMessages lists those that were parked and that a named person ended, the
	// newest received first.
	ResolvedMessages(ctx context.Context, f ParkedFilter) (Listing[Message], error)
	// ResolvedDeliveries lists those that a named person ended, the newest made first.
	ResolvedDeliveries(ctx context.Context, f ParkedFilter) (Listing[Delivery], error)
	// Unheard lists the applied messages whose content reached nobody, oldest first. It
	// reads only those: a page of one tells their Total at the cost of counting them.
	Unheard(ctx context.Context, f ParkedFilter) (Listing[Message], error)
}

// Queue hands out what is due: to be sent, watched or escalated.
type Queue interface {
	// ClaimDeliveries leases up to limit deliveries that are due at now: pending with
	// NextAttempt not after now, or sending with an expired lease; only the first in
	// Order of each (handover, receiver) that is not sent yet, each by itself where there
	// is no handover. They are set to sending with attempts + 1, the lease and a version
	// higher by one: this is the recorded intent (no chain entry).
	ClaimDeliveries(ctx context.Context, owner string, now time.Time, lease time.Duration, limit int) ([]Delivery, error)
	// DueDeliveries returns awaiting ones whose WarnAt or Deadline has passed, and parked
	// or refused ones whose Deadline has passed.
	DueDeliveries(ctx context.Context, now time.Time, limit int) ([]Delivery, error)
	// DueHandovers returns handovers whose Deadline or an attention's Deadline has passed.
	DueHandovers(ctx context.Context, now time.Time, limit int) ([]handover.Handover, error)
	// DueMessages returns parked and waiting messages whose Deadline has passed.
	DueMessages(ctx context.Context, now time.Time, limit int) ([]Message, error)
	// Outbox sums the deliveries to each receiver that was ever sent something. It reads all
	// deliveries.
	Outbox(ctx context.Context) ([]Outbox, error)
	// NextDue is the earliest time at which any of these has work; zero for none.
	NextDue(ctx context.Context) (time.Time, error)
}

// EventLog is the event sequence, for those who carry it elsewhere.
type EventLog interface {
	// Meta tells the epoch, which is part of every event's id.
	Meta(ctx context.Context) (Meta, error)
	// Events returns up to limit events after a sequence number, in order.
	Events(ctx context.Context, after int64, limit int) ([]Event, error)
	// LastEvent is the sequence number of the last event, 0 before the first.
	LastEvent(ctx context.Context) (int64, error)
}

// Auditor answers for the record: who did what, that no message is lost, and that nothing
// was tampered with.
type Auditor interface {
	// AuditOf returns audit records, oldest first.
	AuditOf(ctx context.Context, f AuditFilter) (Listing[Audit], error)
	// Balance is invariant 2's sum over one snapshot.
	Balance(ctx context.Context) (Balance, error)
	// Verify walks the chain and every row it covers; a broken ledger is a Finding, not an error.
	Verify(ctx context.Context, checkpoint *Checkpoint) (Verification, error)
	// Head returns the chain's end as a checkpoint.
	Head(ctx context.Context) (Checkpoint, error)
}

// Meta is fixed at the ledger's first start.
type Meta struct {
	// Epoch tells this ledger from any other, and from a restored copy of itself once
	// the operator says so.
	Epoch string
	// Secret keys the hashes that stand for persons' numbers and the ids made from them.
	Secret []byte
	// Schema is the version of the store's schema.
	Schema int
}

// Listing is one page of a list. Walking its pages meets everything once that is in the
// list all the while, whatever is stored or leaves the list meanwhile.
type Listing[T any] struct {
	Items []T
	// Next is the opaque position behind Items, at which the next page begins; empty at the end.
	Next string
	// Total is how many the filter selects now, on all pages.
	Total int
}

// All walks the pages of a list, each from the position that the one before it told.
func All[T any](page func(after string) (Listing[T], error)) ([]T, error) {
	var out []T
	for after := ""; ; {
		p, err := page(after)
		if err != nil {
			return nil, err
		}
		out = append(out, p.Items...)
		if after = p.Next; after == "" {
			return out, nil
		}
	}
}

// HandoverFilter selects a page of handovers; zero fields select all.
type HandoverFilter struct {
	// Party takes part: as sender, in copy, or as receiver while its access has not ended.
	Party    handover.PartyID
	Chain    handover.ChainID
	OpenOnly bool
	// Attention keeps those with an open attention.
	Attention bool
	Limit     int    // of one page; 0 means 1000
	After     string // the position behind which to continue
}

// ParkedFilter selects a page of what is or was parked, or was heard by nobody; zero fields
// select all.
type ParkedFilter struct {
	// Party is the one whose persons must act: who sent the message; of a delivery, the
	// other party of its handover than the one that it goes to, or that one itself where
	// there is no handover.
	Party handover.PartyID
	Limit int    // of one page; 0 means 1000
	After string // the position behind which to continue
}

// AuditFilter selects audit records; zero fields select all.
type AuditFilter struct {
	Message  handover.MessageID
	Handover handover.ID
	Limit    int    // of one page; 0 means 1000
	After    string // the position behind which to continue
}

// Page is a page of resources and the opaque position of the next one, empty at the end.
type Page struct {
	Resources []Resource
	Next      string
	// Total is -1 unless asked for.
	Total int
}

// Balance is invariant 2's sum, per inbound message.
type Balance struct {
	Received, Delivered, Applied, Repeated, Refused, Parked, Closed, Moving int64
	// Unaccounted are moving messages without a next attempt or deadline, and parked
	// ones without a contact or deadline: each is a broken promise.
	Unaccounted []handover.MessageID
	// OpenHandoversWithoutDeadline break invariant 4.
	OpenHandoversWithoutDeadline []handover.ID
}

// Holds reports whether every message is accounted for.
func (b Balance) Holds() bool {
	return b.Received == b.Delivered+b.Applied+b.Repeated+b.Refused+b.Parked+b.Closed+b.Moving &&
		len(b.Unaccounted) == 0 && len(b.OpenHandoversWithoutDeadline) == 0
}

// Checkpoint is the chain's position, kept outside the ledger.
type Checkpoint struct {
	Epoch string          `json:"epoch"`
	Entry int64           `json:"entry"`
	Head  handover.Digest `json:"head"`
	Event int64           `json:"event"`
	At    time.Time       `json:"at"`
}

// Finding is the first place where the record is not whole.
type Finding struct {
	Entry int64
	// Problem is removed, reordered, changed or cut-off.
	Problem string
	Detail  string
}

// Verification is the outcome of Verify.
type Verification struct {
	Entries int64
	Events  int64
	Erased  int64 // rows whose content was erased by law and whose digests still chain
	Head    handover.Digest
	Finding *Finding
}
