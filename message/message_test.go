package message

import (
	"testing"

	"pgregory.net/rapid"
)

// sample is PID-3 with two repetitions, PID-5 with components, PID-8 a leaf.
func sample() *Node {
	return &Node{Name: "PID", Children: []*Node{
		{Name: "3", Children: []*Node{{Name: "1", Value: "a"}, {Name: "5", Value: "FNR"}}},
		{Name: "3", Value: "b"},
		{Name: "8", Value: "F"},
	}}
}

func TestNode_FollowsNames(t *testing.T) {
	n := sample()
	for _, c := range []struct {
		path []string
		want string
	}{
		{[]string{"3", "1"}, "a"}, {[]string{"3", "5"}, "FNR"}, {[]string{"3"}, ""},
		{[]string{"8"}, "F"}, {[]string{"8", "1"}, "F"}, {[]string{"8", "1", "1"}, "F"},
		{[]string{"8", "2"}, ""}, {[]string{"9"}, ""}, {[]string{"9", "1"}, ""}, {[]string{"3", "2", "1"}, ""},
	} {
		if got := n.Text(c.path...); got != c.want {
			t.Errorf("%v is %q, want %q", c.path, got, c.want)
		}
	}
	if n.At() != n {
		t.Error("no names lead to the node itself")
	}
	if got := n.All("3"); len(got) != 2 || got[1].Value != "b" {
		t.Errorf("two repetitions, got %d", len(got))
	}
	if got := n.All("8")[0].All("1"); len(got) != 1 || got[0].Value != "F" {
		t.Error("a leaf is its own first part")
	}
	if n.All("9") != nil || n.All("3")[0].All("2") != nil {
		t.Error("what is not there is nil")
	}
}

func TestNode_NilIsEmpty(t *testing.T) {
	var n *Node
	if n.Child("1") != nil || n.All("1") != nil || n.At("1", "2") != nil || n.Text("1") != "" {
		t.Error("a missing node has nothing below it")
	}
}

func TestVerbatim_OnlyInsideRaw(t *testing.T) {
	m := &Message{Raw: []byte("PID|1")}
	for _, c := range []struct {
		node *Node
		want string
	}{
		{&Node{Start: 0, End: 5}, "PID|1"}, {&Node{Start: 4, End: 5}, "1"}, {nil, ""}, {&Node{}, ""},
		{&Node{Start: 3, End: 2}, ""}, {&Node{Start: 0, End: 6}, ""}, {&Node{Start: -1, End: 2}, ""},
	} {
		if got := string(m.Verbatim(c.node)); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	m.Decoded = []byte("PID|æ")
	if got := string(m.Verbatim(&Node{Start: 4, End: 6})); got != "æ" {
		t.Errorf("positions are in the decoded bytes where there are any: %q", got)
	}
	var none *Message
	if none.Verbatim(&Node{Start: 0, End: 1}) != nil {
		t.Error("no message has no bytes")
	}
}

func TestDigestOf(t *testing.T) {
	if got := DigestOf(nil); got != "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
		t.Errorf("the digest of nothing is %s", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.SliceOf(rapid.Byte()).Draw(t, "a"), rapid.SliceOf(rapid.Byte()).Draw(t, "b")
		if (string(a) == string(b)) != (DigestOf(a) == DigestOf(b)) || len(DigestOf(a)) != 64 {
			t.Fatal("a digest tells contents apart")
		}
	})
}

func TestDefaultLimits(t *testing.T) {
	if l := DefaultLimits(); l.Bytes != 20<<20 || l.Depth != 64 || l.Nodes != 500_000 {
		t.Errorf("the default limits are %+v", l)
	}
}
