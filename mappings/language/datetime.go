package language

import (
	"strings"
	"time"
)

// A time on a wire without a zone is the party's. FHIR needs a zone with every time of
// day (R4 2.24.0.1), so it is written with the party's offset at that moment; the way
// back writes the party's local time, with an offset only where local time is ambiguous
// (the repeated hour in autumn).

const notATime = "not a time of this format"

// hl7ToDateTime reads HL7 TS/DTM (2.5 section 2.A.22): YYYY[MM[DD[HHMM[SS[.S[S[S[S]]]]]]]][+/-ZZZZ].
// Precision is kept, except that FHIR has no minutes without seconds: they become :00.
func hl7ToDateTime(zone *time.Location, v string) (string, Verdict, string) {
	body, offset := v, ""
	if i := strings.IndexAny(v, "+-"); i >= 0 {
		body, offset = v[:i], v[i:]
	}
	digits, fraction, hasFraction := strings.Cut(body, ".")
	if _, isDay := dayLayouts[len(digits)]; isDay && len(body) == len(v) && !hasFraction {
		return dateOf(digits)
	}
	if len(digits) == 12 && !hasFraction {
		digits += "00"
	}
	if len(digits) != 14 || !allDigits(digits) || hasFraction && !isFraction(fraction) {
		return "", Unconvertible, notATime
	}
	local := digits[:4] + "-" + digits[4:6] + "-" + digits[6:8] + "T" + digits[8:10] + ":" + digits[10:12] + ":" + digits[12:] + body[min(len(body), 14):]
	if offset == "" {
		return zoned(zone, local, "")
	}
	if len(offset) != 5 || !allDigits(offset[1:]) {
		return "", Unconvertible, notATime
	}
	return zoned(zone, local, offset[:3]+":"+offset[3:])
}

func isFraction(s string) bool { return allDigits(s) && len(s) <= 9 }

// dayLayouts are those of HL7 and of FHIR for a date, by the number of HL7's digits.
var dayLayouts = map[int][2]string{4: {"2006", "2006"}, 6: {"200601", "2006-01"}, 8: {"20060102", time.DateOnly}}

// dateOf makes a FHIR date of 4, 6 or 8 digits.
func dateOf(digits string) (string, Verdict, string) {
	layout := dayLayouts[len(digits)]
	day, err := time.Parse(layout[0], digits)
	if err != nil || day.Year() == 0 {
		return "", Unconvertible, notATime
	}
	return day.Format(layout[1]), Converted, ""
}

const localLayout = "2006-01-02T15:04:05"

// zoned gives local (yyyy-mm-ddThh:mm:ss[.fff]) its zone: offset, or the party's.
func zoned(zone *time.Location, local, offset string) (string, Verdict, string) {
	if offset != "" {
		if _, err := time.Parse(time.RFC3339, local+offset); err != nil {
			return "", Unconvertible, notATime
		}
		return local + offset, Converted, ""
	}
	t, err := time.ParseInLocation(localLayout, local, zone)
	if err != nil {
		return "", Unconvertible, notATime
	}
	if t.Format(localLayout) != local[:len(localLayout)] {
		return "", Unconvertible, "this local time does not exist in the party's time zone"
	}
	return local + t.Format("-07:00"), Converted, ""
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

func dateTimeToHL7(zone *time.Location, v string) (string, Verdict, string) {
	if isDate(v) {
		return strings.ReplaceAll(v, "-", ""), Converted, ""
	}
	local, offset, ok := localOf(zone, v)
	if !ok {
		return "", Unconvertible, notATime
	}
	return strings.NewReplacer("-", "", "T", "", ":", "").Replace(local) + strings.ReplaceAll(offset, ":", ""), Converted, ""
}

// hl7ToDate takes the date of a TS; a time of day has no place in a FHIR date.
func hl7ToDate(_ *time.Location, v string) (string, Verdict, string) {
	if len(v) > 8 && allDigits(v[:8]) {
		out, how, reason := dateOf(v[:8])
		if how == Converted {
			how, reason = Partly, "only the date has a place"
		}
		return out, how, reason
	}
	if _, isDay := dayLayouts[len(v)]; !isDay {
		return "", Unconvertible, notATime
	}
	return dateOf(v)
}

func dateToHL7(_ *time.Location, v string) (string, Verdict, string) {
	if !isDate(v) {
		return "", Unconvertible, notATime
	}
	return strings.ReplaceAll(v, "-", ""), Converted, ""
}

// hl7ToInstant makes RFC 3339 of a TS; a mere date becomes its first moment.
func hl7ToInstant(zone *time.Location, v string) (string, Verdict, string) {
	if len(v) == 8 {
		v += "000000"
	}
	out, how, reason := hl7ToDateTime(zone, v)
	if how == Converted && isDate(out) {
		return "", Unconvertible, "less precise than a day"
	}
	return out, how, reason
}

func instantToHL7(zone *time.Location, v string) (string, Verdict, string) {
	return dateTimeToHL7(zone, v)
}

// xmlToDateTime reads kith:TS: dateTime, date, gYearMonth or gYear.
func xmlToDateTime(zone *time.Location, v string) (string, Verdict, string) {
	v = strings.TrimSpace(v)
	if isDate(v) {
		return v, Converted, ""
	}
	if len(v) < len(localLayout) || v[10] != 'T' {
		return "", Unconvertible, notATime
	}
	n := len(localLayout)
	if rest, found := strings.CutPrefix(v[n:], "."); found {
		n += 1 + leadingDigits(rest)
	}
	return zoned(zone, v[:n], v[n:])
}

func dateTimeToXML(zone *time.Location, v string) (string, Verdict, string) {
	if isDate(v) {
		return v, Converted, ""
	}
	local, offset, ok := localOf(zone, v)
	if !ok {
		return "", Unconvertible, notATime
	}
	return local + offset, Converted, ""
}

// xmlToInstant makes RFC 3339; a mere date becomes its first moment.
func xmlToInstant(zone *time.Location, v string) (string, Verdict, string) {
	v = strings.TrimSpace(v)
	if len(v) == len(time.DateOnly) {
		v += "T00:00:00"
	}
	out, how, reason := xmlToDateTime(zone, v)
	if how == Converted && isDate(out) {
		return "", Unconvertible, "less precise than a day"
	}
	return out, how, reason
}

// xmlToDate reads an xs:date without a zone.
func xmlToDate(_ *time.Location, v string) (string, Verdict, string) {
	v = strings.TrimSpace(v)
	if len(v) != len(time.DateOnly) || !isDate(v) {
		return "", Unconvertible, notATime
	}
	return v, Converted, ""
}

// dateTimeToXMLDate writes the party's day of a date or dateTime.
func dateTimeToXMLDate(zone *time.Location, v string) (string, Verdict, string) {
	if isDate(v) {
		if len(v) == len(time.DateOnly) {
			return v, Converted, ""
		}
		return "", Unconvertible, "less precise than a day"
	}
	local, _, ok := localOf(zone, v)
	if !ok {
		return "", Unconvertible, notATime
	}
	return local[:len(time.DateOnly)], Partly, "only the date has a place"
}

// isDate reports whether v is a FHIR date: yyyy, yyyy-mm or yyyy-mm-dd.
func isDate(v string) bool {
	layouts := [len(time.DateOnly) + 1]string{4: "2006", 7: "2006-01", 10: time.DateOnly}
	if len(v) >= len(layouts) || layouts[len(v)] == "" {
		return false
	}
	_, err := time.Parse(layouts[len(v)], v)
	return err == nil
}

func allDigits(s string) bool {
	return s != "" && leadingDigits(s) == len(s)
}
