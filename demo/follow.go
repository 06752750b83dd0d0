package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// follower is a party's own program that follows its events.
type follower struct {
	conn  *nats.Conn
	stop  jetstream.ConsumeContext
	inbox *inbox
	shown int
}

// follow subscribes to all events of a party from the first one. The party's stream is
// there soon after the gateway has started, so it is asked for until it is.
func follow(ctx context.Context, cfg Config, party, token string) (*follower, error) {
	conn, err := nats.Connect(cfg.NATSURL, nats.UserInfo(party, token), nats.MaxReconnects(-1),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		return nil, fmt.Errorf("demo: %s follows events: %w", party, err)
	}
	f := &follower{conn: conn, inbox: newInbox()}
	ctx, cancel := context.WithTimeout(ctx, cfg.Wait)
	defer cancel()
	for {
		if err = f.consume(ctx, cfg.Now); err == nil {
			return f, nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			conn.Close()
			return nil, fmt.Errorf("demo: %s follows events: %w", party, err)
		}
	}
}

func (f *follower) consume(ctx context.Context, now func() time.Time) error {
	js, err := jetstream.New(f.conn)
	if err != nil {
		return err
	}
	try, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	c, err := js.OrderedConsumer(try, "HANDOVER", jetstream.OrderedConsumerConfig{})
	if err != nil {
		return err
	}
	f.stop, err = c.Consume(func(m jetstream.Msg) { f.take(m, now()) })
	return err
}

// take keeps an event under its name, with the handover's id.
func (f *follower) take(m jetstream.Msg, at time.Time) {
	typ := m.Headers().Get("ce-type")
	f.inbox.put(Arrival{Type: typ[strings.LastIndex(typ, ".")+1:], ID: m.Headers().Get("ce-subject"), At: at, Raw: m.Data()})
}

func (f *follower) close() {
	if f == nil {
		return
	}
	f.stop.Stop()
	f.conn.Close()
}

// fresh names the events since the last call.
func (f *follower) fresh() []string {
	if f == nil {
		return nil
	}
	all := f.inbox.all()
	var out []string
	for _, a := range all[f.shown:] {
		out = append(out, a.Type)
	}
	f.shown = len(all)
	return out
}

// check looks at one event's bytes: ids, codes and links only.
func (a Arrival) checkEvent() error {
	if !json.Valid(a.Raw) {
		return fmt.Errorf("event %s is not JSON", a.Type)
	}
	for _, p := range People() {
		for _, secret := range []string{p.FNR, p.Family, p.Given} {
			if strings.Contains(string(a.Raw), secret) {
				return fmt.Errorf("event %s names a patient", a.Type)
			}
		}
	}
	return nil
}
