package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"stafett/fhir"
	"stafett/handover"
	"stafett/mappings/account"
	"stafett/mappings/engine"
	"stafett/mappings/language"
	"stafett/message"
)

const po = "http://www.kith.no/xmlstds/po/poKomponent/2012-04-01"

// elements are names of that namespace, taken in turn by the groups of a mapping.
var elements = strings.Fields(`AdmInstrukser AnbefaltVidereTiltak AndreFagrapporter Anslag AnsvarForRapport Ansvarlig AnsvarligRapport AnsvarligTjenesteyter AntallEnheter AntallEnheterOnsket AssistertKommunikasjon AvtaleAdmLegemidler AvtaleAdmMultidose
	AvtaleOmAdmLegemidler BandasjemateriellEngangsutstyr Begrunnelse BehandlingStart BehovOpphortDato BehovTolkSprak Beskrivelse BeskrivelseAvHendelse BeskrivelseAvTjeneste BeskrivelseInformasjon BestiltKontrolltime BetegnelseHjelpemiddel BetegnelseTjeneste`)

// group is one repeated element of a generated mapping: a value of its own, and groups inside.
type group struct {
	name, leaf string
	groups     []*group
	once       bool
}

// design draws a mapping and knows how its messages look.
type design struct {
	t         *rapid.T
	er7       bool
	text      strings.Builder
	resources []string
	names     int
}

func (d *design) line(depth int, format string, args ...any) {
	fmt.Fprintf(&d.text, strings.Repeat("  ", depth)+format+"\n", args...)
}

func (d *design) element() string {
	d.names++
	return elements[d.names-1]
}

func (d *design) resource(typ string) string {
	name := fmt.Sprintf("r%d-*", len(d.resources)+1)
	d.resources = append(d.resources, "resource "+name+" "+typ)
	return name
}

func (d *design) pick(label string) bool { return rapid.Bool().Draw(d.t, label) }

// observation writes a group of an Observation for each repetition, levels deep.
func (d *design) observation(depth, levels int, up func(name string) []string) *group {
	g := &group{name: d.element(), leaf: d.element()}
	name := d.resource("Observation")
	d.line(depth, "each po:%s as %s {", g.name, name)
	d.line(depth+1, "po:%s = code.text", g.leaf)
	for _, l := range up(name) {
		d.line(depth+1, "%s", l)
	}
	if d.pick("beside") {
		g.groups = append(g.groups, d.beside(depth+1))
	}
	for range rapid.IntRange(min(1, levels-1), levels-1).Draw(d.t, "groups") {
		if d.pick("a list") {
			g.groups = append(g.groups, d.component(depth+1, levels-1))
			break // one list has one block
		}
		g.groups = append(g.groups, d.child(depth+1, levels-1))
	}
	d.line(depth, "}")
	return g
}

// child is a resource inside another: one of the two refers to the other.
func (d *design) child(depth, levels int) *group {
	if d.pick("child refers") {
		return d.observation(depth, levels, func(string) []string {
			return []string{"fhir derivedFrom[0].reference = ref(parent)"}
		})
	}
	var below string
	g := d.observation(depth, levels, func(name string) []string {
		below = name
		return nil
	})
	d.line(depth, "fhir hasMember[].reference = ref(%s)", below)
	return g
}

// beside is a second resource of the same repetition.
func (d *design) beside(depth int) *group {
	g := &group{name: d.element(), leaf: d.element(), once: true}
	name := d.resource("Observation")
	d.line(depth, "in po:%s as %s {", g.name, name)
	d.line(depth+1, "po:%s = code.text", g.leaf)
	back := d.pick("beside refers")
	if back {
		d.line(depth+1, "fhir focus[0].reference = ref(parent)")
	}
	d.line(depth, "}")
	if !back {
		d.line(depth, "fhir focus[0].reference = ref(%s)", name)
	}
	return g
}

// component is a list inside a resource, with a list inside it when there is room.
func (d *design) component(depth, levels int) *group {
	g := &group{name: d.element(), leaf: d.element()}
	d.line(depth, "each po:%s = component[] {", g.name)
	d.line(depth+1, "po:%s = code.text", g.leaf)
	if levels > 1 {
		in := &group{name: d.element(), leaf: d.element()}
		d.line(depth+1, "each po:%s = referenceRange[] {", in.name)
		d.line(depth+2, "po:%s = text", in.leaf)
		d.line(depth+1, "}")
		g.groups = append(g.groups, in)
	}
	d.line(depth, "}")
	return g
}

// activity is a list of a single resource, whose items refer to their own resources.
func (d *design) activity(levels int) *group {
	d.resources = append(d.resources, "resource plan CarePlan")
	g := &group{name: d.element(), leaf: d.element()}
	d.line(0, "each po:%s = plan.activity[] {", g.name)
	d.line(1, "po:%s = detail.description", g.leaf)
	var below string
	g.groups = append(g.groups, d.observation(1, levels-1, func(name string) []string {
		below = name
		return nil
	}))
	d.line(1, "fhir outcomeReference[].reference = ref(%s)", below)
	d.line(0, "}")
	return g
}

// program compiles the drawn mapping.
func (d *design) program(head string) *language.Program {
	text := head + strings.Join(d.resources, "\n") + "\n" + d.text.String()
	set, err := language.Load(fstest.MapFS{"test/nested.map": {Data: []byte(text)}})
	if err != nil {
		d.t.Fatalf("%v\n%s", err, text)
	}
	return set.Programs()[0]
}

// repetitions draws what stands in a message for a group. What is empty means nothing to
// either side, so that each has a value or something inside.
func (d *design) repetitions(g *group) []*message.Node {
	var out []*message.Node
	for range rapid.IntRange(0, either(g.once, 1, 3)).Draw(d.t, "count") {
		n := &message.Node{Name: g.name, Space: po}
		var inside []*message.Node
		for _, in := range g.groups {
			inside = append(inside, d.repetitions(in)...)
		}
		if len(inside) == 0 || d.pick("value") {
			n.Children = append(n.Children, &message.Node{Name: g.leaf, Space: po, Value: d.value()})
		}
		n.Children = append(n.Children, inside...)
		out = append(out, n)
	}
	return out
}

func (d *design) value() string { return rapid.StringMatching(`[a-zæøå]{1,3}`).Draw(d.t, "text") }

func either[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}

const xmlHead = "mapping test/nested\ntakes kith T\nroot po:Enkeltvurdering\nnamespace po " + po + "\n"

// A child is written in its own parent and in no other, in order, whatever the numbers:
// from(to(m)) == m, to(from(r)) == r, and nothing is left over or carried.
func TestBlocksHaveIdentity_XML(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &design{t: t}
		levels := rapid.IntRange(2, 3).Draw(t, "levels")
		var top *group
		if d.pick("list first") {
			top = d.activity(levels)
		} else {
			top = d.observation(0, levels, func(string) []string { return nil })
		}
		p := d.program(xmlHead)
		m := &message.Message{Wire: handover.WireKITH, Root: &message.Node{Name: "Enkeltvurdering", Space: po, Children: d.repetitions(top)}}
		checkIdentity(t, p, m, d.text.String())
	})
}

// ER7 has no groups of segments in its tree: what nests there are the repetitions of a field
// in a segment, and a component in each.
func TestBlocksHaveIdentity_ER7(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &design{t: t, er7: true}
		segment, field, part := d.resource("Observation"), d.resource("Observation"), d.resource("Observation")
		d.line(0, "each OBX as %s {", segment)
		d.line(1, ".3.1 = code.text")
		up := d.pick("child refers")
		d.line(1, "each .5 as %s {", field)
		d.line(2, ".1 = code.text")
		if up {
			d.line(2, "fhir derivedFrom[0].reference = ref(%s)", segment)
		}
		d.line(2, "in .2 as %s {", part)
		d.line(3, ".1 = code.text")
		d.line(3, ".2 = method.text")
		d.line(3, "fhir derivedFrom[0].reference = ref(parent)")
		d.line(2, "}\n}")
		if !up {
			d.line(1, "fhir hasMember[].reference = ref(%s)", field)
		}
		d.line(0, "}")
		p := d.program("mapping test/nested\ntakes hl7v2 ORU^R01\n")
		m := &message.Message{Wire: handover.WireHL7v2, Root: &message.Node{Name: "message"}}
		for range rapid.IntRange(0, 3).Draw(t, "segments") {
			m.Root.Children = append(m.Root.Children, d.segment())
		}
		checkIdentity(t, p, m, d.text.String())
	})
}

func (d *design) segment() *message.Node {
	n := &message.Node{Name: "OBX"}
	fields := rapid.IntRange(0, 3).Draw(d.t, "fields")
	if fields == 0 || d.pick("value") {
		n.Children = append(n.Children, &message.Node{Name: "3", Value: d.value()})
	}
	for range fields {
		f := &message.Node{Name: "5"}
		switch rapid.IntRange(0, 2).Draw(d.t, "field") {
		case 0:
			f.Value = d.value()
		case 1:
			f.Children = []*message.Node{{Name: "1", Value: d.value()}, {Name: "2", Value: d.value()}}
		case 2:
			f.Children = []*message.Node{{Name: "2", Children: []*message.Node{{Name: "1", Value: d.value()}, {Name: "2", Value: d.value()}}}}
		}
		n.Children = append(n.Children, f)
	}
	return n
}

func checkIdentity(t *rapid.T, p *language.Program, m *message.Message, text string) {
	c, report, err := engine.ToFHIR(p, m, engine.Context{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Fates {
		if f.Fate != message.FateMapped && f.Reason != "empty" {
			t.Fatalf("%s is %s %s\n%s", f.Path, f.Fate, f.Reason, text)
		}
	}
	onlyOneParent(t, c)
	same(t, "from(to(m))", back(t, p, c), m.Root, text)
	again, _, err := engine.ToFHIR(p, &message.Message{Wire: m.Wire, Root: back(t, p, c)}, engine.Context{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(spelled(c), spelled(again)); diff != "" {
		t.Fatalf("to(from(r)) differs:\n%s\n%s", diff, text)
	}
	same(t, "from(stored)", back(t, p, stored(t, c)), m.Root, text)
}

// onlyOneParent: what lists its children lists its own alone.
func onlyOneParent(t *rapid.T, c account.Canonical) {
	parents := map[string]int{}
	for _, r := range c.Resources {
		lists := []*fhir.Node{r.Resource}
		if plan := r.Resource.Get("activity"); plan != nil {
			lists = plan.Items
		}
		for _, n := range lists {
			for _, member := range []string{"hasMember", "outcomeReference"} {
				for _, ref := range items(n.Get(member)) {
					parents[ref.Str("reference")]++
				}
			}
		}
	}
	for child, n := range parents {
		if n != 1 {
			t.Fatalf("%s has %d parents", child, n)
		}
	}
}

func items(n *fhir.Node) []*fhir.Node {
	if n == nil {
		return nil
	}
	return n.Items
}

func back(t *rapid.T, p *language.Program, c account.Canonical) *message.Node {
	tree, report, err := engine.FromFHIR(p, c, engine.Context{})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range report.Leftover {
		t.Fatalf("%s is left over", l.Path)
	}
	return tree
}

func same(t *rapid.T, what string, got, want *message.Node, text string) {
	if diff := cmp.Diff(tree(want, 0), tree(got, 0)); diff != "" {
		t.Fatalf("%s differs:\n%s\n%s", what, diff, text)
	}
}

func tree(n *message.Node, depth int) string {
	out := fmt.Sprintf("%s%s %q\n", strings.Repeat(" ", depth), n.Name, n.Value)
	for _, c := range n.Children {
		out += tree(c, depth+1)
	}
	return out
}

func spelled(c account.Canonical) []string {
	var out []string
	for _, r := range c.Resources {
		out = append(out, r.Name+" "+string(r.Resource.JSON()))
	}
	return out
}

// stored is the canonical form as it is made of stored resources: each has an id, other
// numbers, and is referred to by type and id, some by a whole URL.
func stored(t *rapid.T, c account.Canonical) account.Canonical {
	refs := map[string]string{}
	out := c
	out.Resources = nil
	for i, r := range c.Resources {
		n, err := fhir.Parse(r.Resource.JSON(), fhir.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprintf("id-%d", 1000-i)
		refs[account.ReferencePrefix+r.Name] = either(i%2 == 0, "", "https://other.example/fhir/") + n.ResourceType() + "/" + id
		n.Set("id", fhir.Str(id))
		name := r.Name
		if base, _, ok := strings.Cut(r.Name, "-"); ok {
			name = fmt.Sprintf("%s-%d", base, 500-i)
		}
		out.Resources = append(out.Resources, account.Named{Name: name, Resource: n})
	}
	for _, r := range out.Resources {
		fhir.References(r.Resource, func(ref *fhir.Node) { ref.Set("reference", fhir.Str(refs[ref.Str("reference")])) })
	}
	return out
}

// A child that names two parents, as no mapping writes it, is written once; one that names
// none is in no parent and is left over.
func TestChildOfTwoParentsAndOfNone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &design{t: t}
		d.text.WriteString("each po:Anslag as a-* {\npo:Enhet = code.text\neach po:Ekstern as b-* {\npo:Begrunnelse = code.text\nfhir derivedFrom[0].reference = ref(parent)\n}\n}\n")
		d.resources = []string{"resource a-* Observation", "resource b-* Observation"}
		p := d.program(xmlHead)
		named := func(name, text string, refs ...any) account.Named {
			n := fhir.Obj("resourceType", "Observation", "code", fhir.Obj("text", text))
			for _, ref := range refs {
				n.Append("derivedFrom", fhir.Obj("reference", ref))
			}
			return account.Named{Name: name, Resource: n}
		}
		c := account.Canonical{Resources: []account.Named{named("a-1", "one"), named("a-2", "two"),
			named("b-1", "both", "urn:stafett:a-2", "urn:stafett:a-1"), named("b-2", "none"), named("b-3", "other", "Patient/1")}}
		root, report, err := engine.FromFHIR(p, c, engine.Context{})
		if err != nil {
			t.Fatal(err)
		}
		want := "Enkeltvurdering \"\"\n Anslag \"\"\n  Enhet \"one\"\n  Ekstern \"\"\n   Begrunnelse \"both\"\n Anslag \"\"\n  Enhet \"two\"\n"
		if diff := cmp.Diff(want, tree(root, 0)); diff != "" {
			t.Fatal(diff)
		}
		if len(report.Leftover) != 2 {
			t.Fatalf("%d left over: %+v", len(report.Leftover), report.Leftover)
		}
	})
}
