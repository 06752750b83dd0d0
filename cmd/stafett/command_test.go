package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/spf13/cobra"

	"stafett/api"
	"stafett/handover"
)

// run is one command in this process: its output, and what it exits with.
func run(t *testing.T, args ...string) (out string, code int) {
	t.Helper()
	var said bytes.Buffer
	root := rootCommand()
	root.SetOut(&said)
	root.SetErr(&said)
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	var exit exitCode
	switch {
	case errors.As(err, &exit):
		return said.String(), int(exit)
	case err != nil:
		return said.String() + err.Error(), 1
	}
	return said.String(), 0
}

// eachCommand calls f with every command and its path below the root.
func eachCommand(cmd *cobra.Command, path []string, f func(cmd *cobra.Command, path []string)) {
	f(cmd, path)
	for _, sub := range cmd.Commands() {
		eachCommand(sub, append(path[:len(path):len(path)], sub.Name()), f)
	}
}

// TestCommands_AMistypedWordIsAMistake: a word that a group of commands does not have ends
// with an error, which names the near one.
func TestCommands_AMistypedWordIsAMistake(t *testing.T) {
	for typed, meant := range map[string]string{
		"ledger blance": "balance", "ledger verfy": "verify", "events tial": "tail", "parked lst": "list", "handover lst": "list",
		"config chek": "check", "parked nonsense": "history, list",
	} {
		out, code := run(t, strings.Fields(typed)...)
		if code != 1 || !strings.Contains(out, "there is no command") || !strings.Contains(out, meant) {
			t.Errorf("%s: exit %d, %s", typed, code, out)
		}
	}
	eachCommand(rootCommand(), nil, func(cmd *cobra.Command, path []string) {
		if !cmd.HasSubCommands() {
			return
		}
		if _, code := run(t, append(path, "nosuchword")...); code != 1 {
			t.Errorf("stafett %s nosuchword exits %d", strings.Join(path, " "), code)
		}
		if out, code := run(t, path...); code != 0 || !strings.Contains(out, "Usage:") {
			t.Errorf("stafett %s exits %d and says %s", strings.Join(path, " "), code, out)
		}
	})
}

// TestCommands_HelpPrintsNothingOfTheEnvironment: tokens and addresses may hold secrets.
func TestCommands_HelpPrintsNothingOfTheEnvironment(t *testing.T) {
	const secret = "hemmelig-verdi-1234567890"
	for _, name := range []string{"STAFETT_TOKEN", "STAFETT_URL", "STAFETT_CA", "STAFETT_CONFIG", "NATS_PASSWORD"} {
		t.Setenv(name, secret)
	}
	eachCommand(rootCommand(), nil, func(_ *cobra.Command, path []string) {
		for _, args := range [][]string{append(path, "--help"), append([]string{"help"}, path...), append(path, "--nosuchflag")} {
			if out, _ := run(t, args...); strings.Contains(out, secret) {
				t.Errorf("stafett %s prints it", strings.Join(args, " "))
			}
		}
	})
}

// example writes the example's configuration into a new folder with free ports, and returns
// its path and tokens.
func example(t *testing.T) (path string, token map[string]string) {
	t.Helper()
	text, tokens := exampleConfig()
	dir := t.TempDir()
	text = strings.NewReplacer("sqlite: ledger.db", "sqlite: "+filepath.Join(dir, "ledger.db"), "dir: events", "dir: "+filepath.Join(dir, "events"),
		"127.0.0.1:8080", "127.0.0.1:0", "127.0.0.1:2575", "127.0.0.1:0", "127.0.0.1:4222", "127.0.0.1:0").Replace(text)
	token = map[string]string{}
	for _, pair := range tokens {
		token[pair[0]] = pair[1]
	}
	path = filepath.Join(dir, "stafett.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, token
}

// TestConfig_EveryMistypedKeyIsFound: wherever it stands, with its line and the near name.
func TestConfig_EveryMistypedKeyIsFound(t *testing.T) {
	path, _ := example(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for right, c := range map[string]struct{ wrong, want string }{
		"  sqlite: ":               {"  sqllite: ", "there is no key ledger.sqllite; did you mean sqlite?"},
		"  reconcile: ":            {"  reconsile: ", "there is no key events.reconsile; did you mean reconcile?"},
		"\nledger:":                {"\nledgr:", "there is no key ledgr; did you mean ledger?"},
		"\nhttp:\n  listen":        {"\nhttp:\n  lisen", "there is no key http.lisen; did you mean listen?"},
		"- listen: 127":            {"- listn: 127", "there is no key mllp[0].listn; did you mean listen?"},
		"  announced: {after":      {"  announced: {aftr", "there is no key policy.announced.aftr; did you mean after?"},
		"  announced: ":            {"  anounced: ", "there is no key policy.anounced; did you mean announced?"},
		"  - person: Drift":        {"  - persn: Drift", "there is no key operators[0].persn; did you mean person?"},
		"requestsPerSecond":        {"requestPerSecond", "there is no key limits.requestPerSecond; did you mean requestsPerSecond?"},
		"  retryMin: ":             {"  retrymin: ", "there is no key delivery.retrymin; did you mean retryMin?"},
		"  facility: STAFETT":      {"  fasility: STAFETT", "there is no key self.fasility; did you mean facility?"},
		"watch: 1s":                {"wathc: 1s", "there is no key wathc; did you mean watch?"},
		"    takes: [\"*\"]":       {"    take: [\"*\"]", `a service has no field "take"; did you mean takes?`},
		"knownRecipient: ":         {"knownRecipent: ", `a start policy has no field "knownRecipent"; did you mean knownRecipient?`},
		"    overlay: svarlinje-1": {"    overlay: svarlinje-9", `there is no overlay "svarlinje-9"; the mappings have svarlinje-1`},
		"    party: nordvik":       {"    party: norvik", `"norvik-sykehus" is no party of the directory; did you mean nordvik-sykehus?`},
		"operatorContact: nordvik": {"operatorContact: nordvyk", `"nordvyk-sykehus" is no party of the directory; did you mean nordvik-sykehus?`},
		"[LOG_INNLAGT, ":           {"[LOG_INLAGT, ", `takes "LOG_INLAGT", which is no message of kith; did you mean LOG_INNLAGT?`},
		"log: info":                {"log: info\n---\nlog: debug", "second document"},
		"watch: 1s\n":              {"watch: 1s\nwatch: 2s\n", `"watch" already defined`},
		"  her: \"90009\"":         {"  her: \"90301\"", "self.her: it is that of the party"},
		"facility: STAFETT\n":      {"facility: NORDVIK\n", "self.facility: it is that of the party"},
		"shutdown: 20s":            {"shutdown: 20h", "shutdown: 20h0m0s is not from"},
		"{workingDays: 10}":        {"{workingDays: 10, after: 2h}", "policy answerReferral: set exactly one of after and workingDays"},
	} {
		if !strings.Contains(string(whole), right) {
			t.Errorf("the example has no %q", right)
			continue
		}
		file := filepath.Join(t.TempDir(), "stafett.yaml")
		if err := os.WriteFile(file, []byte(strings.Replace(string(whole), right, c.wrong, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, command := range []string{"config check", "serve"} {
			if out, code := run(t, append(strings.Fields(command), "--config", file)...); code != 1 || !strings.Contains(out, c.want) {
				t.Errorf("%s, %s: exit %d without %q:\n%s", command, strings.TrimSpace(c.wrong), code, c.want, out)
			}
		}
	}
}

// TestConfig_WhatASendCouldNotUseIsAWarning: it is read at each send, and may come later.
func TestConfig_WhatASendCouldNotUseIsAWarning(t *testing.T) {
	path, _ := example(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(whole), "# token: env:STAFETT_TOKEN_AT_FJORDBY", "token: env:STAFETT_NO_SUCH_TOKEN\n        caFile: file:/nowhere/ca.pem", 1)
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	out, code := run(t, "config", "check", "--config", path)
	for _, want := range []string{"can be used", "warning: service sykepleietjeneste of fjordby-kommune", "env:STAFETT_NO_SUCH_TOKEN", "/nowhere/ca.pem"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("exit %d, without %q: %s", code, want, out)
		}
	}
}

func TestConfig_CheckTellsAllAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "stafett.yaml")
	if err := os.WriteFile(file, []byte("ledgr:\n  sqlite: x\nevents:\n  dirr: y\nparked: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("STAFETT_CONFIG", file)
	out, code := run(t, "config", "check", "--json")
	var v checked
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 1 || v.Usable || len(v.Problems) != 3 || v.File != file {
		t.Fatalf("exit %d, %v: %s", code, err, out)
	}
	for i, want := range []string{":1: there is no key ledgr", ":4: there is no key events.dirr", ":5: there is no key parked"} {
		if !strings.Contains(v.Problems[i], want) {
			t.Errorf("%q is not %q", v.Problems[i], want)
		}
	}
}

// TestConfig_ATermReplacesItsDefaultWhole: each term in both ways.
func TestConfig_ATermReplacesItsDefaultWhole(t *testing.T) {
	for _, key := range configPolicyTerms() {
		for said, want := range map[string]string{"{after: 36h}": "36h0m0s 0", "{workingDays: 7}": "0s 7"} {
			c, err := parseConfig("x", []byte("policy:\n  "+key+": "+said+"\n"))
			if err == nil {
				err = c.Policy.Validate()
			}
			if got := policyTerm(c, key); err != nil || got != want {
				t.Errorf("%s: %s became %s, %v", key, said, got, err)
			}
		}
		c, err := parseConfig("x", []byte("policy:\n  "+key+": {}\n"))
		if err == nil {
			err = c.Policy.Validate()
		}
		if err == nil {
			t.Errorf("%s: nothing was taken for a term", key)
		}
	}
}

// TestConfig_TheExampleStarts as it is, is asked over HTTP, and then at its store.
func TestConfig_TheExampleStarts(t *testing.T) {
	path, token := example(t)
	if out, code := run(t, "config", "check", "--config", path); code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	cfg, err := loadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	a, err := startApp(t.Context(), cfg, discarded())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("STAFETT_URL", "http://"+a.httpAddr)
	t.Setenv("STAFETT_TOKEN", token["operator"])
	for _, command := range []string{"ledger balance", "ledger verify", "ledger checkpoint", "parked list", "handover list"} {
		if out, code := run(t, strings.Fields(command)...); code != 0 {
			t.Errorf("%s: exit %d: %s", command, code, out)
		}
		if out, code := run(t, append(strings.Fields(command), "--json")...); code != 0 || !json.Valid([]byte(out)) {
			t.Errorf("%s --json: exit %d: %s", command, code, out)
		}
	}
	if err := a.shutdown(); err != nil {
		t.Fatal(err)
	}
	for command, want := range map[string]string{"ledger balance": "the balance holds", "ledger verify": "the chain is whole",
		"ledger checkpoint": `"head"`, "ledger reindex": "resources indexed", "ledger message nosuch": "not found",
		"ledger audit --handover nosuch": "not found"} {
		if out, _ := run(t, append(strings.Fields(command), "--config", path)...); !strings.Contains(strings.ToLower(out), want) {
			t.Errorf("%s --config: %s", command, out)
		}
	}
}

func TestConfig_AMissingLedgerIsNotMade(t *testing.T) {
	path, _ := example(t)
	out, code := run(t, "ledger", "verify", "--config", path)
	if code != 1 || !strings.Contains(out, "no ledger to ask") {
		t.Errorf("exit %d: %s", code, out)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(path), "ledger.db")); err == nil {
		t.Error("a look at a ledger made one")
	}
}

// TestLists_AreReadToTheirEnds: none is cut off at a page, and the total is told.
func TestLists_AreReadToTheirEnds(t *testing.T) {
	const total = 2345
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		limit, err1 := strconv.Atoi(q.Get("limit"))
		from, err2 := strconv.Atoi("0" + q.Get("after"))
		if err := errors.Join(err1, err2); err != nil {
			http.Error(w, "query", http.StatusBadRequest)
			return
		}
		page := api.List[map[string]string]{Total: total}
		for i := from; i < min(from+limit, total); i++ {
			page.Items = append(page.Items, map[string]string{"id": fmt.Sprintf("n%d", i)})
		}
		if from+limit < total {
			page.Next = strconv.Itoa(from + limit)
		}
		_ = writeJSON(w, page)
	}))
	defer srv.Close()
	t.Setenv("STAFETT_URL", srv.URL)
	for command, want := range map[string]string{"handover list": "2345 handovers", "parked list": "2345 messages and 2345 deliveries",
		"parked history": "2345 messages and 2345 deliveries", "ledger unheard": "2345 messages", "ledger audit --handover h": ""} {
		out, code := run(t, strings.Fields(command)...)
		if code != 0 || !strings.Contains(out, want) || strings.Count(out, "\n") < total {
			t.Errorf("%s: exit %d, %d lines, without %q", command, code, strings.Count(out, "\n"), want)
		}
		if out, code := run(t, append(strings.Fields(command), "--json")...); code != 0 || !strings.Contains(out, `"total": 2345`) {
			t.Errorf("%s --json: exit %d, %.200s", command, code, out)
		}
	}
}

func discarded() *slog.Logger { return slog.New(slog.DiscardHandler) }

// configPolicyTerms are the keys of the policy that take a term.
func configPolicyTerms() (keys []string) {
	types, names := keysOf(reflect.TypeFor[handover.Policy]())
	for _, name := range names {
		if types[name] == reflect.TypeFor[handover.Term]() {
			keys = append(keys, name)
		}
	}
	return keys
}

func policyTerm(c Config, key string) string {
	v := reflect.ValueOf(c.Policy)
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("yaml") == key {
			term := v.Field(i).Interface().(handover.Term)
			return fmt.Sprint(term.After, " ", term.WorkingDays)
		}
	}
	return ""
}

// TestServe_StartsWithoutRedis, says so, and uses it when it comes.
func TestServe_StartsWithoutRedis(t *testing.T) {
	mini := miniredis.NewMiniRedis()
	if err := mini.Start(); err != nil {
		t.Fatal(err)
	}
	addr := mini.Addr()
	mini.Close()
	path, token := example(t)
	cfg, err := loadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Redis = "redis://" + addr
	a, err := startApp(t.Context(), cfg, discarded())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.shutdown(); err != nil {
			t.Error(err)
		}
	})
	get := func(path string) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+a.httpAddr+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token["fjordby-kommune"])
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %v %s", path, resp.StatusCode, err, body)
		}
		return string(body)
	}
	get("/fhir/Task")
	if said := get("/readyz"); !strings.Contains(said, "Redis is out of reach") {
		t.Errorf("readyz says %s", said)
	}
	if !strings.Contains(get("/metrics"), "stafett_redis_away 1") {
		t.Error("the metric does not tell that Redis is away")
	}
	if err := mini.StartAddr(addr); err != nil {
		t.Fatal(err)
	}
	defer mini.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	askUntil(ctx, t, "Redis counts", func() bool {
		get("/fhir/Task")
		return len(mini.Keys()) > 0 && get("/readyz") == "ready\n"
	})
}

func TestNextOf(t *testing.T) {
	for given, want := range map[string]handover.Next{"": {}, "home": {None: handover.NoneHome}, "0198-x": {Handover: "0198-x"}} {
		if got := nextOf(given); got != want {
			t.Errorf("%q: %+v", given, got)
		}
	}
}
