package demo

import (
	"context"
	"time"
)

// row is one row of the scenario.
type row struct {
	name string
	play func(context.Context) error
}

// scenario is one run on its stage.
type scenario struct {
	stage
	step     string
	timeline Timeline
	stroke   stay
	alone    stay
	silent   stay
}

func newScenario(ctx context.Context, cfg Config) (*scenario, error) {
	s := &scenario{stage: stage{cfg: cfg, h: cfg.Parties.Hospital, m: cfg.Parties.Municipality, i: cfg.Parties.Institution}}
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

// record completes an entry and hands it on.
func (s *scenario) record(e Entry) {
	e.Step, e.At = s.step, s.cfg.Now()
	e.Events = append(e.Events, s.events.fresh()...)
	s.timeline = append(s.timeline, e)
	if s.cfg.OnEntry != nil {
		s.cfg.OnEntry(e)
	}
}
