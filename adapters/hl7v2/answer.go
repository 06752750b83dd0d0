package hl7v2

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"stafett/adapters"
	"stafett/handover"
	"stafett/message"
)

// reply is how one kind of fault is answered on this wire.
type reply struct {
	// code is MSA-1 in original mode; enhanced mode has C for A.
	code string
	// condition is of HL7 table 0357, empty where code is AA.
	condition string
}

// replies is the table from every fault kind to its answer (2.5 section 2.9.2): AE for
// what is wrong in the content, AR for what is not about the content. A kind without an
// entry is temporary: no answer, and the connection is closed, so that the sender keeps
// the message.
//
// An event that is illegal in the handover's state is AA: the message was read, and a
// named person resolves it; it is no fault of the message.
var replies = map[handover.FaultKind]reply{
	handover.FaultTooLarge:            {"AR", "207"},
	handover.FaultMalformed:           {"AE", "100"},
	handover.FaultUnsupported:         {"AR", "200"},
	handover.FaultInvalid:             {"AE", "101"},
	handover.FaultBadMessageID:        {"AE", "101"},
	handover.FaultPatientUnidentified: {"AE", "101"},
	handover.FaultSenderUnknown:       {"AR", "204"},
	handover.FaultReceiverUnknown:     {"AR", "204"},
	handover.FaultServiceUnknown:      {"AR", "204"},
	handover.FaultNoRoute:             {"AE", "204"},
	handover.FaultUnauthenticated:     {"AR", "207"},
	handover.FaultForbidden:           {"AR", "207"},
	handover.FaultNotFound:            {"AE", "204"},
	handover.FaultGone:                {"AE", "204"},
	handover.FaultConflict:            {"AE", "206"},
	handover.FaultPrecondition:        {"AE", "206"},
	handover.FaultIllegal:             {"AA", ""},
	handover.FaultUnmapped:            {"AR", "200"},
	handover.FaultAmbiguous:           {"AE", "204"},
}

// conditionTexts are the texts of HL7 table 0357.
var conditionTexts = map[string]string{
	"100": "Segment sequence error",
	"101": "Required field missing",
	"102": "Data type error",
	"103": "Table value not found",
	"200": "Unsupported message type",
	"202": "Unsupported processing id",
	"203": "Unsupported version id",
	"204": "Unknown key identifier",
	"206": "Application record locked",
	"207": "Application internal error",
}

// of refines the condition of an unsupported fault by the field that is not supported.
func (r reply) of(f *handover.Fault) string {
	if f.Kind != handover.FaultUnsupported {
		return r.condition
	}
	switch f.Path {
	case "MSH-11":
		return "202"
	case "MSH-12":
		return "203"
	case "MSH-18":
		return "103"
	}
	return r.condition
}

// Answer makes the ACK that goes back on the connection: AA, AE or AR, or in enhanced mode
// CA, CE or CR. It is nil for a temporary fault: the connection is to be closed unanswered.
//
// Without a readable MSH the answer is still made, with empty MSA-2 and MSH-3 to MSH-6: a
// sender that gets a negative answer to nothing it can match looks, one that gets none
// repeats the same bytes for ever.
func (c *Codec) Answer(env adapters.Envelope, id handover.MessageID, fault *handover.Fault, at time.Time) []byte {
	r := reply{code: "AA"}
	if fault != nil {
		var known bool
		if r, known = replies[fault.Kind]; !known {
			return nil
		}
	}
	code := r.code
	if env.CommitAnswer {
		code = "C" + code[1:]
	}
	a := ack(env, controlID(id, env, at), at)
	if r.condition == "" {
		a.accept(code, env.ID, "")
	} else {
		a.accept(code, env.ID, fault.Text)
		a.reason(reason{condition: r.of(fault), path: fault.Path, position: position(fault),
			text: fault.Text, local: string(fault.Kind), localSystem: "99STAFETT"})
	}
	out, err := c.Encode(a.root)
	if err != nil {
		// The envelope holds something that cannot be written; the answer still must be.
		bare := ack(adapters.Envelope{Version: a.version}, controlID(id, env, at), at)
		bare.accept(code, "", "")
		out, _ = c.Encode(bare.root)
	}
	return out
}

// position is where the fault was found, as text.
func position(f *handover.Fault) string {
	if f.Line < 1 {
		return ""
	}
	return fmt.Sprintf("segment %d, byte %d", f.Line, f.Column)
}

// controlID is MSH-10 of an answer: 20 characters at most, and the same for the same
// message, so that a repeat is answered with the same bytes.
func controlID(id handover.MessageID, env adapters.Envelope, at time.Time) string {
	short := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, string(id))
	if short == "" {
		sum := sha256.Sum256([]byte(env.ID + "\n" + at.UTC().Format(time.RFC3339Nano)))
		short = hex.EncodeToString(sum[:])
	}
	return short[max(0, len(short)-20):]
}

// acknowledgement is an ACK message while it is built.
type acknowledgement struct {
	root    *message.Node
	version string
}

// ack starts an ACK to original: its sender is the receiver and the reverse.
func ack(original adapters.Envelope, id string, at time.Time) *acknowledgement {
	a := &acknowledgement{root: &message.Node{Name: "message"}, version: original.Version}
	if !knownVersion(a.version) {
		a.version = "2.5"
	}
	msh := a.segment("MSH")
	set(msh, original.Receiver.Application, "3")
	set(msh, original.Receiver.Facility, "4")
	set(msh, original.Sender.Application, "5")
	set(msh, original.Sender.Facility, "6")
	set(msh, at.Format("20060102150405-0700"), "7")
	_, trigger, _ := strings.Cut(original.Type, "^")
	set(msh, "ACK", "9", "1")
	set(msh, trigger, "9", "2")
	if a.version >= "2.4" {
		set(msh, "ACK", "9", "3")
	}
	set(msh, id, "10")
	processing := original.Processing
	if processing == "" {
		processing = "P"
	}
	set(msh, processing, "11")
	set(msh, a.version, "12")
	if !isASCII(original.Receiver.Application + original.Receiver.Facility + original.Sender.Application +
		original.Sender.Facility + trigger + processing + original.ID) {
		set(msh, "UNICODE UTF-8", "18")
	}
	return a
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// accept adds MSA. Its text is deprecated from 2.4 on, where ERR has it.
func (a *acknowledgement) accept(code, original, text string) {
	msa := a.segment("MSA")
	set(msa, code, "1")
	set(msa, original, "2")
	if a.version < "2.5" {
		set(msa, text, "3")
	}
}

// reason is one ERR segment.
type reason struct {
	condition, path, position, text string
	local, localText, localSystem   string
}

// reason adds ERR, in the shape of the version: ERR-1 was replaced in 2.5.
func (a *acknowledgement) reason(r reason) {
	e := a.segment("ERR")
	if a.version < "2.5" {
		setLocation(e, "1", r.path, 3)
		set(e, r.condition, "1", "4", "1")
		set(e, conditionTexts[r.condition], "1", "4", "2")
		set(e, errorSystem, "1", "4", "3")
		return
	}
	known := setLocation(e, "2", r.path, 6)
	set(e, r.condition, "3", "1")
	set(e, conditionTexts[r.condition], "3", "2")
	set(e, errorSystem, "3", "3")
	set(e, "E", "4")
	set(e, r.local, "5", "1")
	set(e, r.localText, "5", "2")
	set(e, r.localSystem, "5", "3")
	diagnostic := r.position
	if !known && r.path != "" {
		diagnostic = strings.TrimSpace(r.path + " " + diagnostic)
	}
	set(e, diagnostic, "7")
	set(e, r.text, "8")
}

// location is a path such as PID-3, PID[2]-3[2].4.1 or OBX-5.
var location = regexp.MustCompile(`^([A-Z][A-Z0-9]{2})(?:\[(\d{1,4})\])?(?:[-.](\d{1,3})(?:\[(\d{1,4})\])?(?:\.(\d{1,3})(?:\.(\d{1,3}))?)?)?$`)

// setLocation writes path as ERL (2.5 section 2.A.28) or, of only 3 parts, as the start of
// ELD. It returns false where path is no ER7 path.
func setLocation(e *message.Node, field, path string, parts int) bool {
	found := location.FindStringSubmatch(path)
	if found == nil {
		return false
	}
	sequence := found[2]
	if sequence == "" {
		sequence = "1"
	}
	repetition := found[4]
	if repetition == "" && found[5] != "" {
		repetition = "1"
	}
	for i, v := range []string{found[1], sequence, found[3], repetition, found[5], found[6]}[:parts] {
		set(e, v, field, numberName(i+1))
	}
	return true
}

// segment appends an empty segment.
func (a *acknowledgement) segment(name string) *message.Node {
	n := &message.Node{Name: name}
	a.root.Children = append(a.root.Children, n)
	return n
}

// set puts value at path below n, making the nodes on the way; an empty value is not put.
func set(n *message.Node, value string, path ...string) {
	if value == "" {
		return
	}
	for _, name := range path {
		child := field(n, name)
		if child == nil {
			child = &message.Node{Name: name}
			n.Children = append(n.Children, child)
		}
		n = child
	}
	n.Value = value
}
