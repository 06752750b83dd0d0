package account

import (
	"cmp"
	"encoding/base64"
	"slices"
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

// IsRevoked reports whether a resource says only that what it said before was entered in error.
// A stay and a Task that were are told by their events.
func IsRevoked(n *fhir.Node) bool {
	if typ := n.ResourceType(); typ == "Task" || typ == "Encounter" {
		return false
	}
	return n.Str("status") == enteredInError || n.Str("verificationStatus", "coding", "code") == enteredInError
}

const enteredInError = "entered-in-error"

// Of lists the fate of every leaf of the resources: those in told are mapped or ignored,
// the others left over. Ids, meta and types are not content; nor is a reference, which is an id.
func Of(resources []Named, told map[*fhir.Node]LeafFate) ([]message.ElementFate, []Leftover) {
	a := &accountant{told: told}
	for i := range resources {
		n := &resources[i]
		a.typ, a.name, a.revoked = n.Resource.ResourceType(), n.Name, IsRevoked(n.Resource)
		a.requests = isRequest(n.Resource)
		if n.Name != CarriedName || !a.carried(n.Resource) {
			a.walk(n.Resource, n.Name, "", 0)
		}
	}
	return a.fates, a.left
}

// isRequest reports a Task of another kind than a discharge.
func isRequest(n *fhir.Node) bool {
	return slices.ContainsFunc(n.Get("code").Each("coding"), func(c *fhir.Node) bool {
		return c.Str("system") == "urn:stafett:handover-kind" && c.Str("code") != "discharge"
	})
}

type accountant struct {
	told      map[*fhir.Node]LeafFate
	typ, name string
	revoked   bool
	requests  bool // a Task that is about no discharge
	// contentType is that of the attachment being walked, extension the url of the
	// outermost extension, innermost that of the one around a value.
	contentType, extension, innermost string
	fates                             []message.ElementFate
	left                              []Leftover
}

// maxWalkDepth bounds the account of trees that no parser has bounded.
const maxWalkDepth = 128

// walk visits n at path; bare is the path without the resource's name and indexes.
func (a *accountant) walk(n *fhir.Node, path, bare string, depth int) {
	switch {
	case n == nil || n.Kind == fhir.KindNull || depth > maxWalkDepth:
	case n.Kind == fhir.KindObject:
		a.object(n, path, bare, depth)
	case n.Kind == fhir.KindArray:
		for i, it := range n.Items {
			a.walk(it, path+"["+strconv.Itoa(i)+"]", bare, depth+1)
		}
	default:
		a.leaf(n, path, bare)
	}
}

func (a *accountant) object(n *fhir.Node, path, bare string, depth int) {
	if strings.HasSuffix(bare, "ttachment") {
		a.contentType = n.Str("contentType")
	}
	if strings.HasSuffix(bare, "xtension") {
		defer func(around string) { a.innermost = around }(a.innermost)
		a.innermost = n.Str("url")
	}
	if a.extension == "" && strings.HasSuffix(bare, "xtension") {
		a.extension = n.Str("url")
		defer func() { a.extension = "" }()
	}
	if bare != "" && !a.revoked && a.whole(n, path, bare) {
		return
	}
	dot := "."
	if bare == "" {
		dot = ""
	}
	for i := range n.Members {
		m := &n.Members[i]
		if !notContent[bare == ""][m.Name] {
			a.walk(m.Value, path+"."+m.Name, bare+dot+m.Name, depth+1)
		}
	}
}

// notContent are members that name or type what holds them: of a resource (the narrative
// repeats it), and of what is in one, where a reference is an id.
var notContent = map[bool]map[string]bool{
	true:  {"resourceType": true, "id": true, "meta": true, "implicitRules": true, "text": true},
	false: {"id": true, "reference": true},
}

func (a *accountant) leaf(n *fhir.Node, path, bare string) {
	if f, told := a.fate(n, bare); told {
		a.fates = append(a.fates, message.ElementFate{Path: path, Fate: f.Fate, Target: f.Target, Reason: f.Reason})
		return
	}
	switch {
	case n.Kind == fhir.KindBool:
		a.add(path, bare, booleanTexts[n.Text])
	case strings.HasSuffix(bare, "ttachment.data"):
		a.add(path, bare, [2]string{attachmentText(a.contentType, n.Text)})
	default:
		a.add(path, bare, [2]string{n.Text})
	}
}

// fate is that of a leaf which is not left over. An extension's url says what its value is;
// it stays with the value.
func (a *accountant) fate(n *fhir.Node, bare string) (LeafFate, bool) {
	f, told := a.told[n]
	if !told && a.revoked {
		return LeafFate{Fate: message.FateIgnored, Reason: "it was entered in error"}, true
	}
	if !told && strings.HasSuffix(bare, "xtension.url") {
		return LeafFate{Fate: message.FateIgnored, Reason: "names the extension"}, true
	}
	if reason := silentExtensions[a.innermost]; !told && reason != "" {
		return LeafFate{Fate: message.FateIgnored, Reason: reason}, true
	}
	return f, told
}

// ExtensionSubID is the number that tells several observations of one code apart.
const ExtensionSubID = "urn:stafett:sub-id"

// silentExtensions are by their url those that tell a reader nothing, and why.
var silentExtensions = map[string]string{
	ExtensionSubID: "tells several of one code apart",
	"http://hl7.org/fhir/StructureDefinition/data-absent-reason": "there is no value",
}

// booleanTexts are in Norwegian and in English.
var booleanTexts = map[string][2]string{"true": {"Ja", "Yes"}, "false": {"Nei", "No"}}

// attachmentText is what a readable document says of an attachment: its text, or what it
// is. The bytes of anything else tell a reader nothing.
func attachmentText(contentType, data string) string {
	raw, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		raw = []byte(data)
	} else if strings.HasPrefix(contentType, "text/plain") && utf8.Valid(raw) {
		return string(raw)
	}
	return "Vedlegg av type " + cmp.Or(contentType, "ukjent") + ", " + strconv.Itoa(len(raw)) + " byte, følger ikke med her"
}

// add notes what is left over; value is in Norwegian, and in English where that differs.
func (a *accountant) add(path, bare string, value [2]string) {
	nb, en := label(a.typ, bare)
	if l, ok := requestLabels[a.typ+"."+bare]; ok && a.requests {
		nb, en = l[0], l[1]
	}
	if l, ok := extensionLabels[a.extension]; ok {
		nb, en = l[0], l[1]
	}
	group, groupEN := label(a.typ, "")
	if rest, ok := strings.CutPrefix(a.name, strings.TrimRight(a.name, "0123456789")); ok && rest != "" {
		group, groupEN = group+" "+rest, groupEN+" "+rest
	}
	a.left = append(a.left, Leftover{Path: path, Label: nb, Value: value[0], valueEN: value[1], labelEN: en, group: group, groupEN: groupEN})
}

// partOfWhole are the members of a Coding, Quantity or Identifier.
var partOfWhole = map[string]bool{"code": true, "value": true, "system": true, "display": true,
	"unit": true, "use": true, "version": true, "userSelected": true, "comparator": true}

// whole makes one leftover of a Coding, Quantity or Identifier none of which was mapped:
// apart, their members tell a reader nothing.
func (a *accountant) whole(n *fhir.Node, path, bare string) bool {
	main := cmp.Or(n.Str("value"), n.Str("code"))
	if main == "" || len(n.Members) < 2 || slices.ContainsFunc(n.Members, a.apart) {
		return false
	}
	a.add(path, bare, [2]string{wholeText(n, main)})
	return true
}

// apart reports a member that is no value of a Coding, Quantity or Identifier, or was mapped.
func (a *accountant) apart(m fhir.Member) bool {
	_, done := a.told[m.Value]
	return done || !partOfWhole[m.Name] || m.Value == nil || m.Value.Kind < fhir.KindString
}

// wholeText is how people read a Quantity, a Coding with its name, or one without.
func wholeText(n *fhir.Node, main string) string {
	unit := cmp.Or(n.Get("unit"), n.Get("code"))
	switch {
	case n.Get("value") != nil && unit != nil:
		return strings.TrimSpace(n.Str("comparator") + n.Str("value") + " " + cmp.Or(n.Str("unit"), n.Str("code")))
	case n.Str("display") != "":
		return n.Str("display") + " (" + main + ")"
	case n.Str("system") != "" && n.Get("code") != nil:
		return main + " (" + n.Str("system") + ")"
	}
	return main
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
