package mappings

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode"

	"stafett/fhir"
)

// verdict is what a converter makes of a value.
type verdict uint8

const (
	// converted: the value is whole on the other side.
	converted verdict = iota
	// partly: a value was made, but something of the source has no place in it.
	partly
	// absent: this line does not concern the value.
	absent
	// unconvertible: the value cannot stand on the other side; it is carried.
	unconvertible
)

// converter turns a leaf's value into the other side's and back. Its law is
// from(to(x)) == x for every x of its domain; the tests hold it.
type converter struct {
	name string
	// kind is the JSON kind of the FHIR value.
	kind fhir.NodeKind
	// subtree: the message side is the text of the whole element, markup included.
	subtree bool
	// to and from say in reason why a value is partly convertible or not at all.
	to, from func(cx *Context, v string) (out string, how verdict, reason string)
}

// direction is one of a converter's two functions.
type direction = func(cx *Context, v string) (string, verdict, string)

// convSpec makes a converter of its arguments.
type convSpec func(args []string, concepts map[string]*conceptMap) (*converter, error)

// converters is the closed set of named converters that mapping files may use.
var converters = map[string]convSpec{
	"text":       plain(same, same, fhir.KindString),
	"ts":         plain(hl7ToDateTime, dateTimeToHL7, fhir.KindString),
	"tsdate":     plain(hl7ToDate, dateToHL7, fhir.KindString),
	"tsinstant":  plain(hl7ToInstant, instantToHL7, fhir.KindString),
	"xmlts":      plain(xmlToDateTime, dateTimeToXML, fhir.KindString),
	"xmlinstant": plain(xmlToInstant, dateTimeToXML, fhir.KindString),
	"xmldate":    plain(xmlToDate, dateTimeToXMLDate, fhir.KindString),
	"oid":        plain(oidToURI, uriToOID, fhir.KindString),
	"tel":        plain(telToText, textToTel, fhir.KindString),
	"number":     plain(jsonNumber, same, fhir.KindNumber),
	"base64":     plain(toBase64, same, fhir.KindString),
	"boolean":    boolean("true", "false"),
	"concept":    concept,
	"yes":        yesNo,
	"prefix":     prefix,
	"markup":     markup,
	"svarlinje":  answerLine,
	"answertext": answerText,
	"names":      names,
}

// ConverterNames lists the named converters, sorted.
func ConverterNames() []string {
	out := make([]string, 0, len(converters))
	for name := range converters {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}

func plain(to, from direction, kind fhir.NodeKind) convSpec {
	return func(args []string, _ map[string]*conceptMap) (*converter, error) {
		if len(args) > 0 {
			return nil, fmt.Errorf("takes no arguments")
		}
		return &converter{kind: kind, to: to, from: from}, nil
	}
}

func same(_ *Context, v string) (string, verdict, string) { return v, converted, "" }

// boolean is a FHIR boolean for a wire that spells it yes and no as given.
func boolean(yes, no string) convSpec {
	return func(args []string, _ map[string]*conceptMap) (*converter, error) {
		if len(args) > 0 {
			return nil, fmt.Errorf("takes no arguments")
		}
		return yesNoConverter(yes, no, fhir.KindBool), nil
	}
}

func yesNoConverter(yes, no string, kind fhir.NodeKind) *converter {
	swap := func(yes, no, toYes, toNo string) direction {
		return func(_ *Context, v string) (string, verdict, string) {
			switch v {
			case yes:
				return toYes, converted, ""
			case no:
				return toNo, converted, ""
			}
			return "", unconvertible, "neither of the two values that are known"
		}
	}
	return &converter{kind: kind, to: swap(yes, no, "true", "false"), from: swap("true", "false", yes, no)}
}

// yesNo is boolean for two codes of the wire: yes(J, N).
func yesNo(args []string, _ map[string]*conceptMap) (*converter, error) {
	if len(args) != 2 || args[0] == "" || args[0] == args[1] {
		return nil, fmt.Errorf("takes the codes for yes and for no")
	}
	return yesNoConverter(args[0], args[1], fhir.KindBool), nil
}

// prefix makes a URI of the wire's value, after its argument.
func prefix(args []string, _ map[string]*conceptMap) (*converter, error) {
	if len(args) != 1 || args[0] == "" {
		return nil, fmt.Errorf("takes the prefix")
	}
	return &converter{
		to: func(_ *Context, v string) (string, verdict, string) {
			return args[0] + url.PathEscape(v), converted, ""
		},
		from: func(_ *Context, v string) (string, verdict, string) {
			rest, ok := strings.CutPrefix(v, args[0])
			if out, err := url.PathUnescape(rest); ok && err == nil && rest != "" {
				return out, converted, ""
			}
			return "", absent, ""
		},
		kind: fhir.KindString,
	}, nil
}

// concept translates codes through a concept map, in both directions.
func concept(args []string, concepts map[string]*conceptMap) (*converter, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("takes the name of a concept map")
	}
	m := concepts[args[0]]
	if m == nil {
		return nil, fmt.Errorf("there is no concept map %q", args[0])
	}
	look := func(table map[string]string, fallback string) direction {
		reason := "the code is not in concept map " + m.name
		return func(_ *Context, v string) (string, verdict, string) {
			if out, ok := table[v]; ok {
				return out, converted, ""
			}
			// Invariant 7: an unknown code never fails a message; it is carried.
			if fallback != "" {
				return fallback, partly, reason
			}
			return "", unconvertible, reason
		}
	}
	return &converter{kind: m.kind, to: look(m.to, m.toDefault), from: look(m.from, m.fromDefault)}, nil
}

// names gives a code's Norwegian name; the wire's own text goes through as it is. It is
// for "else" parts and derived lines.
func names(args []string, concepts map[string]*conceptMap) (*converter, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("takes the name of a table of names")
	}
	m := concepts[args[0]]
	if m == nil {
		return nil, fmt.Errorf("there is no table of names %q", args[0])
	}
	look := func(_ *Context, v string) (string, verdict, string) {
		if out, ok := m.to[v]; ok {
			return out, converted, ""
		}
		return "", absent, ""
	}
	return &converter{kind: fhir.KindString, to: look, from: look}, nil
}

// oidToURI: KITH XML writes bare OIDs, FHIR needs urn:oid:.
func oidToURI(_ *Context, v string) (string, verdict, string) {
	if !isOID(v) {
		return "", unconvertible, "not an OID"
	}
	return "urn:oid:" + v, converted, ""
}

func uriToOID(_ *Context, v string) (string, verdict, string) {
	if oid, ok := strings.CutPrefix(v, "urn:oid:"); ok && isOID(oid) {
		return oid, converted, ""
	}
	return "", unconvertible, "not an OID"
}

func isOID(s string) bool {
	if s == "" || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	return strings.Trim(s, "0123456789.") == ""
}

// telToText: kith:URL writes tel:22334455, FHIR the number alone.
func telToText(_ *Context, v string) (string, verdict, string) {
	if rest, ok := strings.CutPrefix(v, "tel:"); ok && rest != "" {
		return rest, converted, ""
	}
	if len(v) > 4 && strings.EqualFold(v[:4], "tel:") {
		return v[4:], converted, ""
	}
	return v, converted, ""
}

func textToTel(_ *Context, v string) (string, verdict, string) {
	if i := strings.IndexByte(v, ':'); i > 0 {
		return v, converted, ""
	}
	return "tel:" + strings.ReplaceAll(v, " ", ""), converted, ""
}

var numberPattern = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// jsonNumber takes what is a JSON number as it stands; leading plus signs and zeros that
// HL7 NM allows are not, and are carried.
func jsonNumber(_ *Context, v string) (string, verdict, string) {
	if len(v) <= 40 && numberPattern.MatchString(v) {
		return v, converted, ""
	}
	return "", unconvertible, "not a number as FHIR writes it"
}

// toBase64 takes base64 in lines; what is not base64 is carried.
func toBase64(_ *Context, v string) (string, verdict, string) {
	out := strings.Join(strings.Fields(v), "")
	if _, err := base64.StdEncoding.DecodeString(out); err != nil {
		return "", unconvertible, "not base64"
	}
	return out, converted, ""
}

// toCode takes what R4 2.24.0.1 allows as a code: no white space but single inner spaces.
func toCode(_ *Context, v string) (string, verdict, string) {
	if strings.Join(strings.Fields(v), " ") != v {
		return "", unconvertible, "not a code as FHIR writes it"
	}
	return v, converted, ""
}

// toURI takes what R4 2.24.0.1 allows as a uri.
func toURI(_ *Context, v string) (string, verdict, string) {
	if strings.ContainsFunc(v, unicode.IsSpace) {
		return "", unconvertible, "not a URI"
	}
	return v, converted, ""
}

// markup takes an element's text, whatever its inner markup.
func markup(args []string, _ map[string]*conceptMap) (*converter, error) {
	if len(args) > 0 {
		return nil, fmt.Errorf("takes no arguments")
	}
	return &converter{kind: fhir.KindString, subtree: true, to: same, from: same}, nil
}

// The structured answer line of overlay svarlinje-1.
var answerPattern = regexp.MustCompile(`^SVAR=(KAN_MOTTA|KAN_IKKE_MOTTA);DATO=([0-9]{4}-[0-9]{2}-[0-9]{2}|UKJENT)$`)

// ParseAnswerLine reads the first line of text in the structured convention
// "SVAR=KAN_MOTTA;DATO=2026-11-25" or "SVAR=KAN_IKKE_MOTTA;DATO=UKJENT". day is empty
// when unknown; ok is false for anything else, also a yes without a day.
func ParseAnswerLine(text string) (answer, day string, ok bool) {
	line, _, _ := strings.Cut(text, "\n")
	m := answerPattern.FindStringSubmatch(strings.TrimSuffix(line, "\r"))
	if m == nil {
		return "", "", false
	}
	if m[2] == "UKJENT" {
		return m[1], "", m[1] != "KAN_MOTTA"
	}
	if _, err := time.Parse(time.DateOnly, m[2]); err != nil {
		return "", "", false
	}
	return m[1], m[2], true
}

// answerLine reads one part of the structured answer line: svarlinje(answer) or
// svarlinje(day). It has no way back: the text itself is mapped as text.
func answerLine(args []string, _ map[string]*conceptMap) (*converter, error) {
	if len(args) != 1 || args[0] != "answer" && args[0] != "day" {
		return nil, fmt.Errorf("takes answer or day")
	}
	to := func(_ *Context, v string) (string, verdict, string) {
		answer, day, ok := ParseAnswerLine(v)
		if args[0] == "day" {
			answer = day
		}
		if !ok || answer == "" {
			return "", absent, ""
		}
		return answer, converted, ""
	}
	none := func(_ *Context, v string) (string, verdict, string) { return "", absent, "" }
	return &converter{kind: fhir.KindString, subtree: true, to: to, from: none}, nil
}

// answerText is for outgoing answers: it makes the structured line of a day.
func answerText(args []string, _ map[string]*conceptMap) (*converter, error) {
	if len(args) != 1 || args[0] != "KAN_MOTTA" && args[0] != "KAN_IKKE_MOTTA" {
		return nil, fmt.Errorf("takes KAN_MOTTA or KAN_IKKE_MOTTA")
	}
	to := func(_ *Context, v string) (string, verdict, string) {
		answer, day, ok := ParseAnswerLine(v)
		if !ok || answer != args[0] || day == "" {
			return "", absent, ""
		}
		return day, converted, ""
	}
	from := func(_ *Context, v string) (string, verdict, string) {
		line := "SVAR=" + args[0] + ";DATO=" + v
		if _, _, ok := ParseAnswerLine(line); !ok {
			return "", unconvertible, "not a day"
		}
		return line, converted, ""
	}
	return &converter{kind: fhir.KindString, to: to, from: from}, nil
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
