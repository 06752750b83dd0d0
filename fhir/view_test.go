package fhir

import (
	"errors"
	"go/ast"
	goparser "go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	samply "github.com/samply/golang-fhir-models/fhir-models/fhir"
)

func TestView_Task_ShowsWhatTheModelLoses(t *testing.T) {
	n := mustParse(t, `{"resourceType":"Task","contained":[{"resourceType":"Patient","id":"p"}],"status":"on-hold","intent":"order","_authoredOn":{"extension":[{"url":"u","valueCode":"unknown"}]},
		"input":[{"type":{"text":"a"},"valueDecimal":1.10},{"type":{"text":"b"},"_valueString":{"id":"x"}}],"output":[{"id":"o","type":{"text":"c"},"valueReference":{"reference":"Task/2"}}]}`)
	task, err := View[Task](n)
	if err != nil {
		t.Fatal(err)
	}
	if len(task.Contained) != 1 || task.Contained[0].ID() != "p" || *task.Status != samply.TaskStatusOnHold || *task.Intent != "order" {
		t.Errorf("task %+v", task)
	}
	if in := task.Input; len(in) != 2 || in[0].ValueName != "valueDecimal" || in[0].Value.Text != "1.10" || in[1].PrimitiveValue.Str("id") != "x" || in[1].ValueName != "valueString" {
		t.Errorf("input %+v", task.Input)
	}
	if out := task.Output; len(out) != 1 || *out[0].ID != "o" || out[0].Value.Str("reference") != "Task/2" || task.PrimitiveAuthoredOn == nil {
		t.Errorf("output %+v", task.Output)
	}
}

func TestView_AbsentRequiredCode_IsNotInvented(t *testing.T) {
	task, err := View[Task](mustParse(t, `{"resourceType":"Task"}`))
	if err != nil || task.Status != nil || task.Intent != nil {
		t.Errorf("%v %v %v", err, task.Status, task.Intent)
	}
	plan, err := View[CarePlan](mustParse(t, `{"resourceType":"CarePlan"}`))
	if err != nil || plan.Status != nil || plan.Intent != nil || plan.Subject != nil {
		t.Errorf("%v %+v", err, plan)
	}
}

func TestView_WrongTree_RefusedWithoutValues(t *testing.T) {
	check := func(err error) {
		t.Helper()
		var e *ViewError
		if !errors.As(err, &e) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("got %v", err)
		}
	}
	_, err := View[Patient](mustParse(t, `{"resourceType":"Device"}`))
	check(err)
	_, err = View[Patient](mustParse(t, `{}`))
	check(err)
	_, err = View[Patient](nil)
	check(err)
	_, err = View[Patient](mustParse(t, `{"resourceType":"Patient","gender":"SECRET"}`))
	check(err)
	_, err = View[Patient](mustParse(t, `{"resourceType":"Patient","birthDate":5}`))
	check(err)
	if p, err := View[samply.Period](mustParse(t, `{"start":"2026-01-01"}`)); err != nil || *p.Start != "2026-01-01" {
		t.Errorf("a data type: %v %v", p, err)
	}
}

// A marshalled samply struct drops content and invents values, so no code of ours may
// write one: the models are imported by this package's views and by tests alone.
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
	if filepath.ToSlash(path) != "../fhir/view.go" {
		t.Errorf("%s imports the samply models; read through fhir.View and write a fhir.Node", path)
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
