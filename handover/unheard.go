package handover

// Unheard says why content of an applied message, which the other party of its handover was not
// told before, reached nobody. The set is closed.
type Unheard string

// The reasons why content reached nobody. Content that the other party was told already is not
// unheard, and a feed's message about a patient without a handover has nobody to hear it.
const (
	// UnheardClosed: the handover is closed, and its receiver does not have the patient by it.
	UnheardClosed Unheard = "closed-handover"
	// UnheardAccessEnded: the receiver was the wrong one, and is told nothing more.
	UnheardAccessEnded Unheard = "access-ended"
)

// UnheardReasons lists every reason.
func UnheardReasons() []Unheard { return []Unheard{UnheardClosed, UnheardAccessEnded} }
