// Package search makes search rows from a resource and a query from a request's
// parameters, both driven by the SearchParameters of FHIR R4 as data.
package search

//go:generate go run generate.go

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // what a date without zone means must not depend on the machine

	"stafett/fhir"
)

// Param is one search parameter of one type.
type Param struct {
	Code string
	Kind Kind
	// Targets are the types that a reference can have; empty for any.
	Targets []string
}

// uncompiled is a search parameter of R4 that is refused, and why.
type uncompiled struct{ Type, Code, Reason string }

// paramsText is one parameter a line: type, code, kind, targets and paths, or "!" and the
// reason why it is not compiled. generate.go says what it is made of.
//
//go:embed params.txt
var paramsText string

// param is a compiled parameter.
type param struct {
	Param
	paths []path
}

// path is where values of a parameter are in a resource's JSON.
type path struct {
	steps []step
	leaf  string // the FHIR type of what is there
	only  string // the type that a reference must have; "" for any
}

// step is one element name, possibly the first of an array or those where a member has a
// value: entry[0], telecom(system=email).
type step struct {
	name         string
	first        bool
	member, text string
}

type tables struct {
	params     map[string][]param
	uncompiled []uncompiled
}

// compiled is read at first use. The embedded data is fixed when the program is built, so
// a fault in it is a fault in the program.
var compiled = sync.OnceValue(func() tables {
	t, err := readParams(paramsText)
	if err != nil {
		panic("search: " + err.Error())
	}
	return t
})

func readParams(text string) (tables, error) {
	t := tables{params: map[string][]param{}}
	for _, typ := range fhir.StoredTypes() {
		t.params[typ] = []param{{Param: Param{Code: "_id", Kind: KindToken}}, {Param: Param{Code: "_lastUpdated", Kind: KindDate}}}
	}
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 5 {
			return t, fmt.Errorf("search parameters: %q", line)
		}
		if reason, ok := strings.CutPrefix(f[4], "!"); ok {
			t.uncompiled = append(t.uncompiled, uncompiled{Type: f[0], Code: f[1], Reason: reason})
			continue
		}
		p := param{Param: Param{Code: f[1], Kind: Kind(f[2])}}
		if f[3] != "" {
			p.Targets = strings.Split(f[3], ",")
		}
		for text := range strings.SplitSeq(f[4], ";") {
			compiledPath, err := compilePath(text)
			if err != nil {
				return t, fmt.Errorf("search parameter %s.%s: %w", f[0], f[1], err)
			}
			p.paths = append(p.paths, compiledPath)
		}
		t.params[f[0]] = append(t.params[f[0]], p)
	}
	return t, nil
}

func compilePath(text string) (path, error) {
	var p path
	elements, leaf, ok := strings.Cut(text, ":")
	if !ok {
		return p, fmt.Errorf("path %q has no type", text)
	}
	p.leaf, p.only, _ = strings.Cut(leaf, "@")
	if !slices.Contains(leafTypes, p.leaf) {
		return p, fmt.Errorf("path %q has a type that is not indexed", text)
	}
	if elements == "" {
		return p, nil
	}
	for name := range strings.SplitSeq(elements, ".") {
		s := step{name: name}
		if s.name, s.first = strings.CutSuffix(name, "[0]"); !s.first {
			if before, filter, ok := strings.Cut(strings.TrimSuffix(name, ")"), "("); ok {
				s.name = before
				s.member, s.text, _ = strings.Cut(filter, "=")
			}
		}
		p.steps = append(p.steps, s)
	}
	return p, nil
}

// Params lists the search parameters of a stored type, _id and _lastUpdated first; nil
// for another type.
func Params(typ string) []Param {
	list := compiled().params[typ]
	if list == nil {
		return nil
	}
	out := make([]Param, len(list))
	for i, p := range list {
		out[i] = p.Param
	}
	return out
}

// zone is what a date or time without zone is read in; a server may choose (R4 3.1.1.4.6).
var zone = sync.OnceValue(func() *time.Location {
	l, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		panic("search: the embedded time zone data lacks Europe/Oslo: " + err.Error())
	}
	return l
})
