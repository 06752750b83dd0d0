package engine

import (
	"stafett/fhir"
	"stafett/mappings/account"
	"stafett/mappings/language"
	"stafett/message"
)

// consumer reads the resources and keeps the fate of each leaf, and of each item that a
// block has claimed.
type consumer struct {
	canonical
	seen map[*fhir.Node]account.LeafFate
}

func newConsumer(m *language.Program, c *account.Canonical) consumer {
	r := consumer{newCanonical(m, c), make(map[*fhir.Node]account.LeafFate, 96)}
	for i := range m.Resources {
		if !m.Resources[i].Repeated {
			r.res[i] = c.Resource(m.Resources[i].Name)
		}
	}
	return r
}

// source returns the value at a place; node is nil for what is not in a resource.
func (r *consumer) source(p *language.Place, src *fhir.Node) (text string, node *fhir.Node) {
	if !inResource(p) {
		return r.read(p, nil), nil
	}
	n := r.at(p, src)
	if !isValue(n) {
		return "", nil
	}
	return n.Text, n
}

// isValue reports a node that is neither an object nor an array.
func isValue(n *fhir.Node) bool { return n != nil && n.Kind > fhir.KindArray }

// consume notes the fate of a leaf; the first fate stays.
func (r *consumer) consume(n *fhir.Node, f account.LeafFate) {
	if n != nil && r.unclaimed(n) {
		r.seen[n] = f
	}
}

// unclaimed reports a node that no earlier line or block has taken.
func (r *consumer) unclaimed(n *fhir.Node) bool {
	_, claimed := r.seen[n]
	return !claimed
}

// consumeFilters notes the leaves that chose the items on the way.
func (r *consumer) consumeFilters(p *language.Place, src *fhir.Node, target string) {
	src = r.rooted(p, src)
	for i := range p.Steps {
		src = lookup(src, p.Steps[i:i+1])
		r.consumeChoice(&p.Steps[i], src, target)
	}
}

// consumeChoice notes the leaves of an item that chose it.
func (r *consumer) consumeChoice(s *language.FHIRStep, item *fhir.Node, target string) {
	for j := range s.Filters {
		r.consume(lookup(item, s.Filters[j].Path), account.LeafFate{Fate: message.FateMapped, Target: target})
	}
}

// consumeAs gives the leaf at a step's place a fate, and those that chose the way to it.
func (r *consumer) consumeAs(s *language.Step, src *fhir.Node, fate account.LeafFate, target string) {
	if _, n := r.source(&s.Place, src); n != nil {
		r.consume(n, fate)
		r.consumeFilters(&s.Place, src, target)
	}
}

// mappedTo is the fate of what a line has written.
func mappedTo(s *language.Step) account.LeafFate {
	return account.LeafFate{Fate: message.FateMapped, Target: s.Message.Text}
}

// fixed: what the mapping itself sets says nothing that the message would have to.
func (r *consumer) fixed(s *language.Step, src *fhir.Node) {
	fate := account.LeafFate{Fate: message.FateIgnored, Reason: "fixed by the mapping"}
	if s.Ref != nil {
		for _, ref := range references(src, s.Place.Steps) {
			r.consume(ref, fate)
			r.consumeFilters(&s.Place, src, s.Place.Text)
		}
		return
	}
	if s.Source != nil || r.read(&s.Place, src) == s.Constant.Text {
		r.consumeAs(s, src, fate, s.Place.Text)
	}
}

// ignore: what a mapping says has no place in the message, with all below it.
func (r *consumer) ignore(s *language.Step, src *fhir.Node) {
	n, last := r.rooted(&s.Place, src), len(s.Place.Steps)-1
	if last >= 0 {
		n = whole(lookup(n, s.Place.Steps[:last]), &s.Place.Steps[last])
	}
	r.ignoreBelow(n, s.Reason)
}

// whole is what a last step means to ignore: an item that it chooses, or all of an array.
func whole(n *fhir.Node, s *language.FHIRStep) *fhir.Node {
	v := n.Get(s.Name)
	if chooses := s.Array && !s.Append; !chooses || v == nil || v.Kind != fhir.KindArray {
		return v
	}
	return itemOf(s, v)
}

func (r *consumer) ignoreBelow(n *fhir.Node, reason string) {
	if isValue(n) {
		r.consume(n, account.LeafFate{Fate: message.FateIgnored, Reason: reason})
	}
	if n == nil {
		return
	}
	for _, item := range n.Items {
		r.ignoreBelow(item, reason)
	}
	for i := range n.Members {
		r.ignoreBelow(n.Members[i].Value, reason)
	}
}

// claim keeps an item that a block has taken from later groups.
func (r *consumer) claim(s *language.Step, item *fhir.Node) {
	if n := len(s.Place.Steps); n > 0 && s.Place.Steps[n-1].Array {
		r.consume(item, account.LeafFate{Fate: message.FateMapped})
	}
}
