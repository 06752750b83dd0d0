package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"reflect"
	"time"

	"go.yaml.in/yaml/v3"

	"stafett/directory"
	"stafett/handover"
)

// Config is the configuration file. Relative paths are relative to the working directory;
// secrets are references: env:NAME or file:PATH.
type Config struct {
	// Directory is the file of the parties; Parties are they themselves, in this file.
	Directory string    `yaml:"directory,omitempty"`
	Parties   yaml.Node `yaml:"parties,omitempty"`
	HTTP      HTTP      `yaml:"http"`
	MLLP      []MLLP    `yaml:"mllp"`
	Ledger    Ledger    `yaml:"ledger"`
	Events    Events    `yaml:"events"`
	// Redis counts callers' rates for several gateways together, an address or a reference to
	// one; empty counts in this process.
	Redis string `yaml:"redis"`
	// Self is how the gateway names itself in notices of its own.
	Self Self `yaml:"self"`
	// OperatorContact is the party whose contact is told when nobody else is responsible.
	OperatorContact handover.PartyID `yaml:"operatorContact"`
	Operators       []Operator       `yaml:"operators"`
	Policy          handover.Policy  `yaml:"policy"`
	Delivery        Delivery         `yaml:"delivery"`
	Limits          Limits           `yaml:"limits"`
	// Watch is how often deadlines are looked at.
	Watch time.Duration `yaml:"watch"`
	// Shutdown bounds a graceful stop.
	Shutdown time.Duration `yaml:"shutdown"`
	// Test is set in a test installation: it takes what senders mark as a test.
	Test bool `yaml:"test"`
	// Log is debug, info, warn or error.
	Log slog.Level `yaml:"log"`

	file string // where it was read
}

// HTTP is where FHIR, KITH, the operators' API and the health checks listen.
type HTTP struct {
	Listen   string `yaml:"listen"`
	CertFile string `yaml:"certFile"`
	KeyFile  string `yaml:"keyFile"`
	// Base is the absolute URL of the FHIR API as clients reach it; each request's Host when empty.
	Base string `yaml:"base"`
}

// MLLP is one listener: for one party, or for any party with a client certificate.
type MLLP struct {
	Listen       string           `yaml:"listen"`
	Party        handover.PartyID `yaml:"party"`
	CertFile     string           `yaml:"certFile"`
	KeyFile      string           `yaml:"keyFile"`
	ClientCAFile string           `yaml:"clientCAFile"`
}

// Ledger says where the record is kept: exactly one of the two.
type Ledger struct {
	SQLite   string `yaml:"sqlite"`
	Postgres string `yaml:"postgres"` // a reference to the connection string, or the string
}

// Events says where events go: an embedded server's folder, or a cluster's address.
type Events struct {
	Dir      string `yaml:"dir"`
	Listen   string `yaml:"listen"`
	CertFile string `yaml:"certFile"`
	KeyFile  string `yaml:"keyFile"`
	// Reconcile is how often the streams are compared with the ledger.
	Reconcile time.Duration `yaml:"reconcile"`
	Readers   []Reader      `yaml:"readers"`
	External  *External     `yaml:"external"`
}

// Reader is a party that may follow its events on the embedded server.
type Reader struct {
	Party    handover.PartyID `yaml:"party"`
	Password string           `yaml:"password"` // a reference
}

// External is a NATS cluster.
type External struct {
	Gateway              Connect                      `yaml:"gateway"`
	System               *Connect                     `yaml:"system"`
	AcceptUnverifiedSync bool                         `yaml:"acceptUnverifiedSync"`
	Parties              map[handover.PartyID]Connect `yaml:"parties"`
	Replicas             int                          `yaml:"replicas"`
}

// Connect is how to reach NATS; Password and Token are references.
type Connect struct {
	URL       string `yaml:"url"`
	User      string `yaml:"user"`
	Password  string `yaml:"password"`
	Token     string `yaml:"token"`
	CredsFile string `yaml:"credsFile"`
	CAFile    string `yaml:"caFile"`
	CertFile  string `yaml:"certFile"`
	KeyFile   string `yaml:"keyFile"`
}

// Self names the gateway in messages of its own.
type Self struct {
	Name      string `yaml:"name"`
	HER       string `yaml:"her"`
	OrgNumber string `yaml:"orgNumber"`
	Facility  string `yaml:"facility"`
}

// Operator is a named person with a token of its own, for one party or for all.
type Operator struct {
	Person string           `yaml:"person"`
	Party  handover.PartyID `yaml:"party"`
	// Token is a reference to the bearer token, TokenSHA256 its digest in hexadecimal: one of the two.
	Token       string `yaml:"token,omitempty"`
	TokenSHA256 string `yaml:"tokenSHA256,omitempty"`
}

// Delivery tunes sending; zero fields take the defaults of deliver.Options.
type Delivery struct {
	Workers            int           `yaml:"workers"`
	WorkersPerReceiver int           `yaml:"workersPerReceiver"`
	Timeout            time.Duration `yaml:"timeout"`
	// Lease is how long a send that a crash cut off waits before it is sent again.
	Lease    time.Duration `yaml:"lease"`
	RetryMin time.Duration `yaml:"retryMin"`
	RetryMax time.Duration `yaml:"retryMax"`
	Poll     time.Duration `yaml:"poll"`
}

// Limits bound what comes in.
type Limits struct {
	MessageBytes  int64 `yaml:"messageBytes"`
	InFlightBytes int64 `yaml:"inFlightBytes"`
	// RequestsPerSecond holds each HTTP caller, twice as many at once; 0 for no limit.
	RequestsPerSecond int `yaml:"requestsPerSecond"`
}

func defaultConfig() Config {
	return Config{
		HTTP:     HTTP{Listen: "127.0.0.1:8080"},
		Ledger:   Ledger{},
		Events:   Events{Listen: "127.0.0.1:0", Reconcile: 10 * time.Minute},
		Self:     Self{Name: "Stafett", Facility: "STAFETT"},
		Policy:   handover.DefaultPolicy(),
		Limits:   Limits{MessageBytes: 20 << 20, InFlightBytes: 64 << 20, RequestsPerSecond: 10_000},
		Watch:    time.Second,
		Shutdown: 20 * time.Second,
	}
}

// configOf is the file that a command's --config names, else STAFETT_CONFIG, else stafett.yaml.
func configOf(flag string) string {
	return cmp.Or(flag, os.Getenv("STAFETT_CONFIG"), "stafett.yaml")
}

// loadConfig reads a file over the defaults. Unknown keys are mistakes.
func loadConfig(path string) (Config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	c, err := parseConfig(path, b)
	if err != nil {
		return c, err
	}
	return c, c.validate()
}

// parseConfig takes one YAML document; its error holds every mistake that can be told apart.
func parseConfig(file string, text []byte) (Config, error) {
	c := defaultConfig()
	c.file = file
	d := yaml.NewDecoder(bytes.NewReader(text))
	var doc, more yaml.Node
	if err := d.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return c, fmt.Errorf("configuration %s: %w", file, err)
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return c, fmt.Errorf("configuration %s: it holds a second document", file)
	}
	if unknown := unknownKeys(file, &doc, reflect.TypeFor[Config](), ""); len(unknown) > 0 {
		return c, errors.Join(unknown...)
	}
	if doc.Kind == 0 {
		return c, nil
	}
	if err := doc.Decode(&c); err != nil {
		return c, fmt.Errorf("configuration %s: %w", file, err)
	}
	return c, nil
}

func (c Config) validate() error {
	var errs []error
	missing := func(what string) { errs = append(errs, errors.New("configuration: "+what)) }
	if (c.Directory == "") == c.Parties.IsZero() {
		missing("directory: name the file of the parties, or list them below parties")
	}
	if (c.Ledger.SQLite == "") == (c.Ledger.Postgres == "") {
		missing("ledger: set exactly one of sqlite and postgres")
	}
	if (c.Events.Dir == "") == (c.Events.External == nil) {
		missing("events: set exactly one of dir and external")
	}
	if c.OperatorContact == "" {
		missing("operatorContact: name the party that is told when nobody else is responsible")
	}
	for _, d := range c.durations() {
		if d.value < d.min || d.value > d.max {
			missing(fmt.Sprintf("%s: %s is not from %s to %s", d.name, d.value, d.min, d.max))
		}
	}
	if d := c.Delivery; d.RetryMax > 0 && d.RetryMin > d.RetryMax {
		missing("delivery: retryMin is longer than retryMax")
	}
	if (c.HTTP.CertFile == "") != (c.HTTP.KeyFile == "") || (c.Events.CertFile == "") != (c.Events.KeyFile == "") {
		missing("http, events: certFile and keyFile go together")
	}
	if c.HTTP.Base != "" && !isHTTP(c.HTTP.Base) {
		missing("http.base: an absolute http or https address")
	}
	if c.Limits.RequestsPerSecond < 0 {
		missing("limits: requestsPerSecond must not be below zero")
	}
	if c.Limits.MessageBytes <= 0 || c.Limits.InFlightBytes < c.Limits.MessageBytes {
		missing("limits: messageBytes must be above zero, inFlightBytes at least as large")
	}
	for i, m := range c.MLLP {
		if (m.Party == "") == (m.ClientCAFile == "") {
			missing(fmt.Sprintf("mllp[%d]: a listener is for one party, or asks for client certificates", i))
		}
		if (m.CertFile == "") != (m.KeyFile == "") || m.ClientCAFile != "" && m.CertFile == "" {
			missing(fmt.Sprintf("mllp[%d]: certFile and keyFile go together, and clientCAFile needs them", i))
		}
	}
	return errors.Join(append(errs, c.listenersUsable(), c.Self.validate(), c.Policy.Validate())...)
}

// validate holds the gateway's own numbers to what those of parties are held to.
func (s Self) validate() error {
	var errs []error
	for _, own := range []struct {
		name, value, should string
		valid               func(string) bool
	}{
		{"her", s.HER, "a HER-id is up to ten digits", directory.ValidHER},
		{"orgNumber", s.OrgNumber, "an organisation number is nine digits", directory.ValidOrgNumber},
		{"facility", s.Facility, "a facility is MSH-4's first component, without HL7 separators", directory.ValidFacility},
	} {
		if own.value != "" && !own.valid(own.value) {
			errs = append(errs, fmt.Errorf("configuration: self.%s: %q: %s", own.name, own.value, own.should))
		}
	}
	return errors.Join(errs...)
}

type duration struct {
	name            string
	value, min, max time.Duration
}

// durations are the settings of time, with what each can sensibly be; those of Delivery have
// defaults for nothing.
func (c Config) durations() []duration {
	return []duration{
		// Deadlines are kept to the minute.
		{"watch", c.Watch, time.Millisecond, time.Minute},
		{"shutdown", c.Shutdown, time.Millisecond, 10 * time.Minute},
		{"events.reconcile", c.Events.Reconcile, time.Millisecond, 24 * time.Hour},
		{"delivery.timeout", c.Delivery.Timeout, 0, 10 * time.Minute},
		{"delivery.lease", c.Delivery.Lease, 0, time.Hour},
		{"delivery.retryMin", c.Delivery.RetryMin, 0, time.Hour},
		{"delivery.retryMax", c.Delivery.RetryMax, 0, 24 * time.Hour},
		{"delivery.poll", c.Delivery.Poll, 0, time.Minute},
	}
}

func isHTTP(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
