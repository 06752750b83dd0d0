package kith

import (
	"strings"

	"stafett/adapters"
	"stafett/handover"
	"stafett/message"
)

// TypeAppRec is Envelope.Type of a receipt (Volven 8279).
const TypeAppRec = "APPREC"

// The document elements that this wire knows.
const (
	rootMsgHead = "MsgHead"
	rootAppRec  = "AppRec"
	// rootMessage is Henvisning 1.x and Epikrise, which carry their own head.
	rootMessage = "Message"
)

func envelopeFault(kind handover.FaultKind, n *message.Node, path, text string) *handover.Fault {
	f := &handover.Fault{Kind: kind, Op: "kith.Envelope", Text: text, Path: path}
	if n != nil {
		f.Line, f.Column = n.Line, n.Column
	}
	return f
}

// Envelope reads who sends what to whom. Its faults are unsupported (another document
// element), sender-unknown (nobody to be addressed: HITS 1168:2016 section 5.3),
// bad-message-id (no id at all) and, for an AppRec, invalid; the envelope then holds what
// could be read. Version is the body's, as "pasientlogistikk 1.6" or "dialog 1.1", or the
// namespace itself where it is unknown.
func (Codec) Envelope(m *message.Message) (adapters.Envelope, error) {
	if m == nil || m.Root == nil {
		return adapters.Envelope{}, envelopeFault(handover.FaultMalformed, nil, "", "there is no document element")
	}
	var env adapters.Envelope
	var fault *handover.Fault
	root := m.Root
	switch {
	case root.Name == rootMsgHead && root.Space == nsMsgHead:
		env, fault = msgHeadEnvelope(root)
	case root.Name == rootAppRec && (root.Space == nsAppRec10 || root.Space == nsAppRec11):
		env, fault = appRecEnvelope(root)
	case root.Name == rootMessage && bodies[root.Space].version != "":
		env, fault = messageEnvelope(root)
	default:
		fault = envelopeFault(handover.FaultUnsupported, root, "", "the document element is not of a known message format")
	}
	if fault != nil {
		return env, fault
	}
	return env, nil
}

func msgHeadEnvelope(root *message.Node) (adapters.Envelope, *handover.Fault) {
	info := root.Child("MsgInfo")
	env := adapters.Envelope{
		Type:         info.Text("Type", "@V"),
		ID:           trimmed(info, "MsgId"),
		Version:      bodyVersion(root),
		Sender:       organisationAddress(info.At("Sender", "Organisation")),
		Receiver:     organisationAddress(info.At("Receiver", "Organisation")),
		Processing:   info.Text("ProcessingStatus", "@V"),
		Time:         trimmed(info, "GenDate"),
		Conversation: handover.PlainID(info.Text("ConversationRef", "RefToConversation")),
		Parent:       handover.PlainID(info.Text("ConversationRef", "RefToParent")),
		// A receipt is always sent; the field may only decline it (HIS 80601:2006,
		// correction 2: "Feltet er ikke i bruk").
		ReceiptWanted: info.Text("Ack", "@V") != "N",
	}
	for _, other := range info.All("OtherReceiver") {
		if organisation := other.Child("Organisation"); organisation != nil {
			env.Copies = append(env.Copies, organisationAddress(organisation))
		}
	}
	return env, addressed(env, info, "MsgHead/MsgInfo/Sender", "MsgHead/MsgInfo/MsgId")
}

// addressed checks what every answer needs: a sender that can be addressed, and an id.
func addressed(env adapters.Envelope, at *message.Node, senderPath, idPath string) *handover.Fault {
	if !readable(env.Sender) {
		return envelopeFault(handover.FaultSenderUnknown, at, senderPath, "the sender has no identifier")
	}
	if env.ID == "" {
		return envelopeFault(handover.FaultBadMessageID, at, idPath, "the message has no id")
	}
	return nil
}

func trimmed(n *message.Node, names ...string) string {
	return strings.TrimSpace(n.Text(names...))
}

// bodyVersion returns the version of the first document with an element in it.
func bodyVersion(root *message.Node) string {
	if content := bodyElement(root); content != nil {
		return versionOf(content.Space)
	}
	return ""
}

// bodyElement returns the clinical message inside a MsgHead, or nil. HIS 80601:2006: the
// message itself is the first document, attachments follow.
func bodyElement(root *message.Node) *message.Node {
	return firstElement(root.At("Document", "RefDoc", "Content"))
}

func firstElement(n *message.Node) *message.Node {
	if n == nil {
		return nil
	}
	for _, c := range n.Children {
		if !strings.HasPrefix(c.Name, "@") && c.Name != TextName {
			return c
		}
	}
	return nil
}

func versionOf(space string) string {
	if b, ok := bodies[space]; ok {
		return b.version
	}
	return space
}

// messageEnvelope reads a Henvisning 1.x (ServReq) or an Epikrise (ServRprt).
func messageEnvelope(root *message.Node) (adapters.Envelope, *handover.Fault) {
	content, sender, receiver := root.Child("ServReq"), "Requester", "ServProvider"
	if content == nil {
		content, sender, receiver = root.Child("ServRprt"), "ServProvider", "Requester"
	}
	env := adapters.Envelope{
		Type:          root.Text("Type", "@V"),
		ID:            trimmed(root, "MsgId"),
		Version:       versionOf(root.Space),
		Sender:        hcpAddress(content.At(sender, "HCP")),
		Receiver:      hcpAddress(content.At(receiver, "HCP")),
		Processing:    root.Text("Status", "@V"),
		Time:          root.Text("GenDate", "@V"),
		ReceiptWanted: content.Text("Ack", "@V") != "N",
	}
	switch env.Version {
	case "henvisning 1.0":
		env.ReceiptID = trimmed(content, "Id")
	case "epikrise 1.1":
		env.ReceiptID = trimmed(content, "ServProvId")
	}
	for _, other := range content.All("CopyDest") {
		env.Copies = append(env.Copies, hcpAddress(other.Child("HCP")))
	}
	return env, addressed(env, root, "Message/"+sender, "Message/MsgId")
}

func appRecEnvelope(root *message.Node) (adapters.Envelope, *handover.Fault) {
	env := adapters.Envelope{
		Type:     TypeAppRec,
		ID:       trimmed(root, "Id"),
		Version:  versionOf(root.Space),
		Sender:   hcpAddress(root.At("Sender", "HCP")),
		Receiver: hcpAddress(root.At("Receiver", "HCP")),
		Time:     trimmed(root, "GenDate"),
	}
	if fault := addressed(env, root, "AppRec/Sender", "AppRec/Id"); fault != nil {
		return env, fault
	}
	receipt, fault := readReceipt(root)
	env.Receipt = receipt
	return env, fault
}

func readReceipt(root *message.Node) (*adapters.Receipt, *handover.Fault) {
	original := root.Child("OriginalMsgId")
	r := &adapters.Receipt{
		OriginalID:   handover.PlainID(original.Text("Id")),
		OriginalType: original.Text("MsgType", "@V"),
		OriginalTime: trimmed(original, "IssueDate"),
	}
	if r.OriginalID == "" {
		return nil, envelopeFault(handover.FaultInvalid, root, "AppRec/OriginalMsgId/Id", "the receipt does not say which message it is for")
	}
	switch root.Text("Status", "@V") {
	case statusOK, statusPartlyOK:
		r.Positive = true
	case statusRejected:
	default:
		// Invariant 7: an unknown status is neither a positive nor a negative receipt.
		return nil, envelopeFault(handover.FaultInvalid, root, "AppRec/Status", "the status is not one of Volven 8258")
	}
	for _, e := range root.All("Error") {
		r.Errors = append(r.Errors, adapters.ReceiptError{Code: e.Text("@V"), System: e.Text("@S"), Text: errorText(e)})
	}
	return r, nil
}

// errorText joins an Error's display name and the additional text; both must be shown
// (HIS 80415:2012 section 3.3.4).
func errorText(e *message.Node) string {
	name, more := e.Text("@DN"), e.Text("@OT")
	if name != "" && more != "" {
		return name + ": " + more
	}
	return name + more
}
