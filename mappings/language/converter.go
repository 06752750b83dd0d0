package language

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"stafett/conformance"
	"stafett/fhir"
)

// Verdict is what a converter makes of a value.
type Verdict uint8

const (
	// Converted: the value is whole on the other side.
	Converted Verdict = iota
	// Partly: a value was made, but something of the source has no place in it.
	Partly
	// Absent: this line does not concern the value.
	Absent
	// Unconvertible: the value cannot stand on the other side; it is carried.
	Unconvertible
)

// Converter turns a leaf's value into the other side's and back. Its law is
// from(to(x)) == x for every x of its domain; the tests hold it.
type Converter struct {
	Name string
	// Kind is the JSON kind of the FHIR value.
	Kind fhir.NodeKind
	// concept is the table whose codes the values of both sides are; nil for other converters.
	concept *conceptMap
	// Subtree: the message side is the text of the whole element, markup included.
	Subtree bool
	// To and From say in reason why a value is partly convertible or not at all. zone is
	// the party's, for times that name none.
	To, From func(zone *time.Location, v string) (out string, how Verdict, reason string)
}

// direction is one of a converter's two functions.
type direction = func(zone *time.Location, v string) (string, Verdict, string)

// convSpec makes a converter of its arguments.
type convSpec func(args []string, concepts map[string]*conceptMap) (*Converter, error)

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

// converterNames lists the named converters, sorted.
func converterNames() []string { return keys(converters) }

// textTypes are the FHIR types that hold text as it is.
var textTypes = []string{"string", "markdown", "code", "uri", "url", "canonical", "id", "oid", "uuid"}

// makes are the FHIR types of what a converter makes; one whose kind is a boolean makes that.
var makes = map[string][]string{
	"text": textTypes, "code": textTypes, "uri": textTypes, "concept": textTypes, "names": textTypes,
	"markup": textTypes, "prefix": textTypes, "tel": textTypes, "oid": {"uri", "oid"},
	"ts": {"dateTime"}, "xmlts": {"dateTime"}, "tsdate": {"date", "dateTime"}, "xmldate": {"date", "dateTime"},
	"tsinstant": {"instant", "dateTime"}, "xmlinstant": {"instant", "dateTime"},
	"number": {"decimal", "integer", "positiveInt", "unsignedInt"}, "base64": {"base64Binary"},
	"svarlinje": {"string", "date"}, "answertext": {"date"},
	"yes": {"boolean"}, "boolean": {"boolean"},
}

// makes lists the FHIR types that can hold what the converter makes.
func (conv *Converter) makes() []string {
	return either(conv.Kind == fhir.KindBool, makes["boolean"], makes[conv.Name])
}

// fitting lists the converters that make a FHIR type.
func fitting(typ string) []string {
	var out []string
	for _, name := range converterNames() {
		if slices.Contains(makes[name], typ) {
			out = append(out, name)
		}
	}
	return out
}

// plainConverter is what a line without a converter uses, by the FHIR type of its place.
func plainConverter(typ conformance.Type) *Converter {
	if conv := plainConverters[typ.Name()]; conv != nil {
		return conv
	}
	return textConverter
}

var (
	textConverter   = &Converter{Name: "text", Kind: fhir.KindString, To: same, From: same}
	codeConverter   = &Converter{Name: "code", Kind: fhir.KindString, To: toCode, From: same}
	uriConverter    = &Converter{Name: "uri", Kind: fhir.KindString, To: toURI, From: same}
	plainConverters = map[string]*Converter{"code": codeConverter, "uri": uriConverter, "url": uriConverter, "canonical": uriConverter}
)

func plain(to, from direction, kind fhir.NodeKind) convSpec {
	return func(args []string, _ map[string]*conceptMap) (*Converter, error) {
		if len(args) > 0 {
			return nil, fmt.Errorf("takes no arguments")
		}
		return &Converter{Kind: kind, To: to, From: from}, nil
	}
}

func same(_ *time.Location, v string) (string, Verdict, string) { return v, Converted, "" }

// boolean is a FHIR boolean for a wire that spells it yes and no as given.
func boolean(yes, no string) convSpec {
	return func(args []string, _ map[string]*conceptMap) (*Converter, error) {
		if len(args) > 0 {
			return nil, fmt.Errorf("takes no arguments")
		}
		return yesNoConverter(yes, no, fhir.KindBool), nil
	}
}

func yesNoConverter(yes, no string, kind fhir.NodeKind) *Converter {
	swap := func(yes, no, toYes, toNo string) direction {
		return func(_ *time.Location, v string) (string, Verdict, string) {
			switch v {
			case yes:
				return toYes, Converted, ""
			case no:
				return toNo, Converted, ""
			}
			return "", Unconvertible, "neither of the two values that are known"
		}
	}
	return &Converter{Kind: kind, To: swap(yes, no, "true", "false"), From: swap("true", "false", yes, no)}
}

// yesNo is boolean for two codes of the wire: yes(J, N).
func yesNo(args []string, _ map[string]*conceptMap) (*Converter, error) {
	if len(args) != 2 || args[0] == "" || args[0] == args[1] {
		return nil, fmt.Errorf("takes the codes for yes and for no")
	}
	return yesNoConverter(args[0], args[1], fhir.KindBool), nil
}

// prefix makes a URI of the wire's value, after its argument.
func prefix(args []string, _ map[string]*conceptMap) (*Converter, error) {
	if len(args) != 1 || args[0] == "" {
		return nil, fmt.Errorf("takes the prefix")
	}
	return &Converter{
		To: func(_ *time.Location, v string) (string, Verdict, string) {
			return args[0] + url.PathEscape(v), Converted, ""
		},
		From: func(_ *time.Location, v string) (string, Verdict, string) {
			rest, ok := strings.CutPrefix(v, args[0])
			if out, err := url.PathUnescape(rest); ok && err == nil && rest != "" {
				return out, Converted, ""
			}
			return "", Absent, ""
		},
		Kind: fhir.KindString,
	}, nil
}

// concept translates codes through a concept map, in both directions.
func concept(args []string, concepts map[string]*conceptMap) (*Converter, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("takes the name of a concept map")
	}
	m := concepts[args[0]]
	if m == nil {
		return nil, fmt.Errorf("there is no concept map %q%s", args[0], hint(args[0], keys(concepts)))
	}
	if m.names {
		return nil, fmt.Errorf("%s is a table of names: names(%s)", m.name, m.name)
	}
	look := func(table map[string]string, fallback string) direction {
		reason := "the code is not in concept map " + m.name
		return func(_ *time.Location, v string) (string, Verdict, string) {
			if out, ok := table[v]; ok {
				return out, Converted, ""
			}
			// Invariant 7: an unknown code never fails a message; it is carried.
			if fallback != "" {
				return fallback, Partly, reason
			}
			return "", Unconvertible, reason
		}
	}
	return &Converter{Kind: m.kind, concept: m, To: look(m.to, m.toDefault), From: look(m.from, m.fromDefault)}, nil
}

// names gives a code's Norwegian name; the wire's own text goes through as it is. It is
// for "else" parts and derived lines.
func names(args []string, concepts map[string]*conceptMap) (*Converter, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("takes the name of a table of names")
	}
	m := concepts[args[0]]
	if m == nil {
		return nil, fmt.Errorf("there is no table of names %q%s", args[0], hint(args[0], keys(concepts)))
	}
	if !m.names {
		return nil, fmt.Errorf("%s is a concept map: concept(%s)", m.name, m.name)
	}
	look := func(_ *time.Location, v string) (string, Verdict, string) {
		if out, ok := m.to[v]; ok {
			return out, Converted, ""
		}
		return "", Absent, ""
	}
	return &Converter{Kind: fhir.KindString, To: look, From: look}, nil
}

// oidToURI: KITH XML writes bare OIDs, FHIR needs urn:oid:.
func oidToURI(_ *time.Location, v string) (string, Verdict, string) {
	if !isOID(v) {
		return "", Unconvertible, "not an OID"
	}
	return "urn:oid:" + v, Converted, ""
}

func uriToOID(_ *time.Location, v string) (string, Verdict, string) {
	if oid, ok := strings.CutPrefix(v, "urn:oid:"); ok && isOID(oid) {
		return oid, Converted, ""
	}
	return "", Unconvertible, "not an OID"
}

func isOID(s string) bool {
	if s == "" || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	return strings.Trim(s, "0123456789.") == ""
}

// telToText: kith:URL writes tel:22334455, FHIR the number alone.
func telToText(_ *time.Location, v string) (string, Verdict, string) {
	if rest, ok := strings.CutPrefix(v, "tel:"); ok && rest != "" {
		return rest, Converted, ""
	}
	if len(v) > 4 && strings.EqualFold(v[:4], "tel:") {
		return v[4:], Converted, ""
	}
	return v, Converted, ""
}

func textToTel(_ *time.Location, v string) (string, Verdict, string) {
	if i := strings.IndexByte(v, ':'); i > 0 {
		return v, Converted, ""
	}
	return "tel:" + strings.ReplaceAll(v, " ", ""), Converted, ""
}

var numberPattern = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// jsonNumber takes what is a JSON number as it stands; leading plus signs and zeros that
// HL7 NM allows are not, and are carried.
func jsonNumber(_ *time.Location, v string) (string, Verdict, string) {
	if len(v) <= 40 && numberPattern.MatchString(v) {
		return v, Converted, ""
	}
	return "", Unconvertible, "not a number as FHIR writes it"
}

// toBase64 takes base64 in lines; what is not base64 is carried.
func toBase64(_ *time.Location, v string) (string, Verdict, string) {
	out := strings.Join(strings.Fields(v), "")
	if _, err := base64.StdEncoding.DecodeString(out); err != nil {
		return "", Unconvertible, "not base64"
	}
	return out, Converted, ""
}

// toCode takes what R4 2.24.0.1 allows as a code: no white space but single inner spaces.
func toCode(_ *time.Location, v string) (string, Verdict, string) {
	if strings.Join(strings.Fields(v), " ") != v {
		return "", Unconvertible, "not a code as FHIR writes it"
	}
	return v, Converted, ""
}

// toURI takes what R4 2.24.0.1 allows as a uri.
func toURI(_ *time.Location, v string) (string, Verdict, string) {
	if strings.ContainsFunc(v, unicode.IsSpace) {
		return "", Unconvertible, "not a URI"
	}
	return v, Converted, ""
}

// markup takes an element's text, whatever its inner markup.
func markup(args []string, _ map[string]*conceptMap) (*Converter, error) {
	if len(args) > 0 {
		return nil, fmt.Errorf("takes no arguments")
	}
	return &Converter{Kind: fhir.KindString, Subtree: true, To: same, From: same}, nil
}

// The structured answer line of overlay svarlinje-1.
var answerPattern = regexp.MustCompile(`^SVAR=(KAN_MOTTA|KAN_IKKE_MOTTA);DATO=([0-9]{4}-[0-9]{2}-[0-9]{2}|UKJENT)$`)

// parseAnswerLine reads the first line of text in the structured convention
// "SVAR=KAN_MOTTA;DATO=2026-11-25" or "SVAR=KAN_IKKE_MOTTA;DATO=UKJENT". day is empty
// when unknown; ok is false for anything else, also a yes without a day.
func parseAnswerLine(text string) (answer, day string, ok bool) {
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
func answerLine(args []string, _ map[string]*conceptMap) (*Converter, error) {
	if len(args) != 1 || args[0] != "answer" && args[0] != "day" {
		return nil, fmt.Errorf("takes answer or day")
	}
	to := func(_ *time.Location, v string) (string, Verdict, string) {
		answer, day, ok := parseAnswerLine(v)
		if args[0] == "day" {
			answer = day
		}
		if !ok || answer == "" {
			return "", Absent, ""
		}
		return answer, Converted, ""
	}
	none := func(_ *time.Location, v string) (string, Verdict, string) { return "", Absent, "" }
	return &Converter{Kind: fhir.KindString, Subtree: true, To: to, From: none}, nil
}

// answerText is for outgoing answers: it makes the structured line of a day.
func answerText(args []string, _ map[string]*conceptMap) (*Converter, error) {
	if len(args) != 1 || args[0] != "KAN_MOTTA" && args[0] != "KAN_IKKE_MOTTA" {
		return nil, fmt.Errorf("takes KAN_MOTTA or KAN_IKKE_MOTTA")
	}
	to := func(_ *time.Location, v string) (string, Verdict, string) {
		answer, day, ok := parseAnswerLine(v)
		if !ok || answer != args[0] || day == "" {
			return "", Absent, ""
		}
		return day, Converted, ""
	}
	from := func(_ *time.Location, v string) (string, Verdict, string) {
		line := "SVAR=" + args[0] + ";DATO=" + v
		if _, _, ok := parseAnswerLine(line); !ok {
			return "", Unconvertible, "not a day"
		}
		return line, Converted, ""
	}
	return &Converter{Kind: fhir.KindString, To: to, From: from}, nil
}
