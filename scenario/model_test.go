package scenario

import (
	"fmt"
	"html"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// step is one thing that somebody does. Whether it can be done, and what must follow, is the
// model's to say when it comes to it: any part of a sequence is a sequence.
type step struct {
	kind string
	slot int // of the patients; from slots on, of the referrals
}

// stay is what the model knows of one patient's stay: what the hospital last said, and what
// therefore everybody must know.
type stay struct {
	person
	serial     int
	house      string // the hospital
	facility   string
	number     string // of the stay; both patients have the same
	numbers    []string
	kommune    string
	unit       string
	infection  string
	clock      time.Time
	admitted   time.Time
	ready      time.Time
	left       time.Time
	state      string // as the handover's, none before it begins
	discharged bool
	lastADT    string // the id of the last message that was acted on
	lastRaw    string
	first      string // of a hospital on KITH: the message that began the conversation
	admission  string // and the one that told of the admission
	corrected  int
	withPerson bool // a named person must act first: nothing more is sent of it
	kinds      []string
	mayKnow    map[string]bool
}

// sequence is one run of steps against the world.
type sequence struct {
	w     *world
	run   int
	stays [slots]*stay
	ended []*stay // whose number another patient's stay has now
	told  int

	referrals [referrals]*referral
}

// slots are the patients of a sequence: two with the same stay number at two facilities of
// the hospital on HL7 v2, and one of the hospital on KITH. After each may come another.
const (
	slots      = 3
	afterwards = 4
	persons    = 2 * afterwards
)

func newSequence(w *world, run int) *sequence {
	s := &sequence{w: w, run: run}
	for slot := range s.stays {
		serial := persons*run + slot
		p := newPerson(serial)
		base := time.Now().Add(-72 * time.Hour).Truncate(time.Second)
		house := []string{hospital, hospital, otherHouse}[slot]
		s.stays[slot] = &stay{person: p, serial: serial, house: house, facility: []string{"NORDVIK", "NORDVIK2", ""}[slot], number: fmt.Sprintf("V%d", run),
			numbers: []string{p.number}, kommune: []string{"9911", "9912"}[(run/3+slot)%2], unit: "SLAG", state: "none", clock: base, mayKnow: map[string]bool{house: true}}
	}
	for i := range s.referrals {
		s.referrals[i] = newReferral(run, i)
	}
	return s
}

// replaced puts the next patient on the stay's number, at the same facility.
func (y *stay) replaced(s *sequence) bool {
	if y.serial+afterwards >= persons*(s.run+1) {
		return false
	}
	before := *y
	s.ended = append(s.ended, &before)
	next := newPerson(y.serial + afterwards)
	*y = stay{person: next, serial: y.serial + afterwards, house: y.house, facility: y.facility, number: y.number, numbers: []string{next.number}, kommune: y.kommune,
		unit: "SLAG", state: "none", clock: y.clock, mayKnow: map[string]bool{y.house: true}}
	return true
}

func (y *stay) receiver() string {
	return map[string]string{"9911": municipality, "9912": neighbour}[y.kommune]
}

// interval lies between two events of a stay.
const interval = 7 * time.Minute

func (y *stay) tick() time.Time {
	y.clock = y.clock.Add(interval)
	return y.clock
}

func (y *stay) in(states ...string) bool { return !y.withPerson && slices.Contains(states, y.state) }

// view is what a municipality last read of a stay.
type view struct{ kind, number, family string }

// kindOf names what a message of the national set says.
func kindOf(m kithMessage) string {
	if m.Status == "C" {
		return m.Type + " C"
	}
	if m.Dead == "2" {
		return "dead"
	}
	return m.Type
}

// read folds what a municipality received about a stay's patient, under any of its numbers.
func (s *sequence) read(party string, y *stay) (last view, all []string) {
	for _, raw := range s.arrivals(party, y) {
		m := readKITH(raw)
		if !strings.HasPrefix(m.Type, "LOG_") {
			if words := strings.HasPrefix(m.Type, "DIALOG_"); words && (last.kind == notReady || strings.HasSuffix(last.kind, " C")) {
				last.number, last.family = m.Number, m.Family // no notice stands: words correct it
			}
			all = append(all, typeOf(raw))
			continue
		}
		last = view{kindOf(m), m.Number, m.Family}
		all = append(all, last.kind)
	}
	return last, all
}

// arrivals is everything that a party received with the patient's family name or numbers.
func (s *sequence) arrivals(party string, y *stay) []string {
	got, _ := s.w.boxes[party].about(family(y.serial))
	for _, n := range y.numbers {
		more, _ := s.w.boxes[party].about(n)
		for _, raw := range more {
			if !slices.Contains(got, raw) {
				got = append(got, raw)
			}
		}
	}
	return got
}

// send sends an ADT message about a stay and waits until all that it became has ended.
func (s *sequence) send(y *stay, trigger string, more map[string]string) (outcome, error) {
	if y.house == otherHouse {
		return s.sendLog(y, trigger)
	}
	id := newID()
	at := y.tick()
	values := map[string]string{"FACILITY": y.facility, "NOW": hl7Time(at), "TRIGGER": trigger, "ID": id, "AT": hl7Time(at), "NUMBER": y.person.number,
		"FAMILY": y.family, "GIVEN": y.given, "BORN": y.born, "SEX": y.sex, "STREET": "Storgata 1", "KOMMUNE": y.kommune, "DEAD": "",
		"PROTECTED": "N", "UNIT": y.unit, "STAY": y.number, "TO": "", "ADMITTED": hl7Time(y.admitted), "LEFT": "", "READY": "", "INFECTION": ""}
	if y.infection != "" {
		values["INFECTION"] = "OBX|2|TX|SMITTE^Smitte^99LOKAL||" + y.infection + "||||||F\r"
	}
	for k, v := range more {
		values[k] = v
	}
	raw := fill(adt, values)
	code, err := s.w.sendHL7(raw)
	if err != nil {
		return outcome{}, err
	}
	if code != "AA" {
		return outcome{}, fmt.Errorf("answered %q", code)
	}
	o, err := s.w.settled(id)
	y.lastADT, y.lastRaw = id, raw
	return o, err
}

// notices are what a hospital on KITH sends where the other sends a trigger.
var notices = map[string]struct{ kind, status, element, code string }{
	"A01^ADT_A01": {admitted, "N", "MeldingInnlagtPasient", "1"},
	"A11^ADT_A09": {admitted, "C", "MeldingInnlagtPasient", "1"},
	"A16^ADT_A16": {readyNotice, "N", "MeldingUtskrivningsklarPasient", "3"},
	"A25^ADT_A21": {notReady, "N", "AvmeldingUtskrivningsklarPasient", "4"},
	"A03^ADT_A03": {left, "N", "MeldingOmUtskrevetPasient", "2"},
}

// sendLog sends the notice that stands for a trigger, in the conversation of the stay, waits
// until all that it became has ended, and demands its one AppRec.
func (s *sequence) sendLog(y *stay, trigger string) (outcome, error) {
	n, id, at := notices[trigger], newID(), y.tick()
	to := org("Sandvik kommune", "90002", "90201")
	if n.kind == readyNotice || n.kind == notReady {
		to = org("Sandvik kommune", "90002", "90202")
	}
	if y.receiver() == neighbour {
		to = org("Innvik kommune", "90003", "90301")
	}
	inside := logTime("1", y.admitted)
	switch n.code {
	case "2":
		inside = logLeft + logTime("2", at)
	case "3":
		inside += logTime("3", y.ready)
	case "4":
		inside += logTime("3", y.ready) + logTime("4", at)
	}
	values := map[string]string{"TYPE": n.kind, "NOW": xmlTime(at), "ID": id, "REF": "", "FROM": org("Berg sykehus", "90011", "90111"), "TO": to,
		"FAMILY": y.family, "GIVEN": y.given, "BORN": y.bornISO(), "NUMBER": y.person.number, "STATUS": n.status, "ELEMENT": n.element, "INSIDE": inside}
	refers := y.first
	if n.status == "C" {
		refers = y.admission
	}
	if refers != "" {
		values["REF"] = fill(logReference, map[string]string{"FIRST": refers})
	}
	if y.first == "" {
		y.first = id
	}
	switch {
	case n.kind == admitted && n.status == "N":
		y.admission = id
	case n.status == "C":
		y.first, y.admission = "", ""
	}
	status, err := s.w.post("/kith", otherHouse, fill(log, values))
	if err != nil || status != 202 {
		return outcome{}, fmt.Errorf("%s was answered %d %w", n.kind, status, err)
	}
	o, err := s.w.settled(id)
	y.lastADT = id
	if err != nil || o.State != "delivered" {
		return o, err
	}
	return o, s.receipted(otherHouse, id)
}

func (y *stay) bornISO() string { return y.born[:4] + "-" + y.born[4:6] + "-" + y.born[6:] }

// tells: a message must have been acted on, and the receiver's last word must be this.
func (s *sequence) tells(y *stay, o outcome, err error, kinds ...string) error {
	if err != nil {
		return err
	}
	if o.State != "delivered" {
		return fmt.Errorf("the message ended %s %s, not delivered", o.State, o.Reason)
	}
	y.mayKnow[y.receiver()] = true
	y.kinds = kinds
	return s.knows(y)
}

// knows: the receiver's last word about a stay is what its sender last said.
func (s *sequence) knows(y *stay) error {
	last, all := s.read(y.receiver(), y)
	if !slices.Contains(y.kinds, last.kind) || last.number != y.person.number || last.family != y.family {
		return fmt.Errorf("%s last read %s (right number %t, right name %t) of %v; must know %v", y.receiver(), last.kind,
			last.number == y.person.number, last.family == y.family, all, y.kinds)
	}
	return nil
}

// stands: the handover is in one of these states, and the right one holds it.
func (s *sequence) stands(y *stay, states ...string) error {
	o, err := s.w.inspect(y.lastADT)
	if err != nil {
		return err
	}
	if o.Handover == nil {
		return fmt.Errorf("the message has no handover")
	}
	holder := y.house
	if held := []string{"accepted", "in-progress", "completed"}; slices.Contains(held, o.Handover.State) || o.Handover.State == "withdrawn" && slices.Contains(held, y.state) {
		holder = y.receiver() // a death ends the handover where it is
	}
	if !slices.Contains(states, o.Handover.State) || o.Handover.Custodian != holder {
		return fmt.Errorf("the handover is %s with %s, must be %v with %s", o.Handover.State, o.Handover.Custodian, states, holder)
	}
	return nil
}

// answer is a note by a stay's receiver.
type answer struct {
	text, remark, second string
	about                *stay  // another patient, nil for the right one
	to                   string // filled organisation, empty for the right one
}

// writes sends a note that answers the last notice about a stay.
func (s *sequence) writes(y *stay, a answer) (id string, o outcome, err error) {
	original := ""
	for _, raw := range s.arrivals(y.receiver(), y) {
		if m := readKITH(raw); strings.HasPrefix(m.Type, "LOG_UTSKRIVNINGSKLAR") {
			original = m.ID
		}
	}
	if original == "" {
		return "", o, fmt.Errorf("there is no notice to answer")
	}
	about := y
	if a.about != nil {
		about = a.about
	}
	id = newID()
	from := org("Sandvik kommune", "90002", "90202")
	if y.receiver() == neighbour {
		from = org("Innvik kommune", "90003", "90301")
	}
	to := a.to
	switch to {
	case "":
		if to = org("Nordvik sykehus", "90001", "90101"); y.house == otherHouse {
			to = org("Berg sykehus", "90011", "90111")
		}
	case "itself":
		to = from
	}
	now := time.Now()
	values := map[string]string{"NOW": xmlTime(now), "ID": id, "ORIGINAL": original, "FROM": from, "TO": to, "FAMILY": about.family, "GIVEN": about.given,
		"BORN": about.bornISO(), "SEX": "2", "NUMBER": about.person.number, "TEXT": html.EscapeString(a.text), "REMARK": "",
		"TODAY": now.Format(time.DateOnly), "SECOND": ""}
	if a.remark != "" {
		values["REMARK"] = "<Merknad>" + html.EscapeString(a.remark) + "</Merknad>"
	}
	if a.second != "" {
		values["SECOND"] = `<Notat><TemaKodet V="1" S="2.16.578.1.12.4.1.1.9155" DN="Tilbakemelding"/><TekstNotatInnhold>` + html.EscapeString(a.second) +
			"</TekstNotatInnhold></Notat>"
	}
	status, err := s.w.post("/kith", y.receiver(), fill(note, values))
	if err != nil {
		return id, o, err
	}
	if status != 202 && a.to == "" {
		return id, o, fmt.Errorf("the note was answered %d", status)
	}
	o, err = s.w.settled(id)
	return id, o, err
}

// heard: the hospital has these words about the patient.
func (s *sequence) heard(y *stay, words ...string) error {
	for _, w := range words {
		there := func([]string) bool {
			return strings.Contains(strings.Join(s.arrivals(y.house, y), "\n"), w)
		}
		if !s.w.boxes[y.house].await(y.person.number, there) {
			return fmt.Errorf("the hospital never read %q", w)
		}
	}
	return nil
}

// receipted: a message of a party ended in exactly one AppRec.
func (s *sequence) receipted(party, id string) error {
	box := s.w.boxes[party]
	if !box.await(id, func(got []string) bool { return receiptsOf(got) > 0 }) {
		o, err := s.w.inspect(id)
		return fmt.Errorf("the message got no AppRec; it is %s, its deliveries are %v (%v)", o.State, o.Deliveries, err)
	}
	got, _ := box.about(id)
	if n := receiptsOf(got); n != 1 {
		return fmt.Errorf("the message got %d AppRecs", n)
	}
	return nil
}

func receiptsOf(raws []string) (n int) {
	for _, raw := range raws {
		if strings.Contains(raw, "<AppRec") {
			n++
		}
	}
	return n
}

// strangers: nobody read of a patient who must not know of it, and no message is about two.
func (s *sequence) strangers() error {
	for _, y := range append(s.ended, s.stays[:]...) {
		for _, p := range parties {
			got := s.arrivals(p, y)
			if len(got) > 0 && !y.mayKnow[p] {
				return fmt.Errorf("%s was told of a stranger (patient %d): %s", p, y.serial%2, typeOf(got[0]))
			}
			for _, raw := range got {
				for _, word := range mentions.FindAllString(raw, -1) {
					if (len(word) == 11 || strings.HasPrefix(word, "Zz")) && word != family(y.serial) && !slices.Contains(y.numbers, word) && word != y.family {
						return fmt.Errorf("%s: a message (%s) about patient %d mentions another", p, typeOf(raw), y.serial%2)
					}
				}
			}
		}
	}
	return nil
}

func typeOf(raw string) string {
	if m := readKITH(raw); m.Type != "" {
		return m.Type
	}
	if t := hl7Field(raw, "MSH", 8); t != "" {
		return t
	}
	return "receipt or Bundle"
}

// play runs the steps and then asks everything once more.
func (s *sequence) play(steps []step) error {
	for i, st := range steps {
		if st.slot >= slots {
			if err := s.playReferral(st); err != nil {
				return fmt.Errorf("step %d, %s of referral %d: %w", i+1, st.kind, st.slot, err)
			}
			continue
		}
		y := s.stays[st.slot]
		k, known := kinds[st.kind]
		if !known {
			return fmt.Errorf("no kind %q", st.kind)
		}
		if !y.in(k.from...) || k.only != "" && k.only != y.receiver() || y.house == otherHouse && !k.kith {
			continue
		}
		s.told++
		if err := k.act(s, y); err != nil {
			return fmt.Errorf("step %d, %s of patient %d: %w", i+1, st.kind, st.slot, err)
		}
		for _, each := range s.stays {
			if len(each.kinds) > 0 {
				if err := s.knows(each); err != nil {
					return fmt.Errorf("after step %d, %s of patient %d: %w", i+1, st.kind, st.slot, err)
				}
			}
		}
	}
	if err := s.strangers(); err != nil {
		return err
	}
	for _, r := range s.referrals {
		if err := s.referralStrangers(r); err != nil {
			return err
		}
	}
	s.w.forget(s)
	return nil
}

// script makes the n-th sequence of a seed: 3 to 12 steps that mostly follow one another.
func script(seed, n uint64) []step {
	r := rand.New(rand.NewPCG(seed, n))
	model := [slots + referrals]string{"none", "none", "none", "none", "none"}
	var out []step
	for range 3 + r.IntN(10) {
		slot := 0
		switch r.IntN(10) {
		case 0:
			slot = 1
		case 1, 2:
			slot = 2
		case 3, 4, 5:
			slot = slots
		case 6:
			slot = slots + 1
		}
		if slot >= slots {
			out = append(out, referralStep(r, slot, &model[slot])...)
			continue
		}
		var fitting []string
		for _, name := range names {
			if slices.Contains(kinds[name].from, model[slot]) && (slot != 2 || kinds[name].kith) {
				fitting = append(fitting, name)
			}
		}
		if len(fitting) == 0 {
			continue
		}
		name := fitting[r.IntN(len(fitting))]
		out = append(out, step{name, slot})
		if to := kinds[name].to; to != "" {
			model[slot] = to
		}
	}
	return out
}
