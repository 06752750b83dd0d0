package gateway

import (
	"context"
	"errors"

	"stafett/conformance"
	"stafett/fhir"
	"stafett/handover"
	"stafett/mappings/engine"
)

// translate makes FHIR of the message and the report that accounts for each element
// (invariant 6). A receipt is no content: it is read and used as it is.
func (g *Gateway) translate(_ context.Context, t *taking) error {
	if t.env.Receipt != nil {
		return nil
	}
	m, ok := g.mappings.For(t.in.Wire, t.env.Type, t.env.Version, t.sender.Overlay)
	if !ok {
		return &handover.Fault{Kind: handover.FaultUnsupported, Op: "gateway.translate", Text: "no mapping takes this message type"}
	}
	content, report, err := engine.ToFHIR(m, t.tree, engine.Context{Location: t.sender.Location()})
	t.content, t.report = content, report
	if err != nil {
		var f *handover.Fault
		if errors.As(err, &f) {
			return f
		}
		return &handover.Fault{Kind: handover.FaultInvalid, Op: "gateway.translate", Text: "the message could not be translated", Err: err}
	}
	return nil
}

// validate holds what was made against the structure of FHIR R4.
func (g *Gateway) validate(_ context.Context, t *taking) error {
	for _, r := range t.content.Resources {
		n := r.Resource
		if r.Name == nameTask && n.Get("status") == nil {
			// The handover decides the status later; any valid one stands in for it here.
			n = n.Clone()
			n.Set("status", fhir.Str(handover.StateRequested.TaskStatus()))
		}
		if f := g.invalid(n); f != nil {
			f.Path = r.Name + ": " + f.Path
			return f
		}
	}
	return nil
}

// invalid returns the first error that conformance finds in a resource.
func (g *Gateway) invalid(n *fhir.Node) *handover.Fault {
	for _, i := range g.validator(n) {
		if i.Severity == conformance.SeverityError {
			return &handover.Fault{Kind: handover.FaultInvalid, Op: "gateway.validate", Text: i.Text, Path: i.Path, Line: i.Line, Column: i.Column}
		}
	}
	return nil
}
