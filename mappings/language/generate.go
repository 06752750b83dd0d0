//go:build ignore

// Generate writes xmlnames.txt: which elements each Norwegian namespace has, and which
// attributes there are. The schemas are read from STAFETT_STANDARDS and only names are kept:
//
//	STAFETT_STANDARDS=… go generate ./mappings/language
package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
)

// attributes is the heading of what has no namespace.
const attributes = "attributes"

func main() {
	log.SetFlags(0)
	files, err := filepath.Glob(filepath.Join(os.Getenv("STAFETT_STANDARDS"), "norway", "xsd", "*.xsd"))
	if err != nil || len(files) == 0 {
		log.Fatal("STAFETT_STANDARDS names no folder with norway/xsd")
	}
	names := map[string]map[string]bool{attributes: {"@schemaLocation": true, "@noNamespaceSchemaLocation": true, "@type": true}}
	for _, file := range files {
		if err := read(file, names); err != nil {
			log.Fatalf("%s: %v", file, err)
		}
	}
	var out bytes.Buffer
	for _, space := range slices.Sorted(maps.Keys(names)) {
		fmt.Fprintf(&out, "%s %s\n", space, strings.Join(slices.Sorted(maps.Keys(names[space])), " "))
	}
	if err := os.WriteFile("xmlnames.txt", out.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
}

// read adds the names that one schema declares, when its namespace is a Norwegian one.
func read(file string, names map[string]map[string]bool) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	space := ""
	d := xml.NewDecoder(f)
	d.CharsetReader = func(label string, r io.Reader) (io.Reader, error) {
		enc, err := htmlindex.Get(label)
		if err != nil {
			return nil, err
		}
		return enc.NewDecoder().Reader(r), nil
	}
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		start, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		name := attr(start, "name")
		switch start.Name.Local {
		case "schema":
			space = attr(start, "targetNamespace")
			if !strings.Contains(space, "kith.no") && !strings.Contains(space, "ehelse.no") {
				return nil
			}
			if names[space] == nil {
				names[space] = map[string]bool{}
			}
		case "element":
			names[space][name] = true
		case "attribute":
			names[attributes]["@"+name] = true
		}
		delete(names[space], "")
		delete(names[attributes], "@")
	}
}

func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
