package kith

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"stafett/adapters"
	"stafett/message"
)

var update = flag.Bool("update", false, "rewrite golden files")

// Numbers of the fictitious persons in the fixtures.
const (
	solveigFNR = "12034800241"
	solveigDNR = "52034800073"
	solveigHNR = "12434800062"
	someFHN    = "80000000098"
)

// noon is when receipts in tests are made.
var noon = time.Date(2026, 3, 9, 12, 0, 0, 0, time.FixedZone("", 3600))

// standards returns the folder of official schemas and samples, or skips.
func standards(t *testing.T) string {
	t.Helper()
	root := os.Getenv("STAFETT_STANDARDS")
	if root == "" {
		t.Skip("STAFETT_STANDARDS is not set: official samples and schemas are not tested")
	}
	if _, err := os.Stat(root + "/norway/xsd"); err != nil {
		t.Fatalf("STAFETT_STANDARDS is set but has no norway/xsd: %v", err)
	}
	return root + "/norway"
}

func mustEnvelope(t testing.TB, raw []byte) (*message.Message, adapters.Envelope) {
	t.Helper()
	m := mustRead(t, raw)
	env, err := Codec{}.Envelope(m)
	if err != nil {
		t.Fatal(err)
	}
	return m, env
}

// altered returns the fixture with old replaced by replacement, which must be there.
func altered(t testing.TB, name string, pairs ...string) []byte {
	t.Helper()
	s := string(fixture(t, name))
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(s, pairs[i]) {
			t.Fatalf("%s has no %q", name, pairs[i])
		}
		s = strings.ReplaceAll(s, pairs[i], pairs[i+1])
	}
	return []byte(s)
}
