package kith

import (
	_ "embed"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"stafett/adapters"
	"stafett/handover"
	"stafett/message"
)

// typeNotice is the dialogue message that carries a text between health workers.
const typeNotice = "DIALOG_HELSEFAGLIG"

// dischargeTypes are the national messages by which a hospital tells a municipality what
// happens to a stay (HIS 1149:2014), and what is to be known of the patient (HIS 1144:2014,
// HIS 1148:2014). Cancellations repeat the type with status C.
var dischargeTypes = map[handover.EventName]string{
	handover.EventAdmitted:           "LOG_INNLAGT",
	handover.EventReady:              "LOG_UTSKRIVNINGSKLAR",
	handover.EventNotReady:           "LOG_AVMELDING",
	handover.EventVoided:             "LOG_INNLAGT",
	handover.EventStarted:            "LOG_UTSKREVET",
	handover.EventDischarged:         "LOG_UTSKREVET",
	handover.EventDischargeCancelled: "LOG_UTSKREVET",
	handover.EventDied:               "LOG_UTSKREVET", // with Uttilstand 2 (Volven 8431)
	handover.EventHealthInfoSent:     "HELSEOPPL_SOKNAD",
	handover.EventReportSent:         "UTSKRIVNINGSRAPPORT",
}

// ownKinds are the messages whose content is told in no other: what is to be known of a patient.
var ownKinds = map[string]bool{"HELSEOPPL_SOKNAD": true, "UTSKRIVNINGSRAPPORT": true, "INNLEGGELSESRAPPORT": true,
	"ORIENTERING_TJENESTETILBUD": true, "MEDISINSKE_OPPLYSNINGER": true, "HELSEOPPLYSNINGER_LEGE": true,
	"DIALOG_FORESPORSEL": true, "DIALOG_SVAR": true, "DIALOG_AVVIK": true, "DIALOG_STATUS_HENVISNING": true}

// OwnKind is true of the messages of PLO about care, and of questions, answers and what is said of
// another message.
func (Codec) OwnKind(typ string) bool { return ownKinds[typ] }

// Schemes returns http and https.
func (Codec) Schemes() (plain, encrypted string) { return "http", "https" }

// NeedsPort is false.
func (Codec) NeedsPort() bool { return false }

// TypeFor returns the national message of a stay, else DIALOG_HELSEFAGLIG.
func (Codec) TypeFor(k handover.Kind, event handover.EventName, bySender bool) string {
	if t, ok := dischargeTypes[event]; ok && bySender && k == handover.KindDischarge {
		return t
	}
	return typeNotice
}

// Notice is true of DIALOG_HELSEFAGLIG.
func (Codec) Notice(typ string) bool { return typ == typeNotice }

// Cancels is true of what is told with status C (HIS 1149:2014).
func (Codec) Cancels(event handover.EventName) bool {
	return event == handover.EventVoided || event == handover.EventDischargeCancelled
}

// Rank puts this wire first for discharges, which the national messages carry, and behind
// FHIR for the rest, which has no national message here.
func (Codec) Rank(k handover.Kind) int {
	if k == handover.KindDischarge {
		return 1
	}
	return 2
}

// ReceiptType returns APPREC.
func (Codec) ReceiptType() string { return "APPREC" }

// FastReceipt is false: an AppRec is a message of its own.
func (Codec) FastReceipt() bool { return false }

// NewID makes a UUID, which MsgId must be.
func (Codec) NewID() string { return uuid.NewString() }

// Time spells an XML dateTime to the second.
func (Codec) Time(at time.Time, zone *time.Location) string {
	return at.In(zone).Truncate(time.Second).Format(time.RFC3339)
}

// typesText are the codes of Volven 8279, meldingens funksjon, one a line.
//
//go:embed types.txt
var typesText string

// typeCodes is the closed list of message types. What is none of them is a sender's own
// spelling, and can be a person's name.
var typeCodes = sync.OnceValue(func() map[string]bool {
	codes := map[string]bool{"": true}
	for _, code := range strings.Fields(typesText) {
		codes[code] = true
	}
	return codes
})

// TypeCode returns typ where it is a code of Volven 8279.
func (Codec) TypeCode(typ string) string {
	if typeCodes()[typ] {
		return typ
	}
	return adapters.TypeUnreadable
}

// Refuses parks whatever was read and not understood: such a message is never answered
// negatively here, since the receipt is the receiver's to give (HIS 80415 allows a gateway
// only what Refusal makes).
func (Codec) Refuses(kind handover.FaultKind) bool {
	switch kind {
	case handover.FaultReceiverUnknown, handover.FaultNoRoute, handover.FaultIllegal, handover.FaultAmbiguous,
		handover.FaultInvalid, handover.FaultUnmapped, handover.FaultNotFound, handover.FaultConflict,
		handover.FaultPrecondition, handover.FaultGone:
		return false
	}
	return true
}

// AskCommitAnswer does nothing: a receipt is due unless Ack says otherwise.
func (Codec) AskCommitAnswer(*message.Node) {}
