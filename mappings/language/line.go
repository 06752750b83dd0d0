package language

import (
	"stafett/fhir"
	"stafett/mappings/account"
)

func (l *lines) line(m *match, sc scope) []Step { return l.correspondence(m, StepLine, sc) }
func (l *lines) join(m *match, sc scope) []Step { return l.correspondence(m, StepJoin, sc) }

// lines compiles the statements that pair a place in the message with one in FHIR, or say
// what stands at either.
type lines struct {
	*declarations
	*places
	*paths
	*references
	*conversions
}

// correspondence compiles: [join] PLACE = FHIR PLACE [: converter] [else …] [only …] [if …]
func (l *lines) correspondence(m *match, kind StepKind, sc scope) []Step {
	st := Step{Kind: kind, HasPlace: true, Condition: l.condition(m, sc)}
	var below scope
	st.Message, below = l.path(m.pos("MESSAGE"), m.text("MESSAGE"), sc)
	if st.Message.Steps != nil {
		l.holdsValue(m, below)
	}
	t := l.single(m.pos("FHIR"), m.token("FHIR"), sc)
	st.Place = t.Place
	only := m.group("only")
	st.ToOnly, st.FromOnly, st.Reason = only.text("to|from") == "to", only.text("to|from") == "from", only.text("REASON")
	st.Converter = l.lineConverter(m, t, st.FromOnly)
	if st.Converter.Compose == nil {
		l.value(m.pos("FHIR"), t)
	}
	for g := range m.each("else") {
		st.Else = append(st.Else, l.elsePart(g, &st, sc))
	}
	if !st.ToOnly && !st.FromOnly {
		l.ofRepetition(m.pos("FHIR"), t, sc)
	}
	l.mapped[t.Text] = append(l.mapped[t.Text], st.Converter)
	l.m.Lines = append(l.m.Lines, Correspondence{File: m.s.pos.file, Line: m.s.pos.line,
		Message: st.Message.Text, FHIR: st.Place.Text, To: !st.FromOnly, From: !st.ToOnly, Reason: st.Reason})
	return []Step{st}
}

// holdsValue refuses a whole segment as the place of a value.
func (l *lines) holdsValue(m *match, below scope) {
	if below.origin.spot.level == levelSegment {
		l.fail(m.pos("MESSAGE").errorf("%s is a segment: a value is in a field", m.text("MESSAGE")))
	}
}

// elsePart reads: else "constant", or else PLACE [: converter].
func (l *lines) elsePart(g *match, st *Step, sc scope) ElsePart {
	pos, t := g.pos("VALUE"), g.token("VALUE")
	if t.quoted {
		if m := st.Converter.concept; m != nil {
			l.fail(among(pos, "code in concept map "+m.name, t.text, m.wireCodes()))
		}
		return ElsePart{Constant: t.text}
	}
	place := l.value(pos, l.single(pos, t, sc))
	part := ElsePart{Place: &place.Place, Converter: l.converter(g.group(":"), place)}
	if g.group(":") == nil {
		l.fits(pos, st.Converter, place)
	}
	return part
}

// fhir compiles: fhir PLACE = "constant" | true | false | ref(NAME) | PLACE [: converter] [if …]
func (l *lines) fhir(m *match, sc scope) []Step {
	v := m.token("VALUE")
	name, args, isCall := call(v.text)
	isRef := !v.quoted && isCall && name == "ref" && len(args) == 1
	t := either(isRef, l.place, l.single)(m.pos("FHIR"), m.token("FHIR"), sc)
	l.inResource(m.pos("FHIR"), t, "a constant")
	st := Step{Kind: StepFHIR, Place: t.Place, HasPlace: true, Condition: l.condition(m, sc)}
	constant := constantOf(v)
	switch {
	case isRef:
		return l.refer(m, args[0].text, &st, t, sc)
	case constant != nil:
		st.Constant = constant
		l.constant(m, t, constant)
	default:
		source := l.value(m.pos("VALUE"), l.single(m.pos("VALUE"), v, sc))
		st.Source, st.Converter = &source.Place, l.converter(m.group(":"), t)
	}
	l.value(m.pos("FHIR"), t)
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

func localReference(name string) *fhir.Node { return fhir.Str(account.ReferencePrefix + name) }

// message compiles: message PLACE = "constant" ["reason"] [if …]
func (l *lines) message(m *match, sc scope) []Step {
	st := Step{Kind: StepMessage, Value: m.text("VALUE"), Condition: l.condition(m, sc), Reason: m.group("REASON").text("REASON")}
	st.Message, _ = l.path(m.pos("MESSAGE"), m.text("MESSAGE"), sc)
	return []Step{st}
}

// ignore compiles ignore, and the reading side of number.
func (l *lines) ignore(m *match, sc scope) []Step {
	switch {
	case m.has("NAME"):
		l.fail(l.notation.anywhere(m.pos("NAME"), m.text("NAME")))
		l.m.Everywhere[m.text("NAME")] = m.text("REASON")
		return nil
	case m.has("FHIR"):
		t := l.place(m.pos("FHIR"), m.token("FHIR"), sc)
		l.inResource(m.pos("FHIR"), t, "ignore fhir")
		return []Step{{Kind: StepIgnoreFHIR, Place: t.Place, HasPlace: true, Reason: m.text("REASON")}}
	}
	st := Step{Kind: StepIgnore, Reason: m.text("REASON")}
	st.Message, _ = l.path(m.pos("MESSAGE"), m.text("MESSAGE"), sc)
	return []Step{st}
}

func (l *lines) carry(m *match, sc scope) []Step {
	st := Step{Kind: StepIgnore, Always: true, Reason: m.group("REASON").text("REASON")}
	st.Message, _ = l.path(m.pos("MESSAGE"), m.text("MESSAGE"), sc)
	return []Step{st}
}

// position compiles: position FHIR PLACE, which is the block's number among its siblings.
func (l *lines) position(m *match, sc scope) []Step {
	t := l.value(m.pos("FHIR"), l.single(m.pos("FHIR"), m.token("FHIR"), sc))
	if sc.block == nil || t.Root != RootRelative {
		l.fail(m.pos("FHIR").errorf("position stands in a group that repeats, and is an element of its resource or item"))
	}
	if name := t.typ.Name(); name != "integer" && name != "positiveInt" && name != "" {
		l.fail(m.pos("FHIR").errorf("%s is a %s: a position is an integer", t.Text, name))
	}
	return []Step{{Kind: StepPosition, Place: t.Place, HasPlace: true}}
}

// number compiles: number PLACE "reason"; the place counts the repetitions of its parent.
func (l *lines) number(m *match, sc scope) []Step {
	p, _ := l.path(m.pos("MESSAGE"), m.text("MESSAGE"), sc)
	if len(p.Steps) != 2 {
		l.fail(m.pos("MESSAGE").errorf("number needs a field of a segment"))
		return nil
	}
	l.m.Numbers = append(l.m.Numbers, p)
	return l.ignore(m, sc)
}
