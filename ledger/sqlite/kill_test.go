package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"stafett/ledger"
	"stafett/ledger/ledgertest"
)

// killedPath makes the test binary a gateway's ledger that its parent kills.
const killedPath = "STAFETT_TEST_KILLED_LEDGER"

func TestMain(m *testing.M) {
	if path := os.Getenv(killedPath); path != "" {
		commitUntilKilled(path)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// commitUntilKilled prints the number of each unit once it is committed.
func commitUntilKilled(path string) {
	s, err := Open(context.Background(), path, Options{})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	head, err := s.Head(context.Background())
	if err != nil {
		fmt.Println("error", err)
		return
	}
	g := ledger.NewGroup(s, ledger.GroupOptions{})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			// Disjoint from those of every earlier child: an entry is at most one unit.
			for n := int(head.Entry)*1000 + w; n < int(head.Entry)*1000+100000; n += 8 {
				if _, err := g.Commit(context.Background(), ledgertest.Unit(n)); err != nil {
					fmt.Println("error", err)
					return
				}
				fmt.Println("stored", n)
			}
		})
	}
	wg.Wait()
}

// TestInvariant1_Kill_NothingAnsweredIsLost kills a process at random moments: every unit
// that was reported is there whole, none is there in part, and the chain verifies.
func TestInvariant1_Kill_NothingAnsweredIsLost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	kills := 3
	if os.Getenv("STAFETT_TEST_SLOW") != "" {
		kills = 8
	}
	var stored []int
	for range kills {
		stored = append(stored, runAndKill(t, path, 1+random.IntN(120))...)
		checkAfterKill(t, path, stored)
	}
}

// runAndKill starts a child, kills it after some reports, and returns what it reported.
func runAndKill(t *testing.T, path string, reports int) []int {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killedPath+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var stored []int
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		text, ok := strings.CutPrefix(lines.Text(), "stored ")
		n, err := strconv.Atoi(text)
		if !ok || err != nil {
			if len(stored) < reports {
				t.Errorf("the child says %q", lines.Text())
			}
			continue
		}
		if stored = append(stored, n); len(stored) == reports {
			_ = cmd.Process.Kill() // SIGKILL; what it still printed is read to the end
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the child ended by itself")
	}
	return stored
}

func checkAfterKill(t *testing.T, path string, stored []int) {
	t.Helper()
	ctx := context.Background()
	s, err := Open(ctx, path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	v, err := s.Verify(ctx, nil)
	if err != nil || v.Finding != nil || v.Events != v.Entries || v.Entries < int64(len(stored)) {
		t.Fatalf("%v %+v %+v, %d reported", err, v, v.Finding, len(stored))
	}
	for _, n := range stored {
		u := ledgertest.Unit(n)
		if _, err := s.Message(ctx, u.Message.ID); err != nil {
			t.Errorf("unit %d was reported, its message: %v", n, err)
		}
		if _, err := s.Delivery(ctx, u.Deliveries[0].ID); err != nil {
			t.Errorf("unit %d was reported, its delivery: %v", n, err)
		}
	}
	counts, err := s.db.writer.text(`SELECT count(*) || ' ' || (SELECT count(*) FROM handover) || ' ' || (SELECT count(*) FROM delivery)
		|| ' ' || (SELECT count(*) / 3 FROM audit) || ' ' || (SELECT count(*) / 4 FROM resource_version)
		|| ' ' || (SELECT count(*) / 24 FROM search) || ' ' || (SELECT count(*) / 12 FROM visibility) FROM message`)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.TrimSuffix(strings.Repeat(fmt.Sprint(v.Entries, " "), 7), " "); counts != want {
		t.Errorf("rows of %d units: %s", v.Entries, counts)
	}
}
