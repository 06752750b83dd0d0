package kith

import (
	"encoding/base64"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stafett/adapters"
	"stafett/handover"
	"stafett/message"
)

func TestEncodeKeepsEveryFixture(t *testing.T) {
	for name, raw := range fixtures(t) {
		t.Run(name, func(t *testing.T) {
			m := mustRead(t, raw)
			first := roundTrip(t, m.Root)
			if again := roundTrip(t, mustRead(t, first).Root); string(again) != string(first) {
				t.Error("writing twice gives other bytes")
			}
		})
	}
}

func TestEncodeChoosesPrefixes(t *testing.T) {
	out := string(roundTrip(t, mustRead(t, fixture(t, "log_utskrivningsklar.xml")).Root))
	for _, want := range []string{
		`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<MsgHead xmlns="` + nsMsgHead + `"><MsgInfo>`,
		`<p1:Pasientlogistikk xmlns="http://www.kith.no/xmlstds/po/poKomponent/2012-04-01" xmlns:fk1="http://www.kith.no/xmlstds/felleskomponent1"` +
			` xmlns:p1="http://www.kith.no/xmlstds/po/Pasientlogistikk/2012-04-01"><InformasjonOmForsendelsen>`,
		`<fk1:OrganisationName>`, `<p1:MeldingUtskrivningsklarPasient><TidsfestetHendelse>`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
	if n := strings.Count(out, "xmlns"); n != 4 {
		t.Errorf("%d declarations", n)
	}
	out = string(roundTrip(t, mustRead(t, fixture(t, "dialog_helsefaglig_xhtml.xml")).Root))
	for _, want := range []string{`<Dialogmelding xmlns="http://www.kith.no/xmlstds/dialog/2013-01-23" xmlns:fk1=`, `<div xmlns="http://www.w3.org/1999/xhtml"><p>Går med <b>rullator</b> innendørs.<br/>`, "<fk1:Id>"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
}

func TestEncodeRefusesWhatXMLCannotExpress(t *testing.T) {
	node := func(name string, children ...*message.Node) *message.Node {
		return &message.Node{Name: name, Children: children}
	}
	deep := node("a")
	for range maxEncodeDepth {
		deep = node("a", deep)
	}
	for name, n := range map[string]*message.Node{
		"nothing":                 nil,
		"no name":                 node(""),
		"a name with a colon":     node("p:a"),
		"a name with markup":      node("a><b"),
		"an attribute's name":     node("a", node("@b c")),
		"an attribute's children": node("a", node("@b", node("c"))),
		"two alike":               node("a", node("@b"), node("@b")),
		"value and children":      {Name: "a", Value: "x", Children: []*message.Node{node("b")}},
		"a control character":     node("a", &message.Node{Name: "b", Value: "x\x00"}),
		"in an attribute":         node("a", &message.Node{Name: "@b", Value: "\x0b"}),
		"in mixed text":           node("a", node("b"), &message.Node{Name: TextName, Value: "\x01"}),
		"no UTF-8":                node("a", &message.Node{Name: "b", Value: "\xff"}),
		"too deep":                deep,
	} {
		out, err := Codec{}.Encode(n)
		if f := handover.FaultOf(err); f == nil || f.Kind != handover.FaultInvalid || out != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEncodeAnyTree: any tree that XML can express comes back as it was.
func TestEncodeAnyTree(t *testing.T) {
	spaces := []string{"", "u", "v", nsMsgHead, xmlstds + "felleskomponent1", xmlstds + "po/Pasientlogistikk/2012-04-01", po16, namespaceXML}
	text := rapid.StringOf(rapid.SampledFrom([]rune("aå <>&\"'\n\t\r]x𝔘")))
	var tree func(depth int) *rapid.Generator[*message.Node]
	tree = func(depth int) *rapid.Generator[*message.Node] {
		return rapid.Custom(func(t *rapid.T) *message.Node {
			n := &message.Node{Name: rapid.SampledFrom([]string{"a", "b", "Formål", "x-1"}).Draw(t, "name"), Space: rapid.SampledFrom(spaces).Draw(t, "space")}
			for i := range rapid.IntRange(0, 3).Draw(t, "attributes") {
				n.Children = append(n.Children, &message.Node{Name: "@" + string(rune('a'+i)), Space: rapid.SampledFrom(spaces).Draw(t, "space"), Value: text.Draw(t, "value")})
			}
			if depth == 0 || rapid.Bool().Draw(t, "leaf") {
				n.Value = text.Draw(t, "value")
				return n
			}
			for range rapid.IntRange(1, 3).Draw(t, "children") {
				n.Children = append(n.Children, tree(depth-1).Draw(t, "child"))
			}
			return n
		})
	}
	rapid.Check(t, func(rt *rapid.T) {
		n := tree(4).Draw(rt, "tree")
		out, err := Codec{}.Encode(n)
		if err != nil {
			rt.Fatal(err)
		}
		again, err := Read(out, message.Limits{})
		if err != nil {
			rt.Fatalf("%v: %s", err, out)
		}
		if d := difference(n, again.Root); d != "" {
			rt.Fatalf("%s\n%s", d, out)
		}
	})
}

func TestAttach(t *testing.T) {
	doc := adapters.Document{Title: "Opplysninger uten plass i meldingen", ContentType: "text/plain; charset=utf-8", Data: []byte("Syn: nedsatt på høyre øye\n")}
	root := mustRead(t, fixture(t, "log_utskrivningsklar.xml")).Root
	signature := &message.Node{Name: "Signature", Space: nsSignature, Value: "x"}
	root.Children = append(root.Children, signature)
	for range 2 {
		if err := (Codec{}).Attach(root, doc); err != nil {
			t.Fatal(err)
		}
	}
	again := mustRead(t, roundTrip(t, root)).Root
	documents := again.All("Document")
	if len(documents) != 3 || again.Children[len(again.Children)-1].Space != nsSignature {
		t.Fatalf("%d documents", len(documents))
	}
	ref := documents[2].Child("RefDoc")
	data, err := base64.StdEncoding.DecodeString(ref.Text("Content", "Base64Container"))
	if err != nil || string(data) != string(doc.Data) || ref.Text("MsgType", "@V") != "A" || ref.Text("MimeType") != "text/plain" || ref.Text("Description") != doc.Title {
		t.Errorf("%v: %s", err, sketch(ref))
	}
	m, env := mustEnvelope(t, roundTrip(t, root))
	if fault := (Codec{}).Check(m, env); fault != nil {
		t.Error(fault)
	}
}

func TestAttachRefuses(t *testing.T) {
	doc := adapters.Document{ContentType: "text/plain"}
	for name, try := range map[string]func() error{
		"nothing":   func() error { return Codec{}.Attach(nil, doc) },
		"a receipt": func() error { return Codec{}.Attach(mustRead(t, fixture(t, "apprec_1_1_ok.xml")).Root, doc) },
		"no media type": func() error {
			return Codec{}.Attach(mustRead(t, fixture(t, "log_innlagt.xml")).Root, adapters.Document{ContentType: "/"})
		},
	} {
		if f := handover.FaultOf(try()); f == nil || f.Kind != handover.FaultInvalid {
			t.Errorf("%s: %v", name, f)
		}
	}
}
