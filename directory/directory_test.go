package directory_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stafett/adapters/fhirbundle"
	"stafett/adapters/hl7v2"
	"stafett/adapters/kith"
	"stafett/directory"
	"stafett/handover"
)

var served = []directory.Wire{&hl7v2.Codec{}, kith.Codec{}, fhirbundle.Wire{}}

func example(t testing.TB) *directory.Directory {
	t.Helper()
	d, err := directory.Load("testdata/example.yaml", served...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestExampleIsWholeAndWithoutWarnings(t *testing.T) {
	d := example(t)
	if w := d.Warnings(); len(w) != 0 {
		t.Errorf("warnings %v", w)
	}
	if n := len(d.Parties()); n != 3 {
		t.Fatalf("%d parties, want 3", n)
	}
	p, ok := d.Party("fjellheim-sykehus")
	if !ok || p.Type != directory.TypeHospital || p.Line != 5 {
		t.Fatalf("hospital %+v %v", p, ok)
	}
	if !p.StartPolicy.KnownRecipient || !p.StartPolicy.AssessedNeed || p.StartPolicy.Units[0] != "SLAG" {
		t.Errorf("start policy %+v", p.StartPolicy)
	}
	if p.Location().String() != "Europe/Oslo" || (directory.Party{}).Location().String() != "Europe/Oslo" {
		t.Errorf("zone %v", p.Location())
	}
	s := p.Services[0]
	if !s.CommitAnswer || s.KeyFile != "env:STAFETT_FJELLHEIM_KEY_FILE" || s.Wire != handover.WireHL7v2 {
		t.Errorf("service %+v", s)
	}
}

func TestLookUps(t *testing.T) {
	d := example(t)
	id := func(p directory.Party, ok bool) handover.PartyID {
		if !ok {
			return ""
		}
		return p.ID
	}
	her := func(h string) (handover.PartyID, string) {
		p, s, ok := d.ByHER(h)
		if !ok || s == nil {
			return id(p, ok), ""
		}
		return p.ID, s.Name
	}
	for h, want := range map[string][2]string{
		"80001": {"fjellheim-sykehus", ""}, "80202": {"dalvik-kommune", "saksbehandling"},
		"80301": {"solbakken-rehabilitering", "rehabilitering"}, "": {}, "1": {},
	} {
		if p, s := her(h); string(p) != want[0] || s != want[1] {
			t.Errorf("ByHER(%q) = %q %q, want %v", h, p, s, want)
		}
	}
	for name, c := range map[string]struct{ got, want handover.PartyID }{
		"org number":       {id(d.ByOrgNumber("999001017")), "dalvik-kommune"},
		"no org number":    {id(d.ByOrgNumber("")), ""},
		"facility":         {id(d.ByFacility("FJELLHEIM")), "fjellheim-sykehus"},
		"facility case":    {id(d.ByFacility("fjellheim")), ""},
		"certificate":      {id(d.ByCertificateCN("fjellheim.example.test")), "fjellheim-sykehus"},
		"no certificate":   {id(d.ByCertificateCN("")), ""},
		"kommunenummer":    {id(d.ByKommunenummer("9901")), "dalvik-kommune"},
		"no kommunenummer": {id(d.ByKommunenummer("")), ""},
		"unknown party":    {id(d.Party("nobody")), ""},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", name, c.got, c.want)
		}
	}
}

func TestServiceFor(t *testing.T) {
	p, _ := example(t).Party("dalvik-kommune")
	for _, c := range []struct {
		wire handover.Wire
		typ  string
		want string
	}{
		{handover.WireKITH, "LOG_INNLAGT", "sykepleietjeneste"},
		{"", "LOG_UTSKRIVNINGSKLAR", "saksbehandling"},
		{handover.WireKITH, "", "sykepleietjeneste"},
		{handover.WireHL7v2, "LOG_INNLAGT", ""},
		{handover.WireKITH, "EPIKRISE", ""},
	} {
		s, ok := p.ServiceFor(c.wire, c.typ)
		if s.Name != c.want || ok != (c.want != "") {
			t.Errorf("ServiceFor(%q, %q) = %q %v, want %q", c.wire, c.typ, s.Name, ok, c.want)
		}
	}
}

// minimal is a valid party to which cases add their lines; %s take its id and more fields.
const minimal = `  - id: %s
    name: N
    type: municipality
    services: [{name: s, wire: kith, url: "http://127.0.0.1:1/x", takes: ["*"]}]
    contacts: [{name: c, service: s}]
%s`

func file(parties ...string) string {
	var b strings.Builder
	b.WriteString("parties:\n")
	for i := 0; i < len(parties); i += 2 {
		more := ""
		for _, l := range strings.Split(parties[i+1], "\n") {
			if l != "" {
				more += "    " + l + "\n"
			}
		}
		fmt.Fprintf(&b, minimal, parties[i], more)
	}
	return b.String()
}

func TestRoutePrefersPlaceThenKind(t *testing.T) {
	d, err := directory.Parse("d.yaml", []byte(file("a", `routes:
  - {kommunenummer: "0301", to: k-all}
  - {kommunenummer: 0301, kind: referral, to: k-ref}
  - {postalFrom: "0001", postalTo: "0999", to: p-all}
  - {postalFrom: "0500", postalTo: "0500", kind: discharge, to: p-dis}
  - {postalFrom: "2000", postalTo: "2999", to: p-all}
  - {default: true, to: d-all}
  - {default: true, kind: coordination, to: d-coo}
`, "k-all", "", "k-ref", "", "p-all", "", "p-dis", "", "d-all", "", "d-coo", "")), served...)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		kind         handover.Kind
		kommune, zip string
		want         handover.PartyID
	}{
		{handover.KindReferral, "0301", "0500", "k-ref"},
		{handover.KindDischarge, "0301", "0500", "k-all"},
		{handover.KindDischarge, "4601", "0500", "p-dis"},
		{handover.KindReferral, "", "0500", "p-all"},
		{handover.KindReferral, "", "0001", "p-all"},
		{handover.KindReferral, "", "0999", "p-all"},
		{handover.KindReferral, "", "1000", "d-all"},
		{handover.KindCoordination, "", "", "d-coo"},
		{handover.KindReferral, "", "500", "d-all"},
		{handover.KindReferral, "", "05000", "d-all"},
		{handover.KindReferral, "", "2999", "p-all"},
		{handover.KindReferral, "", "3000", "d-all"},
	} {
		p, ok := d.Route("a", c.kind, c.kommune, c.zip)
		if !ok || p.ID != c.want {
			t.Errorf("Route(%s, %q, %q) = %q %v, want %q", c.kind, c.kommune, c.zip, p.ID, ok, c.want)
		}
	}
	if p, ok := d.Route("k-all", handover.KindReferral, "0301", "0500"); ok {
		t.Errorf("a party without routes found %q", p.ID)
	}
	if _, ok := d.Route("nobody", handover.KindReferral, "0301", "0500"); ok {
		t.Error("an unknown sender found a route")
	}
}

func TestProblemsNameTheirLine(t *testing.T) {
	cases := map[string]struct {
		text string
		want []string // each a prefix of one problem, all problems in order
	}{
		"empty":           {"", []string{"d.yaml:1: the file is empty"}},
		"comment only":    {"# nothing\n", []string{"d.yaml:1: the file is empty"}},
		"not YAML":        {"parties:\n  - id: [\n", []string{"d.yaml:2: not YAML"}},
		"two documents":   {file("a", "") + "---\n" + file("b", ""), []string{"d.yaml:"}},
		"no parties":      {"parties: []\n", []string{"d.yaml:1: the file names no parties"}},
		"unknown top key": {"partys: []\n", []string{`d.yaml:1: the file has no field "partys"; did you mean parties?`}},
		"parties no list": {"parties: x\n", []string{"d.yaml:1: parties must be a list"}},
		"party no map":    {"parties: [x]\n", []string{"d.yaml:1: a party must be a mapping", "d.yaml:1: a party needs an id", "d.yaml:1: party  needs a name", "d.yaml:1: party : type must be", "d.yaml:1: party  needs at least one contact"}},
		"unknown key":     {file("a", "hre: 80001"), []string{`d.yaml:7: a party has no field "hre"`}},
		"repeated key":    {file("a", "her: 80001\nher: 80002"), []string{"d.yaml:8: a party: field her is given twice, first in line 7"}},
		"null":            {file("a", "her:"), []string{"d.yaml:7: her is empty"}},
		"list for a text": {file("a", "her: [1]"), []string{"d.yaml:7: her must be one value"}},
		"alias": {file("a", "her: &h 80001\norgNumber: *h"),
			[]string{"d.yaml:8: orgNumber: aliases are not taken"}},
		"HL7 settings": {file("a", "hl7: {charset: EBCDIC, stayNumber: [PV1-50, PV1-5], refuseFeed: true}"), []string{
			"d.yaml:7: character set EBCDIC is not one that is read", "d.yaml:7: a stay's number is read from one of PV1-50, PID-18"}},
		"flag": {file("a", "startPolicy: {knownRecipient: yes}"), []string{"d.yaml:7: knownRecipient must be true or false"}},
		"same party id": {file("a", "", "a", ""),
			[]string{"d.yaml:7: party id a is used twice, first in line 2"}},
		"unsafe party ids": {file("a.b", "", "Å", "", "'*'", "", "-a", ""), []string{
			`d.yaml:2: party id "a.b"`, `d.yaml:7: party id "Å"`, `d.yaml:12: party id "*"`, `d.yaml:17: party id "-a"`}},
		"same HER, level 1 and 2": {"parties:\n  - id: a\n    name: N\n    type: gp\n    her: 80001\n    services:\n      - {name: s, wire: fhir, url: \"http://127.0.0.1/\"}\n      - {name: t, wire: fhir, her: 80001}\n    contacts: [{name: c, service: s}]\n",
			[]string{"d.yaml:8: HER-id 80001 is used twice, first in line 5"}},
		"same service name": {"parties:\n  - id: a\n    name: N\n    type: gp\n    services:\n      - {name: s, wire: fhir, url: \"http://127.0.0.1/\"}\n      - {name: s, wire: fhir, certFile: file:/x}\n    contacts: [{name: c, service: s}]\n",
			[]string{"d.yaml:7: service s is named twice in party a, first in line 6", "d.yaml:7: service s: certFile and keyFile go together"}},
		"HER letters":     {file("a", "her: 8o"), []string{"d.yaml:7: HER-id must be digits"}},
		"same HER":        {file("a", "her: 80001", "b", "her: 80001"), []string{"d.yaml:13: HER-id 80001 is used twice, first in line 7"}},
		"same org number": {file("a", "orgNumber: 999001009", "b", "orgNumber: 999001009"), []string{"d.yaml:13: organisation number 999001009 is used twice"}},
		"short org":       {file("a", "orgNumber: 99900"), []string{"d.yaml:7: organisation number must be nine digits"}},
		"same facility": {file("a", "facilities:\n  - X\n  - X"),
			[]string{"d.yaml:9: facility X is used twice, first in line 8"}},
		"facility with components": {file("a", "facilities: [X^Y]"), []string{"d.yaml:7: facility: give MSH-4's first component"}},
		"same certificate": {file("a", "credentials:\n  - certificateCN: x", "b", "credentials:\n  - certificateCN: x"),
			[]string{"d.yaml:15: certificate CN x is used twice, first in line 8"}},
		"same token":    {file("a", "credentials:\n  - token: env:X", "b", "credentials:\n  - token: env:X"), []string{"d.yaml:15: token reference is used twice, first in line 8"}},
		"two in one":    {file("a", "credentials:\n  - {token: env:X, certificateCN: x}"), []string{"d.yaml:8: a credential needs exactly one"}},
		"literal token": {file("a", "credentials:\n  - token: hemmelig-i-klartekst"), []string{"d.yaml:8: token: a secret is given by reference"}},
		"digest":        {file("a", "credentials:\n  - tokenSHA256: ABC"), []string{"d.yaml:8: tokenSHA256 must be 64"}},
		"kommunenummer": {file("a", "kommunenummer: [301, 0301]"), []string{"d.yaml:7: kommunenummer must be four digits"}},
		"kommune twice": {file("a", "kommunenummer: [0301]", "b", "kommunenummer: [0301]"), []string{"d.yaml:13: kommunenummer 0301 is used twice: party b has it, and first party a in line 7"}},
		"kommune twice in one party": {file("a", "kommunenummer: [0301, 0301]"), []string{
			"d.yaml:7: kommunenummer 0301 is used twice: party a has it, and first party a in line 7"}},
		"kommune of another": {file("a", "routes:\n  - {to: b, kommunenummer: 0301}\n  - {to: c, kommunenummer: 0301, kind: referral}", "b", "", "c", "kommunenummer: [0301]"), []string{
			"d.yaml:8: a route sends kommunenummer 0301 to municipality b, and it is municipality c that has it"}},
		"kommune of another, by kind": {file("a", "routes:\n  - {to: b, kommunenummer: 0301, kind: referral}", "b", "kommunenummer: [4601]", "c", "kommunenummer: [0301]"), []string{
			"d.yaml:8: a route sends kommunenummer 0301 to municipality b, and it is municipality c that has it"}},
		"time zone":        {file("a", "timeZone: Europe/Trolla"), []string{`d.yaml:7: time zone "Europe/Trolla" is not known`}},
		"local time":       {file("a", "timeZone: Local"), []string{`d.yaml:7: time zone "Local" is not known`}},
		"language":         {file("a", "language: tlh"), []string{`d.yaml:7: language "tlh": nb or en`}},
		"time zone path":   {file("a", "timeZone: ../../etc/passwd"), []string{"d.yaml:7: time zone"}},
		"overlay":          {file("a", "overlay: ../x"), []string{"d.yaml:7: overlay"}},
		"route unknown":    {file("a", "routes:\n  - {default: true, to: b}"), []string{`d.yaml:8: a route goes to "b", which is no party`}},
		"route itself":     {file("a", "routes:\n  - {default: true, to: a}"), []string{"d.yaml:8: party a routes to itself"}},
		"route nowhere":    {file("a", "routes:\n  - {default: true}"), []string{"d.yaml:8: a route needs a party to go to"}},
		"route no place":   {file("a", "routes:\n  - {to: b}", "b", ""), []string{"d.yaml:8: a route needs exactly one of"}},
		"route two places": {file("a", "routes:\n  - {to: b, default: true, kommunenummer: 0301}", "b", ""), []string{"d.yaml:8: a route needs exactly one of"}},
		"route kind":       {file("a", "routes:\n  - {to: b, default: true, kind: transfer}", "b", ""), []string{"d.yaml:8: a route's kind must be one of"}},
		"half a range":     {file("a", "routes:\n  - {to: b, postalFrom: 0001}", "b", ""), []string{"d.yaml:8: postalFrom and postalTo must both be four digits"}},
		"range backwards":  {file("a", "routes:\n  - {to: b, postalFrom: 0002, postalTo: 0001}", "b", ""), []string{"d.yaml:8: postalFrom comes after postalTo"}},
		"ranges overlap": {file("a", `routes:
  - {to: b, postalFrom: 0001, postalTo: 0500}
  - {to: b, postalFrom: 0500, postalTo: 0600}
  - {to: b, postalFrom: 0500, postalTo: 0600, kind: referral}`, "b", ""), []string{"d.yaml:9: postal codes overlap the route in line 8"}},
		"kommune routed twice":   {file("a", "routes:\n  - {to: b, kommunenummer: 0301}\n  - {to: c, kommunenummer: 0301}", "b", "", "c", ""), []string{"d.yaml:9: kommunenummer 0301 is routed already in line 8: there to b, here to c"}},
		"two defaults":           {file("a", "routes:\n  - {to: b, default: true}\n  - {to: b, default: true}", "b", ""), []string{"d.yaml:9: there is a default route already in line 8"}},
		"aimless type and wire":  {"parties:\n  - id: a\n    name: N\n    type: clinic\n    services:\n      - name: s\n        wire: fax\n    contacts:\n      - name: c\n        service: s\n", []string{"d.yaml:4: party a: type must be one of", "d.yaml:7: service s: wire must be one of", "d.yaml:10: a contact's service s has no url"}},
		"no contacts, no name":   {"parties:\n  - id: a\n    type: gp\n", []string{"d.yaml:2: party a needs a name", "d.yaml:2: party a needs at least one contact"}},
		"contact without target": {"parties:\n  - id: a\n    name: N\n    type: gp\n    contacts: [{name: x}, {service: s}]\n", []string{"d.yaml:5: a contact of party a needs a service", "d.yaml:5: a contact of party a needs a name", `d.yaml:5: a contact's service "s" is none of party a`}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := directory.Parse("d.yaml", []byte(c.text), served...)
			var all *directory.Errors
			if !errors.As(err, &all) {
				t.Fatalf("error %v, want *Errors", err)
			}
			if len(all.Problems) != len(c.want) {
				t.Fatalf("problems:\n%v\nwant %q", err, c.want)
			}
			for i, want := range c.want {
				if !strings.HasPrefix(all.Problems[i].String(), want) {
					t.Errorf("problem %q, want %q", all.Problems[i], want)
				}
			}
			if strings.Contains(err.Error(), "klartekst") {
				t.Error("a problem quotes a secret")
			}
		})
	}
}

func TestServiceURLs(t *testing.T) {
	for _, c := range []struct {
		wire, url string
		want      string // part of the problem or warning; empty for none
	}{
		{"kith", "https://x.example.test/a?b=c", ""},
		{"fhir", "http://[::1]:80/fhir", ""},
		{"hl7v2", "mllps://x.example.test:2575", ""},
		{"hl7v2", "mllp://127.0.0.1:2575", ""},
		{"fhir", "http://x.example.test", "unencrypted"},
		{"hl7v2", "mllp://10.0.0.1:2575", "unencrypted"},
		{"hl7v2", "mllp://127.0.0.1", "needs a port"},
		{"hl7v2", "https://x", "starts with mllp, mllps"},
		{"kith", "mllp://x:1", "starts with http, https"},
		{"kith", "x.example.test/a", "not an absolute address"},
		{"kith", "https:///a", "not an absolute address"},
		{"kith", "https:a", "not an absolute address"},
		{"kith", "https://x:b@y", "no credentials"},
		{"kith", "https://x/#a", "no fragment"},
		{"kith", "https://%zz", "not an absolute address"},
	} {
		text := fmt.Sprintf("parties:\n  - id: a\n    name: N\n    type: gp\n    services: [{name: s, wire: %s, url: %q}]\n    contacts: [{name: c, service: s}]\n", c.wire, c.url)
		d, err := directory.Parse("d.yaml", []byte(text), served...)
		got := ""
		if err != nil {
			got = err.Error()
		} else if w := d.Warnings(); len(w) > 0 {
			got = w[0].String()
		}
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s %s: %q, want %q", c.wire, c.url, got, c.want)
		}
	}
}

// TestKommunenummer_OfSeveralThatAreNotAmbiguous: a municipality and an institution may serve
// one; and whose people they are may send them on.
func TestKommunenummer_OfSeveralThatAreNotAmbiguous(t *testing.T) {
	institution := strings.Replace(file("c", "kommunenummer: [0301]"), "type: municipality", "type: institution", 1)
	others := strings.TrimPrefix(institution, "parties:\n")
	for name, text := range map[string]string{
		"both serve it":      file("a", "routes:\n  - {to: b, kommunenummer: 0301}\n  - {to: c, kommunenummer: 0301, kind: referral}", "b", "kommunenummer: [0301]") + others,
		"its own people":     file("a", "kommunenummer: [0301]\nroutes:\n  - {to: b, kommunenummer: 0301, kind: referral}", "b", "") + others,
		"nobody has it":      file("a", "routes:\n  - {to: b, kommunenummer: 4601}", "b", "") + others,
		"no municipality's":  file("a", "routes:\n  - {to: b, kommunenummer: 0301}", "b", "") + others,
		"to the institution": file("a", "routes:\n  - {to: c, kommunenummer: 0301}", "b", "kommunenummer: [0301]") + others,
	} {
		d, err := directory.Parse("d.yaml", []byte(text), served...)
		if err != nil || len(d.Warnings()) != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOrgNumberCheckDigitIsAWarning(t *testing.T) {
	d, err := directory.Parse("d.yaml", []byte(file("a", "orgNumber: 999888777", "b", "orgNumber: 999001009")), served...)
	if err != nil {
		t.Fatal(err)
	}
	w := d.Warnings()
	if len(w) != 1 || w[0].Line != 7 || !strings.Contains(w[0].Text, "check digit") {
		t.Errorf("warnings %v", w)
	}
}

func TestResolveSecret(t *testing.T) {
	dir := t.TempDir()
	good, empty, big := filepath.Join(dir, "good"), filepath.Join(dir, "empty"), filepath.Join(dir, "big")
	for path, text := range map[string]string{good: " hemmelig \n", empty: "\n", big: strings.Repeat("x", 70<<10)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("STAFETT_TEST_SECRET", "hemmelig")
	for ref, want := range map[string]string{
		"env:STAFETT_TEST_SECRET": "hemmelig", "file:" + good: "hemmelig",
		"env:STAFETT_TEST_UNSET": "", "file:" + empty: "", "file:" + big: "", "file:" + dir: "",
		"file:" + dir + "/none": "", "hemmelig": "", "env:": "", "vault:hemmelig": "", "": "",
	} {
		got, err := directory.ResolveSecret(ref)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("ResolveSecret(%q) = %q, %v; want %q", ref, got, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hemmelig") {
			t.Errorf("the error quotes the secret: %v", err)
		}
	}
	for ref, want := range map[string]string{"": "", "file:/a/b": "/a/b", "env:STAFETT_TEST_SECRET": "hemmelig"} {
		if got, err := directory.ResolveFile(ref); got != want || err != nil {
			t.Errorf("ResolveFile(%q) = %q, %v", ref, got, err)
		}
	}
	if _, err := directory.ResolveFile("/a/b"); err == nil {
		t.Error("a bare path is no reference")
	}
}

func TestLoadMissingFile(t *testing.T) {
	if _, err := directory.Load(filepath.Join(t.TempDir(), "none.yaml"), served...); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func FuzzParse(f *testing.F) {
	text, err := os.ReadFile("testdata/example.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(file("a", "routes:\n  - {to: b, postalFrom: 0001, postalTo: 0500}", "b", "")))
	f.Add([]byte("parties:\n- &a {id: *a}\n"))
	f.Add([]byte("? {a: b}\n: c"))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := directory.Parse("f.yaml", text, served...)
		if err != nil {
			var all *directory.Errors
			if !errors.As(err, &all) || len(all.Problems) == 0 {
				t.Fatalf("error %v", err)
			}
			for _, p := range all.Problems {
				if p.Line < 1 {
					t.Fatalf("problem without a line: %v", p)
				}
			}
			return
		}
		for _, p := range d.Parties() {
			if got, ok := d.Party(p.ID); !ok || got.ID != p.ID || len(p.Contacts) == 0 {
				t.Fatalf("party %q is not found or has no contact", p.ID)
			}
		}
	})
}

// country is a directory of 350 municipalities and a hospital that routes to each.
func country(b *testing.B) *directory.Directory {
	b.Helper()
	var parties []string
	routes := "routes:\n"
	for i := range 350 {
		parties = append(parties, fmt.Sprintf("k-%d", i), fmt.Sprintf("her: %d\nkommunenummer: [%04d]", 1000+i, i))
		routes += fmt.Sprintf("  - {to: k-%d, kommunenummer: %04d}\n  - {to: k-%d, postalFrom: %04d, postalTo: %04d}\n", i, i, i, i*20, i*20+19)
	}
	d, err := directory.Parse("b.yaml", []byte(file(append(parties, "sykehus", routes)...)), served...)
	if err != nil {
		b.Fatal(err)
	}
	return d
}

func BenchmarkByHER(b *testing.B) {
	d := country(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok := d.ByHER("1200"); !ok {
			b.Fatal("not found")
		}
	}
}

func BenchmarkRoute(b *testing.B) {
	d := country(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := d.Route("sykehus", handover.KindDischarge, "", "3456"); !ok {
			b.Fatal("not found")
		}
	}
}

func BenchmarkParse(b *testing.B) {
	text, err := os.ReadFile("testdata/example.yaml")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := directory.Parse("b.yaml", text, served...); err != nil {
			b.Fatal(err)
		}
	}
}
