package language

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding/htmlindex"
)

var update = flag.Bool("update", false, "write xmlnames.txt anew")

// TestXMLNames holds xmlnames.txt against the schemas, of which only names are kept; with
// -update it writes the file.
func TestXMLNames(t *testing.T) {
	dir := os.Getenv("STAFETT_STANDARDS")
	if dir == "" {
		t.Skip("STAFETT_STANDARDS is not set: the schemas are not read")
	}
	files, err := filepath.Glob(filepath.Join(dir, "norway", "xsd", "*.xsd"))
	if err != nil || len(files) == 0 {
		t.Fatal("STAFETT_STANDARDS names no folder with norway/xsd")
	}
	names := map[string]nameSet{attributes: setOf([]string{"@schemaLocation", "@noNamespaceSchemaLocation", "@type"})}
	for _, file := range files {
		if err := readSchema(file, names); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	var out strings.Builder
	for _, space := range slices.Sorted(maps.Keys(names)) {
		fmt.Fprintf(&out, "%s %s\n", space, strings.Join(keys(names[space]), " "))
	}
	switch {
	case *update:
		if err := os.WriteFile("xmlnames.txt", []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	case out.String() != xmlNames:
		t.Error("xmlnames.txt is not what the schemas declare; go generate ./mappings/language writes it")
	}
}

// readSchema adds the names that one schema declares, when its namespace is a Norwegian one.
func readSchema(file string, names map[string]nameSet) error {
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
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		name := schemaAttr(start, "name")
		switch start.Name.Local {
		case "schema":
			space = schemaAttr(start, "targetNamespace")
			if !strings.Contains(space, "kith.no") && !strings.Contains(space, "ehelse.no") {
				return nil
			}
			if names[space] == nil {
				names[space] = nameSet{}
			}
		case "element":
			names[space][name] = struct{}{}
		case "attribute":
			names[attributes]["@"+name] = struct{}{}
		}
		delete(names[space], "")
		delete(names[attributes], "@")
	}
}

func schemaAttr(e xml.StartElement, name string) string {
	i := slices.IndexFunc(e.Attr, func(a xml.Attr) bool { return a.Name.Local == name })
	if i < 0 {
		return ""
	}
	return e.Attr[i].Value
}
