package hl7v2

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"stafett/adapters"
	"stafett/handover"
	"stafett/message"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func envelope(t testing.TB, raw []byte) adapters.Envelope {
	t.Helper()
	env, err := (&Codec{}).Envelope(decode(t, raw))
	if err != nil {
		t.Fatal(err)
	}
	return env
}

func TestEnvelope_Refusals(t *testing.T) {
	with := func(field int, value string) []byte {
		fields := strings.Split(string(bytes.TrimRight(header(), "\r")), "|")
		for len(fields) < field {
			fields = append(fields, "")
		}
		fields[field-1] = value
		return er7(strings.Join(fields, "|"))
	}
	for _, c := range []struct {
		name  string
		codec Codec
		raw   []byte
		kind  handover.FaultKind
		path  string
	}{
		{"good", Codec{}, header(), "", ""},
		{"training", Codec{}, with(11, "T"), "", ""},
		{"training in production", Codec{Processing: "P"}, with(11, "T"), handover.FaultUnsupported, "MSH-11"},
		{"debugging", Codec{}, with(11, "D"), handover.FaultUnsupported, "MSH-11"},
		{"debugging wanted", Codec{Processing: "D"}, with(11, "D"), "", ""},
		{"processing mode", Codec{}, with(11, "P^R"), "", ""},
		{"no processing", Codec{}, with(11, ""), handover.FaultUnsupported, "MSH-11"},
		{"link patients", Codec{}, with(9, "ADT^A24"), handover.FaultUnsupported, "MSH-9"},
		{"no type", Codec{}, with(9, ""), handover.FaultUnsupported, "MSH-9"},
		{"configured type", Codec{Types: []string{"MDM^T02"}}, with(9, "MDM^T02^MDM_T02"), "", ""},
		{"version 2.8", Codec{}, with(12, "2.8"), "", ""},
		{"version with country", Codec{}, with(12, "2.5^NOR"), "", ""},
		{"version 2.2", Codec{}, with(12, "2.2"), handover.FaultUnsupported, "MSH-12"},
		{"version 3", Codec{}, with(12, "3"), handover.FaultUnsupported, "MSH-12"},
		{"no id", Codec{}, with(10, ""), handover.FaultBadMessageID, "MSH-10"},
		{"null id", Codec{}, with(10, Null), handover.FaultBadMessageID, "MSH-10"},
		{"long id", Codec{}, with(10, strings.Repeat("1", 200)), handover.FaultBadMessageID, "MSH-10"},
		{"receipt without MSA", Codec{}, with(9, "ACK"), handover.FaultInvalid, "MSA"},
		{"receipt CA", Codec{}, append(with(9, "ACK"), "MSA|CA|1\r"...), handover.FaultInvalid, "MSA-1"},
		{"receipt of nothing", Codec{}, append(with(9, "ACK"), "MSA|AA\r"...), handover.FaultInvalid, "MSA-2"},
	} {
		m := decode(t, c.raw)
		env, err := c.codec.Envelope(m)
		f := handover.FaultOf(err)
		if c.kind == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if f == nil || f.Kind != c.kind || f.Path != c.path {
			t.Errorf("%s: got %v, want %s at %s", c.name, err, c.kind, c.path)
		}
		if env.Sender.Facility != "FJELLHEIM" {
			t.Errorf("%s: the envelope holds what could be read", c.name)
		}
	}
	if _, err := (&Codec{}).Envelope(nil); err == nil {
		t.Error("no message, no envelope")
	}
	if _, err := (&Codec{}).Envelope(&message.Message{}); err == nil {
		t.Error("no tree, no envelope")
	}
}

func TestEnvelope_Acknowledgement(t *testing.T) {
	for _, c := range []struct {
		fields          string
		commit, receipt bool
	}{
		{"", false, false}, {"|||AL|", true, false}, {"|||AL|AL", true, true}, {"|||AL|NE", true, false},
		{"|||NE|AL", false, false}, {"||||AL", false, false}, {"|||ER|SU", true, true},
	} {
		raw := append(bytes.TrimRight(header(), "\r"), c.fields+"\r"...)
		env := envelope(t, raw)
		if env.CommitAnswer != c.commit || env.ReceiptWanted != c.receipt {
			t.Errorf("%q: commit %t, receipt %t", c.fields, env.CommitAnswer, env.ReceiptWanted)
		}
	}
}

// TestAnswer_EveryFaultKind walks the whole table in both modes and both shapes of ERR.
func TestAnswer_EveryFaultKind(t *testing.T) {
	want := map[handover.FaultKind]string{
		handover.FaultTooLarge: "AR 207", handover.FaultMalformed: "AE 100", handover.FaultUnsupported: "AR 200",
		handover.FaultInvalid: "AE 101", handover.FaultBadMessageID: "AE 101", handover.FaultPatientUnidentified: "AE 101",
		handover.FaultSenderUnknown: "AR 204", handover.FaultReceiverUnknown: "AR 204", handover.FaultServiceUnknown: "AR 204",
		handover.FaultNoRoute: "AE 204", handover.FaultUnauthenticated: "AR 207", handover.FaultForbidden: "AR 207",
		handover.FaultNotFound: "AE 204", handover.FaultGone: "AE 204", handover.FaultConflict: "AE 206",
		handover.FaultPrecondition: "AE 206", handover.FaultIllegal: "AA", handover.FaultUnmapped: "AR 200",
		handover.FaultAmbiguous: "AE 204",
		handover.FaultTemporary: "", handover.FaultOverload: "", handover.FaultUnknown: "",
	}
	c := &Codec{}
	for _, kind := range handover.FaultKinds() {
		expected, listed := want[kind]
		if !listed {
			t.Errorf("%s is not in this test's table", kind)
		}
		for _, version := range []string{"2.3", "2.4", "2.5", "2.8", "9"} {
			for _, enhanced := range []bool{false, true} {
				env := adapters.Envelope{ID: "1", Type: "ADT^A16", Version: version, CommitAnswer: enhanced, Processing: "T",
					Sender: adapters.Address{Application: "EPJ", Facility: "FJELLHEIM"}}
				raw := c.Answer(env, "0190-aa", &handover.Fault{Kind: kind, Path: "PID-3.4", Text: "no patient", Line: 3, Column: 9}, noon)
				if kind.Temporary() != (raw == nil) {
					t.Errorf("%s: temporary kinds and only they are unanswered", kind)
				}
				if raw == nil {
					continue
				}
				checkAnswer(t, string(kind)+" "+version, raw, expected, enhanced)
			}
		}
	}
}

func checkAnswer(t *testing.T, name string, raw []byte, expected string, enhanced bool) {
	t.Helper()
	m := decode(t, raw)
	code, condition, _ := strings.Cut(expected, " ")
	if enhanced {
		code = "C" + code[1:]
	}
	if got := m.Root.Text("MSA", "1"); got != code {
		t.Errorf("%s: MSA-1 %s, want %s", name, got, code)
	}
	if m.Root.Text("MSA", "2") != "1" || m.Root.Text("MSH", "6") != "FJELLHEIM" || m.Root.Text("MSH", "9", "2") != "A16" {
		t.Errorf("%s: not addressed to the sender's message: %q", name, raw)
	}
	var got string
	for _, e := range errorsOf(m.Root, m.Root.Child("MSA")) {
		got += e.Code
		if e.System != errorSystem || e.Text == "" {
			t.Errorf("%s: a reason of another table, or without text: %v", name, e)
		}
	}
	if got != condition {
		t.Errorf("%s: condition %q, want %q", name, got, condition)
	}
	if e := m.Root.Child("ERR"); e != nil && e.Text("2", "1") != "PID" && e.Text("1", "1") != "PID" {
		t.Errorf("%s: no location in %q", name, raw)
	}
}

func TestAnswer_Bytes(t *testing.T) {
	env := envelope(t, admission)
	got := string((&Codec{}).Answer(env, "0190a0b0-1111-7222-8333-444455556666", nil, noon))
	want := "MSH|^~\\&|STAFETT||EPJ|FJELLHEIM|20260302120000+0000||ACK^A01^ACK|11172228333444455556666|P|2.5\rMSA|CA|FJ-0001\r"
	want = strings.Replace(want, "11172228333444455556666", "72228333444455556666", 1)
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	fault := &handover.Fault{Kind: handover.FaultPatientUnidentified, Text: "no usable | id", Path: "PID[1]-3[2].1", Line: 3, Column: 8}
	got = string((&Codec{}).Answer(env, "1", fault, noon))
	_, errSegment, _ := strings.Cut(got, "ERR")
	if want := "||PID^1^3^2^1|101^Required field missing^HL70357|E|patient-unidentified^^99STAFETT||segment 3, byte 8|no usable \\F\\ id\r"; errSegment != want {
		t.Errorf("got  %q\nwant %q", errSegment, want)
	}
}

func TestAnswer_WithoutHeader(t *testing.T) {
	fault := &handover.Fault{Kind: handover.FaultMalformed, Text: "no MSH", Path: "Task.status"}
	m := decode(t, (&Codec{}).Answer(adapters.Envelope{}, "", fault, noon))
	if m.Root.Text("MSA", "1") != "AE" || m.Root.Child("MSA").Child("2") != nil || m.Root.Text("MSH", "10") == "" {
		t.Error("an answer to nothing readable is a plain AE")
	}
	if m.Root.Text("ERR", "7") != "Task.status" || m.Root.At("ERR").Child("2") != nil {
		t.Error("a path of another wire is text")
	}
	odd := adapters.Envelope{ID: "x\x01", Type: "ADT^A01", Version: "2.5", Sender: adapters.Address{Facility: "SÆTRE"}}
	if m := decode(t, (&Codec{}).Answer(odd, "1", nil, noon)); m.Root.Text("MSA", "1") != "AA" {
		t.Error("what cannot be written is left out")
	}
	odd.ID = "å"
	if m := decode(t, (&Codec{}).Answer(odd, "1", nil, noon)); m.Root.Text("MSH", "6") != "SÆTRE" || m.Root.Text("MSH", "18") == "" {
		t.Error("other letters are kept, and their set named")
	}
}

func TestRelay_ReceiptReachesTheSender(t *testing.T) {
	c := &Codec{}
	env := envelope(t, admission)
	for _, test := range []struct {
		receipt adapters.Receipt
		code    string
	}{
		{adapters.Receipt{Positive: true}, "AA"},
		{adapters.Receipt{Errors: []adapters.ReceiptError{{Code: "T01", System: "2.16.578.1.12.4.1.1.8221", Text: "Ugyldig XML æ"}}}, "AE"},
		{adapters.Receipt{Errors: []adapters.ReceiptError{{Code: "200", System: errorSystem, Text: "no"}}}, "AR"},
	} {
		raw, err := c.Relay(env, test.receipt, "ST-9", noon)
		if err != nil {
			t.Fatal(err)
		}
		got := envelope(t, raw)
		if got.ID != "ST-9" || got.Type != "ACK^A01" || got.Receipt == nil || got.Receipt.OriginalID != "FJ-0001" ||
			got.Receipt.Positive != test.receipt.Positive || got.Receiver.Facility != "FJELLHEIM" || len(got.Receipt.Errors) != len(test.receipt.Errors) {
			t.Errorf("%s: read back as %+v %+v", test.code, got, got.Receipt)
		}
		if m := decode(t, raw); m.Root.Text("MSA", "1") != test.code {
			t.Errorf("MSA-1 is %s, want %s", m.Root.Text("MSA", "1"), test.code)
		}
	}
	env.ReceiptWanted = false
	if raw, err := c.Relay(env, adapters.Receipt{Positive: true}, "1", noon); raw != nil || err != nil {
		t.Error("nobody asked")
	}
	if raw, err := c.Refusal(env, &handover.Fault{}, "1", noon); raw != nil || err != nil {
		t.Error("the answer has said it")
	}
}

func TestAttach_LinesAndContent(t *testing.T) {
	c := &Codec{}
	m := decode(t, admission)
	root := &message.Node{Name: "message", Children: append(m.Root.Children, &message.Node{Name: "ZZ1", Children: []*message.Node{{Name: "1", Value: "x"}}})}
	err := c.Attach(root, adapters.Document{Title: "Andre opplysninger", ContentType: "text/plain; charset=utf-8", Data: []byte("én\r\n\r\nto\x01|\n")})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Attach(root, adapters.Document{Title: "Brev", ContentType: "application/pdf", Data: []byte("%PDF")}); err != nil {
		t.Fatal(err)
	}
	raw, err := c.Encode(root)
	if err != nil {
		t.Fatal(err)
	}
	_, added, _ := strings.Cut(string(raw), "OBX|4|")
	want := "TX|DOK^Andre opplysninger^99STAFETT||Andre opplysninger||||||F\r" +
		"OBX|5|TX|DOK^Andre opplysninger^99STAFETT||én||||||F\r" +
		"OBX|6|TX|DOK^Andre opplysninger^99STAFETT||||||||F\r" +
		"OBX|7|TX|DOK^Andre opplysninger^99STAFETT||to \\F\\||||||F\r" +
		"OBX|8|ED|DOK^Brev^99STAFETT||^application^pdf^Base64^JVBERg==||||||F\r" +
		"ZZ1|x\r"
	if added != want {
		t.Errorf("got\n%q\nwant\n%q", added, want)
	}
	for _, bad := range []adapters.Document{{ContentType: "text/plain", Data: []byte("\xff")}, {ContentType: ""},
		{ContentType: "text/plain; charset=iso-8859-1"}, {ContentType: "text/plain", Data: bytes.Repeat([]byte("\nx"), attachMax+1)}} {
		wantKind(t, bad.ContentType, c.Attach(root, bad), handover.FaultInvalid)
	}
}

func TestEncode_Refusals(t *testing.T) {
	node := func(name, value string, children ...*message.Node) *message.Node {
		return &message.Node{Name: name, Value: value, Children: children}
	}
	msh := func(children ...*message.Node) *message.Node { return node("MSH", "", children...) }
	for _, c := range []struct {
		name, path string
		root       *message.Node
	}{
		{"nothing", "", nil},
		{"no MSH", "", node("message", "", node("PID", ""))},
		{"two MSH", "MSH", node("message", "", msh(), msh())},
		{"bad delimiters", "MSH-2", node("message", "", msh(node("2", "||")))},
		{"unknown set", "MSH-18", node("message", "", msh(node("18", "BIG5")))},
		{"segment name", "pid", node("message", "", msh(), node("pid", ""))},
		{"segment value", "PID", node("message", "", msh(), node("PID", "x"))},
		{"field name", "PID", node("message", "", msh(), node("PID", "", node("x", "")))},
		{"leading zero", "PID", node("message", "", msh(), node("PID", "", node("01", "")))},
		{"huge field", "PID", node("message", "", msh(), node("PID", "", node("1000", "")))},
		{"repeated part", "PID-3", node("message", "", msh(), node("PID", "", node("3", "", node("1", "a"), node("1", "b"))))},
		{"two values", "PID-3", node("message", "", msh(), node("PID", "", node("3", "a", node("1", "b"))))},
		{"too deep", "PID-3.1.2", node("message", "", msh(), node("PID", "", node("3", "", node("1", "", node("2", "", node("1", "x"))))))},
		{"control", "PID-3", node("message", "", msh(), node("PID", "", node("3", "\x00")))},
		{"not UTF-8", "PID-3", node("message", "", msh(), node("PID", "", node("3", "\xff")))},
		{"not in the set", "PID-3", node("message", "", msh(node("18", "8859/1")), node("PID", "", node("3", "€")))},
		{"not ASCII", "PID-3", node("message", "", msh(node("18", "ASCII")), node("PID", "", node("3", "å")))},
		{"no separator", "PID-3", node("message", "", msh(node("2", "^")), node("PID", "", node("3", "a"), node("3", "b")))},
		{"no escape", "PID-3", node("message", "", msh(node("2", "^")), node("PID", "", node("3", "a^")))},
	} {
		_, err := (&Codec{}).Encode(c.root)
		f := handover.FaultOf(err)
		if f == nil || f.Kind != handover.FaultInvalid || f.Path != c.path {
			t.Errorf("%s: got %v, want invalid at %q", c.name, err, c.path)
		}
	}
}

func TestEncode_BuiltTree(t *testing.T) {
	root := &message.Node{Name: "message", Children: []*message.Node{{Name: "MSH"}, {Name: "PID"}}}
	msh, pid := root.Children[0], root.Children[1]
	set(msh, "8859/1", "18")
	set(msh, "ADT", "9", "1")
	set(pid, "b", "5", "2")
	set(pid, "1", "1")
	pid.Children = append(pid.Children, &message.Node{Name: "3", Value: "x", Children: []*message.Node{{Name: "4", Value: "y"}}},
		&message.Node{Name: "3", Value: "å"}, &message.Node{Name: "3"}, &message.Node{Name: "8", Value: Null})
	raw, err := (&Codec{}).Encode(root)
	if err != nil {
		t.Fatal(err)
	}
	if want := "MSH|^~\\&|||||||ADT|||||||||8859/1\rPID|1||x^^^y~\xe5~||^b|||\"\"\r"; string(raw) != want {
		t.Errorf("got  %q\nwant %q", raw, want)
	}
}
