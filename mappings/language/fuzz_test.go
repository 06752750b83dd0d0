package language

import (
	"strings"
	"testing"
	"testing/fstest"
)

// Whatever the text, a mapping file is compiled or refused with file, line and column.
func FuzzMappingFile(f *testing.F) {
	f.Add("mapping x\ntakes hl7v2 ADT^A01\nresource p Patient\nPID-5.1 = p.name[0].family : text else \"x\" if not header.status = C\n")
	f.Add("mapping x\ntakes kith T\nroot m:A\nnamespace m u\nin m:B[@V=1] = p.x[] {\neach C as o-* {\n. = y : concept(c)\n}\n}\n")
	f.Add("define a(b) {\nuse a($b)\n}\nuse a(1)\n")
	f.Add("require a + b | c : invalid \"x\" at y\nkey p = \"a\" + b\norder / a\nnumber OBX-1 \"x\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, err := Load(fstest.MapFS{"x/y.map": {Data: []byte(text)}, "concept/c.map": {Data: []byte(text)}})
		if err != nil && !strings.Contains(err.Error(), ".map:") {
			t.Fatalf("an error without a position: %v", err)
		}
	})
}
