package language

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// SyntaxError is one mistake in a mapping file.
type SyntaxError struct {
	File         string
	Line, Column int // 1-based; Column counts bytes
	Text         string
}

// Error returns file:line:column: text.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Text)
}

// position is where a statement or a token starts.
type position struct {
	file         string
	line, column int
}

func (p position) errorf(format string, args ...any) error {
	return &SyntaxError{File: p.file, Line: p.line, Column: p.column, Text: fmt.Sprintf(format, args...)}
}

// token is a run of non-blanks (brackets keep blanks together) or a quoted string.
type token struct {
	text   string
	column int
	quoted bool
}

// statement is one line, with the lines of its block if it ends with an opening brace.
type statement struct {
	pos    position
	tokens []token
	block  bool
	body   []*statement
}

func (s *statement) word() string { return s.tokens[0].text }

// spelled is the statement as one text.
func (s *statement) spelled() string {
	b := make([]byte, 0, 128)
	for _, t := range s.tokens {
		b = append(strconv.AppendQuote(b, t.text), ' ')
	}
	return string(b)
}

func (s *statement) at(i int) position {
	p := s.pos
	if i < len(s.tokens) {
		p.column = s.tokens[i].column
	}
	return p
}

// Limits of a mapping file: they are written by people.
const (
	maxFileBytes  = 1 << 20
	maxBlockDepth = 32
)

// parse splits a file into statements. It goes on after a mistake, to report them all.
func parse(file string, text string) ([]*statement, error) {
	if len(text) > maxFileBytes {
		return nil, position{file, 1, 1}.errorf("the file is larger than %d bytes", maxFileBytes)
	}
	root := &statement{}
	p := &parser{open: []*statement{root}}
	line := 0
	for text := range strings.SplitSeq(text, "\n") {
		line++
		p.fail(p.line(position{file, line, 1}, text))
	}
	for _, s := range p.open[1:] {
		p.fail(s.pos.errorf("this block is not closed"))
	}
	return root.body, errors.Join(p.errs...)
}

// parser holds the blocks that are open, the file itself first.
type parser struct {
	mistakes
	open []*statement
}

// line reads one line: nothing, the end of a block, or a statement.
func (p *parser) line(pos position, text string) error {
	tokens, err := tokens(pos, text)
	if err != nil || len(tokens) == 0 {
		return err
	}
	pos.column = tokens[0].column
	if tokens[0].is("}") {
		return p.closes(pos, len(tokens))
	}
	s := &statement{pos: pos, tokens: tokens}
	if n := len(tokens) - 1; tokens[n].is("{") {
		s.tokens, s.block = tokens[:n], true
	}
	return p.add(s)
}

func (p *parser) closes(pos position, tokens int) error {
	switch {
	case tokens > 1:
		return pos.errorf("nothing may follow a closing brace")
	case len(p.open) == 1:
		return pos.errorf("no block is open here")
	}
	p.open = p.open[:len(p.open)-1]
	return nil
}

// add puts a statement into the block that is open, and opens its own.
func (p *parser) add(s *statement) error {
	switch {
	case len(s.tokens) == 0:
		return s.pos.errorf("a block needs a heading before its brace")
	case s.block && len(p.open) > maxBlockDepth:
		return s.pos.errorf("blocks are nested deeper than %d", maxBlockDepth)
	}
	parent := p.open[len(p.open)-1]
	parent.body = append(parent.body, s)
	if s.block {
		p.open = append(p.open, s)
	}
	return nil
}

// is reports whether a token is this word or mark.
func (t token) is(text string) bool { return t.text == text && !t.quoted }

// tokens splits one line. A # that starts a token starts a comment.
func tokens(pos position, line string) ([]token, error) {
	var out []token
	for i := 0; i < len(line); {
		switch line[i] {
		case ' ', '\t', '\r':
			i++
			continue
		case '#':
			return out, nil
		}
		t, n, wrong := nextToken(line[i:])
		pos.column, t.column = i+1, i+1
		if wrong != "" {
			return nil, pos.errorf("%s", wrong)
		}
		out = append(out, t)
		i += n
	}
	return out, nil
}

// nextToken reads the token that s starts with, n bytes long, or says what is wrong.
func nextToken(s string) (t token, n int, wrong string) {
	if s[0] == '"' {
		text, n, ok := quoted(s)
		return token{text: text, quoted: true}, n, either(ok, "", "the quoted text is not closed")
	}
	n, ok := bare(s)
	return token{text: s[:n]}, n, either(ok, "", "a bracket is not closed, or closes nothing")
}

// quoted reads a string that starts with a quote; \" \\ and \n are escapes.
func quoted(s string) (text string, n int, ok bool) {
	text = quotedText.FindString(s)
	if text == "" {
		return "", 0, false
	}
	return escape.ReplaceAllStringFunc(text[1:len(text)-1], unescape), len(text), true
}

var (
	quotedText = regexp.MustCompile(`^"(?s:[^"\\]|\\.)*"`)
	escape     = regexp.MustCompile(`(?s)\\.`)
)

// unescape is what a backslash and the letter after it stand for.
func unescape(escaped string) string {
	return either(escaped == `\n`, "\n", escaped[1:])
}

// closes are the brackets that a closing one closes.
var closes = map[byte]byte{']': '[', ')': '('}

// bare reads up to a blank outside of brackets.
func bare(s string) (n int, ok bool) {
	var open []byte
	for n = 0; n < len(s); n++ {
		c := s[n]
		opening := closes[c]
		switch {
		case c == '[', c == '(':
			open = append(open, c)
		case opening != 0 && (len(open) == 0 || open[len(open)-1] != opening):
			return 0, false
		case opening != 0:
			open = open[:len(open)-1]
		case len(open) == 0 && strings.IndexByte(" \t\r", c) >= 0:
			return n, true
		}
	}
	return n, len(open) == 0
}

// nesting is how a byte changes the depth of brackets.
var nesting = [256]int{'[': 1, '(': 1, ']': -1, ')': -1}

// splitOutside splits s at each byte of seps that stands outside of brackets.
func splitOutside(s, seps string) []string {
	var parts []string
	depth, start := 0, 0
	for i := range len(s) {
		depth += nesting[s[i]]
		if depth == 0 && strings.IndexByte(seps, s[i]) >= 0 {
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}
