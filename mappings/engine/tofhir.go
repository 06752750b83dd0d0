package engine

import (
	"strings"

	"stafett/fhir"
	"stafett/handover"
	"stafett/mappings/account"
	"stafett/mappings/language"
	"stafett/message"
)

const opToFHIR = "mappings.ToFHIR"

// ToFHIR translates a decoded message. The report gives each leaf of the message its
// fate. An error is a *handover.Fault, with the element's path and line where one element
// is at fault; the report is complete also then.
func ToFHIR(m *language.Program, msg *message.Message, ctx Context) (account.Canonical, account.Report, error) {
	c := account.Canonical{Header: ctx.Header, Kind: m.Kind, Facts: map[string]string{}}
	report := account.Report{Mapping: m.Name}
	if msg == nil || msg.Root == nil {
		return c, report, &handover.Fault{Kind: handover.FaultInvalid, Op: opToFHIR, Text: "the message has no content"}
	}
	ctx.Location = zoneOf(ctx)
	r := &toRun{m: m, ctx: &ctx, tree: newSourceTree(msg), c: &c, res: make([]*fhir.Node, len(m.Resources)), stack: make([]int32, 0, 64)}
	if m.Root.Name != "" && (msg.Root.Name != m.Root.Name || msg.Root.Space != m.Root.Space) {
		r.tree.decide(0, message.FateCarried, "")
		report.Fates = r.fates()
		return c, report, &handover.Fault{Kind: handover.FaultUnmapped, Op: opToFHIR, Path: r.tree.path(0),
			Text: "the document element is not the mapping's", Line: msg.Root.Line, Column: msg.Root.Column}
	}
	if m.Linked {
		r.blocks.names = make([]string, len(m.Resources))
	}
	for i := range m.Resources {
		if m.Resources[i].Always {
			r.res[i] = fhir.Obj("resourceType", m.Resources[i].Type)
		}
	}
	r.run(m.Steps, 0, nil)
	c.Header.Type = m.Type
	r.event()
	r.constants(m.Steps, nil)
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
	m        *language.Program
	ctx      *Context
	tree     *sourceTree
	c        *account.Canonical
	res      []*fhir.Node
	repeated []account.Named
	counts   map[int]int
	blocks   repetitions
	writes   int // values written, constants not counted
	stack    []int32
	slab     []fhir.Node
}

// run executes steps for the message node base; dst is what relative FHIR places start from.
func (r *toRun) run(steps []language.Step, base int32, dst *fhir.Node) {
	for i := range steps {
		s := &steps[i]
		if s.Condition != nil && s.Kind != language.StepFHIR && s.Kind != language.StepMessage && !r.holds(s.Condition, dst) {
			continue
		}
		if s.FromOnly {
			r.repeats(s, base)
			continue
		}
		switch s.Kind {
		case language.StepLine:
			r.line(s, base, dst)
		case language.StepIn:
			r.in(s, base, dst)
		case language.StepEach, language.StepEachResource:
			r.each(s, base, dst)
		case language.StepJoin:
			r.join(s, base, dst)
		case language.StepMessage:
			r.fixed(s, base)
		case language.StepIgnore:
			r.ignore(s, base)
		}
	}
}

func (r *toRun) start(p *language.MsgPath, base int32) int32 {
	if p.Absolute {
		return 0
	}
	return base
}

// chain takes room for one find from the run's stack; release gives it back.
func (r *toRun) chain(p *language.MsgPath) []int32 {
	n := len(r.stack)
	for range p.Steps {
		r.stack = append(r.stack, -1)
	}
	return r.stack[n:len(r.stack):len(r.stack)]
}

func (r *toRun) release(chain []int32) { r.stack = r.stack[:len(r.stack)-len(chain)] }

func (r *toRun) line(s *language.Step, base int32, dst *fhir.Node) {
	chain := r.chain(&s.Message)
	defer r.release(chain)
	leaf := r.tree.first(r.start(&s.Message, base), s.Message.Steps, chain, false)
	if leaf < 0 {
		return
	}
	if !s.Converter.Subtree {
		leaf = r.tree.value(leaf)
	}
	how, reason := r.value(s, leaf, dst)
	switch {
	case how == language.Unconvertible:
		if n := &r.tree.nodes[leaf]; n.fate == "" && n.reason == "" {
			n.reason = reason
		}
	case how == language.Absent:
	case s.Converter.Subtree:
		r.tree.markBelow(leaf, s.Place.Text)
		r.markFilters(s, chain)
	default:
		r.tree.mark(leaf, s.Place.Text, how, reason)
		r.markFilters(s, chain)
	}
}

// repeats reads a place that is only written: for the mapping's reason it says nothing new.
func (r *toRun) repeats(s *language.Step, base int32) {
	chain := r.chain(&s.Message)
	defer r.release(chain)
	id := r.tree.first(r.start(&s.Message, base), s.Message.Steps, chain, false)
	if id < 0 {
		return
	}
	if n := &r.tree.nodes[r.tree.value(id)]; n.fate == "" && n.n.Value != "" {
		n.fate, n.reason = message.FateIgnored, s.Reason
	}
}

// value converts one leaf and writes it.
func (r *toRun) value(s *language.Step, leaf int32, dst *fhir.Node) (language.Verdict, string) {
	v := r.tree.nodes[leaf].n.Value
	if s.Converter.Subtree {
		v = r.tree.text(leaf)
	}
	if !r.tree.er7 {
		v = strings.TrimSpace(v) // around an XML value, white space is layout
	}
	if v == "" {
		return language.Absent, ""
	}
	if r.tree.er7 && v == `""` {
		return language.Unconvertible, "an explicit null (HL7 v2.5 section 2.5.3.3)"
	}
	out, how, reason := s.Converter.To(r.ctx.Location, v)
	if how != language.Converted && how != language.Partly {
		return how, reason
	}
	if r.write(&s.Place, dst, s.Converter.Kind, out) == occupied {
		return language.Unconvertible, "another value has this place"
	}
	return how, reason
}

// write puts text at a place of the canonical form.
func (r *toRun) write(p *language.Place, dst *fhir.Node, kind fhir.NodeKind, text string) written {
	if text == "" {
		return occupied
	}
	slot := (*string)(nil)
	switch p.Root {
	case language.RootHeader:
		*r.c.Header.Value(p.Name) = text
		r.writes++
		return wrote
	case language.RootDay:
		slot = &r.c.Day
	case language.RootFact:
		if old, ok := r.c.Facts[p.Name]; ok {
			return compareText(old, text)
		}
		r.c.Facts[p.Name] = text
		r.writes++
		return wrote
	case language.RootEvent:
		return occupied
	case language.RootResource:
		if r.res[p.Resource] == nil {
			r.res[p.Resource] = fhir.Obj("resourceType", r.m.Resources[p.Resource].Type)
		}
		dst = r.res[p.Resource]
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
	w := put(dst, p.Steps, v)
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
func (r *toRun) markFilters(s *language.Step, chain []int32) {
	for i := range s.Message.Steps {
		for j := range s.Message.Steps[i].Filters {
			if leaf := r.tree.leafAt(chain[i], s.Message.Steps[i].Filters[j].Path); leaf >= 0 {
				target := s.Place.Text
				if target == "" {
					target = "the choice of " + s.Message.Text
				}
				r.tree.mark(leaf, target, language.Converted, "")
			}
		}
	}
}

// open returns the object at a block's FHIR place, and whether it is new and not attached.
func (r *toRun) open(s *language.Step, dst *fhir.Node) (node *fhir.Node, fresh bool) {
	if !s.HasPlace {
		return dst, false
	}
	root := dst
	if s.Place.Root == language.RootResource {
		if root = r.res[s.Place.Resource]; len(s.Place.Steps) == 0 {
			if root == nil {
				return fhir.Obj("resourceType", r.m.Resources[s.Place.Resource].Type), true
			}
			return root, false
		}
	}
	if s.Kind == language.StepIn {
		if n := lookup(root, s.Place.Steps); n != nil {
			return n, false
		}
	}
	return newItem(&s.Place.Steps[len(s.Place.Steps)-1]), true
}

// attach puts a fresh object where the block's FHIR place is.
func (r *toRun) attach(s *language.Step, dst, node *fhir.Node) bool {
	if s.Place.Root == language.RootResource {
		if len(s.Place.Steps) == 0 {
			r.res[s.Place.Resource] = node
			return true
		}
		if r.res[s.Place.Resource] == nil {
			r.res[s.Place.Resource] = fhir.Obj("resourceType", r.m.Resources[s.Place.Resource].Type)
		}
		dst = r.res[s.Place.Resource]
	}
	return attach(dst, s.Place.Steps, node)
}

func (r *toRun) in(s *language.Step, base int32, dst *fhir.Node) {
	chain := r.chain(&s.Message)
	defer r.release(chain)
	id := r.tree.first(r.start(&s.Message, base), s.Message.Steps, chain, true)
	if id < 0 {
		return
	}
	node, fresh := r.open(s, dst)
	if !r.content(s, id, node) || fresh && !r.attach(s, dst, node) {
		return
	}
	if last := &s.Message.Steps[len(s.Message.Steps)-1]; last.Filters != nil {
		r.tree.nodes[id].claimed = true
	}
	r.markFilters(s, chain)
}

func (r *toRun) each(s *language.Step, base int32, dst *fhir.Node) {
	chain := r.chain(&s.Message)
	defer r.release(chain)
	r.tree.find(r.start(&s.Message, base), s.Message.Steps, chain, func(id int32) bool {
		if r.tree.nodes[id].claimed {
			return true
		}
		if s.Kind == language.StepEachResource {
			r.resourceOf(s, id, chain)
		} else {
			r.itemOf(s, id, dst, chain)
		}
		return !s.Once
	})
}

// itemOf makes an item of a list of one repetition.
func (r *toRun) itemOf(s *language.Step, id int32, dst *fhir.Node, chain []int32) {
	outer := r.blocks.enter(len(r.repeated))
	defer r.blocks.leave(outer)
	node, _ := r.open(s, dst)
	if r.content(s, id, node) && r.attach(s, dst, node) {
		r.take(s, id, chain)
	}
}

// content runs a block's lines for one repetition and reports whether it had content.
func (r *toRun) content(s *language.Step, id int32, node *fhir.Node) bool {
	before := r.writes
	r.run(s.Body, id, node)
	if r.writes == before {
		return false
	}
	r.constants(s.Body, node)
	return true
}

// take keeps a repetition from later blocks. A resource beside another takes nothing from it.
func (r *toRun) take(s *language.Step, id int32, chain []int32) {
	r.tree.nodes[id].claimed = !s.Message.Steps[len(s.Message.Steps)-1].Self || !s.Once
	r.markFilters(s, chain)
}

// join makes one text of all repetitions, a line of each.
func (r *toRun) join(s *language.Step, base int32, dst *fhir.Node) {
	chain := r.chain(&s.Message)
	defer r.release(chain)
	var text strings.Builder
	var leaves, anchors []int32
	r.tree.find(r.start(&s.Message, base), s.Message.Steps, chain, func(id int32) bool {
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
	if r.write(&s.Place, dst, fhir.KindString, text.String()) == occupied {
		return
	}
	for i, leaf := range leaves {
		r.tree.mark(leaf, s.Place.Text, language.Converted, "")
		chain[0] = anchors[i]
		r.markFilters(&language.Step{Message: language.MsgPath{Steps: s.Message.Steps[:1], Text: s.Message.Text}, Place: s.Place}, chain)
		r.tree.nodes[anchors[i]].claimed = true
	}
}

// fixed reads a message constant: it is ignored where it is as expected, or where the
// mapping says why any value may be.
func (r *toRun) fixed(s *language.Step, base int32) {
	chain := r.chain(&s.Message)
	defer r.release(chain)
	r.tree.find(r.start(&s.Message, base), s.Message.Steps, chain, func(id int32) bool {
		n := &r.tree.nodes[r.tree.value(id)]
		if n.fate != "" {
			return true
		}
		switch {
		case n.n.Value == s.Value:
			n.fate, n.reason = message.FateIgnored, "fixed by the format"
		case s.Reason != "":
			n.fate, n.reason = message.FateIgnored, s.Reason
		}
		return true
	})
}

func (r *toRun) ignore(s *language.Step, base int32) {
	fate := message.FateIgnored
	if s.Always {
		fate = message.FateCarried
	}
	chain := r.chain(&s.Message)
	defer r.release(chain)
	r.tree.find(r.start(&s.Message, base), s.Message.Steps, chain, func(id int32) bool {
		r.tree.decide(id, fate, s.Reason)
		return true
	})
}

// constants writes a block's fixed FHIR values. They never overwrite a mapped one, so
// that they are defaults as well.
func (r *toRun) constants(steps []language.Step, dst *fhir.Node) {
	for i := range steps {
		s := &steps[i]
		if s.Kind != language.StepFHIR || s.Condition != nil && !r.holds(s.Condition, dst) {
			continue
		}
		if s.Ref != nil {
			r.refer(s, dst)
			continue
		}
		r.constant(s, dst)
	}
}

func (r *toRun) constant(s *language.Step, dst *fhir.Node) {
	if s.Place.Root == language.RootResource {
		dst = r.res[s.Place.Resource]
	}
	if dst == nil {
		return
	}
	v := s.Constant
	if s.Source != nil {
		text := r.read(s.Source, dst)
		if text != "" && s.Converter != nil {
			text, _, _ = s.Converter.To(r.ctx.Location, text)
		}
		if text == "" {
			return
		}
		v = fhir.Str(text)
	}
	n := r.node()
	n.Kind, n.Text = v.Kind, v.Text
	put(dst, s.Place.Steps, n)
}

// read returns the text at a place of the canonical form as built so far.
func (r *toRun) read(p *language.Place, rel *fhir.Node) string {
	if p.Root == language.RootResource {
		return textAt(r.res[p.Resource], p.Steps)
	}
	return readCanonical(r.c, p, rel)
}

func (r *toRun) holds(cond *language.Condition, dst *fhir.Node) bool {
	if cond.Place.Root == language.RootResource {
		dst = r.res[cond.Place.Resource]
	}
	return test(cond, r.c, dst)
}

// test decides a condition; n is the resource, or the block's object, that it is about.
func test(cond *language.Condition, c *account.Canonical, n *fhir.Node) bool {
	switch cond.Place.Root {
	case language.RootRelative, language.RootResource:
		if !cond.Equals {
			return (n != nil && lookup(n, cond.Place.Steps) != nil) != cond.Negate
		}
		return (textAt(n, cond.Place.Steps) == cond.Value) != cond.Negate
	}
	text := readCanonical(c, &cond.Place, nil)
	if cond.Equals {
		return (text == cond.Value) != cond.Negate
	}
	return (text != "") != cond.Negate
}

// readCanonical reads header, facts, day, event or a relative place.
func readCanonical(c *account.Canonical, p *language.Place, rel *fhir.Node) string {
	switch p.Root {
	case language.RootHeader:
		return *c.Header.Value(p.Name)
	case language.RootFact:
		return c.Facts[p.Name]
	case language.RootDay:
		return c.Day
	case language.RootEvent:
		return string(c.Event)
	}
	return textAt(rel, p.Steps)
}

func textAt(n *fhir.Node, steps []language.FHIRStep) string {
	if v := lookup(n, steps); v != nil {
		return v.Text
	}
	return ""
}
