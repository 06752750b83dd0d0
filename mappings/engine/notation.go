package engine

import (
	"strings"
	"unicode/utf8"

	"stafett/mappings/language"
	"stafett/message"
)

// notation is what differs between messages by how they are written.
type notation struct {
	// firstPart names the part that one that is not split is itself (HL7 v2.5 section 2.5.3);
	// empty where there is no such thing.
	firstPart string
	// null is what says that a value is to be deleted; empty where nothing does.
	null string
	// root names the root of a message, empty where a mapping does; only then it is in paths.
	root string
	// marks stand before a node's name in a path, by its depth; the last for all below.
	marks [maxDepth + 1]string
	// trimmed is a value without what is layout around it.
	trimmed func(value string) string
	// verbatim is a leaf as it stood in the message.
	verbatim func(m *message.Message, n *message.Node) string
	// arrange puts the children of a new message in order.
	arrange func(root *message.Node, shape *language.Shape)
}

// maxDepth is the depth below which the path of a node has the same marks.
const maxDepth = 3

var notations = [...]*notation{
	language.ER7: {firstPart: "1", null: `""`, root: "message", marks: [...]string{"", "", "-", "."},
		trimmed: untouched, verbatim: escaped, arrange: arrangeER7},
	language.XML: {marks: [...]string{"", "/", "/", "/"}, trimmed: strings.TrimSpace, verbatim: decoded, arrange: arrangeXML},
}

func untouched(value string) string { return value }

// escaped is an ER7 leaf with its escapes.
func escaped(m *message.Message, n *message.Node) string {
	if raw := m.Verbatim(n); raw != nil && utf8.Valid(raw) {
		return string(raw)
	}
	return n.Value
}

func decoded(_ *message.Message, n *message.Node) string { return n.Value }

// arrangeER7 orders segments as the mapping's lines stand, and their parts by number.
func arrangeER7(root *message.Node, shape *language.Shape) {
	sortByRank(root, shape)
	for _, segment := range root.Children {
		tidyParts(segment)
	}
}

// arrangeXML orders all elements as the mapping's lines stand.
func arrangeXML(n *message.Node, shape *language.Shape) {
	sortByRank(n, shape)
	for _, c := range n.Children {
		_, inner := shape.Rank(c.Name, c.Space)
		arrangeXML(c, inner)
	}
}
