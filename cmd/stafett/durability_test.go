package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"stafett/api"
	"stafett/bench"
	"stafett/handover"
	"stafett/ledger"
	"stafett/ledger/sqlite"
	"stafett/message"
)

// sentMessage is one message that a party got a positive answer to.
type sentMessage struct {
	party handover.PartyID
	id    string
	raw   []byte
}

// senders are the three parties' outgoing sides: what they sent and got answered.
type senders struct {
	*blackbox
	ctx     context.Context
	working workers
	mu      sync.Mutex
	sent    []sentMessage
	failed  []error
}

// failures and confirmed are what became of the messages so far.
func (s *senders) failures() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.failed)
}

func (s *senders) confirmed() []sentMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sent)
}

// workers is a WaitGroup that may be added to while somebody waits: what arrives at a party
// sets its answer going at any time.
type workers struct {
	mu    sync.Mutex
	n     int
	quiet chan struct{} // closed when n is zero again
}

func (w *workers) Go(f func()) {
	w.mu.Lock()
	if w.n++; w.n == 1 {
		w.quiet = make(chan struct{})
	}
	w.mu.Unlock()
	go func() {
		defer func() {
			w.mu.Lock()
			if w.n--; w.n == 0 {
				close(w.quiet)
			}
			w.mu.Unlock()
		}()
		f()
	}()
}

func (w *workers) Wait() {
	w.mu.Lock()
	quiet, n := w.quiet, w.n
	w.mu.Unlock()
	if n > 0 {
		<-quiet
	}
}

func (s *senders) answered(party handover.PartyID, id string, raw []byte, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.failed = append(s.failed, fmt.Errorf("%s sending %s: %w", party, id, err))
		return false
	}
	s.sent = append(s.sent, sentMessage{party, id, raw})
	return true
}

func (s *senders) hl7(frame []byte) bool {
	raw := frame[1 : len(frame)-2]
	return s.answered(sykehus, hl7Field(raw, "MSH", 9), raw, s.sendHL7(s.ctx, frame))
}

func (s *senders) kith(id string, raw []byte) bool {
	_, err := s.sendHTTP(s.ctx, "POST", "/kith", kommune, raw, xmlType)
	return s.answered(kommune, id, raw, err)
}

// stay sends an admission and a ready notice, one after the other as one ward does. Every
// other stay asks for the receiver's receipt as well.
func (s *senders) stay(n int) {
	frame := func(event, suffix string) []byte {
		f := bytes.ReplaceAll(bench.Message(n, 0), []byte("ADT^A16^ADT_A16"), []byte("ADT^"+event+"^ADT_"+event))
		// Admitted an hour ago: no deadline of the policy passes while the test runs.
		f = bytes.ReplaceAll(f, []byte(time.Now().AddDate(0, 0, -6).Format("20060102")), []byte(time.Now().Add(-time.Hour).Format("20060102")))
		id := hl7Field(f, "MSH", 9)
		f = bytes.Replace(f, []byte("|"+id+"|P|"), []byte("|"+id+suffix+"|P|"), 1)
		if n%2 == 1 {
			f = bytes.Replace(f, []byte("|||NE|NE||"), []byte("|||AL|AL||"), 1)
		}
		return f
	}
	if s.hl7(frame("A01", "A")) {
		s.hl7(frame("A16", "R"))
	}
}

// receipts answers what the municipality got first: an AppRec each, and a structured yes
// to each ready notice.
func (s *senders) receipts(t *testing.T, a arrived) {
	if a.typ == "APPREC" {
		return
	}
	s.working.Go(func() {
		receipt := []byte(bench.Receipt(a.raw))
		s.kith(cut(receipt, "<Id>", "<"), receipt)
		if a.typ == "LOG_UTSKRIVNINGSKLAR" {
			id := uuid.NewString()
			s.kith(id, note(t, id, "SVAR=KAN_MOTTA;DATO="+time.Now().AddDate(0, 0, 1).Format(time.DateOnly), a.raw))
		}
	})
}

// refer sends one referral transaction.
func (s *senders) refer(raw []byte, id string) {
	_, err := s.sendHTTP(s.ctx, "POST", "/fhir", kommune, raw, fhirType)
	s.answered(kommune, "urn:ietf:rfc:3986|urn:uuid:"+id, raw, err)
}

var taskURL = regexp.MustCompile(`"url":"Task/([^"/]+)"`)

// accept is the institution's answer to a referral that it got: read, change, write.
func (s *senders) accept(a arrived) {
	m := taskURL.FindSubmatch(a.raw)
	if m == nil || !bytes.Contains(a.raw, []byte(`"status":"requested"`)) {
		return
	}
	s.working.Go(func() {
		path := "/fhir/Task/" + string(m[1])
		// A receipt may give the Task a new version after it was read: then it is read again,
		// and written under an identity of its own.
		for s.ctx.Err() == nil {
			got, err := s.sendHTTP(s.ctx, "GET", path, institusjon, nil, nil)
			if err != nil {
				s.answered(institusjon, path, nil, err)
				return
			}
			body, id := taskStatus.ReplaceAll(got.body, []byte(`"status":"accepted"`)), uuid.NewString()
			put, err := s.sendHTTP(s.ctx, "PUT", path, institusjon, body, map[string]string{"Content-Type": "application/fhir+json",
				"If-Match": got.header.Get("ETag"), "X-Request-Id": id})
			if put.status != http.StatusPreconditionFailed {
				s.answered(institusjon, id, body, err)
				return
			}
		}
	})
}

var taskStatus = regexp.MustCompile(`"status":"(requested|received)"`)

func referralBundle(t *testing.T, id string, n int) []byte {
	return fixture(t, "referral.json", map[string]string{"ID": id, "PATIENT": uuid.NewString(), "REQUEST": uuid.NewString(), "PLAN": uuid.NewString(),
		"OBSERVATION": uuid.NewString(), "WEIGHT": uuid.NewString(), "TASK": uuid.NewString(), "REFERRAL": "H-" + id[:8],
		"NOW": time.Now().Format(time.RFC3339), "PLANNED_END": time.Now().AddDate(0, 0, 21).Format(time.DateOnly),
		"FNR": bench.FNR(700_000 + n), "FAMILY": "LASTTEST", "GIVEN": "BENK", "MIDDLE": "PRØVE", "GENDER": "female", "BIRTH_ISO": "1948-03-12"})
}

// How often the gateway is killed, and what is sent through it meanwhile.
var attackKills, attackStays, attackReferrals = rounds(4, 30), rounds(8, 55), rounds(4, 25)

// TestInvariant1_2_5_8_KilledAtRandomMoments kills the gateway at random moments while
// three parties send through it, each until it is answered.
func TestInvariant1_2_5_8_KilledAtRandomMoments(t *testing.T) {
	t.Parallel()
	needsProcess(t)
	random := seeded(t)
	p := newWireParties(t)
	b := newBlackbox(t, p, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	s := &senders{blackbox: b, ctx: ctx}
	p.municipality.first = func(a arrived) { s.receipts(t, a) }
	p.institution.first = s.accept

	attack(s, random, func(n int) { s.stay(n) }, func(n int) {
		id := uuid.NewString()
		s.refer(referralBundle(t, id, n), id)
	})
	last := b.start()
	ready := time.Now()
	defer func() {
		t.Logf("arrived: %d MDM, %d LOG_INNLAGT, %d LOG_UTSKRIVNINGSKLAR, %d referrals, %d answers to them", p.hospital.count("MDM"),
			p.municipality.count("LOG_INNLAGT"), p.municipality.count("LOG_UTSKRIVNINGSKLAR"), len(p.institution.all()), len(p.referrals.all()))
	}()
	b.until(60*time.Second, "every party has got its answers", func() bool {
		return p.hospital.count("MDM") >= attackStays && p.municipality.count("LOG_UTSKRIVNINGSKLAR") >= attackStays &&
			len(p.referrals.all()) >= attackReferrals
	})
	s.working.Wait()
	for _, err := range s.failures() {
		t.Error(err)
	}
	balance := b.settled(60 * time.Second)
	t.Logf("%d messages answered positively, %d taken in all with repeats %d; caught up %v after the last start",
		len(s.confirmed()), balance.Received, balance.Repeated, time.Since(ready).Round(time.Millisecond))
	// A stay is two messages, a receipt to each, and an answer; a referral is two.
	if len(s.confirmed()) < 5*attackStays+attackReferrals {
		t.Errorf("only %d messages were sent", len(s.confirmed()))
	}
	b.provesWhole()
	b.provesEvents(last)
	b.stop(last)
	b.provesOnce(s, p)
}

// attack starts and kills the gateway while a share of the work is let out in each life.
func attack(s *senders, random *rand.Rand, stay, refer func(int)) {
	share := func(all, round int) (from, to int) { return all * round / attackKills, all * (round + 1) / attackKills }
	for round := range attackKills {
		from, to := share(attackStays, round)
		for n := from; n < to; n++ {
			s.working.Go(func() { stay(n) })
		}
		from, to = share(attackReferrals, round)
		for n := from; n < to; n++ {
			s.working.Go(func() { refer(n) })
		}
		g := s.launch()
		// What waits is sent in the first moments, so most kills fall there.
		live := time.Duration(random.IntN(200)) * time.Millisecond
		if random.IntN(4) == 0 {
			live += time.Duration(random.IntN(1000)) * time.Millisecond
		}
		if random.IntN(6) > 0 { // else killed somewhere in its start, or shortly after
			select {
			case <-g.ready:
			case <-g.ended:
				s.t.Fatalf("the gateway ended by itself in life %d: %v", round, g.err)
			}
		}
		select {
		case <-g.ended:
			s.t.Fatalf("the gateway ended by itself in life %d: %v", round, g.err)
		case <-time.After(live):
		}
		g.kill()
	}
}

// provesWhole asks the record for its own sum and chain.
func (b *blackbox) provesWhole() {
	b.t.Helper()
	b.proves("the balance holds", "ledger", "balance")
	b.proves("the chain is whole", "ledger", "verify")
}

// tailed is one event as a subscriber gets it.
type tailed struct {
	Sequence uint64
	Ledger   int64
	Subject  string
	Data     json.RawMessage
}

// tail reads a party's events as a subscriber of its own.
func (b *blackbox) tail(g *gatewayProcess, party handover.PartyID) []tailed {
	b.t.Helper()
	out, code := b.cli("events", "tail", "--once", "--nats", g.nats, "--party", string(party), "--password", b.natsPassword[party])
	if code != 0 {
		b.t.Fatalf("events tail of %s: exit %d\n%s", party, code, out)
	}
	var all []tailed
	for line := range strings.Lines(out) {
		var e tailed
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			b.t.Fatalf("events tail: %v: %s", err, line)
		}
		all = append(all, e)
	}
	return all
}

// provesEvents: the stream's sequence is the ledger's, each party's stream has each of its
// events once and in order, and the parties together have met every event. It returns what
// the parties got.
func (b *blackbox) provesEvents(g *gatewayProcess) map[handover.PartyID][]tailed {
	b.t.Helper()
	var v api.StreamVerification
	b.until(30*time.Second, "the stream has caught up", func() bool {
		v = api.StreamVerification{}
		a, err := b.request(b.t.Context(), "GET", "/events/verify?from=1", b.operator, nil, nil)
		return err == nil && a.status == http.StatusOK && json.Unmarshal(a.body, &v) == nil && v.Stream == v.Ledger
	})
	if !v.Whole || v.Compared != v.Ledger || v.Ledger == 0 {
		b.t.Errorf("the stream and the ledger: %+v", v)
	}
	met, got := map[int64]string{}, map[handover.PartyID][]tailed{}
	for _, party := range []handover.PartyID{sykehus, kommune, institusjon} {
		b.until(30*time.Second, "the party's stream has caught up", func() bool {
			out, code := b.cli("events", "verify", "--party", string(party))
			return code == 0 && strings.Contains(out, "none is missing")
		})
		got[party] = b.tail(g, party)
		for i, e := range got[party] {
			if e.Sequence != uint64(i+1) || i > 0 && e.Ledger <= got[party][i-1].Ledger {
				b.t.Errorf("%s: event %d of the stream is %d of the ledger, after %d", party, e.Sequence, e.Ledger, got[party][max(i-1, 0)].Ledger)
			}
			if was, ok := met[e.Ledger]; ok && was != string(e.Data) {
				b.t.Errorf("event %d differs between two parties", e.Ledger)
			}
			met[e.Ledger] = string(e.Data)
		}
	}
	for seq := int64(1); seq <= v.Ledger; seq++ {
		if met[seq] == "" {
			b.t.Errorf("event %d reached nobody", seq)
		}
	}
	return got
}

// provesOnce opens the stopped gateway's ledger and holds it against what the parties know.
func (b *blackbox) provesOnce(s *senders, p *wireParties) {
	b.t.Helper()
	ctx := b.t.Context()
	store, err := sqlite.Open(ctx, filepath.Join(b.dir, "ledger.db"), sqlite.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	defer store.Close()
	for _, m := range s.confirmed() {
		stored, err := store.MessagesByExternalID(ctx, m.party, m.id)
		if err != nil || len(stored) != 1 || stored[0].Digest != message.DigestOf(m.raw) || !bytes.Equal(stored[0].Raw, m.raw) ||
			stored[0].Disposition == ledger.DispositionRepeated {
			b.t.Errorf("%s of %s was answered positively and stands %d times in the ledger (%v)", m.id, m.party, len(stored), err)
		}
	}
	hs, err := ledger.All(func(after string) (ledger.Listing[handover.Handover], error) {
		return store.Handovers(ctx, ledger.HandoverFilter{After: after})
	})
	if err != nil {
		b.t.Fatal(err)
	}
	systems := map[handover.PartyID][]*arrivals{sykehus: {&p.hospital.arrivals}, institusjon: {&p.institution.arrivals},
		kommune: {&p.municipality.arrivals, &p.referrals.arrivals}}
	known := map[string]handover.Digest{}
	for _, h := range hs {
		if h.State != handover.StateAccepted || h.Custodian != h.Receiver {
			b.t.Errorf("%s handover %s is %s, held by %s", h.Kind, h.ID, h.State, h.Custodian)
		}
		ds, err := store.DeliveriesOfHandover(ctx, h.ID)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, d := range ds {
			known[d.ExternalID] = d.Digest
			b.arrivedOnce(systems[d.Receiver], d)
		}
	}
	repeats := 0
	for party, list := range systems {
		for _, a := range list {
			for _, m := range a.all() {
				repeats += m.times - 1
				if m.differs || known[m.id] != m.digest {
					b.t.Errorf("%s got %s %s, which the ledger does not have so", party, m.typ, m.id)
				}
			}
		}
	}
	if len(hs) != attackStays+attackReferrals {
		b.t.Errorf("%d handovers came of %d stays and %d referrals", len(hs), attackStays, attackReferrals)
	}
	b.t.Logf("%d handovers, %d outgoing messages, %d arrived again with the same bytes", len(hs), len(known), repeats)
}

func (b *blackbox) arrivedOnce(systems []*arrivals, d ledger.Delivery) {
	b.t.Helper()
	if d.State != ledger.DeliveryReceipted {
		b.t.Errorf("%s to %s is %s: %s", d.Type, d.Receiver, d.State, d.Error)
	}
	for _, a := range systems {
		a.mu.Lock()
		_, ok := a.byID[d.ExternalID]
		a.mu.Unlock()
		if ok {
			return
		}
	}
	b.t.Errorf("%s %s never arrived at %s", d.Type, d.ExternalID, d.Receiver)
}

// TestInvariant5_StreamFolderDeleted: what NATS held is gone between two starts, and comes
// again from the ledger, event by event at the same sequence.
func TestInvariant5_StreamFolderDeleted(t *testing.T) {
	t.Parallel()
	p := newWireParties(t)
	b := newBlackbox(t, p, nil)
	s := &senders{blackbox: b, ctx: t.Context()}
	p.municipality.first = func(a arrived) { s.receipts(t, a) }
	g := b.start()
	for n := range 8 {
		s.stay(n)
	}
	b.until(30*time.Second, "every stay is accepted", func() bool { return p.hospital.count("MDM") >= 8 })
	s.working.Wait()
	b.settled(30 * time.Second)
	before := b.provesEvents(g)
	b.stop(g)
	if err := os.RemoveAll(filepath.Join(b.dir, "events")); err != nil {
		t.Fatal(err)
	}
	g = b.start()
	after := b.provesEvents(g)
	for party, events := range before {
		again := after[party]
		if len(again) < len(events) {
			t.Fatalf("%s had %d events and has %d", party, len(events), len(again))
		}
		for i, e := range events {
			if a := again[i]; a.Sequence != e.Sequence || a.Ledger != e.Ledger || a.Subject != e.Subject || !bytes.Equal(a.Data, e.Data) {
				t.Errorf("%s: event %d came again as %+v", party, e.Sequence, a)
			}
		}
	}
	b.provesWhole()
	b.stop(g)
}
