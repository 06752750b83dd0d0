package language

import (
	"errors"
	"io/fs"
	"path"
	"sort"
	"strings"

	"stafett/handover"
)

// Set is all mappings of one installation. It is immutable and safe for concurrent use.
type Set struct {
	all    []*Program
	byType map[typeKey][]*Program
}

type typeKey struct {
	wire handover.Wire
	typ  string
}

// Load compiles every *.map file of fsys: those in a folder named concept are concept
// maps, all others mappings. The error joins one *SyntaxError for each mistake.
func Load(fsys fs.FS) (*Set, error) {
	lib := &library{sources: map[string]*source{}, concepts: map[string]*conceptMap{}}
	var order []*source
	var errs []error
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".map" {
			return err
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		if path.Base(path.Dir(name)) == "concept" {
			errs = append(errs, parseConcepts(name, string(text), lib.concepts))
			return nil
		}
		src, err := readSource(name, string(text))
		errs = append(errs, err)
		if err == nil {
			if lib.sources[src.name] != nil {
				errs = append(errs, src.pos.errorf("the mapping %q exists already", src.name))
			}
			lib.sources[src.name] = src
			order = append(order, src)
		}
		return nil
	})
	if err = errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	return lib.compileAll(order)
}

// compileAll compiles the files that take messages; others extend the rest, and set what
// they leave open.
func (l *library) compileAll(order []*source) (*Set, error) {
	set := &Set{byType: map[typeKey][]*Program{}}
	var errs []error
	for _, src := range order {
		if !src.takesType() {
			continue
		}
		m, err := l.compile(src)
		if err == nil {
			err = set.add(m, src)
		}
		errs = append(errs, err)
	}
	sort.Slice(set.all, func(i, j int) bool { return set.all[i].Name < set.all[j].Name })
	if err := joinOnce(errs); err != nil {
		return nil, err
	}
	return set, nil
}

// joinOnce joins errors without repeating a mistake in a base for each that extends it.
func joinOnce(errs []error) error {
	seen := map[string]bool{}
	var out []error
	for _, err := range errs {
		list := []error{err}
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			list = many.Unwrap()
		}
		for _, e := range list {
			if e != nil && !seen[e.Error()] {
				seen[e.Error()] = true
				out = append(out, e)
			}
		}
	}
	return errors.Join(out...)
}

func readSource(file, text string) (*source, error) {
	statements, err := parse(file, text)
	if err != nil {
		return nil, err
	}
	src := &source{file: file, statements: statements, pos: position{file, 1, 1}}
	for _, s := range statements {
		switch s.word() {
		case "mapping", "extends":
			if len(s.tokens) != 2 || s.block {
				return nil, s.pos.errorf("expected: %s NAME", s.word())
			}
			if s.word() == "mapping" {
				src.name, src.pos = s.tokens[1].text, s.pos
			} else {
				src.extends = s.tokens[1].text
			}
		}
	}
	if src.name == "" {
		return nil, src.pos.errorf("the file does not say: mapping NAME")
	}
	return src, nil
}

// takesType reports whether the file names a message type to take.
func (src *source) takesType() bool {
	for _, s := range src.statements {
		if s.word() == "takes" && len(s.tokens) > 2 {
			return true
		}
	}
	return false
}

func (s *Set) add(m *Program, src *source) error {
	key := typeKey{m.Wire, m.Type}
	for _, other := range s.byType[key] {
		if other.Version == m.Version && other.Overlay == m.Overlay {
			return src.pos.errorf("%s takes the same messages", other.Name)
		}
	}
	s.byType[key] = append(s.byType[key], m)
	s.all = append(s.all, m)
	return nil
}

// For returns the most specific mapping of a message type: one of the named overlay
// before one of none, one for the version before one for any. A mapping is for a version
// when the envelope's version names it; an empty version means the newest.
func (s *Set) For(wire handover.Wire, messageType, version, overlay string) (*Program, bool) {
	var best *Program
	bestScore := -1
	for _, m := range s.byType[typeKey{wire, messageType}] {
		score := 0
		if m.Overlay != "" {
			if m.Overlay != overlay {
				continue
			}
			score = 4
		}
		switch {
		case m.Version == "":
			score++
		case version == "": // a message to be made: the newest is told apart below
		case strings.Contains(version, m.Version):
			score += 2
		default:
			continue
		}
		if best != nil && score == bestScore && m.Version > best.Version {
			bestScore--
		}
		if score > bestScore {
			best, bestScore = m, score
		}
	}
	return best, best != nil
}

// Programs lists the mappings that take messages, by name.
func (s *Set) Programs() []*Program { return append([]*Program(nil), s.all...) }
