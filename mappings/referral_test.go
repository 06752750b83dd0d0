package mappings_test

import (
	"encoding/xml"
	"slices"
	"testing"

	"stafett/handover"
	"stafett/message"
)

// referralMessages are Henvisning and Epikrise, by their schemas and the element that a
// message is made of; body is empty where that is the document element.
var referralMessages = []struct {
	typ, version, schema string
	component            string
	root                 xml.Name
}{
	{"EPIKRISE", "epikrise 1.2", "Epikrise-v1.2", "poKomponent-v1.5", xml.Name{Space: "http://www.kith.no/xmlstds/epikrise/2012-02-15", Local: "Message"}},
	{"EPIKRISE", "epikrise 1.1", "Epikrise-v1.1", "poKomponent-v1.5", xml.Name{Space: "http://www.kith.no/xmlstds/epikrise/2006-09-23", Local: "Message"}},
	{"HENVISNING", "henvisning 1.0", "Henvisning-v1.0", "poKomponent-v1.5", xml.Name{Space: "http://www.kith.no/xmlstds/henvisning/2005-07-08", Local: "Message"}},
	{"HENVISNING", "henvisning 1.1", "Henvisning-v1.1", "poKomponent-v1.5", xml.Name{Space: "http://www.kith.no/xmlstds/henvisning/2012-02-15", Local: "Message"}},
	{"HENVISNING_NYTILSTAND", "henvisning 2.0", "Henvisning-v2.0", "poKomponent-v2.0", xml.Name{Space: "http://ehelse.no/xmlstds/henvisning/2017-11-30", Local: "Henvisning"}},
}

// TestReferralMessages_TheWholeVocabulary: messages that the schemas make are accounted for,
// at least 95 in a hundred mapped, and come back valid and the same.
func TestReferralMessages_TheWholeVocabulary(t *testing.T) {
	set := embedded(t)
	for _, c := range referralMessages {
		t.Run(c.typ+" "+c.version, func(t *testing.T) {
			all := readSchemas(t, c.component, "felleskomponent1", "kith", c.schema)
			mapping, ok := set.For(handover.WireKITH, c.typ, c.version, "")
			if !ok {
				t.Fatal("no mapping")
			}
			said := newComparison()
			for i := range generatedMessages {
				root := generated(all, i).element(c.root)
				var m *message.Message
				if root.Name == "Message" {
					envelopeOf(root, c.typ)
					m, _ = decode(t, handover.WireKITH, encode(t, handover.WireKITH, root))
				} else {
					realistic(root)
					m = withBody(t, c.typ, root)
				}
				said.whole(t, mapping, m)
			}
			said.report(t)
		})
	}
}

// envelopeOf gives a generated message who sends it to whom about whom.
func envelopeOf(root *message.Node, typ string) {
	kind := root.Child("Type")
	if kind == nil {
		kind = &message.Node{Name: "Type", Space: root.Space, Children: []*message.Node{{Name: "@V"}}}
		root.Children = append([]*message.Node{kind}, root.Children...)
	}
	kind.Child("@V").Value = typ
	root.Child("MsgId").Value = "8f14e45f-ceea-467f-a8d1-2b0c5e9a1e01"
	realistic(root)
	content := root.Child("ServReq")
	if content == nil {
		content = root.Child("ServRprt")
	}
	for i, party := range []string{"ServProvider", "Requester"} {
		hcp := content.Child(party).Child("HCP")
		inst := &message.Node{Name: "Inst", Space: root.Space}
		leaf := func(n *message.Node, name, value string) {
			n.Children = append(n.Children, &message.Node{Name: name, Space: root.Space, Value: value})
		}
		leaf(inst, "Name", "Enhet")
		leaf(inst, "Id", []string{"80001", "80002"}[i])
		inst.Children = append(inst.Children, &message.Node{Name: "TypeId", Space: root.Space,
			Children: []*message.Node{{Name: "@V", Value: "HER"}, {Name: "@DN", Value: "HER-id"}}})
		hcp.Children = []*message.Node{inst}
	}
}

// realistic gives elements of closed lists values that there are, and a patient a number.
func realistic(n *message.Node) {
	set := func(v, dn string) {
		for _, c := range n.Children {
			switch c.Name {
			case "@V":
				c.Value = v
			case "@DN":
				c.Value = dn
			}
		}
	}
	for _, c := range n.Children {
		realistic(c)
	}
	switch n.Name {
	case "Patient":
		n.Children = slices.DeleteFunc(n.Children, func(c *message.Node) bool {
			return slices.Contains([]string{"Sex", "DateOfBirth", "DateOfDeath", "Name", "OffId", "TypeOffId"}, c.Name)
		})
		at := slices.IndexFunc(n.Children, func(c *message.Node) bool { return c.Name != "BasisForHealthServices" })
		ids := slices.IndexFunc(n.Children, func(c *message.Node) bool {
			return c.Name != "BasisForHealthServices" && c.Name != "IdByServProvider" && c.Name != "IdByRequester"
		})
		tail := slices.Clone(n.Children[max(ids, 0):])
		given := slices.Clone(n.Children[max(at, 0):max(ids, 0)])
		leaf := func(name, value string) *message.Node { return &message.Node{Name: name, Space: n.Space, Value: value} }
		coded := func(name, v, dn string) *message.Node {
			return &message.Node{Name: name, Space: n.Space, Children: []*message.Node{{Name: "@V", Value: v}, {Name: "@DN", Value: dn}}}
		}
		born := &message.Node{Name: "DateOfBirth", Space: n.Space, Children: []*message.Node{{Name: "@V", Value: "1969-11-13"}}}
		n.Children = slices.Concat(n.Children[:max(at, 0)], []*message.Node{coded("Sex", "2", "Kvinne"), born, leaf("Name", "Solberg, Kari Anne")}, given,
			[]*message.Node{leaf("OffId", "13916930008"), coded("TypeOffId", "FNR", "Fødselsnummer")}, tail)
	case "Event":
		if id := n.Child("Id"); id != nil {
			id.Value = "7"
		}
	case "Sex":
		set("2", "Kvinne")
	case "DateOfBirth":
		set("1969-11-13", "")
	case "ServType":
		set("N", "Ny")
	case "InfItem":
		types := []string{"H", "CAVE", "ANAM", "FUNN", "MEDB", "OPIN"}
		n.Child("Type").Child("@V").Value = types[len(n.Child("Type").Child("@DN").Value)*7%len(types)]
	}
}
