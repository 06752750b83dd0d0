package tell

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"stafett/fhir"
	"stafett/gateway/act"
	"stafett/handover"
	"stafett/ledger"
	"stafett/mappings/account"
)

// systemEvent codes Communication.topic.
const systemEvent = "urn:stafett:event"

// named are references of a Task and the name under which a mapping knows what they lead to.
type named struct {
	name string
	refs []*fhir.Reference
}

// referredTo is what a Task refers to.
func referredTo(task fhir.Task) []named {
	one := func(ref *fhir.Reference) []*fhir.Reference { return []*fhir.Reference{ref} }
	var plans []*fhir.Reference
	for i := range task.BasedOn {
		plans = append(plans, &task.BasedOn[i])
	}
	return []named{{act.NamePatient, one(task.For)}, {"encounter", one(task.Encounter)}, {"request", one(task.Focus)}, {"careplan", plans}}
}

// contentFor is what a party is told: the sender's own message where that is what happened,
// else the handover as it stands; with a notice where the message carries a text.
func (o *outgoing) contentFor() account.Canonical {
	c := o.canonical()
	c.Event, c.Kind = o.Event, o.Handover.Kind
	if patient := c.Resource(act.NamePatient); o.Event == handover.EventDied && patient != nil &&
		patient.Get("deceasedDateTime") == nil && patient.Str("deceasedBoolean") != "true" {
		// Who died may be said by the event alone.
		patient.Set("deceasedBoolean", fhir.Bool(true))
	}
	if !o.codec.Notice(o.typ) {
		return c
	}
	said := o.said(&c)
	note := o.communication(strings.Join(append([]string{o.text()}, wordsOf(said)...), "\n\n"))
	keepOf(said, note)
	c.Resources = slices.DeleteFunc(c.Resources, func(r account.Named) bool { return r.Resource == said })
	c.Resources = append(c.Resources, account.Named{Name: nameNote, Resource: note})
	return c
}

// nameNote is the text of a message: of a translated one, and of one to be made.
const nameNote = "communication"

// said is the text that the act's own message carries; nil for none.
func (o *outgoing) said(c *account.Canonical) *fhir.Node {
	if said := c.Resource(nameNote); said != nil {
		return said
	}
	at := slices.IndexFunc(c.Resources, func(r account.Named) bool {
		return r.Resource.ResourceType() == "Communication" && !account.IsRevoked(r.Resource)
	})
	if at < 0 {
		return nil
	}
	return c.Resources[at].Resource
}

// volven starts the names of the national code lists.
const volven = "urn:oid:2.16.578.1.12.4.1.1."

// isNote are themes of a text that only say that it is one.
var isNote = map[string]bool{volven + "9155": true, volven + "7322": true, volven + "7321": true}

// themeOf is the theme of a text, where its code says more than that it is one: a wrong address, a
// referral that was sent on.
func themeOf(said *fhir.Node) string {
	coding := said.At("category", "coding")
	if system := coding.Str("system"); !strings.HasPrefix(system, volven) || isNote[system] {
		return ""
	}
	return coding.Str("display")
}

// wordsOf are a Communication's theme, its texts and the remarks on them, word for word.
func wordsOf(said *fhir.Node) []string {
	var out []string
	if theme := themeOf(said); theme != "" {
		out = append(out, theme)
	}
	for _, p := range said.Each("payload") {
		if s := p.Str("contentString"); s != "" {
			out = append(out, s)
		}
	}
	for _, n := range said.Each("note") {
		out = append(out, "Merknad: "+n.Str("text"))
	}
	return out
}

// keepOf keeps what else a text says of itself: its kind, its time, who wrote it, its topic.
func keepOf(said, note *fhir.Node) {
	if said == nil {
		return
	}
	for _, m := range said.Members {
		if note.Get(m.Name) == nil && !slices.Contains([]string{"id", "meta", "note"}, m.Name) {
			note.Set(m.Name, m.Value)
		}
	}
	if sent := said.Get("sent"); sent != nil {
		note.Set("sent", sent)
	}
	if topic := said.At("topic").Str("text"); topic != "" {
		note.Get("topic").Set("text", fhir.Str(topic))
	}
	for _, p := range said.Each("payload") {
		if p.Get("contentString") == nil {
			payload := note.Get("payload")
			payload.Items = append(payload.Items, p)
		}
	}
}

func (o *outgoing) canonical() account.Canonical {
	patient := o.Content.Resource(act.NamePatient)
	switch {
	case patient != nil && (o.own || o.Actor.Role == handover.RoleSender):
		return o.sendersOwn()
	case o.Task != nil && act.TakesPart(o.party.ID, o.Handover):
		c := o.asItStands()
		o.addSaid(&c)
		return c
	case patient != nil && o.Handover.ID == "":
		return account.Canonical{Resources: []account.Named{{Name: act.NamePatient, Resource: patient.Clone()}}}
	}
	return account.Canonical{}
}

// sendersOwn is the sender's message with the Task as the handover now stands.
func (o *outgoing) sendersOwn() account.Canonical {
	c := o.Content
	c.Resources = nil
	for _, r := range o.Content.Resources {
		n := r.Resource.Clone()
		if r.Name == act.NameTask {
			o.s.Project(n, o.Handover)
		}
		c.Resources = append(c.Resources, account.Named{Name: r.Name, Resource: n, Key: r.Key})
	}
	return c
}

// asItStands gathers what the handover's Task refers to and the party may see, named as a
// mapping knows it. The names stand in place of the references, as in a translated message.
func (o *outgoing) asItStands() account.Canonical {
	c := account.Canonical{Facts: map[string]string{}}
	names := map[string]string{"Task/" + o.Task.ID(): act.NameTask}
	task, err := fhir.Read[fhir.Task](o.Task)
	o.unreadable = err
	for _, to := range referredTo(task) {
		for i, ref := range to.refs {
			n := o.referred(ref)
			if n == nil {
				continue
			}
			name := to.name
			if i > 0 {
				name = fmt.Sprintf("%s-%d", to.name, i+1)
			}
			names[n.ResourceType()+"/"+n.ID()] = name
			c.Resources = append(c.Resources, account.Named{Name: name, Resource: n})
		}
	}
	c.Resources = append(c.Resources, account.Named{Name: act.NameTask, Resource: o.Task.Clone()})
	if n := o.responsible(&c); n != nil {
		names[n.ResourceType()+"/"+n.ID()] = "practitioner"
		c.Resources = append(c.Resources, account.Named{Name: "practitioner", Resource: n})
	}
	for _, r := range c.Resources {
		fhir.References(r.Resource, func(ref *fhir.Node) {
			if name, ok := names[ref.Str("reference")]; ok {
				ref.Set("reference", fhir.Str(account.ReferencePrefix+name))
			}
		})
	}
	return c
}

// addSaid adds what the act itself says beside the handover as it stands: of its message, or
// what it writes. Nothing of it stays behind (invariant 6).
func (o *outgoing) addSaid(c *account.Canonical) {
	c.Resources = slices.DeleteFunc(c.Resources, o.knownRequest)
	own := map[string]bool{act.NamePatient: true, act.NameTask: true, "encounter": true, "unit": true, "practitioner": true}
	for _, r := range o.Content.Resources {
		if !own[r.Name] {
			c.Resources = append(c.Resources, account.Named{Name: r.Name, Resource: r.Resource.Clone()})
		}
	}
	if len(o.Content.Resources) > 0 {
		return
	}
	seen := map[ledger.ResourceKey]bool{}
	for _, r := range c.Resources {
		seen[ledger.ResourceKey{Type: r.Resource.ResourceType(), ID: r.Resource.ID()}] = true
	}
	counts := map[string]int{}
	for _, w := range o.Written {
		key := ledger.ResourceKey{Type: w.Type, ID: w.ID}
		n := o.Resource(o.s, key, o.party.ID)
		if n == nil || seen[key] || slices.Contains(notSaid, w.Type) {
			continue
		}
		seen[key] = true
		family := familyOf(w.Type)
		counts[family]++
		c.Resources = append(c.Resources, account.Named{Name: fmt.Sprintf("%s-%d", family, counts[family]), Resource: n})
	}
}

// knownRequest reports a request or a plan that was told before: each is told when it is made,
// and when it is written anew.
func (o *outgoing) knownRequest(r account.Named) bool {
	typ, id := r.Resource.ResourceType(), r.Resource.ID()
	asked := typ == "ServiceRequest" || typ == "CarePlan"
	return asked && o.Event != handover.EventRequested && !slices.ContainsFunc(o.Written, func(w ledger.ResourceWrite) bool { return w.Type == typ && w.ID == id })
}

// notSaid are the types of what a handover refers to itself.
var notSaid = []string{"Task", "Patient", "Encounter", "Practitioner", "PractitionerRole", "Organization", "Provenance", "AuditEvent"}

// familyOf is the name by which mappings know resources of a type.
func familyOf(typ string) string {
	if typ == "DocumentReference" {
		return "attachment"
	}
	return strings.ToLower(typ)
}

// responsible is the first of the persons who take part in the stay; nil for none.
func (o *outgoing) responsible(c *account.Canonical) *fhir.Node {
	ref := c.Resource("encounter").Str("participant", "individual", "reference")
	return o.referred(&fhir.Reference{Reference: &ref})
}

// referred is what a reference of the Task leads to, for the eyes of the party; nil for
// nothing.
func (o *outgoing) referred(ref *fhir.Reference) *fhir.Node {
	typ, id, ok := fhir.SplitLocal(fhir.Literal(ref))
	if !ok {
		return nil
	}
	return o.Resource(o.s, ledger.ResourceKey{Type: typ, ID: id}, o.party.ID)
}

// communication is a notice as FHIR, about the Task and its patient where there are any.
func (o *outgoing) communication(text string) *fhir.Node {
	var subject *fhir.Node
	var about []*fhir.Node
	if o.Task != nil {
		about = []*fhir.Node{fhir.Obj("reference", account.ReferencePrefix+act.NameTask)}
	}
	if o.Content.Resource(act.NamePatient) != nil || o.Task.Get("for") != nil {
		subject = fhir.Obj("reference", account.ReferencePrefix+act.NamePatient)
	}
	return fhir.Obj("resourceType", "Communication", "status", "completed",
		"topic", fhir.Concept(systemEvent, string(o.Event), ""), "subject", subject, "about", about,
		"sent", o.s.Now.UTC().Format(time.RFC3339), "payload", []*fhir.Node{fhir.Obj("contentString", text)})
}

// resources is what a receiver is sent whose wire carries FHIR: the resources of this act,
// what its Task refers to, the Task and a notice, each once and under the id it has here.
func (o *outgoing) resources() []*fhir.Node {
	seen := map[ledger.ResourceKey]bool{}
	var out []*fhir.Node
	for _, n := range append(o.visible(), o.note()) {
		key := ledger.ResourceKey{Type: n.ResourceType(), ID: n.ID()}
		if !seen[key] {
			seen[key] = true
			out = append(out, n)
		}
	}
	return out
}

// note is the notice as a resource of its own, about the stored Task and patient; to one
// who has no part in the handover, such as the operator, about nothing.
func (o *outgoing) note() *fhir.Node {
	note := o.communication(o.text())
	note.Set("id", fhir.Str(o.s.NewID()))
	part, patient := act.TakesPart(o.party.ID, o.Handover), o.Task.Str("for", "reference")
	if !part {
		note.Delete("about")
		patient = ""
	}
	if patient == "" {
		note.Delete("subject")
	}
	fhir.References(note, func(ref *fhir.Node) {
		to := patient
		if ref.Str("reference") == account.ReferencePrefix+act.NameTask {
			to = "Task/" + string(o.Handover.ID)
		}
		ref.Set("reference", fhir.Str(to))
	})
	return note
}

func isTask(key ledger.ResourceKey) bool { return key.Type == "Task" }

// visible is what this act writes or shows, what its Task refers to and the Task, as far as
// the party may see it.
func (o *outgoing) visible() []*fhir.Node {
	if o.Task == nil || !act.TakesPart(o.party.ID, o.Handover) {
		return nil
	}
	var keys []ledger.ResourceKey
	for _, w := range o.Written {
		keys = append(keys, ledger.ResourceKey{Type: w.Type, ID: w.ID})
	}
	for _, shown := range o.Shown {
		keys = append(keys, ledger.ResourceKey{Type: shown.Type, ID: shown.ID})
	}
	var out []*fhir.Node
	keys = append(keys, act.LocalReferences(o.Task)...)
	for _, key := range slices.DeleteFunc(keys, isTask) {
		if n := o.Resource(o.s, key, o.party.ID); n != nil {
			out = append(out, n)
		}
	}
	return append(out, o.Task)
}
