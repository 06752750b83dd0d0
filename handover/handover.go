// Package handover is the vocabulary of Stafett: what a handover is, the states
// it passes, the events that move it, who may cause them, and the pure decision
// that says what follows. It imports nothing of ours, does no I/O and reads no clock.
//
// # Glossary
//
//   - message: bytes from or to a party, with their digest; never altered after receipt.
//   - party: an organisation with services, addresses, formats and credentials.
//   - handover: one transfer of responsibility for one patient; a FHIR Task carries it.
//   - chain: the handovers that follow one another for one patient and one need.
//   - custodian: the one party that must bring the handover to its next step.
//   - transport answer: ours, to the sender's connection, after commit.
//   - receipt: the receiving party's system saying that it has the message.
//   - acceptance: the receiving party's own decision; only this moves custody forward.
//   - deadline: when the present state must have ended; passing it escalates.
//   - attention: a mark on an open handover or a message, for a named person to resolve.
//   - disposition: how a received message ended.
//   - told: what a receiver was last sent of a handover, by digest of its content.
//   - notice: a message about a stay that holds until another takes it back.
//
// # Files
//
//	handover.go, state.go, event.go   what there is: handovers, states, events
//	reason.go, effect.go, fault.go    what a decision says: why, what to do, why not
//	table.go, rule.go                 what moves a handover, row by row, and the rows' terms
//	decide.go   a row is found and its columns worked out
//	  check.go  what an event and its actor must be      open.go  what begins a handover
//	  attention.go, clock.go  attentions and deadlines of the handover (watched)
//	policy.go, calendar.go            how long everything may take
//	taskchange.go                     what a change of Task.status means
package handover

import "time"

// ID identifies one handover; it is also the id of the FHIR Task that carries it.
type ID string

// ChainID identifies the handovers that follow one another for one patient and one need.
type ChainID string

// PartyID identifies an organisation in the directory. It is safe for NATS subjects:
// lower-case letters, digits and hyphens.
type PartyID string

// MessageID identifies one message stored in the ledger, inbound or outbound.
type MessageID string

// DeliveryID identifies one outgoing message to one receiver.
type DeliveryID string

// CorrelationID joins a log line, an answer on a wire and a ledger entry.
type CorrelationID string

// Digest is the SHA-256 of content, as 64 lower-case hexadecimal digits.
type Digest string

// Wire names a message format as a party speaks it.
type Wire string

// The wires. A wire is named by its format, not by its transport.
const (
	WireHL7v2 Wire = "hl7v2"
	WireKITH  Wire = "kith"
	WireFHIR  Wire = "fhir"
)

// Kind says what a handover hands over.
type Kind string

// The kinds.
const (
	KindReferral     Kind = "referral"
	KindDischarge    Kind = "discharge"
	KindCoordination Kind = "coordination"
)

// Kinds lists every kind.
func Kinds() []Kind { return []Kind{KindReferral, KindDischarge, KindCoordination} }

// Handover is one transfer of responsibility for one patient. It holds codes, ids and
// times only: nothing that names the patient.
type Handover struct {
	ID        ID      `json:"id"`
	Chain     ChainID `json:"chain"`
	Kind      Kind    `json:"kind"`
	State     State   `json:"state"`
	Sender    PartyID `json:"sender"`
	Receiver  PartyID `json:"receiver"`
	Custodian PartyID `json:"custodian"`
	// Copies follow the handover without ever changing its state.
	Copies []PartyID `json:"copies,omitempty"`
	Facts  Facts     `json:"facts"`
	// Attentions that are open, in the order they were raised; at most one per reason.
	Attentions []Attention `json:"attentions,omitempty"`
	// Since is when State was entered.
	Since time.Time `json:"since"`
	// Deadline is when State must have ended; zero exactly when the handover is closed
	// and owes nothing.
	Deadline time.Time `json:"deadline,omitzero"`
	// Step counts the escalations since Deadline was first passed in this state.
	Step int `json:"step,omitempty"`
	// Hops are the receivers this chain's request has already been forwarded through.
	Hops []PartyID `json:"hops,omitempty"`
	// Next says what follows an ended handover.
	Next Next `json:"next,omitzero"`
	// Version is the ledger's optimistic lock: 0 before the first commit.
	Version int64 `json:"version"`
}

// Facts are what is known about a handover beside its state.
type Facts struct {
	AdmittedAt time.Time `json:"admittedAt,omitzero"`
	ReadyAt    time.Time `json:"readyAt,omitzero"`
	// DischargedAt is set while the patient has left the sender.
	DischargedAt time.Time `json:"dischargedAt,omitzero"`
	DiedAt       time.Time `json:"diedAt,omitzero"`
	// HealthInfoAt is when Helseopplysninger were sent (HIS 1144:2014).
	HealthInfoAt time.Time `json:"healthInfoAt,omitzero"`
	// ReceiptedAt is the time of the first positive receipt in state requested or later:
	// the legal proof that the receiver was notified (HISD 80806 section 10.5).
	ReceiptedAt time.Time `json:"receiptedAt,omitzero"`
	// PromisedDay is the day the receiver said it can receive, zero when unknown.
	PromisedDay time.Time `json:"promisedDay,omitzero"`
	// PlannedEnd is the planned end of a stay at the receiver, zero when unknown.
	PlannedEnd time.Time `json:"plannedEnd,omitzero"`
	// DischargeNoticeReceipted and ReportReceipted together let the policy finish a discharge.
	DischargeNoticeReceipted bool `json:"dischargeNoticeReceipted,omitempty"`
	ReportReceipted          bool `json:"reportReceipted,omitempty"`
	// WithdrawalAsked is set while a withdrawal awaits the receiver's consent.
	WithdrawalAsked bool `json:"withdrawalAsked,omitempty"`
	// NotReadyAt and DischargeCancelledAt are set while ReadyAt or DischargedAt is undone:
	// they tell a repeated cancellation from one that arrived before its original.
	NotReadyAt           time.Time `json:"notReadyAt,omitzero"`
	DischargeCancelledAt time.Time `json:"dischargeCancelledAt,omitzero"`
	// AccessEnded is set when the receiver was the wrong one: it is told nothing more.
	AccessEnded bool `json:"accessEnded,omitempty"`
	// Residence is the code by which the sender's messages were routed (kommunenummer, else
	// postal code); Protected is set when a named person routed a patient whose address is
	// protected.
	Residence string `json:"residence,omitempty"`
	Protected bool   `json:"protected,omitempty"`
	// WithoutHealthInfo and WithoutReport are set where Helseopplysninger, or
	// Utskrivningsrapport, cannot arrive on any wire of the sender: nobody waits for them.
	WithoutHealthInfo bool `json:"withoutHealthInfo,omitempty"`
	WithoutReport     bool `json:"withoutReport,omitempty"`
}

// Attention is a mark that a named person must resolve. It is not a state.
type Attention struct {
	Reason AttentionReason `json:"reason"`
	// Parties whose contacts are told.
	Parties []PartyID `json:"parties"`
	// About are the parties that could not be reached (unreachable only).
	About    []PartyID `json:"about,omitempty"`
	RaisedAt time.Time `json:"raisedAt"`
	// Deadline repeats until the attention is cleared (1 h, 4 h, then daily, then weekly).
	Deadline time.Time `json:"deadline"`
	Step     int       `json:"step,omitempty"`
}

// Next names what follows an ended handover: another handover of the chain, or the
// reason why there is none. Exactly one is set.
type Next struct {
	Handover ID         `json:"handover,omitempty"`
	None     NoneReason `json:"none,omitempty"`
}

// IsZero reports whether nothing has been named.
func (n Next) IsZero() bool { return n == Next{} }

// ActorRole is the capacity in which somebody causes an event.
type ActorRole string

// The roles. Who holds which is decided by access, never by the message alone.
const (
	RoleSender   ActorRole = "sender"
	RoleReceiver ActorRole = "receiver"
	RoleCopy     ActorRole = "copy"
	// RoleSystem is a technical fact: a receipt, a failed delivery.
	RoleSystem ActorRole = "system"
	// RolePolicy is a rule of configuration.
	RolePolicy ActorRole = "policy"
	// RoleClock is the passing of a deadline.
	RoleClock ActorRole = "clock"
	// RoleReader is a named person who reads for a party; Party says for which,
	// and the person acts with that party's rights.
	RoleReader ActorRole = "reader"
)

// ActorRoles lists every role.
func ActorRoles() []ActorRole {
	return []ActorRole{RoleSender, RoleReceiver, RoleCopy, RoleSystem, RolePolicy, RoleClock, RoleReader}
}

// Actor is who causes an event.
type Actor struct {
	Role  ActorRole
	Party PartyID
	// Person is the named person, required for RoleReader.
	Person string
}
