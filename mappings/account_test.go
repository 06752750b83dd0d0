package mappings_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"stafett/fhir"
	"stafett/handover"
	"stafett/mappings/account"
	"stafett/mappings/engine"
	"stafett/message"
)

// leaves lists a message's leaves by path, counted on their own, not by the engine.
func leaves(m *message.Message) map[string]string {
	out := map[string]string{}
	walkLeaves(m.Root, "", 0, m.Wire == handover.WireHL7v2, func(path string, n *message.Node) { out[path] = n.Value })
	return out
}

func walkLeaves(n *message.Node, path string, depth int, er7 bool, leaf func(string, *message.Node)) {
	if depth == 0 && !er7 {
		path = n.Name
	}
	if len(n.Children) == 0 || n.Value != "" {
		leaf(path, n)
	}
	count, seen := map[string]int{}, map[string]int{}
	for _, c := range n.Children {
		count[c.Name]++
	}
	for _, c := range n.Children {
		seen[c.Name]++
		name := c.Name
		if count[name] > 1 {
			name = fmt.Sprintf("%s[%d]", name, seen[name])
		}
		switch {
		case !er7:
			name = path + "/" + name
		case depth == 1:
			name = path + "-" + name
		case depth > 1:
			name = path + "." + name
		}
		walkLeaves(c, name, depth+1, er7, leaf)
	}
}

// accounted checks invariant 6 for one message: each leaf has exactly one fate, nothing
// else has one, a fate says where to or why, and what is carried is carried verbatim.
func accounted(t *testing.T, name string, m *message.Message, report account.Report) {
	t.Helper()
	all := leaves(m)
	seen := map[string]bool{}
	for _, f := range report.Fates {
		if _, ok := all[f.Path]; !ok {
			t.Errorf("%s: %s has a fate and is no leaf", name, f.Path)
		}
		if seen[f.Path] {
			t.Errorf("%s: %s has two fates", name, f.Path)
		}
		seen[f.Path] = true
		switch {
		case f.Fate == message.FateMapped && f.Target == "":
			t.Errorf("%s: %s is mapped to nowhere", name, f.Path)
		case f.Fate == message.FateIgnored && f.Reason == "":
			t.Errorf("%s: %s is ignored without a reason", name, f.Path)
		case f.Fate != message.FateMapped && f.Fate != message.FateIgnored && f.Fate != message.FateCarried:
			t.Errorf("%s: %s has fate %q", name, f.Path, f.Fate)
		}
	}
	for path := range all {
		if !seen[path] {
			t.Errorf("%s: %s is unaccounted for", name, path)
		}
	}
}

func TestInvariant6_NoElementUnaccountedFor(t *testing.T) {
	set := embedded(t)
	for _, file := range goldenFiles(t) {
		g := readGolden(t, file)
		m, env := g.source(t)
		if m == nil {
			continue
		}
		mapping, ok := set.For(m.Wire, env.Type, env.Version, g.overlay)
		if !ok {
			t.Fatalf("no mapping takes %s", env.Type)
		}
		c, report, err := engine.ToFHIR(mapping, m, engine.Context{Header: headerOf(env)})
		if err != nil {
			t.Fatal(err)
		}
		accounted(t, filepath.Base(file), m, report)
		carriedVerbatim(t, filepath.Base(file), m, c, report)
		// And onward: what reached FHIR is told, ignored with a reason, or left over.
		for _, out := range set.Programs() {
			_, r, err := engine.FromFHIR(out, c, engine.Context{Header: tellHeader(out.Wire)})
			if err == nil {
				onward(t, filepath.Base(file)+" to "+out.Name, c, r)
			}
		}
	}
}

// carriedVerbatim: each carried leaf stands in the carried document with its value.
func carriedVerbatim(t *testing.T, name string, m *message.Message, c account.Canonical, report account.Report) {
	t.Helper()
	none, _ := embedded(t).For(handover.WireKITH, "DIALOG_HELSEFAGLIG", "", "")
	doc := account.Canonical{}
	for _, r := range c.Resources {
		if r.Name == "carried" {
			doc.Resources = append(doc.Resources, r)
		}
	}
	_, r, _ := engine.FromFHIR(none, doc, engine.Context{Header: tellHeader(handover.WireKITH)})
	left := map[string]string{}
	for _, l := range r.Leftover {
		left[strings.TrimPrefix(l.Path, "carried.")] = l.Value
	}
	all := map[string]string{}
	walkLeaves(m.Root, "", 0, m.Wire == handover.WireHL7v2, func(path string, n *message.Node) {
		if all[path] = n.Value; m.Wire == handover.WireHL7v2 {
			all[path] = string(m.Verbatim(n)) // with its escapes
		}
	})
	for _, f := range report.Fates {
		if f.Fate != message.FateCarried {
			continue
		}
		if got, ok := left[f.Path]; !ok || got != all[f.Path] {
			t.Errorf("%s: %s is said to be carried, and is not in the carried document as it stood", name, f.Path)
		}
	}
}

// onward checks that fates and leftovers cover every leaf of the resources.
func onward(t *testing.T, name string, c account.Canonical, r account.Report) {
	t.Helper()
	covered := map[string]bool{}
	for _, f := range r.Fates {
		covered[f.Path] = true
		if f.Fate == message.FateIgnored && f.Reason == "" {
			t.Errorf("%s: %s is ignored without a reason", name, f.Path)
		}
	}
	for _, l := range r.Leftover {
		covered[l.Path] = true
		if l.Label == "" || l.Value == "" {
			t.Errorf("%s: leftover %s has no label or no value", name, l.Path)
		}
	}
	for _, res := range c.Resources {
		if res.Name == "carried" {
			continue
		}
		jsonLeaves(res.Resource, res.Name, func(path string) {
			for p := path; p != ""; {
				if covered[p] {
					return
				}
				i := strings.LastIndexByte(p, '.')
				if i < 0 {
					break
				}
				p = p[:i]
			}
			last := path[strings.LastIndexByte(path, '.')+1:]
			if last == "resourceType" || last == "id" || last == "reference" {
				return
			}
			t.Errorf("%s: %s is neither told, ignored nor left over", name, path)
		})
	}
}

func jsonLeaves(n *fhir.Node, path string, f func(string)) {
	jsonLeavesNode(n, path, func(p string, _ *fhir.Node) { f(p) })
}

func jsonLeavesNode(n *fhir.Node, path string, f func(string, *fhir.Node)) {
	switch n.Kind {
	case fhir.KindObject:
		for _, m := range n.Members {
			jsonLeavesNode(m.Value, path+"."+m.Name, f)
		}
	case fhir.KindArray:
		for i, it := range n.Items {
			jsonLeavesNode(it, fmt.Sprintf("%s[%d]", path, i), f)
		}
	default:
		f(path, n)
	}
}
