package search

import (
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"

	"stafett/fhir"
)

// Bounds of one request.
const (
	countDefault = 50
	countMax     = 1000
	clausesMax   = 32
	valuesMax    = 100
	valueMax     = 2000 // bytes
)

// Error lists what is wrong with a search. It names parameters and quotes no values.
type Error struct {
	// Issues are for the caller, and name parameters as it spells them.
	Issues []fhir.Issue
	texts  []string
}

// Error returns the issues' texts. It is safe to log: it names only parameters of R4, since
// a request can have a person's name for one.
func (e *Error) Error() string { return "search: " + strings.Join(e.texts, "; ") }

// refused are parameters that clients know from elsewhere, with what to do instead.
var refused = map[string]string{
	"_include":    "_include is not supported: read what a resource refers to by its reference",
	"_revinclude": "_revinclude is not supported: search the other type by its reference parameter",
	"_has":        "_has is not supported: search the other type by its reference parameter",
	"_filter":     "_filter is not supported",
	"_list":       "_list is not supported",
	"_summary":    "_summary is not supported: resources are returned whole",
	"_elements":   "_elements is not supported: resources are returned whole",
	"_contained":  "_contained is not supported: contained resources are found by what contains them",
	"_type":       "_type is not supported: search one type",
}

// ParseQuery reads the parameters of a search of typ, strictly: an unknown parameter,
// modifier or prefix is an error, because ignoring one would answer with more than was
// asked for (R4 3.1.1.3). The error is an *Error.
func ParseQuery(typ string, params url.Values) (Query, error) {
	q := queryParser{query: Query{Type: typ, Count: countDefault}, params: compiled().params[typ]}
	if q.params == nil {
		q.fail("not-supported", "", "the resource type is not stored here")
		return Query{}, &Error{q.issues, q.texts}
	}
	names := make([]string, 0, len(params))
	for name := range params {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		for _, value := range params[name] {
			q.parameter(name, value)
		}
	}
	if len(q.query.Clauses) > clausesMax {
		q.fail("too-costly", "", "more than "+strconv.Itoa(clausesMax)+" parameters")
	}
	if len(q.issues) > 0 {
		return Query{}, &Error{q.issues, q.texts}
	}
	return q.query, nil
}

type queryParser struct {
	query  Query
	params []param
	issues []fhir.Issue
	texts  []string // of the issues, without what only the caller knows
}

func (q *queryParser) fail(code, name, text string) {
	if len(q.issues) >= 20 {
		return
	}
	told, logged := text, text
	if name != "" {
		told, logged = shown(name)+": "+text, q.known(name)+": "+text
	}
	q.issues = append(q.issues, fhir.Issue{Severity: "error", Code: code, Details: told})
	q.texts = append(q.texts, logged)
}

// known is the parameter of the type that name is of, without its modifier, else "?".
func (q *queryParser) known(name string) string {
	code, _, _ := strings.Cut(name, ":")
	code, _, _ = strings.Cut(code, ".")
	known := func(p param) bool { return p.Code == code }
	if _, ok := refused[code]; ok || controls[code] || slices.ContainsFunc(q.params, known) {
		return code
	}
	return "?"
}

// shown is a parameter's name when it looks like one, else "?": a request can have
// anything there, a patient's name too.
func shown(name string) string {
	for _, c := range []byte(name) {
		if !strings.ContainsRune("_-.:", rune(c)) && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return "?"
		}
	}
	if name == "" || len(name) > 64 {
		return "?"
	}
	return name
}

func (q *queryParser) parameter(name, value string) {
	if q.control(name, value) {
		return
	}
	code, modifier, _ := strings.Cut(name, ":")
	if text, ok := refused[code]; ok {
		q.fail("not-supported", "", text)
		return
	}
	i := slices.IndexFunc(q.params, func(p param) bool { return p.Code == code })
	if i < 0 {
		q.unknown(code)
		return
	}
	q.clause(&q.params[i], name, modifier, value)
}

func (q *queryParser) unknown(code string) {
	head, _, chained := strings.Cut(code, ".")
	if chained && slices.ContainsFunc(q.params, func(p param) bool { return p.Code == head }) {
		q.fail("not-supported", code, "chained parameters are not supported: search the referenced type first")
		return
	}
	for _, u := range compiled().uncompiled {
		if u.Type == q.query.Type && u.Code == code {
			q.fail("not-supported", code, "not supported ("+u.Reason+")")
			return
		}
	}
	q.fail("not-supported", code, "no search parameter of this type")
}

// controls are the parameters that control reads.
var controls = map[string]bool{"_count": true, "_sort": true, "_total": true, "_after": true, "_format": true, "_pretty": true}

// control reads what steers the answer rather than selects from it.
func (q *queryParser) control(name, value string) bool {
	switch name {
	case "_count":
		n, ok := decimal(value)
		if !ok || n < 1 {
			q.fail("value", name, "a number of 1 or more is expected")
			return true
		}
		q.query.Count = min(n, countMax)
	case "_sort":
		switch value {
		case "_lastUpdated":
		case "-_lastUpdated":
			q.query.SortDescending = true
		default:
			q.fail("not-supported", name, "only _lastUpdated and -_lastUpdated are supported")
		}
	case "_total":
		switch value {
		case "none":
		case "estimate", "accurate":
			q.query.Total = true
		default:
			q.fail("value", name, "none, estimate or accurate is expected")
		}
	case "_after":
		if value == "" || len(value) > 512 {
			q.fail("value", name, "not a page link of ours")
		}
		q.query.After = value
	case "_format", "_pretty":
	default:
		return false
	}
	return true
}

func (q *queryParser) clause(p *param, name, modifier, value string) {
	c := Clause{Param: p.Code, Kind: p.Kind, Modifier: Modifier(modifier)}
	refType := ""
	if p.Kind == KindReference && fhir.IsStored(modifier) {
		c.Modifier, refType = ModifierNone, modifier
	}
	if !allowed(p.Kind, c.Modifier) {
		q.fail("not-supported", name, "the modifier is not supported; supported are: "+supported(p.Kind))
		return
	}
	alternatives := splitEscaped(value, ',')
	if len(alternatives) > valuesMax {
		q.fail("too-costly", name, "more than "+strconv.Itoa(valuesMax)+" alternatives")
		return
	}
	for _, text := range alternatives {
		v, code, wrong := parseValue(p, c.Modifier, refType, text)
		if wrong != "" {
			q.fail(code, name, wrong)
			return
		}
		c.Values = append(c.Values, v)
	}
	q.query.Clauses = append(q.query.Clauses, c)
}

var modifiers = map[Kind][]Modifier{
	KindString:    {ModifierExact, ModifierContains},
	KindToken:     {ModifierNot},
	KindReference: {ModifierIdentifier},
}

func allowed(kind Kind, m Modifier) bool {
	return m == ModifierNone || m == ModifierMissing || slices.Contains(modifiers[kind], m)
}

func supported(kind Kind) string {
	list := ":missing"
	for _, m := range modifiers[kind] {
		list += ", :" + string(m)
	}
	if kind == KindReference {
		list += ", :<resource type>"
	}
	return list
}

// parseValue reads one alternative; wrong is "" when it is right, else code is of
// http://hl7.org/fhir/issue-type.
func parseValue(p *param, m Modifier, refType, text string) (v Value, code, wrong string) {
	switch {
	case text == "":
		return v, "value", "a value is expected"
	case len(text) > valueMax:
		return v, "too-long", "a value of more than " + strconv.Itoa(valueMax) + " bytes"
	case m == ModifierMissing:
		if text != "true" && text != "false" {
			return v, "value", "true or false is expected"
		}
		return Value{Value: text}, "", ""
	}
	switch p.Kind {
	case KindToken:
		return tokenValue(text)
	case KindReference:
		if m == ModifierIdentifier {
			return tokenValue(text)
		}
		return referenceValue(p, refType, unescape(text))
	case KindString:
		return stringValue(unescape(text), m)
	case KindURI:
		return Value{Value: unescape(text)}, "", ""
	case KindDate:
		return dateValue(text)
	default:
		return numberValue(text, p.Kind)
	}
}

// tokenValue reads code, system|code, |code or system| (R4 3.1.1.4.10).
func tokenValue(text string) (v Value, code, wrong string) {
	parts := splitEscaped(text, '|')
	switch len(parts) {
	case 1:
		v.Value = unescape(parts[0])
	case 2:
		v = Value{HasSystem: true, System: fhir.PreferredSystem(unescape(parts[0])), Value: unescape(parts[1])}
		if v.System == "" && v.Value == "" {
			return v, "value", "a system or a code is expected"
		}
	default:
		return v, "value", "code, system|code, |code or system| is expected"
	}
	return v, "", ""
}

// referenceValue reads id, Type/id, an absolute URL, a urn or a canonical URL (R4 3.1.1.4.12).
func referenceValue(p *param, refType, text string) (v Value, code, wrong string) {
	if base, typ, id, ok := fhir.SplitReference(text); ok && base == "" {
		if refType != "" && refType != typ {
			return v, "value", "the type of the value is not the modifier's"
		}
		return Value{RefType: typ, RefID: id}, "", ""
	}
	if fhir.ValidID(text) {
		if refType == "" && len(p.Targets) == 1 {
			refType = p.Targets[0]
		}
		return Value{RefType: refType, RefID: text}, "", ""
	}
	if strings.Contains(text, ":") {
		return Value{RefID: text}, "", ""
	}
	return v, "value", "id, Type/id or a URL is expected"
}

func stringValue(text string, m Modifier) (v Value, code, wrong string) {
	v = Value{Value: Normalise(text), System: text}
	if v.Value == "" {
		return v, "value", "a value with letters or digits is expected"
	}
	return v, "", ""
}

func dateValue(text string) (v Value, code, wrong string) {
	prefix, rest, wrong := splitPrefix(text)
	if wrong != "" {
		return v, "not-supported", wrong
	}
	v.Prefix = prefix
	var ok bool
	if v.Low, v.High, ok = dateRange(rest); !ok {
		return v, "value", "a date is expected: YYYY, YYYY-MM, YYYY-MM-DD or with Thh:mm, seconds and zone"
	}
	return v, "", ""
}

// numberValue reads 5.4 or, for a quantity, 5.4|system|code and 5.4||code.
func numberValue(text string, kind Kind) (v Value, code, wrong string) {
	parts := splitEscaped(text, '|')
	if len(parts) != 1 && (kind != KindQuantity || len(parts) != 3) {
		return v, "value", "a number is expected, for a quantity also number|system|code"
	}
	prefix, rest, wrong := splitPrefix(parts[0])
	if wrong != "" {
		return v, "not-supported", wrong
	}
	number, err := strconv.ParseFloat(rest, 64)
	if err != nil || strings.ContainsAny(rest, "xXpPnNiI_") {
		return v, "value", "a number is expected"
	}
	v = Value{Prefix: prefix, Number: number}
	if len(parts) == 3 {
		v.System, v.Value = unescape(parts[1]), unescape(parts[2])
	}
	return v, "", ""
}

var prefixes = []Prefix{PrefixEq, PrefixNe, PrefixGt, PrefixLt, PrefixGe, PrefixLe}

func splitPrefix(text string) (p Prefix, rest, wrong string) {
	if len(text) < 2 || text[0] < 'a' || text[0] > 'z' {
		return PrefixEq, text, ""
	}
	p = Prefix(text[:2])
	if !slices.Contains(prefixes, p) {
		return p, "", "the prefix is not supported; supported are: eq, ne, gt, lt, ge, le"
	}
	return p, text[2:], ""
}

// splitEscaped splits at each separator that no backslash escapes (R4 3.1.1.4.1); the
// parts keep their escapes.
func splitEscaped(s string, separator byte) []string {
	var parts []string
	start := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case separator:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	return strings.NewReplacer(`\\`, `\`, `\,`, `,`, `\|`, `|`, `\$`, `$`).Replace(s)
}
