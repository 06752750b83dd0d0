// Package mappings translates between a party's message and the canonical FHIR form. A
// mapping is a text file: a table of correspondences that is read in both directions,
// compiled once, with an account of every element. docs/mapping-language.md describes the
// language; the files stand in hl7v2, kith and concept beside this code.
package mappings

import (
	"time"

	"stafett/fhir"
	"stafett/handover"
	"stafett/message"
)

// Header holds the values of a message's envelope, spelled header.id, header.sender.her
// and so on in mapping files. Any may be empty.
type Header struct {
	// ID is MSH-10 or MsgId, Time is MSH-7 or GenDate as the wire writes it.
	ID, Time, Type, Version string
	// Conversation and Parent are RefToConversation and RefToParent (HITS 1218:2019).
	Conversation, Parent string
	// Status is Forsendelsesstatus (Volven 7309): N, M or C.
	Status           string
	Sender, Receiver Address
}

// Address is a party as a message names it. Any field may be empty.
type Address struct {
	HER, HERService, OrgNumber string
	// Application and Facility are MSH-3/4 or MSH-5/6.
	Application, Facility string
	Name, ServiceName     string
}

// Canonical is one message in the form between all wires.
type Canonical struct {
	Header Header
	Event  handover.EventName
	Kind   handover.Kind
	// Day is the promised day of an answer, as yyyy-mm-dd; empty when it names none.
	Day string
	// Facts are what intake decides on without reading resources: visit, kommunenummer,
	// postalCode, knownRecipient, assessedNeed, reserved, unit, status, answer, and the times
	// admittedAt, readyAt, dischargedAt, diedAt, occurredAt (RFC 3339).
	Facts     map[string]string
	Resources []Named
}

// Named is one resource of a Canonical. References between resources of one Canonical
// are urn:stafett:<name>.
type Named struct {
	Name     string
	Resource *fhir.Node
	// Key is the business identity: equal for the same thing in later messages of the
	// same sender, empty when each message makes a new one. It is a digest, so that it
	// may stand where no name or number may.
	Key string
}

// ReferencePrefix starts a reference from one resource of a Canonical to another.
const ReferencePrefix = "urn:stafett:"

// Resource returns the resource named name, or nil.
func (c *Canonical) Resource(name string) *fhir.Node {
	for i := range c.Resources {
		if c.Resources[i].Name == name {
			return c.Resources[i].Resource
		}
	}
	return nil
}

// Context is what a translation needs beside the message.
type Context struct {
	// Header is, towards FHIR, the envelope as the codec read it; the mapping's own header
	// lines fill what is empty. From FHIR it is the envelope of the message to be made;
	// where it is zero, Canonical.Header is used.
	Header Header
	// Location is the party's time zone, for times without one; nil means Europe/Oslo.
	Location *time.Location
}

// Report accounts for every element of what was translated. As JSON it holds paths,
// never values.
type Report struct {
	Mapping string `json:"mapping"`
	// Fates has one entry for each leaf of the source: of the message towards FHIR, of
	// the resources from FHIR (those that are not in Leftover).
	Fates []message.ElementFate `json:"fates"`
	// Leftover is what reached FHIR and has no place in the receiver's format.
	Leftover []Leftover `json:"leftover,omitempty"`
}

// Leftover is one leaf of the canonical form without a place in the message.
type Leftover struct {
	Path string `json:"path"`
	// Label names it in Norwegian bokmål, for the readable document.
	Label string `json:"label"`
	Value string `json:"-"`

	labelEN, valueEN, group, groupEN string
}
