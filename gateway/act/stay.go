package act

import (
	"slices"

	"stafett/fhir"
	"stafett/handover"
	"stafett/mappings/account"
)

// nameEncounter is the stay of a translated message.
const nameEncounter = "encounter"

// extensionExpectedReady is the day on which a patient is expected to be ready for discharge.
const extensionExpectedReady = "urn:stafett:expected-ready"

// contentOnly are the events that tell of nothing but content: who has it already is told nothing.
var contentOnly = []handover.EventName{handover.EventMoved, handover.EventUpdated}

// laidOver are the resources of a stay of which a later message says only what is new.
var laidOver = []string{nameEncounter, NameTask, NamePatient}

// onWhatIsKnown is a resource of the sender's message laid over what is stored of the stay: a
// message of a stay says what is new, and what it leaves out still holds (HL7 v2.5 section
// 2.5.3.3), but for what the event itself ends.
func (d *decision) onWhatIsKnown(r account.Named) *fhir.Node {
	if d.creates() || d.actor.Role != handover.RoleSender || !slices.Contains(laidOver, r.Name) {
		return r.Resource
	}
	cur, _ := d.current(keyOf(r.Resource))
	if cur.Version == 0 || cur.Deleted {
		return r.Resource
	}
	known := d.s.Parse(cur)
	if forget := forgets[d.event.Name]; forget != nil {
		forget(known)
	}
	status, numbers := known.Get("status"), known.Each("identifier")
	if d.older {
		// What was said later holds; the message adds what nobody has said since.
		later := known
		known = r.Resource.Clone()
		overlay(known, later)
		known.Set("status", r.Resource.Get("status"))
	} else {
		overlay(known, r.Resource)
	}
	if r.Name == NamePatient {
		keepNational(known, numbers)
	}
	if status != nil && slices.Contains(contentOnly, d.event.Name) {
		known.Set("status", status)
	}
	if d.complete == nil {
		d.complete = map[string]*fhir.Node{}
	}
	d.complete[r.Name] = known
	return known
}

// forgets say what of a stored stay, or of its Task, no longer holds after an event.
var forgets = map[handover.EventName]func(*fhir.Node){
	handover.EventReady: forgetReadiness, handover.EventNotReady: forgetReadiness,
	handover.EventDischarged: forgetDischarge, handover.EventDied: forgetDischarge, handover.EventDischargeCancelled: forgetDischarge,
}

func forgetReadiness(n *fhir.Node) {
	n.Delete("restriction")
	if list := n.Get("extension"); list != nil {
		list.Items = slices.DeleteFunc(list.Items, func(x *fhir.Node) bool { return x.Str("url") == extensionExpectedReady })
		if len(list.Items) == 0 {
			n.Delete("extension")
		}
	}
}

func forgetDischarge(n *fhir.Node) {
	n.Delete("hospitalization")
	if period := n.Get("period"); period != nil {
		period.Delete("end")
	}
}

// overlay lays what says over known: objects by member, extensions by url; any other list as
// a whole.
func overlay(known, says *fhir.Node) {
	for _, m := range says.Members {
		old := known.Get(m.Name)
		switch {
		case old == nil || old.Kind != m.Value.Kind:
			known.Set(m.Name, m.Value)
		case m.Name == "extension":
			overlayExtensions(old, m.Value)
		case m.Value.Kind == fhir.KindObject && m.Name != "code":
			overlay(old, m.Value)
		default:
			known.Set(m.Name, m.Value)
		}
	}
}

// keepNational keeps the national numbers of a Patient of whom a message says none, but for those
// that it says are replaced.
func keepNational(patient *fhir.Node, before []*fhir.Node) {
	if national, _ := numbersOf(patient); len(national) > 0 {
		return
	}
	var replaced []number
	for _, link := range patient.Each("link") {
		if national, _ := numbersOf(link.Get("other")); link.Str("type") == "replaces" {
			replaced = append(replaced, national...)
		}
	}
	for _, id := range before {
		kept, _ := numbersOf(fhir.Obj("identifier", []*fhir.Node{id}))
		if len(kept) > 0 && !sharesNational(kept, replaced) {
			patient.Set("identifier", fhir.Arr(append(slices.Clone(patient.Each("identifier")), id)...))
		}
	}
}

func overlayExtensions(known, says *fhir.Node) {
	for _, x := range says.Items {
		at := slices.IndexFunc(known.Items, func(k *fhir.Node) bool { return k.Str("url") == x.Str("url") })
		if at < 0 {
			known.Items = append(known.Items, x)
			continue
		}
		known.Items[at] = x
	}
}
