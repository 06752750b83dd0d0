package kith

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// fnrValid reports whether number is a fødselsnummer: a date of birth as DDMMYY that
// exists in the century its individual number says, and right check digits.
func fnrValid(number string) bool {
	return PersonCheckDigitsValid(number) && dateExists(number, 0, 0)
}

// dnrValid reports whether number is a D-nummer: as a fødselsnummer with 40 added to the
// day (HIS 1001:2010 section 2.2).
func dnrValid(number string) bool {
	return PersonCheckDigitsValid(number) && dateExists(number, 40, 0)
}

func TestIdentifiersAreValid(t *testing.T) {
	for _, c := range []struct {
		number             string
		fnr, dnr, hnr, fhn bool
	}{
		{"01015000232", true, false, false, false}, // worked example of HIS 1001:2010
		{solveigFNR, true, false, false, false},
		{"30095100186", true, false, false, false},
		{"05013900029", true, false, false, false},
		{solveigDNR, false, true, false, false},
		{solveigHNR, false, false, true, false},
		{someFHN, false, false, false, true},
		{"12034800242", false, false, false, false},
		{"12034800231", false, false, false, false},
		{"1203480024", false, false, false, false},
		{"120348002411", false, false, false, false},
		{"1203480024x", false, false, false, false},
		{"", false, false, false, false},
		{"00000000000", false, false, false, false},
		{"12834800045", false, false, false, false}, // month 83: right digits, no such date
	} {
		got := [...]bool{fnrValid(c.number), dnrValid(c.number), HNRValid(c.number), FHNValid(c.number)}
		if got != [...]bool{c.fnr, c.dnr, c.hnr, c.fhn} {
			t.Errorf("%q: %v", c.number, got)
		}
	}
	if !PersonCheckDigitsValid("12834800045") {
		t.Error("a synthetic number's check digits are right")
	}
}

// withDigits completes nine digits, or gives "" where a check digit would be 10.
func withDigits(nine string) string {
	first := checkDigit(nine, weightsFirst[:])
	if first == 10 {
		return ""
	}
	ten := nine + fmt.Sprint(first)
	second := checkDigit(ten, weightsSecond[:])
	if second == 10 {
		return ""
	}
	return ten + fmt.Sprint(second)
}

func TestFNRCenturies(t *testing.T) {
	for _, c := range []struct {
		year, individual int
		valid            bool
	}{
		{0, 0, true}, {99, 499, true}, {54, 500, true}, {99, 749, true}, {0, 500, true}, {39, 999, true},
		{40, 900, true}, {99, 999, true}, {40, 500, false}, {53, 749, false}, {40, 750, false}, {99, 899, false},
	} {
		for offset := range 50 {
			individual := c.individual
			if individual%100 == 0 {
				individual += offset
			} else {
				individual -= offset
			}
			number := withDigits(fmt.Sprintf("0103%02d%03d", c.year, individual))
			if number == "" {
				continue
			}
			if fnrValid(number) != c.valid {
				t.Errorf("year %02d, individual number %d: %v", c.year, individual, !c.valid)
			}
			break
		}
	}
	if number := withDigits("290200" + "501"); number != "" && !fnrValid(number) {
		t.Error("29 February 2000 exists")
	}
	for _, nine := range []string{"290201501", "310448002", "000148002", "010048002", "011348002"} {
		if number := withDigits(nine); number != "" && fnrValid(number) {
			t.Errorf("%s is no date", nine[:6])
		}
	}
}

// TestCheckDigitsFindSingleErrors: changing one digit of a right number makes it wrong.
func TestCheckDigitsFindSingleErrors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := withDigits(fmt.Sprintf("%09d", rapid.IntRange(0, 999999999).Draw(t, "nine")))
		if number == "" {
			t.Skip("no such number is assigned")
		}
		if !PersonCheckDigitsValid(number) {
			t.Fatalf("%s is not valid", number)
		}
		at, by := rapid.IntRange(0, 10).Draw(t, "at"), rapid.IntRange(1, 9).Draw(t, "by")
		wrong := []byte(number)
		wrong[at] = '0' + (wrong[at]-'0'+byte(by))%10
		if PersonCheckDigitsValid(string(wrong)) {
			t.Fatalf("%s and %s are both valid", number, wrong)
		}
	})
}
