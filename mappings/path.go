package mappings

import (
	"strconv"
	"strings"

	"stafett/handover"
)

// msgPath is a place in a message: steps from the message's root, or from the place of
// the enclosing block.
type msgPath struct {
	absolute bool
	steps    []msgStep
	text     string
}

// msgStep is one child, with what must hold for a repetition to be meant.
type msgStep struct {
	name, space string
	filters     []msgFilter
	nth         int // 1-based among the matching repetitions; 0 for the first
	self        bool
}

// msgFilter holds when the leaf at path has the value; written, it is set to it.
type msgFilter struct {
	path  []msgStep
	value string
}

// pathReader holds what spelled paths depend on.
type pathReader struct {
	wire       handover.Wire
	namespaces map[string]string
}

// readMsgPath parses a spelled path. space is the namespace that an XML step without a
// prefix inherits.
func (r pathReader) readMsgPath(pos position, text, space string) (msgPath, error) {
	p := msgPath{text: text}
	rest := text
	if strings.HasPrefix(rest, "/") {
		p.absolute, rest, space = true, rest[1:], ""
	}
	if rest == "" {
		return p, pos.errorf("a place in the message is missing")
	}
	steps, err := r.readSteps(pos, rest, space)
	p.steps = steps
	return p, err
}

func (r pathReader) readSteps(pos position, text, space string) ([]msgStep, error) {
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
	steps := make([]msgStep, 0, len(parts))
	for _, part := range parts {
		s, err := r.readStep(pos, part, space)
		if err != nil {
			return nil, err
		}
		if s.name[0] != '@' {
			space = s.space
		}
		steps = append(steps, s)
	}
	return steps, nil
}

func (r pathReader) readStep(pos position, part, space string) (msgStep, error) {
	name, brackets, err := splitBrackets(pos, part)
	if err != nil {
		return msgStep{}, err
	}
	s := msgStep{name: name, space: space}
	if prefix, local, ok := strings.Cut(name, ":"); ok && r.wire != handover.WireHL7v2 {
		uri, known := r.namespaces[prefix]
		if !known {
			return s, pos.errorf("the namespace prefix %q is not declared", prefix)
		}
		s.name, s.space = local, uri
	}
	switch {
	case s.name == "":
		return s, pos.errorf("a step of the place %q is empty", part)
	case s.name == "self":
		s.self = true
	case s.name[0] == '@' && !strings.Contains(name, ":"):
		s.space = ""
	}
	for _, b := range brackets {
		if n, err := strconv.Atoi(b); err == nil && n > 0 {
			s.nth = n
			continue
		}
		for _, f := range splitComma(b) {
			key, value, ok := strings.Cut(f, "=")
			if !ok {
				return s, pos.errorf("the condition [%s] needs the form place=value", f)
			}
			path, err := r.readSteps(pos, strings.TrimSpace(key), s.space)
			if err != nil {
				return s, err
			}
			s.filters = append(s.filters, msgFilter{path, unquote(value)})
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

// rootKind says where a place in the canonical form starts.
type rootKind uint8

const (
	rootRelative rootKind = iota
	rootResource
	rootHeader
	rootFact
	rootDay
	rootEvent
)

// place is a place in the canonical form: in a resource, the header, the facts, the day
// or the event.
type place struct {
	root  rootKind
	res   int    // index of the resource declaration
	name  string // of the header value or the fact
	steps []fhirStep
	text  string
}

// fhirStep is one member, or one item of an array.
type fhirStep struct {
	name    string
	array   bool
	append_ bool // [] : each item in turn
	index   int
	filters []fhirFilter
}

// fhirFilter holds when the text at path is value; written, it is set to it.
type fhirFilter struct {
	path  []fhirStep
	value string
}

// readPlace parses a spelled place. resources are the declared names.
func readPlace(pos position, text string, resources map[string]int) (place, error) {
	p := place{text: text}
	rest := text
	if strings.HasPrefix(rest, ".") {
		rest = rest[1:]
	} else {
		first, tail, _ := strings.Cut(rest, ".")
		switch {
		case first == "header" || first == "fact":
			p.root, p.name = rootFact, tail
			if first == "header" {
				p.root = rootHeader
				if headerValue(&Header{}, tail) == nil {
					return p, pos.errorf("the header has no value named %q", tail)
				}
			}
			if tail == "" {
				return p, pos.errorf("%s needs a name", first)
			}
			return p, nil
		case rest == "day":
			p.root = rootDay
			return p, nil
		case rest == "event":
			p.root = rootEvent
			return p, nil
		default:
			if i, ok := resources[first]; ok {
				p.root, p.res, rest = rootResource, i, tail
			}
		}
	}
	if rest == "" {
		if p.root == rootResource {
			return p, nil
		}
		return p, pos.errorf("a place in the canonical form is missing")
	}
	steps, err := readFHIRSteps(pos, rest)
	p.steps = steps
	return p, err
}

func readFHIRSteps(pos position, text string) ([]fhirStep, error) {
	parts, _ := splitOutside(text, ".")
	var steps []fhirStep
	for _, part := range parts {
		name, brackets, err := splitBrackets(pos, part)
		if err != nil {
			return nil, err
		}
		if name == "" || len(brackets) > 1 {
			return nil, pos.errorf("%q is not a step of a FHIR place", part)
		}
		s := fhirStep{name: name}
		if len(brackets) == 1 {
			s.array = true
			if err := s.readBracket(pos, brackets[0]); err != nil {
				return nil, err
			}
		}
		steps = append(steps, s)
	}
	return steps, nil
}

func (s *fhirStep) readBracket(pos position, b string) error {
	if b == "" {
		s.append_ = true
		return nil
	}
	if n, err := strconv.Atoi(b); err == nil && n >= 0 && n < 1000 {
		s.index = n
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
		s.filters = append(s.filters, fhirFilter{path, unquote(value)})
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

// headerValue returns the header value that a mapping file spells name, or nil.
func headerValue(h *Header, name string) *string {
	switch name {
	case "id":
		return &h.ID
	case "time":
		return &h.Time
	case "type":
		return &h.Type
	case "version":
		return &h.Version
	case "conversation":
		return &h.Conversation
	case "parent":
		return &h.Parent
	case "status":
		return &h.Status
	}
	a, rest := &h.Sender, strings.TrimPrefix(name, "sender.")
	if rest == name {
		a, rest = &h.Receiver, strings.TrimPrefix(name, "receiver.")
	}
	if rest == name {
		return nil
	}
	switch rest {
	case "her":
		return &a.HER
	case "herService":
		return &a.HERService
	case "orgNumber":
		return &a.OrgNumber
	case "application":
		return &a.Application
	case "facility":
		return &a.Facility
	case "name":
		return &a.Name
	case "serviceName":
		return &a.ServiceName
	}
	return nil
}
