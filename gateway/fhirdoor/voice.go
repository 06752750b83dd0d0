package fhirdoor

import (
	"slices"
	"strings"

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
	// words tell whether the same was said before: of a note they are all of it, of a contained
	// speaker also what is contained.
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
	say := func(ref *fhir.Node, words string) {
		if contained := in.Get("contained"); contained != nil && strings.HasPrefix(ref.Str("reference"), "#") {
			words += plain(contained)
		}
		*out = append(*out, voice{ref, in, words})
	}
	for _, m := range n.Members {
		switch {
		case m.Name == "authorReference":
			say(m.Value, plain(n))
		case m.Name == "authorString":
			say(fhir.Obj("display", m.Value), plain(n))
		case m.Name == "who", m.Name == "onBehalfOf" && n.Get("who") != nil, slices.Contains(elements, m.Name):
			for _, ref := range n.Each(m.Name) {
				say(ref, m.Name+plain(ref))
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
// patient is nobody's.
var bodies = map[string][]string{
	"Organization":      {"partOf"},
	"HealthcareService": {"providedBy"},
	"PractitionerRole":  {"organization", "practitioner", "healthcareService"},
	"Practitioner":      {},
	"RelatedPerson":     {},
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
	// Ids are no other server's, however this one is called.
	_, typ, id, known := fhir.SplitReference(ref.Str("reference"))
	key := ledger.ResourceKey{Type: typ, ID: id}
	if _, speaks := bodies[typ]; !known || !speaks || w.seen[key] {
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
