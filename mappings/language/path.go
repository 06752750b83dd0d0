package language

import (
	"cmp"
	"iter"
	"strconv"
	"strings"
)

// paths reads places in messages.
type paths struct{ *declarations }

// reading is one place that is being read. The first mistake in it is told; what follows
// that may be nonsense.
type reading struct {
	pos position
	err error
}

func (in *reading) note(err error) { in.err = cmp.Or(in.err, err) }

func (in *reading) errorf(format string, args ...any) { in.note(in.pos.errorf(format, args...)) }

// origin is where a place in a message starts.
type origin struct {
	space string // what an XML step without a prefix inherits
	spot  spot   // ER7
}

// readMsgPath parses a spelled place and checks its names. The origin returned is below it.
func (r *paths) readMsgPath(pos position, text string, from origin) (MsgPath, origin, error) {
	rest, absolute := strings.CutPrefix(text, "/")
	p := MsgPath{Text: text, Absolute: absolute}
	if rest == "" {
		return p, from, pos.errorf("a place in the message is missing")
	}
	in := &reading{pos: pos}
	steps, below := r.steps(in, rest, either(absolute, origin{}, from))
	p.Steps = steps
	return p, below, in.err
}

// steps reads what is spelled; nil when there is a mistake.
func (r *paths) steps(in *reading, text string, at origin) ([]MsgStep, origin) {
	parts := splitOutside(r.notation.spellSelf(text), r.notation.separators)
	steps := make([]MsgStep, len(parts))
	for i, part := range parts {
		steps[i], at = r.step(in, part, at)
	}
	return either(in.err == nil, steps, nil), at
}

func (r *paths) step(in *reading, part string, at origin) (MsgStep, origin) {
	name, brackets := splitBrackets(in, part)
	s := MsgStep{Name: name, Space: at.space, Self: name == self}
	switch {
	case name == "":
		in.errorf("a step of the place %q is empty", part)
	case !s.Self:
		at = r.notation.enter(r, in, &s, at)
	}
	for _, bracket := range brackets {
		r.bracket(in, &s, bracket, at)
	}
	return s, at
}

// path reads a message place, notes its order, and returns the scope below it.
func (r *paths) path(pos position, text string, sc scope) (MsgPath, scope) {
	p, below, err := r.readMsgPath(pos, text, sc.origin)
	r.fail(err)
	sc.origin, sc.inner = below, true
	sc.shape = either(p.Absolute, r.m.Shape, sc.shape).follow(p.Steps)
	return p, sc
}

// follow notes steps, and what their conditions name, in the order of children.
func (s *Shape) follow(steps []MsgStep) *Shape {
	for i := range steps {
		if !steps[i].Self {
			s = s.child(steps[i].Name, steps[i].Space)
		}
		for j := range steps[i].Filters {
			s.follow(steps[i].Filters[j].Path)
		}
	}
	return s
}

// spaceOf is what a prefix stands for.
func (r *paths) spaceOf(in *reading, prefix string) string {
	uri, known := r.namespaces[prefix]
	if !known {
		in.errorf("the namespace prefix %q is not declared%s", prefix, hint(prefix, keys(r.namespaces)))
	}
	r.lib.use(r.prefixes[prefix]...)
	return uri
}

// prefixOf spells a namespace as the mapping does.
func (r *paths) prefixOf(space string) string {
	for _, prefix := range keys(r.namespaces) {
		if r.namespaces[prefix] == space {
			return prefix
		}
	}
	return space
}

// bracket reads what chooses a repetition: its number, or conditions, "is NAME" among them.
func (r *paths) bracket(in *reading, s *MsgStep, text string, at origin) {
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		s.Nth = n
		return
	}
	for _, condition := range splitComma(text) {
		if name, named := strings.CutPrefix(condition, "is "); named {
			s.Filters = append(s.Filters, MsgFilter{Is: predicateNamed(in, strings.TrimSpace(name))})
			continue
		}
		for place, value := range in.conditions(condition) {
			path, _ := r.steps(in, place, at)
			s.Filters = append(s.Filters, MsgFilter{Path: path, Value: value})
		}
	}
}

// conditions reads PLACE=VALUE, … in brackets.
func (in *reading) conditions(text string) iter.Seq2[string, string] {
	return func(yield func(place, value string) bool) {
		for _, f := range splitComma(text) {
			place, value, ok := cutOutside(f, "=")
			if !ok {
				in.errorf("the condition [%s] needs the form place=value", f)
			}
			if !yield(strings.TrimSpace(place), unquote(value)) {
				return
			}
		}
	}
}

// cutOutside cuts at the first sep outside of brackets.
func cutOutside(s, sep string) (before, after string, ok bool) {
	parts := splitOutside(s, sep)
	return parts[0], strings.TrimPrefix(s[len(parts[0]):], sep), len(parts) > 1
}

func splitComma(s string) []string {
	parts := splitOutside(s, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

func unquote(s string) string {
	s = strings.TrimSpace(s)
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// splitBrackets splits name[a][b] into name and the bracketed parts. A line's brackets are
// paired when it is split into tokens; a variable may still bring one that is not.
func splitBrackets(in *reading, s string) (name string, brackets []string) {
	name, rest, found := strings.Cut(s, "[")
	for found {
		end := closing(rest)
		if end < 0 {
			in.errorf("a bracket in %q is not closed", s)
			return "", nil
		}
		brackets = append(brackets, rest[:end])
		rest, found = strings.CutPrefix(rest[end+1:], "[")
	}
	if brackets != nil && rest != "" {
		in.errorf("text follows the bracket in %q", s)
	}
	return name, brackets
}

// closing returns where the bracket that is open before s closes, or -1.
func closing(s string) int {
	depth := 1
	for i := range len(s) {
		depth += bracketStep[s[i]]
		if depth == 0 {
			return i
		}
	}
	return -1
}

var bracketStep = [256]int{'[': 1, ']': -1}
