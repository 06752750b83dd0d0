package adapters

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"stafett/handover"
	"stafett/message"
)

// Rules are what a wire prescribes beyond the bytes of one message. Everything that
// differs between wires is asked of them, so that nothing outside a wire names one. All
// methods but NewID are pure, and all are safe for concurrent use.
type Rules interface {
	Wire() handover.Wire
	// Schemes are what the URL of a Target starts with; NeedsPort says that they have no
	// port of their own.
	Schemes() (plain, encrypted string)
	NeedsPort() bool
	// TypeFor is the type of the message that tells event of a handover of kind k, as the
	// wire spells it; never empty. bySender: the handover's sender did it.
	TypeFor(k handover.Kind, event handover.EventName, bySender bool) string
	// Notice says that messages of type typ carry a text for people, and need one.
	Notice(typ string) bool
	// Cancels says that event is told by cancelling the earlier message of the same type,
	// which is referred to.
	Cancels(event handover.EventName) bool
	// Rank orders the wires that a party can be told on about a handover of kind k: the
	// lowest is tried first (ByRank).
	Rank(k handover.Kind) int
	// ReceiptType is the type of the messages that Relay and Refusal make, empty where they
	// make none.
	ReceiptType() string
	// FastReceipt says that a receipt comes with the transport's answer, so that one that
	// is missing is soon late (handover.Policy.ReceiptTerms).
	FastReceipt() bool
	// NewID makes the identity of an outgoing message, another one every time.
	NewID() string
	// Time spells at in zone with its offset, to the second, as the header of an outgoing
	// message holds it.
	Time(at time.Time, zone *time.Location) string
	// TypeCode is a received message's type as it may be shown in logs and lists: typ where
	// it is spelled as a code of the wire or empty, else TypeUnreadable, because another
	// text could name a person.
	TypeCode(typ string) string
	// Refuses says whether a received message with a fault of this kind is refused, with
	// its sender told, or parked for a named person.
	Refuses(kind handover.FaultKind) bool
	// Retakes says that messages of the wire come through Intake, and that a stored one can
	// go through it again. What does not is refused and never parked.
	Retakes() bool
	// AskCommitAnswer puts into a tree that a mapping built, before Encode, what asks the
	// receiver for a commit answer at once and a receipt later. It does nothing on wires
	// where that is not asked for, and on nil.
	AskCommitAnswer(root *message.Node)
}

// TypeUnreadable stands for a message type that is not spelled as one.
const TypeUnreadable = "unreadable"

// ByRank returns the wires of codecs in the order in which a party is told on them about
// a handover of kind k.
func ByRank(codecs map[handover.Wire]Codec, k handover.Kind) []handover.Wire {
	return slices.SortedFunc(maps.Keys(codecs), func(a, b handover.Wire) int {
		return cmp.Or(cmp.Compare(codecs[a].Rank(k), codecs[b].Rank(k)), cmp.Compare(a, b))
	})
}
