package mappings_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stafett/fhir"
	"stafett/handover"
	"stafett/mappings/account"
	"stafett/mappings/engine"
	"stafett/mappings/language"
	"stafett/message"
)

// vocabulary holds the names that mappings look for, so that random trees reach far.
func vocabulary(t testing.TB) (names, spaces, vals []string) {
	seen := map[string]bool{}
	add := func(list *[]string, s string) {
		if !seen[s] {
			seen[s] = true
			*list = append(*list, s)
		}
	}
	for _, file := range goldenFiles(t) {
		if m, _ := readGolden(t, file).source(t); m != nil {
			var walk func(n *message.Node)
			walk = func(n *message.Node) {
				if language.IsName(n.Name) { // another name is not shown
					add(&names, n.Name)
				}
				add(&spaces, n.Space)
				add(&vals, n.Value)
				for _, c := range n.Children {
					walk(c)
				}
			}
			walk(m.Root)
		}
	}
	return names, spaces, vals
}

func drawTree(t *rapid.T, names, spaces, vals []string, depth int) *message.Node {
	n := &message.Node{Name: rapid.SampledFrom(names).Draw(t, "name"), Space: rapid.SampledFrom(spaces).Draw(t, "space"),
		Value: rapid.SampledFrom(append(vals, "", `""`, "x")).Draw(t, "value"),
		Start: rapid.IntRange(-5, 500).Draw(t, "start"), End: rapid.IntRange(-5, 500).Draw(t, "end")}
	if depth > 0 {
		for range rapid.IntRange(0, 5).Draw(t, "children") {
			if rapid.IntRange(0, 40).Draw(t, "nil") == 0 {
				n.Children = append(n.Children, nil)
				continue
			}
			n.Children = append(n.Children, drawTree(t, names, spaces, vals, depth-1))
		}
	}
	return n
}

// Whatever the tree, the engine does not panic, and accounts for every leaf.
func TestInvariant6_RandomTreesAreAccountedFor(t *testing.T) {
	set := embedded(t)
	names, spaces, vals := vocabulary(t)
	rapid.Check(t, func(rt *rapid.T) {
		m := rapid.SampledFrom(set.Programs()).Draw(rt, "mapping")
		msg := &message.Message{Wire: m.Wire, Raw: []byte(strings.Repeat("åx|^", 60)), Root: drawTree(rt, names, spaces, vals, 5)}
		if m.Wire == handover.WireKITH && rapid.Bool().Draw(rt, "head") {
			msg.Root.Name, msg.Root.Space = "MsgHead", "http://www.kith.no/xmlstds/msghead/2006-05-24"
		}
		c, report, _ := engine.ToFHIR(m, msg, engine.Context{})
		dropNil(msg.Root)
		all := leaves(msg)
		if len(all) != len(report.Fates) {
			rt.Fatalf("%d leaves, %d fates", len(all), len(report.Fates))
		}
		for _, f := range report.Fates {
			if _, ok := all[f.Path]; !ok {
				rt.Fatalf("%s is no leaf", f.Path)
			}
		}
		for _, out := range set.Programs() {
			if _, _, err := engine.FromFHIR(out, c, engine.Context{}); err != nil {
				var fault *handover.Fault
				if !errors.As(err, &fault) {
					rt.Fatalf("%s: not a fault: %v", out.Name, err)
				}
			}
		}
	})
}

func dropNil(n *message.Node) {
	kept := n.Children[:0]
	for _, c := range n.Children {
		if c != nil {
			dropNil(c)
			kept = append(kept, c)
		}
	}
	n.Children = kept
}

// Whatever the resources, FromFHIR does not panic and accounts for every leaf.
func FuzzFromFHIR(f *testing.F) {
	set := embedded(f)
	for _, file := range goldenFiles(f) {
		g := readGolden(f, file)
		if m, env := g.source(f); m != nil {
			in, _ := set.For(m.Wire, env.Type, env.Version, g.overlay)
			c, _, _ := engine.ToFHIR(in, m, engine.Context{})
			for _, r := range c.Resources {
				f.Add(r.Name, r.Resource.JSON())
			}
		}
	}
	f.Add("patient", []byte(`{"resourceType":"Patient","name":{"family":["x"]},"identifier":"1","address":[null,[],{"line":[{"a":1}]}]}`))
	f.Add("carried", []byte(`{"resourceType":"DocumentReference","content":[{"attachment":{"data":"CXg="}}]}`))
	f.Fuzz(func(t *testing.T, name string, raw []byte) {
		n, err := fhir.Parse(raw, fhir.DefaultLimits())
		if err != nil {
			return
		}
		for _, m := range set.Programs() {
			c := account.Canonical{Resources: []account.Named{{Name: name, Resource: n}, {Name: "nothing"}}}
			_, report, _ := engine.FromFHIR(m, c, engine.Context{})
			account.Readable(report.Leftover, "nb")
			account.Readable(report.Leftover, "en")
		}
	})
}

// Whatever the bytes, a decoded message is translated without a panic.
func FuzzToFHIR(f *testing.F) {
	set := embedded(f)
	for _, file := range goldenFiles(f) {
		if m, _ := readGolden(f, file).source(f); m != nil {
			f.Add(m.Raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for wire, codec := range codecs {
			m, err := codec.Decode(raw, message.DefaultLimits())
			if err != nil || m == nil || m.Root == nil {
				continue
			}
			for _, mapping := range set.Programs() {
				if mapping.Wire == wire {
					_, _, _ = engine.ToFHIR(mapping, m, engine.Context{})
				}
			}
		}
	})
}
