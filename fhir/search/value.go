package search

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Normalise makes strings comparable (R4 3.1.1.4.8): lower case, no diacritics, letters
// without a decomposition as the letters they are typed with (ø as o, æ as ae), white
// space as single spaces.
func Normalise(s string) string {
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	space := false
	for _, r := range norm.NFD.String(s) {
		switch {
		case unicode.IsSpace(r):
			space = b.Len() > 0
			continue
		case unicode.Is(unicode.Mn, r) || r < 0x20 || r == utf8.RuneError:
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		r = unicode.ToLower(r)
		if typed, ok := typedAs[r]; ok {
			b.WriteString(typed)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// typedAs has the letters of Norwegian, Sami and neighbours that NFD does not take apart.
var typedAs = map[rune]string{'ø': "o", 'æ': "ae", 'đ': "d", 'ð': "d", 'ł': "l", 'ŋ': "n", 'ŧ': "t", 'þ': "th", 'œ': "oe",
	'ß': "ss", 'ı': "i"}

// isPlain tells a string that is its own normal form.
func isPlain(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c >= 0x80 || c < 0x20 || c >= 'A' && c <= 'Z' || c == ' ' && (i == 0 || i == len(s)-1 || s[i+1] == ' ') {
			return false
		}
	}
	return true
}

// dateRange reads a date, dateTime or instant as the time [low, high) that it covers to
// its precision (R4 3.1.1.4.6): a year, month, day, minute, second or fraction. Without
// zone it is in Europe/Oslo.
func dateRange(s string) (low, high time.Time, ok bool) {
	day, clock, hasClock := strings.Cut(s, "T")
	var parts [3]int
	count := 0
	for field := range strings.SplitSeq(day, "-") {
		if count == 3 || len(field) != 2+2*b2i(count == 0) {
			return low, high, false
		}
		if parts[count], ok = decimal(field); !ok {
			return low, high, false
		}
		count++
	}
	if hasClock && count < 3 {
		return low, high, false
	}
	year, month, dayOfMonth := parts[0], max(parts[1], b2i(count < 2)), max(parts[2], b2i(count < 3))
	low = time.Date(year, time.Month(month), dayOfMonth, 0, 0, 0, 0, zone())
	if year == 0 || low.Month() != time.Month(month) || low.Day() != dayOfMonth {
		return low, high, false // no such day
	}
	if hasClock {
		return clockRange(low, clock)
	}
	return low.UTC(), low.AddDate(b2i(count == 1), b2i(count == 2), b2i(count == 3)).UTC(), true
}

// clockRange reads hh:mm[:ss[.fff]][zone] on the day of low.
func clockRange(day time.Time, clock string) (low, high time.Time, ok bool) {
	clock, location, ok := splitZone(clock)
	if !ok || len(clock) < 5 || clock[2] != ':' {
		return low, high, false
	}
	hour, ok1 := decimal(clock[:2])
	minute, ok2 := decimal(clock[3:5])
	second, nanos, precision, ok3 := seconds(clock[5:])
	if !ok1 || !ok2 || !ok3 || hour > 23 || minute > 59 || second > 60 {
		return low, high, false
	}
	low = time.Date(day.Year(), day.Month(), day.Day(), hour, minute, second, nanos, location).UTC()
	return low, low.Add(precision), true
}

// splitZone takes the zone off a clock time. A space stands for the "+" that a URL
// without escaping loses.
func splitZone(clock string) (string, *time.Location, bool) {
	if rest, ok := strings.CutSuffix(clock, "Z"); ok {
		return rest, time.UTC, true
	}
	i := len(clock) - 6
	if i < 5 || clock[i] != '+' && clock[i] != '-' && clock[i] != ' ' {
		return clock, zone(), true
	}
	hours, ok1 := decimal(clock[i+1 : i+3])
	minutes, ok2 := decimal(clock[i+4:])
	if !ok1 || !ok2 || clock[i+3] != ':' || hours > 14 || minutes > 59 {
		return "", nil, false
	}
	offset := hours*3600 + minutes*60
	if clock[i] == '-' {
		offset = -offset
	}
	return clock[:i], time.FixedZone("", offset), true
}

func seconds(s string) (second, nanos int, precision time.Duration, ok bool) {
	if s == "" {
		return 0, 0, time.Minute, true
	}
	whole, fraction, hasFraction := strings.Cut(s, ".")
	if len(whole) != 3 || whole[0] != ':' {
		return 0, 0, 0, false
	}
	if second, ok = decimal(whole[1:]); !ok || !hasFraction {
		return second, 0, time.Second, ok
	}
	// The ledger keeps microseconds: finer digits are beyond what a search can tell apart.
	digits := fraction[:min(len(fraction), 6)]
	value, ok := decimal(digits)
	if _, rest := decimal(fraction[len(digits):]); !ok || !rest && len(fraction) > len(digits) {
		return 0, 0, 0, false
	}
	precision = time.Second
	for range digits {
		precision /= 10
	}
	return second, value * int(precision), precision, true
}

func decimal(s string) (int, bool) {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		if n < 1_000_000 {
			n = 10*n + int(s[i]-'0')
		}
	}
	return n, s != ""
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
