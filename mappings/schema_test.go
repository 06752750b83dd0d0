package mappings_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/text/encoding/htmlindex"

	"stafett/message"
)

// schemaNode is a node of an XML schema, with the prefixes of its document.
type schemaNode struct {
	XMLName xml.Name
	Attrs   []xml.Attr    `xml:",any,attr"`
	Nodes   []*schemaNode `xml:",any"`

	doc *schemaNode
}

func (n *schemaNode) attr(name string) string {
	for _, a := range n.Attrs {
		if a.Name.Local == name && a.Name.Space != "xmlns" {
			return a.Value
		}
	}
	return ""
}

// named resolves a prefixed name.
func (n *schemaNode) named(text string) xml.Name {
	prefix, local, prefixed := strings.Cut(text, ":")
	if !prefixed {
		prefix, local = "xmlns", text
	}
	for _, a := range n.doc.Attrs {
		if a.Name.Local == prefix && (a.Name.Space == "xmlns" || !prefixed) {
			return xml.Name{Space: a.Value, Local: local}
		}
	}
	return xml.Name{Local: local}
}

// schemas are the elements, types, attributes and attribute groups that documents declare.
type schemas map[string]map[xml.Name]*schemaNode

func readSchemas(t testing.TB, names ...string) schemas {
	t.Helper()
	all := schemas{}
	for _, name := range names {
		f, err := os.Open(filepath.Join(standards(t), "norway", "xsd", name+".xsd"))
		if err != nil {
			t.Fatal(err)
		}
		d := xml.NewDecoder(f)
		d.CharsetReader = func(label string, r io.Reader) (io.Reader, error) {
			enc, err := htmlindex.Get(label)
			if err != nil {
				return nil, err
			}
			return enc.NewDecoder().Reader(r), nil
		}
		doc := &schemaNode{}
		if err := d.Decode(doc); err != nil {
			t.Fatal(name, err)
		}
		f.Close()
		doc.adopt(doc)
		space := doc.attr("targetNamespace")
		for _, n := range doc.Nodes {
			kind := n.XMLName.Local
			if all[kind] == nil {
				all[kind] = map[xml.Name]*schemaNode{}
			}
			all[kind][xml.Name{Space: space, Local: n.attr("name")}] = n
		}
	}
	return all
}

func (n *schemaNode) adopt(doc *schemaNode) {
	n.doc = doc
	for _, c := range n.Nodes {
		c.adopt(doc)
	}
}

// instance makes messages of a schema: every element as often as it may stand, up to repeats
// times, and of a choice the side that is its turn.
type instance struct {
	schemas
	repeats int
	turn    int
	// chance of an optional element to be there, in a hundred.
	chance int
	rand   *rand.Rand
	count  int
	inside []xml.Name
}

func (g *instance) element(name xml.Name) *message.Node {
	g.inside = append(g.inside, name)
	defer func() { g.inside = g.inside[:len(g.inside)-1] }()
	n := g.schemas["element"][name]
	return g.declared(n, name)
}

// declared makes an element by its declaration.
func (g *instance) declared(n *schemaNode, name xml.Name) *message.Node {
	out := &message.Node{Name: name.Local, Space: name.Space}
	if typ := n.attr("type"); typ != "" {
		g.typed(out, n.named(typ))
	}
	for _, c := range n.Nodes {
		if c.XMLName.Local == "complexType" {
			g.complexType(out, c)
			g.atLeastOne(out, c)
		}
	}
	return out
}

// atLeastOne gives an element content that may have none: an empty one says nothing.
func (g *instance) atLeastOne(out *message.Node, typ *schemaNode) {
	if len(out.Children) == 0 {
		chance := g.chance
		g.chance = 100
		g.complexType(out, typ)
		g.chance = chance
	}
}

func (g *instance) complexType(out *message.Node, typ *schemaNode) {
	for _, c := range typ.Nodes {
		switch c.XMLName.Local {
		case "sequence", "choice":
			g.group(out, c)
		case "attribute":
			g.attribute(out, c)
		case "attributeGroup":
			g.complexType(out, g.schemas["attributeGroup"][c.named(c.attr("ref"))])
		}
	}
}

func (g *instance) attribute(out *message.Node, a *schemaNode) {
	name := xml.Name{Local: a.attr("name")}
	if ref := a.attr("ref"); ref != "" {
		name = a.named(ref)
	}
	value := a.attr("fixed")
	switch {
	case value != "":
	case name.Local == "informasjonskategori":
		value = "Uspesifisert"
	default:
		value = g.next("id")
	}
	out.Children = append(out.Children, &message.Node{Name: "@" + name.Local, Space: name.Space, Value: value})
}

func (g *instance) group(out *message.Node, n *schemaNode) {
	sides := n.Nodes
	if n.XMLName.Local == "choice" && n.attr("maxOccurs") == "" {
		sides = sides[g.turn%len(sides):][:1]
		g.turn++
	}
	for _, c := range sides {
		times := 1
		if c.attr("maxOccurs") == "unbounded" && !slices.Contains(oneList, c.attr("ref")) {
			times = g.repeats
		}
		if c.attr("minOccurs") == "0" && c.attr("name") != "Funksjonsvariabel" && g.rand.IntN(100) >= g.chance {
			continue
		}
		if slices.Contains(g.inside, c.named(c.attr("ref"))) {
			continue // no element stands inside one of its own
		}
		for range times {
			switch {
			case c.XMLName.Local != "element":
				g.group(out, c)
			case c.attr("ref") != "":
				out.Children = append(out.Children, g.element(c.named(c.attr("ref"))))
			default:
				child := g.declared(c, xml.Name{Space: n.doc.attr("targetNamespace"), Local: c.attr("name")})
				g.coded(out, child)
				out.Children = append(out.Children, child)
			}
		}
	}
}

func (g *instance) next(text string) string {
	g.count++
	return fmt.Sprintf("%s %d", text, g.count)
}

// typed fills an element of a named type.
func (g *instance) typed(out *message.Node, typ xml.Name) {
	if n := g.schemas["complexType"][typ]; n != nil && !strings.HasSuffix(typ.Space, "/xmlstds") {
		if typ.Local != "Organisation" || out.Name != "Organisation" {
			g.complexType(out, n)
			g.atLeastOne(out, n)
		} else {
			g.complexType(out, withoutLast(n)) // an organisation in an organisation in an organisation is enough
		}
		return
	}
	g.count++
	set := func(pairs ...string) {
		for i := 0; i < len(pairs); i += 2 {
			out.Children = append(out.Children, &message.Node{Name: "@" + pairs[i], Value: pairs[i+1]})
		}
	}
	day := fmt.Sprintf("2026-02-%02d", 1+g.count%28)
	switch typ.Local {
	case "CS":
		set("V", "c"+strconv.Itoa(g.count), "DN", g.next("navn"))
	case "CV":
		set("V", "c"+strconv.Itoa(g.count), "S", "2.16.578.1.12.4.1.1."+strconv.Itoa(9000+g.count%900), "DN", g.next("navn"), "OT", g.next("sagt"))
	case "TS":
		set("V", []string{day, day + "T10:15:00", "2026-02"}[g.count%3])
	case "PQ":
		set("V", strconv.Itoa(g.count)+".5", "U", "mg")
	case "URL":
		set("V", "tel:7300"+strconv.Itoa(1000+g.count))
	case "boolean":
		out.Value = strconv.FormatBool(g.count%2 == 0)
	case "date":
		out.Value = day
	case "dateTime":
		out.Value = day + "T08:30:00"
	case "gYear":
		out.Value = strconv.Itoa(1990 + g.count%30)
	case "BL":
		set("V", strconv.FormatBool(g.count%2 == 0))
	case "INT":
		out.Value = strconv.Itoa(g.count)
	case "integer":
		out.Value = strconv.Itoa(g.count % 10)
	case "decimal", "double":
		out.Value = strconv.Itoa(g.count) + ".25"
	default:
		out.Value = g.next("tekst")
	}
}

func withoutLast(n *schemaNode) *schemaNode {
	c := *n
	sequence := *n.Nodes[len(n.Nodes)-1]
	sequence.Nodes = sequence.Nodes[:len(sequence.Nodes)-1]
	c.Nodes = []*schemaNode{&sequence}
	return &c
}

// oneList are the groups that hold nothing but a list, of which several come back as one, and
// the event of an Epikrise, of which the first is the stay.
var oneList = []string{"dis:Event", "po:InfoMedisinskDiagnose", "po:InfoInformasjonGitt", "po:InfoReservasjon"}

// coded gives elements of closed lists codes that there are.
func (g *instance) coded(parent, n *message.Node) {
	codes := func(v, dn, s string) {
		n.Children = nil
		for _, a := range [][2]string{{"@V", v}, {"@DN", dn}, {"@S", s}} {
			if a[1] != "" {
				n.Children = append(n.Children, &message.Node{Name: a[0], Value: a[1]})
			}
		}
	}
	organisation := slices.ContainsFunc(parent.Children, func(c *message.Node) bool { return c.Name == "OrganisationName" })
	switch {
	case !strings.HasSuffix(n.Space, "felleskomponent1"):
		return
	case n.Name == "Sex":
		codes("2", "Kvinne", "")
	case n.Name == "Ident" && organisation:
		n = n.Children[1]
		codes("LAV", "Lokal identifikator for avdelinger", "2.16.578.1.12.4.1.1.9051")
	case n.Name == "Ident":
		n = n.Children[1]
		codes("XXX", "Annet", "2.16.578.1.12.4.1.1.8116")
	case n.Name == "TeleCom" && len(n.Children) == 2:
		n = n.Children[0]
		codes("HP", "Hovedtelefon", "")
	case n.Name == "Address":
		for _, c := range n.Children {
			switch n = c; c.Name {
			case "Type":
				codes("H", "Bostedsadresse", "")
			case "County":
				codes("4601", "Bergen", "")
			case "Country":
				codes("NO", "", "")
			}
		}
	}
}
