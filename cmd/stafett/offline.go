package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/gin-gonic/gin"
	"github.com/spf13/cobra"

	"stafett/access"
	"stafett/api"
	"stafett/gateway/kernel"
	"stafett/ledger"
)

// onStore has a command's calls answered by the store of --config, in this process and by
// the same API, where the flag is given.
func (c *client) onStore(run func(*cobra.Command, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) (err error) {
		if c.config == "" {
			return run(cmd, args)
		}
		cfg, err := loadConfig(c.config)
		if err != nil {
			return err
		}
		answers, end, err := openOffline(cmd.Context(), cfg)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, end()) }()
		c.http = &http.Client{Transport: inProcess{answers}}
		return run(cmd, args)
	}
}

// openOffline opens the store of a gateway that does not run and answers for it.
func openOffline(ctx context.Context, cfg Config) (answers http.Handler, end func() error, err error) {
	if path := cfg.Ledger.SQLite; path != "" {
		if _, err := os.Stat(path); err != nil {
			return nil, nil, fmt.Errorf("no ledger to ask: %w", err)
		}
	}
	in, err := inspectStored(cfg)
	if err != nil {
		return nil, nil, err
	}
	store, err := in.openStore(ctx, cfg.Ledger)
	if err != nil {
		return nil, nil, err
	}
	group := ledger.NewGroup(store, ledger.GroupOptions{})
	gateway, err := in.openGateway(ctx, cfg, group, kernel.Options{})
	if err != nil {
		return nil, nil, errors.Join(err, group.Close())
	}
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	api.Mount(r, api.Options{Desk: gateway.Desk, Index: gateway.FHIR, Record: group, Callers: atTheStore{}, MessageBytes: cfg.Limits.MessageBytes})
	return r, group.Close, nil
}

// atTheStore takes whoever can open the store for its operator.
type atTheStore struct{}

// Authenticate implements access.Authenticator.
func (atTheStore) Authenticate(context.Context, string) (access.Caller, error) {
	return access.Caller{Kind: access.CallerOperator, Person: "operator at the store"}, nil
}

// inProcess is an HTTP transport to a handler in this process.
type inProcess struct{ http.Handler }

// RoundTrip implements http.RoundTripper.
func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := &answerBuffer{status: http.StatusOK, header: http.Header{}}
	p.ServeHTTP(w, r)
	return &http.Response{StatusCode: w.status, Status: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)), Header: w.header,
		Body: io.NopCloser(&w.body), Request: r, ProtoMajor: 1, ProtoMinor: 1}, nil
}

type answerBuffer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

// Header, WriteHeader and Write implement http.ResponseWriter.
func (w *answerBuffer) Header() http.Header { return w.header }

func (w *answerBuffer) WriteHeader(status int) { w.status = status }

func (w *answerBuffer) Write(b []byte) (int, error) { return w.body.Write(b) }
