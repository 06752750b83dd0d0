package directory

import (
	"sort"
	"time"
	_ "time/tzdata" // parties' zones must load on a machine without zone files

	"stafett/handover"
)

// DefaultTimeZone is the zone of times without one where a party names none.
const DefaultTimeZone = "Europe/Oslo"

// Directory is every party, ready for look-up. It never changes after Parse and is safe
// for concurrent use.
type Directory struct {
	parties     []Party
	warnings    []Problem
	byID        map[handover.PartyID]int
	byHER       map[string]address
	byOrgNumber map[string]int
	byFacility  map[string]int
	byCN        map[string]int
	byKommune   map[string]int
	routes      []routes // by party
}

// address is a party, and one of its services or -1 for the organisation itself.
type address struct{ party, service int }

func index(entries []*entry, warnings []Problem) *Directory {
	d := &Directory{
		parties:     make([]Party, len(entries)),
		warnings:    warnings,
		byID:        make(map[handover.PartyID]int, len(entries)),
		byHER:       make(map[string]address, 2*len(entries)),
		byOrgNumber: make(map[string]int, len(entries)),
		byFacility:  make(map[string]int),
		byCN:        make(map[string]int),
		byKommune:   make(map[string]int),
		routes:      make([]routes, len(entries)),
	}
	for i, e := range entries {
		d.parties[i] = e.Party
		d.add(i, &d.parties[i])
	}
	return d
}

func (d *Directory) add(i int, p *Party) {
	d.byID[p.ID] = i
	d.routes[i] = indexRoutes(p.Routes)
	if p.HER != "" {
		d.byHER[handover.PlainNumber(p.HER)] = address{i, -1}
	}
	for j, s := range p.Services {
		if s.HER != "" {
			d.byHER[handover.PlainNumber(s.HER)] = address{i, j}
		}
	}
	if p.OrgNumber != "" {
		d.byOrgNumber[handover.PlainNumber(p.OrgNumber)] = i
	}
	for _, f := range p.Facilities {
		d.byFacility[f] = i
	}
	for _, c := range p.Credentials {
		if c.CertificateCN != "" {
			d.byCN[c.CertificateCN] = i
		}
	}
	if p.Type == TypeMunicipality {
		for _, k := range p.Kommunenummer {
			d.byKommune[k] = i
		}
	}
}

// Warnings returns what is doubtful in the file but does not stop the start: official
// samples hold organisation numbers that fail the check digit.
func (d *Directory) Warnings() []Problem { return append([]Problem(nil), d.warnings...) }

// Parties returns every party in the order of the file.
func (d *Directory) Parties() []Party { return append([]Party(nil), d.parties...) }

// Party returns the party with that id.
func (d *Directory) Party(id handover.PartyID) (Party, bool) {
	i, ok := d.byID[id]
	return d.at(i, ok)
}

func (d *Directory) at(i int, ok bool) (Party, bool) {
	if !ok {
		return Party{}, false
	}
	return d.parties[i], true
}

// ByHER returns the party that a HER-id names. The service is nil when the id is that of
// the organisation (level 1) and set when it is that of a service (level 2). Numbers are
// compared as handover.PlainNumber spells them, here and in ByOrgNumber.
func (d *Directory) ByHER(her string) (Party, *Service, bool) {
	a, ok := d.byHER[handover.PlainNumber(her)]
	if !ok {
		return Party{}, nil, false
	}
	p := d.parties[a.party]
	if a.service < 0 {
		return p, nil, true
	}
	return p, &p.Services[a.service], true
}

// ByOrgNumber returns the party with that organisation number.
func (d *Directory) ByOrgNumber(number string) (Party, bool) {
	i, ok := d.byOrgNumber[handover.PlainNumber(number)]
	return d.at(i, ok)
}

// ByFacility returns the party that MSH-4 (or MSH-3) names.
func (d *Directory) ByFacility(facility string) (Party, bool) {
	i, ok := d.byFacility[facility]
	return d.at(i, ok)
}

// Named finds the party that a message's address names: by HER-id of the service, which
// decides where that of the organisation is another's (HITS 1168:2016 chapter 11), of the
// organisation, by organisation number, by MSH facility, in that order. The service is nil
// where none is named or known.
func (d *Directory) Named(herService, her, orgNumber, facility string) (Party, *Service, bool) {
	if p, s, ok := d.ByHER(herService); ok && (s != nil || her == "" || handover.PlainNumber(her) == handover.PlainNumber(p.HER)) {
		return p, s, true
	}
	if p, s, ok := d.ByHER(her); ok {
		return p, s, true
	}
	if p, ok := d.ByOrgNumber(orgNumber); ok {
		return p, nil, true
	}
	p, ok := d.ByFacility(facility)
	return p, nil, ok
}

// ByCertificateCN returns the party whose client certificate has that subject common name.
func (d *Directory) ByCertificateCN(cn string) (Party, bool) {
	i, ok := d.byCN[cn]
	return d.at(i, ok)
}

// ByKommunenummer returns the municipality that serves kommunenummer. It does not route:
// where a sender's messages go is for that sender's routes to say.
func (d *Directory) ByKommunenummer(kommunenummer string) (Party, bool) {
	i, ok := d.byKommune[kommunenummer]
	return d.at(i, ok)
}

// Route returns the receiver of what from sends without naming one. Place decides before
// kind: the kommunenummer's route, else the postal code's, else the default; and at each
// a route for this kind before one for all kinds. Empty arguments match nothing.
func (d *Directory) Route(from handover.PartyID, kind handover.Kind, kommunenummer, postalCode string) (Party, bool) {
	i, ok := d.byID[from]
	if !ok {
		return Party{}, false
	}
	to, ok := d.routes[i].find(kind, kommunenummer, postalCode)
	if !ok {
		return Party{}, false
	}
	return d.Party(to)
}

// routes is one party's routes, ready for look-up.
type routes struct {
	kommune map[routeKey]handover.PartyID
	postal  map[handover.Kind][]Route // sorted, without overlaps
	others  map[handover.Kind]handover.PartyID
}

type routeKey struct {
	kind  handover.Kind
	place string
}

func indexRoutes(list []Route) routes {
	r := routes{map[routeKey]handover.PartyID{}, map[handover.Kind][]Route{}, map[handover.Kind]handover.PartyID{}}
	for _, t := range list {
		switch {
		case t.Kommunenummer != "":
			r.kommune[routeKey{t.Kind, t.Kommunenummer}] = t.To
		case t.PostalFrom != "":
			r.postal[t.Kind] = append(r.postal[t.Kind], t)
		default:
			r.others[t.Kind] = t.To
		}
	}
	for _, ranges := range r.postal {
		sort.Slice(ranges, func(i, j int) bool { return ranges[i].PostalFrom < ranges[j].PostalFrom })
	}
	return r
}

func (r routes) find(kind handover.Kind, kommunenummer, postalCode string) (handover.PartyID, bool) {
	kinds := [2]handover.Kind{kind, ""}
	for _, k := range kinds {
		if to, ok := r.kommune[routeKey{k, kommunenummer}]; ok {
			return to, true
		}
	}
	if isDigits(postalCode, 4, 4) {
		for _, k := range kinds {
			if to, ok := inRange(r.postal[k], postalCode); ok {
				return to, true
			}
		}
	}
	for _, k := range kinds {
		if to, ok := r.others[k]; ok {
			return to, true
		}
	}
	return "", false
}

func inRange(ranges []Route, code string) (handover.PartyID, bool) {
	i := sort.Search(len(ranges), func(i int) bool { return ranges[i].PostalTo >= code })
	if i < len(ranges) && ranges[i].PostalFrom <= code {
		return ranges[i].To, true
	}
	return "", false
}

// ServiceFor returns the first service of p that takes messageType on wire. An empty wire
// stands for any, and an empty messageType asks for any service on the wire.
func (p Party) ServiceFor(wire handover.Wire, messageType string) (Service, bool) {
	for _, s := range p.Services {
		if s.Accepts(wire, messageType) {
			return s, true
		}
	}
	return Service{}, false
}

// Sending returns the service of p on wire that a message was sent from, by its HER-id, where
// it can be sent to.
func (p Party) Sending(wire handover.Wire, her string) (Service, bool) {
	for _, s := range p.Services {
		if her != "" && s.Wire == wire && s.URL != "" && handover.PlainNumber(s.HER) == handover.PlainNumber(her) {
			return s, true
		}
	}
	return Service{}, false
}

// Service returns p's service of that name.
func (p Party) Service(name string) (Service, bool) {
	for _, s := range p.Services {
		if s.Name == name {
			return s, true
		}
	}
	return Service{}, false
}

// Accepts reports whether s takes messageType on wire, empty ones as in ServiceFor.
func (s Service) Accepts(wire handover.Wire, messageType string) bool {
	if wire != "" && s.Wire != wire {
		return false
	}
	for _, t := range s.Takes {
		if t == messageType || t == "*" || messageType == "" {
			return true
		}
	}
	return false
}

// Location returns the zone of p's times without one, Europe/Oslo where p names none.
func (p Party) Location() *time.Location {
	if p.location != nil {
		return p.location
	}
	loc, err := zone(p.TimeZone)
	if err != nil {
		return time.UTC
	}
	return loc
}

func zone(name string) (*time.Location, error) {
	if name == "" {
		name = DefaultTimeZone
	}
	return time.LoadLocation(name)
}
