package main

import (
	"errors"
	"fmt"
	"log/slog"

	"stafett/access"
	"stafett/directory"
	"stafett/ephemeral"
	"stafett/events"
	"stafett/handover"
	"stafett/mappings"
	"stafett/mappings/language"
	"stafett/transport"
)

// installation is what a configuration refers to, read and found to fit together: the
// parties, mappings, secrets and certificates. No store and no port is opened for it.
type installation struct {
	directory *directory.Directory
	wires     wires
	mappings  *language.Set
	callers   access.Authenticator
	events    events.Config
	postgres  string // the connection string; empty for SQLite
	redis     string
}

// inspect reads what cfg refers to. Its error holds every problem that was found.
func inspect(cfg Config) (*installation, error) {
	in, err := inspectStored(cfg)
	if in == nil {
		return nil, err
	}
	errs := []error{err}
	say := func(err error) { errs = append(errs, err) }
	say(agreedOverlays(in.directory, in.mappings))
	say(cfg.partiesKnown(in.directory))
	operators := make([]access.Operator, 0, len(cfg.Operators))
	for _, o := range cfg.Operators {
		operators = append(operators, access.Operator{Person: o.Person, Party: o.Party, Token: o.Token, TokenSHA256: o.TokenSHA256})
	}
	in.callers, err = access.NewTokens(in.directory, operators)
	say(err)
	in.events, err = eventsConfig(cfg.Events)
	say(err)
	in.redis, err = secret(cfg.Redis)
	say(err)
	if in.redis != "" {
		say(ephemeral.CheckAddress(in.redis))
	}
	say(cfg.certificatesUsable())
	return in, errors.Join(errs...)
}

// inspectStored reads what it takes to look at the store alone, which asks for no secret of
// any party.
func inspectStored(cfg Config) (*installation, error) {
	in := &installation{wires: serve(cfg)}
	var err error
	if in.directory, err = loadDirectory(cfg, in.wires.known()); err != nil {
		return nil, err
	}
	if in.mappings, err = mappings.Embedded(); err != nil {
		return nil, err
	}
	in.postgres, err = secret(cfg.Ledger.Postgres)
	return in, err
}

func loadDirectory(cfg Config, known []directory.Wire) (*directory.Directory, error) {
	if cfg.Directory == "" {
		return directory.ParseNode(cfg.file, &cfg.Parties, known...)
	}
	return directory.Load(cfg.Directory, known...)
}

// partiesKnown refuses a configuration that names a party which the directory does not have.
func (c Config) partiesKnown(dir *directory.Directory) error {
	var errs []error
	known := func(where string, p handover.PartyID) {
		if _, ok := dir.Party(p); p != "" && !ok {
			var ids []string
			for _, other := range dir.Parties() {
				ids = append(ids, string(other.ID))
			}
			errs = append(errs, fmt.Errorf("%s: %q is no party of the directory%s", where, p, meant(string(p), ids)))
		}
	}
	known("operatorContact", c.OperatorContact)
	for _, m := range c.MLLP {
		known("mllp "+m.Listen, m.Party)
	}
	for _, r := range c.Events.Readers {
		known("events.readers", r.Party)
	}
	if c.Events.External != nil {
		for p := range c.Events.External.Parties {
			known("events.external.parties", p)
		}
	}
	return errors.Join(errs...)
}

// certificatesUsable reads the listeners' certificates and keys.
func (c Config) certificatesUsable() error {
	var errs []error
	read := func(where string, f transport.Files) {
		if f.Cert == "" {
			return
		}
		if _, err := transport.ServerTLS(f, slog.New(slog.DiscardHandler)); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", where, err))
		}
	}
	read("http", transport.Files{Cert: c.HTTP.CertFile, Key: c.HTTP.KeyFile})
	read("events", transport.Files{Cert: c.Events.CertFile, Key: c.Events.KeyFile})
	for _, m := range c.MLLP {
		read("mllp "+m.Listen, transport.Files{CA: m.ClientCAFile, Cert: m.CertFile, Key: m.KeyFile})
	}
	return errors.Join(errs...)
}
