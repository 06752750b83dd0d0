package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
	"golang.org/x/time/rate"
)

// benchOptions say what load to put on a gateway that bench starts as a process of its own.
type benchOptions struct {
	seconds     int
	connections int
	rate        int
	whole       bool
	readers     bool
	keep        bool
}

func benchCommand() *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{Use: "bench", Short: "Load a gateway on this machine with ready-for-discharge messages over MLLP",
		Long: "bench starts a gateway as a process of its own on embedded defaults, sends it ADT^A16 messages over MLLP for --seconds " +
			"and prints rates, latencies, lag, rows and memory. Without --whole the receiver is away, so that intake alone is measured; " +
			"with it the municipality takes and receipts every message.", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runBench(cmd.Context(), cmd.OutOrStdout(), o) }}
	cmd.Flags().IntVar(&o.seconds, "seconds", 60, "how long the load lasts")
	cmd.Flags().IntVar(&o.connections, "connections", 32, "MLLP connections, each with one message in hand")
	cmd.Flags().IntVar(&o.rate, "rate", 0, "messages a second to offer; 0 for as many as are answered")
	cmd.Flags().BoolVar(&o.whole, "whole", false, "measure the whole path: delivered, receipted, events")
	cmd.Flags().BoolVar(&o.readers, "readers", false, "give each of the three parties its own event stream, as when all of them subscribe")
	cmd.Flags().BoolVar(&o.keep, "keep", false, "keep the folder")
	return cmd
}

func runBench(ctx context.Context, out io.Writer, o benchOptions) error {
	if o.seconds < 1 || o.seconds > 3600 || o.connections < 1 || o.connections > 200 {
		return errors.New("bench: 1 to 3600 seconds, 1 to 200 connections")
	}
	dir, err := os.MkdirTemp("", "stafett-bench-")
	if err != nil {
		return err
	}
	if !o.keep {
		defer os.RemoveAll(dir)
	}
	fsyncs, err := fsyncRate(dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "folder %s, %.0f fsync/s of 4 KB\n", dir, fsyncs)
	box := newSandbox(dir)
	peer, err := startPeer(box, o.whole)
	if err != nil {
		return err
	}
	defer peer.close()
	g, err := startChild(ctx, box, func(c *Config) {
		if !o.readers {
			c.Events.Readers = nil
		}
		if !o.whole {
			// The receiver stays away: trying it again and again is not what is measured.
			c.Delivery.RetryMin, c.Delivery.RetryMax = 30*time.Minute, time.Hour
		}
	})
	if err != nil {
		return err
	}
	defer g.stop()
	peer.target(g.http, box.tokens[kommune])
	fmt.Fprintf(out, "ready after %v, idle VmRSS %s\n", g.ready.Round(time.Millisecond), g.memory("VmRSS"))
	r := load(ctx, o, g)
	r.print(out, o)
	if err := g.settle(ctx, out, box, o, r); err != nil {
		return err
	}
	fmt.Fprintf(out, "VmRSS %s, peak VmHWM %s\n", g.memory("VmRSS"), g.memory("VmHWM"))
	if err := g.stop(); err != nil {
		return err
	}
	cpu := g.cmd.ProcessState.UserTime() + g.cmd.ProcessState.SystemTime()
	fmt.Fprintf(out, "gateway's CPU: %v for each message sent\n", (cpu / time.Duration(max(r.answered.Load(), 1))).Round(time.Microsecond))
	return printRows(ctx, out, filepath.Join(dir, "ledger.db"), r.answered.Load())
}

// fsyncRate is how often a second the disk takes a synced write, over half a second.
func fsyncRate(dir string) (float64, error) {
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	page, start, n := make([]byte, 4096), time.Now(), 0
	for time.Since(start) < 500*time.Millisecond {
		if _, err := f.WriteAt(page, 0); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		n++
	}
	return float64(n) / time.Since(start).Seconds(), nil
}

// child is the gateway under load.
type child struct {
	cmd        *exec.Cmd
	http, mllp string
	ready      time.Duration
	done       chan error
	stopOnce   sync.Once
	stopErr    error
}

func startChild(ctx context.Context, box *sandbox, change func(*Config)) (*child, error) {
	cfg, err := box.config()
	if err != nil {
		return nil, err
	}
	change(&cfg)
	raw, err := yaml.Marshal(cfg)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(box.dir, "stafett.yaml")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(box.dir, "gateway.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	c := &child{cmd: exec.CommandContext(ctx, self, "serve", "--config", path), done: make(chan error, 1)}
	c.cmd.Stderr = log
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		_ = c.cmd.Wait()
		b, _ := os.ReadFile(log.Name())
		return nil, fmt.Errorf("bench: the gateway did not start: %s", lastLine(b))
	}
	c.ready = time.Since(start)
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
func (c *child) stop() error {
	c.stopOnce.Do(func() {
		_ = c.cmd.Process.Signal(syscall.SIGTERM)
		c.stopErr = <-c.done
	})
	return c.stopErr
}

// memory reads a line of /proc/PID/status.
func (c *child) memory(name string) string {
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

// result is what the load met.
type result struct {
	answered, refused atomic.Int64
	latencies         []time.Duration
	took              time.Duration
	lag               time.Duration // the most that was seen
	backlog           []int64       // open deliveries, sampled each fifth of the run
	failure           error
}

// load keeps every connection busy for o.seconds.
func load(ctx context.Context, o benchOptions, g *child) *result {
	r := &result{}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(o.seconds)*time.Second)
	defer cancel()
	limit := rate.NewLimiter(rate.Inf, 1)
	if o.rate > 0 {
		limit = rate.NewLimiter(rate.Limit(o.rate), o.connections)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	start := time.Now()
	for i := range o.connections {
		wg.Add(1)
		go func() {
			defer wg.Done()
			own, err := sendLoop(ctx, g.mllp, i, limit, r)
			mu.Lock()
			r.latencies = append(r.latencies, own...)
			if err != nil && r.failure == nil {
				r.failure = err
			}
			mu.Unlock()
		}()
	}
	wg.Add(1)
	go func() { defer wg.Done(); g.sample(ctx, o, r) }()
	wg.Wait()
	r.took = time.Since(start)
	slices.Sort(r.latencies)
	return r
}

// sendLoop sends one message after another on one connection.
func sendLoop(ctx context.Context, addr string, connection int, limit *rate.Limiter, r *result) ([]time.Duration, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	var own []time.Duration
	for n := 0; ctx.Err() == nil; n++ {
		if limit.Wait(ctx) != nil {
			break
		}
		msg := benchMessage(connection, n)
		start := time.Now()
		if _, err := conn.Write(msg); err != nil {
			return own, err
		}
		_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
		answer, err := in.ReadBytes(0x1c)
		if err != nil {
			return own, err
		}
		own = append(own, time.Since(start))
		if _, err := in.ReadByte(); err != nil {
			return own, err
		}
		if bytes.Contains(answer, []byte("MSA|AA|")) {
			r.answered.Add(1)
		} else {
			r.refused.Add(1)
		}
	}
	return own, nil
}

// benchMessage is a ready-for-discharge message for a patient and a stay of its own.
func benchMessage(connection, n int) []byte {
	visit := fmt.Sprintf("B%03d%07d", connection, n)
	now := time.Now()
	var b bytes.Buffer
	b.WriteByte(0x0b)
	fmt.Fprintf(&b, "MSH|^~\\&|EPJ|FJELLHEIM|STAFETT||%s||ADT^A16^ADT_A16|%s|P|2.5|||NE|NE||UNICODE UTF-8\r", now.Format("20060102150405-0700"), visit)
	fmt.Fprintf(&b, "EVN||%s||||%s\r", now.Format("20060102150405"), now.Format("20060102150405"))
	fmt.Fprintf(&b, "PID|1||%s^^^FNR^FNR||LASTTEST^BENK||19480312|F|||Prøveveien 1^^Dalvik^^9901^NO^H^^9901||70000000^PRN^PH\r", benchFNR(connection*1_000_003+n))
	b.WriteString("PD1||||||||||||N\r")
	fmt.Fprintf(&b, "PV1|1|I|SLAG^^^FJELLHEIM||||9999998^LEGE^LISE^^^^^^HPR^^^^HPR||||||||||||%s|||||||||||||||||||||||||%s\r", visit, now.AddDate(0, 0, -6).Format("20060102150405"))
	fmt.Fprintf(&b, "PV2|||||||||%s\r", now.Format("20060102"))
	b.WriteString("OBX|1|CE|KOMTJ^Mottar kommunale tjenester^99STAFETT||J^Ja\r")
	b.Write([]byte{0x1c, 0x0d})
	return b.Bytes()
}

// benchFNR is the n-th of the numbers of right form, by day of birth and serial number.
func benchFNR(n int) string {
	for ; ; n++ {
		day := time.Date(1920, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n%25_000)
		s := day.Format("020106") + fmt.Sprintf("%03d", n/25_000%500)
		k1 := checkDigit(s, []int{3, 7, 6, 1, 8, 9, 4, 5, 2})
		k2 := checkDigit(s+strconv.Itoa(k1), []int{5, 4, 3, 2, 7, 6, 5, 4, 3, 2})
		if k1 < 10 && k2 < 10 {
			return s + strconv.Itoa(k1) + strconv.Itoa(k2)
		}
	}
}

func checkDigit(s string, weights []int) int {
	sum := 0
	for i, w := range weights {
		sum += w * int(s[i]-'0')
	}
	return (11 - sum%11) % 11
}

func (r *result) print(out io.Writer, o benchOptions) {
	n := len(r.latencies)
	if n == 0 {
		fmt.Fprintln(out, "no message was answered:", r.failure)
		return
	}
	at := func(q float64) time.Duration {
		return r.latencies[min(n-1, int(q*float64(n)))].Round(10 * time.Microsecond)
	}
	fmt.Fprintf(out, "intake: %d answered AA, %d otherwise, in %v over %d connections: %.0f messages/s\n", r.answered.Load(), r.refused.Load(),
		r.took.Round(time.Millisecond), o.connections, float64(r.answered.Load())/r.took.Seconds())
	fmt.Fprintf(out, "latency: p50 %v, p95 %v, p99 %v, max %v\n", at(0.5), at(0.95), at(0.99), r.latencies[n-1].Round(10*time.Microsecond))
	fmt.Fprintf(out, "event relay: at most %v behind\n", r.lag.Round(time.Millisecond))
	if o.whole {
		fmt.Fprintf(out, "backlog, messages not yet ended, at each fifth of the run: %v\n", r.backlog)
	}
	if r.failure != nil {
		fmt.Fprintln(out, "a connection failed:", r.failure)
	}
}
