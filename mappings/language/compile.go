package language

import (
	"errors"
	"maps"
	"slices"
)

// compiler turns the statements of one mapping, its bases first, into a Program. Each part
// knows those above it alone; what is said of the mapping gathers in declarations.
type compiler struct {
	*declarations
	*places
	*paths
	*references
	*lines
	*rules
	blocks map[int][]*block // those of each repeated resource
	uses   int
}

const (
	maxExtends = 8
	maxUses    = 16
)

func newCompiler(l *library, src *source) *compiler {
	d := &declarations{mistakes: &mistakes{}, lib: l, m: &Program{Name: src.name, Shape: &Shape{}, Everywhere: map[string]string{}}, vars: map[string]variable{},
		prefixes: map[string][]position{}, lets: map[string][]position{}, namespaces: map[string]string{},
		defines: map[string]*definition{}, byName: map[string]int{}}
	fhirPlaces, msgPaths, refs := &places{d}, &paths{d}, &references{d}
	return &compiler{declarations: d, places: fhirPlaces, paths: msgPaths, references: refs,
		lines: &lines{d, fhirPlaces, msgPaths, refs, &conversions{declarations: d, mapped: map[string][]*Converter{}}},
		rules: &rules{declarations: d, places: fhirPlaces, paths: msgPaths}, blocks: map[int][]*block{}}
}

// compile makes the mapping that src declares.
func (l *library) compile(src *source) (*Program, error) {
	chain, err := l.chain(src)
	if err != nil {
		return nil, err
	}
	c := newCompiler(l, src)
	for _, s := range chain {
		c.declareAll(s)
	}
	if c.notation == nil {
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
	if c.notation.rooted && c.m.Root.Name == "" {
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
		if err != nil {
			c.refuse(s, err)
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
