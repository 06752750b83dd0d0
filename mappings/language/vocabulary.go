package language

import (
	_ "embed"
	"maps"
	"slices"
	"strings"
	"sync"
)

// xmlNames lists the elements of each Norwegian namespace, and all attributes. TestXMLNames
// says what it is made of.
//
//go:generate go test -run TestXMLNames -update .
//go:embed xmlnames.txt
var xmlNames string

// nameSet is a closed list of names.
type nameSet = map[string]struct{}

// elementsOf maps a namespace to its elements; the key "attributes" has all attributes.
var elementsOf = sync.OnceValue(func() map[string]nameSet {
	out := map[string]nameSet{}
	for line := range strings.Lines(xmlNames) {
		names := strings.Fields(line)
		out[names[0]] = setOf(names[1:])
	}
	return out
})

const attributes = "attributes"

// everyXMLName are the elements and attributes of all namespaces.
var everyXMLName = sync.OnceValue(func() nameSet {
	all := nameSet{}
	for _, names := range elementsOf() {
		maps.Copy(all, names)
	}
	return all
})

// markupNames are the names of XHTML that Dialogmelding's texts are written in, and of the text
// between them.
var markupNames = setOf(strings.Fields("#text a b blockquote br caption center cite code col colgroup dd del div dl dt em font h1 h2 h3 h4 h5 h6 hr " +
	"i img ins li ol p pre s small span strike strong sub sup table tbody td tfoot th thead tr tt u ul @class @href @id @lang @space @style"))

// IsName reports whether a name in a message is one of its format's: an element or attribute
// of a Norwegian namespace, markup of its texts, a segment, the number of a part. Another one
// is a sender's own, and can be anything.
func IsName(name string) bool {
	for _, known := range []nameSet{everyXMLName(), markupNames} {
		if _, ok := known[name]; ok {
			return true
		}
	}
	_, ok := segments[name]
	return ok || numberedPart.MatchString(name) || localSegment.MatchString(name)
}

// segments are the segments of HL7 v2 with their number of fields, the most of versions
// 2.3 to 2.8 (chapters 2 to 15). Segments of a party's own start with Z.
var segments = map[string]int{
	"ACC": 13, "AIG": 14, "AIL": 12, "AIP": 12, "AIS": 12, "AL1": 6, "APR": 5, "ARQ": 25, "ARV": 6, "AUT": 30,
	"BHS": 14, "BLG": 4, "BTS": 3, "CON": 25, "CTD": 8, "CTI": 3, "DB1": 8, "DG1": 26, "DRG": 33, "DSC": 2,
	"DSP": 5, "ECD": 5, "EQU": 5, "ERR": 12, "EVN": 7, "FHS": 14, "FT1": 43, "FTS": 2, "GOL": 22, "GP1": 5,
	"GP2": 14, "GT1": 57, "IAM": 30, "IAR": 4, "IN1": 55, "IN2": 72, "IN3": 28, "IPC": 9, "MFA": 6, "MFE": 7,
	"MFI": 6, "MRG": 7, "MSA": 8, "MSH": 25, "NK1": 41, "NPU": 2, "NTE": 7, "OBR": 55, "OBX": 30, "ODS": 4,
	"ODT": 3, "ORC": 34, "PCR": 23, "PD1": 23, "PDA": 9, "PID": 40, "PR1": 25, "PRB": 29, "PRD": 14, "PTH": 7,
	"PV1": 54, "PV2": 50, "QAK": 6, "QPD": 99, "QRD": 12, "QRF": 10, "RCP": 7, "REL": 16, "RF1": 24, "RGS": 3,
	"ROL": 14, "RXA": 29, "RXC": 11, "RXD": 36, "RXE": 45, "RXG": 33, "RXO": 36, "RXR": 6, "SCH": 28, "SFT": 6,
	"SPM": 35, "TQ1": 14, "TQ2": 10, "TXA": 28, "UAC": 2, "UB1": 23, "UB2": 17, "VAR": 6,
}

// Parts below a field: no data type of HL7 v2 has more.
const maxComponents = 30

// listed refuses a name that is not in a closed list, which is asked for the nearest then alone.
func listed(pos position, what, name string, known nameSet) error {
	if _, ok := known[name]; ok {
		return nil
	}
	return pos.unknown(what, name, keys(known))
}

// among is listed for a short list.
func among[T ~string](pos position, what, name string, known []T) error {
	if slices.Contains(known, T(name)) {
		return nil
	}
	return pos.unknown(what, name, texts(known))
}

func setOf[T ~string](names []T) nameSet {
	out := make(nameSet, len(names))
	for _, name := range names {
		out[string(name)] = struct{}{}
	}
	return out
}
