// Package account is what a translation tells the rest of the program: canonical.go the
// canonical form between all wires and the report, leftover.go the account of what had no
// place in a message, carried.go the document of what no mapping knew, and readable.go the
// text that people read of both. It knows neither how mappings are written nor how they are run.
package account

import (
	"maps"
	"slices"

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
	// Family, Middle and Given name the person whom the message names in a service's place.
	Family string `json:",omitempty"`
	Middle string `json:",omitempty"`
	Given  string `json:",omitempty"`
}

// headerValues are the closed set of names after "header." in mapping files.
var headerValues = withAddresses(map[string]func(*Header) *string{
	"id":           func(h *Header) *string { return &h.ID },
	"time":         func(h *Header) *string { return &h.Time },
	"type":         func(h *Header) *string { return &h.Type },
	"version":      func(h *Header) *string { return &h.Version },
	"conversation": func(h *Header) *string { return &h.Conversation },
	"parent":       func(h *Header) *string { return &h.Parent },
	"status":       func(h *Header) *string { return &h.Status },
})

var addressValues = map[string]func(*Address) *string{
	"her":         func(a *Address) *string { return &a.HER },
	"herService":  func(a *Address) *string { return &a.HERService },
	"orgNumber":   func(a *Address) *string { return &a.OrgNumber },
	"application": func(a *Address) *string { return &a.Application },
	"facility":    func(a *Address) *string { return &a.Facility },
	"name":        func(a *Address) *string { return &a.Name },
	"serviceName": func(a *Address) *string { return &a.ServiceName },
	"family":      func(a *Address) *string { return &a.Family },
	"middle":      func(a *Address) *string { return &a.Middle },
	"given":       func(a *Address) *string { return &a.Given },
}

func withAddresses(values map[string]func(*Header) *string) map[string]func(*Header) *string {
	for name, of := range addressValues {
		values["sender."+name] = func(h *Header) *string { return of(&h.Sender) }
		values["receiver."+name] = func(h *Header) *string { return of(&h.Receiver) }
	}
	return values
}

// Value returns the value that a mapping file spells header.name, or nil.
func (h *Header) Value(name string) *string {
	of, ok := headerValues[name]
	if !ok {
		return nil
	}
	return of(h)
}

// HeaderNames lists the names that Value knows, sorted.
func HeaderNames() []string { return slices.Sorted(maps.Keys(headerValues)) }

// facts are the closed set of names after "fact." in mapping files, each with the FHIR
// type that its text has.
//
//	visit            the stay's number, unique within facility and visitAuthority
//	visitAlternate   PV1-50, account PID-18: what some senders have in its place
//	knownRecipient   true, false or unreadable, absent where nothing states it; assessedNeed too
//	reserved         reservation or protected address; true also where it cannot be read
//	leave            away or back
//	died             true also where no time of death is known
//	unreadable       the place of a time that decides and cannot be read
var facts = map[string]string{
	"visit": "string", "unit": "string", "kommunenummer": "string", "postalCode": "string",
	"facility": "string", "visitAuthority": "string", "visitAlternate": "string", "account": "string",
	"status": "string", "answer": "string", "secondAnswer": "string", "unreadable": "string",
	"knownRecipient": "code", "assessedNeed": "code", "leave": "code", "reserved": "boolean", "died": "boolean",
	"admittedAt": "instant", "readyAt": "instant", "dischargedAt": "instant", "diedAt": "instant", "occurredAt": "instant",
}

// Unreadable is the value of a fact whose place has a value that says neither yes nor no.
const Unreadable = "unreadable"

// FactNames lists the names of facts, sorted.
func FactNames() []string { return slices.Sorted(maps.Keys(facts)) }

// FactType is the FHIR type of a fact's text; ok is false for a name that is no fact.
func FactType(name string) (typ string, ok bool) {
	typ, ok = facts[name]
	return typ, ok
}

// codes are the values that a header value or a fact of few values can have.
var codes = map[string][]string{
	"header.status": {"N", "M", "C"}, // Volven 7309
	"fact.status":   {"N", "M", "C"},
	"fact.answer":   {"KAN_MOTTA", "KAN_IKKE_MOTTA"},
}

// Codes lists the values that header.NAME or fact.NAME can have; nil where any may be.
func Codes(place string) []string { return codes[place] }

// Canonical is one message in the form between all wires.
type Canonical struct {
	Header Header
	Event  handover.EventName
	Kind   handover.Kind
	// Day is the promised day of an answer, as yyyy-mm-dd; empty when it names none.
	Day string
	// Facts are what intake decides on without reading resources, by the names of FactNames;
	// times are RFC 3339.
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
