package language

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"stafett/fhir"
	"stafett/handover"
)

// source is one parsed mapping file.
type source struct {
	file, name, extends string
	pos                 position
	statements          []*statement
}

// library is everything that mapping files refer to by name.
type library struct {
	sources  map[string]*source
	concepts map[string]*conceptMap
}

const (
	maxExtends = 8
	maxUses    = 16
)

// compiler turns the statements of one mapping, its bases first, into a Program.
type compiler struct {
	lib     *library
	m       *Program
	reader  pathReader
	defines map[string]*definition
	byName  map[string]int
	isArray map[string]bool // by place, as the lines so far use it
	errs    []error
	uses    int
}

// variable is a value that $name stands for; quoted, it is a text and never a place.
type variable struct {
	text   string
	quoted bool
}

type definition struct {
	params []string
	body   []*statement
}

// scope is what a block adds: parameters, the inherited namespace, the order of children,
// and whether FHIR places may be relative.
type scope struct {
	vars     map[string]variable
	space    string
	shape    *Shape
	relative bool
	base     string // what relative FHIR places are spelled after in reports
	baseKey  string // the same without conditions, for the check of arrays
}

func (c *compiler) fail(err error) {
	if err != nil {
		c.errs = append(c.errs, err)
	}
}

// compile makes the mapping that src declares.
func (l *library) compile(src *source) (*Program, error) {
	chain := []*source{src}
	for s := src; s.extends != ""; {
		base := l.sources[s.extends]
		if base == nil {
			return nil, s.pos.errorf("it extends %q, which does not exist", s.extends)
		}
		if len(chain) == maxExtends || slices.Contains(chain, base) {
			return nil, s.pos.errorf("it extends itself, or more than %d mappings deep", maxExtends)
		}
		chain = append(chain, base)
		s = base
	}
	slices.Reverse(chain)
	c := &compiler{lib: l, m: &Program{Name: src.name, Shape: &Shape{}},
		defines: map[string]*definition{}, isArray: map[string]bool{}, byName: map[string]int{}}
	c.reader.namespaces = map[string]string{}
	vars := map[string]variable{}
	for _, s := range chain {
		c.declare(s, vars)
	}
	c.reader.wire = c.m.Wire
	if c.m.Wire == "" {
		c.fail(src.pos.errorf("takes WIRE [TYPE] is missing"))
	}
	if len(c.errs) > 0 {
		return nil, errors.Join(c.errs...)
	}
	sc := scope{vars: vars, shape: c.m.Shape}
	for _, s := range chain {
		c.head(s, sc)
	}
	for _, s := range chain {
		c.m.Steps = append(c.m.Steps, c.body(s.statements, sc)...)
	}
	if c.m.Wire == handover.WireKITH && c.m.Root.Name == "" {
		c.fail(src.pos.errorf("an XML mapping needs: root ELEMENT"))
	}
	return c.m, errors.Join(c.errs...)
}

var variablePattern = regexp.MustCompile(`\$[A-Za-z][A-Za-z0-9]*`)

// expand replaces $names in s's tokens.
func (c *compiler) expand(s *statement, vars map[string]variable) *statement {
	var out []token
	for i, t := range s.tokens {
		if !strings.Contains(t.text, "$") {
			continue
		}
		if out == nil {
			out = append(out, s.tokens...)
		}
		out[i].text = variablePattern.ReplaceAllStringFunc(t.text, func(name string) string {
			v, ok := vars[name[1:]]
			if !ok {
				c.fail(s.at(i).errorf("the variable %s is not set", name))
			}
			return v.text
		})
		if v, ok := vars[strings.TrimPrefix(t.text, "$")]; ok && t.text[0] == '$' {
			out[i].quoted = v.quoted
		}
	}
	if out == nil {
		return s
	}
	e := *s
	e.tokens = out
	return &e
}

// declare reads what later statements depend on, wherever it stands in the chain, so that
// a base's lines see what an extending mapping sets.
func (c *compiler) declare(src *source, vars map[string]variable) {
	ownEvents := false
	for _, s := range src.statements {
		switch s.word() {
		case "let":
			if c.want(s, 3, "let NAME VALUE") {
				v := c.expand(s, vars).tokens[2]
				vars[s.tokens[1].text] = variable{v.text, v.quoted}
			}
		case "namespace":
			if c.want(s, 3, "namespace PREFIX URI") {
				c.reader.namespaces[s.tokens[1].text] = c.expand(s, vars).tokens[2].text
			}
		case "takes":
			c.takes(s)
		case "overlay":
			if c.want(s, 2, "overlay NAME") {
				c.m.Overlay = s.tokens[1].text
			}
		case "kind":
			if c.want(s, 2, "kind KIND") {
				c.m.Kind = handover.Kind(s.tokens[1].text)
				if !slices.Contains(handover.Kinds(), c.m.Kind) {
					c.fail(s.at(1).errorf("there is no kind %q", c.m.Kind))
				}
			}
		case "event":
			if !ownEvents {
				c.m.Events, ownEvents = nil, true
			}
			c.event(s)
		case "resource":
			c.resource(s)
		case "define":
			c.define(s)
		}
	}
}

func (c *compiler) event(s *statement) {
	if len(s.tokens) < 2 || s.block {
		c.fail(s.pos.errorf("expected: event NAME [if PLACE = VALUE]"))
		return
	}
	e := handover.EventName(s.tokens[1].text)
	if !slices.Contains(handover.EventNames(), e) {
		c.fail(s.at(1).errorf("there is no event %q", e))
	}
	cond, rest := c.clauseIf(s.tokens[2:], s)
	if len(rest) > 0 {
		c.fail(s.at(2).errorf("expected: event NAME [if PLACE = VALUE]"))
	}
	c.m.Events = append(c.m.Events, EventRule{e, cond})
}

func (c *compiler) want(s *statement, n int, form string) bool {
	if len(s.tokens) != n || s.block {
		c.fail(s.pos.errorf("expected: %s", form))
		return false
	}
	return true
}

func (c *compiler) takes(s *statement) {
	n := len(s.tokens)
	if s.block || n < 2 || n > 5 || n == 4 || n == 5 && s.tokens[3].text != "version" {
		c.fail(s.pos.errorf("expected: takes WIRE [TYPE] [version VERSION]"))
		return
	}
	c.m.Wire, c.m.Type, c.m.Version = handover.Wire(s.tokens[1].text), "", ""
	if c.m.Wire != handover.WireHL7v2 && c.m.Wire != handover.WireKITH {
		c.fail(s.at(1).errorf("the wire %q has no mappings; hl7v2 and kith have", c.m.Wire))
	}
	if n > 2 {
		c.m.Type = s.tokens[2].text
	}
	if n == 5 {
		c.m.Version = s.tokens[4].text
	}
}

var typePattern = regexp.MustCompile(`^[A-Z][A-Za-z]+$`)

func (c *compiler) resource(s *statement) {
	if s.block || len(s.tokens) < 3 || len(s.tokens) > 4 || len(s.tokens) == 4 && s.tokens[3].text != "always" {
		c.fail(s.pos.errorf("expected: resource NAME TYPE [always]"))
		return
	}
	r := Resource{Name: s.tokens[1].text, Type: s.tokens[2].text, Always: len(s.tokens) == 4}
	r.Name, r.Repeated = strings.CutSuffix(r.Name, "-*")
	if !typePattern.MatchString(r.Type) {
		c.fail(s.at(2).errorf("%q is not a FHIR type", r.Type))
	}
	if slices.Contains([]string{"header", "fact", "day", "event", "carried"}, r.Name) {
		c.fail(s.at(1).errorf("the name %q is taken", r.Name))
	}
	if _, dup := c.byName[r.Name]; dup {
		c.fail(s.at(1).errorf("the resource %q is declared twice", r.Name))
		return
	}
	c.byName[r.Name] = len(c.m.Resources)
	c.m.Resources = append(c.m.Resources, r)
}

func (c *compiler) define(s *statement) {
	name, args, ok := "", []variable(nil), false
	if len(s.tokens) == 2 && s.block {
		name, args, ok = call(s.tokens[1].text)
	}
	if !ok {
		c.fail(s.pos.errorf("expected: define NAME(PARAMETER, …) {"))
		return
	}
	c.defines[name] = &definition{texts(args), s.body}
}

// call splits name(a, b).
func call(text string) (name string, args []variable, ok bool) {
	i := strings.IndexByte(text, '(')
	if i < 0 {
		return text, nil, text != ""
	}
	if i == 0 || !strings.HasSuffix(text, ")") {
		return "", nil, false
	}
	inner := strings.TrimSpace(text[i+1 : len(text)-1])
	if inner == "" {
		return text[:i], nil, true
	}
	for _, a := range splitComma(inner) {
		args = append(args, variable{unquote(a), strings.HasPrefix(a, `"`)})
	}
	return text[:i], args, true
}

func texts(args []variable) []string {
	var out []string
	for _, a := range args {
		out = append(out, a.text)
	}
	return out
}

// head reads what needs all declarations: the document element, the keys, the order.
func (c *compiler) head(src *source, sc scope) {
	for _, s := range src.statements {
		switch s.word() {
		case "root":
			if c.want(s, 2, "root ELEMENT") {
				steps, err := c.reader.readSteps(s.at(1), s.tokens[1].text, "")
				if err != nil || len(steps) != 1 {
					c.fail(errors.Join(err, nil))
					continue
				}
				c.m.Root = steps[0]
			}
		case "key":
			c.key(c.expand(s, sc.vars))
		}
	}
}

// key reads: key NAME = PART + PART | PART …
func (c *compiler) key(s *statement) {
	if s.block || len(s.tokens) < 4 || s.tokens[2].text != "=" {
		c.fail(s.pos.errorf("expected: key NAME = PLACE [+ PLACE] [| PLACE]"))
		return
	}
	res, ok := c.byName[s.tokens[1].text]
	if !ok {
		c.fail(s.at(1).errorf("there is no resource %q", s.tokens[1].text))
		return
	}
	var keys [][]KeyPart
	for _, alternative := range c.alternatives(s, 3, len(s.tokens)) {
		var parts []KeyPart
		for _, i := range alternative {
			t := s.tokens[i]
			part := KeyPart{KeyOf: -1, Text: t.text}
			if other, found := strings.CutSuffix(t.text, ".key"); found && !t.quoted {
				if part.KeyOf, found = c.byName[other]; !found || part.KeyOf >= res {
					c.fail(s.at(i).errorf("there is no resource %q declared before", other))
				}
			} else if !t.quoted {
				p, err := readPlace(s.at(i), t.text, c.byName)
				c.fail(err)
				part.Place = &p
			}
			parts = append(parts, part)
		}
		keys = append(keys, parts)
	}
	c.m.Resources[res].Keys = keys
}

// alternatives splits the tokens [from, to) at | into alternatives and at + into parts,
// as token indexes.
func (c *compiler) alternatives(s *statement, from, to int) [][]int {
	var out [][]int
	var parts []int
	wantPart := true
	for i := from; i < to; i++ {
		t := s.tokens[i]
		switch {
		case wantPart:
			parts, wantPart = append(parts, i), false
		case !t.quoted && t.text == "+":
			wantPart = true
		case !t.quoted && t.text == "|":
			out, parts, wantPart = append(out, parts), nil, true
		default:
			c.fail(s.at(i).errorf("expected + or |"))
			return nil
		}
	}
	if wantPart {
		c.fail(s.pos.errorf("a part is missing at the end"))
	}
	return append(out, parts)
}

// body compiles the statements of a mapping or a block.
func (c *compiler) body(statements []*statement, sc scope) []Step {
	var out []Step
	for _, raw := range statements {
		s := c.expand(raw, sc.vars)
		word := s.word()
		if s.tokens[0].quoted {
			word = ""
		}
		switch word {
		case "mapping", "extends", "takes", "overlay", "kind", "event", "let", "namespace", "resource", "define", "root", "key":
			if sc.relative || sc.shape != c.m.Shape {
				c.fail(s.pos.errorf("%s cannot stand in a block", word))
			}
		case "use":
			out = append(out, c.use(s, sc)...)
		case "order":
			c.order(s, sc)
		case "in":
			out = append(out, c.in(s, sc)...)
		case "each":
			out = append(out, c.each(s, sc)...)
		case "join":
			out = append(out, c.line(s, 1, StepJoin, sc)...)
		case "number":
			c.number(s, sc)
			out = append(out, c.ignore(s, sc)...)
		case "fhir":
			out = append(out, c.fhir(s, sc)...)
		case "message":
			out = append(out, c.message(s, sc)...)
		case "ignore", "carry":
			out = append(out, c.ignore(s, sc)...)
		case "require", "expect":
			c.require(s)
		default:
			out = append(out, c.line(s, 0, StepLine, sc)...)
		}
	}
	return out
}

func (c *compiler) use(s *statement, sc scope) []Step {
	name, args, ok := "", []variable(nil), false
	if len(s.tokens) == 2 && !s.block {
		name, args, ok = call(s.tokens[1].text)
	}
	if !ok {
		c.fail(s.pos.errorf("expected: use NAME(ARGUMENT, …)"))
		return nil
	}
	d := c.defines[name]
	switch {
	case d == nil:
		c.fail(s.at(1).errorf("there is no definition %q", name))
		return nil
	case len(d.params) != len(args):
		c.fail(s.at(1).errorf("%s takes %d arguments", name, len(d.params)))
		return nil
	case c.uses == maxUses:
		c.fail(s.pos.errorf("definitions use each other more than %d deep", maxUses))
		return nil
	}
	vars := make(map[string]variable, len(sc.vars)+len(args))
	for k, v := range sc.vars {
		vars[k] = v
	}
	for i, p := range d.params {
		vars[p] = args[i]
	}
	sc.vars = vars
	c.uses++
	out := c.body(d.body, sc)
	c.uses--
	return out
}

// path reads a message place and notes its order.
func (c *compiler) path(pos position, text string, sc scope) (MsgPath, scope) {
	p, err := c.reader.readMsgPath(pos, text, sc.space)
	c.fail(err)
	inner := sc
	if p.Absolute {
		inner.shape, inner.space = c.m.Shape, ""
	}
	for _, st := range p.Steps {
		if st.Self {
			continue
		}
		inner.shape = inner.shape.child(st.Name, st.Space)
		for _, f := range st.Filters {
			at := inner.shape
			for _, fs := range f.Path {
				at = at.child(fs.Name, fs.Space)
			}
		}
		if st.Name[0] != '@' {
			inner.space = st.Space
		}
	}
	return p, inner
}

func (c *compiler) place(pos position, t token, sc scope) Place {
	if t.quoted {
		c.fail(pos.errorf("expected a FHIR place, not a quoted text"))
		return Place{Root: RootDay}
	}
	p, err := readPlace(pos, t.text, c.byName)
	c.fail(err)
	if err == nil && p.Root == RootRelative && !sc.relative {
		c.fail(pos.errorf("%q starts with no declared resource, and no block gives it one", t.text))
	}
	c.arrays(pos, p, sc)
	if p.Root == RootRelative && sc.base != "" {
		p.Text = sc.base + "." + strings.TrimPrefix(t.text, ".")
	}
	return p
}

// arrays refuses a member that is an array in one line and none in another: the second
// would find no room for its value.
func (c *compiler) arrays(pos position, p Place, sc scope) {
	key := c.placeKey(p, sc)
	if key == "" {
		return
	}
	key = key[:len(key)-len(joinNames(p.Steps))]
	for i := range p.Steps {
		key += "." + p.Steps[i].Name
		if was, known := c.isArray[key]; known && was != p.Steps[i].Array {
			c.fail(pos.errorf("%s is an array in one line and not in another", strings.TrimPrefix(key, ".")))
			return
		}
		c.isArray[key] = p.Steps[i].Array
	}
}

// placeKey spells a place of a resource without conditions.
func (c *compiler) placeKey(p Place, sc scope) string {
	switch p.Root {
	case RootResource:
		return c.m.Resources[p.Resource].Name + joinNames(p.Steps)
	case RootRelative:
		return sc.baseKey + joinNames(p.Steps)
	}
	return ""
}

func joinNames(steps []FHIRStep) string {
	var b strings.Builder
	for i := range steps {
		b.WriteString("." + steps[i].Name)
	}
	return b.String()
}

func (c *compiler) order(s *statement, sc scope) {
	if s.block || len(s.tokens) < 3 {
		c.fail(s.pos.errorf("expected: order PLACE NAME NAME …"))
		return
	}
	_, inner := c.path(s.at(1), s.tokens[1].text, sc)
	if s.tokens[1].text == "." {
		inner = sc
	}
	for i := 2; i < len(s.tokens); i++ {
		steps, err := c.reader.readSteps(s.at(i), s.tokens[i].text, inner.space)
		c.fail(err)
		if len(steps) == 1 {
			inner.shape.child(steps[0].Name, steps[0].Space)
		}
	}
}

// clauseIf reads a trailing "if [not] PLACE [= VALUE]" and returns what stands before it.
func (c *compiler) clauseIf(tokens []token, s *statement) (*Condition, []token) {
	for i, t := range tokens {
		if t.quoted || t.text != "if" {
			continue
		}
		rest := tokens[i+1:]
		cond := &Condition{}
		if len(rest) > 0 && !rest[0].quoted && rest[0].text == "not" {
			cond.Negate, rest = true, rest[1:]
		}
		pos := s.pos
		pos.column = t.column
		if len(rest) == 3 && !rest[1].quoted && (rest[1].text == "=" || rest[1].text == "!=") {
			cond.Equals, cond.Value = true, rest[2].text
			if rest[1].text == "!=" {
				cond.Negate = !cond.Negate
			}
			rest = rest[:1]
		}
		if len(rest) != 1 || rest[0].quoted {
			c.fail(pos.errorf("expected: if [not] PLACE, or if PLACE = VALUE"))
			return nil, tokens[:i]
		}
		p, err := readPlace(pos, rest[0].text, c.byName)
		c.fail(err)
		if err == nil && p.Root == RootRelative && rest[0].text[0] != '.' {
			c.fail(pos.errorf("%q starts with no declared resource; a place of the block starts with a dot", rest[0].text))
		}
		cond.Place = p
		return cond, tokens[:i]
	}
	return nil, tokens
}

func (c *compiler) converter(pos position, text string) *Converter {
	name, args, ok := call(text)
	spec := converters[name]
	if !ok || spec == nil {
		c.fail(pos.errorf("there is no converter %q", text))
		return nil
	}
	conv, err := spec(texts(args), c.lib.concepts)
	if err != nil {
		c.fail(pos.errorf("converter %s: %v", name, err))
		return nil
	}
	conv.Name = name
	return conv
}

// textConverters are what a line without a converter uses, by the FHIR type of its place.
var (
	textConverter = &Converter{Name: "text", Kind: fhir.KindString, To: same, From: same}
	codeConverter = &Converter{Name: "code", Kind: fhir.KindString, To: toCode, From: same}
	uriConverter  = &Converter{Name: "uri", Kind: fhir.KindString, To: toURI, From: same}
)

// plainConverter chooses by the name that code and uri places have in FHIR.
func plainConverter(p Place) *Converter {
	if n := len(p.Steps); n > 0 {
		switch p.Steps[n-1].Name {
		case "code", "contentType":
			return codeConverter
		case "system":
			return uriConverter
		}
	}
	return textConverter
}
