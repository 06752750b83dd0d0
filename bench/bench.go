// Package bench loads a gateway and measures it, by its wires only: it starts one as a
// process, sends it ready-for-discharge messages over MLLP, plays the municipality that takes
// what comes of them (peer.go), and reads what the gateway and the kernel say of the run
// (gateway.go, rows.go). It uses nothing else of this project.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Options say what load to put on a gateway that bench starts as a process of its own.
type Options struct {
	// Seconds is how long the load lasts, 1 to 3600.
	Seconds int
	// Connections is the number of MLLP connections, each with one message in hand, 1 to 200.
	Connections int
	// Rate is how many messages a second are offered; 0 is as many as are answered.
	Rate int
	// Whole measures the whole path: delivered, receipted, events. Otherwise the receiver is
	// away, so that intake alone is measured.
	Whole bool
	// Keep leaves the folder there.
	Keep bool
	// Prepare writes into a folder what the gateway needs to run there, with the
	// municipality's system at an address.
	Prepare func(folder, municipality string) (Gateway, error)
}

// Gateway is a gateway that is ready to be started.
type Gateway struct {
	// Command serves; it prints a line with http=ADDRESS and mllp=[ADDRESS] when it takes
	// messages, and ends on SIGTERM.
	Command []string
	// MunicipalityToken and OperatorToken are bearer tokens.
	MunicipalityToken, OperatorToken string
	// Ledger is the SQLite file.
	Ledger string
}

// Run puts the load on, prints what was measured, and fails when the gateway's own balance
// does not hold.
func Run(ctx context.Context, out io.Writer, o Options) error {
	if o.Seconds < 1 || o.Seconds > 3600 || o.Connections < 1 || o.Connections > 200 {
		return errors.New("bench: 1 to 3600 seconds, 1 to 200 connections")
	}
	dir, err := os.MkdirTemp("", "stafett-bench-")
	if err != nil {
		return err
	}
	if !o.Keep {
		defer os.RemoveAll(dir)
	}
	fsyncs, err := fsyncRate(dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "folder %s, %.0f fsync/s of 4 KB\n", dir, fsyncs)
	peer, err := startPeer(o.Whole)
	if err != nil {
		return err
	}
	defer peer.close()
	prepared, err := o.Prepare(dir, peer.addr)
	if err != nil {
		return err
	}
	g, err := start(ctx, dir, prepared)
	if err != nil {
		return err
	}
	defer g.stop()
	peer.target(g.http, prepared.MunicipalityToken)
	fmt.Fprintf(out, "ready after %v, idle VmRSS %s\n", g.ready.Round(time.Millisecond), g.memory("VmRSS"))
	r := load(ctx, o, g)
	r.print(out, o)
	if err := g.settle(ctx, out, prepared.OperatorToken, o, r); err != nil {
		return err
	}
	fmt.Fprintf(out, "VmRSS %s, peak VmHWM %s\n", g.memory("VmRSS"), g.memory("VmHWM"))
	if err := g.stop(); err != nil {
		return err
	}
	cpu := g.cmd.ProcessState.UserTime() + g.cmd.ProcessState.SystemTime()
	fmt.Fprintf(out, "gateway's CPU: %v for each message sent\n", (cpu / time.Duration(max(r.answered.Load(), 1))).Round(time.Microsecond))
	return printRows(ctx, out, prepared.Ledger, r.answered.Load())
}
