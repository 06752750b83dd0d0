package fhir

import "strings"

// HoldsNationalNumber reports whether id holds eleven digits in a row, no more, that are
// a fødselsnummer, D-number or the like by their check digits. Ids are logged and become
// part of events, so a caller must not put a person's number there. An identifier that is
// a UUID is passed by: there such digits are chance.
func HoldsNationalNumber(id string) bool {
	if isUUID(strings.TrimPrefix(id, "urn:uuid:")) {
		return false
	}
	for start := 0; start < len(id); {
		end := start
		for end < len(id) && id[end] >= '0' && id[end] <= '9' {
			end++
		}
		if end-start == 11 && checkDigits(id[start:end]) {
			return true
		}
		start = end + 1
	}
	return false
}

// The types of a person's number as Volven 8116 codes them, by its digits.
const (
	NumberFNR = "FNR" // fødselsnummer
	NumberDNR = "DNR" // D-number: 40 added to the day
	NumberHNR = "HNR" // H-number: 40 added to the month; local to who gave it
	NumberFHN = "FHN" // felles hjelpenummer: from 800000000 on
)

// PersonNumber is the type that the digits of a person's number tell, whatever it is called
// (HIS 1001:2010 sections 2 to 4); empty where number is not eleven digits with right check
// digits. Synthetic numbers with 65 or 80 added to the month are of their type.
func PersonNumber(number string) string {
	if len(number) != 11 || strings.Trim(number, "0123456789") != "" || !checkDigits(number) {
		return ""
	}
	month := number[2:4]
	switch {
	case number[0] >= '8':
		return NumberFHN
	case month > "40" && month < "53":
		return NumberHNR
	case number[0] >= '4':
		return NumberDNR
	}
	return NumberFNR
}

// checkDigits verifies the two check digits that all Norwegian eleven-digit personal
// numbers have (HIS 1001:2010 section 4.1).
func checkDigits(n string) bool {
	rest := func(weights ...int) int {
		sum := 0
		for i, w := range weights {
			sum += w * int(n[i]-'0')
		}
		return (11 - sum%11) % 11
	}
	return rest(3, 7, 6, 1, 8, 9, 4, 5, 2) == int(n[9]-'0') && rest(5, 4, 3, 2, 7, 6, 5, 4, 3, 2) == int(n[10]-'0')
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}
