package mappings_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"stafett/handover"
	"stafett/mappings/engine"
	"stafett/message"
)

// standards returns the folder of official schemas and samples, or skips or fails.
func standards(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("STAFETT_STANDARDS")
	if dir == "" {
		t.Skip("STAFETT_STANDARDS is not set: official schemas and samples are not read")
	}
	if _, err := os.Stat(filepath.Join(dir, "norway", "xsd", "driver.xsd")); err != nil {
		t.Fatalf("STAFETT_STANDARDS is set, but norway/xsd/driver.xsd is not there: %v", err)
	}
	return dir
}

// validateXML checks raw against the national schemas where they are given.
func validateXML(t *testing.T, wire handover.Wire, raw []byte) {
	t.Helper()
	dir := os.Getenv("STAFETT_STANDARDS")
	if wire != handover.WireKITH || dir == "" {
		return
	}
	file := filepath.Join(t.TempDir(), "message.xml")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("xmllint", "--noout", "--nonet", "--schema", filepath.Join(standards(t), "norway", "xsd", "driver.xsd"), file).CombinedOutput()
	if err != nil {
		t.Errorf("the message is not valid by the national schemas: %v\n%s", err, out)
	}
}

func TestInvariant6_OfficialSamplesAreAccountedFor(t *testing.T) {
	root := filepath.Join(standards(t), "norway", "examples")
	var files []string
	for _, pattern := range []string{"plo-1.6/pasientlogistikk*/*.xml", "dialogmelding/*/*.xml"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("no official samples at %s: %v", pattern, err)
		}
		files = append(files, found...)
	}
	set := embedded(t)
	translated := 0
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m, env := decode(t, handover.WireKITH, raw)
		mapping, ok := set.For(handover.WireKITH, env.Type, env.Version, "")
		if !ok {
			if env.Type == "LOG_DOD" {
				continue // between municipality and general practitioner only (HIS 1149:2014 section 3.6)
			}
			t.Errorf("%s: no mapping takes %s %s", filepath.Base(file), env.Type, env.Version)
			continue
		}
		translated++
		name := strings.TrimSuffix(filepath.Base(file), ".xml")
		c, report, err := engine.ToFHIR(mapping, m, engine.Context{Header: headerOf(env)})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		accounted(t, name, m, report)
		tree, _, err := engine.FromFHIR(mapping, c, engine.Context{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		back := encode(t, handover.WireKITH, tree)
		validateXML(t, handover.WireKITH, back)
		carried := 0
		for _, f := range report.Fates {
			if f.Fate == message.FateCarried {
				carried++
				t.Logf("%s: carried: %s %s", name, f.Path, f.Reason)
			}
		}
	}
	if translated < 5 {
		t.Errorf("only %d official samples were translated", translated)
	}
}
