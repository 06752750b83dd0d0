package kith

import (
	"bytes"
	"encoding/binary"
	"strings"
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
func decodeText(raw []byte) (text string, same bool, err error) {
	switch {
	case bytes.HasPrefix(raw, bomBE), bytes.HasPrefix(raw, []byte{0, '<', 0, '?'}):
		return decodeUTF16(raw, binary.BigEndian)
	case bytes.HasPrefix(raw, bomLE), bytes.HasPrefix(raw, []byte{'<', 0, '?', 0}):
		return decodeUTF16(raw, binary.LittleEndian)
	}
	declared := strings.ToLower(declaredEncoding(string(head(bytes.TrimPrefix(raw, bomUTF8)))))
	marked := bytes.HasPrefix(raw, bomUTF8)
	switch declared {
	case "", "utf-8", "utf8":
		return string(raw), true, nil
	case "us-ascii", "ascii":
		return string(raw), true, nil
	case "iso-8859-1", "iso_8859-1", "latin1", "windows-1252", "cp1252":
		if marked {
			return "", false, readFault(handover.FaultMalformed, "the byte order mark says UTF-8, the XML declaration another encoding", 1, 1)
		}
		return decodeSingleByte(raw, declared)
	case "utf-16", "utf-16le", "utf-16be":
		return "", false, readFault(handover.FaultMalformed, "the XML declaration says UTF-16, the bytes are not", 1, 1)
	}
	return "", false, readFault(handover.FaultUnsupported, "the declared character encoding is not taken", 1, 1)
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

func decodeSingleByte(raw []byte, name string) (string, bool, error) {
	table := charmap.ISO8859_1
	if strings.HasSuffix(name, "1252") {
		table = charmap.Windows1252
	}
	text, err := table.NewDecoder().String(string(raw))
	if err != nil {
		return "", false, readFault(handover.FaultMalformed, "bytes outside the declared encoding", 1, 1)
	}
	// No byte of either table stands for U+FFFD: it marks a byte that the table lacks.
	if at := strings.IndexRune(text, utf8.RuneError); at >= 0 {
		line, column := position(text, at)
		return "", false, readFault(handover.FaultMalformed, "a byte outside the declared encoding", line, column)
	}
	return text, false, nil
}

// decodeUTF16 is strict where x/text's decoder would put U+FFFD for a lone surrogate.
func decodeUTF16(raw []byte, order binary.ByteOrder) (string, bool, error) {
	if len(raw)%2 != 0 {
		return "", false, readFault(handover.FaultMalformed, "an odd number of bytes in UTF-16", 1, 1)
	}
	var b strings.Builder
	b.Grow(len(raw))
	for i := 0; i < len(raw); i += 2 {
		r := rune(order.Uint16(raw[i:]))
		if utf16.IsSurrogate(r) {
			low := rune(utf8.RuneError)
			if i+2 < len(raw) {
				low = rune(order.Uint16(raw[i+2:]))
			}
			if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
				line, column := position(b.String(), b.Len())
				return "", false, readFault(handover.FaultMalformed, "a lone surrogate in UTF-16", line, column)
			}
			i += 2
		}
		b.WriteRune(r)
	}
	text := b.String()
	declared := strings.ToLower(declaredEncoding(strings.TrimPrefix(text, "\uFEFF")))
	if declared != "" && !strings.HasPrefix(declared, "utf-16") {
		return "", false, readFault(handover.FaultMalformed, "the bytes are UTF-16, the XML declaration says another encoding", 1, 1)
	}
	return text, false, nil
}

// position returns the 1-based line and byte column of offset at in text.
func position(text string, at int) (line, column int) {
	before := text[:at]
	return strings.Count(before, "\n") + 1, at - strings.LastIndexByte(before, '\n')
}
