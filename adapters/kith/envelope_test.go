package kith

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stafett/adapters"
	"stafett/handover"
	"stafett/message"
)

func her(id string) []adapters.Ident {
	return []adapters.Ident{{ID: id, Type: "HER", System: systemOrganisation, TypeName: "HER-id"}}
}

var hospital = adapters.Address{
	HER: "80001", HERService: "80101", OrgNumber: "999000118", Name: "Fjellheim sykehus", ServiceName: "Slagenheten",
	Detail: &adapters.AddressDetail{
		Idents: append(her("80001"), adapters.Ident{ID: "999000118", Type: "ENH", System: systemOrganisation,
			TypeName: "Organisasjonsnummeret i Enhetsregister"}),
		ServiceIdents: her("80101"),
	},
}

func municipality(service, id string) adapters.Address {
	return adapters.Address{HER: "80002", HERService: id, Name: "Dalvik kommune", ServiceName: service,
		Detail: &adapters.AddressDetail{Idents: her("80002"), ServiceIdents: her(id)}}
}

func TestEnvelopeOfMsgHead(t *testing.T) {
	_, env := mustEnvelope(t, fixture(t, "log_utskrivningsklar.xml"))
	want := adapters.Envelope{
		Type: "LOG_UTSKRIVNINGSKLAR", ID: "7d1c0f7e-3b0a-4c55-9d1e-000000000003", Version: "pasientlogistikk 1.6",
		Sender: hospital, Receiver: municipality("Saksbehandling", "80202"),
		Copies: []adapters.Address{{HER: "80004", HERService: "80401", Name: "Dalvik legesenter", ServiceName: "Odd Lekang",
			Detail: &adapters.AddressDetail{Idents: her("80004"), ServiceIdents: her("80401"), Person: true}}},
		Time: "2026-03-09T10:20:11+01:00", ReceiptWanted: true,
	}
	if d := cmp.Diff(want, env); d != "" {
		t.Error(d)
	}
	_, env = mustEnvelope(t, fixture(t, "dialog_notat.xml"))
	if env.Conversation != "7d1c0f7e-3b0a-4c55-9d1e-000000000003" || env.Parent != env.Conversation || env.Version != "dialog 1.1" {
		t.Errorf("%+v", env)
	}
}

func TestEnvelopeReadsAckAndProcessingStatus(t *testing.T) {
	for ack, wanted := range map[string]bool{"": true, `<Ack V="J"/>`: true, `<Ack V="F"/>`: true, `<Ack V="N"/>`: false} {
		_, env := mustEnvelope(t, altered(t, "log_innlagt.xml", "</MsgId>", `</MsgId><ProcessingStatus V="D"/>`+ack))
		if env.ReceiptWanted != wanted || env.Processing != "D" {
			t.Errorf("%q: %v, %q", ack, env.ReceiptWanted, env.Processing)
		}
	}
}

func TestEnvelopeOfAppRec(t *testing.T) {
	for name, want := range map[string]adapters.Envelope{
		"apprec_1_1_ok.xml": {Version: "apprec 1.1", ID: "5b2e8a10-77c4-4f0e-8a6b-000000000001", Receipt: &adapters.Receipt{Positive: true,
			OriginalType: "LOG_UTSKRIVNINGSKLAR", OriginalTime: "2026-03-09T10:20:11+01:00", OriginalID: "7d1c0f7e-3b0a-4c55-9d1e-000000000003"}},
		"apprec_1_1_avvist.xml": {Version: "apprec 1.1", ID: "5b2e8a10-77c4-4f0e-8a6b-000000000002", Receipt: &adapters.Receipt{
			OriginalType: "LOG_UTSKRIVNINGSKLAR", OriginalTime: "2026-03-09T10:20:11+01:00", OriginalID: "7d1c0f7e-3b0a-4c55-9d1e-000000000003",
			Errors: []adapters.ReceiptError{{Code: "E21", System: systemErrors, Text: "Mottaker finnes ikke: Tjenesten er flyttet til Saksbehandling nord"}}}},
		"apprec_1_0_avvist.xml": {Version: "apprec 1.0", ID: "5b2e8a10-77c4-4f0e-8a6b-000000000004", Receipt: &adapters.Receipt{
			OriginalType: "LOG_INNLAGT", OriginalTime: "2026-03-02T08:15:30", OriginalID: "7d1c0f7e-3b0a-4c55-9d1e-000000000009",
			Errors: []adapters.ReceiptError{{Code: "E21", System: systemErrors, Text: "Mottaker finnes ikke: Tjenesten er flyttet til Saksbehandling nord"}}}},
	} {
		_, env := mustEnvelope(t, fixture(t, name))
		if env.Type != TypeAppRec || env.Sender.HER != "80002" || env.Sender.HERService != "80202" ||
			env.Receiver.HER != "80001" || env.Receiver.OrgNumber != "999000118" || env.ReceiptWanted {
			t.Errorf("%s: %+v", name, env)
		}
		if d := cmp.Diff(want.Receipt, env.Receipt); d != "" || env.Version != want.Version || env.ID != want.ID {
			t.Errorf("%s: %s %s %s", name, env.Version, env.ID, d)
		}
	}
}

func TestInvariant7_StatusOfReceiptIsNeverGuessed(t *testing.T) {
	for status, positive := range map[string]bool{"1": true, "2": false, "3": true} {
		_, env := mustEnvelope(t, altered(t, "apprec_1_1_ok.xml", `Status V="1"`, `Status V="`+status+`"`))
		if env.Receipt == nil || env.Receipt.Positive != positive {
			t.Errorf("status %s: %+v", status, env.Receipt)
		}
	}
	for _, status := range []string{"", "0", "4", "OK", "AA"} {
		m := mustRead(t, altered(t, "apprec_1_1_ok.xml", `Status V="1"`, `Status V="`+status+`"`))
		env, err := Codec{}.Envelope(m)
		if f := handover.FaultOf(err); f == nil || f.Kind != handover.FaultInvalid || env.Receipt != nil {
			t.Errorf("status %q: %v, %+v", status, err, env.Receipt)
		}
	}
}

func TestEnvelopeFaults(t *testing.T) {
	read := func(s string) *message.Message { return mustRead(t, []byte(s)) }
	cut := func(name, from, to string) *message.Message {
		s := string(fixture(t, name))
		i := strings.Index(s, from)
		j := i + strings.Index(s[i:], to) + len(to)
		return read(s[:i] + s[j:])
	}
	for name, c := range map[string]struct {
		m    *message.Message
		kind handover.FaultKind
	}{
		"nothing":           {nil, handover.FaultMalformed},
		"no root":           {&message.Message{}, handover.FaultMalformed},
		"other root":        {read("<Envelope/>"), handover.FaultUnsupported},
		"other namespace":   {read("<MsgHead xmlns='u'/>"), handover.FaultUnsupported},
		"no namespace":      {read("<MsgHead/>"), handover.FaultUnsupported},
		"unknown message":   {read("<Message xmlns='http://www.kith.no/xmlstds/henvisning/1999-01-01'/>"), handover.FaultUnsupported},
		"no head":           {read("<MsgHead xmlns='" + nsMsgHead + "'/>"), handover.FaultSenderUnknown},
		"no sender":         {cut("log_innlagt.xml", "<Sender>", "</Sender>"), handover.FaultSenderUnknown},
		"no id":             {cut("log_innlagt.xml", "<MsgId>", "</MsgId>"), handover.FaultBadMessageID},
		"receipt, sender":   {cut("apprec_1_1_ok.xml", "<Sender>", "</Sender>"), handover.FaultSenderUnknown},
		"receipt, no id":    {cut("apprec_1_1_ok.xml", "<Id>5b", "</Id>"), handover.FaultBadMessageID},
		"receipt, for what": {cut("apprec_1_1_ok.xml", "<OriginalMsgId>", "</OriginalMsgId>"), handover.FaultInvalid},
		"referral, sender":  {read("<Message xmlns='http://www.kith.no/xmlstds/henvisning/2012-02-15'><MsgId>1</MsgId><ServReq/></Message>"), handover.FaultSenderUnknown},
	} {
		_, err := Codec{}.Envelope(c.m)
		if f := handover.FaultOf(err); f == nil || f.Kind != c.kind {
			t.Errorf("%s: %v, want %s", name, err, c.kind)
		}
	}
}

const referral = `<Message xmlns="http://www.kith.no/xmlstds/%s"><Type V="%s"/><GenDate V="2026-03-01T10:00:00"/>
<MsgId>7d1c0f7e-3b0a-4c55-9d1e-000000000030</MsgId><%s><ServProvId>p-1</ServProvId><Id>r-1</Id>
<Patient><Sex V="2"/><DateOfBirth V="1948-03-12"/><Name>MYRVANG, Solveig</Name><OffId>12034800241</OffId><TypeOffId V="FNR"/></Patient>
<ServProvider><HCP><Inst><Name>Fjellheim sykehus</Name><Id>80001</Id><TypeId V="HER"/><Dept><Name>Slagenheten</Name><Id>80101</Id><TypeId V="HER"/></Dept></Inst></HCP></ServProvider>
<CopyDest><HCP><HCProf><Name>Odd Lekang</Name><Id>9990002</Id><TypeId V="HPR"/></HCProf></HCP></CopyDest>
<Requester><HCP><Inst><Name>Dalvik legesenter</Name><Id>80004</Id><TypeId V="HER"/><HCPerson><Name>Odd Lekang</Name><Id>80401</Id><TypeId V="HER"/></HCPerson></Inst></HCP></Requester>
<ReqServ><Priority V="3"/></ReqServ></%s></Message>`

func messageFixture(space, kind, content string) []byte {
	s := strings.Replace(referral, "%s", space, 1)
	s = strings.Replace(s, "%s", kind, 1)
	return []byte(strings.ReplaceAll(s, "%s", content))
}

func TestEnvelopeOfMessagesWithTheirOwnHead(t *testing.T) {
	for _, c := range []struct{ space, kind, content, version, sender, receiptID string }{
		{"henvisning/2005-07-08", "HENVISNING", "ServReq", "henvisning 1.0", "80004", "r-1"},
		{"henvisning/2012-02-15", "HENVISNING", "ServReq", "henvisning 1.1", "80004", ""},
		{"epikrise/2006-09-23", "EPIKRISE", "ServRprt", "epikrise 1.1", "80001", "p-1"},
		{"epikrise/2012-02-15", "EPIKRISE", "ServRprt", "epikrise 1.2", "80001", ""},
	} {
		_, env := mustEnvelope(t, messageFixture(c.space, c.kind, c.content))
		if env.Type != c.kind || env.Version != c.version || env.Sender.HER != c.sender || env.ReceiptID != c.receiptID ||
			env.Time != "2026-03-01T10:00:00" || len(env.Copies) != 1 || !env.Copies[0].Detail.Person {
			t.Errorf("%s: %+v", c.space, env)
		}
	}
}

// TestEnvelopeSurvivesJSON: Relay works from the stored envelope, without the tree.
func TestEnvelopeSurvivesJSON(t *testing.T) {
	for name, raw := range fixtures(t) {
		_, env := mustEnvelope(t, raw)
		stored, err := json.Marshal(env)
		if err != nil {
			t.Fatal(err)
		}
		var again adapters.Envelope
		if err := json.Unmarshal(stored, &again); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(env, again); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}
