package bench

import (
	"bytes"
	"strings"
	"testing"
)

func TestMessage_EachIsForAStayOfItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for connection := range 20 {
		for n := range 200 {
			raw := Message(connection, n)
			if raw[0] != 0x0b || !bytes.HasSuffix(raw, []byte{0x1c, 0x0d}) {
				t.Fatalf("not framed: %q", raw)
			}
			number, visit := cut(raw, "PID|1||", "^"), cut(raw, "ADT_A16|", "|")
			if len(number) != 11 || len(visit) != 11 || seen[visit] {
				t.Fatalf("patient %q, stay %q of connection %d's message %d", number, visit, connection, n)
			}
			seen[visit] = true
		}
	}
}

func TestReceipt_NamesWhatItAnswers(t *testing.T) {
	got := Receipt([]byte(`<MsgHead><MsgInfo><Type V="LOG_UTSKRIVNINGSKLAR"/><GenDate>2026-11-01T10:00:00+01:00</GenDate><MsgId>the-id</MsgId></MsgInfo></MsgHead>`))
	for _, want := range []string{`<MsgType V="LOG_UTSKRIVNINGSKLAR"/><IssueDate>2026-11-01T10:00:00+01:00</IssueDate><Id>the-id</Id>`, `<Status V="1" DN="OK"/>`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
}

func TestField_OfTheReadyLine(t *testing.T) {
	const line = "ready http=127.0.0.1:1 mllp=[127.0.0.1:2] nats=x"
	if field(line, "http=") != "127.0.0.1:1" || field(line, "mllp=") != "[127.0.0.1:2]" || field(line, "none=") != "" {
		t.Error(line)
	}
}
