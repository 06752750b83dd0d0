package hl7v2

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// The bytes of an MLLP frame (MLLP release 1): startBlock, message, endBlock, carriageReturn.
const (
	startBlock     = 0x0B
	endBlock       = 0x1C
	carriageReturn = 0x0D
)

// garbageMax is how many bytes outside frames are passed over before one.
const garbageMax = 1024

var (
	errGarbage   = errors.New("hl7v2: too many bytes outside an MLLP frame")
	errOversized = errors.New("hl7v2: an MLLP frame over the limit")
)

// frame wraps raw. ok is false where raw holds bytes that end or start a frame.
func frame(raw []byte) (framed []byte, ok bool) {
	if bytes.IndexByte(raw, startBlock) >= 0 || bytes.IndexByte(raw, endBlock) >= 0 {
		return nil, false
	}
	framed = make([]byte, 0, len(raw)+3)
	framed = append(framed, startBlock)
	framed = append(framed, raw...)
	return append(framed, endBlock, carriageReturn), true
}

// awaitFrame passes over bytes up to the start of a frame, and over it.
func awaitFrame(r *bufio.Reader) error {
	for range garbageMax + 1 {
		c, err := r.ReadByte()
		if err != nil || c == startBlock {
			return err
		}
	}
	return errGarbage
}

// readFrame reads the rest of a frame whose start has been read. room is asked before the
// message grows to a size. Over limit it returns the start of the message, and the last
// bytes that were read, with errOversized; the rest is still unread.
func readFrame(r *bufio.Reader, limit int, room func(size int) error) ([]byte, error) {
	var out []byte
	for {
		part, err := r.ReadSlice(endBlock)
		if len(out)+len(part) > limit+1 {
			start := out[:min(len(out), headerBytes)]
			return append(start[:len(start):len(start)], part...), errOversized
		}
		if size := len(out) + len(part); size > cap(out) {
			size = min(max(size, 2*cap(out), 4<<10), limit+1)
			if err := room(size); err != nil {
				return out, err
			}
			grown := make([]byte, len(out), size)
			copy(grown, out)
			out = grown
		}
		out = append(out, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF):
			return out, io.ErrUnexpectedEOF
		case err != nil:
			return out, err
		}
		next, err := r.Peek(1)
		if errors.Is(err, io.EOF) {
			return out, io.ErrUnexpectedEOF
		}
		if err != nil {
			return out, err
		}
		// An end block that no carriage return follows is a byte of the message, which
		// the parser then refuses with its place.
		if next[0] == carriageReturn {
			_, _ = r.Discard(1)
			return out[:len(out)-1], nil
		}
	}
}

// passFrame reads the rest of a frame without keeping it, at most limit bytes; last is the
// last byte that was read of it.
func passFrame(r *bufio.Reader, limit int, last byte) error {
	for range limit {
		c, err := r.ReadByte()
		if err != nil {
			return err
		}
		if last == endBlock && c == carriageReturn {
			return nil
		}
		last = c
	}
	return errOversized
}
