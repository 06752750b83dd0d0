package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// The rows about the woman with the stroke.

func (s *scenario) admission(ctx context.Context) error {
	st := &s.stroke
	id, err := s.adt(ctx, "adt-a01.hl7", *st)
	if err != nil {
		return err
	}
	a, err := s.logistics(ctx, "LOG_INNLAGT", "N", *st)
	if err != nil {
		return err
	}
	st.innlagt = a.ID
	if err := expect(a.Type, a.Raw, []string{`Hendelsekode V="1"`, st.admitted.In(oslo).Format("2006-01-02T15:04:05")}); err != nil {
		return err
	}
	if holds(a.Raw, "<ConversationRef>") {
		return fmt.Errorf("LOG_INNLAGT: the first message of a conversation has no ConversationRef")
	}
	if err := s.relayed(ctx, id); err != nil {
		return err
	}
	t, err := s.stands(ctx, s.cfg.Tokens.Hospital, id, "announced", HospitalID)
	if err != nil {
		return err
	}
	st.handover = t.Handover.ID
	if t.State != "delivered" {
		return fmt.Errorf("the admission is %q, expected delivered", t.State)
	}
	if err := s.event(ctx, st.handover, "admitted"); err != nil {
		return err
	}
	due := t.Handover.Deadline.Sub(t.Handover.Since)
	if due < 7*24*time.Hour {
		return fmt.Errorf("the stay is looked at again after %s, although nothing is due before the discharge", due)
	}
	e := Entry{Who: "Fjellheim sykehus", Format: "HL7 v2.5 over MLLP", What: "ADT^A01 innlagt, pasienten har kommunale tjenester",
		Became:   []string{"LOG_INNLAGT (PLO 1.6) → Dalvik kommune, sykepleietjenesten"},
		Receipts: []string{"transportsvar CA", "AppRec OK fra kommunen → ACK AA til sykehuset"},
		Notes:    []string{"oppholdet sees på igjen " + t.Handover.Deadline.In(oslo).Format("02.01.2006 15:04")}}
	e.tell(t)
	s.record(e)
	return nil
}

func (s *scenario) ready(ctx context.Context) error {
	st := &s.stroke
	id, err := s.makeReady(ctx, st)
	if err != nil {
		return err
	}
	t, err := s.stands(ctx, s.cfg.Tokens.Hospital, id, "received", HospitalID)
	if err != nil {
		return err
	}
	if err := s.event(ctx, st.handover, "ready", "receipted"); err != nil {
		return err
	}
	e := Entry{Who: "Fjellheim sykehus", Format: "HL7 v2.5 over MLLP", What: "ADT^A16 utskrivningsklar",
		Became:   []string{"LOG_UTSKRIVNINGSKLAR (PLO 1.6) → Dalvik kommune, saksbehandling"},
		Receipts: []string{"transportsvar CA", "AppRec OK fra kommunen → ACK AA til sykehuset"}}
	e.tell(t)
	s.record(e)
	return nil
}

// makeReady sends A16 of a stay and waits for the notice and its relayed receipt.
func (s *scenario) makeReady(ctx context.Context, st *stay) (string, error) {
	id, err := s.adt(ctx, "adt-a16.hl7", *st)
	if err != nil {
		return id, err
	}
	a, err := s.logistics(ctx, "LOG_UTSKRIVNINGSKLAR", "N", *st)
	if err != nil {
		return id, err
	}
	st.notice = a.ID
	if err := expect(a.Type, a.Raw, []string{`Hendelsekode V="3"`, `Hendelsekode V="1"`, "9144889"}); err != nil {
		return id, err
	}
	if err := s.relayed(ctx, id); err != nil {
		return id, err
	}
	t, err := s.ask(ctx, s.cfg.Tokens.Hospital, id)
	st.handover = t.Handover.ID
	return id, err
}

func (s *scenario) unclear(ctx context.Context) error {
	st := &s.stroke
	text := "Vi har fått meldingen. Det er fullt hos oss nå, men vi ser på det i løpet av uken."
	note, err := s.answer(ctx, *st, text)
	if err != nil {
		return err
	}
	t, err := s.stands(ctx, s.cfg.Tokens.Municipality, note, "received", HospitalID)
	if err != nil {
		return err
	}
	if !t.attention("answer-needs-reading") {
		return fmt.Errorf("a free text must raise answer-needs-reading")
	}
	if err := s.event(ctx, st.handover, "answered-unclearly"); err != nil {
		return err
	}
	e := Entry{Who: "Dalvik kommune", Format: "DIALOG_NOTAT over HTTP", What: "svar i fritekst (9155)",
		Became: []string{"ingen endring: fri tekst flytter aldri stafettpinnen"}, Receipts: []string{"transportsvar 202"}}
	e.tell(t)
	s.record(e)

	day := s.cfg.Now().In(oslo).AddDate(0, 0, 3)
	if err := s.readAnswer(ctx, st.handover, "deferred", day); err != nil {
		return err
	}
	if _, err := s.document(ctx, "the deferral", *st, day.Format("02.01.2006")); err != nil {
		return err
	}
	if t, err = s.stands(ctx, s.cfg.Tokens.Municipality, note, "deferred", HospitalID); err != nil {
		return err
	}
	if t.attention("answer-needs-reading") {
		return fmt.Errorf("a reading by a named person must end answer-needs-reading")
	}
	if err := s.event(ctx, st.handover, "deferred"); err != nil {
		return err
	}
	e = Entry{Who: "navngitt leser ved sykehuset", Format: "HTTP", What: "leser teksten: utsatt til " + day.Format("02.01.2006"),
		Became: []string{"MDM^T02 → Fjellheim sykehus"}}
	e.tell(t)
	s.record(e)
	return nil
}

func (s *scenario) canReceive(ctx context.Context) error {
	st := &s.stroke
	day := s.cfg.Now().In(oslo).AddDate(0, 0, 2)
	note, err := s.answer(ctx, *st, "SVAR=KAN_MOTTA;DATO="+day.Format(time.DateOnly))
	if err != nil {
		return err
	}
	t, err := s.stands(ctx, s.cfg.Tokens.Municipality, note, "accepted", MunicipalityID)
	if err != nil {
		return err
	}
	if _, err := s.document(ctx, "the acceptance", *st, day.Format("02.01.2006")); err != nil {
		return err
	}
	// The hospital's answer to MDM^T02 is the municipality's receipt.
	if err := s.receipted(ctx, note, "1", ""); err != nil {
		return err
	}
	if err := s.event(ctx, st.handover, "accepted"); err != nil {
		return err
	}
	e := Entry{Who: "Dalvik kommune", Format: "DIALOG_NOTAT over HTTP", What: "SVAR=KAN_MOTTA etter avtalt konvensjon (svarlinje-1)",
		Became: []string{"MDM^T02 → Fjellheim sykehus"}, Receipts: []string{"transportsvar 202", "svaret AA fra sykehuset → AppRec OK til kommunen"}}
	e.tell(t)
	s.record(e)
	return nil
}

// referral sends the municipality's transaction and lets the institution work on it.
func (s *scenario) referral(ctx context.Context) error {
	id, now := newUUID(), s.cfg.Now()
	// The municipality's own id of what it sends is Bundle.identifier.
	request := "urn:ietf:rfc:3986|urn:uuid:" + id
	raw, err := fill("referral.json", merged(Solveig.values(), map[string]string{"ID": id, "PATIENT": newUUID(), "REQUEST": newUUID(),
		"PLAN": newUUID(), "OBSERVATION": newUUID(), "WEIGHT": newUUID(), "TASK": newUUID(), "REFERRAL": "H-" + newControlID(), "NOW": xmlTime(now),
		"PLANNED_END": now.AddDate(0, 0, 21).In(oslo).Format(time.DateOnly)}))
	if err != nil {
		return err
	}
	answer, err := call(ctx, http.MethodPost, s.cfg.FHIRURL, s.cfg.Tokens.Municipality, "application/fhir+json", raw, nil)
	if err != nil {
		return err
	}
	ids, err := created(answer)
	if err != nil {
		return err
	}
	a, err := s.i.inbox.await(ctx, "the referral at the institution", s.cfg.Wait, func(a Arrival) bool {
		return a.Type == "transaction" && holds(a.Raw, "Task/"+ids["Task"])
	})
	if err != nil {
		return err
	}
	// 61.10 must arrive with its last zero: a decimal is text.
	if err := expect("the referral", a.Raw, []string{Solveig.FNR, `"ServiceRequest"`, `"CarePlan"`, `"Observation"`, "61.10", "_birthDate", "patient-birthTime"}); err != nil {
		return err
	}
	// The receipt is the institution's 2xx; the gateway has it once the event is out.
	if err := s.event(ctx, ids["Task"], "requested", "receipted"); err != nil {
		return err
	}
	t, err := s.ask(ctx, s.cfg.Tokens.Municipality, request)
	if err != nil {
		return err
	}
	if t.Handover.Custodian != MunicipalityID {
		return fmt.Errorf("custody of the referral is with %q before anybody accepted", t.Handover.Custodian)
	}
	e := Entry{Who: "Dalvik kommune", Format: "FHIR R4 transaction", What: "Task, ServiceRequest, CarePlan, 2 Observation, Patient",
		Became: []string{"transaction → Solbakken rehabilitering"}, Receipts: []string{"transportsvar 200", "HTTP 200 fra institusjonen"}}
	e.tell(t)
	s.record(e)
	return s.rehabilitation(ctx, request, ids)
}

// rehabilitation is what the institution does with the Task.
func (s *scenario) rehabilitation(ctx context.Context, request string, ids map[string]string) error {
	steps := []struct {
		status, more, state, custodian, event, what string
	}{
		{"accepted", "", "accepted", InstitutionID, "accepted", "Task accepted"},
		{"in-progress", "", "in-progress", InstitutionID, "started", "Task in-progress"},
		{"completed", "task-output.json", "completed", InstitutionID, "finished", "Task completed, neste: home"},
	}
	for _, st := range steps {
		more := ""
		if st.more != "" {
			raw, err := fill(st.more, nil)
			if err != nil {
				return err
			}
			more = string(raw)
		}
		if _, err := s.i.changeTask(ctx, s.cfg.FHIRURL, ids["Task"], st.status, more, http.StatusOK); err != nil {
			return err
		}
		told, err := s.stands(ctx, s.cfg.Tokens.Municipality, request, st.state, st.custodian)
		if err != nil {
			return err
		}
		if _, err := s.m.fhir.await(ctx, st.what+" at the municipality", s.cfg.Wait, func(a Arrival) bool {
			return holds(a.Raw, "Task/"+ids["Task"]) && taskStatus(a.Raw) == st.status
		}); err != nil {
			return err
		}
		if err := s.event(ctx, ids["Task"], st.event); err != nil {
			return err
		}
		e := Entry{Who: "Solbakken rehabilitering", Format: "FHIR REST", What: st.what, Became: []string{"transaction → Dalvik kommune, henvisningssystemet"}}
		e.tell(told)
		s.record(e)
		if st.status == "in-progress" {
			if err := s.observe(ctx, request, ids); err != nil {
				return err
			}
		}
	}
	return nil
}

// observe writes an Observation while the stay goes on.
func (s *scenario) observe(ctx context.Context, request string, ids map[string]string) error {
	raw, err := fill("observation.json", map[string]string{"PLAN": "CarePlan/" + ids["CarePlan"], "PATIENT": "Patient/" + ids["Patient"], "NOW": xmlTime(s.cfg.Now())})
	if err != nil {
		return err
	}
	r, err := call(ctx, http.MethodPost, s.cfg.FHIRURL+"/Observation", s.cfg.Tokens.Institution, "application/fhir+json", raw, nil)
	if err != nil {
		return err
	}
	if r.status != http.StatusCreated || !strings.Contains(r.header.Get("Location"), "/Observation/") {
		return fmt.Errorf("institution: create Observation: %d %.300s", r.status, r.body)
	}
	if err := s.event(ctx, ids["Task"], "updated"); err != nil {
		return err
	}
	t, err := s.stands(ctx, s.cfg.Tokens.Municipality, request, "in-progress", InstitutionID)
	if err != nil {
		return err
	}
	e := Entry{Who: "Solbakken rehabilitering", Format: "FHIR REST", What: "Observation: beveger seg innendørs, fra 4 til 2"}
	e.tell(t)
	s.record(e)
	return nil
}

// created reads the ids out of a transaction's answer.
func created(r reply) (map[string]string, error) {
	if r.status != http.StatusOK {
		return nil, fmt.Errorf("municipality: transaction: %d %.500s", r.status, r.body)
	}
	var bundle struct {
		Type  string `json:"type"`
		Entry []struct {
			Response struct {
				Status   string `json:"status"`
				Location string `json:"location"`
			} `json:"response"`
		} `json:"entry"`
	}
	if err := json.Unmarshal(r.body, &bundle); err != nil || bundle.Type != "transaction-response" || len(bundle.Entry) != 6 {
		return nil, fmt.Errorf("municipality: the answer is no transaction-response with 6 entries")
	}
	ids := map[string]string{}
	for _, e := range bundle.Entry {
		path := e.Response.Location
		if i := strings.Index(path, "/_history/"); i >= 0 {
			path = path[:i]
		}
		parts := strings.Split(path, "/")
		if len(parts) < 2 || !strings.HasPrefix(e.Response.Status, "201") {
			return nil, fmt.Errorf("municipality: an entry was answered %q without a Location", e.Response.Status)
		}
		ids[parts[len(parts)-2]] = parts[len(parts)-1]
	}
	for _, typ := range []string{"Patient", "ServiceRequest", "CarePlan", "Observation", "Task"} {
		if ids[typ] == "" {
			return nil, fmt.Errorf("municipality: no %s in the answer", typ)
		}
	}
	return ids, nil
}

// taskStatus reads the status of the Task in a Bundle.
func taskStatus(raw []byte) string {
	var bundle struct {
		Entry []struct {
			Resource struct {
				ResourceType string `json:"resourceType"`
				Status       string `json:"status"`
			} `json:"resource"`
		} `json:"entry"`
	}
	if err := json.Unmarshal(raw, &bundle); err != nil {
		return ""
	}
	for _, e := range bundle.Entry {
		if e.Resource.ResourceType == "Task" {
			return e.Resource.Status
		}
	}
	return ""
}

func (s *scenario) discharged(ctx context.Context) error {
	st := &s.stroke
	t, err := s.leave(ctx, st, "completed", MunicipalityID)
	if err != nil {
		return err
	}
	if err := s.event(ctx, st.handover, "discharged|started"); err != nil {
		return err
	}
	e := Entry{Who: "Fjellheim sykehus", Format: "HL7 v2.5 over MLLP", What: "ADT^A03 utskrevet",
		Became: []string{"LOG_UTSKREVET (PLO 1.6) → Dalvik kommune, sykepleietjenesten"}, Receipts: []string{"transportsvar CA", "AppRec OK fra kommunen → ACK AA til sykehuset"}}
	e.tell(t)
	s.record(e)
	return nil
}

// leave sends A03 of a stay and waits for the notice and its relayed receipt.
func (s *scenario) leave(ctx context.Context, st *stay, state, custodian string) (told, error) {
	id, err := s.adt(ctx, "adt-a03.hl7", *st)
	if err != nil {
		return told{}, err
	}
	a, err := s.logistics(ctx, "LOG_UTSKREVET", "N", *st)
	if err != nil {
		return told{}, err
	}
	st.utskrevet = a.ID
	if err := expect(a.Type, a.Raw, []string{`Hendelsekode V="2"`, `UtTil V="1"`}); err != nil {
		return told{}, err
	}
	if err := s.relayed(ctx, id); err != nil {
		return told{}, err
	}
	return s.stands(ctx, s.cfg.Tokens.Hospital, id, state, custodian)
}
