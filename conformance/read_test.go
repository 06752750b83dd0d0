package conformance

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"stafett/fhir"
)

// TestValidate_WhatPasses_IsRead puts wrong values into every place of Tasks, CarePlans and
// Observations: what has no issue here fits the types that rules read.
func TestValidate_WhatPasses_IsRead(t *testing.T) {
	texts := []string{`{"resourceType":"Task","status":"requested","intent":"order","priority":"urgent","restriction":{"repetitions":1},
		"for":{"reference":"Patient/1"},"input":[{"type":{"text":"a"},"valueDecimal":1.10},{"type":{"text":"a"},"valueBoolean":true}]}`}
	for _, pattern := range []string{"Task-*", "CarePlan-*", "Observation-*"} {
		files, _ := filepath.Glob(filepath.Join(os.Getenv("FHIR_R4_PACKAGE"), pattern+".json"))
		for _, file := range files[:min(len(files), 8)] {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, string(raw))
		}
	}
	random, passed := rand.New(rand.NewPCG(1, 2)), 0
	for _, text := range texts {
		n, err := fhir.Parse([]byte(text), fhir.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		for _, leaf := range nodes(n) {
			old := *leaf
			*leaf = *others[random.IntN(len(others))]
			if Validate(n) == nil {
				passed++
				if err := read(n); err != nil {
					t.Errorf("passes, and is not read: %v", err)
				}
			}
			*leaf = old
		}
	}
	if passed == 0 {
		t.Error("no change passed, so nothing was read")
	}
}

// others are what is put in a place.
var others = []*fhir.Node{fhir.Str("word"), fhir.Str("two words"), fhir.Num("7"), fhir.Num("-2147483648"), fhir.Num("1e2"), fhir.Num("1.50"),
	fhir.Bool(false), &fhir.Node{Kind: fhir.KindNull}, fhir.Obj("text", "x"), fhir.Arr(fhir.Str("word")), fhir.Arr(fhir.Obj("text", "x"))}

// nodes lists every node of the tree but its type.
func nodes(n *fhir.Node) []*fhir.Node {
	var out []*fhir.Node
	for _, m := range n.Members {
		if m.Name != "resourceType" {
			out = append(append(out, m.Value), nodes(m.Value)...)
		}
	}
	for _, item := range n.Items {
		out = append(append(out, item), nodes(item)...)
	}
	return out
}

func read(n *fhir.Node) error {
	var err error
	switch n.ResourceType() {
	case "Task":
		_, err = fhir.Read[fhir.Task](n)
	case "CarePlan":
		_, err = fhir.Read[fhir.CarePlan](n)
	default:
		_, err = fhir.Read[fhir.Observation](n)
	}
	return err
}
