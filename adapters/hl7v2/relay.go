package hl7v2

import (
	"slices"
	"time"

	"stafett/adapters"
	"stafett/handover"
)

func knownVersion(v string) bool { return slices.Contains(versions, v) }

// Relay makes the application acknowledgement (2.5 section 2.9.3.3) of an enhanced sender
// that asked for one: MSA-1 AA, AE or AR, MSA-2 the original's MSH-10, ERR for each reason.
// It is a message of its own with MSH-10 id, and asks for a commit answer only. Nil for
// every other sender: its answer has been given on the connection.
//
// A code that is not of table 0357 goes into ERR-5, with 207 in ERR-3.
func (c *Codec) Relay(original adapters.Envelope, r adapters.Receipt, id string, at time.Time) ([]byte, error) {
	if !original.ReceiptWanted {
		return nil, nil
	}
	a := ack(original, id, at)
	msh := a.root.Children[0]
	set(msh, "AL", "15")
	set(msh, "NE", "16")
	if field(msh, "18") == nil && !textsAreASCII(r.Errors) {
		set(msh, "UNICODE UTF-8", "18")
	}
	text := ""
	if len(r.Errors) > 0 {
		text = r.Errors[0].Text
	}
	a.accept(relayCode(r), original.ID, text)
	if !r.Positive {
		for _, e := range r.Errors {
			a.reason(relayReason(e))
		}
	}
	return c.Encode(a.root)
}

// relayCode is AR where the receiver does not take messages of this kind, else AE.
func relayCode(r adapters.Receipt) string {
	if r.Positive {
		return "AA"
	}
	for _, e := range r.Errors {
		if e.System == errorSystem && e.Code >= "200" && e.Code <= "203" {
			return "AR"
		}
	}
	return "AE"
}

func relayReason(e adapters.ReceiptError) reason {
	if e.System == errorSystem && conditionTexts[e.Code] != "" {
		return reason{condition: e.Code, text: e.Text}
	}
	return reason{condition: "207", text: e.Text, local: e.Code, localText: e.Text, localSystem: e.System}
}

func textsAreASCII(errors []adapters.ReceiptError) bool {
	for _, e := range errors {
		if !isASCII(e.Code + e.System + e.Text) {
			return false
		}
	}
	return true
}

// Refusal makes nothing: the transport answer has already said it.
func (c *Codec) Refusal(adapters.Envelope, *handover.Fault, string, time.Time) ([]byte, error) {
	return nil, nil
}
