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

var (
	_ adapters.Codec   = (*Codec)(nil)
	_ adapters.Checker = (*Codec)(nil)
	_ adapters.Tuned   = (*Codec)(nil)
	_ adapters.Feeder  = (*Codec)(nil)
)

// handoverTypes are the messages of a discharge, and receipts.
var handoverTypes = []string{"ADT^A01", "ADT^A16", "ADT^A25", "ADT^A03", "ADT^A13", "ADT^A11", "ADT^A23", "ACK"}

// feedTypes are what an ADT feed tells beside: transfers, corrections, leave, persons,
// merged records. They begin no handover.
var feedTypes = []string{"ADT^A02", "ADT^A08", "ADT^A12", "ADT^A21", "ADT^A22", "ADT^A28", "ADT^A29", "ADT^A31",
	"ADT^A34", "ADT^A40", "ADT^A47", "ADT^A52", "ADT^A53", "ADT^A60"}

// DefaultTypes are the messages of a discharge, of a feed, and receipts.
func DefaultTypes() []string { return slices.Concat(handoverTypes, feedTypes) }

var defaultTypes = DefaultTypes()

// As returns the codec for what a party sends: by its character set where MSH-18 is empty,
// and without the messages of a feed where the party is to be told that they are not taken.
func (c *Codec) As(s adapters.Settings) adapters.Codec {
	own := *c
	if s.Charset != "" {
		own.Charset = s.Charset
	}
	if s.RefuseFeed && own.Types == nil {
		own.Types = handoverTypes
	}
	return &own
}

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

// Feeds says that an HL7 v2 sender tells of every patient (adapters.Feeder).
func (*Codec) Feeds() {}
