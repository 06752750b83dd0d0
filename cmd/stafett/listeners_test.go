package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// changedExample writes the example with old, which stands in it, as new; and returns its path.
func changedExample(t *testing.T, whole, old, changed string) string {
	t.Helper()
	if !strings.Contains(whole, old) {
		t.Fatalf("the example has no %q", old)
	}
	file := filepath.Join(t.TempDir(), "stafett.yaml")
	if err := os.WriteFile(file, []byte(strings.Replace(whole, old, changed, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestConfig_WhatCouldNotBeServedIsRefused by config check as by serve, with its place.
func TestConfig_WhatCouldNotBeServedIsRefused(t *testing.T) {
	path, _ := example(t)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const http, mllp, events = "http:\n  listen: 127.0.0.1:0", "mllp:\n  - listen: 127.0.0.1:0\n    party: nordvik-sykehus", "  listen: 127.0.0.1:0\n  # certFile and"
	at := func(section, address string) string { return strings.Replace(section, "127.0.0.1:0", address, 1) }
	second := func(first, other string) string {
		return at(mllp, first) + "\n  - listen: " + other + "\n    party: nordvik-sykehus"
	}
	sqlite := "sqlite: " + filepath.Join(filepath.Dir(path), "ledger.db")
	dir := "dir: " + filepath.Join(filepath.Dir(path), "events")
	// also is what must be changed beside it for the problem to be there.
	also := map[string]*strings.Replacer{
		"one port, HTTP and MLLP":   strings.NewReplacer(mllp, at(mllp, "127.0.0.1:2575")),
		"one port, HTTP and events": strings.NewReplacer(events, at(events, "127.0.0.1:4222")),
		"two have a kommunenummer":  strings.NewReplacer("type: institution", "type: municipality"),
	}
	for name, c := range map[string]struct{ old, changed, want string }{
		"HTTP without a port":       {http, at(http, "127.0.0.1"), `http.listen: "127.0.0.1" is not an address with a port`},
		"HTTP with an empty port":   {http, at(http, `"127.0.0.1:"`), `http.listen: the port of "127.0.0.1:" is not a number`},
		"HTTP with no address":      {http, at(http, `""`), `http.listen: "" is not an address with a port`},
		"a URL":                     {http, at(http, "http://127.0.0.1:80"), "http.listen: "},
		"a port alone":              {http, at(http, "8080"), "http.listen: "},
		"MLLP without a port":       {mllp, at(mllp, "localhost"), `mllp[0].listen: "localhost" is not an address with a port`},
		"MLLP with no address":      {mllp, "mllp:\n  - party: nordvik-sykehus", `mllp[0].listen: "" is not an address with a port`},
		"a port too large":          {mllp, at(mllp, "127.0.0.1:65536"), "mllp[0].listen: the port of"},
		"a port below zero":         {mllp, at(mllp, "127.0.0.1:-1"), "mllp[0].listen: the port of"},
		"a port with a sign":        {mllp, at(mllp, "127.0.0.1:+2575"), "mllp[0].listen: the port of"},
		"a port by name":            {mllp, at(mllp, "127.0.0.1:http"), "mllp[0].listen: the port of"},
		"events without a port":     {events, at(events, "127.0.0.1"), "events.listen: "},
		"events, a port too large":  {events, at(events, "127.0.0.1:99999"), "events.listen: the port of"},
		"an impossible address":     {http, at(http, "300.0.0.1:8080"), "http.listen: the host of"},
		"an impossible IPv6":        {http, at(http, `"[zz::1]:8080"`), "http.listen: the host of"},
		"one port on two listeners": {mllp, second("127.0.0.1:2575", "127.0.0.1:2575"), "mllp[1].listen: port 2575 is that of mllp[0].listen already"},
		"one port, also everywhere": {mllp, second("127.0.0.1:2575", "0.0.0.0:2575"), "mllp[1].listen: port 2575 is that of mllp[0].listen already"},
		"one port, no host":         {mllp, second(":2575", "127.0.0.1:2575"), "mllp[1].listen: port 2575 is that of mllp[0].listen already"},
		"one port, IPv6":            {mllp, second(`"[::]:2575"`, "10.0.0.1:2575"), "mllp[1].listen: port 2575 is that of mllp[0].listen already"},
		"one port, by name":         {mllp, second("localhost:2575", "127.0.0.1:2575"), "mllp[1].listen: port 2575 is that of mllp[0].listen already"},
		"one port, spelled twice":   {mllp, second("127.0.0.1:2575", `"[::ffff:127.0.0.1]:02575"`), "mllp[1].listen: port 2575 is that of mllp[0].listen already"},
		"one port, HTTP and MLLP":   {http + "\n", at(http, "127.0.0.1:2575") + "\n", "mllp[0].listen: port 2575 is that of http.listen already"},
		"one port, HTTP and events": {http + "\n", at(http, "127.0.0.1:4222") + "\n", "events.listen: port 4222 is that of http.listen already"},
		"events on all addresses":   {events, at(events, "0.0.0.0:4222"), "events.listen: 0.0.0.0:4222 is reached from other machines"},
		"events with no host":       {events, at(events, "\":4222\""), "set events.certFile and events.keyFile"},
		"events on IPv6":            {events, at(events, `"[::]:0"`), "set events.certFile and events.keyFile"},
		"events on the network":     {events, at(events, "10.0.0.1:4222"), "set events.certFile and events.keyFile"},
		"events on a name":          {events, at(events, "stafett.example.no:4222"), "set events.certFile and events.keyFile"},
		"no folder of the ledger":   {sqlite, "sqlite: /nowhere/at/all/ledger.db", "ledger.sqlite: there is no folder /nowhere/at/all"},
		"a file for the folder":     {sqlite, "sqlite: " + path + "/ledger.db", "ledger.sqlite: " + path + " is no folder"},
		"a file for its parent":     {sqlite, "sqlite: " + path + "/x/ledger.db", "ledger.sqlite: "},
		"a folder for the ledger":   {sqlite, "sqlite: " + filepath.Dir(path), "is there and is no file"},
		"no file for the ledger":    {sqlite, `sqlite: ":memory:"`, "ledger.sqlite: a ledger needs a file"},
		"a file for the events":     {dir, "dir: " + path, "events.dir: " + path + " is no folder"},
		"a HER-id of letters":       {`her: "90009"`, "her: x", `self.her: "x": a HER-id is up to ten digits`},
		"a HER-id with a space":     {`her: "90009"`, `her: "90 009"`, "self.her: "},
		"a HER-id too long":         {`her: "90009"`, `her: "12345678901"`, "self.her: "},
		"an organisation number":    {`her: "90009"`, `orgNumber: "99900"`, `self.orgNumber: "99900": an organisation number is nine digits`},
		"a facility of components":  {"facility: STAFETT\n", "facility: STAFETT^X\n", "self.facility: "},
		"two have a kommunenummer":  {"orgNumber: \"999002021\"", "orgNumber: \"999002021\"\n    kommunenummer: [\"9902\"]", "party solvang-rehabilitering has it, and first party fjordby-kommune"},
	} {
		whole := string(text)
		if more := also[name]; more != nil {
			whole = more.Replace(whole)
		}
		file := changedExample(t, whole, c.old, c.changed)
		for _, command := range []string{"config check", "serve"} {
			if out, code := run(t, append(strings.Fields(command), "--config", file)...); code != 1 || !strings.Contains(out, c.want) {
				t.Errorf("%s, %s: exit %d without %q:\n%s", command, name, code, c.want, out)
			}
		}
	}
}

// TestConfig_WhatCanBeServedIsNotRefused: the near neighbours of what is.
func TestConfig_WhatCanBeServedIsNotRefused(t *testing.T) {
	path, _ := example(t)
	cfg, err := loadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	secured := func(c *Config) { c.Events.CertFile, c.Events.KeyFile = "tls.crt", "tls.key" }
	listening := func(addresses ...string) func(*Config) {
		return func(c *Config) {
			c.HTTP.Listen, c.MLLP = addresses[0], nil
			for _, a := range addresses[1:] {
				c.MLLP = append(c.MLLP, MLLP{Listen: a, Party: "nordvik-sykehus"})
			}
		}
	}
	for name, change := range map[string]func(*Config){
		"any free port, often":         listening("127.0.0.1:0", "127.0.0.1:0", "0.0.0.0:0"),
		"one port on two addresses":    listening("10.0.0.1:2575", "10.0.0.2:2575", "[fe80::1%eth0]:2575"),
		"a name":                       listening("stafett-1.example.no:8080"),
		"everywhere":                   listening(":8080", "[::]:2575"),
		"events by IPv6 on this alone": func(c *Config) { c.Events.Listen = "[::1]:4222" },
		"events by name on this alone": func(c *Config) { c.Events.Listen = "localhost:4222" },
		"events without an address":    func(c *Config) { c.Events.Listen = "" },
		"events with TLS":              func(c *Config) { secured(c); c.Events.Listen = "0.0.0.0:4222" },
		"events elsewhere":             func(c *Config) { c.Events = Events{External: &External{}, Listen: "x", Reconcile: c.Events.Reconcile} },
	} {
		changed := cfg
		change(&changed)
		if err := changed.validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestConfig_WhatListensInTheClearIsAWarning: for other listeners than the events', something in
// front of them may encrypt.
func TestConfig_WhatListensInTheClearIsAWarning(t *testing.T) {
	path, _ := example(t)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for old, c := range map[string]struct{ changed, want string }{
		"http:\n  listen: 127.0.0.1:0":   {"http:\n  listen: 0.0.0.0:0", "warning: http.listen: 0.0.0.0:0 is reached from other machines without TLS"},
		"mllp:\n  - listen: 127.0.0.1:0": {"mllp:\n  - listen: \"[::]:0\"", "warning: mllp[0].listen: [::]:0 is reached from other machines without TLS"},
		"log: info":                      {"log: info", ""},
	} {
		out, code := run(t, "config", "check", "--config", changedExample(t, string(text), old, c.changed))
		if code != 0 || !strings.Contains(out, c.want) || c.want == "" && strings.Contains(out, "warning") {
			t.Errorf("%s: exit %d without %q: %s", c.changed, code, c.want, out)
		}
	}
}

// TestListeners_WhatMeetsCannotBothBeOpened, as the system itself says.
func TestListeners_WhatMeetsCannotBothBeOpened(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("systems differ in what they open beside each other")
	}
	first, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	_, port, err := net.SplitHostPort(first.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "127.0.0.2", "localhost", "0.0.0.0", ""} {
		a, b := listener{address: first.Addr().String()}, listener{address: net.JoinHostPort(host, port)}
		if err := errors.Join(a.parse(), b.parse()); err != nil {
			t.Fatal(err)
		}
		second, err := net.Listen("tcp", b.address)
		if err == nil {
			second.Close()
		}
		if b.meets(a) != (err != nil) {
			t.Errorf("%q beside 127.0.0.1: meets %v, opened %v", host, b.meets(a), err)
		}
	}
}
