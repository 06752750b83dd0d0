package mappings_test

import (
	"testing"
	"time"

	"stafett/fhir"
	"stafett/handover"
	"stafett/mappings/account"
	"stafett/mappings/engine"
	"stafett/mappings/language"
	"stafett/message"
)

func benchSource(b *testing.B, file string) (*language.Program, *message.Message, engine.Context) {
	b.Helper()
	g := readGolden(b, "testdata/"+file+".txtar")
	m, env := g.source(b)
	mapping, ok := embedded(b).For(m.Wire, env.Type, env.Version, "")
	if !ok {
		b.Fatal("no mapping")
	}
	return mapping, m, engine.Context{Header: headerOf(env)}
}

func BenchmarkToFHIR(b *testing.B) {
	for _, file := range []string{"adt-a16", "adt-a01", "log-utskrivningsklar", "dialog-notat"} {
		b.Run(file, func(b *testing.B) {
			mapping, m, ctx := benchSource(b, file)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := engine.ToFHIR(mapping, m, ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFromFHIR(b *testing.B) {
	mapping, m, ctx := benchSource(b, "adt-a16")
	c, _, err := engine.ToFHIR(mapping, m, ctx)
	if err != nil {
		b.Fatal(err)
	}
	out, _ := embedded(b).For(handover.WireKITH, "LOG_UTSKRIVNINGSKLAR", "", "")
	to := engine.Context{Header: tellHeader(handover.WireKITH)}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := engine.FromFHIR(out, c, to); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkByHand translates the same fields of adt-a01 without a mapping, without fates
// and without a way back: what the engine costs on top.
func BenchmarkByHand(b *testing.B) {
	_, m, _ := benchSource(b, "adt-a01")
	b.ReportAllocs()
	for b.Loop() {
		if byHand(m.Root).Resource("patient") == nil {
			b.Fatal("no patient")
		}
	}
}

func byHand(root *message.Node) *account.Canonical {
	pid, pv1, evn := root.Child("PID"), root.Child("PV1"), root.Child("EVN")
	c := &account.Canonical{Event: handover.EventAdmitted, Kind: handover.KindDischarge, Facts: map[string]string{}}
	c.Header.ID, c.Header.Sender.Facility = root.Text("MSH", "10"), root.Text("MSH", "4")
	patient := fhir.Obj("resourceType", "Patient", "active", true)
	for _, id := range pid.All("3") {
		if id.Text("5") == "FNR" {
			patient.Append("identifier", fhir.Identifier(fhir.SystemFNR, id.Text("1")))
		}
	}
	patient.Set("name", fhir.Arr(fhir.Obj("family", pid.Text("5", "1"), "given", fhir.Arr(fhir.Str(pid.Text("5", "2"))),
		"extension", fhir.Arr(fhir.Obj("url", "http://hl7.no/fhir/StructureDefinition/no-basis-middlename", "valueString", pid.Text("5", "3"))))))
	patient.Set("birthDate", fhir.Str(handDate(pid.Text("7"))))
	patient.Set("gender", fhir.Str(map[string]string{"M": "male", "F": "female"}[pid.Text("8")]))
	for _, a := range pid.All("11") {
		patient.Append("address", fhir.Obj("line", fhir.Arr(fhir.Str(a.Text("1"))), "city", a.Text("3"), "postalCode", a.Text("5"), "country", a.Text("6"), "use", "home"))
	}
	patient.Append("telecom", fhir.Obj("system", "phone", "use", "home", "value", pid.Text("13", "1")))
	c.Facts["kommunenummer"], c.Facts["postalCode"] = pid.Text("11", "9"), pid.Text("11", "5")
	doctor := fhir.Obj("resourceType", "Practitioner", "identifier", fhir.Arr(fhir.Identifier(fhir.SystemHPR, pv1.Text("7", "1"))),
		"name", fhir.Arr(fhir.Obj("family", pv1.Text("7", "2"), "given", fhir.Arr(fhir.Str(pv1.Text("7", "3"))))))
	unit := fhir.Obj("resourceType", "Organization", "name", pv1.Text("3", "9"), "identifier", fhir.Arr(fhir.Identifier("", pv1.Text("3", "1"))))
	encounter := fhir.Obj("resourceType", "Encounter", "status", "in-progress", "class", fhir.Coding("http://terminology.hl7.org/CodeSystem/v3-ActCode", "IMP", ""),
		"identifier", fhir.Arr(fhir.Identifier("urn:stafett:visit:FJELLHEIM", pv1.Text("19"))), "period", fhir.Obj("start", handTime(pv1.Text("44"))))
	task := fhir.Obj("resourceType", "Task", "intent", "order", "authoredOn", handTime(evn.Text("6")), "code", fhir.Concept("urn:stafett:handover-kind", "discharge", ""),
		"for", fhir.Obj("reference", "urn:stafett:patient"), "encounter", fhir.Obj("reference", "urn:stafett:encounter"))
	c.Resources = []account.Named{{Name: "patient", Resource: patient}, {Name: "practitioner", Resource: doctor},
		{Name: "unit", Resource: unit}, {Name: "encounter", Resource: encounter}, {Name: "task", Resource: task}}
	for _, d := range root.All("DG1") {
		c.Resources = append(c.Resources, account.Named{Name: "condition-1", Resource: fhir.Obj("resourceType", "Condition",
			"code", fhir.Concept(fhir.SystemICD10NO, d.Text("3", "1"), d.Text("3", "2")), "recordedDate", handDate(d.Text("5")))})
	}
	for _, o := range root.All("OBX") {
		if o.Text("3", "1") == "KOMTJ" && o.Text("5", "1") == "J" {
			c.Facts["knownRecipient"] = "true"
		}
	}
	return c
}

func handDate(s string) string {
	if len(s) < 8 {
		return ""
	}
	return s[:4] + "-" + s[4:6] + "-" + s[6:8]
}

func handTime(s string) string {
	t, err := timeIn(s)
	if err != nil {
		return ""
	}
	return t
}

func timeIn(s string) (string, error) {
	t, err := time.ParseInLocation("20060102150405", s, time.UTC)
	return t.Format(time.RFC3339), err
}
