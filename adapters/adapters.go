// Package adapters is the contract of a wire: how bytes of one format are received and
// answered, decoded to a message tree, encoded from one, sent, and receipted.
//
// The contract is its acknowledgement rule. A transport answer is positive only after
// Intake has committed the message; negative with a reason; or absent, and then the
// sender still owns the message. There is no fourth outcome. Package adaptertest holds
// the suite that every adapter passes.
package adapters

import (
	"context"
	"time"

	"stafett/handover"
	"stafett/message"
	"stafett/transport"
)

// Address is a party as a message names it. Any field may be empty.
type Address struct {
	HER        string // HER-id level 1: the organisation
	HERService string // HER-id level 2: the service or person
	OrgNumber  string // nine digits
	// Application and Facility are MSH-3/4 or MSH-5/6 (first components).
	Application, Facility string
	Name, ServiceName     string
	// Detail is what a receipt must mirror beyond the fields above; nil where the wire
	// has no more.
	Detail *AddressDetail
}

// AddressDetail holds an address' identifiers as its message spells them, in order.
type AddressDetail struct {
	// Idents are level 1's, ServiceIdents level 2's.
	Idents, ServiceIdents []Ident
	// Person says that level 2 is a person and not a unit or a service.
	Person bool
}

// Ident is one identifier with its type: KITH Ident and AdditionalId (TypeId's V, S, DN).
type Ident struct{ ID, Type, System, TypeName string }

// Envelope is what a wire says about a message, before any mapping.
type Envelope struct {
	// Type is as the wire spells it: "ADT^A16", "LOG_UTSKRIVNINGSKLAR", "APPREC".
	Type string
	// ID is MSH-10, MsgId, AppRec Id or Bundle.identifier.
	ID string
	// ReceiptID is the id that a receipt quotes where it is not ID (AppRec 1.0 on
	// Henvisning 1.0 and Epikrise 1.1, HIS 80415:2004 section 6.5); else empty.
	ReceiptID string
	Version   string // MSH-12, MIGversion with the body's namespace version
	Sender    Address
	Receiver  Address
	Copies    []Address
	// Processing is MSH-11 (P, T, D), empty on wires without one.
	Processing string
	// Time is the verbatim time of generation (MSH-7, GenDate), as receipts quote it.
	Time string
	// Conversation and Parent are ConversationRef's (HITS 1218:2019), empty in a first message.
	Conversation, Parent string
	// Receipt is set when the message is a receipt (AppRec, HL7 application ACK).
	Receipt *Receipt
	// CommitAnswer says that the sender uses enhanced acknowledgement (MSH-15).
	CommitAnswer bool
	// ReceiptWanted says that the sender wants an application receipt (MSH-16, Ack).
	ReceiptWanted bool
}

// Receipt and ReceiptError are what a receipt says.
type (
	Receipt      = message.Receipt
	ReceiptError = message.ReceiptError
)

// Inbound is one message as a wire received it.
type Inbound struct {
	Wire handover.Wire
	// Caller is the party that the transport authenticated (token, client certificate,
	// listener); empty only where the wire has no authentication, and then it is refused.
	Caller      handover.PartyID
	Raw         []byte
	ReceivedAt  time.Time
	Correlation handover.CorrelationID
	// Broken is why the wire did not take the message whole, nil where it did; Raw is then
	// its start, and the message is recorded as refused.
	Broken *handover.Fault
}

// Outcome is what the transport answer says.
type Outcome string

// The outcomes.
const (
	// OutcomeStored: durably stored here; Bytes is the positive answer.
	OutcomeStored Outcome = "stored"
	// OutcomeRefused: stored as refused with a reason; Bytes is the negative answer.
	OutcomeRefused Outcome = "refused"
	// OutcomeUnanswered: nothing is stored; the sender must keep the message.
	OutcomeUnanswered Outcome = "unanswered"
)

// Answer is the transport answer to one Inbound.
type Answer struct {
	Outcome Outcome
	// Bytes is what the wire writes (an HL7 ACK); empty where the wire answers by status.
	Bytes   []byte
	Fault   *handover.Fault
	Message handover.MessageID
}

// Intake takes messages from the wires; package gateway implements it.
type Intake interface {
	// Take returns only after the commit, or with OutcomeUnanswered. It never panics.
	Take(ctx context.Context, in Inbound) Answer
}

// Codec is the format of a wire whose messages come through Intake, are mapped, and are
// taken again when a named person says so. All methods but Rules.NewID are pure, and all
// are safe for concurrent use.
type Codec interface {
	Rules
	// TypeCode is a received message's type as it may be shown in logs and lists: typ where
	// it is spelled as a code of the wire or empty, else TypeUnreadable, because another
	// text could name a person.
	TypeCode(typ string) string
	// Refuses says whether a received message with a fault of this kind is refused, with
	// its sender told, or parked for a named person.
	Refuses(kind handover.FaultKind) bool
	// Decode parses raw within limits. A *handover.Fault of kind malformed, too-large or
	// unsupported says where; with it a non-nil Message may hold what was read so far.
	Decode(raw []byte, limits message.Limits) (*message.Message, error)
	// Envelope reads the envelope. With a fault the envelope holds what could be read.
	Envelope(m *message.Message) (Envelope, error)
	// Answer makes the transport answer's bytes: positive when fault is nil. env may be
	// incomplete. It returns nil where the wire answers by status alone.
	Answer(env Envelope, id handover.MessageID, fault *handover.Fault, at time.Time) []byte
	// Notice says that messages of type typ carry a text for people, and need one.
	Notice(typ string) bool
	// Cancels says that event is told by cancelling the earlier message of the same type,
	// which is referred to.
	Cancels(event handover.EventName) bool
	// Time spells at in zone with its offset, to the second, as the header of an outgoing
	// message holds it.
	Time(at time.Time, zone *time.Location) string
	// Encode writes a tree that a mapping built.
	Encode(root *message.Node) ([]byte, error)
	// Attach adds a readable document to a tree before Encode.
	Attach(root *message.Node, doc Document) error
	// AskCommitAnswer puts into such a tree what asks the receiver for a commit answer at
	// once and a receipt later. It does nothing on wires where that is not asked for, and
	// on nil.
	AskCommitAnswer(root *message.Node)
	// Relay makes the receipt, in this format, that tells the sender of original about
	// the receiver's receipt r. id is the new message's identity.
	Relay(original Envelope, r Receipt, id string, at time.Time) ([]byte, error)
	// Refusal makes the negative receipt of our own that the wire allows for fault, or
	// nil where it allows none (KITH: only DOMAIN 3.3's causes; HL7: the transport answer
	// has already said it).
	Refusal(original Envelope, fault *handover.Fault, id string, at time.Time) ([]byte, error)
	// ReceiptType is the type of the messages that Relay and Refusal make.
	ReceiptType() string
}

// Checker is what a Codec may add: the checks that its format's receipt rules prescribe,
// in their order. The first that fails decides the answer; nil when none does. It is
// called after the sender is known and a repeat is ruled out, before any mapping.
type Checker interface {
	Check(m *message.Message, env Envelope) *handover.Fault
}

// Feeder is what a Codec adds whose messages tell of every patient of their sender, asked or
// not: a policy decides whose stays are handovers.
type Feeder interface{ Feeds() }

// Settings are how one party's messages differ from what the wire prescribes, by the
// directory. The zero value is: not at all.
type Settings struct {
	// Charset is the character set of messages that name none.
	Charset string
	// RefuseFeed has messages that begin no handover and tell of no step of one refused as a
	// type that is not taken.
	RefuseFeed bool
}

// Tuned is what a Codec may add: the same format as one party writes it.
type Tuned interface {
	As(Settings) Codec
}

// Document is a readable document attached to an outgoing message.
type Document struct {
	Title       string
	ContentType string // text/plain; charset=utf-8
	Data        []byte
}

// Target is where a message is sent: a service of a party with its transport settings.
type Target struct {
	Party   handover.PartyID
	Service string
	// URL is mllp://host:port, mllps://host:port, http(s)://…
	URL string
	// Token is sent as a bearer token on HTTP, empty for none.
	Token string
	// CAFile, CertFile and KeyFile configure TLS; empty for the system's roots and no
	// client certificate.
	CAFile, CertFile, KeyFile string
}

// TLS are the target's files.
func (t Target) TLS() transport.Files {
	return transport.Files{CA: t.CAFile, Cert: t.CertFile, Key: t.KeyFile}
}

// Outgoing is one message with its fixed identity; resent identical.
type Outgoing struct {
	Type, ID string
	Raw      []byte
}

// Sent is a completed send: the receiver's transport has taken the message.
type Sent struct {
	// Reply is what came back, for the record; bounded.
	Reply []byte
	// Receipt is set where the reply is itself the receiving system's receipt
	// (MLLP AA/AE/AR in original mode, FHIR 2xx).
	Receipt *Receipt
}

// Sender sends on one wire. An error is a *handover.Fault: temporary kinds are retried,
// all others end the delivery's attempts with that reason. Send obeys ctx's deadline.
type Sender interface {
	Send(ctx context.Context, to Target, out Outgoing) (Sent, error)
	Close() error
}
