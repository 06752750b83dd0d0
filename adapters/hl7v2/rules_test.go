package hl7v2

import (
	"regexp"
	"testing"

	"stafett/adapters/adaptertest"
	"stafett/message"
)

func TestRules_Suite(t *testing.T) {
	adaptertest.RunRules(t, &Codec{}, adaptertest.Prescribed{
		ID:         regexp.MustCompile(`^[A-Z2-7]{20}$`),
		TimeLayout: "20060102150405-0700",
		Types:      []string{"ADT^A16", "ACK", "ADT^ZZ1"},
		Texts:      []string{"IDA^A01", "ADT^OLA", "ADT^A1", "ADT^", "adt^A16", "LOG_INNLAGT"},
	})
}

// MSH-15 and MSH-16 are asked for whether they stood there or not, in their places.
func TestRules_AskCommitAnswer(t *testing.T) {
	for _, fields := range [][]*message.Node{
		{{Name: "9"}, {Name: "12"}},
		{{Name: "9"}, {Name: "12"}, {Name: "18"}},
		{{Name: "9"}, {Name: "15", Value: "NE"}, {Name: "16", Children: []*message.Node{{Name: "1", Value: "NE"}}}, {Name: "18"}},
	} {
		root := &message.Node{Children: []*message.Node{{Name: "MSH", Children: fields}}}
		(&Codec{}).AskCommitAnswer(root)
		(&Codec{}).AskCommitAnswer(root)
		last := ""
		for _, f := range root.Child("MSH").Children[1:] {
			if f.Name <= last {
				t.Errorf("MSH-%s after MSH-%s", f.Name, last)
			}
			last = f.Name
		}
		for _, name := range []string{"15", "16"} {
			if f := root.Child("MSH").Child(name); f == nil || f.Value != "AL" || f.Children != nil {
				t.Errorf("MSH-%s is %+v", name, f)
			}
		}
	}
}
