package act

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
	"stafett/mappings/account"
)

// Names by which a translated message's resources are known.
const (
	NameTask    = "task"
	NamePatient = "patient"
)

// planContent plans the decision's resources, the Task as the handover now stands, and the
// keys by which later messages find it.
func (d *decision) planContent() {
	task := d.task
	for _, r := range d.resolve() {
		if d.older && d.saidSince(r) || d.planRevoked(r) {
			continue
		}
		r.Resource = d.onWhatIsKnown(r)
		if r.Name != NameTask {
			d.planResource(r.Resource, d.actor.Party, d.fresh(r))
		} else if d.actor.Role == handover.RoleSender || d.creates() {
			task = r.Resource
		}
	}
	d.planInherited()
	d.planTask(task)
	d.planKeys()
}

// planInherited lets whom a named person routed a stay to read what its sender has said of it beside
// the stay itself.
func (d *decision) planInherited() {
	if d.inherits == "" {
		return
	}
	for _, r := range d.inherited() {
		d.planShownOne(r, d.s.Parse(r))
	}
}

// inherited is what belongs to the handover whose stay goes on, as its sender said it.
func (d *decision) inherited() []ledger.Resource {
	belonging, _ := d.s.Belonging.Get(d.inherits)
	return slices.DeleteFunc(slices.Clone(belonging), func(r ledger.Resource) bool {
		key := ledger.ResourceKey{Type: r.Type, ID: r.ID}
		return r.Author != d.next.Sender || r.Deleted || slices.Contains(NotBeside, r.Type) || account.IsRevoked(d.s.Parse(r)) || d.plans(key)
	})
}

// saidSince reports whether a thing of an older message has been said by its sender before this act:
// by later messages then.
func (d *decision) saidSince(r account.Named) bool {
	belonging, _ := d.s.Belonging.Get(d.before.ID)
	return r.Key == "" && !slices.Contains(laidOver, r.Name) && slices.ContainsFunc(belonging, func(b ledger.Resource) bool {
		return b.Type == r.Resource.ResourceType() && b.Author == d.actor.Party && codeOf(d.s.Parse(b)) == codeOf(r.Resource)
	})
}

// fresh reports whether a resource can be taken for new without a look: it has an id of
// its own, or it is the stay of a new handover. Where that is wrong the commit conflicts,
// and the second try looks.
func (d *decision) fresh(r account.Named) bool {
	return r.Key == "" && (r.Name != nameEncounter || d.stayID() == "") && d.unnumberedID(r) == "" || d.creates() && d.s.mayBegin(r)
}

// creates reports whether the act creates the handover.
func (d *decision) creates() bool { return d.before.State == "" || d.opening }

// mayBegin reports whether a resource is the stay of a handover that may be new: not after
// a try that met a conflict.
func (s *Snapshot) mayBegin(r account.Named) bool { return r.Name == nameEncounter && !s.Retry }

// resolve gives each resource of a translated message its id and turns the names by which
// they refer to each other into references.
func (d *decision) resolve() []account.Named {
	refs := map[string]string{NameTask: "Task/" + string(d.next.ID)}
	out := make([]account.Named, len(d.content.Resources))
	for i, r := range d.content.Resources {
		n := r.Resource.Clone()
		id := d.idOf(r)
		fhir.SetID(n, id)
		refs[r.Name] = n.ResourceType() + "/" + id
		out[i] = account.Named{Name: r.Name, Resource: n, Key: r.Key}
	}
	for _, r := range out {
		fhir.References(r.Resource, func(ref *fhir.Node) {
			name, named := strings.CutPrefix(ref.Str("reference"), account.ReferencePrefix)
			if !named {
				return
			}
			to, known := refs[name]
			if !known {
				d.s.Fail(&handover.Fault{Kind: handover.FaultInvalid, Op: "act.resolve", Path: name,
					Text: "a reference names a resource that the message does not have"})
			}
			ref.Set("reference", fhir.Str(to))
		})
	}
	return out
}

func (d *decision) idOf(r account.Named) string {
	if r.Name == NameTask {
		return string(d.next.ID)
	}
	if id := d.stayID(); r.Name == nameEncounter && id != "" {
		return id
	}
	if id := d.unnumberedID(r); id != "" {
		return id
	}
	if r.Key != "" {
		return d.s.Identity.StableID(d.actor.Party, r.Resource.ResourceType(), r.Key+d.salt(r.Name))
	}
	return d.s.NewID()
}

// unnumberedID is the id of the handover's Patient, of whom its sender's message says no national
// number; empty for another resource.
func (d *decision) unnumberedID(r account.Named) string {
	if r.Name != NamePatient || d.creates() || d.actor.Role != handover.RoleSender {
		return ""
	}
	if national, _ := numbersOf(r.Resource); len(national) > 0 {
		return ""
	}
	return patientOf(d.storedTask(false))
}

// stayID is the id of the handover's stay, which its sender's message is about whatever it says of it;
// empty for none.
func (d *decision) stayID() string {
	if d.creates() || d.actor.Role != handover.RoleSender {
		return ""
	}
	typ, id, _ := fhir.SplitLocal(d.storedTask(false).Str("encounter", "reference"))
	if typ != "Encounter" {
		return ""
	}
	return id
}

// salt tells the stay of a chain that does not have its number's own name from the one that
// had the number before.
func (d *decision) salt(name string) string {
	number, _, _ := strings.Cut(d.stay, "|")
	own := func(key string) bool {
		return d.next.Chain == handover.ChainID(d.s.Identity.StableID(d.next.Sender, "chain", key))
	}
	if name != nameEncounter || d.stay == "" || own(d.stay) || own(number) {
		return ""
	}
	return "|" + string(d.next.Chain)
}

// says reports whether n is what is stored already.
func says(cur ledger.Resource, n *fhir.Node) bool {
	if cur.Version == 0 || cur.Deleted {
		return false
	}
	stamp(n, cur.Version, ledger.TimeText(cur.At))
	return bytes.Equal(n.AppendJSON(nil), cur.JSON)
}

func keyOf(n *fhir.Node) ledger.ResourceKey {
	return ledger.ResourceKey{Type: n.ResourceType(), ID: n.ID()}
}

// stamp sets meta.versionId and meta.lastUpdated, as ledger.TimeText spells it, and keeps
// what else meta holds.
func stamp(n *fhir.Node, version int64, at string) {
	meta := n.Get("meta")
	if meta == nil || meta.Kind != fhir.KindObject {
		meta = fhir.Obj()
		after := 1
		if n.Get("id") != nil {
			after = 2
		}
		n.Members = slices.Insert(n.Members, min(after, len(n.Members)), fhir.Member{Name: "meta", Value: meta})
	}
	meta.Set("versionId", fhir.Str(strconv.FormatInt(version, 10)))
	meta.Set("lastUpdated", fhir.Str(at))
}

// parties are those who take part in h: a receiver that was the wrong one no longer does.
func parties(h handover.Handover) []handover.PartyID {
	all := append([]handover.PartyID{h.Sender, h.Receiver}, h.Copies...)
	return slices.DeleteFunc(all, func(p handover.PartyID) bool { return !TakesPart(p, h) })
}

// planKeys plans the keys by which later messages find the handover.
func (d *decision) planKeys() {
	h := d.next
	key := func(k ledger.HandoverKey) {
		k.Handover = h.ID
		d.plan.Unit.Keys = append(d.plan.Unit.Keys, k)
	}
	if d.stay != "" && d.actor.Party == h.Sender {
		key(ledger.HandoverKey{Kind: ledger.KeyVisit, Party: h.Sender, Value: d.stay})
	}
	for _, id := range d.conversations {
		key(ledger.HandoverKey{Kind: ledger.KeyConversation, Party: d.actor.Party, Value: id})
	}
	merged := d.event.Name == handover.EventMerged
	if !d.creates() && !d.correction.Numbers && !merged {
		return
	}
	persons := d.s.Identity.persons(d.actor.Party, d.patient())
	if merged {
		persons = append(persons, d.s.Identity.replaced(d.actor.Party, d.patient())...)
	}
	for _, person := range persons {
		key(ledger.HandoverKey{Kind: ledger.KeyPatient, Value: person})
	}
}

func (d *decision) patient() *fhir.Node {
	for _, n := range slices.Concat([]*fhir.Node{d.content.Resource(NamePatient)}, d.written, d.shown) {
		if n.ResourceType() == "Patient" {
			return n
		}
	}
	return nil
}

// nationalNumbers are the systems of numbers that name one person in every party's record.
var nationalNumbers = []string{fhir.SystemFNR, fhir.SystemDNR, fhir.SystemFHN, fhir.SystemDUF}

// persons are the keys of a Patient's numbers: the national ones, and a party's own.
func (i Identity) persons(party handover.PartyID, patient *fhir.Node) []string {
	out := i.nationals(patient)
	_, local := numbersOf(patient)
	for _, n := range local {
		out = append(out, i.PersonKey(string(party)+"|"+n.system, n.value))
	}
	return out
}

// nationals are the keys of a Patient's national numbers.
func (i Identity) nationals(patient *fhir.Node) []string {
	national, _ := numbersOf(patient)
	var out []string
	for _, n := range national {
		out = append(out, i.PersonKey(n.system, n.value))
	}
	return out
}

// Current is a stored resource for the eyes of p; nil where there is none. The node is the
// caller's own.
func (s *Snapshot) Current(key ledger.ResourceKey, p handover.PartyID) *fhir.Node {
	r, _ := s.Resources.Get(key)
	return s.seen(r, p)
}

// seen is r for the eyes of p; nil where p may not see it.
func (s *Snapshot) seen(r ledger.Resource, p handover.PartyID) *fhir.Node {
	if r.Deleted || !slices.Contains(r.Visible, p) {
		return nil
	}
	return s.Parse(r)
}

// Parse reads a stored resource.
func (s *Snapshot) Parse(r ledger.Resource) *fhir.Node {
	n, err := fhir.Parse(r.JSON, fhir.DefaultLimits())
	if err != nil {
		s.Fail(err)
		n = fhir.Obj("resourceType", r.Type)
	}
	return n
}
