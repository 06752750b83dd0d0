package mappings_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"stafett/fhir"
	"stafett/handover"
	"stafett/mappings/account"
	"stafett/mappings/engine"
	"stafett/mappings/language"
	"stafett/message"
)

// Every place of a mapping is reached in both directions, or its line says why not.
func TestStaticCoverageOfBothDirections(t *testing.T) {
	for _, m := range embedded(t).Programs() {
		both, one := 0, 0
		for _, l := range m.Lines {
			switch {
			case l.To && l.From:
				both++
			case l.Reason == "":
				t.Errorf("%s:%d: %s = %s works one way and does not say why", l.File, l.Line, l.Message, l.FHIR)
			case l.From || !strings.HasPrefix(l.FHIR, "fact.") && l.FHIR != "day":
				one++
			}
		}
		if both < 2*one {
			t.Errorf("%s: only %d lines work both ways, beside %d asymmetric ones that are no facts", m.Name, both, one)
		}
	}
}

func TestScenarioMessagesHaveMappings(t *testing.T) {
	set := embedded(t)
	for _, c := range []struct {
		wire               handover.Wire
		typ, version, over string
		name               string
		events             []handover.EventName
	}{
		{"hl7v2", "ADT^A01", "2.5", "", "hl7v2/adt-a01", []handover.EventName{handover.EventAdmitted}},
		{"hl7v2", "ADT^A03", "2.3", "", "hl7v2/adt-a03", []handover.EventName{handover.EventDischarged}},
		{"hl7v2", "ADT^A11", "", "", "hl7v2/adt-a11", []handover.EventName{handover.EventVoided}},
		{"hl7v2", "ADT^A13", "2.5", "", "hl7v2/adt-a13", []handover.EventName{handover.EventDischargeCancelled}},
		{"hl7v2", "ADT^A16", "2.5", "svarlinje-1", "hl7v2/adt-a16", []handover.EventName{handover.EventReady}},
		{"hl7v2", "ADT^A25", "2.5", "", "hl7v2/adt-a25", []handover.EventName{handover.EventNotReady}},
		{"hl7v2", "ADT^A02", "2.5", "", "hl7v2/adt-a02", []handover.EventName{handover.EventMoved}},
		{"hl7v2", "ADT^A08", "2.5", "", "hl7v2/adt-a08", []handover.EventName{handover.EventUpdated}},
		{"hl7v2", "ADT^A21", "2.5", "", "hl7v2/adt-a21", []handover.EventName{handover.EventLeave}},
		{"hl7v2", "ADT^A23", "2.5", "", "hl7v2/adt-a23", []handover.EventName{handover.EventVoided}},
		{"hl7v2", "ADT^A40", "2.3.1", "", "hl7v2/adt-a40", []handover.EventName{handover.EventMerged}},
		{"hl7v2", "MDM^T02", "2.5", "", "hl7v2/mdm-t02", nil},
		{"kith", "LOG_INNLAGT", "pasientlogistikk 1.6", "", "kith/log-innlagt", []handover.EventName{handover.EventVoided, handover.EventAdmitted}},
		{"kith", "LOG_INNLAGT", "pasientlogistikk 1.5", "", "kith/log-innlagt-1.5", []handover.EventName{handover.EventVoided, handover.EventAdmitted}},
		{"kith", "LOG_INNLAGT", "", "", "kith/log-innlagt", nil},
		{"kith", "LOG_UTSKREVET", "", "", "kith/log-utskrevet", []handover.EventName{handover.EventDischargeCancelled, handover.EventDischarged}},
		{"kith", "HELSEOPPL_SOKNAD", "helseopplysninger 1.6", "", "kith/helseopplysninger", []handover.EventName{handover.EventUpdated, handover.EventHealthInfoSent}},
		{"kith", "UTSKRIVNINGSRAPPORT", "utskrivningsrapport 1.6", "", "kith/utskrivningsrapport", []handover.EventName{handover.EventUpdated, handover.EventReportSent}},
		{"kith", "INNLEGGELSESRAPPORT", "innleggelsesrapport 1.6", "", "kith/innleggelsesrapport", []handover.EventName{handover.EventUpdated}},
		{"kith", "ORIENTERING_TJENESTETILBUD", "orientering 1.6", "", "kith/orientering-tjenestetilbud", []handover.EventName{handover.EventUpdated}},
		{"kith", "MEDISINSKE_OPPLYSNINGER", "medisinske-opplysninger 1.6", "", "kith/medisinske-opplysninger", []handover.EventName{handover.EventUpdated}},
		{"kith", "HELSEOPPLYSNINGER_LEGE", "helseopplysninger-til-lege 1.6", "", "kith/helseopplysninger-lege", []handover.EventName{handover.EventUpdated}},
		{"kith", "DIALOG_NOTAT", "dialog 1.1", "", "kith/dialog-notat", []handover.EventName{handover.EventAnsweredUnclearly}},
		{"kith", "DIALOG_NOTAT", "dialog 1.0", "", "kith/dialog-notat-1.0", nil},
		{"kith", "DIALOG_NOTAT", "dialog 1.0", "svarlinje-1", "kith/dialog-notat-svarlinje-1-1.0", nil},
		{"kith", "DIALOG_NOTAT", "dialog 1.1", "svarlinje-1", "kith/dialog-notat-svarlinje-1", []handover.EventName{handover.EventAnsweredUnclearly, handover.EventAccepted, handover.EventDeferred, handover.EventAnsweredUnclearly}},
		{"kith", "DIALOG_HELSEFAGLIG", "", "", "kith/dialog-helsefaglig", nil},
	} {
		m, ok := set.For(c.wire, c.typ, c.version, c.over)
		if !ok || m.Name != c.name {
			t.Errorf("%s %s %q %q: got %v, want %s", c.wire, c.typ, c.version, c.over, m, c.name)
			continue
		}
		for i, e := range c.events {
			if got := m.Events; len(got) != len(c.events) || got[i].Event != e {
				t.Errorf("%s: events %v, want %v", c.name, got, c.events)
			}
		}
	}
	if _, ok := set.For("kith", "LOG_INNLAGT", "pasientlogistikk 2.0", ""); ok {
		t.Error("a version that no mapping is for was taken")
	}
	if _, ok := set.For("hl7v2", "ADT^A24", "2.5", ""); ok {
		t.Error("an unknown message type was taken")
	}
	m, _ := set.For("kith", "LOG_INNLAGT", "", "")
	if s, ok := m.StatusFor(handover.EventVoided); !ok || s != "C" {
		t.Errorf("voided is told with status %q, %v", s, ok)
	}
	if _, ok := m.StatusFor(handover.EventReady); ok {
		t.Error("LOG_INNLAGT does not tell ready")
	}
}

var indexes = regexp.MustCompile(`\[[0-9]+\]`)

// What FHIR -> message says it mapped, message -> FHIR finds again, for every mapping that
// can make the message.
func TestRoundTripFHIRMessageFHIR(t *testing.T) {
	set := embedded(t)
	made := map[string]int{}
	for _, file := range goldenFiles(t) {
		g := readGolden(t, file)
		m, env := g.source(t)
		if m == nil {
			continue
		}
		in, _ := set.For(m.Wire, env.Type, env.Version, g.overlay)
		c, _, err := engine.ToFHIR(in, m, engine.Context{Header: headerOf(env)})
		if err != nil {
			t.Fatal(err)
		}
		for _, out := range set.Programs() {
			name := filepath.Base(file) + " by " + out.Name
			h := tellHeader(out.Wire)
			tree, report, err := engine.FromFHIR(out, c, engine.Context{Header: h})
			if err != nil {
				continue // the message needs what this one does not have
			}
			made[out.Name]++
			back, _ := decode(t, out.Wire, encode(t, out.Wire, tree))
			again, account, err := engine.ToFHIR(out, back, engine.Context{})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			accounted(t, name, back, account)
			have := map[string]int{}
			for _, r := range again.Resources {
				values(r, func(path, value string) { have[path+"="+value]++ })
			}
			mapped := map[string]bool{}
			for _, f := range report.Fates {
				mapped[f.Path] = f.Fate == message.FateMapped
			}
			for _, r := range c.Resources {
				leavesOf(r.Resource, r.Name, func(path, value string) {
					if key := indexes.ReplaceAllString(path, "") + "=" + value; mapped[path] && have[key] == 0 && !lossy(path, out) {
						t.Errorf("%s: %s was mapped, and is not found again", name, path)
					}
				})
			}
		}
	}
	for _, m := range set.Programs() {
		if made[m.Name] == 0 {
			t.Errorf("no case goes from FHIR to %s", m.Name)
		}
	}
}

// lossy lists what a format tells of a value without telling where it came from.
func lossy(path string, m *language.Program) bool {
	switch {
	// A time told as the event's own, since the format must have one.
	case path == "task.authoredOn":
		return true
	// A name in one text, whose given and middle names are one there.
	case strings.HasPrefix(path, "patient.name[0]"):
		return m.Root.Name == "Message"
	// The place among siblings, where there are fewer of them.
	case strings.HasSuffix(path, ".valueInteger"):
		return m.Wire == handover.WireKITH
	// A day told with a time, where the format has no day.
	case strings.HasPrefix(m.Version, "2.0"):
		return dayTold.MatchString(path)
	// A name of what has no code, told as that of one.
	case strings.HasSuffix(path, "ode.text"), strings.HasSuffix(path, "Concept.text"):
		return m.Wire == handover.WireKITH
	// A fallback name of a topic, or a unit named by its identifier.
	case strings.HasPrefix(path, "communication.topic"):
		return m.Wire == handover.WireKITH
	// A code system by its OID, which is another name of the same.
	case strings.HasPrefix(path, "condition-") && strings.HasSuffix(path, ".code.coding[0].system"):
		return m.Wire == handover.WireKITH
	}
	return false
}

var dayTold = regexp.MustCompile(`([Pp]eriod\.(start|end)|Date|DateTime|authoredOn|dateAsserted)$`)

func values(r account.Named, f func(path, value string)) {
	leavesOf(r.Resource, r.Name, func(path, value string) { f(indexes.ReplaceAllString(path, ""), value) })
}

func leavesOf(n *fhir.Node, path string, f func(path, value string)) {
	jsonLeavesNode(n, path, func(p string, leaf *fhir.Node) { f(p, leaf.Text) })
}
