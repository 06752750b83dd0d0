package scenario

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// kind is one thing that can happen: from which states of the model, where it leads, and what
// it does and demands. only names the one municipality that does it.
type kind struct {
	from []string
	to   string
	only string
	kith bool // also of a hospital that speaks KITH
	act  func(*sequence, *stay) error
}

var open = []string{"announced", "requested", "accepted", "deferred"}

const (
	admitted    = "LOG_INNLAGT"
	readyNotice = "LOG_UTSKRIVNINGSKLAR"
	notReady    = "LOG_AVMELDING"
	left        = "LOG_UTSKREVET"
)

// kinds is the closed set, by name.
var kinds map[string]kind

// names are the kinds in order.
var names []string

func init() {
	kinds = map[string]kind{
		"admit": {from: []string{"none"}, to: "announced", kith: true, act: func(s *sequence, y *stay) error {
			y.admitted = y.tick()
			o, err := s.send(y, "A01^ADT_A01", nil)
			if err := s.tells(y, o, err, admitted); err != nil {
				return err
			}
			return s.becomes(y, "announced")
		}},
		"ready": {from: []string{"none", "announced"}, to: "requested", kith: true, act: func(s *sequence, y *stay) error {
			if y.state == "none" {
				y.admitted = y.tick()
			}
			if y.discharged {
				return nil
			}
			y.ready = y.clock
			o, err := s.send(y, "A16^ADT_A16", y.readyValues())
			if err := s.tells(y, o, err, readyNotice); err != nil {
				return err
			}
			return s.becomes(y, "requested", "received")
		}},
		"not ready": {from: []string{"requested", "accepted", "deferred"}, to: "announced", kith: true, act: func(s *sequence, y *stay) error {
			if y.discharged {
				return nil
			}
			o, err := s.send(y, "A25^ADT_A21", nil)
			if err := s.tells(y, o, err, notReady); err != nil {
				return err
			}
			return s.becomes(y, "announced")
		}},
		"discharge": {from: []string{"announced", "requested", "deferred"}, kith: true, act: func(s *sequence, y *stay) error {
			if y.discharged {
				return nil
			}
			o, err := s.send(y, "A03^ADT_A03", map[string]string{"TO": "1", "LEFT": hl7Time(y.clock)})
			y.left = y.clock.Add(-interval)
			if err := s.tells(y, o, err, left); err != nil {
				return err
			}
			y.discharged = true
			if o, err = s.w.inspect(y.lastADT); err != nil || !o.attention("") {
				return fmt.Errorf("discharged without a yes, and nobody's attention (%v)", err)
			}
			return nil
		}},
		"discharge cancelled": {from: []string{"announced", "requested", "deferred"}, act: func(s *sequence, y *stay) error {
			if !y.discharged {
				return nil
			}
			o, err := s.send(y, "A13^ADT_A01", map[string]string{"LEFT": hl7Time(y.left)})
			y.discharged = false
			if err := s.tells(y, o, err, left+" C", admitted, readyNotice); err != nil {
				return err
			}
			return s.stands(y, y.state, "received")
		}},
		"ready corrected": {from: []string{"requested"}, act: func(s *sequence, y *stay) error {
			if y.discharged {
				return nil
			}
			y.family = family(y.serial) + "sen"
			y.unit = "REHAB"
			o, err := s.send(y, "A16^ADT_A16", y.readyValues())
			return s.tells(y, o, err, readyNotice)
		}},
		"stay number used again": {from: []string{"completed", "ended"}, to: "announced", kith: true, act: func(s *sequence, y *stay) error {
			if !y.replaced(s) {
				return nil
			}
			return kinds["admit"].act(s, y)
		}},
		"discharge after yes": {from: []string{"accepted"}, to: "completed", kith: true, act: func(s *sequence, y *stay) error {
			o, err := s.send(y, "A03^ADT_A03", map[string]string{"TO": "1", "LEFT": hl7Time(y.clock)})
			if err := s.tells(y, o, err, left); err != nil {
				return err
			}
			return s.becomes(y, "completed", "in-progress")
		}},
		"void": {from: open, to: "none", kith: true, act: func(s *sequence, y *stay) error {
			if y.discharged || y.house == otherHouse && y.admission == "" {
				return nil
			}
			_, before := s.read(y.receiver(), y)
			o, err := s.send(y, "A11^ADT_A09", nil)
			if err := s.tells(y, o, err, admitted+" C", readyNotice+" C", notReady); err != nil {
				return err
			}
			_, after := s.read(y.receiver(), y)
			for notice, back := range map[string][]string{admitted: {admitted + " C"}, readyNotice: {notReady, readyNotice + " C"}} {
				takenBack := func(k string) bool { return slices.Contains(back, k) }
				if standing(before, notice, back) && !slices.ContainsFunc(after[len(before):], takenBack) {
					return fmt.Errorf("%s was told and is not taken back: %v", notice, after)
				}
			}
			return s.becomes(y, "voided")
		}},
		"died": {from: open, to: "ended", act: func(s *sequence, y *stay) error {
			return s.dies(y, "|Y")
		}},
		"died, time known": {from: open, to: "ended", act: func(s *sequence, y *stay) error {
			return s.dies(y, hl7Time(y.clock)+"|Y")
		}},
		"corrected name": {from: open, act: func(s *sequence, y *stay) error {
			y.given += "x"
			y.family = family(y.serial) + "ss"
			return s.corrects(y)
		}},
		"corrected number": {from: open, act: func(s *sequence, y *stay) error {
			if y.corrected++; y.corrected >= numbersPerPerson {
				return nil
			}
			y.person.number = y.person.corrected(y.serial, y.corrected)
			y.numbers = append(y.numbers, y.person.number)
			return s.corrects(y)
		}},
		"infection": {from: open, act: func(s *sequence, y *stay) error {
			if y.infection != "" {
				return nil
			}
			y.infection = "MRSA positiv"
			return s.corrects(y, y.infection)
		}},
		"repeat": {from: open, act: func(s *sequence, y *stay) error {
			before := len(s.arrivals(y.receiver(), y))
			code, err := s.w.sendHL7(y.lastRaw)
			if err != nil || code != "AA" {
				return fmt.Errorf("a repeat was answered %q %w", code, err)
			}
			if now := len(s.arrivals(y.receiver(), y)); now != before {
				return errors.New("a repeat was told again")
			}
			return nil
		}},
		"yes": {from: []string{"requested", "deferred"}, to: "accepted", only: municipality, kith: true, act: func(s *sequence, y *stay) error {
			remark := fmt.Sprintf("men bare hvis rullestol er på plass, %s", newID())
			return s.answers(y, answer{text: "SVAR=KAN_MOTTA;DATO=2027-01-04", remark: remark}, []string{remark}, "accepted", "in-progress", "completed")
		}},
		"no": {from: []string{"requested"}, to: "deferred", only: municipality, kith: true, act: func(s *sequence, y *stay) error {
			words := "Vi har ingen ledig plass, " + newID()
			return s.answers(y, answer{text: "SVAR=KAN_IKKE_MOTTA;DATO=UKJENT\n" + words}, []string{words}, "deferred")
		}},
		"later": {from: []string{"requested"}, to: "deferred", only: municipality, kith: true, act: func(s *sequence, y *stay) error {
			return s.answers(y, answer{text: "SVAR=KAN_IKKE_MOTTA;DATO=2027-01-05"}, []string{"2027-01-05"}, "deferred")
		}},
		"retraction": {from: []string{"accepted"}, only: municipality, act: func(s *sequence, y *stay) error {
			words := "Plassen er gått til en annen, " + newID()
			return s.answers(y, answer{text: "SVAR=KAN_IKKE_MOTTA;DATO=UKJENT\n" + words}, []string{words}, "accepted", "in-progress", "completed")
		}},
		"yes and no": {from: []string{"requested", "deferred"}, only: municipality, act: func(s *sequence, y *stay) error {
			return s.unclear(y, answer{text: "SVAR=KAN_MOTTA;DATO=2027-01-04", second: "SVAR=KAN_IKKE_MOTTA;DATO=UKJENT"})
		}},
		"free text": {from: []string{"requested", "deferred", "accepted"}, kith: true, act: func(s *sequence, y *stay) error {
			words := "Vi ringer dere, " + newID()
			return s.unclear(y, answer{text: words}, words)
		}},
		"yes without an agreement": {from: []string{"requested"}, only: neighbour, kith: true, act: func(s *sequence, y *stay) error {
			words := "SVAR=KAN_MOTTA;DATO=2027-01-04"
			return s.unclear(y, answer{text: words}, words)
		}},
		"answer about another patient": {from: []string{"requested", "deferred"}, act: func(s *sequence, y *stay) error {
			return s.misdirected(y, answer{text: "SVAR=KAN_MOTTA;DATO=2027-01-04", about: s.stays[1-y.serial%2]})
		}},
		"answer to another hospital": {from: []string{"requested", "deferred"}, act: func(s *sequence, y *stay) error {
			return s.misdirected(y, answer{text: "SVAR=KAN_MOTTA;DATO=2027-01-04", to: org("Berg sykehus", "90011", "90111")})
		}},
		"answer to itself": {from: []string{"requested", "deferred"}, act: func(s *sequence, y *stay) error {
			return s.misdirected(y, answer{text: "SVAR=KAN_MOTTA;DATO=2027-01-04", to: "itself"})
		}},
		"moved": {from: []string{"announced", "requested"}, to: "with a person", act: func(s *sequence, y *stay) error {
			to := map[string]string{"9911": "9912", "9912": "9911"}[y.kommune]
			return s.stops(y, map[string]string{"KOMMUNE": to})
		}},
		"protected": {from: []string{"announced", "requested"}, to: "with a person", act: func(s *sequence, y *stay) error {
			return s.stops(y, map[string]string{"PROTECTED": "Y", "STREET": "Hemmelig vei 9"})
		}},
	}
	names = slices.Sorted(maps.Keys(kinds))
}

func (y *stay) readyValues() map[string]string {
	return map[string]string{"READY": "PV2|||||||||" + hl7Time(y.ready) + "\r"}
}

// standing: the last notice of a kind was not taken back.
func standing(all []string, notice string, back []string) bool {
	for _, k := range slices.Backward(all) {
		if k == notice || slices.Contains(back, k) {
			return k == notice
		}
	}
	return false
}

// becomes: the handover stands in one of the states, whose first is the model's. After voided
// the stay's number is free again.
func (s *sequence) becomes(y *stay, states ...string) error {
	if err := s.stands(y, states...); err != nil {
		return err
	}
	if y.state = states[0]; y.state == "voided" {
		y.state = "none"
	}
	return nil
}

// dies discharges the patient as dead; dead is PID-29 and PID-30.
func (s *sequence) dies(y *stay, dead string) error {
	o, err := s.send(y, "A03^ADT_A03", map[string]string{"DEAD": dead, "LEFT": hl7Time(y.clock)})
	if err := s.tells(y, o, err, "dead"); err != nil {
		return err
	}
	if err := s.becomes(y, "withdrawn"); err != nil {
		return err
	}
	y.state = "ended"
	return nil
}

// corrects sends what changed; the receiver's last word of the same thing must have it.
func (s *sequence) corrects(y *stay, words ...string) error {
	must := y.kinds
	if slices.Contains(must, notReady) {
		must = []string{notReady, admitted} // what still stands is told anew
	}
	o, err := s.send(y, "A08^ADT_A01", nil)
	if err := s.tells(y, o, err, must...); err != nil {
		return err
	}
	for _, w := range words {
		if !slices.ContainsFunc(s.arrivals(y.receiver(), y), func(raw string) bool { return readKITH(raw).Type != "" && containsFold(raw, w) }) {
			return fmt.Errorf("%s never read %q", y.receiver(), w)
		}
	}
	return nil
}

// answers sends a note that can be read, and demands what follows of it.
func (s *sequence) answers(y *stay, a answer, words []string, states ...string) error {
	id, o, err := s.writes(y, a)
	if err != nil {
		return err
	}
	if o.State != "delivered" {
		return fmt.Errorf("the note ended %s %s, not delivered", o.State, o.Reason)
	}
	if err := s.stands(y, states...); err != nil {
		return err
	}
	if y.state = states[0]; y.state == "accepted" && y.discharged {
		y.state = "completed"
	}
	if err := s.heard(y, words...); err != nil {
		return err
	}
	return s.receipted(y.receiver(), id)
}

// unclear sends a note that a person must read: custody stays where it is.
func (s *sequence) unclear(y *stay, a answer, words ...string) error {
	before, err := s.w.inspect(y.lastADT)
	if err != nil {
		return err
	}
	_, o, err := s.writes(y, a)
	if err != nil {
		return err
	}
	after, err := s.w.inspect(y.lastADT)
	if err != nil {
		return err
	}
	if after.Handover.Custodian != before.Handover.Custodian {
		return fmt.Errorf("a note that cannot be read moved custody to %s", after.Handover.Custodian)
	}
	if o.State != "parked" && !after.attention("answer-needs-reading") {
		return fmt.Errorf("the note ended %s without attention", o.State)
	}
	return s.heard(y, words...)
}

// misdirected sends a note that is not about the patient, or not to the hospital: nothing of
// it is applied, and a person must look.
func (s *sequence) misdirected(y *stay, a answer) error {
	before, err := s.w.inspect(y.lastADT)
	if err != nil {
		return err
	}
	_, o, err := s.writes(y, a)
	if err != nil {
		return err
	}
	after, err := s.w.inspect(y.lastADT)
	if err != nil {
		return err
	}
	if o.State != "parked" && o.State != "refused" {
		return fmt.Errorf("the note ended %s", o.State)
	}
	if after.Handover.Custodian != before.Handover.Custodian || after.Handover.State != before.Handover.State {
		return fmt.Errorf("the handover became %s with %s", after.Handover.State, after.Handover.Custodian)
	}
	return nil
}

// stops sends an update after which a person must act before anything more is sent.
func (s *sequence) stops(y *stay, values map[string]string) error {
	before := len(s.arrivals(y.receiver(), y))
	o, err := s.send(y, "A08^ADT_A01", values)
	if err != nil {
		return err
	}
	if o.State != "parked" && !o.attention("") {
		return fmt.Errorf("the message ended %s without attention", o.State)
	}
	if now := s.arrivals(y.receiver(), y); len(now) != before {
		return fmt.Errorf("the receiver was told (%s)", typeOf(now[len(now)-1]))
	}
	y.withPerson = true
	return nil
}
