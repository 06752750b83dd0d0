package mappings_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stafett/conformance"
	"stafett/fhir"
	"stafett/handover"
	"stafett/mappings/account"
	"stafett/mappings/engine"
	"stafett/message"
)

// TestOfficialSamples_Share holds that of the official samples of these messages at least 95 %
// of the values are mapped, and that the message made of them alone is the same one.
func TestOfficialSamples_Share(t *testing.T) {
	root := filepath.Join(standards(t), "norway", "examples")
	set := embedded(t)
	for _, pattern := range []string{"epikrise/*/*.xml", "henvisning/*/*.xml"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("no official samples at %s: %v", pattern, err)
		}
		for _, file := range files {
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
				accounted(t, filepath.Base(file), m, report)
				validResources(t, c)
				share(t, report.Fates)
				tree, left, err := engine.FromFHIR(mapping, withoutCarried(c), engine.Context{})
				if err != nil {
					t.Fatal(err)
				}
				for _, l := range left.Leftover {
					t.Errorf("left over: %s", l.Path)
				}
				back := encode(t, handover.WireKITH, tree)
				validateXML(t, handover.WireKITH, back)
				sameXML(t, raw, back)
			})
		}
	}
}

// validResources holds what a message becomes to R4.
func validResources(t *testing.T, c account.Canonical) {
	t.Helper()
	for _, r := range c.Resources {
		n := r.Resource.Clone()
		if r.Name == "task" {
			n.Set("status", fhir.Str("requested"))
		}
		for _, issue := range conformance.Validate(n) {
			t.Errorf("%s: %+v", r.Name, issue)
		}
	}
}

// share counts what of the values is mapped; what the format fixes and what repeats the
// envelope is neither.
func share(t *testing.T, fates []message.ElementFate) {
	t.Helper()
	mapped, carried := 0, 0
	for _, f := range fates {
		switch f.Fate {
		case message.FateMapped:
			mapped++
		case message.FateCarried:
			carried++
			t.Logf("carried: %s %s", f.Path, f.Reason)
		}
	}
	t.Logf("mapped %d, carried %d, of %d", mapped, carried, len(fates))
	if mapped*100 < 95*(mapped+carried) {
		t.Errorf("of %d values %d are mapped", mapped+carried, mapped)
	}
}

// sameXML compares two messages in canonical form, without comments and layout.
func sameXML(t *testing.T, want, got []byte) {
	t.Helper()
	a, b := plainXML(t, want), plainXML(t, got)
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(a):
			t.Errorf("+ %s", b[i])
		case i >= len(b):
			t.Errorf("- %s", a[i])
		case a[i] != b[i]:
			t.Fatalf("line %d:\n- %s\n+ %s\n  %s", i, a[i], b[i], strings.Join(b[i+1:min(len(b), i+4)], "\n  "))
		}
	}
}

func plainXML(t *testing.T, raw []byte) []string {
	t.Helper()
	m, err := codecs[handover.WireKITH].Decode(raw, message.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	var walk func(n *message.Node, path string)
	walk = func(n *message.Node, path string) {
		path += "/" + n.Name
		if path == "/Message/Status" || n.Name == "ComMethod" {
			return // production or test, and how it was sent: the wire's own
		}
		if strings.HasPrefix(path, "/MsgHead/MsgInfo/Sender/Organisation/") && (n.Name == "HealthcareProfessional" || n.Name == "Organisation") {
			return // who sends is told as a service, also where it was a person
		}
		if !strings.HasSuffix(n.Name, "chemaLocation") {
			lines = append(lines, path+" "+strings.TrimSpace(n.Value))
		}
		kids := slices.Clone(n.Children)
		slices.SortStableFunc(kids, func(a, b *message.Node) int { return strings.Compare(attribute(a), attribute(b)) })
		for _, c := range kids {
			walk(c, path)
		}
	}
	walk(m.Root, "")
	return lines
}

// attribute sorts attributes by name before all elements, which keep their order.
func attribute(n *message.Node) string {
	if strings.HasPrefix(n.Name, "@") {
		return n.Name
	}
	return "~"
}
