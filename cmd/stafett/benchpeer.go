package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// peer is the municipality of a load run: it takes every message and answers each with a
// positive receipt of its own.
type peer struct {
	server   *http.Server
	receipts chan []byte
	gateway  atomic.Pointer[string]
	token    atomic.Pointer[string]
	client   http.Client
}

// startPeer listens; without present the address is given away but nobody is there.
func startPeer(box *sandbox, present bool) (*peer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	box.hospital, box.municipality, box.municipalityFHIR, box.institution = addr, addr, addr, addr
	p := &peer{receipts: make(chan []byte, 100_000), client: http.Client{Timeout: 30 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 32, MaxConnsPerHost: 32}}}
	if !present {
		return p, l.Close()
	}
	p.server = &http.Server{Handler: http.HandlerFunc(p.take), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = p.server.Serve(l) }()
	for range 24 {
		go p.answer()
	}
	return p, nil
}

func (p *peer) target(gateway, token string) {
	p.gateway.Store(&gateway)
	p.token.Store(&token)
}

func (p *peer) take(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	if bytes.Contains(raw, []byte("<MsgHead")) {
		p.receipts <- raw
	}
}

// answer posts a receipt for each message taken.
func (p *peer) answer() {
	for raw := range p.receipts {
		req, err := http.NewRequest("POST", "http://"+*p.gateway.Load()+"/kith", strings.NewReader(benchReceipt(raw)))
		if err != nil {
			continue
		}
		req.Header.Set("Content-Type", "application/xml")
		req.Header.Set("Authorization", "Bearer "+*p.token.Load())
		for range 5 {
			resp, err := p.client.Do(req)
			if err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode == http.StatusAccepted {
					break
				}
			}
		}
	}
}

func cut(raw []byte, before, after string) string {
	_, rest, _ := bytes.Cut(raw, []byte(before))
	v, _, _ := bytes.Cut(rest, []byte(after))
	return string(v)
}

// benchReceipt is a positive AppRec 1.1 to the message.
func benchReceipt(raw []byte) string {
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><AppRec xmlns="http://www.kith.no/xmlstds/apprec/2012-02-15"><MsgType V="APPREC"/><MIGversion>v1.1 2012-02-15</MIGversion><GenDate>%s</GenDate><Id>%s</Id><Sender><HCP><Inst><Name>Dalvik kommune</Name><Id>80002</Id><TypeId V="HER"/></Inst></HCP></Sender><Receiver><HCP><Inst><Name>Fjellheim sykehus</Name><Id>80001</Id><TypeId V="HER"/></Inst></HCP></Receiver><Status V="1" DN="OK"/><OriginalMsgId><MsgType V="%s"/><IssueDate>%s</IssueDate><Id>%s</Id></OriginalMsgId></AppRec>`,
		time.Now().Format(time.RFC3339), uuid.NewString(), cut(raw, `<Type V="`, `"`), cut(raw, "<GenDate>", "<"), cut(raw, "<MsgId>", "<"))
}

func (p *peer) close() {
	if p.server != nil {
		p.server.Close()
		close(p.receipts)
	}
}

// sample watches the relay's lag, and the backlog at each fifth of the run.
func (c *child) sample(ctx context.Context, o benchOptions, r *result) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for second := 1; ; second++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		v, err := c.metric(ctx, "stafett_event_lag_seconds")
		if err == nil {
			r.lag = max(r.lag, time.Duration(v*float64(time.Second)))
		}
		if o.whole && second%max(o.seconds/5, 1) == 0 {
			sent, _ := c.metric(ctx, `stafett_messages_total{disposition="applied",wire="hl7v2"}`)
			ended, _ := c.metric(ctx, `stafett_deliveries_total{state="receipted",wire="kith"}`)
			r.backlog = append(r.backlog, int64(sent-ended))
		}
	}
}

// metric reads one series.
func (c *child) metric(ctx context.Context, name string) (float64, error) {
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

// settle waits until the whole path has caught up, bounded by the run's own length, and
// prints the record's own sum.
func (c *child) settle(ctx context.Context, out io.Writer, box *sandbox, o benchOptions, r *result) error {
	cl := &client{url: "http://" + c.http, token: box.operator}
	start := time.Now()
	var b balanceView
	for {
		if err := cl.call(ctx, "GET", "/ledger/balance", nil, &b); err != nil {
			return err
		}
		if !o.whole || b.Moving == 0 || time.Since(start) > time.Duration(o.seconds)*time.Second {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	if o.whole {
		all := r.took + time.Since(start)
		fmt.Fprintf(out, "whole path: %d delivered and receipted in %v: %.0f messages/s; %v to catch up after the load\n", b.Delivered,
			all.Round(time.Millisecond), float64(b.Delivered)/all.Seconds(), time.Since(start).Round(time.Millisecond))
	}
	printBalance(out, b.Balance)
	if !b.Balance.Holds() {
		return errors.New("bench: the balance does not hold")
	}
	return nil
}

// printRows counts what the run left in the ledger.
func printRows(ctx context.Context, out io.Writer, path string, messages int64) error {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		return err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
	if err != nil {
		return err
	}
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		names = append(names, name)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	fmt.Fprint(out, "rows per message sent:")
	for _, name := range names {
		var n int64
		if err := db.QueryRowContext(ctx, `SELECT count(*) FROM "`+name+`"`).Scan(&n); err != nil {
			return err
		}
		if perMessage := float64(n) / float64(max(messages, 1)); perMessage >= 0.05 {
			fmt.Fprintf(out, " %s %.1f", name, perMessage)
		}
	}
	fmt.Fprintln(out)
	return nil
}
