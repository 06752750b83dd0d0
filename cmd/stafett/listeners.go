package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"stafett/events"
)

// listener is an address that the gateway opens.
type listener struct {
	key, address string // as configured
	secured      bool   // has a certificate
	host         string // one spelling of each
	port         uint16 // 0 for any free one
}

// listeners are those of a configuration, and what is wrong with the others' addresses.
func (c Config) listeners() (all []listener, problems []error) {
	add := func(key, address, certFile string) {
		l := listener{key: key, address: address, secured: certFile != ""}
		if err := l.parse(); err != nil {
			problems = append(problems, fmt.Errorf("configuration: %s: %w", key, err))
			return
		}
		all = append(all, l)
	}
	add("http.listen", c.HTTP.Listen, c.HTTP.CertFile)
	for i, m := range c.MLLP {
		add(fmt.Sprintf("mllp[%d].listen", i), m.Listen, m.CertFile)
	}
	// Empty, the embedded server takes any free port of this machine.
	if c.Events.External == nil && c.Events.Listen != "" {
		add("events.listen", c.Events.Listen, c.Events.CertFile)
	}
	return all, problems
}

// hostName is a name of a machine: what has no letter would be an IP address.
var hostName = regexp.MustCompile(`^[0-9.-]*[a-z][a-z0-9.-]*$`)

func (l *listener) parse() error {
	host, port, err := net.SplitHostPort(l.address)
	if err != nil {
		return fmt.Errorf("%q is not an address with a port, as 127.0.0.1:8080", l.address)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return fmt.Errorf("the port of %q is not a number from 0 (any free one) to 65535", l.address)
	}
	l.port, l.host = uint16(n), strings.ToLower(host)
	if ip, err := netip.ParseAddr(host); err == nil {
		l.host = ip.Unmap().String()
	} else if host != "" && !hostName.MatchString(l.host) {
		return fmt.Errorf("the host of %q is neither an IP address nor a name", l.address)
	}
	switch l.host {
	case "localhost":
		l.host = "127.0.0.1"
	case "", "::":
		l.host = "0.0.0.0"
	}
	return nil
}

// meets says that only one of the two can be opened.
func (l listener) meets(other listener) bool {
	return l.port != 0 && l.port == other.port && (l.host == other.host || l.host == "0.0.0.0" || other.host == "0.0.0.0")
}

// listenersUsable refuses addresses that cannot be opened, or not beside each other, and events
// that would leave this machine in the clear.
func (c Config) listenersUsable() error {
	all, problems := c.listeners()
	for i, l := range all {
		for _, first := range all[:i] {
			if l.meets(first) {
				problems = append(problems, fmt.Errorf("configuration: %s: port %d is that of %s already", l.key, l.port, first.key))
			}
		}
		if l.key == "events.listen" && !l.secured && events.BeyondMachine(l.host) {
			problems = append(problems, fmt.Errorf("configuration: %s: %s is reached from other machines, where passwords and events would pass in the clear: "+
				"set events.certFile and events.keyFile, or listen on 127.0.0.1", l.key, l.address))
		}
	}
	return errors.Join(problems...)
}

// unsecured warns of the other listeners that are reached from other machines without TLS:
// something in front of them, or the network itself, may encrypt.
func (c Config) unsecured() (warnings []string) {
	all, _ := c.listeners()
	for _, l := range all {
		if l.key != "events.listen" && !l.secured && events.BeyondMachine(l.host) {
			warnings = append(warnings, fmt.Sprintf("%s: %s is reached from other machines without TLS: set certFile and keyFile, "+
				"or let it be reached only through what encrypts", l.key, l.address))
		}
	}
	return warnings
}
