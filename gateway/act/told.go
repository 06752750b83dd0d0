package act

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
	"stafett/mappings/account"
)

// Change is one difference between what a party was told of a handover and what holds now, in
// bokmål. Before is empty for what is new, After for what no longer is said. Of a corrected
// national number the former is not said: it may be somebody else's.
type Change struct {
	Label, Before, After string
	Number               bool

	beside bool // of what belongs to the handover beside its stay
	remark bool // what a party of the Task says with its answer
}

// knowledge is what a party is told of a handover: each value at its place, and how it differs from
// before the act.
type knowledge struct {
	digest  handover.Digest
	changes []Change
	// differs from what the party was last sent (invariant 6).
	differs bool
}

// toldTo is what a party is to know of the handover now, without ids, times of the message and
// its envelope.
func (d *decision) toldTo(p handover.PartyID) knowledge {
	now := d.lines(p, d.asLeft)
	t := knowledge{digest: digestOf(now)}
	if d.creates() {
		t.differs = true
		t.changes = d.goesOn(p, now)
		return t
	}
	t.changes = changesOf(d.lines(p, d.asFound), now)
	t.changes = withoutFormerNumber(t.changes, d.numberCorrected())
	if d.numberCorrected() {
		t.changes = append(t.changes, unsaid(now, t.changes)...)
	}
	t.differs = len(t.changes) > 0
	sent, _ := d.s.Sent.Get(d.before.ID)
	for _, s := range slices.Backward(sent) {
		if s.Receiver == p && s.Told != "" && !neverLeaves(s) {
			t.differs = s.Told != t.digest
			break
		}
	}
	return t
}

// goesOn is what was said of a stay before it was routed to p, which its message does not say.
func (d *decision) goesOn(p handover.PartyID, now []line) []Change {
	if d.inherits == "" {
		return nil
	}
	said := groupsOf(d.linesBeside(p, slices.DeleteFunc(d.asLeft().belonging, func(r ledger.Resource) bool { return r.Entry != math.MaxInt64 })))
	now = slices.DeleteFunc(slices.Clone(now), func(l line) bool { return said[l.group] || !isBeside(l) })
	out := changesOf(nil, now)
	for i := range out {
		out[i].remark = true
	}
	return out
}

// unsaid is what holds beside the stay and is no change: whose record it is told to now has none
// of it.
func unsaid(now []line, changes []Change) []Change {
	var out []Change
	for _, l := range now {
		said := slices.ContainsFunc(changes, func(c Change) bool { return c.Label == l.label && strings.Contains(c.After, l.value) })
		if isBeside(l) && !said {
			out = append(out, l.change("", l.value))
		}
	}
	return out
}

// line is one value that a party is told, at its place.
type line struct{ place, group, label, value string }

func (l line) change(before, after string) Change {
	remark := slices.ContainsFunc(remarks, func(element string) bool { return strings.HasPrefix(l.place, "Task."+element) })
	return Change{Label: l.label, Before: before, After: after, Number: isNumber(l), beside: isBeside(l), remark: remark}
}

// digestOf is the digest of content, whatever its order.
func digestOf(lines []line) handover.Digest {
	all := make([]string, len(lines))
	for i, l := range lines {
		place, _, _ := strings.Cut(l.place, "#")
		all[i] = place + "\x00" + l.value
	}
	slices.Sort(all)
	sum := sha256.Sum256([]byte(strings.Join(all, "\x01")))
	return handover.Digest(hex.EncodeToString(sum[:]))
}

// changesOf lists what differs: of what was told already value by value, of what is new in one
// line.
func changesOf(was, now []line) []Change {
	old, seen, known := map[string]string{}, map[string]bool{}, groupsOf(was)
	holds := groupsOf(now)
	was, now = unlike(was, now), unlike(now, was)
	was = withoutNames(was, func(l line, more int) bool {
		return holds[l.group] || more == 1 && strings.HasPrefix(l.group, "Observation|")
	})
	now = withoutNames(now, func(l line, more int) bool { return known[l.group] || more > 0 })
	for _, l := range was {
		old[l.place] = l.value
	}
	var out []Change
	fresh := map[string]int{}
	for _, l := range now {
		seen[l.place] = true
		switch before, told := old[l.place]; {
		case told || known[l.group]:
			out = append(out, l.change(before, l.value))
		case fresh[l.group] == 0:
			out = append(out, l.change("", l.value))
			fresh[l.group] = len(out)
		default:
			out[fresh[l.group]-1].After += "; " + l.value
		}
	}
	gone := map[string]int{}
	for _, l := range was {
		switch at := gone[l.group]; {
		case seen[l.place]:
		case at > 0:
			out[at-1].Before += "; " + l.value
		default:
			out = append(out, l.change(l.value, ""))
			if l.place == l.group {
				gone[l.group] = len(out) // all of the thing is gone: it is said by its name
			}
		}
	}
	return out
}

func groupsOf(lines []line) map[string]bool {
	out := map[string]bool{}
	for _, l := range lines {
		out[l.group] = true
	}
	return out
}

// withoutNames leaves out the names of things that is holds of; more is how much else of the thing is
// said, which says its name as well.
func withoutNames(lines []line, is func(l line, more int) bool) []line {
	more := map[string]int{}
	for _, l := range lines {
		if l.place != l.group {
			more[l.group]++
		}
	}
	return slices.DeleteFunc(slices.Clone(lines), func(l line) bool { return l.place == l.group && is(l, more[l.group]) })
}

// unlike are the lines of all that others do not say as well: of several things of one code, which
// one stands first says nothing.
func unlike(all, others []line) []line {
	said := map[line]int{}
	key := func(l line) line {
		l.place, _, _ = strings.Cut(l.place, "#")
		return line{place: l.place, value: l.value}
	}
	for _, l := range others {
		said[key(l)]++
	}
	return slices.DeleteFunc(slices.Clone(all), func(l line) bool {
		said[key(l)]--
		return said[key(l)] >= 0
	})
}

// isBeside reports a line of what has a code, such as an observation.
func isBeside(l line) bool { return strings.Contains(l.group, "|") }

// isNumber reports a line that tells a national number.
func isNumber(l line) bool {
	return strings.HasPrefix(l.place, "Patient.identifier") &&
		slices.ContainsFunc(nationalNumbers, func(system string) bool { return strings.HasSuffix(l.place, "|"+system) })
}

// withoutFormerNumber leaves a number that was corrected unsaid; where none was, a number is a
// value like others.
func withoutFormerNumber(all []Change, corrected bool) []Change {
	var out []Change
	for _, c := range all {
		c.Number = c.Number && corrected
		if c.Number && c.After == "" {
			continue
		}
		if c.Number {
			c.Before = ""
		}
		out = append(out, c)
	}
	return out
}

// stand is a handover's content at one moment: its Task, how a resource stands, and all that
// belongs to it.
type stand struct {
	task      *fhir.Node
	resource  func(ledger.ResourceKey) (ledger.Resource, bool)
	belonging []ledger.Resource
}

// writtenNow orders what an act writes after all that is stored.
var writtenNow = time.Unix(1<<40, 0)

// asFound is the content before the act, asLeft as the act leaves it.
func (d *decision) asFound() stand {
	belonging, _ := d.s.Belonging.Get(d.before.ID)
	return stand{task: d.storedTask(false), resource: d.s.Resources.Get, belonging: belonging}
}

func (d *decision) asLeft() stand {
	var stored []ledger.Resource
	if !d.creates() {
		stored, _ = d.s.Belonging.Get(d.before.ID)
	}
	written := map[ledger.ResourceKey]ledger.Resource{}
	belongs := map[ledger.ResourceKey]bool{}
	for _, r := range stored {
		belongs[ledger.ResourceKey{Type: r.Type, ID: r.ID}] = true
	}
	for _, w := range append(d.writtenBefore(), d.plan.Unit.Resources...) {
		key := ledger.ResourceKey{Type: w.Type, ID: w.ID}
		written[key] = ledger.Resource{Type: w.Type, ID: w.ID, Author: w.Author, JSON: w.JSON,
			Version: w.Expect + 1, Deleted: w.Deleted, Entry: math.MaxInt64, At: writtenNow, Handover: w.Handover}
		own := slices.ContainsFunc(w.Grants, func(g ledger.Grant) bool { return g.Handover == d.next.ID })
		belongs[key] = belongs[key] || own || w.Handover == d.next.ID
	}
	var all []ledger.Resource
	for _, r := range stored {
		if _, again := written[ledger.ResourceKey{Type: r.Type, ID: r.ID}]; !again {
			all = append(all, r)
		}
	}
	for key, r := range written {
		if belongs[key] {
			all = append(all, r)
		}
	}
	for _, shown := range d.plan.Unit.Shown {
		key := ledger.ResourceKey{Type: shown.Type, ID: shown.ID}
		r, _ := d.s.Resources.Get(key)
		if _, again := written[key]; !again && !slices.ContainsFunc(stored, func(s ledger.Resource) bool { return s.Type == r.Type && s.ID == r.ID }) {
			all = append(all, r)
		}
	}
	return stand{task: d.taskNow, resource: d.current, belonging: all}
}

// lines are the values that a party is told of what others say. Its own words are no news to it.
func (d *decision) lines(p handover.PartyID, at func() stand) []line {
	c := at()
	var out []line
	for _, about := range []struct{ name, element string }{{"Patient", "for"}, {"Encounter", "encounter"}} {
		n := d.other(p, &c, c.task.Str(about.element, "reference"))
		out = append(out, linesOf(about.name, "", n)...)
		if about.name == "Encounter" {
			person := d.other(p, &c, n.Str("participant", "individual", "reference"))
			out = append(out, linesOf("Practitioner", "Ansvarlig, ", person)...)
		}
	}
	out = append(out, linesOf("Task", "", taskFor(c.task, p == d.next.Sender))...)
	return append(out, d.linesBeside(p, c.belonging)...)
}

// other is what a reference leads to, where somebody else than p wrote it; nil for nothing.
func (d *decision) other(p handover.PartyID, c *stand, ref string) *fhir.Node {
	typ, id, ok := fhir.SplitLocal(ref)
	if !ok {
		return nil
	}
	r, found := c.resource(ledger.ResourceKey{Type: typ, ID: id})
	if !found || r.Deleted || r.Author == p {
		return nil
	}
	return d.s.Parse(r)
}

// receivers are the elements of a Task that its receiver says, and no one else; notes are
// everybody's.
var receivers = []string{"executionPeriod", "output", "statusReason", "location", "relevantHistory"}

// remarks are the elements of a Task in which a party says something with its answer: no event and
// no field of a message holds them.
var remarks = []string{"note", "statusReason", "output", "input"}

// taskFor is what of a Task is told to one of its parties: to the sender what the receiver says.
func taskFor(task *fhir.Node, toSender bool) *fhir.Node {
	n := fhir.Obj("resourceType", "Task")
	for _, m := range task.Clone().Members {
		if (slices.Contains(receivers, m.Name) == toSender || m.Name == "note") && m.Name != "resourceType" {
			n.Set(m.Name, m.Value)
		}
	}
	for _, note := range n.Each("note") {
		sign(note)
	}
	return n
}

// sign puts who wrote a note into its text: what is told in words is one line.
func sign(note *fhir.Node) {
	if author := note.Str("authorString"); author != "" {
		note.Set("text", fhir.Str(note.Str("text")+" ("+author+")"))
		note.Delete("authorString")
	}
}

// linesBeside are the values of what belongs to a handover beside what its Task names: of each
// thing that has a code what was said of it last.
func (d *decision) linesBeside(p handover.PartyID, belonging []ledger.Resource) []line {
	things, carried := map[string]*thing{}, []said{}
	for _, r := range belonging {
		if r.Author == p || r.Deleted || slices.Contains(NotBeside, r.Type) {
			continue
		}
		one := said{r, d.s.Parse(r)}
		if account.IsCarried(one.node) {
			carried = append(carried, one)
			continue
		}
		what := r.Type + "|" + codeOf(one.node)
		if slices.Contains(eachItsOwn, r.Type) {
			what += "#" + r.ID
		}
		if things[what] == nil {
			things[what] = &thing{}
		}
		things[what].add(one, d.saidFirst(r))
	}
	var out []line
	for _, what := range slices.Sorted(maps.Keys(things)) {
		if lines := things[what].lines(what); !strings.Contains(what, "#") || len(unlike(lines, out)) > 0 {
			out = append(out, lines...)
		}
	}
	slices.SortFunc(carried, func(a, b said) int { return a.At.Compare(b.At) })
	at := map[string]int{}
	for _, one := range carried {
		for _, l := range linesOf(account.CarriedName, "", one.node) {
			if i, known := at[l.place]; known {
				out[i] = l
				continue
			}
			at[l.place] = len(out)
			out = append(out, l)
		}
	}
	slices.SortStableFunc(out, func(a, b line) int { return cmp.Compare(a.group, b.group) })
	return out
}

// eachItsOwn are the types of which a further one adds to what was said: of others the latest of a
// code takes the place of those before.
var eachItsOwn = []string{"Appointment", "CarePlan", "Communication", "CommunicationRequest", "Composition", "Consent", "DeviceRequest",
	"DocumentReference", "Procedure", "QuestionnaireResponse", "ServiceRequest"}

// saidFirst is the entry by which a resource was first said, where it says no more than that this
// was wrong.
func (d *decision) saidFirst(r ledger.Resource) int64 {
	if r.Version == 1 || !account.IsRevoked(d.s.Parse(r)) {
		return r.Entry
	}
	first, _ := d.s.Versions.Get(Version{ledger.ResourceKey{Type: r.Type, ID: r.ID}, 1})
	return first.Entry
}

// said is a resource and what it says.
type said struct {
	ledger.Resource
	node *fhir.Node
}

// thing is what is said of one thing that has a code. It has one value, and the latest takes the
// place of that before; or, once one message said several, a set: of those what is left out still
// holds, and only what is taken back is no longer said.
type thing struct {
	set bool
	all []spoken
	// unplaced is the entry by which it was last taken back as what nothing says; 0 for none.
	unplaced int64
}

// spoken is one saying of a thing; first is the entry of the ledger by which it was said.
type spoken struct {
	said
	first int64
	key   string // of its value
}

// add adds what was first said by an entry of the ledger.
func (t *thing) add(one said, first int64) {
	if account.IsRevoked(one.node) && one.Version == 1 {
		t.unplaced = max(t.unplaced, one.Entry)
		return
	}
	key := valueOf(one.node)
	if key == "" {
		key = string(digestOf(linesOf("", "", withoutName(one.node))))
	}
	t.all = append(t.all, spoken{one, first, key})
}

// began is the entry by which it was first said of what was not taken back; 0 for none.
func (t *thing) began() int64 {
	var out int64
	for _, one := range t.all {
		if !account.IsRevoked(one.node) && (out == 0 || one.Entry < out) {
			out = one.Entry
		}
	}
	return out
}

// holding are the values that hold, in the order in which they came, each as it was said last. What
// took the place of another and was wrong does not make the other right again.
func (t *thing) holding() [][]spoken {
	slices.SortFunc(t.all, func(a, b spoken) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.key, b.key), cmp.Compare(a.ID, b.ID))
	})
	var held [][]spoken
	set := t.set
	for rest := t.all; len(rest) > 0; {
		values := valuesOf(rest)
		if set = set || len(values) > 1; !set {
			held = slices.DeleteFunc(held, func(v []spoken) bool { return v[0].key != values[0][0].key })
		}
		for _, v := range values {
			rest = rest[len(v):]
			if at := slices.IndexFunc(held, func(h []spoken) bool { return h[0].key == v[0].key }); at >= 0 {
				held[at] = v
			} else {
				held = append(held, v)
			}
		}
	}
	for i, v := range held {
		held[i] = slices.DeleteFunc(slices.Clone(v), func(one spoken) bool { return account.IsRevoked(one.node) })
	}
	return slices.DeleteFunc(held, func(v []spoken) bool { return len(v) == 0 })
}

// valuesOf are the values that the first entry of what is sorted says, each as often as it does.
func valuesOf(sorted []spoken) [][]spoken {
	var out [][]spoken
	for i, one := range sorted {
		switch {
		case one.first != sorted[0].first:
			return out
		case i > 0 && one.key == sorted[i-1].key:
			out[len(out)-1] = append(out[len(out)-1], one)
		default:
			out = append(out, []spoken{one})
		}
	}
	return out
}

// lines are what holds of a thing, and that something of it was taken back which cannot be told
// from the rest.
func (t *thing) lines(what string) []line {
	var out []line
	held := t.holding()
	if began := t.began(); len(held) > 0 && began < t.unplaced {
		one := held[0][0]
		out = append(out, line{what + ".revoked", what, account.TypeLabel(one.Type) + " " + nameOf(one.node), "feilregistrert"})
	}
	told := map[handover.Digest]bool{}
	for i, value := range held {
		rendered := make([][]line, len(value))
		for j, one := range value {
			rendered[j] = one.lines(what)
		}
		slices.SortFunc(rendered, func(a, b []line) int { return cmp.Compare(digestOf(a), digestOf(b)) })
		for j, lines := range rendered {
			if digest := digestOf(lines); !told[digest] {
				told[digest] = true
				out = append(out, placedApart(lines, value[0].key, i, j)...)
			}
		}
	}
	return out
}

func (s spoken) lines(what string) []line {
	name := nameOf(s.node)
	lines := linesOf(what, strings.TrimSpace(account.TypeLabel(s.Type)+" "+name)+", ", withoutName(s.node))
	if name != "" {
		lines = append([]line{{what, what, account.TypeLabel(s.Type), name}}, lines...)
	}
	return lines
}

// placedApart tells those of one code apart: the first value is at the thing's place, another at one of
// its own, so that none stands for another's former value.
func placedApart(lines []line, key string, value, nth int) []line {
	if value == 0 && nth == 0 {
		return lines
	}
	sum := sha256.Sum256([]byte(key))
	mark := fmt.Sprintf("#%s.%d", hex.EncodeToString(sum[:8]), nth)
	for i := range lines {
		lines[i].place += mark
		lines[i].group += mark
	}
	return lines
}

// NotBeside are the types of what a Task names itself, and of what is no content.
var NotBeside = []string{"Task", "Patient", "Encounter", "Practitioner", "PractitionerRole", "Organization", "Provenance", "AuditEvent"}

// coded are the elements that say what a resource is about.
var coded = []string{"code", "medicationCodeableConcept", "type", "category"}

// codeOf says which thing a resource is about: its code, and what tells several of one code apart.
func codeOf(n *fhir.Node) string {
	if sub := subOf(n); sub != "" {
		return bareCodeOf(n) + "|" + sub
	}
	return bareCodeOf(n)
}

// subOf tells several things of one code apart, as a message numbers them; empty for nothing.
func subOf(n *fhir.Node) string {
	for _, x := range n.Each("extension") {
		if x.Str("url") == account.ExtensionSubID {
			return x.Str("valueString")
		}
	}
	return ""
}

func bareCodeOf(n *fhir.Node) string {
	for _, element := range coded {
		c := n.At(element)
		if code := c.Str("coding", "code"); code != "" {
			return c.Str("coding", "system") + "|" + code
		}
		if text := cmp.Or(c.Str("text"), c.Str("coding", "display")); text != "" {
			return text
		}
	}
	return n.Str("content", "attachment", "title")
}

// withoutName is n without the code that names it, and without a status that says nothing.
func withoutName(n *fhir.Node) *fhir.Node {
	n = n.Clone()
	if at := slices.IndexFunc(coded, func(element string) bool { return n.Get(element) != nil }); at >= 0 {
		n.Delete(coded[at])
	}
	if slices.Contains(ordinary, n.Str("status")) {
		n.Delete("status")
	}
	return n
}

// ordinary are the states of a resource that holds.
var ordinary = []string{"final", "current", "active", "completed"}

func nameOf(n *fhir.Node) string {
	for _, element := range coded {
		c := n.At(element)
		if name := cmp.Or(c.Str("coding", "display"), c.Str("text"), c.Str("coding", "code")); name != "" {
			return name
		}
	}
	return n.Str("content", "attachment", "title")
}

// silent are the elements that say when and by whom a message was made, or how it stands with
// the handover, which its event tells.
var silent = map[string][]string{
	"Task": {"status", "businessStatus", "intent", "code", "owner", "requester", "authoredOn", "lastModified", "identifier", "groupIdentifier",
		"restriction.recipient", "extension"},
	"Encounter": {"status", "statusHistory", "class", "serviceProvider", "identifier"}, "Patient": {"active"},
	"Communication": {"sent", "received", "status", "identifier", "topic"}, "DocumentReference": {"status", "date", "identifier"},
	"Observation": {"issued", "identifier"}, "Condition": {"identifier"}, "ServiceRequest": {"authoredOn", "status", "intent", "identifier"},
}

// linesOf are the values of one resource; before stands before their labels.
func linesOf(what, before string, n *fhir.Node) []line {
	if n == nil {
		return nil
	}
	n = n.Clone()
	for _, element := range silent[n.ResourceType()] {
		n.Delete(element)
	}
	var out []line
	for _, list := range []struct{ element, by string }{{"identifier", "system"}, {"extension", "url"}} {
		for _, item := range n.Each(list.element) {
			one := fhir.Obj("resourceType", n.ResourceType(), list.element, []*fhir.Node{item})
			by := fhir.PreferredSystem(item.Str(list.by))
			found := leaves(what, before, "|"+by, one)
			if name := numberLabels[by]; name != "" && len(found) > 0 {
				found[0].label = name
			}
			out = append(out, found...)
		}
		n.Delete(list.element)
	}
	out = append(out, leaves(what, before, "", n)...)
	if n.ResourceType() == "DocumentReference" && what != account.CarriedName {
		// A document of the same size may say something else.
		sum := sha256.Sum256([]byte(n.Str("content", "attachment", "data")))
		out = append(out, line{what + ".sha256", what, before + "innhold", hex.EncodeToString(sum[:4])})
	}
	return out
}

// numberLabels name the national numbers.
var numberLabels = map[string]string{fhir.SystemFNR: "Fødselsnummer", fhir.SystemDNR: "D-nummer", fhir.SystemFHN: "Felles hjelpenummer"}

// leaves are the values below n, at their places; which tells items apart whose order says
// nothing.
func leaves(what, before, which string, n *fhir.Node) []line {
	_, left := account.Of([]account.Named{{Name: what, Resource: n}}, nil)
	out := make([]line, len(left))
	for i, l := range left {
		out[i] = line{l.Path + which, what, before + l.Label, l.Value}
	}
	return out
}
