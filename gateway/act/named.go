package act

import (
	"slices"

	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
)

// named holds a Task to what its owner will be able to read (invariant 10): it is for a Patient,
// and what it names is written with it or is the caller's to read. Of an update, what it names
// anew.
func (w Writing) named(s *Snapshot, task *Entry) error {
	const op = "act.named"
	if task == nil {
		return nil
	}
	same := func(element string) bool {
		return task.Before != nil && task.Before.Get(element).Equal(task.Resource.Get(element))
	}
	if id := patientOf(task.Resource); !same("for") && (id == "" || !w.reads(s, ledger.ResourceKey{Type: "Patient", ID: id})) {
		return &handover.Fault{Kind: handover.FaultPatientUnidentified, Op: op, Path: "Task.for",
			Text: "a Task is for a Patient that is in the transaction or that the caller reads"}
	}
	for _, element := range task.Resource.Members {
		for _, ref := range LocalReferences(element.Value) {
			if !same(element.Name) && !w.reads(s, ref) {
				return &handover.Fault{Kind: handover.FaultInvalid, Op: op, Path: "Task." + element.Name,
					Text: "names a resource that is neither in the transaction nor the caller's to read, so the owner could not read it"}
			}
		}
	}
	return nil
}

// reads reports whether the write stores a resource, or its party reads what is stored.
func (w Writing) reads(s *Snapshot, key ledger.ResourceKey) bool {
	at := slices.IndexFunc(w.Entries, func(e Entry) bool { return e.Type == key.Type && e.ID == key.ID })
	if at >= 0 && w.Entries[at].Method != "DELETE" {
		return true
	}
	r, _ := s.Resources.Get(key)
	return at < 0 && Reads(w.Party, r) || !s.Complete()
}

// settled holds the write to what an open handover names: it is not deleted, nor made
// another person's, behind its holder's back (invariant 10).
func (w Writing) settled(s *Snapshot) error {
	for i := range w.Entries {
		e := &w.Entries[i]
		if e.Type == "Task" || e.Before == nil || e.Matched {
			continue
		}
		switch {
		case e.deletes() && s.isHeld(e.key()):
			return held(e, "a handover holds this resource: it is withdrawn with the Task, or changed, but not deleted")
		case e.writes() && s.turns(e):
			return held(e, "a handover holds this resource: it cannot become another patient's")
		}
	}
	return nil
}

func held(e *Entry, text string) error {
	return &handover.Fault{Kind: handover.FaultConflict, Op: "act.settled", Path: e.Type, Text: text}
}

// isHeld reports whether a resource is part of a handover that is open, or that the receiver has
// completed and holds until what is next is accepted.
func (s *Snapshot) isHeld(key ledger.ResourceKey) bool { return len(s.heldSince(key)) > 0 }

// heldSince are the versions at which a resource became part of handovers that are open, each once.
func (s *Snapshot) heldSince(key ledger.ResourceKey) []int64 {
	grants, _ := s.Grants.Get(key)
	var out []int64
	for _, g := range grants {
		if h, found := s.Handovers.Get(g.Handover); found && (h.State.Open() || h.State == handover.StateCompleted) {
			out = ledger.Union(out, g.Since)
		}
	}
	return out
}

// turns reports whether a change makes a resource that is held another patient's.
func (s *Snapshot) turns(e *Entry) bool {
	if e.Type != "Patient" {
		return turnsTo(e) && s.isHeld(e.key())
	}
	was, is := personOf(e.Before), personOf(e.Resource)
	return (was.becomes(is) || was.isSomebody() && !is.isSomebody()) && s.isHeld(e.key())
}

// isSomebody reports whether a person has a mark by which a holder could know whom it has.
func (p person) isSomebody() bool {
	return len(p.national)+len(p.local)+len(p.families)+len(p.givens) > 0 || p.birthDate != ""
}

// heldFirst is a Patient as the holders of each open handover were told of it first, where that was
// not its current version.
func (s *Snapshot) heldFirst(patient ledger.Resource) []person {
	key := ledger.ResourceKey{Type: patient.Type, ID: patient.ID}
	var out []person
	for _, version := range s.heldSince(key) {
		if first, _ := s.Versions.Get(Version{key, version}); version < patient.Version && len(first.JSON) > 0 {
			out = append(out, personOf(s.Parse(first)))
		}
	}
	return out
}

// becomesAnother reports whether a Patient is not who the holders were told of first, or says itself
// that another one replaces it.
func (s *Snapshot) becomesAnother(e *Entry) bool {
	replaced := func(n *fhir.Node) bool {
		return slices.ContainsFunc(n.Each("link"), func(link *fhir.Node) bool { return link.Str("type") == "replaced-by" })
	}
	if replaced(e.Resource) && !replaced(e.Before) {
		return true
	}
	is := personOf(e.Resource)
	return slices.ContainsFunc(s.heldFirst(e.Current), func(first person) bool { return first.becomes(is) })
}

// becomes reports whether o is another person, and not the same one corrected.
func (p person) becomes(o person) bool { return !isSame(p, o, true) && p.differs(o) }

// turnsTo reports whether a change names another patient.
func turnsTo(e *Entry) bool {
	return slices.ContainsFunc(aboutPatient, func(element string) bool {
		was, is := e.Before.Str(element, "reference"), e.Resource.Str(element, "reference")
		return was != "" && was != is
	})
}

// differs reports whether two have a mark that is another one, not only one that is new.
func (p person) differs(o person) bool {
	other := func(a, b []string) bool { return len(a) > 0 && len(b) > 0 && !meet(a, b) }
	return contradicts(p.national, o.national) || p.birthDate != "" && o.birthDate != "" && p.birthDate != o.birthDate ||
		other(p.families, o.families) || other(p.givens, o.givens)
}

// together holds a write with a Task to that Task's handover: what is written is shown to its
// parties. A new request may carry what is about its own patient, whichever handover that
// came of.
func (w Writing) together(s *Snapshot, task *Entry, h handover.Handover) error {
	for _, e := range w.which((*Entry).writes) {
		other := e.handover(s, w.Party)
		switch {
		case e == task, e.Type == "Patient", other.ID == "", other.ID == h.ID, s.within(e, h):
		case task.Current.Version == 0 && about(e.Resource, patientOf(task.Resource)):
		default:
			return &handover.Fault{Kind: handover.FaultUnsupported, Op: "act.together", Path: e.Type, Text: "one transaction writes into one handover"}
		}
	}
	return nil
}

// aboutOne holds what is written into a handover to its patient, wherever a resource names one:
// its parties read it.
func (w Writing) aboutOne(s *Snapshot, task *Entry, h handover.Handover) error {
	if h.ID == "" {
		return nil
	}
	v := view{s: s, next: h}
	if task != nil {
		v.taskNow = task.Resource
	}
	patient := v.patientID()
	another := func(id string) bool { return patient != "" && id != patient && !w.samePatient(s, patient, id) }
	for _, e := range w.which((*Entry).writes) {
		if e.Type == "Patient" && another(e.ID) {
			return &handover.Fault{Kind: handover.FaultUnsupported, Op: "act.aboutOne", Path: e.Type, Text: "the Patient is another than that of the handover that is written into"}
		}
		for _, ref := range LocalReferences(e.Resource) {
			if e.Type != "Task" && e.Type != "Patient" && isPatient(ref) && another(ref.ID) {
				return &handover.Fault{Kind: handover.FaultUnsupported, Op: "act.aboutOne", Path: e.Type, Text: "the resource names another patient than the handover that it is written into"}
			}
		}
	}
	return nil
}

// samePatient reports whether two Patients are one person's, each in its party's own words.
func (w Writing) samePatient(s *Snapshot, a, b string) bool {
	known, told := w.patient(s, a), w.patient(s, b)
	return !s.Complete() || known != nil && told != nil && isSame(personOf(known), personOf(told), false)
}

// patient is a Patient as the write leaves it; nil for none.
func (w Writing) patient(s *Snapshot, id string) *fhir.Node {
	for i := range w.Entries {
		if e := &w.Entries[i]; e.Type == "Patient" && e.ID == id && e.writes() {
			return e.Resource
		}
	}
	r, found := s.Resources.Get(ledger.ResourceKey{Type: "Patient", ID: id})
	if !found || r.Deleted {
		return nil
	}
	return s.Parse(r)
}

// within reports whether an entry's resource, or one that it refers to, is part of h.
func (s *Snapshot) within(e *Entry, h handover.Handover) bool {
	in := func(key ledger.ResourceKey) bool {
		grants, _ := s.Grants.Get(key)
		return slices.ContainsFunc(grants, func(g ledger.Granted) bool { return g.Handover == h.ID })
	}
	return e.Current.Version > 0 && ofOneHandover(e.key()) && in(e.key()) || slices.ContainsFunc(placing(e.Resource), in)
}

// about reports whether a resource is about a patient, or about none.
func about(n *fhir.Node, patient string) bool {
	for _, element := range aboutPatient {
		if ref := n.Str(element, "reference"); ref != "" {
			return ref == "Patient/"+patient
		}
	}
	return true
}

// OfPatient reports whether a resource says of itself that it is about a patient.
func OfPatient(n *fhir.Node) bool {
	return slices.ContainsFunc(aboutPatient, func(element string) bool { return n.Str(element, "reference") != "" })
}

// ofPatient is the only open handover in which the writer has the patient that its entries are
// about; zero for none. Where there are several the entries must say which one is meant: those who
// are not are told nothing of it.
func (w Writing) ofPatient(s *Snapshot) (handover.Handover, error) {
	open := map[handover.ID]handover.Handover{}
	said := true // that the write may be told in one
	for _, e := range w.which((*Entry).writes) {
		for _, ref := range LocalReferences(e.Resource) {
			if isPatient(ref) && !w.isOfRequest(s, e) {
				for _, h := range s.openWith(w.Party, ref) {
					open[h.ID] = h
				}
				said = said && slices.Contains(begun, e.Type)
			}
		}
	}
	switch {
	case len(open) > 1 && !said:
		return handover.Handover{}, &handover.Fault{Kind: handover.FaultUnsupported, Op: "act.ofPatient",
			Text: "the caller has more than one open handover of whom this is about: say which one is meant, by what the resource is based on or by its encounter, and write for one at a time"}
	case len(open) == 1:
		for _, h := range open {
			return h, nil
		}
	}
	return handover.Handover{}, nil
}

// begun are the types of what a further handover may be begun with: with several open ones they
// are of none.
var begun = []string{"CarePlan", "Encounter", "EpisodeOfCare", "CareTeam", "Consent", "Patient", "RelatedPerson"}

// isOfRequest reports whether an entry is a new request, which is nobody's before a Task names it, or
// is based on a request that says where it belongs, or that it belongs nowhere yet.
func (w Writing) isOfRequest(s *Snapshot, e *Entry) bool {
	if e.Type == "ServiceRequest" && e.Current.Version == 0 {
		return true
	}
	return slices.ContainsFunc(e.Resource.Each("basedOn"), func(ref *fhir.Node) bool {
		typ, id, local := fhir.SplitLocal(ref.Str("reference"))
		return local && w.reads(s, ledger.ResourceKey{Type: typ, ID: id})
	})
}

// IsBeside reports whether a resource says of itself that it is about a patient, or is of a type
// that tells of one.
func IsBeside(n *fhir.Node) bool {
	return OfPatient(n) || slices.Contains(subjectOptional, n.ResourceType())
}

// subjectOptional are the types that tell of a patient and need not say of whom (R4, subject 0..1).
var subjectOptional = []string{"Observation", "Communication", "CommunicationRequest", "Composition", "DocumentReference", "QuestionnaireResponse"}

// corrects is what a write corrects of the patient of a handover, with what it writes there.
func (w Writing) corrects(s *Snapshot, written []*fhir.Node) Correction {
	var out Correction
	for _, e := range w.patients(written) {
		if e.Before == nil {
			continue
		}
		c := s.correction(e.Current, personOf(e.Before), personOf(e.Resource))
		out = Correction{Number: out.Number || c.Number, Name: out.Name || c.Name, Numbers: out.Numbers || c.Numbers}
	}
	return out
}
