package mappings_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"stafett/fhir"
	"stafett/handover"
	"stafett/mappings/account"
	"stafett/mappings/engine"
	"stafett/mappings/language"
)

// thinned is a canonical form from which some elements are gone, as from senders who know less.
func thinned(r *rand.Rand, c account.Canonical) account.Canonical {
	out := c
	out.Resources = nil
	for _, named := range c.Resources {
		if named.Name != "patient" && r.IntN(12) == 0 {
			continue
		}
		n := named.Resource.Clone()
		thin(r, n)
		out.Resources = append(out.Resources, account.Named{Name: named.Name, Key: named.Key, Resource: n})
	}
	return out
}

func thin(r *rand.Rand, n *fhir.Node) {
	for _, m := range append([]fhir.Member(nil), n.Members...) {
		if m.Name != "resourceType" && r.IntN(9) == 0 {
			n.Delete(m.Name)
			continue
		}
		thin(r, m.Value)
	}
	for _, item := range n.Items {
		thin(r, item)
	}
}

// TestKITH_WhatIsMadeIsValid holds every message that a mapping makes, of whole and of thinned
// content, to the national schemas: a receiver need not read what is not valid.
func TestKITH_WhatIsMadeIsValid(t *testing.T) {
	schema := filepath.Join(standards(t), "norway", "xsd", "driver.xsd")
	set, dir := embedded(t), t.TempDir()
	var files []string
	seed := uint64(20261128)
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for _, file := range goldenFiles(t) {
		c, ok := readGolden(t, file).canonical(t)
		if !ok {
			continue
		}
		for _, m := range set.Programs() {
			if m.Wire != handover.WireKITH {
				continue
			}
			for i := range 8 {
				content := c
				if i > 0 {
					content = thinned(r, c)
				}
				if raw, ok := made(t, m, content); ok {
					files = append(files, filepath.Join(dir, fmt.Sprintf("%05d.xml", len(files))))
					if err := os.WriteFile(files[len(files)-1], raw, 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	if len(files) < 500 {
		t.Fatalf("only %d messages", len(files))
	}
	invalid := map[string]int{}
	for len(files) > 0 {
		batch := files[:min(len(files), 500)]
		files = files[len(batch):]
		out, _ := exec.Command("xmllint", append([]string{"--noout", "--nonet", "--schema", schema}, batch...)...).CombinedOutput()
		for line := range strings.Lines(string(out)) {
			if _, what, found := strings.Cut(line, "Schemas validity error : "); found {
				if invalid[what]++; invalid[what] == 1 {
					t.Error(line)
				}
			}
		}
		if !strings.Contains(string(out), " validates") {
			t.Fatalf("nothing was validated: %s", out)
		}
	}
}

// made is the message that a mapping makes; false where it says why it cannot.
func made(t *testing.T, m *language.Program, c account.Canonical) ([]byte, bool) {
	t.Helper()
	h := tellHeader(handover.WireKITH)
	h.Type, h.Status = m.Type, "N"
	c.Header = h
	facts := map[string]string{"status": "N"}
	for k, v := range c.Facts {
		facts[k] = v
	}
	c.Facts = facts
	tree, _, err := engine.FromFHIR(m, c, engine.Context{Header: h})
	if err != nil {
		return nil, false
	}
	raw, err := codecs[handover.WireKITH].Encode(tree)
	return raw, err == nil
}

// canonical is the canonical form of a case.
func (g *golden) canonical(t *testing.T) (account.Canonical, bool) {
	data, ok := g.section("canonical")
	if !ok {
		return account.Canonical{}, false
	}
	return readCanonical(t, data), true
}
