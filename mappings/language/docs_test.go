package language

import (
	"os"
	"strings"
	"testing"

	"stafett/handover"
)

// The examples that the documentation explains compile, and every word and converter is named.
func TestDocumentedLanguage(t *testing.T) {
	data, err := os.ReadFile("../../docs/mapping-language.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	examples := strings.Split(text, "```\nmapping ")[1:]
	if len(examples) != 2 {
		t.Fatalf("the documentation has %d examples", len(examples))
	}
	for i, of := range []struct {
		wire handover.Wire
		typ  string
	}{{handover.WireHL7v2, "ADT^A16"}, {handover.WireKITH, "EXAMPLE"}} {
		example, _, _ := strings.Cut(examples[i], "```")
		set, err := load("mapping " + example)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := set.For(of.wire, of.typ, "2.5", ""); !ok {
			t.Errorf("the example takes no %s", of.typ)
		}
	}
	for _, name := range converterNames() {
		if name != "text" && !strings.Contains(text, "`"+name) {
			t.Errorf("converter %s is not documented", name)
		}
	}
	for word := range statementKinds {
		if !strings.Contains(text, "`"+word) && !strings.Contains(text, "\n"+word+" ") {
			t.Errorf("the statement %s is not documented", word)
		}
	}
}
