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
	if !allDigits(digits) || hasFraction && (len(digits) != 14 || !allDigits(fraction) || len(fraction) > 9) {
		return "", Unconvertible, notATime
	}
	switch len(digits) {
	case 4, 6, 8:
		if offset != "" {
			return "", Unconvertible, notATime
		}
		return dateOf(digits)
	case 12:
		digits += "00"
	case 14:
	default:
		return "", Unconvertible, notATime
	}
	local := digits[:4] + "-" + digits[4:6] + "-" + digits[6:8] + "T" + digits[8:10] + ":" + digits[10:12] + ":" + digits[12:]
	if hasFraction {
		local += "." + fraction
	}
	if offset != "" {
		if len(offset) != 5 || !allDigits(offset[1:]) {
			return "", Unconvertible, notATime
		}
		offset = offset[:3] + ":" + offset[3:]
	}
	return zoned(zone, local, offset)
}

// dateOf makes a FHIR date of 4, 6 or 8 digits.
func dateOf(digits string) (string, Verdict, string) {
	out, layout := digits[:4], "2006"
	if len(digits) >= 6 {
		out, layout = out+"-"+digits[4:6], "2006-01"
	}
	if len(digits) == 8 {
		out, layout = out+"-"+digits[6:], time.DateOnly
	}
	if _, err := time.Parse(layout, out); err != nil || digits[:4] == "0000" {
		return "", Unconvertible, notATime
	}
	return out, Converted, ""
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
		n := 0
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		local += "." + rest[:n]
	}
	return local, offset, true
}

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
	if !allDigits(v) || len(v) != 4 && len(v) != 6 && len(v) != 8 {
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
	if n < len(v) && v[n] == '.' {
		for n++; n < len(v) && v[n] >= '0' && v[n] <= '9'; n++ {
		}
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
	layout := ""
	switch len(v) {
	case 4:
		layout = "2006"
	case 7:
		layout = "2006-01"
	case 10:
		layout = time.DateOnly
	default:
		return false
	}
	_, err := time.Parse(layout, v)
	return err == nil
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
