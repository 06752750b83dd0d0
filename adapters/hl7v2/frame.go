package hl7v2

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"time"
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

// isPadding reports what senders put between frames: line ends, NUL, blanks and tabs, as a
// sign of life too.
func isPadding(c byte) bool { return c == '\r' || c == '\n' || c == 0 || c == ' ' || c == '\t' }

// awaitFrame passes over bytes up to the start of a frame, and over it; garbage is how many
// of them were no padding.
func awaitFrame(r *bufio.Reader) (garbage int, err error) {
	for garbage <= garbageMax {
		c, err := r.ReadByte()
		if err != nil || c == startBlock {
			return garbage, err
		}
		if !isPadding(c) {
			garbage++
		}
	}
	return garbage, errGarbage
}

// incoming reads what stands in frames.
type incoming struct {
	*bufio.Reader
	// brief bounds the next read to endGrace, and false ends that.
	brief func(bool)
}

// endGrace is how long the carriage return after an end block is waited for. A sender that
// writes none waits for its answer.
const endGrace = 200 * time.Millisecond

// content gives take the bytes up to the end of a frame whose start has been read, part by
// part; a part is valid until take returns. restarted: a start block stands inside, and has
// been read, so that what follows is another frame.
func (in incoming) content(take func(part []byte) error) (restarted bool, err error) {
	for {
		if _, err := in.Peek(1); err != nil {
			return false, cut(err)
		}
		part, _ := in.Peek(in.Buffered())
		end := bytes.IndexByte(part, endBlock)
		if end >= 0 {
			part = part[:end]
		}
		start := bytes.IndexByte(part, startBlock)
		if start >= 0 {
			part = part[:start]
		}
		if err := take(part); err != nil {
			return false, err
		}
		_, _ = in.Discard(len(part))
		switch {
		case start >= 0:
			_, _ = in.Discard(1)
			return true, nil
		case end < 0:
			continue
		}
		_, _ = in.Discard(1)
		if in.ended() {
			return false, nil
		}
		// A byte of the message, which the parser refuses with its place.
		if err := take([]byte{endBlock}); err != nil {
			return false, err
		}
	}
}

// cut is the error of a frame that has no end.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// ended reports whether the end block that has been read ends the frame: a carriage return,
// padding, another frame or nothing follows.
func (in incoming) ended() bool {
	if in.Buffered() == 0 {
		in.brief(true)
		defer in.brief(false)
	}
	next, err := in.Peek(1)
	if err != nil {
		return true
	}
	if next[0] == carriageReturn {
		_, _ = in.Discard(1)
		return true
	}
	return isPadding(next[0]) || next[0] == startBlock
}

// readFrame reads the rest of a frame whose start has been read, of at most limit bytes;
// room is asked before the message grows to a size. With errOversized the rest is unread.
func (in incoming) readFrame(limit int, room func(size int) error) (out []byte, restarted bool, err error) {
	restarted, err = in.content(func(part []byte) error {
		size := len(out) + len(part)
		if size > limit {
			return errOversized
		}
		if size > cap(out) {
			size = min(max(size, 2*cap(out), 4<<10), limit)
			if err := room(size); err != nil {
				return err
			}
			grown := make([]byte, len(out), size)
			copy(grown, out)
			out = grown
		}
		out = append(out, part...)
		return nil
	})
	return out, restarted, err
}

// passFrame reads the rest of a frame into seen, without keeping it, at most limit bytes.
func (in incoming) passFrame(limit int, seen io.Writer) (restarted bool, err error) {
	left := limit
	return in.content(func(part []byte) error {
		if left -= len(part); left < 0 {
			return errOversized
		}
		_, err := seen.Write(part)
		return err
	})
}
