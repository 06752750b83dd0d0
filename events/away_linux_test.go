package events

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"stafett/handover"
)

// dropping is a port of this machine that answers nothing to who connects: its queue is full.
func dropping(t *testing.T) (port int, open func()) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	local := &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	err = errors.Join(syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1), syscall.Bind(fd, local), syscall.Listen(fd, 0))
	bound, err1 := syscall.Getsockname(fd)
	if err := errors.Join(err, err1); err != nil {
		t.Fatal(err)
	}
	at := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: bound.(*syscall.SockaddrInet4).Port}
	var queued []net.Conn
	open = func() {
		for _, c := range queued {
			_ = c.Close()
		}
		_ = syscall.Close(fd)
	}
	for len(queued) < 10 {
		c, err := net.DialTimeout("tcp", at.String(), 500*time.Millisecond)
		if err != nil {
			return at.Port, open
		}
		queued = append(queued, c)
	}
	open()
	t.Skip("this system queues whatever comes")
	return 0, nil
}

// silent is a port that accepts and says nothing.
func silent(t *testing.T) (port int, open func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		var held []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				break
			}
			held = append(held, c)
		}
		for _, c := range held {
			_ = c.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port, func() { _ = l.Close() }
}

// TestOpen_ClusterThatDoesNotAnswer costs the start one connectTimeout, however many parties have
// an account there, and the end nothing; and its events go out when it comes.
func TestOpen_ClusterThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(*testing.T) (int, func()){"drops what comes": dropping, "says nothing": silent} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port, open := away(t)
			b := openAway(t, port)
			m := &memory{epoch: "e1"}
			m.add(30)
			r := run(t, m, b)
			until(t, "relay retrying", func() bool { s, _, _ := r.Status(); return s == RelayRetrying })
			open()
			accounts, err := AccountsConf(User{"system", "s"}, User{"gateway", "g"}, []PartyUsers{
				{Party: municipality, Reader: User{"reader", "r"}, Gateway: User{"gateway-m", "gm"}},
				{Party: hospital, Reader: User{"reader-h", "r"}, Gateway: User{"gateway-h", "gh"}}})
			if err != nil {
				t.Fatal(err)
			}
			srv, err := startServer(serverConf{Name: "alone", Dir: t.TempDir(), Host: "127.0.0.1", Port: port, Accounts: accounts})
			if err != nil {
				t.Fatal(err)
			}
			defer srv.Shutdown()
			settled(t, r, m)
			whole(t, m, b)
		})
	}
}

// openAway opens a bus to a cluster that does not answer.
func openAway(t *testing.T, port int) *Bus {
	t.Helper()
	connect := func(user, password string) Connect {
		return Connect{URL: (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}).String(), User: user, Password: password}
	}
	system, began := connect("system", "s"), time.Now()
	b, err := Open(t.Context(), Config{External: &External{Gateway: connect("gateway", "g"), System: &system, Replicas: 1,
		Parties: map[handover.PartyID]Connect{municipality: connect("gateway-m", "gm"), hospital: connect("gateway-h", "gh")}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if took := time.Since(began); took > connectTimeout*3/2 {
		t.Errorf("the start waited %s", took)
	}
	return b
}

// TestOpen_ServersThatDropShareTheTime, and one that answers is reached at once.
func TestOpen_ServersThatDropShareTheTime(t *testing.T) {
	t.Parallel()
	port, open := dropping(t)
	defer open()
	dropped := (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}).String()
	url := dropped + "," + dropped + "/2," + dropped + "/3"
	srv := unsynced(t, "127.0.0.1:-1")
	for name, c := range map[string]struct {
		url  string
		away bool
	}{"all drop": {url, true}, "one answers": {url + "," + srv.ClientURL(), false}} {
		ext := &External{Gateway: Connect{URL: c.url, User: "g", Password: "g"}, Replicas: 1, AcceptUnverifiedSync: true}
		began := time.Now()
		b, err := Open(t.Context(), Config{External: ext})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > connectTimeout*3/2 || (b.unchecked != nil) != c.away {
			t.Errorf("%s: the start waited %s; away is %v", name, took, b.unchecked != nil)
		}
		began = time.Now()
		b.Close()
		if took := time.Since(began); took > time.Second {
			t.Errorf("%s: the end waited %s", name, took)
		}
	}
}
