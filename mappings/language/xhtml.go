package language

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"time"

	"stafett/conformance"
	"stafett/fhir"
	"stafett/message"
)

// Texts in XHTML, as Epikrise and Dialogmelding write them (anyType), and FHIR's narratives.

const (
	spaceXHTML = "http://www.w3.org/1999/xhtml"
	// textName is a run of text beside elements.
	textName = "#text"
	// plainDiv is around content that had no div of its own: plain text, most often.
	plainDiv = `<div xmlns="` + spaceXHTML + `" style="white-space: pre-line">`
	endDiv   = "</div>"
)

// maxMarkupDepth bounds how deep markup is nested.
const maxMarkupDepth = 64

// blockElements end a line of text in XHTML (the markup that Dialogmelding allows).
var blockElements = setOf(strings.Fields("p div br li tr h1 h2 h3 h4 ul ol table pre"))

// TextOf returns an element's text without its markup.
func TextOf(n *message.Node) string {
	if n.Value != "" {
		return n.Value
	}
	var b strings.Builder
	gather(n, &b)
	return strings.TrimSpace(b.String())
}

func gather(n *message.Node, b *strings.Builder) {
	for _, c := range n.Children {
		if c == nil || strings.HasPrefix(c.Name, "@") {
			continue
		}
		b.WriteString(c.Value)
		gather(c, b)
		if _, ends := blockElements[strings.ToLower(c.Name)]; ends {
			b.WriteByte('\n')
		}
	}
}

// contents are an element's children without its attributes; marked says that there are elements.
func contents(n *message.Node) (kids []*message.Node, marked bool) {
	for _, c := range n.Children {
		if c != nil && !strings.HasPrefix(c.Name, "@") {
			kids, marked = append(kids, c), marked || c.Name != textName
		}
	}
	return kids, marked
}

// xhtml is the markup of an element that has any, beside which another line has its text.
func xhtml([]string) Converter {
	return Converter{Kind: fhir.KindString, Subtree: true, To: same, From: same,
		Read: func(n *message.Node) (string, Verdict, string) {
			if _, marked := contents(n); !marked {
				return "", Absent, ""
			}
			return readDiv(n)
		}, Build: buildDiv}
}

// div is an element's text as a narrative, with its markup.
func div([]string) Converter {
	return Converter{Kind: fhir.KindString, Subtree: true, To: same, From: same, Read: readDiv, Build: buildDiv}
}

// divText is text alone as a narrative; markup has no place in the message.
func divText([]string) Converter {
	to := func(_ *time.Location, v string) (string, Verdict, string) {
		return plainDiv + escapeMarkup(v) + endDiv, Converted, ""
	}
	from := func(_ *time.Location, v string) (string, Verdict, string) {
		root, err := parseMarkup(v)
		if err != nil {
			return "", Unconvertible, "not a narrative"
		}
		return TextOf(root), Converted, ""
	}
	return Converter{Kind: fhir.KindString, To: to, From: from}
}

// readDiv spells an element's content as one div: its own where it has one.
func readDiv(n *message.Node) (string, Verdict, string) {
	if strings.TrimSpace(TextOf(n)) == "" {
		return "", Absent, ""
	}
	var b strings.Builder
	kids, marked := contents(n)
	own := len(kids) == 1 && kids[0].Name == "div" && kids[0].Space == spaceXHTML
	switch {
	case own:
		spellMarkup(&b, kids[0], true)
	default:
		b.WriteString(plainDiv + escapeMarkup(either(marked, "", strings.TrimSpace(n.Value))))
		for _, c := range kids {
			spellMarkup(&b, c, false)
		}
		b.WriteString(endDiv)
	}
	out := b.String()
	if !isMarkup(kids) || !conformance.Narrative(out) {
		return "", Unconvertible, "markup that a narrative cannot have"
	}
	return out, Converted, ""
}

// isMarkup reports elements that are all of XHTML.
func isMarkup(nodes []*message.Node) bool {
	for _, n := range nodes {
		if n == nil || n.Name == textName || strings.HasPrefix(n.Name, "@") {
			continue
		}
		if n.Space != spaceXHTML || !isMarkup(n.Children) {
			return false
		}
	}
	return true
}

var markupEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\r", "&#13;")

func escapeMarkup(s string) string { return markupEscapes.Replace(s) }

func spellMarkup(b *strings.Builder, n *message.Node, outermost bool) {
	if n.Name == textName {
		b.WriteString(escapeMarkup(n.Value))
		return
	}
	b.WriteString("<" + n.Name)
	if outermost {
		b.WriteString(` xmlns="` + spaceXHTML + `"`)
	}
	kids, _ := contents(n)
	for _, c := range n.Children {
		if c != nil && strings.HasPrefix(c.Name, "@") {
			b.WriteString(" " + either(c.Space == "http://www.w3.org/XML/1998/namespace", "xml:", "") + c.Name[1:] + `="` + escapeMarkup(c.Value) + `"`)
		}
	}
	if len(kids) == 0 && n.Value == "" {
		b.WriteString("/>")
		return
	}
	b.WriteString(">" + escapeMarkup(n.Value))
	for _, c := range kids {
		spellMarkup(b, c, false)
	}
	b.WriteString("</" + n.Name + ">")
}

// buildDiv makes an element's content of a narrative: text where the div was added by readDiv.
func buildDiv(v string) (value string, children []*message.Node, ok bool) {
	root, err := parseMarkup(v)
	if err != nil {
		return "", nil, false
	}
	if strings.HasPrefix(v, plainDiv) {
		kids, _ := contents(root)
		return root.Value, kids, true
	}
	return "", []*message.Node{root}, true
}

var errMarkup = errors.New("not one element of markup")

// parseMarkup reads one element of XHTML as the codec reads elements: text beside elements
// is a child, layout between them is none.
func parseMarkup(v string) (*message.Node, error) {
	d := xml.NewDecoder(strings.NewReader(v))
	d.Entity = xml.HTMLEntity
	root := &message.Node{}
	open := []*message.Node{root}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		top := open[len(open)-1]
		switch t := token.(type) {
		case xml.StartElement:
			if len(open) > maxMarkupDepth {
				return nil, errMarkup
			}
			n := &message.Node{Name: t.Name.Local, Space: spaceXHTML}
			for _, a := range t.Attr {
				if a.Name.Local != "xmlns" && a.Name.Space != "xmlns" {
					n.Children = append(n.Children, &message.Node{Name: "@" + a.Name.Local, Space: a.Name.Space, Value: a.Value})
				}
			}
			top.Children, open = append(top.Children, n), append(open, n)
		case xml.EndElement:
			settleText(top)
			open = open[:len(open)-1]
		case xml.CharData:
			top.Children = append(top.Children, &message.Node{Name: textName, Value: string(t)})
		}
	}
	settleText(root)
	if len(root.Children) != 1 || root.Value != "" {
		return nil, errMarkup
	}
	return root.Children[0], nil
}

// settleText makes text alone an element's value, and drops layout between elements.
func settleText(n *message.Node) {
	kids, marked := contents(n)
	text, mixed := "", false
	for _, c := range kids {
		if c.Name == textName {
			text += c.Value
			mixed = mixed || strings.TrimSpace(c.Value) != ""
		}
	}
	if marked && mixed {
		return
	}
	var kept []*message.Node
	for _, c := range n.Children {
		if c.Name != textName {
			kept = append(kept, c)
		}
	}
	n.Children = kept
	if !marked {
		n.Value = text
	}
}
