package kith

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"stafett/handover"
)

var (
	bomUTF8 = []byte{0xEF, 0xBB, 0xBF}
	bomBE   = []byte{0xFE, 0xFF}
	bomLE   = []byte{0xFF, 0xFE}
)

// declarationSpan is how far into a document its XML declaration may reach.
const declarationSpan = 256

// decodeText returns raw as UTF-8 text by its byte order mark and XML declaration (XML 1.0
// appendix F). same says that the text is raw itself, so that offsets are raw's. The HTTP
// charset parameter plays no part: a stored message must read alike without its transport.
//
// A fault says that the bytes are not what they are declared to be: such a message is never
// taken, because a garbled name is another person's. The text beside it is the likeliest
// reading, good enough to find out who is to be told.
func decodeText(raw []byte) (text string, same bool, err error) {
	switch {
	case bytes.HasPrefix(raw, bomBE), bytes.HasPrefix(raw, []byte{0, '<', 0, '?'}):
		return decodeUTF16(raw, binary.BigEndian)
	case bytes.HasPrefix(raw, bomLE), bytes.HasPrefix(raw, []byte{'<', 0, '?', 0}):
		return decodeUTF16(raw, binary.LittleEndian)
	}
	declared := encodingKey(declaredEncoding(string(head(bytes.TrimPrefix(raw, bomUTF8)))))
	if table := singleByte[declared]; table != nil {
		return decodeSingleByte(raw, table)
	}
	text, err = decodeUTF8(raw)
	switch {
	case err != nil, slices.Contains(encodingsUTF8, declared):
	case strings.HasPrefix(declared, "utf16"), slices.Contains(encodingsWide, declared):
		err = readFault(handover.FaultMalformed, "the XML declaration says UTF-16, the bytes are not", 1, 1)
	default:
		err = readFault(handover.FaultUnsupported, "the declared character encoding is not taken", 1, 1)
	}
	return text, text == string(raw), err
}

// encodingsUTF8 are names of what is read as UTF-8, encodingsWide others of UTF-16, and
// singleByte the tables of 256 characters, all as encodingKey spells them.
var (
	encodingsUTF8 = []string{"", "utf8", "usascii", "ascii"}
	encodingsWide = []string{"unicode", "ucs2", "iso10646ucs2"}
	singleByte    = map[string]*charmap.Charmap{
		"iso88591": charmap.ISO8859_1, "iso885911987": charmap.ISO8859_1, "88591": charmap.ISO8859_1, "latin1": charmap.ISO8859_1, "l1": charmap.ISO8859_1,
		"iso885915": charmap.ISO8859_15, "latin9": charmap.ISO8859_15, "l9": charmap.ISO8859_15,
		"windows1252": charmap.Windows1252, "cp1252": charmap.Windows1252,
	}
)

// encodingKey is the name of an encoding without case and without what writers put between
// its parts.
func encodingKey(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("-_ :/\t\r\n", r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
}

func head(b []byte) []byte { return b[:min(len(b), declarationSpan)] }

// declaredEncoding returns the encoding named in the XML declaration that starts text, or "".
func declaredEncoding(text string) string {
	if !strings.HasPrefix(text, "<?xml") || len(text) < 6 || !isSpace(text[5]) {
		return ""
	}
	declaration, _, found := strings.Cut(text, "?>")
	if !found {
		return ""
	}
	_, after, found := strings.Cut(declaration, "encoding")
	if !found {
		return ""
	}
	after = strings.TrimLeft(after, " \t\r\n=")
	if after == "" || (after[0] != '"' && after[0] != '\'') {
		return ""
	}
	name, _, _ := strings.Cut(after[1:], after[:1])
	return name
}

// decodeUTF8 is raw where it is UTF-8; else every byte that is not is read as Latin-1.
func decodeUTF8(raw []byte) (string, error) {
	text := string(raw)
	if utf8.ValidString(text) {
		return text, nil
	}
	var b strings.Builder
	var fault error
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && size == 1 {
			r = rune(text[i])
			if fault == nil {
				line, column := position(text, i)
				fault = readFault(handover.FaultMalformed, "bytes that are not UTF-8", line, column)
			}
		}
		b.WriteRune(r)
		i += size
	}
	return b.String(), fault
}

// decodeSingleByte reads raw by a table. UTF-8 under such a declaration shows: it is valid as
// UTF-8, which text in these tables is not by chance; or its bytes make control characters
// (C1), or pairs of letter and sign, that no text holds.
func decodeSingleByte(raw []byte, table *charmap.Charmap) (text string, same bool, err error) {
	mistaken := func(at int, what string) (string, bool, error) {
		text, _ := decodeUTF8(raw)
		line, column := position(string(raw), at)
		return text, text == string(raw), readFault(handover.FaultMalformed, what, line, column)
	}
	if bytes.HasPrefix(raw, bomUTF8) {
		return mistaken(0, "the byte order mark says UTF-8, the XML declaration another encoding")
	}
	text, err = table.NewDecoder().String(string(raw))
	if at := firstMistaken(raw, table); err != nil || at >= 0 {
		return mistaken(max(at, 0), "bytes that are not of the declared encoding")
	}
	return text, false, nil
}

// firstMistaken is where raw shows that it is not of the table, or -1.
func firstMistaken(raw []byte, table *charmap.Charmap) int {
	first := bytes.IndexFunc(raw, func(r rune) bool { return r >= utf8.RuneSelf })
	if first >= 0 && utf8.Valid(raw) {
		return first
	}
	for i, b := range raw {
		r := table.DecodeByte(b)
		pair := (b == 0xC2 || b == 0xC3) && i+1 < len(raw) && raw[i+1] >= 0x80 && raw[i+1] <= 0xBF
		if r == utf8.RuneError || r >= 0x80 && r <= 0x9F || pair {
			return i
		}
	}
	return -1
}

// decodeUTF16 is strict where x/text's decoder would put U+FFFD for a lone surrogate.
func decodeUTF16(raw []byte, order binary.ByteOrder) (text string, same bool, err error) {
	var b strings.Builder
	b.Grow(len(raw))
	mark := func(what string) {
		if err == nil {
			line, column := position(b.String(), b.Len())
			err = readFault(handover.FaultMalformed, what, line, column)
		}
	}
	if len(raw)%2 != 0 {
		err = readFault(handover.FaultMalformed, "an odd number of bytes in UTF-16", 1, 1)
	}
	for i := 0; i+1 < len(raw); i += 2 {
		r := rune(order.Uint16(raw[i:]))
		if utf16.IsSurrogate(r) {
			low := rune(utf8.RuneError)
			if i+3 < len(raw) {
				low = rune(order.Uint16(raw[i+2:]))
			}
			if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
				mark("a lone surrogate in UTF-16")
			} else {
				i += 2
			}
		}
		b.WriteRune(r)
	}
	text = b.String()
	declared := encodingKey(declaredEncoding(strings.TrimPrefix(text, "\uFEFF")))
	if declared != "" && !strings.HasPrefix(declared, "utf16") && !slices.Contains(encodingsWide, declared) && err == nil {
		err = readFault(handover.FaultMalformed, "the bytes are UTF-16, the XML declaration says another encoding", 1, 1)
	}
	return text, false, err
}

// position returns the 1-based line and byte column of offset at in text.
func position(text string, at int) (line, column int) {
	before := text[:at]
	return strings.Count(before, "\n") + 1, at - strings.LastIndexByte(before, '\n')
}
