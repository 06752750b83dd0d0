package fhirdoor

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"stafett/fhir"
	"stafett/gateway/act"
	"stafett/handover"
	"stafett/ledger"
)

// speakers are the elements by which a resource says whose words it holds, by type. Who did or
// measured something (performer) may be told of others.
var speakers = map[string][]string{
	"AdverseEvent":          {"recorder"},
	"AllergyIntolerance":    {"recorder", "asserter"},
	"AppointmentResponse":   {"actor"},
	"AuditEvent":            {"observer"},
	"Basic":                 {"author"},
	"CarePlan":              {"author", "contributor"},
	"ChargeItem":            {"enterer"},
	"Claim":                 {"enterer", "provider"},
	"ClinicalImpression":    {"assessor"},
	"Communication":         {"sender"},
	"CommunicationRequest":  {"sender", "requester"},
	"Composition":           {"author", "party", "custodian"},
	"Condition":             {"recorder", "asserter"},
	"Consent":               {"performer", "organization"},
	"Contract":              {"author", "party"},
	"DetectedIssue":         {"author"},
	"DeviceRequest":         {"requester"},
	"DeviceUseStatement":    {"source"},
	"DocumentManifest":      {"author"},
	"DocumentReference":     {"author", "authenticator", "custodian"},
	"Flag":                  {"author"},
	"Goal":                  {"expressedBy"},
	"Invoice":               {"issuer"},
	"Linkage":               {"author"},
	"List":                  {"source"},
	"MeasureReport":         {"reporter"},
	"MedicationRequest":     {"requester", "recorder"},
	"MedicationStatement":   {"informationSource"},
	"MessageHeader":         {"sender", "enterer", "author", "responsible"},
	"NutritionOrder":        {"orderer"},
	"Procedure":             {"recorder", "asserter"},
	"QuestionnaireResponse": {"author", "source"},
	"RequestGroup":          {"author"},
	"ServiceRequest":        {"requester"},
	"SupplyRequest":         {"requester"},
	"VisionPrescription":    {"prescriber"},
}

// voice is one place where a resource says whose words it holds.
type voice struct {
	ref *fhir.Node
	in  *fhir.Node // the resource whose contained ones ref may name
	// words tell whether the same was said before: of a note they are all of it.
	words string
}

// voicesOf are the voices of a resource and of what it contains.
func voicesOf(n *fhir.Node) []voice {
	var out []voice
	gather(n, n, nil, &out)
	return out
}

func gather(n, in *fhir.Node, elements []string, out *[]voice) {
	if n == nil {
		return
	}
	if typ := n.ResourceType(); typ != "" {
		elements = speakers[typ]
	}
	for _, m := range n.Members {
		switch {
		case m.Name == "authorReference":
			*out = append(*out, voice{m.Value, in, plain(n)})
		case m.Name == "authorString":
			*out = append(*out, voice{fhir.Obj("display", m.Value), in, plain(n)})
		case m.Name == "who", m.Name == "onBehalfOf" && n.Get("who") != nil, slices.Contains(elements, m.Name):
			for _, ref := range n.Each(m.Name) {
				*out = append(*out, voice{ref, in, m.Name + plain(ref)})
			}
		}
		gather(m.Value, in, elements, out)
	}
	for _, item := range n.Items {
		within := in
		if item.ResourceType() == "" && item.Get("resource") != nil {
			within = item.Get("resource") // a Bundle's entry
		}
		gather(item, within, elements, out)
	}
}

// plain spells a tree with its members in one order, which says nothing in JSON.
func plain(n *fhir.Node) string {
	n = n.Clone()
	sortMembers(n)
	return string(n.JSON())
}

func sortMembers(n *fhir.Node) {
	slices.SortFunc(n.Members, func(a, b fhir.Member) int { return strings.Compare(a.Name, b.Name) })
	for _, m := range n.Members {
		sortMembers(m.Value)
	}
	for _, item := range n.Items {
		sortMembers(item)
	}
}

// bodies are the types that somebody speaks by, and the elements that lead on to whose they are. A
// patient and its relatives are nobody's.
var bodies = map[string][]string{
	"Organization":      {"partOf"},
	"HealthcareService": {"providedBy"},
	"PractitionerRole":  {"organization", "practitioner", "healthcareService"},
	"Practitioner":      {},
	"CareTeam":          {"managingOrganization"},
	"Device":            {"owner"},
	"Location":          {"managingOrganization", "partOf"},
}

// offices are the bodies that are their author's own, where they say nothing else.
var offices = []string{"Organization", "HealthcareService", "PractitionerRole"}

// deepest bounds how far is looked for whose a body is.
const deepest = 8

// nobody stands for the gateway, and for who cannot be told: no caller speaks as it.
const nobody = handover.PartyID("")

// tracing finds the parties that a reference names.
type tracing struct {
	t     *writing
	s     *act.Snapshot
	seen  map[any]bool
	found []handover.PartyID
}

// saidBy are the parties that a reference names, by numbers and names, its own and those of all
// that it leads to.
func (t *writing) saidBy(s *act.Snapshot, ref, in *fhir.Node) []handover.PartyID {
	w := tracing{t: t, s: s, seen: map[any]bool{}}
	w.reference(ref, in, 0)
	return w.found
}

// bornBy are the parties whose number or name a body bears, or what it leads to.
func (t *writing) bornBy(s *act.Snapshot, n *fhir.Node) []handover.PartyID {
	w := tracing{t: t, s: s, seen: map[any]bool{}}
	w.body(n, n, 0)
	return w.found
}

func (w *tracing) reference(ref, in *fhir.Node, depth int) {
	w.add(w.t.numbered(w.s, ref.Get("identifier")), w.t.named(w.s, ref.Str("display")))
	if id, within := strings.CutPrefix(ref.Str("reference"), "#"); within {
		for _, n := range in.Each("contained") {
			if n.ID() == id && !w.seen[n] {
				w.seen[n] = true
				w.body(n, in, depth+1)
			}
		}
		return
	}
	typ, id, local := fhir.SplitLocal(ref.Str("reference"))
	key := ledger.ResourceKey{Type: typ, ID: id}
	if _, speaks := bodies[typ]; !local || !speaks || w.seen[key] {
		return
	}
	w.seen[key] = true
	n, author := w.t.resource(w.s, key)
	if author != w.t.caller.Party && n != nil && slices.Contains(offices, typ) && !slices.Contains(w.t.borne(w.s, n), w.t.caller.Party) {
		w.add([]handover.PartyID{author})
	}
	w.body(n, n, depth+1)
}

func (w *tracing) body(n, in *fhir.Node, depth int) {
	edges, speaks := bodies[n.ResourceType()]
	if !speaks {
		return
	}
	if depth > deepest {
		w.add([]handover.PartyID{nobody})
		return
	}
	w.add(w.t.borne(w.s, n))
	for _, element := range edges {
		for _, ref := range n.Each(element) {
			w.reference(ref, in, depth)
		}
	}
}

func (w *tracing) add(found ...[]handover.PartyID) {
	w.found = append(w.found, slices.Concat(found...)...)
}

// borne are the parties whose number or name a body itself bears.
func (t *writing) borne(s *act.Snapshot, n *fhir.Node) []handover.PartyID {
	var out []handover.PartyID
	for _, id := range n.Each("identifier") {
		out = append(out, t.numbered(s, id)...)
	}
	for _, element := range []string{"name", "alias", "deviceName"} {
		for _, name := range n.Each(element) {
			for _, text := range spelledNames(name) {
				out = append(out, t.named(s, text)...)
			}
		}
	}
	return out
}

// spelledNames are the texts of a name: of a person's, as a whole and put together.
func spelledNames(name *fhir.Node) []string {
	if name.Kind == fhir.KindString {
		return []string{name.Text}
	}
	var parts []string
	for _, given := range name.Each("given") {
		parts = append(parts, given.Str())
	}
	return []string{name.Str("text"), name.Str("name"), strings.Join(append(parts, name.Str("family")), " ")}
}

// numbered are the parties that an identifier names, however its system is spelled. Without a
// system a reader takes a number for whichever it is.
func (t *writing) numbered(s *act.Snapshot, id *fhir.Node) []handover.PartyID {
	value := norm.NFKC.String(id.Str("value"))
	if value == "" {
		return nil
	}
	var out []handover.PartyID
	for _, system := range []string{fhir.SystemHER, fhir.SystemOrgNumber} {
		for _, number := range numbersIn(id, system, value) {
			if party, known := s.PartyNamed(system, number); known {
				out = append(out, party)
			}
			if own := t.self[system]; own != "" && handover.PlainNumber(own) == handover.PlainNumber(number) {
				out = append(out, nobody)
			}
		}
	}
	return out
}

// numbersIn are the numbers of a system that an identifier may be read as.
func numbersIn(id *fhir.Node, system, value string) []string {
	if number, within := strings.CutPrefix(fhir.SystemMeant(value), strings.TrimPrefix(system, "urn:oid:")+"."); within {
		return []string{number}
	}
	switch fhir.SystemMeant(id.Str("system")) {
	case system:
		return []string{value, digitsOf(value)}
	case "":
		return []string{value}
	}
	if slices.ContainsFunc(id.At("type").Each("coding"), func(c *fhir.Node) bool { return strings.EqualFold(c.Str("code"), numberTypes[system]) }) {
		return []string{value, digitsOf(value)}
	}
	return nil
}

// numberTypes are the codes of Volven 9051 for the kinds of number that name a party.
var numberTypes = map[string]string{fhir.SystemHER: "HER", fhir.SystemOrgNumber: "ENH"}

func digitsOf(value string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, value)
}

// named are the parties that a text names, nobody for the gateway.
func (t *writing) named(s *act.Snapshot, text string) []handover.PartyID {
	said := wordsOf(text)
	if len(said) == 0 {
		return nil
	}
	var out []handover.PartyID
	caller, _ := s.Directory.Party(t.caller.Party)
	own := wordsOf(caller.Name)
	if names(said, own) {
		out = append(out, caller.ID)
	}
	isNamed := func(name string) bool {
		words, rest := wordsOf(name), said
		if names(own, words) {
			rest = without(said, own) // another's name that is part of the caller's own
		}
		return names(rest, words)
	}
	for _, p := range s.Directory.Parties() {
		if p.ID != caller.ID && (isNamed(p.Name) || len(wordsOf(string(p.ID))) > 1 && isNamed(string(p.ID))) {
			out = append(out, p.ID)
		}
	}
	if isNamed(t.selfName) {
		out = append(out, nobody)
	}
	return out
}

// wordsOf are the words of a name as they are read: without case, width, signs and what is not
// seen.
func wordsOf(name string) []string {
	name = norm.NFKC.String(strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) {
			return -1
		}
		return r
	}, name))
	name = lookAlike.Replace(strings.ToLower(name))
	return strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// lookAlike replaces the letters of other alphabets that look like Latin ones.
var lookAlike = strings.NewReplacer("а", "a", "в", "b", "е", "e", "к", "k", "м", "m", "н", "h", "о", "o", "р", "p", "с", "c", "т", "t",
	"у", "y", "х", "x", "і", "i", "ј", "j", "ѕ", "s", "ԁ", "d", "ӏ", "l", "α", "a", "ι", "i", "κ", "k", "ν", "v", "ο", "o", "ρ", "p", "τ", "t", "ı", "i")

// names reports whether a text names what is called so: it is the name, however divided, or has it
// as words, in the genitive too. A name of one word, which may be a person's as well, must stand first.
func names(said, name []string) bool {
	switch {
	case len(said) == 0 || len(name) == 0:
		return false
	case strings.Join(said, "") == strings.Join(name, ""):
		return true
	case len(name) == 1:
		return isWord(said[0], name[0])
	}
	return at(said, name) >= 0
}

// at is where a name's words stand in a text; -1 for nowhere.
func at(said, name []string) int {
	for i := 0; i+len(name) <= len(said); i++ {
		if slices.EqualFunc(said[i:i+len(name)], name, isWord) {
			return i
		}
	}
	return -1
}

func isWord(said, word string) bool { return said == word || said == word+"s" }

// without is a text with a name taken out of it, and a mark that is no word in its place.
func without(said, name []string) []string {
	i := at(said, name)
	if i < 0 {
		return said
	}
	return append(append(slices.Clone(said[:i]), "|"), without(said[i+len(name):], name)...)
}
