package main

import (
	"strings"
	"testing"

	"stafett/adapters/kith"
	"stafett/directory"
	"stafett/mappings"
)

func TestUnknownOverlayIsRefusedAtStart(t *testing.T) {
	set, err := mappings.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for overlay, want := range map[string]string{
		"svarlinje-1": "",
		"svarlinje-2": `directory: party dalvik-kommune: there is no overlay "svarlinje-2"; the mappings have svarlinje-1`,
	} {
		dir, err := directory.Parse("directory.yaml", []byte("parties:\n  - id: dalvik-kommune\n    name: Dalvik kommune\n    type: municipality\n    overlay: "+overlay+
			"\n    services: [{name: Saksbehandling, wire: kith, url: \"https://dalvik.example\"}]\n    contacts: [{name: Vakt, service: Saksbehandling}]\n"), kith.Codec{})
		if err != nil {
			t.Fatal(err)
		}
		err = agreedOverlays(dir, set)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", overlay, err)
		}
	}
}
