package handover

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Term is a length of time: wall clock, or Norwegian working days. Exactly one is set.
type Term struct {
	After       time.Duration `yaml:"after,omitempty"`
	WorkingDays int           `yaml:"workingDays,omitempty"`
}

// UnmarshalYAML replaces the whole term: what a file says in one way leaves nothing of a
// default that is said in the other.
func (m *Term) UnmarshalYAML(read func(any) error) error {
	type given Term
	var g given
	err := read(&g)
	*m = Term(g)
	return err
}

// from returns the end of the term that begins at t.
func (m Term) from(t time.Time) time.Time {
	if m.WorkingDays > 0 {
		return Calendar{}.AddWorkingDays(t, m.WorkingDays)
	}
	return t.Add(m.After)
}

// Policy holds the deadlines and limits of handovers: configuration, not code. Its
// methods decide; they are pure. Coordination uses the terms of referrals.
type Policy struct {
	// Announced: Helseopplysninger are due this long after the admission (FOR-2011-11-18-1115 section 8).
	Announced Term `yaml:"announced"`
	// AnnouncedInformed: when to look again at a stay whose Helseopplysninger are sent, or
	// cannot be.
	AnnouncedInformed Term `yaml:"announcedInformed"`
	// ReceiptFast and ReceiptSlow: a receipt is missed after this long where it comes with
	// the transport's answer (MLLP, REST), and where it is a message of its own (KITH).
	// ReceiptHard is the last limit (96 h from GenDate).
	ReceiptFast Term `yaml:"receiptFast"`
	ReceiptSlow Term `yaml:"receiptSlow"`
	ReceiptHard Term `yaml:"receiptHard"`
	// AnswerDischarge: the answer to a ready notice is due (section 11, straks);
	// AnswerDischargeThen: between the escalations after it.
	AnswerDischarge     Term            `yaml:"answerDischarge"`
	AnswerDischargeThen []time.Duration `yaml:"answerDischargeThen"`
	// AnswerReferral: the answer to a referral is due.
	AnswerReferral Term `yaml:"answerReferral"`
	// DeferredHour: o'clock on the promised day, in Oslo. DeferredUnknown: where no day is known.
	DeferredHour    int  `yaml:"deferredHour"`
	DeferredUnknown Term `yaml:"deferredUnknown"`
	// AcceptedDays: the start is due so many days after the promised day, at DeferredHour.
	AcceptedDays int `yaml:"acceptedDays"`
	// AcceptedReferral: the start of a referral is due, where no day was promised.
	AcceptedReferral Term `yaml:"acceptedReferral"`
	// Report: Utskrivningsrapport is due after the discharge.
	Report Term `yaml:"report"`
	// PlannedEnd: after the planned end of a referral's stay. PlannedEndUnknown: after its start.
	PlannedEnd        Term `yaml:"plannedEnd"`
	PlannedEndUnknown Term `yaml:"plannedEndUnknown"`
	// Paused: an interruption is looked at again.
	Paused Term `yaml:"paused"`
	// DeclinedDischarge and DeclinedReferral: the sender must have named what is next.
	DeclinedDischarge Term `yaml:"declinedDischarge"`
	DeclinedReferral  Term `yaml:"declinedReferral"`
	// AnswerReading: an unclear answer must have been read.
	AnswerReading Term `yaml:"answerReading"`
	// Escalation: between the steps of an attention, a late state or a parked message;
	// the last one repeats.
	Escalation []time.Duration `yaml:"escalation"`
	// CancellationWaiting: how long what undoes an unknown original is held.
	CancellationWaiting Term `yaml:"cancellationWaiting"`
	// ForwardsMax: how often one request may be forwarded.
	ForwardsMax int `yaml:"forwardsMax"`
}

// DefaultPolicy returns the deadlines that are shipped.
func DefaultPolicy() Policy {
	hours := func(n int) Term { return Term{After: time.Duration(n) * time.Hour} }
	days := func(n int) Term { return Term{WorkingDays: n} }
	return Policy{
		Announced: hours(24), AnnouncedInformed: days(10),
		ReceiptFast: hours(1), ReceiptSlow: hours(24), ReceiptHard: hours(96),
		AnswerDischarge: hours(2), AnswerDischargeThen: thenSeldom(slices.Repeat([]time.Duration{4 * time.Hour}, 6)...),
		AnswerReferral: days(10),
		DeferredHour:   12, DeferredUnknown: hours(24),
		AcceptedDays: 1, AcceptedReferral: days(10),
		Report: hours(24), PlannedEnd: days(3), PlannedEndUnknown: days(10),
		Paused:            days(5),
		DeclinedDischarge: hours(4), DeclinedReferral: days(5),
		AnswerReading:       hours(2),
		Escalation:          thenSeldom(time.Hour, 4*time.Hour),
		CancellationWaiting: hours(96),
		ForwardsMax:         5,
	}
}

// thenSeldom is a ladder that, when nobody acts on its first steps, becomes daily for a
// week and then weekly: it stays visible, and does not teach people to look away.
func thenSeldom(steps ...time.Duration) []time.Duration {
	const day = 24 * time.Hour
	return append(steps, day, day, day, day, day, day, day, 7*day)
}

// Validate returns every reason why p cannot be used, joined; nil when it can.
func (p Policy) Validate() error {
	var errs []error
	bad := func(name, what string) { errs = append(errs, fmt.Errorf("policy %s: %s", name, what)) }
	for _, t := range p.terms() {
		switch {
		case t.After < 0 || t.WorkingDays < 0 || t.WorkingDays > workingDaysMax:
			bad(t.name, "out of range")
		case (t.After == 0) == (t.WorkingDays == 0):
			bad(t.name, "set exactly one of after and workingDays")
		}
	}
	ladder := func(name string, steps []time.Duration) {
		if len(steps) == 0 {
			bad(name, "needs at least one step")
		}
		for _, d := range steps {
			if d <= 0 {
				bad(name, "every step must be longer than nothing")
			}
		}
	}
	ladder("escalation", p.Escalation)
	ladder("answerDischargeThen", p.AnswerDischargeThen)
	if p.DeferredHour < 0 || p.DeferredHour > 23 {
		bad("deferredHour", "must be 0 to 23")
	}
	if p.AcceptedDays < 1 || p.AcceptedDays > 366 {
		bad("acceptedDays", "must be 1 to 366")
	}
	if p.ForwardsMax < 1 || p.ForwardsMax > 50 {
		bad("forwardsMax", "must be 1 to 50")
	}
	return errors.Join(errs...)
}

type namedTerm struct {
	name string
	Term
}

func (p Policy) terms() []namedTerm {
	return []namedTerm{
		{"announced", p.Announced}, {"announcedInformed", p.AnnouncedInformed},
		{"receiptFast", p.ReceiptFast}, {"receiptSlow", p.ReceiptSlow}, {"receiptHard", p.ReceiptHard},
		{"answerDischarge", p.AnswerDischarge}, {"answerReferral", p.AnswerReferral},
		{"deferredUnknown", p.DeferredUnknown}, {"acceptedReferral", p.AcceptedReferral},
		{"report", p.Report}, {"plannedEnd", p.PlannedEnd}, {"plannedEndUnknown", p.PlannedEndUnknown},
		{"paused", p.Paused}, {"declinedDischarge", p.DeclinedDischarge},
		{"declinedReferral", p.DeclinedReferral}, {"answerReading", p.AnswerReading},
		{"cancellationWaiting", p.CancellationWaiting},
	}
}

// ReceiptTerms returns when a receipt is missed and when the delivery is given up, for a
// message made at t. fast: the receipt comes with the transport's answer. Where that is
// not known it is slow, so that nobody is alarmed too early.
func (p Policy) ReceiptTerms(fast bool, t time.Time) (warn, hard time.Time) {
	return pick(fast, p.ReceiptFast, p.ReceiptSlow).from(t), p.ReceiptHard.from(t)
}

// EscalationAfter returns how long after escalation step the next one follows: of an
// attention, a parked message or a parked delivery; step 0 is the raising.
func (p Policy) EscalationAfter(step int) time.Duration { return rung(p.Escalation, step) }

// rung returns the step's duration; the last repeats. An empty ladder, which Validate
// refuses, still has a clock.
func rung(ladder []time.Duration, step int) time.Duration {
	if len(ladder) == 0 {
		return 24 * time.Hour
	}
	return ladder[min(max(step, 0), len(ladder)-1)]
}
