package kith

import (
	"strings"
	"unicode/utf8"
)

// Classes of ASCII bytes in names (XML 1.0 fifth edition, productions 4 and 4a; the colon
// is left out, because it parts prefix and local name).
var nameStart, nameByte = nameClasses()

func nameClasses() (start, part [256]bool) {
	for b := range start {
		letter := b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '_'
		start[b] = letter || b >= utf8.RuneSelf
		part[b] = start[b] || b >= '0' && b <= '9' || b == '-' || b == '.'
	}
	return start, part
}

// nameEnd returns where the run of bytes that may stand in a qualified name ends.
func nameEnd(s string, from int) int {
	for from < len(s) && (nameByte[s[from]] || s[from] == ':') {
		from++
	}
	return from
}

// splitName parts a qualified name (Namespaces in XML 1.0, production 7).
func splitName(name string) (prefix, local string, ok bool) {
	prefix, local, colon := strings.Cut(name, ":")
	if !colon {
		return "", name, validName(name)
	}
	return prefix, local, validName(prefix) && validName(local)
}

// validName reports whether s is a name without colon.
func validName(s string) bool {
	if s == "" || !nameStart[s[0]] {
		return false
	}
	for i, r := range s {
		if r < utf8.RuneSelf {
			if !nameByte[r] {
				return false
			}
			continue
		}
		if !nameRune(r, i == 0) {
			return false
		}
	}
	return true
}

func nameRune(r rune, first bool) bool {
	switch {
	case r == 0xB7, r >= 0x300 && r <= 0x36F, r >= 0x203F && r <= 0x2040:
		return !first
	case r == 0xD7, r == 0xF7, r == 0x37E:
		return false
	}
	for _, span := range [...][2]rune{{0xC0, 0x2FF}, {0x370, 0x1FFF}, {0x200C, 0x200D}, {0x2070, 0x218F},
		{0x2C00, 0x2FEF}, {0x3001, 0xD7FF}, {0xF900, 0xFDCF}, {0xFDF0, 0xFFFD}, {0x10000, 0xEFFFF}} {
		if r >= span[0] && r <= span[1] {
			return true
		}
	}
	return false
}
