package search

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"stafett/fhir"
)

func officialPackage(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("FHIR_R4_PACKAGE")
	if folder == "" {
		t.Skip("FHIR_R4_PACKAGE is not set: the unpacked package hl7.fhir.r4.examples 4.0.1 was not read")
	}
	return folder
}

// TestRows_OfficialExamples requires rows of every example, and that most parameters are
// met: a path that is compiled wrongly would never give a row.
func TestRows_OfficialExamples(t *testing.T) {
	met := map[string]bool{}
	for _, typ := range fhir.StoredTypes() {
		files, err := filepath.Glob(filepath.Join(officialPackage(t), typ+"-*.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if len(raw) > 5<<20 {
				continue
			}
			n, err := fhir.Parse(raw, fhir.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			rows, err := Rows(n, Meta{LastUpdated: time.Now()})
			if err != nil {
				t.Errorf("%s: %v", filepath.Base(file), err)
			}
			for _, r := range rows {
				met[typ+"."+r.Param] = true
				if r.Kind == KindReference && r.RefID == "" && r.Value == "" {
					t.Errorf("%s: an empty reference %+v", filepath.Base(file), r)
				}
			}
		}
	}
	total := 0
	for _, typ := range fhir.StoredTypes() {
		for _, p := range Params(typ) {
			total++
			if !met[typ+"."+p.Code] {
				t.Logf("never met: %s.%s", typ, p.Code)
			}
		}
	}
	if len(met) < 700 {
		t.Errorf("%d of %d parameters are met in the examples", len(met), total)
	}
	t.Logf("%d of %d parameters are met in the examples", len(met), total)
}

// TestParams_Reproduce makes the table anew and compares it with the one embedded.
func TestParams_Reproduce(t *testing.T) {
	officialPackage(t)
	file := filepath.Join(t.TempDir(), "params.txt")
	if out, err := exec.Command("go", "run", "generate.go", file).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	made, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(made) != paramsText {
		t.Error("go generate makes another table than the one committed")
	}
}
