package handover

import (
	"regexp"
	"strings"
	"unicode"
)

// PlainNumber is a HER-id or an organisation number without what people group digits with:
// white space of any kind, dots and hyphens; and without leading zeros. Two spellings of one
// number are equal in it. What holds anything else is only trimmed.
func PlainNumber(s string) string {
	plain := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		if unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || strings.ContainsRune(".-‐‑–", r) {
			return -1
		}
		return 'x'
	}, s)
	if plain == "" || strings.Contains(plain, "x") {
		return strings.TrimSpace(s)
	}
	if short := strings.TrimLeft(plain, "0"); short != "" {
		return short
	}
	return plain
}

// uuids are UUIDs as they are written alone, in braces and as URNs.
var uuids = regexp.MustCompile(`^(?i:urn:uuid:|\{)?([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\}?$`)

// PlainID is an id of a message in the one spelling by which it is compared: a UUID in lower
// case (RFC 9562 section 4: its letters are of either case), without braces and "urn:uuid:";
// another id only without the white space around it.
func PlainID(s string) string {
	s = strings.TrimSpace(s)
	if m := uuids.FindStringSubmatch(s); m != nil {
		return strings.ToLower(m[1])
	}
	return s
}
