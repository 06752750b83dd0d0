package mappings_test

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"stafett/fhir"
	"stafett/handover"
	"stafett/mappings/account"
	"stafett/mappings/engine"
)

// Parts of resources as FHIR allows them and no message of ours writes them: each once, beside
// what a message must have.
var odd = map[string][]string{
	"patient": {
		``, `"telecom":[{"system":"phone"}]`, `"telecom":[{"use":"home"}]`, `"telecom":[{"system":"url","value":"http://x.no/a b"}]`,
		`"telecom":[{"system":"email","value":"a b@x.no","use":"temp"}]`, `"telecom":[{"system":"fax","value":"22 33 44 55","use":"old"}]`,
		`"telecom":[{"value":"22334455"}]`, `"address":[{"use":"home"}]`, `"address":[{"country":"Norge"}]`,
		`"address":[{"type":"postal","line":["a","b","c"]}]`, `"address":[{"use":"billing","text":"x"}]`, `"address":[{"postalCode":"123 456","city":"Z"}]`,
		`"gender":"other"`, `"birthDate":"1950"`, `"birthDate":"1950-01"`, `"deceasedDateTime":"2020"`, `"deceasedBoolean":false`,
		`"photo":[{"contentType":"image/png","data":"AAAA"}]`, `"communication":[{"language":{"text":"norsk"}}]`,
	},
	"encounter": {
		`"hospitalization":{"dischargeDisposition":{"text":"hjem"}}`, `"hospitalization":{"dischargeDisposition":{"coding":[{"system":"http://x.no","code":"HOME","display":"Hjem"}]}}`,
		`"identifier":[{"system":"urn:x"}]`,
	},
	"practitioner": {
		`"name":[{"text":"Kari Lege"}]`, `"name":[{"family":"Lege"}]`, `"identifier":[{"system":"urn:x"}]`, `"identifier":[{"type":{"text":"x"}}],"name":[{"family":"A"}]`,
		`"telecom":[{"use":"work"}],"name":[{"family":"A"}]`, `"qualification":[{"code":{"text":"lege"}}],"name":[{"family":"A"}]`,
	},
	"unit": {
		`"name":"Slagenheten"`, `"identifier":[{"system":"urn:x"}],"name":"A"`, `"identifier":[{"value":"7"}]`, `"telecom":[{"use":"work"}],"name":"A"`,
		`"telecom":[{"system":"email","value":"a@x.no"}],"name":"A"`, `"address":[{"city":"A"}],"name":"A"`,
	},
}

var whole = map[string]string{
	"patient":       `"resourceType":"Patient","name":[{"family":"Lærke","given":["Oppdiktet"]}],"identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"12834840187"}]`,
	"encounter":     `"resourceType":"Encounter","status":"in-progress","class":{"code":"IMP"},"period":{"start":"2026-11-18T07:30:00+01:00"}`,
	"task":          `"resourceType":"Task","status":"requested","intent":"order","authoredOn":"2026-11-18T07:30:00+01:00","restriction":{"period":{"start":"2026-11-18","end":"2026-11-19"}}`,
	"communication": `"resourceType":"Communication","status":"completed","payload":[{"contentString":"Tekst"}],"sent":"2026-11-18T07:30:00+01:00"`,
	"practitioner":  `"resourceType":"Practitioner"`, "unit": `"resourceType":"Organization"`,
}

// What goes out is valid by the national schemas, and ER7, whatever its sender's FHIR has.
func TestOutgoing_IsValidWhateverTheResourcesHave(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(odd)) {
		for _, part := range odd[name] {
			for _, typ := range []string{"LOG_INNLAGT", "LOG_UTSKRIVNINGSKLAR", "LOG_AVMELDING", "LOG_UTSKREVET", "DIALOG_HELSEFAGLIG", "MDM^T02"} {
				t.Run(name+" "+typ, func(t *testing.T) { outgoingIsValid(t, name, part, typ) })
			}
		}
	}
}

func outgoingIsValid(t *testing.T, name, part, typ string) {
	t.Helper()
	wire := handover.WireKITH
	if typ == "MDM^T02" {
		wire = handover.WireHL7v2
	}
	m, ok := embedded(t).For(wire, typ, "", "")
	if !ok {
		t.Fatalf("no mapping makes %s", typ)
	}
	c := account.Canonical{Header: tellHeader(wire), Event: handover.EventAdmitted, Kind: handover.KindDischarge, Facts: map[string]string{}}
	for _, own := range []string{"patient", "encounter", "task", "communication", "practitioner", "unit"} {
		text := whole[own]
		switch {
		case own == name && part != "":
			text += "," + part
		case own == "practitioner" || own == "unit":
			continue
		}
		n, err := fhir.Parse([]byte("{"+text+"}"), fhir.DefaultLimits())
		if err != nil {
			t.Fatalf("%s: %v", part, err)
		}
		c.Resources = append(c.Resources, account.Named{Name: own, Resource: n})
	}
	tree, _, err := engine.FromFHIR(m, c, engine.Context{})
	if err != nil {
		t.Fatalf("%s with %s: %v", typ, part, err)
	}
	raw := encode(t, wire, tree)
	wellFormed(t, wire, raw)
	validateXML(t, wire, raw)
	if t.Failed() {
		t.Fatalf("%s with %s", typ, part)
	}
	if logistics := bytes.Contains(raw, []byte("Pasientlogistikk")); logistics && !bytes.Contains(raw, []byte("InformasjonOmForsendelsen")) {
		t.Errorf("%s with %s lacks what the schema demands", typ, part)
	}
}
