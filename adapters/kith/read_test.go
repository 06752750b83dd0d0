package kith

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/text/encoding/charmap"

	"stafett/handover"
	"stafett/message"
)

// fixtures returns every message in testdata by file name.
func fixtures(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.xml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	out := map[string][]byte{}
	for _, p := range paths {
		raw, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(p)] = raw
	}
	return out
}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func mustRead(t testing.TB, raw []byte) *message.Message {
	t.Helper()
	m, err := Read(raw, message.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// content compares trees without their positions.
var content = cmp.Options{
	cmpopts.IgnoreFields(message.Node{}, "Line", "Column", "Start", "End"),
	cmpopts.EquateEmpty(),
}

// difference is cmp.Diff of two trees, but quick where there is none.
func difference(want, got *message.Node) string {
	if sameTree(want, got) {
		return ""
	}
	return cmp.Diff(want, got, content)
}

func sameTree(a, b *message.Node) bool {
	if a.Name != b.Name || a.Space != b.Space || a.Value != b.Value || len(a.Children) != len(b.Children) {
		return false
	}
	for i := range a.Children {
		if !sameTree(a.Children[i], b.Children[i]) {
			return false
		}
	}
	return true
}

func TestReadGivesNamesValuesAndPositions(t *testing.T) {
	raw := []byte("<?xml version='1.0'?>\n<!-- a --><a xmlns='u' xmlns:p='v' p:x=\"1\" V='2'>\n  <p:b>t &lt;<![CDATA[<&]]>&#x41;&#66;</p:b>\r\n\t<c/></a>\n")
	m := mustRead(t, raw)
	want := &message.Node{Name: "a", Space: "u", Line: 2, Column: 11, Children: []*message.Node{
		{Name: "@x", Space: "v", Value: "1", Line: 2, Column: 36},
		{Name: "@V", Value: "2", Line: 2, Column: 44},
		{Name: "b", Space: "v", Value: "t <<&AB", Line: 3, Column: 3},
		{Name: "c", Space: "u", Line: 4, Column: 2},
	}}
	if d := cmp.Diff(want, m.Root, cmpopts.IgnoreFields(message.Node{}, "Start", "End"), cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}
	for n, slice := range map[*message.Node]string{
		m.Root:             string(raw),
		m.Root.Child("@x"): `p:x="1"`,
		m.Root.Child("@V"): `V='2'`,
		m.Root.Child("b"):  "<p:b>t &lt;<![CDATA[<&]]>&#x41;&#66;</p:b>",
		m.Root.Child("c"):  "<c/>",
	} {
		if n == m.Root {
			slice = string(raw[bytes.Index(raw, []byte("<a ")) : len(raw)-1])
		}
		if got := string(m.Verbatim(n)); got != slice {
			t.Errorf("verbatim of %s: %q, want %q", n.Name, got, slice)
		}
	}
}

func TestReadSettlesText(t *testing.T) {
	for in, want := range map[string]string{
		"<a> x\r\ny\rz </a>":                      " x\ny\nz ",
		"<a>one<!-- c -->two<?pi x?>three</a>":    "onetwothree",
		"<a>\n <b/>\n</a>":                        "(b)",
		"<a>  </a>":                               "  ",
		"<a>Hei <b>du</b> <i>der</i>!</a>":        "[Hei ](b:du)[ ](i:der)[!]",
		"<a> <![CDATA[ ]]> <b/></a>":              "(b)",
		"<a><b/><![CDATA[x]]></a>":                "(b)[x]",
		"<a V='\n\t&#10;&#9;&amp;'/>":             "@V=  \n\t&",
		"<a V='x'>text</a>":                       "@V=x text",
		"<a>&#13;</a>":                            "\r",
		"<a xml:lang='nb'/>":                      "@lang=nb",
		"<Formål>å</Formål>":                      "å",
		"<?xml-stylesheet encoding='x'?><a>b</a>": "b",
		"<a>]]&gt;</a>":                           "]]>",
		"<a xmlns='u'><b xmlns=''><c/></b></a>":   "(b(c))",
		"\uFEFF<?xml version=\"1.0\"?><a>b</a>":   "b",
		"<a\n V = 'x'\n>y</a >":                   "@V=x y",
		"<a><b>1</b>\u00a0<b>2</b></a>":           "(b:1)[\u00a0](b:2)",
	} {
		m, err := Read([]byte(in), message.Limits{})
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		var got string
		for _, c := range m.Root.Children {
			got += sketch(c)
		}
		if m.Root.Value != "" && got != "" {
			got += " "
		}
		if got += m.Root.Value; got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func sketch(n *message.Node) string {
	switch {
	case n.Name == TextName:
		return "[" + n.Value + "]"
	case strings.HasPrefix(n.Name, "@"):
		return n.Name + "=" + n.Value
	}
	s := "(" + n.Name
	if n.Value != "" {
		s += ":" + n.Value
	}
	for _, c := range n.Children {
		s += sketch(c)
	}
	return s + ")"
}

// malformed holds what must be refused, with the line and column told.
var malformed = []struct {
	in           string
	kind         handover.FaultKind
	line, column int
}{
	{"", handover.FaultMalformed, 1, 1},
	{" \n", handover.FaultMalformed, 2, 1},
	{"tekst", handover.FaultMalformed, 1, 1},
	{"<a>", handover.FaultMalformed, 1, 4},
	{"<a><b></a></b>", handover.FaultMalformed, 1, 7},
	{"<a/><b/>", handover.FaultMalformed, 1, 5},
	{"<a/>x", handover.FaultMalformed, 1, 5},
	{"</a>", handover.FaultMalformed, 1, 1},
	{"<a", handover.FaultMalformed, 1, 3},
	{"<a b>", handover.FaultMalformed, 1, 5},
	{"<a b=c/>", handover.FaultMalformed, 1, 6},
	{"<a b='c/>", handover.FaultMalformed, 1, 6},
	{"<a b='<'/>", handover.FaultMalformed, 1, 7},
	{"<a b='1'c='2'/>", handover.FaultMalformed, 1, 9},
	{"<a b='1' b='2'/>", handover.FaultMalformed, 1, 10},
	{"<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>", handover.FaultMalformed, 1, 36},
	{"<a xmlns='u' xmlns='v'/>", handover.FaultMalformed, 1, 14},
	{"<p:a/>", handover.FaultMalformed, 1, 1},
	{"<a p:b='1'/>", handover.FaultMalformed, 1, 4},
	{"<a xmlns:p=''/>", handover.FaultMalformed, 1, 4},
	{"<a xmlns:xmlns='u'/>", handover.FaultMalformed, 1, 4},
	{"<a xmlns:xml='u'/>", handover.FaultMalformed, 1, 4},
	{"<a:b:c xmlns:a='u'/>", handover.FaultMalformed, 1, 1},
	{"<1a/>", handover.FaultMalformed, 1, 1},
	{"< a/>", handover.FaultMalformed, 1, 1},
	{"<a>\n&nbsp;</a>", handover.FaultMalformed, 2, 1},
	{"<a>& </a>", handover.FaultMalformed, 1, 4},
	{"<a>&#0;</a>", handover.FaultMalformed, 1, 4},
	{"<a>&#xD800;</a>", handover.FaultMalformed, 1, 4},
	{"<a>&#x110000;</a>", handover.FaultMalformed, 1, 4},
	{"<a>&#+5;</a>", handover.FaultMalformed, 1, 4},
	{"<a>]]></a>", handover.FaultMalformed, 1, 4},
	{"<a><!-- -- --></a>", handover.FaultMalformed, 1, 9},
	{"<a><!-- </a>", handover.FaultMalformed, 1, 4},
	{"<a><![CDATA[ </a>", handover.FaultMalformed, 1, 4},
	{"<![CDATA[x]]><a/>", handover.FaultMalformed, 1, 1},
	{"<a><?xml version='1.0'?></a>", handover.FaultMalformed, 1, 4},
	{"<a><?pi </a>", handover.FaultMalformed, 1, 4},
	{"<a><??></a>", handover.FaultMalformed, 1, 6},
	{"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", handover.FaultMalformed, 1, 1},
	{"<!ELEMENT a ANY><a/>", handover.FaultMalformed, 1, 1},
	{"<a>\x01</a>", handover.FaultMalformed, 1, 4},
	{"<a>\xff</a>", handover.FaultMalformed, 1, 4},
	{"<a>\uffff</a>", handover.FaultMalformed, 1, 4},
	{"<a>\n<b>\n\xe6</b></a>", handover.FaultMalformed, 3, 1},
	{" <?xml version='1.0'?><a/>", handover.FaultMalformed, 1, 2},
	{"<?xml?><a/>", handover.FaultMalformed, 1, 1},
	{"<?xml version='1.0' standalone='maybe'?><a/>", handover.FaultMalformed, 1, 1},
	{"<?xml encoding='utf-8'?><a/>", handover.FaultMalformed, 1, 1},
	{"<?xml version='1.0' x='y'?><a/>", handover.FaultMalformed, 1, 1},
	{"<?xml version='1.0'", handover.FaultMalformed, 1, 1},
	{"<?xml version='1.1'?><a/>", handover.FaultUnsupported, 1, 1},
	{"<?xml version='1.0' encoding='ebcdic'?><a/>", handover.FaultUnsupported, 1, 1},
	{"<?xml version='1.0' encoding='utf-16'?><a/>", handover.FaultMalformed, 1, 1},
	{"\uFEFF<?xml version='1.0' encoding='iso-8859-1'?><a/>", handover.FaultMalformed, 1, 1},
	{"<?xml version='1.0' encoding='windows-1252'?>\n<a>\x81</a>", handover.FaultMalformed, 2, 4},
	{"\xFE\xFF\x00<\x00", handover.FaultMalformed, 1, 1},
	{"\xFE\xFF\x00<\x00a\x00>\xD8\x00\x00<", handover.FaultMalformed, 1, 7},
}

func TestReadRefusesWithPosition(t *testing.T) {
	for _, c := range malformed {
		m, err := Read([]byte(c.in), message.Limits{})
		f := handover.FaultOf(err)
		if f == nil {
			t.Errorf("%q is taken", c.in)
			continue
		}
		if f.Kind != c.kind || f.Line != c.line || f.Column != c.column {
			t.Errorf("%q: %s at %d:%d, want %s at %d:%d (%s)", c.in, f.Kind, f.Line, f.Column, c.kind, c.line, c.column, f.Text)
		}
		if m == nil {
			t.Errorf("%q: no message beside the fault", c.in)
		}
	}
}

func TestReadHoldsLimits(t *testing.T) {
	deep := strings.Repeat("<a>", 65) + strings.Repeat("</a>", 65)
	attributes, bindings := "<a", "<a"
	for i := range maxBindings + 1 {
		attributes += fmt.Sprintf(" a%d=''", i)
		bindings += fmt.Sprintf(" xmlns:a%d='u'", i)
	}
	nested := "<a" + bindings[2:len(bindings)/2]
	for name, c := range map[string]struct {
		in     string
		limits message.Limits
	}{
		"bytes":      {"<a>12345</a>", message.Limits{Bytes: 11}},
		"depth":      {deep, message.Limits{}},
		"nodes":      {"<a><b/><b/></a>", message.Limits{Nodes: 2}},
		"attributes": {attributes + "/>", message.Limits{}},
		"bindings":   {bindings + "/>", message.Limits{}},
		"nested":     {nested[:strings.LastIndex(nested, " ")] + ">" + bindings + "/></a>", message.Limits{}},
	} {
		if f := handover.FaultOf(second(Read([]byte(c.in), c.limits))); f == nil || f.Kind != handover.FaultTooLarge {
			t.Errorf("%s: %v", name, f)
		}
	}
	if _, err := Read([]byte(deep[3:len(deep)-4]), message.Limits{}); err != nil {
		t.Errorf("64 levels: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestReadKeepsWhatWasReadBesideAFault(t *testing.T) {
	raw := fixture(t, "dialog_notat.xml")
	cut := bytes.Index(raw, []byte("</Dialogmelding>"))
	m, err := Read(raw[:cut], message.Limits{})
	if err == nil || m.Root == nil {
		t.Fatalf("err %v, root %v", err, m.Root)
	}
	env, err := Codec{}.Envelope(m)
	if err != nil || env.Sender.HERService != "80202" || env.Type != "DIALOG_NOTAT" {
		t.Errorf("envelope of the part that was read: %+v, %v", env, err)
	}
	if m.Verbatim(m.Root) != nil {
		t.Error("an element without end has a verbatim slice")
	}
	if len(m.Verbatim(m.Root.At("MsgInfo", "Sender"))) == 0 {
		t.Error("an element that was read whole has none")
	}
}

func TestReadDecodesOtherEncodings(t *testing.T) {
	text := "<?xml version=\"1.0\" encoding=\"%s\"?>\n<Formål DN=\"æøå\">Åshild – gå</Formål>"
	want := mustRead(t, []byte(fmt.Sprintf(text, "UTF-8")))
	latin, err := charmap.Windows1252.NewEncoder().Bytes([]byte(fmt.Sprintf(text, "Windows-1252")))
	if err != nil {
		t.Fatal(err)
	}
	iso, err := charmap.ISO8859_1.NewEncoder().Bytes([]byte(strings.ReplaceAll(fmt.Sprintf(text, "ISO-8859-1"), "–", "-")))
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{
		"windows-1252": latin, "iso-8859-1": iso,
		"utf-16le":       utf16Bytes(binary.LittleEndian, "\uFEFF"+fmt.Sprintf(text, "UTF-16")),
		"utf-16be":       utf16Bytes(binary.BigEndian, "\uFEFF"+fmt.Sprintf(text, "utf-16")),
		"no mark":        utf16Bytes(binary.BigEndian, fmt.Sprintf(text, "utf-16")),
		"no declaration": utf16Bytes(binary.LittleEndian, "\uFEFF"+strings.SplitN(text, "\n", 2)[1]),
	} {
		m := mustRead(t, raw)
		expected := *want.Root
		if name == "iso-8859-1" {
			expected.Value = strings.ReplaceAll(expected.Value, "–", "-")
		}
		if d := difference(&expected, m.Root); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if !bytes.Equal(m.Raw, raw) {
			t.Errorf("%s: Raw was altered", name)
		}
		if v := string(m.Verbatim(m.Root)); !strings.HasPrefix(v, "<Formål DN=\"æøå\">Åshild") || !strings.HasSuffix(v, "</Formål>") {
			t.Errorf("%s: verbatim %q", name, v)
		}
	}
}

func utf16Bytes(order binary.ByteOrder, s string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = append(out, 0, 0)
		order.PutUint16(out[len(out)-2:], u)
	}
	return out
}

// oracle builds the same tree with encoding/xml.
func oracle(raw []byte) (*message.Node, error) {
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(raw, bomUTF8)))
	// Only what is UTF-8 by any name is compared.
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	var root *message.Node
	var open []*message.Node
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return root, nil
		}
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			n := &message.Node{Name: token.Name.Local, Space: token.Name.Space}
			for _, a := range token.Attr {
				if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
					continue
				}
				n.Children = append(n.Children, &message.Node{Name: "@" + a.Name.Local, Space: a.Name.Space, Value: a.Value})
			}
			if len(open) > 0 {
				p := open[len(open)-1]
				p.Children = append(p.Children, n)
			} else if root == nil {
				root = n
			}
			open = append(open, n)
		case xml.EndElement:
			settle(open[len(open)-1])
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) == 0 || len(token) == 0 {
				continue
			}
			p := open[len(open)-1]
			if last := len(p.Children) - 1; last >= 0 && p.Children[last].Name == TextName {
				p.Children[last].Value += string(token)
				continue
			}
			p.Children = append(p.Children, &message.Node{Name: TextName, Value: string(token)})
		}
	}
}

// settle applies the reader's rule for text to a finished element.
func settle(n *message.Node) {
	elements, words := false, false
	for _, c := range n.Children {
		elements = elements || c.Name != TextName && c.Name[0] != '@'
		words = words || c.Name == TextName && strings.Trim(c.Value, " \t\r\n") != ""
	}
	if elements && words {
		return
	}
	var kept []*message.Node
	for _, c := range n.Children {
		switch {
		case c.Name != TextName:
			kept = append(kept, c)
		case !elements:
			n.Value += c.Value
		}
	}
	n.Children = kept
}

// spaced makes attribute values comparable: encoding/xml does not normalise white space.
func spaced(n *message.Node) {
	if strings.HasPrefix(n.Name, "@") {
		n.Value = strings.NewReplacer("\t", " ", "\n", " ", "\r", " ").Replace(n.Value)
	}
	for _, c := range n.Children {
		spaced(c)
	}
}

// stricter are our refusals of what encoding/xml lets pass against XML 1.0 or its
// namespaces, and of what we do not take at all.
var stricter = []string{
	"namespace prefix is not declared", "namespace declaration that is not allowed", "duplicate attribute",
	"text outside the document element", "CDATA outside the document element", "second document element",
	"has no element", "XML declaration", "qualified name", "attribute without white space", "document type",
	"markup that XML does not know", "neither a character nor one of the five", "character encoding",
	"target of a processing instruction", "UTF-16", "that XML does not allow", "not UTF-8", "an XML version", "too deep", "too many",
}

func compareWithEncodingXML(t *testing.T, raw []byte) {
	t.Helper()
	m, err := Read(raw, message.Limits{})
	if err != nil {
		f := handover.FaultOf(err)
		if _, oracleErr := oracle(raw); oracleErr == nil {
			for _, s := range stricter {
				if strings.Contains(f.Text, s) {
					return
				}
			}
			t.Fatalf("encoding/xml takes what we refuse with %v: %q", f, raw)
		}
		return
	}
	if m.Decoded != nil {
		return
	}
	want, oracleErr := oracle(raw)
	if oracleErr != nil {
		// encoding/xml holds to the names of the fourth edition.
		if bytes.ContainsFunc(raw, func(r rune) bool { return r > 127 }) && strings.Contains(oracleErr.Error(), "name") {
			return
		}
		t.Fatalf("we take what encoding/xml refuses with %v: %q", oracleErr, raw)
	}
	spaced(want)
	spaced(m.Root)
	if d := difference(want, m.Root); d != "" {
		t.Fatalf("%q: %s", raw, d)
	}
}

func TestReadAgreesWithEncodingXML(t *testing.T) {
	for name, raw := range fixtures(t) {
		t.Run(name, func(t *testing.T) { compareWithEncodingXML(t, raw) })
	}
	for _, c := range malformed {
		compareWithEncodingXML(t, []byte(c.in))
	}
}

func FuzzRead(f *testing.F) {
	f.Add(fixture(f, "dialog_helsefaglig_xhtml.xml"))
	for _, c := range malformed {
		f.Add([]byte(c.in))
	}
	f.Add([]byte("<a xmlns:p='u' p:b='&#10;'><![CDATA[]]>x<p:c/>\ty</a>"))
	f.Fuzz(func(t *testing.T, raw []byte) { compareWithEncodingXML(t, raw) })
}

// FuzzRoundTrip: what Read took, Encode can write and Read reads alike.
func FuzzRoundTrip(f *testing.F) {
	f.Add(fixture(f, "dialog_helsefaglig_xhtml.xml"))
	f.Add([]byte(`<a xmlns="http://www.kith.no/xmlstds/po/poKomponent/2012-04-01" xmlns:p1="http://www.kith.no/xmlstds/po/Pasientlogistikk/2012-04-01"><p1:b/></a>`))
	f.Add([]byte("<a xmlns:p='u' p:b='&#10;' c='&#13;&#9;&quot;'>x&#13;<p:c xmlns='v'><d xmlns=''/></p:c>\ty</a>"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := Read(raw, message.Limits{Bytes: 1 << 20})
		if err != nil {
			return
		}
		roundTrip(t, m.Root)
	})
}

func roundTrip(t *testing.T, root *message.Node) []byte {
	t.Helper()
	out, err := Codec{}.Encode(root)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Read(out, message.Limits{})
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if d := difference(root, again.Root); d != "" {
		t.Fatalf("%s\n%s", d, out)
	}
	return out
}

func BenchmarkRead(b *testing.B) {
	raw := fixture(b, "log_utskrivningsklar.xml")
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(raw, message.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadEncodingXML(b *testing.B) {
	raw := fixture(b, "log_utskrivningsklar.xml")
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := oracle(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	m := mustRead(b, fixture(b, "log_utskrivningsklar.xml"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (Codec{}).Encode(m.Root); err != nil {
			b.Fatal(err)
		}
	}
}

// TestReadKeepsTheHeadOfWhatIsGarbled: beside a fault of the encoding stands what shows whom to tell.
func TestReadKeepsTheHeadOfWhatIsGarbled(t *testing.T) {
	for name, raw := range map[string]string{
		"UTF-8 under Latin-1":  "<?xml version='1.0' encoding='ISO-8859-1'?><a><b>Bærum</b></a>",
		"UTF-8 under UTF-16":   "<?xml version='1.0' encoding='utf-16'?><a><b>Bærum</b></a>",
		"Latin-1 under UTF-8":  "<?xml version='1.0'?><a><b>B\xe6rum</b></a>",
		"mixed":                "<?xml version='1.0' encoding='latin1'?><a><c>\xe6</c><b>B\u00e6rum</b></a>",
		"control character":    "<a><b>Bærum</b>\x01</a>",
		"white space in front": "\r\n<?xml version='1.0'?><a><b>Bærum</b></a>",
	} {
		m, err := Read([]byte(raw), message.Limits{})
		if f := handover.FaultOf(err); f == nil || f.Kind != handover.FaultMalformed {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if m.Root == nil || !strings.HasPrefix(m.Root.Text("b"), "B") {
			t.Errorf("%s: nothing is read beside the fault", name)
		}
	}
	for name, raw := range map[string]string{
		"Latin-9":      "<?xml version='1.0' encoding='ISO-8859-15'?><a><b>B\xe6rum \xa4</b></a>",
		"Windows-1252": "<?xml version='1.0' encoding='cp1252'?><a><b>B\xe6rum \x80</b></a>",
	} {
		if m, err := Read([]byte(raw), message.Limits{}); err != nil || m.Root.Text("b") != "Bærum €" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
