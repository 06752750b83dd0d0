package mappings

import (
	"encoding/base64"
	"strings"

	"stafett/fhir"
	"stafett/message"
)

// carriedName names the DocumentReference that holds what no line of the mapping knows.
const carriedName = "carried"

// carried makes the DocumentReference of the leaves that are carried, or nil. Its
// attachment is text, one line for each leaf: its path, a colon, a space and its verbatim
// value; lines of a value after the first start with a tab.
func (t *sourceTree) carried() *fhir.Node {
	var b []byte
	for i := range t.nodes {
		if t.nodes[i].fate != message.FateCarried {
			continue
		}
		b = t.appendPath(b, int32(i))
		b = append(b, ": "...)
		b = append(b, strings.ReplaceAll(t.verbatim(int32(i)), "\n", "\n\t")...)
		b = append(b, '\n')
	}
	if b == nil {
		return nil
	}
	return fhir.Obj("resourceType", "DocumentReference", "status", "current",
		"type", fhir.TextConcept("Carried along unmapped"),
		"content", fhir.Arr(fhir.Obj("attachment", fhir.Obj(
			"contentType", "text/plain; charset=utf-8",
			"data", base64.StdEncoding.EncodeToString(b)))))
}

// carriedLine is one leaf of a carried document.
type carriedLine struct{ path, value string }

// readCarried reads the attachment of a carried DocumentReference back.
func readCarried(doc *fhir.Node) ([]carriedLine, bool) {
	data, err := base64.StdEncoding.DecodeString(doc.Str("content", "attachment", "data"))
	if err != nil || len(data) == 0 {
		return nil, false
	}
	var out []carriedLine
	for _, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		if rest, ok := strings.CutPrefix(line, "\t"); ok && len(out) > 0 {
			out[len(out)-1].value += "\n" + rest
			continue
		}
		path, value, ok := strings.Cut(line, ": ")
		if !ok {
			return nil, false
		}
		out = append(out, carriedLine{path, value})
	}
	return out, true
}
