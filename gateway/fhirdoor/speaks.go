package fhirdoor

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"stafett/fhir"
	"stafett/gateway/act"
	"stafett/handover"
)

// speakers are the elements by which a resource says who speaks in it (R4).
var speakers = map[string][][]string{
	"CarePlan":              {{"author"}},
	"Communication":         {{"sender"}},
	"CommunicationRequest":  {{"sender"}, {"requester"}},
	"Composition":           {{"author"}, {"attester", "party"}, {"custodian"}},
	"Consent":               {{"organization"}},
	"DeviceRequest":         {{"requester"}},
	"DocumentReference":     {{"author"}, {"authenticator"}, {"custodian"}},
	"MessageHeader":         {{"sender"}, {"author"}, {"responsible"}},
	"QuestionnaireResponse": {{"author"}},
	"ServiceRequest":        {{"requester"}},
}

// carers are the resources by which somebody speaks, and the references by which one leads to
// the organisation behind it.
var carers = map[string][]string{
	"Organization": {"partOf"}, "HealthcareService": {"providedBy"}, "Practitioner": nil,
	"PractitionerRole": {"organization", "healthcareService", "practitioner"}, "CareTeam": {"managingOrganization"}, "Device": {"owner"},
}

// speaksForItself refuses words in another party's name: where the resource says who speaks in it,
// and whose a new note is.
func (t *writing) speaksForItself(s *act.Snapshot, e *act.Entry) error {
	for _, ref := range saidBy(e) {
		if t.another(s, e, ref) {
			return &handover.Fault{Kind: handover.FaultForbidden, Op: opAuthor, Path: e.Type, Text: "who speaks in it is another party, which speaks for itself"}
		}
	}
	return nil
}

// staysItself refuses to make another party of who may have spoken already.
func (t *writing) staysItself(s *act.Snapshot, e *act.Entry) error {
	if _, speaks := carers[e.Type]; !speaks || e.Before == nil {
		return nil
	}
	before := t.partiesBehind(s, e, e.Before)
	for _, party := range t.partiesBehind(s, e, e.Resource) {
		if party != t.caller.Party && !slices.Contains(before, party) {
			return &handover.Fault{Kind: handover.FaultForbidden, Op: opAuthor, Path: e.Type, Text: "what is known as one's own does not become another party: write it as a new resource"}
		}
	}
	return nil
}

// saidBy are the references by which an entry says whose words it holds, as far as they are new.
func saidBy(e *act.Entry) []*fhir.Node {
	var out []*fhir.Node
	for _, path := range speakers[e.Type] {
		known := at(e.Before, path)
		for _, ref := range at(e.Resource, path) {
			if !slices.ContainsFunc(known, ref.Equal) {
				out = append(out, ref)
			}
		}
	}
	for _, note := range e.Resource.Each("note") {
		if slices.ContainsFunc(e.Before.Each("note"), note.Equal) {
			continue
		}
		out = append(out, note.Get("authorReference"), fhir.Obj("display", note.Str("authorString")))
	}
	return slices.DeleteFunc(out, func(ref *fhir.Node) bool { return ref == nil })
}

// at are the values of n at a path.
func at(n *fhir.Node, path []string) []*fhir.Node {
	found := []*fhir.Node{n}
	for _, name := range path {
		var below []*fhir.Node
		for _, f := range found {
			below = append(below, f.Each(name)...)
		}
		found = below
	}
	return found
}

// another reports whether a reference names a party other than the caller, or the gateway.
func (t *writing) another(s *act.Snapshot, e *act.Entry, ref *fhir.Node) bool {
	return slices.ContainsFunc(t.partiesSaid(s, e, ref), func(p handover.PartyID) bool { return p != t.caller.Party })
}

// partiesSaid are the parties that a reference names: by itself, and by what it leads to.
func (t *writing) partiesSaid(s *act.Snapshot, e *act.Entry, ref *fhir.Node) []handover.PartyID {
	out := append(t.numbered(s, ref.Get("identifier")), t.called(s, ref.Str("display"))...)
	if to := t.leadsTo(s, e, ref); to != nil {
		out = append(out, t.partiesBehind(s, e, to)...)
	}
	return out
}

// behindMax bounds through how many resources a speaker is followed.
const behindMax = 20

// partiesBehind are the parties that who gives care is, or belongs to: by numbers and names, and by
// who wrote it.
func (t *writing) partiesBehind(s *act.Snapshot, e *act.Entry, n *fhir.Node) []handover.PartyID {
	var out []handover.PartyID
	all := []*fhir.Node{n}
	for i := 0; i < len(all) && i < behindMax; i++ {
		n := all[i]
		references, speaks := carers[n.ResourceType()]
		if !speaks {
			continue
		}
		for _, id := range n.Each("identifier") {
			out = append(out, t.numbered(s, id)...)
		}
		for _, name := range namesOf(n) {
			out = append(out, t.called(s, name)...)
		}
		for _, element := range references {
			for _, ref := range n.Each(element) {
				out = append(out, t.numbered(s, ref.Get("identifier"))...)
				out = append(out, t.called(s, ref.Str("display"))...)
				if to := t.leadsTo(s, e, ref); to != nil && !slices.Contains(all, to) {
					all = append(all, to)
				}
			}
		}
	}
	return out
}

// namesOf are what a resource is called: as a text, as aliases, or as a person is.
func namesOf(n *fhir.Node) []string {
	var out []string
	for _, element := range []string{"name", "alias", "deviceName"} {
		for _, name := range n.Each(element) {
			words := []string{name.Str(), name.Str("name"), name.Str("text"), name.Str("family")}
			full := name.Str("family")
			for _, given := range name.Each("given") {
				words, full = append(words, given.Str()), given.Str()+" "+full
			}
			out = append(out, append(words, full)...)
		}
	}
	return out
}

// numbered are the parties whose number an identifier is; one without a system is anybody's.
func (t *writing) numbered(s *act.Snapshot, id *fhir.Node) []handover.PartyID {
	systems := []string{id.Str("system")}
	if systems[0] == "" {
		systems = []string{fhir.SystemHER, fhir.SystemOrgNumber}
	}
	var out []handover.PartyID
	for _, system := range systems {
		if party, known := s.PartyNamed(system, id.Str("value")); known {
			out = append(out, party)
		}
		if preferred := fhir.PreferredSystem(system); id != nil && handover.PlainNumber(id.Str("value")) == t.self[preferred] && t.self[preferred] != "" {
			out = append(out, gateway)
		}
	}
	return out
}

// gateway stands for the gateway itself among those who speak.
const gateway handover.PartyID = "gateway"

// called are the parties whose name stands in a text: the longest, where one is part of another.
func (t *writing) called(s *act.Snapshot, text string) []handover.PartyID {
	said := wordsOf(text)
	if len(said) == 0 {
		return nil
	}
	if slices.Equal(said, wordsOf(t.self["name"])) {
		return []handover.PartyID{gateway}
	}
	own, _ := s.Directory.Party(t.caller.Party)
	ownName := wordsOf(own.Name)
	var out []handover.PartyID
	for _, p := range s.Directory.Parties() {
		name := wordsOf(p.Name)
		if holds(said, name) && !(p.ID != own.ID && holds(said, ownName) && holds(ownName, name)) {
			out = append(out, p.ID)
		}
	}
	return out
}

// wordsOf are the words of a text as they are compared: without case, marks and what is not seen.
func wordsOf(text string) []string {
	visible := strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cf, unicode.Mn) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKC.String(text))
	return strings.FieldsFunc(visible, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// holds reports whether a name stands in what was said; a name of one word stands alone.
func holds(said, name []string) bool {
	if len(name) == 0 {
		return false
	}
	if len(name) == 1 {
		return slices.Equal(said, name)
	}
	for i := 0; i+len(name) <= len(said); i++ {
		if slices.Equal(said[i:i+len(name)], name) {
			return true
		}
	}
	return false
}
