package language

import (
	"strings"

	"stafett/fhir"
)

const middleName = "http://hl7.no/fhir/StructureDefinition/no-basis-middlename"

// personName is a person's name in one text, as "Etternavn, Fornavn", and a HumanName. A text
// that is spelled otherwise is kept beside its parts, and is what the way back writes.
func personName([]string) Converter {
	return Converter{Kind: fhir.KindObject, To: same, From: same, Compose: composeName, Decompose: spellName}
}

func composeName(v string) *fhir.Node {
	family, given, comma := strings.Cut(v, ",")
	if !comma {
		i := strings.LastIndexByte(v, ' ')
		given, family = v[:max(i, 0)], v[i+1:]
	}
	family, given = strings.TrimSpace(family), strings.TrimSpace(given)
	n := fhir.Obj()
	if spelledName(family, given) != v || family == "" {
		n.Set("text", fhir.Str(v))
	}
	if family != "" {
		n.Set("family", fhir.Str(family))
	}
	if given != "" {
		n.Set("given", fhir.Arr(fhir.Str(given)))
	}
	return n
}

func spelledName(family, given string) string {
	if given == "" || family == "" {
		return family + given
	}
	return family + ", " + given
}

// spellName spells a HumanName, and lists the values that the text says.
func spellName(n *fhir.Node) (text string, told []*fhir.Node) {
	var given []string
	for _, g := range items(n.Get("given")) {
		given, told = append(given, g.Text), append(told, g)
	}
	for _, e := range items(n.Get("extension")) {
		if e.Str("url") == middleName {
			given, told = append(given, e.Str("valueString")), append(told, e.Get("url"), e.Get("valueString"))
		}
	}
	if family := n.Get("family"); family != nil {
		told = append(told, family)
	}
	if own := n.Get("text"); own != nil {
		return own.Text, append(told, own)
	}
	return spelledName(n.Str("family"), strings.Join(given, " ")), told
}

func items(n *fhir.Node) []*fhir.Node {
	if n == nil {
		return nil
	}
	return n.Items
}
