package engine

import (
	"cmp"
	"strings"

	"stafett/fhir"
	"stafett/handover"
	"stafett/mappings/account"
	"stafett/mappings/language"
	"stafett/message"
)

const opFromFHIR = "mappings.FromFHIR"

// FromFHIR builds the message tree of the canonical form. The report's fates and
// leftovers together account for every leaf of the resources. An error is a
// *handover.Fault when the canonical form lacks what the message must have.
func FromFHIR(m *language.Program, c account.Canonical, ctx Context) (*message.Node, account.Report, error) {
	if ctx.Header == (account.Header{}) {
		ctx.Header = c.Header
	}
	c.Header = ctx.Header
	if c.Header.Status == "" {
		c.Header.Status, _ = m.StatusFor(c.Event)
	}
	ctx.Location = zoneOf(ctx)
	r := &fromRun{m: m, ctx: &ctx, c: &c, res: make([]*fhir.Node, len(m.Resources)), seen: make(map[*fhir.Node]account.LeafFate, 96)}
	for i := range m.Resources {
		if !m.Resources[i].Repeated {
			r.res[i] = c.Resource(m.Resources[i].Name)
		}
	}
	root := &message.Node{Name: m.Root.Name, Space: m.Root.Space}
	if m.Wire == handover.WireHL7v2 {
		root.Name = "message"
	}
	r.root = root
	r.run(m.Steps, root, nil)
	r.constants(m.Steps, root, nil)
	r.finish()
	report := account.Report{Mapping: m.Name}
	report.Fates, report.Leftover = account.Of(c.Resources, r.seen)
	for i := range m.Requires {
		if q := &m.Requires[i]; !q.ToOnly && !met(q, r.present) {
			return nil, report, faultOf(q, opFromFHIR, nil)
		}
	}
	return root, report, nil
}

// fromRun is one translation from FHIR.
type fromRun struct {
	m      *language.Program
	ctx    *Context
	c      *account.Canonical
	root   *message.Node
	res    []*fhir.Node
	seen   map[*fhir.Node]account.LeafFate
	writes int
	family family
}

// fromSteps are what each kind of step does from FHIR; constants writes the message's own.
var fromSteps [language.StepIgnoreFHIR + 1]func(r *fromRun, s *language.Step, base *message.Node, src *fhir.Node)

func init() {
	none := func(*fromRun, *language.Step, *message.Node, *fhir.Node) {}
	fromSteps = [...]func(r *fromRun, s *language.Step, base *message.Node, src *fhir.Node){
		language.StepLine: (*fromRun).line, language.StepIn: (*fromRun).in, language.StepJoin: (*fromRun).join,
		language.StepEach: (*fromRun).each, language.StepEachResource: (*fromRun).eachResource,
		language.StepFHIR: (*fromRun).fixed, language.StepIgnoreFHIR: (*fromRun).ignore,
		language.StepMessage: none, language.StepIgnore: none,
	}
}

func (r *fromRun) run(steps []language.Step, base *message.Node, src *fhir.Node) {
	for i := range steps {
		s := &steps[i]
		switch {
		case s.Kind == language.StepMessage || !r.holds(s.Condition, src):
		case s.ToOnly:
			r.consumeOnly(s, src)
		default:
			fromSteps[s.Kind](r, s, base, src)
		}
	}
}

// holds decides a condition; none holds always.
func (r *fromRun) holds(cond *language.Condition, src *fhir.Node) bool {
	return cond == nil || test(cond, r.c, rooted(&cond.Place, r.res, src))
}

func (r *fromRun) present(p *language.Place) bool { return present(r.c, p, rooted(p, r.res, nil)) }

// source returns the value at a place; node is nil for what is not in a resource.
func (r *fromRun) source(p *language.Place, src *fhir.Node) (text string, node *fhir.Node) {
	if p.Root > language.RootResource {
		return readCanonical(r.c, p, nil), nil
	}
	n := lookup(rooted(p, r.res, src), p.Steps)
	if n == nil || n.Kind <= fhir.KindArray {
		return "", nil
	}
	return n.Text, n
}

// consume notes the fate of a leaf; the first fate stays.
func (r *fromRun) consume(n *fhir.Node, f account.LeafFate) {
	if n != nil && r.unclaimed(n) != nil {
		r.seen[n] = f
	}
}

// consumeFilters notes the leaves that chose the items on the way.
func (r *fromRun) consumeFilters(p *language.Place, src *fhir.Node, target string) {
	src = rooted(p, r.res, src)
	for i := range p.Steps {
		s := &p.Steps[i]
		next := lookup(src, p.Steps[i:i+1])
		for j := range s.Filters {
			r.consume(lookup(next, s.Filters[j].Path), account.LeafFate{Fate: message.FateMapped, Target: target})
		}
		src = next
	}
}

// consumeOnly: a value that only this gateway derives from the message says nothing that
// the message itself does not say.
func (r *fromRun) consumeOnly(s *language.Step, src *fhir.Node) {
	if s.Kind != language.StepLine {
		return
	}
	if _, n := r.source(&s.Place, src); n != nil {
		r.consume(n, account.LeafFate{Fate: message.FateIgnored, Reason: s.Reason})
		r.consumeFilters(&s.Place, src, s.Message.Text)
	}
}

func (r *fromRun) line(s *language.Step, base *message.Node, src *fhir.Node) {
	text, node := r.source(&s.Place, src)
	out, how := r.convert(s.Converter, text)
	if out == "" {
		r.otherwise(s, base, src)
		return
	}
	w := r.write(&s.Message, base, out)
	if w == occupied {
		return
	}
	r.count(w)
	if how == language.Converted {
		r.consume(node, mappedTo(s))
	}
	r.consumeFilters(&s.Place, src, s.Message.Text)
}

// mappedTo is the fate of what a line has written.
func mappedTo(s *language.Step) account.LeafFate {
	return account.LeafFate{Fate: message.FateMapped, Target: s.Message.Text}
}

// convert is a value as the message has it; empty where it has none.
func (r *fromRun) convert(conv *language.Converter, text string) (string, language.Verdict) {
	if text == "" {
		return "", language.Absent
	}
	out, how, _ := conv.From(r.ctx.Location, text)
	if how > language.Partly {
		return "", how
	}
	return out, how
}

// count notes what was written: a block without that is not made.
func (r *fromRun) count(w written) {
	if w == wrote {
		r.writes++
	}
}

// otherwise writes the first "else" part that has a value. It is not content: it makes
// no block on its own.
func (r *fromRun) otherwise(s *language.Step, base *message.Node, src *fhir.Node) {
	for i := range s.Else {
		out, node := r.elseValue(s, &s.Else[i], src)
		if out != "" && r.write(&s.Message, base, out) != occupied {
			r.consume(node, mappedTo(s))
			return
		}
	}
}

// elseValue is what stands in for an empty place. A value that is only partly told is none.
func (r *fromRun) elseValue(s *language.Step, e *language.ElsePart, src *fhir.Node) (string, *fhir.Node) {
	if e.Place == nil {
		return e.Constant, nil
	}
	text, node := r.source(e.Place, src)
	conv := cmp.Or(e.Converter, s.Converter)
	out, how := r.convert(conv, text)
	if how != language.Converted {
		return "", nil
	}
	return out, node
}

// fixed: what the mapping itself sets says nothing that the message would have to.
func (r *fromRun) fixed(s *language.Step, _ *message.Node, src *fhir.Node) {
	fate := account.LeafFate{Fate: message.FateIgnored, Reason: "fixed by the mapping"}
	if s.Ref != nil {
		for _, ref := range references(src, s.Place.Steps) {
			r.consume(ref, fate)
		}
		return
	}
	text, n := r.source(&s.Place, src)
	if n != nil && (s.Source != nil || s.Constant.Text == text) {
		r.consume(n, fate)
		r.consumeFilters(&s.Place, src, s.Place.Text)
	}
}

func (r *fromRun) ignore(s *language.Step, _ *message.Node, src *fhir.Node) {
	n, last := rooted(&s.Place, r.res, src), len(s.Place.Steps)-1
	if last >= 0 {
		n = whole(lookup(n, s.Place.Steps[:last]), &s.Place.Steps[last])
	}
	r.ignoreBelow(n, s.Reason)
}

// whole is what a last step means to ignore: an item that it chooses, or all of an array.
func whole(n *fhir.Node, s *language.FHIRStep) *fhir.Node {
	v := n.Get(s.Name)
	if v == nil || !s.Array || s.Append || v.Kind != fhir.KindArray {
		return v
	}
	return itemOf(s, v)
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
		r.consume(n, account.LeafFate{Fate: message.FateIgnored, Reason: reason})
	}
}

func (r *fromRun) in(s *language.Step, base *message.Node, src *fhir.Node) {
	if !s.HasPlace {
		r.block(s, base, src)
		return
	}
	inner := r.unclaimed(lookup(rooted(&s.Place, r.res, src), s.Place.Steps))
	if inner == nil && !s.Always {
		return
	}
	if r.block(s, base, inner) && inner != nil {
		r.claim(s, inner)
		r.consumeFilters(&s.Place, src, s.Message.Text)
	}
}

// unclaimed is n, or nil where an earlier block has taken it.
func (r *fromRun) unclaimed(n *fhir.Node) *fhir.Node {
	if _, claimed := r.seen[n]; claimed {
		return nil
	}
	return n
}

// claim keeps an item that a block has taken from later groups.
func (r *fromRun) claim(s *language.Step, item *fhir.Node) {
	if n := len(s.Place.Steps); n > 0 && s.Place.Steps[n-1].Array {
		r.consume(item, account.LeafFate{Fate: message.FateMapped})
	}
}

// start is what a message place starts from.
func (r *fromRun) start(p *language.MsgPath, base *message.Node) *message.Node {
	if p.Absolute {
		return r.root
	}
	return base
}

// block runs a body for one message node and reports whether it had content.
func (r *fromRun) block(s *language.Step, base *message.Node, src *fhir.Node) bool {
	parent := r.start(&s.Message, base)
	node, fresh := r.open(s.Message.Steps, parent, s.Kind != language.StepIn)
	before := r.writes
	r.run(s.Body, node, src)
	if r.writes == before && !s.Always {
		return false
	}
	r.constants(s.Body, node, src)
	if fresh {
		r.graft(s.Message.Steps, parent, node)
	}
	return true
}

func (r *fromRun) each(s *language.Step, base *message.Node, src *fhir.Node) {
	steps := s.Place.Steps
	last := &steps[len(steps)-1]
	arr := lookup(rooted(&s.Place, r.res, src), steps[:len(steps)-1]).Get(last.Name)
	if arr == nil {
		return
	}
	for _, item := range arr.Items {
		if objectOrNil(r.unclaimed(item)) != nil && meets(last, item) {
			r.item(s, base, item)
		}
	}
}

// item writes one item of a list.
func (r *fromRun) item(s *language.Step, base *message.Node, item *fhir.Node) {
	if !r.within(item, func() bool { return r.block(s, base, item) }) {
		return
	}
	r.claim(s, item)
	last := &s.Place.Steps[len(s.Place.Steps)-1]
	for j := range last.Filters {
		r.consume(lookup(item, last.Filters[j].Path), mappedTo(s))
	}
}

// join writes each line of a text as a repetition of its own.
func (r *fromRun) join(s *language.Step, base *message.Node, src *fhir.Node) {
	text, node := r.source(&s.Place, src)
	if text == "" {
		return
	}
	parent := r.start(&s.Message, base)
	for line := range strings.SplitSeq(text, "\n") {
		rep := r.newNode(&s.Message.Steps[0])
		parent.Children = append(parent.Children, rep)
		r.reach(rep, s.Message.Steps[1:]).Value = line
	}
	r.writes++
	r.consume(node, mappedTo(s))
	r.consumeFilters(&s.Place, src, s.Message.Text)
}

// constants writes a block's fixed message values.
func (r *fromRun) constants(steps []language.Step, base *message.Node, src *fhir.Node) {
	for i := range steps {
		s := &steps[i]
		if s.Kind == language.StepMessage && r.holds(s.Condition, src) {
			r.write(&s.Message, base, s.Value)
		}
	}
}
