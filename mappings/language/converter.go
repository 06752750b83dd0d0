package language

import (
	"cmp"
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
	"stafett/mappings/account"
	"stafett/message"
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
	// Whole, where it is set, reads a value of several parts in place of To, and says of
	// which: none where n itself is it.
	Whole func(n *message.Node) (out string, parts []string)
	// Read, where it is set, reads all of an element in place of To, markup included, and
	// Build makes the element's content in place of From.
	Read  func(n *message.Node) (out string, how Verdict, reason string)
	Build func(v string) (value string, children []*message.Node, ok bool)
	// Compose, where it is set, makes a FHIR element of several values in place of To, and
	// Decompose spells one in place of From, with the values that the text says.
	Compose   func(v string) *fhir.Node
	Decompose func(n *fhir.Node) (text string, told []*fhir.Node)
	// To and From say in reason why a value is partly convertible or not at all. zone is
	// the party's, for times that name none.
	To, From func(zone *time.Location, v string) (out string, how Verdict, reason string)
}

// direction is one of a converter's two functions.
type direction = func(zone *time.Location, v string) (string, Verdict, string)

// convSpec is a converter as a mapping file names it.
type convSpec struct {
	takes string // its arguments, in words
	fits  func(args []string) bool
	make  func(args []string, concepts map[string]*conceptMap) (*Converter, error)
}

// of makes the converter of its arguments.
func (s convSpec) of(args []string, concepts map[string]*conceptMap) (*Converter, error) {
	if !s.fits(args) {
		return nil, fmt.Errorf("takes %s", s.takes)
	}
	return s.make(args, concepts)
}

// converters is the closed set of named converters that mapping files may use.
var converters = map[string]convSpec{
	"text":       plain(same, same, fhir.KindString),
	"ts":         plain(hl7ToDateTime, dateTimeToHL7, fhir.KindString),
	"tsdate":     plain(hl7ToDate, dateToHL7, fhir.KindString),
	"tsinstant":  plain(hl7ToInstant, dateTimeToHL7, fhir.KindString),
	"xmlts":      plain(xmlToDateTime, dateTimeToXML, fhir.KindString),
	"xmlinstant": plain(xmlToInstant, dateTimeToXML, fhir.KindString),
	"xmlmoment":  plain(xmlToDateTime, dateTimeToXMLMoment, fhir.KindString),
	"xmldate":    plain(xmlToDate, dateTimeToXMLDate, fhir.KindString),
	"oid":        plain(oidToURI, uriToOID, fhir.KindString),
	"tel":        plain(telToText, textToTel, fhir.KindString),
	"number":     plain(jsonNumber, same, fhir.KindNumber),
	"base64":     plain(toBase64, same, fhir.KindString),
	"boolean":    plain(twoValues("true", "false", "true", "false"), twoValues("true", "false", "true", "false"), fhir.KindBool),
	"markup":     {"no arguments", noArgs, alone(markup)},
	"xhtml":      {"no arguments", noArgs, alone(xhtml)},
	"div":        {"no arguments", noArgs, alone(div)},
	"divtext":    {"no arguments", noArgs, alone(divText)},
	"personname": {"no arguments", noArgs, alone(personName)},
	"concept":    {"the name of a concept map", oneArg, concept},
	"names":      {"the name of a table of names", oneArg, names},
	"yes":        {"the codes for yes and for no", twoCodes, alone(yesNo)},
	"prefix":     {"the prefix", oneArg, alone(prefix)},
	"mailto":     plain(mailToText, textToMail, fhir.KindString),
	"phone":      {"no arguments", noArgs, alone(whole(phoneOf))},
	"email":      {"no arguments", noArgs, alone(whole(func(n *message.Node) (string, []string) { return mailOf(n), mailParts }))},
	"digits":     plain(toDigits, same, fhir.KindString),
	"flawed":     plain(flawed, same, fhir.KindString),
	"kommune":    plain(toKommunenummer, same, fhir.KindString),
	"protects":   {"the codes for yes and for no", twoCodes, alone(protects)},
	"restricts":  plain(restricts, restricts, fhir.KindBool),
	"stated":     {"the codes for yes and for no", twoCodes, alone(stated)},
	"unreadable": {"the place of the time", oneArg, alone(unreadable)},
	"emptied":    {"the code for what is deleted", oneArg, alone(emptied)},
	"svarlinje":  {"answer or day", oneArgOf("answer", "day"), alone(answerLine)},
	"answertext": {"KAN_MOTTA or KAN_IKKE_MOTTA", oneArgOf("KAN_MOTTA", "KAN_IKKE_MOTTA"), alone(answerText)},
}

// converterNames lists the named converters, sorted.
func converterNames() []string { return keys(converters) }

// textTypes are the FHIR types that hold text as it is.
var textTypes = []string{"string", "markdown", "code", "uri", "url", "canonical", "id", "oid", "uuid"}

// makes are the FHIR types of what a converter makes; one whose kind is a boolean makes that.
var makes = map[string][]string{
	"text": textTypes, "code": textTypes, "uri": textTypes, "concept": textTypes, "names": textTypes,
	"markup": textTypes, "prefix": textTypes, "tel": textTypes, "mailto": textTypes, "phone": textTypes, "email": textTypes,
	"digits": textTypes, "flawed": textTypes, "kommune": textTypes, "stated": textTypes, "unreadable": textTypes, "emptied": textTypes, "oid": {"uri", "oid"},
	"protects": {"boolean"}, "restricts": {"boolean"},
	"ts": {"dateTime"}, "xmlts": {"dateTime"}, "xmlmoment": {"dateTime"}, "tsdate": {"date", "dateTime"}, "xmldate": {"date", "dateTime"},
	"tsinstant": {"instant", "dateTime"}, "xmlinstant": {"instant", "dateTime"},
	"number": {"decimal", "integer", "positiveInt", "unsignedInt"}, "base64": {"base64Binary"},
	"svarlinje": {"string", "date"}, "answertext": {"date"},
	"yes": {"boolean"}, "boolean": {"boolean"},
	"xhtml": {"string", "markdown"}, "div": {"xhtml"}, "divtext": {"xhtml"}, "personname": {"HumanName"},
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

func noArgs(args []string) bool { return len(args) == 0 }

func oneArg(args []string) bool { return len(args) == 1 && args[0] != "" }

func twoCodes(args []string) bool { return len(args) == 2 && args[0] != "" && args[0] != args[1] }

func oneArgOf(known ...string) func(args []string) bool {
	return func(args []string) bool { return len(args) == 1 && slices.Contains(known, args[0]) }
}

// plain is a converter without arguments.
func plain(to, from direction, kind fhir.NodeKind) convSpec {
	return convSpec{"no arguments", noArgs, alone(func([]string) Converter { return Converter{Kind: kind, To: to, From: from} })}
}

// alone makes a converter that needs no tables.
func alone(of func(args []string) Converter) func([]string, map[string]*conceptMap) (*Converter, error) {
	return func(args []string, _ map[string]*conceptMap) (*Converter, error) {
		conv := of(args)
		return &conv, nil
	}
}

func same(_ *time.Location, v string) (string, Verdict, string) { return v, Converted, "" }

// when is a value that is whole on the other side, or the verdict on one that is not.
func when(ok bool, out string, otherwise Verdict, reason string) (string, Verdict, string) {
	if ok {
		return out, Converted, ""
	}
	return "", otherwise, reason
}

// twoValues translates two values.
func twoValues(yes, no, toYes, toNo string) direction {
	table := map[string]string{no: toNo, yes: toYes}
	return func(_ *time.Location, v string) (string, Verdict, string) {
		out, known := table[v]
		return when(known, out, Unconvertible, "neither of the two values that are known")
	}
}

// yesNo is boolean for two codes of the wire: yes(J, N).
func yesNo(args []string) Converter {
	return Converter{Kind: fhir.KindBool, To: twoValues(args[0], args[1], "true", "false"), From: twoValues("true", "false", args[0], args[1])}
}

// prefix makes a URI of the wire's value, after its argument.
func prefix(args []string) Converter {
	return Converter{
		To: func(_ *time.Location, v string) (string, Verdict, string) {
			return args[0] + url.PathEscape(v), Converted, ""
		},
		From: func(_ *time.Location, v string) (string, Verdict, string) {
			rest, ok := strings.CutPrefix(v, args[0])
			out, err := url.PathUnescape(rest)
			return when(ok && err == nil && rest != "", out, Absent, "")
		},
		Kind: fhir.KindString,
	}
}

// table finds the concept map, or the table of names, that an argument names.
func table(name string, concepts map[string]*conceptMap, ofNames bool) (*conceptMap, error) {
	m := concepts[name]
	if m == nil {
		return nil, fmt.Errorf("there is no %s %q%s", tableKinds[ofNames], name, hint(name, keys(concepts)))
	}
	if m.names != ofNames {
		return nil, fmt.Errorf("%s is a %s: %s(%s)", m.name, tableKinds[m.names], either(m.names, "names", "concept"), m.name)
	}
	return m, nil
}

var tableKinds = map[bool]string{false: "concept map", true: "table of names"}

// concept translates codes through a concept map, in both directions.
func concept(args []string, concepts map[string]*conceptMap) (*Converter, error) {
	m, err := table(args[0], concepts, false)
	if err != nil {
		return nil, err
	}
	look := func(table map[string]string, fallback string) direction {
		// Invariant 7: an unknown code never fails a message; it is carried.
		unknown, reason := either(fallback != "", Partly, Unconvertible), "the code is not in concept map "+m.name
		return func(_ *time.Location, v string) (string, Verdict, string) {
			if out, ok := table[v]; ok {
				return out, Converted, ""
			}
			return fallback, unknown, reason
		}
	}
	return &Converter{Kind: m.kind, concept: m, To: look(m.to, m.toDefault), From: look(m.from, m.fromDefault)}, nil
}

// names gives a code's Norwegian name; the wire's own text goes through as it is. It is
// for "else" parts and derived lines.
func names(args []string, concepts map[string]*conceptMap) (*Converter, error) {
	m, err := table(args[0], concepts, true)
	if err != nil {
		return nil, err
	}
	look := func(_ *time.Location, v string) (string, Verdict, string) {
		out, ok := m.to[v]
		return when(ok, out, Absent, "")
	}
	return &Converter{Kind: fhir.KindString, To: look, From: look}, nil
}

// oidToURI: KITH XML writes bare OIDs, FHIR needs urn:oid:.
func oidToURI(_ *time.Location, v string) (string, Verdict, string) {
	return when(oidPattern.MatchString(v), "urn:oid:"+v, Unconvertible, "not an OID")
}

func uriToOID(_ *time.Location, v string) (string, Verdict, string) {
	oid, ok := strings.CutPrefix(v, "urn:oid:")
	return when(ok && oidPattern.MatchString(oid), oid, Unconvertible, "not an OID")
}

var oidPattern = regexp.MustCompile(`^[0-9]+(\.[0-9]+)*$`)

// telToText: kith:URL writes tel:22334455, FHIR the number alone.
func telToText(_ *time.Location, v string) (string, Verdict, string) {
	number := telPattern.ReplaceAllString(v, "")
	return cmp.Or(number, v), Converted, ""
}

var telPattern = regexp.MustCompile(`^(?i:tel:)`)

func textToTel(_ *time.Location, v string) (string, Verdict, string) {
	if strings.IndexByte(v, ':') > 0 {
		return v, Converted, ""
	}
	return "tel:" + strings.ReplaceAll(v, " ", ""), Converted, ""
}

var mailtoPattern = regexp.MustCompile(`^(?i:mailto:)`)

// mailToText: kith:URL writes mailto:a@b, FHIR the address alone.
func mailToText(_ *time.Location, v string) (string, Verdict, string) {
	address := mailtoPattern.ReplaceAllString(v, "")
	return when(address != "", address, Unconvertible, "no address")
}

func textToMail(_ *time.Location, v string) (string, Verdict, string) {
	return "mailto:" + v, Converted, ""
}

// mailParts are the parts of an XTN where its address may stand.
var mailParts = []string{"1", "4", "12"}

// whole reads a value of several parts of the message; its way back is the value itself.
func whole(of func(n *message.Node) (string, []string)) func([]string) Converter {
	return func([]string) Converter { return Converter{Kind: fhir.KindString, Whole: of, To: same, From: same} }
}

// toDigits drops the blanks by which senders group digits.
func toDigits(_ *time.Location, v string) (string, Verdict, string) {
	out := withoutBlanks(v)
	return when(out != "", out, Unconvertible, "no digits")
}

// flawed is for a number that is called a national one and has wrong check digits: it is told
// as it is, and identifies nobody.
func flawed(_ *time.Location, v string) (string, Verdict, string) {
	return v, Partly, "its digits are not those of such a number: it is not used to identify the patient"
}

var kommunePattern = regexp.MustCompile(`^[0-9]{4}$`)

// toKommunenummer takes four digits; senders write other countries' counties in its place.
func toKommunenummer(_ *time.Location, v string) (string, Verdict, string) {
	return when(kommunePattern.MatchString(v), v, Unconvertible, "not a kommunenummer")
}

// readings are how senders write yes and no beside the codes that were agreed.
var readings = map[string]string{"Y": "true", "J": "true", "1": "true", "TRUE": "true", "N": "false", "0": "false", "FALSE": "false"}

// protects reads a flag that protects a person. One that cannot be read protects.
func protects(args []string) Converter {
	to := func(_ *time.Location, v string) (string, Verdict, string) {
		if out := readings[strings.ToUpper(v)]; out != "" {
			return out, Converted, ""
		}
		return "true", Partly, "it cannot be read, and therefore protects"
	}
	return Converter{Kind: fhir.KindBool, To: to, From: twoValues("true", "false", args[0], args[1])}
}

// restricts: an access restriction that holds protects, whatever it restricts.
func restricts(_ *time.Location, _ string) (string, Verdict, string) {
	return "true", Partly, "what is restricted has no place of its own"
}

// stated reads a fact that a policy decides on: true, false or account.Unreadable.
func stated(args []string) Converter {
	known := yesNo(args).To
	to := func(zone *time.Location, v string) (string, Verdict, string) {
		out, how, reason := known(zone, v)
		if how != Converted {
			return account.Unreadable, Partly, reason
		}
		return out, how, reason
	}
	return Converter{Kind: fhir.KindString, To: to, From: twoValues("true", "false", args[0], args[1])}
}

// unreadable makes a fact of a time that cannot be read: where it stands. It has no way back.
func unreadable(args []string) Converter {
	to := func(zone *time.Location, v string) (string, Verdict, string) {
		if _, how, reason := hl7ToInstant(zone, v); how == Unconvertible {
			return args[0], Partly, reason
		}
		return "", Absent, ""
	}
	none := func(*time.Location, string) (string, Verdict, string) { return "", Absent, "" }
	return Converter{Kind: fhir.KindString, To: to, From: none}
}

// emptied tells with a code that a value is deleted (HL7 v2.5 section 2.5.3.3).
func emptied(args []string) Converter {
	whole := func(n *message.Node) (string, []string) { return either(n.Text() == explicitNull, args[0], ""), nil }
	none := func(*time.Location, string) (string, Verdict, string) { return "", Absent, "" }
	return Converter{Kind: fhir.KindString, Whole: whole, To: none, From: none}
}

var numberPattern = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// jsonNumber takes what is a JSON number as it stands; leading plus signs and zeros that
// HL7 NM allows are not, and are carried.
func jsonNumber(_ *time.Location, v string) (string, Verdict, string) {
	return when(len(v) <= 40 && numberPattern.MatchString(v), v, Unconvertible, "not a number as FHIR writes it")
}

// toBase64 takes base64 in lines; what is not base64 is carried.
func toBase64(_ *time.Location, v string) (string, Verdict, string) {
	out := strings.Join(strings.Fields(v), "")
	_, err := base64.StdEncoding.DecodeString(out)
	return when(err == nil, out, Unconvertible, "not base64")
}

// toCode takes what R4 2.24.0.1 allows as a code: no white space but single inner spaces.
func toCode(_ *time.Location, v string) (string, Verdict, string) {
	return when(strings.Join(strings.Fields(v), " ") == v, v, Unconvertible, "not a code as FHIR writes it")
}

// toURI takes what R4 2.24.0.1 allows as a uri.
func toURI(_ *time.Location, v string) (string, Verdict, string) {
	return when(!strings.ContainsFunc(v, unicode.IsSpace), v, Unconvertible, "not a URI")
}

// markup takes an element's text, whatever its inner markup.
func markup([]string) Converter {
	return Converter{Kind: fhir.KindString, Subtree: true, To: same, From: same}
}

// The structured answer line of overlay svarlinje-1.
var answerPattern = regexp.MustCompile(`^SVAR=(?:(KAN_MOTTA|KAN_IKKE_MOTTA);DATO=([0-9]{4}-[0-9]{2}-[0-9]{2})|KAN_IKKE_MOTTA;DATO=UKJENT)$`)

// parseAnswerLine reads the first line of text in the structured convention
// "SVAR=KAN_MOTTA;DATO=2026-11-25" or "SVAR=KAN_IKKE_MOTTA;DATO=UKJENT". day is empty
// when unknown; ok is false for anything else, also a yes without a day, and for two answers.
func parseAnswerLine(text string) (answer, day string, ok bool) {
	line, rest, _ := strings.Cut(text, "\n")
	if strings.Contains(rest, "SVAR=") {
		return "", "", false // two answers are none
	}
	m := answerPattern.FindStringSubmatch(strings.TrimSuffix(line, "\r"))
	if m == nil {
		return "", "", false
	}
	if m[2] == "" {
		return "KAN_IKKE_MOTTA", "", true
	}
	if _, err := time.Parse(time.DateOnly, m[2]); err != nil {
		return "", "", false
	}
	return m[1], m[2], true
}

// answerLine reads one part of the structured answer line: svarlinje(answer) or
// svarlinje(day). It has no way back: the text itself is mapped as text.
func answerLine(args []string) Converter {
	to := func(_ *time.Location, v string) (string, Verdict, string) {
		answer, day, _ := parseAnswerLine(v)
		out := either(args[0] == "day", day, answer)
		return when(out != "", out, Absent, "")
	}
	none := func(*time.Location, string) (string, Verdict, string) { return "", Absent, "" }
	return Converter{Kind: fhir.KindString, Subtree: true, To: to, From: none}
}

// answerText is for outgoing answers: it makes the structured line of a day.
func answerText(args []string) Converter {
	to := func(_ *time.Location, v string) (string, Verdict, string) {
		answer, day, _ := parseAnswerLine(v)
		return when(answer == args[0] && day != "", day, Absent, "")
	}
	from := func(_ *time.Location, v string) (string, Verdict, string) {
		line := "SVAR=" + args[0] + ";DATO=" + v
		_, _, ok := parseAnswerLine(line)
		return when(ok, line, Unconvertible, "not a day")
	}
	return Converter{Kind: fhir.KindString, To: to, From: from}
}
