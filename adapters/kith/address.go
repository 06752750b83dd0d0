package kith

import (
	"strings"

	"stafett/adapters"
	"stafett/handover"
	"stafett/message"
)

// Types of identifiers (Volven 9051 and 8116).
const (
	typeHER = "HER"
	typeENH = "ENH"

	systemOrganisation = "2.16.578.1.12.4.1.1.9051"
)

// readable reports whether a receipt can be addressed to a.
func readable(a adapters.Address) bool {
	return a.Detail != nil && len(a.Detail.Idents)+len(a.Detail.ServiceIdents) > 0 || a.HER != "" || a.OrgNumber != "" || a.HERService != ""
}

// organisationAddress reads a Hodemelding Organisation: level 2 is the inner organisation
// or, only where there is none, the person (HITS 1168:2016 chapter 11).
func organisationAddress(n *message.Node) adapters.Address {
	if n == nil {
		return adapters.Address{}
	}
	a := adapters.Address{Name: trimmed(n, "OrganisationName"), Detail: &adapters.AddressDetail{Idents: idents(n)}}
	if inner := n.Child("Organisation"); inner != nil {
		a.ServiceName = trimmed(inner, "OrganisationName")
		a.Detail.ServiceIdents = idents(inner)
	} else if person := n.Child("HealthcareProfessional"); person != nil {
		a.ServiceName = personName(person)
		a.Detail.ServiceIdents, a.Detail.Person = idents(person), true
	}
	return withNumbers(a)
}

func personName(n *message.Node) string {
	var names []string
	for _, part := range [...]string{"GivenName", "MiddleName", "FamilyName"} {
		if s := trimmed(n, part); s != "" {
			names = append(names, s)
		}
	}
	return strings.Join(names, " ")
}

func idents(n *message.Node) []adapters.Ident {
	var out []adapters.Ident
	for _, c := range n.All("Ident") {
		kind := c.Child("TypeId")
		if id := trimmed(c, "Id"); id != "" {
			out = append(out, adapters.Ident{ID: id, Type: kind.Text("@V"), System: kind.Text("@S"), TypeName: kind.Text("@DN")})
		}
	}
	return out
}

// hcpAddress reads an HCP as AppRec, Henvisning 1.x and Epikrise spell it.
func hcpAddress(n *message.Node) adapters.Address {
	if n == nil {
		return adapters.Address{}
	}
	inst := n.Child("Inst")
	if inst == nil {
		person := n.Child("HCProf")
		a := adapters.Address{ServiceName: trimmed(person, "Name"), Detail: &adapters.AddressDetail{Person: true, ServiceIdents: hcpIdents(person)}}
		return withNumbers(a)
	}
	a := adapters.Address{Name: trimmed(inst, "Name"), Detail: &adapters.AddressDetail{Idents: hcpIdents(inst)}}
	if dept := inst.Child("Dept"); dept != nil {
		a.ServiceName, a.Detail.ServiceIdents = trimmed(dept, "Name"), hcpIdents(dept)
	} else if person := inst.Child("HCPerson"); person != nil {
		a.ServiceName, a.Detail.ServiceIdents, a.Detail.Person = trimmed(person, "Name"), hcpIdents(person), true
	}
	return withNumbers(a)
}

func hcpIdents(n *message.Node) []adapters.Ident {
	if n == nil {
		return nil
	}
	var out []adapters.Ident
	if id := trimmed(n, "Id"); id != "" {
		out = append(out, adapters.Ident{ID: id, Type: n.Text("TypeId", "@V"), TypeName: n.Text("TypeId", "@DN")})
	}
	for _, c := range n.All("AdditionalId") {
		if id := trimmed(c, "Id"); id != "" {
			out = append(out, adapters.Ident{ID: id, Type: c.Text("Type", "@V"), TypeName: c.Text("Type", "@DN")})
		}
	}
	return out
}

// withNumbers fills the numbers that the directory looks up from the identifiers, in the one
// spelling by which they are compared; Detail keeps the message's own. An organisation number
// is taken whatever its check digit.
func withNumbers(a adapters.Address) adapters.Address {
	a.HER = numberOf(a.Detail.Idents, typeHER)
	a.HERService = numberOf(a.Detail.ServiceIdents, typeHER)
	a.OrgNumber = numberOf(a.Detail.Idents, typeENH)
	return a
}

func numberOf(ids []adapters.Ident, kind string) string {
	for _, id := range ids {
		if strings.EqualFold(strings.TrimSpace(id.Type), kind) {
			return handover.PlainNumber(id.ID)
		}
	}
	return ""
}

// levels returns a's identifiers of both levels; for an address without Detail they
// follow from its numbers.
func levels(a adapters.Address) (organisation, service []adapters.Ident, person bool) {
	if a.Detail != nil {
		return a.Detail.Idents, a.Detail.ServiceIdents, a.Detail.Person
	}
	add := func(to []adapters.Ident, id, kind, name string) []adapters.Ident {
		if id == "" {
			return to
		}
		return append(to, adapters.Ident{ID: id, Type: kind, System: systemOrganisation, TypeName: name})
	}
	organisation = add(organisation, a.HER, typeHER, "HER-id")
	organisation = add(organisation, a.OrgNumber, typeENH, "Organisasjonsnummeret i Enhetsregister")
	return organisation, add(nil, a.HERService, typeHER, "HER-id"), false
}
