package fhir

import (
	"encoding/json"
	"strings"
	"testing"
)

// benchTask is a Task of about 4 KB, as a party writes it.
func benchTask() []byte {
	input := strings.Repeat(`{
      "type": {"coding": [{"system": "urn:stafett:example", "code": "function", "display": "Funksjonsnivå"}]},
      "valueCodeableConcept": {"coding": [{"system": "urn:oid:2.16.578.1.12.4.1.1.9111", "code": "5"}], "text": "Bevege seg innendørs"}
    },`, 12)
	return []byte(`{
  "resourceType": "Task",
  "id": "9f1c1f6e-8a0f-4c3a-b8a4-3b0f0d6c7a11",
  "meta": {"lastUpdated": "2026-11-22T05:00:00.000+01:00", "versionId": "3"},
  "identifier": [{"system": "urn:example:stay", "value": "S-1001"}],
  "status": "requested", "intent": "order", "priority": "routine",
  "code": {"coding": [{"system": "urn:stafett:handover-kind", "code": "discharge"}]},
  "for": {"reference": "Patient/p1"}, "encounter": {"reference": "Encounter/e1"},
  "executionPeriod": {"start": "2026-11-23"}, "authoredOn": "2026-11-22T04:00:00+01:00",
  "requester": {"identifier": {"system": "urn:oid:2.16.578.1.12.4.1.2", "value": "80001"}},
  "owner": {"identifier": {"system": "urn:oid:2.16.578.1.12.4.1.2", "value": "80002"}},
  "input": [` + strings.TrimSuffix(input, ",") + `]
}`)
}

func BenchmarkParse(b *testing.B) {
	raw := benchTask()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(raw, DefaultLimits()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse_EncodingJSON(b *testing.B) {
	raw := benchTask()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	n, err := Parse(benchTask(), DefaultLimits())
	if err != nil {
		b.Fatal(err)
	}
	dst := n.AppendJSON(nil)
	b.SetBytes(int64(len(dst)))
	b.ReportAllocs()
	for b.Loop() {
		dst = n.AppendJSON(dst[:0])
	}
}
