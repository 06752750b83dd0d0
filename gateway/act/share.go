package act

import (
	"slices"

	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
)

// ReachMax bounds how many stored resources one act may show.
const ReachMax = 200

// reach calls f with the stored resources that are referred to from those given, near and
// far, as far as author may show them; a Task is another handover's.
func (v *view) reach(author handover.PartyID, from []*fhir.Node, f func(ledger.Resource, *fhir.Node)) {
	if !v.askReach(author, from) {
		return
	}
	seen := map[ledger.ResourceKey]bool{}
	for len(from) > 0 {
		n := from[0]
		from = from[1:]
		for _, ref := range LocalReferences(n) {
			if seen[ref] || ref.Type == "Task" || v.plans(ref) {
				continue
			}
			seen[ref] = true
			cur, _ := v.current(ref)
			if !Reads(author, cur) {
				continue
			}
			node := v.s.Parse(cur)
			if cur.Author != author && !v.concerns(cur, node) || v.isAnother(cur, node) {
				continue
			}
			if v.aboutAnother(node) {
				v.strange = true
				continue
			}
			f(cur, node)
			from = append(from, node)
		}
		if len(seen) > ReachMax {
			v.s.Fail(&handover.Fault{Kind: handover.FaultTooLarge, Op: "act.reach", Text: "the request refers to too many resources"})
			return
		}
	}
}

// Reads reports whether a party wrote a resource, or reads it and what it becomes: for whom the
// handover has ended, what it was told is not to be shown on, since who is shown it, itself as a
// sender included, would read what is written later.
func Reads(p handover.PartyID, r ledger.Resource) bool {
	return r.Version > 0 && !r.Deleted && (r.Author == p || slices.Contains(r.Visible, p) && !slices.Contains(r.Last, p))
}

// concerns reports whether another party's resource may go on with the handover's patient: the
// Patient itself, what is about that patient, and what is about none.
func (v *view) concerns(r ledger.Resource, n *fhir.Node) bool {
	switch {
	case r.Type == "Patient":
		return r.ID == v.patientID()
	case OfPatient(n):
		return about(n, v.patientID())
	}
	return slices.Contains(aboutNobody, r.Type)
}

// isAnother reports whether a resource is the Patient of another person than the handover's: each
// party has its own words for one, and nobody is shown another.
func (v *view) isAnother(r ledger.Resource, n *fhir.Node) bool {
	id := v.patientID()
	if r.Type != "Patient" || id == "" || r.ID == id {
		return false
	}
	own, found := v.current(ledger.ResourceKey{Type: "Patient", ID: id})
	return found && !isSame(personOf(v.s.Parse(own)), personOf(n), false)
}

// aboutAnother reports whether a resource is about another person than the handover's.
func (v *view) aboutAnother(n *fhir.Node) bool {
	own := v.patientID()
	return own != "" && slices.ContainsFunc(aboutPatient, func(element string) bool {
		typ, id, local := fhir.SplitLocal(n.Str(element, "reference"))
		if !local || typ != "Patient" || id == own {
			return false
		}
		known, found := v.current(ledger.ResourceKey{Type: typ, ID: own})
		told, there := v.current(ledger.ResourceKey{Type: typ, ID: id})
		return found && there && !isSame(personOf(v.s.Parse(known)), personOf(v.s.Parse(told)), false)
	})
}

// aboutPatient are the elements by which a resource says whom it is about.
var aboutPatient = []string{"subject", "patient", "for", "beneficiary"}

// aboutNobody are the types of resources that tell of those who give care.
var aboutNobody = []string{"Organization", "Practitioner", "PractitionerRole", "Location", "HealthcareService", "Endpoint"}

// patientID is the id of the handover's Patient; empty for none.
func (v *view) patientID() string {
	task := v.taskNow
	if task == nil {
		stored, _ := v.s.Resources.Get(ledger.ResourceKey{Type: "Task", ID: string(v.next.ID)})
		if stored.Version == 0 || stored.Deleted {
			return ""
		}
		task = v.s.Parse(stored)
	}
	return patientOf(task)
}

// patientOf is the id of the Patient that a Task is for; empty for none that is stored here.
func patientOf(task *fhir.Node) string {
	if typ, id, ok := fhir.SplitLocal(task.Str("for", "reference")); ok && typ == "Patient" {
		return id
	}
	return ""
}

// askReach asks for all that reach will go through; false while it is not read.
func (v *view) askReach(author handover.PartyID, from []*fhir.Node) bool {
	for _, n := range from {
		for _, ref := range LocalReferences(n) {
			if ref.Type != "Task" && !v.plans(ref) {
				v.s.Reach.Want(Reach{author, ref})
			}
		}
	}
	return v.s.Complete()
}

// LocalReferences are the resources stored here that n refers to, the data of its attachments too.
func LocalReferences(n *fhir.Node) []ledger.ResourceKey {
	var out []ledger.ResourceKey
	fhir.References(n, func(ref *fhir.Node) {
		if typ, id, ok := fhir.SplitLocal(ref.Str("reference")); ok {
			out = append(out, ledger.ResourceKey{Type: typ, ID: id})
		}
	})
	fhir.Attachments(n, func(attachment *fhir.Node) {
		if typ, id, ok := fhir.SplitLocal(attachment.Str("url")); ok && typ == "Binary" {
			out = append(out, ledger.ResourceKey{Type: typ, ID: id})
		}
	})
	return out
}

// grants let the parties of the handover read, but for those for which it had ended before the act
// and that the act does not tell; none where the act belongs to no handover.
func (v *view) grants() []ledger.Grant {
	if v.next.ID == "" {
		return nil
	}
	var out []ledger.Grant
	for _, p := range parties(v.next) {
		if !v.endedBefore(p) || slices.Contains(v.heard, p) {
			out = append(out, ledger.Grant{Party: p, Handover: v.next.ID})
		}
	}
	return out
}

// planShow lets the parties of the handover read a resource as the act leaves it (invariant
// 10). What they read for another handover is its own matter.
func (v *view) planShow(cur ledger.Resource) {
	given := v.given(cur)
	missing := slices.DeleteFunc(v.grants(), func(g ledger.Grant) bool { return g.Party == "" || slices.Contains(given, g) })
	if len(missing) > 0 {
		v.plan.Unit.Show(ledger.Shown{Type: cur.Type, ID: cur.ID, Expect: cur.Version, Grants: missing})
	}
}

// given are the grants of a resource for the handover: those that the act gives, or has given
// before.
func (v *view) given(cur ledger.Resource) []ledger.Grant {
	if v.next.Version == 0 {
		return cur.Grants
	}
	belonging, _ := v.s.Belonging.Get(v.next.ID)
	at := slices.IndexFunc(belonging, func(r ledger.Resource) bool { return r.Type == cur.Type && r.ID == cur.ID })
	if at < 0 {
		return cur.Grants
	}
	return ledger.Union(belonging[at].Grants, cur.Grants...)
}

// planShown lets the parties of the handover read what author refers to.
func (v *view) planShown(author handover.PartyID, from []*fhir.Node) {
	v.reach(author, from, v.planShownOne)
}

// planShownOne lets the parties of the handover read one stored resource.
func (v *view) planShownOne(cur ledger.Resource, n *fhir.Node) {
	v.shown = append(v.shown, n)
	v.planShow(cur)
}

// planShownRequest lets the receiver of a handover that an act opens read what the sender
// had written for the one before it.
func (v *view) planShownRequest(old handover.Handover) {
	belonging, _ := v.s.Belonging.Get(old.ID)
	from := []*fhir.Node{v.taskNow}
	for _, r := range belonging {
		r = v.outer.asWritten(r)
		if r.Type == "Task" || r.Deleted || r.Author != old.Sender {
			continue
		}
		n := v.s.Parse(r)
		v.planShownOne(r, n)
		from = append(from, n)
	}
	v.planShown(old.Sender, from)
}

// asWritten is a stored resource as this act writes it, where it does.
func (v *view) asWritten(r ledger.Resource) ledger.Resource {
	if key := (ledger.ResourceKey{Type: r.Type, ID: r.ID}); v.plans(key) {
		r, _ = v.current(key)
	}
	return r
}

// plans reports whether the act writes a resource for this handover.
func (v *view) plans(key ledger.ResourceKey) bool {
	return v.plan.Unit.Resource(key.Type, key.ID) != nil
}

// endsFor reports whether a handover has ended for a party without giving it the patient: what is
// written from then on is not for it. What was only meant for others, such as a copy of what was
// declined, is not its end.
func endsFor(p handover.PartyID, h handover.Handover) bool {
	switch h.State {
	case handover.StateDeclined, handover.StateForwarded:
		return p == h.Receiver
	case handover.StateWithdrawn, handover.StateVoided:
		return p != h.Sender
	}
	return false
}

// endedBefore reports whether the handover had ended for a party before the act.
func (v *view) endedBefore(p handover.PartyID) bool {
	if !endsFor(p, v.next) {
		return false // no end is taken back
	}
	stored, found := v.s.Handovers.Get(v.next.ID)
	return found && endsFor(p, stored)
}

// planHeard lets those whom the decision may tell after their end read what it tells them, as far
// as it is planned already and from here on.
func (d *decision) planHeard(effects []handover.Effect) {
	if slices.ContainsFunc(parties(d.next), d.endedBefore) {
		d.heard = slices.DeleteFunc(d.hearing(effects), func(p handover.PartyID) bool { return !d.endedBefore(p) })
	}
	for _, p := range d.heard {
		g := ledger.Grant{Party: p, Handover: d.next.ID}
		d.regrant(func(all []ledger.Grant) []ledger.Grant { return ledger.Union(all, g) })
	}
}

// hearing are the parties that the decision may tell: by its effects, or of content alone.
func (d *decision) hearing(effects []handover.Effect) []handover.PartyID {
	var out []handover.PartyID
	for _, e := range effects {
		if e.Kind == handover.EffectTell && e.Handover.ID == "" {
			out = ledger.Union(out, e.Party)
		}
	}
	if d.hears() {
		out = ledger.Union(out, d.listeners()...)
	}
	return out
}

// planEnds ends what a party reads for the handover at what the act leaves, where the act ends the
// handover for it or tells it something after that; what it was not told after all it does not read.
func (d *decision) planEnds() {
	for _, p := range parties(d.next) {
		switch before := d.endedBefore(p); {
		case before && !d.tells(p):
			g := ledger.Grant{Party: p, Handover: d.next.ID}
			d.regrant(func(all []ledger.Grant) []ledger.Grant {
				return slices.DeleteFunc(slices.Clone(all), func(a ledger.Grant) bool { return a == g })
			})
		case endsFor(p, d.next):
			d.plan.Unit.End = append(d.plan.Unit.End, ledger.Ended{Party: p, Handover: d.next.ID})
		}
	}
}

// regrant changes the grants that the decision gives so far.
func (d *decision) regrant(f func([]ledger.Grant) []ledger.Grant) {
	for i := range d.plan.Unit.Resources {
		w := &d.plan.Unit.Resources[i]
		w.Grants = f(w.Grants)
	}
	for i := range d.plan.Unit.Shown {
		s := &d.plan.Unit.Shown[i]
		s.Grants = f(s.Grants)
	}
}

// planEndOfAccess takes back what party reads for the handover, in every version; what it reads
// for another one, and what it wrote, stays.
func (v *view) planEndOfAccess(party handover.PartyID) {
	v.plan.Unit.Hide = append(v.plan.Unit.Hide, ledger.Hidden{Party: party, Handover: v.next.ID})
	v.planAudit(ledger.Audit{Action: ledger.AuditDisclosure, Party: party, Handover: v.next.ID, Outcome: "access ended"})
}

// Regranted lets the parties of a handover read its Task and what its sender lets them read
// by it, as far as they may not already; nil where nothing is missing.
func Regranted(s *Snapshot, id handover.ID) (*Plan, error) {
	h, err := s.handover(id)
	if err != nil {
		return nil, err
	}
	task, found := s.Resources.Get(ledger.ResourceKey{Type: "Task", ID: string(id)})
	if !found || task.Deleted {
		return nil, nil
	}
	v := &view{s: s, next: h}
	v.planShownOne(task, s.Parse(task))
	v.planShown(h.Sender, v.shown)
	if len(v.plan.Unit.Shown) == 0 {
		return nil, nil
	}
	v.planAudit(ledger.Audit{Action: ledger.AuditDisclosure, Handover: id, Outcome: "access restored"})
	return &v.plan, nil
}

// handoversOf are the handovers for which party has a resource: those whose Task names it or that it
// was written into; where there are none, those for which it was shown. What is only shown there
// makes nothing else a part of a handover.
func (s *Snapshot) handoversOf(key ledger.ResourceKey, party handover.PartyID) []handover.Handover {
	grants, _ := s.Grants.Get(key)
	r, _ := s.Resources.Get(key)
	var own, shown []handover.Handover
	for _, g := range grants {
		if g.Party != party {
			continue
		}
		h, found := s.Handovers.Get(g.Handover)
		if !found {
			continue
		}
		shown = append(shown, h)
		if r.Handover == h.ID || s.taskNames(h.ID, key) {
			own = append(own, h)
		}
	}
	if len(own) > 0 {
		return own
	}
	return shown
}

// openWith are the open handovers of which a resource is, and in which party takes part; one may stand
// there more than once.
func (s *Snapshot) openWith(party handover.PartyID, key ledger.ResourceKey) []handover.Handover {
	grants, _ := s.Grants.Get(key)
	var out []handover.Handover
	for _, g := range grants {
		if h, _ := s.Handovers.Get(g.Handover); h.State.Open() && TakesPart(party, h) {
			out = append(out, h)
		}
	}
	return out
}

// taskNames reports whether the Task of a handover names a resource.
func (s *Snapshot) taskNames(id handover.ID, key ledger.ResourceKey) bool {
	task, found := s.Resources.Get(ledger.ResourceKey{Type: "Task", ID: string(id)})
	return found && !task.Deleted && slices.Contains(LocalReferences(s.Parse(task)), key)
}

// latest is, of several, one that is open before one that is not, then the one that was changed last;
// zero for none.
func latest(all []handover.Handover) handover.Handover {
	var found handover.Handover
	for _, h := range all {
		if found.ID == "" || later(h, found) {
			found = h
		}
	}
	return found
}

// inBoth are the handovers that stand in two lists.
func inBoth(a, b []handover.Handover) []handover.Handover {
	return slices.DeleteFunc(slices.Clone(a), func(h handover.Handover) bool {
		return !slices.ContainsFunc(b, func(o handover.Handover) bool { return o.ID == h.ID })
	})
}

func later(h, than handover.Handover) bool {
	if h.State.Open() != than.State.Open() {
		return h.State.Open()
	}
	return h.Since.After(than.Since)
}
