package language

import (
	"cmp"
	"errors"
	"io/fs"
	"path"
	"slices"
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
// maps, all others mappings. The error joins one *SyntaxError for each mistake, in the
// order of files and lines.
func Load(fsys fs.FS) (*Set, error) {
	lib := newLibrary()
	order, errs := lib.readAll(fsys)
	unreadable := errors.Join(errs...) != nil
	for _, src := range order {
		errs = append(errs, lib.includes(src))
	}
	set := &Set{byType: map[typeKey][]*Program{}}
	for _, src := range order {
		errs = append(errs, lib.add(set, src))
	}
	sort.Slice(set.all, func(i, j int) bool { return set.all[i].Name < set.all[j].Name })
	if !unreadable {
		errs = append(errs, lib.unused()...)
	}
	if err := joinOnce(errs); err != nil {
		return nil, err
	}
	return set, nil
}

// readAll reads the files, in the order of their names.
func (l *library) readAll(fsys fs.FS) (order []*source, errs []error) {
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".map" {
			return err
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		if path.Base(path.Dir(name)) == "concept" {
			errs = append(errs, parseConcepts(name, string(text), l.concepts))
			return nil
		}
		src, err := l.read(name, string(text))
		order, errs = append(order, src), append(errs, err)
		return nil
	})
	return order, append(errs, err)
}

// add compiles a file that takes messages; others extend the rest, and set what they leave
// open.
func (l *library) add(set *Set, src *source) error {
	if !src.takes {
		return nil
	}
	m, err := l.compile(src)
	if err != nil {
		return err
	}
	return set.add(m, src)
}

// joinOnce joins the mistakes in the order of files and lines, each once: one in a base is
// met in all that extend it.
func joinOnce(errs []error) error {
	var all []error
	for _, err := range errs {
		all = append(all, flat(err)...)
	}
	slices.SortStableFunc(all, func(a, b error) int { return comparePositions(a, b) })
	all = slices.CompactFunc(all, func(a, b error) bool { return a.Error() == b.Error() })
	return errors.Join(all...)
}

// flat lists what an error joins.
func flat(err error) []error {
	many, ok := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
		return nil
	case !ok:
		return []error{err}
	}
	var out []error
	for _, e := range many.Unwrap() {
		out = append(out, flat(e)...)
	}
	return out
}

func comparePositions(a, b error) int {
	x, y := placeOf(a), placeOf(b)
	return cmp.Or(cmp.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line), cmp.Compare(x.Column, y.Column), cmp.Compare(x.Text, y.Text))
}

// placeOf is a mistake with its place; other errors, as of reading a file, come first.
func placeOf(err error) SyntaxError {
	var syntax *SyntaxError
	if errors.As(err, &syntax) {
		return *syntax
	}
	return SyntaxError{Text: err.Error()}
}

func (s *Set) add(m *Program, src *source) error {
	key := typeKey{m.Wire, m.Type}
	same := func(other *Program) bool { return other.Version == m.Version && other.Overlay == m.Overlay }
	if i := slices.IndexFunc(s.byType[key], same); i >= 0 {
		return src.pos.errorf("%s takes the same messages", s.byType[key][i].Name)
	}
	s.byType[key] = append(s.byType[key], m)
	s.all = append(s.all, m)
	return nil
}

// For returns the most specific mapping of a message type: one of the named overlay
// before one of none, one for the version before one for any. A mapping is for a version
// when the envelope's version names it; an empty version means the newest.
func (s *Set) For(wire handover.Wire, messageType, version, overlay string) (*Program, bool) {
	var fit []*Program
	for _, m := range s.byType[typeKey{wire, messageType}] {
		if m.isFor(version, overlay) {
			fit = append(fit, m)
		}
	}
	if fit == nil {
		return nil, false
	}
	return slices.MinFunc(fit, func(a, b *Program) int {
		return cmp.Or(strings.Compare(b.Overlay, a.Overlay), preferred(a, b, version), strings.Compare(b.Version, a.Version))
	}), true
}

// isFor reports whether a mapping takes messages of a version from parties with an overlay.
func (p *Program) isFor(version, overlay string) bool {
	agreed := p.Overlay == "" || p.Overlay == overlay
	return agreed && (p.Version == "" || version == "" || strings.Contains(version, p.Version))
}

// preferred puts what is for a version before what is for any; of a message to be made, what
// is for any before what is for one.
func preferred(a, b *Program, version string) int {
	if (a.Version == "") == (b.Version == "") {
		return 0
	}
	return either((a.Version == "") == (version == ""), -1, 1)
}

// Programs lists the mappings that take messages, by name.
func (s *Set) Programs() []*Program { return append([]*Program(nil), s.all...) }

// Overlays lists the names that mappings are made for by agreement, sorted, each once.
func (s *Set) Overlays() []string {
	var out []string
	for _, m := range s.all {
		out = append(out, m.Overlay)
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(name string) bool { return name == "" })
}
