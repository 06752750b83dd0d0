package mappings_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stafett/conformance"
	"stafett/fhir"
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
	for _, pattern := range []string{"plo-1.6/*/*.xml", "dialogmelding/*/*.xml"} {
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
	if translated < 20 {
		t.Errorf("only %d official samples were translated", translated)
	}
}

// TestOfficialCareMessages_ComeBackWhole: of the official samples of PLO about care at least 95 in
// a hundred values that are no fixed part of the format are mapped, and the message that is made
// of them, without what was carried, is valid and has the same content.
func TestOfficialCareMessages_ComeBackWhole(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(standards(t), "norway", "examples", "plo-1.6", "*", "*.xml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no official samples of PLO", err)
	}
	set := embedded(t)
	for _, file := range files {
		if strings.Contains(file, "pasientlogistikk") {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".xml"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m, env := decode(t, handover.WireKITH, raw)
			mapping, ok := set.For(handover.WireKITH, env.Type, env.Version, "")
			if !ok {
				t.Fatalf("no mapping takes %s %s", env.Type, env.Version)
			}
			c, report, err := engine.ToFHIR(mapping, m, engine.Context{Header: headerOf(env)})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range c.Resources {
				if r.Name == "task" {
					r.Resource.Set("status", fhir.Str("requested"))
				}
				for _, issue := range conformance.Validate(r.Resource) {
					t.Errorf("%s: %v", r.Name, issue)
				}
			}
			fates := map[message.Fate]int{}
			for _, f := range report.Fates {
				fates[f.Fate]++
				if f.Fate == message.FateCarried {
					t.Logf("carried: %s %s", f.Path, f.Reason)
				}
			}
			mapped := fates[message.FateMapped]
			t.Logf("mapped %d, carried %d, ignored %d: %.1f %%", mapped, fates[message.FateCarried], fates[message.FateIgnored],
				100*float64(mapped)/float64(mapped+fates[message.FateCarried]))
			if 100*mapped < 95*(mapped+fates[message.FateCarried]) {
				t.Error("less than 95 % is mapped")
			}
			tree, left, err := engine.FromFHIR(mapping, withoutCarried(c), engine.Context{})
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range left.Leftover {
				t.Errorf("left over: %s", l.Path)
			}
			back := encode(t, handover.WireKITH, tree)
			validateXML(t, handover.WireKITH, back)
			again, _ := decode(t, handover.WireKITH, back)
			want, got := leaves(m), leaves(again)
			person := regexp.MustCompile("MsgInfo/(Sender|Receiver)/Organisation/(HealthcareProfessional|Organisation)/")
			for path, value := range want {
				// FHIR's texts do not begin or end with white space.
				want[path] = strings.TrimSpace(value)
				// A person who sends or is addressed is made as a service.
				if person.MatchString(path) || strings.HasSuffix(path, "@schemaLocation") {
					delete(want, path)
				}
			}
			maps.DeleteFunc(got, func(path, _ string) bool { return person.MatchString(path) })
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("it comes back otherwise (-original +made):\n%s", d)
			}
		})
	}
}
