package language

import (
	"strconv"
	"strings"

	"stafett/handover"
	"stafett/mappings/account"
)

// pathReader holds what spelled paths depend on.
type pathReader struct {
	wire       handover.Wire
	namespaces map[string]string
}

// readMsgPath parses a spelled path. space is the namespace that an XML step without a
// prefix inherits.
func (r pathReader) readMsgPath(pos position, text, space string) (MsgPath, error) {
	p := MsgPath{Text: text}
	rest := text
	if strings.HasPrefix(rest, "/") {
		p.Absolute, rest, space = true, rest[1:], ""
	}
	if rest == "" {
		return p, pos.errorf("a place in the message is missing")
	}
	steps, err := r.readSteps(pos, rest, space)
	p.Steps = steps
	return p, err
}

func (r pathReader) readSteps(pos position, text, space string) ([]MsgStep, error) {
	seps := "/"
	if r.wire == handover.WireHL7v2 {
		seps = ".-"
		text = strings.TrimPrefix(strings.TrimPrefix(text, "-"), ".")
		if text == "" || text[0] == '[' {
			text = "self" + text
		}
	} else if text == "." || strings.HasPrefix(text, ".[") {
		text = "self" + text[1:]
	}
	parts, _ := splitOutside(text, seps)
	steps := make([]MsgStep, 0, len(parts))
	for _, part := range parts {
		s, err := r.readStep(pos, part, space)
		if err != nil {
			return nil, err
		}
		if s.Name[0] != '@' {
			space = s.Space
		}
		steps = append(steps, s)
	}
	return steps, nil
}

func (r pathReader) readStep(pos position, part, space string) (MsgStep, error) {
	name, brackets, err := splitBrackets(pos, part)
	if err != nil {
		return MsgStep{}, err
	}
	s := MsgStep{Name: name, Space: space}
	if prefix, local, ok := strings.Cut(name, ":"); ok && r.wire != handover.WireHL7v2 {
		uri, known := r.namespaces[prefix]
		if !known {
			return s, pos.errorf("the namespace prefix %q is not declared", prefix)
		}
		s.Name, s.Space = local, uri
	}
	switch {
	case s.Name == "":
		return s, pos.errorf("a step of the place %q is empty", part)
	case s.Name == "self":
		s.Self = true
	case s.Name[0] == '@' && !strings.Contains(name, ":"):
		s.Space = ""
	}
	for _, b := range brackets {
		if n, err := strconv.Atoi(b); err == nil && n > 0 {
			s.Nth = n
			continue
		}
		for _, f := range splitComma(b) {
			key, value, ok := strings.Cut(f, "=")
			if !ok {
				return s, pos.errorf("the condition [%s] needs the form place=value", f)
			}
			path, err := r.readSteps(pos, strings.TrimSpace(key), s.Space)
			if err != nil {
				return s, err
			}
			s.Filters = append(s.Filters, MsgFilter{path, unquote(value)})
		}
	}
	return s, nil
}

func splitComma(s string) []string {
	parts, _ := splitOutside(s, ",")
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

// splitBrackets splits name[a][b] into name and the bracketed parts.
func splitBrackets(pos position, s string) (name string, brackets []string, err error) {
	i := strings.IndexByte(s, '[')
	if i < 0 {
		return s, nil, nil
	}
	name = s[:i]
	for rest := s[i:]; rest != ""; {
		if rest[0] != '[' {
			return "", nil, pos.errorf("text follows the bracket in %q", s)
		}
		depth, end := 0, -1
		for j := 0; j < len(rest) && end < 0; j++ {
			switch rest[j] {
			case '[':
				depth++
			case ']':
				if depth--; depth == 0 {
					end = j
				}
			}
		}
		if end < 0 {
			return "", nil, pos.errorf("a bracket in %q is not closed", s)
		}
		brackets = append(brackets, rest[1:end])
		rest = rest[end+1:]
	}
	return name, brackets, nil
}

// readPlace parses a spelled place. resources are the declared names.
func readPlace(pos position, text string, resources map[string]int) (Place, error) {
	p := Place{Text: text}
	rest := text
	if strings.HasPrefix(rest, ".") {
		rest = rest[1:]
	} else {
		first, tail, _ := strings.Cut(rest, ".")
		switch {
		case first == "header" || first == "fact":
			p.Root, p.Name = RootFact, tail
			if first == "header" {
				p.Root = RootHeader
				if (&account.Header{}).Value(tail) == nil {
					return p, pos.errorf("the header has no value named %q", tail)
				}
			}
			if tail == "" {
				return p, pos.errorf("%s needs a name", first)
			}
			return p, nil
		case rest == "day":
			p.Root = RootDay
			return p, nil
		case rest == "event":
			p.Root = RootEvent
			return p, nil
		default:
			if i, ok := resources[first]; ok {
				p.Root, p.Resource, rest = RootResource, i, tail
			}
		}
	}
	if rest == "" {
		if p.Root == RootResource {
			return p, nil
		}
		return p, pos.errorf("a place in the canonical form is missing")
	}
	steps, err := readFHIRSteps(pos, rest)
	p.Steps = steps
	return p, err
}

func readFHIRSteps(pos position, text string) ([]FHIRStep, error) {
	parts, _ := splitOutside(text, ".")
	var steps []FHIRStep
	for _, part := range parts {
		name, brackets, err := splitBrackets(pos, part)
		if err != nil {
			return nil, err
		}
		if name == "" || len(brackets) > 1 {
			return nil, pos.errorf("%q is not a step of a FHIR place", part)
		}
		s := FHIRStep{Name: name}
		if len(brackets) == 1 {
			s.Array = true
			if err := s.readBracket(pos, brackets[0]); err != nil {
				return nil, err
			}
		}
		steps = append(steps, s)
	}
	return steps, nil
}

func (s *FHIRStep) readBracket(pos position, b string) error {
	if b == "" {
		s.Append = true
		return nil
	}
	if n, err := strconv.Atoi(b); err == nil && n >= 0 && n < 1000 {
		s.Index = n
		return nil
	}
	for _, f := range splitComma(b) {
		key, value, ok := cutOutside(f, '=')
		if !ok {
			return pos.errorf("the condition [%s] needs the form place=value", f)
		}
		path, err := readFHIRSteps(pos, strings.TrimSpace(key))
		if err != nil {
			return err
		}
		s.Filters = append(s.Filters, FHIRFilter{path, unquote(value)})
	}
	return nil
}

// cutOutside cuts at the first sep outside of brackets.
func cutOutside(s string, sep byte) (before, after string, ok bool) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '[':
			depth++
		case c == ']':
			depth--
		case c == sep && depth == 0:
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}
