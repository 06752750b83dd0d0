package intake

import (
	"bytes"
	"regexp"

	"stafett/fhir"
	"stafett/handover"
)

var elevenDigits = regexp.MustCompile(`[0-9]{11}`)

// externalID is the sender's id as it may be kept in an index, in the spelling by which it is
// compared; empty when it is a person's number. Digits that only happen to be of right form are an id: a number is taken for a
// person's when the message holds it elsewhere as well.
func externalID(id string, raw []byte) string {
	if !fhir.HoldsNationalNumber(id) {
		return handover.PlainID(id)
	}
	for _, n := range elevenDigits.FindAllString(id, -1) {
		if fhir.HoldsNationalNumber(n) && bytes.Count(raw, []byte(n)) > 1 {
			return ""
		}
	}
	return handover.PlainID(id)
}
