package hl7v2

import (
	"slices"
	"strings"
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

var (
	ascii   = charset{name: "ASCII", ascii: true}
	latin1  = charset{name: "8859/1", table: charmap.ISO8859_1}
	latin9  = charset{name: "8859/15", table: charmap.ISO8859_15}
	windows = charset{name: "WINDOWS-1252", table: charmap.Windows1252}
	unicode = charset{name: "UNICODE UTF-8"}
)

// charsets are by their names in table 0211 and by those that senders write, without case,
// blanks and hyphens.
var charsets = map[string]charset{
	"ASCII": ascii, "USASCII": ascii,
	"8859/1": latin1, "ISO8859/1": latin1, "ISO88591": latin1, "ISO_88591": latin1, "88591": latin1, "LATIN1": latin1,
	"8859/15": latin9, "ISO8859/15": latin9, "ISO885915": latin9, "ISO_885915": latin9, "885915": latin9, "LATIN9": latin9,
	"WINDOWS1252": windows, "CP1252": windows, "1252": windows,
	"UNICODEUTF8": unicode, "UTF8": unicode, "UNICODE": unicode,
}

var nameNoise = strings.NewReplacer(" ", "", "-", "", "\t", "")

// KnowsCharset reports whether name names a character set that is taken.
func (c *Codec) KnowsCharset(name string) bool {
	_, ok := charsets[strings.ToUpper(nameNoise.Replace(name))]
	return ok
}

// charsetNamed returns the character set for a value of MSH-18.
func (c *Codec) charsetNamed(name string) (charset, bool) {
	if name = strings.TrimSpace(name); name == "" || name == Null {
		if name = c.Charset; name == "" {
			name = "UNICODE UTF-8"
		}
	}
	set, ok := charsets[strings.ToUpper(nameNoise.Replace(name))]
	return set, ok
}

// betrayed is the set that the bytes are in, where they cannot be in the one-byte set that
// was named: text beyond ASCII that is whole UTF-8 is no Latin text, and bytes 0x80 to 0x9F,
// which are control characters there, are letters and quotes in Windows-1252.
func (s charset) betrayed(raw []byte) (charset, bool) {
	switch {
	case s.table == nil || isASCII(string(raw)):
		return s, false
	case utf8.Valid(raw):
		return unicode, true
	case s.table == charmap.ISO8859_1 && slices.ContainsFunc(raw, isC1):
		return windows, true
	}
	return s, false
}

// isC1 reports a byte that is a control character in ISO 8859.
func isC1(c byte) bool { return c >= 0x80 && c <= 0x9F }

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
