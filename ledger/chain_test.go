package ledger

import (
	"bytes"
	"math"
	"sort"
	"strings"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"
)

func TestInvariant8_Body_RoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		entry := rapid.Int64Min(0).Draw(rt, "entry")
		items := rapid.SliceOf(rapid.Custom(func(rt *rapid.T) item {
			it := item{kind: itemKind(rapid.IntRange(1, 8).Draw(rt, "kind")), key: rapid.Int64Min(0).Draw(rt, "key")}
			copy(it.digest[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(rt, "digest"))
			return it
		})).Draw(rt, "items")
		body := encodeBody(entry, items)
		n, back, err := decodeBody(body)
		if err != nil || n != entry || len(back) != len(items) || !bytes.Equal(encodeBody(n, back), body) {
			rt.Fatalf("read back %d items of entry %d, %v", len(back), n, err)
		}
		if cut := rapid.IntRange(0, len(body)).Draw(rt, "cut"); cut < len(body) {
			if n, back, err := decodeBody(body[:cut]); err == nil && bytes.Equal(encodeBody(n, back), body) {
				rt.Fatal("a cut body reads as the whole one")
			}
		}
	})
}

func FuzzDecodeBody(f *testing.F) {
	f.Add([]byte{})
	f.Add(encodeBody(1, []item{{kind: itemMessage, key: 7}}))
	f.Fuzz(func(t *testing.T, body []byte) {
		_, items, err := decodeBody(body)
		if err == nil && len(items) > len(body)/34 {
			t.Errorf("%d items of %d bytes", len(items), len(body))
		}
	})
}

// A row's digest tells fields apart: moving a byte from one to the next changes it.
func TestInvariant8_RowDigest_Injective(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.String()
		a, b, c, d := text.Draw(rt, "a"), text.Draw(rt, "b"), text.Draw(rt, "c"), text.Draw(rt, "d")
		one := digestOf("t", []field{{"", &a, 0}, {"", &b, 0}})
		two := digestOf("t", []field{{"", &c, 0}, {"", &d, 0}})
		if (one == two) != (a == c && b == d) {
			rt.Fatalf("%q %q and %q %q", a, b, c, d)
		}
	})
}

func TestSortable_Order(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a, b := rapid.Int64().Draw(rt, "a"), rapid.Int64().Draw(rt, "b")
		if (a < b) != (sortable(a) < sortable(b)) {
			rt.Fatalf("%d %d", a, b)
		}
		x, y := rapid.Float64().Draw(rt, "x"), rapid.Float64().Draw(rt, "y")
		if x != y && (x < y) != (sortableNumber(x) < sortableNumber(y)) {
			rt.Fatalf("%g %g", x, y)
		}
	})
	if sortableNumber(0) != sortableNumber(math.Copysign(0, -1)) {
		t.Error("-0 is not 0")
	}
}

func TestIndexed_Limit(t *testing.T) {
	long := strings.Repeat("øå", 400)
	for _, s := range []string{"", "short", long, long + "x"} {
		if got := indexed(s); len(got) > valueLimit || !strings.HasPrefix(got, s[:min(len(s), 400)]) || got != cleanText(got) {
			t.Errorf("indexed %d bytes as %d", len(s), len(got))
		}
	}
	if indexed(long) == indexed(long+"x") {
		t.Error("two long values are one")
	}
}

func TestMigrations_Numbering(t *testing.T) {
	file := &fstest.MapFile{Data: []byte("SELECT 1")}
	for _, test := range []struct {
		files fstest.MapFS
		want  int
	}{
		{fstest.MapFS{"0001_a.sql": file, "0002_b.sql": file}, 2},
		{fstest.MapFS{"0001_a.sql": file, "0003_b.sql": file}, 0},
		{fstest.MapFS{"x.sql": file}, 0},
		{fstest.MapFS{}, 0},
	} {
		got, err := Migrations(test.files)
		if len(got) != test.want || (err == nil) != (test.want > 0) {
			t.Errorf("%v: %d, %v", test.files, len(got), err)
		}
		if !sort.SliceIsSorted(got, func(i, j int) bool { return got[i].Version < got[j].Version }) {
			t.Error("not in order")
		}
	}
}
