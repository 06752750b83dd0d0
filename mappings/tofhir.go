package mappings

import (
	"strconv"
	"strings"

	"stafett/fhir"
	"stafett/handover"
	"stafett/message"
)

const opToFHIR = "mappings.ToFHIR"

// ToFHIR translates a decoded message. The report gives each leaf of the message its
// fate. An error is a *handover.Fault, with the element's path and line where one element
// is at fault; the report is complete also then.
func (m *Mapping) ToFHIR(msg *message.Message, ctx Context) (Canonical, Report, error) {
	c := Canonical{Header: ctx.Header, Kind: m.kind, Facts: map[string]string{}}
	report := Report{Mapping: m.name}
	if msg == nil || msg.Root == nil {
		return c, report, &handover.Fault{Kind: handover.FaultInvalid, Op: opToFHIR, Text: "the message has no content"}
	}
	r := &toRun{m: m, ctx: &ctx, tree: newSourceTree(msg), c: &c, res: make([]*fhir.Node, len(m.resources)), stack: make([]int32, 0, 64)}
	if m.root.name != "" && (msg.Root.Name != m.root.name || msg.Root.Space != m.root.space) {
		r.tree.decide(0, message.FateCarried, "")
		report.Fates = r.fates()
		return c, report, &handover.Fault{Kind: handover.FaultUnmapped, Op: opToFHIR, Path: r.tree.path(0),
			Text: "the document element is not the mapping's", Line: msg.Root.Line, Column: msg.Root.Column}
	}
	for i := range m.resources {
		if m.resources[i].always {
			r.res[i] = fhir.Obj("resourceType", m.resources[i].typ)
		}
	}
	r.run(m.steps, 0, nil)
	c.Header.Type = m.typ
	r.event()
	r.constants(m.steps, nil)
	r.unknownCodes()
	r.settle()
	r.collect()
	report.Fates = r.fates()
	if fault := r.required(); fault != nil {
		return c, report, fault
	}
	return c, report, nil
}

// toRun is one translation to FHIR.
type toRun struct {
	m        *Mapping
	ctx      *Context
	tree     *sourceTree
	c        *Canonical
	res      []*fhir.Node
	repeated []Named
	counts   map[int]int
	writes   int // values written, constants not counted
	stack    []int32
	slab     []fhir.Node
}

// run executes steps for the message node base; dst is what relative FHIR places start from.
func (r *toRun) run(steps []step, base int32, dst *fhir.Node) {
	for i := range steps {
		s := &steps[i]
		if s.cond != nil && s.kind != stepFHIR && s.kind != stepMessage && !r.holds(s.cond, dst) {
			continue
		}
		if s.fromOnly {
			r.repeats(s, base)
			continue
		}
		switch s.kind {
		case stepLine:
			r.line(s, base, dst)
		case stepIn:
			r.in(s, base, dst)
		case stepEach, stepEachResource:
			r.each(s, base, dst)
		case stepJoin:
			r.join(s, base, dst)
		case stepMessage:
			r.fixed(s, base)
		case stepIgnore:
			r.ignore(s, base)
		}
	}
}

func (r *toRun) start(p *msgPath, base int32) int32 {
	if p.absolute {
		return 0
	}
	return base
}

// chain takes room for one find from the run's stack; release gives it back.
func (r *toRun) chain(p *msgPath) []int32 {
	n := len(r.stack)
	for range p.steps {
		r.stack = append(r.stack, -1)
	}
	return r.stack[n:len(r.stack):len(r.stack)]
}

func (r *toRun) release(chain []int32) { r.stack = r.stack[:len(r.stack)-len(chain)] }

func (r *toRun) line(s *step, base int32, dst *fhir.Node) {
	chain := r.chain(&s.msg)
	defer r.release(chain)
	leaf := r.tree.first(r.start(&s.msg, base), s.msg.steps, chain, false)
	if leaf < 0 {
		return
	}
	if !s.conv.subtree {
		leaf = r.tree.value(leaf)
	}
	how, reason := r.value(s, leaf, dst)
	switch {
	case how == unconvertible:
		if n := &r.tree.nodes[leaf]; n.fate == "" && n.reason == "" {
			n.reason = reason
		}
	case how == absent:
	case s.conv.subtree:
		r.tree.markBelow(leaf, s.place.text)
		r.markFilters(s, chain)
	default:
		r.tree.mark(leaf, s.place.text, how, reason)
		r.markFilters(s, chain)
	}
}

// repeats reads a place that is only written: for the mapping's reason it says nothing new.
func (r *toRun) repeats(s *step, base int32) {
	chain := r.chain(&s.msg)
	defer r.release(chain)
	id := r.tree.first(r.start(&s.msg, base), s.msg.steps, chain, false)
	if id < 0 {
		return
	}
	if n := &r.tree.nodes[r.tree.value(id)]; n.fate == "" && n.n.Value != "" {
		n.fate, n.reason = message.FateIgnored, s.reason
	}
}

// value converts one leaf and writes it.
func (r *toRun) value(s *step, leaf int32, dst *fhir.Node) (verdict, string) {
	v := r.tree.nodes[leaf].n.Value
	if s.conv.subtree {
		v = r.tree.text(leaf)
	}
	if !r.tree.er7 {
		v = strings.TrimSpace(v) // around an XML value, white space is layout
	}
	if v == "" {
		return absent, ""
	}
	if r.tree.er7 && v == `""` {
		return unconvertible, "an explicit null (HL7 v2.5 section 2.5.3.3)"
	}
	out, how, reason := s.conv.to(r.ctx, v)
	if how != converted && how != partly {
		return how, reason
	}
	if r.write(&s.place, dst, s.conv.kind, out) == occupied {
		return unconvertible, "another value has this place"
	}
	return how, reason
}

// write puts text at a place of the canonical form.
func (r *toRun) write(p *place, dst *fhir.Node, kind fhir.NodeKind, text string) written {
	if text == "" {
		return occupied
	}
	slot := (*string)(nil)
	switch p.root {
	case rootHeader:
		*headerValue(&r.c.Header, p.name) = text
		r.writes++
		return wrote
	case rootDay:
		slot = &r.c.Day
	case rootFact:
		if old, ok := r.c.Facts[p.name]; ok {
			return compareText(old, text)
		}
		r.c.Facts[p.name] = text
		r.writes++
		return wrote
	case rootEvent:
		return occupied
	case rootResource:
		if r.res[p.res] == nil {
			r.res[p.res] = fhir.Obj("resourceType", r.m.resources[p.res].typ)
		}
		dst = r.res[p.res]
	}
	if slot != nil {
		if *slot != "" {
			return compareText(*slot, text)
		}
		*slot = text
		return wrote
	}
	v := r.node()
	v.Kind, v.Text = kind, text
	w := put(dst, p.steps, v)
	if w == wrote {
		r.writes++
	}
	return w
}

// node takes a node from a chunk: a resource has many, and they live and die together.
func (r *toRun) node() *fhir.Node {
	if len(r.slab) == 0 {
		r.slab = make([]fhir.Node, 16)
	}
	n := &r.slab[0]
	r.slab = r.slab[1:]
	return n
}

func compareText(old, text string) written {
	if old == text {
		return equal
	}
	return occupied
}

// markFilters marks the leaves that chose the repetitions on the way.
func (r *toRun) markFilters(s *step, chain []int32) {
	for i := range s.msg.steps {
		for j := range s.msg.steps[i].filters {
			if leaf := r.tree.leafAt(chain[i], s.msg.steps[i].filters[j].path); leaf >= 0 {
				target := s.place.text
				if target == "" {
					target = "the choice of " + s.msg.text
				}
				r.tree.mark(leaf, target, converted, "")
			}
		}
	}
}

// open returns the object at a block's FHIR place, and whether it is new and not attached.
func (r *toRun) open(s *step, dst *fhir.Node) (node *fhir.Node, fresh bool) {
	if !s.hasPlace {
		return dst, false
	}
	root := dst
	if s.place.root == rootResource {
		if root = r.res[s.place.res]; len(s.place.steps) == 0 {
			if root == nil {
				return fhir.Obj("resourceType", r.m.resources[s.place.res].typ), true
			}
			return root, false
		}
	}
	if s.kind == stepIn {
		if n := lookup(root, s.place.steps); n != nil {
			return n, false
		}
	}
	return s.place.steps[len(s.place.steps)-1].newItem(), true
}

// attach puts a fresh object where the block's FHIR place is.
func (r *toRun) attach(s *step, dst, node *fhir.Node) bool {
	if s.place.root == rootResource {
		if len(s.place.steps) == 0 {
			r.res[s.place.res] = node
			return true
		}
		if r.res[s.place.res] == nil {
			r.res[s.place.res] = fhir.Obj("resourceType", r.m.resources[s.place.res].typ)
		}
		dst = r.res[s.place.res]
	}
	return attach(dst, s.place.steps, node)
}

func (r *toRun) in(s *step, base int32, dst *fhir.Node) {
	chain := r.chain(&s.msg)
	defer r.release(chain)
	id := r.tree.first(r.start(&s.msg, base), s.msg.steps, chain, true)
	if id < 0 {
		return
	}
	node, fresh := r.open(s, dst)
	before := r.writes
	r.run(s.body, id, node)
	if r.writes == before {
		return
	}
	r.constants(s.body, node)
	if fresh && !r.attach(s, dst, node) {
		return
	}
	if last := &s.msg.steps[len(s.msg.steps)-1]; last.filters != nil {
		r.tree.nodes[id].claimed = true
	}
	r.markFilters(s, chain)
}

func (r *toRun) each(s *step, base int32, dst *fhir.Node) {
	chain := r.chain(&s.msg)
	defer r.release(chain)
	r.tree.find(r.start(&s.msg, base), s.msg.steps, chain, func(id int32) bool {
		if r.tree.nodes[id].claimed {
			return true
		}
		var node *fhir.Node
		if s.kind == stepEachResource {
			node = fhir.Obj("resourceType", r.m.resources[s.res].typ)
		} else {
			node, _ = r.open(s, dst)
		}
		before := r.writes
		r.run(s.body, id, node)
		if r.writes == before {
			return true
		}
		r.constants(s.body, node)
		if s.kind == stepEachResource {
			r.addRepeated(s.res, node)
		} else if !r.attach(s, dst, node) {
			return true
		}
		r.tree.nodes[id].claimed = true
		r.markFilters(s, chain)
		return true
	})
}

func (r *toRun) addRepeated(res int, node *fhir.Node) {
	if r.counts == nil {
		r.counts = map[int]int{}
	}
	r.counts[res]++
	r.repeated = append(r.repeated, Named{Name: r.m.resources[res].name + "-" + strconv.Itoa(r.counts[res]), Resource: node})
}

// join makes one text of all repetitions, a line of each.
func (r *toRun) join(s *step, base int32, dst *fhir.Node) {
	chain := r.chain(&s.msg)
	defer r.release(chain)
	var text strings.Builder
	var leaves, anchors []int32
	r.tree.find(r.start(&s.msg, base), s.msg.steps, chain, func(id int32) bool {
		if len(chain) > 1 && r.tree.nodes[chain[0]].claimed {
			return true
		}
		leaf := r.tree.value(id)
		if len(leaves) > 0 {
			text.WriteByte('\n')
		}
		text.WriteString(r.tree.nodes[leaf].n.Value)
		leaves, anchors = append(leaves, leaf), append(anchors, chain[0])
		return true
	})
	if r.write(&s.place, dst, fhir.KindString, text.String()) == occupied {
		return
	}
	for i, leaf := range leaves {
		r.tree.mark(leaf, s.place.text, converted, "")
		chain[0] = anchors[i]
		r.markFilters(&step{msg: msgPath{steps: s.msg.steps[:1], text: s.msg.text}, place: s.place}, chain)
		r.tree.nodes[anchors[i]].claimed = true
	}
}

// fixed reads a message constant: it is ignored where it is as expected, or where the
// mapping says why any value may be.
func (r *toRun) fixed(s *step, base int32) {
	chain := r.chain(&s.msg)
	defer r.release(chain)
	r.tree.find(r.start(&s.msg, base), s.msg.steps, chain, func(id int32) bool {
		n := &r.tree.nodes[r.tree.value(id)]
		if n.fate != "" {
			return true
		}
		switch {
		case n.n.Value == s.value:
			n.fate, n.reason = message.FateIgnored, "fixed by the format"
		case s.reason != "":
			n.fate, n.reason = message.FateIgnored, s.reason
		}
		return true
	})
}

func (r *toRun) ignore(s *step, base int32) {
	fate := message.FateIgnored
	if s.always {
		fate = message.FateCarried
	}
	chain := r.chain(&s.msg)
	defer r.release(chain)
	r.tree.find(r.start(&s.msg, base), s.msg.steps, chain, func(id int32) bool {
		r.tree.decide(id, fate, s.reason)
		return true
	})
}

// constants writes a block's fixed FHIR values. They never overwrite a mapped one, so
// that they are defaults as well.
func (r *toRun) constants(steps []step, dst *fhir.Node) {
	for i := range steps {
		s := &steps[i]
		if s.kind != stepFHIR || s.cond != nil && !r.holds(s.cond, dst) {
			continue
		}
		r.constant(s, dst)
	}
}

func (r *toRun) constant(s *step, dst *fhir.Node) {
	if s.place.root == rootResource {
		dst = r.res[s.place.res]
	}
	if dst == nil {
		return
	}
	v := s.constant
	if s.source != nil {
		text := r.read(s.source, dst)
		if text != "" && s.conv != nil {
			text, _, _ = s.conv.to(r.ctx, text)
		}
		if text == "" {
			return
		}
		v = fhir.Str(text)
	}
	n := r.node()
	n.Kind, n.Text = v.Kind, v.Text
	put(dst, s.place.steps, n)
}

// read returns the text at a place of the canonical form as built so far.
func (r *toRun) read(p *place, rel *fhir.Node) string {
	if p.root == rootResource {
		return textAt(r.res[p.res], p.steps)
	}
	return readCanonical(r.c, p, rel)
}

func (r *toRun) holds(cond *condition, dst *fhir.Node) bool {
	if cond.place.root == rootResource {
		dst = r.res[cond.place.res]
	}
	return cond.test(r.c, dst)
}

// test decides a condition; n is the resource, or the block's object, that it is about.
func (cond *condition) test(c *Canonical, n *fhir.Node) bool {
	switch cond.place.root {
	case rootRelative, rootResource:
		if !cond.equals {
			return (n != nil && lookup(n, cond.place.steps) != nil) != cond.negate
		}
		return (textAt(n, cond.place.steps) == cond.value) != cond.negate
	}
	text := readCanonical(c, &cond.place, nil)
	if cond.equals {
		return (text == cond.value) != cond.negate
	}
	return (text != "") != cond.negate
}

// readCanonical reads header, facts, day, event or a relative place.
func readCanonical(c *Canonical, p *place, rel *fhir.Node) string {
	switch p.root {
	case rootHeader:
		return *headerValue(&c.Header, p.name)
	case rootFact:
		return c.Facts[p.name]
	case rootDay:
		return c.Day
	case rootEvent:
		return string(c.Event)
	}
	return textAt(rel, p.steps)
}

func textAt(n *fhir.Node, steps []fhirStep) string {
	if v := lookup(n, steps); v != nil {
		return v.Text
	}
	return ""
}
