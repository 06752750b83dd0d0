package language

import (
	"strconv"
	"strings"

	"stafett/handover"
)

// pathReader reads places in messages. What they depend on is the wire and the namespaces
// that the mapping declares.
type pathReader struct {
	wire       handover.Wire
	namespaces map[string]string
	used       func(prefix string)
}

// origin is where a place in a message starts.
type origin struct {
	space string // what an XML step without a prefix inherits
	spot  spot
}

// readMsgPath parses a spelled place and checks its names. The origin returned is below it.
func (r *pathReader) readMsgPath(pos position, text string, from origin) (MsgPath, origin, error) {
	rest, absolute := strings.CutPrefix(text, "/")
	p := MsgPath{Text: text, Absolute: absolute}
	if absolute {
		from = origin{}
	}
	if rest == "" {
		return p, from, pos.errorf("a place in the message is missing")
	}
	steps, below, err := r.readSteps(pos, rest, from)
	p.Steps = steps
	return p, below, err
}

// separators stand between the steps of a place.
func (r *pathReader) separators() string {
	return either(r.wire == handover.WireHL7v2, ".-", "/")
}

// spellSelf puts a name where a place means its own start: "." and ".[…]", in ER7 also
// before the number of a part.
func (r *pathReader) spellSelf(text string) string {
	own := strings.TrimPrefix(text, ".")
	if r.wire == handover.WireHL7v2 {
		own = strings.TrimPrefix(text, "-")
		own = strings.TrimPrefix(own, ".")
		text = own
	}
	if own == "" || own[0] == '[' {
		return "self" + own
	}
	return text
}

func (r *pathReader) readSteps(pos position, text string, at origin) ([]MsgStep, origin, error) {
	parts := splitOutside(r.spellSelf(text), r.separators())
	steps := make([]MsgStep, 0, len(parts))
	for _, part := range parts {
		s, below, err := r.readStep(pos, part, at)
		if err != nil {
			return nil, at, err
		}
		at = below
		steps = append(steps, s)
	}
	return steps, at, nil
}

func (r *pathReader) readStep(pos position, part string, at origin) (MsgStep, origin, error) {
	name, brackets, err := splitBrackets(pos, part)
	if err != nil {
		return MsgStep{}, at, err
	}
	s, below, err := r.enter(pos, name, part, at)
	for i := 0; i < len(brackets) && err == nil; i++ {
		err = r.readBracket(pos, &s, brackets[i], below)
	}
	return s, below, err
}

// enter names a step and checks that there is such a thing.
func (r *pathReader) enter(pos position, name, part string, at origin) (MsgStep, origin, error) {
	s := MsgStep{Name: name, Space: at.space, Self: name == "self"}
	switch {
	case name == "":
		return s, at, pos.errorf("a step of the place %q is empty", part)
	case s.Self:
		return s, at, nil
	case r.wire == handover.WireHL7v2:
		below, err := at.spot.enter(pos, name)
		return s, origin{spot: below}, err
	}
	return r.enterXML(pos, s, at)
}

func (r *pathReader) enterXML(pos position, s MsgStep, at origin) (MsgStep, origin, error) {
	prefix, local, prefixed := strings.Cut(s.Name, ":")
	if prefixed {
		uri, known := r.namespaces[prefix]
		if !known {
			return s, at, pos.errorf("the namespace prefix %q is not declared%s", prefix, hint(prefix, keys(r.namespaces)))
		}
		r.used(prefix)
		s.Name, s.Space = local, uri
	}
	if strings.HasPrefix(s.Name, "@") {
		s.Space = ""
		return s, at, xmlName(pos, &s, r)
	}
	return s, origin{space: s.Space}, xmlName(pos, &s, r)
}

// prefixOf spells a namespace as the mapping does.
func (r *pathReader) prefixOf(space string) string {
	for _, prefix := range keys(r.namespaces) {
		if r.namespaces[prefix] == space {
			return prefix
		}
	}
	return space
}

// readBracket reads what chooses a repetition: its number, or conditions.
func (r *pathReader) readBracket(pos position, s *MsgStep, bracket string, at origin) error {
	if n, err := strconv.Atoi(bracket); err == nil && n > 0 {
		s.Nth = n
		return nil
	}
	for _, f := range splitComma(bracket) {
		key, value, ok := strings.Cut(f, "=")
		if !ok {
			return pos.errorf("the condition [%s] needs the form place=value", f)
		}
		path, _, err := r.readSteps(pos, strings.TrimSpace(key), at)
		if err != nil {
			return err
		}
		s.Filters = append(s.Filters, MsgFilter{path, unquote(value)})
	}
	return nil
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
func splitBrackets(pos position, s string) (name string, brackets []string, err error) {
	name, rest, found := strings.Cut(s, "[")
	for found {
		end := closing(rest)
		if end < 0 {
			return "", nil, pos.errorf("a bracket in %q is not closed", s)
		}
		brackets = append(brackets, rest[:end])
		after := rest[end+1:]
		rest, found = strings.CutPrefix(after, "[")
		if !found && after != "" {
			return "", nil, pos.errorf("text follows the bracket in %q", s)
		}
	}
	return name, brackets, nil
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
