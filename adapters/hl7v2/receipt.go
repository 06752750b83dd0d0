package hl7v2

import (
	"stafett/adapters"
	"stafett/handover"
	"stafett/message"
)

// errorSystem is HL7 table 0357, message error condition codes.
const errorSystem = "HL70357"

// receiptOf reads an application acknowledgement: MSA and ERR. A commit answer (CA, CE,
// CR) is no receipt: it belongs on the connection of the message that it answers.
func receiptOf(root *message.Node) (*adapters.Receipt, *handover.Fault) {
	msa := segment(root, "MSA")
	if msa == nil {
		return nil, envelopeFault(handover.FaultInvalid, "MSA", "a receipt has an MSA segment")
	}
	code, original := plain(msa.Text("1")), plain(childText(msa, "2"))
	if code != "AA" && code != "AE" && code != "AR" {
		return nil, envelopeFault(handover.FaultInvalid, "MSA-1", "a receipt is AA, AE or AR")
	}
	if original == "" {
		return nil, envelopeFault(handover.FaultInvalid, "MSA-2", "a receipt names the message that it is for")
	}
	r := &adapters.Receipt{Positive: code == "AA", OriginalID: original}
	if !r.Positive {
		r.Errors = errorsOf(root, msa)
	}
	return r, nil
}

// errorsMax bounds the reasons that are read from one receipt.
const errorsMax = 50

// errorsOf reads the reasons of a negative answer: ERR-3 with its text in ERR-8 (2.5 and
// later), else ERR-1.4 (2.3, 2.4), else MSA-6 and MSA-3.
func errorsOf(root, msa *message.Node) []adapters.ReceiptError {
	var out []adapters.ReceiptError
	for _, e := range root.All("ERR") {
		out = append(out, errorsIn(e)...)
		if len(out) >= errorsMax {
			return out[:errorsMax]
		}
	}
	if len(out) > 0 {
		return out
	}
	one := adapters.ReceiptError{Text: plain(childText(msa, "3"))}
	if condition := field(msa, "6"); condition != nil {
		one = codedError(condition, one.Text)
	}
	if one == (adapters.ReceiptError{}) {
		return nil
	}
	return []adapters.ReceiptError{one}
}

// errorsIn reads one ERR segment.
func errorsIn(e *message.Node) []adapters.ReceiptError {
	if code := field(e, "3"); code != nil {
		return []adapters.ReceiptError{codedError(code, plain(childText(e, "8")))}
	}
	var out []adapters.ReceiptError
	for _, repetition := range e.Children {
		if code := field(repetition, "4"); repetition.Name == "1" && code != nil {
			out = append(out, codedError(code, ""))
		}
	}
	return out
}

// codedError reads a coded element; text, where there is one, is what the user is to see.
func codedError(code *message.Node, text string) adapters.ReceiptError {
	e := adapters.ReceiptError{Code: plain(code.Text("1")), Text: text, System: plain(code.Text("3"))}
	if e.Text == "" {
		e.Text = plain(code.Text("2"))
	}
	if e.System == "" && e.Code != "" {
		e.System = errorSystem
	}
	return e
}

// field returns the first child of n named name, never n itself.
func field(n *message.Node, name string) *message.Node {
	for _, c := range n.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}
