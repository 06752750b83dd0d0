// Package account is what a translation tells the rest of the program: canonical.go the
// canonical form between all wires and the report, leftover.go the account of what had no
// place in a message, carried.go the document of what no mapping knew, and readable.go the
// text that people read of both. It knows neither how mappings are written nor how they are run.
package account

import (
	"strings"

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

// Value returns the value that a mapping file spells header.name, or nil.
func (h *Header) Value(name string) *string {
	switch name {
	case "id":
		return &h.ID
	case "time":
		return &h.Time
	case "type":
		return &h.Type
	case "version":
		return &h.Version
	case "conversation":
		return &h.Conversation
	case "parent":
		return &h.Parent
	case "status":
		return &h.Status
	}
	a, rest := &h.Sender, strings.TrimPrefix(name, "sender.")
	if rest == name {
		a, rest = &h.Receiver, strings.TrimPrefix(name, "receiver.")
	}
	if rest == name {
		return nil
	}
	switch rest {
	case "her":
		return &a.HER
	case "herService":
		return &a.HERService
	case "orgNumber":
		return &a.OrgNumber
	case "application":
		return &a.Application
	case "facility":
		return &a.Facility
	case "name":
		return &a.Name
	case "serviceName":
		return &a.ServiceName
	}
	return nil
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
