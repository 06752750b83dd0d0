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
// n gives no value, those of the only value there is.
func (d *decision) meant(n *fhir.Node) []ledger.Resource {
	belonging, _ := d.s.Belonging.Get(d.before.ID)
	byValue := map[string][]ledger.Resource{}
	for _, r := range belonging {
		if r.Author != d.actor.Party || r.Type != n.ResourceType() || r.Deleted {
			continue
		}
		if said := d.s.Parse(r); !account.IsRevoked(said) && codeOf(said) == codeOf(n) {
			byValue[valueOf(said)] = append(byValue[valueOf(said)], r)
		}
	}
	if value := valueOf(n); value != "" || len(byValue) != 1 {
		return byValue[value]
	}
	for _, only := range byValue {
		return only
	}
	return nil
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
		return ""
	}
	slices.SortFunc(value.Members, func(a, b fhir.Member) int { return strings.Compare(a.Name, b.Name) })
	return string(value.JSON())
}
