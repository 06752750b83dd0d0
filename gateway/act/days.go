package act

import (
	"slices"
	"time"

	"stafett/fhir"
	"stafett/handover"
)

// saidAnew is the event by which a receiver says a new promised day, by the state in which it has
// promised one.
var saidAnew = map[handover.State]handover.EventName{
	handover.StateAccepted: handover.EventAccepted,
	handover.StateDeferred: handover.EventDeferred,
}

// promising are the events of which Task.executionPeriod.start is the promised day.
var promising = []handover.EventName{handover.EventAccepted, handover.EventDeferred, handover.EventRetracted}

// noAnswer are the events that answer nothing a day could belong to.
var noAnswer = []handover.EventName{handover.EventReceipted, handover.EventDeclined, handover.EventMisaddressed, handover.EventForwarded}

// sayDays reads the days of the receiver's Task.executionPeriod into its event: the promised day,
// and once care has begun its planned end. What is changed there is never taken in silence.
func (d *decision) sayDays(ev *handover.Event, e *Entry, task fhir.Task, h handover.Handover) error {
	start, err := dayOf("start", fhir.Value(task.ExecutionPeriod).Start)
	if err != nil {
		return err
	}
	end, err := dayOf("end", fhir.Value(task.ExecutionPeriod).End)
	if err != nil {
		return err
	}
	if again, ok := saidAnew[h.State]; ok && ev.Name == handover.EventUpdated && !sameDay(start, h.Facts.PromisedDay) {
		ev.Name = again
	}
	changed := slices.Contains(ChangedMembers(e.Before, e.Resource), "executionPeriod")
	switch {
	case changed && answersNothing(ev.Name, h):
		return notThere("start", "the days belong to an answer: status accepted, or on-hold with businessStatus deferred")
	case h.State == handover.StateAccepted && ev.Name == handover.EventAccepted && start.IsZero() && !h.Facts.PromisedDay.IsZero():
		return notThere("start", "a promised day is changed to another one: leaving it out takes nothing back")
	case slices.Contains(promising, ev.Name):
		ev.Day = start
	default:
		ev.Day = end
	}
	return nil
}

// answersNothing reports an event that leaves a handover without the receiver's word on when.
func answersNothing(name handover.EventName, h handover.Handover) bool {
	waits := slices.Contains(unanswered, h.State) || h.State == handover.StateDeclined
	return slices.Contains(noAnswer, name) || name == handover.EventUpdated && waits
}

// unanswered are the states before the receiver's answer.
var unanswered = []handover.State{handover.StateAnnounced, handover.StateRequested, handover.StateReceived}

func notThere(end, text string) error {
	return &handover.Fault{Kind: handover.FaultInvalid, Op: "act.sayDays", Path: "Task.executionPeriod." + end, Text: text}
}

// dayOf reads an end of Task.executionPeriod as a day in Oslo; zero when absent.
func dayOf(end string, given *string) (time.Time, error) {
	s := fhir.Value(given)
	if s == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return at, nil
	}
	day, err := time.ParseInLocation(time.DateOnly, s, handover.Calendar{}.Location())
	if err != nil {
		return day, notThere(end, "a whole day is needed: YYYY-MM-DD")
	}
	return day, nil
}

// sameDay reports whether two times are of one day in Oslo, or both unknown.
func sameDay(a, b time.Time) bool {
	if a.IsZero() || b.IsZero() {
		return a.IsZero() == b.IsZero()
	}
	in := handover.Calendar{}.Location()
	return a.In(in).Format(time.DateOnly) == b.In(in).Format(time.DateOnly)
}
