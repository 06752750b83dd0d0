package handover

import (
	"errors"
	"fmt"
)

// FaultKind is the closed set of ways in which a message or a call can fail.
// Each wire has one table from it to its own answer (DESIGN: answers on each wire).
type FaultKind string

// The fault kinds.
const (
	// FaultTemporary: try again later; nothing was stored.
	FaultTemporary FaultKind = "temporary"
	// FaultOverload: the gateway is at its limit; try again later.
	FaultOverload FaultKind = "overload"
	// FaultTooLarge: over a size, depth or count limit.
	FaultTooLarge FaultKind = "too-large"
	// FaultMalformed: the bytes are not of the wire's syntax.
	FaultMalformed FaultKind = "malformed"
	// FaultUnsupported: a message type, version or processing id that we do not take.
	FaultUnsupported FaultKind = "unsupported"
	// FaultInvalid: well-formed, but required content is missing or wrong.
	FaultInvalid FaultKind = "invalid"
	// FaultBadMessageID: no usable message id (KITH: not a UUID, E10).
	FaultBadMessageID FaultKind = "bad-message-id"
	// FaultPatientUnidentified: the patient is not sufficiently identified (KITH E36).
	FaultPatientUnidentified FaultKind = "patient-unidentified"
	// FaultSenderUnknown: no party of the directory, or not the caller.
	FaultSenderUnknown FaultKind = "sender-unknown"
	// FaultReceiverUnknown: an organisation that we do not serve.
	FaultReceiverUnknown FaultKind = "receiver-unknown"
	// FaultServiceUnknown: the organisation is known, the service is not (KITH E21).
	FaultServiceUnknown FaultKind = "service-unknown"
	// FaultNoRoute: no receiver follows from the party's routes.
	FaultNoRoute FaultKind = "no-route"
	// FaultUnauthenticated: who calls is not known.
	FaultUnauthenticated FaultKind = "unauthenticated"
	// FaultForbidden: known, but not allowed.
	FaultForbidden FaultKind = "forbidden"
	// FaultNotFound: no such thing, or not for this caller.
	FaultNotFound FaultKind = "not-found"
	// FaultGone: it was deleted.
	FaultGone FaultKind = "gone"
	// FaultConflict: the version is not the one expected.
	FaultConflict FaultKind = "conflict"
	// FaultPrecondition: If-Match or a conditional match failed.
	FaultPrecondition FaultKind = "precondition"
	// FaultIllegal: the event is not allowed in this state.
	FaultIllegal FaultKind = "illegal"
	// FaultUnmapped: no mapping takes this message.
	FaultUnmapped FaultKind = "unmapped"
	// FaultAmbiguous: more than one handover could be meant.
	FaultAmbiguous FaultKind = "ambiguous"
	// FaultUnknown: anything else; outward it is temporary and its detail is withheld.
	FaultUnknown FaultKind = "unknown"
)

// FaultKinds lists every fault kind.
func FaultKinds() []FaultKind {
	return []FaultKind{FaultTemporary, FaultOverload, FaultTooLarge, FaultMalformed, FaultUnsupported,
		FaultInvalid, FaultBadMessageID, FaultPatientUnidentified, FaultSenderUnknown,
		FaultReceiverUnknown, FaultServiceUnknown, FaultNoRoute, FaultUnauthenticated, FaultForbidden,
		FaultNotFound, FaultGone, FaultConflict, FaultPrecondition, FaultIllegal, FaultUnmapped,
		FaultAmbiguous, FaultUnknown}
}

// Fault is the one error type that crosses package edges with a meaning. Text and Path
// are for the sender and never hold a name, a number or other content of the message.
type Fault struct {
	Kind FaultKind
	// Op is package.Function where the fault arose.
	Op string
	// Text says what is wrong, in English, without values from the message.
	Text string
	// Path is the element at fault as the wire spells it (PID-3, Task.status), may be empty.
	Path string
	// Line and Column are 1-based positions in the message; 0 where there is none.
	Line, Column int
	// Allowed lists the events that would have been legal (FaultIllegal).
	Allowed []EventName
	// Err is the cause, for the log only.
	Err error
}

// Error returns the op, the kind and the text; it is safe to log.
func (f *Fault) Error() string {
	s := string(f.Kind)
	if f.Op != "" {
		s = f.Op + ": " + s
	}
	if f.Text != "" {
		s += ": " + f.Text
	}
	if f.Path != "" {
		s += " at " + f.Path
	}
	if f.Line > 0 {
		s += fmt.Sprintf(" (line %d, column %d)", f.Line, f.Column)
	}
	return s
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }

// FaultOf returns the Fault in err's tree, or one of kind FaultUnknown that wraps err.
// It returns nil for a nil err.
func FaultOf(err error) *Fault {
	if err == nil {
		return nil
	}
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	return &Fault{Kind: FaultUnknown, Err: err}
}

// Temporary reports whether the same bytes may succeed later.
func (k FaultKind) Temporary() bool {
	return k == FaultTemporary || k == FaultOverload || k == FaultUnknown
}
