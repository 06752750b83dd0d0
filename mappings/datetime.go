package mappings

import (
	"strings"
	"time"
)

// A time on a wire without a zone is the party's. FHIR needs a zone with every time of
// day (R4 2.24.0.1), so it is written with the party's offset at that moment; the way
// back writes the party's local time, with an offset only where local time is ambiguous
// (the repeated hour in autumn).

func (cx *Context) location() *time.Location {
	if cx.Location == nil {
		return Oslo()
	}
	return cx.Location
}

const notATime = "not a time of this format"

// hl7ToDateTime reads HL7 TS/DTM (2.5 section 2.A.22): YYYY[MM[DD[HHMM[SS[.S[S[S[S]]]]]]]][+/-ZZZZ].
// Precision is kept, except that FHIR has no minutes without seconds: they become :00.
func hl7ToDateTime(cx *Context, v string) (string, verdict, string) {
	body, offset := v, ""
	if i := strings.IndexAny(v, "+-"); i >= 0 {
		body, offset = v[:i], v[i:]
	}
	digits, fraction, hasFraction := strings.Cut(body, ".")
	if !allDigits(digits) || hasFraction && (len(digits) != 14 || !allDigits(fraction) || len(fraction) > 9) {
		return "", unconvertible, notATime
	}
	switch len(digits) {
	case 4, 6, 8:
		if offset != "" {
			return "", unconvertible, notATime
		}
		return dateOf(digits)
	case 12:
		digits += "00"
	case 14:
	default:
		return "", unconvertible, notATime
	}
	local := digits[:4] + "-" + digits[4:6] + "-" + digits[6:8] + "T" + digits[8:10] + ":" + digits[10:12] + ":" + digits[12:]
	if hasFraction {
		local += "." + fraction
	}
	if offset != "" {
		if len(offset) != 5 || !allDigits(offset[1:]) {
			return "", unconvertible, notATime
		}
		offset = offset[:3] + ":" + offset[3:]
	}
	return zoned(cx, local, offset)
}

// dateOf makes a FHIR date of 4, 6 or 8 digits.
func dateOf(digits string) (string, verdict, string) {
	out, layout := digits[:4], "2006"
	if len(digits) >= 6 {
		out, layout = out+"-"+digits[4:6], "2006-01"
	}
	if len(digits) == 8 {
		out, layout = out+"-"+digits[6:], time.DateOnly
	}
	if _, err := time.Parse(layout, out); err != nil || digits[:4] == "0000" {
		return "", unconvertible, notATime
	}
	return out, converted, ""
}

const localLayout = "2006-01-02T15:04:05"

// zoned gives local (yyyy-mm-ddThh:mm:ss[.fff]) its zone: offset, or the party's.
func zoned(cx *Context, local, offset string) (string, verdict, string) {
	if offset != "" {
		if _, err := time.Parse(time.RFC3339, local+offset); err != nil {
			return "", unconvertible, notATime
		}
		return local + offset, converted, ""
	}
	t, err := time.ParseInLocation(localLayout, local, cx.location())
	if err != nil {
		return "", unconvertible, notATime
	}
	if t.Format(localLayout) != local[:len(localLayout)] {
		return "", unconvertible, "this local time does not exist in the party's time zone"
	}
	return local + t.Format("-07:00"), converted, ""
}

// localOf turns a FHIR dateTime into the party's local time with the fraction's digits
// kept, and the offset it needs to be unambiguous.
func localOf(cx *Context, v string) (local, offset string, ok bool) {
	t, err := time.Parse(time.RFC3339, v)
	if err != nil {
		return "", "", false
	}
	t = t.In(cx.location())
	local = t.Format(localLayout)
	if back, err := time.ParseInLocation(localLayout, local, cx.location()); err != nil || !back.Equal(t.Truncate(time.Second)) {
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

func dateTimeToHL7(cx *Context, v string) (string, verdict, string) {
	if isDate(v) {
		return strings.ReplaceAll(v, "-", ""), converted, ""
	}
	local, offset, ok := localOf(cx, v)
	if !ok {
		return "", unconvertible, notATime
	}
	return strings.NewReplacer("-", "", "T", "", ":", "").Replace(local) + strings.ReplaceAll(offset, ":", ""), converted, ""
}

// hl7ToDate takes the date of a TS; a time of day has no place in a FHIR date.
func hl7ToDate(_ *Context, v string) (string, verdict, string) {
	if len(v) > 8 && allDigits(v[:8]) {
		out, how, reason := dateOf(v[:8])
		if how == converted {
			how, reason = partly, "only the date has a place"
		}
		return out, how, reason
	}
	if !allDigits(v) || len(v) != 4 && len(v) != 6 && len(v) != 8 {
		return "", unconvertible, notATime
	}
	return dateOf(v)
}

func dateToHL7(_ *Context, v string) (string, verdict, string) {
	if !isDate(v) {
		return "", unconvertible, notATime
	}
	return strings.ReplaceAll(v, "-", ""), converted, ""
}

// hl7ToInstant makes RFC 3339 of a TS; a mere date becomes its first moment.
func hl7ToInstant(cx *Context, v string) (string, verdict, string) {
	if len(v) == 8 {
		v += "000000"
	}
	out, how, reason := hl7ToDateTime(cx, v)
	if how == converted && isDate(out) {
		return "", unconvertible, "less precise than a day"
	}
	return out, how, reason
}

func instantToHL7(cx *Context, v string) (string, verdict, string) { return dateTimeToHL7(cx, v) }

// xmlToDateTime reads kith:TS: dateTime, date, gYearMonth or gYear.
func xmlToDateTime(cx *Context, v string) (string, verdict, string) {
	v = strings.TrimSpace(v)
	if isDate(v) {
		return v, converted, ""
	}
	if len(v) < len(localLayout) || v[10] != 'T' {
		return "", unconvertible, notATime
	}
	n := len(localLayout)
	if n < len(v) && v[n] == '.' {
		for n++; n < len(v) && v[n] >= '0' && v[n] <= '9'; n++ {
		}
	}
	return zoned(cx, v[:n], v[n:])
}

func dateTimeToXML(cx *Context, v string) (string, verdict, string) {
	if isDate(v) {
		return v, converted, ""
	}
	local, offset, ok := localOf(cx, v)
	if !ok {
		return "", unconvertible, notATime
	}
	return local + offset, converted, ""
}

// xmlToInstant makes RFC 3339; a mere date becomes its first moment.
func xmlToInstant(cx *Context, v string) (string, verdict, string) {
	v = strings.TrimSpace(v)
	if len(v) == len(time.DateOnly) {
		v += "T00:00:00"
	}
	out, how, reason := xmlToDateTime(cx, v)
	if how == converted && isDate(out) {
		return "", unconvertible, "less precise than a day"
	}
	return out, how, reason
}

// xmlToDate reads an xs:date without a zone.
func xmlToDate(_ *Context, v string) (string, verdict, string) {
	v = strings.TrimSpace(v)
	if len(v) != len(time.DateOnly) || !isDate(v) {
		return "", unconvertible, notATime
	}
	return v, converted, ""
}

// dateTimeToXMLDate writes the party's day of a date or dateTime.
func dateTimeToXMLDate(cx *Context, v string) (string, verdict, string) {
	if isDate(v) {
		if len(v) == len(time.DateOnly) {
			return v, converted, ""
		}
		return "", unconvertible, "less precise than a day"
	}
	local, _, ok := localOf(cx, v)
	if !ok {
		return "", unconvertible, notATime
	}
	return local[:len(time.DateOnly)], partly, "only the date has a place"
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
