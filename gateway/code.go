package gateway

import (
	"bytes"
	"regexp"

	"stafett/fhir"
)

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
