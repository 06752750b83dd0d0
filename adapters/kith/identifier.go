package kith

import (
	"strconv"
	"time"
)

// weights of the two check digits of person numbers (HIS 1001:2010 section 4.1).
var (
	weightsFirst  = [...]int{3, 7, 6, 1, 8, 9, 4, 5, 2}
	weightsSecond = [...]int{5, 4, 3, 2, 7, 6, 5, 4, 3, 2}
)

// PersonCheckDigitsValid reports whether number is eleven digits whose last two are right
// by HIS 1001:2010 section 4.1: fødselsnummer, D-, H- and FH-nummer share the rule.
func PersonCheckDigitsValid(number string) bool {
	return len(number) == 11 && digits(number) &&
		checkDigit(number, weightsFirst[:]) == int(number[9]-'0') &&
		checkDigit(number, weightsSecond[:]) == int(number[10]-'0')
}

// HNRValid reports whether number is an H-nummer: as a fødselsnummer with 40 added to the
// month (HIS 1001:2010 section 3.2). It is local to its issuer.
func HNRValid(number string) bool {
	return PersonCheckDigitsValid(number) && dateExists(number, 0, 40)
}

// FHNValid reports whether number is a felles hjelpenummer: nine digits from 800000000 and
// two check digits (HIS 1001:2010 section 3.1).
func FHNValid(number string) bool {
	return PersonCheckDigitsValid(number) && number[0] >= '8'
}

func digits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// checkDigit returns modulus 11's check digit of the leading digits; 10 is never assigned.
func checkDigit(number string, weights []int) int {
	sum := 0
	for i, w := range weights {
		sum += w * int(number[i]-'0')
	}
	return (11 - sum%11) % 11
}

func dateExists(number string, dayOffset, monthOffset int) bool {
	day, _ := strconv.Atoi(number[0:2])
	month, _ := strconv.Atoi(number[2:4])
	year, _ := strconv.Atoi(number[4:6])
	individual, _ := strconv.Atoi(number[6:9])
	day, month = day-dayOffset, month-monthOffset
	switch {
	case individual < 500, individual >= 900 && year >= 40:
		year += 1900
	case individual >= 500 && year < 40:
		year += 2000
	case individual < 750 && year >= 54:
		year += 1800
	default:
		return false
	}
	date := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	return month >= 1 && month <= 12 && date.Day() == day && date.Month() == time.Month(month)
}
