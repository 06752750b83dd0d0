package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// layers is the table of the layout: what each package may import of ours. A package
// never includes those below its directory.
var layers = map[string][]string{
	"handover":             {},
	"message":              {"handover"},
	"directory":            {"handover"},
	"fhir":                 {},
	"fhir/fhirpath":        {"fhir"},
	"fhir/search":          {"fhir", "fhir/fhirpath"},
	"fhir/rest":            {"fhir", "fhir/fhirpath", "fhir/search", "handover", "conformance", "access", "transport"},
	"transport":            {"handover"},
	"adapters":             {"handover", "message", "transport"},
	"adapters/adaptertest": {"adapters", "handover", "message"},
	"adapters/kith":        {"adapters", "handover", "message", "transport"},
	"adapters/hl7v2":       {"adapters", "handover", "message", "transport"},
	"adapters/fhirbundle":  {"adapters", "handover", "message", "transport", "fhir"},
	"mappings":             {"mappings/language"},
	"mappings/account":     {"fhir", "handover", "message"},
	"mappings/language":    {"mappings/account", "conformance", "fhir", "handover", "message"},
	"mappings/engine":      {"mappings/account", "mappings/language", "fhir", "handover", "message"},
	"conformance":          {"fhir", "fhir/fhirpath"},
	"ledger":               {"handover", "message", "fhir", "fhir/search"},
	"ledger/sqlite":        {"ledger", "handover", "message", "fhir", "fhir/search"},
	"ledger/postgres":      {"ledger", "handover", "message", "fhir", "fhir/search"},
	"ledger/ledgertest":    {"ledger", "handover", "message", "fhir", "fhir/search"},
	"events":               {"handover", "ledger"},
	"access":               {"handover", "directory", "fhir"},
	"ephemeral":            {},
	"gateway/act":          {"handover", "message", "directory", "fhir", "fhir/search", "mappings/account", "ledger"},
	"gateway/tell": {"gateway/act", "adapters", "mappings/account", "mappings/engine", "mappings/language", "fhir", "directory", "handover",
		"message", "ledger"},
	"gateway/kernel": {"gateway/act", "gateway/tell", "ledger", "adapters", "directory", "handover", "fhir", "fhir/search",
		"mappings/account", "mappings/language"},
	"gateway/intake": {"gateway/kernel", "gateway/act", "gateway/tell", "adapters", "mappings/account", "mappings/engine", "conformance",
		"access", "directory", "fhir", "handover", "ledger", "message"},
	"gateway/fhirdoor": {"gateway/kernel", "gateway/act", "access", "conformance", "fhir", "fhir/search", "handover", "ledger", "message"},
	"gateway/deliver":  {"gateway/kernel", "gateway/act", "adapters", "directory", "handover", "ledger"},
	"gateway/clock":    {"gateway/kernel", "gateway/act", "gateway/intake", "fhir", "handover", "ledger"},
	"gateway/desk":     {"gateway/kernel", "gateway/act", "gateway/intake", "access", "adapters", "handover", "ledger"},
	"gateway": {"gateway/kernel", "gateway/intake", "gateway/fhirdoor", "gateway/deliver", "gateway/clock", "gateway/desk",
		"adapters", "handover", "message"},
	"api":         {"gateway/desk", "handover", "ledger", "access"},
	"bench":       {},
	"demo":        {},
	"cmd/stafett": nil, // the one binary may import everything
}

// TestLayering reads the import lines of every non-test file, in this process: a version
// that asked the go command would be answered from its cache.
func TestLayering(t *testing.T) {
	root := "../.."
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if name == "testdata" || strings.HasPrefix(name, ".") && path != root {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		if file.Name.Name == "main" && rel != "cmd/stafett" {
			return nil // generators are run by hand and built into nothing
		}
		may, known := layers[rel]
		if !known {
			t.Errorf("%s: the layout has no directory %s", path, rel)
			return nil
		}
		seen[rel] = true
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			ours, ok := strings.CutPrefix(imported, "stafett/")
			if ok && rel != "cmd/stafett" && !slices.Contains(may, ours) {
				t.Errorf("%s: %s may not import %s", path, rel, ours)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) < 15 {
		t.Fatalf("only %d packages were read: the test looked in the wrong place", len(seen))
	}
}

// TestLayering_PureRooms: what decides and what is told read nothing, write nothing and
// know no clock, so that they can be made again.
func TestLayering_PureRooms(t *testing.T) {
	forbidden := []string{"context", "os", "net", "net/http", "database/sql", "log", "log/slog", "io/fs", "sync"}
	for _, room := range []string{"handover", "gateway/act", "gateway/tell"} {
		files, err := filepath.Glob("../../" + room + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", room, len(files), err)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range file.Imports {
				if name, _ := strconv.Unquote(spec.Path.Value); slices.Contains(forbidden, name) {
					t.Errorf("%s imports %s", path, name)
				}
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Now" {
					if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" {
						t.Errorf("%s reads the clock", path)
					}
				}
				return true
			})
		}
	}
}
