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
			r.resource(i)
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

// toSteps are what each kind of step does towards FHIR; nil for nothing while lines are read.
var toSteps [language.StepIgnoreFHIR + 1]func(r *toRun, s *language.Step, base int32, dst *fhir.Node)

func init() {
	toSteps = [...]func(r *toRun, s *language.Step, base int32, dst *fhir.Node){
		language.StepLine: (*toRun).line, language.StepIn: (*toRun).in, language.StepJoin: (*toRun).join,
		language.StepEach: (*toRun).each, language.StepEachResource: (*toRun).each,
		language.StepMessage: (*toRun).fixed, language.StepIgnore: (*toRun).ignore,
		language.StepFHIR: (*toRun).later, language.StepIgnoreFHIR: (*toRun).later,
	}
}

// later is for what constants does when the lines are read, and what concerns FHIR alone.
func (r *toRun) later(*language.Step, int32, *fhir.Node) {}

// asksFirst are the kinds whose condition is asked before they are read: what is fixed in a
// message is so whether it would be written or not.
var asksFirst = [language.StepIgnoreFHIR + 1]bool{language.StepLine: true, language.StepIn: true, language.StepEach: true,
	language.StepEachResource: true, language.StepJoin: true, language.StepIgnore: true}

// run executes steps for the message node base; dst is what relative FHIR places start from.
func (r *toRun) run(steps []language.Step, base int32, dst *fhir.Node) {
	for i := range steps {
		s := &steps[i]
		if asksFirst[s.Kind] && !r.holds(s.Condition, dst) {
			continue
		}
		if s.FromOnly {
			r.repeats(s, base)
			continue
		}
		toSteps[s.Kind](r, s, base, dst)
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
	switch how, reason := r.value(s, leaf, dst); how {
	case language.Absent:
	case language.Unconvertible:
		r.tree.because(leaf, reason)
	default:
		r.tree.markWhole(leaf, s, how, reason)
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
	if leaf := r.tree.value(id); r.tree.nodes[leaf].n.Value != "" {
		r.tree.ignore(leaf, s.Reason)
	}
}

// value converts one leaf and writes it.
func (r *toRun) value(s *language.Step, leaf int32, dst *fhir.Node) (language.Verdict, string) {
	v := r.tree.valueOf(leaf, s.Converter.Subtree)
	switch {
	case v == "":
		return language.Absent, ""
	case v == `""` && r.tree.er7:
		return language.Unconvertible, "an explicit null (HL7 v2.5 section 2.5.3.3)"
	}
	out, how, reason := s.Converter.To(r.ctx.Location, v)
	if how > language.Partly {
		return how, reason
	}
	if r.write(&s.Place, dst, s.Converter.Kind, out) == occupied {
		return language.Unconvertible, "another value has this place"
	}
	return how, reason
}

// write puts text at a place of the canonical form, and counts what is new.
func (r *toRun) write(p *language.Place, dst *fhir.Node, kind fhir.NodeKind, text string) written {
	if text == "" {
		return occupied
	}
	w := r.writeTo(p, dst, kind, text)
	if w == wrote {
		r.writes++
	}
	return w
}

func (r *toRun) writeTo(p *language.Place, dst *fhir.Node, kind fhir.NodeKind, text string) written {
	switch p.Root {
	case language.RootHeader:
		return replace(r.c.Header.Value(p.Name), text)
	case language.RootDay:
		return fill(&r.c.Day, text)
	case language.RootFact:
		fact := r.c.Facts[p.Name]
		w := fill(&fact, text)
		r.c.Facts[p.Name] = fact
		return w
	case language.RootEvent:
		return occupied
	case language.RootResource:
		dst = r.resource(p.Resource)
	}
	return r.putText(dst, p.Steps, kind, text)
}

// replace writes a header value: the mapping knows better than the codec.
func replace(slot *string, text string) written {
	*slot = text
	return wrote
}

// fill writes what is empty.
func fill(slot *string, text string) written {
	if *slot == "" {
		*slot = text
		return wrote
	}
	return compareText(*slot, text)
}

// resource returns a resource, made when it is not there.
func (r *toRun) resource(i int) *fhir.Node {
	if r.res[i] == nil {
		r.res[i] = fhir.Obj("resourceType", r.m.Resources[i].Type)
	}
	return r.res[i]
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
				r.tree.mark(leaf, targetOf(s), language.Converted, "")
			}
		}
	}
}

// targetOf is where a step leads; a block without a place chooses a repetition.
func targetOf(s *language.Step) string {
	if s.Place.Text == "" {
		return "the choice of " + s.Message.Text
	}
	return s.Place.Text
}

// open returns the object at a block's FHIR place, and whether it is new and not attached.
func (r *toRun) open(s *language.Step, dst *fhir.Node) (node *fhir.Node, fresh bool) {
	if !s.HasPlace {
		return dst, false
	}
	root, last := rooted(&s.Place, r.res, dst), len(s.Place.Steps)-1
	if last < 0 && root == nil {
		return fhir.Obj("resourceType", r.m.Resources[s.Place.Resource].Type), true
	}
	if s.Kind == language.StepIn || last < 0 {
		node = lookup(root, s.Place.Steps)
	}
	if node == nil {
		return newItem(&s.Place.Steps[last]), true
	}
	return node, false
}

// attach puts a fresh object where the block's FHIR place is.
func (r *toRun) attach(s *language.Step, dst, node *fhir.Node) bool {
	if len(s.Place.Steps) == 0 {
		r.res[s.Place.Resource] = node
		return true
	}
	if s.Place.Root == language.RootResource {
		dst = r.resource(s.Place.Resource)
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
	var lines []string
	var leaves, anchors []int32
	r.tree.find(r.start(&s.Message, base), s.Message.Steps, chain, func(id int32) bool {
		if len(chain) == 1 || !r.tree.nodes[chain[0]].claimed {
			leaf := r.tree.value(id)
			lines = append(lines, r.tree.nodes[leaf].n.Value)
			leaves, anchors = append(leaves, leaf), append(anchors, chain[0])
		}
		return true
	})
	if r.write(&s.Place, dst, fhir.KindString, strings.Join(lines, "\n")) == occupied {
		return
	}
	anchor := language.Step{Message: language.MsgPath{Steps: s.Message.Steps[:1], Text: s.Message.Text}, Place: s.Place}
	for i, leaf := range leaves {
		r.tree.mark(leaf, s.Place.Text, language.Converted, "")
		r.markFilters(&anchor, anchors[i:])
		r.tree.nodes[anchors[i]].claimed = true
	}
}

// fixed reads a message constant: it is ignored where it is as expected, or where the
// mapping says why any value may be.
func (r *toRun) fixed(s *language.Step, base int32, _ *fhir.Node) {
	chain := r.chain(&s.Message)
	defer r.release(chain)
	r.tree.find(r.start(&s.Message, base), s.Message.Steps, chain, func(id int32) bool {
		leaf := r.tree.value(id)
		if r.tree.nodes[leaf].n.Value == s.Value {
			r.tree.ignore(leaf, "fixed by the format")
		} else if s.Reason != "" {
			r.tree.ignore(leaf, s.Reason)
		}
		return true
	})
}

func (r *toRun) ignore(s *language.Step, base int32, _ *fhir.Node) {
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
		if s.Kind == language.StepFHIR && r.holds(s.Condition, dst) {
			r.constant(s, rooted(&s.Place, r.res, dst))
		}
	}
}

func (r *toRun) constant(s *language.Step, dst *fhir.Node) {
	switch {
	case dst == nil:
	case s.Ref != nil:
		r.refer(s, dst)
	default:
		if kind, text := r.constantOf(s, dst); text != "" {
			r.putText(dst, s.Place.Steps, kind, text)
		}
	}
}

// constantOf is the value of a fixed place: the constant, or what another place holds.
func (r *toRun) constantOf(s *language.Step, dst *fhir.Node) (kind fhir.NodeKind, text string) {
	if s.Constant != nil {
		return s.Constant.Kind, s.Constant.Text
	}
	text = r.read(s.Source, dst)
	if s.Converter != nil && text != "" {
		text, _, _ = s.Converter.To(r.ctx.Location, text)
	}
	return fhir.KindString, text
}

// putText writes a leaf.
func (r *toRun) putText(dst *fhir.Node, steps []language.FHIRStep, kind fhir.NodeKind, text string) written {
	v := r.node()
	v.Kind, v.Text = kind, text
	return put(dst, steps, v)
}

// read returns the text at a place of the canonical form as built so far.
func (r *toRun) read(p *language.Place, rel *fhir.Node) string {
	return readCanonical(r.c, p, rooted(p, r.res, rel))
}

// holds decides a condition; none holds always.
func (r *toRun) holds(cond *language.Condition, dst *fhir.Node) bool {
	return cond == nil || test(cond, r.c, rooted(&cond.Place, r.res, dst))
}

// rooted is the node that a place starts from: its resource, or what relative places do.
func rooted(p *language.Place, resources []*fhir.Node, relative *fhir.Node) *fhir.Node {
	if p.Root == language.RootResource {
		return resources[p.Resource]
	}
	return relative
}

// test decides a condition; n is what its place starts from.
func test(cond *language.Condition, c *account.Canonical, n *fhir.Node) bool {
	if cond.Equals {
		return (readCanonical(c, &cond.Place, n) == cond.Value) != cond.Negate
	}
	return present(c, &cond.Place, n) != cond.Negate
}

// present reports whether something stands at a place; n is what it starts from.
func present(c *account.Canonical, p *language.Place, n *fhir.Node) bool {
	if p.Root <= language.RootResource {
		return lookup(n, p.Steps) != nil
	}
	return readCanonical(c, p, nil) != ""
}

// readCanonical is the text at a place; n is what a place in a resource starts from.
func readCanonical(c *account.Canonical, p *language.Place, n *fhir.Node) string {
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
	return textAt(n, p.Steps)
}

func textAt(n *fhir.Node, steps []language.FHIRStep) string {
	if v := lookup(n, steps); v != nil {
		return v.Text
	}
	return ""
}
