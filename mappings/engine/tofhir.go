package engine

import (
	"strconv"
	"strings"
	"time"

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
	r := newToRun(m, msg, &c, ctx)
	fault := r.otherRoot()
	if fault == nil {
		fault = r.translate()
	}
	report.Fates = r.list()
	if fault != nil {
		return c, report, fault
	}
	return c, report, nil
}

// toRun is one translation to FHIR: what reads the message, what writes the canonical form,
// and which repetition is being read.
type toRun struct {
	reader
	writer
	zone   *time.Location
	blocks repetitions
}

func newToRun(m *language.Program, msg *message.Message, c *account.Canonical, ctx Context) *toRun {
	r := &toRun{zone: zoneOf(ctx), writer: writer{canonical: newCanonical(m, c)},
		reader: reader{fates{newSourceTree(msg, notations[m.Notation])}, make([]int32, 0, 64)}}
	if m.Linked {
		r.blocks.names = make([]string, len(m.Resources))
	}
	return r
}

// otherRoot is the fault of a message whose document element is not the mapping's: all of it
// is carried.
func (r *toRun) otherRoot() *handover.Fault {
	root := r.nodes[0].n
	if r.root != "" || isNamed(root, r.m.Root.Name, r.m.Root.Space) {
		return nil
	}
	r.decide(0, message.FateCarried, "")
	return &handover.Fault{Kind: handover.FaultUnmapped, Op: opToFHIR, Path: r.path(0),
		Text: "the document element is not the mapping's", Line: root.Line, Column: root.Column}
}

// translate makes the canonical form, and the fault of what it must have and has not.
func (r *toRun) translate() *handover.Fault {
	r.always()
	r.run(r.m.Steps, 0, nil)
	r.c.Header.Type = r.m.Type
	r.event()
	r.constants(r.m.Steps, nil)
	r.unknownCodes()
	r.settleAll(r.m.Everywhere)
	r.collect()
	fault := r.lacks(opToFHIR, true)
	if fault != nil {
		near := r.nearest(fault.Path)
		fault.Line, fault.Column = near.Line, near.Column
	}
	return fault
}

// toSteps are what each kind of step does towards FHIR while lines are read.
var toSteps [language.StepIgnoreFHIR + 1]func(r *toRun, s *language.Step, base int32, dst *fhir.Node)

func init() {
	later := func(*toRun, *language.Step, int32, *fhir.Node) {}
	toSteps = [...]func(r *toRun, s *language.Step, base int32, dst *fhir.Node){
		language.StepLine: (*toRun).line, language.StepIn: (*toRun).in, language.StepJoin: (*toRun).join,
		language.StepEach: (*toRun).each, language.StepEachResource: (*toRun).eachResource,
		language.StepMessage:  func(r *toRun, s *language.Step, base int32, _ *fhir.Node) { r.fixed(s, base) },
		language.StepIgnore:   func(r *toRun, s *language.Step, base int32, _ *fhir.Node) { r.drop(s, base) },
		language.StepPosition: (*toRun).position,
		// What constants does when the lines are read, and what concerns FHIR alone.
		language.StepFHIR: later, language.StepIgnoreFHIR: later,
	}
}

// asksFirst are the kinds whose condition is asked before they are read: what is fixed in a
// message is so whether it would be written or not.
var asksFirst = [language.StepIgnoreFHIR + 1]bool{language.StepLine: true, language.StepIn: true, language.StepEach: true,
	language.StepEachResource: true, language.StepJoin: true, language.StepIgnore: true}

// run executes steps for the message node base; dst is what relative FHIR places start from.
func (r *toRun) run(steps []language.Step, base int32, dst *fhir.Node) {
	for i := range steps {
		s := &steps[i]
		switch {
		case asksFirst[s.Kind] && !r.holds(s.Condition, dst):
		case s.FromOnly:
			r.repeats(s, base)
		default:
			toSteps[s.Kind](r, s, base, dst)
		}
	}
}

func (r *toRun) line(s *language.Step, base int32, dst *fhir.Node) {
	m := r.one(&s.Message, base, false)
	defer r.release(m.chain)
	if m.id < 0 {
		return
	}
	if s.Converter.Whole != nil {
		r.whole(s, m, dst)
		return
	}
	if !s.Converter.Subtree {
		m.id = r.value(m.id)
	}
	switch how, reason := r.convert(s, m.id, dst); how {
	case language.Absent:
	case language.Unconvertible:
		r.because(m.id, reason)
	default:
		r.markWhole(m.id, s, how, reason)
		r.chose(s, m)
	}
}

// whole writes a value that several parts make up, and marks those.
func (r *toRun) whole(s *language.Step, m match, dst *fhir.Node) {
	out, parts := s.Converter.Whole(r.nodes[m.id].n)
	if out == "" {
		return
	}
	how := r.write(&s.Place, dst, s.Converter.Kind, out)
	for _, leaf := range r.partsOf(m.id, parts) {
		if how == occupied {
			r.because(leaf, "another value has this place")
			continue
		}
		r.mark(leaf, s.Place.Text, language.Converted, "")
	}
	if how != occupied {
		r.chose(s, m)
	}
}

// convert converts one leaf and writes it.
func (r *toRun) convert(s *language.Step, leaf int32, dst *fhir.Node) (language.Verdict, string) {
	v := r.valueOf(leaf, s.Converter.Subtree)
	switch v {
	case "":
		return language.Absent, ""
	case r.null:
		return language.Unconvertible, explicitNull
	}
	if s.Converter.Compose != nil {
		return r.compose(s, s.Converter.Compose(v), dst)
	}
	out, how, reason := r.converted(s.Converter, leaf, v)
	if how > language.Partly {
		return how, reason
	}
	if r.write(&s.Place, dst, s.Converter.Kind, out) == occupied {
		return language.Unconvertible, "another value has this place"
	}
	return how, reason
}

// converted is what a leaf, or with its markup an element, becomes.
func (r *toRun) converted(conv *language.Converter, id int32, v string) (string, language.Verdict, string) {
	if conv.Read != nil {
		return conv.Read(r.nodes[id].n)
	}
	return conv.To(r.zone, v)
}

// compose writes an element of several values.
func (r *toRun) compose(s *language.Step, made, dst *fhir.Node) (language.Verdict, string) {
	if s.Place.Root == language.RootResource {
		dst = r.resource(s.Place.Resource)
	}
	if lookup(dst, s.Place.Steps) != nil || put(dst, s.Place.Steps, made) != wrote {
		return language.Unconvertible, "another value has this place"
	}
	r.writes++
	return language.Converted, ""
}

func (r *toRun) in(s *language.Step, base int32, dst *fhir.Node) {
	m := r.one(&s.Message, base, true)
	defer r.release(m.chain)
	if m.id < 0 {
		return
	}
	node, fresh := r.open(s, dst)
	if !r.content(s, m.id, node) || fresh && !r.attach(s, dst, node) {
		return
	}
	if last := s.Message.Steps[len(s.Message.Steps)-1]; last.Filters != nil || last.Nth > 0 {
		r.nodes[m.id].claimed = true
	}
	r.chose(s, m)
}

// each makes an item of a list of each repetition.
func (r *toRun) each(s *language.Step, base int32, dst *fhir.Node) {
	r.all(&s.Message, base, func(m match) bool {
		if !r.taken(m.id) {
			r.item(s, m, dst)
		}
		return true
	})
}

func (r *toRun) item(s *language.Step, m match, dst *fhir.Node) {
	outer := r.blocks.enter()
	defer r.blocks.leave(outer)
	node, _ := r.open(s, dst)
	if r.content(s, m.id, node) && r.attach(s, dst, node) {
		r.take(s, m)
	}
}

// eachResource makes a resource of each repetition, or of the place itself.
func (r *toRun) eachResource(s *language.Step, base int32, _ *fhir.Node) {
	r.all(&s.Message, base, func(m match) bool {
		if r.taken(m.id) {
			return true
		}
		r.resourceOf(s, m)
		return !s.Once
	})
}

// resourceOf makes a resource of one repetition. It gets its name, and its place among the
// others, before its lines are read, so that those inside can refer to it; without content
// both are given back.
func (r *toRun) resourceOf(s *language.Step, m match) {
	d := &r.m.Resources[s.Resource]
	node := fhir.Obj("resourceType", d.Type)
	slot, name := r.blocks.add(s.Resource, d.Name, node)
	outer := r.blocks.enter()
	r.blocks.set(s.Resource, name)
	made := r.content(s, m.id, node)
	r.blocks.leave(outer)
	if !made {
		r.blocks.remove(s.Resource, slot)
		return
	}
	if s.Once {
		r.blocks.set(s.Resource, name)
	}
	r.take(s, m)
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

// position writes which of its siblings a repetition is; it is no content.
func (r *toRun) position(s *language.Step, base int32, dst *fhir.Node) {
	if rep := r.nodes[base].rep; rep > 0 {
		r.putText(dst, s.Place.Steps, fhir.KindNumber, strconv.Itoa(int(rep)))
	}
}

// join makes one text of all repetitions, a line of each.
func (r *toRun) join(s *language.Step, base int32, dst *fhir.Node) {
	var lines []string
	var leaves, anchors []int32
	r.all(&s.Message, base, func(m match) bool {
		if len(m.chain) == 1 || !r.taken(m.chain[0]) {
			leaf := r.value(m.id)
			lines = append(lines, r.nodes[leaf].n.Value)
			leaves, anchors = append(leaves, leaf), append(anchors, m.chain[0])
		}
		return true
	})
	if r.write(&s.Place, dst, fhir.KindString, strings.Join(lines, "\n")) == occupied {
		return
	}
	for i, leaf := range leaves {
		r.mark(leaf, s.Place.Text, language.Converted, "")
		r.markFilters(s.Message.Steps[:1], s.Place.Text, anchors[i:])
		r.nodes[anchors[i]].claimed = true
	}
}

// constants writes a block's fixed FHIR values. They never overwrite a mapped one, so
// that they are defaults as well.
func (r *toRun) constants(steps []language.Step, dst *fhir.Node) {
	for i := range steps {
		s := &steps[i]
		if s.Kind == language.StepFHIR && r.holds(s.Condition, dst) {
			r.constant(s, r.rooted(&s.Place, dst))
		}
	}
}

func (r *toRun) constant(s *language.Step, dst *fhir.Node) {
	switch {
	case dst == nil:
	case s.Ref != nil:
		r.blocks.refer(s, dst, r.m.Resources[s.Ref.Resource].Name)
	case s.Constant != nil:
		r.putDefault(dst, s, s.Constant.Kind, s.Constant.Text)
	default:
		r.putDefault(dst, s, fhir.KindString, r.derived(s, dst))
	}
}

func (r *toRun) putDefault(dst *fhir.Node, s *language.Step, kind fhir.NodeKind, text string) {
	if text != "" {
		r.putText(dst, s.Place.Steps, kind, text)
	}
}

// derived is what another place holds, converted.
func (r *toRun) derived(s *language.Step, dst *fhir.Node) string {
	text := r.read(s.Source, dst)
	if s.Converter != nil && text != "" {
		text, _, _ = s.Converter.To(r.zone, text)
	}
	return text
}

// event decides what the message tells: the first rule that holds.
func (r *toRun) event() {
	for i := range r.m.Events {
		if e := &r.m.Events[i]; r.holds(e.Condition, nil) {
			r.c.Event = e.Event
			return
		}
	}
}

// collect puts the resources in order of declaration, with their keys, and what is carried.
func (r *toRun) collect() {
	known := identity{&r.canonical, make([]string, len(r.res))}
	for i := range r.m.Resources {
		d := &r.m.Resources[i]
		switch {
		case r.res[i] != nil:
			r.c.Resources = append(r.c.Resources, account.Named{Name: d.Name, Resource: r.res[i], Key: known.key(i)})
		case d.Repeated:
			r.c.Resources = r.blocks.appendOf(r.c.Resources, d.Name)
		}
	}
	if doc := account.CarriedDocument(r.carried()); doc != nil {
		r.c.Resources = append(r.c.Resources, account.Named{Name: account.CarriedName, Resource: doc})
	}
}
