package events

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"stafett/handover"
)

// outsider connects as a party, as any program of that party could.
func outsider(t *testing.T, b *Bus, party handover.PartyID) *nats.Conn {
	t.Helper()
	for _, r := range readers() {
		if r.Party == party {
			c, err := nats.Connect(b.ClientURL(), nats.UserInfo(string(party), r.Password),
				nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			return c
		}
	}
	t.Fatal("no such reader")
	return nil
}

// filled is a bus whose streams hold n events.
func filled(t *testing.T, n int) (*memory, *Bus, *relaying) {
	t.Helper()
	m := &memory{epoch: "e1"}
	m.add(n)
	b := openBus(t, t.TempDir())
	r := run(t, m, b)
	settled(t, r, m)
	return m, b, r
}

func TestOutsider_WrongOrNoCredentialsAreRefused(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	for name, opts := range map[string][]nats.Option{
		"none":            nil,
		"wrong password":  {nats.UserInfo(string(hospital), "municipality-secret")},
		"gateway by name": {nats.UserInfo("gateway", "gateway")},
		"unknown":         {nats.UserInfo("nobody", "x")},
	} {
		if c, err := nats.Connect(b.ClientURL(), opts...); err == nil {
			c.Close()
			t.Errorf("%s: let in", name)
		}
	}
}

func TestOutsider_PartyMeetsOnlyItsOwnEvents(t *testing.T) {
	t.Parallel()
	m, b, _ := filled(t, 90)
	for _, r := range readers() {
		var got []int64
		next := uint64(1)
		err := Tail(context.Background(), TailOptions{Connect: Connect{URL: b.ClientURL(), User: string(r.Party), Password: r.Password},
			Party: r.Party, From: 1, Until: true}, func(msg Msg) error {
			if msg.Sequence != next {
				t.Errorf("%s: own sequence %d, want %d", r.Party, msg.Sequence, next)
			}
			next++
			got = append(got, msg.Ledger)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		i := 0
		for _, e := range m.events {
			if !takesPart(e, r.Party) {
				continue
			}
			if i >= len(got) || got[i] != e.Seq {
				t.Fatalf("%s: event %d is not number %d of its stream", r.Party, e.Seq, i+1)
			}
			i++
		}
		if i != len(got) {
			t.Errorf("%s: %d events, %d are its own", r.Party, len(got), i)
		}
	}
}

func TestOutsider_CannotPublishChangeOrLookAround(t *testing.T) {
	t.Parallel()
	m, b, r := filled(t, 30)
	c := outsider(t, b, institution)
	for _, subject := range []string{
		"handover.v1.discharge.accepted." + string(hospital) + "." + string(municipality),
		"handover.v1.referral.accepted." + string(municipality) + "." + string(institution),
		"$JS.API.INFO", "$JS.API.STREAM.INFO." + StreamName, "$JS.API.STREAM.LIST", "$JS.API.STREAM.NAMES",
		"$JS.API.STREAM.DELETE." + StreamName, "$JS.API.STREAM.PURGE." + StreamName, "$JS.API.STREAM.UPDATE." + StreamName,
		"$JS.API.STREAM.CREATE.OTHER", "$JS.API.STREAM.MSG.DELETE." + StreamName, "$JS.API.STREAM.SNAPSHOT." + StreamName,
		"$JS.API.STREAM.MSG.GET.OTHER", "$JS.API.CONSUMER.CREATE.OTHER.x", "$SYS.REQ.SERVER.PING", "$SYS.REQ.SERVER.PING.JSZ",
	} {
		if reply, err := c.Request(subject, []byte("{}"), 50*time.Millisecond); err == nil {
			t.Errorf("%s was answered: %s", subject, reply.Data)
		}
	}
	settled(t, r, m)
	whole(t, m, b)
}

func TestOutsider_CannotReachAnotherPartysConsumerOrInbox(t *testing.T) {
	t.Parallel()
	_, b, _ := filled(t, 30)
	ctx := context.Background()
	owner, err := jetstream.New(outsider(t, b, municipality))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := owner.CreateConsumer(ctx, StreamName, jetstream.ConsumerConfig{Durable: "mine", AckPolicy: jetstream.AckExplicitPolicy}); err != nil {
		t.Fatal(err)
	}
	c := outsider(t, b, institution)
	heard, err := c.ChanSubscribe(">", make(chan *nats.Msg, 1))
	if err == nil {
		c.Flush()
		if heard.IsValid() && c.LastError() == nil {
			t.Error("a party may listen to everything")
		}
	}
	thief, err := jetstream.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := thief.Consumer(ctx, StreamName, "mine"); err == nil {
		t.Error("found another party's consumer")
	}
	// The same name is another consumer in another account.
	cons, err := thief.CreateConsumer(ctx, StreamName, jetstream.ConsumerConfig{Durable: "mine", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := cons.FetchNoWait(100)
	if err != nil {
		t.Fatal(err)
	}
	for msg := range batch.Messages() {
		if !strings.Contains(msg.Subject(), string(institution)) {
			t.Errorf("got %s", msg.Subject())
		}
	}
	info, err := owner.Consumer(ctx, StreamName, "mine")
	if err != nil || info.CachedInfo().NumAckPending != 0 {
		t.Errorf("the owner's consumer was touched: %v", err)
	}
}

// A reader can make the server send an answer to a subject of the reader's choice. It
// must reach no stream and no other account.
func TestOutsider_AnswersSentElsewhereForgeNothing(t *testing.T) {
	t.Parallel()
	m, b, r := filled(t, 30)
	c := outsider(t, b, institution)
	body, err := json.Marshal(map[string]any{"stream_name": StreamName, "config": map[string]any{"name": "x",
		"deliver_subject": "handover.v1.referral.accepted.a.b", "ack_policy": "none", "deliver_policy": "all", "mem_storage": true}})
	if err != nil {
		t.Fatal(err)
	}
	for _, reply := range []string{"handover.v1.referral.accepted." + string(hospital) + "." + string(institution),
		"ingest.x.handover.v1.referral.accepted.a.b", "$JS.API.STREAM.PURGE." + StreamName, "$JS.API.STREAM.DELETE." + StreamName,
		"$JS.API.STREAM.INFO." + StreamName} {
		for _, subject := range []string{"$JS.API.CONSUMER.NAMES." + StreamName, "$JS.API.STREAM.MSG.GET." + StreamName,
			"$JS.API.CONSUMER.CREATE." + StreamName + ".x"} {
			if err := c.PublishRequest(subject, reply, body); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	m.add(30)
	r.Notify()
	settled(t, r, m)
	whole(t, m, b)
}
