package kith

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"stafett/adapters"
	"stafett/handover"
	"stafett/message"
)

// Check makes the checks that the receipt standard prescribes, in its order, after the
// message was read, its sender known and a repeat ruled out: the id is a UUID (E10), the
// patient is sufficiently identified (E36), the message is none for a test (no receipt), the head has
// the schema's required parts (T02) and the body is of a known format (T10). Codes and content are never a reason. An AppRec
// is not checked: it is never answered.
func (c Codec) Check(m *message.Message, env adapters.Envelope) *handover.Fault {
	if m == nil || m.Root == nil || isReceipt(env) {
		return nil
	}
	if !validUUID(env.ID) {
		return checkFault(handover.FaultBadMessageID, idNode(m.Root), idPath(m.Root), "the message id is not a UUID")
	}
	if fault := checkPatient(m.Root); fault != nil {
		return fault
	}
	if forTest(env.Processing) && !c.Test {
		return checkFault(handover.FaultForbidden, m.Root, "ProcessingStatus", "a test message, and this installation is in production")
	}
	if m.Root.Name == rootMsgHead {
		return checkHead(m.Root)
	}
	return nil
}

func checkFault(kind handover.FaultKind, n *message.Node, path, text string) *handover.Fault {
	f := &handover.Fault{Kind: kind, Op: "kith.Check", Text: text, Path: path}
	if n != nil {
		f.Line, f.Column = n.Line, n.Column
	}
	return f
}

// forTest reports whether a processing status (HIS 80601:2006) marks a test: D for debugging, T
// for training.
func forTest(status string) bool {
	return slices.Contains([]string{"D", "T"}, strings.ToUpper(strings.TrimSpace(status)))
}

// validUUID takes the 36-character form alone; uuid.Validate takes others too.
func validUUID(id string) bool { return len(id) == 36 && uuid.Validate(id) == nil }

func idNode(root *message.Node) *message.Node {
	if root.Name == rootMsgHead {
		return root.At("MsgInfo", "MsgId")
	}
	return root.Child("MsgId")
}

func idPath(root *message.Node) string {
	if root.Name == rootMsgHead {
		return "MsgHead/MsgInfo/MsgId"
	}
	return "Message/MsgId"
}

// checkPatient requires name and number, or name, birth date and sex (HIS 80415:2012
// section 3.3.4). A referral for immediate help is never refused for its patient.
func checkPatient(root *message.Node) *handover.Fault {
	if immediateHelp(root) {
		return nil
	}
	patient, path := root.At("MsgInfo", "Patient"), "MsgHead/MsgInfo/Patient"
	identified := identifiedInHead
	if root.Name == rootMessage {
		identified = identifiedInMessage
		if patient, path = root.At("ServReq", "Patient"), "Message/ServReq/Patient"; patient == nil {
			patient, path = root.At("ServRprt", "Patient"), "Message/ServRprt/Patient"
		}
	}
	if patient == nil {
		return checkFault(handover.FaultPatientUnidentified, root, path, "the message names no patient")
	}
	if !identified(patient) {
		return checkFault(handover.FaultPatientUnidentified, patient, path,
			"the patient has neither name and valid national number nor name, birth date and sex")
	}
	return nil
}

// immediateHelp reports a Henvisning with priority 0 (Volven 8304 and 8306).
func immediateHelp(root *message.Node) bool {
	if root.Name == rootMessage {
		return root.Text("ServReq", "ReqServ", "Priority", "@V") == "0"
	}
	content := bodyElement(root)
	return content != nil && strings.HasPrefix(versionOf(content.Space), "henvisning ") &&
		content.Text("ReqServ", "Priority", "@V") == "0"
}

func identifiedInHead(patient *message.Node) bool {
	if trimmed(patient, "FamilyName") == "" && trimmed(patient, "GivenName") == "" {
		return false
	}
	for _, id := range patient.All("Ident") {
		if numberIdentifies(id.Text("TypeId", "@V"), trimmed(id, "Id")) {
			return true
		}
	}
	return validDate(trimmed(patient, "DateOfBirth")) && sexGiven(patient.Text("Sex", "@V"))
}

func identifiedInMessage(patient *message.Node) bool {
	if trimmed(patient, "Name") == "" {
		return false
	}
	if numberIdentifies(patient.Text("TypeOffId", "@V"), trimmed(patient, "OffId")) {
		return true
	}
	for _, id := range patient.All("AdditionalId") {
		if numberIdentifies(id.Text("Type", "@V"), trimmed(id, "Id")) {
			return true
		}
	}
	return validDate(patient.Text("DateOfBirth", "@V")) && sexGiven(patient.Text("Sex", "@V"))
}

// numberIdentifies reports whether a number of the type (Volven 8116) identifies a person
// nationally. Its check digits must be right, however its digits are grouped; the date in it is
// looked at only to tell H-numbers apart, because synthetic populations shift the month.
func numberIdentifies(kind, number string) bool {
	number = strings.Join(strings.Fields(number), "")
	switch strings.ToUpper(strings.TrimSpace(kind)) {
	case "FNR", "DNR":
		return PersonCheckDigitsValid(number) && !HNRValid(number)
	case "FHN":
		return FHNValid(number)
	}
	return false
}

// sexGiven: 0 and 9 of Volven 3101 say that the sex is not stated; any other code counts,
// because an unknown code value is no reason to refuse.
func sexGiven(code string) bool { return code != "" && code != "0" && code != "9" }

func validDate(s string) bool {
	s, _ = splitZone(s)
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

var zone = regexp.MustCompile(`(Z|[+-]\d{2}:\d{2})$`)

// splitZone parts an xs:dateTime or xs:date from its time zone, which may be absent.
func splitZone(s string) (rest, zoneText string) {
	if at := zone.FindStringIndex(s); at != nil {
		return s[:at[0]], s[at[0]:]
	}
	return s, ""
}

// endOfDay is 24:00:00, by which an xs:dateTime may name the next midnight.
var endOfDay = regexp.MustCompile(`T24:00:00(\.0+)?$`)

// validDateTime reports whether s is an xs:dateTime with or without zone.
func validDateTime(s string) bool {
	s, _ = splitZone(s)
	_, err := time.Parse("2006-01-02T15:04:05", endOfDay.ReplaceAllString(s, "T00:00:00"))
	return err == nil
}

// migVersion is the fixed MIGversion of Hodemelding 1.2.
const migVersion = "v1.2 2006-05-24"

// checkHead holds a MsgHead to what MsgHead-v1_2.xsd requires of its head and documents.
func checkHead(root *message.Node) *handover.Fault {
	info := root.Child("MsgInfo")
	invalid := func(n *message.Node, path, text string) *handover.Fault {
		if n == nil {
			n = info
		}
		return checkFault(handover.FaultInvalid, n, path, text)
	}
	for _, name := range [...]string{"Type", "MIGversion", "GenDate", "MsgId", "Sender", "Receiver"} {
		if n := len(info.All(name)); n != 1 {
			return invalid(nil, "MsgHead/MsgInfo/"+name, "the element must stand exactly once")
		}
	}
	if strings.TrimSpace(info.Text("Type", "@V")) == "" {
		return invalid(info.Child("Type"), "MsgHead/MsgInfo/Type", "the message type is missing")
	}
	if trimmed(info, "MIGversion") != migVersion {
		return checkFault(handover.FaultUnsupported, info.Child("MIGversion"), "MsgHead/MsgInfo/MIGversion", "a version of MsgHead other than 1.2")
	}
	if !validDateTime(trimmed(info, "GenDate")) {
		return invalid(info.Child("GenDate"), "MsgHead/MsgInfo/GenDate", "the time of generation is not a dateTime")
	}
	receiver := info.At("Receiver", "Organisation")
	if !readable(organisationAddress(receiver)) {
		return invalid(info.Child("Receiver"), "MsgHead/MsgInfo/Receiver", "the receiver has no identifier")
	}
	return checkDocuments(root, invalid)
}

func checkDocuments(root *message.Node, invalid func(*message.Node, string, string) *handover.Fault) *handover.Fault {
	const path = "MsgHead/Document"
	if report := root.Child("PatientReport"); report != nil {
		return checkFault(handover.FaultUnsupported, report, "MsgHead/PatientReport", "reports to health registers are not taken")
	}
	documents := root.All("Document")
	if len(documents) == 0 {
		return invalid(root, path, "the message has no document")
	}
	for _, d := range documents {
		if d.Text("RefDoc", "MsgType", "@V") == "" {
			return invalid(d, path+"/RefDoc/MsgType", "the document's type is missing")
		}
	}
	content := bodyElement(root)
	if content == nil {
		return invalid(documents[0], path+"/RefDoc/Content", "the first document holds no message")
	}
	if b, ok := bodies[content.Space]; !ok || b.appRec == "" {
		return checkFault(handover.FaultUnsupported, content, path+"/RefDoc/Content", "the document is not of a known message format")
	}
	return nil
}
