package demo

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// The bytes around a message on MLLP.
const (
	frameStart = 0x0b
	frameEnd   = 0x1c
	frameLast  = 0x0d
)

// messageMax bounds what a simulated party reads.
const messageMax = 4 << 20

// exchangeMax bounds one exchange on a connection.
const exchangeMax = 30 * time.Second

func writeFrame(w net.Conn, raw []byte) error {
	out := append(append([]byte{frameStart}, raw...), frameEnd, frameLast)
	_, err := w.Write(out)
	return err
}

func readFrame(r *bufio.Reader) ([]byte, error) {
	start, err := r.ReadByte()
	if err != nil {
		return nil, err
	}
	if start != frameStart {
		return nil, errors.New("demo: no MLLP start byte")
	}
	var out []byte
	for len(out) < messageMax {
		c, err := r.ReadByte()
		if err != nil {
			return nil, err
		}
		if c != frameEnd {
			out = append(out, c)
			continue
		}
		if last, err := r.ReadByte(); err != nil || last != frameLast {
			return nil, errors.New("demo: no carriage return after the MLLP end byte")
		}
		return out, nil
	}
	return nil, errors.New("demo: MLLP message too large")
}

// Hospital speaks HL7 v2 over MLLP and nothing else.
type Hospital struct {
	listener net.Listener
	now      func() time.Time
	inbox    *inbox
	running  sync.WaitGroup

	mu    sync.Mutex
	open  map[net.Conn]bool
	ended bool
}

func startHospital(now func() time.Time) (*Hospital, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("demo: hospital: %w", err)
	}
	h := &Hospital{listener: l, now: now, inbox: newInbox(), open: map[net.Conn]bool{}}
	h.running.Go(h.accept)
	return h, nil
}

// URL is where the hospital receives.
func (h *Hospital) URL() string { return "mllp://" + h.listener.Addr().String() }

// Close stops receiving.
func (h *Hospital) Close() {
	h.listener.Close()
	h.mu.Lock()
	h.ended = true
	for c := range h.open {
		c.Close()
	}
	h.mu.Unlock()
	h.running.Wait()
}

func (h *Hospital) accept() {
	for {
		c, err := h.listener.Accept()
		if err != nil {
			return
		}
		h.mu.Lock()
		if h.ended {
			h.mu.Unlock()
			c.Close()
			return
		}
		h.open[c] = true
		h.mu.Unlock()
		h.running.Go(func() { h.receive(c) })
	}
}

func (h *Hospital) receive(c net.Conn) {
	defer func() {
		c.Close()
		h.mu.Lock()
		delete(h.open, c)
		h.mu.Unlock()
	}()
	r := bufio.NewReader(c)
	for {
		raw, err := readFrame(r)
		if err != nil {
			return
		}
		msh := segment(raw, "MSH")
		id, typ := field(msh, 9), field(msh, 8)
		code := "AA"
		if field(msh, 14) == "AL" {
			code = "CA"
		}
		if parts := strings.Split(typ, "^"); parts[0] == "ACK" {
			typ = "ACK"
		} else if len(parts) > 1 {
			typ = parts[0] + "^" + parts[1]
		}
		if id == "" || typ == "" {
			code = code[:1] + "E"
		}
		answer, err := fill("ack.hl7", map[string]string{"NOW": hl7Time(h.now()), "ID": newControlID(), "CODE": code, "ORIGINAL": id})
		if err != nil {
			return
		}
		// Stored first, then answered; what was here before is answered again only.
		if !h.inbox.seen(id) {
			h.inbox.put(Arrival{Type: typ, ID: id, At: h.now(), Raw: raw})
		}
		if err := writeFrame(c, answer); err != nil {
			return
		}
	}
}

// Send sends one message on a connection of its own and returns the answer's bytes.
func (h *Hospital) Send(ctx context.Context, addr string, raw []byte) ([]byte, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("hospital: connect: %w", err)
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	if err := c.SetDeadline(time.Now().Add(exchangeMax)); err != nil {
		return nil, fmt.Errorf("hospital: %w", err)
	}
	if err := writeFrame(c, raw); err != nil {
		return nil, fmt.Errorf("hospital: send: %w", err)
	}
	answer, err := readFrame(bufio.NewReader(c))
	if err != nil {
		return nil, fmt.Errorf("hospital: no answer on the connection: %w", err)
	}
	return answer, nil
}

// segment returns the first segment of a name, as text.
func segment(raw []byte, name string) string {
	for _, s := range bytes.Split(raw, []byte{'\r'}) {
		if bytes.HasPrefix(s, []byte(name+"|")) {
			return string(s)
		}
	}
	return ""
}

// field returns the n-th text between the separators of a segment, the name being number
// 0; in MSH, whose separator is a field, MSH-10 is number 9.
func field(segment string, n int) string {
	parts := strings.Split(segment, "|")
	if n >= len(parts) {
		return ""
	}
	return parts[n]
}
