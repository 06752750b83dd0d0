package engine

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"stafett/fhir"
	"stafett/mappings/account"
	"stafett/mappings/language"
	"stafett/message"
)

const opFromFHIR = "mappings.FromFHIR"

// FromFHIR builds the message tree of the canonical form. The report's fates and
// leftovers together account for every leaf of the resources. An error is a
// *handover.Fault when the canonical form lacks what the message must have.
func FromFHIR(m *language.Program, c account.Canonical, ctx Context) (*message.Node, account.Report, error) {
	c.Header = cmp.Or(ctx.Header, c.Header)
	if c.Header.Status == "" {
		c.Header.Status, _ = m.StatusFor(c.Event)
	}
	r := &fromRun{consumer: newConsumer(m, &c), builder: newBuilder(m), family: family{c: &c}, zone: zoneOf(ctx)}
	r.run(m.Steps, r.root, nil)
	r.constants(m.Steps, r.root, nil)
	root := r.finish(m)
	report := account.Report{Mapping: m.Name}
	report.Fates, report.Leftover = account.Of(c.Resources, r.seen)
	if fault := r.lacks(opFromFHIR, false); fault != nil {
		return nil, report, fault
	}
	return root, report, nil
}

// fromRun is one translation from FHIR: what reads the resources, what builds the message,
// and whose children are being written.
type fromRun struct {
	consumer
	builder
	family family
	zone   *time.Location
	writes int
}

// fromSteps are what each kind of step does from FHIR; constants writes the message's own.
var fromSteps [language.StepIgnoreFHIR + 1]func(r *fromRun, s *language.Step, base *message.Node, src *fhir.Node)

func init() {
	later := func(*fromRun, *language.Step, *message.Node, *fhir.Node) {}
	fromSteps = [...]func(r *fromRun, s *language.Step, base *message.Node, src *fhir.Node){
		language.StepLine: (*fromRun).line, language.StepIn: (*fromRun).in, language.StepJoin: (*fromRun).join,
		language.StepEach: (*fromRun).each, language.StepEachResource: (*fromRun).eachResource,
		language.StepFHIR:       func(r *fromRun, s *language.Step, _ *message.Node, src *fhir.Node) { r.fixed(s, src) },
		language.StepIgnoreFHIR: func(r *fromRun, s *language.Step, _ *message.Node, src *fhir.Node) { r.ignore(s, src) },
		language.StepMessage:    later, language.StepIgnore: later, language.StepPosition: (*fromRun).position,
	}
}

func (r *fromRun) run(steps []language.Step, base *message.Node, src *fhir.Node) {
	for i := range steps {
		s := &steps[i]
		switch {
		case s.Kind == language.StepMessage || !r.holds(s.Condition, src):
		case s.ToOnly:
			// What such a line derives, a line that works both ways tells; where that could
			// not, it is left over.
		default:
			fromSteps[s.Kind](r, s, base, src)
		}
	}
}

func (r *fromRun) line(s *language.Step, base *message.Node, src *fhir.Node) {
	switch {
	case s.Converter.Decompose != nil:
		r.decompose(s, base, src)
		return
	case s.Converter.Build != nil:
		r.markup(s, base, src)
		return
	}
	text, node := r.source(&s.Place, src)
	out, how := r.convert(s.Converter, text)
	if out == "" {
		r.otherwise(s, base, src)
		return
	}
	w := r.write(&s.Message, base, out)
	r.writes += content[w]
	if w == occupied {
		return
	}
	if how == language.Converted {
		r.consume(node, mappedTo(s))
	}
	r.consumeFilters(&s.Place, src, s.Message.Text)
}

// decompose writes an element of several values as one text.
func (r *fromRun) decompose(s *language.Step, base *message.Node, src *fhir.Node) {
	n := r.at(&s.Place, src)
	if !isObject(n) {
		r.otherwise(s, base, src)
		return
	}
	text, told := s.Converter.Decompose(n)
	if text == "" {
		r.otherwise(s, base, src)
		return
	}
	w := r.write(&s.Message, base, text)
	r.writes += content[w]
	if w == occupied {
		return
	}
	for _, leaf := range told {
		r.consume(leaf, mappedTo(s))
	}
}

// markup writes a text with its markup as the content of an element.
func (r *fromRun) markup(s *language.Step, base *message.Node, src *fhir.Node) {
	text, node := r.source(&s.Place, src)
	value, children, ok := s.Converter.Build(text)
	if text == "" || !ok {
		r.otherwise(s, base, src)
		return
	}
	n := r.reach(r.from(&s.Message, base), s.Message.Steps)
	if n.Value != "" || len(n.Children) > 0 {
		return
	}
	n.Value, n.Children = value, children
	r.writes++
	r.consume(node, mappedTo(s))
	r.consumeFilters(&s.Place, src, s.Message.Text)
}

// convert is a value as the message has it; empty where it has none.
func (r *fromRun) convert(conv *language.Converter, text string) (string, language.Verdict) {
	if text == "" {
		return "", language.Absent
	}
	out, how, _ := conv.From(r.zone, text)
	if how > language.Partly {
		return "", how
	}
	return out, how
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
	out, how := r.convert(cmp.Or(e.Converter, s.Converter), text)
	if how != language.Converted {
		return "", nil
	}
	return out, node
}

func (r *fromRun) in(s *language.Step, base *message.Node, src *fhir.Node) {
	if !s.HasPlace {
		r.block(s, base, src)
		return
	}
	inner := r.at(&s.Place, src)
	if !r.unclaimed(inner) {
		inner = nil
	}
	if inner == nil && !s.Always {
		return
	}
	if r.block(s, base, inner) && inner != nil {
		r.claim(s, inner)
		r.consumeFilters(&s.Place, src, s.Message.Text)
	}
}

// block runs a body for one message node and reports whether it had content.
func (r *fromRun) block(s *language.Step, base *message.Node, src *fhir.Node) bool {
	parent := r.from(&s.Message, base)
	node, fresh := r.open(s.Message.Steps, parent)
	return r.content(s, parent, node, fresh, src)
}

// repetition is block for a node of its own.
func (r *fromRun) repetition(s *language.Step, base *message.Node, item *fhir.Node) bool {
	node := r.apart(s.Message.Steps)
	return r.family.within(item, func() bool { return r.content(s, r.from(&s.Message, base), node, true, item) })
}

// content writes a block's lines into its node. A fresh node without content is not put
// into the tree.
func (r *fromRun) content(s *language.Step, parent, node *message.Node, fresh bool, src *fhir.Node) bool {
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
	n := len(s.Place.Steps) - 1
	last := &s.Place.Steps[n]
	for _, item := range itemsOf(lookup(r.rooted(&s.Place, src), s.Place.Steps[:n]).Get(last.Name)) {
		if isObject(item) && r.unclaimed(item) && meets(last, item) && r.repetition(s, base, item) {
			r.claim(s, item)
			r.consumeChoice(last, item, s.Message.Text)
		}
	}
}

func (r *fromRun) eachResource(s *language.Step, base *message.Node, _ *fhir.Node) {
	for _, n := range r.family.resourcesOf(s.Link, r.m.Resources[s.Resource].Name) {
		made := r.repetition(s, base, n)
		if made && s.Link != nil {
			r.family.written[n] = true
		}
		if made && s.Once {
			return
		}
	}
}

// position notes which of its siblings an element is to be.
func (r *fromRun) position(s *language.Step, base *message.Node, src *fhir.Node) {
	text, node := r.source(&s.Place, src)
	if rank, err := strconv.Atoi(text); err == nil {
		if r.positions == nil {
			r.positions = map[*message.Node]int{}
		}
		r.positions[base] = rank
		r.consume(node, account.LeafFate{Fate: message.FateMapped, Target: base.Name})
		r.consumeFilters(&s.Place, src, base.Name)
	}
}

// join writes each line of a text as a repetition of its own.
func (r *fromRun) join(s *language.Step, base *message.Node, src *fhir.Node) {
	text, node := r.source(&s.Place, src)
	if text == "" {
		return
	}
	parent := r.from(&s.Message, base)
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
