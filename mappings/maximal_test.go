package mappings_test

import (
	"encoding/xml"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"stafett/handover"
	"stafett/mappings/engine"
	"stafett/mappings/language"
	"stafett/message"
)

const po16 = "http://www.kith.no/xmlstds/po/"

// careMessages are the messages of PLO 1.6 about care, by their document elements.
var careMessages = []struct {
	typ, schema string
	root        xml.Name
}{
	{"HELSEOPPL_SOKNAD", "Helseopplysninger-v1.6", xml.Name{Space: po16 + "HelseopplysningerVedSoknad/2012-04-01", Local: "HelseopplysningerVedSoknad"}},
	{"UTSKRIVNINGSRAPPORT", "TverrfagligEpikrise-v1.6", xml.Name{Space: po16 + "TverrfagligEpikrise/2012-04-01", Local: "TverrfagligEpikrise"}},
	{"INNLEGGELSESRAPPORT", "Innleggelsesrapport-v1.6", xml.Name{Space: po16 + "Innleggelsesrapport/2012-04-01", Local: "Innleggelsesrapport"}},
	{"ORIENTERING_TJENESTETILBUD", "OrienteringOmTjenestetilbud-v1.6", xml.Name{Space: po16 + "OrienteringOmTjenestetilbud/2012-04-01", Local: "OrienteringOmTjenestetilbud"}},
	{"MEDISINSKE_OPPLYSNINGER", "MedisinskeOpplysninger-v1.6", xml.Name{Space: po16 + "MedisinskeOpplysninger/2012-04-01", Local: "OverforingMedisinskeOpplysninger"}},
	{"HELSEOPPLYSNINGER_LEGE", "HelseopplysningerTilLege-v1.6", xml.Name{Space: po16 + "HelseopplysningerTilLege/2012-04-01", Local: "Konsultasjon"}},
}

// withBody is a golden case's message of another type with another body.
func withBody(t *testing.T, typ string, body *message.Node) *message.Message {
	t.Helper()
	m, _ := readGolden(t, "testdata/log-utskrevet.txtar").source(t)
	m.Root.Child("MsgInfo").Child("Type").Child("@V").Value = typ
	content := m.Root.Child("Document").Child("RefDoc").Child("Content")
	content.Children, content.Value = []*message.Node{body}, ""
	again, _ := decode(t, handover.WireKITH, encode(t, handover.WireKITH, m.Root))
	return again
}

// TestCareMessages_TheWholeVocabulary: messages that the schemas make, with all there is, with
// each side of each choice, with lists of two and three, and at random, are accounted for,
// are at least 95 in a hundred mapped, and come back valid and the same.
func TestCareMessages_TheWholeVocabulary(t *testing.T) {
	names := []string{"poKomponent-v1.6", "EPJ-cave-mv", "EPJ-journalnotat-mv", "EPJ-legemiddel-mv", "EPJ-meta", "felleskomponent1", "kith"}
	for _, c := range careMessages {
		names = append(names, c.schema)
	}
	all := readSchemas(t, names...)
	set := embedded(t)
	for _, c := range careMessages {
		t.Run(c.typ, func(t *testing.T) {
			mapping, ok := set.For(handover.WireKITH, c.typ, "", "")
			if !ok {
				t.Fatal("no mapping")
			}
			said := newComparison()
			for i := range generatedMessages {
				g := generated(all, i)
				said.whole(t, mapping, withBody(t, c.typ, g.element(c.root)))
			}
			said.report(t)
		})
	}
}

// generatedMessages is how many messages are made of each type: the first hold all there is.
const generatedMessages = 9

// generated makes the i-th message of the schemas: lists of one, two and three, each side of a choice
// in turn, and from the fifth on at random.
func generated(all schemas, i int) *instance {
	const seed = 20261128
	g := &instance{schemas: all, repeats: 1 + i%3, turn: i, chance: 100, rand: rand.New(rand.NewPCG(seed, uint64(i)))}
	if i > 3 {
		g.chance = 60
	}
	return g
}

// comparison notes what of generated messages is not mapped, and what does not come back, by path.
type comparison struct{ notMapped, otherwise map[string]int }

func newComparison() comparison { return comparison{map[string]int{}, map[string]int{}} }

// whole holds a message to what is asked of each: valid, accounted for, at least 95 in a hundred
// mapped, and back valid and the same.
func (c comparison) whole(t *testing.T, mapping *language.Program, m *message.Message) {
	t.Helper()
	validateXML(t, handover.WireKITH, encode(t, handover.WireKITH, m.Root))
	env, err := codecs[handover.WireKITH].Envelope(m)
	if err != nil {
		t.Fatal(err)
	}
	content, report, err := engine.ToFHIR(mapping, m, engine.Context{Header: headerOf(env)})
	if err != nil {
		t.Fatal(err)
	}
	accounted(t, env.Type, m, report)
	validResources(t, content)
	mapped, carried := 0, 0
	for _, f := range report.Fates {
		switch f.Fate {
		case message.FateMapped:
			mapped++
		case message.FateCarried:
			carried++
			c.notMapped[withoutNumbers(f.Path)+" "+f.Reason]++
		}
	}
	t.Logf("%d of %d mapped: %.1f %%", mapped, mapped+carried, 100*float64(mapped)/float64(mapped+carried))
	if 100*mapped < 95*(mapped+carried) {
		t.Errorf("only %d of %d values are mapped", mapped, mapped+carried)
	}
	tree, left, err := engine.FromFHIR(mapping, withoutCarried(content), engine.Context{})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range left.Leftover {
		c.otherwise["left over: "+withoutNumbers(l.Path)]++
	}
	raw := encode(t, handover.WireKITH, tree)
	validateXML(t, handover.WireKITH, raw)
	back, _ := decode(t, handover.WireKITH, raw)
	before, after := leaves(m), leaves(back)
	for _, f := range report.Fates {
		if f.Fate == message.FateMapped && before[f.Path] != after[f.Path] {
			c.otherwise["changed: "+withoutNumbers(f.Path)]++
		}
	}
}

// report logs what is not mapped, and fails by what does not come back.
func (c comparison) report(t *testing.T) {
	t.Helper()
	for _, path := range sorted(c.notMapped) {
		t.Logf("carried %d: %s", c.notMapped[path], path)
	}
	for _, path := range sorted(c.otherwise) {
		t.Errorf("%d: %s", c.otherwise[path], path)
	}
}

func sorted(m map[string]int) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// withoutNumbers is a path without the numbers of its repetitions.
func withoutNumbers(path string) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(path, "[")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		_, path, _ = strings.Cut(rest, "]")
	}
}
