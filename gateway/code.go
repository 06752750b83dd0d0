package gateway

import (
	"bytes"
	"regexp"

	"stafett/fhir"
	"stafett/handover"
)

// What a sender calls its message is shown in logs and lists, so that only what is spelled
// as a code or as an id is kept there: another text could name a person.
var typeCodes = map[handover.Wire]*regexp.Regexp{
	// HL7 tables 0076, 0003: three characters each.
	handover.WireHL7v2: regexp.MustCompile(`^[A-Z]{3}(\^[A-Z][0-9A-Z]{2})?$`),
	// Volven 8279, and the logistics messages of their own.
	handover.WireKITH: regexp.MustCompile(`^(APPREC|HENVISNING|EPIKRISE|[A-Z]{3,20}(_[A-Z0-9]{1,24})+)$`),
}

// typeUnreadable stands for a type that is spelled as none.
const typeUnreadable = "unreadable"

// typeCode is a message's type as it may be shown.
func typeCode(w handover.Wire, typ string) string {
	if re := typeCodes[w]; typ != "" && re != nil && !re.MatchString(typ) {
		return typeUnreadable
	}
	return typ
}

var elevenDigits = regexp.MustCompile(`[0-9]{11}`)

// externalID is the sender's id as it may be kept in an index; empty when it is a person's
// number. Digits that only happen to be of right form are an id: a number is taken for a
// person's when the message holds it elsewhere as well.
func (t *taking) externalID() string {
	if !fhir.HoldsNationalNumber(t.env.ID) {
		return t.env.ID
	}
	for _, n := range elevenDigits.FindAllString(t.env.ID, -1) {
		if fhir.HoldsNationalNumber(n) && bytes.Count(t.in.Raw, []byte(n)) > 1 {
			return ""
		}
	}
	return t.env.ID
}
