package fhir

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestView_OfficialExamples reads every Task, CarePlan and Patient of the unpacked npm
// package hl7.fhir.r4.examples 4.0.1 through its view, and requires that trees come back.
func TestView_OfficialExamples(t *testing.T) {
	folder := os.Getenv("FHIR_R4_PACKAGE")
	if folder == "" {
		t.Skip("FHIR_R4_PACKAGE is not set: the unpacked package hl7.fhir.r4.examples 4.0.1 was not read")
	}
	for typ, view := range map[string]func(*Node) error{
		"Task": func(n *Node) error {
			v, err := View[Task](n)
			return whole(t, n, err, v.Contained, len(v.Input)+len(v.Output))
		},
		"CarePlan": func(n *Node) error { v, err := View[CarePlan](n); return whole(t, n, err, v.Contained, 0) },
		"Patient":  func(n *Node) error { v, err := View[Patient](n); return whole(t, n, err, v.Contained, 0) },
	} {
		files, err := filepath.Glob(filepath.Join(folder, typ+"-*.json"))
		if err != nil || len(files) < 10 {
			t.Fatalf("%d examples of %s, %v", len(files), typ, err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			n, err := Parse(raw, DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if again, err := Parse(n.JSON(), DefaultLimits()); err != nil || !again.Equal(n) || !bytes.Equal(again.JSON(), n.JSON()) {
				t.Errorf("%s does not come back: %v", filepath.Base(file), err)
			}
			if err := view(n); err != nil {
				t.Errorf("%s: %v", filepath.Base(file), err)
			}
		}
	}
}

func whole(t *testing.T, n *Node, err error, contained []*Node, parameters int) error {
	if err != nil {
		return err
	}
	if len(contained) != len(n.Each("contained")) {
		t.Error("contained resources are lost")
	}
	if n.ResourceType() == "Task" && parameters != len(n.Each("input"))+len(n.Each("output")) {
		t.Error("parameters are lost")
	}
	return nil
}
