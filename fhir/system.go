package fhir

import (
	"strings"
	"unicode"
)

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

// PreferredSystem returns the preferred URI of an identifier or code system that is known
// by another one, in capitals or as a bare OID, or system itself.
func PreferredSystem(system string) string {
	if preferred, ok := systemSpelled[spelledSystem(system)]; ok {
		return preferred
	}
	return system
}

// systemSpelled is preferredSystem by the spelling of spelledSystem, the preferred ones included.
var systemSpelled = func() map[string]string {
	out := map[string]string{}
	for known, preferred := range preferredSystem {
		out[spelledSystem(known)], out[spelledSystem(preferred)] = preferred, preferred
	}
	return out
}()

// SystemMeant is the preferred URI of the system that a reader takes a system for, however it is
// spelled: in capitals, as a bare OID, with signs that are not seen. Another one is spelled plainly.
func SystemMeant(system string) string {
	spelled := spelledSystem(system)
	if s, ok := systemSpelled[spelled]; ok {
		return s
	}
	return spelled
}

// spelledSystem is a system without what tells two spellings of one apart.
func spelledSystem(system string) string {
	s := strings.ToLower(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, system))
	s = strings.TrimRight(strings.TrimPrefix(strings.TrimPrefix(s, "urn:"), "oid:"), "/.#")
	return strings.TrimPrefix(strings.TrimPrefix(s, "https://"), "http://")
}
