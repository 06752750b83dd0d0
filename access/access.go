// Package access says who calls, which party that is, and what it may see and do.
//
// Every rule is a pure function that returns nil when the act is allowed and a
// *handover.Fault otherwise, and every rule refuses what it does not know: the zero
// Caller, an empty party, a type or a role without an entry may nothing.
package access

import (
	"context"

	"stafett/handover"
)

// CallerKind tells organisations from the persons who run the gateway.
type CallerKind string

// The caller kinds.
const (
	CallerParty    CallerKind = "party"
	CallerOperator CallerKind = "operator"
)

// Caller is who calls. It is logged and audited.
type Caller struct {
	Kind CallerKind
	// Party is the organisation that calls, or for which an operator reads. It is empty
	// for an operator of the gateway as a whole.
	Party handover.PartyID
	// Person is the named person; required for operators, empty for parties.
	Person string
	// Correlation joins everything that one request causes; set by the edge that took it.
	Correlation handover.CorrelationID
}

// known reports whether the caller is somebody at all.
func (c Caller) known() bool {
	switch c.Kind {
	case CallerParty:
		return c.Party != ""
	case CallerOperator:
		return c.Person != ""
	}
	return false
}

// IsOperator reports whether the caller is a named person who runs the gateway, or reads
// for a party.
func (c Caller) IsOperator() bool { return c.Kind == CallerOperator && c.known() }

// Authenticator turns a bearer token into a caller. The error is a *handover.Fault:
// unauthenticated when the token proves nothing, temporary when that cannot be told now.
type Authenticator interface {
	Authenticate(ctx context.Context, bearer string) (Caller, error)
}
