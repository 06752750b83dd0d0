package handover

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

func TestPolicy_Default_IsValidAndSurvivesYAML(t *testing.T) {
	p := DefaultPolicy()
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	b, err := yaml.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var back Policy
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(p, back) {
		t.Errorf("came back as %+v", back)
	}
	if !strings.Contains(string(b), "answerReferral:\n    workingDays: 10\n") {
		t.Errorf("not as an operator would write it:\n%s", b)
	}
}

func TestPolicy_Validate_NamesEveryFault(t *testing.T) {
	err := Policy{}.Validate()
	if err == nil {
		t.Fatal("an empty policy is no policy")
	}
	typ := reflect.TypeFor[Policy]()
	for i := range typ.NumField() {
		name := typ.Field(i).Tag.Get("yaml")
		if name == "deferredHour" { // midnight is an hour
			continue
		}
		if !strings.Contains(err.Error(), "policy "+name+":") {
			t.Errorf("%s is not named", name)
		}
	}
	p := DefaultPolicy()
	p.Report = Term{After: time.Hour, WorkingDays: 1}
	p.Paused = Term{After: -time.Hour}
	p.Escalation = []time.Duration{0}
	p.DeferredHour = 24
	for _, name := range []string{"report", "paused", "escalation", "deferredHour"} {
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), "policy "+name+":") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Any file that passes Validate gives every open state a clock.
func FuzzPolicy_YAML(f *testing.F) {
	b, err := yaml.Marshal(DefaultPolicy())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("escalation: [1h]\nreport: {after: 24h, workingDays: 2}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := DefaultPolicy()
		if yaml.Unmarshal(b, &p) != nil || p.Validate() != nil {
			return
		}
		for _, s := range States()[1:] {
			h := stored(KindDischarge, s)
			h.Next = Next{}
			if (s.Open() || s == StateDeclined) && p.term(KindDischarge, h, false, monday).IsZero() {
				t.Errorf("no clock in %s", s)
			}
		}
	})
}

// The deadlines of the design, by hand.
func TestInvariant4_Terms(t *testing.T) {
	p := DefaultPolicy()
	day := monday.AddDate(0, 0, 3)
	noon := time.Date(2026, 3, 5, 11, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		kind Kind
		s    State
		f    Facts
		fast bool
		want time.Time
	}{
		{"Helseopplysninger due", KindDischarge, StateAnnounced, Facts{AdmittedAt: monday.Add(-3 * time.Hour)}, false, monday.Add(21 * time.Hour)},
		{"late at once", KindDischarge, StateAnnounced, Facts{AdmittedAt: monday.AddDate(0, 0, -2)}, false, monday.AddDate(0, 0, -1)},
		{"admission in the future", KindDischarge, StateAnnounced, Facts{AdmittedAt: monday.AddDate(9, 0, 0)}, false, monday.AddDate(0, 0, 1)},
		{"ill again", KindDischarge, StateAnnounced, Facts{AdmittedAt: monday.AddDate(0, 0, -9), NotReadyAt: monday}, false, monday.AddDate(0, 0, 1)},
		{"informed", KindDischarge, StateAnnounced, Facts{HealthInfoAt: monday}, false, monday.AddDate(0, 0, 14)},
		{"receipt on MLLP", KindDischarge, StateRequested, Facts{}, true, monday.Add(time.Hour)},
		{"receipt on REST", KindReferral, StateRequested, Facts{}, true, monday.Add(time.Hour)},
		{"receipt on KITH", KindDischarge, StateRequested, Facts{}, false, monday.Add(24 * time.Hour)},
		{"receipt on an unknown wire", KindDischarge, StateRequested, Facts{}, false, monday.Add(24 * time.Hour)},
		{"answer to a ready notice", KindDischarge, StateReceived, Facts{}, false, monday.Add(2 * time.Hour)},
		{"answer to a referral", KindReferral, StateReceived, Facts{}, false, monday.AddDate(0, 0, 14)},
		{"promised day", KindDischarge, StateDeferred, Facts{PromisedDay: dayOf(day)}, false, noon},
		{"promised today, too late", KindDischarge, StateDeferred, Facts{PromisedDay: dayOf(monday.AddDate(0, 0, -1))}, false, monday.Add(24 * time.Hour)},
		{"no day", KindDischarge, StateDeferred, Facts{}, false, monday.Add(24 * time.Hour)},
		{"accepted with a day", KindDischarge, StateAccepted, Facts{PromisedDay: dayOf(day)}, false, noon.AddDate(0, 0, 1)},
		{"accepted without", KindDischarge, StateAccepted, Facts{}, false, time.Date(2026, 3, 3, 11, 0, 0, 0, time.UTC)},
		{"accepted referral without", KindReferral, StateAccepted, Facts{}, false, monday.AddDate(0, 0, 14)},
		{"report", KindDischarge, StateInProgress, Facts{}, false, monday.Add(24 * time.Hour)},
		{"planned end", KindReferral, StateInProgress, Facts{PlannedEnd: dayOf(day)}, false, time.Date(2026, 3, 10, 11, 0, 0, 0, time.UTC)},
		{"no planned end", KindCoordination, StateInProgress, Facts{}, false, monday.AddDate(0, 0, 14)},
		{"paused", KindReferral, StatePaused, Facts{}, false, monday.AddDate(0, 0, 7)},
		{"declined discharge", KindDischarge, StateDeclined, Facts{}, false, monday.Add(4 * time.Hour)},
		{"declined referral", KindReferral, StateDeclined, Facts{}, false, monday.AddDate(0, 0, 7)},
		{"voided", KindReferral, StateVoided, Facts{}, false, time.Time{}},
	} {
		h := Handover{State: c.s, Facts: c.f}
		if got := p.term(c.kind, h, c.fast, monday); !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
