package mappings

import (
	"slices"
	"strings"

	"stafett/fhir"
	"stafett/handover"
)

// in compiles: in PLACE [= FHIR PLACE] [always] [if …] {
func (c *compiler) in(s *statement, sc scope) []step {
	if !s.block || len(s.tokens) < 2 {
		c.fail(s.pos.errorf("expected: in PLACE [= FHIR PLACE] {"))
		return nil
	}
	st := step{kind: stepIn, pos: s.pos}
	cond, rest := c.clauseIf(s.tokens[2:], s)
	st.cond = cond
	inner := sc
	st.msg, inner = c.path(s.at(1), s.tokens[1].text, sc)
	inner.vars, inner.relative = sc.vars, sc.relative
	if n := len(rest); n > 0 && !rest[n-1].quoted && rest[n-1].text == "always" {
		st.always, rest = true, rest[:n-1]
	}
	switch {
	case len(rest) == 0:
	case len(rest) == 2 && rest[0].text == "=":
		st.place, st.hasPlace = c.place(s.at(3), rest[1], sc), true
		inner.relative, inner.base, inner.baseKey = true, st.place.text, c.placeKey(st.place, sc)
		if st.place.root != rootRelative && st.place.root != rootResource {
			c.fail(s.at(3).errorf("a block needs a place in a resource"))
		}
	default:
		c.fail(s.pos.errorf("expected: in PLACE [= FHIR PLACE] [always] [if …] {"))
	}
	st.body = c.body(s.body, inner)
	return []step{st}
}

// each compiles: each PLACE = FHIR PLACE[] {   and   each PLACE as RESOURCE {
func (c *compiler) each(s *statement, sc scope) []step {
	if !s.block || len(s.tokens) < 4 {
		c.fail(s.pos.errorf("expected: each PLACE = FHIR PLACE[] {   or   each PLACE as RESOURCE-* {"))
		return nil
	}
	st := step{pos: s.pos}
	cond, rest := c.clauseIf(s.tokens[4:], s)
	if st.cond = cond; len(rest) > 0 {
		c.fail(s.at(4).errorf("unexpected %q", rest[0].text))
	}
	inner := sc
	st.msg, inner = c.path(s.at(1), s.tokens[1].text, sc)
	inner.vars, inner.relative = sc.vars, true
	target := s.tokens[3]
	switch s.tokens[2].text {
	case "=":
		st.kind = stepEach
		st.place, st.hasPlace = c.place(s.at(3), target, sc), true
		if n := len(st.place.steps); n == 0 || !st.place.steps[n-1].array || !st.place.steps[n-1].append_ && st.place.steps[n-1].filters == nil {
			c.fail(s.at(3).errorf("a repeated group needs an array: %s[]", target.text))
		}
	case "as":
		st.kind = stepEachResource
		i, ok := c.byName[strings.TrimSuffix(target.text, "-*")]
		if !ok || !c.m.resources[i].repeated {
			c.fail(s.at(3).errorf("there is no repeated resource %q", target.text))
			return nil
		}
		st.res = i
		st.place = place{text: target.text}
	default:
		c.fail(s.at(2).errorf("expected = or as"))
	}
	inner.base, inner.baseKey = st.place.text, c.m.resources[st.res].name
	if st.kind == stepEach {
		inner.baseKey = c.placeKey(st.place, sc)
	}
	st.body = c.body(s.body, inner)
	return []step{st}
}

// line compiles: [join] PLACE = FHIR PLACE [: converter] [else …] [only …] [if …]
func (c *compiler) line(s *statement, first int, kind stepKind, sc scope) []step {
	form := "expected: MESSAGE PLACE = FHIR PLACE [: converter] [else …] [only to fhir \"reason\"] [if …]"
	if s.block || len(s.tokens) < first+3 || s.tokens[first].quoted || s.tokens[first+1].text != "=" {
		c.fail(s.pos.errorf("%s", form))
		return nil
	}
	st := step{kind: kind, pos: s.pos, hasPlace: true}
	st.msg, _ = c.path(s.at(first), s.tokens[first].text, sc)
	st.place = c.place(s.at(first+2), s.tokens[first+2], sc)
	st.conv = plainConverter(st.place)
	cond, rest := c.clauseIf(s.tokens[first+3:], s)
	st.cond = cond
	for len(rest) > 0 {
		t, pos := rest[0], s.pos
		pos.column = t.column
		switch {
		case t.text == ":" && !t.quoted && len(rest) > 1:
			if conv := c.converter(pos, rest[1].text); conv != nil {
				st.conv = conv
			}
			rest = rest[2:]
		case t.text == "else" && !t.quoted && len(rest) > 1:
			var part elsePart
			part, rest = c.elsePart(pos, rest[1:], sc)
			st.els = append(st.els, part)
		case t.text == "only" && !t.quoted && len(rest) > 3 && rest[2].text == "fhir" && rest[3].quoted:
			st.toOnly, st.fromOnly = rest[1].text == "to", rest[1].text == "from"
			if st.reason = rest[3].text; !st.toOnly && !st.fromOnly {
				c.fail(pos.errorf("expected: only to fhir \"reason\", or only from fhir \"reason\""))
			}
			rest = rest[4:]
		default:
			c.fail(pos.errorf("%s", form))
			return nil
		}
	}
	c.m.lines = append(c.m.lines, Correspondence{File: s.pos.file, Line: s.pos.line,
		Message: st.msg.text, FHIR: st.place.text, To: !st.fromOnly, From: !st.toOnly, Reason: st.reason})
	return []step{st}
}

func (c *compiler) elsePart(pos position, rest []token, sc scope) (elsePart, []token) {
	if rest[0].quoted {
		return elsePart{constant: rest[0].text}, rest[1:]
	}
	p := c.place(pos, rest[0], sc)
	part := elsePart{place: &p}
	rest = rest[1:]
	if len(rest) > 1 && rest[0].text == ":" && !rest[0].quoted {
		part.conv = c.converter(pos, rest[1].text)
		rest = rest[2:]
	}
	return part, rest
}

// fhir compiles: fhir PLACE = "constant" | true | false | PLACE [: converter] [if …]
func (c *compiler) fhir(s *statement, sc scope) []step {
	if s.block || len(s.tokens) < 4 || s.tokens[2].text != "=" {
		c.fail(s.pos.errorf("expected: fhir PLACE = \"value\", or = PLACE [: converter]"))
		return nil
	}
	cond, rest := c.clauseIf(s.tokens[3:], s)
	st := step{kind: stepFHIR, pos: s.pos, place: c.place(s.at(1), s.tokens[1], sc), hasPlace: true, cond: cond}
	switch {
	case len(rest) == 1 && rest[0].quoted:
		st.constant = fhir.Str(rest[0].text)
	case len(rest) == 1 && (rest[0].text == "true" || rest[0].text == "false"):
		st.constant = fhir.Bool(rest[0].text == "true")
	case len(rest) == 1 || len(rest) == 3 && rest[1].text == ":":
		p := c.place(s.at(3), rest[0], sc)
		st.source = &p
		if len(rest) == 3 {
			st.conv = c.converter(s.at(5), rest[2].text)
		}
	default:
		c.fail(s.pos.errorf("expected: fhir PLACE = \"value\", or = PLACE [: converter]"))
	}
	if st.place.root != rootRelative && st.place.root != rootResource {
		c.fail(s.at(1).errorf("a constant needs a place in a resource"))
	}
	return []step{st}
}

// message compiles: message PLACE = "constant" ["reason"] [if …]
func (c *compiler) message(s *statement, sc scope) []step {
	cond, rest := c.clauseIf(s.tokens, s)
	if s.block || len(rest) < 4 || len(rest) > 5 || rest[2].text != "=" {
		c.fail(s.pos.errorf("expected: message PLACE = \"value\" [\"why another value is ignored\"]"))
		return nil
	}
	st := step{kind: stepMessage, pos: s.pos, value: rest[3].text, cond: cond}
	if len(rest) == 5 {
		st.reason = rest[4].text
	}
	st.msg, _ = c.path(s.at(1), rest[1].text, sc)
	return []step{st}
}

// ignore compiles ignore and carry, and the reading side of number.
func (c *compiler) ignore(s *statement, sc scope) []step {
	carry := s.word() == "carry"
	n := len(s.tokens)
	switch {
	case s.block:
	case n == 3 && s.tokens[2].quoted && s.tokens[2].text != "", carry && n == 2:
		st := step{kind: stepIgnore, pos: s.pos, always: carry}
		st.msg, _ = c.path(s.at(1), s.tokens[1].text, sc)
		if n == 3 {
			st.reason = s.tokens[2].text
		}
		return []step{st}
	case !carry && n == 4 && s.tokens[1].text == "fhir" && s.tokens[3].quoted && s.tokens[3].text != "":
		return []step{{kind: stepIgnoreFHIR, pos: s.pos, place: c.place(s.at(2), s.tokens[2], sc), hasPlace: true, reason: s.tokens[3].text}}
	case !carry && n == 4 && s.tokens[1].text == "anywhere" && s.tokens[3].quoted && s.tokens[3].text != "":
		c.m.everywhere = append(c.m.everywhere, ignoredName{s.tokens[2].text, s.tokens[3].text})
		return nil
	}
	c.fail(s.pos.errorf("expected: %s PLACE \"reason\"", s.word()))
	return nil
}

// number compiles: number PLACE "reason"; the place counts the repetitions of its parent.
func (c *compiler) number(s *statement, sc scope) {
	if s.block || len(s.tokens) != 3 || sc.shape != c.m.shape {
		c.fail(s.pos.errorf("expected, outside of blocks: number PLACE \"reason\""))
		return
	}
	p, _ := c.path(s.at(1), s.tokens[1].text, sc)
	if len(p.steps) != 2 {
		c.fail(s.at(1).errorf("number needs a field of a segment"))
		return
	}
	c.m.numbers = append(c.m.numbers, p)
}

// require compiles: require PLACE + PLACE | PLACE : FAULT "text" at PATH, and expect, which
// is asked of arriving messages alone.
func (c *compiler) require(s *statement) {
	n := len(s.tokens)
	if s.block || n < 7 || s.tokens[n-5].text != ":" || !s.tokens[n-3].quoted || s.tokens[n-2].text != "at" {
		c.fail(s.pos.errorf("expected: %s PLACE [+ PLACE] [| PLACE] : FAULT \"text\" at PLACE", s.word()))
		return
	}
	r := require{toOnly: s.word() == "expect", kind: handover.FaultKind(s.tokens[n-4].text), text: s.tokens[n-3].text, path: s.tokens[n-1].text}
	if !slices.Contains(handover.FaultKinds(), r.kind) {
		c.fail(s.at(n-4).errorf("there is no fault kind %q", r.kind))
	}
	for _, alternative := range c.alternatives(s, 1, n-5) {
		var parts []place
		for _, i := range alternative {
			p, err := readPlace(s.at(i), s.tokens[i].text, c.byName)
			if c.fail(err); err == nil && p.root == rootRelative {
				c.fail(s.at(i).errorf("%q starts with no declared resource", s.tokens[i].text))
			}
			parts = append(parts, p)
		}
		r.any = append(r.any, parts)
	}
	c.m.requires = append(c.m.requires, r)
}
