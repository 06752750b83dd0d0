package language

import (
	"maps"
	"slices"
	"strings"

	"stafett/conformance"
	"stafett/fhir"
	"stafett/handover"
	"stafett/mappings/account"
)

// condition reads a statement's "if [not] PLACE [= VALUE]"; nil where it has none. A place of
// the block starts with a dot, so that it cannot be taken for a resource.
func (c *compiler) condition(m *match, sc scope) *Condition {
	g := m.group("if")
	if g == nil {
		return nil
	}
	pos, t := g.pos("PLACE"), g.token("PLACE")
	place := c.single(pos, t, sc)
	if place.Root == RootRelative && !strings.HasPrefix(t.text, ".") && sc.relative {
		c.fail(pos.errorf("%q starts with no declared resource; a place of the block starts with a dot%s", t.text, c.hintResource(firstName(t.text))))
	}
	cond := &Condition{Place: place.Place, Negate: g.group("not") != nil}
	equals, unequal := g.group("=|!="), false
	if equals != nil {
		unequal = equals.text("=|!=") == "!="
		cond.Equals, cond.Value = true, equals.text("VALUE")
		c.codesOf(equals.pos("VALUE"), place, cond.Value)
	}
	cond.Negate = cond.Negate != unequal
	return cond
}

func firstName(text string) string {
	first, _, _ := strings.Cut(text, ".")
	return first
}

func (c *compiler) line(m *match, sc scope) []Step { return c.correspondence(m, StepLine, sc) }
func (c *compiler) join(m *match, sc scope) []Step { return c.correspondence(m, StepJoin, sc) }

// correspondence compiles: [join] PLACE = FHIR PLACE [: converter] [else …] [only …] [if …]
func (c *compiler) correspondence(m *match, kind StepKind, sc scope) []Step {
	st := Step{Kind: kind, HasPlace: true, Condition: c.condition(m, sc)}
	var below scope
	st.Message, below = c.path(m.pos("MESSAGE"), m.text("MESSAGE"), sc)
	if st.Message.Steps != nil {
		c.holdsValue(m, below)
	}
	t := c.value(m.pos("FHIR"), c.single(m.pos("FHIR"), m.token("FHIR"), sc))
	st.Place = t.Place
	if only := m.group("only"); only != nil {
		st.ToOnly, st.FromOnly = only.text("to|from") == "to", only.text("to|from") == "from"
		st.Reason = only.text("REASON")
	}
	st.Converter = c.lineConverter(m, t, st.FromOnly)
	for _, g := range m.groups["else"] {
		st.Else = append(st.Else, c.elsePart(g, &st, sc))
	}
	if !st.ToOnly && !st.FromOnly {
		c.ofRepetition(m.pos("FHIR"), t, sc)
	}
	c.mapped[t.Text] = append(c.mapped[t.Text], st.Converter)
	c.m.Lines = append(c.m.Lines, Correspondence{File: m.s.pos.file, Line: m.s.pos.line,
		Message: st.Message.Text, FHIR: st.Place.Text, To: !st.FromOnly, From: !st.ToOnly, Reason: st.Reason})
	return []Step{st}
}

// holdsValue refuses a whole segment as the place of a value.
func (c *compiler) holdsValue(m *match, below scope) {
	if below.origin.spot.level == levelSegment {
		c.fail(m.pos("MESSAGE").errorf("%s is a segment: a value is in a field", m.text("MESSAGE")))
	}
}

// lineConverter is the line's own converter, or what its FHIR type takes without one. Where
// nothing is written to FHIR, any converter fits.
func (c *compiler) lineConverter(m *match, t target, fromOnly bool) *Converter {
	g, typ := m.group(":"), t.typ
	if fromOnly {
		t.typ = conformance.Type{}
	}
	if g == nil {
		c.fits(m.pos("FHIR"), textConverter, t)
		return plainConverter(typ)
	}
	if conv := c.converter(g, t); conv != nil {
		return conv
	}
	return textConverter
}

// converter reads ": NAME(ARGUMENTS)"; nil where the line has none, or a wrong one.
func (c *compiler) converter(g *match, t target) *Converter {
	if g == nil {
		return nil
	}
	pos := g.pos(":")
	name, args, ok := call(g.text("CONVERTER"))
	spec := converters[name]
	if !ok || spec == nil {
		c.fail(pos.unknown("converter", g.text("CONVERTER"), converterNames()))
		return nil
	}
	conv, err := spec(argTexts(args), c.lib.concepts)
	if err != nil {
		c.fail(pos.errorf("converter %s: %v", name, err))
		return nil
	}
	conv.Name = name
	c.fits(pos, conv, t)
	return conv
}

// fits refuses a converter whose values a place cannot hold.
func (c *compiler) fits(pos position, conv *Converter, t target) {
	if !t.typ.Primitive() || slices.Contains(conv.makes(), t.typ.Name()) {
		return
	}
	if conv == textConverter {
		c.fail(pos.errorf("%s is a %s: the line needs a converter, one of %s", t.Text, t.typ.Name(), strings.Join(fitting(t.typ.Name()), ", ")))
		return
	}
	c.fail(pos.errorf("converter %s does not make a %s, which %s is", conv.Name, t.typ.Name(), t.Text))
}

// elsePart reads: else "constant", or else PLACE [: converter].
func (c *compiler) elsePart(g *match, st *Step, sc scope) ElsePart {
	pos, t := g.pos("VALUE"), g.token("VALUE")
	if t.quoted {
		if m := st.Converter.concept; m != nil {
			c.fail(listed(pos, "code in concept map "+m.name, t.text, m.wireCodes()))
		}
		return ElsePart{Constant: t.text}
	}
	place := c.value(pos, c.single(pos, t, sc))
	part := ElsePart{Place: &place.Place, Converter: c.converter(g.group(":"), place)}
	if g.group(":") == nil {
		c.fits(pos, st.Converter, place)
	}
	return part
}

// fhir compiles: fhir PLACE = "constant" | true | false | ref(NAME) | PLACE [: converter] [if …]
func (c *compiler) fhir(m *match, sc scope) []Step {
	v := m.token("VALUE")
	name, args, isCall := call(v.text)
	isRef := !v.quoted && isCall && name == "ref" && len(args) == 1
	t := either(isRef, c.place, c.single)(m.pos("FHIR"), m.token("FHIR"), sc)
	c.inResource(m.pos("FHIR"), t, "a constant")
	st := Step{Kind: StepFHIR, Place: t.Place, HasPlace: true, Condition: c.condition(m, sc)}
	constant := constantOf(v)
	switch {
	case isRef:
		return c.refer(m, args[0].text, &st, t, sc)
	case constant != nil:
		st.Constant = constant
		c.constant(m, t, constant)
	default:
		source := c.value(m.pos("VALUE"), c.single(m.pos("VALUE"), v, sc))
		st.Source, st.Converter = &source.Place, c.converter(m.group(":"), t)
	}
	c.value(m.pos("FHIR"), t)
	return []Step{st}
}

// constantOf is a quoted text, or true or false; nil for a place.
func constantOf(v token) *fhir.Node {
	switch {
	case v.quoted:
		return fhir.Str(v.text)
	case v.text == "true", v.text == "false":
		return fhir.Bool(v.text == "true")
	}
	return nil
}

// constant checks a constant: it must be a value of its element's type, and references
// between resources are spelled by name.
func (c *compiler) constant(m *match, t target, v *fhir.Node) {
	if wrong := t.typ.Check(v); wrong != "" {
		c.fail(m.pos("VALUE").errorf("%s is a %s: %s", t.Text, t.typ.Name(), wrong))
	}
	if name, local := strings.CutPrefix(v.Text, account.ReferencePrefix); local && isReference(t, m.text("FHIR")) {
		c.fail(m.pos("VALUE").errorf("a reference to a resource of the mapping is written ref(%s)", name))
	}
	c.constants = append(c.constants, codedConstant{m.pos("VALUE"), t.Text, v.Text})
}

// codedConstant is a constant that may have to be a code of a concept map.
type codedConstant struct {
	pos         position
	place, text string
}

// codes checks the constants of places that lines map through one concept map alone.
func (c *compiler) codes() {
	for _, k := range c.constants {
		for _, conv := range c.mapped[k.place] {
			if len(c.mapped[k.place]) == 1 && conv.concept != nil {
				c.fail(listed(k.pos, "code in concept map "+conv.concept.name, k.text, conv.concept.fhirCodes()))
			}
		}
	}
}

func localReference(name string) *fhir.Node { return fhir.Str(account.ReferencePrefix + name) }

// message compiles: message PLACE = "constant" ["reason"] [if …]
func (c *compiler) message(m *match, sc scope) []Step {
	st := Step{Kind: StepMessage, Value: m.text("VALUE"), Condition: c.condition(m, sc)}
	if g := m.group("REASON"); g != nil {
		st.Reason = g.text("REASON")
	}
	st.Message, _ = c.path(m.pos("MESSAGE"), m.text("MESSAGE"), sc)
	return []Step{st}
}

// ignore compiles ignore, and the reading side of number.
func (c *compiler) ignore(m *match, sc scope) []Step {
	switch {
	case m.has("NAME"):
		c.fail(anywhere(m.pos("NAME"), m.text("NAME"), c.m.Wire))
		c.m.Everywhere = append(c.m.Everywhere, IgnoredName{m.text("NAME"), m.text("REASON")})
		return nil
	case m.has("FHIR"):
		t := c.place(m.pos("FHIR"), m.token("FHIR"), sc)
		c.inResource(m.pos("FHIR"), t, "ignore fhir")
		return []Step{{Kind: StepIgnoreFHIR, Place: t.Place, HasPlace: true, Reason: m.text("REASON")}}
	}
	st := Step{Kind: StepIgnore, Reason: m.text("REASON")}
	st.Message, _ = c.path(m.pos("MESSAGE"), m.text("MESSAGE"), sc)
	return []Step{st}
}

// anywhere checks a name that is ignored in every place: in XML, one of some namespace.
func anywhere(pos position, name string, wire handover.Wire) error {
	if wire == handover.WireHL7v2 {
		return pos.errorf("parts of HL7 v2 have numbers: name the place instead")
	}
	return listed(pos, "element or attribute", name, slices.Concat(slices.Collect(maps.Values(elementsOf()))...))
}

func (c *compiler) carry(m *match, sc scope) []Step {
	st := Step{Kind: StepIgnore, Always: true}
	if g := m.group("REASON"); g != nil {
		st.Reason = g.text("REASON")
	}
	st.Message, _ = c.path(m.pos("MESSAGE"), m.text("MESSAGE"), sc)
	return []Step{st}
}

// number compiles: number PLACE "reason"; the place counts the repetitions of its parent.
func (c *compiler) number(m *match, sc scope) []Step {
	p, _ := c.path(m.pos("MESSAGE"), m.text("MESSAGE"), sc)
	if len(p.Steps) != 2 {
		c.fail(m.pos("MESSAGE").errorf("number needs a field of a segment"))
		return nil
	}
	c.m.Numbers = append(c.m.Numbers, p)
	return c.ignore(m, sc)
}

func (c *compiler) order(m *match, sc scope) []Step {
	_, inner := c.path(m.pos("PLACE"), m.text("PLACE"), sc)
	for _, i := range m.at["PARTS"] {
		steps, _, err := c.reader.readSteps(m.s.at(i), m.s.tokens[i].text, inner.origin)
		c.fail(err)
		for k := range steps {
			inner.shape.below(&steps[k])
		}
	}
	return nil
}

// root compiles: root ELEMENT, the document element of XML.
func (c *compiler) root(m *match, _ scope) []Step {
	if c.rootOf == c.src {
		c.fail(m.s.pos.errorf("root is declared twice"))
	}
	steps, _, err := c.reader.readSteps(m.pos("ELEMENT"), m.text("ELEMENT"), origin{})
	if c.fail(err); err == nil {
		c.m.Root, c.rootOf = steps[0], c.src
	}
	return nil
}

// event compiles: event NAME [if …]. A file's own events take the place of its bases'.
func (c *compiler) event(m *match, sc scope) []Step {
	if c.eventsOf != c.src {
		c.m.Events, c.eventsOf = nil, c.src
	}
	c.fail(listed(m.pos("EVENT"), "event", m.text("EVENT"), texts(handover.EventNames())))
	if n := len(c.m.Events); n > 0 && c.m.Events[n-1].Condition == nil {
		c.fail(m.s.pos.errorf("the event before holds always: this one is never reached"))
	}
	c.m.Events = append(c.m.Events, EventRule{handover.EventName(m.text("EVENT")), c.condition(m, sc)})
	return nil
}

// key compiles: key NAME = PART + PART | PART …
func (c *compiler) key(m *match, sc scope) []Step {
	name := m.text("NAME")
	res, ok := c.byName[name]
	if !ok {
		c.fail(m.pos("NAME").errorf("there is no resource %q%s", name, c.hintResource(name)))
		return nil
	}
	r := &c.m.Resources[res]
	if r.Repeated {
		c.fail(m.pos("NAME").errorf("%s is repeated: its repetitions have no key", r.spelled()))
	}
	if r.Keys != nil {
		c.fail(m.pos("NAME").errorf("the resource %q has a key already", name))
	}
	sc.relative, sc.base = true, ""
	sc.typ, _ = conformance.ResourceType(r.Type)
	for _, alternative := range c.alternatives(m) {
		var parts []KeyPart
		for _, i := range alternative {
			parts = append(parts, c.keyPart(m.s.at(i), m.s.tokens[i], res, sc))
		}
		r.Keys = append(r.Keys, parts)
	}
	return nil
}

func (c *compiler) keyPart(pos position, t token, res int, sc scope) KeyPart {
	part := KeyPart{KeyOf: -1, Text: t.text}
	other, isKey := strings.CutSuffix(t.text, ".key")
	switch {
	case t.quoted:
	case isKey:
		i, ok := c.byName[other]
		if part.KeyOf = i; !ok || i >= res {
			c.fail(pos.errorf("there is no resource %q declared before%s", other, c.hintResource(other)))
		}
	default:
		place := c.value(pos, c.single(pos, t, sc))
		part.Place = &place.Place
	}
	return part
}

// alternatives splits PARTS at | into alternatives and at + into parts, as token indexes.
func (c *compiler) alternatives(m *match) [][]int {
	out := [][]int{nil}
	wantPart := true
	for _, i := range m.at["PARTS"] {
		t, last := m.s.tokens[i], len(out)-1
		switch {
		case wantPart:
			out[last], wantPart = append(out[last], i), false
		case t.text == "+" && !t.quoted:
			wantPart = true
		case t.text == "|" && !t.quoted:
			out, wantPart = append(out, nil), true
		default:
			c.fail(m.s.at(i).errorf("expected + or |"))
			return nil
		}
	}
	if wantPart {
		c.fail(m.s.pos.errorf("a part is missing at the end"))
	}
	return out
}

// require compiles: require PLACE + PLACE | PLACE : FAULT "text" at PATH, and expect, which
// is asked of arriving messages alone.
func (c *compiler) require(m *match, sc scope) []Step {
	r := Require{ToOnly: m.s.word() == "expect", Kind: handover.FaultKind(m.text("FAULT")), Text: m.text("TEXT"), Path: m.text("PATH")}
	c.fail(listed(m.pos("FAULT"), "fault kind", m.text("FAULT"), texts(handover.FaultKinds())))
	c.fail(c.reportPath(m.pos("PATH"), r.Path))
	sc.relative = false
	for _, alternative := range c.alternatives(m) {
		var parts []Place
		for _, i := range alternative {
			parts = append(parts, c.single(m.s.at(i), m.s.tokens[i], sc).Place)
		}
		r.Any = append(r.Any, parts)
	}
	c.m.Requires = append(c.m.Requires, r)
	return nil
}

// reportPath checks a place as reports spell it: in XML without prefixes.
func (c *compiler) reportPath(pos position, path string) error {
	if c.m.Wire == handover.WireHL7v2 {
		_, _, err := c.reader.readSteps(pos, path, origin{})
		return err
	}
	for _, name := range strings.Split(path, "/") {
		if err := anywhere(pos, name, c.m.Wire); err != nil {
			return err
		}
	}
	return nil
}
