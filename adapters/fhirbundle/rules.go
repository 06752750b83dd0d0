package fhirbundle

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"stafett/adapters"
	"stafett/fhir"
	"stafett/handover"
	"stafett/message"
)

// Schemes returns http and https.
func (Codec) Schemes() (plain, encrypted string) { return "http", "https" }

// NeedsPort is false.
func (Codec) NeedsPort() bool { return false }

// TypeFor returns transaction: the Task in it says what happened.
func (Codec) TypeFor(handover.Kind, handover.EventName, bool) string { return "transaction" }

// Notice is false: a Bundle carries its text as a Communication beside the rest.
func (Codec) Notice(string) bool { return false }

// Cancels is false: Task.status says it.
func (Codec) Cancels(handover.EventName) bool { return false }

// Rank puts this wire behind the national messages of a discharge, and first for the rest.
func (Codec) Rank(k handover.Kind) int {
	if k == handover.KindDischarge {
		return 3
	}
	return 1
}

// ReceiptType is empty: Relay and Refusal make nothing.
func (Codec) ReceiptType() string { return "" }

// FastReceipt is true: HTTP 2xx is the receipt.
func (Codec) FastReceipt() bool { return true }

// NewID makes a UUID for Bundle.identifier.
func (Codec) NewID() string { return uuid.NewString() }

// Time spells a FHIR instant to the second.
func (Codec) Time(at time.Time, zone *time.Location) string {
	return at.In(zone).Truncate(time.Second).Format(time.RFC3339)
}

// bundleTypes are http://hl7.org/fhir/bundle-type (R4), which Envelope reports.
var bundleTypes = []string{"document", "message", "transaction", "transaction-response", "batch", "batch-response",
	"history", "searchset", "collection"}

var methods = []string{"POST", "PUT", "PATCH", "DELETE"}

// TypeCode returns typ where it is a type of Bundle, of a resource that is stored here, or
// a method with one (POST Task).
func (Codec) TypeCode(typ string) string {
	resource := typ
	if method, written, ok := strings.Cut(typ, " "); ok && slices.Contains(methods, method) {
		resource = written
	}
	if typ == "" || slices.Contains(bundleTypes, typ) || fhir.IsStored(resource) {
		return typ
	}
	return adapters.TypeUnreadable
}

// Refuses is true of everything: whoever writes is told at once and can mend it.
func (Codec) Refuses(handover.FaultKind) bool { return true }

// Retakes is false: FHIR comes as a write, not through Intake, and is never parked.
func (Codec) Retakes() bool { return false }

// AskCommitAnswer does nothing: HTTP always answers.
func (Codec) AskCommitAnswer(*message.Node) {}
