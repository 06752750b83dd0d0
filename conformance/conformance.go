// Package conformance holds resources against the structure of FHIR R4 4.0.1: known
// elements, their JSON shape, cardinality, choices and the syntax of primitives. It
// evaluates no invariants in FHIRPath and no terminology bindings.
package conformance

import (
	"strconv"

	"stafett/fhir"
)

//go:generate go run generate.go

// Severity is how bad an issue is (http://hl7.org/fhir/issue-severity).
type Severity string

// SeverityError is the one severity in use: every structural deviation is an error.
const SeverityError Severity = "error"

// The issue codes in use (http://hl7.org/fhir/issue-type).
const (
	CodeStructure = "structure" // unknown element, or the wrong JSON shape
	CodeRequired  = "required"  // a mandatory element is missing
	CodeValue     = "value"     // a primitive's syntax
	CodeInvariant = "invariant" // a rule across elements
	CodeTooLong   = "too-long"  // there are more issues than are listed
)

// Issue is one deviation. It holds no values of the resource.
type Issue struct {
	Severity Severity
	Code     string
	// Path is the element at fault, as Task.input[0].valueString.
	Path string
	Text string
	// Line and Column are positions in the JSON as received; 0 in a tree that was built.
	Line, Column int
}

// Outcome returns the issue as one of an OperationOutcome.
func (i Issue) Outcome() fhir.Issue {
	return fhir.Issue{Severity: string(i.Severity), Code: i.Code, Details: i.Text, Expression: []string{i.Path}}
}

// issuesMax bounds the list: a resource of one wrong idea can break it a thousand times.
const issuesMax = 100

// Validate returns the deviations of a resource from R4 in document order, nil when
// there are none. After 100 issues it stops, and the last one says so.
func Validate(n *fhir.Node) []Issue {
	v := validator{table: table()}
	v.resource(n, nil, false)
	return v.issues
}

// Error is every deviation of what was sent, as the cause of its refusal.
type Error struct{ Issues []Issue }

// Error tells the first deviation, without values of the resource.
func (e *Error) Error() string {
	if len(e.Issues) == 0 {
		return "conformance: no deviation"
	}
	return "conformance: " + e.Issues[0].Path + ": " + e.Issues[0].Text
}

// FirstError is the first issue that makes a resource invalid; nil when none does.
func FirstError(issues []Issue) *Issue {
	for i := range issues {
		if issues[i].Severity == SeverityError {
			return &issues[i]
		}
	}
	return nil
}

// frame is one step of a path; paths are spelled only for issues.
type frame struct {
	above *frame
	name  string
	index int // in an array; -1 for none
}

func (f *frame) path() string {
	if f == nil {
		return ""
	}
	s := f.above.path()
	if s != "" {
		s += "."
	}
	s += f.name
	if f.index >= 0 {
		s += "[" + strconv.Itoa(f.index) + "]"
	}
	return s
}

type validator struct {
	table  *elementTable
	issues []Issue
}

func (v *validator) add(n *fhir.Node, at *frame, code, text string) {
	v.addAt(n, at.path(), code, text)
}

func (v *validator) addAt(n *fhir.Node, path, code, text string) {
	if len(v.issues) >= issuesMax {
		return
	}
	i := Issue{Severity: SeverityError, Code: code, Path: path, Text: text}
	if n != nil {
		i.Line, i.Column = n.Line, n.Column
	}
	if len(v.issues) == issuesMax-1 {
		i.Code, i.Text = CodeTooLong, "there are more issues than are listed"
	}
	v.issues = append(v.issues, i)
}

func (v *validator) full() bool { return len(v.issues) >= issuesMax }

// resource checks n by its own type. at is where it stands, nil for the outermost.
func (v *validator) resource(n *fhir.Node, at *frame, contained bool) {
	if n == nil || n.Kind != fhir.KindObject {
		v.add(n, at, CodeStructure, "not a resource: an object is expected")
		return
	}
	typ := n.Get("resourceType")
	below := &frame{at, "resourceType", -1}
	if typ == nil {
		v.add(n, below, CodeRequired, "resourceType is missing")
		return
	}
	def := v.table.types[typ.Text]
	if typ.Kind != fhir.KindString || def == nil || def.kind != kindResource {
		v.add(typ, below, CodeStructure, "not a resource type of FHIR R4")
		return
	}
	if at == nil {
		at = &frame{nil, def.name, -1}
	}
	if contained {
		v.containedRules(n, at)
	}
	v.object(n, def, at)
}

// containedRules are dom-2 and the id without which nothing can refer to the resource
// (R4 2.3.0.1).
func (v *validator) containedRules(n *fhir.Node, at *frame) {
	if c := n.Get("contained"); c != nil {
		v.add(c, &frame{at, "contained", -1}, CodeInvariant, "a contained resource contains another (dom-2)")
	}
	if n.Get("id") == nil {
		v.add(n, &frame{at, "id", -1}, CodeRequired, "a contained resource has no id")
	}
}

// object checks the members of n against def.
func (v *validator) object(n *fhir.Node, def *typeDef, at *frame) {
	if n.Kind != fhir.KindObject {
		v.add(n, at, CodeStructure, "an object is expected, not "+article(n.Kind))
		return
	}
	if len(n.Members) == 0 {
		v.add(n, at, CodeInvariant, "an empty object")
		return
	}
	var seen elementSet
	for i := range n.Members {
		if v.full() {
			return
		}
		v.member(n, &n.Members[i], def, at, &seen)
	}
	for _, i := range def.required {
		if !seen.has(i) {
			v.add(n, &frame{at, def.elements[i].name, -1}, CodeRequired, "a mandatory element is missing")
		}
	}
	if def.name == "Extension" {
		v.extension(n, at)
	}
}

// elementSet tells which elements of a type were seen; a type has less than 128.
type elementSet struct {
	bits   [2]uint64
	choice [8]struct {
		element int
		name    string
	}
	choices int
}

func (s *elementSet) has(i int) bool { return s.bits[i>>6]&(1<<(i&63)) != 0 }
func (s *elementSet) put(i int)      { s.bits[i>>6] |= 1 << (i & 63) }

// other reports whether choice element i was seen under another name, and notes this one.
func (s *elementSet) other(i int, name string) bool {
	for c := range s.choices {
		if s.choice[c].element == i {
			return s.choice[c].name != name
		}
	}
	if s.choices < len(s.choice) {
		s.choice[s.choices].element, s.choice[s.choices].name = i, name
		s.choices++
	}
	return false
}

func (v *validator) member(n *fhir.Node, m *fhir.Member, def *typeDef, at *frame, seen *elementSet) {
	if m.Name == "resourceType" && def.kind == kindResource {
		return
	}
	name, sibling := m.Name, false
	if len(name) > 1 && name[0] == '_' {
		name, sibling = name[1:], true
	}
	use, ok := def.members[name]
	here := frame{at, m.Name, -1}
	if !ok || sibling && use.typ.kind != kindPrimitive {
		here.name = shownName(m.Name)
		v.add(m.Value, &here, CodeStructure, "an element that "+def.name+" does not have")
		return
	}
	element := &def.elements[use.element]
	seen.put(use.element)
	if element.choice && seen.other(use.element, name) {
		v.add(m.Value, &here, CodeStructure, "a second value of one choice element")
	}
	if sibling {
		v.siblings(n, m, element, at)
		return
	}
	v.values(n, m, element, use.typ, &here)
}

// values checks a member that is an array exactly when the element repeats.
func (v *validator) values(n *fhir.Node, m *fhir.Member, element *elementDef, typ *typeDef, here *frame) {
	if !element.many {
		if m.Value.Kind == fhir.KindArray {
			v.add(m.Value, here, CodeStructure, "an array where one value is expected")
			return
		}
		v.value(m.Value, typ, here, m.Name)
		return
	}
	if m.Value.Kind != fhir.KindArray {
		v.add(m.Value, here, CodeStructure, "an array is expected, not "+article(m.Value.Kind))
		return
	}
	if len(m.Value.Items) == 0 {
		v.add(m.Value, here, CodeInvariant, "an empty array")
		return
	}
	var sibling *fhir.Node
	for i, item := range m.Value.Items {
		if v.full() {
			return
		}
		f := frame{here.above, m.Name, i}
		if item.Kind == fhir.KindNull && typ.kind == kindPrimitive {
			if sibling == nil {
				sibling = n.Get("_" + m.Name)
			}
			if !itemPresent(sibling, i) {
				v.add(item, &f, CodeStructure, "a null without an extension in its place")
			}
			continue
		}
		v.value(item, typ, &f, m.Name)
	}
}

func itemPresent(n *fhir.Node, i int) bool {
	return n != nil && n.Kind == fhir.KindArray && i < len(n.Items) && n.Items[i].Kind != fhir.KindNull
}

func (v *validator) value(n *fhir.Node, typ *typeDef, at *frame, name string) {
	switch typ.kind {
	case kindPrimitive:
		if code, text := typ.check(n); text != "" {
			v.add(n, at, code, text)
		}
	case kindAnyResource:
		v.resource(n, at, name == "contained")
	default:
		v.object(n, typ, at)
	}
}

// siblings checks _name, which carries id and extensions of a primitive (R4 2.6.2.1),
// in an array item by item, with null where there are none.
func (v *validator) siblings(n *fhir.Node, m *fhir.Member, element *elementDef, at *frame) {
	here := &frame{at, m.Name, -1}
	value := n.Get(m.Name[1:])
	if !element.many {
		v.sibling(m.Value, value != nil, here)
		return
	}
	if m.Value.Kind != fhir.KindArray || len(m.Value.Items) == 0 {
		v.add(m.Value, here, CodeStructure, "an array with items is expected")
		return
	}
	if value != nil && value.Kind == fhir.KindArray && len(m.Value.Items) > len(value.Items) {
		v.add(m.Value, here, CodeStructure, "more items than the element that it belongs to")
	}
	present := false
	for i, item := range m.Value.Items {
		if item.Kind == fhir.KindNull {
			if !itemPresent(value, i) {
				v.add(item, &frame{at, m.Name, i}, CodeStructure, "a null without a value in its place")
			}
			continue
		}
		present = true
		v.sibling(item, itemPresent(value, i), &frame{at, m.Name, i})
	}
	if !present {
		v.add(m.Value, here, CodeInvariant, "an array of nulls alone")
	}
}

func (v *validator) sibling(n *fhir.Node, hasValue bool, at *frame) {
	v.object(n, v.table.element, at)
	if !hasValue && n.Kind == fhir.KindObject && len(n.Members) > 0 && n.Get("extension") == nil {
		v.add(n, at, CodeInvariant, "neither a value nor an extension (ele-1)")
	}
}

// extension is ext-1: a value or nested extensions, one of them.
func (v *validator) extension(n *fhir.Node, at *frame) {
	value, nested := false, false
	for i := range n.Members {
		switch name := n.Members[i].Name; {
		case name == "extension":
			nested = true
		case len(name) > 5 && (name[:5] == "value" || name[:6] == "_value"):
			value = true
		}
	}
	if value == nested {
		v.add(n, at, CodeInvariant, "an extension has either a value or extensions (ext-1)")
	}
}

func article(k fhir.NodeKind) string {
	switch k {
	case fhir.KindObject, fhir.KindArray:
		return "an " + k.String()
	case fhir.KindNull:
		return "null"
	}
	return "a " + k.String()
}
