package access

import (
	"slices"

	"stafett/handover"
)

func refuse(op string, kind handover.FaultKind, text string) error {
	return &handover.Fault{Kind: kind, Op: op, Text: text}
}

// MayRead decides whether c may read what is visible to the parties named. Faults:
// unauthenticated; forbidden, which an edge shows as not-found, so that an outsider
// cannot tell what exists.
func MayRead(c Caller, visible []handover.PartyID) error {
	const op = "access.MayRead"
	switch {
	case !c.known():
		return refuse(op, handover.FaultUnauthenticated, "who calls is not known")
	case c.Kind == CallerOperator && c.Party == "":
		return nil
	case slices.Contains(visible, c.Party):
		return nil
	}
	return refuse(op, handover.FaultForbidden, "not visible to this party")
}

// recordTypes are resources that tell what happened: they are added, never changed.
var recordTypes = map[string]bool{"AuditEvent": true, "Provenance": true}

// MayWriteResource decides whether c may create a resource of type typ, or, when it
// exists, replace or delete it. A resource belongs to the party that sent it, and only
// its author changes it (HL7 COW: a request is changed by its creator only). A Task that
// exists is changed under MayChangeTask instead, and deleted by nobody but its author.
func MayWriteResource(c Caller, author handover.PartyID, typ string, exists bool) error {
	const op = "access.MayWriteResource"
	switch {
	case !c.known():
		return refuse(op, handover.FaultUnauthenticated, "who calls is not known")
	case c.Kind != CallerParty:
		return refuse(op, handover.FaultForbidden, "resources are written by parties, not by operators")
	case typ == "":
		return refuse(op, handover.FaultForbidden, "a resource needs a type")
	case !exists:
		return nil
	case recordTypes[typ]:
		return refuse(op, handover.FaultForbidden, "a record of what happened is never changed")
	case author == "" || author != c.Party:
		return refuse(op, handover.FaultForbidden, "only the author changes this resource")
	}
	return nil
}

// ConfirmSender holds the sender that a message names to the party that calls. Faults:
// unauthenticated, sender-unknown when none is named, forbidden when it is another.
func ConfirmSender(c Caller, named handover.PartyID) error {
	const op = "access.ConfirmSender"
	switch {
	case !c.known():
		return refuse(op, handover.FaultUnauthenticated, "who calls is not known")
	case named == "":
		return refuse(op, handover.FaultSenderUnknown, "the message names no sender that is known here")
	case c.Kind != CallerParty || named != c.Party:
		return refuse(op, handover.FaultForbidden, "the sender named in the message is not the party that calls")
	}
	return nil
}

// MayOperate decides whether c may act on parked messages, attention and the ledger: only
// a named person may. party is whose message or handover it is ("" for none in
// particular); a person who reads for one party may touch that party's alone.
func MayOperate(c Caller, party handover.PartyID) error {
	const op = "access.MayOperate"
	switch {
	case !c.known():
		return refuse(op, handover.FaultUnauthenticated, "who calls is not known")
	case c.Kind != CallerOperator:
		return refuse(op, handover.FaultForbidden, "only a named person may do this")
	case c.Party != "" && c.Party != party:
		return refuse(op, handover.FaultForbidden, "this person reads for another party")
	}
	return nil
}
