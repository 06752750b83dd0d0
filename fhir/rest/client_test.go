package rest

import "testing"

func TestConditionOf_AsClientsWriteIt(t *testing.T) {
	for given, want := range map[string]string{
		"identifier=a|b": "identifier=a|b", "?identifier=a|b": "identifier=a|b", "Patient?identifier=a|b": "identifier=a|b",
		" http://gateway.test/fhir/Patient?identifier=a%7Cb ": "identifier=a%7Cb", "Observation?identifier=a": "Observation?identifier=a",
		"identifier=a?b": "identifier=a?b", "": "",
	} {
		if got := conditionOf("Patient", given); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}

func TestCapability_NamesNothingThatIsRefused(t *testing.T) {
	for typ, refused := range withheld {
		for _, i := range refused {
			for _, declared := range interactions(typ) {
				if declared == i {
					t.Errorf("%s declares %s", typ, i)
				}
			}
		}
	}
	if len(interactions("Patient")) != 8 {
		t.Errorf("%v", interactions("Patient"))
	}
}
