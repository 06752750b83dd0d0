// Command notice prints the licences of the modules that are built into stafett.
//
//	go run .ci/notice.go > NOTICE              who they are, and what their authors ask to be told
//	go run .ci/notice.go -texts > LICENSES     the whole texts, to go with a binary
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

type module struct{ path, version, dir string }

func main() {
	texts := flag.Bool("texts", false, "print the whole texts")
	flag.Parse()
	modules, err := linked()
	if err == nil && *texts {
		err = printTexts(modules)
	} else if err == nil {
		err = printNotice(modules)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "notice:", err)
		os.Exit(1)
	}
}

// linked are the modules that the binary is made of, sorted.
func linked() ([]module, error) {
	list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}", "./cmd/stafett")
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(lines)
	var modules []module
	for _, line := range slices.Compact(lines) {
		if f := strings.Fields(line); len(f) == 3 {
			modules = append(modules, module{f[0], f[1], f[2]})
		}
	}
	return modules, nil
}

var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)`)

// files are a module's texts about its licence by name.
func (m module) files() (names []string, texts map[string][]byte, err error) {
	entries, err := os.ReadDir(m.dir)
	if err != nil {
		return nil, nil, err
	}
	texts = map[string][]byte{}
	for _, e := range entries {
		if !licenceFile.MatchString(e.Name()) || e.IsDir() || strings.Contains(e.Name(), "LOGO") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(m.dir, e.Name()))
		if err != nil {
			return nil, nil, err
		}
		names, texts[e.Name()] = append(names, e.Name()), text
	}
	if len(names) == 0 {
		return nil, nil, fmt.Errorf("%s has no licence: it must not be linked", m.path)
	}
	return names, texts, nil
}

// known are licences by words that only their texts have, the more special first.
var known = []struct{ name, words string }{
	{"Apache-2.0", "Apache License"},
	{"MPL-2.0", "Mozilla Public License"},
	{"BSD-3-Clause", "may be used to endorse or promote products"},
	{"BSD-2-Clause", "Redistributions in binary form"},
	{"MIT", "Permission is hereby granted, free of charge"},
	{"MIT", "This software is provided under the MIT license"},
}

func licence(text []byte) (string, bool) {
	flat := strings.Join(strings.Fields(string(text)), " ")
	for _, k := range known {
		if strings.Contains(flat, k.words) {
			return k.name, true
		}
	}
	return "", false
}

var copyright = regexp.MustCompile(`(?im)^\W*copyright (?:\(c\)|©|19|20)[^\n]*$`)

func printNotice(modules []module) error {
	fmt.Print(`Stafett
Apache License 2.0, see LICENSE.

The binary holds these modules, under their own licences. This list is printed by
"go run .ci/notice.go"; the whole texts, which go with a binary, by "go run .ci/notice.go -texts".
It also holds Go's standard library (BSD-3-Clause, The Go Authors), SQLite by way of
modernc.org/sqlite (public domain), names of elements and search parameters from the
definitions of HL7 FHIR R4 (CC0), and codes and names of elements of the national code
systems and schemas (Direktoratet for e-helse).

`)
	var notices bytes.Buffer
	for _, m := range modules {
		names, texts, err := m.files()
		if err != nil {
			return err
		}
		var found, holders []string
		for _, name := range names {
			if strings.EqualFold(filepath.Base(name), "NOTICE") {
				fmt.Fprintf(&notices, "\n%s asks for this notice:\n\n%s\n", m.path, strings.TrimRight(string(texts[name]), "\n"))
				continue
			}
			if l, ok := licence(texts[name]); ok {
				found = append(found, l)
			}
			for _, c := range copyright.FindAllString(string(texts[name]), -1) {
				if c = strings.TrimSpace(c); !strings.Contains(c, "[") && !strings.Contains(c, "{") {
					holders = append(holders, c)
				}
			}
		}
		if len(found) == 0 {
			return fmt.Errorf("%s: its licence is not one of those that are known", m.path)
		}
		slices.Sort(found)
		fmt.Printf("%s %s\n  %s\n", m.path, m.version, strings.Join(slices.Compact(found), ", "))
		for _, h := range slices.Compact(holders) {
			fmt.Println("  " + h)
		}
	}
	_, err := notices.WriteTo(os.Stdout)
	return err
}

// printTexts prints each text once, with the modules that it is of.
func printTexts(modules []module) error {
	var order []string
	of := map[string][]string{}
	for _, m := range modules {
		names, texts, err := m.files()
		if err != nil {
			return err
		}
		for _, name := range names {
			text := string(texts[name])
			if of[text] == nil {
				order = append(order, text)
			}
			of[text] = append(of[text], m.path+" "+m.version+" ("+name+")")
		}
	}
	for _, text := range order {
		fmt.Printf("%s\n%s\n\n%s\n\n", strings.Repeat("=", 80), strings.Join(of[text], "\n"), strings.TrimRight(text, "\n"))
	}
	return nil
}
