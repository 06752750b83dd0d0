// Package hl7v2 is the HL7 version 2 wire: ER7 (vertical bar) messages of versions 2.3 to
// 2.8, decoded to a message.Node tree and encoded from one, and MLLP with TLS as server
// and as client.
//
// Sources: HL7 2.5 chapter 2 (2.5 message construction, 2.7 escapes, 2.9 acknowledgement,
// 2.14 tables 0008, 0103, 0104, 0211, 0357) and the HL7 "Minimal Lower Layer Protocol"
// release 1.
//
// # What a tree keeps
//
// A field without bytes has no node. In a field with bytes every repetition has one, so
// that the order of repetitions is kept, while a component or subcomponent without bytes
// has none. The value "" in quotes means "delete what you have" (2.5 section 2.5.3); it is
// kept as the two quote characters (Null), so that it is never taken for absence.
//
// The escapes \F\ \S\ \T\ \R\ \E\ \P\ and \X..\ become the characters they stand for and
// \.br\ a line feed; every other escape stays in the value as it was written.
package hl7v2

import (
	"slices"
	"strings"

	"stafett/adapters"
	"stafett/handover"
	"stafett/message"
)

// Null is the value of a field that says "delete" (HL7 2.5 section 2.5.3).
const Null = `""`

// Codec is the HL7 v2 format. The zero value is ready: it takes processing ids P and T,
// the message types of DefaultTypes, and UTF-8 where MSH-18 is empty.
type Codec struct {
	// Processing holds the processing ids (MSH-11, table 0103) that are taken, one letter
	// each: "P" in production. Empty means "PT".
	Processing string
	// Types are the message types that are taken, as "ADT^A01", or "ACK" for every
	// trigger. Nil means DefaultTypes.
	Types []string
	// Charset is the table 0211 name that holds where MSH-18 is empty. Empty means
	// "UNICODE UTF-8"; the standard's own default, ASCII, is a part of it.
	Charset string
}

var _ adapters.Codec = (*Codec)(nil)

// DefaultTypes are the messages of a discharge, and receipts.
func DefaultTypes() []string {
	return []string{"ADT^A01", "ADT^A16", "ADT^A25", "ADT^A03", "ADT^A13", "ADT^A11", "ACK"}
}

var defaultTypes = DefaultTypes()

// Wire returns handover.WireHL7v2.
func (c *Codec) Wire() handover.Wire { return handover.WireHL7v2 }

// takesType reports whether messages of typ are taken.
func (c *Codec) takesType(typ string) bool {
	types := c.Types
	if types == nil {
		types = defaultTypes
	}
	code, _, _ := strings.Cut(typ, "^")
	return slices.Contains(types, typ) || slices.Contains(types, code)
}

// takesProcessing reports whether messages with processing id p are taken.
func (c *Codec) takesProcessing(p string) bool {
	taken := c.Processing
	if taken == "" {
		taken = "PT"
	}
	return len(p) == 1 && strings.Contains(taken, p)
}

// versions are the values of MSH-12 (table 0104) that are taken.
var versions = []string{"2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8"}

// segment returns the first segment of root named name, or nil.
func segment(root *message.Node, name string) *message.Node {
	if root == nil || len(root.Children) == 0 {
		return nil
	}
	return root.Child(name)
}
