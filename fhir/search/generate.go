//go:build ignore

// Generate writes params.txt: the search parameters of the stored resource types, from
// the SearchParameters of the npm package hl7.fhir.r4.examples 4.0.1 (CC0-1.0), unpacked,
// and the element table of package conformance:
//
//	npm pack hl7.fhir.r4.examples@4.0.1 && tar xzf hl7.fhir.r4.examples-4.0.1.tgz
//	FHIR_R4_PACKAGE=$PWD/package go generate ./fhir/search
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
)

type parameter struct {
	URL, Version, Code, Type, Expression string
	Base, Target                         []string
}

type element struct {
	choice bool
	types  []string
}

var elements = map[string]map[string]element{} // type or path to its elements

// leaves are the types that can be indexed, by the kind of parameter (R4 3.1.1.4).
var leaves = map[string][]string{
	"token":     {"code", "Coding", "CodeableConcept", "Identifier", "boolean", "ContactPoint", "string", "uri", "id", "canonical"},
	"date":      {"date", "dateTime", "instant", "Period", "Timing"},
	"string":    {"string", "markdown", "HumanName", "Address"},
	"reference": {"Reference", "canonical", "uri", "Resource"},
	"quantity":  {"Quantity", "Age", "Duration", "Count", "Distance", "Money", "Range"},
	"uri":       {"uri", "url", "canonical", "oid", "uuid"},
	"number":    {"decimal", "integer", "positiveInt", "unsignedInt"},
}

func main() {
	log.SetFlags(0)
	folder := os.Getenv("FHIR_R4_PACKAGE")
	if folder == "" {
		log.Fatal("FHIR_R4_PACKAGE is not set: the folder of the unpacked npm package hl7.fhir.r4.examples 4.0.1")
	}
	readElements("../../conformance/elements.txt.gz")
	types, err := os.ReadFile("../stored.txt")
	if err != nil {
		log.Fatal(err)
	}
	params := read(folder)
	var lines []string
	for _, typ := range strings.Fields(string(types)) {
		for _, p := range params {
			if slices.Contains(p.Base, typ) || slices.Contains(p.Base, "Resource") || slices.Contains(p.Base, "DomainResource") && typ != "Bundle" && typ != "Binary" {
				if line := spell(typ, p); line != "" {
					lines = append(lines, line)
				}
			}
		}
	}
	sort.Strings(lines)
	for i := 1; i < len(lines); i++ {
		if key(lines[i]) == key(lines[i-1]) {
			log.Fatalf("two definitions: %s and %s", lines[i-1], lines[i])
		}
	}
	file := "params.txt"
	if len(os.Args) > 1 {
		file = os.Args[1]
	}
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		log.Fatal(err)
	}
}

func key(line string) string {
	f := strings.Split(line, "\t")
	return f[0] + " " + f[1]
}

func readElements(file string) {
	f, err := os.Open(file)
	if err != nil {
		log.Fatal(err)
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		log.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		log.Fatal(err)
	}
	var current string
	for _, line := range strings.Split(string(bytes.TrimSpace(raw)), "\n") {
		f := strings.Fields(line)
		if name, ok := strings.CutPrefix(f[0], "@"); ok {
			current = name
			elements[current] = map[string]element{}
			continue
		}
		name, choice := strings.CutSuffix(f[0], "[x]")
		elements[current][name] = element{choice, strings.Split(f[3], ",")}
	}
}

// read takes the core's own parameters, not those that guides in the package add.
func read(folder string) []parameter {
	files, err := filepath.Glob(filepath.Join(folder, "SearchParameter-*.json"))
	if err != nil || len(files) == 0 {
		log.Fatalf("no SearchParameters in %s: %v", folder, err)
	}
	var out []parameter
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			log.Fatal(err)
		}
		var p parameter
		if err := json.Unmarshal(raw, &p); err != nil {
			log.Fatalf("%s: %v", file, err)
		}
		if strings.HasPrefix(p.URL, "http://hl7.org/fhir/SearchParameter/") && p.Version == "4.0.1" {
			out = append(out, p)
		}
	}
	return out
}

// spell writes type, code, kind, targets and paths, tab-separated; for a parameter that
// is not compiled "!" and the reason stand instead of paths. _id and _lastUpdated are in
// the code, because they index what is not in the resource.
func spell(typ string, p parameter) string {
	if p.Code == "_id" || p.Code == "_lastUpdated" {
		return ""
	}
	paths, err := compile(typ, p)
	text := strings.Join(paths, ";")
	if err != nil {
		text = "!" + err.Error()
	}
	targets := strings.Join(p.Target, ",")
	if len(p.Target) > 30 {
		targets = "" // any
	}
	return strings.Join([]string{typ, p.Code, p.Type, targets, text}, "\t")
}

// private are what nobody here looks a person up by: an index of it would only be one more
// place where it is kept, and every message of a patient would pay for it.
func private(typ, code string) bool {
	person := typ == "Patient" || typ == "Practitioner" || typ == "RelatedPerson"
	return person && (strings.HasPrefix(code, "address") || code == "phone" || code == "telecom" || code == "email")
}

func compile(typ string, p parameter) ([]string, error) {
	switch {
	case p.Type == "composite":
		return nil, errors.New("composite: not supported")
	case p.Type == "special":
		return nil, errors.New("special: needs geography")
	case p.Code == "_text" || p.Code == "_content":
		return nil, errors.New("needs full text search")
	case p.Code == "_query":
		return nil, errors.New("no named queries")
	case p.Code == "phonetic":
		return nil, errors.New("needs a phonetic algorithm")
	case private(typ, p.Code):
		return nil, errors.New("a person's address and telephone are not indexed")
	case p.Code == "deceased" && typ == "Patient":
		return []string{":deceased"}, nil
	}
	var paths []string
	for _, part := range strings.Split(p.Expression, "|") {
		part = strings.TrimSpace(part)
		if root := strings.TrimLeft(part, "("); !strings.HasPrefix(root, typ+".") && !strings.HasPrefix(root, "Resource.") {
			continue
		}
		if strings.Contains(part, "xtension(") {
			return nil, errors.New("on an extension")
		}
		found, err := path(typ, p.Type, part)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			if !slices.Contains(paths, f) {
				paths = append(paths, f)
			}
		}
	}
	if len(paths) == 0 {
		return nil, errors.New("no element of a searchable type")
	}
	return paths, nil
}

var (
	castParen  = regexp.MustCompile(`^\(([\w.]+) as (\w+)\)(.*)$`)
	castCall   = regexp.MustCompile(`\.as\((\w+)\)`)
	whereType  = regexp.MustCompile(`\.where\(resolve\(\) is (\w+)\)`)
	whereEqual = regexp.MustCompile(`\.where\((\w+)='(\w+)'\)`)
	step       = regexp.MustCompile(`^(\w+)(<\w+>)?(\[0\]|\(\w+=\w+\))?$`)
)

// path resolves one expression: a choice becomes the JSON names of its types.
func path(typ, kind, expression string) ([]string, error) {
	e := expression
	if m := castParen.FindStringSubmatch(e); m != nil {
		e = m[1] + "<" + m[2] + ">" + m[3]
	}
	e = castCall.ReplaceAllString(e, "<$1>")
	only := ""
	if m := whereType.FindStringSubmatch(e); m != nil {
		only = "@" + m[1]
		e = whereType.ReplaceAllString(e, "")
	}
	e = whereEqual.ReplaceAllString(e, "($1=$2)")
	steps := strings.Split(e, ".")[1:]
	out, err := walk(typ, kind, steps, "")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", expression, err)
	}
	for i := range out {
		out[i] += only
	}
	return out, nil
}

func walk(typ, kind string, steps []string, above string) ([]string, error) {
	if len(steps) == 0 {
		if slices.Contains(leaves[kind], typ) {
			return []string{above + ":" + typ}, nil
		}
		return nil, nil
	}
	m := step.FindStringSubmatch(steps[0])
	if m == nil {
		return nil, errors.New("outside the subset")
	}
	name, cast, filter := m[1], strings.Trim(m[2], "<>"), m[3]
	el, ok := elements[typ][name]
	if !ok {
		return nil, fmt.Errorf("%s has no %s", typ, name)
	}
	var out []string
	for _, t := range el.types {
		if cast != "" && t != cast {
			continue
		}
		member := name
		if el.choice {
			member += strings.ToUpper(t[:1]) + t[1:]
		}
		below := member + filter
		if above != "" {
			below = above + "." + below
		}
		more, err := walk(t, kind, steps[1:], below)
		if err != nil && !el.choice {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}
