package language

import (
	"iter"
	"slices"
	"strings"
)

// form is how a statement is written, as the documentation and the mistakes spell it:
//
//	word, a|b       these words; which of several is asked by their spelling
//	PLACE           one token that is not quoted
//	"REASON"        one quoted text that is not empty
//	VALUE           one token, quoted or not
//	PARTS           tokens up to the next word of the form
//	[word …]        may be left out; known from its first word
//	[word …]…       any number of times
//	{ at the end    a block follows
type form struct {
	text  string
	items []formItem
	block bool
}

type formKind uint8

const (
	formWord formKind = iota
	formName
	formQuoted
	formValue
	formParts
	formGroup
)

type formItem struct {
	kind  formKind
	name  string   // of a capture or, for words, as spelled
	words []string // formWord
	group []formItem
	text  string // formGroup: as spelled, without its brackets
	many  bool   // formGroup
}

// forms reads the spellings of one statement's forms.
func forms(spelled ...string) []form {
	out := make([]form, len(spelled))
	for i, s := range spelled {
		body, block := strings.CutSuffix(s, " {")
		out[i] = form{s, formItems(body), block}
	}
	return out
}

func formItems(s string) []formItem {
	parts := splitOutside(s, " ")
	out := make([]formItem, len(parts))
	for i, part := range parts {
		out[i] = readFormItem(part)
	}
	return out
}

func readFormItem(part string) formItem {
	bare, many := strings.CutSuffix(part, "…")
	if inner, ok := strings.CutPrefix(bare, "["); ok {
		inner = strings.TrimSuffix(inner, "]")
		return formItem{kind: formGroup, group: formItems(inner), text: inner, many: many}
	}
	name := strings.Trim(part, `"`)
	special := map[string]formKind{`"` + name + `"`: formQuoted, "VALUE": formValue, "PARTS": formParts}
	if kind, ok := special[part]; ok {
		return formItem{kind: kind, name: name}
	}
	if part == strings.ToUpper(part) && part != strings.ToLower(part) {
		return formItem{kind: formName, name: name}
	}
	return formItem{kind: formWord, name: part, words: strings.Split(part, "|")}
}

// capture are the tokens of one name; group is what may be left out, by its first word or the
// name of its first capture.
type (
	capture struct {
		name   string
		tokens []int
	}
	group struct {
		lead string
		*match
	}
)

// match is a statement as one of its forms reads it: the place of each capture among the
// statement's tokens.
type match struct {
	s      *statement
	found  []capture
	groups []group
}

// has reports whether something was captured; nothing is in a group that was left out.
func (m *match) has(name string) bool     { return m != nil && m.all(name) != nil }
func (m *match) token(name string) token  { return m.s.tokens[m.all(name)[0]] }
func (m *match) pos(name string) position { return m.s.at(m.all(name)[0]) }

// all lists the tokens of a capture.
func (m *match) all(name string) []int {
	for i := range m.found {
		if m.found[i].name == name {
			return m.found[i].tokens
		}
	}
	return nil
}

// capture adds tokens to a capture.
func (m *match) capture(name string, tokens ...int) {
	m.found = append(m.found, capture{name, tokens})
}

// text is a captured token's text; empty when it was left out.
func (m *match) text(name string) string {
	if !m.has(name) {
		return ""
	}
	return m.token(name).text
}

// group returns an optional group, or nil when it was left out.
func (m *match) group(lead string) *match {
	for g := range m.each(lead) {
		return g
	}
	return nil
}

// each lists the repetitions of an optional group.
func (m *match) each(lead string) iter.Seq[*match] {
	return func(yield func(*match) bool) {
		for _, g := range m.groups {
			if g.lead == lead && !yield(g.match) {
				return
			}
		}
	}
}

// stuck says how far a form fitted, and what was expected there.
type stuck struct {
	at   int
	text string
}

// read fits a statement into the first of its forms that takes it.
func read(s *statement, list []form) (*match, error) {
	var far stuck
	for i := range list {
		m, failed := list[i].read(s)
		if failed == nil {
			return m, nil
		}
		if far.text == "" || failed.at > far.at {
			far = *failed
		}
	}
	return nil, s.at(far.at).errorf("expected: %s", far.text)
}

func (f *form) read(s *statement) (*match, *stuck) {
	m := &match{s: s}
	next, failed := m.items(f.items, 0)
	if failed == nil && (next < len(s.tokens) || s.block != f.block) {
		failed = &stuck{at: next}
	}
	if failed != nil && failed.text == "" {
		failed.text = f.text
	}
	return m, failed
}

// items reads items from token i on, and returns the token after them.
func (m *match) items(items []formItem, i int) (int, *stuck) {
	for k := range items {
		read := readers[items[k].kind]
		next, failed := read(m, &items[k], items[k+1:], i)
		if failed != nil {
			return i, failed
		}
		i = next
	}
	return i, nil
}

// itemReader reads one item at token i; rest is what follows in the form.
type itemReader func(m *match, item *formItem, rest []formItem, i int) (int, *stuck)

var readers [formGroup + 1]itemReader

func init() {
	readers = [...]itemReader{
		formWord:   one(func(t token, item *formItem) bool { return !t.quoted && slices.Contains(item.words, t.text) }),
		formName:   one(func(t token, _ *formItem) bool { return !t.quoted }),
		formQuoted: one(func(t token, _ *formItem) bool { return t.quoted && t.text != "" }),
		formValue:  one(func(token, *formItem) bool { return true }),
		formParts:  readParts,
		formGroup:  readGroup,
	}
}

// one reads an item of one token.
func one(fits func(t token, item *formItem) bool) itemReader {
	return func(m *match, item *formItem, _ []formItem, i int) (int, *stuck) {
		if i >= len(m.s.tokens) || !fits(m.s.tokens[i], item) {
			return i, &stuck{at: i}
		}
		m.capture(item.name, i)
		return i + 1, nil
	}
}

func readParts(m *match, item *formItem, rest []formItem, i int) (int, *stuck) {
	var parts []int
	for ; i < len(m.s.tokens) && !leads(rest, m.s.tokens[i]); i++ {
		parts = append(parts, i)
	}
	if parts == nil {
		return i, &stuck{at: i}
	}
	m.capture(item.name, parts...)
	return i, nil
}

// leads reports whether t is the word that the next item starts with.
func leads(items []formItem, t token) bool {
	return len(items) > 0 && !t.quoted && slices.Contains(items[0].words, t.text)
}

// readGroup reads what may be left out. A group whose first item fits must fit whole.
func readGroup(m *match, item *formItem, _ []formItem, i int) (int, *stuck) {
	for {
		g := &match{s: m.s}
		lead := &item.group[0]
		next, absent := readers[lead.kind](g, lead, nil, i)
		if absent != nil {
			return i, nil
		}
		next, failed := g.items(item.group[1:], next)
		if failed != nil {
			return i, &stuck{either(failed.text != "", failed.at, i), either(failed.text != "", failed.text, item.text)}
		}
		m.groups = append(m.groups, group{lead.name, g})
		if i = next; !item.many {
			return i, nil
		}
	}
}

func either[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}
