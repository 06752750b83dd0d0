package language

import (
	"regexp"
	"strings"
	"time"
)

// A time on a wire without a zone is the party's. FHIR needs a zone with every time of
// day (R4 2.24.0.1), so it is written with the party's offset at that moment; the way
// back writes the party's local time, with an offset only where local time is ambiguous
// (the repeated hour in autumn).

const notATime = "not a time of this format"

// timeOr is a time as made, or the verdict on a value that is none.
func timeOr(out string, ok bool) (string, Verdict, string) {
	return when(ok, out, Unconvertible, notATime)
}

// hl7Time is HL7 TS/DTM (2.5 section 2.A.22) from the minute on, and from the hour on as until
// 2.4: YYYYMMDDHH[MM[SS[.S…]]][+/-ZZZZ].
var hl7Time = regexp.MustCompile(`^[0-9]{10}([0-9]{2}([0-9]{2}(\.[0-9]{1,9})?)?)?([+-][0-9]{4})?$`)

// hl7ToDateTime reads HL7 TS/DTM: YYYY[MM[DD]], or hl7Time. Precision is kept, except that
// FHIR has no hours without minutes and seconds: they become :00.
func hl7ToDateTime(zone *time.Location, v string) (string, Verdict, string) {
	if _, isDay := dayLayouts[len(v)]; isDay {
		return dateOf(v)
	}
	if !hl7Time.MatchString(v) {
		return timeOr("", false)
	}
	offset := ""
	if i := strings.IndexAny(v, "+-"); i >= 0 {
		v, offset = v[:i], v[i:i+3]+":"+v[i+3:]
	}
	v += "0000"[:max(0, len("YYYYMMDDHHMMSS")-len(v))]
	local := v[:4] + "-" + v[4:6] + "-" + v[6:8] + "T" + v[8:10] + ":" + v[10:12] + ":" + v[12:]
	return zoned(zone, local, offset)
}

// dayLayouts are those of HL7 and of FHIR for a date, by the number of HL7's digits.
var dayLayouts = map[int][2]string{4: {"2006", "2006"}, 6: {"200601", "2006-01"}, 8: {"20060102", time.DateOnly}}

// dateOf makes a FHIR date of 4, 6 or 8 digits; there is no layout for others.
func dateOf(digits string) (string, Verdict, string) {
	layout := dayLayouts[len(digits)]
	day, err := time.Parse(layout[0], digits)
	return timeOr(day.Format(layout[1]), err == nil && day.Year() != 0)
}

const localLayout = "2006-01-02T15:04:05"

// zoned gives local (yyyy-mm-ddThh:mm:ss[.fff]) its zone: offset, or the party's.
func zoned(zone *time.Location, local, offset string) (string, Verdict, string) {
	if offset != "" {
		_, err := time.Parse(time.RFC3339, local+offset)
		return timeOr(local+offset, err == nil)
	}
	t, err := time.ParseInLocation(localLayout, local, zone)
	if err == nil && t.Format(localLayout) != local[:len(localLayout)] {
		return "", Unconvertible, "this local time does not exist in the party's time zone"
	}
	return timeOr(local+t.Format("-07:00"), err == nil)
}

// localOf turns a FHIR dateTime into the party's local time with the fraction's digits
// kept, and the offset it needs to be unambiguous.
func localOf(zone *time.Location, v string) (local, offset string, ok bool) {
	t, err := time.Parse(time.RFC3339, v)
	if err != nil {
		return "", "", false
	}
	t = t.In(zone)
	local = t.Format(localLayout)
	if back, err := time.ParseInLocation(localLayout, local, zone); err != nil || !back.Equal(t.Truncate(time.Second)) {
		offset = t.Format("-07:00")
	}
	if _, rest, found := strings.Cut(v, "."); found {
		local += "." + rest[:leadingDigits(rest)]
	}
	return local, offset, true
}

// leadingDigits is how many digits s starts with.
func leadingDigits(s string) int { return len(s) - len(strings.TrimLeft(s, "0123456789")) }

// localParts writes a date, or a dateTime as the party's local time, each part as a wire spells it.
func localParts(spell, spellOffset func(string) string) direction {
	return func(zone *time.Location, v string) (string, Verdict, string) {
		if isDate(v) {
			return spell(v), Converted, ""
		}
		local, offset, ok := localOf(zone, v)
		return timeOr(spell(local)+spellOffset(offset), ok)
	}
}

var (
	dateTimeToHL7 = localParts(strings.NewReplacer("-", "", "T", "", ":", "").Replace, strings.NewReplacer(":", "").Replace)
	dateTimeToXML = localParts(untouched, untouched)
)

func untouched(s string) string { return s }

// hl7ToDate takes the date of a TS; a time of day has no place in a FHIR date.
func hl7ToDate(_ *time.Location, v string) (string, Verdict, string) {
	day := v[:min(len(v), len("YYYYMMDD"))]
	out, how, reason := dateOf(day)
	if how == Converted && day != v {
		return out, Partly, "only the date has a place"
	}
	return out, how, reason
}

func dateToHL7(_ *time.Location, v string) (string, Verdict, string) {
	return timeOr(strings.ReplaceAll(v, "-", ""), isDate(v))
}

// instantOf makes RFC 3339 of what read reads; a mere date, which is as long as day says,
// becomes its first moment.
func instantOf(read direction, day int, midnight string) direction {
	return func(zone *time.Location, v string) (string, Verdict, string) {
		if len(v) == day {
			v += midnight
		}
		out, how, reason := read(zone, v)
		if how == Converted && isDate(out) {
			return "", Unconvertible, "less precise than a day"
		}
		return out, how, reason
	}
}

var (
	hl7ToInstant = instantOf(hl7ToDateTime, len("YYYYMMDD"), "000000")
	xmlToInstant = withoutLayout(instantOf(xmlToDateTime, len(time.DateOnly), "T00:00:00"))
)

// withoutLayout reads a value without the white space around it.
func withoutLayout(read direction) direction {
	return func(zone *time.Location, v string) (string, Verdict, string) { return read(zone, strings.TrimSpace(v)) }
}

// xmlToDateTime reads kith:TS: dateTime, date, gYearMonth or gYear.
func xmlToDateTime(zone *time.Location, v string) (string, Verdict, string) {
	v = nextMidnight(strings.TrimSpace(v))
	if isDate(v) {
		return v, Converted, ""
	}
	n := len(localLayout)
	if len(v) < n || v[10] != 'T' {
		return timeOr("", false)
	}
	if rest, found := strings.CutPrefix(v[n:], "."); found {
		n += 1 + leadingDigits(rest)
	}
	return zoned(zone, v[:n], v[n:])
}

// endOfDay is 24:00:00, which XML Schema has for the first moment of the next day.
var endOfDay = regexp.MustCompile(`^([0-9]{4}-[0-9]{2}-[0-9]{2})T24:00:00(\.0+)?(Z|[+-][0-9]{2}:[0-9]{2})?$`)

// nextMidnight is v, with the end of a day as the beginning of the next.
func nextMidnight(v string) string {
	m := endOfDay.FindStringSubmatch(v)
	if m == nil {
		return v
	}
	day, err := time.Parse(time.DateOnly, m[1])
	if err != nil {
		return v
	}
	return day.AddDate(0, 0, 1).Format(time.DateOnly) + "T00:00:00" + m[3]
}

// xmlToDate reads an xs:date without a zone.
func xmlToDate(_ *time.Location, v string) (string, Verdict, string) {
	v = strings.TrimSpace(v)
	return timeOr(v, isDay(v))
}

// dateTimeToXMLDate writes the party's day of a date or dateTime.
func dateTimeToXMLDate(zone *time.Location, v string) (string, Verdict, string) {
	switch {
	case isDay(v):
		return v, Converted, ""
	case isDate(v):
		return "", Unconvertible, "less precise than a day"
	}
	local, _, ok := localOf(zone, v)
	if !ok {
		return timeOr("", false)
	}
	return local[:len(time.DateOnly)], Partly, "only the date has a place"
}

// dateTimeToXMLMoment writes what must have a time of day: a day is its first moment.
func dateTimeToXMLMoment(zone *time.Location, v string) (string, Verdict, string) {
	if !isDate(v) {
		return dateTimeToXML(zone, v)
	}
	return v + firstOf[len(v)] + "T00:00:00", Converted, ""
}

// firstOf completes a date of a length to its first day.
var firstOf = map[int]string{len("2006"): "-01-01", len("2006-01"): "-01"}

func isDay(v string) bool { return len(v) == len(time.DateOnly) && isDate(v) }

// isDate reports whether v is a FHIR date: yyyy, yyyy-mm or yyyy-mm-dd.
func isDate(v string) bool {
	layouts := [len(time.DateOnly) + 1]string{4: "2006", 7: "2006-01", 10: time.DateOnly}
	if len(v) >= len(layouts) || layouts[len(v)] == "" {
		return false
	}
	_, err := time.Parse(layouts[len(v)], v)
	return err == nil
}
