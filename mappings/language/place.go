package language

import (
	"strconv"
	"strings"

	"stafett/conformance"
	"stafett/fhir"
	"stafett/handover"
	"stafett/mappings/account"
)

// target is a place in the canonical form with the type of what stands there.
type target struct {
	Place
	typ conformance.Type
}

// rooted are the first words of places that are in no resource.
var rooted = map[string]RootKind{"header": RootHeader, "fact": RootFact, "day": RootDay, "event": RootEvent}

// readPlace reads a spelled place and checks its names. Relative places start at sc.
func (c *compiler) readPlace(pos position, text string, sc scope) (target, error) {
	first, tail, _ := strings.Cut(text, ".")
	if root, ok := rooted[first]; ok {
		return readRooted(pos, root, text, tail)
	}
	t := target{Place: Place{Text: text}, typ: sc.typ}
	rest := strings.TrimPrefix(text, ".")
	if i, ok := c.byName[plainName(first)]; ok && first != "" {
		r := &c.m.Resources[i]
		c.lib.use(r.pos)
		if r.Repeated {
			return t, pos.errorf("%s-* is repeated: its places stand in its block", r.Name)
		}
		t.Root, t.Resource, rest = RootResource, i, tail
		t.typ, _ = conformance.ResourceType(r.Type)
	}
	if t.Root == RootRelative && !sc.relative {
		return t, pos.errorf("%q starts with no declared resource, and no block gives it one%s", text, c.hintResource(first))
	}
	if rest == "" && t.Root == RootRelative {
		return t, pos.errorf("a place in the canonical form is missing")
	}
	return c.below(pos, t, rest)
}

// plainName is a resource's name without the star of a repeated one.
func plainName(name string) string { return strings.TrimSuffix(name, "-*") }

// hintResource names the resource that may be meant. That one then counts as used: one
// mistake is told once.
func (c *compiler) hintResource(name string) string {
	near := nearest(name, c.resourceNames())
	if near == "" {
		return ""
	}
	c.lib.use(c.m.Resources[c.byName[plainName(near)]].pos)
	return hint(name, []string{near})
}

func (c *compiler) resourceNames() []string {
	var out []string
	for i := range c.m.Resources {
		out = append(out, c.m.Resources[i].spelled())
	}
	return out
}

// below reads the steps after a place's root.
func (c *compiler) below(pos position, t target, rest string) (target, error) {
	if rest == "" {
		return t, nil
	}
	steps, err := readFHIRSteps(pos, rest)
	if err != nil {
		return t, err
	}
	t.Steps = steps
	t.typ, err = follow(pos, t.typ, steps)
	return t, err
}

// readRooted reads header.…, fact.…, day and event.
func readRooted(pos position, root RootKind, text, name string) (target, error) {
	t := target{Place: Place{Root: root, Name: name, Text: text}, typ: conformance.PrimitiveType("string")}
	switch root {
	case RootHeader:
		return t, headerName(pos, name)
	case RootFact:
		return t.fact(pos)
	case RootDay:
		t.typ = conformance.PrimitiveType("date")
	}
	if name != "" {
		return t, pos.errorf("%q has no parts", strings.TrimSuffix(text, "."+name))
	}
	return t, nil
}

func headerName(pos position, name string) error {
	if (&account.Header{}).Value(name) == nil {
		return pos.errorf("the header has no value named %q%s", name, hint(name, account.HeaderNames()))
	}
	return nil
}

func (t target) fact(pos position) (target, error) {
	typ, ok := account.FactType(t.Name)
	if !ok {
		return t, pos.unknown("fact", t.Name, account.FactNames())
	}
	t.typ = conformance.PrimitiveType(typ)
	return t, nil
}

// follow checks steps against the element table and returns the type they lead to.
func follow(pos position, t conformance.Type, steps []FHIRStep) (conformance.Type, error) {
	for i := range steps {
		s := &steps[i]
		if t.Any() || t.Name() == "" {
			return t, nil // only the content says what it is, or a mistake around it is told
		}
		m, ok := t.Member(s.Name)
		if !ok {
			return t, pos.errorf("%s has no element %q%s", t.Name(), s.Name, hint(s.Name, t.Members()))
		}
		if err := arrayShows(pos, t, s, m.Many); err != nil {
			return t, err
		}
		if err := followFilters(pos, m.Type, s.Filters); err != nil {
			return t, err
		}
		t = m.Type
	}
	return t, nil
}

// arrayShows refuses an array that does not show, and a bracket where there is none: the
// value would find no room.
func arrayShows(pos position, t conformance.Type, s *FHIRStep, many bool) error {
	if s.Array == many {
		return nil
	}
	if many {
		return pos.errorf("%s.%s is an array: write %s[0], or what chooses an item", t.Name(), s.Name, s.Name)
	}
	return pos.errorf("%s.%s is no array", t.Name(), s.Name)
}

func followFilters(pos position, item conformance.Type, filters []FHIRFilter) error {
	for i := range filters {
		f := &filters[i]
		t, err := follow(pos, item, f.Path)
		if err != nil {
			return err
		}
		if wrong := t.Check(fhir.Str(f.Value)); wrong != "" || !t.Primitive() {
			return pos.errorf("the condition [%s=%s] can never hold: %s", f.Path[len(f.Path)-1].Name, f.Value,
				either(t.Primitive(), wrong, "a "+t.Name()+" is no value"))
		}
	}
	return nil
}

func readFHIRSteps(pos position, text string) ([]FHIRStep, error) {
	parts := splitOutside(text, ".")
	var steps []FHIRStep
	for _, part := range parts {
		name, brackets, err := splitBrackets(pos, part)
		if err != nil {
			return nil, err
		}
		if name == "" || len(brackets) > 1 {
			return nil, pos.errorf("%q is not a step of a FHIR place", part)
		}
		s := FHIRStep{Name: name, Array: len(brackets) == 1}
		if s.Array {
			if err := s.readBracket(pos, brackets[0]); err != nil {
				return nil, err
			}
		}
		steps = append(steps, s)
	}
	return steps, nil
}

func (s *FHIRStep) readBracket(pos position, b string) error {
	if s.Append = b == ""; s.Append {
		return nil
	}
	if n, err := strconv.Atoi(b); err == nil && n >= 0 && n < 1000 {
		s.Index = n
		return nil
	}
	for _, f := range splitComma(b) {
		key, value, ok := cutOutside(f, "=")
		if !ok {
			return pos.errorf("the condition [%s] needs the form place=value", f)
		}
		path, err := readFHIRSteps(pos, strings.TrimSpace(key))
		if err != nil {
			return err
		}
		s.Filters = append(s.Filters, FHIRFilter{path, unquote(value)})
	}
	return nil
}

// cutOutside cuts at the first sep outside of brackets.
func cutOutside(s, sep string) (before, after string, ok bool) {
	parts := splitOutside(s, sep)
	return parts[0], strings.TrimPrefix(s[len(parts[0]):], sep), len(parts) > 1
}

// value is a place whose content is one value.
func (c *compiler) value(pos position, t target) target {
	switch {
	case t.typ.Primitive(), t.typ.Any(), t.typ.Name() == "":
	default:
		c.fail(pos.errorf("%s is a %s, not a value: name one of its elements", t.Text, t.typ.Name()))
	}
	return t
}

// place reads a FHIR place. A [] in it stands only where each repetition is meant.
func (c *compiler) place(pos position, t token, sc scope) target {
	if t.quoted {
		c.fail(pos.errorf("expected a FHIR place, not a quoted text"))
		return target{Place: Place{Root: RootDay}}
	}
	out, err := c.readPlace(pos, t.text, sc)
	if c.fail(err); err != nil {
		out.typ = conformance.Type{} // one mistake is told once
	}
	if out.Root == RootRelative && sc.base != "" {
		out.Text = sc.base + "." + strings.TrimPrefix(t.text, ".")
	}
	return out
}

// single is a place without [].
func (c *compiler) single(pos position, t token, sc scope) target {
	out := c.place(pos, t, sc)
	for i := range out.Steps {
		if out.Steps[i].Append {
			c.fail(pos.errorf("%s[] means every item: it stands in each and with ref() alone", out.Steps[i].Name))
		}
	}
	return out
}

// inResource refuses a place that is in no resource.
func (c *compiler) inResource(pos position, t target, what string) {
	if t.Root != RootRelative && t.Root != RootResource {
		c.fail(pos.errorf("%s needs a place in a resource", what))
	}
}

// codesOf checks a constant against the few values that a place can have.
func (c *compiler) codesOf(pos position, t target, value string) {
	known := account.Codes(t.Text)
	if t.Root == RootEvent {
		known = texts(handover.EventNames())
	}
	if known != nil {
		c.fail(listed(pos, "value of "+t.Text, value, known))
	}
}
