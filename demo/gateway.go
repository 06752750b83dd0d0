package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// told is what the gateway's own API says of one message; see GET /messages/{id}.
type told struct {
	ID       string `json:"id"`
	State    string `json:"state"`
	Reason   string `json:"reason"`
	Contact  string `json:"contact"`
	Handover struct {
		ID         string    `json:"id"`
		State      string    `json:"state"`
		Custodian  string    `json:"custodian"`
		Since      time.Time `json:"since"`
		Deadline   time.Time `json:"deadline"`
		Attentions []struct {
			Reason string `json:"reason"`
		} `json:"attentions"`
		Facts struct {
			DischargedAt string `json:"dischargedAt"`
		} `json:"facts"`
	} `json:"handover"`
	Deliveries []struct {
		Type     string     `json:"type"`
		Receiver string     `json:"receiver"`
		Report   toldReport `json:"report"`
	} `json:"deliveries"`
	Report toldReport `json:"report"`
}

// toldReport is a translation report: paths and fates, never values.
type toldReport struct {
	Fates []struct {
		Path string `json:"path"`
		Fate string `json:"fate"`
	} `json:"fates"`
	Leftover []struct {
		Path string `json:"path"`
	} `json:"leftover"`
}

// attention reports whether a mark is open on the handover.
func (t told) attention(reason string) bool {
	for _, a := range t.Handover.Attentions {
		if a.Reason == reason {
			return true
		}
	}
	return false
}

// ask reads what became of a message, as the party that sent it. id is the gateway's or
// the party's own.
func (s *stage) ask(ctx context.Context, token, id string) (told, error) {
	r, err := call(ctx, http.MethodGet, s.cfg.APIURL+"/messages/"+url.PathEscape(id), token, "", nil, nil)
	if err != nil {
		return told{}, err
	}
	if r.status != http.StatusOK {
		return told{}, fmt.Errorf("GET /messages: %d %.300s", r.status, r.body)
	}
	var t told
	if err := json.Unmarshal(r.body, &t); err != nil {
		return told{}, fmt.Errorf("GET /messages: %w", err)
	}
	for _, p := range People() {
		if strings.Contains(string(r.body), p.FNR) || strings.Contains(string(r.body), p.Family) {
			return t, fmt.Errorf("GET /messages names the patient")
		}
	}
	return t, nil
}

// readAnswer records what a named person read out of a free text. This is the only place
// that knows how the gateway's API for named persons spells it.
func (s *stage) readAnswer(ctx context.Context, handover, event string, day time.Time) error {
	body, err := json.Marshal(map[string]string{"event": event, "day": day.Format(time.DateOnly), "for": MunicipalityID})
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	path := s.cfg.APIURL + "/handovers/" + url.PathEscape(handover) + "/answer"
	r, err := call(ctx, http.MethodPost, path, s.cfg.Tokens.Operator, "application/json", body, nil)
	if err == nil && (r.status < 200 || r.status > 299) {
		err = fmt.Errorf("POST /handovers/answer: %d %.300s", r.status, r.body)
	}
	return err
}

// tell fills an entry with what the gateway says of a message.
func (e *Entry) tell(t told) {
	e.State, e.Custodian = t.Handover.State, t.Handover.Custodian
	for _, f := range t.Report.Fates {
		if f.Fate == "carried" {
			e.Carried = add(e.Carried, f.Path)
		}
	}
	for _, d := range t.Deliveries {
		for _, l := range d.Report.Leftover {
			e.Unmapped = add(e.Unmapped, l.Path)
		}
	}
	for _, a := range t.Handover.Attentions {
		e.Notes = add(e.Notes, "oppmerksomhet: "+a.Reason)
	}
}

func add(list []string, item string) []string {
	if item == "" || slices.Contains(list, item) {
		return list
	}
	return append(list, item)
}
