package events

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// readyWait bounds the embedded server's start; a large store takes seconds to open.
const readyWait = 60 * time.Second

// serverConf is everything that the embedded server is configured with.
type serverConf struct {
	Name, Dir, Host string
	Port            int // -1 for any free one
	Accounts        string
	// CertFile and KeyFile make every network connection TLS; empty for none.
	CertFile, KeyFile string
	// Cluster joins other servers; empty for a server alone.
	Cluster, ClusterListen string
	Routes                 []string
}

// text writes the configuration, which is the same language as an external server's.
func (c serverConf) text() (string, error) {
	if !quotable(c.Host) || c.Dir == "" {
		return "", errors.New("events: embedded server needs a directory and a host")
	}
	for _, path := range []string{c.Dir, c.CertFile, c.KeyFile} {
		if strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' }) {
			return "", errors.New("events: a path has a character that the server's configuration cannot hold")
		}
	}
	if c.CertFile == "" && BeyondMachine(c.Host) {
		return "", errors.New("events: listening beyond this machine needs a certificate: passwords and events would pass in the clear")
	}
	out := fmt.Sprintf("server_name: %q\nhost: %q\nport: %d\n", c.Name, c.Host, c.Port) +
		// JetStream answers before it syncs unless told otherwise, and loses answered
		// messages when the power fails.
		fmt.Sprintf("jetstream { store_dir: \"%s\", sync_interval: always, max_memory_store: 16MB }\n", c.Dir) +
		c.Accounts
	if c.CertFile != "" {
		out += fmt.Sprintf("tls { cert_file: \"%s\", key_file: \"%s\" }\n", c.CertFile, c.KeyFile)
	}
	if c.Cluster == "" {
		return out, nil
	}
	out += fmt.Sprintf("cluster { name: %q, listen: %q, routes: [%s] }\n", c.Cluster, c.ClusterListen, quoteAll(c.Routes))
	return out, nil
}

// BeyondMachine reports whether what listens on host is reached from other machines.
func BeyondMachine(host string) bool {
	ip := net.ParseIP(host)
	return host != "localhost" && (ip == nil || !ip.IsLoopback())
}

// startServer starts a server inside this process and refuses one that does not sync.
func startServer(c serverConf) (*server.Server, error) {
	// Its owner's alone, also where it was there before.
	if err := errors.Join(os.MkdirAll(c.Dir, 0o700), os.Chmod(c.Dir, 0o700)); err != nil {
		return nil, fmt.Errorf("events: store directory: %w", err)
	}
	text, err := c.text()
	if err != nil {
		return nil, err
	}
	opts := &server.Options{}
	if err := opts.ProcessConfigString(text); err != nil {
		return nil, fmt.Errorf("events: embedded server configuration: %w", err)
	}
	opts.NoSigs, opts.NoLog = true, true
	srv, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("events: embedded server: %w", err)
	}
	srv.Start()
	if !srv.ReadyForConnections(readyWait) {
		srv.Shutdown()
		return nil, fmt.Errorf("events: embedded server was not ready within %s", readyWait)
	}
	if cfg := srv.JetStreamConfig(); cfg == nil || !cfg.SyncAlways {
		srv.Shutdown()
		return nil, fmt.Errorf("%w: embedded server", ErrNotSynced)
	}
	return srv, nil
}
