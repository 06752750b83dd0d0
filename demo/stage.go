package demo

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// stage is where a scenario is played: the three parties, the gateway between them, and the
// events. Its methods send, wait for what must arrive, and hold it to what it must say.
type stage struct {
	cfg    Config
	h      *Hospital
	m      *Municipality
	i      *Institution
	events *follower // the municipality's
}

// adt sends one ADT message of a stay and looks at the commit answer. It returns MSH-10.
func (s *stage) adt(ctx context.Context, fixture string, st stay) (string, error) {
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
func (s *stage) logistics(ctx context.Context, typ, status string, st stay) (Arrival, error) {
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
func (s *stage) relayed(ctx context.Context, id string) error {
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
func (s *stage) document(ctx context.Context, what string, st stay, words ...string) (Arrival, error) {
	return s.h.inbox.await(ctx, what+" as MDM^T02 at the hospital", s.cfg.Wait, func(a Arrival) bool {
		return a.Type == "MDM^T02" && segment(a.Raw, "TXA") != "" && holdsAll(a.Raw, append(words, st.person.FNR))
	})
}

// answer sends a DIALOG_NOTAT about a stay and returns its MsgId.
func (s *stage) answer(ctx context.Context, st stay, text string) (string, error) {
	raw, id, err := s.m.note(st.person, st.notice, text)
	if err != nil {
		return "", err
	}
	return id, s.m.Send(ctx, s.cfg.KITHURL, raw)
}

// receipted waits until the municipality has the AppRec for one of its own messages:
// status 1, or 2 with an error code.
func (s *stage) receipted(ctx context.Context, id, status, code string) error {
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
func (s *stage) stands(ctx context.Context, token, id, state, custodian string) (told, error) {
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
func (s *stage) event(ctx context.Context, handover string, names ...string) error {
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

// notice waits for a DIALOG_HELSEFAGLIG about a stay at the municipality.
func (s *stage) notice(ctx context.Context, st stay, words ...string) error {
	_, err := s.m.inbox.await(ctx, "DIALOG_HELSEFAGLIG at the municipality", s.cfg.Wait, func(a Arrival) bool {
		return a.Type == "DIALOG_HELSEFAGLIG" && holdsAll(a.Raw, append(words, st.person.FNR))
	})
	return joinTrouble(err, s.m.trouble())
}

// overdueText is how an escalation of a passed deadline begins its explanation.
const overdueText = "Fristen gikk ut"

// escalated waits for the next step of an escalation after step last, at whichever
// contact it goes to, and returns its number.
func (s *stage) escalated(ctx context.Context, st stay, last int) (int, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type found struct {
		step int
		err  error
	}
	arrived := make(chan found, 2)
	for _, b := range []*inbox{s.h.inbox, s.m.inbox} {
		go func() {
			a, err := b.await(ctx, "an escalation after step "+strconv.Itoa(last), s.cfg.Wait, func(a Arrival) bool {
				return holds(a.Raw, st.person.FNR) && holds(a.Raw, overdueText) && stepOf(a.Raw) > last
			})
			arrived <- found{stepOf(a.Raw), err}
		}()
	}
	first := <-arrived
	if first.err != nil {
		first = <-arrived
	}
	if first.err != nil {
		return 0, first.err
	}
	return first.step, s.event(ctx, st.handover, "deadline-passed")
}

// stepOf reads the step that an escalation names.
func stepOf(raw []byte) int {
	n, err := strconv.Atoi(between(raw, "trinn ", "."))
	if err != nil {
		return 0
	}
	return n
}

// resolved counts the announcements that an overdue deadline is settled.
func (s *stage) resolved(handover string) int {
	if s.events == nil {
		return 0
	}
	n := 0
	for _, a := range s.events.inbox.all() {
		if a.Type == "attention-resolved" && a.ID == handover && holds(a.Raw, `"attention":"overdue"`) {
			n++
		}
	}
	return n
}

func holds(raw []byte, text string) bool { return strings.Contains(string(raw), text) }

func holdsAll(raw []byte, texts []string) bool {
	return !slices.ContainsFunc(texts, func(text string) bool { return !holds(raw, text) })
}

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
