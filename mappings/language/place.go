package language

import (
	"regexp"
	"slices"
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

// places reads places in the canonical form.
type places struct{ *declarations }

// readPlace reads a spelled place and checks its names. Relative places start at sc.
func (p *places) readPlace(in *reading, text string, sc scope) target {
	first, tail, _ := strings.Cut(text, ".")
	if root, ok := rooted[first]; ok {
		return readRooted(in, root, text, tail)
	}
	t := target{Place: Place{Text: text}, typ: sc.typ}
	rest := strings.TrimPrefix(text, ".")
	r := p.resourceNamed(first)
	switch {
	case r != nil && r.Repeated:
		in.errorf("%s-* is repeated: its places stand in its block", r.Name)
	case r != nil:
		t.Root, t.Resource, t.typ, rest = RootResource, p.byName[r.Name], typeOf(r), tail
	case !sc.relative:
		in.errorf("%q starts with no declared resource, and no block gives it one%s", text, p.hintResource(first))
	case rest == "":
		in.errorf("a place in the canonical form is missing")
	}
	if rest != "" {
		t.Steps = fhirSteps(in, rest)
	}
	t.typ = follow(in, t.typ, t.Steps)
	return t
}

func typeOf(r *Resource) conformance.Type {
	t, _ := conformance.ResourceType(r.Type)
	return t
}

// readRooted reads header.…, fact.…, day and event.
func readRooted(in *reading, root RootKind, text, name string) target {
	t := target{Place: Place{Root: root, Name: name, Text: text}, typ: conformance.PrimitiveType("string")}
	switch {
	case root == RootHeader:
		headerName(in, name)
	case root == RootFact:
		t.typ = fact(in, name)
	case name != "":
		in.errorf("%q has no parts", strings.TrimSuffix(text, "."+name))
	case root == RootDay:
		t.typ = conformance.PrimitiveType("date")
	}
	return t
}

func headerName(in *reading, name string) {
	if known := account.HeaderNames(); !slices.Contains(known, name) {
		in.errorf("the header has no value named %q%s", name, hint(name, known))
	}
}

func fact(in *reading, name string) conformance.Type {
	typ, ok := account.FactType(name)
	if !ok {
		in.note(in.pos.unknown("fact", name, account.FactNames()))
	}
	return conformance.PrimitiveType(typ)
}

// unchecked reports a type that only the content tells, or a mistake around it.
func unchecked(t conformance.Type) bool { return t.Any() || t.Name() == "" }

// follow checks steps against the element table and returns the type they lead to.
func follow(in *reading, t conformance.Type, steps []FHIRStep) conformance.Type {
	for i := 0; i < len(steps) && !unchecked(t); i++ {
		s := &steps[i]
		m, ok := t.Member(s.Name)
		if !ok {
			in.errorf("%s has no element %q%s", t.Name(), s.Name, hint(s.Name, t.Members()))
			return conformance.Type{}
		}
		arrayShows(in, t, s, m.Many)
		for j := range s.Filters {
			canHold(in, m.Type, &s.Filters[j])
		}
		t = m.Type
	}
	return t
}

// arrayShows refuses an array that does not show, and a bracket where there is none: the
// value would find no room.
func arrayShows(in *reading, t conformance.Type, s *FHIRStep, many bool) {
	switch {
	case s.Array == many:
	case many:
		in.errorf("%s.%s is an array: write %s[0], or what chooses an item", t.Name(), s.Name, s.Name)
	default:
		in.errorf("%s.%s is no array", t.Name(), s.Name)
	}
}

// canHold refuses a condition on an item that no value meets.
func canHold(in *reading, item conformance.Type, f *FHIRFilter) {
	t := follow(in, item, f.Path)
	wrong := t.Check(fhir.Str(f.Value))
	if !t.Primitive() {
		wrong = "a " + t.Name() + " is no value"
	}
	if wrong != "" {
		in.errorf("the condition [%s=%s] can never hold: %s", f.Path[len(f.Path)-1].Name, f.Value, wrong)
	}
}

func fhirSteps(in *reading, text string) []FHIRStep {
	parts := splitOutside(text, ".")
	steps := make([]FHIRStep, len(parts))
	for i, part := range parts {
		steps[i] = fhirStep(in, part)
	}
	return steps
}

func fhirStep(in *reading, part string) FHIRStep {
	name, brackets := splitBrackets(in, part)
	if name == "" || len(brackets) > 1 {
		in.errorf("%q is not a step of a FHIR place", part)
	}
	s := FHIRStep{Name: name, Array: brackets != nil}
	for _, bracket := range brackets {
		s.bracket(in, bracket)
	}
	return s
}

var itemNumber = regexp.MustCompile(`^[0-9]{1,3}$`)

// bracket reads which item of an array is meant: each, one by number, or by conditions.
func (s *FHIRStep) bracket(in *reading, text string) {
	switch {
	case text == "":
		s.Append = true
	case itemNumber.MatchString(text):
		s.Index, _ = strconv.Atoi(text)
	default:
		for place, value := range in.conditions(text) {
			s.Filters = append(s.Filters, FHIRFilter{fhirSteps(in, place), value})
		}
	}
}

// value is a place whose content is one value.
func (p *places) value(pos position, t target) target {
	if !t.typ.Primitive() && !unchecked(t.typ) {
		p.fail(pos.errorf("%s is a %s, not a value: name one of its elements", t.Text, t.typ.Name()))
	}
	return t
}

// place reads a FHIR place. A [] in it stands only where each repetition is meant.
func (p *places) place(pos position, t token, sc scope) target {
	if t.quoted {
		p.fail(pos.errorf("expected a FHIR place, not a quoted text"))
		return target{Place: Place{Root: RootDay}}
	}
	in := &reading{pos: pos}
	out := p.readPlace(in, t.text, sc)
	if in.err != nil {
		p.fail(in.err)
		out.typ = conformance.Type{} // one mistake is told once
	}
	if out.Root == RootRelative && sc.base != "" {
		out.Text = sc.base + "." + strings.TrimPrefix(t.text, ".")
	}
	return out
}

// single is a place without [].
func (p *places) single(pos position, t token, sc scope) target {
	out := p.place(pos, t, sc)
	for i := range out.Steps {
		if out.Steps[i].Append {
			p.fail(pos.errorf("%s[] means every item: it stands in each and with ref() alone", out.Steps[i].Name))
		}
	}
	return out
}

// inResource refuses a place that is in no resource.
func (p *places) inResource(pos position, t target, what string) {
	if t.Root != RootRelative && t.Root != RootResource {
		p.fail(pos.errorf("%s needs a place in a resource", what))
	}
}

// codesOf checks a constant against the few values that a place can have.
func (p *places) codesOf(pos position, t target, value string) {
	known := account.Codes(t.Text)
	if t.Root == RootEvent {
		known = texts(handover.EventNames())
	}
	if known != nil {
		p.fail(among(pos, "value of "+t.Text, value, known))
	}
}

// holder refuses a place that cannot hold the lines of a block.
func (p *places) holder(pos position, t target, sc scope, what string) {
	p.inResource(pos, t, what)
	p.ofRepetition(pos, t, sc)
	if t.typ.Primitive() {
		p.fail(pos.errorf("%s is a value: a block needs what has elements", t.Text))
	}
}

// ofRepetition refuses, in a group that repeats, a place that is not of the repetition: on
// the way back each repetition would be written with it.
func (p *places) ofRepetition(pos position, t target, sc scope) {
	if sc.block != nil && t.Root != RootRelative {
		p.fail(pos.errorf("%s is not of this repetition of %s, which would all be written with it", t.Text, sc.block.name))
	}
}

// condition reads a statement's "if [not] PLACE [= VALUE]"; nil where it has none. A place of
// the block starts with a dot, so that it cannot be taken for a resource.
func (p *places) condition(m *match, sc scope) *Condition {
	g := m.group("if")
	if g == nil {
		return nil
	}
	pos, t := g.pos("PLACE"), g.token("PLACE")
	place := p.single(pos, t, sc)
	if place.Root == RootRelative && !strings.HasPrefix(t.text, ".") && sc.relative {
		p.fail(pos.errorf("%q starts with no declared resource; a place of the block starts with a dot%s", t.text, p.hintResource(firstName(t.text))))
	}
	cond := &Condition{Place: place.Place, Negate: g.group("not") != nil}
	equals, unequal := g.group("=|!="), false
	if equals != nil {
		unequal = equals.text("=|!=") == "!="
		cond.Equals, cond.Value = true, equals.text("VALUE")
		p.codesOf(equals.pos("VALUE"), place, cond.Value)
	}
	cond.Negate = cond.Negate != unequal
	return cond
}

func firstName(text string) string {
	first, _, _ := strings.Cut(text, ".")
	return first
}
