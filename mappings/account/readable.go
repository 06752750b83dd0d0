package account

import (
	"bytes"
	"cmp"
	"strings"
)

// Readable makes a plain text document, UTF-8, of what had no place in a message, for
// the people who read it there. lang is "en" for English; anything else is Norwegian
// bokmål. It returns nil for nothing left over.
func Readable(l []Leftover, lang string) []byte {
	if len(l) == 0 {
		return nil
	}
	en := lang == "en"
	var b bytes.Buffer
	if en {
		b.WriteString("Information that has no place of its own in the message\n")
	} else {
		b.WriteString("Opplysninger som ikke har egen plass i meldingen\n")
	}
	group := ""
	for i := range l {
		g, label, value := l[i].group, l[i].Label, l[i].Value
		if en && l[i].groupEN != "" {
			g, label, value = l[i].groupEN, l[i].labelEN, cmp.Or(l[i].valueEN, value)
		}
		if i == 0 || g != group {
			b.WriteString("\n" + g + "\n")
			group = g
		}
		b.WriteString("  " + label + ": " + strings.ReplaceAll(strings.TrimRight(value, "\n"), "\n", "\n    ") + "\n")
	}
	return b.Bytes()
}

const (
	carriedGroup   = "Fra den opprinnelige meldingen"
	carriedGroupEN = "From the original message"
)

// label names a path of a resource type in bokmål and English: the longest known part
// from the left, then what follows it as FHIR spells it. bare "" names the type.
func label(typ, bare string) (nb, en string) {
	if bare == "" {
		if t, ok := typeLabels[typ]; ok {
			return t[0], t[1]
		}
		return typ, typ
	}
	for cut := len(bare); cut > 0; cut = strings.LastIndexByte(bare[:cut], '.') {
		l, ok := elementLabels[typ+"."+bare[:cut]]
		if !ok {
			l, ok = elementLabels["."+bare[:cut]]
		}
		if ok {
			return joinLabel(l[0], bare[cut:]), joinLabel(l[1], bare[cut:])
		}
	}
	return bare, bare
}

// TypeLabel names a resource type in bokmål.
func TypeLabel(typ string) string {
	nb, _ := label(typ, "")
	return nb
}

// joinLabel adds the rest of a path that says more than which data type it is.
func joinLabel(label, rest string) string {
	rest = strings.TrimPrefix(rest, ".")
	switch rest {
	case "", "text", "coding", "coding.code", "coding.display", "value", "display", "coding.system", "identifier", "identifier.value":
		return label
	}
	return label + " (" + rest + ")"
}

// carriedLabel names a carried path by its segment, where that is known.
func carriedLabel(path string) (nb, en string) {
	for _, s := range segmentLabels {
		if strings.HasPrefix(path, s[0]) {
			return s[1] + " (" + path + ")", s[2] + " (" + path + ")"
		}
	}
	return path, path
}

var typeLabels = map[string][2]string{
	"Patient":             {"Pasient", "Patient"},
	"Encounter":           {"Opphold", "Stay"},
	"Task":                {"Overføring av ansvar", "Handover"},
	"Practitioner":        {"Helsepersonell", "Health professional"},
	"Organization":        {"Enhet", "Unit"},
	"Communication":       {"Melding", "Message"},
	"Observation":         {"Observasjon", "Observation"},
	"Condition":           {"Diagnose", "Diagnosis"},
	"DocumentReference":   {"Dokument", "Document"},
	"CarePlan":            {"Plan", "Care plan"},
	"ServiceRequest":      {"Henvisning", "Referral"},
	"AllergyIntolerance":  {"Allergi eller overfølsomhet", "Allergy or intolerance"},
	"MedicationStatement": {"Legemiddel i bruk", "Medication in use"},
	"RelatedPerson":       {"Pårørende", "Next of kin"},
	"Goal":                {"Mål", "Goal"},
}

// elementLabels are by Type.path, or by .path for any type.
var elementLabels = map[string][2]string{
	"Patient.name":                                   {"Navn", "Name"},
	"Patient.name.family":                            {"Etternavn", "Family name"},
	"Patient.name.given":                             {"Fornavn", "Given name"},
	"Patient.name.extension":                         {"Mellomnavn", "Middle name"},
	"Patient.gender":                                 {"Kjønn", "Sex"},
	"Patient.birthDate":                              {"Fødselsdato", "Date of birth"},
	"Patient.maritalStatus":                          {"Sivilstand", "Marital status"},
	"Patient.communication":                          {"Språk", "Language"},
	"Patient.contact":                                {"Kontaktperson", "Contact person"},
	"Patient.generalPractitioner":                    {"Fastlege", "General practitioner"},
	"Patient.deceasedBoolean":                        {"Død", "Deceased"},
	"Patient.deceasedDateTime":                       {"Tidspunkt for død", "Time of death"},
	"Patient.active":                                 {"Aktiv", "Active"},
	"Encounter.class":                                {"Type opphold", "Kind of stay"},
	"Encounter.status":                               {"Status for oppholdet", "Status of the stay"},
	"Encounter.period.start":                         {"Innlagt", "Admitted"},
	"Encounter.period.end":                           {"Utskrevet", "Discharged"},
	"Encounter.location":                             {"Sted", "Place"},
	"Encounter.hospitalization":                      {"Utskrivning", "Discharge"},
	"Encounter.hospitalization.dischargeDisposition": {"Utskrives til", "Discharged to"},
	"Encounter.participant":                          {"Helsepersonell", "Health professional"},
	"Encounter.serviceProvider":                      {"Sykehus", "Hospital"},
	"Encounter.identifier":                           {"Oppholdsnummer", "Stay number"},
	"Task.restriction.period.start":                  {"Utskrivningsklar fra", "Ready for discharge from"},
	"Task.restriction.period.end":                    {"Ikke lenger utskrivningsklar fra", "No longer ready for discharge from"},
	"Task.executionPeriod.start":                     {"Kan mottas", "Can be received"},
	"Task.executionPeriod.end":                       {"Planlagt slutt", "Planned end"},
	"Task.authoredOn":                                {"Registrert", "Recorded"},
	"Task.description":                               {"Beskrivelse", "Description"},
	"Task.owner":                                     {"Mottaker", "Receiver"},
	"Task.requester":                                 {"Avsender", "Sender"},
	"Practitioner.name":                              {"Navn", "Name"},
	"Practitioner.name.family":                       {"Etternavn", "Family name"},
	"Practitioner.name.given":                        {"Fornavn", "Given name"},
	"Practitioner.qualification":                     {"Yrkesgruppe", "Profession"},
	"Communication.payload":                          {"Tekst", "Text"},
	"Communication.sent":                             {"Sendt", "Sent"},
	"Communication.topic":                            {"Tema", "Topic"},
	"Communication.category":                         {"Type", "Kind"},
	"Observation.code":                               {"Undersøkelse", "Examination"},
	"Observation.valueQuantity":                      {"Resultat", "Result"},
	"Observation.valueString":                        {"Resultat", "Result"},
	"Observation.valueCodeableConcept":               {"Resultat", "Result"},
	"Observation.effectiveDateTime":                  {"Tidspunkt", "Time"},
	"Observation.status":                             {"Status", "Status"},
	"Condition.code":                                 {"Diagnose", "Diagnosis"},
	"Condition.recordedDate":                         {"Registrert", "Recorded"},
	"Condition.category":                             {"Type diagnose", "Kind of diagnosis"},
	"DocumentReference.description":                  {"Beskrivelse", "Description"},
	"DocumentReference.content":                      {"Innhold", "Content"},
	"DocumentReference.type":                         {"Type dokument", "Kind of document"},
	"Patient.link":                                   {"Tidligere nummer", "Earlier number"},
	"Patient.link.other.identifier.value":            {"Tidligere nummer", "Earlier number"},
	"Organization.name":                              {"Navn", "Name"},
	"AllergyIntolerance.code":                        {"Allergisk mot", "Allergic to"},
	"AllergyIntolerance.type":                        {"Type", "Type"},
	"AllergyIntolerance.category":                    {"Kategori", "Category"},
	"AllergyIntolerance.criticality":                 {"Risiko", "Risk"},
	"AllergyIntolerance.reaction":                    {"Reaksjon", "Reaction"},
	"AllergyIntolerance.reaction.manifestation":      {"Reaksjon", "Reaction"},
	"AllergyIntolerance.recordedDate":                {"Registrert", "Recorded"},
	"MedicationStatement.medicationText":             {"Legemiddel", "Medication"},
	".identifier":                                    {"Identifikator", "Identifier"},
	".identifier.value":                              {"Identifikator", "Identifier"},
	".identifier.system":                             {"Identifikatortype", "Identifier system"},
	".identifier.assigner":                           {"Utsteder av identifikator", "Issuer of the identifier"},
	".identifier.type":                               {"Type identifikator", "Type of identifier"},
	".address.country":                               {"Land", "Country"},
	".address.use":                                   {"Type adresse", "Kind of address"},
	".address.type":                                  {"Type adresse", "Kind of address"},
	".telecom":                                       {"Telefon eller e-post", "Telephone or e-mail"},
	".telecom.value":                                 {"Telefon eller e-post", "Telephone or e-mail"},
	".address":                                       {"Adresse", "Address"},
	".address.line":                                  {"Gateadresse", "Street address"},
	".address.postalCode":                            {"Postnummer", "Postal code"},
	".address.city":                                  {"Poststed", "City"},
	".address._district":                             {"Kommunenummer", "Municipality number"},
	".note":                                          {"Merknad", "Note"},
	".note.text":                                     {"Merknad", "Note"},
	".note.authorString":                             {"Merknad skrevet av", "Note written by"},
	".note.authorReference":                          {"Merknad skrevet av", "Note written by"},
	".note.time":                                     {"Merknad skrevet", "Note written"},
	".extension":                                     {"Tilleggsopplysning", "Additional information"},
	".status":                                        {"Status", "Status"},
	".code":                                          {"Kode", "Code"},
	".name":                                          {"Navn", "Name"},
}

// requestLabels are of the elements of a Task that say something else where it is about no discharge.
var requestLabels = map[string][2]string{
	"Task.restriction.period.start": {"Ønsket fra", "Wanted from"},
	"Task.restriction.period.end":   {"Ønsket til", "Wanted until"},
}

// RequestLabel is a label in bokmål as it reads of a Task that is about no discharge.
func RequestLabel(nb string) string {
	for path, l := range requestLabels {
		if elementLabels[path][0] == nb {
			return l[0]
		}
	}
	return nb
}

// extensionLabels are by the extension's url.
var extensionLabels = map[string][2]string{
	"urn:stafett:expected-ready":                                 {"Ventet utskrivningsklar", "Expected ready for discharge"},
	"urn:stafett:recorded":                                       {"Registrert hos avsender", "Recorded by the sender"},
	"urn:stafett:cancelled-discharge":                            {"Annullert utskrivning", "Cancelled discharge"},
	"urn:stafett:known-recipient":                                {"Mottar kommunale tjenester", "Receives municipal services"},
	"urn:stafett:assessed-need":                                  {"Vurdert behov for kommunale tjenester", "Assessed need of municipal services"},
	"urn:stafett:protected":                                      {"Reservasjon eller sperret adresse", "Reservation or protected address"},
	"urn:stafett:severity":                                       {"Alvorlighet", "Severity"},
	"urn:stafett:role":                                           {"Rolle", "Role"},
	"urn:stafett:postbox":                                        {"Postboks", "Post box"},
	"urn:stafett:note-date":                                      {"Notatets dato", "Date of the note"},
	"urn:stafett:description-1":                                  {"Om innleggelsen", "About the admission"},
	"urn:stafett:description-2":                                  {"Om utskrivningen", "About the discharge"},
	"urn:stafett:description-3":                                  {"Om utskrivningsklar", "About readiness"},
	"urn:stafett:description-4":                                  {"Om avmeldingen", "About the withdrawal of readiness"},
	"urn:stafett:remark-1":                                       {"Merknad til innleggelsen", "Remark on the admission"},
	"urn:stafett:remark-2":                                       {"Merknad til utskrivningen", "Remark on the discharge"},
	"urn:stafett:remark-3":                                       {"Merknad til utskrivningsklar", "Remark on readiness"},
	"urn:stafett:remark-4":                                       {"Merknad til avmeldingen", "Remark on the withdrawal of readiness"},
	"http://hl7.no/fhir/StructureDefinition/no-basis-middlename": {"Mellomnavn", "Middle name"},
	"http://hl7.no/fhir/StructureDefinition/no-basis-municipalitycode": {"Kommunenummer", "Municipality number"},
}

// segmentLabels are by the start of a carried path.
var segmentLabels = [][3]string{
	{"NK1", "Pårørende", "Next of kin"},
	{"AL1", "Allergi", "Allergy"},
	{"IN1", "Forsikring", "Insurance"},
	{"GT1", "Betaler", "Guarantor"},
	{"NTE", "Merknad", "Note"},
	{"PR1", "Prosedyre", "Procedure"},
	{"DG1", "Diagnose", "Diagnosis"},
	{"OBX", "Observasjon", "Observation"},
	{"PID", "Pasientopplysning", "Patient information"},
	{"PV1", "Opphold", "Stay"},
	{"PV2", "Opphold", "Stay"},
}
