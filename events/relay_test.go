package events

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/nats-io/nats.go/jetstream"

	"stafett/handover"
)

func TestInvariant5_EventsReachTheStreamInLedgerOrder(t *testing.T) {
	t.Parallel()
	m := &memory{epoch: "e1"}
	b := openBus(t, t.TempDir())
	m.add(rounds(150, 700))
	r := run(t, m, b)
	settled(t, r, m)
	m.add(rounds(50, 300))
	r.Notify()
	settled(t, r, m)
	whole(t, m, b)
	if lag, err := r.Lag(context.Background()); err != nil || lag.Events != 0 {
		t.Fatalf("lag %+v, %v", lag, err)
	}
}

func TestInvariant5_LostStorageIsRebuiltFromTheLedger(t *testing.T) {
	t.Parallel()
	m, dir := &memory{epoch: "e1"}, t.TempDir()
	m.add(rounds(100, 400))
	b := openBus(t, dir)
	r := run(t, m, b)
	settled(t, r, m)
	r.stop()
	b.Close()
	if err := os.RemoveAll(filepath.Join(dir, "jetstream")); err != nil {
		t.Fatal(err)
	}
	b = openBus(t, dir)
	r = run(t, m, b)
	settled(t, r, m)
	whole(t, m, b)
}

func TestInvariant5_StreamDeletedUnderARunningRelayIsRebuilt(t *testing.T) {
	t.Parallel()
	m := &memory{epoch: "e1"}
	m.add(50)
	b := openBus(t, t.TempDir())
	r := run(t, m, b)
	settled(t, r, m)
	js, err := streams(b.conn)
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(context.Background(), StreamName); err != nil {
		t.Fatal(err)
	}
	until(t, "stream rebuilt", func() bool {
		st, err := js.Stream(context.Background(), StreamName)
		return err == nil && st.CachedInfo().State.LastSeq == 50
	})
	settled(t, r, m)
	whole(t, m, b)
}

func TestInvariant5_StreamAheadOfTheLedgerStopsLoudly(t *testing.T) {
	t.Parallel()
	m, dir := &memory{epoch: "e1"}, t.TempDir()
	m.add(20)
	b := openBus(t, dir)
	r := run(t, m, b)
	settled(t, r, m)
	r.stop()
	m.cut(15) // a restored backup
	r = run(t, m, b)
	if err := <-r.ended; !errors.Is(err, ErrAhead) {
		t.Fatalf("relay ended with %v", err)
	}
	if state, _, err := r.Status(); state != RelayHalted || !errors.Is(err, ErrAhead) {
		t.Fatalf("state %s, %v", state, err)
	}
	until(t, "alarm", func() bool {
		select {
		case err := <-r.alarms:
			return errors.Is(err, ErrAhead)
		default:
			return false
		}
	})
	got, err := Compare(context.Background(), m, b, 1)
	if err != nil || got.Stream != 20 || got.First == nil || got.First.Problem != "ahead" {
		t.Fatalf("the stream was touched: %+v %+v %v", got, got.First, err)
	}
}

func TestInvariant5_AnotherEpochInTheStreamStopsLoudly(t *testing.T) {
	t.Parallel()
	m := &memory{epoch: "e1"}
	m.add(20)
	b := openBus(t, t.TempDir())
	r := run(t, m, b)
	settled(t, r, m)
	r.stop()
	other := &memory{epoch: "e2"}
	other.add(30)
	r = run(t, other, b)
	if err := <-r.ended; !errors.Is(err, ErrForeign) {
		t.Fatalf("relay ended with %v", err)
	}
	got, err := Compare(context.Background(), other, b, 1)
	if err != nil || got.First == nil || got.First.Problem != "foreign" || got.First.Sequence != 1 {
		t.Fatalf("%+v %+v %v", got, got.First, err)
	}
}

func TestInvariant5_FeedAheadOfTheLedgerStopsLoudly(t *testing.T) {
	t.Parallel()
	m := &memory{epoch: "e1"}
	m.add(20)
	b := openBus(t, t.TempDir())
	r := run(t, m, b)
	settled(t, r, m)
	r.stop()
	js, _ := streams(b.conn)
	if err := js.DeleteStream(context.Background(), StreamName); err != nil {
		t.Fatal(err)
	}
	m.cut(5)
	r = run(t, m, b)
	for range b.Parties() {
		if err := <-r.alarms; !errors.Is(err, ErrAhead) {
			t.Fatal(err)
		}
	}
	if _, err := r.feedStatus(municipality); !errors.Is(err, ErrAhead) {
		t.Fatal(err)
	}
}

func TestInvariant5_TwoRelaysMakeNoDuplicatesAndNoDisorder(t *testing.T) {
	t.Parallel()
	m := &memory{epoch: "e1"}
	b := openBus(t, t.TempDir())
	one, two := run(t, m, b), run(t, m, b)
	for range rounds(8, 30) {
		m.add(37)
		one.Notify()
		two.Notify()
	}
	last, _ := m.LastEvent(context.Background())
	until(t, "stream full", func() bool {
		st, err := b.ensureStream(context.Background())
		return err == nil && int64(st.CachedInfo().State.LastSeq) == last
	})
	settled(t, one, m)
	settled(t, two, m)
	whole(t, m, b)
}

func TestInvariant5_ServerAwayLosesNothing(t *testing.T) {
	t.Parallel()
	m, dir := &memory{epoch: "e1"}, t.TempDir()
	accounts, err := AccountsConf(User{"system", "s"}, User{"gateway", "g"}, []PartyUsers{{Party: municipality,
		Reader: User{"reader", "r"}, Gateway: User{"gateway-m", "gm"}}})
	if err != nil {
		t.Fatal(err)
	}
	conf := serverConf{Name: "alone", Dir: dir, Host: "127.0.0.1", Port: server.RANDOM_PORT, Accounts: accounts}
	srv, err := startServer(conf)
	if err != nil {
		t.Fatal(err)
	}
	url := srv.ClientURL()
	conf.Port = portOf(t, srv)
	b, err := Open(context.Background(), Config{External: &External{Gateway: Connect{URL: url, User: "gateway", Password: "g"},
		System:  &Connect{URL: url, User: "system", Password: "s"},
		Parties: map[handover.PartyID]Connect{municipality: {URL: url, User: "gateway-m", Password: "gm"}}, Replicas: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	m.add(100)
	r := run(t, m, b)
	settled(t, r, m)
	for range 3 {
		srv.Shutdown()
		srv.WaitForShutdown()
		m.add(100)
		r.Notify()
		until(t, "relay retrying", func() bool { s, _, _ := r.Status(); return s == RelayRetrying })
		if srv, err = startServer(conf); err != nil {
			t.Fatal(err)
		}
	}
	defer srv.Shutdown()
	settled(t, r, m)
	whole(t, m, b)
}

func TestInvariant5_MessagesLostInsideAreRebuilt(t *testing.T) {
	t.Parallel()
	m, ctx := &memory{epoch: "e1"}, context.Background()
	m.add(60)
	b := openBus(t, t.TempDir())
	js, err := streams(b.conn)
	if err != nil {
		t.Fatal(err)
	}
	// What a damaged disk does: a message is gone from inside. Deleting is denied on the
	// stream proper, so it is prepared on one that becomes proper afterwards.
	if err := js.DeleteStream(ctx, StreamName); err != nil {
		t.Fatal(err)
	}
	cfg := requiredStream(1, 2*time.Minute)
	cfg.DenyDelete = false
	st := create(t, js, cfg)
	for _, e := range m.events {
		msg, err := Encode(e, "e1")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := js.PublishMsg(ctx, msg); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.DeleteMsg(ctx, 17); err != nil {
		t.Fatal(err)
	}
	cfg.DenyDelete = true
	if _, err := js.UpdateStream(ctx, cfg); err != nil {
		t.Fatal(err)
	}
	got, err := Compare(ctx, m, b, 1)
	if err != nil || got.First == nil || got.First.Sequence != 17 || got.First.Problem != "missing" {
		t.Fatalf("%+v %+v %v", got, got.First, err)
	}
	report, err := Reconcile(ctx, m, b, 1)
	if err != nil || report.Whole() || len(report.Rebuilt) != 1 || report.Rebuilt[0] != "" {
		t.Fatalf("%+v %v", report, err)
	}
	r := run(t, m, b)
	settled(t, r, m)
	whole(t, m, b)
}

func TestInvariant5_EventPassedOverInAPartysStreamIsRebuilt(t *testing.T) {
	t.Parallel()
	m, ctx := &memory{epoch: "e1"}, context.Background()
	m.add(60)
	b := openBus(t, t.TempDir())
	js, st, err := b.ensurePartyStream(ctx, municipality)
	if err != nil {
		t.Fatal(err)
	}
	skipped := false
	for _, e := range m.events {
		if !takesPart(e, municipality) {
			continue
		}
		if e.Seq > 20 && !skipped {
			skipped = true
			continue
		}
		msg, err := Encode(e, "e1")
		if err != nil {
			t.Fatal(err)
		}
		msg.Subject = prefixOf(st.CachedInfo().Config) + msg.Subject
		if _, err := js.PublishMsg(ctx, msg); err != nil {
			t.Fatal(err)
		}
	}
	r := run(t, m, b)
	settled(t, r, m)
	got, err := Verify(ctx, m, b, municipality, 1)
	if err != nil || !got.inside() {
		t.Fatalf("%+v %v", got, err)
	}
	report, err := Reconcile(ctx, m, b, 1)
	if err != nil || len(report.Rebuilt) != 1 || report.Rebuilt[0] != municipality {
		t.Fatalf("%+v %v", report, err)
	}
	until(t, "party stream whole", func() bool {
		got, err := Verify(ctx, m, b, municipality, 1)
		return err == nil && got.First == nil
	})
}

func TestOpen_WeakerStreamIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := openBus(t, dir)
	js, _ := streams(b.conn)
	ctx := context.Background()
	base := requiredStream(1, 2*time.Minute)
	weak := map[string]func(*jetstream.StreamConfig){
		"storage":  func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage },
		"max age":  func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour },
		"max msgs": func(c *jetstream.StreamConfig) { c.MaxMsgs = 10 },
		"discard":  func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld },
		"delete":   func(c *jetstream.StreamConfig) { c.DenyDelete = false },
		"purge":    func(c *jetstream.StreamConfig) { c.DenyPurge = false },
		"window":   func(c *jetstream.StreamConfig) { c.Duplicates = time.Second },
		"persist":  func(c *jetstream.StreamConfig) { c.PersistMode = jetstream.AsyncPersistMode },
		"subjects": func(c *jetstream.StreamConfig) { c.Subjects = []string{"handover.v1.discharge.>"} },
	}
	for name, change := range weak {
		if err := js.DeleteStream(ctx, StreamName); err != nil {
			t.Fatal(err)
		}
		cfg := base
		change(&cfg)
		create(t, js, cfg)
		if _, err := b.ensureStream(ctx); !errors.Is(err, ErrWeakStream) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// unsynced is a server, with a gateway's and a system account, that does not sync each write.
func unsynced(t *testing.T, listen string) *server.Server {
	t.Helper()
	opts := &server.Options{}
	text := "listen: \"" + listen + "\"\njetstream { store_dir: \"" + t.TempDir() + "\" }\n" +
		"system_account: SYS\naccounts { SYS { users: [{user: s, password: s}] }, G { jetstream: enabled, users: [{user: g, password: g}] } }\n"
	if err := opts.ProcessConfigString(text); err != nil {
		t.Fatal(err)
	}
	opts.NoSigs, opts.NoLog = true, true
	srv, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(srv.Shutdown)
	if !srv.ReadyForConnections(readyWait) {
		t.Fatal("not ready")
	}
	return srv
}

func TestOpen_ServerThatDoesNotSyncIsRefused(t *testing.T) {
	t.Parallel()
	srv := unsynced(t, "127.0.0.1:-1")
	gateway, system := Connect{URL: srv.ClientURL(), User: "g", Password: "g"}, Connect{URL: srv.ClientURL(), User: "s", Password: "s"}
	ctx := context.Background()
	for name, ext := range map[string]External{"asked": {Gateway: gateway, System: &system, Replicas: 1}, "not asked": {Gateway: gateway, Replicas: 1}} {
		if _, err := Open(ctx, Config{External: &ext}); !errors.Is(err, ErrNotSynced) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b, err := Open(ctx, Config{External: &External{Gateway: gateway, Replicas: 1, AcceptUnverifiedSync: true}})
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
}

// TestOpen_ClusterAway: what does not sync is found out when it comes, and takes no event.
func TestOpen_ClusterAway(t *testing.T) {
	t.Parallel()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	_ = free.Close()
	connect := func(user string) Connect { return Connect{URL: "nats://" + addr, User: user, Password: user} }
	system := connect("s")
	b, err := Open(t.Context(), Config{External: &External{Gateway: connect("g"), System: &system, Replicas: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	m := &memory{epoch: "e1"}
	m.add(3)
	r := run(t, m, b)
	unsynced(t, addr)
	if err := <-r.ended; !errors.Is(err, ErrNotSynced) {
		t.Fatal(err)
	}
	if _, acked, _ := r.Status(); acked != 0 {
		t.Errorf("%d events went out", acked)
	}
}

func TestLedgerGapStopsLoudly(t *testing.T) {
	t.Parallel()
	m := &memory{epoch: "e1"}
	m.add(10)
	m.events[6].Seq = 9
	r := run(t, m, openBus(t, t.TempDir()))
	if err := <-r.ended; !errors.Is(err, ErrLedgerGap) {
		t.Fatal(err)
	}
}

func BenchmarkRelay(b *testing.B) {
	b.Run("alone", func(b *testing.B) { benchmarkRelay(b, nil) })
	b.Run("three feeds", func(b *testing.B) { benchmarkRelay(b, readers()) })
}

// benchmarkRelay measures until the gateway's stream and every feed have b.N events.
func benchmarkRelay(b *testing.B, rs []Reader) {
	bus, err := Open(context.Background(), Config{Dir: b.TempDir(), Readers: rs})
	if err != nil {
		b.Fatal(err)
	}
	defer bus.Close()
	m := &memory{epoch: "e1"}
	m.add(b.N)
	taken, all := 0, make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	r := NewRelay(RelayConfig{Ledger: m, Bus: bus, Published: func(n int) {
		if taken += n; taken == b.N {
			close(all)
		}
	}})
	b.ResetTimer()
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	<-all
	relayed := b.Elapsed()
	for party := range r.feeds {
		want := int64(0)
		for _, e := range m.events {
			if takesPart(e, party) {
				want = e.Seq
			}
		}
		for seq, _ := r.feedStatus(party); seq < want; seq, _ = r.feedStatus(party) {
			<-time.After(time.Millisecond)
		}
	}
	b.StopTimer()
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/relayed.Seconds(), "relayed/s")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "copied/s")
}

// create makes a stream whose name has just become free: the server may still be removing
// the old one's files.
func create(t *testing.T, js jetstream.JetStream, cfg jetstream.StreamConfig) jetstream.Stream {
	t.Helper()
	var st jetstream.Stream
	until(t, "stream created", func() bool {
		var err error
		st, err = js.CreateStream(context.Background(), cfg)
		return err == nil
	})
	return st
}

// portOf is the port that a server chose, so that it can come back there.
func portOf(t *testing.T, srv *server.Server) int {
	t.Helper()
	addr, ok := srv.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatal("no address")
	}
	return addr.Port
}
