package transport

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestHardenKeepsWhatIsSet(t *testing.T) {
	s := &http.Server{ReadTimeout: time.Second}
	Harden(s)
	if s.ReadTimeout != time.Second || s.ReadHeaderTimeout == 0 || s.WriteTimeout == 0 || s.IdleTimeout == 0 || s.MaxHeaderBytes == 0 {
		t.Errorf("%+v", s)
	}
}

// TestHarden_RefusedUnreadIsAnswered sends all of a body before it reads the answer to its head.
func TestHarden_RefusedUnreadIsAnswered(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	}))
	Harden(server.Config)
	server.Start()
	defer server.Close()
	for _, connection := range []string{"close", "keep-alive"} {
		t.Run(connection, func(t *testing.T) {
			c, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			body := make([]byte, 8<<20)
			if _, err := fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: a\r\nConnection: %s\r\nContent-Length: %d\r\n\r\n", connection, len(body)); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Write(body); err != nil {
				t.Fatal(err)
			}
			answer, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := answer.Body.Close(); err != nil || answer.StatusCode != http.StatusRequestEntityTooLarge {
				t.Error(answer.Status, err)
			}
		})
	}
}

func TestClients_OneForEachSetOfFiles(t *testing.T) {
	a := newAuthority(t, "first")
	own := a.pair(t, "own", "own")
	var c Clients
	seen := map[*http.Client]Files{}
	for _, f := range []Files{{}, {CA: a.file}, own, {CA: a.file, Cert: own.Cert, Key: own.Key}} {
		one, err := c.Client(f)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := c.Client(f); again != one || err != nil {
			t.Errorf("%+v: another client, %v", f, err)
		}
		if other, ok := seen[one]; ok {
			t.Errorf("%+v and %+v have one client", f, other)
		}
		seen[one] = f
	}
	c.Close()
	if _, err := c.Client(Files{}); err == nil {
		t.Error("a client after Close")
	}
}

func TestClients_Bounded(t *testing.T) {
	var c Clients
	for range clientsMax + 2 {
		c.keep(Files{CA: t.TempDir()}, &renewed[*http.Client]{value: &http.Client{}})
	}
	if len(c.clients) != 2 {
		t.Errorf("%d clients are kept, want those after the bound", len(c.clients))
	}
}

func TestClients_FollowNoRedirect(t *testing.T) {
	server := httptest.NewServer(http.RedirectHandler("/elsewhere", http.StatusTemporaryRedirect))
	defer server.Close()
	var c Clients
	defer c.Close()
	client, err := c.Client(Files{})
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusTemporaryRedirect {
		t.Error(response.Status)
	}
}

// A client is refused while its files cannot be used, and made anew once they can.
func TestClients_FilesThatChange(t *testing.T) {
	a := newAuthority(t, "first")
	own := a.pair(t, "own", "own")
	var c Clients
	defer c.Close()
	former, err := c.Client(own)
	if err != nil {
		t.Fatal(err)
	}
	whole := read(t, own.Key)
	write(t, own.Key, []byte("half a key"))
	for range 2 {
		if _, err := c.Client(own); err == nil {
			t.Error("a client with half a key")
		}
	}
	write(t, own.Key, whole)
	renewed, err := c.Client(own)
	if err != nil || renewed == former {
		t.Errorf("the client is the former one, or %v", err)
	}
}
