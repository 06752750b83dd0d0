package directory

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// fileReader turns YAML nodes into values and collects what is wrong on the way. It works
// on nodes, not by reflection, because every problem must name its line and all problems
// are to be reported together.
type fileReader struct {
	file     string
	problems []Problem
	warnings []Problem
}

// lines is where each field of one mapping stands: "her", or "takes/1" for a list's item.
type lines map[string]int

// of returns the line of field, else that of the mapping itself.
func (l lines) of(field string) int {
	if n, ok := l[field]; ok {
		return n
	}
	return l[""]
}

// item returns the line of the i-th item of a list field.
func (l lines) item(field string, i int) int { return l.of(field + "/" + strconv.Itoa(i)) }

// setter reads one field's value.
type setter func(field string, value *yaml.Node, at lines)

func (r *fileReader) problem(line int, format string, args ...any) {
	r.problems = append(r.problems, Problem{r.file, line, fmt.Sprintf(format, args...)})
}

func (r *fileReader) warn(line int, format string, args ...any) {
	r.warnings = append(r.warnings, Problem{r.file, line, fmt.Sprintf(format, args...)})
}

// fields reads a mapping whose keys are exactly those of known.
func (r *fileReader) fields(n *yaml.Node, what string, known map[string]setter) lines {
	at := lines{"": n.Line}
	if n.Kind != yaml.MappingNode {
		r.problem(n.Line, "%s must be a mapping of fields", what)
		return at
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		set, ok := known[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || !ok:
			r.problem(key.Line, "%s has no field %q; %s", what, shown(key.Value), meant(key.Value, names(known)))
		case at[key.Value] != 0:
			r.problem(key.Line, "%s: field %s is given twice, first in line %d", what, key.Value, at[key.Value])
		default:
			at[key.Value] = key.Line
			set(key.Value, value, at)
		}
	}
	return at
}

// items hands each item of a list to f.
func (r *fileReader) items(field string, n *yaml.Node, f func(i int, item *yaml.Node)) {
	if n.Kind != yaml.SequenceNode {
		r.problem(n.Line, "%s must be a list", field)
		return
	}
	for i, item := range n.Content {
		f(i, item)
	}
}

// text reads a scalar verbatim, so that 0301 stays four digits without quotes.
func (r *fileReader) text(to *string) setter {
	return func(field string, n *yaml.Node, _ lines) { *to = r.scalar(field, n) }
}

func (r *fileReader) texts(to *[]string) setter {
	return func(field string, n *yaml.Node, at lines) {
		r.items(field, n, func(i int, item *yaml.Node) {
			at[field+"/"+strconv.Itoa(i)] = item.Line
			*to = append(*to, r.scalar(field, item))
		})
	}
}

func (r *fileReader) flag(to *bool) setter {
	return func(field string, n *yaml.Node, _ lines) {
		switch v := r.scalar(field, n); v {
		case "true":
			*to = true
		case "false", "":
		default:
			r.problem(n.Line, "%s must be true or false", field)
		}
	}
}

func (r *fileReader) scalar(field string, n *yaml.Node) string {
	switch {
	case n.Kind == yaml.AliasNode:
		r.problem(n.Line, "%s: aliases are not taken, write the value out", field)
	case n.Kind != yaml.ScalarNode:
		r.problem(n.Line, "%s must be one value", field)
	case n.Tag == "!!null" || strings.TrimSpace(n.Value) == "":
		r.problem(n.Line, "%s is empty; leave it out or give it a value", field)
	default:
		return strings.TrimSpace(n.Value)
	}
	return ""
}

// sorted returns problems by line, keeping the order of those on one line.
func sorted(p []Problem) []Problem {
	sort.SliceStable(p, func(i, j int) bool { return p[i].Line < p[j].Line })
	return p
}

func names(known map[string]setter) []string { return slices.Sorted(maps.Keys(known)) }

// meant says which of the known names a wrong one is near, or else which there are.
func meant(wrong string, known []string) string {
	if near := Near(wrong, known); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return "it has " + strings.Join(known, ", ")
}

// shown shortens what is quoted in a problem.
func shown(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}
