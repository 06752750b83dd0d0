package language

import (
	"regexp"
	"strings"
)

// statementKind is one word of the language: its forms, and what they mean. A declaration
// is read before all lines; the others make steps where they stand.
type statementKind struct {
	forms []form
	// name is a capture, or a word, that a file may declare once.
	name    string
	declare func(c *compiler, m *match)
	steps   func(c *compiler, m *match, sc scope) []Step
}

// names is what the statement declares, for a second one in the same file; empty where
// there may be more.
func (k *statementKind) names(m *match) string {
	if k.name == "" || m.has(strings.ToLower(k.name)) {
		return k.name
	}
	return m.s.word() + " " + m.text(k.name)
}

const ifForm = " [if [not] PLACE [=|!= VALUE]]"

// statementKinds are the words of the language. lineKind is the line without a word.
var (
	statementKinds map[string]*statementKind
	lineKind       *statementKind
)

func init() {
	none := func(*compiler, *match, scope) []Step { return nil }
	linePart := "MESSAGE = FHIR [: CONVERTER] [else VALUE [: CONVERTER]]… [only to|from fhir \"REASON\"]" + ifForm
	requirePart := " PARTS : FAULT \"TEXT\" at PATH"
	lineKind = &statementKind{forms: forms(linePart), steps: (*compiler).line}
	statementKinds = map[string]*statementKind{
		"mapping":   {forms: forms("mapping NAME"), steps: none},
		"extends":   {forms: forms("extends NAME"), steps: none},
		"include":   {forms: forms("include NAME"), steps: none},
		"section":   {forms: forms("section NAME {"), steps: none},
		"takes":     {forms: forms("takes WIRE [version VERSION]", "takes WIRE TYPE [version VERSION]"), name: "takes", declare: (*compiler).takes},
		"overlay":   {forms: forms("overlay NAME"), name: "overlay", declare: (*compiler).overlay},
		"kind":      {forms: forms("kind KIND"), name: "kind", declare: (*compiler).kind},
		"root":      {forms: forms("root ELEMENT"), steps: (*compiler).root},
		"let":       {forms: forms("let NAME VALUE"), name: "NAME", declare: (*compiler).let},
		"namespace": {forms: forms("namespace PREFIX VALUE"), name: "PREFIX", declare: (*compiler).namespace},
		"resource":  {forms: forms("resource NAME TYPE [always]"), declare: (*compiler).resource},
		"define":    {forms: forms("define CALL {"), declare: (*compiler).define},
		"event":     {forms: forms("event EVENT" + ifForm), steps: (*compiler).event},
		"key":       {forms: forms("key NAME = PARTS"), steps: (*compiler).key},
		"use":       {forms: forms("use CALL"), steps: (*compiler).use},
		"order":     {forms: forms("order PLACE PARTS"), steps: (*compiler).order},
		"in":        {forms: forms("in MESSAGE [= FHIR] [as RESOURCE] [always]" + ifForm + " {"), steps: (*compiler).in},
		"each":      {forms: forms("each MESSAGE = FHIR"+ifForm+" {", "each MESSAGE as RESOURCE"+ifForm+" {"), steps: (*compiler).each},
		"join":      {forms: forms("join " + linePart), steps: (*compiler).join},
		"number":    {forms: forms("number MESSAGE \"REASON\""), steps: (*compiler).number},
		"position":  {forms: forms("position FHIR"), steps: (*compiler).position},
		"fhir":      {forms: forms("fhir FHIR = VALUE [: CONVERTER]" + ifForm), steps: (*compiler).fhir},
		"message":   {forms: forms("message MESSAGE = VALUE [\"REASON\"]" + ifForm), steps: (*compiler).message},
		"ignore": {forms: forms("ignore MESSAGE \"REASON\"", "ignore fhir FHIR \"REASON\"", "ignore anywhere NAME \"REASON\""),
			steps: (*compiler).ignore},
		"carry":   {forms: forms("carry MESSAGE [\"REASON\"]"), steps: (*compiler).carry},
		"require": {forms: forms("require" + requirePart), steps: (*compiler).require},
		"expect":  {forms: forms("expect" + requirePart), steps: (*compiler).require},
	}
}

// outside are the statements that cannot stand in a block.
var outside = map[string]bool{"mapping": true, "extends": true, "takes": true, "overlay": true, "kind": true, "root": true, "let": true,
	"namespace": true, "resource": true, "define": true, "event": true, "key": true, "number": true, "include": true, "section": true}

var plainWord = regexp.MustCompile(`^[a-z]+$`)

// body compiles the statements of a mapping or a block.
func (c *compiler) body(statements []*statement, sc scope) []Step {
	var out []Step
	once := map[string]position{}
	for _, s := range statements {
		out = append(out, c.statement(s, sc, once)...)
	}
	return out
}

func (c *compiler) statement(raw *statement, sc scope, once map[string]position) []Step {
	kind, err := kindOf(raw)
	switch {
	case err != nil:
		c.refuse(raw, err)
		return nil
	case outside[raw.word()] && kind != lineKind && sc.inner:
		c.fail(raw.pos.errorf("%s cannot stand in a block", raw.word()))
		return nil
	case kind.steps == nil:
		return nil // read before
	}
	s := c.expand(raw, sc.vars)
	m, err := read(s, kind.forms)
	if err != nil {
		c.refuse(raw, err)
		return nil
	}
	if !s.block {
		c.fail(saidBefore(once, s))
	}
	return kind.steps(c, m, sc)
}

// saidBefore refuses a line that stands in a block twice.
func saidBefore(once map[string]position, s *statement) error {
	spelled := s.spelled()
	first, dup := once[spelled]
	if dup {
		return s.pos.errorf("line %d says the same", first.line)
	}
	once[spelled] = s.pos
	return nil
}

// kindOf finds the statement's word. A first token that is no word is the message place of
// a line.
func kindOf(s *statement) (*statementKind, error) {
	kind := statementKinds[s.word()]
	switch {
	case s.tokens[0].quoted, kind == nil && !s.misspelt():
		return lineKind, nil
	case kind == nil:
		return nil, s.pos.unknown("statement", s.word(), keys(statementKinds))
	}
	return kind, nil
}

// misspelt reports a word where only a statement's can stand: no equals sign follows it.
func (s *statement) misspelt() bool {
	return plainWord.MatchString(s.word()) && (len(s.tokens) == 1 || s.tokens[1].quoted || s.tokens[1].text != "=")
}
