// Package access says who calls, which party that is, and what it may see and do.
//
// Every rule is a pure function that returns nil when the act is allowed and a
// *handover.Fault otherwise, and every rule refuses what it does not know: the zero
// Caller, an empty party, a type or a role without an entry may nothing.
package access

import (
	"context"

	"stafett/directory"
	"stafett/handover"
)

// CallerKind tells organisations from the persons who run the gateway.
type CallerKind string

// The caller kinds.
const (
	CallerParty    CallerKind = "party"
	CallerOperator CallerKind = "operator"
)

// Method is how a caller proved who it is.
type Method string

// The methods.
const (
	MethodToken       Method = "token"
	MethodCertificate Method = "certificate"
	MethodListener    Method = "listener" // a socket that only one party can reach
)

// Caller is who calls. It is logged and audited.
type Caller struct {
	Kind CallerKind
	// Party is the organisation that calls, or for which an operator reads. It is empty
	// for an operator of the gateway as a whole.
	Party handover.PartyID
	// Person is the named person; required for operators, empty for parties.
	Person string
	Method Method
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

// ByCertificate returns the party whose client certificate, already verified by TLS, has
// that subject common name.
func ByCertificate(dir *directory.Directory, cn string) (Caller, error) {
	p, ok := dir.ByCertificateCN(cn)
	if cn == "" || !ok {
		return Caller{}, &handover.Fault{Kind: handover.FaultUnauthenticated, Op: "access.ByCertificate",
			Text: "the client certificate belongs to no party"}
	}
	return Caller{Kind: CallerParty, Party: p.ID, Method: MethodCertificate}, nil
}

// ByListener returns the party that a listener of its own stands for.
func ByListener(dir *directory.Directory, party handover.PartyID) (Caller, error) {
	p, ok := dir.Party(party)
	if !ok {
		return Caller{}, &handover.Fault{Kind: handover.FaultUnauthenticated, Op: "access.ByListener",
			Text: "the listener belongs to no party"}
	}
	return Caller{Kind: CallerParty, Party: p.ID, Method: MethodListener}, nil
}
