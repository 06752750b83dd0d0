package ledgertest

import (
	"sort"
	"strings"
	"testing"
	"time"

	"stafett/fhir/search"
	"stafett/handover"
	"stafett/ledger"
)

func day(d int) time.Time { return time.Date(2026, 3, d, 0, 0, 0, 0, time.UTC) }

// searched are resources whose rows differ in every kind.
func searched() []ledger.ResourceWrite {
	res := func(id string, rows ...search.Row) ledger.ResourceWrite {
		return ledger.ResourceWrite{Type: "Observation", ID: id, JSON: []byte(`{}`), Rows: rows, Grants: granted(hospital, "")}
	}
	token := func(system, code string) search.Row {
		return search.Row{Param: "code", Kind: search.KindToken, System: system, Value: code}
	}
	name := func(v string) search.Row { return search.Row{Param: "name", Kind: search.KindString, Value: v} }
	date := func(low, high time.Time) search.Row {
		return search.Row{Param: "date", Kind: search.KindDate, Low: low, High: high}
	}
	number := func(n float64, unit string) search.Row {
		return search.Row{Param: "value-quantity", Kind: search.KindQuantity, Number: n, Unit: unit, System: "http://unitsofmeasure.org"}
	}
	ref := func(typ, id string) search.Row {
		return search.Row{Param: "subject", Kind: search.KindReference, RefType: typ, RefID: id}
	}
	long := strings.Repeat("æ", 2000)
	return []ledger.ResourceWrite{
		res("a", token("s1", "x"), search.Row{Param: "name", Kind: search.KindString, Value: "hansen", System: "Hansen"}, date(day(10), day(11)), number(1.5, "kg"), ref("Patient", "1"), search.Row{Param: "url", Kind: search.KindURI, Value: "http://a/b"}),
		res("b", token("s2", "x"), token("s1", "z"), name("hans_en%"), date(day(10).Add(time.Hour), day(10).Add(2*time.Hour)), number(-3, "kg"), ref("Group", "1")),
		res("c", token("", "x"), name("johansen"), date(day(12), time.Time{}), number(100, "g"), search.Row{Param: "subject", Kind: search.KindReference, RefID: "http://other/Patient/9"}),
		res("d", token("s1", "y"), name(long), date(time.Time{}, day(9)), number(0, "kg"),
			search.Row{Param: "subject", Kind: search.KindReference, System: "urn:oid:1", Value: "n1"},
			search.Row{Param: "_id", Kind: search.KindToken, Value: "d"}, search.Row{Param: "_lastUpdated", Kind: search.KindDate, Low: day(4), High: day(4)}),
		res("e"),
	}
}

func testSearch(t *testing.T, h Harness) {
	s := h.Open(t)
	other := sampleResource("Patient", "a", "", 1, Start)
	other.Rows = searched()[0].Rows
	stored := must(t, s, ledger.Unit{Resources: append(searched(), other)})[0].Resources
	for _, test := range searchCases(stored) {
		t.Run(test.name, func(t *testing.T) {
			for _, viewer := range []handover.PartyID{"", hospital} {
				page, err := s.Search(ctx, search.Query{Type: "Observation", Count: 100, Total: true, Clauses: test.clauses}, viewer)
				if err != nil {
					t.Fatal(err)
				}
				var ids []string
				for _, r := range page.Resources {
					ids = append(ids, r.ID)
				}
				sort.Strings(ids)
				if got := strings.Join(ids, ""); got != test.want || page.Total != len(test.want) {
					t.Errorf("viewer %q: got %q (total %d), want %q", viewer, got, page.Total, test.want)
				}
			}
		})
	}
	for _, c := range []search.Clause{{Param: "code", Kind: search.KindToken}, {Param: "x", Kind: "composite", Values: []search.Value{{}}},
		{Param: "date", Kind: search.KindDate, Values: []search.Value{{Prefix: "ap"}}}, {Param: "n", Kind: search.KindNumber, Values: []search.Value{{Prefix: "sa"}}}} {
		_, err := s.Search(ctx, search.Query{Type: "Observation", Count: 1, Clauses: []search.Clause{c}}, "")
		wantInvalid(t, err)
	}
}

type searchCase struct {
	name    string
	clauses []search.Clause
	want    string
}

// searchCases are what is found of searched, stored as given.
func searchCases(stored []ledger.Stored) []searchCase {
	clause := func(param string, kind search.Kind, mod search.Modifier, values ...search.Value) search.Clause {
		return search.Clause{Param: param, Kind: kind, Modifier: mod, Values: values}
	}
	code := func(mod search.Modifier, values ...search.Value) search.Clause {
		return clause("code", search.KindToken, mod, values...)
	}
	name := func(mod search.Modifier, v string) []search.Clause {
		return []search.Clause{clause("name", search.KindString, mod, search.Value{Value: v})}
	}
	subject := func(mod search.Modifier, v search.Value) []search.Clause {
		return []search.Clause{clause("subject", search.KindReference, mod, v)}
	}
	date := func(p search.Prefix, low, high time.Time) []search.Clause {
		return []search.Clause{clause("date", search.KindDate, "", search.Value{Prefix: p, Low: low, High: high})}
	}
	updated := func(p search.Prefix, d int) []search.Clause {
		return []search.Clause{clause("_lastUpdated", search.KindDate, "", search.Value{Prefix: p, Low: stored[d-1].At, High: stored[d].At})}
	}
	quantity := func(p search.Prefix, n float64, unit string) []search.Clause {
		return []search.Clause{clause("value-quantity", search.KindQuantity, "", search.Value{Prefix: p, Number: n, Value: unit})}
	}
	id := func(mod search.Modifier, ids ...string) search.Clause {
		c := clause("_id", search.KindToken, mod)
		for _, v := range ids {
			c.Values = append(c.Values, search.Value{Value: v})
		}
		return c
	}
	one := func(c ...search.Clause) []search.Clause { return c }
	x := search.Value{Value: "x"}
	return []searchCase{
		{"everything of the type", nil, "abcde"},
		{"code", one(code("", x)), "abc"},
		{"system|code", one(code("", search.Value{System: "s1", HasSystem: true, Value: "x"})), "a"},
		{"|code", one(code("", search.Value{HasSystem: true, Value: "x"})), "c"},
		{"system|", one(code("", search.Value{System: "s1", HasSystem: true})), "abd"},
		{"code or code", one(code("", x, search.Value{Value: "y"})), "abcd"},
		{"code and code", one(code("", x), code("", search.Value{Value: "z"})), "b"},
		{"code:not", one(code(search.ModifierNot, x)), "de"},
		{"code:not with code", one(code(search.ModifierNot, search.Value{Value: "z"}), code("", x)), "ac"},
		{"code in other case", one(code("", search.Value{Value: "X"})), ""},
		{"code:missing=true", one(code(search.ModifierMissing, search.Value{Value: "true"})), "e"},
		{"code:missing=false", one(code(search.ModifierMissing, search.Value{Value: "false"})), "abcd"},
		{"subject:missing=true", subject(search.ModifierMissing, search.Value{Value: "true"}), "e"},
		{"subject:missing=false", subject(search.ModifierMissing, search.Value{Value: "false"}), "abcd"},
		{"unknown parameter", one(clause("none", search.KindToken, "", x)), ""},
		{"string starts with", name("", "hans"), "ab"},
		{"string is not contained", name("", "ansen"), ""},
		{"string:exact", one(clause("name", search.KindString, search.ModifierExact, search.Value{Value: "hansen", System: "Hansen"})), "a"},
		{"string:exact in other case", one(clause("name", search.KindString, search.ModifierExact, search.Value{Value: "hansen", System: "hansen"})), ""},
		{"string:contains", name(search.ModifierContains, "hansen"), "ac"},
		{"wildcards are plain text", name(search.ModifierContains, "s_e"), "b"},
		{"percent is plain text", name("", "%"), ""},
		{"quotes are plain text", name("", `' OR 1=1 --`), ""},
		{"long string starts with", name("", strings.Repeat("æ", 20)), "d"},
		{"long string:exact", name(search.ModifierExact, strings.Repeat("æ", 2000)), "d"},
		{"longer string:exact", name(search.ModifierExact, strings.Repeat("æ", 2001)), ""},
		{"type/id", subject("", search.Value{RefType: "Patient", RefID: "1"}), "a"},
		{"bare id", subject("", search.Value{RefID: "1"}), "ab"},
		{"absolute reference", subject("", search.Value{RefID: "http://other/Patient/9"}), "c"},
		{"reference:identifier", subject(search.ModifierIdentifier, search.Value{Value: "n1"}), "d"},
		{"reference:identifier with system", subject(search.ModifierIdentifier, search.Value{System: "urn:oid:1", HasSystem: true, Value: "n1"}), "d"},
		{"reference:identifier of another system", subject(search.ModifierIdentifier, search.Value{System: "urn:oid:2", HasSystem: true, Value: "n1"}), ""},
		{"an identifier is no id", subject("", search.Value{RefID: "n1"}), ""},
		{"uri", one(clause("url", search.KindURI, "", search.Value{Value: "http://a/b"})), "a"},
		{"uri is whole", one(clause("url", search.KindURI, "", search.Value{Value: "http://a"})), ""},
		// Rows: a [10,11), b one hour of the 10th, c [12, open), d [open, 9).
		{"date", date("", day(10), day(11)), "ab"},
		{"date eq hour", date(search.PrefixEq, day(10).Add(time.Hour), day(10).Add(2*time.Hour)), "b"},
		{"date ne", date(search.PrefixNe, day(10), day(11)), "cd"},
		{"date gt", date(search.PrefixGt, day(10), day(11)), "c"},
		{"date gt hour", date(search.PrefixGt, day(10), day(10).Add(time.Hour)), "abc"},
		{"date ge", date(search.PrefixGe, day(10), day(11)), "abc"},
		{"date lt", date(search.PrefixLt, day(10), day(11)), "d"},
		{"date lt later", date(search.PrefixLt, day(13), day(14)), "abcd"},
		{"date le", date(search.PrefixLe, day(10), day(11)), "abd"},
		{"quantity", quantity("", 1.5, ""), "a"},
		{"quantity with unit", quantity(search.PrefixGe, -10, "kg"), "abd"},
		{"quantity with unit of a system", one(clause("value-quantity", search.KindQuantity, "", search.Value{Number: 1.5, Value: "kg", System: "http://unitsofmeasure.org"})), "a"},
		{"quantity with unit of another system", one(clause("value-quantity", search.KindQuantity, "", search.Value{Number: 1.5, Value: "kg", System: "x"})), ""},
		{"quantities of either", one(clause("value-quantity", search.KindQuantity, "", search.Value{Number: 100}, search.Value{Number: 1.5, Value: "kg", System: "http://unitsofmeasure.org"})), "ac"},
		{"quantity gt", quantity(search.PrefixGt, 0, ""), "ac"},
		{"quantity lt", quantity(search.PrefixLt, 0, ""), "b"},
		{"quantity le", quantity(search.PrefixLe, 0, ""), "bd"},
		{"quantity ge", quantity(search.PrefixGe, 1.5, ""), "ac"},
		{"quantity ne", quantity(search.PrefixNe, 0, ""), "abc"},
		{"_id", one(id("", "b", "d", "x")), "bd"},
		{"_id and code", one(id("", "b", "d"), code("", x)), "b"},
		{"_id:not", one(id(search.ModifierNot, "b")), "acde"},
		{"_id:missing", one(id(search.ModifierMissing, "true")), ""},
		{"_lastUpdated", updated("", 3), "c"},
		{"_lastUpdated ge", updated(search.PrefixGe, 3), "cde"},
		{"_lastUpdated gt", updated(search.PrefixGt, 3), "de"},
		{"_lastUpdated lt", updated(search.PrefixLt, 3), "ab"},
		{"_lastUpdated le", updated(search.PrefixLe, 3), "abc"},
		{"_lastUpdated ne", updated(search.PrefixNe, 3), "abde"},
		{"everything at once", append(append(date(search.PrefixGe, day(1), day(2)), name("", "h")...), code("", x), id("", "a")), "a"},
	}
}
