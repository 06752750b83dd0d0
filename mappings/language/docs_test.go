package language

import (
	"os"
	"strings"
	"testing"
)

// The example that the documentation explains compiles, and every converter is named.
func TestDocumentedLanguage(t *testing.T) {
	data, err := os.ReadFile("../../docs/mapping-language.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	_, rest, _ := strings.Cut(text, "```\nmapping ")
	example, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("the documentation has no example")
	}
	set, err := load("mapping " + example)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := set.For("hl7v2", "ADT^A16", "2.5", ""); !ok {
		t.Error("the example takes no ADT^A16")
	}
	for _, name := range converterNames() {
		if name != "text" && !strings.Contains(text, "`"+name) {
			t.Errorf("converter %s is not documented", name)
		}
	}
}
