package mappings_test

import (
	"encoding/xml"
	"math/rand/v2"
	"testing"

	"stafett/handover"
	"stafett/mappings/engine"
	"stafett/message"
)

// TestDialogueMessages_TheWholeVocabulary: messages that the schemas make, with all there is and at
// random, one, two and three of what there can be several of, come back whole.
func TestDialogueMessages_TheWholeVocabulary(t *testing.T) {
	const seed = 20261128
	for _, c := range []struct{ schema, space, part, typ string }{
		{"dialogmelding-v1.1", "2013-01-23", "Notat", "DIALOG_SVAR"},
		{"dialogmelding-v1.1", "2013-01-23", "Notat", "DIALOG_STATUS_HENVISNING"},
		{"dialogmelding-v1.1", "2013-01-23", "Foresporsel", "DIALOG_FORESPORSEL"},
		{"dialogmelding", "2006-10-11", "Notat", "DIALOG_AVVIK"},
		{"dialogmelding", "2006-10-11", "Notat", "DIALOG_SVAR"},
		{"dialogmelding", "2006-10-11", "Foresporsel", "DIALOG_FORESPORSEL"},
	} {
		t.Run(c.typ+" "+c.schema, func(t *testing.T) {
			all := readSchemas(t, c.schema, "felleskomponent1", "kith")
			space := "http://www.kith.no/xmlstds/dialog/" + c.space
			changed := map[string]int{}
			for i := range 9 {
				g := &instance{schemas: all, repeats: 1 + i%3, turn: i, chance: 100, rand: rand.New(rand.NewPCG(seed, uint64(i)))}
				if i > 3 {
					g.chance = 60
				}
				body := &message.Node{Name: "Dialogmelding", Space: space}
				for range 1 + i%3 {
					body.Children = append(body.Children, g.element(xml.Name{Space: space, Local: c.part}))
				}
				wholeDialogue(t, withBody(t, c.typ, body), changed)
			}
			for _, path := range sorted(changed) {
				t.Errorf("%d: %s", changed[path], path)
			}
		})
	}
}

// wholeDialogue notes what of a message does not come back.
func wholeDialogue(t *testing.T, m *message.Message, changed map[string]int) {
	t.Helper()
	validateXML(t, handover.WireKITH, encode(t, handover.WireKITH, m.Root))
	env, err := codecs[handover.WireKITH].Envelope(m)
	if err != nil {
		t.Fatal(err)
	}
	mapping, ok := embedded(t).For(handover.WireKITH, env.Type, env.Version, "")
	if !ok {
		t.Fatal("no mapping")
	}
	c, report, err := engine.ToFHIR(mapping, m, engine.Context{Header: headerOf(env)})
	if err != nil {
		t.Fatal(err)
	}
	accounted(t, env.Type, m, report)
	mapped, carried := 0, 0
	for _, f := range report.Fates {
		switch f.Fate {
		case message.FateMapped:
			mapped++
		case message.FateCarried:
			carried++
			t.Logf("carried: %s %s", withoutNumbers(f.Path), f.Reason)
		}
	}
	t.Logf("%d of %d mapped: %.1f %%", mapped, mapped+carried, 100*float64(mapped)/float64(mapped+carried))
	if 100*mapped < 95*(mapped+carried) {
		t.Errorf("only %d of %d values are mapped", mapped, mapped+carried)
	}
	tree, left, err := engine.FromFHIR(mapping, withoutCarried(c), engine.Context{})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range left.Leftover {
		changed["left over: "+withoutNumbers(l.Path)]++
	}
	raw := encode(t, handover.WireKITH, tree)
	validateXML(t, handover.WireKITH, raw)
	back, _ := decode(t, handover.WireKITH, raw)
	before, after := leaves(m), leaves(back)
	for _, f := range report.Fates {
		if f.Fate == message.FateMapped && before[f.Path] != after[f.Path] {
			changed["changed: "+withoutNumbers(f.Path)]++
		}
	}
}
