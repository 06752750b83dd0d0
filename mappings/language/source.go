package language

import (
	"errors"
	"slices"
)

// source is one parsed mapping file.
type source struct {
	name       string
	pos        position
	extends    named
	takes      bool // names a message type to take
	base       bool // names a wire alone
	statements []*statement
}

// named is a name where it stands in a file.
type named struct {
	text string
	pos  position
}

// section is a part of a file that others include by name.
type section struct {
	pos  position
	body []*statement
}

// library is everything that mapping files refer to by name.
type library struct {
	sources  map[string]*source
	sections map[string]*section
	concepts map[string]*conceptMap
	declared map[position]error // what is wrong when nothing uses it
	used     map[position]bool
}

func newLibrary() *library {
	return &library{sources: map[string]*source{}, sections: map[string]*section{}, concepts: map[string]*conceptMap{},
		declared: map[position]error{}, used: map[position]bool{}}
}

// declare notes what something must use, and the mistake when nothing does.
func (l *library) declare(pos position, format, name string) {
	l.declared[pos] = pos.errorf(format, name)
}

func (l *library) use(places ...position) {
	for _, pos := range places {
		l.used[pos] = true
	}
}

// unused lists the mistakes of what nothing uses.
func (l *library) unused() []error {
	var out []error
	for pos, err := range l.declared {
		if !l.used[pos] {
			out = append(out, err)
		}
	}
	return out
}

// read parses a file and notes its name and its sections.
func (l *library) read(file, text string) (*source, error) {
	statements, err := parse(file, text)
	src := &source{pos: position{file, 1, 1}}
	errs := []error{err}
	for _, s := range statements {
		own, err := l.heading(src, s)
		errs = append(errs, err)
		if !own {
			src.statements = append(src.statements, s)
		}
	}
	if src.name == "" {
		errs = append(errs, src.pos.errorf("the file does not say: mapping NAME"))
	}
	if other := l.sources[src.name]; other != nil {
		errs = append(errs, src.pos.errorf("the mapping %q exists already", src.name))
	}
	l.sources[src.name] = src
	l.declare(src.pos, "nothing extends or includes %q, and it takes no message", src.name)
	return src, errors.Join(errs...)
}

// headings are the statements that say what a file is.
var headings map[string]func(l *library, src *source, m *match) error

func init() {
	headings = map[string]func(*library, *source, *match) error{
		"mapping": (*library).mapping, "extends": (*library).extends, "takes": (*library).takes, "section": (*library).section,
	}
}

// heading reads a statement that says what the file is; own says that it is that alone.
func (l *library) heading(src *source, s *statement) (own bool, err error) {
	head := headings[s.word()]
	if head == nil {
		return false, nil
	}
	m, err := read(s, statementKinds[s.word()].forms)
	if err == nil {
		err = head(l, src, m)
	}
	return s.word() != "takes", err
}

func (l *library) mapping(src *source, m *match) error {
	if src.name != "" {
		return m.s.pos.errorf("the file is named already: mapping %s", src.name)
	}
	src.name, src.pos = m.text("NAME"), m.s.pos
	return nil
}

func (l *library) extends(src *source, m *match) error {
	if src.extends.text != "" {
		return m.s.pos.errorf("a file extends one other: it extends %s in line %d; include what is shared", src.extends.text, src.extends.pos.line)
	}
	src.extends = named{m.text("NAME"), m.pos("NAME")}
	return nil
}

func (l *library) takes(src *source, m *match) error {
	src.base, src.takes = true, m.has("TYPE")
	if src.takes {
		l.use(src.pos)
	}
	return nil
}

func (l *library) section(_ *source, m *match) error {
	name := m.text("NAME")
	if l.sections[name] != nil {
		return m.pos("NAME").errorf("the section %q exists already", name)
	}
	l.sections[name] = &section{m.s.pos, m.s.body}
	l.declare(m.s.pos, "nothing includes the section %q", name)
	return nil
}

// includes puts the statements of what a file includes in the place of each include.
func (l *library) includes(src *source) error {
	inc := &inclusion{l: l, once: map[string]bool{}}
	src.statements = inc.all(src.statements, []string{src.name})
	return errors.Join(inc.errs...)
}

// inclusion follows what one file includes.
type inclusion struct {
	mistakes
	l    *library
	once map[string]bool
}

// all replaces the includes among statements. path names what is being included.
func (inc *inclusion) all(statements []*statement, path []string) []*statement {
	var out []*statement
	for _, s := range statements {
		if s.tokens[0].is("include") {
			out = append(out, inc.one(s, path)...)
			continue
		}
		out = append(out, s)
	}
	return out
}

func (inc *inclusion) one(s *statement, path []string) []*statement {
	m, err := read(s, statementKinds["include"].forms)
	if err != nil {
		inc.fail(err)
		return nil
	}
	name := m.text("NAME")
	body, err := inc.body(m.pos("NAME"), name)
	switch {
	case err != nil:
	case slices.Contains(path, name):
		err = m.pos("NAME").errorf("%s includes itself", name)
	case inc.once[name]:
		err = m.pos("NAME").errorf("%s is included already", name)
	}
	if inc.fail(err); err != nil {
		return nil
	}
	inc.once[name] = true
	return inc.all(body, append(slices.Clone(path), name))
}

// body finds a section, or a file that takes nothing.
func (inc *inclusion) body(pos position, name string) ([]*statement, error) {
	if sec := inc.l.sections[name]; sec != nil {
		inc.l.use(sec.pos)
		return sec.body, nil
	}
	src := inc.l.sources[name]
	if src == nil {
		known := append(keys(inc.l.sections), keys(inc.l.sources)...)
		if sec := inc.l.sections[nearest(name, known)]; sec != nil {
			inc.l.use(sec.pos)
		}
		return nil, pos.unknown("section", name, known)
	}
	inc.l.use(src.pos)
	if src.base || src.extends.text != "" {
		return nil, pos.errorf("%s is a mapping: it is extended, not included; only a file without takes is", name)
	}
	return src.statements, nil
}
