package handover

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestCalendar_Holidays(t *testing.T) {
	// Written from the Norwegian almanac, not computed.
	want := map[string]string{
		"2026-01-01": "1. nyttårsdag", "2026-04-02": "skjærtorsdag", "2026-04-03": "langfredag",
		"2026-04-05": "1. påskedag", "2026-04-06": "2. påskedag", "2026-05-01": "1. mai",
		"2026-05-14": "Kristi himmelfartsdag", "2026-05-17": "17. mai", "2026-05-24": "1. pinsedag",
		"2026-05-25": "2. pinsedag", "2026-12-25": "1. juledag", "2026-12-26": "2. juledag",
		"2027-01-01": "1. nyttårsdag", "2027-03-25": "skjærtorsdag", "2027-03-26": "langfredag",
		"2027-03-28": "1. påskedag", "2027-03-29": "2. påskedag", "2027-05-01": "1. mai",
		"2027-05-06": "Kristi himmelfartsdag", "2027-05-16": "1. pinsedag", "2027-05-17": "17. mai",
		"2027-12-25": "1. juledag", "2027-12-26": "2. juledag",
	}
	var c Calendar
	for day := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC); day.Year() < 2028; day = day.AddDate(0, 0, 1) {
		key := day.Format(time.DateOnly)
		if got := c.Holiday(day); got != want[key] {
			t.Errorf("%s: %q, want %q", key, got, want[key])
		}
		weekend := day.Weekday() == time.Saturday || day.Weekday() == time.Sunday
		if got, ok := c.WorkingDay(day), !weekend && want[key] == ""; got != ok {
			t.Errorf("%s: working day %v", key, got)
		}
	}
}

func TestCalendar_Easter(t *testing.T) {
	for year, want := range map[int]string{2008: "03-23", 2011: "04-24", 2019: "04-21", 2024: "03-31", 2025: "04-20", 2038: "04-25", 2100: "03-28"} {
		if got := easterSunday(year).Format("01-02"); got != want {
			t.Errorf("%d: %s, want %s", year, got, want)
		}
	}
}

func TestCalendar_AddWorkingDays(t *testing.T) {
	for _, c := range []struct {
		from string
		n    int
		want string
	}{
		{"2026-03-02T09:00:00Z", 1, "2026-03-03T09:00:00Z"},
		{"2026-03-06T09:00:00Z", 1, "2026-03-09T09:00:00Z"}, // Friday
		{"2026-03-07T09:00:00Z", 1, "2026-03-09T09:00:00Z"}, // Saturday
		{"2026-03-27T09:00:00Z", 1, "2026-03-30T08:00:00Z"}, // the same wall clock in summer time
		{"2026-04-01T08:00:00Z", 1, "2026-04-07T08:00:00Z"}, // over Easter
		{"2026-05-13T08:00:00Z", 2, "2026-05-18T08:00:00Z"}, // Ascension; 17 May is a Sunday
		{"2026-12-23T23:30:00Z", 1, "2026-12-27T23:30:00Z"}, // already the 24th in Oslo
		{"2026-03-02T09:00:00Z", 10, "2026-03-16T09:00:00Z"},
		{"2026-03-02T09:00:00Z", 0, "2026-03-02T09:00:00Z"},
	} {
		from, err := time.Parse(time.RFC3339, c.from)
		if err != nil {
			t.Fatal(err)
		}
		if got := (Calendar{}).AddWorkingDays(from, c.n).Format(time.RFC3339); got != c.want {
			t.Errorf("%s + %d: %s, want %s", c.from, c.n, got, c.want)
		}
	}
}

func TestCalendar_AddWorkingDays_CountsThem(t *testing.T) {
	var c Calendar
	rapid.Check(t, func(t *rapid.T) {
		from := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "from"), 0)
		n := rapid.IntRange(1, 60).Draw(t, "n")
		to := c.AddWorkingDays(from, n)
		if !c.WorkingDay(to) {
			t.Fatalf("%v is no working day", to)
		}
		count := 0
		for day := c.addDays(from, 1); !day.After(to.Add(2 * time.Hour)); day = c.addDays(day, 1) {
			if c.WorkingDay(day) {
				count++
			}
		}
		if count != n {
			t.Fatalf("%d working days between %v and %v, want %d", count, from, to, n)
		}
	})
}
