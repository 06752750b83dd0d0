package mappings

import (
	"strings"

	"stafett/fhir"
	"stafett/handover"
	"stafett/message"
)

const opFromFHIR = "mappings.FromFHIR"

// FromFHIR builds the message tree of the canonical form. The report's fates and
// leftovers together account for every leaf of the resources. An error is a
// *handover.Fault when the canonical form lacks what the message must have.
func (m *Mapping) FromFHIR(c Canonical, ctx Context) (*message.Node, Report, error) {
	if ctx.Header == (Header{}) {
		ctx.Header = c.Header
	}
	c.Header = ctx.Header
	if c.Header.Status == "" {
		c.Header.Status, _ = m.StatusFor(c.Event)
	}
	r := &fromRun{m: m, ctx: &ctx, c: &c, res: make([]*fhir.Node, len(m.resources)), seen: make(map[*fhir.Node]leafFate, 96)}
	for i := range m.resources {
		if !m.resources[i].repeated {
			r.res[i] = c.Resource(m.resources[i].name)
		}
	}
	root := &message.Node{Name: m.root.name, Space: m.root.space}
	if m.wire == handover.WireHL7v2 {
		root.Name = "message"
	}
	r.root = root
	r.run(m.steps, root, nil)
	r.constants(m.steps, root, nil)
	r.finish()
	report := Report{Mapping: m.name}
	report.Fates, report.Leftover = r.account()
	for i := range m.requires {
		if q := &m.requires[i]; !q.toOnly && !q.met(r.present) {
			return nil, report, m.faultOf(q, opFromFHIR, nil)
		}
	}
	return root, report, nil
}

// leafFate is what became of one leaf (or of one claimed item) of the resources.
type leafFate struct {
	fate   message.Fate
	target string
	reason string
}

// fromRun is one translation from FHIR.
type fromRun struct {
	m      *Mapping
	ctx    *Context
	c      *Canonical
	root   *message.Node
	res    []*fhir.Node
	seen   map[*fhir.Node]leafFate
	writes int
}

func (r *fromRun) run(steps []step, base *message.Node, src *fhir.Node) {
	for i := range steps {
		s := &steps[i]
		if s.cond != nil && s.kind != stepMessage && !r.holds(s.cond, src) {
			continue
		}
		if s.toOnly {
			r.consumeOnly(s, src)
			continue
		}
		switch s.kind {
		case stepLine:
			r.line(s, base, src)
		case stepIn:
			r.in(s, base, src)
		case stepEach:
			r.each(s, base, src)
		case stepEachResource:
			r.eachResource(s, base)
		case stepJoin:
			r.join(s, base, src)
		case stepFHIR:
			r.fixed(s, src)
		case stepIgnoreFHIR:
			r.ignore(s, src)
		}
	}
}

func (r *fromRun) holds(cond *condition, src *fhir.Node) bool {
	if cond.place.root == rootResource {
		src = r.res[cond.place.res]
	}
	return cond.test(r.c, src)
}

func (r *fromRun) present(p *place) bool {
	if p.root == rootResource {
		n := r.res[p.res]
		return n != nil && lookup(n, p.steps) != nil
	}
	return readCanonical(r.c, p, nil) != ""
}

// source returns the value at a place; node is nil for what is not in a resource.
func (r *fromRun) source(p *place, src *fhir.Node) (text string, node *fhir.Node) {
	switch p.root {
	case rootRelative:
	case rootResource:
		src = r.res[p.res]
	default:
		return readCanonical(r.c, p, nil), nil
	}
	if n := lookup(src, p.steps); n != nil && n.Kind != fhir.KindObject && n.Kind != fhir.KindArray {
		return n.Text, n
	}
	return "", nil
}

// consume notes the fate of a leaf; the first fate stays.
func (r *fromRun) consume(n *fhir.Node, f leafFate) {
	if n == nil {
		return
	}
	if _, done := r.seen[n]; !done {
		r.seen[n] = f
	}
}

// consumeFilters notes the leaves that chose the items on the way.
func (r *fromRun) consumeFilters(p *place, src *fhir.Node, target string) {
	if p.root == rootResource {
		src = r.res[p.res]
	}
	for i := range p.steps {
		s := &p.steps[i]
		next := lookup(src, p.steps[i:i+1])
		for j := range s.filters {
			r.consume(lookup(next, s.filters[j].path), leafFate{fate: message.FateMapped, target: target})
		}
		src = next
	}
}

// consumeOnly: a value that only this gateway derives from the message says nothing that
// the message itself does not say.
func (r *fromRun) consumeOnly(s *step, src *fhir.Node) {
	if s.kind != stepLine {
		return
	}
	if _, n := r.source(&s.place, src); n != nil {
		r.consume(n, leafFate{fate: message.FateIgnored, reason: s.reason})
		r.consumeFilters(&s.place, src, s.msg.text)
	}
}

func (r *fromRun) line(s *step, base *message.Node, src *fhir.Node) {
	text, node := r.source(&s.place, src)
	if text == "" {
		r.otherwise(s, base, src)
		return
	}
	out, how, _ := s.conv.from(r.ctx, text)
	if how == unconvertible || how == absent || out == "" {
		r.otherwise(s, base, src)
		return
	}
	switch r.write(&s.msg, base, out) {
	case occupied:
		return
	case wrote:
		r.writes++
	}
	if how == converted {
		r.consume(node, leafFate{fate: message.FateMapped, target: s.msg.text})
	}
	r.consumeFilters(&s.place, src, s.msg.text)
}

// otherwise writes the first "else" part that has a value. It is not content: it makes
// no block on its own.
func (r *fromRun) otherwise(s *step, base *message.Node, src *fhir.Node) {
	for i := range s.els {
		e := &s.els[i]
		if e.place == nil {
			r.write(&s.msg, base, e.constant)
			return
		}
		text, node := r.source(e.place, src)
		conv := e.conv
		if conv == nil {
			conv = s.conv
		}
		if text == "" {
			continue
		}
		if out, how, _ := conv.from(r.ctx, text); how == converted && out != "" && r.write(&s.msg, base, out) != occupied {
			r.consume(node, leafFate{fate: message.FateMapped, target: s.msg.text})
			return
		}
	}
}

func (r *fromRun) fixed(s *step, src *fhir.Node) {
	text, n := r.source(&s.place, src)
	if n == nil {
		return
	}
	if s.source != nil || s.constant.Text == text {
		r.consume(n, leafFate{fate: message.FateIgnored, reason: "fixed by the mapping"})
		r.consumeFilters(&s.place, src, s.place.text)
	}
}

func (r *fromRun) ignore(s *step, src *fhir.Node) {
	if s.place.root == rootResource {
		src = r.res[s.place.res]
	}
	n := src
	if last := len(s.place.steps) - 1; last >= 0 {
		n = lookup(src, s.place.steps[:last])
		if st := &s.place.steps[last]; !st.array || st.append_ {
			n = n.Get(st.name) // all of it, also of an array
		} else {
			n = lookup(n, s.place.steps[last:])
		}
	}
	r.ignoreBelow(n, s.reason)
}

func (r *fromRun) ignoreBelow(n *fhir.Node, reason string) {
	if n == nil {
		return
	}
	for i := range n.Members {
		r.ignoreBelow(n.Members[i].Value, reason)
	}
	for _, it := range n.Items {
		r.ignoreBelow(it, reason)
	}
	if n.Kind > fhir.KindArray {
		r.consume(n, leafFate{fate: message.FateIgnored, reason: reason})
	}
}

func (r *fromRun) in(s *step, base *message.Node, src *fhir.Node) {
	inner := src
	if s.hasPlace {
		root := src
		if s.place.root == rootResource {
			root = r.res[s.place.res]
		}
		inner = lookup(root, s.place.steps)
		if _, claimed := r.seen[inner]; inner != nil && claimed {
			inner = nil
		}
		if inner == nil && !s.always {
			return
		}
	}
	if r.block(s, base, inner) && s.hasPlace && inner != nil {
		r.claim(s, inner)
		r.consumeFilters(&s.place, src, s.msg.text)
	}
}

// claim keeps an item that a block has taken from later groups.
func (r *fromRun) claim(s *step, item *fhir.Node) {
	if n := len(s.place.steps); n > 0 && s.place.steps[n-1].array {
		r.consume(item, leafFate{fate: message.FateMapped})
	}
}

// block runs a body for one message node and reports whether it had content.
func (r *fromRun) block(s *step, base *message.Node, src *fhir.Node) bool {
	parent := base
	if s.msg.absolute {
		parent = r.root
	}
	node, fresh := r.open(s.msg.steps, parent, s.kind != stepIn)
	before := r.writes
	r.run(s.body, node, src)
	if r.writes == before && !s.always {
		return false
	}
	r.constants(s.body, node, src)
	if fresh {
		r.graft(s.msg.steps, parent, node)
	}
	return true
}

func (r *fromRun) each(s *step, base *message.Node, src *fhir.Node) {
	if s.place.root == rootResource {
		src = r.res[s.place.res]
	}
	last := &s.place.steps[len(s.place.steps)-1]
	holder := lookup(src, s.place.steps[:len(s.place.steps)-1])
	if len(s.place.steps) == 1 {
		holder = src
	}
	arr := holder.Get(last.name)
	if arr == nil || arr.Kind != fhir.KindArray {
		return
	}
	for _, item := range arr.Items {
		if _, claimed := r.seen[item]; claimed || item.Kind != fhir.KindObject || !last.meets(item) {
			continue
		}
		if r.block(s, base, item) {
			r.claim(s, item)
			for j := range last.filters {
				r.consume(lookup(item, last.filters[j].path), leafFate{fate: message.FateMapped, target: s.msg.text})
			}
		}
	}
}

func (r *fromRun) eachResource(s *step, base *message.Node) {
	d := &r.m.resources[s.res]
	for i := range r.c.Resources {
		n := &r.c.Resources[i]
		if rest, ok := strings.CutPrefix(n.Name, d.name+"-"); ok && allDigits(rest) && n.Resource != nil {
			r.block(s, base, n.Resource)
		}
	}
}

// join writes each line of a text as a repetition of its own.
func (r *fromRun) join(s *step, base *message.Node, src *fhir.Node) {
	text, node := r.source(&s.place, src)
	if text == "" {
		return
	}
	parent := base
	if s.msg.absolute {
		parent = r.root
	}
	for _, line := range strings.Split(text, "\n") {
		rep := r.newNode(&s.msg.steps[0])
		parent.Children = append(parent.Children, rep)
		leaf := rep
		for i := range s.msg.steps[1:] {
			leaf = r.child(leaf, &s.msg.steps[1+i], true)
		}
		leaf.Value = line
	}
	r.writes++
	r.consume(node, leafFate{fate: message.FateMapped, target: s.msg.text})
	r.consumeFilters(&s.place, src, s.msg.text)
}

// constants writes a block's fixed message values.
func (r *fromRun) constants(steps []step, base *message.Node, src *fhir.Node) {
	for i := range steps {
		s := &steps[i]
		if s.kind == stepMessage && (s.cond == nil || r.holds(s.cond, src)) {
			r.write(&s.msg, base, s.value)
		}
	}
}
