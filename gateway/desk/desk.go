// Package desk is where people look and act: what happened to a message, which handovers
// are open, what is parked, and the acts of named persons on it.
//
//	views.go   what a message and a handover look like from outside
//	parked.go  what waits for a person, and how it is ended
//	answer.go  what a person reads out of a text that no rule could read
package desk

import (
	"context"

	"stafett/access"
	"stafett/gateway/intake"
	"stafett/gateway/kernel"
	"stafett/handover"
	"stafett/ledger"
)

// Desk answers and acts for people. Its methods are safe for concurrent use.
type Desk struct {
	k      *kernel.Kernel
	intake *intake.Intake
}

// New makes a desk. Kept messages are taken again through in.
func New(k *kernel.Kernel, in *intake.Intake) *Desk { return &Desk{k, in} }

// auditRead records a read before its answer leaves; without the record there is no answer.
func (g *Desk) auditRead(ctx context.Context, c access.Caller, what string) error {
	return g.k.Audit(ctx, ledger.Audit{Action: ledger.AuditRead, Party: c.Party, Person: c.Person, Resource: what, Correlation: c.Correlation})
}

// Translation is a dry run: what a message would become.
type Translation = intake.Translation

// DryRun takes a message through intake without storing anything, and makes a message of
// toType on wire to, when to is given.
func (g *Desk) DryRun(ctx context.Context, from handover.Wire, raw []byte, to handover.Wire, toType string) (Translation, error) {
	return g.intake.Translate(ctx, from, raw, to, toType)
}
