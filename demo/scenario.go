package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// row is one row of the scenario.
type row struct {
	name string
	play func(context.Context) error
}

// scenario is one run.
type scenario struct {
	cfg      Config
	h        *Hospital
	m        *Municipality
	i        *Institution
	events   *follower // the municipality's
	step     string
	timeline Timeline
	stroke   stay
	alone    stay
	silent   stay
}

func newScenario(ctx context.Context, cfg Config) (*scenario, error) {
	s := &scenario{cfg: cfg, h: cfg.Parties.Hospital, m: cfg.Parties.Municipality, i: cfg.Parties.Institution}
	s.m.answerTo(cfg.KITHURL)
	run := newControlID()[3:9]
	s.stroke = stay{person: Solveig, visit: "OPPH-1-" + run, admitted: cfg.Now().Add(-6 * time.Hour)}
	s.alone = stay{person: Torbjorn, visit: "OPPH-2-" + run, admitted: cfg.Now().Add(-20 * time.Hour)}
	s.silent = stay{person: Ashild, visit: "OPPH-3-" + run, admitted: cfg.Now().Add(-5 * time.Hour)}
	if cfg.NATSURL == "" {
		return s, nil
	}
	var err error
	s.events, err = follow(ctx, cfg, MunicipalityID, cfg.NATSPassword)
	return s, err
}

func (s *scenario) close() { s.events.close() }

// rows are the scenario, in order.
func (s *scenario) rows() []row {
	return []row{
		{"Innleggelse", s.admission},
		{"Utskrivningsklar", s.ready},
		{"Uklart svar i fritekst", s.unclear},
		{"Kan ta imot", s.canReceive},
		{"Henvisning til rehabilitering", s.referral},
		{"Utskrevet", s.discharged},
		{"Utskrevet uten svar", s.withoutAnswer},
		{"Stillhet", s.silence},
		{"Trukket tilbake", s.cancelled},
		{"Feil inn", s.badInput},
	}
}

// stay is one patient's stay at the hospital.
type stay struct {
	person   Person
	visit    string
	admitted time.Time
	// handover is the gateway's id, notice the MsgId of the last LOG_UTSKRIVNINGSKLAR, and
	// innlagt and utskrevet those of the messages that a cancellation refers to.
	handover, notice, innlagt, utskrevet string
}

// adt sends one ADT message of a stay and looks at the commit answer. It returns MSH-10.
func (s *scenario) adt(ctx context.Context, fixture string, st stay) (string, error) {
	now, id := s.cfg.Now(), newControlID()
	raw, err := fill(fixture, merged(st.person.values(), map[string]string{"NOW": hl7Time(now), "ID": id, "VISIT": st.visit,
		"ADMITTED": hl7Time(st.admitted), "READY": hl7Time(now), "LEFT": hl7Time(now)}))
	if err != nil {
		return "", err
	}
	answer, err := s.h.Send(ctx, s.cfg.MLLPAddr, raw)
	if err != nil {
		return "", err
	}
	if msa := segment(answer, "MSA"); field(msa, 1) != "CA" || field(msa, 2) != id {
		return id, fmt.Errorf("hospital: expected MSA|CA|%s, got %.80s", id, msa)
	}
	return id, nil
}

// logistics waits for a PLO message about a stay's patient at the municipality and looks
// at what every such message must have.
func (s *scenario) logistics(ctx context.Context, typ, status string, st stay) (Arrival, error) {
	a, err := s.m.inbox.await(ctx, typ+" at the municipality", s.cfg.Wait, func(a Arrival) bool {
		return a.Type == typ && holds(a.Raw, st.person.FNR) && holds(a.Raw, `Forsendelsesstatus V="`+status+`"`)
	})
	if err != nil {
		return a, joinTrouble(err, s.m.trouble())
	}
	service := "80202"
	if typ == "LOG_INNLAGT" || typ == "LOG_UTSKREVET" {
		service = "80201"
	}
	if holds(a.Raw, "<TeleCom>") && !holds(a.Raw, "<TeleAddress ") {
		return a, fmt.Errorf("%s: a TeleCom without a TeleAddress is not valid", typ)
	}
	return a, expect(typ, a.Raw, []string{
		`<MsgHead xmlns="http://www.kith.no/xmlstds/msghead/2006-05-24"`,
		"http://www.kith.no/xmlstds/po/Pasientlogistikk/2012-04-01",
		"<MIGversion>v1.2 2006-05-24</MIGversion>",
		"<Id>80001</Id>", "<Id>80002</Id>", "<Id>" + service + "</Id>",
		"<Id>" + st.person.FNR + "</Id>", `V="FNR"`, "<FamilyName>" + st.person.Family + "</FamilyName>",
		"<DateOfBirth>" + st.person.Born.Format(time.DateOnly) + "</DateOfBirth>",
	})
}

// relayed waits until the hospital has the receipt of one of its messages.
func (s *scenario) relayed(ctx context.Context, id string) error {
	a, err := s.h.inbox.await(ctx, "the relayed receipt at the hospital", s.cfg.Wait, func(a Arrival) bool {
		return a.Type == "ACK" && field(segment(a.Raw, "MSA"), 2) == id
	})
	if err != nil {
		return joinTrouble(err, s.m.trouble())
	}
	if code := field(segment(a.Raw, "MSA"), 1); code != "AA" {
		return fmt.Errorf("hospital: the receipt says %s, the municipality said OK", code)
	}
	return nil
}

// document waits for an MDM^T02 about a stay at the hospital whose text holds a word.
func (s *scenario) document(ctx context.Context, what string, st stay, words ...string) (Arrival, error) {
	return s.h.inbox.await(ctx, what+" as MDM^T02 at the hospital", s.cfg.Wait, func(a Arrival) bool {
		if a.Type != "MDM^T02" || !holds(a.Raw, st.person.FNR) || segment(a.Raw, "TXA") == "" {
			return false
		}
		for _, w := range words {
			if !holds(a.Raw, w) {
				return false
			}
		}
		return true
	})
}

// answer sends a DIALOG_NOTAT about a stay and returns its MsgId.
func (s *scenario) answer(ctx context.Context, st stay, text string) (string, error) {
	raw, id, err := s.m.note(st.person, st.notice, text)
	if err != nil {
		return "", err
	}
	return id, s.m.Send(ctx, s.cfg.KITHURL, raw)
}

// receipted waits until the municipality has the AppRec for one of its own messages:
// status 1, or 2 with an error code.
func (s *scenario) receipted(ctx context.Context, id, status, code string) error {
	a, err := s.m.inbox.await(ctx, "an AppRec at the municipality", s.cfg.Wait, func(a Arrival) bool {
		return a.Type == "APPREC" && between([]byte(between(a.Raw, "<OriginalMsgId>", "</OriginalMsgId>")), "<Id>", "</Id>") == id
	})
	if err != nil {
		return err
	}
	want := []string{"http://www.kith.no/xmlstds/apprec/2012-02-15", `<Status V="` + status + `"`, `<MsgType V="DIALOG_NOTAT"`}
	if code != "" {
		want = append(want, "<Error ", `V="`+code+`"`)
	}
	return expect("the AppRec", a.Raw, want)
}

// stands asks the gateway about a message of the hospital and holds it to a state.
func (s *scenario) stands(ctx context.Context, token, id, state, custodian string) (told, error) {
	t, err := s.ask(ctx, token, id)
	if err != nil {
		return t, err
	}
	if t.Handover.State != state || t.Handover.Custodian != custodian {
		return t, fmt.Errorf("the handover is %q with custodian %q, expected %q with %q",
			t.Handover.State, t.Handover.Custodian, state, custodian)
	}
	return t, nil
}

// event waits for each of the municipality's events of a handover; a|b is either. Without
// NATS there is nothing to wait for.
func (s *scenario) event(ctx context.Context, handover string, names ...string) error {
	if s.events == nil {
		return nil
	}
	for _, name := range names {
		either := strings.Split(name, "|")
		a, err := s.events.inbox.await(ctx, "event "+name, s.cfg.Wait, func(a Arrival) bool {
			return a.ID == handover && slices.Contains(either, a.Type)
		})
		if err != nil {
			return err
		}
		if err := a.checkEvent(); err != nil {
			return err
		}
	}
	return nil
}

// record completes an entry and hands it on.
func (s *scenario) record(e Entry) {
	e.Step, e.At = s.step, s.cfg.Now()
	e.Events = append(e.Events, s.events.fresh()...)
	s.timeline = append(s.timeline, e)
	if s.cfg.OnEntry != nil {
		s.cfg.OnEntry(e)
	}
}

func holds(raw []byte, text string) bool { return strings.Contains(string(raw), text) }

// expect reports the first text that is not in the bytes. Wanted texts may be a patient's,
// so the error tells which by number.
func expect(what string, raw []byte, wanted []string) error {
	for i, w := range wanted {
		if !holds(raw, w) {
			if strings.ContainsAny(w, "0123456789") && len(w) > 10 && !strings.Contains(w, "http") {
				w = fmt.Sprintf("number %d of what is expected", i+1)
			}
			return fmt.Errorf("%s lacks %s", what, w)
		}
	}
	return nil
}

// joinTrouble adds what went wrong at a party to what a step did not get.
func joinTrouble(err, trouble error) error {
	if err != nil && trouble != nil {
		return fmt.Errorf("%w; and: %w", err, trouble)
	}
	return err
}
