package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"stafett/api"
	"stafett/gateway/desk"
	"stafett/handover"
	"stafett/mappings"
)

var (
	fencedXML = regexp.MustCompile("(?s)```xml\n(.*?)```")
	kithRow   = regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\|")
)

// TestDocs_KITHPageIsTakenAsItStands: a gateway on the example's configuration is sent an A16
// and then the two messages of docs/kith.md.
func TestDocs_KITHPageIsTakenAsItStands(t *testing.T) {
	page := documents(t)["docs/kith.md"]
	samples := fencedXML.FindAllStringSubmatch(page, -1)
	if len(samples) != 2 {
		t.Fatalf("docs/kith.md shows %d messages", len(samples))
	}
	municipality := &httpSystem{take: takeXML}
	municipality.open(t)
	path, token := example(t)
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(strings.ReplaceAll(string(text), "127.0.0.1:8091", municipality.addr)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := loadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	a, err := startApp(t.Context(), cfg, discarded())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.shutdown(); err != nil {
			t.Error(err)
		}
	})
	b := &blackbox{t: t, dir: t.TempDir(), operator: token["operator"]}
	b.at.Store(&gatewayProcess{http: "http://" + a.httpAddr, mllp: a.mllpAddr[0]})
	now := time.Now()
	answer, err := b.mllp(t.Context(), []byte("\x0b"+strings.Join([]string{
		"MSH|^~\\&|EPJ|NORDVIK|STAFETT||" + now.Format("20060102150405") + "||ADT^A16^ADT_A16|MSG00001|P|2.5||||||UNICODE UTF-8",
		"EVN|A16|" + now.Format("20060102150405"),
		"PID|1||12834840187^^^FNR^FNR||Lærke^Oppdiktet^^^^^L||19480312|F|||Storgata 1^^Fjordby^^9902^NO^H^^9902",
		"PD1||||||||||||N",
		"PV1|1|I|SLAG^^^NORDVIK||||||||||||||||S-1010|||||||||||||||||||||||||" + now.Add(-48*time.Hour).Format("20060102150405"),
		"PV2|||||||||" + now.Add(24*time.Hour).Format("20060102150405"),
		"OBX|1|CE|KOMTJ^Mottar kommunale tjenester^99STAFETT||J^Ja||||||F"}, "\r")+"\r\x1c\r"))
	if err != nil || hl7Field(answer, "MSA", 1) != "AA" {
		t.Fatalf("%q %v", answer, err)
	}
	var notice arrived
	b.until(20*time.Second, "the notice arrives", func() bool {
		for _, m := range municipality.all() {
			if m.typ == "LOG_UTSKRIVNINGSKLAR" {
				notice = m
			}
		}
		return notice.id != ""
	})
	stands := func() string {
		var list api.List[desk.HandoverView]
		b.get("/handovers", b.operator, &list)
		return fmt.Sprintf("%s, held by %s", list.Items[0].State, list.Items[0].Custodian)
	}
	for i, want := range []string{"received, held by nordvik-sykehus", "accepted, held by fjordby-kommune"} {
		message := strings.ReplaceAll(samples[i][1], "MSGID-OF-THE-NOTICE", notice.id)
		if got := b.status("POST", "/kith", token["fjordby-kommune"], []byte(message), xmlType); got != http.StatusAccepted {
			t.Fatalf("answered %d", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		askUntil(ctx, t, want, func() bool { return stands() == want })
		cancel()
	}
}

// TestDocs_KITHPageNamesWhatIsRead: every type that a mapping reads, and no other.
func TestDocs_KITHPageNamesWhatIsRead(t *testing.T) {
	set, err := mappings.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]bool{"APPREC": true}
	for _, p := range set.Programs() {
		if p.Wire == handover.WireKITH {
			read[p.Type] = true
		}
	}
	said := map[string]bool{}
	for _, m := range kithRow.FindAllStringSubmatch(documents(t)["docs/kith.md"], -1) {
		if said[m[1]] = true; !read[m[1]] {
			t.Errorf("docs/kith.md says that %s is read", m[1])
		}
	}
	for typ := range read {
		if !said[typ] {
			t.Errorf("docs/kith.md does not say that %s is read", typ)
		}
	}
}
