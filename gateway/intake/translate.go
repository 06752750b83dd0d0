package intake

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"stafett/conformance"
	"stafett/fhir"
	"stafett/gateway/act"
	"stafett/handover"
	"stafett/mappings/account"
	"stafett/mappings/engine"
	"stafett/message"
)

// translate makes FHIR of the message and the report that accounts for each element
// (invariant 6). A receipt is no content: it is read and used as it is.
func (g *Intake) translate(_ context.Context, t *taking) error {
	if t.env.Receipt != nil {
		return nil
	}
	m, ok := g.k.Mappings.For(t.in.Wire, t.env.Type, t.env.Version, t.sender.Overlay)
	if t.unread || t.unknown != nil || !ok {
		return g.passOn(t)
	}
	content, report, err := engine.ToFHIR(m, t.tree, engine.Context{Location: t.sender.Location()})
	t.content, t.report = content, report
	t.stayNumber()
	var f *handover.Fault
	if err == nil || errors.As(err, &f) {
		return err
	}
	t.ours = true
	return &handover.Fault{Kind: handover.FaultInvalid, Op: "intake.translate", Text: "the message could not be translated", Err: err}
}

// stayFacts are the facts at the places that a party's settings may name.
var stayFacts = map[string]string{"PV1-50": "visitAlternate", "PID-18": "account"}

// stayNumber finds the stay's number of a sender that writes it elsewhere.
func (t *taking) stayNumber() {
	facts := t.content.Facts
	for _, place := range t.sender.HL7.StayNumber {
		if facts["visit"] == "" && facts[stayFacts[place]] != "" {
			facts["visit"] = facts[stayFacts[place]]
		}
	}
}

// resourcesMax bounds the resources that one message becomes. All are stored in one
// transaction, which nobody else's passes.
const resourcesMax = 2000

// passOn lets a message that nothing here reads go on as it came, where it is for a party
// that takes its kind: what a receiver can read is not refused in its name (invariant 11).
func (g *Intake) passOn(t *taking) error {
	in := t.incoming()
	to := append([]handover.PartyID{t.receiver}, t.copies...)
	t.unread = in.ReceiptOwed && t.receiver != t.sender.ID &&
		slices.ContainsFunc(to, func(p handover.PartyID) bool { return g.k.TakesAsItIs(p, in.Row) })
	switch {
	case t.unread:
		t.report = account.Report{Fates: []message.ElementFate{{Path: t.tree.Root.Name, Fate: message.FateCarried, Reason: "not read: passed on as it came"}}}
		return nil
	case t.unknown != nil:
		t.checked = true
		return t.unknown
	}
	return &handover.Fault{Kind: handover.FaultUnsupported, Op: "intake.translate", Text: "no mapping takes this message type"}
}

// validate holds what was made against the structure of FHIR R4. What our mapping makes is our
// own: where it does not hold, the operator looks, and the sender is not told that it erred.
func (g *Intake) validate(_ context.Context, t *taking) error {
	if n := len(t.content.Resources); n > resourcesMax {
		t.report.Fates = nil // as large as the message itself
		return &handover.Fault{Kind: handover.FaultTooLarge, Op: "intake.validate", Text: fmt.Sprintf("the message says %d things, and %d are taken", n, resourcesMax)}
	}
	for _, r := range t.content.Resources {
		n := r.Resource
		if r.Name == act.NameTask && n.Get("status") == nil {
			// The handover decides the status later; any valid one stands in for it here.
			n = n.Clone()
			n.Set("status", fhir.Str(handover.StateRequested.TaskStatus()))
		}
		if f := conformance.FirstError(g.validator(n)); f != nil {
			t.ours = true
			return &handover.Fault{Kind: handover.FaultInvalid, Op: "intake.validate", Text: f.Text, Path: r.Name + ": " + f.Path, Line: f.Line, Column: f.Column}
		}
	}
	return nil
}
