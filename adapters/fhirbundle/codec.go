// Package fhirbundle is outgoing FHIR: it makes transaction Bundles, posts them to a FHIR
// server and reads what that answers. Incoming FHIR is package fhir/rest.
package fhirbundle

import (
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"stafett/adapters"
	"stafett/fhir"
	"stafett/handover"
	"stafett/message"
)

// Version is what Envelope reports: every resource here is of it.
const Version = "4.0.1"

// Codec reads and writes FHIR JSON as a message tree.
//
// A member of an object is a child with its name; the items of an array are children that
// repeat the name. Node.Space holds the JSON kind (object, string, number, boolean, null),
// followed by "[]" for an item of an array; an empty array, and one directly inside
// another, is a node of kind "array" whose items are named "item". So any JSON comes back
// as it was. A node that was built needs no Space: with children it is an object, without
// a string.
type Codec struct {
	// Base is the absolute URL of our FHIR API; a Bundle's fullUrl is built on it, so that
	// relative references resolve inside the Bundle. Without it fullUrl is a UUID made of
	// Type/id.
	Base string
}

var _ adapters.Codec = Codec{}

// Wire returns handover.WireFHIR.
func (Codec) Wire() handover.Wire { return handover.WireFHIR }

// Decode parses one resource; the root is named by its type.
func (Codec) Decode(raw []byte, limits message.Limits) (*message.Message, error) {
	n, err := fhir.Parse(raw, fhir.Limits{Bytes: limits.Bytes, Depth: limits.Depth, Nodes: limits.Nodes})
	if err != nil {
		return nil, decodeFault(err)
	}
	if n.Kind != fhir.KindObject {
		return nil, &handover.Fault{Kind: handover.FaultMalformed, Op: "fhirbundle.Decode", Line: n.Line, Column: n.Column,
			Text: "not a resource: an object is expected"}
	}
	r := reader{raw: raw}
	r.space()
	root := r.value(n, orElse(n.ResourceType(), "object"), "")
	return &message.Message{Wire: handover.WireFHIR, Raw: raw, Root: root}, nil
}

func decodeFault(err error) error {
	f := &handover.Fault{Kind: handover.FaultMalformed, Op: "fhirbundle.Decode", Text: "not JSON", Err: err}
	var p *fhir.ParseError
	if errors.As(err, &p) {
		f.Text, f.Path, f.Line, f.Column = p.Text, p.Path, p.Line, p.Column
		if p.TooLarge {
			f.Kind = handover.FaultTooLarge
		}
	}
	return f
}

// Envelope reads what FHIR has of one: a Bundle's type, identifier (else id) and
// timestamp, or a resource's type and id. The sender is the caller that the transport
// authenticated, the receiver follows from the Task.
func (Codec) Envelope(m *message.Message) (adapters.Envelope, error) {
	env := adapters.Envelope{Version: Version}
	if m == nil || m.Root == nil {
		return env, envelopeFault(handover.FaultMalformed, "no resource", "")
	}
	root := m.Root
	if env.Type = root.Text("resourceType"); env.Type == "" {
		return env, envelopeFault(handover.FaultMalformed, "the resource has no type", "resourceType")
	}
	if env.Type == "Bundle" {
		env.Type = orElse(root.Text("type"), "Bundle")
		env.Time = root.Text("timestamp")
		env.ID = root.Text("identifier", "value")
	}
	if env.ID = orElse(env.ID, root.Text("id")); env.ID == "" {
		return env, envelopeFault(handover.FaultBadMessageID, "neither an identifier nor an id", root.Name+".id")
	}
	return env, nil
}

func envelopeFault(kind handover.FaultKind, text, path string) error {
	return &handover.Fault{Kind: kind, Op: "fhirbundle.Envelope", Text: text, Path: path}
}

// Answer returns nil: on FHIR the status and an OperationOutcome answer, in fhir/rest.
func (Codec) Answer(adapters.Envelope, handover.MessageID, *handover.Fault, time.Time) []byte {
	return nil
}

// Encode writes a tree as compact JSON, exactly as it was decoded.
func (Codec) Encode(root *message.Node) ([]byte, error) {
	if root == nil {
		return nil, &handover.Fault{Kind: handover.FaultInvalid, Op: "fhirbundle.Encode", Text: "no tree"}
	}
	n, err := node(root, 0)
	if err != nil {
		return nil, err
	}
	return n.JSON(), nil
}

// Attach adds doc as a DocumentReference to a transaction or batch.
func (c Codec) Attach(root *message.Node, doc adapters.Document) error {
	if root.Text("resourceType") != "Bundle" {
		return &handover.Fault{Kind: handover.FaultUnsupported, Op: "fhirbundle.Attach", Text: "only a Bundle takes documents", Path: "resourceType"}
	}
	reference := fhir.Obj("resourceType", "DocumentReference", "status", "current", "type", fhir.TextConcept(doc.Title),
		"content", []*fhir.Node{fhir.Obj("attachment", fhir.Obj("contentType", doc.ContentType,
			"data", base64.StdEncoding.EncodeToString(doc.Data), "title", doc.Title))})
	entry := fhir.Obj("fullUrl", urn(reference.JSON()), "resource", reference,
		"request", fhir.Obj("method", "POST", "url", "DocumentReference"))
	m, err := c.Decode(entry.JSON(), message.DefaultLimits())
	if err != nil {
		return err
	}
	built(m.Root)
	m.Root.Name, m.Root.Space = "entry", "object"+item
	root.Children = append(root.Children, m.Root)
	return nil
}

// built takes the positions off a tree that no sender's bytes hold.
func built(n *message.Node) {
	n.Line, n.Column, n.Start, n.End = 0, 0, 0, 0
	for _, c := range n.Children {
		built(c)
	}
}

// Relay returns nil: a FHIR sender sees receipts in Task.status.
func (Codec) Relay(adapters.Envelope, adapters.Receipt, string, time.Time) ([]byte, error) {
	return nil, nil
}

// Refusal returns nil: the transport answer has said it.
func (Codec) Refusal(adapters.Envelope, *handover.Fault, string, time.Time) ([]byte, error) {
	return nil, nil
}

func orElse(s, other string) string {
	if strings.TrimSpace(s) == "" {
		return other
	}
	return s
}
