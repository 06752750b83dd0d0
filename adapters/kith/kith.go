// Package kith is the wire of Norwegian XML messages: Hodemelding (MsgHead 1.2, HIS
// 80601:2006) around a clinical body, the application receipt (AppRec 1.0 and 1.1, HIS
// 80415), and the older messages that carry their own head (Henvisning 1.x, Epikrise).
// They travel as XML over HTTP POST with a bearer token.
//
// It reads XML with a reader of its own, because every node of the tree must know its
// line, column and verbatim slice. The reader takes XML 1.0 with namespaces and neither
// document types nor entities of a document's own.
//
// The transport answer says only that the bytes are stored (202) or why not. What the
// receiving system says travels as an AppRec, a message of its own: Relay makes the one
// that tells a sender about its receiver's receipt, Refusal the few negative ones that
// the standard lets a gateway make. Nothing here makes a positive receipt of its own.
package kith

import (
	"time"

	"stafett/adapters"
	"stafett/handover"
	"stafett/message"
)

// Codec is the KITH format. Its zero value is ready for use, in production.
type Codec struct {
	// Test takes what its sender marks as a test (ProcessingStatus D or T), beside the rest.
	Test bool
}

var (
	_ adapters.Codec   = Codec{}
	_ adapters.Checker = Codec{}
)

// Wire returns handover.WireKITH.
func (Codec) Wire() handover.Wire { return handover.WireKITH }

// Decode parses raw as XML. Its faults are malformed, too-large and unsupported (an
// encoding or XML version that is not taken); beside a fault stands what was read.
func (Codec) Decode(raw []byte, limits message.Limits) (*message.Message, error) {
	return Read(raw, limits)
}

// Answer returns nil: this wire answers by HTTP status alone (HTTPStatus).
func (Codec) Answer(adapters.Envelope, handover.MessageID, *handover.Fault, time.Time) []byte {
	return nil
}
