package engine

import (
	"stafett/fhir"
	"stafett/handover"
	"stafett/mappings/account"
	"stafett/mappings/language"
)

// canonical is the canonical form that a translation makes, or is made of.
type canonical struct {
	m   *language.Program
	c   *account.Canonical
	res []*fhir.Node // by declaration; nil for one that is not there, or is repeated
}

func newCanonical(m *language.Program, c *account.Canonical) canonical {
	return canonical{m, c, make([]*fhir.Node, len(m.Resources))}
}

// rooted is the node that a place starts from: its resource, or what relative places do.
func (c *canonical) rooted(p *language.Place, relative *fhir.Node) *fhir.Node {
	if p.Root == language.RootResource {
		return c.res[p.Resource]
	}
	return relative
}

// at is the node at a place of a resource, or nil.
func (c *canonical) at(p *language.Place, relative *fhir.Node) *fhir.Node {
	return lookup(c.rooted(p, relative), p.Steps)
}

// inResource reports a place in a resource, not one beside them.
func inResource(p *language.Place) bool { return p.Root <= language.RootResource }

// read returns the text at a place.
func (c *canonical) read(p *language.Place, relative *fhir.Node) string {
	switch p.Root {
	case language.RootHeader:
		return *c.c.Header.Value(p.Name)
	case language.RootFact:
		return c.c.Facts[p.Name]
	case language.RootDay:
		return c.c.Day
	case language.RootEvent:
		return string(c.c.Event)
	}
	if v := c.at(p, relative); v != nil {
		return v.Text
	}
	return ""
}

// present reports whether something stands at a place.
func (c *canonical) present(p *language.Place, relative *fhir.Node) bool {
	if inResource(p) {
		return c.at(p, relative) != nil
	}
	return c.read(p, nil) != ""
}

// holds decides a condition; none holds always.
func (c *canonical) holds(cond *language.Condition, relative *fhir.Node) bool {
	switch {
	case cond == nil:
		return true
	case cond.Equals:
		return (c.read(&cond.Place, relative) == cond.Value) != cond.Negate
	}
	return c.present(&cond.Place, relative) != cond.Negate
}

// lacks is the fault of what the mapping demands and is not there, or nil. arriving says
// that the message has come, not that it is made.
func (c *canonical) lacks(op string, arriving bool) *handover.Fault {
	for i := range c.m.Requires {
		q := &c.m.Requires[i]
		if asked := arriving || !q.ToOnly; asked && !c.met(q) {
			return &handover.Fault{Kind: q.Kind, Op: op, Text: q.Text, Path: q.Path}
		}
	}
	return nil
}

// met reports whether all places of one alternative have something.
func (c *canonical) met(q *language.Require) bool {
	for _, parts := range q.Any {
		if c.allPresent(parts) {
			return true
		}
	}
	return false
}

func (c *canonical) allPresent(parts []language.Place) bool {
	for i := range parts {
		if !c.present(&parts[i], nil) {
			return false
		}
	}
	return true
}
