package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"stafett/access"
	"stafett/adapters"
	"stafett/adapters/hl7v2"
	"stafett/adapters/kith"
	"stafett/api"
	"stafett/directory"
	"stafett/ephemeral"
	"stafett/events"
	"stafett/fhir"
	"stafett/fhir/rest"
	"stafett/gateway"
	"stafett/gateway/deliver"
	"stafett/gateway/kernel"
	"stafett/handover"
	"stafett/ledger"
	"stafett/ledger/postgres"
	"stafett/ledger/sqlite"
	"stafett/mappings/account"
	"stafett/transport"
)

// app is one running gateway with its listeners.
type app struct {
	cfg     Config
	log     *slog.Logger
	dir     *directory.Directory
	ledger  *ledger.Group
	bus     *events.Bus
	relay   *events.Relay
	gateway *gateway.Gateway
	metrics *metrics
	auth    access.Authenticator
	senders map[handover.Wire]adapters.Sender
	shared  ephemeral.Store
	outages kernel.Outages
	// inFlight bounds what all wires have in hand.
	inFlight *transport.Budget

	http     *http.Server
	httpAddr string
	mllp     []*hl7v2.Server
	mllpAddr []string

	loops    sync.WaitGroup
	stop     context.CancelFunc
	failed   chan error
	stopping chan struct{}
}

// startApp opens the stores, wires the packages and listens. What it opened is closed
// again when it fails.
func startApp(ctx context.Context, cfg Config, log *slog.Logger) (_ *app, err error) {
	a := &app{cfg: cfg, log: log, inFlight: transport.NewBudget(int(cfg.Limits.InFlightBytes), int(cfg.Limits.MessageBytes)),
		failed: make(chan error, 16), stopping: make(chan struct{}), metrics: newMetrics()}
	defer func() {
		if err != nil {
			a.close()
		}
	}()
	in, err := inspect(cfg)
	if err != nil {
		return nil, err
	}
	for _, w := range in.warnings {
		log.Warn("configuration", "text", w)
	}
	a.dir, a.auth, a.senders = in.directory, in.callers, in.wires.senders
	store, err := in.openStore(ctx, cfg.Ledger)
	if err != nil {
		return nil, err
	}
	a.ledger = ledger.NewGroup(store, ledger.GroupOptions{})
	if err = a.openShared(in.redis); err != nil {
		return nil, err
	}
	if err = a.openEvents(ctx, in.events); err != nil {
		return nil, err
	}
	if a.gateway, err = in.openGateway(ctx, cfg, a.ledger, kernel.Options{Notify: a.relay.Notify, Log: log, Observe: a.metrics}); err != nil {
		return nil, err
	}
	if err = a.listen(); err != nil {
		return nil, err
	}
	a.run()
	return a, nil
}

func (in *installation) openStore(ctx context.Context, l Ledger) (ledger.Store, error) {
	if l.SQLite != "" {
		return sqlite.Open(ctx, l.SQLite, sqlite.Options{})
	}
	return postgres.Open(ctx, in.postgres, postgres.Options{})
}

// secret resolves env: and file: references; anything else stands for itself.
func secret(ref string) (string, error) {
	if len(ref) > 4 && ref[:4] == "env:" || len(ref) > 5 && ref[:5] == "file:" {
		return directory.ResolveSecret(ref)
	}
	return ref, nil
}

func (a *app) openEvents(ctx context.Context, cfg events.Config) (err error) {
	if a.bus, err = events.Open(ctx, cfg); err != nil {
		return err
	}
	a.relay = events.NewRelay(events.RelayConfig{Ledger: a.ledger, Bus: a.bus,
		Alarm: func(party handover.PartyID, err error) {
			a.metrics.alarms.Inc()
			a.log.Error("the event stream contradicts the ledger: an operator must act", "party", party, "cause", err.Error())
		},
		Published: func(n int) { a.metrics.published.Add(float64(n)) },
		Retry:     a.eventsWait,
	})
	return nil
}

// eventsWait tells once that events wait in the ledger, and once that they go out again.
func (a *app) eventsWait(party handover.PartyID, err error) {
	key := "events " + string(party)
	if err == nil {
		if out, _ := a.outages.Ended(key, time.Now()); out.Told {
			a.log.Info("events go out again", "party", party, "since", out.Since, "failures", out.Failures)
		}
		return
	}
	if out, tell := a.outages.Failed(key, err.Error(), time.Now()); tell {
		a.log.Warn("events wait", "party", party, "since", out.Since, "failures", out.Failures, "cause", err.Error())
	}
}

func eventsConfig(e Events) (events.Config, error) {
	cfg := events.Config{Dir: e.Dir, Listen: e.Listen, CertFile: e.CertFile, KeyFile: e.KeyFile}
	for _, r := range e.Readers {
		p, err := directory.ResolveSecret(r.Password)
		if err != nil {
			return cfg, err
		}
		cfg.Readers = append(cfg.Readers, events.Reader{Party: r.Party, Password: p})
	}
	if e.External == nil {
		return cfg, nil
	}
	x := &events.External{AcceptUnverifiedSync: e.External.AcceptUnverifiedSync, Replicas: e.External.Replicas,
		Parties: map[handover.PartyID]events.Connect{}}
	var errs []error
	connect := func(c Connect) events.Connect {
		out, err := c.resolve()
		errs = append(errs, err)
		return out
	}
	x.Gateway = connect(e.External.Gateway)
	if e.External.System != nil {
		s := connect(*e.External.System)
		x.System = &s
	}
	for p, c := range e.External.Parties {
		x.Parties[p] = connect(c)
	}
	cfg.External = x
	return cfg, errors.Join(errs...)
}

func (c Connect) resolve() (events.Connect, error) {
	out := events.Connect{URL: c.URL, User: c.User, CredsFile: c.CredsFile, CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile}
	var err1, err2 error
	out.Password, err1 = secret(c.Password)
	out.Token, err2 = secret(c.Token)
	return out, errors.Join(err1, err2)
}

// openGateway puts the gateway together over a ledger; with says what it tells others.
func (in *installation) openGateway(ctx context.Context, cfg Config, record *ledger.Group, with kernel.Options) (*gateway.Gateway, error) {
	with.Ledger, with.Directory, with.Mappings, with.Policy, with.Rules = record, in.directory, in.mappings, cfg.Policy, in.wires.rules
	with.OperatorContact = cfg.OperatorContact
	with.Self = account.Address{HER: cfg.Self.HER, OrgNumber: cfg.Self.OrgNumber, Name: cfg.Self.Name,
		Application: "STAFETT", Facility: cfg.Self.Facility}
	d := cfg.Delivery
	return gateway.New(ctx, gateway.Options{Options: with, Senders: in.wires.senders,
		Delivery: deliver.Options{Workers: d.Workers, WorkersPerReceiver: d.WorkersPerReceiver, Timeout: d.Timeout, Lease: d.Lease,
			RetryMin: d.RetryMin, RetryMax: d.RetryMax, Poll: d.Poll}})
}

// listen opens every listener before any loop starts, so that a taken port stops the start.
func (a *app) listen() error {
	l, err := net.Listen("tcp", a.cfg.HTTP.Listen)
	if err != nil {
		return fmt.Errorf("http: %w", err)
	}
	a.httpAddr = l.Addr().String()
	a.http = &http.Server{Handler: a.routes(), ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug)}
	transport.Harden(a.http)
	serve := func() error { return a.http.Serve(l) }
	if a.cfg.HTTP.CertFile != "" {
		if a.http.TLSConfig, err = transport.ServerTLS(transport.Files{Cert: a.cfg.HTTP.CertFile, Key: a.cfg.HTTP.KeyFile}, a.log); err != nil {
			return errors.Join(fmt.Errorf("http: %w", err), l.Close())
		}
		serve = func() error { return a.http.ServeTLS(l, "", "") }
	}
	a.goServe("http", serve, http.ErrServerClosed)
	for _, m := range a.cfg.MLLP {
		s, err := a.mllpServer(m)
		if err != nil {
			return err
		}
		s.Budget = a.inFlight
		addr, err := s.Listen()
		if err != nil {
			return fmt.Errorf("mllp: %w", err)
		}
		a.mllp = append(a.mllp, s)
		a.mllpAddr = append(a.mllpAddr, addr.String())
		a.goServe("mllp", s.Serve, hl7v2.ErrServerClosed)
	}
	return nil
}

func (a *app) goServe(name string, serve func() error, closed error) {
	a.loops.Add(1)
	go func() {
		defer a.loops.Done()
		err := serve()
		select {
		case <-a.stopping:
			return
		default:
		}
		if err != nil && !errors.Is(err, closed) {
			a.failed <- fmt.Errorf("%s: %w", name, err)
		}
	}()
}

func (a *app) mllpServer(m MLLP) (*hl7v2.Server, error) {
	s := &hl7v2.Server{Addr: m.Listen, Party: m.Party, Intake: a.gateway, MaxBytes: int(a.cfg.Limits.MessageBytes),
		Logger: a.log, Observer: a.metrics}
	if m.CertFile == "" {
		return s, nil
	}
	var err error
	if s.TLS, err = transport.ServerTLS(transport.Files{CA: m.ClientCAFile, Cert: m.CertFile, Key: m.KeyFile}, a.log); err != nil {
		return nil, fmt.Errorf("mllp %s: %w", m.Listen, err)
	}
	if m.ClientCAFile != "" {
		s.PartyOf = func(cn string) (handover.PartyID, bool) {
			p, ok := a.dir.ByCertificateCN(cn)
			return p.ID, ok
		}
	}
	return s, nil
}

func (a *app) routes() http.Handler {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.HandleMethodNotAllowed = true
	limits := fhir.DefaultLimits()
	limits.Bytes = int(a.cfg.Limits.MessageBytes)
	onFHIR := rest.Options{Base: a.cfg.HTTP.Base, Writer: a.gateway.FHIR, Reader: a.gateway.FHIR, Authenticator: a.auth,
		Limits: limits, InFlight: a.inFlight, Logger: a.log, Version: version()}
	r.Use(a.observeRequests, api.Recover(a.log))
	// Who watches the process is not held to a caller's rate.
	live := func(c *gin.Context) { c.String(http.StatusOK, "ok\n") }
	r.GET("/livez", live)
	r.HEAD("/livez", live)
	r.GET("/readyz", a.readyz)
	r.HEAD("/readyz", a.readyz)
	r.GET("/metrics", gin.WrapH(a.metrics.handler()))
	if a.cfg.Limits.RequestsPerSecond > 0 {
		r.Use(api.Limit(a, inWordsOf(rest.Refuse(onFHIR, api.Overload()), api.TooManyRequests)))
	}
	r.NoRoute(inWordsOf(rest.Refuse(onFHIR, api.Nowhere()), api.NotFound))
	r.NoMethod(api.MethodNotAllowed)
	rest.Mount(r.Group("/fhir"), onFHIR)
	r.POST("/kith", gin.WrapH(kith.Handler(kith.Options{Intake: a.gateway, BodyLimit: int(a.cfg.Limits.MessageBytes), InFlight: a.inFlight,
		Authenticate: func(ctx context.Context, bearer string) (handover.PartyID, error) {
			c, err := a.auth.Authenticate(ctx, bearer)
			if err == nil && c.Kind != access.CallerParty {
				err = &handover.Fault{Kind: handover.FaultForbidden, Text: "a party's token is needed"}
			}
			return c.Party, err
		}})))
	api.Mount(r, api.Options{Desk: a.gateway.Desk, Index: a.gateway.FHIR, Record: a.ledger, Streams: a, Callers: a.auth, MessageBytes: a.cfg.Limits.MessageBytes})
	return r
}

// inWordsOf answers below /fhir as FHIR does, elsewhere as the API does.
func inWordsOf(onFHIR, elsewhere gin.HandlerFunc) gin.HandlerFunc {
	return func(c *gin.Context) {
		if strings.HasPrefix(c.Request.URL.Path+"/", "/fhir/") {
			onFHIR(c)
			return
		}
		elsewhere(c)
	}
}

// readyz says whether a message would be taken now.
func (a *app) readyz(c *gin.Context) {
	select {
	case <-a.stopping:
		c.String(http.StatusServiceUnavailable, "stopping\n")
		return
	default:
	}
	ctx, cancel := context.WithTimeout(c, 5*time.Second)
	defer cancel()
	if err := a.ledger.Ready(ctx); err != nil {
		if _, tell := a.outages.Failed("ready", err.Error(), time.Now()); tell {
			a.log.Warn("not ready", "cause", err.Error())
		}
		c.String(http.StatusServiceUnavailable, "the ledger cannot commit\n")
		return
	}
	if out, _ := a.outages.Ended("ready", time.Now()); out.Told {
		a.log.Info("ready again", "since", out.Since)
	}
	said := "ready"
	if state, _, _ := a.relay.Status(); state == events.RelayHalted {
		said += "; the event relay is halted: see the log"
	}
	if s, ok := a.shared.(*ephemeral.Shared); ok && s.Away() {
		said += "; Redis is out of reach, callers' rates are counted here alone"
	}
	c.String(http.StatusOK, said+"\n")
}

// run starts the loops that work on what is stored.
func (a *app) run() {
	ctx, stop := context.WithCancel(context.Background())
	a.stop = stop
	for _, loop := range []func(){
		func() { a.gateway.Deliver(ctx) },
		func() { a.gateway.Watch(ctx, a.cfg.Watch) },
		func() { _ = a.relay.Run(ctx) },
		func() { events.RunReconciler(ctx, a.ledger, a.bus, a.cfg.Events.Reconcile, a.reconciled) },
		func() { a.metrics.watch(ctx, a.ledger, a.relay) },
		func() { a.tuneMemory(ctx) },
	} {
		a.loops.Add(1)
		go func() { defer a.loops.Done(); loop() }()
	}
}

// reconciled reports what a comparison of streams and ledger found and mended.
func (a *app) reconciled(r events.Report, err error) {
	a.outages.Tell(a.log, "comparing the event streams with the ledger", err, time.Now())
	if err != nil {
		return
	}
	a.metrics.repaired.Add(float64(len(r.Rebuilt)))
	a.log.Error("an event stream had lost events", "rebuilt", r.Rebuilt, "stream", r.Stream.First != nil)
}

// shutdown stops taking, finishes what is in hand, and closes; bounded by cfg.Shutdown.
func (a *app) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), a.cfg.Shutdown)
	defer cancel()
	close(a.stopping)
	var errs []error
	for _, s := range a.mllp {
		errs = append(errs, s.Shutdown(ctx))
	}
	errs = append(errs, a.http.Shutdown(ctx))
	a.gateway.Drain()
	errs = append(errs, a.close())
	return errors.Join(errs...)
}

func (a *app) close() error {
	if a.stop != nil {
		a.stop()
	} else if a.http != nil {
		a.http.Close()
		for _, s := range a.mllp {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_ = s.Shutdown(ctx)
		}
	}
	a.loops.Wait()
	var errs []error
	for _, s := range a.senders {
		errs = append(errs, s.Close())
	}
	if a.shared != nil {
		errs = append(errs, a.shared.Close())
	}
	if a.bus != nil {
		a.bus.Close()
	}
	if a.ledger != nil {
		errs = append(errs, a.ledger.Close())
	}
	return errors.Join(errs...)
}
