// Package fhirbundle is outgoing FHIR: it makes transaction Bundles, posts them to a FHIR
// server and reads what that answers. Incoming FHIR is package fhir/rest; it comes as a
// write and not through Intake, so that this wire has no adapters.Codec.
package fhirbundle

import (
	"github.com/google/uuid"

	"stafett/adapters"
	"stafett/handover"
)

// Wire is FHIR as a party is told on it.
type Wire struct {
	// Base is the absolute URL of our FHIR API; a Bundle's fullUrl is built on it, so that
	// relative references resolve inside the Bundle. Without it fullUrl is a UUID made of
	// Type/id.
	Base string
}

var _ adapters.Rules = Wire{}

// Wire returns handover.WireFHIR.
func (Wire) Wire() handover.Wire { return handover.WireFHIR }

// Schemes returns http and https.
func (Wire) Schemes() (plain, encrypted string) { return "http", "https" }

// NeedsPort is false.
func (Wire) NeedsPort() bool { return false }

// TypeFor returns transaction: the Task in it says what happened.
func (Wire) TypeFor(handover.Kind, handover.EventName, bool) string { return "transaction" }

// Rank puts this wire behind the national messages of a discharge, and first for the rest.
func (Wire) Rank(k handover.Kind) int {
	if k == handover.KindDischarge {
		return 3
	}
	return 1
}

// FastReceipt is true: HTTP 2xx is the receipt.
func (Wire) FastReceipt() bool { return true }

// NewID makes a UUID for Bundle.identifier.
func (Wire) NewID() string { return uuid.NewString() }
