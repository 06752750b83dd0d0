package act

import (
	"slices"
	"strings"

	"stafett/fhir"
	"stafett/ledger"
	"stafett/mappings/account"
)

// planRevoked marks what the actor said before as entered in error, where a resource of its
// message says no more than that: all that says the same of the same thing. false where nothing
// does, or where one of several is meant that cannot be told apart.
func (d *decision) planRevoked(r account.Named) bool {
	if d.creates() || r.Key != "" || !account.IsRevoked(r.Resource) {
		return false
	}
	meant := d.meant(r.Resource)
	for _, row := range meant {
		if d.plans(ledger.ResourceKey{Type: row.Type, ID: row.ID}) {
			continue
		}
		n := d.s.Parse(row)
		for _, element := range []string{"status", "verificationStatus"} {
			if v := r.Resource.Get(element); v != nil {
				n.Set(element, v)
			}
		}
		d.planAfter(row, n, d.actor.Party)
	}
	return len(meant) > 0
}

// meant are the actor's own resources that still hold and say what n says of the same thing; where
// n gives no value, or a number tells the thing, those of the only value that holds.
func (d *decision) meant(n *fhir.Node) []ledger.Resource {
	own := d.ownOf(n)
	value := valueOf(n)
	meant := func(one spoken) bool { return valueOf(one.node) == value }
	numbered := subOf(n) != "" && len(own.all) > 0 && subOf(own.all[0].node) == subOf(n)
	if !slices.ContainsFunc(own.all, meant) && (value == "" || numbered) {
		held := own.holding()
		meant = func(one spoken) bool { return len(held) == 1 && one.key == held[0][0].key }
	}
	var out []ledger.Resource
	for _, one := range own.all {
		if meant(one) && !account.IsRevoked(one.node) {
			out = append(out, one.Resource)
		}
	}
	return out
}

// ownOf is what the actor has said of the thing that n is about: of the same number where several
// are told apart by one, else of the same code.
func (d *decision) ownOf(n *fhir.Node) thing {
	belonging, _ := d.s.Belonging.Get(d.before.ID)
	var own thing
	for _, same := range []func(said, n *fhir.Node) bool{sameThing, sameCode} {
		for _, r := range belonging {
			if r.Author == d.actor.Party && !r.Deleted && same(d.s.Parse(r), n) {
				own.set = own.set || slices.Contains(eachItsOwn, r.Type)
				own.add(said{r, d.s.Parse(r)}, d.saidFirst(r))
			}
		}
		if len(own.all) > 0 {
			break
		}
	}
	return own
}

// sameThing reports resources about one thing. An allergy without a substance is all of them.
func sameThing(said, n *fhir.Node) bool {
	every := n.ResourceType() == "AllergyIntolerance" && codeOf(n) == ""
	return said.ResourceType() == n.ResourceType() && (every || codeOf(said) == codeOf(n))
}

// sameCode reports resources about one code, of which one has no number; what gives no value does
// not say either whether it was a document.
func sameCode(said, n *fhir.Node) bool {
	unnumbered := subOf(said) == "" || subOf(n) == ""
	document := said.ResourceType() == "DocumentReference" && n.ResourceType() == "Observation" && valueOf(n) == ""
	return unnumbered && bareCodeOf(said) == bareCodeOf(n) && (document || said.ResourceType() == n.ResourceType())
}

// valueOf is what a resource says of what it is about; empty for nothing.
func valueOf(n *fhir.Node) string {
	value := fhir.Obj()
	for _, m := range n.Members {
		if strings.HasPrefix(m.Name, "value") || m.Name == "component" {
			value.Members = append(value.Members, m)
		}
	}
	if len(value.Members) == 0 {
		return n.Str("content", "attachment", "data")
	}
	slices.SortFunc(value.Members, func(a, b fhir.Member) int { return strings.Compare(a.Name, b.Name) })
	return string(value.JSON())
}
