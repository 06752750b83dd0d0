package adapters

import (
	"cmp"
	"maps"
	"slices"

	"stafett/handover"
)

// Rules are what every wire prescribes, also one that only sends: where it is reached and
// what is told on it. Everything that differs between wires is asked of them or of a
// Codec, so that nothing outside a wire names one. All methods but NewID are pure, and all
// are safe for concurrent use.
type Rules interface {
	Wire() handover.Wire
	// Schemes are what the URL of a Target starts with; NeedsPort says that they have no
	// port of their own.
	Schemes() (plain, encrypted string)
	NeedsPort() bool
	// TypeFor is the type of the message that tells event of a handover of kind k, as the
	// wire spells it; never empty. bySender: the handover's sender did it.
	TypeFor(k handover.Kind, event handover.EventName, bySender bool) string
	// Rank orders the wires that a party can be told on about a handover of kind k: the
	// lowest is tried first (ByRank).
	Rank(k handover.Kind) int
	// FastReceipt says that a receipt comes with the transport's answer, so that one that
	// is missing is soon late (handover.Policy.ReceiptTerms).
	FastReceipt() bool
	// NewID makes the identity of an outgoing message, another one every time.
	NewID() string
}

// TypeUnreadable stands for a message type that is not spelled as one.
const TypeUnreadable = "unreadable"

// ByRank returns the wires of rules in the order in which a party is told on them about a
// handover of kind k.
func ByRank(rules map[handover.Wire]Rules, k handover.Kind) []handover.Wire {
	return slices.SortedFunc(maps.Keys(rules), func(a, b handover.Wire) int {
		return cmp.Or(cmp.Compare(rules[a].Rank(k), rules[b].Rank(k)), cmp.Compare(a, b))
	})
}
