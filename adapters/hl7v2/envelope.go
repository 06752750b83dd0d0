package hl7v2

import (
	"slices"

	"stafett/adapters"
	"stafett/handover"
	"stafett/message"
)

const opEnvelope = "hl7v2.Envelope"

// controlIDMax is the longest MSH-10 (2.7; it was 20 characters before).
const controlIDMax = 199

// Envelope reads MSH, and MSA and ERR of a receipt. The fault is unsupported for an MSH-9,
// MSH-11 or MSH-12 that is not taken, bad-message-id for an MSH-10 that is empty or too
// long, invalid for a receipt that receipts nothing.
//
// Enhanced acknowledgement (2.5 section 2.9.3) is an MSH-15 of AL, ER or SU. It is always
// answered, since over MLLP a sender that hears nothing cannot know that the message is
// stored. A receipt is relayed only to an enhanced sender whose MSH-16 is AL, ER or SU:
// in original mode the one answer has been given, and a second would have no place.
func (c *Codec) Envelope(m *message.Message) (adapters.Envelope, error) {
	var env adapters.Envelope
	if m == nil {
		return env, envelopeFault(handover.FaultMalformed, "MSH", "there is no readable MSH segment")
	}
	msh := segment(m.Root, "MSH")
	if msh == nil {
		return env, envelopeFault(handover.FaultMalformed, "MSH", "there is no readable MSH segment")
	}
	env.Sender = address(msh, "3", "4")
	env.Receiver = address(msh, "5", "6")
	env.Time = plain(msh.Text("7", "1"))
	env.Type = plain(msh.Text("9", "1"))
	if trigger := plain(msh.Text("9", "2")); trigger != "" {
		env.Type += "^" + trigger
	}
	env.ID = plain(msh.Text("10", "1"))
	env.Processing = plain(msh.Text("11", "1"))
	env.Version = plain(msh.Text("12", "1"))
	env.CommitAnswer = wanted(msh.Text("15"))
	env.ReceiptWanted = env.CommitAnswer && wanted(msh.Text("16"))
	var fault *handover.Fault
	if plain(msh.Text("9", "1")) == "ACK" {
		env.Receipt, fault = receiptOf(m.Root)
	}
	if refused := c.acceptable(env); refused != nil {
		return env, refused
	}
	if fault != nil {
		return env, fault
	}
	return env, nil
}

func envelopeFault(kind handover.FaultKind, path, text string) *handover.Fault {
	return &handover.Fault{Kind: kind, Op: opEnvelope, Path: path, Text: text}
}

// acceptable checks MSH-12, MSH-11, MSH-9 and MSH-10, in the order in which each makes
// sense of the next.
func (c *Codec) acceptable(env adapters.Envelope) *handover.Fault {
	switch {
	case !slices.Contains(versions, env.Version):
		return envelopeFault(handover.FaultUnsupported, "MSH-12", "the version is not one of 2.3 to 2.8")
	case !c.takesProcessing(env.Processing):
		return envelopeFault(handover.FaultUnsupported, "MSH-11", "the processing id is not taken here")
	case !c.takesType(env.Type):
		return envelopeFault(handover.FaultUnsupported, "MSH-9", "the message type is not taken")
	case env.ID == "":
		return envelopeFault(handover.FaultBadMessageID, "MSH-10", "the message has no control id")
	case len(env.ID) > controlIDMax:
		return envelopeFault(handover.FaultBadMessageID, "MSH-10", "the control id is too long")
	}
	return nil
}

// plain is a value where "delete" and absence mean the same.
func plain(value string) string {
	if value == Null {
		return ""
	}
	return value
}

// wanted reads MSH-15 and MSH-16 (table 0155).
func wanted(condition string) bool {
	return condition == "AL" || condition == "ER" || condition == "SU"
}

// address reads an application and a facility (HD). A facility's universal id of type HER
// or ENH is the organisation's HER-id or organisation number.
func address(msh *message.Node, application, facility string) adapters.Address {
	a := adapters.Address{
		Application: plain(childText(msh, application)),
		Facility:    plain(childText(msh, facility)),
	}
	switch id := plain(msh.Text(facility, "2")); msh.Text(facility, "3") {
	case "HER":
		a.HER = id
	case "ENH":
		a.OrgNumber = id
	}
	return a
}
