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
	}
	for _, name := range once {
		if n := count[name]; n > 1 {
			return &handover.Fault{Kind: handover.FaultMalformed, Op: "hl7v2.Check", Path: name + "[" + strconv.Itoa(n) + "]",
				Text: "the message is about one patient and one stay, and has the segment more than once"}
		}
	}
	return nil
}
