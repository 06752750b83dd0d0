package language

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"stafett/fhir"
	"stafett/mappings/account"
	"stafett/message"
)

// A law draws wire values of a converter's domain: from(to(x)) == x for each.
type law struct {
	args []string
	draw func(t *rapid.T, zone *time.Location) string
	// changed is what the way back writes instead, where a wire has two spellings.
	changed func(x string) string
}

// oslo is the zone of a party that names none.
func oslo(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func constant(values ...string) func(*rapid.T, *time.Location) string {
	return func(t *rapid.T, _ *time.Location) string { return rapid.SampledFrom(values).Draw(t, "value") }
}

func text(pattern string) func(*rapid.T, *time.Location) string {
	return func(t *rapid.T, _ *time.Location) string { return rapid.StringMatching(pattern).Draw(t, "text") }
}

// localTime draws a local time that exists, and is not repeated, in the party's zone.
func localTime(layout string) func(*rapid.T, *time.Location) string {
	return func(t *rapid.T, zone *time.Location) string {
		at := time.Unix(rapid.Int64Range(-2_000_000_000, 4_000_000_000).Draw(t, "at"), 0).In(zone)
		return at.Format(layout)
	}
}

func oneOf(draws ...func(*rapid.T, *time.Location) string) func(*rapid.T, *time.Location) string {
	return func(t *rapid.T, zone *time.Location) string {
		return draws[rapid.IntRange(0, len(draws)-1).Draw(t, "kind")](t, zone)
	}
}

func withFraction(draw func(*rapid.T, *time.Location) string) func(*rapid.T, *time.Location) string {
	return func(t *rapid.T, zone *time.Location) string {
		return draw(t, zone) + "." + rapid.StringMatching(`[0-9]{1,4}`).Draw(t, "fraction")
	}
}

func laws() map[string][]law {
	hl7 := "20060102150405"
	xml := "2006-01-02T15:04:05"
	return map[string][]law{
		"text": {{draw: text(`.{1,40}`)}},
		"ts": {{draw: oneOf(localTime("2006"), localTime("200601"), localTime("20060102"), localTime(hl7), withFraction(localTime(hl7)))},
			{draw: localTime("200601021504"), changed: func(x string) string { return x + "00" }}},
		"tsdate":     {{draw: oneOf(localTime("2006"), localTime("200601"), localTime("20060102"))}},
		"tsinstant":  {{draw: localTime(hl7)}},
		"xmlts":      {{draw: oneOf(localTime("2006"), localTime("2006-01"), localTime("2006-01-02"), localTime(xml), withFraction(localTime(xml)))}},
		"xmlinstant": {{draw: localTime(xml)}},
		"xmlmoment":  {{draw: oneOf(localTime(xml), withFraction(localTime(xml)))}},
		"xmldate":    {{draw: localTime("2006-01-02")}},
		"oid":        {{draw: text(`[0-2](\.[1-9][0-9]{0,8}){1,9}`)}},
		"tel":        {{draw: text(`tel:\+?[0-9]{3,15}`)}},
		"number":     {{draw: text(`-?(0|[1-9][0-9]{0,9})(\.[0-9]{1,6})?`)}},
		"base64":     {{draw: text(`([A-Za-z0-9+/]{4}){1,15}`)}},
		"boolean":    {{draw: constant("true", "false")}},
		"yes":        {{args: []string{"J", "N"}, draw: constant("J", "N")}},
		"prefix":     {{args: []string{"urn:stafett:visit:"}, draw: text(`.{1,20}`)}},
		"markup":     {{draw: text(`.{1,40}`)}},
		"divtext":    {{draw: text(`[!-~æøåÆØÅ]([ -~æøåÆØÅ\n]{0,40}[!-~æøåÆØÅ])?`)}},
		"mailto":     {{draw: text(`mailto:[a-z]{1,9}@[a-z]{1,9}\.no`)}},
		"phone":      {{draw: text(`[0-9 ]{8,12}`)}},
		"email":      {{draw: text(`[a-z]{1,9}@[a-z]{1,9}\.no`)}},
		"digits":     {{draw: text(`[0-9]{11}`)}, {draw: text(`[0-9]{6} [0-9]{5}`), changed: withoutBlanks}},
		"kommune":    {{draw: text(`[0-9]{4}`)}},
		"protects":   {{args: []string{"Y", "N"}, draw: constant("Y", "N")}},
		"stated":     {{args: []string{"J", "N"}, draw: constant("J", "N")}},
		"answertext": {{args: []string{"KAN_MOTTA"}, draw: func(t *rapid.T, zone *time.Location) string {
			return "SVAR=KAN_MOTTA;DATO=" + localTime("2006-01-02")(t, zone)
		}}},
	}
}

func TestConverterLaws(t *testing.T) {
	all := laws()
	for _, name := range converterNames() {
		switch name {
		case "concept", "names", "svarlinje", "flawed", "restricts", "unreadable", "emptied", "xhtml", "div", "personname":
			continue // laws of their own below; and readings that have no way back, by their names
		}
		if len(all[name]) == 0 {
			t.Errorf("converter %s has no law", name)
		}
		for _, l := range all[name] {
			conv, err := converters[name].of(l.args, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Run(name, func(t *testing.T) { checkLaw(t, conv, l) })
		}
	}
}

func checkLaw(t *testing.T, conv *Converter, l law) {
	zones := []*time.Location{oslo(t), time.UTC, time.FixedZone("", 5*3600+1800)}
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom(zones).Draw(t, "zone")
		x := l.draw(t, zone)
		out, how, reason := conv.To(zone, x)
		if how != Converted {
			if reason == "this local time does not exist in the party's time zone" || strings.HasPrefix(x, "0000") {
				return
			}
			t.Fatalf("%q is of the domain and is not converted: %s", x, reason)
		}
		back, how, reason := conv.From(zone, out)
		if how != Converted {
			t.Fatalf("%q became %q, which has no way back: %s", x, out, reason)
		}
		if l.changed != nil {
			x = l.changed(x)
		}
		// The hour that is repeated in autumn is told with its offset.
		if back != x && !strings.HasPrefix(back, x) {
			t.Fatalf("from(to(%q)) = %q", x, back)
		}
		if again, _, _ := conv.To(zone, back); again != out {
			t.Fatalf("to(from(%q)) = %q", out, again)
		}
	})
}

// The times of FHIR come back as the same moment, whatever their offset.
func TestDateTimeLawFromFHIR(t *testing.T) {
	zone := oslo(t)
	for _, name := range []string{"ts", "xmlts", "tsinstant", "xmlinstant"} {
		conv, _ := converters[name].of(nil, nil)
		rapid.Check(t, func(t *rapid.T) {
			at := time.Unix(rapid.Int64Range(0, 4_000_000_000).Draw(t, "at"), 0)
			offset := rapid.IntRange(-12, 14).Draw(t, "offset")
			x := at.In(time.FixedZone("", offset*3600)).Format(time.RFC3339)
			wire, how, reason := conv.From(zone, x)
			if how != Converted {
				t.Fatalf("%s: %s: %s", name, x, reason)
			}
			back, how, reason := conv.To(zone, wire)
			if how != Converted {
				t.Fatalf("%s: %s became %s: %s", name, x, wire, reason)
			}
			if got, err := time.Parse(time.RFC3339, back); err != nil || !got.Equal(at) {
				t.Fatalf("%s: %s became %s and then %s", name, x, wire, back)
			}
		})
	}
}

// Concept maps: every code that has a line both ways comes back; what a one-way line makes has a way back.
func TestConceptMapLaws(t *testing.T) {
	lib := &library{concepts: map[string]*conceptMap{}}
	for _, file := range []string{"../concept/codes.map", "../concept/names.map"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := parseConcepts(file, string(data), lib.concepts); err != nil {
			t.Fatal(err)
		}
	}
	for name, m := range lib.concepts {
		if strings.HasPrefix(name, "navn-") {
			continue
		}
		conv, err := concept([]string{name}, lib.concepts)
		if err != nil {
			t.Fatal(err)
		}
		for wire, code := range m.to {
			out, how, _ := conv.To(nil, wire)
			if how != Converted || out != code {
				t.Errorf("%s: %s became %q", name, wire, out)
			}
			if m.from[code] != wire && m.to[m.from[code]] != code {
				t.Errorf("%s: %s = %s has no way back that means the same", name, wire, code)
			}
		}
		for code, wire := range m.from {
			if m.to[wire] == "" {
				t.Errorf("%s: %s is written for %s and cannot be read", name, wire, code)
			}
		}
		if _, how, reason := conv.To(nil, "\x00"); how == Converted || reason == "" {
			t.Errorf("%s: an unknown code is not told", name)
		}
	}
}

func TestAnswerLine(t *testing.T) {
	for _, c := range []struct {
		text, answer, day string
		ok                bool
	}{
		{"SVAR=KAN_MOTTA;DATO=2026-11-25", "KAN_MOTTA", "2026-11-25", true},
		{"SVAR=KAN_MOTTA;DATO=2026-11-25\r\nVelkommen", "KAN_MOTTA", "2026-11-25", true},
		{"SVAR=KAN_IKKE_MOTTA;DATO=2026-11-30\nfullt", "KAN_IKKE_MOTTA", "2026-11-30", true},
		{"SVAR=KAN_IKKE_MOTTA;DATO=UKJENT", "KAN_IKKE_MOTTA", "", true},
		{"SVAR=KAN_MOTTA;DATO=UKJENT", "", "", false},
		{"SVAR=KAN_MOTTA;DATO=2026-02-30", "", "", false},
		{"SVAR=KAN_MOTTA;DATO=2026-11-25 ", "", "", false},
		{" SVAR=KAN_MOTTA;DATO=2026-11-25", "", "", false},
		{"svar=kan_motta;dato=2026-11-25", "", "", false},
		{"Hei!\nSVAR=KAN_MOTTA;DATO=2026-11-25", "", "", false},
		{"", "", "", false},
	} {
		answer, day, ok := parseAnswerLine(c.text)
		if ok != c.ok || ok && (answer != c.answer || day != c.day) {
			t.Errorf("%q: %q %q %v", c.text, answer, day, ok)
		}
	}
}

func TestDateTimeEdges(t *testing.T) {
	zone := oslo(t)
	for _, c := range []struct{ conv, in, out string }{
		{"ts", "20260329023000", ""},                          // the hour that spring skips
		{"ts", "20261025023000", "2026-10-25T02:30:00+01:00"}, // repeated in autumn,
		{"ts", "20261025023000+0200", "2026-10-25T02:30:00+02:00"},
		{"ts", "20261120101500.1230+0100", "2026-11-20T10:15:00.1230+01:00"},
		{"ts", "20261120101500-0330", "2026-11-20T10:15:00-03:30"},
		{"ts", "2026112010", "2026-11-20T10:00:00+01:00"}, // until 2.4
		{"ts", "20261120100000Z", ""},
		{"ts", "20261320", ""},
		{"ts", "20261120246000", ""},
		{"ts", "i morgen", ""},
		{"ts", "2026-11-20", ""},
		{"xmlts", "2026-11-20T10:15:00Z", "2026-11-20T10:15:00Z"},
		{"xmlts", "2026-11-20T10:15:00.5", "2026-11-20T10:15:00.5+01:00"},
		{"xmlts", "2026-07-01T10:15:00", "2026-07-01T10:15:00+02:00"},
		{"xmlts", "10:15:00", ""},
		{"xmlts", "2026-11-30T24:00:00", "2026-12-01T00:00:00+01:00"},
		{"xmlts", "2026-12-31T24:00:00.0Z", "2027-01-01T00:00:00Z"},
		{"xmlts", "2026-11-30T24:00:01", ""},
		{"xmlts", "2026-02-30T24:00:00", ""},
		{"xmldate", "2026-11-20+01:00", ""},
	} {
		conv, _ := converters[c.conv].of(nil, nil)
		out, how, reason := conv.To(zone, c.in)
		if c.out == "" && (how != Unconvertible || reason == "") || c.out != "" && (how != Converted || out != c.out) {
			t.Errorf("%s(%q) = %q %v %q, want %q", c.conv, c.in, out, how, reason, c.out)
		}
	}
	if out, _, _ := dateTimeToHL7(zone, "2026-10-25T02:30:00+02:00"); out != "20261025023000+0200" {
		t.Errorf("the repeated hour is told without its offset: %s", out)
	}
	if out, how, _ := hl7ToDate(zone, "194803120430"); out != "1948-03-12" || how != Partly {
		t.Errorf("a birth date with a time: %s %v", out, how)
	}
}

// No converter panics, or makes something of a verdict that says it made nothing.
func FuzzConverters(f *testing.F) {
	for _, s := range []string{"20261120", "2026-11-20T10:15:00", "tel:", "SVAR=", "2.16", "\xff", "+", "....", "-0", "1e9", "M"} {
		f.Add(s)
	}
	concepts := map[string]*conceptMap{
		"c": {name: "c", kind: fhir.KindString, to: map[string]string{"a": "b"}, from: map[string]string{"b": "a"}},
		"n": {name: "n", names: true, kind: fhir.KindString, to: map[string]string{"a": "b"}},
	}
	zone := oslo(f)
	args := map[string][]string{"concept": {"c"}, "names": {"n"}, "yes": {"J", "N"}, "prefix": {"p:"}, "svarlinje": {"day"}, "answertext": {"KAN_MOTTA"},
		"protects": {"Y", "N"}, "stated": {"J", "N"}, "unreadable": {"PV1-44"}, "emptied": {"gone"}}
	f.Fuzz(func(t *testing.T, s string) {
		for name, spec := range converters {
			conv, err := spec.of(args[name], concepts)
			if err != nil {
				t.Fatal(fmt.Errorf("%s: %w", name, err))
			}
			for _, d := range []direction{conv.To, conv.From} {
				if out, how, reason := d(zone, s); how == Unconvertible && (out != "" || reason == "") {
					t.Fatalf("%s(%q): %q, reason %q", name, s, out, reason)
				}
			}
		}
	})
}

// What a policy and a protection read of a flag: yes, no, and what says neither.
func TestFlagsThatCannotBeRead(t *testing.T) {
	for _, c := range []struct{ conv, in, out string }{
		{"protects", "Y", "true"}, {"protects", "J", "true"}, {"protects", "1", "true"}, {"protects", "True", "true"}, {"protects", "kode 6", "true"},
		{"protects", "N", "false"}, {"protects", "0", "false"}, {"protects", "false", "false"},
		{"stated", "J", "true"}, {"stated", "N", "false"}, {"stated", "Y", account.Unreadable}, {"stated", "kanskje", account.Unreadable},
		{"restricts", "ALL", "true"},
	} {
		args := map[string][]string{"protects": {"Y", "N"}, "stated": {"J", "N"}}
		conv, err := converters[c.conv].of(args[c.conv], nil)
		if err != nil {
			t.Fatal(err)
		}
		if out, _, _ := conv.To(nil, c.in); out != c.out {
			t.Errorf("%s(%s) = %s, want %s", c.conv, c.in, out, c.out)
		}
	}
	deleted, _ := converters["emptied"].of([]string{"gone"}, nil)
	for in, want := range map[string]string{explicitNull: "gone", "PEN": "", "": ""} {
		if out, _ := deleted.Whole(&message.Node{Value: in}); out != want {
			t.Errorf("emptied(%s) = %q", in, out)
		}
	}
	conv, _ := converters["unreadable"].of([]string{"PV1-44"}, nil)
	for in, want := range map[string]string{"20261126100000Z": "PV1-44", "i går": "PV1-44", "20261126": "", "202611261000": ""} {
		if out, _, _ := conv.To(oslo(t), in); out != want {
			t.Errorf("unreadable(%s) = %q", in, out)
		}
	}
}

// A name in one text comes back as it was, with the parts that it names beside it.
func TestPersonNameLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.StringMatching(`[A-Åa-å ,.'-]{1,40}`).Draw(t, "name")
		n := composeName(x)
		if back, _ := spellName(n); back != x {
			t.Fatalf("%q became %s and then %q", x, n.JSON(), back)
		}
	})
	for _, c := range []struct{ wire, family, given string }{
		{"Nordmann, Kari Anne", "Nordmann", "Kari Anne"}, {"Kari Nordmann", "Nordmann", "Kari"}, {"Nordmann", "Nordmann", ""}, {"Nordmann,Kari", "Nordmann", "Kari"},
	} {
		if n := composeName(c.wire); n.Str("family") != c.family || n.Str("given") != c.given {
			t.Errorf("%q became %s", c.wire, n.JSON())
		}
	}
	whole := fhir.Obj("family", "Nordmann", "given", fhir.Arr(fhir.Str("Kari")),
		"extension", fhir.Arr(fhir.Obj("url", middleName, "valueString", "Anne")))
	if text, told := spellName(whole); text != "Nordmann, Kari Anne" || len(told) != 4 {
		t.Errorf("%q, of %d values", text, len(told))
	}
}

// The content of an element with markup comes back as it was; div also where there is none.
func TestMarkupLaw(t *testing.T) {
	text := func(s string) *message.Node { return &message.Node{Name: textName, Value: s} }
	el := func(name string, kids ...*message.Node) *message.Node {
		return &message.Node{Name: name, Space: spaceXHTML, Children: kids}
	}
	p := &message.Node{Name: "p", Space: spaceXHTML, Value: "a < b & \"c\"\u00a0"}
	styled := el("td", &message.Node{Name: "@style", Value: `x:"y"`}, text("1 "), el("b", text("2")), text(" 3"))
	styled.Children[2] = &message.Node{Name: "b", Space: spaceXHTML, Value: "2"}
	for name, n := range map[string]*message.Node{
		"a div":            {Children: []*message.Node{el("div", p, el("br"), el("table", el("tr", styled, el("td"))))}},
		"elements":         {Children: []*message.Node{p, p}},
		"text and element": {Children: []*message.Node{text("before "), p, text(" after")}},
		"text":             {Value: "first line\nsecond < third"},
	} {
		for _, conv := range []Converter{xhtml(nil), div(nil)} {
			out, how, reason := conv.Read(n)
			if how == Absent && name == "text" {
				continue
			}
			if how != Converted {
				t.Errorf("%s: %s", name, reason)
				continue
			}
			value, kids, ok := conv.Build(out)
			if back := (&message.Node{Value: value, Children: kids}); !ok || cmp.Diff(n, back) != "" {
				t.Errorf("%s became %s\n%s", name, out, cmp.Diff(n, back))
			}
		}
	}
	for name, n := range map[string]*message.Node{
		"script":  {Children: []*message.Node{el("div", el("script", text("x()")))}},
		"other":   {Children: []*message.Node{{Name: "div", Value: "x"}}},
		"handler": {Children: []*message.Node{el("div", &message.Node{Name: "@onclick", Value: "x()"}, p)}},
	} {
		if _, how, _ := div(nil).Read(n); how != Unconvertible {
			t.Errorf("%s is %v", name, how)
		}
	}
}
