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
	"Patient":              {"Pasient", "Patient"},
	"Encounter":            {"Opphold", "Stay"},
	"Task":                 {"Overføring av ansvar", "Handover"},
	"Practitioner":         {"Helsepersonell", "Health professional"},
	"Organization":         {"Enhet", "Unit"},
	"Communication":        {"Melding", "Message"},
	"Observation":          {"Observasjon", "Observation"},
	"Condition":            {"Diagnose", "Diagnosis"},
	"DocumentReference":    {"Dokument", "Document"},
	"CarePlan":             {"Plan", "Care plan"},
	"ServiceRequest":       {"Henvisning", "Referral"},
	"AllergyIntolerance":   {"Allergi eller overfølsomhet", "Allergy or intolerance"},
	"MedicationStatement":  {"Legemiddel i bruk", "Medication in use"},
	"RelatedPerson":        {"Pårørende", "Next of kin"},
	"Goal":                 {"Mål", "Goal"},
	"Composition":          {"Dokument", "Document"},
	"Consent":              {"Reservasjon eller ønske", "Reservation or wish"},
	"Flag":                 {"Viktig opplysning", "Important information"},
	"EpisodeOfCare":        {"Tjeneste", "Service"},
	"Appointment":          {"Kontrolltime", "Appointment"},
	"DeviceRequest":        {"Hjelpemiddel", "Aid"},
	"CommunicationRequest": {"Forespørsel", "Inquiry"},
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
	"MedicationStatement.medicationText":             {"Legemiddel", "Medication"},
	"MedicationStatement.dosage.text":                {"Dosering", "Dosage"},
	"MedicationStatement.dosage.doseAndRate":         {"Enkeltdose", "Single dose"},
	"MedicationStatement.dosage.timing.repeat.boundsPeriod.start":        {"Dosering fra", "Dosage from"},
	"MedicationStatement.dosage.timing.repeat.boundsPeriod.end":          {"Dosering til", "Dosage until"},
	"MedicationStatement.medicationCodeableConcept":                      {"Legemiddel", "Medication"},
	"MedicationStatement.medicationCodeableConcept.text":                 {"Legemiddel", "Medication"},
	"MedicationStatement.medicationCodeableConcept.coding":               {"ATC", "ATC"},
	"MedicationStatement.category":                                       {"Bruk", "Use"},
	"MedicationStatement.category.coding":                                {"Bruk", "Use"},
	"MedicationStatement.effectivePeriod.start":                          {"Fra", "From"},
	"MedicationStatement.effectivePeriod.end":                            {"Til", "Until"},
	"MedicationStatement.reasonCode":                                     {"Bruksområde", "Indication"},
	"MedicationStatement.reasonCode.text":                                {"Bruksområde", "Indication"},
	"MedicationStatement.statusReason":                                   {"Status for legemiddelet", "Status of the medication"},
	"MedicationStatement.statusReason.coding":                            {"Status for legemiddelet", "Status of the medication"},
	"AllergyIntolerance.category":                                        {"Type allergi", "Kind of allergy"},
	"CarePlan.activity.detail.code.coding":                               {"Tiltak", "Intervention"},
	"CarePlan.activity.detail.description":                               {"Tiltak", "Intervention"},
	"CarePlan.activity.detail.status":                                    {"Status for tiltaket", "Status of the intervention"},
	"CarePlan.activity.detail.scheduledTiming.repeat.boundsPeriod.start": {"Planlagt fra", "Planned from"},
	"CarePlan.activity.detail.scheduledTiming.repeat.boundsPeriod.end":   {"Planlagt til", "Planned until"},
	"CarePlan.activity.progress.time":                                    {"Utført", "Done"},
	"CarePlan.activity.progress.text":                                    {"Merknad", "Note"},
	"CarePlan.period.start":                                              {"Behandling fra", "Treated from"},
	"CarePlan.intent":                                                    {"Type plan", "Kind of plan"},
	"Communication.payload.contentString":                                {"Tekst", "Text"},
	"Communication.category.coding":                                      {"Type", "Kind"},
	"Communication.recipient":                                            {"Mottaker", "Recipient"},
	"Composition.date":                                                   {"Dato", "Date"},
	"Composition.title":                                                  {"Tittel", "Title"},
	"Composition.type":                                                   {"Type dokument", "Kind of document"},
	"Composition.type.coding":                                            {"Type dokument", "Kind of document"},
	"Composition.category":                                               {"Innhold", "Content"},
	"Composition.category.coding":                                        {"Innhold", "Content"},
	"Composition.author":                                                 {"Avsender", "Author"},
	"Composition.author.display":                                         {"Avsender", "Author"},
	"Composition.attester.time":                                          {"Godkjent", "Approved"},
	"Composition.attester.mode":                                          {"Godkjent av", "Approved by"},
	"Composition.section.title":                                          {"Avsnitt", "Section"},
	"Condition.code.coding":                                              {"Diagnose", "Diagnosis"},
	"Condition.code.text":                                                {"Diagnose", "Diagnosis"},
	"Condition.onsetDateTime":                                            {"Fra", "From"},
	"Condition.abatementDateTime":                                        {"Til", "Until"},
	"Consent.dateTime":                                                   {"Framsatt", "Made"},
	"Consent.policyRule.text":                                            {"Gjelder", "Concerns"},
	"Consent.category.coding":                                            {"Type", "Kind"},
	"Consent.scope.coding":                                               {"Område", "Scope"},
	"EpisodeOfCare.type.coding":                                          {"Tjeneste", "Service"},
	"EpisodeOfCare.type.text":                                            {"Tjeneste", "Service"},
	"EpisodeOfCare.managingOrganization.display":                         {"Levert av", "Delivered by"},
	"EpisodeOfCare.period.start":                                         {"Fra", "From"},
	"EpisodeOfCare.period.end":                                           {"Til", "Until"},
	"Flag.code.text":                                                     {"Gjelder", "Concerns"},
	"Flag.period.end":                                                    {"Behovet opphører", "The need ends"},
	"Goal.description.coding":                                            {"Mål", "Goal"},
	"Goal.description.text":                                              {"Mål", "Goal"},
	"Goal.target.dueDate":                                                {"Forventes oppnådd", "Expected to be reached"},
	"Goal.startDate":                                                     {"Fra", "From"},
	"Goal.lifecycleStatus":                                               {"Status", "Status"},
	"Observation.valueInteger":                                           {"Vurdering", "Assessment"},
	"Observation.component.code.coding":                                  {"Gjelder", "Concerns"},
	"Observation.component.code.text":                                    {"Gjelder", "Concerns"},
	"Observation.component.valueCodeableConcept.coding":                  {"Vurdering", "Assessment"},
	"Observation.component.valueCodeableConcept.text":                    {"Vurdering", "Assessment"},
	"Observation.component.valueBoolean":                                 {"Vurdering", "Assessment"},
	"Observation.effectivePeriod.start":                                  {"Fra", "From"},
	"Observation.effectivePeriod.end":                                    {"Til", "Until"},
	"Observation.interpretation.text":                                    {"Vurdering", "Assessment"},
	"Appointment.requestedPeriod.start":                                  {"Tidspunkt", "Time"},
	"Appointment.minutesDuration":                                        {"Varighet i minutter", "Duration in minutes"},
	"DeviceRequest.codeCodeableConcept.coding":                           {"Hjelpemiddel", "Aid"},
	"DeviceRequest.codeCodeableConcept.text":                             {"Hjelpemiddel", "Aid"},
	"ServiceRequest.code.coding":                                         {"Tjeneste", "Service"},
	"ServiceRequest.code.text":                                           {"Tjeneste", "Service"},
	"ServiceRequest.quantityQuantity":                                    {"Omfang", "Extent"},
	"ServiceRequest.locationCode.text":                                   {"Ved institusjon", "At the institution"},
	"RelatedPerson.relationship.coding":                                  {"Slektskap", "Relationship"},
	"RelatedPerson.name.family":                                          {"Etternavn", "Family name"},
	"RelatedPerson.name.given":                                           {"Fornavn", "Given name"},
	"Practitioner.qualification.code.coding":                             {"Yrkesgruppe", "Profession"},
	"Patient.communication.language.coding":                              {"Språk", "Language"},
	".intent":                                                            {"Hensikt", "Intent"},
	".identifier":                                                        {"Identifikator", "Identifier"},
	".identifier.value":                                                  {"Identifikator", "Identifier"},
	".identifier.system":                                                 {"Identifikatortype", "Identifier system"},
	".identifier.assigner":                                               {"Utsteder av identifikator", "Issuer of the identifier"},
	".identifier.type":                                                   {"Type identifikator", "Type of identifier"},
	".address.country":                                                   {"Land", "Country"},
	".address.use":                                                       {"Type adresse", "Kind of address"},
	".address.type":                                                      {"Type adresse", "Kind of address"},
	".telecom":                                                           {"Telefon eller e-post", "Telephone or e-mail"},
	".telecom.value":                                                     {"Telefon eller e-post", "Telephone or e-mail"},
	".address":                                                           {"Adresse", "Address"},
	".address.line":                                                      {"Gateadresse", "Street address"},
	".address.postalCode":                                                {"Postnummer", "Postal code"},
	".address.city":                                                      {"Poststed", "City"},
	".address._district":                                                 {"Kommunenummer", "Municipality number"},
	".note":                                                              {"Merknad", "Note"},
	".note.text":                                                         {"Merknad", "Note"},
	".extension":                                                         {"Tilleggsopplysning", "Additional information"},
	".status":                                                            {"Status", "Status"},
	".code":                                                              {"Kode", "Code"},
	".name":                                                              {"Navn", "Name"},
}

// extensionLabels are by the extension's url.
var extensionLabels = map[string][2]string{
	"urn:stafett:expected-ready":                                       {"Ventet utskrivningsklar", "Expected ready for discharge"},
	"urn:stafett:recorded":                                             {"Registrert hos avsender", "Recorded by the sender"},
	"urn:stafett:cancelled-discharge":                                  {"Annullert utskrivning", "Cancelled discharge"},
	"urn:stafett:known-recipient":                                      {"Mottar kommunale tjenester", "Receives municipal services"},
	"urn:stafett:assessed-need":                                        {"Vurdert behov for kommunale tjenester", "Assessed need of municipal services"},
	"urn:stafett:protected":                                            {"Reservasjon eller sperret adresse", "Reservation or protected address"},
	"urn:stafett:role":                                                 {"Rolle", "Role"},
	"urn:stafett:postbox":                                              {"Postboks", "Post box"},
	"urn:stafett:note-date":                                            {"Notatets dato", "Date of the note"},
	"urn:stafett:description-1":                                        {"Om innleggelsen", "About the admission"},
	"urn:stafett:description-2":                                        {"Om utskrivningen", "About the discharge"},
	"urn:stafett:description-3":                                        {"Om utskrivningsklar", "About readiness"},
	"urn:stafett:description-4":                                        {"Om avmeldingen", "About the withdrawal of readiness"},
	"urn:stafett:remark-1":                                             {"Merknad til innleggelsen", "Remark on the admission"},
	"urn:stafett:remark-2":                                             {"Merknad til utskrivningen", "Remark on the discharge"},
	"urn:stafett:remark-3":                                             {"Merknad til utskrivningsklar", "Remark on readiness"},
	"urn:stafett:remark-4":                                             {"Merknad til avmeldingen", "Remark on the withdrawal of readiness"},
	"urn:stafett:about-service":                                        {"Om tjenesten", "About the service"},
	"urn:stafett:affects-food":                                         {"Hensyn ved mat og drikke", "To be considered with food and drink"},
	"urn:stafett:affects-prescription":                                 {"Hensyn ved forskrivning", "To be considered when prescribing"},
	"urn:stafett:aid-status":                                           {"Status for hjelpemiddelet", "Status of the aid"},
	"urn:stafett:amount":                                               {"Mengde gitt", "Amount given"},
	"urn:stafett:anaphylaxis":                                          {"Anafylaktiske reaksjoner", "Anaphylactic reactions"},
	"urn:stafett:answers-inquiry":                                      {"Svar på forespørsel", "Answers an inquiry"},
	"urn:stafett:application-remark":                                   {"Merknad til søknaden", "Remark on the application"},
	"urn:stafett:application-sent":                                     {"Egensøknad sendt", "Own application sent"},
	"urn:stafett:as-needed":                                            {"Etter behov", "As needed"},
	"urn:stafett:birth-year-of-minor":                                  {"Fødselsår for mindreårig pårørende", "Year of birth of a minor next of kin"},
	"urn:stafett:booked":                                               {"Kontrolltime bestilt", "Control booked"},
	"urn:stafett:booked-patient-informed":                              {"Pasienten er informert", "The patient is informed"},
	"urn:stafett:booked-relatives-informed":                            {"Pårørende er informert", "Next of kin are informed"},
	"urn:stafett:books-patient-informed":                               {"Pasienten er informert", "The patient is informed"},
	"urn:stafett:books-relatives-informed":                             {"Pårørende er informert", "Next of kin are informed"},
	"urn:stafett:tentative-patient-informed":                           {"Pasienten er informert", "The patient is informed"},
	"urn:stafett:tentative-relatives-informed":                         {"Pårørende er informert", "Next of kin are informed"},
	"urn:stafett:care-function":                                        {"Omsorgsfunksjon", "Function as carer"},
	"urn:stafett:changed-function":                                     {"Endring i funksjonsnivå", "Change of function"},
	"urn:stafett:chronic":                                              {"Funksjonshemming eller kronisk sykdom", "Disability or chronic illness"},
	"urn:stafett:contact-allergy":                                      {"Kontaktallergi", "Contact allergy"},
	"urn:stafett:content-remark":                                       {"Merknad til innholdet", "Remark on the content"},
	"urn:stafett:dispensing":                                           {"Utleveringsform", "Form of dispensing"},
	"urn:stafett:dose-form":                                            {"Legemiddelform", "Dose form"},
	"urn:stafett:dressings":                                            {"Trenger bandasjemateriell eller engangsutstyr", "Needs dressings or disposables"},
	"urn:stafett:dressings-remark":                                     {"Merknad til bandasjemateriell", "Remark on dressings"},
	"urn:stafett:evaluation":                                           {"Evalueres", "To be evaluated"},
	"urn:stafett:event":                                                {"Hendelse", "Event"},
	"urn:stafett:expected-at-discharge":                                {"Forventet status ved utskriving", "Status expected at discharge"},
	"urn:stafett:expected-degree":                                      {"Forventet grad av måloppnåelse", "Degree of attainment expected"},
	"urn:stafett:function-responsible":                                 {"Ansvarlig for kartleggingen", "Responsible for the assessment"},
	"urn:stafett:generic-name":                                         {"Generisk navn", "Generic name"},
	"urn:stafett:heading":                                              {"Overskrift", "Heading"},
	"urn:stafett:impaired-hearing":                                     {"Hørselsvikt", "Impaired hearing"},
	"urn:stafett:impaired-sight":                                       {"Synsvikt", "Impaired sight"},
	"urn:stafett:important-information":                                {"Viktig tilleggsinformasjon", "Important further information"},
	"urn:stafett:information-category":                                 {"Informasjonskategori", "Category of information"},
	"urn:stafett:interpreted-for":                                      {"Trenger tolk", "Needs an interpreter"},
	"urn:stafett:interpreter":                                          {"Foretrukket tolk", "Preferred interpreter"},
	"urn:stafett:interpreter-language":                                 {"Trenger tolk for språk", "Needs an interpreter for the language"},
	"urn:stafett:interval":                                             {"Gjentas hver", "Repeated every"},
	"urn:stafett:item-number":                                          {"Varenummer", "Item number"},
	"urn:stafett:journal-information":                                  {"Type journalinformasjon", "Kind of journal information"},
	"urn:stafett:keyword":                                              {"Stikkord", "Keyword"},
	"urn:stafett:lives-alone":                                          {"Bor alene", "Lives alone"},
	"urn:stafett:main-diagnosis":                                       {"Hoveddiagnose", "Main diagnosis"},
	"urn:stafett:may-end":                                              {"Tiltaket kan avsluttes", "The intervention may end"},
	"urn:stafett:medicines-agreed":                                     {"Avtale om administrering av legemidler", "Administration of medicines agreed"},
	"urn:stafett:medicines-remark":                                     {"Merknad til legemiddeladministrering", "Remark on the administration of medicines"},
	"urn:stafett:multidose":                                            {"Multidose", "Multidose"},
	"urn:stafett:multidose-agreed":                                     {"Avtale om multidose", "Multidose agreed"},
	"urn:stafett:needs-help-with-medicines":                            {"Trenger hjelp med legemidler", "Needs help with medicines"},
	"urn:stafett:not-to-be-forwarded":                                  {"Forbehold om videresending", "Not to be forwarded"},
	"urn:stafett:not-together":                                         {"Skal ikke tas sammen med annet legemiddel", "Not to be taken with another medicine"},
	"urn:stafett:nursing-responsible":                                  {"Ansvarlig for sykepleien", "Responsible for the nursing"},
	"urn:stafett:orally":                                               {"Gitt muntlig", "Given orally"},
	"urn:stafett:original-text":                                        {"Opprinnelig tekst", "Original text"},
	"urn:stafett:other-substance":                                      {"Annet stoff", "Other substance"},
	"urn:stafett:patient-books":                                        {"Pasient eller pårørende bestiller", "The patient or next of kin book"},
	"urn:stafett:performer-type":                                       {"Helsepersonellkategori", "Category of professional"},
	"urn:stafett:place":                                                {"Sted", "Place"},
	"urn:stafett:place-1":                                              {"Sted for innleggelsen", "Place of the admission"},
	"urn:stafett:place-2":                                              {"Sted for utskrivningen", "Place of the discharge"},
	"urn:stafett:place-3":                                              {"Sted, utskrivningsklar", "Place, ready for discharge"},
	"urn:stafett:pollen-or-sting":                                      {"Pollen eller insektstikk", "Pollen or stings"},
	"urn:stafett:prescriber":                                           {"Forskriver", "Prescriber"},
	"urn:stafett:private-service":                                      {"Privat tjeneste", "Private service"},
	"urn:stafett:recipient-type":                                       {"Type mottaker", "Kind of recipient"},
	"urn:stafett:relation":                                             {"Relasjon til rapporten", "Relation to the report"},
	"urn:stafett:remark":                                               {"Merknad", "Remark"},
	"urn:stafett:sequence":                                             {"Sekvensnummer", "Sequence number"},
	"urn:stafett:single-doses":                                         {"Enkeltdoser utlevert", "Single doses handed out"},
	"urn:stafett:special-measure":                                      {"Særskilt tiltak", "Special measure"},
	"urn:stafett:status-at-admission":                                  {"Status ved innleggelse", "Status at admission"},
	"urn:stafett:status-at-start":                                      {"Status ved behandlingsstart", "Status at the start of treatment"},
	"urn:stafett:stay-event":                                           {"Hendelse under oppholdet", "Event of the stay"},
	"urn:stafett:strength":                                             {"Styrke", "Strength"},
	"urn:stafett:tentative-place":                                      {"Sted for tentativ time", "Place of the tentative appointment"},
	"urn:stafett:tentative-remark":                                     {"Merknad til tentativ time", "Remark on the tentative appointment"},
	"urn:stafett:tentative-time":                                       {"Tentativt tidspunkt", "Tentative time"},
	"urn:stafett:units":                                                {"Omfang", "Extent"},
	"urn:stafett:until":                                                {"Til dato", "Until"},
	"urn:stafett:urgency":                                              {"Hastegrad", "Urgency"},
	"urn:stafett:weekday":                                              {"Fast ukedag", "Fixed day of the week"},
	"urn:stafett:withdrawn":                                            {"Trukket tilbake", "Withdrawn"},
	"urn:stafett:withdrawn-by":                                         {"Trukket tilbake av", "Withdrawn by"},
	"http://hl7.no/fhir/StructureDefinition/no-basis-middlename":       {"Mellomnavn", "Middle name"},
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
