package events

import (
	"fmt"
	"strings"

	"stafett/handover"
	"stafett/ledger"
)

// subjectPrefix starts every subject of the first version of the event format.
const subjectPrefix = "handover.v1"

// subjectAll matches every event.
const subjectAll = subjectPrefix + ".>"

// Subject spells handover.v1.<kind>.<event>.<from>.<to>, where from and to are the
// handover's sender and receiver whoever caused the event.
func Subject(e ledger.Event) string {
	return strings.Join([]string{subjectPrefix, token(string(e.Kind)), token(string(e.Name)),
		token(string(e.From)), token(string(e.To))}, ".")
}

// SubjectsOf returns the filters of a party's own events: as sender and as receiver.
func SubjectsOf(party handover.PartyID) [2]string {
	p := token(string(party))
	return [2]string{subjectPrefix + ".*.*." + p + ".*", subjectPrefix + ".*.*.*." + p}
}

// takesPart reports whether an event is one of a party's own.
func takesPart(e ledger.Event, party handover.PartyID) bool {
	return e.From == party || e.To == party
}

// token makes one subject token of any text, one to one: party ids stay as they are,
// everything else that a subject cannot hold is written as _ and two hex digits.
func token(s string) string {
	if s == "" {
		return "_"
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "_%02x", c)
	}
	return b.String()
}
