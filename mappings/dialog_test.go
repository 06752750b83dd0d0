package mappings_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stafett/conformance"
	"stafett/handover"
	"stafett/mappings/engine"
	"stafett/message"
)

// notMade are parts of a message that the way back does not write, whatever stood there: where
// schemas are, and who gets a copy, which has a message of its own.
func notMade(path string) bool {
	return strings.HasSuffix(path, "@schemaLocation") || strings.HasPrefix(path, "MsgHead/MsgInfo/OtherReceiver")
}

// content is what a message says, without layout.
func content(m *message.Message) map[string]string {
	out := map[string]string{}
	for path, value := range leaves(m) {
		if strings.HasSuffix(path, "Base64Container") {
			value = strings.Join(strings.Fields(value), "")
		}
		if !notMade(path) {
			out[path] = strings.TrimSpace(value)
		}
	}
	return out
}

// comesBack translates a message and makes it again: at least 95 in a hundred of the values that
// are no fixed part of the format are mapped, and what is made is valid and says the same.
func comesBack(t *testing.T, raw []byte) {
	t.Helper()
	m, env := decode(t, handover.WireKITH, raw)
	mapping, ok := embedded(t).For(handover.WireKITH, env.Type, env.Version, "")
	if !ok {
		t.Fatalf("no mapping takes %s %s", env.Type, env.Version)
	}
	c, report, err := engine.ToFHIR(mapping, m, engine.Context{Header: headerOf(env)})
	if err != nil {
		t.Fatal(err)
	}
	accounted(t, env.Type, m, report)
	for _, r := range c.Resources {
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
	mapped, carried := fates[message.FateMapped], fates[message.FateCarried]
	t.Logf("mapped %d, carried %d, ignored %d: %.1f %%", mapped, carried, fates[message.FateIgnored], 100*float64(mapped)/float64(mapped+carried))
	if 100*mapped < 95*(mapped+carried) {
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
	if d := cmp.Diff(content(m), content(again)); d != "" {
		t.Errorf("it comes back otherwise (-original +made):\n%s", d)
	}
}

func TestOfficialDialogueMessages_ComeBackWhole(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(standards(t), "norway", "examples", "dialogmelding", "*", "*.xml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no official samples of Dialogmelding", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".xml"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			comesBack(t, raw)
		})
	}
}

// TestDialogueMessages_ComeBackWhole: our own messages have what the samples have not: each element
// of the schema, and several of what there can be several of.
func TestDialogueMessages_ComeBackWhole(t *testing.T) {
	for _, name := range []string{"foresporsel", "foresporsel-1.1", "svar", "svar-1.1", "avvik", "avvik-1.1", "status-henvisning", "helsefaglig-1.0", "helsefaglig-attached", "svar-xhtml"} {
		t.Run(name, func(t *testing.T) {
			raw, _ := readGolden(t, filepath.Join("testdata", "dialog-"+name+".txtar")).section("message")
			validateXML(t, handover.WireKITH, raw)
			comesBack(t, raw)
		})
	}
}
