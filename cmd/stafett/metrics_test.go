package main

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"stafett/bench"
)

// TestAlerts_NameSeriesThatAreServed: every series of ours in the rules exists, and every
// rule says what it is about.
func TestAlerts_NameSeriesThatAreServed(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(docsRoot, "deploy", "prometheus-alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	d := yaml.NewDecoder(bytes.NewReader(raw))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil || len(file.Groups) != 1 || len(file.Groups[0].Rules) < 10 {
		t.Fatalf("%v: %+v", err, file)
	}
	served := servedMetrics(t)
	for _, r := range file.Groups[0].Rules {
		if r.Alert == "" || r.Expr == "" || r.Labels["severity"] == "" || r.Annotations["summary"] == "" {
			t.Errorf("%q is not a whole rule", r.Alert)
		}
		for _, name := range regexp.MustCompile(`stafett_[a-z_]+`).FindAllString(r.Expr, -1) {
			if !served[name] {
				t.Errorf("%s asks for %s, which is not served", r.Alert, name)
			}
		}
		if strings.Count(r.Expr, "(") != strings.Count(r.Expr, ")") {
			t.Errorf("%s: %s", r.Alert, r.Expr)
		}
	}
}

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestMetrics_AReceiverThatIsDownShows: in its series, and in the log once, whatever is
// tried meanwhile; and when it is back.
func TestMetrics_AReceiverThatIsDownShows(t *testing.T) {
	p := newWireParties(t)
	box := boxFor(t, p)
	cfg, err := sandboxConfig(box)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Delivery.RetryMin, cfg.Delivery.RetryMax = 10*time.Millisecond, 20*time.Millisecond
	log := &lockedBuffer{}
	a, err := startApp(t.Context(), cfg, slog.New(slog.NewJSONHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.shutdown(); err != nil {
			t.Error(err)
		}
	})
	b := blackboxOf(t, box)
	b.at.Store(&gatewayProcess{http: "http://" + a.httpAddr, mllp: a.mllpAddr[0], nats: a.bus.ClientURL()})
	s := &senders{blackbox: b, ctx: t.Context()}
	metric := func(name string) float64 {
		t.Helper()
		a.metrics.sumUp(t.Context(), a.ledger)
		resp, err := http.Get("http://" + a.httpAddr + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(`(?m)^` + name + `\{receiver="dalvik-kommune"[^}]*\} (\S+)$`).FindSubmatch(body)
		if m == nil {
			return -1
		}
		v, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	p.municipality.close()
	for n := range 3 {
		s.hl7(bench.Message(1, n))
	}
	b.until(20*time.Second, "the metrics tell that the municipality is down", func() bool {
		since := metric("stafett_receiver_failing_since_timestamp_seconds")
		return since > float64(time.Now().Add(-time.Minute).Unix()) && metric("stafett_receiver_pending") >= 3 && metric("stafett_receiver_oldest_pending_seconds") > 0
	})
	p.municipality.first = func(a arrived) {
		s.working.Go(func() {
			receipt := []byte(bench.Receipt(a.raw))
			s.kith(cut(receipt, "<Id>", "<"), receipt)
		})
	}
	p.municipality.open(t)
	b.until(30*time.Second, "the metrics tell that it is back", func() bool {
		return metric("stafett_receiver_failing_since_timestamp_seconds") == 0 && metric("stafett_receiver_pending") == 0 &&
			metric("stafett_receiver_awaiting_receipt") == 0 && metric("stafett_receiver_last_receipt_timestamp_seconds") > float64(time.Now().Add(-time.Minute).Unix())
	})
	s.working.Wait()
	for _, err := range s.failures() {
		t.Error(err)
	}
	said := log.String()
	services := len(regexp.MustCompile(`"receiver":"dalvik-kommune","service":"saksbehandling"`).FindAllString(said, -1))
	if failed, back := strings.Count(said, "sends to a receiver fail"), strings.Count(said, "a receiver answers again"); failed == 0 || failed > 2 || back != failed {
		t.Errorf("%d lines say that it fails, %d that it is back, %d of one service:\n%s", failed, back, services, said)
	}
	if !strings.Contains(said, "connection refused") {
		t.Errorf("the log does not say why:\n%s", said)
	}
}
