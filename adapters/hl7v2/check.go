package hl7v2

import (
	"strconv"

	"stafett/adapters"
	"stafett/handover"
	"stafett/message"
)

// once are the segments that a message about one patient has once; two would be of two.
var once = []string{"EVN", "PID", "PD1", "PV1", "PV2", "MRG"}

// Check refuses a message about two patients, or about two stays: what it says of one would
// be told of the other (2.5 section 3.3: the events that are taken are of one patient).
func (c *Codec) Check(m *message.Message, _ adapters.Envelope) *handover.Fault {
	count := map[string]int{}
	for _, s := range m.Root.Children {
		count[s.Name]++
		if field := repeated(s); field != "" {
			return &handover.Fault{Kind: handover.FaultTooLarge, Op: "hl7v2.Check", Path: s.Name + "-" + field, Line: s.Line, Column: s.Column,
				Text: "the field has more repetitions than are taken"}
		}
	}
	for _, name := range once {
		if n := count[name]; n > 1 {
			return &handover.Fault{Kind: handover.FaultMalformed, Op: "hl7v2.Check", Path: name + "[" + strconv.Itoa(n) + "]",
				Text: "the message is about one patient and one stay, and has the segment more than once"}
		}
	}
	return nil
}

// repetitionsMax bounds the repetitions of one field, which are compared with each other.
const repetitionsMax = 500

// repeated is the number of a field that repeats too often; empty for none.
func repeated(segment *message.Node) string {
	run := 0
	for i, f := range segment.Children {
		if i > 0 && f.Name == segment.Children[i-1].Name {
			run++
		} else {
			run = 1
		}
		if run > repetitionsMax && !textField(segment.Name, f.Name) {
			return f.Name
		}
	}
	return ""
}

// textField reports OBX-5 and NTE-3, whose repetitions are lines of a text.
func textField(segment, field string) bool {
	return segment == "OBX" && field == "5" || segment == "NTE" && field == "3"
}
