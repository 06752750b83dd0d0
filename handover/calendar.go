package handover

import (
	"time"
	_ "time/tzdata" // the binary runs where the system has no zone data
)

// Calendar knows Norwegian working days, in Europe/Oslo. The zero value is ready.
type Calendar struct{}

var oslo = loadOslo()

func loadOslo() *time.Location {
	loc, err := time.LoadLocation("Europe/Oslo")
	if err != nil { // cannot happen: the zone is embedded
		return time.FixedZone("CET", 3600)
	}
	return loc
}

// Location returns Europe/Oslo.
func (Calendar) Location() *time.Location { return oslo }

// easterOffsets are the movable holidays in days from Easter Sunday (lov om
// helligdager og helligdagsfred, section 2, with skjærtorsdag).
var easterOffsets = map[int]string{
	-3: "skjærtorsdag", -2: "langfredag", 0: "1. påskedag", 1: "2. påskedag",
	39: "Kristi himmelfartsdag", 49: "1. pinsedag", 50: "2. pinsedag",
}

// fixedHolidays by month and day; 1 and 17 May by law of 26 April 1947.
var fixedHolidays = map[[2]int]string{
	{1, 1}: "1. nyttårsdag", {5, 1}: "1. mai", {5, 17}: "17. mai",
	{12, 25}: "1. juledag", {12, 26}: "2. juledag",
}

// Holiday returns the Norwegian name of the public holiday on t's day in Oslo, or "".
// Where two fall on one day the fixed one is named.
func (Calendar) Holiday(t time.Time) string {
	t = t.In(oslo)
	if name, ok := fixedHolidays[[2]int{int(t.Month()), t.Day()}]; ok {
		return name
	}
	return easterOffsets[t.YearDay()-easterSunday(t.Year()).YearDay()]
}

// WorkingDay reports whether t's day in Oslo is neither a weekend nor a public holiday.
func (c Calendar) WorkingDay(t time.Time) bool {
	switch t.In(oslo).Weekday() {
	case time.Saturday, time.Sunday:
		return false
	}
	return c.Holiday(t) == ""
}

// AddWorkingDays returns the same wall clock time in Oslo, n working days after t. The
// day of t does not count. n is bounded to ten years.
func (c Calendar) AddWorkingDays(t time.Time, n int) time.Time {
	t = t.In(oslo)
	for n = min(n, workingDaysMax); n > 0; {
		t = c.addDays(t, 1)
		if c.WorkingDay(t) {
			n--
		}
	}
	return t.UTC()
}

const workingDaysMax = 2500

// addDays keeps the wall clock over a change to or from summer time.
func (Calendar) addDays(t time.Time, n int) time.Time {
	t = t.In(oslo)
	return time.Date(t.Year(), t.Month(), t.Day()+n, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), oslo)
}

// at returns hour o'clock on t's day in Oslo, days later.
func (Calendar) at(t time.Time, days, hour int) time.Time {
	t = t.In(oslo)
	return time.Date(t.Year(), t.Month(), t.Day()+days, hour, 0, 0, 0, oslo).UTC()
}

// easterSunday is the Gregorian computus (Meeus, Jones and Butcher).
func easterSunday(year int) time.Time {
	a, b, c := year%19, year/100, year%100
	d, e := b/4, b%4
	g := (8*b + 13) / 25
	h := (19*a + b - d - g + 15) % 30
	i, k := c/4, c%4
	l := (32 + 2*e + 2*i - h - k) % 7
	m := (a + 11*h + 19*l) / 433
	month := (h + l - 7*m + 90) / 25
	day := (h + l - 7*m + 33*month + 19) % 32
	return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
}
