package hl7v2

import (
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
)

// charset is a character set of HL7 table 0211. All that are taken hold ASCII in its own
// place, so that delimiters are found, and positions counted, in the received bytes.
type charset struct {
	name string
	// table maps single bytes; nil for UTF-8 and ASCII.
	table *charmap.Charmap
	ascii bool
}

var charsets = map[string]charset{
	"ASCII":         {name: "ASCII", ascii: true},
	"8859/1":        {name: "8859/1", table: charmap.ISO8859_1},
	"8859/15":       {name: "8859/15", table: charmap.ISO8859_15},
	"UNICODE UTF-8": {name: "UNICODE UTF-8"},
	// Not in the table, but common and clear.
	"UTF-8": {name: "UNICODE UTF-8"},
}

// charsetNamed returns the character set for a value of MSH-18.
func (c *Codec) charsetNamed(name string) (charset, bool) {
	if name == "" || name == Null {
		if name = c.Charset; name == "" {
			name = "UNICODE UTF-8"
		}
	}
	set, ok := charsets[name]
	return set, ok
}

// invalidAt returns the offset of the first byte of raw that is not in the set, or -1.
func (s charset) invalidAt(raw []byte) int {
	if s.table != nil || (!s.ascii && utf8.Valid(raw)) {
		return -1
	}
	for i := 0; i < len(raw); {
		if raw[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRune(raw[i:])
		if s.ascii || (r == utf8.RuneError && size == 1) {
			return i
		}
		i += size
	}
	return -1
}

// toUTF8 turns bytes of the set into UTF-8. Every byte of the single-byte sets has a
// character, so it cannot fail on them.
func (s charset) toUTF8(b []byte) string {
	if s.table == nil {
		return string(b)
	}
	out := make([]byte, 0, len(b)+len(b)/2)
	for _, c := range b {
		out = utf8.AppendRune(out, s.table.DecodeByte(c))
	}
	return string(out)
}

// encoder returns what writes the set, or nil where UTF-8 is already right.
func (s charset) encoder() *encoding.Encoder {
	if s.table == nil {
		return nil
	}
	return s.table.NewEncoder()
}
