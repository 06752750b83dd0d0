package kith

import (
	"strconv"
	"strings"
	"time"

	"stafett/adapters"
	"stafett/handover"
	"stafett/message"
)

// Statuses of a receipt (Volven 8258).
const (
	statusOK       = "1"
	statusRejected = "2"
	// statusPartlyOK is for Helfo's Behandlerkrav alone: read as positive, never written.
	statusPartlyOK = "3"
)

const (
	systemErrors = "2.16.578.1.12.4.1.1.8221"
	// maxErrors bounds what a receiver's receipt can make us repeat.
	maxErrors = 20
)

// errorNames are Volven 8221.
var errorNames = map[string]string{
	"E10": "Ugyldig meldingsidentifikator",
	"E20": "Lege finnes ikke",
	"E21": "Mottaker finnes ikke",
	"E30": "Pasientens fødselsnummer mangler",
	"E31": "Pasientens fødselsnummer er feil",
	"E32": "Pasientens navn mangler",
	"E33": "Pasientens etternavn mangler",
	"E34": "Pasientens fornavn mangler",
	"E35": "Pasienten finnes ikke i mottakersystemet",
	"E36": "Pasientopplysninger er utilstrekkelige",
	"E53": "Pasientens fødselsnummer eller D-nummer finnes ikke registrert i Folkeregisteret.",
	"E54": "Pasientens fødselsnummer er ikke registrert i mottagersystemet",
	"S01": "Feil på signatur",
	"S02": "Ugyldig sertifikat",
	"S03": "Tilbaketrukket sertifikat",
	"S99": "Annen feil på signatur eller sertifikat",
	"T01": "Ikke XML / ikke 'well formed' / uleselig",
	"T02": "XML validerer ikke",
	"T10": "Støtter ikke meldingsformatet",
	"T99": "Annen feil på format",
	"X99": "Annen feil",
}

// refusals are the only faults for which a negative receipt of our own is allowed (HIS
// 80415:2012 section 3.3.4), each with its code and what its reader is told beside it.
var refusals = map[handover.FaultKind]struct{ code, text string }{
	handover.FaultMalformed:           {"T01", "Meldingen kan ikke leses som XML."},
	handover.FaultUnsupported:         {"T10", "Meldingstypen eller versjonen støttes ikke."},
	handover.FaultInvalid:             {"T02", "Hodemeldingen følger ikke skjemaet."},
	handover.FaultBadMessageID:        {"E10", "Meldingens id (MsgId) er ikke en gyldig UUID."},
	handover.FaultPatientUnidentified: {"E36", "Pasienten må ha navn og gyldig fødselsnummer, D-nummer eller felles hjelpenummer, eller navn, fødselsdato og kjønn."},
	handover.FaultServiceUnknown:      {"E21", "Virksomheten er kjent, men tjenesten finnes ikke."},
}

// Refusal makes the negative AppRec that the standard allows for fault, or nil: for a
// fault that is not in the closed list (a failed mapping or decision is never a negative
// receipt), for an AppRec, and where the sender cannot be addressed. A fault of kind
// invalid counts only where this package found it, in the head of the message. Whether the
// receiving organisation is served here is the caller's to know: if not, it must not call.
func (Codec) Refusal(original adapters.Envelope, fault *handover.Fault, id string, at time.Time) ([]byte, error) {
	if fault == nil || isReceipt(original) || !readable(original.Sender) {
		return nil, nil
	}
	refusal, ok := refusals[fault.Kind]
	if !ok || fault.Kind == handover.FaultInvalid && !strings.HasPrefix(fault.Op, "kith.") {
		return nil, nil
	}
	text := refusal.text
	if fault.Line > 0 {
		text += " Linje " + strconv.Itoa(fault.Line) + ", kolonne " + strconv.Itoa(fault.Column) + "."
	}
	if fault.Path != "" {
		text += " Element: " + fault.Path + "."
	}
	// Invariant 7: what we cannot read or may not take is told as a technical error code.
	return appRec(original, statusRejected, []*message.Node{errorNode(original, refusal.code, text)}, id, at)
}

// Relay makes the AppRec that tells original's sender of the receiver's receipt r, in the
// version that original's format asks for, with the addresses mirrored and MsgType,
// GenDate and id quoted as they came. A reason that is not of Volven 8221 becomes X99
// with its code and text. A positive receipt carries no reasons. It returns nil for an
// AppRec, which is never receipted, and a fault where the sender cannot be addressed.
func (Codec) Relay(original adapters.Envelope, r adapters.Receipt, id string, at time.Time) ([]byte, error) {
	if isReceipt(original) {
		return nil, nil
	}
	if !readable(original.Sender) {
		return nil, &handover.Fault{Kind: handover.FaultSenderUnknown, Op: "kith.Relay", Text: "the original sender cannot be addressed"}
	}
	if r.Positive {
		return appRec(original, statusOK, nil, id, at)
	}
	var reasons []*message.Node
	for _, e := range r.Errors[:min(len(r.Errors), maxErrors)] {
		reasons = append(reasons, relayedError(original, e))
	}
	if len(reasons) == 0 {
		reasons = append(reasons, errorNode(original, "X99", "Mottakersystemet tok ikke imot meldingen og oppga ingen årsak."))
	}
	return appRec(original, statusRejected, reasons, id, at)
}

func isReceipt(env adapters.Envelope) bool { return env.Receipt != nil || env.Type == TypeAppRec }

func relayedError(original adapters.Envelope, e adapters.ReceiptError) *message.Node {
	name, known := errorNames[e.Code]
	if known && (e.System == "" || strings.HasSuffix(e.System, systemErrors)) {
		text := strings.TrimPrefix(e.Text, name)
		return errorNode(original, e.Code, strings.TrimPrefix(text, ": "))
	}
	text := "Mottakersystemet avviste meldingen"
	for _, part := range [...]string{e.Code, e.Text} {
		if part != "" {
			text += ": " + part
		}
	}
	return errorNode(original, "X99", text)
}

func errorNode(original adapters.Envelope, code, text string) *message.Node {
	return element(receiptNamespace(original.Version), "Error",
		attribute("S", systemErrors), attribute("V", code), attribute("DN", errorNames[code]), attribute("OT", clean(text)))
}

// clean drops what XML cannot express: a receipt must not fail on a receiver's text.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if !allowedRune(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

func appRec(original adapters.Envelope, status string, reasons []*message.Node, id string, at time.Time) ([]byte, error) {
	ns := receiptNamespace(original.Version)
	migVersion, senderRole, receiverRole := "v1.1 2012-02-15", coded(ns, "Role", "PRIM", "Primærmottaker"), coded(ns, "Role", "AVS", "Avsender")
	if ns == nsAppRec10 {
		// Version 1.0 knows REQ and SPR and no role of a receipt's receiver. An epikrise
		// goes to the one who referred, all else here to a provider of services.
		migVersion, senderRole, receiverRole = "1.0 2004-11-21", coded(ns, "Role", "SPR", "Tjenesteyter"), nil
		if strings.HasPrefix(original.Version, "epikrise ") {
			senderRole = coded(ns, "Role", "REQ", "Rekvirent")
		}
	}
	if isCopy(original) {
		senderRole = coded(ns, "Role", "COP", "Kopimottaker")
	}
	statusName := map[string]string{statusOK: "OK", statusRejected: "Avvist"}[status]
	quoted := original.ID
	if original.ReceiptID != "" {
		quoted = original.ReceiptID
	}
	root := element(ns, rootAppRec,
		coded(ns, "MsgType", TypeAppRec, "Applikasjonskvittering"),
		value(ns, "MIGversion", migVersion),
		value(ns, "GenDate", at.Format(time.RFC3339)),
		value(ns, "Id", id),
		element(ns, "Sender", senderRole, hcp(ns, original.Receiver)),
		element(ns, "Receiver", receiverRole, hcp(ns, original.Sender)),
		coded(ns, "Status", status, statusName))
	root.Children = append(root.Children, reasons...)
	root.Children = append(root.Children, element(ns, "OriginalMsgId",
		element(ns, "MsgType", attribute("V", original.Type)),
		&message.Node{Name: "IssueDate", Space: ns, Value: issueDate(original.Time, at)},
		&message.Node{Name: "Id", Space: ns, Value: quoted}))
	return Codec{}.Encode(root)
}

// issueDate quotes generated as it came. Where it is no dateTime the schema leaves no way
// to quote it, and a receipt that does not validate would not be read: then it is at.
func issueDate(generated string, at time.Time) string {
	if validDateTime(generated) {
		return generated
	}
	return at.Format(time.RFC3339)
}

// isCopy reports whether the address that answers is one of the message's copy receivers.
func isCopy(env adapters.Envelope) bool {
	for _, c := range env.Copies {
		if c.HER == env.Receiver.HER && c.HERService == env.Receiver.HERService && c.OrgNumber == env.Receiver.OrgNumber && c.Name == env.Receiver.Name {
			return true
		}
	}
	return false
}

// hcp mirrors an address (HITS 1168:2016 chapter 11): organisation to Inst, its service to
// Dept, its person to HCPerson, identifiers beyond the first to AdditionalId.
func hcp(ns string, a adapters.Address) *message.Node {
	organisation, service, person := levels(a)
	if person && len(organisation) == 0 && a.Name == "" {
		return element(ns, "HCP", identified(ns, "HCProf", a.ServiceName, service, nil, nil))
	}
	var dept, hcPerson *message.Node
	switch {
	case len(service) == 0 && a.ServiceName == "":
	case person:
		hcPerson = identified(ns, "HCPerson", a.ServiceName, service, nil, nil)
	default:
		dept = identified(ns, "Dept", a.ServiceName, service, nil, nil)
	}
	return element(ns, "HCP", identified(ns, "Inst", a.Name, organisation, dept, hcPerson))
}

// identified builds Name, Id, TypeId, dept, AdditionalId*, person: the order of the schema.
func identified(ns, name, label string, ids []adapters.Ident, dept, person *message.Node) *message.Node {
	n := element(ns, name, value(ns, "Name", label))
	if len(ids) > 0 {
		n.Children = append(n.Children, value(ns, "Id", ids[0].ID), coded(ns, "TypeId", ids[0].Type, ids[0].TypeName))
	}
	if dept != nil {
		n.Children = append(n.Children, dept)
	}
	for i, id := range ids {
		if i > 0 {
			n.Children = append(n.Children, element(ns, "AdditionalId", value(ns, "Id", id.ID), coded(ns, "Type", id.Type, id.TypeName)))
		}
	}
	if person != nil {
		n.Children = append(n.Children, person)
	}
	return n
}
