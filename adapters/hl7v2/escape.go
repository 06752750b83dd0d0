package hl7v2

import (
	"bytes"
	"encoding/hex"
	"unicode/utf8"
)

// unescape returns the value of a leaf: escapes resolved (HL7 2.5 section 2.7) and in
// UTF-8. An escape that is unknown, unclosed, or stands for bytes that are no text stays
// as it was written.
func (p *parser) unescape(raw []byte) string {
	out := p.resolve(raw, true)
	if p.set.table == nil && !utf8.Valid(out) {
		// A \X..\ gave half a character.
		out = p.resolve(raw, false)
	}
	return p.set.toUTF8(out)
}

// resolve replaces the escapes of raw, those in hexadecimal only where hexToo.
func (p *parser) resolve(raw []byte, hexToo bool) []byte {
	out := make([]byte, 0, len(raw))
	for {
		i := bytes.IndexByte(raw, p.d.escape)
		if i < 0 {
			return append(out, raw...)
		}
		out = append(out, raw[:i]...)
		end := bytes.IndexByte(raw[i+1:], p.d.escape)
		if end < 0 {
			return append(out, raw[i:]...)
		}
		end += i + 1
		var known bool
		if out, known = p.appendEscape(out, raw[i+1:end], hexToo); !known {
			out = append(out, raw[i:end+1]...)
		}
		raw = raw[end+1:]
	}
}

// appendEscape appends what the escape named code stands for.
func (p *parser) appendEscape(out, code []byte, hexToo bool) ([]byte, bool) {
	if len(code) == 1 {
		var c byte
		switch code[0] {
		case 'F':
			c = p.d.field
		case 'S':
			c = p.d.component
		case 'T':
			c = p.d.subcomponent
		case 'R':
			c = p.d.repetition
		case 'E':
			c = p.d.escape
		case 'P':
			c = p.d.truncation
		}
		if c == 0 {
			return out, false
		}
		return append(out, c), true
	}
	if string(code) == ".br" {
		return append(out, '\n'), true
	}
	if hexToo && len(code) > 2 && code[0] == 'X' {
		return appendHex(out, code[1:])
	}
	return out, false
}

// appendHex appends the bytes that digits name, unless one is a control character that no
// text holds: stores and XML refuse those.
func appendHex(out, digits []byte) ([]byte, bool) {
	if len(digits)%2 != 0 {
		return out, false
	}
	from := len(out)
	out, err := hex.AppendDecode(out, digits)
	if err != nil {
		return out[:from], false
	}
	for _, c := range out[from:] {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0x7F {
			return out[:from], false
		}
	}
	return out, true
}
