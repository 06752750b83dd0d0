package events

import (
	"context"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"stafett/handover"
)

// freePorts finds ports for servers that must know each other before they start.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func TestInvariant5_ThreeSyncedNodesLoseNothingWhenOneIsAway(t *testing.T) {
	if os.Getenv("STAFETT_TEST_SLOW") == "" {
		t.Skip("a cluster of three servers: STAFETT_TEST_SLOW is not set")
	}
	accounts, err := AccountsConf(User{"system", "s"}, User{"gateway", "g"}, []PartyUsers{{Party: municipality,
		Reader: User{"reader", "r"}, Gateway: User{"gateway-m", "gm"}}})
	if err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 3)
	var routes []string
	for _, p := range ports {
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", p))
	}
	nodes, started := make([]*server.Server, 3), make(chan error, 3)
	for i := range nodes {
		conf := serverConf{Name: fmt.Sprintf("n%d", i), Dir: t.TempDir(), Host: "127.0.0.1", Port: server.RANDOM_PORT, Accounts: accounts,
			Cluster: "test", ClusterListen: fmt.Sprintf("127.0.0.1:%d", ports[i]), Routes: routes}
		go func() {
			var err error
			nodes[i], err = startServer(conf)
			started <- err
		}()
	}
	for range nodes {
		if err := <-started; err != nil {
			t.Fatal(err)
		}
	}
	defer func() {
		for _, n := range nodes {
			n.Shutdown()
			n.WaitForShutdown()
		}
	}()
	url := nodes[0].ClientURL() + "," + nodes[1].ClientURL() + "," + nodes[2].ClientURL()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	b, err := Open(ctx, Config{External: &External{Gateway: Connect{URL: url, User: "gateway", Password: "g"},
		System:  &Connect{URL: url, User: "system", Password: "s"},
		Parties: map[handover.PartyID]Connect{municipality: {URL: url, User: "gateway-m", Password: "gm"}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	m := &memory{epoch: "e1"}
	m.add(200)
	r := run(t, m, b)
	settled(t, r, m)
	nodes[0].Shutdown()
	nodes[0].WaitForShutdown()
	m.add(200)
	r.Notify()
	settled(t, r, m)
	whole(t, m, b)
}
