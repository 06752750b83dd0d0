package fhir

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const awkward = `{"resourceType":"Patient","id":"a","_birthDate":{"extension":[{"url":"http://x","valueDateTime":"1948-03-12T01:02:03+01:00"}]},` +
	`"name":[{"given":["A",null,"C"],"_given":[null,{"id":"g"},null],"family":"Ås \"q\" \\ <&>  "}],` +
	`"contained":[{"resourceType":"Organization","id":"o","x":{"y":[[1,2],[]]}}],"extension":[{"url":"u","valueDecimal":1.10},{"url":"e","valueDecimal":1e2},{"url":"n","valueDecimal":-0.0E+10}],"active":true,"nothing":{},"none":[]}`

func TestParse_Awkward_RoundTripIsExact(t *testing.T) {
	n, err := Parse([]byte(awkward), DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if got := string(n.JSON()); got != awkward {
		t.Errorf("round trip:\n got %s\nwant %s", got, awkward)
	}
	if got := n.Str("extension", "valueDecimal"); got != "1.10" {
		t.Errorf("decimal text %q", got)
	}
	if !n.Clone().Equal(n) {
		t.Error("a clone is not equal")
	}
}

func TestParse_Escapes_Decoded(t *testing.T) {
	n, err := Parse([]byte(`"\u00e5\ud83d\ude00\/\b\f\n\r\t\"\\\u0000"`), DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if want := "å😀/\b\f\n\r\t\"\\\x00"; n.Text != want {
		t.Errorf("got %q, want %q", n.Text, want)
	}
	again, err := Parse(n.JSON(), DefaultLimits())
	if err != nil || again.Text != n.Text {
		t.Errorf("written again: %v, %v", again, err)
	}
}

func TestParse_BadInput_RefusedWithPosition(t *testing.T) {
	small := Limits{Bytes: 200, Depth: 4, Nodes: 8}
	for _, c := range []struct {
		name, in     string
		line, column int
		path, text   string
		large        bool
	}{
		{"empty", "", 1, 1, "", "the input ends where a value is expected", false},
		{"duplicate", "{\"resourceType\":\"Task\",\n  \"id\":\"a\",\n  \"id\":\"b\"}", 3, 3, "Task.id", "the same name twice in one object", false},
		{"duplicate by escape", `{"id":1,"\u0069d":2}`, 1, 9, "id", "the same name twice in one object", false},
		{"utf8", "{\"a\":\n\"x\xff\"}", 2, 3, "", "invalid UTF-8", false},
		{"overlong utf8", "\"\xc0\x80\"", 1, 2, "", "invalid UTF-8", false},
		{"surrogate in utf8", "\"\xed\xa0\x80\"", 1, 2, "", "invalid UTF-8", false},
		{"byte order mark", "\xef\xbb\xbf{}", 1, 1, "", "a value is expected", false},
		{"lone high surrogate", `"\ud83d"`, 1, 2, "", "a surrogate without its pair", false},
		{"lone low surrogate", `"\ude00"`, 1, 2, "", "a surrogate without its pair", false},
		{"high high", `"\ud83d\ud83d"`, 1, 2, "", "a surrogate without its pair", false},
		{"short escape", `"\u12"`, 1, 2, "", `four hexadecimal digits are expected after \u`, false},
		{"escape at end", `"\`, 1, 2, "", "an unknown escape in a string", false},
		{"unknown escape", `"\x"`, 1, 2, "", "an unknown escape in a string", false},
		{"trailing", `{} x`, 1, 4, "", "bytes after the JSON value", false},
		{"two values", `{}{}`, 1, 3, "", "bytes after the JSON value", false},
		{"trailing comma", `{"a":1,}`, 1, 8, "", "a name in quotes is expected", false},
		{"trailing comma in array", `{"resourceType":"Task","a":[1,]}`, 1, 31, "Task.a[1]", "a value is expected", false},
		{"open", `{"a":[1`, 1, 8, "a", "',' or ']' is expected", false},
		{"open object", `{"a":1`, 1, 7, "", "',' or '}' is expected", false},
		{"open string", `{"a":"x`, 1, 6, "a", "a string that is not closed", false},
		{"no colon", `{"a" 1}`, 1, 6, "", "':' is expected", false},
		{"newline in string", "\"a\nb\"", 1, 3, "", "a control character in a string", false},
		{"nul after escape", "\"\\n\x00\"", 1, 4, "", "a control character in a string", false},
		{"leading zero", `01`, 1, 2, "", "bytes after the JSON value", false},
		{"plus", `+1`, 1, 1, "", "a value is expected", false},
		{"point", `1.`, 1, 3, "", "a digit is expected after the decimal point", false},
		{"exponent", `1e+`, 1, 4, "", "a digit is expected in the exponent", false},
		{"minus", `-`, 1, 2, "", "a digit is expected", false},
		{"word", `nul`, 1, 1, "", "a value is expected", false},
		{"NaN", `NaN`, 1, 1, "", "a value is expected", false},
		{"comment", `/**/1`, 1, 1, "", "a value is expected", false},
		{"deep", `[[[[[1]]]]]`, 1, 5, "[0][0][0][0]", "nested deeper than 4 levels", true},
		{"many", `[1,2,3,4,5,6,7,8]`, 1, 16, "[7]", "more than 8 values", true},
		{"long", strings.Repeat(" ", 201), 1, 1, "", "more than 200 bytes", true},
		{"name is hidden", `{"Kari Nordmann":x}`, 1, 18, "?", "a value is expected", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, err := Parse([]byte(c.in), small)
			var e *ParseError
			if n != nil || !errors.As(err, &e) {
				t.Fatalf("got %v, %v", n, err)
			}
			want := ParseError{c.line, c.column, c.path, c.text, c.large}
			if *e != want {
				t.Errorf("got  %+v\nwant %+v", *e, want)
			}
		})
	}
}

func TestParse_ManyNames_DuplicateFound(t *testing.T) {
	var b strings.Builder
	b.WriteByte('{')
	for i := range 1000 {
		b.WriteString(`"n` + strings.Repeat("a", i%7) + string(rune('A'+i%26)) + string(rune('0'+i/26%10)) + string(rune('a'+i/260)) + `":1,`)
	}
	if _, err := Parse([]byte(b.String()+`"last":1}`), DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	if _, err := Parse([]byte(b.String()+`"nA0a":1}`), DefaultLimits()); err == nil {
		t.Error("a duplicate among many names is accepted")
	}
}

func TestNode_Changes_KeepNeighbours(t *testing.T) {
	n, err := Parse([]byte(`{"a":{"x":1},"b":{"y":2},"c":[1],"d":[2]}`), DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	n.Get("a").Set("new", Str("v"))
	n.Append("c", Num("9"))
	n.Get("b").Delete("y")
	n.Set("e", Bool(true))
	n.SetFirst("id", Str("i"))
	n.Append("e", &Node{Kind: KindNull})
	if got, want := string(n.JSON()), `{"id":"i","a":{"x":1,"new":"v"},"b":{},"c":[1,9],"d":[2],"e":[true,null]}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestNode_Nil_IsSafe(t *testing.T) {
	var n *Node
	n.Set("a", Str("b"))
	n.Delete("a")
	n.Append("a", Str("b"))
	References(n, func(*Node) { t.Error("called") })
	if n.Get("a") != nil || n.At("a", "b") != nil || n.Str("a") != "" || n.Each("a") != nil || n.Clone() != nil ||
		n.ResourceType() != "" || n.ID() != "" || string(n.JSON()) != "null" {
		t.Error("a nil node has content")
	}
}

func anyNode(depth int) *rapid.Generator[*Node] {
	return rapid.Custom(func(t *rapid.T) *Node {
		most := 5
		if depth == 0 {
			most = 3
		}
		switch rapid.IntRange(0, most).Draw(t, "kind") {
		case 0:
			return Str(rapid.String().Draw(t, "text"))
		case 1:
			return Num(rapid.StringMatching(`-?(0|[1-9][0-9]{0,9})(\.[0-9]{1,9})?([eE][+-]?[0-9]{1,3})?`).Draw(t, "number"))
		case 2:
			return Bool(rapid.Bool().Draw(t, "bool"))
		case 3:
			return &Node{Kind: KindNull}
		case 4:
			return Arr(rapid.SliceOfN(anyNode(depth-1), 0, 4).Draw(t, "items")...)
		default:
			n := &Node{}
			for range rapid.IntRange(0, 5).Draw(t, "size") {
				n.Set(rapid.String().Draw(t, "name"), anyNode(depth-1).Draw(t, "value"))
			}
			return n
		}
	})
}

func TestParse_AnyTree_RoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := anyNode(4).Draw(t, "node")
		raw := n.JSON()
		back, err := Parse(raw, DefaultLimits())
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if !back.Equal(n) {
			t.Fatalf("%s came back as %s", raw, back.JSON())
		}
		compareStandard(t, raw, back)
	})
}

// compareStandard requires that encoding/json reads the same values from raw.
func compareStandard(t interface{ Fatalf(string, ...any) }, raw []byte, n *Node) {
	decode := func(b []byte) any {
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			t.Fatalf("encoding/json refuses %q: %v", b, err)
		}
		return v
	}
	if a, b := decode(raw), decode(n.JSON()); !reflect.DeepEqual(a, b) {
		t.Fatalf("%q reads %v, written again %v", raw, a, b)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{awkward, `{"a":1,"a":2}`, `"\ud800"`, `[1.10,1e2,-0]`, "\"\xff\"", `{"a":[[[]]]} `, `"\u0041"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		n, err := Parse(raw, DefaultLimits())
		if err != nil {
			var e *ParseError
			if !errors.As(err, &e) || e.Line < 1 || e.Column < 1 || e.Text == "" {
				t.Fatalf("error %#v", err)
			}
			return
		}
		compareStandard(t, raw, n)
		again, err := Parse(n.JSON(), DefaultLimits())
		if err != nil || !again.Equal(n) {
			t.Fatalf("not stable: %v", err)
		}
	})
}
