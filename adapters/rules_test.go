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
	rules := map[handover.Wire]adapters.Rules{}
	for _, r := range []adapters.Rules{&hl7v2.Codec{}, kith.Codec{}, fhirbundle.Wire{}} {
		rules[r.Wire()] = r
	}
	rest := []handover.Wire{handover.WireFHIR, handover.WireKITH, handover.WireHL7v2}
	for k, want := range map[handover.Kind][]handover.Wire{
		handover.KindDischarge:    {handover.WireKITH, handover.WireHL7v2, handover.WireFHIR},
		handover.KindReferral:     rest,
		handover.KindCoordination: rest,
		"":                        rest,
	} {
		if got := adapters.ByRank(rules, k); !slices.Equal(got, want) {
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
	}
	fast := map[handover.Wire]bool{handover.WireHL7v2: true, handover.WireFHIR: true}
	for _, r := range []adapters.Rules{&hl7v2.Codec{}, kith.Codec{}, fhirbundle.Wire{}} {
		if r.FastReceipt() != fast[r.Wire()] {
			t.Errorf("%s: fast %t", r.Wire(), r.FastReceipt())
		}
		c, ok := r.(adapters.Codec)
		if _, want := parked[r.Wire()]; ok != want {
			t.Errorf("%s: messages come through intake %t, want %t", r.Wire(), ok, want)
		}
		if !ok {
			continue
		}
		for _, kind := range handover.FaultKinds() {
			if want := !slices.Contains(parked[c.Wire()], kind); c.Refuses(kind) != want {
				t.Errorf("%s: %s refused %t, want %t", c.Wire(), kind, !want, want)
			}
		}
	}
}
