package conformance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"stafett/fhir"
)

// known are the official examples that do break R4: a mandatory element is missing, an
// id has 66 characters.
var known = map[string]bool{
	"ImplementationGuide-fhir.json": true, "ig-r4.json": true, "Questionnaire-qs1.json": true,
	"SearchParameter-codesystem-extensions-CodeSystem-author.json":                             true,
	"SearchParameter-codesystem-extensions-CodeSystem-effective.json":                          true,
	"SearchParameter-codesystem-extensions-CodeSystem-end.json":                                true,
	"SearchParameter-codesystem-extensions-CodeSystem-keyword.json":                            true,
	"SearchParameter-codesystem-extensions-CodeSystem-workflow.json":                           true,
	"SearchParameter-valueset-extensions-ValueSet-author.json":                                 true,
	"SearchParameter-valueset-extensions-ValueSet-effective.json":                              true,
	"SearchParameter-valueset-extensions-ValueSet-end.json":                                    true,
	"SearchParameter-valueset-extensions-ValueSet-keyword.json":                                true,
	"SearchParameter-valueset-extensions-ValueSet-workflow.json":                               true,
	"SearchParameter-questionnaireresponse-extensions-QuestionnaireResponse-item-subject.json": true,
}

// TestValidate_OfficialExamples_NoIssues reads the unpacked npm package
// hl7.fhir.r4.examples 4.0.1, the folder that generate.go reads.
func TestValidate_OfficialExamples_NoIssues(t *testing.T) {
	folder := os.Getenv("FHIR_R4_PACKAGE")
	if folder == "" {
		t.Skip("FHIR_R4_PACKAGE is not set: the unpacked package hl7.fhir.r4.examples 4.0.1 was not read")
	}
	files, err := filepath.Glob(filepath.Join(folder, "*-*.json"))
	if err != nil || len(files) < 5000 {
		t.Fatalf("%d examples in %s, %v", len(files), folder, err)
	}
	limits := fhir.DefaultLimits()
	limits.Bytes, limits.Nodes = 64<<20, 5_000_000 // Bundle-resources.json
	for _, file := range files {
		name := filepath.Base(file)
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		n, err := fhir.Parse(raw, limits)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		issues := Validate(n)
		if known[name] {
			if len(issues) == 0 {
				t.Errorf("%s: no issue is found", name)
			}
			continue
		}
		for _, i := range issues {
			t.Errorf("%s: %s %s %s (%d:%d)", name, i.Code, i.Path, i.Text, i.Line, i.Column)
		}
	}
}

// TestValidate_OfficialTestCases reads the validator's own cases in STAFETT_STANDARDS.
func TestValidate_OfficialTestCases(t *testing.T) {
	folder := os.Getenv("STAFETT_STANDARDS")
	if folder == "" {
		t.Skip("STAFETT_STANDARDS is not set: the official validator cases were not read")
	}
	files, err := filepath.Glob(filepath.Join(folder, "fhir", "validator-cases", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in %s, %v", folder, err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		n, err := fhir.Parse(raw, fhir.DefaultLimits())
		if err != nil {
			t.Logf("%s: %v", filepath.Base(file), err)
			continue
		}
		issues := Validate(n)
		summary, _ := json.Marshal(issues)
		t.Logf("%s: %d %s", filepath.Base(file), len(issues), summary)
	}
}
