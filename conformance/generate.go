//go:build ignore

// Generate writes elements.txt.gz, the element table of FHIR R4, from the
// StructureDefinitions of the npm package hl7.fhir.r4.examples 4.0.1 (CC0-1.0), unpacked:
//
//	npm pack hl7.fhir.r4.examples@4.0.1 && tar xzf hl7.fhir.r4.examples-4.0.1.tgz
//	FHIR_R4_PACKAGE=$PWD/package go generate ./conformance
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

type definition struct {
	ResourceType, Name, Kind, Derivation, Type, URL string
	Abstract                                        bool
	Snapshot                                        struct{ Element []element }
}

type element struct {
	Path, Max, ContentReference string
	Min                         int
	Type                        []struct {
		Code      string
		Extension []struct{ URL, ValueURL string }
	}
}

func main() {
	log.SetFlags(0)
	folder := os.Getenv("FHIR_R4_PACKAGE")
	if folder == "" {
		log.Fatal("FHIR_R4_PACKAGE is not set: the folder of the unpacked npm package hl7.fhir.r4.examples 4.0.1")
	}
	files, err := filepath.Glob(filepath.Join(folder, "StructureDefinition-*.json"))
	if err != nil || len(files) == 0 {
		log.Fatalf("no StructureDefinitions in %s: %v", folder, err)
	}
	var out bytes.Buffer
	for _, d := range definitions(files) {
		write(&out, d)
	}
	var packed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if _, err := z.Write(out.Bytes()); err != nil {
		log.Fatal(err)
	}
	if err := z.Close(); err != nil {
		log.Fatal(err)
	}
	file := "elements.txt.gz"
	if len(os.Args) > 1 {
		file = os.Args[1]
	}
	if err := os.WriteFile(file, packed.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
}

// definitions are the core's concrete resources and complex types, by name.
func definitions(files []string) []definition {
	var out []definition
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			log.Fatal(err)
		}
		var d definition
		if err := json.Unmarshal(raw, &d); err != nil {
			log.Fatalf("%s: %v", file, err)
		}
		core := d.URL == "http://hl7.org/fhir/StructureDefinition/"+d.Type
		if core && d.Derivation == "specialization" && !d.Abstract && (d.Kind == "resource" || d.Kind == "complex-type") {
			out = append(out, d)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Type < out[j].Type })
	return out
}

// write spells one type as "@Name R" (resource), "@Name T" (complex type) or
// "@Path B" (element with children), each followed by its elements "name min max types".
func write(out *bytes.Buffer, d definition) {
	parents := map[string]bool{}
	for _, e := range d.Snapshot.Element {
		if i := strings.LastIndexByte(e.Path, '.'); i > 0 {
			parents[e.Path[:i]] = true
		}
	}
	var paths []string
	for p := range parents {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	for _, parent := range paths {
		kind := "B"
		if parent == d.Type {
			kind = map[string]string{"resource": "R", "complex-type": "T"}[d.Kind]
		}
		fmt.Fprintf(out, "@%s %s\n", parent, kind)
		for _, e := range d.Snapshot.Element {
			if i := strings.LastIndexByte(e.Path, '.'); i > 0 && e.Path[:i] == parent {
				fmt.Fprintf(out, "%s %d %s %s\n", e.Path[i+1:], e.Min, e.Max, types(e, parents, kind == "R"))
			}
		}
	}
}

func types(e element, parents map[string]bool, root bool) string {
	if e.ContentReference != "" {
		return strings.TrimPrefix(e.ContentReference, "#")
	}
	if parents[e.Path] {
		return e.Path
	}
	var names []string
	for _, t := range e.Type {
		name := t.Code
		if strings.HasPrefix(name, "http://hl7.org/fhirpath/") {
			name = "string"
			for _, x := range t.Extension {
				if x.ValueURL != "" {
					name = x.ValueURL
				}
			}
			// 4.0.1 says string here; the type of Resource.id is id (R4 2.26.3).
			if root && strings.HasSuffix(e.Path, ".id") {
				name = "id"
			}
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		log.Fatalf("%s has no type", e.Path)
	}
	return strings.Join(names, ",")
}
