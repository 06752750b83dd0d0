package fhir

import "strings"

// Identifier systems of Norwegian health care (hl7.fhir.no.basis 2.2.2 and the national
// code-system package), in the form that is preferred in FHIR.
const (
	SystemFNR           = "urn:oid:2.16.578.1.12.4.1.4.1"   // fødselsnummer
	SystemDNR           = "urn:oid:2.16.578.1.12.4.1.4.2"   // D-nummer
	SystemFHN           = "urn:oid:2.16.578.1.12.4.1.4.3"   // felles hjelpenummer
	SystemHPR           = "urn:oid:2.16.578.1.12.4.1.4.4"   // helsepersonellnummer
	SystemDUF           = "urn:oid:2.16.578.1.12.4.1.4.5"   // DUF-nummer, 12 digits
	SystemOrgNumber     = "urn:oid:2.16.578.1.12.4.1.4.101" // organisasjonsnummer (ENH)
	SystemRESH          = "urn:oid:2.16.578.1.12.4.1.4.102" // RESH-id
	SystemAKO           = "urn:oid:2.16.578.1.12.4.1.4.107" // apotekkonsesjon
	SystemHER           = "urn:oid:2.16.578.1.12.4.1.2"     // HER-id, both levels
	SystemKommunenummer = "https://register.geonorge.no/sosi-kodelister/kommunenummer"
	SystemBydelsnummer  = "http://data.ssb.no/api/klass/v1/versions/919"
)

// Code systems of diagnoses and of Norwegian code lists.
const (
	SystemICPC2   = "http://hl7.org/fhir/sid/icpc-2"
	SystemICD10NO = "http://hl7.org/fhir/sid/icd-10-no"
)

var preferredSystem = map[string]string{
	"http://hl7.no/fhir/NamingSystem/FNR":    SystemFNR,
	"http://hl7.no/fhir/NamingSystem/DNR":    SystemDNR,
	"http://hl7.no/fhir/NamingSystem/FHNR":   SystemFHN,
	"http://hl7.no/fhir/NamingSystem/HPR":    SystemHPR,
	"http://hl7.no/fhir/NamingSystem/DUFN":   SystemDUF,
	"http://data.brreg.no/begrep/28155":      SystemOrgNumber,
	"http://hl7.no/fhir/NamingSystem/RESHid": SystemRESH,
	"http://hl7.no/fhir/NamingSystem/AKO":    SystemAKO,
	"http://hl7.no/fhir/NamingSystem/HERid":  SystemHER,
	"urn:oid:2.16.578.1.12.4.1.1.3402":       SystemKommunenummer,
	"urn:oid:2.16.578.1.12.4.1.1.3403":       SystemBydelsnummer,
	"urn:oid:2.16.578.1.12.4.1.1.7170":       SystemICPC2,
	"urn:oid:2.16.840.1.113883.6.139":        SystemICPC2,
	"urn:oid:2.16.578.1.12.4.1.1.7110":       SystemICD10NO,
}

// bySpelling are the preferred URIs by every known one in lower case.
var bySpelling = func() map[string]string {
	out := map[string]string{}
	for known, preferred := range preferredSystem {
		out[strings.ToLower(known)] = preferred
		out[strings.ToLower(preferred)] = preferred
	}
	for _, preferred := range []string{SystemFNR, SystemDNR, SystemFHN, SystemHPR, SystemDUF, SystemOrgNumber, SystemRESH, SystemAKO, SystemHER} {
		out[strings.ToLower(preferred)] = preferred
	}
	return out
}()

// PreferredSystem returns the preferred URI of an identifier or code system that is known
// by another one, in capitals or as a bare OID, or system itself.
func PreferredSystem(system string) string {
	spelling := strings.ToLower(strings.TrimSpace(system))
	for _, s := range []string{spelling, "urn:oid:" + spelling} {
		if preferred, ok := bySpelling[s]; ok {
			return preferred
		}
	}
	return system
}
