package mappings_test

import (
	"encoding/xml"
	"testing"

	"stafett/handover"
	"stafett/message"
)

// TestDialogueMessages_TheWholeVocabulary: messages that the schemas make, with all there is and at
// random, one, two and three of what there can be several of, come back whole.
func TestDialogueMessages_TheWholeVocabulary(t *testing.T) {
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
			said := newComparison()
			for i := range generatedMessages {
				g := generated(all, i)
				body := &message.Node{Name: "Dialogmelding", Space: space}
				for range 1 + i%3 {
					body.Children = append(body.Children, g.element(xml.Name{Space: space, Local: c.part}))
				}
				m := withBody(t, c.typ, body)
				env, err := codecs[handover.WireKITH].Envelope(m)
				if err != nil {
					t.Fatal(err)
				}
				mapping, ok := embedded(t).For(handover.WireKITH, env.Type, env.Version, "")
				if !ok {
					t.Fatal("no mapping")
				}
				said.whole(t, mapping, m)
			}
			said.report(t)
		})
	}
}
