package scenario

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
)

// onFHIR are the parties that write and read on FHIR, and their HER-ids.
var onFHIR = map[string]string{institution: "90004", remote: "90005", fellow: "90006"}

// referrals are those of a sequence: one by the municipality and one by the other institution,
// both to the same owner.
const referrals = 2

// referral is what the model knows of one: what was last written, and who must know it.
type referral struct {
	person
	serial           int
	requester, owner string
	third            string // who takes no part until it is referred to
	numbers          []string
	absolute         bool // refers to what is stored by the gateway's own address
	state            string
	patient, request string // Type/id
	task             string
	chain            string
	status           string   // of the Task, as the requester must last have read it
	holders          []string // who must know the patient, besides the requester
	mayKnow          map[string]bool
	forwarded        bool
}

func newReferral(run, i int) *referral {
	serial := persons*run + []int{3, 7}[i]
	p := newPerson(serial)
	r := &referral{person: p, serial: serial, requester: remote, owner: institution, third: fellow, numbers: []string{p.number},
		absolute: (run+i)%2 == 1, state: "none"}
	if i == 1 {
		r.requester, r.third = fellow, remote
	}
	r.mayKnow = map[string]bool{r.requester: true}
	return r
}

// referralKind is one thing that happens to a referral.
type referralKind struct {
	from []string
	to   string
	act  func(*sequence, *referral) error
}

var (
	openReferral  = []string{"received", "deferred", "accepted", "in-progress"}
	referralKinds map[string]referralKind
	referralNames []string
)

func init() {
	referralKinds = map[string]referralKind{
		"refer":   {from: []string{"none"}, to: "received", act: (*sequence).refer},
		"accept":  {from: []string{"received", "deferred"}, to: "accepted", act: answerBy("accepted", `{"status":"accepted"}`)},
		"decline": {from: []string{"received", "deferred"}, to: "declined", act: answerBy("declined", `{"status":"rejected"}`)},
		"forward": {from: []string{"received", "deferred"}, act: (*sequence).forwards},
		"take back": {from: []string{"accepted"}, to: "deferred", act: func(s *sequence, r *referral) error {
			if err := s.changeTask(r, r.requester, `{"status":"on-hold"}`); err != nil {
				return err
			}
			r.status = "" // its own word is not told to it
			return cmp.Or(s.referralStands(r, "deferred"), s.readStatus(r, r.owner, "on-hold"))
		}},
		"start":    {from: []string{"accepted"}, to: "in-progress", act: answerBy("in-progress", `{"status":"in-progress"}`)},
		"complete": {from: []string{"in-progress"}, to: "completed", act: answerBy("completed", `{"status":"completed","output":[{"type":{"coding":[{"system":"urn:stafett:next","code":"next"}]},"valueCode":"home"}]}`)},
		"observation of the request by its requester": {from: openReferral, act: func(s *sequence, r *referral) error {
			return s.observes(r, r.requester, r.owner, `"basedOn":[{"reference":"`+r.request+`"}],`)
		}},
		"observation of the request by its owner": {from: openReferral, act: func(s *sequence, r *referral) error {
			return s.observes(r, r.owner, r.requester, `"basedOn":[{"reference":"`+r.request+`"}],`)
		}},
		"observation of the patient": {from: openReferral, act: func(s *sequence, r *referral) error {
			if len(r.holders) > 1 {
				return nil // of which handover it is, is not said
			}
			return s.observes(r, r.owner, r.requester, "")
		}},
		"note by the requester": {from: openReferral, act: func(s *sequence, r *referral) error {
			return s.notes(r, r.requester, r.owner)
		}},
		"note by the owner": {from: openReferral, act: func(s *sequence, r *referral) error {
			return s.notes(r, r.owner, r.requester)
		}},
		"patient renamed": {from: openReferral, act: func(s *sequence, r *referral) error {
			r.given += "x"
			r.family = family(r.serial) + "ss"
			return s.putPatient(r)
		}},
		"number corrected": {from: openReferral, act: func(s *sequence, r *referral) error {
			if len(r.numbers) == numbersPerPerson {
				return nil
			}
			r.person.number = r.corrected(r.serial, len(r.numbers))
			r.numbers = append(r.numbers, r.person.number)
			if err := s.putPatient(r); err != nil {
				return err
			}
			h, err := s.handoverOf(r)
			if err == nil && !h.attention("chains-meet") {
				err = errors.New("nobody looks at the other number")
			}
			return err
		}},
		"delete of the patient": {from: openReferral, act: func(s *sequence, r *referral) error {
			return s.refused(r.requester, http.MethodDelete, r.patient, "", "", http.StatusConflict)
		}},
		"delete of the request": {from: openReferral, act: func(s *sequence, r *referral) error {
			return s.refused(r.requester, http.MethodDelete, r.request, "", "", http.StatusConflict)
		}},
		"another person": {from: openReferral, act: func(s *sequence, r *referral) error {
			other := &referral{person: newPerson(r.serial + 1_000_003), patient: r.patient}
			_, version, err := s.current(r.requester, r.patient)
			if err != nil {
				return err
			}
			return s.refused(r.requester, http.MethodPut, r.patient, version, other.patientText(), http.StatusConflict)
		}},
		"task about another's patient": {from: openReferral, act: func(s *sequence, r *referral) error {
			if r.mayKnow[r.third] {
				return nil
			}
			return s.refused(r.third, http.MethodPost, "", "", r.again(s.w, r.third, r.owner, r.patient, ""), http.StatusUnprocessableEntity)
		}},
		"task about nobody": {from: openReferral, act: func(s *sequence, r *referral) error {
			return s.refused(r.requester, http.MethodPost, "", "", r.again(s.w, r.requester, r.owner, "Patient/"+newID(), ""), http.StatusUnprocessableEntity)
		}},
		"put without a version": {from: openReferral, act: func(s *sequence, r *referral) error {
			text, _, err := s.current(r.owner, r.task)
			if err != nil {
				return err
			}
			return s.refused(r.owner, http.MethodPut, r.task, "", text, http.StatusPreconditionFailed)
		}},
		"two handovers in one": {from: openReferral, act: (*sequence).mixes},
		"second referral": {from: openReferral, act: func(s *sequence, r *referral) error {
			return s.refersAgain(r, r.requester, r.request)
		}},
		"referral on": {from: openReferral, act: func(s *sequence, r *referral) error {
			return s.refersAgain(r, r.owner, "")
		}},
	}
	referralNames = slices.Sorted(maps.Keys(referralKinds))
}

// referralStep draws what may happen next, and what it leads to.
func referralStep(r *rand.Rand, slot int, state *string) []step {
	var fitting []string
	for _, name := range referralNames {
		if slices.Contains(referralKinds[name].from, *state) {
			fitting = append(fitting, name)
		}
	}
	if len(fitting) == 0 {
		return nil
	}
	name := fitting[r.IntN(len(fitting))]
	if to := referralKinds[name].to; to != "" {
		*state = to
	}
	return []step{{name, slot}}
}

func (s *sequence) playReferral(st step) error {
	r := s.referrals[st.slot-slots]
	k, known := referralKinds[st.kind]
	if !known {
		return fmt.Errorf("no kind %q", st.kind)
	}
	if !slices.Contains(k.from, r.state) {
		return nil
	}
	s.told++
	if err := k.act(s, r); err != nil {
		return err
	}
	if k.to != "" {
		r.state = k.to
	}
	for _, each := range s.referrals {
		if err := s.knowReferral(each); err != nil {
			return fmt.Errorf("referral of %s: %w", each.requester, err)
		}
	}
	return nil
}

func (r *referral) bornISO() string { return r.born[:4] + "-" + r.born[4:6] + "-" + r.born[6:] }

// patientText is the Patient, with its id where it has one.
func (r *referral) patientText() string {
	id := ""
	if r.patient != "" {
		id = `"id":"` + strings.TrimPrefix(r.patient, "Patient/") + `",`
	}
	return fill(fhirPatient, map[string]string{"ID": id, "NUMBER": r.person.number, "FAMILY": r.family, "GIVEN": r.given, "BORN": r.bornISO()})
}

// entry is a resource to be created, and the address that the others in its transaction use.
func entry(typ, resource string) (address, text string) {
	address = "urn:uuid:" + newID()
	return address, fill(fhirEntry, map[string]string{"URL": address, "RESOURCE": resource, "TYPE": typ})
}

func transaction(entries ...string) string {
	return fill(fhirTransaction, map[string]string{"ENTRIES": strings.Join(entries, ",")})
}

// asks is the entries of a Task and, where none is named, its ServiceRequest.
func (r *referral) asks(from, to, patient, request string) []string {
	var out []string
	if request == "" {
		var text string
		request, text = entry("ServiceRequest", fill(fhirRequest, map[string]string{"PATIENT": patient}))
		out = append(out, text)
	}
	_, task := entry("Task", fill(fhirTask, map[string]string{"PATIENT": patient, "REQUEST": request, "FROM": onFHIR[from], "TO": onFHIR[to]}))
	return append(out, task)
}

// again is a transaction that asks about what is stored.
func (r *referral) again(w *world, from, to, patient, request string) string {
	if r.absolute {
		patient = w.http + "/fhir/" + patient
		if request != "" {
			request = w.http + "/fhir/" + request
		}
	}
	return transaction(r.asks(from, to, patient, request)...)
}

// writeFHIR writes as a party under an id of its own, and waits until all that became of it has
// ended. path is Type/id, Type, or empty for a Bundle. It returns Type/id of each entry.
func (s *sequence) writeFHIR(as, method, path, version, body string) (id string, stored []string, o outcome, err error) {
	id = newID()
	status, raw, err := s.askFHIR(as, method, path, version, body, id)
	if err != nil {
		return id, nil, o, err
	}
	if status/100 != 2 {
		return id, nil, o, fmt.Errorf("answered %d %s", status, raw)
	}
	var answer struct {
		ResourceType, ID string
		Entry            []struct{ Response struct{ Location string } }
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return id, nil, o, err
	}
	if answer.ID != "" && answer.ResourceType != "Bundle" {
		stored = append(stored, answer.ResourceType+"/"+answer.ID)
	}
	for _, e := range answer.Entry {
		place, _, _ := strings.Cut(e.Response.Location, "/_history")
		parts := strings.Split(place, "/")
		stored = append(stored, strings.Join(parts[max(0, len(parts)-2):], "/"))
	}
	o, err = s.w.settled(id)
	return id, stored, o, err
}

func (s *sequence) askFHIR(as, method, path, version, body, id string) (int, []byte, error) {
	headers := []string{"X-Request-Id", id}
	if version != "" {
		headers = append(headers, "If-Match", version)
	}
	kind := "application/fhir+json"
	if body == "" {
		kind = ""
	}
	return s.w.request(method, strings.TrimSuffix("/fhir/"+path, "/"), as, kind, body, headers...)
}

// current is a stored resource as a party reads it, and its version for If-Match.
func (s *sequence) current(as, path string) (text, version string, err error) {
	status, raw, err := s.askFHIR(as, http.MethodGet, path, "", "", newID())
	if err != nil || status != http.StatusOK {
		return "", "", fmt.Errorf("%s reads it: %d %v", as, status, err)
	}
	var r struct{ Meta struct{ VersionID string } }
	err = json.Unmarshal(raw, &r)
	return string(raw), `W/"` + r.Meta.VersionID + `"`, err
}

// refused: a write is answered with this status.
func (s *sequence) refused(as, method, path, version, body string, want int) error {
	status, raw, err := s.askFHIR(as, method, path, version, body, newID())
	if err != nil {
		return err
	}
	if status != want {
		return fmt.Errorf("answered %d, must be %d: %s", status, want, raw)
	}
	return nil
}

func (s *sequence) refer(r *referral) error {
	var entries []string
	patient := ""
	if r.absolute {
		_, stored, _, err := s.writeFHIR(r.requester, http.MethodPost, "Patient", "", r.patientText())
		if err != nil {
			return err
		}
		r.patient = stored[0]
		patient = s.w.http + "/fhir/" + r.patient
	} else {
		var text string
		patient, text = entry("Patient", r.patientText())
		entries = append(entries, text)
	}
	_, stored, o, err := s.writeFHIR(r.requester, http.MethodPost, "", "", transaction(append(entries, r.asks(r.requester, r.owner, patient, "")...)...))
	if err != nil {
		return err
	}
	if o.State != "delivered" {
		return fmt.Errorf("the referral ended %s %s", o.State, o.Reason)
	}
	if !r.absolute {
		r.patient, stored = stored[0], stored[1:]
	}
	r.request, r.task = stored[0], stored[1]
	if o.Handover == nil {
		return errors.New("the referral has no handover")
	}
	r.chain = o.Handover.Chain
	r.holders, r.mayKnow[r.owner] = []string{r.owner}, true
	if err := s.readStatus(r, r.owner, "requested"); err != nil {
		return err
	}
	return s.referralStands(r, "received")
}

// referralStands: the handover is in a state, and the right one holds it.
func (s *sequence) referralStands(r *referral, state string) error {
	h, err := s.handoverOf(r)
	if err != nil {
		return err
	}
	holder := r.requester
	if slices.Contains([]string{"accepted", "in-progress", "completed"}, state) {
		holder = r.owner
	}
	if h.State != state || h.Custodian != holder {
		return fmt.Errorf("the handover is %s with %s, must be %s with %s", h.State, h.Custodian, state, holder)
	}
	return nil
}

// handoverOf is what the record says of the referral.
func (s *sequence) handoverOf(r *referral) (*held, error) {
	all, err := s.w.chain(r.chain)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if "Task/"+all[i].ID == r.task {
			return &all[i], nil
		}
	}
	return nil, fmt.Errorf("the chain has no handover of the Task, of %d", len(all))
}

// changeTask writes the Task with these elements.
func (s *sequence) changeTask(r *referral, as, elements string) error {
	text, version, err := s.current(as, r.task)
	if err != nil {
		return err
	}
	task := map[string]json.RawMessage{}
	if err := cmp.Or(json.Unmarshal([]byte(text), &task), json.Unmarshal([]byte(elements), &task)); err != nil {
		return err
	}
	body, err := json.Marshal(task)
	if err != nil {
		return err
	}
	_, _, o, err := s.writeFHIR(as, http.MethodPut, r.task, version, string(body))
	if err == nil && o.State != "delivered" {
		err = fmt.Errorf("the change ended %s %s", o.State, o.Reason)
	}
	return err
}

// answerBy is a change of the Task by its owner, of which the requester must know.
func answerBy(state, elements string) func(*sequence, *referral) error {
	return func(s *sequence, r *referral) error {
		if err := s.changeTask(r, r.owner, elements); err != nil {
			return err
		}
		if r.status = state; state == "declined" {
			r.status = "rejected"
		}
		return s.referralStands(r, state)
	}
}

// forwards has the owner pass the request on to the third, who is asked anew.
func (s *sequence) forwards(r *referral) error {
	if r.forwarded || slices.Contains(r.holders, r.third) {
		return nil
	}
	former, task := r.owner, r.task
	elements := `{"status":"rejected","businessStatus":{"coding":[{"system":"urn:stafett:business-status","code":"forwarded"}]},` +
		`"owner":{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"` + onFHIR[r.third] + `"}}}`
	if err := s.changeTask(r, former, elements); err != nil {
		return err
	}
	next := ""
	for _, raw := range s.referralArrivals(r.third, r) {
		for _, e := range read(raw).Entry {
			if e.Resource.ResourceType == "Task" {
				next = "Task/" + e.Resource.ID
			}
		}
	}
	if next == "" || next == task {
		return fmt.Errorf("%s was not asked", r.third)
	}
	r.task, r.owner, r.third, r.status, r.forwarded = next, r.third, former, "", true
	r.holders = append(slices.DeleteFunc(r.holders, func(p string) bool { return p == former }), r.owner)
	r.mayKnow[r.owner] = true
	if err := s.readStatus(r, r.owner, "requested"); err != nil {
		return err
	}
	// The former owner may do no more.
	text, version, err := s.current(former, task)
	if err != nil {
		return err
	}
	text = strings.Replace(text, `"status":"rejected"`, `"status":"accepted"`, 1)
	if err := s.refused(former, http.MethodPut, task, version, text, http.StatusUnprocessableEntity); err != nil {
		return err
	}
	r.state = "received"
	return nil
}

// notes adds a note to those that the Task has; the other party must be told it.
func (s *sequence) notes(r *referral, as, to string) error {
	text, _, err := s.current(as, r.task)
	if err != nil {
		return err
	}
	var task struct {
		Status string
		Note   []json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &task); err != nil {
		return err
	}
	words := "Ring pårørende først, " + newID()
	notes, err := json.Marshal(append(task.Note, json.RawMessage(`{"text":"`+words+`"}`)))
	if err != nil {
		return err
	}
	if err := s.changeTask(r, as, `{"note":`+string(notes)+`}`); err != nil {
		return err
	}
	if to == r.requester {
		r.status = task.Status
	}
	got := s.referralArrivals(to, r)
	if len(got) == 0 || !strings.Contains(got[len(got)-1], words) {
		return fmt.Errorf("%s was not told the words, in %d Bundles", to, len(got))
	}
	return s.readStatus(r, to, task.Status)
}

// readStatus: the last Task that a party was sent has this status.
func (s *sequence) readStatus(r *referral, party, want string) error {
	if status, _, _ := s.lastSent(party, r, r.task); status != want {
		return fmt.Errorf("%s last read a Task that is %q, must be %q", party, status, want)
	}
	return nil
}

// observes writes an Observation, which the other party must be sent and read.
func (s *sequence) observes(r *referral, as, to, about string) error {
	words := "Går ti meter, " + newID()
	_, stored, o, err := s.writeFHIR(as, http.MethodPost, "Observation", "",
		fill(fhirObservation, map[string]string{"ABOUT": about, "PATIENT": r.patient, "WORDS": words}))
	if err != nil {
		return err
	}
	if o.State != "delivered" {
		return fmt.Errorf("the observation ended %s %s", o.State, o.Reason)
	}
	if _, _, err := s.current(to, stored[0]); err != nil {
		return err
	}
	if !slices.ContainsFunc(s.referralArrivals(to, r), func(raw string) bool { return strings.Contains(raw, words) }) {
		return fmt.Errorf("%s was not sent the observation", to)
	}
	return nil
}

func (s *sequence) putPatient(r *referral) error {
	_, version, err := s.current(r.requester, r.patient)
	if err != nil {
		return err
	}
	_, _, o, err := s.writeFHIR(r.requester, http.MethodPut, r.patient, version, r.patientText())
	if err == nil && o.State != "delivered" {
		err = fmt.Errorf("the correction ended %s %s", o.State, o.Reason)
	}
	return err
}

// mixes: the owner of two handovers writes into both at once, or their requester asks twice.
func (s *sequence) mixes(r *referral) error {
	other := s.referrals[0]
	if other == r {
		other = s.referrals[1]
	}
	if !slices.Contains(openReferral, other.state) {
		two := append(r.asks(r.requester, r.owner, r.patient, ""), r.asks(r.requester, r.third, r.patient, "")...)
		return s.refused(r.requester, http.MethodPost, "", "", transaction(two...), http.StatusBadRequest)
	}
	text, version, err := s.current(r.owner, r.task)
	if err != nil {
		return err
	}
	words := fill(fhirObservation, map[string]string{"ABOUT": `"basedOn":[{"reference":"` + other.request + `"}],`, "PATIENT": other.patient, "WORDS": "x"})
	_, observation := entry("Observation", words)
	task := fill(fhirUpdate, map[string]string{"RESOURCE": text, "PATH": r.task, "VERSION": strings.ReplaceAll(version, `"`, `\"`)})
	return s.refused(r.owner, http.MethodPost, "", "", transaction(task, observation), http.StatusBadRequest)
}

// refersAgain asks a third party for the same patient: by the same request, or by one of its own.
func (s *sequence) refersAgain(r *referral, as, request string) error {
	if slices.Contains(r.holders, r.third) {
		return nil
	}
	_, _, o, err := s.writeFHIR(as, http.MethodPost, "", "", r.again(s.w, as, r.third, r.patient, request))
	if err != nil {
		return err
	}
	if o.State != "delivered" {
		return fmt.Errorf("the referral ended %s %s", o.State, o.Reason)
	}
	r.holders, r.mayKnow[r.third] = append(r.holders, r.third), true
	if request == "" {
		return nil
	}
	_, _, err = s.current(r.third, request)
	return err
}

// referralArrivals is what a party received about the patient or the Task, in order.
func (s *sequence) referralArrivals(party string, r *referral) []string {
	got, _ := s.w.boxes[party].about(r.keys()...)
	return got
}

// keys are what a mailbox finds the referral by.
func (r *referral) keys() []string {
	return append([]string{strings.TrimPrefix(r.task, "Task/"), family(r.serial)}, r.numbers...)
}

// sent is what a receiver reads of a Bundle.
type sent struct {
	Entry []struct {
		Resource struct {
			ResourceType, ID, Status string
			Identifier               json.RawMessage
			Name                     json.RawMessage
		}
	}
}

// read is a Bundle, or nothing.
func read(raw string) (b sent) {
	if json.Unmarshal([]byte(raw), &b) != nil {
		return sent{}
	}
	return b
}

// lastSent is the last text of a resource's that a party was sent.
func (s *sequence) lastSent(party string, r *referral, path string) (status, identifier, name string) {
	for _, raw := range s.referralArrivals(party, r) {
		for _, e := range read(raw).Entry {
			if e.Resource.ResourceType+"/"+e.Resource.ID == path {
				status, identifier, name = e.Resource.Status, string(e.Resource.Identifier), string(e.Resource.Name)
			}
		}
	}
	return status, identifier, name
}

// knowReferral: everybody last read what was last written, reads the patient, and no stranger does.
func (s *sequence) knowReferral(r *referral) error {
	if r.state == "none" {
		return nil
	}
	if err := s.referralStands(r, r.state); err != nil {
		return err
	}
	if r.status != "" {
		if err := s.readStatus(r, r.requester, r.status); err != nil {
			return err
		}
	}
	for _, party := range r.holders {
		_, identifier, name := s.lastSent(party, r, r.patient)
		if !strings.Contains(identifier, `"`+r.person.number+`"`) || !strings.Contains(name, `"`+r.family+`"`) || !strings.Contains(name, `"`+r.given+`"`) {
			return fmt.Errorf("%s last read another number or name than was last written", party)
		}
		if _, _, err := s.current(party, r.patient); err != nil {
			return err
		}
	}
	if !r.mayKnow[r.third] {
		return s.refused(r.third, http.MethodGet, r.patient, "", "", http.StatusNotFound)
	}
	return nil
}

// referralStrangers: nobody was sent of a patient who must not know of it, and no Bundle is about two.
func (s *sequence) referralStrangers(r *referral) error {
	if r.state == "none" {
		return nil
	}
	for _, p := range parties {
		got := s.referralArrivals(p, r)
		if len(got) > 0 && !r.mayKnow[p] {
			return fmt.Errorf("%s was told of a stranger (referral of %s)", p, r.requester)
		}
		for _, raw := range got {
			for _, word := range mentions.FindAllString(raw, -1) {
				if (len(word) == 11 || strings.HasPrefix(word, "Zz")) && word != family(r.serial) && !slices.Contains(r.numbers, word) {
					return fmt.Errorf("%s: a Bundle about the referral of %s mentions another person", p, r.requester)
				}
			}
		}
		if onFHIR[p] == "" || r.mayKnow[p] {
			continue
		}
		status, raw, err := s.w.request(http.MethodPost, "/fhir/Patient/_search", p, "application/x-www-form-urlencoded", "identifier=urn:oid:2.16.578.1.12.4.1.4.1|"+r.person.number)
		if err != nil || status != http.StatusOK || strings.Contains(string(raw), `"resourceType":"Patient"`) {
			return fmt.Errorf("%s searches for a stranger: %d, or finds one (%v)", p, status, err)
		}
	}
	return nil
}

// forgetReferral drops what is kept of a referral, but who may hear of its patient.
func (w *world) forgetReferral(r *referral) {
	for p, b := range w.boxes {
		b.mu.Lock()
		for _, key := range r.keys() {
			delete(b.by, key)
			if key != "" {
				b.gone[key] = r.mayKnow[p]
			}
		}
		b.mu.Unlock()
	}
}
