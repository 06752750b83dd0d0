package ledgertest

import (
	"bytes"
	"fmt"
	"time"

	"stafett/fhir/search"
	"stafett/handover"
	"stafett/ledger"
	"stafett/message"
)

// Start is the time at which every sample begins.
var Start = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

const (
	hospital     = handover.PartyID("fjellheim-sykehus")
	municipality = handover.PartyID("dalvik-kommune")
	institution  = handover.PartyID("solbakken-rehabilitering")
)

// Unit returns the n-th typical unit, as intake of a ready notice makes it: a message of
// 2 KB, four resources with six search rows, one handover, delivery and event, three
// audit records. Units of different n do not touch the same rows.
func Unit(n int) ledger.Unit {
	at := Start.Add(time.Duration(n) * time.Millisecond)
	raw := append(fmt.Appendf(nil, "MSH|message %d|", n), bytes.Repeat([]byte("0123456789abcdef"), 125)...)
	mid := handover.MessageID(fmt.Sprintf("m-%016x", uint64(n)*0x9E3779B97F4A7C15))
	hid := handover.ID(fmt.Sprintf("h-%016x", uint64(n)*0x9E3779B97F4A7C15))
	m := sampleMessage(mid, fmt.Sprintf("X%d", n), raw, at)
	m.Handover = hid
	u := ledger.Unit{
		Message:    &m,
		Handovers:  []handover.Handover{sampleHandover(hid, at)},
		Deliveries: []ledger.Delivery{sampleDelivery(handover.DeliveryID("d-"+mid), hid, mid, at)},
		Events:     []ledger.Event{sampleEvent(hid, mid, at)},
	}
	for i, typ := range []string{"Task", "Patient", "Encounter", "ServiceRequest"} {
		u.Resources = append(u.Resources, sampleResource(typ, fmt.Sprintf("%s-%d", hid, i), hid, n, at))
	}
	for _, action := range []ledger.AuditAction{ledger.AuditReceived, ledger.AuditDecided, ledger.AuditDisclosure} {
		u.Audit = append(u.Audit, ledger.Audit{At: at, Action: action, Party: hospital, Message: mid, Handover: hid, Outcome: "ok", Correlation: "c-1"})
	}
	return u
}

func sampleMessage(id handover.MessageID, externalID string, raw []byte, at time.Time) ledger.Message {
	return ledger.Message{
		ID: id, Sender: hospital, Caller: hospital, Wire: "wire-in", Type: "ADT^A16", ExternalID: externalID,
		Digest: message.DigestOf(raw), Raw: raw, ReceivedAt: at, Correlation: "c-1", Disposition: ledger.DispositionApplied,
		Answer: []byte("MSA|AA"), AnswerCode: 200, Envelope: []byte(`{"control":"1"}`), Report: []byte(`{"PID-3":"mapped"}`),
	}
}

func sampleHandover(id handover.ID, at time.Time) handover.Handover {
	return handover.Handover{
		ID: id, Chain: handover.ChainID("chain-" + id), Kind: handover.KindDischarge, State: handover.StateRequested,
		Sender: hospital, Receiver: municipality, Custodian: hospital, Copies: []handover.PartyID{institution},
		Facts: handover.Facts{AdmittedAt: at.Add(-24 * time.Hour), ReadyAt: at}, Since: at, Deadline: at.Add(24 * time.Hour),
	}
}

func sampleDelivery(id handover.DeliveryID, h handover.ID, m handover.MessageID, at time.Time) ledger.Delivery {
	raw := append([]byte("<MsgHead>"+string(id)), bytes.Repeat([]byte("x"), 3000)...)
	return ledger.Delivery{
		ID: id, Message: m, Handover: h, Event: handover.EventReady, Purpose: ledger.PurposeTell, Receiver: municipality,
		Wire: "wire-out", Type: "LOG_UTSKRIVNINGSKLAR", ExternalID: "out-" + string(id), Raw: raw,
		Digest: message.DigestOf(raw), GenTime: at, Report: []byte(`{}`), State: ledger.DeliveryPending, ReceiptDue: true,
		NextAttempt: at, Deadline: at.Add(96 * time.Hour), CreatedAt: at,
	}
}

func sampleEvent(h handover.ID, m handover.MessageID, at time.Time) ledger.Event {
	return ledger.Event{Handover: h, Chain: handover.ChainID("chain-" + h), Kind: handover.KindDischarge, Name: handover.EventReady,
		From: hospital, To: municipality, State: handover.StateRequested, Actor: hospital, Role: handover.RoleSender, Reason: "ready", Message: m, At: at}
}

// granted are the grants of an author, and of the parties of a handover.
func granted(author handover.PartyID, h handover.ID, parties ...handover.PartyID) []ledger.Grant {
	out := []ledger.Grant{{Party: author}}
	for _, p := range parties {
		out = append(out, ledger.Grant{Party: p, Handover: h})
	}
	return out
}

func sampleResource(typ, id string, h handover.ID, n int, at time.Time) ledger.ResourceWrite {
	return ledger.ResourceWrite{
		Type: typ, ID: id, Author: hospital, Handover: h, Grants: granted(hospital, h, hospital, municipality),
		JSON: append(fmt.Appendf(nil, `{"resourceType":%q,"id":%q,"text":"`, typ, id), append(bytes.Repeat([]byte("y"), 900), '"', '}')...),
		Rows: []search.Row{
			{Param: "identifier", Kind: search.KindToken, System: "urn:oid:2.16.578.1.12.4.1.4.1", Value: fmt.Sprintf("%011d", n)},
			{Param: "status", Kind: search.KindToken, System: "http://hl7.org/fhir/task-status", Value: "requested"},
			{Param: "patient", Kind: search.KindReference, RefType: "Patient", RefID: fmt.Sprintf("p-%d", n)},
			{Param: "owner", Kind: search.KindReference, RefType: "Organization", RefID: string(municipality)},
			{Param: "code", Kind: search.KindToken, System: "http://snomed.info/sct", Value: "306206005"},
			{Param: "authored-on", Kind: search.KindDate, Low: at, High: at.Add(time.Second)},
		},
	}
}
