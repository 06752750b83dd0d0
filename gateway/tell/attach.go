package tell

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"stafett/adapters"
	"stafett/fhir"
	"stafett/mappings/account"
	"stafett/message"
)

// attachDocuments attaches the documents that had no place in the message, each as it is, and
// returns what else is left over.
func (o *outgoing) attachDocuments(tree *message.Node, left []account.Leftover) ([]account.Leftover, error) {
	for _, l := range slices.Clone(left) {
		at, isData := strings.CutSuffix(l.Path, "ttachment.data")
		if !isData || strings.HasPrefix(l.Path, account.CarriedName+".") {
			continue
		}
		at += "ttachment"
		if err := o.attach(tree, nodeAt(&o.content, at)); err != nil {
			return nil, err
		}
		name, _, _ := strings.Cut(at, ".")
		left = slices.DeleteFunc(left, func(l account.Leftover) bool {
			return strings.HasPrefix(l.Path, at+".") || l.Path == name+".status"
		})
	}
	return left, nil
}

// attach attaches one attachment; one whose type or text the wire does not take goes as bytes.
func (o *outgoing) attach(tree *message.Node, a *fhir.Node) error {
	data, err := base64.StdEncoding.DecodeString(a.Str("data"))
	if err != nil {
		data = []byte(a.Str("data"))
	}
	doc := adapters.Document{Title: cmp.Or(a.Str("title"), "Vedlegg"), ContentType: cmp.Or(a.Str("contentType"), unknownType), Data: data}
	if o.codec.Attach(tree, doc) == nil {
		return nil
	}
	doc.ContentType = unknownType
	return o.codec.Attach(tree, doc)
}

const unknownType = "application/octet-stream"

// nodeAt finds a node by its path in a report: name.element[0].element.
func nodeAt(c *account.Canonical, path string) *fhir.Node {
	name, rest, _ := strings.Cut(path, ".")
	n := c.Resource(name)
	for step := range strings.SplitSeq(rest, ".") {
		element, index, repeated := strings.Cut(step, "[")
		n = n.Get(element)
		if i, err := strconv.Atoi(strings.TrimSuffix(index, "]")); repeated && err == nil && n != nil && i < len(n.Items) {
			n = n.Items[i]
		}
	}
	return n
}
