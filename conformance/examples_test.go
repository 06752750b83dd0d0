package conformance

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// officialCases are the validator's own cases whose fault, or none, is one of structure,
// by the element that must be found; the others are about profiles and terminology.
var officialCases = map[string]string{
	"bad-json-close-1.json": "json", "bad-json-close-2.json": "json", "bad-json-close-3.json": "json",
	"ai4.json": "Patient.birthDate", "contained-resource.json": "Condition.contained[0].id", "empty-array.json": "DocumentReference.category[0].coding",
	"hakan-se.json": "MedicationRequest.authoredOn", "json-comments.json": "Patient.?",
	"pat-security-bad-xhtml.json": "Patient.text.div", "parameters-attachment.json": "Parameters.parameter[0].valueAttachment.data",
	"patient-id-bad-2.json": "Patient.id", "patient-id-bad-3.json": "Patient.id", "resource-invalid-id-1.json": "Location.id",
	"mr-covid-m.json": "Measure.group[0].population[0].criteria.language",
	"json-good.json":  "", "resource-invalid-id-0.json": "", "patient-example-ra4.json": "", "medstmt-ips.json": "",
	"mycommunication.valid.example.json": "", "parameters-profiled-resource-valid.json": "", "uk-msg.json": "", "uuid.json": "",
	"pat-example-ext.json": "", "encounter-period.json": "", "sd-device.json": "", "bundle-id-search-1.json": "", "params-empty.json": "",
}

func TestValidate_OfficialCases_FoundAtElement(t *testing.T) {
	folder := os.Getenv("STAFETT_STANDARDS")
	if folder == "" {
		t.Skip("STAFETT_STANDARDS is not set: the official validator cases were not read")
	}
	for name, path := range officialCases {
		raw, err := os.ReadFile(filepath.Join(folder, "fhir", "validator-cases", name))
		if err != nil {
			t.Fatal(err)
		}
		n, err := fhir.Parse(raw, fhir.DefaultLimits())
		if err != nil || path == "json" {
			if path != "json" || err == nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		issues := Validate(n)
		found := slices.ContainsFunc(issues, func(i Issue) bool { return i.Path == path })
		if path == "" && len(issues) > 0 || path != "" && !found {
			t.Errorf("%s: want an issue at %q, got %+v", name, path, issues)
		}
	}
}

// TestTable_Reproduces makes the table anew and compares it with the one embedded.
func TestTable_Reproduces(t *testing.T) {
	if os.Getenv("FHIR_R4_PACKAGE") == "" {
		t.Skip("FHIR_R4_PACKAGE is not set: the element table was not made anew")
	}
	file := filepath.Join(t.TempDir(), "elements.txt.gz")
	if out, err := exec.Command("go", "run", "generate.go", file).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	made, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(unpack(t, made), unpack(t, packed)) {
		t.Error("go generate makes another table than the one committed")
	}
}

func unpack(t *testing.T, gz []byte) []byte {
	z, err := gzip.NewReader(bytes.NewReader(gz))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
