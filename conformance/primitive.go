package conformance

import (
	"strings"

	"stafett/fhir"
)

// stringMax is the longest string in bytes (R4 2.24.0.1: 1 MB).
const stringMax = 1 << 20

// primitives check the JSON kind and the syntax of each primitive type (R4 2.24.0.1; the
// regular expressions of the type pages, and real days of a month).
var primitives = map[string]func(n *fhir.Node) (code, text string){
	"boolean":      ofKind(fhir.KindBool, nil, ""),
	"integer":      ofKind(fhir.KindNumber, func(s string) bool { return within(s, "2147483648", "2147483647") }, "not an integer of 32 bits"),
	"unsignedInt":  ofKind(fhir.KindNumber, func(s string) bool { return within(s, "", "2147483647") }, "not an integer of 0 or more"),
	"positiveInt":  ofKind(fhir.KindNumber, func(s string) bool { return s != "0" && within(s, "", "2147483647") }, "not an integer of 1 or more"),
	"decimal":      ofKind(fhir.KindNumber, func(s string) bool { return len(s) <= 64 }, "a decimal of more than 64 characters"),
	"string":       ofKind(fhir.KindString, text, "empty, too long or with control characters"),
	"markdown":     ofKind(fhir.KindString, text, "empty, too long or with control characters"),
	"xhtml":        ofKind(fhir.KindString, isDiv, "not a well-formed XHTML div of plain formatting (txt-1)"),
	"code":         ofKind(fhir.KindString, isCode, "not a code: empty, or with spaces at an end or two together"),
	"id":           ofKind(fhir.KindString, fhir.ValidID, "not an id: 1 to 64 of letters, digits, '-' and '.'"),
	"uri":          ofKind(fhir.KindString, isURI, "not a URI: empty or with white space"),
	"url":          ofKind(fhir.KindString, isURI, "not a URL: empty or with white space"),
	"canonical":    ofKind(fhir.KindString, isURI, "not a canonical URL: empty or with white space"),
	"oid":          ofKind(fhir.KindString, isOID, "not an OID of the form urn:oid:1.2.3"),
	"uuid":         ofKind(fhir.KindString, isUUID, "not a UUID of the form urn:uuid: and lower-case digits"),
	"date":         ofKind(fhir.KindString, isDate, "not a date: YYYY, YYYY-MM or YYYY-MM-DD"),
	"dateTime":     ofKind(fhir.KindString, isDateTime, "not a dateTime: a date, or with time to the second and zone"),
	"instant":      ofKind(fhir.KindString, isInstant, "not an instant: date and time to the second with zone"),
	"time":         ofKind(fhir.KindString, isTime, "not a time: hh:mm:ss"),
	"base64Binary": ofKind(fhir.KindString, isBase64, "not base64"),
}

func ofKind(kind fhir.NodeKind, valid func(string) bool, wrong string) func(*fhir.Node) (string, string) {
	shape := article(kind) + " is expected"
	return func(n *fhir.Node) (string, string) {
		if n.Kind != kind {
			return CodeStructure, shape + ", not " + article(n.Kind)
		}
		if valid != nil && !valid(n.Text) {
			return CodeValue, wrong
		}
		return "", ""
	}
}

func text(s string) bool {
	if s == "" || len(s) > stringMax {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c < 0x20 && c != '\t' && c != '\n' && c != '\r' {
			return false
		}
	}
	return true
}

// within compares integers as text, which no length can overflow. lowest is the absolute
// value of the least one, "" for zero.
func within(s, lowest, highest string) bool {
	limit := highest
	if strings.HasPrefix(s, "-") {
		s, limit = s[1:], lowest
	}
	if limit == "" || strings.ContainsAny(s, ".eE") {
		return false
	}
	return len(s) < len(limit) || len(s) == len(limit) && s <= limit
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func isCode(s string) bool {
	space := true // a space is not allowed at the start
	for i := range len(s) {
		if isSpace(s[i]) {
			if space {
				return false
			}
			space = true
		} else if space = false; s[i] < 0x20 {
			return false
		}
	}
	return s != "" && !space
}

func isURI(s string) bool {
	for i := range len(s) {
		if s[i] <= 0x20 {
			return false
		}
	}
	return s != "" && len(s) <= stringMax
}

func isOID(s string) bool {
	arcs, ok := strings.CutPrefix(s, "urn:oid:")
	if !ok || len(arcs) < 3 || arcs[0] < '0' || arcs[0] > '2' || arcs[1] != '.' {
		return false
	}
	for arc := range strings.SplitSeq(arcs[2:], ".") {
		if !digits(arc) || arc[0] == '0' && len(arc) > 1 {
			return false
		}
	}
	return true
}

func isUUID(s string) bool {
	hex, ok := strings.CutPrefix(s, "urn:uuid:")
	if !ok || len(hex) != 36 {
		return false
	}
	for i := range len(hex) {
		c := hex[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func number(s string) int {
	n := 0
	for i := range len(s) {
		n = 10*n + int(s[i]-'0')
	}
	return n
}

// isDate takes a year, a month or a day that exists.
func isDate(s string) bool {
	if len(s) != 4 && len(s) != 7 && len(s) != 10 || !digits(s[:4]) || s[:4] == "0000" {
		return false
	}
	if len(s) == 4 {
		return true
	}
	if s[4] != '-' || !digits(s[5:7]) {
		return false
	}
	month := number(s[5:7])
	if month < 1 || month > 12 || len(s) == 7 {
		return month >= 1 && month <= 12
	}
	if s[7] != '-' || !digits(s[8:]) {
		return false
	}
	day := number(s[8:])
	return day >= 1 && day <= daysIn(number(s[:4]), month)
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

func isDateTime(s string) bool {
	return len(s) <= 10 && isDate(s) || isInstant(s)
}

func isInstant(s string) bool {
	return len(s) > 19 && s[10] == 'T' && isDate(s[:10]) && isZoned(s[11:])
}

func isZoned(s string) bool {
	if clock, ok := strings.CutSuffix(s, "Z"); ok {
		return isTime(clock)
	}
	i := len(s) - 6
	if i < 8 || s[i] != '+' && s[i] != '-' || s[i+3] != ':' || !digits(s[i+1:i+3]) || !digits(s[i+4:]) {
		return false
	}
	hours, minutes := number(s[i+1:i+3]), number(s[i+4:])
	return (hours < 14 && minutes < 60 || hours == 14 && minutes == 0) && isTime(s[:i])
}

// isTime allows a leap second, as the type's regular expression does.
func isTime(s string) bool {
	if len(s) < 8 || s[2] != ':' || s[5] != ':' || !digits(s[:2]) || !digits(s[3:5]) || !digits(s[6:8]) {
		return false
	}
	if number(s[:2]) > 23 || number(s[3:5]) > 59 || number(s[6:8]) > 60 {
		return false
	}
	return len(s) == 8 || s[8] == '.' && digits(s[9:])
}

func isBase64(s string) bool {
	count, padding := 0, 0
	for i := range len(s) {
		c := s[i]
		switch {
		case isSpace(c):
			continue
		case c == '=':
			padding++
		case padding > 0:
			return false
		case c == '+' || c == '/' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z':
		default:
			return false
		}
		count++
	}
	return count > 0 && count%4 == 0 && padding <= 2
}
