package demo

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// The rows in which something is not as it should be.

// withoutAnswer: the patient leaves although nobody said yes.
func (s *scenario) withoutAnswer(ctx context.Context) error {
	st := &s.alone
	if _, err := s.makeReady(ctx, st); err != nil {
		return err
	}
	t, err := s.leave(ctx, st, "received", HospitalID)
	if err != nil {
		return err
	}
	if !t.attention("discharged-without-acceptance") || t.Handover.Facts.DischargedAt == "" {
		return fmt.Errorf("discharged without acceptance must be a fact and raise attention")
	}
	if _, err := s.document(ctx, "the alert", *st, "uten at mottakeren har sagt ja"); err != nil {
		return err
	}
	if err := s.notice(ctx, *st, "uten at mottakeren har sagt ja"); err != nil {
		return err
	}
	if err := s.event(ctx, st.handover, "discharged", "attention-raised"); err != nil {
		return err
	}
	e := Entry{Who: "Fjellheim sykehus", Format: "HL7 v2.5 over MLLP", What: "ADT^A16 og ADT^A03, ingen har svart",
		Became: []string{"LOG_UTSKRIVNINGSKLAR og LOG_UTSKREVET → Dalvik kommune",
			"varsel til begge: MDM^T02 → sykehuset, DIALOG_HELSEFAGLIG → kommunen"}, Receipts: []string{"AppRec OK fra kommunen"}}
	e.tell(t)
	s.record(e)

	note, err := s.answer(ctx, *st, "SVAR=KAN_MOTTA;DATO="+s.cfg.Now().In(oslo).Format(time.DateOnly))
	if err != nil {
		return err
	}
	if t, err = s.stands(ctx, s.cfg.Tokens.Municipality, note, "completed", MunicipalityID); err != nil {
		return err
	}
	if _, err := s.document(ctx, "the acceptance", *st, "kan ta imot"); err != nil {
		return err
	}
	if err := s.event(ctx, st.handover, "accepted"); err != nil {
		return err
	}
	e = Entry{Who: "Dalvik kommune", Format: "DIALOG_NOTAT over HTTP", What: "SVAR=KAN_MOTTA, etter at pasienten er skrevet ut",
		Became: []string{"rett til fullført, for meldingen om utskrevet er bekreftet; MDM^T02 → Fjellheim sykehus"}}
	e.tell(t)
	s.record(e)
	return nil
}

// silence: nobody answers, the clock escalates, and a late answer ends it once.
func (s *scenario) silence(ctx context.Context) error {
	st := &s.silent
	id, err := s.adt(ctx, "adt-a01.hl7", *st)
	if err != nil {
		return err
	}
	a, err := s.logistics(ctx, "LOG_INNLAGT", "N", *st)
	if err != nil {
		return err
	}
	st.innlagt = a.ID
	if err := s.relayed(ctx, id); err != nil {
		return err
	}
	if id, err = s.makeReady(ctx, st); err != nil {
		return err
	}
	last := 0
	for range 2 {
		if s.cfg.Advance != nil {
			s.cfg.Advance(4*time.Hour + time.Minute)
		}
		if last, err = s.escalated(ctx, *st, last); err != nil {
			return err
		}
	}
	t, err := s.stands(ctx, s.cfg.Tokens.Hospital, id, "received", HospitalID)
	if err != nil {
		return err
	}
	e := Entry{Who: "klokken", What: "ingen har svart på utskrivningsklar innen fristen",
		Became: []string{"to varsler etter hverandre, levert til kontakten på partens egen kanal"}}
	e.tell(t)
	s.record(e)
	return s.answeredLate(ctx, st)
}

func (s *scenario) answeredLate(ctx context.Context, st *stay) error {
	note, err := s.answer(ctx, *st, "SVAR=KAN_MOTTA;DATO="+s.cfg.Now().In(oslo).AddDate(0, 0, 1).Format(time.DateOnly))
	if err != nil {
		return err
	}
	t, err := s.stands(ctx, s.cfg.Tokens.Municipality, note, "accepted", MunicipalityID)
	if err != nil {
		return err
	}
	if t.attention("overdue") {
		return fmt.Errorf("a late answer must end the escalation")
	}
	if _, err := s.document(ctx, "the acceptance", *st, "kan ta imot"); err != nil {
		return err
	}
	if err := s.event(ctx, st.handover, "accepted", "attention-resolved"); err != nil {
		return err
	}
	if n := s.resolved(st.handover); n > 1 {
		return fmt.Errorf("the end of the escalation was announced %d times", n)
	}
	e := Entry{Who: "Dalvik kommune", Format: "DIALOG_NOTAT over HTTP", What: "SVAR=KAN_MOTTA, for sent",
		Became: []string{"MDM^T02 → Fjellheim sykehus; slutten på varslingen kunngjort én gang"}}
	e.tell(t)
	s.record(e)
	return nil
}

// cancelled: each message of a stay is undone by the one that undoes it.
func (s *scenario) cancelled(ctx context.Context) error {
	st := &s.silent
	t, err := s.leave(ctx, st, "completed", MunicipalityID)
	if err != nil {
		return err
	}
	e := Entry{Who: "Fjellheim sykehus", Format: "HL7 v2.5 over MLLP", What: "ADT^A03 utskrevet", Became: []string{"LOG_UTSKREVET → Dalvik kommune"}}
	e.tell(t)
	s.record(e)
	steps := []struct {
		fixture, what, typ, status, refers, state, custodian, event string
	}{
		{"adt-a13.hl7", "ADT^A13 utskrivning trukket tilbake", "LOG_UTSKREVET", "C", st.utskrevet, "accepted", MunicipalityID, "discharge-cancelled"},
		{"adt-a25.hl7", "ADT^A25 ikke lenger utskrivningsklar", "LOG_AVMELDING", "N", "", "announced", HospitalID, "not-ready"},
		{"adt-a11.hl7", "ADT^A11 innleggelse trukket tilbake", "LOG_INNLAGT", "C", st.innlagt, "voided", HospitalID, "voided"},
	}
	for _, c := range steps {
		id, err := s.adt(ctx, c.fixture, *st)
		if err != nil {
			return err
		}
		a, err := s.logistics(ctx, c.typ, c.status, *st)
		if err != nil {
			return err
		}
		if c.refers != "" {
			if err := expect(c.typ+" C", a.Raw, []string{"<RefToParent>" + c.refers + "</RefToParent>"}); err != nil {
				return err
			}
		}
		if err := s.relayed(ctx, id); err != nil {
			return err
		}
		t, err := s.stands(ctx, s.cfg.Tokens.Hospital, id, c.state, c.custodian)
		if err != nil {
			return err
		}
		if err := s.event(ctx, st.handover, c.event); err != nil {
			return err
		}
		e := Entry{Who: "Fjellheim sykehus", Format: "HL7 v2.5 over MLLP", What: c.what, Became: []string{c.typ + " status " + c.status + " → Dalvik kommune"},
			Receipts: []string{"AppRec OK fra kommunen → ACK AA til sykehuset"}}
		e.tell(t)
		s.record(e)
	}
	return nil
}

// badInput: what is wrong is refused or parked, told where the wire allows, and recorded.
func (s *scenario) badInput(ctx context.Context) error {
	for _, f := range []func(context.Context) error{s.truncated, s.nobody, s.illegal, s.notServed} {
		if err := f(ctx); err != nil {
			return err
		}
	}
	// Every receipt that the municipality sent was taken.
	return s.m.trouble()
}

func (s *scenario) truncated(ctx context.Context) error {
	raw, id, err := s.m.note(s.stroke.person, s.stroke.notice, "SVAR=KAN_MOTTA;DATO=2026-12-24")
	if err != nil {
		return err
	}
	r, err := s.m.post(ctx, s.cfg.KITHURL, raw[:len(raw)*2/3])
	if err != nil {
		return err
	}
	if r.status < 400 || r.status > 499 {
		return fmt.Errorf("truncated XML: expected 4xx, got %d", r.status)
	}
	if err := explains(r.body); err != nil {
		return err
	}
	// The envelope could be read, so the sender can be told in its own format too (T01).
	if err := s.receipted(ctx, id, "2", "T01"); err != nil {
		return err
	}
	s.record(Entry{Who: "Dalvik kommune", Format: "DIALOG_NOTAT over HTTP", What: "avkuttet XML",
		Became: []string{fmt.Sprintf("avvist med HTTP %d og AppRec T01", r.status)}, Notes: []string{"feilen fortalt med linje og kolonne, uten innhold fra meldingen"}})
	return nil
}

// explains looks at a refusal: it says why and quotes nothing of the patient.
func explains(body []byte) error {
	if len(body) == 0 {
		return fmt.Errorf("a refusal must say why")
	}
	for _, p := range People() {
		if holds(body, p.FNR) || holds(body, p.Family) {
			return fmt.Errorf("a refusal quotes the patient")
		}
	}
	return nil
}

func (s *scenario) nobody(ctx context.Context) error {
	id := newControlID()
	raw, err := fill("adt-nobody.hl7", map[string]string{"NOW": hl7Time(s.cfg.Now()), "ID": id, "VISIT": "OPPH-9-" + id,
		"ADMITTED": hl7Time(s.cfg.Now())})
	if err != nil {
		return err
	}
	answer, err := s.h.Send(ctx, s.cfg.MLLPAddr, raw)
	if err != nil {
		return err
	}
	msa := segment(answer, "MSA")
	if code := field(msa, 1); code != "CE" || field(msa, 2) != id {
		return fmt.Errorf("ADT without a patient: expected MSA|CE|%s, got %.80s", id, msa)
	}
	if !strings.Contains(segment(answer, "ERR"), "PID") {
		return fmt.Errorf("ADT without a patient: ERR does not name PID")
	}
	t, err := s.ask(ctx, s.cfg.Tokens.Hospital, id)
	if err != nil {
		return err
	}
	if t.State != "refused" {
		return fmt.Errorf("ADT without a patient is %q, expected refused", t.State)
	}
	e := Entry{Who: "Fjellheim sykehus", Format: "HL7 v2.5 over MLLP", What: "ADT^A01 uten identifisert pasient",
		Became: []string{"avvist: MSA CE med ERR (" + t.Reason + ")"}}
	e.tell(t)
	s.record(e)
	return nil
}

// illegal: the municipality tries to reopen the Task that the institution completed.
func (s *scenario) illegal(ctx context.Context) error {
	var task string
	for _, a := range s.i.inbox.all() {
		if id := between(a.Raw, `Task/`, `"`); id != "" {
			task = strings.SplitN(id, "/", 2)[0]
			break
		}
	}
	r, err := s.i.changeTask(ctx, s.cfg.FHIRURL, task, "requested", "", http.StatusUnprocessableEntity)
	if err != nil {
		return err
	}
	if err := explains(r.body); err != nil {
		return err
	}
	if !holds(r.body, "OperationOutcome") {
		return fmt.Errorf("an illegal change is answered with an OperationOutcome")
	}
	s.record(Entry{Who: "Solbakken rehabilitering", Format: "FHIR REST", What: "Task fra completed til requested",
		Became: []string{"avvist: HTTP 422 med OperationOutcome og hva som er lov"}})
	return nil
}

// notServed: a message to an organisation that the gateway does not serve gets no AppRec.
func (s *scenario) notServed(ctx context.Context) error {
	raw, id, err := s.m.noteTo("Ukjent sykehus", "89001", "Ukjent avdeling", "89101", s.stroke.person, newUUID(), "Til noen andre")
	if err != nil {
		return err
	}
	r, err := s.m.post(ctx, s.cfg.KITHURL, raw)
	if err != nil {
		return err
	}
	if r.status != http.StatusAccepted && (r.status < 400 || r.status > 499) {
		return fmt.Errorf("a message to nobody we serve: expected 202 or 4xx, got %d", r.status)
	}
	t, err := s.ask(ctx, s.cfg.Tokens.Municipality, id)
	if err != nil {
		return err
	}
	if t.State != "parked" && t.State != "refused" {
		return fmt.Errorf("a message to nobody we serve is %q", t.State)
	}
	// Nothing is on its way either: no receipt can come later.
	if len(t.Deliveries) > 0 {
		return fmt.Errorf("a message to nobody we serve caused a %s to %s", t.Deliveries[0].Type, t.Deliveries[0].Receiver)
	}
	e := Entry{Who: "Dalvik kommune", Format: "DIALOG_NOTAT over HTTP", What: "til en virksomhet som ikke betjenes",
		Became: []string{t.State + " (" + t.Reason + "), ingen AppRec"}}
	if t.Contact != "" {
		e.Notes = []string{"hos " + t.Contact}
	}
	e.tell(t)
	s.record(e)
	return nil
}
