package directory

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"stafett/handover"
)

// partyID is the shape of a party id: it becomes one token of a NATS subject, where a dot,
// a star, a space or a capital would change what a subscriber gets.
var partyID = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$`)

var (
	word      = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	hexDigest = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// checker holds what has been seen, for the checks that span parties.
type checker struct {
	*fileReader
	wires map[handover.Wire]Wire
	ids   map[handover.PartyID]*entry
	// served are the kommunenummer of municipalities, by the first that has them.
	served map[string]serving
	seen   map[string]map[string]int // what -> value -> line of its first use
}

// serving is a party and which of its kommunenummer is meant.
type serving struct {
	by   *entry
	item int
}

func (r *fileReader) check(entries []*entry, served []Wire) {
	c := &checker{r, map[handover.Wire]Wire{}, map[handover.PartyID]*entry{}, map[string]serving{}, map[string]map[string]int{}}
	for _, w := range served {
		c.wires[w.Wire()] = w
	}
	for _, e := range entries {
		if _, ok := c.ids[e.ID]; !ok && e.ID != "" {
			c.ids[e.ID] = e
		}
		for i, k := range e.Kommunenummer {
			if _, ok := c.served[k]; !ok && e.Type == TypeMunicipality {
				c.served[k] = serving{e, i}
			}
		}
	}
	for _, e := range entries {
		c.identity(e)
		c.services(e)
		c.routes(e)
		c.contacts(e)
		c.credentials(e)
		c.hl7(e)
	}
}

// speller is a wire whose messages name their character set.
type speller interface{ KnowsCharset(name string) bool }

func (c *checker) hl7(e *entry) {
	if w, ok := c.wires[handover.WireHL7v2].(speller); ok && e.HL7.Charset != "" && !w.KnowsCharset(e.HL7.Charset) {
		c.problem(e.hl7.of("charset"), "character set %s is not one that is read", shown(e.HL7.Charset))
	}
	for i, place := range e.HL7.StayNumber {
		if !oneOf(place, StayNumbers()) {
			c.problem(e.hl7.item("stayNumber", i), "a stay's number is read from one of %s", list(StayNumbers()))
		}
	}
}

// once reports a second use of a value that must name one thing only.
func (c *checker) once(what, value string, line int) {
	if value == "" {
		return
	}
	if c.seen[what] == nil {
		c.seen[what] = map[string]int{}
	}
	if first, ok := c.seen[what][value]; ok {
		c.problem(line, "%s %s is used twice, first in line %d", what, shown(value), first)
		return
	}
	c.seen[what][value] = line
}

func (c *checker) identity(e *entry) {
	switch {
	case e.ID == "":
		c.problem(e.Line, "a party needs an id")
	case !partyID.MatchString(string(e.ID)):
		c.problem(e.at.of("id"), "party id %q: only a-z, 0-9 and hyphens inside, at most 64", shown(string(e.ID)))
	}
	c.once("party id", string(e.ID), e.at.of("id"))
	if e.Name == "" {
		c.problem(e.Line, "party %s needs a name", e.ID)
	}
	if !oneOf(e.Type, PartyTypes()) {
		c.problem(e.at.of("type"), "party %s: type must be one of %s", e.ID, list(PartyTypes()))
	}
	c.her(e.HER, e.at.of("her"))
	c.orgNumber(e)
	for i, f := range e.Facilities {
		if !ValidFacility(f) {
			c.problem(e.at.item("facilities", i), "facility: give MSH-4's first component, without HL7 separators")
		}
		c.once("facility", f, e.at.item("facilities", i))
	}
	for i, k := range e.Kommunenummer {
		c.kommunenummer(k, e.at.item("kommunenummer", i))
		if first := c.served[k]; k != "" && e.Type == TypeMunicipality && first != (serving{e, i}) {
			c.problem(e.at.item("kommunenummer", i), "kommunenummer %s is used twice: party %s has it, and first party %s in line %d",
				shown(k), e.ID, first.by.ID, first.by.at.item("kommunenummer", first.item))
		}
	}
	loc, err := zone(e.TimeZone)
	if err != nil || e.TimeZone == "Local" {
		c.problem(e.at.of("timeZone"), "time zone %q is not known", shown(e.TimeZone))
	}
	e.location = loc
	e.Language = cmp.Or(e.Language, LanguageBokmal)
	if e.Language != LanguageBokmal && e.Language != LanguageEnglish {
		c.problem(e.at.of("language"), "language %q: nb or en", shown(e.Language))
	}
	if e.Overlay != "" && !word.MatchString(e.Overlay) {
		c.problem(e.at.of("overlay"), "overlay: only a-z, 0-9 and hyphens inside")
	}
}

func (c *checker) her(her string, line int) {
	if her != "" && !ValidHER(her) {
		c.problem(line, "HER-id must be digits")
	}
	c.once("HER-id", handover.PlainNumber(her), line)
}

func (c *checker) orgNumber(e *entry) {
	line := e.at.of("orgNumber")
	switch {
	case e.OrgNumber == "":
	case !ValidOrgNumber(e.OrgNumber):
		c.problem(line, "organisation number must be nine digits")
	case !orgNumberValid(e.OrgNumber):
		c.warn(line, "organisation number %s fails its check digit", e.OrgNumber)
	}
	c.once("organisation number", e.OrgNumber, line)
}

func (c *checker) kommunenummer(k string, line int) {
	if k != "" && !isDigits(k, 4, 4) {
		c.problem(line, "kommunenummer must be four digits")
	}
}

func (c *checker) services(e *entry) {
	named := map[string]int{}
	for i := range e.Services {
		s, at := &e.Services[i], e.services[i]
		if s.Name == "" {
			c.problem(s.Line, "a service of party %s needs a name", e.ID)
		} else if first, ok := named[s.Name]; ok {
			c.problem(at.of("name"), "service %s is named twice in party %s, first in line %d", shown(s.Name), e.ID, first)
		} else {
			named[s.Name] = at.of("name")
		}
		c.her(s.HER, at.of("her"))
		if w, ok := c.wires[s.Wire]; ok {
			c.url(s, w, at)
		} else {
			c.problem(at.of("wire"), "service %s: wire must be one of %s", shown(s.Name), list(slices.Sorted(maps.Keys(c.wires))))
		}
		if len(s.Takes) > 0 && s.URL == "" {
			c.problem(s.Line, "service %s takes messages and needs a url", shown(s.Name))
		}
		c.reference("token", s.Token, at.of("token"))
		c.reference("caFile", s.CAFile, at.of("caFile"))
		c.reference("certFile", s.CertFile, at.of("certFile"))
		c.reference("keyFile", s.KeyFile, at.of("keyFile"))
		if (s.CertFile == "") != (s.KeyFile == "") {
			c.problem(s.Line, "service %s: certFile and keyFile go together", shown(s.Name))
		}
	}
}

func (c *checker) url(s *Service, w Wire, at lines) {
	if s.URL == "" {
		return
	}
	line := at.of("url")
	u, err := url.Parse(s.URL)
	plain, encrypted := w.Schemes()
	switch {
	case err != nil || u.Opaque != "" || u.Hostname() == "":
		c.problem(line, "service %s: url is not an absolute address", shown(s.Name))
	case u.Scheme != plain && u.Scheme != encrypted:
		c.problem(line, "service %s: a url for wire %s starts with %s, %s", shown(s.Name), s.Wire, plain, encrypted)
	case u.User != nil:
		c.problem(line, "service %s: no credentials in a url, give them by reference", shown(s.Name))
	case u.Fragment != "":
		c.problem(line, "service %s: no fragment in a url", shown(s.Name))
	case w.NeedsPort() && u.Port() == "":
		c.problem(line, "service %s: a url for wire %s needs a port", shown(s.Name), s.Wire)
	case u.Scheme == plain && !loopback(u.Hostname()):
		c.warn(line, "service %s: messages leave this machine unencrypted", shown(s.Name))
	}
}

func (c *checker) reference(field, ref string, line int) {
	if ref == "" {
		return
	}
	if _, _, err := splitReference(ref); err != nil {
		c.problem(line, "%s: a secret is given by reference, env:NAME or file:PATH", field)
	}
}

func (c *checker) routes(e *entry) {
	for i, t := range e.Routes {
		at := e.routes[i]
		c.routePlace(t, at)
		if t.Kind != "" && !oneOf(t.Kind, handover.Kinds()) {
			c.problem(at.of("kind"), "a route's kind must be one of %s, or left out for all", list(handover.Kinds()))
		}
		to := c.ids[t.To]
		switch {
		case t.To == "":
			c.problem(t.Line, "a route needs a party to go to")
		case to == nil:
			c.problem(at.of("to"), "a route goes to %q, which is no party of this file", shown(string(t.To)))
		case t.To == e.ID:
			c.problem(at.of("to"), "party %s routes to itself", e.ID)
		case t.Kommunenummer != "" && !oneOf(t.Kommunenummer, to.Kommunenummer):
			c.routeServed(t, e, to, at.of("kommunenummer"))
		}
		for j := range i {
			c.routesMeet(e.Routes[j], t)
		}
	}
}

// routeServed looks at a route to a party that does not say that it serves the kommunenummer.
// Where another municipality does, two would be the patient's; but one that sends its own people
// on knows whose they are.
func (c *checker) routeServed(t Route, from, to *entry, line int) {
	has := c.served[t.Kommunenummer].by
	switch {
	case has != nil && has != from && to.Type == TypeMunicipality:
		c.problem(line, "a route sends kommunenummer %s to municipality %s, and it is municipality %s that has it", shown(t.Kommunenummer), t.To, has.ID)
	case len(to.Kommunenummer) > 0:
		c.warn(line, "a route sends kommunenummer %s to %s, which does not serve it", shown(t.Kommunenummer), t.To)
	}
}

// routePlace holds a route to exactly one condition.
func (c *checker) routePlace(t Route, at lines) {
	conditions := 0
	for _, given := range []bool{t.Kommunenummer != "", t.PostalFrom != "" || t.PostalTo != "", t.Default} {
		if given {
			conditions++
		}
	}
	if conditions != 1 {
		c.problem(t.Line, "a route needs exactly one of kommunenummer, postalFrom with postalTo, or default")
		return
	}
	c.kommunenummer(t.Kommunenummer, at.of("kommunenummer"))
	if t.PostalFrom == "" && t.PostalTo == "" {
		return
	}
	if !isDigits(t.PostalFrom, 4, 4) || !isDigits(t.PostalTo, 4, 4) {
		c.problem(t.Line, "postalFrom and postalTo must both be four digits")
	} else if t.PostalFrom > t.PostalTo {
		c.problem(t.Line, "postalFrom comes after postalTo")
	}
}

// routesMeet reports two routes of one party that would both find a receiver.
func (c *checker) routesMeet(a, b Route) {
	if a.Kind != b.Kind {
		return
	}
	switch {
	case a.Kommunenummer != "" && a.Kommunenummer == b.Kommunenummer:
		c.problem(b.Line, "kommunenummer %s is routed already in line %d: there to %s, here to %s", shown(b.Kommunenummer), a.Line, a.To, b.To)
	case a.PostalFrom != "" && b.PostalFrom != "" && a.PostalFrom <= b.PostalTo && b.PostalFrom <= a.PostalTo:
		c.problem(b.Line, "postal codes overlap the route in line %d: there to %s, here to %s", a.Line, a.To, b.To)
	case a.Default && b.Default:
		c.problem(b.Line, "there is a default route already in line %d: there to %s, here to %s", a.Line, a.To, b.To)
	}
}

// contacts holds every party to at least one contact that a notice can be delivered to.
// Invariant 4: what is late must reach a named contact.
func (c *checker) contacts(e *entry) {
	if len(e.Contacts) == 0 {
		c.problem(e.Line, "party %s needs at least one contact", e.ID)
	}
	for i, t := range e.Contacts {
		if t.Name == "" {
			c.problem(t.Line, "a contact of party %s needs a name", e.ID)
		}
		s, ok := e.Party.Service(t.Service)
		switch {
		case t.Service == "":
			c.problem(t.Line, "a contact of party %s needs a service to be reached on", e.ID)
		case !ok:
			c.problem(e.contacts[i].of("service"), "a contact's service %q is none of party %s", shown(t.Service), e.ID)
		case s.URL == "":
			c.problem(e.contacts[i].of("service"), "a contact's service %s has no url", shown(t.Service))
		}
	}
}

func (c *checker) credentials(e *entry) {
	for i, k := range e.Credentials {
		at, given := e.credentials[i], 0
		for _, v := range []string{k.Token, k.TokenSHA256, k.CertificateCN} {
			if v != "" {
				given++
			}
		}
		if given != 1 {
			c.problem(k.Line, "a credential needs exactly one of token, tokenSHA256 or certificateCN")
		}
		c.reference("token", k.Token, at.of("token"))
		if k.TokenSHA256 != "" && !hexDigest.MatchString(k.TokenSHA256) {
			c.problem(at.of("tokenSHA256"), "tokenSHA256 must be 64 lower-case hexadecimal digits")
		} else {
			c.onceSecret("tokenSHA256", k.TokenSHA256, at.of("tokenSHA256"))
		}
		c.onceSecret("token reference", k.Token, at.of("token"))
		c.once("certificate CN", k.CertificateCN, at.of("certificateCN"))
	}
}

// onceSecret is once without quoting: what stands there may be a secret by mistake.
func (c *checker) onceSecret(what, value string, line int) {
	before := len(c.problems)
	c.once(what, value, line)
	if len(c.problems) > before {
		c.problems[before].Text = fmt.Sprintf("%s is used twice, first in line %d", what, c.seen[what][value])
	}
}

// orgNumberValid checks the last of nine digits (modulus 11, weights 3 2 7 6 5 4 3 2).
func orgNumberValid(number string) bool {
	sum := 0
	for i, weight := range []int{3, 2, 7, 6, 5, 4, 3, 2} {
		sum += int(number[i]-'0') * weight
	}
	return (11-sum%11)%11 == int(number[8]-'0')
}

// ValidHER says whether s is written as a HER-id.
func ValidHER(s string) bool { return isDigits(s, 1, 10) }

// ValidOrgNumber says so of an organisation number; official samples fail the check digit.
func ValidOrgNumber(s string) bool { return isDigits(s, 9, 9) }

// ValidFacility says so of the first component of MSH-4 (or MSH-3).
func ValidFacility(s string) bool { return !strings.ContainsAny(s, "|^~\\&\r\n") }

func isDigits(s string, minLen, maxLen int) bool {
	if len(s) < minLen || len(s) > maxLen {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

func oneOf[T comparable](v T, of []T) bool {
	for _, o := range of {
		if v == o {
			return true
		}
	}
	return false
}

func list[T ~string](of []T) string {
	s := make([]string, len(of))
	for i, v := range of {
		s[i] = string(v)
	}
	return strings.Join(s, ", ")
}
