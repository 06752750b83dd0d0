package language

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strings"

	"stafett/fhir"
	"stafett/message"
)

// predicates is the closed set of what "is NAME" may ask of a repetition. What real senders
// write into one field differs; these tell it apart by all that stands there.
var predicates = map[string]Predicate{
	// An identifier of a person (CX): by its digits where it is called a national number, or
	// nothing; by its name where the digits do not tell.
	"fnr":     isNumber(fhir.NumberFNR),
	"dnr":     isNumber(fhir.NumberDNR),
	"hnr":     isNumber(fhir.NumberHNR),
	"fhn":     isNumber(fhir.NumberFHN),
	"duf":     isNumber(numberDUF),
	"flawed":  isNumber(numberFlawed),
	"volven":  func(_, n *message.Node) bool { return numberOf(n) == "" && otherNumbers[idType(n)] },
	"unnamed": func(_, n *message.Node) bool { return numberOf(n) == "" && !otherNumbers[idType(n)] },
	// An identifier of the patient in a Hodemelding, the same way.
	"ident-fnr":    isIdent(fhir.NumberFNR),
	"ident-dnr":    isIdent(fhir.NumberDNR),
	"ident-hnr":    isIdent(fhir.NumberHNR),
	"ident-fhn":    isIdent(fhir.NumberFHN),
	"ident-duf":    isIdent(numberDUF),
	"ident-flawed": isIdent(numberFlawed),
	"ident-other":  isIdent(""),
	// The official number of the patient in a Henvisning 1.x or Epikrise, and one beside it.
	"offid-fnr":    isOfficial(fhir.NumberFNR),
	"offid-dnr":    isOfficial(fhir.NumberDNR),
	"offid-fhn":    isOfficial(fhir.NumberFHN),
	"offid-duf":    isOfficial(numberDUF),
	"offid-other":  isOfficial(""),
	"offid-flawed": isOfficial(numberFlawed),
	"addid-fnr":    isAdditional(fhir.NumberFNR),
	"addid-dnr":    isAdditional(fhir.NumberDNR),
	"addid-fhn":    isAdditional(fhir.NumberFHN),
	"addid-duf":    isAdditional(numberDUF),
	"addid-other":  isAdditional(""),
	"addid-flawed": isAdditional(numberFlawed),
	// The person of an institution that a message is to or from: where no department is (HITS 1168:2016).
	"addressed": func(parent, n *message.Node) bool {
		return parent.Child("Dept") == nil && parent.Child("HCPerson") == n
	},
	// A clinical item (InfItem) of a Henvisning or Epikrise, by its choice and its type (Volven 8233).
	"item-medication": func(_, n *message.Node) bool { return n.Child("Medication") != nil },
	"item-result":     func(_, n *message.Node) bool { return n.Child("ResultItem") != nil },
	"item-allergy":    isItem("CAVE"),
	"item-diagnosis":  isItem("H", "B", "ART"),
	"item-procedure":  isItem("MPRS", "OPIN", "PRS"),
	"item-drug":       isItem("MEDB"),
	"item-other": func(_, n *message.Node) bool {
		return n.Child("Observation") != nil && !itemTypes[n.Text("Type", "@V")]
	},
	// A person's name (XPN): the legal one, else the one in use, else the first.
	"main-name":  func(parent, n *message.Node) bool { return mainName(parent, n.Name) == n },
	"other-name": func(parent, n *message.Node) bool { return mainName(parent, n.Name) != n },
	// A telecom (XTN), which may have no number at all, and one of a Hodemelding.
	"telephone":  func(_, n *message.Node) bool { number, _ := phoneOf(n); return number != "" },
	"email":      func(_, n *message.Node) bool { number, _ := phoneOf(n); return number == "" && mailOf(n) != "" },
	"numberless": isNumberless,
	"mailto":     func(_, n *message.Node) bool { return mailtoPattern.MatchString(n.Text("TeleAddress", "@V")) },
	"dialled":    func(_, n *message.Node) bool { return !mailtoPattern.MatchString(n.Text("TeleAddress", "@V")) },
	// Who wrote a note of a Dialogmelding: named first, as a health professional.
	"author": isAuthor,
	// A person of a Hodemelding in the place of a service.
	"addressee": func(parent, _ *message.Node) bool { return parent.Child("Organisation") == nil },
	// An address (XAD) in Norway, or in no country that is named.
	"norwegian": func(_, n *message.Node) bool { return norway[strings.ToUpper(value(n, "6"))] },
	// A segment that is deleted (OBX-11), the action (table 0206) that deletes; a segment that states what is.
	"deleted":  func(_, n *message.Node) bool { return isDeleted(n) },
	"deletion": func(_, n *message.Node) bool { return n.Text() == "D" },
	"stated":   func(_, n *message.Node) bool { return !notStated[n.Text("11")] },
	// An OBX that holds a document, one that did, another one.
	"document":         isDocument,
	"deleted-document": isDeletedDocument,
	"result":           func(parent, n *message.Node) bool { return !isDocument(parent, n) && !isDeletedDocument(parent, n) },
	// An allergy (AL1), and one whose substance is deleted.
	"allergy": func(_, n *message.Node) bool { return !isEmptied(n) },
	"emptied": func(_, n *message.Node) bool { return isEmptied(n) },
	// An access restriction (ARV, 2.7 and later) that holds.
	"restriction": func(_, n *message.Node) bool { return value(n, "2") != "D" && value(n, "3") != "NO" },
}

// predicateNamed is a predicate by its name; one that never holds where there is none.
func predicateNamed(in *reading, name string) Predicate {
	p, known := predicates[name]
	if !known {
		in.note(in.pos.unknown("kind of repetition", name, keys(predicates)))
		return func(_, _ *message.Node) bool { return false }
	}
	return p
}

// explicitNull says that a value is deleted (HL7 v2.5 section 2.5.3.3).
const explicitNull = `""`

// value is the value at a place below n, where an explicit null is none.
func value(n *message.Node, names ...string) string {
	if v := n.Text(names...); v != explicitNull {
		return strings.TrimSpace(v)
	}
	return ""
}

// What numberOf tells beside the types of fhir.PersonNumber.
const (
	numberDUF    = "DUF"
	numberFlawed = "flawed" // called a national number, with digits that are none
)

// national are the types by which senders name the national numbers (CX.5): Volven 8116, and
// what hospitals write of HL7 table 0203.
var national = map[string]bool{"FNR": true, "DNR": true, "FHN": true, "HNR": true, "NNNOR": true, "FHNR": true}

// unsaid are the types of a number of any nation, and none: the digits alone tell.
var unsaid = map[string]bool{"": true, "NIN": true, "NI": true, "NNNO": true, "SS": true}

// authorities are those that give national numbers, by OID (CX.4.2).
var authorities = map[string]string{
	oidOf(fhir.SystemFNR): fhir.NumberFNR, oidOf(fhir.SystemDNR): fhir.NumberDNR, oidOf(fhir.SystemFHN): fhir.NumberFHN, oidOf(fhir.SystemDUF): numberDUF,
}

func oidOf(system string) string { return strings.TrimPrefix(system, "urn:oid:") }

// otherNumbers are the other types of Volven 8116.
var otherNumbers = map[string]bool{"HPR": true, "HER": true, "PNR": true, "SEF": true, "DKF": true, "SSN": true, "FPN": true, "UID": true, "XXX": true}

func isNumber(kind string) Predicate {
	return func(_, n *message.Node) bool { return numberOf(n) == kind }
}

func idType(n *message.Node) string { return strings.ToUpper(value(n, "5")) }

// numberOf is which national number an identifier (CX) is; empty for none.
func numberOf(n *message.Node) string {
	number, typ := withoutBlanks(value(n, "1")), idType(n)
	authority := strings.TrimPrefix(value(n, "4", "2"), "urn:oid:")
	called := authorities[authority]
	byDigits := fhir.PersonNumber(number)
	switch {
	case number == "":
		return ""
	case called == numberDUF, called == "" && typ == "DUF", called == "" && typ == "DUFN":
		return numberDUF
	case called != "", national[typ]:
		return cmp.Or(byDigits, either(typ == fhir.NumberHNR, fhir.NumberHNR, numberFlawed))
	case !unsaid[typ] || authority != "":
		return "" // of somebody else's, whatever its digits
	case byDigits == "" && typ != "" && len(number) == len("DDMMYYIIIKK"):
		return numberFlawed
	}
	return byDigits
}

// itemTypes are the types of clinical items that have predicates of their own.
var itemTypes = map[string]bool{"CAVE": true, "H": true, "B": true, "ART": true, "MPRS": true, "OPIN": true, "PRS": true, "MEDB": true}

// isItem is a clinical item in words or by a code, of some types.
func isItem(types ...string) Predicate {
	return func(_, n *message.Node) bool {
		return n.Child("Observation") != nil && slices.Contains(types, n.Text("Type", "@V"))
	}
}

func isOfficial(kind string) Predicate {
	return func(_, n *message.Node) bool {
		return n.Text("OffId") != "" && typedNumber(n.Text("OffId"), n.Text("TypeOffId", "@V")) == kind
	}
}

func isAdditional(kind string) Predicate {
	return func(_, n *message.Node) bool { return typedNumber(n.Text("Id"), n.Text("Type", "@V")) == kind }
}

func isIdent(kind string) Predicate {
	return func(_, n *message.Node) bool { return typedNumber(n.Text("Id"), n.Text("TypeId", "@V")) == kind }
}

// typedNumber is numberOf for a number with a type of Volven 8116.
func typedNumber(number, typ string) string {
	byDigits := fhir.PersonNumber(withoutBlanks(number))
	switch typ {
	case fhir.NumberFNR, fhir.NumberDNR, fhir.NumberFHN:
		return cmp.Or(byDigits, numberFlawed)
	case fhir.NumberHNR, numberDUF:
		return typ
	}
	return ""
}

// withoutBlanks is a number as it is compared: senders group its digits.
func withoutBlanks(number string) string {
	if !strings.ContainsAny(number, " \t\n\r") {
		return number
	}
	return strings.Join(strings.Fields(number), "")
}

// mainName is the repetition of a name that people are to be called by.
func mainName(parent *message.Node, field string) *message.Node {
	var chosen *message.Node
	rank := len(nameRanks)
	for _, n := range parent.Children {
		if n == nil || n.Name != field || value(n, "1", "1") == "" && value(n, "2") == "" {
			continue
		}
		own := slices.Index(nameRanks, strings.ToUpper(value(n, "7")))
		if own < 0 {
			own = len(nameRanks) - 1
		}
		if own < rank {
			chosen, rank = n, own
		}
	}
	return chosen
}

// nameRanks are the types of name (HL7 table 0200, and what is written in its place) that are
// preferred, in order; the last stands for all others. One without a type is no alias.
var nameRanks = []string{"L", "D", "", "CURRENT", "any"}

// phoneOf is the whole number of an XTN, and the parts that it was read from: XTN.1, else
// country, area and number in .5 to .8, else .12 (2.7, where XTN.1 was withdrawn).
func phoneOf(n *message.Node) (number string, parts []string) {
	whole, unformatted := value(n, "1"), value(n, "12")
	country, area, local, extension := value(n, "5"), value(n, "6"), value(n, "7"), value(n, "8")
	composed := area + local
	if country != "" && local != "" {
		composed = "+" + strings.TrimPrefix(strings.TrimLeft(country, "+"), "00") + composed
	}
	if extension != "" && local != "" {
		composed += "x" + extension
	}
	switch {
	case whole != "" && !strings.Contains(whole, "@"):
		if composed != "" && strings.HasSuffix(withoutBlanks(composed), withoutBlanks(whole)) {
			return composed, []string{"1", "5", "6", "7", "8"}
		}
		return whole, []string{"1"}
	case local != "":
		return composed, []string{"5", "6", "7", "8"}
	}
	return either(strings.Contains(unformatted, "@"), "", unformatted), []string{"12"}
}

// mailOf is the e-mail address of an XTN: XTN.4, else the first value with an @.
func mailOf(n *message.Node) string {
	for _, part := range []string{"4", "1", "12"} {
		if v := value(n, part); strings.Contains(v, "@") {
			return v
		}
	}
	return ""
}

// isNumberless: an XTN that says what kind of number it would have, and nothing else.
func isNumberless(_, n *message.Node) bool {
	if len(n.Children) == 0 {
		return n.Value == ""
	}
	return !slices.ContainsFunc(n.Children, func(c *message.Node) bool { return c != nil && c.Name != "2" && c.Name != "3" && value(c) != "" })
}

// norway are the names of the country in XAD.6, none among them.
var norway = map[string]bool{"": true, "NO": true, "NOR": true, "NORGE": true, "NORWAY": true, "578": true}

// notStated are the statuses (HL7 table 0085) of what is not, or no longer, the case.
var notStated = map[string]bool{"D": true, "W": true, "X": true, "N": true}

// isDeleted: what was sent before was wrong (table 0085).
func isDeleted(n *message.Node) bool { return n.Text("11") == "D" || n.Text("11") == "W" }

func isEmptied(n *message.Node) bool { return n.Text("3") == explicitNull && value(n, "3", "2") == "" }

func isDeletedDocument(_, n *message.Node) bool { return isDeleted(n) && n.Text("2") == "ED" }

func isAuthor(parent, n *message.Node) bool {
	person := n.Child("HealthcareProfessional")
	return parent.Child(n.Name) == n && person != nil && len(person.Children) > 0
}

func isDocument(_, n *message.Node) bool {
	if n.Text("2") != "ED" || isDeleted(n) || !strings.EqualFold(value(n, "5", "4"), "Base64") {
		return false
	}
	data, err := base64.StdEncoding.DecodeString(withoutBlanks(value(n, "5", "5")))
	return err == nil && len(data) > 0
}
