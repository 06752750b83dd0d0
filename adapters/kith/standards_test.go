package kith

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"stafett/adapters"
	"stafett/message"
)

// samples returns the official messages below root/examples by path.
func samples(t *testing.T, root string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(root+"/examples", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".xml" {
			return err
		}
		out[strings.TrimPrefix(path, root+"/examples/")], err = os.ReadFile(path)
		return err
	})
	if err != nil || len(out) < 40 {
		t.Fatalf("%d samples, %v", len(out), err)
	}
	return out
}

func TestStandards_SamplesAreReadAndCheckedAndComeBack(t *testing.T) {
	for name, raw := range samples(t, standards(t)) {
		t.Run(name, func(t *testing.T) {
			compareWithEncodingXML(t, raw)
			m := mustRead(t, raw)
			roundTrip(t, m.Root)
			if strings.HasPrefix(name, "ebxml/") {
				return
			}
			env, err := Codec{}.Envelope(m)
			if err != nil {
				t.Fatal(err)
			}
			if env.Type == "" || env.Time == "" || env.Sender.HER == "" || env.Receiver.HER == "" || strings.Contains(env.Version, "/") {
				t.Errorf("%+v", env)
			}
			if fault := (Codec{}).Check(m, env); fault != nil {
				t.Error(fault)
			}
			for _, n := range flatten(m.Root) {
				if n.Line == 0 || n.Column == 0 || len(m.Verbatim(n)) == 0 {
					t.Fatalf("%s has no place", n.Name)
				}
			}
		})
	}
}

func flatten(n *message.Node) []*message.Node {
	out := []*message.Node{n}
	for _, c := range n.Children {
		out = append(out, flatten(c)...)
	}
	return out
}

// TestStandards_WhatWeWriteValidates holds all that this package writes to the schemas.
func TestStandards_WhatWeWriteValidates(t *testing.T) {
	root := standards(t)
	schema := driver(t, root+"/xsd")
	dir := t.TempDir()
	var files []string
	write := func(name string, raw []byte) {
		file := filepath.Join(dir, fmt.Sprintf("%03d-%s", len(files), strings.ReplaceAll(name, "/", "_")))
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	for name, raw := range fixtures(t) {
		write("fixture-"+name, raw)
		writeMade(t, write, name, raw)
	}
	for name, raw := range samples(t, root) {
		if !strings.HasPrefix(name, "ebxml/") {
			writeMade(t, write, name, raw)
		}
	}
	validate(t, schema, files)
}

// writeMade writes all that is made from one message: written again, with an attachment,
// and its receipts.
func writeMade(t *testing.T, write func(string, []byte), name string, raw []byte) {
	m, env := mustEnvelope(t, raw)
	write("again-"+name, roundTrip(t, m.Root))
	if m.Root.Name == rootMsgHead {
		if err := (Codec{}).Attach(m.Root, adapters.Document{Title: "Tillegg", ContentType: "text/plain; charset=utf-8", Data: []byte("Tekst på norsk\n")}); err != nil {
			t.Fatal(err)
		}
		write("attached-"+name, roundTrip(t, m.Root))
	}
	for i, r := range []adapters.Receipt{{Positive: true}, {}, {Errors: []adapters.ReceiptError{{Code: "207", System: "HL70357", Text: "x"}}}} {
		receipt, err := Codec{}.Relay(env, r, receiptID, noon)
		if err != nil {
			t.Fatal(err)
		}
		if receipt != nil {
			write(fmt.Sprintf("receipt-%d-%s", i, name), receipt)
		}
	}
}

var location = regexp.MustCompile(`schemaLocation="[^"]*/([^"/]+)"`)

// driver copies the schemas into one folder, where their references to one another hold,
// and writes one schema that imports each namespace once.
func driver(t *testing.T, from string) string {
	t.Helper()
	dir := t.TempDir()
	paths, err := filepath.Glob(from + "/*.xsd")
	if err != nil {
		t.Fatal(err)
	}
	target := regexp.MustCompile(`targetNamespace="([^"]*)"`)
	imports, seen := "", map[string]bool{}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(path)
		if err := os.WriteFile(filepath.Join(dir, name), location.ReplaceAll(raw, []byte(`schemaLocation="$1"`)), 0o600); err != nil {
			t.Fatal(err)
		}
		found := target.FindSubmatch(raw)
		if found == nil || seen[string(found[1])] {
			continue
		}
		if space := string(found[1]); bodies[space].version != "" || space == nsMsgHead || space == nsBase64 {
			seen[space] = true
			imports += fmt.Sprintf("<xs:import namespace=%q schemaLocation=%q/>\n", space, name)
		}
	}
	file := filepath.Join(dir, "all.xsd")
	if err := os.WriteFile(file, []byte(`<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">`+"\n"+imports+"</xs:schema>\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func validate(t *testing.T, schema string, files []string) {
	t.Helper()
	tool, err := exec.LookPath("xmllint")
	if err != nil {
		t.Fatal("STAFETT_STANDARDS is set but xmllint is not installed (package libxml2-utils)")
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), tool, append([]string{"--nonet", "--noout", "--schema", schema}, files...)...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	var failed []string
	for line := range strings.Lines(out.String()) {
		if !strings.HasSuffix(line, " validates\n") {
			failed = append(failed, line)
		}
	}
	if err != nil || len(failed) > 0 {
		t.Errorf("%v, %d files\n%s", err, len(files), strings.Join(failed[:min(len(failed), 60)], ""))
	}
}
