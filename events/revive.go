package events

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// reviveEvery is the least time between two attempts.
	reviveEvery = 5 * time.Second
	// reviveRoom is what must fit on the disk before an attempt.
	reviveRoom = 1 << 20
)

// reviver starts the embedded server's JetStream again after its disk failed. JetStream
// turns itself off, or refuses every later write to the stream, once a write has failed,
// and stays so when there is room again.
type reviver struct {
	mu   sync.Mutex
	last time.Time
}

// revive is called with each passing failure of the relay and the feeds. It does nothing
// for an external cluster, whose operators see to it, nor while the disk takes no writes.
func (b *Bus) revive(err error) {
	if b.srv == nil || !b.srv.Running() || !stuck(err) {
		return
	}
	b.reviver.mu.Lock()
	defer b.reviver.mu.Unlock()
	if time.Since(b.reviver.last) < reviveEvery || !writable(b.dir) {
		return
	}
	b.reviver.last = time.Now()
	if err := b.srv.ShutdownJetStream(); err != nil {
		return
	}
	// A failure leaves JetStream off; the next failure of the relay tries again.
	_ = b.srv.EnableJetStream(&b.stream)
}

// stuck reports whether err is what a JetStream that has stopped leaves its clients with.
func stuck(err error) bool {
	var api *jetstream.APIError
	return errors.Is(err, jetstream.ErrAsyncPublishTimeout) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse) ||
		errors.As(err, &api) && api.Code >= 500
}

// writable reports whether a synced megabyte fits. Its bytes are random, so that no file
// system makes nothing of them.
func writable(dir string) bool {
	f, err := os.CreateTemp(dir, "room-")
	if err != nil {
		return false
	}
	defer os.Remove(f.Name())
	defer f.Close()
	block := make([]byte, reviveRoom)
	rand.Read(block)
	if _, err := f.Write(block); err != nil {
		return false
	}
	return f.Sync() == nil
}

// remember keeps what the server's JetStream runs with, to start it again.
func (b *Bus) remember(cfg server.JetStreamConfig, dir string) {
	// The server puts its own folder below the one that it is given.
	cfg.StoreDir = filepath.Dir(cfg.StoreDir)
	b.stream, b.dir = cfg, dir
}
