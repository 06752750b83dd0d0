package events

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
	"golang.org/x/sync/errgroup"

	"stafett/handover"
)

// Connect says how to reach a NATS server; empty fields are not used.
type Connect struct {
	// URL holds one or more server addresses, separated by commas.
	URL                       string
	User, Password, Token     string
	CredsFile                 string
	CAFile, CertFile, KeyFile string
}

// Reader is a party that may follow its events on the embedded server.
type Reader struct {
	Party handover.PartyID
	// Password proves it; the user name is the party id.
	Password string
}

// Config says where the events go. With External nil a server runs inside the process.
type Config struct {
	// Dir is the embedded server's store.
	Dir string
	// Listen is where parties reach the embedded server; default 127.0.0.1:0, any free port.
	Listen string
	// CertFile and KeyFile secure it; without them it listens on this machine only.
	CertFile, KeyFile string
	// Readers get an account each on the embedded server.
	Readers []Reader
	// External is a cluster whose accounts were made with AccountsConf.
	External *External
	// DuplicateWindow is how long the server remembers event ids; default 2 minutes.
	DuplicateWindow time.Duration
}

// External is a cluster by address.
type External struct {
	// Gateway is the gateway's own account.
	Gateway Connect
	// System, when set, is used once to read that every server syncs each write.
	System *Connect
	// AcceptUnverifiedSync lets the gateway start without System: the operator vouches.
	AcceptUnverifiedSync bool
	// Parties are the gateway's users in the parties' accounts.
	Parties map[handover.PartyID]Connect
	// Replicas of each stream; default 3.
	Replicas int
}

func (e External) replicas() int { return cmp.Or(e.Replicas, 3) }

// Bus is the connection to the event streams.
type Bus struct {
	srv     *server.Server
	conn    *nats.Conn
	parties map[handover.PartyID]*nats.Conn
	// open ends when the bus closes, and with it what is being dialed.
	open       context.Context
	close      context.CancelFunc
	replicas   int
	duplicates time.Duration

	// unchecked is a cluster that was away when its servers were to be asked whether they sync.
	asking    sync.Mutex
	unchecked *External

	// of the embedded server
	dir     string
	stream  server.JetStreamConfig
	reviver reviver
}

// Open starts or reaches the servers and makes sure of the gateway's stream. It refuses
// servers that do not sync and a stream that is weaker than required. A cluster that is away is
// asked when it comes, before the first event goes out; until then the ledger keeps the events.
func Open(ctx context.Context, cfg Config) (*Bus, error) {
	b := &Bus{parties: map[handover.PartyID]*nats.Conn{}, replicas: 1, duplicates: cfg.DuplicateWindow}
	if b.duplicates <= 0 {
		b.duplicates = 2 * time.Minute
	}
	b.open, b.close = context.WithCancel(context.Background())
	err := error(nil)
	if cfg.External == nil {
		err = b.openEmbedded(cfg)
	} else {
		err = b.openExternal(ctx, *cfg.External)
	}
	if err == nil && b.unchecked == nil {
		err = b.awaitStream(ctx)
	}
	if err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

func (b *Bus) openEmbedded(cfg Config) error {
	host, port, err := splitListen(cfg.Listen)
	if err != nil {
		return err
	}
	gateway := User{Name: "gateway", Password: nuid.Next()}
	users := make([]PartyUsers, 0, len(cfg.Readers))
	for _, r := range cfg.Readers {
		users = append(users, PartyUsers{Party: r.Party, Reader: User{string(r.Party), r.Password},
			Gateway: User{"gateway-" + string(r.Party), nuid.Next()}})
	}
	accounts, err := AccountsConf(User{"system", nuid.Next()}, gateway, users)
	if err != nil {
		return err
	}
	b.srv, err = startServer(serverConf{Name: "stafett", Dir: cfg.Dir, Host: host, Port: port, Accounts: accounts,
		CertFile: cfg.CertFile, KeyFile: cfg.KeyFile})
	if err != nil {
		return err
	}
	b.remember(*b.srv.JetStreamConfig(), cfg.Dir)
	within := func(u User) (*nats.Conn, error) {
		return dial(Connect{URL: "nats://embedded", User: u.Name, Password: u.Password}, nats.InProcessServer(b.srv))
	}
	if b.conn, err = within(gateway); err != nil {
		return err
	}
	for _, u := range users {
		if b.parties[u.Party], err = within(u.Gateway); err != nil {
			return err
		}
	}
	return nil
}

// openExternal asks and connects to all at once: a cluster that drops what is sent to it costs the
// start one connectTimeout, however many parties have an account there.
func (b *Bus) openExternal(ctx context.Context, ext External) error {
	b.replicas = ext.replicas()
	var all errgroup.Group
	all.Go(func() error {
		err := requireSync(ctx, ext)
		if away(err) {
			b.askLater(&ext)
			return nil
		}
		return err
	})
	all.Go(func() (err error) {
		b.conn, err = b.reach(ext.Gateway, &ext)
		return err
	})
	var filling sync.Mutex
	for party, c := range ext.Parties {
		all.Go(func() error {
			conn, err := b.reach(c, &ext)
			if err != nil {
				return fmt.Errorf("events: account of party %s: %w", party, err)
			}
			filling.Lock()
			defer filling.Unlock()
			b.parties[party] = conn
			return nil
		})
	}
	return all.Wait()
}

// reach connects to a cluster, which may be away.
func (b *Bus) reach(c Connect, cluster *External) (*nats.Conn, error) {
	conn, wasAway, err := newDialer(b.open, c).patient(c)
	if wasAway {
		b.askLater(cluster)
	}
	return conn, err
}

func (b *Bus) askLater(cluster *External) {
	b.asking.Lock()
	defer b.asking.Unlock()
	b.unchecked = cluster
}

// away reports whether nobody answered at an address, which says nothing of what is there.
func away(err error) bool {
	var network net.Error
	return errors.Is(err, nats.ErrNoServers) || errors.Is(err, nats.ErrTimeout) || errors.As(err, &network)
}

// checkSync asks a cluster that was away at the start, once it is there.
func (b *Bus) checkSync(ctx context.Context) error {
	b.asking.Lock()
	defer b.asking.Unlock()
	if b.unchecked == nil {
		return nil
	}
	err := requireSync(ctx, *b.unchecked)
	if err == nil {
		b.unchecked = nil
	}
	return err
}

// splitListen reads host:port, with port 0 as any free one.
func splitListen(listen string) (string, int, error) {
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	host, text, err := net.SplitHostPort(listen)
	if err != nil {
		return "", 0, fmt.Errorf("events: listen address: %w", err)
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, errors.New("events: listen address: port is not a number from 0 to 65535")
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	if host == "" {
		host = "0.0.0.0"
	}
	return host, port, nil
}

// dial connects and keeps reconnecting for as long as the process lives.
func dial(c Connect, more ...nats.Option) (*nats.Conn, error) {
	opts := []nats.Option{
		nats.Name("stafett"), nats.MaxReconnects(-1), nats.ReconnectWait(200 * time.Millisecond),
		nats.ReconnectJitter(100*time.Millisecond, time.Second),
		// What cannot be sent now must fail now: the ledger is the buffer.
		nats.ReconnectBufSize(-1),
		nats.Timeout(connectTimeout), nats.PingInterval(10 * time.Second),
		// The client would write to standard error; what it would say fails a call here.
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
	}
	if c.User != "" {
		opts = append(opts, nats.UserInfo(c.User, c.Password))
	}
	if c.Token != "" {
		opts = append(opts, nats.Token(c.Token))
	}
	if c.CredsFile != "" {
		opts = append(opts, nats.UserCredentials(c.CredsFile))
	}
	secure, err := tlsOptions(c)
	if err != nil {
		return nil, err
	}
	conn, err := nats.Connect(c.URL, append(append(opts, secure...), more...)...)
	if err != nil {
		return nil, fmt.Errorf("events: connect to NATS: %w", err)
	}
	return conn, nil
}

func tlsOptions(c Connect) ([]nats.Option, error) {
	if c.CAFile == "" && c.CertFile == "" {
		return nil, nil
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("events: NATS CA file: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("events: NATS CA file holds no certificate")
		}
	}
	if c.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("events: NATS client certificate: %w", err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return []nats.Option{nats.Secure(conf)}, nil
}

// requireSync asks every server of the cluster whether it syncs each write.
func requireSync(ctx context.Context, ext External) error {
	if ext.System == nil {
		if ext.AcceptUnverifiedSync {
			return nil
		}
		return fmt.Errorf("%w: no system account to ask with, and the setting that accepts this is off", ErrNotSynced)
	}
	conn, err := dial(*ext.System, newDialer(ctx, *ext.System).over()...)
	if err != nil {
		return err
	}
	defer conn.Close()
	inbox := conn.NewInbox()
	sub, err := conn.SubscribeSync(inbox)
	if err != nil {
		return fmt.Errorf("events: ask servers about sync: %w", err)
	}
	if err := conn.PublishRequest("$SYS.REQ.SERVER.PING.JSZ", inbox, []byte(`{"config":true}`)); err != nil {
		return fmt.Errorf("events: ask servers about sync: %w", err)
	}
	most := ext.replicas()
	for answered := 0; ; answered++ {
		// The number of servers is unknown; one second of silence ends the count, when it is more
		// than half of those that keep the stream.
		wait, cancel := context.WithTimeout(ctx, time.Second)
		msg, err := sub.NextMsgWithContext(wait)
		cancel()
		if err != nil && answered > most/2 && ctx.Err() == nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("events: %d servers of the cluster said whether they sync each write, of %d", answered, most)
		}
		if err := readsSynced(msg.Data); err != nil {
			return err
		}
	}
}

// readsSynced reads one server's own account of its settings.
func readsSynced(answer []byte) error {
	var a struct {
		Server struct {
			Name string `json:"name"`
		} `json:"server"`
		Data struct {
			Disabled bool `json:"disabled"`
			Config   struct {
				SyncAlways bool `json:"sync_always"`
			} `json:"config"`
		} `json:"data"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return fmt.Errorf("%w: unreadable answer: %w", ErrNotSynced, err)
	}
	if !a.Data.Disabled && !a.Data.Config.SyncAlways {
		return fmt.Errorf("%w: server %s (set sync_interval: always)", ErrNotSynced, a.Server.Name)
	}
	return nil
}

// ClientURL is where parties connect to the embedded server; empty for an external one.
func (b *Bus) ClientURL() string {
	if b.srv == nil {
		return ""
	}
	return b.srv.ClientURL()
}

// Parties lists the parties that have an account.
func (b *Bus) Parties() []handover.PartyID {
	var out []handover.PartyID
	for p := range b.parties {
		out = append(out, p)
	}
	return out
}

// Close ends the connections and the embedded server.
func (b *Bus) Close() {
	b.close()
	for _, c := range b.parties {
		if c != nil {
			c.Close()
		}
	}
	if b.conn != nil {
		b.conn.Close()
	}
	if b.srv != nil {
		b.srv.Shutdown()
		b.srv.WaitForShutdown()
	}
}

// streams opens the JetStream API on a connection, with publishes that give up in time.
func streams(conn *nats.Conn) (jetstream.JetStream, error) {
	js, err := jetstream.New(conn, jetstream.WithDefaultTimeout(5*time.Second),
		jetstream.WithPublishAsyncTimeout(5*time.Second), jetstream.WithPublishAsyncMaxPending(2*windowMax))
	if err != nil {
		return nil, fmt.Errorf("events: JetStream: %w", err)
	}
	return js, nil
}
