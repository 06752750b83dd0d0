package language

import (
	"slices"
	"strings"

	"stafett/fhir"
	"stafett/handover"
)

// in compiles: in PLACE [= FHIR PLACE] [always] [if …] {
func (c *compiler) in(s *statement, sc scope) []Step {
	if !s.block || len(s.tokens) < 2 {
		c.fail(s.pos.errorf("expected: in PLACE [= FHIR PLACE] {"))
		return nil
	}
	st := Step{Kind: StepIn}
	cond, rest := c.clauseIf(s.tokens[2:], s)
	st.Condition = cond
	inner := sc
	st.Message, inner = c.path(s.at(1), s.tokens[1].text, sc)
	inner.vars, inner.relative = sc.vars, sc.relative
	if n := len(rest); n > 0 && !rest[n-1].quoted && rest[n-1].text == "always" {
		st.Always, rest = true, rest[:n-1]
	}
	switch {
	case len(rest) == 0:
	case len(rest) == 2 && rest[0].text == "=":
		st.Place, st.HasPlace = c.place(s.at(3), rest[1], sc), true
		inner.relative, inner.base, inner.baseKey = true, st.Place.Text, c.placeKey(st.Place, sc)
		if st.Place.Root != RootRelative && st.Place.Root != RootResource {
			c.fail(s.at(3).errorf("a block needs a place in a resource"))
		}
	default:
		c.fail(s.pos.errorf("expected: in PLACE [= FHIR PLACE] [always] [if …] {"))
	}
	st.Body = c.body(s.body, inner)
	return []Step{st}
}

// each compiles: each PLACE = FHIR PLACE[] {   and   each PLACE as RESOURCE {
func (c *compiler) each(s *statement, sc scope) []Step {
	if !s.block || len(s.tokens) < 4 {
		c.fail(s.pos.errorf("expected: each PLACE = FHIR PLACE[] {   or   each PLACE as RESOURCE-* {"))
		return nil
	}
	st := Step{}
	cond, rest := c.clauseIf(s.tokens[4:], s)
	if st.Condition = cond; len(rest) > 0 {
		c.fail(s.at(4).errorf("unexpected %q", rest[0].text))
	}
	inner := sc
	st.Message, inner = c.path(s.at(1), s.tokens[1].text, sc)
	inner.vars, inner.relative = sc.vars, true
	target := s.tokens[3]
	switch s.tokens[2].text {
	case "=":
		st.Kind = StepEach
		st.Place, st.HasPlace = c.place(s.at(3), target, sc), true
		if n := len(st.Place.Steps); n == 0 || !st.Place.Steps[n-1].Array || !st.Place.Steps[n-1].Append && st.Place.Steps[n-1].Filters == nil {
			c.fail(s.at(3).errorf("a repeated group needs an array: %s[]", target.text))
		}
	case "as":
		st.Kind = StepEachResource
		i, ok := c.byName[strings.TrimSuffix(target.text, "-*")]
		if !ok || !c.m.Resources[i].Repeated {
			c.fail(s.at(3).errorf("there is no repeated resource %q", target.text))
			return nil
		}
		st.Resource = i
		st.Place = Place{Text: target.text}
	default:
		c.fail(s.at(2).errorf("expected = or as"))
	}
	inner.base, inner.baseKey = st.Place.Text, c.m.Resources[st.Resource].Name
	if st.Kind == StepEach {
		inner.baseKey = c.placeKey(st.Place, sc)
	}
	st.Body = c.body(s.body, inner)
	return []Step{st}
}

// line compiles: [join] PLACE = FHIR PLACE [: converter] [else …] [only …] [if …]
func (c *compiler) line(s *statement, first int, kind StepKind, sc scope) []Step {
	form := "expected: MESSAGE PLACE = FHIR PLACE [: converter] [else …] [only to fhir \"reason\"] [if …]"
	if s.block || len(s.tokens) < first+3 || s.tokens[first].quoted || s.tokens[first+1].text != "=" {
		c.fail(s.pos.errorf("%s", form))
		return nil
	}
	st := Step{Kind: kind, HasPlace: true}
	st.Message, _ = c.path(s.at(first), s.tokens[first].text, sc)
	st.Place = c.place(s.at(first+2), s.tokens[first+2], sc)
	st.Converter = plainConverter(st.Place)
	cond, rest := c.clauseIf(s.tokens[first+3:], s)
	st.Condition = cond
	for len(rest) > 0 {
		t, pos := rest[0], s.pos
		pos.column = t.column
		switch {
		case t.text == ":" && !t.quoted && len(rest) > 1:
			if conv := c.converter(pos, rest[1].text); conv != nil {
				st.Converter = conv
			}
			rest = rest[2:]
		case t.text == "else" && !t.quoted && len(rest) > 1:
			var part ElsePart
			part, rest = c.elsePart(pos, rest[1:], sc)
			st.Else = append(st.Else, part)
		case t.text == "only" && !t.quoted && len(rest) > 3 && rest[2].text == "fhir" && rest[3].quoted:
			st.ToOnly, st.FromOnly = rest[1].text == "to", rest[1].text == "from"
			if st.Reason = rest[3].text; !st.ToOnly && !st.FromOnly {
				c.fail(pos.errorf("expected: only to fhir \"reason\", or only from fhir \"reason\""))
			}
			rest = rest[4:]
		default:
			c.fail(pos.errorf("%s", form))
			return nil
		}
	}
	c.m.Lines = append(c.m.Lines, Correspondence{File: s.pos.file, Line: s.pos.line,
		Message: st.Message.Text, FHIR: st.Place.Text, To: !st.FromOnly, From: !st.ToOnly, Reason: st.Reason})
	return []Step{st}
}

func (c *compiler) elsePart(pos position, rest []token, sc scope) (ElsePart, []token) {
	if rest[0].quoted {
		return ElsePart{Constant: rest[0].text}, rest[1:]
	}
	p := c.place(pos, rest[0], sc)
	part := ElsePart{Place: &p}
	rest = rest[1:]
	if len(rest) > 1 && rest[0].text == ":" && !rest[0].quoted {
		part.Converter = c.converter(pos, rest[1].text)
		rest = rest[2:]
	}
	return part, rest
}

// fhir compiles: fhir PLACE = "constant" | true | false | PLACE [: converter] [if …]
func (c *compiler) fhir(s *statement, sc scope) []Step {
	if s.block || len(s.tokens) < 4 || s.tokens[2].text != "=" {
		c.fail(s.pos.errorf("expected: fhir PLACE = \"value\", or = PLACE [: converter]"))
		return nil
	}
	cond, rest := c.clauseIf(s.tokens[3:], s)
	st := Step{Kind: StepFHIR, Place: c.place(s.at(1), s.tokens[1], sc), HasPlace: true, Condition: cond}
	switch {
	case len(rest) == 1 && rest[0].quoted:
		st.Constant = fhir.Str(rest[0].text)
	case len(rest) == 1 && (rest[0].text == "true" || rest[0].text == "false"):
		st.Constant = fhir.Bool(rest[0].text == "true")
	case len(rest) == 1 || len(rest) == 3 && rest[1].text == ":":
		p := c.place(s.at(3), rest[0], sc)
		st.Source = &p
		if len(rest) == 3 {
			st.Converter = c.converter(s.at(5), rest[2].text)
		}
	default:
		c.fail(s.pos.errorf("expected: fhir PLACE = \"value\", or = PLACE [: converter]"))
	}
	if st.Place.Root != RootRelative && st.Place.Root != RootResource {
		c.fail(s.at(1).errorf("a constant needs a place in a resource"))
	}
	return []Step{st}
}

// message compiles: message PLACE = "constant" ["reason"] [if …]
func (c *compiler) message(s *statement, sc scope) []Step {
	cond, rest := c.clauseIf(s.tokens, s)
	if s.block || len(rest) < 4 || len(rest) > 5 || rest[2].text != "=" {
		c.fail(s.pos.errorf("expected: message PLACE = \"value\" [\"why another value is ignored\"]"))
		return nil
	}
	st := Step{Kind: StepMessage, Value: rest[3].text, Condition: cond}
	if len(rest) == 5 {
		st.Reason = rest[4].text
	}
	st.Message, _ = c.path(s.at(1), rest[1].text, sc)
	return []Step{st}
}

// ignore compiles ignore and carry, and the reading side of number.
func (c *compiler) ignore(s *statement, sc scope) []Step {
	carry := s.word() == "carry"
	n := len(s.tokens)
	switch {
	case s.block:
	case n == 3 && s.tokens[2].quoted && s.tokens[2].text != "", carry && n == 2:
		st := Step{Kind: StepIgnore, Always: carry}
		st.Message, _ = c.path(s.at(1), s.tokens[1].text, sc)
		if n == 3 {
			st.Reason = s.tokens[2].text
		}
		return []Step{st}
	case !carry && n == 4 && s.tokens[1].text == "fhir" && s.tokens[3].quoted && s.tokens[3].text != "":
		return []Step{{Kind: StepIgnoreFHIR, Place: c.place(s.at(2), s.tokens[2], sc), HasPlace: true, Reason: s.tokens[3].text}}
	case !carry && n == 4 && s.tokens[1].text == "anywhere" && s.tokens[3].quoted && s.tokens[3].text != "":
		c.m.Everywhere = append(c.m.Everywhere, IgnoredName{s.tokens[2].text, s.tokens[3].text})
		return nil
	}
	c.fail(s.pos.errorf("expected: %s PLACE \"reason\"", s.word()))
	return nil
}

// number compiles: number PLACE "reason"; the place counts the repetitions of its parent.
func (c *compiler) number(s *statement, sc scope) {
	if s.block || len(s.tokens) != 3 || sc.shape != c.m.Shape {
		c.fail(s.pos.errorf("expected, outside of blocks: number PLACE \"reason\""))
		return
	}
	p, _ := c.path(s.at(1), s.tokens[1].text, sc)
	if len(p.Steps) != 2 {
		c.fail(s.at(1).errorf("number needs a field of a segment"))
		return
	}
	c.m.Numbers = append(c.m.Numbers, p)
}

// require compiles: require PLACE + PLACE | PLACE : FAULT "text" at PATH, and expect, which
// is asked of arriving messages alone.
func (c *compiler) require(s *statement) {
	n := len(s.tokens)
	if s.block || n < 7 || s.tokens[n-5].text != ":" || !s.tokens[n-3].quoted || s.tokens[n-2].text != "at" {
		c.fail(s.pos.errorf("expected: %s PLACE [+ PLACE] [| PLACE] : FAULT \"text\" at PLACE", s.word()))
		return
	}
	r := Require{ToOnly: s.word() == "expect", Kind: handover.FaultKind(s.tokens[n-4].text), Text: s.tokens[n-3].text, Path: s.tokens[n-1].text}
	if !slices.Contains(handover.FaultKinds(), r.Kind) {
		c.fail(s.at(n-4).errorf("there is no fault kind %q", r.Kind))
	}
	for _, alternative := range c.alternatives(s, 1, n-5) {
		var parts []Place
		for _, i := range alternative {
			p, err := readPlace(s.at(i), s.tokens[i].text, c.byName)
			if c.fail(err); err == nil && p.Root == RootRelative {
				c.fail(s.at(i).errorf("%q starts with no declared resource", s.tokens[i].text))
			}
			parts = append(parts, p)
		}
		r.Any = append(r.Any, parts)
	}
	c.m.Requires = append(c.m.Requires, r)
}
