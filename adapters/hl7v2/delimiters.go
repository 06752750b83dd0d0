package hl7v2

import (
	"bytes"
	"strings"
)

// delimiters are the separators that MSH-1 and MSH-2 declare; a zero byte is not declared.
type delimiters struct {
	field, component, repetition, escape, subcomponent, truncation byte
}

// standardDelimiters are those that HL7 recommends (2.5 section 2.5.4).
var standardDelimiters = delimiters{'|', '^', '~', '\\', '&', 0}

// readDelimiters reads the start of an MSH segment, "MSH" + MSH-1 + MSH-2. ok is false
// where it declares none, or declares one twice, or one that text cannot do without.
func readDelimiters(msh []byte) (d delimiters, ok bool) {
	if len(msh) < 5 || !isDelimiter(msh[3]) {
		return d, false
	}
	d.field = msh[3]
	declared := msh[4:min(len(msh), 10)]
	declared = declared[:lengthUntil(declared, d.field, '\r', '\n')]
	if len(declared) < 1 || len(declared) > 5 {
		return d, false
	}
	for i, c := range declared {
		if !isDelimiter(c) || c == d.field || bytes.IndexByte(declared[:i], c) >= 0 {
			return d, false
		}
	}
	for i, into := range []*byte{&d.component, &d.repetition, &d.escape, &d.subcomponent, &d.truncation} {
		if i < len(declared) {
			*into = declared[i]
		}
	}
	return d, true
}

// isDelimiter reports whether c may separate: printable ASCII that is not a letter, a
// digit, a space or the quote of an explicit null.
func isDelimiter(c byte) bool {
	switch {
	case c <= ' ' || c > '~' || c == '"' || c == '.':
		return false
	case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z':
		return false
	}
	return true
}

// encodingCharacters is the MSH-2 that declares d.
func (d delimiters) encodingCharacters() string {
	var b strings.Builder
	for _, c := range []byte{d.component, d.repetition, d.escape, d.subcomponent, d.truncation} {
		if c == 0 {
			break
		}
		b.WriteByte(c)
	}
	return b.String()
}

// The classes of bytes inside a field.
const (
	classRepetition = 1 << iota
	classComponent
	classSubcomponent
	classEscape
	classHigh    // not ASCII
	classControl // not allowed in a message
)

// classes tells the class of every byte under d.
func (d delimiters) classes() *[256]byte {
	var t [256]byte
	for c := range t {
		switch {
		case c >= 0x80:
			t[c] = classHigh
		case c < ' ' && c != '\t' && c != '\n' || c == 0x7F:
			t[c] = classControl
		}
	}
	set := func(c byte, class byte) {
		if c != 0 {
			t[c] = class
		}
	}
	set(d.repetition, classRepetition)
	set(d.component, classComponent)
	set(d.subcomponent, classSubcomponent)
	set(d.escape, classEscape)
	return &t
}
