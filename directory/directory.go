// Package directory knows the parties: their identifiers, services, addresses, formats,
// routes, contacts and credentials (by reference to the environment or a file), read
// from one YAML file whose errors carry line numbers.
package directory

import (
	"time"

	"stafett/handover"
)

// PartyType is what an organisation is in the care chain.
type PartyType string

// The party types.
const (
	TypeHospital     PartyType = "hospital"
	TypeMunicipality PartyType = "municipality"
	TypeInstitution  PartyType = "institution" // private rehabilitation institution
	TypeGP           PartyType = "gp"
	TypeCoordinator  PartyType = "coordinator" // koordinerende enhet
)

// PartyTypes lists every party type.
func PartyTypes() []PartyType {
	return []PartyType{TypeHospital, TypeMunicipality, TypeInstitution, TypeGP, TypeCoordinator}
}

// The languages of texts (BCP 47).
const (
	LanguageBokmal  = "nb"
	LanguageEnglish = "en"
)

// Party is one organisation. What its slices hold is shared: read only.
type Party struct {
	ID        handover.PartyID
	Name      string
	Type      PartyType
	HER       string // HER-id level 1
	OrgNumber string // nine digits
	// Facilities are the MSH-4 (or MSH-3) values that name this party.
	Facilities []string
	// Kommunenummer that this party serves.
	Kommunenummer []string
	// TimeZone of times without one, default Europe/Oslo.
	TimeZone string
	// Language of the texts that this party's people read: LanguageBokmal or LanguageEnglish.
	Language string
	Services []Service
	// Routes find the receiver of what this party sends without naming one.
	Routes []Route
	// Contacts are escalated to in order, for attention and deadlines; at least one.
	Contacts []Contact
	// Credentials by which this party calls us.
	Credentials []Credential
	// Overlay names the agreed structured convention for DIALOG_NOTAT 9155 answers, empty for none.
	Overlay string
	// StartPolicy decides which admissions start a handover.
	StartPolicy StartPolicy
	// HL7 is how its HL7 v2 messages differ from the standard.
	HL7  HL7
	Line int

	location *time.Location // of TimeZone
}

// Service is one address of a party: it takes certain message types on one wire.
type Service struct {
	Name string // "sykepleietjeneste"
	HER  string // HER-id level 2
	Wire handover.Wire
	URL  string
	// Takes lists message types as the wire spells them, "*" for all.
	Takes []string
	// Token, CAFile, CertFile and KeyFile reference secrets: env:NAME or file:PATH.
	Token                     string
	CAFile, CertFile, KeyFile string
	// Application and Facility are MSH-5 and MSH-6 of what is sent there.
	Application, Facility string
	// CommitAnswer asks for enhanced mode on MLLP: a commit answer at once, an application receipt later.
	CommitAnswer bool
	Line         int
}

// Route names the receiver for messages of some kinds whose patient lives there.
type Route struct {
	Kind          handover.Kind // empty for all
	Kommunenummer string
	PostalFrom    string // four digits, inclusive
	PostalTo      string // four digits, inclusive
	Default       bool
	To            handover.PartyID
	Line          int
}

// Contact is a person or function that escalations are delivered to, on a service of
// the party's own.
type Contact struct {
	Name    string
	Service string
	Line    int
}

// Credential is how a party proves who it is.
type Credential struct {
	// Token references a bearer token (env:NAME or file:PATH); TokenSHA256 is its digest in hex.
	Token, TokenSHA256 string
	// CertificateCN is the subject common name of a client certificate.
	CertificateCN string
	Line          int
}

// HL7 are a party's settings for the HL7 v2 messages that it sends.
type HL7 struct {
	// Charset is the character set of messages whose MSH-18 is empty; empty for UTF-8.
	Charset string
	// StayNumber lists where a stay's number stands in messages without PV1-19, in order:
	// StayNumbers.
	StayNumber []string
	// RefuseFeed answers the messages of a feed that are no step of a discharge (A08, A31 …)
	// as types that are not taken, instead of taking them.
	RefuseFeed bool
}

// StayNumbers are the places of HL7.StayNumber: alternate visit id and patient account number.
func StayNumbers() []string { return []string{"PV1-50", "PID-18"} }

// StartPolicy says when an admission in a feed starts a discharge handover.
type StartPolicy struct {
	// KnownRecipient starts one when the message marks the patient as already receiving
	// municipal services.
	KnownRecipient bool
	// Units (PV1-3.1) whose admissions always start one.
	Units []string
	// AssessedNeed starts one when the message carries an assessed need.
	AssessedNeed bool
}
