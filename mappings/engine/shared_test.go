package engine_test

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"stafett/mappings/account"
	"stafett/mappings/engine"
	"stafett/mappings/language"
	"stafett/message"
)

// sharedMapping names persons in two places, each below what refers to them.
const sharedMapping = `mapping kith/shared
takes kith SHARED
root po:Enkeltvurdering
namespace po ` + po + `
resource stay-* Observation
resource unit-* Observation
resource finding-* Observation
define found() {
  each po:Begrunnelse as finding-* {
    po:Beskrivelse = code.text
  }
  fhir focus[].reference = ref(finding-*)
}
each po:Anslag as stay-* {
  po:Beskrivelse = code.text
  each po:Ansvarlig as unit-* {
    po:Beskrivelse = code.text
    fhir derivedFrom[0].reference = ref(parent)
    use found()
  }
  use found()
}
`

func element(name, value string, children ...*message.Node) *message.Node {
	return &message.Node{Name: name, Space: po, Value: value, Children: children}
}

// TestSharedResource_ChildrenKeepTheirParents: a resource with several blocks comes back below
// what refers to it, and nowhere else.
func TestSharedResource_ChildrenKeepTheirParents(t *testing.T) {
	set, err := language.Load(fstest.MapFS{"kith/shared.map": {Data: []byte(sharedMapping)}})
	if err != nil {
		t.Fatal(err)
	}
	m, _ := set.For("kith", "SHARED", "", "")
	named := func(name, text string, in ...*message.Node) *message.Node {
		return element(name, "", append([]*message.Node{element("Beskrivelse", text)}, in...)...)
	}
	root := element("Enkeltvurdering", "",
		named("Anslag", "a", named("Ansvarlig", "a1", named("Begrunnelse", "a1x"), named("Begrunnelse", "a1y")), named("Begrunnelse", "ax")),
		named("Anslag", "b", named("Ansvarlig", "b1"), named("Ansvarlig", "b2", named("Begrunnelse", "b2x")), named("Begrunnelse", "bx"), named("Begrunnelse", "by")))
	c, report, err := engine.ToFHIR(m, &message.Message{Wire: "kith", Root: root}, engine.Context{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Fates {
		if f.Fate != message.FateMapped {
			t.Errorf("%s is %s", f.Path, f.Fate)
		}
	}
	back, left, err := engine.FromFHIR(m, c, engine.Context{})
	if err != nil {
		t.Fatal(err)
	}
	if len(left.Leftover) > 0 {
		t.Errorf("left over: %v", left.Leftover)
	}
	if d := cmp.Diff(root, back); d != "" {
		t.Errorf("-read +made:\n%s", d)
	}
	// Whom nobody refers to is nobody's.
	for i, r := range c.Resources {
		if r.Name == "stay-2" {
			r.Resource.Delete("focus")
			c.Resources[i] = r
		}
	}
	_, left, _ = engine.FromFHIR(m, c, engine.Context{})
	if got := paths(left.Leftover); !cmp.Equal(got, []string{"finding-5.code.text", "finding-6.code.text"}) {
		t.Errorf("left over: %v", got)
	}
}

func paths(lines []account.Leftover) []string {
	var out []string
	for _, l := range lines {
		out = append(out, l.Path)
	}
	return out
}
