package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"stafett/access"
	"stafett/adapters"
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
	// warnings are what keeps nobody from starting and may be a mistake.
	warnings []string
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
	say(in.typesKnown())
	say(cfg.partiesKnown(in.directory))
	say(cfg.Self.isNobody(in.directory))
	in.warn()
	in.warnings = append(in.warnings, cfg.unsecured()...)
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
	say(cfg.foldersUsable())
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

// typesKnown refuses a service that takes a message type which its wire does not have: no
// message would ever go there.
func (in *installation) typesKnown() error {
	codecs := map[handover.Wire]adapters.Codec{}
	for _, r := range in.wires.rules {
		if c, ok := r.(adapters.Codec); ok {
			codecs[r.Wire()] = c
		}
	}
	var errs []error
	for _, p := range in.directory.Parties() {
		for _, s := range p.Services {
			for _, typ := range s.Takes {
				if c := codecs[s.Wire]; c != nil && typ != "*" && c.TypeCode(typ) == adapters.TypeUnreadable {
					errs = append(errs, fmt.Errorf("directory: line %d: service %s of %s takes %q, which is no message of %s%s",
						s.Line, s.Name, p.ID, typ, s.Wire, meant(typ, in.typesOf(s.Wire))))
				}
			}
		}
	}
	return errors.Join(errs...)
}

// typesOf are the message types of a wire that a mapping reads.
func (in *installation) typesOf(w handover.Wire) (types []string) {
	for _, m := range in.mappings.Programs() {
		if m.Wire == w && !slices.Contains(types, m.Type) {
			types = append(types, m.Type)
		}
	}
	slices.Sort(types)
	return types
}

// warn looks at what is read anew at each send, and may be put right without a start.
func (in *installation) warn() {
	for _, w := range in.directory.Warnings() {
		in.warnings = append(in.warnings, w.String())
	}
	for _, p := range in.directory.Parties() {
		for _, s := range p.Services {
			err := errors.Join(resolvable(s.Token, directory.ResolveSecret), readable(s.CAFile), readable(s.CertFile), readable(s.KeyFile))
			if err != nil {
				in.warnings = append(in.warnings, fmt.Sprintf("service %s of %s: nothing can be sent to it: %s",
					s.Name, p.ID, strings.ReplaceAll(err.Error(), "\n", "; ")))
			}
		}
	}
}

func resolvable(ref string, resolve func(string) (string, error)) error {
	if ref == "" {
		return nil
	}
	_, err := resolve(ref)
	return err
}

func readable(ref string) error {
	return resolvable(ref, func(ref string) (string, error) {
		path, err := directory.ResolveFile(ref)
		if err == nil {
			_, err = os.Stat(path)
		}
		return path, err
	})
}

// isNobody holds the gateway's own numbers to be no party's: what is addressed to that party would
// be taken for the gateway's.
func (s Self) isNobody(dir *directory.Directory) error {
	var errs []error
	for _, own := range []struct {
		name, value string
		find        func(string) (directory.Party, bool)
	}{
		{"her", s.HER, func(v string) (directory.Party, bool) { p, _, ok := dir.ByHER(v); return p, ok }},
		{"orgNumber", s.OrgNumber, dir.ByOrgNumber},
		{"facility", s.Facility, dir.ByFacility},
	} {
		if p, taken := own.find(own.value); taken && own.value != "" {
			errs = append(errs, fmt.Errorf("self.%s: it is that of the party %s", own.name, p.ID))
		}
	}
	return errors.Join(errs...)
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

// foldersUsable looks at where the stores on this machine are to be. The folder of the events is
// made at the start; that of the ledger is not, so that a disk that is not there is no new ledger.
func (c Config) foldersUsable() error {
	var errs []error
	problem := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if file := c.Ledger.SQLite; file != "" {
		folder := filepath.Dir(file)
		switch at, err := os.Stat(folder); {
		case errors.Is(err, fs.ErrNotExist):
			problem("ledger.sqlite: there is no folder %s", folder)
		case err != nil:
			problem("ledger.sqlite: %w", err)
		case !at.IsDir():
			problem("ledger.sqlite: %s is no folder", folder)
		case strings.HasPrefix(file, ":memory:"):
			problem("ledger.sqlite: a ledger needs a file")
		}
		if at, err := os.Stat(file); err == nil && !at.Mode().IsRegular() {
			problem("ledger.sqlite: %s is there and is no file", file)
		}
	}
	if c.Events.Dir != "" {
		switch at, err := os.Stat(c.Events.Dir); {
		case err == nil && !at.IsDir():
			problem("events.dir: %s is no folder", c.Events.Dir)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			problem("events.dir: %w", err)
		}
	}
	return errors.Join(errs...)
}
