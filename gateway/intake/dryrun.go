package intake

import (
	"cmp"
	"context"
	"encoding/json"

	"stafett/fhir"
	"stafett/gateway/tell"
	"stafett/handover"
	"stafett/mappings/account"
	"stafett/mappings/engine"
)

// Translation is a dry run: what a message would become. Nothing is stored.
type Translation struct {
	Type      string            `json:"type"`
	Event     string            `json:"event,omitempty"`
	Resources []json.RawMessage `json:"resources,omitempty"`
	Report    account.Report    `json:"report,omitzero"`
	// Output is the message in the wanted format, when one was asked for.
	Output       string          `json:"output,omitempty"`
	OutputType   string          `json:"outputType,omitempty"`
	OutputReport *account.Report `json:"outputReport,omitempty"`
}

// Translate runs the stages of intake up to the decision over raw, and then makes a
// message of toType on wire to, when to is given.
func (g *Intake) Translate(ctx context.Context, wire handover.Wire, raw []byte, to handover.Wire, toType string) (Translation, error) {
	if !g.Retakes(wire) {
		return Translation{}, &handover.Fault{Kind: handover.FaultUnsupported, Op: "intake.Translate", Text: "from hl7v2 or kith"}
	}
	t := &taking{codec: g.k.Codec(wire), now: g.k.Now()}
	t.in.Wire, t.in.Raw = wire, raw
	if err := g.decode(ctx, t); err != nil {
		return Translation{}, err
	}
	t.sender, _, _ = g.partyAt(t.env.Sender)
	for _, stage := range []func(context.Context, *taking) error{g.translate, g.validate} {
		if err := stage(ctx, t); err != nil {
			return Translation{Type: t.env.Type, Report: t.report}, err
		}
	}
	out := Translation{Type: t.env.Type, Event: string(t.content.Event), Report: t.report, Resources: []json.RawMessage{}}
	for _, r := range t.content.Resources {
		out.Resources = append(out.Resources, r.Resource.JSON())
	}
	if to == "" {
		return out, nil
	}
	return out, g.translateTo(ctx, t, to, toType, &out)
}

func (g *Intake) translateTo(_ context.Context, t *taking, to handover.Wire, typ string, out *Translation) error {
	rules := g.k.Rules[to]
	if b, ok := rules.(tell.Bundler); ok {
		var ns []*fhir.Node
		for _, r := range t.content.Resources {
			ns = append(ns, r.Resource)
		}
		out.OutputType, out.Output = rules.TypeFor(t.content.Kind, t.content.Event, true), string(b.Bundle("", t.now, ns))
		return nil
	}
	codec := g.k.Codec(to)
	if codec == nil {
		return &handover.Fault{Kind: handover.FaultUnmapped, Op: "intake.Translate", Text: "no mapping makes this message type"}
	}
	typ = cmp.Or(typ, codec.TypeFor(t.content.Kind, t.content.Event, true))
	m, ok := g.k.Mappings.For(to, typ, "", "")
	if !ok {
		return &handover.Fault{Kind: handover.FaultUnmapped, Op: "intake.Translate", Text: "no mapping makes this message type"}
	}
	c := t.content
	c.Header = account.Header{ID: codec.NewID(), Type: typ, Status: "N", Time: codec.Time(t.now, t.sender.Location()),
		Sender: tell.AddressOf(t.sender), Receiver: g.k.Self}
	tree, rep, err := engine.FromFHIR(m, c, engine.Context{Header: c.Header, Location: t.sender.Location()})
	if err != nil {
		return tell.AsFault("intake.Translate", err)
	}
	raw, err := codec.Encode(tree)
	if err != nil {
		return tell.AsFault("intake.Translate", err)
	}
	out.Output, out.OutputType, out.OutputReport = string(raw), typ, &rep
	return nil
}
