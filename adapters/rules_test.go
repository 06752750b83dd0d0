package adapters_test

import (
	"slices"
	"testing"

	"stafett/adapters"
	"stafett/adapters/fhirbundle"
	"stafett/adapters/hl7v2"
	"stafett/adapters/kith"
	"stafett/handover"
)

// National messages carry discharges, FHIR what has no national message here.
func TestByRank(t *testing.T) {
	codecs := map[handover.Wire]adapters.Codec{}
	for _, c := range []adapters.Codec{&hl7v2.Codec{}, kith.Codec{}, fhirbundle.Codec{}} {
		codecs[c.Wire()] = c
	}
	rest := []handover.Wire{handover.WireFHIR, handover.WireKITH, handover.WireHL7v2}
	for k, want := range map[handover.Kind][]handover.Wire{
		handover.KindDischarge:    {handover.WireKITH, handover.WireHL7v2, handover.WireFHIR},
		handover.KindReferral:     rest,
		handover.KindCoordination: rest,
		"":                        rest,
	} {
		if got := adapters.ByRank(codecs, k); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", k, got, want)
		}
	}
	if got := adapters.ByRank(nil, handover.KindReferral); len(got) != 0 {
		t.Errorf("nothing is served, and yet %v", got)
	}
}

// What a party must do for its receipts, and what a wire does with what it cannot place.
func TestRules_OfTheThreeWires(t *testing.T) {
	parked := map[handover.Wire][]handover.FaultKind{
		handover.WireHL7v2: {handover.FaultReceiverUnknown, handover.FaultNoRoute, handover.FaultIllegal, handover.FaultAmbiguous},
		handover.WireKITH: {handover.FaultInvalid, handover.FaultReceiverUnknown, handover.FaultNoRoute, handover.FaultNotFound,
			handover.FaultGone, handover.FaultConflict, handover.FaultPrecondition, handover.FaultIllegal, handover.FaultUnmapped, handover.FaultAmbiguous},
		handover.WireFHIR: nil,
	}
	fast := map[handover.Wire]bool{handover.WireHL7v2: true, handover.WireFHIR: true}
	for _, c := range []adapters.Codec{&hl7v2.Codec{}, kith.Codec{}, fhirbundle.Codec{}} {
		if c.FastReceipt() != fast[c.Wire()] {
			t.Errorf("%s: fast %t", c.Wire(), c.FastReceipt())
		}
		for _, kind := range handover.FaultKinds() {
			if want := !slices.Contains(parked[c.Wire()], kind); c.Refuses(kind) != want {
				t.Errorf("%s: %s refused %t, want %t", c.Wire(), kind, !want, want)
			}
		}
	}
}
