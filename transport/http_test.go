package transport

import (
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
