package demo

import (
	"bytes"
	"crypto/rand"
	"embed"
	"fmt"
	"strings"
	"time"
)

//go:embed fixtures
var fixtures embed.FS

// Person is a fictitious patient.
type Person struct {
	FNR, Family, Given, Middle string
	Born                       time.Time
	Female                     bool
	Street, Phone              string
}

// The patients. Nobody has these names and numbers.
var (
	Solveig = Person{FNR: "12034800241", Family: "MYRVANG", Given: "Solveig", Middle: "Testdatter",
		Born: time.Date(1948, 3, 12, 0, 0, 0, 0, time.UTC), Female: true, Street: "Lisjeåsen 7", Phone: "22225555"}
	Torbjorn = Person{FNR: "30095100186", Family: "HAUGLAND", Given: "Torbjørn", Middle: "Prøve",
		Born: time.Date(1951, 9, 30, 0, 0, 0, 0, time.UTC), Street: "Naustvegen 2", Phone: "22225556"}
	Ashild = Person{FNR: "05013900029", Family: "SÆTRE", Given: "Åshild", Middle: "Eksempel",
		Born: time.Date(1939, 1, 5, 0, 0, 0, 0, time.UTC), Female: true, Street: "Øvre Li 11", Phone: "22225557"}
)

// People lists the patients, for a search that must find them in no log.
func People() []Person { return []Person{Solveig, Torbjorn, Ashild} }

// values are what a fixture needs of a person.
func (p Person) values() map[string]string {
	v := map[string]string{"FNR": p.FNR, "FAMILY": p.Family, "GIVEN": p.Given, "MIDDLE": p.Middle, "STREET": p.Street, "PHONE": p.Phone,
		"BIRTH": p.Born.Format("20060102"), "BIRTH_ISO": p.Born.Format(time.DateOnly),
		"SEX": "M", "SEX_CODE": "1", "SEX_NAME": "Mann", "GENDER": "male"}
	if p.Female {
		v["SEX"], v["SEX_CODE"], v["SEX_NAME"], v["GENDER"] = "F", "2", "Kvinne", "female"
	}
	return v
}

// fill returns a fixture's bytes with its {{NAME}} places filled. HL7 fixtures are kept
// with line feeds and sent with carriage returns.
func fill(name string, values map[string]string) ([]byte, error) {
	raw, err := fixtures.ReadFile("fixtures/" + name)
	if err != nil {
		return nil, fmt.Errorf("demo: fixture: %w", err)
	}
	for k, v := range values {
		raw = bytes.ReplaceAll(raw, []byte("{{"+k+"}}"), []byte(v))
	}
	if i := bytes.Index(raw, []byte("{{")); i >= 0 {
		return nil, fmt.Errorf("demo: fixture %s: nothing for %q", name, raw[i:min(len(raw), i+30)])
	}
	if strings.HasSuffix(name, ".hl7") {
		raw = bytes.ReplaceAll(raw, []byte("\n"), []byte("\r"))
	}
	return raw, nil
}

// merged joins maps; later ones win.
func merged(maps ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range maps {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}

// between returns what stands between two texts, the first time; empty when it is not there.
func between(raw []byte, start, end string) string {
	i := bytes.Index(raw, []byte(start))
	if i < 0 {
		return ""
	}
	rest := raw[i+len(start):]
	j := bytes.Index(rest, []byte(end))
	if j < 0 {
		return ""
	}
	return string(rest[:j])
}

// newUUID makes a random UUID.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// newControlID makes an MSH-10 of at most 20 characters.
func newControlID() string {
	var b [6]byte
	rand.Read(b[:])
	return fmt.Sprintf("FJ-%X", b)
}

// The zone in which the parties write times.
var oslo = mustZone("Europe/Oslo")

func mustZone(name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil {
		return time.FixedZone("CET", 3600)
	}
	return zone
}

// hl7Time and xmlTime spell a time on the two wires.
func hl7Time(t time.Time) string { return t.In(oslo).Format("20060102150405-0700") }

func xmlTime(t time.Time) string { return t.In(oslo).Format("2006-01-02T15:04:05-07:00") }
