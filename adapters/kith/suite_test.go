package kith

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"stafett/adapters/adaptertest"
	"stafett/handover"
	"stafett/transport"
)

func TestCodec_Suite(t *testing.T) {
	adaptertest.RunCodec(t, Codec{}, adaptertest.Samples{
		Good: [][]byte{fixture(t, "log_utskrivningsklar.xml"), fixture(t, "dialog_helsefaglig_xhtml.xml"), fixture(t, "apprec_1_1_avvist.xml"),
			messageFixture("epikrise/2006-09-23", "EPIKRISE", "ServRprt")},
		Private: []string{"MYRVANG", "Solveig", solveigFNR, "Lisjeåsen", "rullator"},
	})
}

func TestServer_Suite(t *testing.T) {
	raw := string(fixture(t, "dialog_notat.xml"))
	// Short, so that a sender of one byte at a time is not the slowest test.
	small := raw[:strings.Index(raw, "<Patient>")] + "</MsgInfo></MsgHead>"
	id := "7d1c0f7e-3b0a-4c55-9d1e-000000000006"
	good := func(i int) []byte {
		return []byte(strings.Replace(small, id, fmt.Sprintf("7d1c0f7e-3b0a-4c55-9d1e-%012d", 1000+i), 1))
	}
	adaptertest.RunServer(t, adaptertest.Harness{
		Codec:     Codec{},
		Start:     startServer,
		Good:      good,
		Malformed: []byte("<MsgHead>"),
		Oversized: func(n int) []byte {
			return append(good(0), bytes.Repeat([]byte(" "), n)...)
		},
		Party: "dalvik-kommune",
	})
}

func startServer(t *testing.T, s adaptertest.Settings) adaptertest.Server {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: s.ReadTimeout,
		Handler: Handler(Options{Intake: s.Intake, Authenticate: authenticate, BodyLimit: s.MaxBytes, ReadTimeout: s.ReadTimeout})}
	transport.Harden(server)
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-stopped; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	address := listener.Addr().String()
	return adaptertest.Server{
		Send: func(ctx context.Context, raw []byte) (adaptertest.Reply, error) {
			return exchange(ctx, address, bytes.NewReader(raw), int64(len(raw)))
		},
		SendSlowly: func(ctx context.Context, raw []byte) (adaptertest.Reply, error) {
			r, w := io.Pipe()
			go func() { w.CloseWithError(adaptertest.Trickle(ctx, w, raw)) }()
			return exchange(ctx, address, r, int64(len(raw)))
		},
		HangUp: func(ctx context.Context, raw []byte) error { return hangUp(ctx, address, raw) },
		Shutdown: func(ctx context.Context) error {
			return server.Shutdown(ctx)
		},
	}
}

// exchange posts body on a connection of its own.
func exchange(ctx context.Context, address string, body io.Reader, length int64) (adaptertest.Reply, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/kith", body)
	if err != nil {
		return adaptertest.Reply{}, err
	}
	request.ContentLength = length
	request.Header.Set("Authorization", "Bearer dalvik")
	request.Header.Set("Content-Type", "application/xml")
	once := &http.Transport{DisableKeepAlives: true}
	defer once.CloseIdleConnections()
	response, err := (&http.Client{Transport: once}).Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return adaptertest.Reply{}, err
		}
		return adaptertest.Reply{Kind: adaptertest.ReplyNone}, nil
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return adaptertest.Reply{}, err
	}
	_, err = result(response.StatusCode, nil)
	switch {
	case err == nil:
		return adaptertest.Reply{Kind: adaptertest.ReplyPositive}, nil
	case handover.FaultOf(err).Kind.Temporary():
		return adaptertest.Reply{Kind: adaptertest.ReplyNone}, nil
	}
	return adaptertest.Reply{Kind: adaptertest.ReplyNegative}, nil
}

func hangUp(ctx context.Context, address string, raw []byte) error {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST /kith HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer dalvik\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s",
		len(raw), raw[:len(raw)/2])
	return err
}
