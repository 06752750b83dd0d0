package kith

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"stafett/adapters"
	"stafett/handover"
)

const receiptID = "0f0e0d0c-0b0a-4908-8706-050403020100"

// TestGoldenReceipts: each archive's comment says which receipt on which message is made.
//
//	message: log_innlagt.xml
//	relay: positive | negative CODE|SYSTEM|TEXT ...
//	refusal: bad-message-id | ...
//	copy: 0            the answering address is this copy receiver
func TestGoldenReceipts(t *testing.T) {
	paths, err := filepath.Glob("testdata/receipts/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden cases: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := goldenReceipt(t, string(archive.Comment))
			want := ""
			if len(archive.Files) > 0 {
				want = string(archive.Files[0].Data)
			}
			if *update {
				archive.Files = []txtar.File{{Name: "apprec.xml", Data: []byte(lined(got))}}
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(want, lined(got)); d != "" {
				t.Error(d)
			}
			if len(got) > 0 {
				receiptIsSound(t, got)
			}
		})
	}
}

// lined puts each element on a line of its own, so that a difference can be read.
func lined(xml []byte) string {
	if len(xml) == 0 {
		return "no receipt\n"
	}
	return strings.ReplaceAll(string(xml), "><", ">\n<") + "\n"
}

func goldenReceipt(t *testing.T, comment string) []byte {
	t.Helper()
	var env adapters.Envelope
	var got []byte
	var err error
	for line := range strings.Lines(comment) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "message":
			m := mustRead(t, fixture(t, value))
			env, _ = Codec{}.Envelope(m)
		case "copy":
			env.Receiver = env.Copies[value[0]-'0']
		case "id":
			env.ID = value
		case "relay":
			got, err = Codec{}.Relay(env, receiptOf(value), receiptID, noon)
		case "refusal":
			got, err = Codec{}.Refusal(env, &handover.Fault{Kind: handover.FaultKind(value), Op: "kith.Check", Text: "made by a test",
				Path: "MsgHead/MsgInfo/MsgId", Line: 7, Column: 5}, receiptID, noon)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func receiptOf(s string) adapters.Receipt {
	kind, rest, _ := strings.Cut(s, " ")
	r := adapters.Receipt{Positive: kind == "positive"}
	for _, e := range strings.Split(rest, ";") {
		if part := strings.SplitN(e, "|", 3); len(part) == 3 {
			r.Errors = append(r.Errors, adapters.ReceiptError{Code: part[0], System: part[1], Text: part[2]})
		}
	}
	return r
}

// receiptIsSound reads a receipt back and holds it to the rules of both versions.
func receiptIsSound(t *testing.T, raw []byte) {
	t.Helper()
	m, env := mustEnvelope(t, raw)
	root := m.Root
	if env.ID != receiptID || env.Time == "" || env.Receipt.OriginalTime == "" || !validDateTime(env.Receipt.OriginalTime) {
		t.Errorf("%+v", env)
	}
	status := root.Text("Status", "@V")
	if errors := root.All("Error"); (status == "2") != (len(errors) > 0) || status == "3" {
		t.Errorf("status %s with %d errors", status, len(errors))
	}
	for _, e := range root.All("Error") {
		if errorNames[e.Text("@V")] == "" || e.Text("@S") != systemErrors {
			t.Errorf("an error that is not of Volven 8221: %q", e.Text("@V"))
		}
	}
}

func TestRelayMirrorsEveryFixture(t *testing.T) {
	for name, raw := range fixtures(t) {
		_, original := mustEnvelope(t, raw)
		for _, r := range []adapters.Receipt{{Positive: true}, {}, {Errors: []adapters.ReceiptError{{Code: "E35", System: systemErrors}}}} {
			got, err := Codec{}.Relay(original, r, receiptID, noon)
			if err != nil {
				t.Fatal(err)
			}
			if original.Type == TypeAppRec {
				if got != nil {
					t.Errorf("%s: a receipt was receipted", name)
				}
				continue
			}
			receiptIsSound(t, got)
			_, env := mustEnvelope(t, got)
			if env.Receipt.Positive != r.Positive || env.Receipt.OriginalID != original.ID ||
				env.Receipt.OriginalTime != original.Time || env.Receipt.OriginalType != original.Type {
				t.Errorf("%s: %+v", name, env.Receipt)
			}
			if !mirrored(env.Sender, original.Receiver) || !mirrored(env.Receiver, original.Sender) {
				t.Errorf("%s: the addresses are not mirrored", name)
			}
			if want := receiptNamespace(original.Version); mustRead(t, got).Root.Space != want {
				t.Errorf("%s: not in %s", name, want)
			}
		}
	}
}

// mirrored ignores the code system, which an AppRec's TypeId cannot hold.
func mirrored(a, b adapters.Address) bool {
	return cmp.Equal(a, b, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".System" }, cmp.Ignore()))
}

func TestReceiptVersions(t *testing.T) {
	for _, b := range bodies {
		old := strings.HasSuffix(b.version, " 1.5") || b.version == "dialog 1.0" || b.version == "henvisning 1.0" || b.version == "epikrise 1.1"
		if b.appRec == "" {
			continue
		}
		if got := receiptNamespace(b.version); (got == nsAppRec10) != old {
			t.Errorf("%s is answered in %s", b.version, got)
		}
	}
	if receiptNamespace("") != nsAppRec11 {
		t.Error("an unknown version is not answered in 1.1")
	}
}

// TestRefusalTable walks every fault kind: which may be refused is a closed list.
func TestRefusalTable(t *testing.T) {
	codes := map[handover.FaultKind]string{
		handover.FaultMalformed: "T01", handover.FaultUnsupported: "T10", handover.FaultInvalid: "T02",
		handover.FaultBadMessageID: "E10", handover.FaultPatientUnidentified: "E36", handover.FaultServiceUnknown: "E21",
	}
	_, original := mustEnvelope(t, fixture(t, "log_innlagt.xml"))
	for _, kind := range handover.FaultKinds() {
		fault := &handover.Fault{Kind: kind, Op: "kith.Check", Text: "x"}
		got, err := Codec{}.Refusal(original, fault, receiptID, noon)
		if err != nil {
			t.Fatal(err)
		}
		if (got != nil) != (codes[kind] != "") {
			t.Errorf("%s: refused %v", kind, got != nil)
			continue
		}
		if got != nil {
			receiptIsSound(t, got)
			if _, env := mustEnvelope(t, got); env.Receipt.Positive || env.Receipt.Errors[0].Code != codes[kind] {
				t.Errorf("%s: %+v", kind, env.Receipt)
			}
		}
		for name, env := range map[string]adapters.Envelope{
			"a receipt":            {Type: TypeAppRec, Sender: original.Sender, ID: "1"},
			"with a receipt in it": {Sender: original.Sender, Receipt: &adapters.Receipt{}},
			"no sender":            {Type: original.Type, ID: original.ID, Sender: adapters.Address{Name: "Fjellheim"}},
		} {
			if got, err := (Codec{}).Refusal(env, fault, receiptID, noon); got != nil || err != nil {
				t.Errorf("%s: %s was refused", kind, name)
			}
		}
	}
}

// TestInvariant7_FailedMappingIsNoRefusal: a fault of kind invalid that arose behind the
// head, in mapping, validation or decision, is never a negative receipt.
func TestInvariant7_FailedMappingIsNoRefusal(t *testing.T) {
	_, original := mustEnvelope(t, fixture(t, "log_innlagt.xml"))
	for _, op := range []string{"", "mappings.ToFHIR", "conformance.Validate", "gateway.Take"} {
		got, err := Codec{}.Refusal(original, &handover.Fault{Kind: handover.FaultInvalid, Op: op}, receiptID, noon)
		if got != nil || err != nil {
			t.Errorf("%q was refused", op)
		}
	}
	if got, err := (Codec{}).Refusal(original, nil, receiptID, noon); got != nil || err != nil {
		t.Error("no fault was refused")
	}
}

func TestRelayNeedsASender(t *testing.T) {
	_, err := Codec{}.Relay(adapters.Envelope{Type: "LOG_INNLAGT"}, adapters.Receipt{Positive: true}, receiptID, noon)
	if f := handover.FaultOf(err); f == nil || f.Kind != handover.FaultSenderUnknown {
		t.Error(err)
	}
}

// TestRelayFromNumbersAlone: an envelope without Detail, as another wire would fill it.
func TestRelayFromNumbersAlone(t *testing.T) {
	original := adapters.Envelope{Type: "LOG_INNLAGT", ID: "1", Time: "2026-03-02T08:15:30", Version: "pasientlogistikk 1.6",
		Sender: adapters.Address{HER: "80001", HERService: "80101", OrgNumber: "999000118"}, Receiver: adapters.Address{HER: "80002"}}
	got, err := Codec{}.Relay(original, adapters.Receipt{Positive: true}, receiptID, noon)
	if err != nil {
		t.Fatal(err)
	}
	if _, env := mustEnvelope(t, got); env.Receiver.HERService != "80101" || env.Receiver.OrgNumber != "999000118" || env.Sender.HER != "80002" {
		t.Errorf("%s", got)
	}
}

func TestRelayTakesAnyText(t *testing.T) {
	_, original := mustEnvelope(t, fixture(t, "dialog_notat.xml"))
	r := adapters.Receipt{}
	for range 100 {
		r.Errors = append(r.Errors, adapters.ReceiptError{Code: "2\x0007", Text: "a\x01b\xff<&>\""})
	}
	got, err := Codec{}.Relay(original, r, receiptID, noon)
	if err != nil {
		t.Fatal(err)
	}
	if _, env := mustEnvelope(t, got); len(env.Receipt.Errors) != maxErrors || env.Receipt.Errors[0].Text != `Annen feil: Mottakersystemet avviste meldingen: 207: ab<&>"` {
		t.Errorf("%+v", env.Receipt.Errors)
	}
}

func TestReceiptQuotesTheTimeVerbatim(t *testing.T) {
	original := adapters.Envelope{Type: "X", ID: "1", Sender: adapters.Address{HER: "80001"}}
	for generated, want := range map[string]string{
		"2026-03-02T08:15:30":               "2026-03-02T08:15:30",
		"2026-03-02T08:15:30.0009763Z":      "2026-03-02T08:15:30.0009763Z",
		"2026-03-02T08:15:30.1234567+01:00": "2026-03-02T08:15:30.1234567+01:00",
		"2026-03-02":                        noon.Format(time.RFC3339),
		"":                                  noon.Format(time.RFC3339),
		"i dag":                             noon.Format(time.RFC3339),
	} {
		original.Time = generated
		got, err := Codec{}.Relay(original, adapters.Receipt{Positive: true}, receiptID, noon)
		if err != nil {
			t.Fatal(err)
		}
		if issued := mustRead(t, got).Root.Text("OriginalMsgId", "IssueDate"); issued != want {
			t.Errorf("%q: %q", generated, issued)
		}
	}
}

func TestReceiptQuotesTheDocumentInVersion10(t *testing.T) {
	for _, c := range []struct{ space, kind, content, id, role string }{
		{"henvisning/2005-07-08", "HENVISNING", "ServReq", "r-1", "SPR"},
		{"epikrise/2006-09-23", "EPIKRISE", "ServRprt", "p-1", "REQ"},
	} {
		_, original := mustEnvelope(t, messageFixture(c.space, c.kind, c.content))
		got, err := Codec{}.Relay(original, adapters.Receipt{Positive: true}, receiptID, noon)
		if err != nil {
			t.Fatal(err)
		}
		root := mustRead(t, got).Root
		if root.Space != nsAppRec10 || root.Text("OriginalMsgId", "Id") != c.id || root.Text("Sender", "Role", "@V") != c.role || root.At("Receiver", "Role") != nil {
			t.Errorf("%s: %s", c.kind, got)
		}
	}
}
