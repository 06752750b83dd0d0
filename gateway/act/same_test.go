package act

import (
	"fmt"
	"strings"
	"testing"

	"stafett/fhir"
)

// someone is a patient as a message says it; empty for what it leaves out.
type someone struct{ fnr, dnr, mrn, flawed, family, given, born, sex, street string }

func (p someone) node() *fhir.Node {
	n := fhir.Obj("resourceType", "Patient")
	var ids []*fhir.Node
	id := func(system, value string) {
		if value != "" {
			ids = append(ids, fhir.Obj("system", system, "value", value))
		}
	}
	id(fhir.SystemFNR, p.fnr)
	id(fhir.SystemDNR, p.dnr)
	id("urn:oid:2.16.578.1.12.4.1.9.9", p.mrn)
	if p.flawed != "" {
		ids = append(ids, fhir.Obj("value", p.flawed, "type", fhir.Obj("text", "FNR")))
	}
	if len(ids) > 0 {
		n.Set("identifier", fhir.Arr(ids...))
	}
	if p.family+p.given != "" {
		name := fhir.Obj()
		if p.family != "" {
			name.Set("family", fhir.Str(p.family))
		}
		if p.given != "" {
			name.Set("given", fhir.Arr(fhir.Str(p.given)))
		}
		n.Set("name", fhir.Arr(name))
	}
	if p.born != "" {
		n.Set("birthDate", fhir.Str(p.born))
	}
	if p.sex != "" {
		n.Set("gender", fhir.Str(p.sex))
	}
	if p.street != "" {
		n.Set("address", fhir.Arr(fhir.Obj("line", fhir.Arr(fhir.Str(p.street)), "postalCode", "9901")))
	}
	return n
}

// TestInvariant9_WhoIsTheSame: what one message says of a patient against what another does, by
// the sender itself and by another party.
func TestInvariant9_WhoIsTheSame(t *testing.T) {
	known := someone{fnr: "12034800241", mrn: "771", family: "Myrvang", given: "Solveig", born: "1948-03-12", sex: "female", street: "Storgata 1"}
	is := func(edit func(*someone)) someone {
		p := known
		edit(&p)
		return p
	}
	const other = "12834800126"
	for _, c := range []struct {
		name           string
		told           someone
		sender, anyone bool
		correction     Correction
	}{
		{"as known", known, true, true, Correction{}},
		{"the number alone", someone{fnr: known.fnr}, true, true, Correction{}},
		{"the number in groups", is(func(p *someone) { p.fnr = "120348 00241" }), true, true, Correction{}},
		{"the number under another name", is(func(p *someone) { p.fnr, p.dnr = "", known.fnr }), true, true, Correction{}},
		{"another family name", is(func(p *someone) { p.family = "Strand" }), true, true, Correction{Name: true}},
		{"another birth date", is(func(p *someone) { p.born = "1948-03-13" }), true, true, Correction{Name: true}},
		{"no number, as known", is(func(p *someone) { p.fnr, p.mrn = "", "" }), true, true, Correction{}},
		{"no number, another spelling", is(func(p *someone) { p.fnr, p.mrn, p.family = "", "", "MYR-VANG" }), true, true, Correction{}},
		{"no number, another given name", is(func(p *someone) { p.fnr, p.mrn, p.given = "", "", "Sol" }), true, true, Correction{Name: true}},
		{"no number, another family name", is(func(p *someone) { p.fnr, p.mrn, p.family = "", "", "Strand" }), true, false, Correction{Name: true}},
		{"no number, another name, address", is(func(p *someone) { p.fnr, p.mrn, p.family, p.given = "", "", "Strand", "Kari" }), false, false, Correction{}},
		{"two children of one day", is(func(p *someone) { p.fnr, p.mrn, p.given = "", "", "Sigrid" }), false, false, Correction{}},
		{"no number, another name, other sex", is(func(p *someone) { p.fnr, p.mrn, p.family, p.given, p.sex = "", "", "Strand", "Kari", "male" }), false, false, Correction{}},
		{"no number, another name and address", is(func(p *someone) { p.fnr, p.mrn, p.family, p.given, p.street = "", "", "Strand", "Kari", "Vegen 2" }), false, false, Correction{}},
		{"no number, another birth date", is(func(p *someone) { p.fnr, p.mrn, p.born = "", "", "1948-03-13" }), false, false, Correction{}},
		{"no number, no birth date", is(func(p *someone) { p.fnr, p.mrn, p.born = "", "", "" }), false, false, Correction{}},
		{"the sender's own number", someone{mrn: "771", family: "Strand", given: "Kari", born: "1950-01-01"}, true, false, Correction{Name: true}},
		{"a corrected number", is(func(p *someone) { p.fnr, p.mrn = other, "" }), true, false, Correction{Number: true}},
		{"a corrected number and family name", is(func(p *someone) { p.fnr, p.mrn, p.family = other, "", "Strand" }), true, false, Correction{Number: true, Name: true}},
		{"a corrected number by the sender's own", is(func(p *someone) { p.fnr, p.given = other, "Sol" }), true, false, Correction{Number: true, Name: true}},
		{"a twin", is(func(p *someone) { p.fnr, p.mrn, p.given = other, "", "Sigrid" }), false, false, Correction{}},
		{"a number that replaces a temporary one", is(func(p *someone) { p.fnr, p.dnr = "", "52034800230" }), true, true, Correction{}},
		{"another person", someone{fnr: "05906500134", family: "Strand", given: "Ingrid", born: "1965-10-05", sex: "female", street: "Vegen 2"}, false, false, Correction{}},
		{"nobody's marks", someone{}, false, false, Correction{}},
	} {
		for from, want := range map[string]bool{"the sender": c.sender, "another": c.anyone} {
			was, told := personOf(known.node()), personOf(c.told.node())
			if got := isSame(was, told, from == "the sender"); got != want {
				t.Errorf("%s, by %s: %v", c.name, from, got)
			}
		}
		was, told := personOf(known.node()), personOf(c.told.node())
		if got := (Correction{Number: contradicts(was.national, told.national), Name: was.named(told)}); c.sender && got != c.correction {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	for _, dummy := range []string{"00000000000", "99999999999"} {
		a := someone{flawed: dummy, family: "Ukjent", given: "Mann", born: "1950-01-01"}
		b := someone{flawed: dummy, family: "Ukjend", given: "Kvinne", born: "1960-01-01"}
		if isSame(personOf(a.node()), personOf(b.node()), true) {
			t.Errorf("a number that is typed for whoever has none names somebody")
		}
	}
}

// TestInvariant9_WhoIsTheSame_Pairs: over all pairs of marks it is symmetric, whoever tells more
// is the same less often by others than by the sender, and without a birth date or a shared
// number nobody is the same.
func TestInvariant9_WhoIsTheSame_Pairs(t *testing.T) {
	var all []someone
	for _, fnr := range []string{"", "12034800241", "12834800126"} {
		for _, family := range []string{"", "Myrvang", "Ås"} {
			for _, given := range []string{"", "Solveig", "Sigrid"} {
				for _, born := range []string{"", "1948-03-12", "1949-03-12"} {
					for _, mrn := range []string{"", "771"} {
						all = append(all, someone{fnr: fnr, mrn: mrn, family: family, given: given, born: born, sex: "female"})
					}
				}
			}
		}
	}
	for _, a := range all {
		for _, b := range all {
			x, y := personOf(a.node()), personOf(b.node())
			sender, anyone := isSame(x, y, true), isSame(x, y, false)
			shared := a.fnr != "" && a.fnr == b.fnr || a.mrn != "" && a.mrn == b.mrn
			pair := fmt.Sprintf("%+v and %+v", a, b)
			switch {
			case sender != isSame(y, x, true) || anyone != isSame(y, x, false):
				t.Fatalf("not symmetric: %s", pair)
			case anyone && !sender:
				t.Fatalf("the sender may less: %s", pair)
			case sender && !shared && (a.born == "" || a.born != b.born):
				t.Fatalf("the same without a birth date: %s", pair)
			case anyone && a.fnr != b.fnr && a.fnr != "" && b.fnr != "":
				t.Fatalf("two numbers, told by another: %s", pair)
			case a.fnr != "" && a.fnr == b.fnr && !anyone:
				t.Fatalf("one number: %s", pair)
			}
		}
	}
}

// TestRenumbered: a number that is only spelled or called otherwise is filed where it was.
func TestRenumbered(t *testing.T) {
	of := func(system, value string) person {
		return personOf(fhir.Obj("resourceType", "Patient", "identifier", []*fhir.Node{fhir.Obj("system", system, "value", value)}))
	}
	was := of(fhir.SystemDNR, "52834840170")
	for _, c := range []struct {
		is   person
		want bool
	}{
		{of(fhir.SystemDNR, "528348 40170"), false}, {of(fhir.SystemFNR, "52834840170"), false}, {person{}, false},
		{of(fhir.SystemFNR, "12834840187"), true},
	} {
		if renumbered(was, c.is) != c.want {
			t.Errorf("%+v: %v", c.is.national, !c.want)
		}
	}
}

// TestFolded: how people spell one name.
func TestFolded(t *testing.T) {
	for a, b := range map[string]string{
		"Myrvang": "MYRVANG", "Berg-Hansen": "berg hansen", "Ås": "AAS", "Sørli": "SOERLI", "Lærdal": "Laerdal",
		"André": "Andre", "O'Brien": "OBrien", "A\u030As": "Ås", "Müller": "Mueller", "Ødegård": "Oedegaard",
	} {
		if folded(a) != folded(b) {
			t.Errorf("%s and %s", a, b)
		}
	}
	if folded("Berg") == folded("Borg") || strings.Contains(folded("Å-s"), "-") {
		t.Error("two names are one")
	}
}
