package act

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
)

// person is what tells one patient from another (invariant 9).
type person struct {
	national, local  []number
	families, givens []string // folded
	addresses        []string // folded
	birthDate, sex   string
}

// number is one that names a person within its system.
type number struct{ system, value string }

// personOf reads a Patient.
func personOf(patient *fhir.Node) person {
	p := person{birthDate: patient.Str("birthDate"), sex: patient.Str("gender")}
	p.national, p.local = numbersOf(patient)
	for _, name := range patient.Each("name") {
		if use := name.Str("use"); use == "old" || use == "nickname" {
			continue
		}
		if family := folded(name.Str("family")); family != "" {
			p.families = append(p.families, family)
		}
		for _, given := range name.Each("given") {
			for _, word := range strings.FieldsFunc(given.Str(), func(r rune) bool { return unicode.IsSpace(r) || r == '-' }) {
				p.givens = append(p.givens, folded(word))
			}
		}
	}
	for _, a := range patient.Each("address") {
		line := a.Str("postalCode")
		for _, l := range a.Each("line") {
			line += folded(l.Str())
		}
		p.addresses = append(p.addresses, line)
	}
	return p
}

// numbersOf are a Patient's numbers: the national ones, and those of other authorities.
func numbersOf(patient *fhir.Node) (national, local []number) {
	for _, id := range patient.Each("identifier") {
		system, value := fhir.PreferredSystem(id.Str("system")), compact(id.Str("value"))
		switch {
		case value == "":
		case slices.Contains(nationalNumbers, system):
			national = append(national, number{system, value})
		case system == "" && id.Str("type", "text") != "":
			// Called a national number, and none: what is typed for whoever has none names nobody.
		case system == "" && id.Str("assigner", "display") == "":
			// Of no authority: two facilities of one sender give it to two people.
		default:
			local = append(local, number{system + "|" + id.At("type", "coding").Str("code") + "|" + id.Str("assigner", "display"), value})
		}
	}
	return national, local
}

// compact is a number without what people write between its digits.
func compact(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '.' || r == '-' {
			return -1
		}
		return r
	}, s)
}

var spelledOut = strings.NewReplacer("å", "aa", "ä", "ae", "æ", "ae", "ö", "oe", "ø", "oe", "ü", "ue")

// folded is a name without case, accents, hyphens and blanks.
func folded(s string) string {
	s = spelledOut.Replace(strings.ToLower(norm.NFC.String(s)))
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return r
	}, norm.NFKD.String(s))
}

// sameness is how the patient of a message stands to the patient of a handover.
type sameness struct {
	same bool
	// correction is what the sender corrected, where it is the same.
	correction Correction
}

// isSame tells whether the patient of a message is the handover's as it is known. bySender:
// the message is the handover's sender's, on the same stay, and may correct what it told.
//
// Same is: a shared number; else, where no national number contradicts, birth date and family
// name; else, by the sender, birth date and one more mark. Of two different national numbers
// the sender's given names must agree too: twins share the rest. Where no number is shared, two
// given names, or sexes, that differ are two people's.
func isSame(known, told person, bySender bool) bool {
	switch {
	case sharesNational(known.national, told.national), bySender && shares(known.local, told.local):
	case contradicts(known.national, told.national):
		if !bySender || !known.bornWith(told) || !meet(known.givens, told.givens) {
			return false
		}
	case !known.bornWith(told) || known.sexed(told) || apart(known.givens, told.givens):
		return false
	case meet(known.families, told.families):
	case bySender && known.marked(told):
	default:
		return false
	}
	return true
}

func (p person) bornWith(o person) bool { return p.birthDate != "" && p.birthDate == o.birthDate }

// sexed reports whether two are said to be of different sexes.
func (p person) sexed(o person) bool { return p.sex != "" && o.sex != "" && p.sex != o.sex }

// apart reports whether two are called by given names that have nothing in common; a short form
// is one that another begins with.
func apart(a, b []string) bool {
	const shortest = 3
	return len(a) > 0 && len(b) > 0 && !slices.ContainsFunc(a, func(x string) bool {
		return slices.ContainsFunc(b, func(y string) bool {
			return x == y || min(len(x), len(y)) >= shortest && (strings.HasPrefix(x, y) || strings.HasPrefix(y, x))
		})
	})
}

// marked reports whether two have one more mark in common beside the birth date.
func (p person) marked(o person) bool {
	return meet(p.givens, o.givens) || p.sex != "" && p.sex == o.sex && meet(p.addresses, o.addresses)
}

// named reports whether o says another name or birth date; what it leaves out says nothing.
func (p person) named(o person) bool {
	other := func(was, is []string) bool { return len(is) > 0 && !slices.Equal(was, is) }
	return o.birthDate != "" && p.birthDate != o.birthDate || other(p.families, o.families) || other(p.givens, o.givens)
}

// shares reports whether two have a number of one system in common.
func shares(a, b []number) bool {
	return slices.ContainsFunc(a, func(n number) bool { return slices.Contains(b, n) })
}

// sharesNational is shares whatever the number is called: a D-number is also sent as a
// fødselsnummer.
func sharesNational(a, b []number) bool {
	return slices.ContainsFunc(a, func(n number) bool {
		return slices.ContainsFunc(b, func(o number) bool { return o.value == n.value })
	})
}

// contradicts reports whether two have national numbers of one system, and none in common.
func contradicts(a, b []number) bool {
	return !sharesNational(a, b) && slices.ContainsFunc(a, func(n number) bool {
		return slices.ContainsFunc(b, func(o number) bool { return o.system == n.system })
	})
}

// renumbered reports whether what was filed under one's national numbers is not found under the
// other's, whatever the numbers are called.
func renumbered(was, is person) bool {
	return len(was.national) > 0 && len(is.national) > 0 && !sharesNational(was.national, is.national)
}

// meet reports whether two lists have a text in common that is not empty.
func meet(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return s != "" && slices.Contains(b, s) })
}

// patientOf is the patient of a stored handover as its sender told last; nil where the
// handover's Task names none that is stored here.
func (s *Snapshot) patientOf(h handover.Handover) *fhir.Node {
	r, found := s.patientRow(h)
	if !found {
		return nil
	}
	return s.Parse(r)
}

func (s *Snapshot) patientRow(h handover.Handover) (ledger.Resource, bool) {
	task, found := s.Resources.Get(ledger.ResourceKey{Type: "Task", ID: string(h.ID)})
	if !found || task.Deleted {
		return ledger.Resource{}, false
	}
	typ, id, ok := fhir.SplitLocal(s.Parse(task).Str("for", "reference"))
	if !ok {
		return ledger.Resource{}, false
	}
	r, found := s.Resources.Get(ledger.ResourceKey{Type: typ, ID: id})
	return r, found && !r.Deleted
}

// sameAs compares a message's patient with the handover's. A message that names nobody, and a
// handover of nobody, contradict nothing.
func (s *Snapshot) sameAs(h handover.Handover, told *fhir.Node, from handover.PartyID) sameness {
	if told == nil {
		return sameness{same: true}
	}
	known, found := s.patientRow(h)
	if !found {
		return sameness{same: h.State.Open()} // a closed one of nobody is not this patient's
	}
	was, is := personOf(s.Parse(known)), personOf(told)
	bySender := from == h.Sender
	met := sameness{same: isSame(was, is, bySender)}
	if bySender && met.same {
		met.correction = s.correction(known, was, is)
	}
	return met
}

// correction is what a change of a stored Patient corrects. A number may be corrected by steps: the
// new one beside the old one, or none between them.
func (s *Snapshot) correction(known ledger.Resource, was, is person) Correction {
	c := Correction{Number: contradicts(was.national, is.national), Name: was.named(is)}
	c.Numbers = !slices.Equal(was.national, is.national) && len(is.national) > 0
	if c.Number || !c.Numbers {
		return c
	}
	for _, first := range s.heldFirst(known) {
		c.Number = c.Number || contradicts(first.national, is.national) && !contradicts(first.national, was.national)
	}
	return c
}
