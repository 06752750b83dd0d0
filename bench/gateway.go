package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is the gateway under load.
type process struct {
	cmd        *exec.Cmd
	http, mllp string
	ready      time.Duration
	done       chan error
	stopOnce   sync.Once
	stopErr    error
}

func start(ctx context.Context, dir string, g Gateway) (*process, error) {
	log, err := os.Create(filepath.Join(dir, "gateway.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	c := &process{cmd: exec.CommandContext(ctx, g.Command[0], g.Command[1:]...), done: make(chan error, 1)}
	c.cmd.Stderr = log
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		_ = c.cmd.Wait()
		b, _ := os.ReadFile(log.Name())
		return nil, fmt.Errorf("bench: the gateway did not start: %s", lastLine(b))
	}
	c.ready = time.Since(began)
	go func() { c.done <- c.cmd.Wait() }()
	c.http, c.mllp = field(line, "http="), strings.Trim(field(line, "mllp="), "[]")
	return c, nil
}

func lastLine(b []byte) string {
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(lines[len(lines)-1])
}

func field(line, name string) string {
	for _, f := range strings.Fields(line) {
		if v, ok := strings.CutPrefix(f, name); ok {
			return v
		}
	}
	return ""
}

// stop asks the gateway to end and waits for it.
func (c *process) stop() error {
	c.stopOnce.Do(func() {
		_ = c.cmd.Process.Signal(syscall.SIGTERM)
		c.stopErr = <-c.done
	})
	return c.stopErr
}

// memory reads a line of /proc/PID/status.
func (c *process) memory(name string) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			kb, err := strconv.Atoi(strings.Fields(v)[0])
			if err == nil {
				return fmt.Sprintf("%.1f MB", float64(kb)/1024)
			}
		}
	}
	return "unknown"
}

// metric reads one series.
func (c *process) metric(ctx context.Context, name string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+c.http+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		if v, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(v), 64)
		}
	}
	return 0, fmt.Errorf("bench: no series %s", name)
}

// balance is the record's own sum, as GET /ledger/balance tells it.
type balance struct {
	Received, Delivered, Applied, Repeated, Refused, Parked, Moving int64

	Holds bool
}

func (c *process) balance(ctx context.Context, token string) (b balance, err error) {
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+c.http+"/ledger/balance", nil)
	if err != nil {
		return b, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return b, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return b, fmt.Errorf("bench: the balance was answered %s", resp.Status)
	}
	return b, json.NewDecoder(resp.Body).Decode(&b)
}

// settle waits until the whole path has caught up, bounded by the run's own length, and
// prints the record's own sum.
func (c *process) settle(ctx context.Context, out io.Writer, operator string, o Options, r *result) error {
	began := time.Now()
	var b balance
	for {
		var err error
		if b, err = c.balance(ctx, operator); err != nil {
			return err
		}
		if !o.Whole || b.Moving == 0 || time.Since(began) > time.Duration(o.Seconds)*time.Second {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	if o.Whole {
		all := r.took + time.Since(began)
		fmt.Fprintf(out, "whole path: %d delivered and receipted in %v: %.0f messages/s; %v to catch up after the load\n", b.Delivered,
			all.Round(time.Millisecond), float64(b.Delivered)/all.Seconds(), time.Since(began).Round(time.Millisecond))
	}
	fmt.Fprintf(out, "received %d = delivered %d + applied %d + repeated %d + refused %d + parked %d + moving %d\n",
		b.Received, b.Delivered, b.Applied, b.Repeated, b.Refused, b.Parked, b.Moving)
	if !b.Holds {
		return errors.New("bench: the balance does not hold")
	}
	fmt.Fprintln(out, "the balance holds")
	return nil
}
