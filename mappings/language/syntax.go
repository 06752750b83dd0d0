package language

import (
	"errors"
	"fmt"
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
	var b strings.Builder
	for _, t := range s.tokens {
		b.WriteString(strconv.Quote(t.text) + " ")
	}
	return b.String()
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
	var errs []error
	root := &statement{}
	open := []*statement{root}
	for i, line := range strings.Split(text, "\n") {
		pos := position{file, i + 1, 1}
		tokens, err := tokens(pos, line)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if len(tokens) == 0 {
			continue
		}
		pos.column = tokens[0].column
		switch first, last := tokens[0], tokens[len(tokens)-1]; {
		case !first.quoted && first.text == "}" && len(tokens) > 1:
			errs = append(errs, pos.errorf("nothing may follow a closing brace"))
		case !first.quoted && first.text == "}" && len(open) == 1:
			errs = append(errs, pos.errorf("no block is open here"))
		case !first.quoted && first.text == "}":
			open = open[:len(open)-1]
		case last.quoted || last.text != "{":
			parent := open[len(open)-1]
			parent.body = append(parent.body, &statement{pos: pos, tokens: tokens})
		case len(tokens) == 1:
			errs = append(errs, pos.errorf("a block needs a heading before its brace"))
		case len(open) > maxBlockDepth:
			return nil, pos.errorf("blocks are nested deeper than %d", maxBlockDepth)
		default:
			parent, s := open[len(open)-1], &statement{pos: pos, tokens: tokens[:len(tokens)-1], block: true}
			parent.body = append(parent.body, s)
			open = append(open, s)
		}
	}
	for _, s := range open[1:] {
		errs = append(errs, s.pos.errorf("this block is not closed"))
	}
	return root.body, errors.Join(errs...)
}

// tokens splits one line. A # that starts a token starts a comment.
func tokens(pos position, line string) ([]token, error) {
	var out []token
	for i := 0; i < len(line); {
		switch c := line[i]; {
		case c == ' ' || c == '\t' || c == '\r':
			i++
		case c == '#':
			return out, nil
		case c == '"':
			text, n, ok := quoted(line[i:])
			if !ok {
				pos.column = i + 1
				return nil, pos.errorf("the quoted text is not closed")
			}
			out = append(out, token{text, i + 1, true})
			i += n
		default:
			n, ok := bare(line[i:])
			if !ok {
				pos.column = i + 1
				return nil, pos.errorf("a bracket is not closed, or closes nothing")
			}
			out = append(out, token{line[i : i+n], i + 1, false})
			i += n
		}
	}
	return out, nil
}

// quoted reads a string that starts with a quote; \" \\ and \n are escapes.
func quoted(s string) (text string, n int, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; c {
		case '"':
			return b.String(), i + 1, true
		case '\\':
			i++
			if i == len(s) {
				return "", 0, false
			}
			if s[i] == 'n' {
				b.WriteByte('\n')
			} else {
				b.WriteByte(s[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", 0, false
}

// bare reads up to a blank outside of brackets.
func bare(s string) (n int, ok bool) {
	var open []byte
	for n = 0; n < len(s); n++ {
		switch c := s[n]; c {
		case ' ', '\t', '\r':
			if len(open) == 0 {
				return n, true
			}
		case '[':
			open = append(open, ']')
		case '(':
			open = append(open, ')')
		case ']', ')':
			if len(open) == 0 || open[len(open)-1] != c {
				return 0, false
			}
			open = open[:len(open)-1]
		}
	}
	return n, len(open) == 0
}

// splitOutside splits s at each byte of seps that stands outside of brackets. The
// separators before the parts after the first are returned as well.
func splitOutside(s, seps string) (parts []string, by []byte) {
	depth, start := 0, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '[' || c == '(':
			depth++
		case c == ']' || c == ')':
			depth--
		case depth == 0 && strings.IndexByte(seps, c) >= 0:
			parts, by = append(parts, s[start:i]), append(by, c)
			start = i + 1
		}
	}
	return append(parts, s[start:]), by
}
