package language

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	"stafett/fhir"
	"stafett/handover"
)

// compiler turns the statements of one mapping, its bases first, into a Program.
type compiler struct {
	lib      *library
	m        *Program
	src      *source // the file whose statements are read
	reader   pathReader
	vars     map[string]variable
	prefixes map[string][]position // where each namespace prefix is declared
	lets     map[string][]position // where each variable is set
	defines  map[string]*definition
	byName   map[string]int // resources, without a star
	blocks   map[int]position
	mapped   map[string][]*Converter // by FHIR place
	errs     []error
	uses     int

	constants        []codedConstant
	eventsOf, rootOf *source
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

const (
	maxExtends = 8
	maxUses    = 16
)

func (c *compiler) fail(err error) {
	if err != nil {
		c.errs = append(c.errs, err)
	}
}

// compile makes the mapping that src declares.
func (l *library) compile(src *source) (*Program, error) {
	chain, err := l.chain(src)
	if err != nil {
		return nil, err
	}
	c := &compiler{lib: l, m: &Program{Name: src.name, Shape: &Shape{}}, vars: map[string]variable{},
		prefixes: map[string][]position{}, lets: map[string][]position{}, defines: map[string]*definition{},
		byName: map[string]int{}, blocks: map[int]position{}, mapped: map[string][]*Converter{}}
	c.reader = pathReader{namespaces: map[string]string{}, used: func(prefix string) { l.use(c.prefixes[prefix]...) }}
	for _, s := range chain {
		c.declareAll(s)
	}
	if typePatterns[c.m.Wire] == nil {
		return nil, errors.Join(c.errs...) // nothing can be read of an unknown wire
	}
	for _, s := range chain {
		c.src = s
		c.m.Steps = append(c.m.Steps, c.body(s.statements, scope{shape: c.m.Shape})...)
	}
	c.whole(src)
	return c.m, errors.Join(c.errs...)
}

// chain lists a mapping's bases, the outermost first, and the mapping itself.
func (l *library) chain(src *source) ([]*source, error) {
	chain := []*source{src}
	for s := src; s.extends.text != ""; s = chain[0] {
		base := l.sources[s.extends.text]
		if base == nil {
			return nil, s.extends.pos.errorf("it extends %q, which does not exist%s", s.extends.text, hint(s.extends.text, keys(l.sources)))
		}
		if len(chain) == maxExtends || slices.Contains(chain, base) {
			return nil, s.extends.pos.errorf("it extends itself, or more than %d mappings deep", maxExtends)
		}
		l.use(base.pos)
		chain = append([]*source{base}, chain...)
	}
	return chain, nil
}

// whole checks what only the end tells.
func (c *compiler) whole(src *source) {
	if c.m.Wire == handover.WireKITH && c.m.Root.Name == "" {
		c.fail(src.pos.errorf("an XML mapping needs: root ELEMENT"))
	}
	c.codes()
	for _, d := range c.defines {
		c.lib.declare(d.pos, "nothing uses the definition %q", d.name)
	}
	for i := range c.m.Resources {
		r := &c.m.Resources[i]
		c.lib.declare(r.pos, "nothing is mapped to or from the resource %q", r.spelled())
	}
}

var variablePattern = regexp.MustCompile(`\$[A-Za-z][A-Za-z0-9]*`)

// expand replaces $names in s's tokens.
func (c *compiler) expand(s *statement, vars map[string]variable) *statement {
	e := *s
	e.tokens = slices.Clone(s.tokens)
	for i := range e.tokens {
		t := &e.tokens[i]
		if !strings.Contains(t.text, "$") {
			continue
		}
		if v, whole := c.variable(strings.TrimPrefix(t.text, "$"), vars); whole && t.text[0] == '$' {
			t.text, t.quoted = v.text, v.quoted
			continue
		}
		t.text = variablePattern.ReplaceAllStringFunc(t.text, func(name string) string {
			v, ok := c.variable(name[1:], vars)
			if !ok {
				c.fail(s.at(i).errorf("the variable %s is not set%s", name, c.hintVariable(name, vars)))
			}
			return v.text
		})
	}
	return &e
}

// wordPattern is a name in any token.
var wordPattern = regexp.MustCompile(`[A-Za-z][A-Za-z0-9-]*`)

// forgive counts what a wrong statement names as used: one mistake is told once.
func (c *compiler) forgive(s *statement) {
	for _, t := range s.tokens {
		for _, name := range wordPattern.FindAllString(t.text, -1) {
			c.lib.use(c.lets[name]...)
			c.lib.use(c.prefixes[name]...)
			if i, ok := c.byName[strings.TrimSuffix(name, "-")]; ok {
				c.lib.use(c.m.Resources[i].pos)
			}
			if d := c.defines[name]; d != nil {
				c.lib.use(d.pos)
			}
		}
	}
	for _, inner := range s.body {
		c.forgive(inner)
	}
}

// variable finds what a block's parameters or the mapping's lines set.
func (c *compiler) variable(name string, vars map[string]variable) (variable, bool) {
	v, ok := vars[name]
	if !ok {
		v, ok = c.vars[name]
		c.lib.use(c.lets[name]...)
	}
	return v, ok
}

func (c *compiler) hintVariable(name string, vars map[string]variable) string {
	near := nearest(name[1:], append(keys(vars), keys(c.vars)...))
	if near == "" {
		return ""
	}
	c.lib.use(c.lets[near]...)
	return hint(name, []string{"$" + near})
}

// declareAll reads what later statements depend on, wherever it stands in the chain, so
// that a base's lines see what an extending mapping sets.
func (c *compiler) declareAll(src *source) {
	c.src = src
	once := map[string]position{}
	for _, s := range src.statements {
		kind := statementKinds[s.word()]
		if kind == nil || kind.declare == nil {
			continue
		}
		m, err := read(c.expand(s, nil), kind.forms)
		if c.fail(err); err != nil {
			c.forgive(s)
			continue
		}
		if name := kind.names(m); name != "" {
			c.fail(twice(once, name, s.pos))
		}
		kind.declare(c, m)
	}
}

// twice refuses a second declaration of one name in a file.
func twice(once map[string]position, name string, pos position) error {
	first, dup := once[name]
	if !dup {
		once[name] = pos
		return nil
	}
	return pos.errorf("%s is declared twice, first in line %d", name, first.line)
}

func (c *compiler) let(m *match) {
	name, v := m.text("NAME"), m.token("VALUE")
	c.vars[name] = variable{v.text, v.quoted}
	c.lets[name] = append(c.lets[name], m.s.pos)
	c.lib.declare(m.s.pos, "nothing uses the variable $%s", name)
}

func (c *compiler) namespace(m *match) {
	prefix, uri := m.text("PREFIX"), m.text("VALUE")
	c.reader.namespaces[prefix] = uri
	c.prefixes[prefix] = append(c.prefixes[prefix], m.s.pos)
	c.lib.declare(m.s.pos, "nothing uses the namespace prefix %q", prefix)
	if elementsOf()[uri] == nil {
		c.fail(m.pos("VALUE").unknown("namespace", uri, keys(elementsOf())))
	}
}

func (c *compiler) overlay(m *match) { c.m.Overlay = m.text("NAME") }

func (c *compiler) kind(m *match) {
	c.m.Kind = handover.Kind(m.text("KIND"))
	c.fail(listed(m.pos("KIND"), "kind", m.text("KIND"), texts(handover.Kinds())))
}

// typePatterns are how the wires with mappings spell message types.
var typePatterns = map[handover.Wire]*regexp.Regexp{
	handover.WireHL7v2: regexp.MustCompile(`^[A-Z][A-Z0-9]{2}\^[A-Z][A-Z0-9]{2}$`),
	handover.WireKITH:  regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`),
}

var versionPattern = regexp.MustCompile(`^[0-9]+(\.[0-9]+)*$`)

func (c *compiler) takes(m *match) {
	c.m.Wire, c.m.Type, c.m.Version = handover.Wire(m.text("WIRE")), m.text("TYPE"), ""
	c.reader.wire = c.m.Wire
	pattern := typePatterns[c.m.Wire]
	if pattern == nil {
		c.fail(m.pos("WIRE").errorf("the wire %q has no mappings; hl7v2 and kith have", c.m.Wire))
		return
	}
	if m.has("TYPE") && !pattern.MatchString(c.m.Type) {
		c.fail(m.pos("TYPE").errorf("%q is no message type of %s", c.m.Type, c.m.Wire))
	}
	v := m.group("version")
	if v == nil {
		return
	}
	if c.m.Version = v.text("VERSION"); !versionPattern.MatchString(c.m.Version) {
		c.fail(v.pos("VERSION").errorf("%q is no version", c.m.Version))
	}
}

func (c *compiler) resource(m *match) {
	r := Resource{Type: m.text("TYPE"), Always: m.has("always"), pos: m.s.pos}
	r.Name, r.Repeated = strings.CutSuffix(m.text("NAME"), "-*")
	if r.Always = m.group("always") != nil; r.Always {
		c.lib.use(r.pos)
	}
	c.fail(listed(m.pos("TYPE"), "stored resource type", r.Type, fhir.StoredTypes()))
	if reserved[r.Name] {
		c.fail(m.pos("NAME").errorf("the name %q is taken", r.Name))
	}
	if _, dup := c.byName[r.Name]; dup {
		c.fail(m.pos("NAME").errorf("the resource %q is declared twice", r.Name))
		return
	}
	c.byName[r.Name] = len(c.m.Resources)
	c.m.Resources = append(c.m.Resources, r)
}

// reserved are names that places use for something else.
var reserved = map[string]bool{"header": true, "fact": true, "day": true, "event": true, "carried": true, "parent": true}

func (c *compiler) define(m *match) {
	name, args, ok := call(m.text("CALL"))
	if !ok || !strings.Contains(m.text("CALL"), "(") {
		c.fail(m.pos("CALL").errorf("expected: define NAME(PARAMETER, …) {"))
		return
	}
	if c.defines[name] != nil {
		c.fail(m.pos("CALL").errorf("the definition %q exists already", name))
	}
	d := &definition{name, m.s.pos, argTexts(args), m.s.body}
	c.defines[name] = d
	spelled := spell(d.body)
	for _, p := range d.params {
		if !slices.Contains(spelled, "$"+p) {
			c.fail(m.pos("CALL").errorf("the lines of %s do not use $%s", name, p))
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

// use compiles the lines of a definition with its parameters set.
func (c *compiler) use(m *match, sc scope) []Step {
	name, args, _ := call(m.text("CALL"))
	d := c.defines[name]
	if d == nil {
		c.fail(m.pos("CALL").errorf("there is no definition %q%s", name, c.hintDefinition(name)))
		return nil
	}
	c.lib.use(d.pos)
	switch {
	case len(d.params) != len(args):
		c.fail(m.pos("CALL").errorf("%s takes %d arguments, not %d", name, len(d.params), len(args)))
		return nil
	case c.uses == maxUses:
		c.fail(m.s.pos.errorf("definitions use each other more than %d deep", maxUses))
		return nil
	}
	vars := maps.Clone(sc.vars)
	if vars == nil {
		vars = map[string]variable{}
	}
	for i, p := range d.params {
		vars[p] = args[i]
	}
	sc.vars, sc.inner = vars, true
	c.uses++
	defer func() { c.uses-- }()
	return c.body(d.body, sc)
}

func (c *compiler) hintDefinition(name string) string {
	near := nearest(name, keys(c.defines))
	if near == "" {
		return ""
	}
	c.lib.use(c.defines[near].pos)
	return hint(name, []string{near})
}
