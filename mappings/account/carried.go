package account

import (
	"encoding/base64"
	"strings"

	"stafett/fhir"
)

// CarriedName names the DocumentReference that holds what no line of the mapping knows.
const CarriedName = "carried"

// CarriedLine is one leaf of a message that is carried: its path and its verbatim value.
type CarriedLine struct{ Path, Value string }

// CarriedDocument makes the DocumentReference of the leaves that are carried, or nil. Its
// attachment is text, one line for each leaf: its path, a colon, a space and its value;
// lines of a value after the first start with a tab.
func CarriedDocument(lines []CarriedLine) *fhir.Node {
	if len(lines) == 0 {
		return nil
	}
	var b []byte
	for _, l := range lines {
		b = append(b, l.Path...)
		b = append(b, ": "...)
		b = append(b, strings.ReplaceAll(l.Value, "\n", "\n\t")...)
		b = append(b, '\n')
	}
	return fhir.Obj("resourceType", "DocumentReference", "status", "current",
		"type", fhir.TextConcept(carriedType),
		"content", fhir.Arr(fhir.Obj("attachment", fhir.Obj(
			"contentType", "text/plain; charset=utf-8",
			"data", base64.StdEncoding.EncodeToString(b)))))
}

// carriedType says of a stored DocumentReference that it is CarriedDocument's.
const carriedType = "Carried along unmapped"

// IsCarried reports whether a stored resource is what CarriedDocument made.
func IsCarried(n *fhir.Node) bool {
	return n.ResourceType() == "DocumentReference" && n.Str("type", "text") == carriedType
}

// carriedLines reads the attachment of a carried DocumentReference back.
func carriedLines(doc *fhir.Node) ([]CarriedLine, bool) {
	data, err := base64.StdEncoding.DecodeString(doc.Str("content", "attachment", "data"))
	if err != nil || len(data) == 0 {
		return nil, false
	}
	var out []CarriedLine
	for _, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		if rest, ok := strings.CutPrefix(line, "\t"); ok && len(out) > 0 {
			out[len(out)-1].Value += "\n" + rest
			continue
		}
		path, value, ok := strings.Cut(line, ": ")
		if !ok {
			return nil, false
		}
		out = append(out, CarriedLine{path, value})
	}
	return out, true
}
