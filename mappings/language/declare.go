package language

import (
	"regexp"
	"slices"
	"strings"

	"stafett/fhir"
	"stafett/handover"
)

// mistakes gathers what is wrong in a mapping; reading goes on after each.
type mistakes struct{ errs []error }

func (e *mistakes) fail(err error) {
	if err != nil {
		e.errs = append(e.errs, err)
	}
}

// declarations are the names that a mapping's statements declare for others, and what it
// takes. Whoever looks one up uses it: a name that nothing uses is a mistake.
type declarations struct {
	*mistakes
	lib        *library
	m          *Program
	notation   *notation // of the wire; nil for one without mappings
	src        *source   // the file whose statements are read
	vars       map[string]variable
	lets       map[string][]position // where each variable is set
	namespaces map[string]string     // by prefix
	prefixes   map[string][]position // where each namespace prefix is declared
	defines    map[string]*definition
	byName     map[string]int // resources, without a star
}

// variable is a value that $name stands for; quoted, it is a text and never a place.
type variable struct {
	text   string
	quoted bool
}

type definition struct {
	name   string
	pos    position
	params []string
	body   []*statement
}

var variablePattern = regexp.MustCompile(`\$[A-Za-z][A-Za-z0-9]*`)

// expand replaces $names in s's tokens.
func (d *declarations) expand(s *statement, vars map[string]variable) *statement {
	e := *s
	e.tokens = slices.Clone(s.tokens)
	for i := range e.tokens {
		t := &e.tokens[i]
		if !strings.Contains(t.text, "$") {
			continue
		}
		if v, whole := d.variable(strings.TrimPrefix(t.text, "$"), vars); whole && t.text[0] == '$' {
			t.text, t.quoted = v.text, v.quoted
			continue
		}
		t.text = variablePattern.ReplaceAllStringFunc(t.text, func(name string) string {
			v, ok := d.variable(name[1:], vars)
			if !ok {
				d.fail(s.at(i).errorf("the variable %s is not set%s", name, d.hintVariable(name, vars)))
			}
			return v.text
		})
	}
	return &e
}

// wordPattern is a name in any token.
var wordPattern = regexp.MustCompile(`[A-Za-z][A-Za-z0-9-]*`)

// forgive counts what a wrong statement names as used: one mistake is told once.
func (d *declarations) forgive(s *statement) {
	for _, t := range s.tokens {
		for _, name := range wordPattern.FindAllString(t.text, -1) {
			d.useNamed(name)
		}
	}
	for _, inner := range s.body {
		d.forgive(inner)
	}
}

// refuse notes what is wrong with a statement.
func (d *declarations) refuse(s *statement, err error) {
	d.fail(err)
	d.forgive(s)
}

// useNamed counts all that has a name as used.
func (d *declarations) useNamed(name string) {
	d.lib.use(d.lets[name]...)
	d.lib.use(d.prefixes[name]...)
	d.resourceNamed(strings.TrimSuffix(name, "-"))
	if def := d.defines[name]; def != nil {
		d.lib.use(def.pos)
	}
}

// near is the name that may be meant. It then counts as used: one mistake is told once.
func (d *declarations) near(name string, known []string) string {
	near := nearest(name, known)
	d.useNamed(near)
	return near
}

// variable finds what a block's parameters or the mapping's lines set.
func (d *declarations) variable(name string, vars map[string]variable) (variable, bool) {
	v, ok := vars[name]
	if !ok {
		v, ok = d.vars[name]
		d.lib.use(d.lets[name]...)
	}
	return v, ok
}

func (d *declarations) hintVariable(name string, vars map[string]variable) string {
	near := d.near(name[1:], append(keys(vars), keys(d.vars)...))
	return hintOf(either(near != "", "$"+near, ""))
}

func (d *declarations) let(m *match) {
	name, v := m.text("NAME"), m.token("VALUE")
	d.vars[name] = variable{v.text, v.quoted}
	d.lets[name] = append(d.lets[name], m.s.pos)
	d.lib.declare(m.s.pos, "nothing uses the variable $%s", name)
}

func (d *declarations) namespace(m *match) {
	prefix, uri := m.text("PREFIX"), m.text("VALUE")
	d.namespaces[prefix] = uri
	d.prefixes[prefix] = append(d.prefixes[prefix], m.s.pos)
	d.lib.declare(m.s.pos, "nothing uses the namespace prefix %q", prefix)
	if elementsOf()[uri] == nil {
		d.fail(m.pos("VALUE").unknown("namespace", uri, keys(elementsOf())))
	}
}

func (d *declarations) overlay(m *match) { d.m.Overlay = m.text("NAME") }

func (d *declarations) kind(m *match) {
	d.m.Kind = handover.Kind(m.text("KIND"))
	d.fail(among(m.pos("KIND"), "kind", m.text("KIND"), handover.Kinds()))
}

// versionPattern is a version, or none.
var versionPattern = regexp.MustCompile(`^([0-9]+(\.[0-9]+)*)?$`)

func (d *declarations) takes(m *match) {
	d.m.Wire, d.m.Type, d.m.Version = handover.Wire(m.text("WIRE")), m.text("TYPE"), ""
	d.notation = notations[d.m.Wire]
	if d.notation == nil {
		d.fail(m.pos("WIRE").errorf("the wire %q has no mappings; hl7v2 and kith have", d.m.Wire))
		return
	}
	d.m.Notation = d.notation.Notation
	if m.has("TYPE") && !d.notation.types.MatchString(d.m.Type) {
		d.fail(m.pos("TYPE").errorf("%q is no message type of %s", d.m.Type, d.m.Wire))
	}
	v := m.group("version")
	if d.m.Version = v.text("VERSION"); !versionPattern.MatchString(d.m.Version) {
		d.fail(v.pos("VERSION").errorf("%q is no version", d.m.Version))
	}
}

func (d *declarations) resource(m *match) {
	r := Resource{Type: m.text("TYPE"), Always: m.has("always"), pos: m.s.pos}
	r.Name, r.Repeated = strings.CutSuffix(m.text("NAME"), "-*")
	if r.Always = m.group("always") != nil; r.Always {
		d.lib.use(r.pos)
	}
	d.fail(among(m.pos("TYPE"), "stored resource type", r.Type, fhir.StoredTypes()))
	if reserved[r.Name] {
		d.fail(m.pos("NAME").errorf("the name %q is taken", r.Name))
	}
	if _, dup := d.byName[r.Name]; dup {
		d.fail(m.pos("NAME").errorf("the resource %q is declared twice", r.Name))
		return
	}
	d.byName[r.Name] = len(d.m.Resources)
	d.m.Resources = append(d.m.Resources, r)
}

// reserved are names that places use for something else.
var reserved = map[string]bool{"header": true, "fact": true, "day": true, "event": true, "carried": true, "parent": true}

func (d *declarations) define(m *match) {
	name, args, ok := call(m.text("CALL"))
	if !ok || !strings.Contains(m.text("CALL"), "(") {
		d.fail(m.pos("CALL").errorf("expected: define NAME(PARAMETER, …) {"))
		return
	}
	if d.defines[name] != nil {
		d.fail(m.pos("CALL").errorf("the definition %q exists already", name))
	}
	def := &definition{name, m.s.pos, argTexts(args), m.s.body}
	d.defines[name] = def
	spelled := spell(def.body)
	for _, p := range def.params {
		if !slices.Contains(spelled, "$"+p) {
			d.fail(m.pos("CALL").errorf("the lines of %s do not use $%s", name, p))
		}
	}
}

// spell lists the variables that statements name.
func spell(body []*statement) []string {
	var out []string
	for _, s := range body {
		for _, t := range s.tokens {
			out = append(out, variablePattern.FindAllString(t.text, -1)...)
		}
		out = append(out, spell(s.body)...)
	}
	return out
}

// call splits name(a, b).
func call(text string) (name string, args []variable, ok bool) {
	name, inner, brackets := strings.Cut(text, "(")
	inner, closed := strings.CutSuffix(inner, ")")
	if name == "" || brackets != closed {
		return "", nil, false
	}
	if strings.TrimSpace(inner) == "" {
		return name, nil, true
	}
	for _, a := range splitComma(inner) {
		args = append(args, variable{unquote(a), strings.HasPrefix(a, `"`)})
	}
	return name, args, true
}

func argTexts(args []variable) []string {
	var out []string
	for _, a := range args {
		out = append(out, a.text)
	}
	return out
}

func (d *declarations) hintDefinition(name string) string {
	return hintOf(d.near(name, keys(d.defines)))
}

func (d *declarations) hintResource(name string) string {
	return hintOf(d.near(name, d.resourceNames()))
}

// plainName is a resource's name without the star of a repeated one.
func plainName(name string) string { return strings.TrimSuffix(name, "-*") }

// resourceNamed returns a resource and notes that it is used; nil for a name of none.
func (d *declarations) resourceNamed(name string) *Resource {
	i, ok := d.byName[plainName(name)]
	if !ok {
		return nil
	}
	r := &d.m.Resources[i]
	d.lib.use(r.pos)
	return r
}

func (d *declarations) resourceNames() []string {
	var out []string
	for i := range d.m.Resources {
		out = append(out, d.m.Resources[i].spelled())
	}
	return out
}
