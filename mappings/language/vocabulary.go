package language

import (
	_ "embed"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// xmlNames lists the elements of each Norwegian namespace, and all attributes. generate.go
// says what it is made of.
//
//go:generate go run generate.go
//go:embed xmlnames.txt
var xmlNames string

// elementsOf maps a namespace to its elements; the key "attributes" has all attributes.
var elementsOf = sync.OnceValue(func() map[string][]string {
	out := map[string][]string{}
	for line := range strings.Lines(xmlNames) {
		names := strings.Fields(line)
		out[names[0]] = names[1:]
	}
	return out
})

const attributes = "attributes"

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

// The levels of an ER7 message.
const (
	levelMessage = iota
	levelSegment
	levelField
	levelComponent
	levelSubcomponent
)

var (
	localSegment = regexp.MustCompile(`^Z[A-Z0-9]{2}$`)
	numberedPart = regexp.MustCompile(`^[1-9][0-9]?$`)
)

// spot is where in a message a place stands, as far as names depend on it.
type spot struct {
	segment string // ER7
	level   int    // ER7
}

// enter checks one ER7 step and returns the spot below it.
func (at spot) enter(pos position, name string) (spot, error) {
	below := spot{at.segment, at.level + 1}
	if at.level == levelMessage {
		below.segment = name
		if _, known := segments[name]; known || localSegment.MatchString(name) {
			return below, nil
		}
		return below, pos.unknown("segment", name, keys(segments))
	}
	if at.level >= levelSubcomponent {
		return below, pos.errorf("%s: a subcomponent has no parts", at.segment)
	}
	if !numberedPart.MatchString(name) {
		return below, pos.errorf("%q is no number of a field, component or subcomponent", name)
	}
	number, _ := strconv.Atoi(name)
	if limit := at.parts(); number > limit {
		return below, pos.errorf("%s %s has no part %d: there are %d at most", at.segment, levelNames[at.level], number, limit)
	}
	return below, nil
}

var levelNames = [...]string{levelSegment: "segment", levelField: "field", levelComponent: "component"}

// parts is how many parts there can be at a spot.
func (at spot) parts() int {
	count, known := segments[at.segment]
	return either(at.level == levelSegment && known, count, either(at.level == levelSegment, 99, maxComponents))
}

// xmlName checks one XML step.
func xmlName(pos position, s *MsgStep, r *pathReader) error {
	if strings.HasPrefix(s.Name, "@") {
		return listed(pos, "attribute", s.Name, elementsOf()[attributes])
	}
	if s.Space == "" {
		return pos.errorf("the element %q needs the prefix of its namespace", s.Name)
	}
	known := elementsOf()[s.Space]
	if known == nil {
		return nil // the line that declares the namespace is told
	}
	return listed(pos, "element of "+r.prefixOf(s.Space), s.Name, known)
}

func listed(pos position, what, name string, known []string) error {
	for _, k := range known {
		if k == name {
			return nil
		}
	}
	return pos.unknown(what, name, known)
}
