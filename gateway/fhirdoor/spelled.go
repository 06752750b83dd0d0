package fhirdoor

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"stafett/fhir"
	"stafett/gateway/act"
	"stafett/handover"
)

// spelledNames are the texts of a name: of a person's, as a whole and put together.
func spelledNames(name *fhir.Node) []string {
	if name.Kind == fhir.KindString {
		return []string{name.Text}
	}
	var parts []string
	for _, given := range name.Each("given") {
		parts = append(parts, given.Str())
	}
	return []string{name.Str("text"), name.Str("name"), strings.Join(append(parts, name.Str("family")), " ")}
}

// numbered are the parties that an identifier names, however its system is spelled. Without a
// system a reader takes a number for whichever it is.
func (t *writing) numbered(s *act.Snapshot, id *fhir.Node) []handover.PartyID {
	value := norm.NFKC.String(id.Str("value"))
	if value == "" {
		return nil
	}
	var out []handover.PartyID
	for _, system := range []string{fhir.SystemHER, fhir.SystemOrgNumber} {
		for _, number := range numbersIn(id, system, value) {
			if party, known := s.PartyNamed(system, number); known {
				out = append(out, party)
			}
			if own := t.self[system]; own != "" && handover.PlainNumber(own) == handover.PlainNumber(number) {
				out = append(out, nobody)
			}
		}
	}
	return out
}

// numbersIn are the numbers of a system that an identifier may be read as.
func numbersIn(id *fhir.Node, system, value string) []string {
	if number, within := strings.CutPrefix(fhir.SystemMeant(value), strings.TrimPrefix(system, "urn:oid:")+"."); within {
		return []string{number}
	}
	switch fhir.SystemMeant(id.Str("system")) {
	case system:
		return []string{value, digitsOf(value)}
	case "":
		return []string{value}
	}
	if slices.ContainsFunc(id.At("type").Each("coding"), func(c *fhir.Node) bool { return strings.EqualFold(c.Str("code"), numberTypes[system]) }) {
		return []string{value, digitsOf(value)}
	}
	return nil
}

// numberTypes are the codes of Volven 9051 for the kinds of number that name a party.
var numberTypes = map[string]string{fhir.SystemHER: "HER", fhir.SystemOrgNumber: "ENH"}

func digitsOf(value string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, value)
}

// named are the parties that a text names, nobody for the gateway.
func (t *writing) named(s *act.Snapshot, text string) []handover.PartyID {
	said := wordsOf(text)
	if len(said) == 0 {
		return nil
	}
	var out []handover.PartyID
	caller, _ := s.Directory.Party(t.caller.Party)
	own := calledBy(caller.Name)
	if names(said, own) {
		out = append(out, caller.ID)
	}
	isNamed := func(name string) bool {
		words, rest := calledBy(name), said
		if names(own, words) {
			rest = without(said, own) // another's name that is part of the caller's own
		}
		return names(rest, words)
	}
	for _, p := range s.Directory.Parties() {
		if p.ID != caller.ID && (isNamed(p.Name) || len(wordsOf(string(p.ID))) > 1 && isNamed(string(p.ID))) {
			out = append(out, p.ID)
		}
	}
	if isNamed(t.selfName) {
		out = append(out, nobody)
	}
	return out
}

// wordsOf are the words of a name as they are read: without case, width, signs and what is not
// seen.
func wordsOf(name string) []string {
	name = norm.NFKC.String(strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) {
			return -1
		}
		return r
	}, name))
	name = lookAlike.Replace(strings.ToLower(name))
	return strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// legalForms end the registered name of a party, and are often left out.
var legalForms = []string{"as", "asa", "sa", "hf", "kf", "iks", "ans", "da", "ba", "nuf", "enk"}

// calledBy are the words by which a party is called: its name without its legal form.
func calledBy(name string) []string {
	words := wordsOf(name)
	if last := len(words) - 1; last > 0 && slices.Contains(legalForms, words[last]) {
		return words[:last]
	}
	return words
}

// lookAlike replaces the letters of other alphabets that look like Latin ones.
var lookAlike = strings.NewReplacer("а", "a", "в", "b", "е", "e", "к", "k", "м", "m", "н", "h", "о", "o", "р", "p", "с", "c", "т", "t",
	"у", "y", "х", "x", "і", "i", "ј", "j", "ѕ", "s", "ԁ", "d", "ӏ", "l", "α", "a", "ι", "i", "κ", "k", "ν", "v", "ο", "o", "ρ", "p", "τ", "t", "ı", "i")

// names reports whether a text names what is called so: it is the name, however divided, or has it
// as words, in the genitive too. A name of one word, which may be a person's as well, must stand first.
func names(said, name []string) bool {
	switch {
	case len(said) == 0 || len(name) == 0:
		return false
	case strings.Join(said, "") == strings.Join(name, ""):
		return true
	case len(name) == 1:
		return isWord(said[0], name[0])
	}
	return at(said, name) >= 0
}

// at is where a name's words stand in a text; -1 for nowhere.
func at(said, name []string) int {
	for i := 0; i+len(name) <= len(said); i++ {
		if slices.EqualFunc(said[i:i+len(name)], name, isWord) {
			return i
		}
	}
	return -1
}

func isWord(said, word string) bool { return said == word || said == word+"s" }

// without is a text with a name taken out of it, and a mark that is no word in its place.
func without(said, name []string) []string {
	i := at(said, name)
	if i < 0 {
		return said
	}
	return append(append(slices.Clone(said[:i]), "|"), without(said[i+len(name):], name)...)
}
