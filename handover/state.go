package handover

import "slices"

// State is where a handover is in its life. Values equal what is logged, indexed and shown.
type State string

// The states, in life-cycle order.
const (
	// StateNone is before the first event.
	StateNone       State = "none"
	StateAnnounced  State = "announced"
	StateRequested  State = "requested"
	StateReceived   State = "received"
	StateDeferred   State = "deferred"
	StateAccepted   State = "accepted"
	StateInProgress State = "in-progress"
	StatePaused     State = "paused"
	StateCompleted  State = "completed"
	StateDeclined   State = "declined"
	StateForwarded  State = "forwarded"
	StateWithdrawn  State = "withdrawn"
	StateVoided     State = "voided"
)

// States lists every state in life-cycle order, StateNone first.
func States() []State {
	return []State{StateNone, StateAnnounced, StateRequested, StateReceived, StateDeferred,
		StateAccepted, StateInProgress, StatePaused, StateCompleted, StateDeclined,
		StateForwarded, StateWithdrawn, StateVoided}
}

// Open reports whether a handover in s can still be moved by its parties.
func (s State) Open() bool {
	return slices.Contains(inOpen, s)
}

// TaskStatus returns the FHIR R4 Task.status that shows s.
func (s State) TaskStatus() string { return taskStatuses[s] }

var taskStatuses = map[State]string{
	StateAnnounced: "draft", StateRequested: "requested", StateReceived: "received", StateDeferred: "on-hold",
	StateAccepted: "accepted", StateInProgress: "in-progress", StatePaused: "on-hold", StateCompleted: "completed",
	StateDeclined: "rejected", StateForwarded: "rejected", StateWithdrawn: "cancelled", StateVoided: "entered-in-error",
}

// BusinessStatus returns the code of Task.businessStatus that tells apart the states
// which share a Task.status, empty where Task.status says it all.
func (s State) BusinessStatus() string {
	switch s {
	case StateDeferred, StatePaused, StateForwarded:
		return string(s)
	}
	return ""
}
