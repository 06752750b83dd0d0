package act

import (
	"stafett/fhir"
	"stafett/handover"
)

// placeMerged places a merge of two records: in the open handover of the numbers that stay,
// else of those that they replace, whose patient the sender says it is. Where both have
// chains a named person must put them together (invariant 9). Without any it is of a feed.
func (in Incoming) placeMerged(s *Snapshot, p placed) (placed, error) {
	patient := in.patient()
	found := in.openOf(s, append(s.Identity.persons(in.Row.Sender, patient), s.Identity.replaced(in.Row.Sender, patient)...))
	switch {
	case len(found) > 0:
	case in.isParked(s):
		return p, errBeforeOriginal
	default:
		return p, errNoHandover
	}
	p.before, p.correction = found[0], s.sameAs(found[0], patient, in.Row.Sender).correction
	for _, h := range found[1:] {
		if h.Chain != p.before.Chain {
			p.event.Attention = handover.AttentionChainsMeet
			p.also = append(p.also, h)
		}
	}
	if in.samePlace(s, p.before) {
		p.event.Residence = ""
	}
	return p, in.stillFor(s, p.before)
}

// replaced are the keys of the numbers that a Patient replaces (Patient.link). One without type or
// authority is of those that the Patient's own numbers are of.
func (i Identity) replaced(party handover.PartyID, patient *fhir.Node) []string {
	var out []string
	for _, link := range patient.Each("link") {
		if link.Str("type") != "replaces" {
			continue
		}
		other := link.Get("other")
		out = append(out, i.persons(party, other)...)
		if id := other.Get("identifier"); id.Str("system") == "" && id.Str("assigner", "display") == "" {
			for _, own := range patient.Each("identifier") {
				like := own.Clone()
				like.Set("value", fhir.Str(id.Str("value")))
				out = append(out, i.persons(party, fhir.Obj("identifier", []*fhir.Node{like}))...)
			}
		}
	}
	return out
}
