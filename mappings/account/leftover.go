package account

import (
	"encoding/base64"
	"strconv"
	"strings"
	"unicode/utf8"

	"stafett/fhir"
	"stafett/message"
)

// LeafFate is what became of one leaf of the resources, or of an item that a block claimed.
type LeafFate struct {
	Fate           message.Fate
	Target, Reason string
}

// Of lists the fate of every leaf of the resources: those in told are mapped or ignored,
// the others left over. Ids, meta and types are not content; nor is a reference, which is an id.
func Of(resources []Named, told map[*fhir.Node]LeafFate) ([]message.ElementFate, []Leftover) {
	a := &accountant{told: told}
	for i := range resources {
		n := &resources[i]
		if n.Resource == nil {
			continue
		}
		a.typ, a.name = n.Resource.ResourceType(), n.Name
		if n.Name == CarriedName && a.carried(n.Resource) {
			continue
		}
		a.walk(n.Resource, n.Name, "", 0)
	}
	return a.fates, a.left
}

type accountant struct {
	told      map[*fhir.Node]LeafFate
	typ, name string
	// contentType is that of the attachment being walked, extension the url of the
	// outermost extension.
	contentType, extension string
	fates                  []message.ElementFate
	left                   []Leftover
}

// maxWalkDepth bounds the account of trees that no parser has bounded.
const maxWalkDepth = 128

// walk visits n at path; bare is the path without the resource's name and indexes.
func (a *accountant) walk(n *fhir.Node, path, bare string, depth int) {
	switch {
	case n == nil || n.Kind == fhir.KindNull || depth > maxWalkDepth:
	case n.Kind == fhir.KindObject:
		if strings.HasSuffix(bare, "ttachment") {
			a.contentType = n.Str("contentType")
		}
		if a.extension == "" && strings.HasSuffix(bare, "xtension") {
			a.extension = n.Str("url")
			defer func() { a.extension = "" }()
		}
		if bare != "" && a.whole(n, path, bare) {
			return
		}
		for i := range n.Members {
			m := &n.Members[i]
			if notContent(bare, m.Name) {
				continue
			}
			inner := m.Name
			if bare != "" {
				inner = bare + "." + m.Name
			}
			a.walk(m.Value, path+"."+m.Name, inner, depth+1)
		}
	case n.Kind == fhir.KindArray:
		for i, it := range n.Items {
			a.walk(it, path+"["+strconv.Itoa(i)+"]", bare, depth+1)
		}
	default:
		a.leaf(n, path, bare)
	}
}

// notContent reports members that name or type what holds them.
func notContent(bare, name string) bool {
	switch name {
	case "resourceType", "id", "meta", "implicitRules":
		return bare == "" || name == "id"
	case "text":
		return bare == "" // the narrative repeats the resource
	case "reference":
		return bare != ""
	case "type":
		// Reference.type beside a reference; other members of that name are content.
		return false
	}
	return false
}

func (a *accountant) leaf(n *fhir.Node, path, bare string) {
	if f, ok := a.told[n]; ok {
		a.fates = append(a.fates, message.ElementFate{Path: path, Fate: f.Fate, Target: f.Target, Reason: f.Reason})
		return
	}
	// An extension's url says what its value is; it stays with the value.
	if strings.HasSuffix(bare, "xtension.url") {
		a.fates = append(a.fates, message.ElementFate{Path: path, Fate: message.FateIgnored, Reason: "names the extension"})
		return
	}
	value := n.Text
	if strings.HasSuffix(bare, "ttachment.data") {
		value = attachmentText(a.contentType, value)
	}
	a.add(path, bare, value)
	if n.Kind == fhir.KindBool {
		l := &a.left[len(a.left)-1]
		l.Value, l.valueEN = "Nei", "No"
		if n.Text == "true" {
			l.Value, l.valueEN = "Ja", "Yes"
		}
	}
}

// attachmentText is what a readable document says of an attachment: its text, or what it
// is. The bytes of anything else tell a reader nothing.
func attachmentText(contentType, data string) string {
	raw, err := base64.StdEncoding.DecodeString(data)
	if err == nil && strings.HasPrefix(contentType, "text/plain") && utf8.Valid(raw) {
		return string(raw)
	}
	size := len(data)
	if err == nil {
		size = len(raw)
	}
	return "Vedlegg av type " + either(contentType, "ukjent") + ", " + strconv.Itoa(size) + " byte, følger ikke med her"
}

func (a *accountant) add(path, bare, value string) {
	nb, en := label(a.typ, bare)
	if l, ok := extensionLabels[a.extension]; ok {
		nb, en = l[0], l[1]
	}
	group, groupEN := label(a.typ, "")
	if rest, ok := strings.CutPrefix(a.name, strings.TrimRight(a.name, "0123456789")); ok && rest != "" {
		group, groupEN = group+" "+rest, groupEN+" "+rest
	}
	a.left = append(a.left, Leftover{Path: path, Label: nb, Value: value, labelEN: en, group: group, groupEN: groupEN})
}

// whole makes one leftover of a Coding, Quantity or Identifier none of which was mapped:
// apart, their members tell a reader nothing.
func (a *accountant) whole(n *fhir.Node, path, bare string) bool {
	var main, system, display string
	for i := range n.Members {
		m := &n.Members[i]
		if m.Value == nil || m.Value.Kind < fhir.KindString {
			return false
		}
		if _, done := a.told[m.Value]; done {
			return false
		}
		switch m.Name {
		case "code", "value":
			if main != "" {
				if m.Name == "value" {
					main = m.Value.Text
				}
				continue
			}
			main = m.Value.Text
		case "system":
			system = m.Value.Text
		case "display":
			display = m.Value.Text
		case "unit", "use", "version", "userSelected", "comparator":
		default:
			return false
		}
	}
	if main == "" || len(n.Members) < 2 {
		return false
	}
	text := main
	switch {
	case n.Get("value") != nil && (n.Get("unit") != nil || n.Get("code") != nil):
		text = strings.TrimSpace(n.Str("comparator") + n.Str("value") + " " + either(n.Str("unit"), n.Str("code")))
	case display != "":
		text = display + " (" + main + ")"
	case system != "" && n.Get("code") != nil:
		text = main + " (" + system + ")"
	}
	a.add(path, bare, text)
	return true
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// carried turns each line of the carried document into a leftover of its own.
func (a *accountant) carried(doc *fhir.Node) bool {
	lines, ok := carriedLines(doc)
	if !ok {
		return false
	}
	for _, l := range lines {
		nb, en := carriedLabel(l.Path)
		a.left = append(a.left, Leftover{Path: CarriedName + "." + l.Path, Label: nb, Value: l.Value,
			labelEN: en, group: carriedGroup, groupEN: carriedGroupEN})
	}
	return true
}
