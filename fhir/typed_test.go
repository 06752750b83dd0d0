package fhir

import (
	"go/ast"
	goparser "go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A marshalled samply struct drops content and invents values, so no code of ours may
// write one: the models are imported by this package's typed values and by tests alone.
func TestSource_NoCodeWritesSamplyModels(t *testing.T) {
	root := ".."
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != root || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		checkSource(t, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkSource(t *testing.T, path string) {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := goparser.ParseFile(token.NewFileSet(), path, src, 0)
	if err != nil {
		return // the compiler reports it
	}
	models := false
	for _, spec := range file.Imports {
		if name, _ := strconv.Unquote(spec.Path.Value); strings.HasPrefix(name, "github.com/samply/golang-fhir-models") {
			models = true
		}
	}
	if !models {
		return
	}
	if filepath.ToSlash(path) != "../fhir/typed.go" {
		t.Errorf("%s imports the samply models; read through fhir.Read and write a fhir.Node", path)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if strings.HasPrefix(sel.Sel.Name, "Marshal") || sel.Sel.Name == "NewEncoder" {
				t.Errorf("%s: calls %s beside the samply models", path, sel.Sel.Name)
			}
		}
		return true
	})
}
