package kith

import (
	"strings"
	"testing"

	"stafett/handover"
)

func TestCheckTakesTheFixtures(t *testing.T) {
	for name, raw := range fixtures(t) {
		m, env := mustEnvelope(t, raw)
		if fault := (Codec{}).Check(m, env); fault != nil {
			t.Errorf("%s: %v", name, fault)
		}
	}
}

// TestCheckPatient walks what a head can say of a patient.
func TestCheckPatient(t *testing.T) {
	numbers := []struct {
		ident      string
		identifies bool
	}{
		{"", false},
		{ident("FNR", solveigFNR), true},
		{ident("FNR", "12034800242"), false},
		{ident("FNR", solveigHNR), false},
		{ident("FNR", solveigDNR), true},
		{ident("FNR", "12834800045"), true},
		{ident("DNR", solveigDNR), true},
		{ident("DNR", "52034800074"), false},
		{ident("FHN", someFHN), true},
		{ident("FHN", solveigFNR), false},
		{ident("HNR", solveigHNR), false},
		{ident("PNR", solveigFNR), false},
		{ident("", solveigFNR), false},
		{ident("HNR", solveigHNR) + ident("FNR", solveigFNR), true},
	}
	names := map[string]bool{"": false, "<FamilyName> </FamilyName>": false, "<FamilyName>MYRVANG</FamilyName>": true, "<GivenName>Solveig</GivenName>": true}
	births := map[string]bool{"": false, "<DateOfBirth>1948-03-12</DateOfBirth>": true, "<DateOfBirth>1948-03-12Z</DateOfBirth>": true, "<DateOfBirth>1948-02-30</DateOfBirth>": false, "<DateOfBirth>1948</DateOfBirth>": false}
	sexes := map[string]bool{"": false, `<Sex V="2"/>`: true, `<Sex V="1"/>`: true, `<Sex V="0"/>`: false, `<Sex V="9"/>`: false, `<Sex V="K"/>`: true, `<Sex/>`: false}
	raw := string(fixture(t, "log_innlagt.xml"))
	before, rest, _ := strings.Cut(raw, "<Patient>")
	_, after, _ := strings.Cut(rest, "</Patient>")
	for _, number := range numbers {
		for name, named := range names {
			for birth, born := range births {
				for sex, sexed := range sexes {
					patient := "<Patient>" + name + birth + sex + number.ident + "</Patient>"
					m, env := mustEnvelope(t, []byte(before+patient+after))
					fault := Codec{}.Check(m, env)
					want := named && (number.identifies || born && sexed)
					if (fault == nil) != want {
						t.Errorf("%s: %v", patient, fault)
					}
					if fault != nil && (fault.Kind != handover.FaultPatientUnidentified || fault.Path == "" || fault.Line == 0) {
						t.Errorf("%s: %v", patient, fault)
					}
				}
			}
		}
	}
}

func ident(kind, number string) string {
	return `<Ident><Id>` + number + `</Id><TypeId V="` + kind + `" S="2.16.578.1.12.4.1.1.8116"/></Ident>`
}

func TestCheckPatientOfMessagesWithTheirOwnHead(t *testing.T) {
	for _, c := range []struct {
		old, replacement string
		taken            bool
	}{
		{"x", "x", true},
		{"12034800241", "12034800242", true}, // name, birth date and sex stand
		{`<Sex V="2"/>`, "", true},
		{"<Name>MYRVANG, Solveig</Name>", "", false},
		{`<Sex V="2"/><DateOfBirth V="1948-03-12"/><Name>MYRVANG, Solveig</Name><OffId>12034800241</OffId>`, "<Name>MYRVANG, Solveig</Name><OffId>12034800242</OffId>", false},
		{`<Sex V="2"/><DateOfBirth V="1948-03-12"/><Name>MYRVANG, Solveig</Name><OffId>12034800241</OffId><TypeOffId V="FNR"/>`,
			`<Name>MYRVANG, Solveig</Name><AdditionalId><Id>12034800241</Id><Type V="FNR"/></AdditionalId>`, true},
	} {
		for _, content := range []string{"ServReq", "ServRprt"} {
			raw := strings.Replace(string(messageFixture("henvisning/2012-02-15", "HENVISNING", content)), c.old, c.replacement, 1)
			m, env := mustEnvelope(t, []byte(raw))
			if fault := (Codec{}).Check(m, env); (fault == nil) != c.taken {
				t.Errorf("%s: %s: %v", content, c.replacement, fault)
			}
		}
	}
}

func TestCheckNeverRefusesImmediateHelp(t *testing.T) {
	old := string(messageFixture("henvisning/2012-02-15", "HENVISNING", "ServReq"))
	old = strings.Replace(old, "<Name>MYRVANG, Solveig</Name>", "", 1)
	ny := altered(t, "log_innlagt.xml", "MYRVANG", "", "Solveig", "", "12034800241", "",
		"http://www.kith.no/xmlstds/po/Pasientlogistikk/2012-04-01", "http://ehelse.no/xmlstds/henvisning/2017-11-30",
		"<InformasjonOmForsendelsen>", `<ReqServ xmlns="http://ehelse.no/xmlstds/henvisning/2017-11-30"><Priority V="3"/></ReqServ><InformasjonOmForsendelsen>`)
	for _, raw := range []string{old, string(ny)} {
		m, env := mustEnvelope(t, []byte(raw))
		if fault := (Codec{}).Check(m, env); fault == nil || fault.Kind != handover.FaultPatientUnidentified {
			t.Errorf("priority 3: %v", fault)
		}
		m, env = mustEnvelope(t, []byte(strings.Replace(raw, `Priority V="3"`, `Priority V="0"`, 1)))
		if fault := (Codec{}).Check(m, env); fault != nil {
			t.Errorf("priority 0: %v", fault)
		}
	}
}

// TestCheckOrder: of several faults the first in the prescribed order is told.
func TestCheckOrder(t *testing.T) {
	const id = "7d1c0f7e-3b0a-4c55-9d1e-000000000001"
	noID := []string{"<MsgId>" + id, "<MsgId>17"}
	noPatient := []string{"MYRVANG", "", "Solveig", ""}
	noDate := []string{"<GenDate>2026-03-02T08:15:30", "<GenDate>2026-03-02"}
	for name, c := range map[string]struct {
		change []string
		kind   handover.FaultKind
	}{
		"all":          {append(append(append([]string{}, noID...), noPatient...), noDate...), handover.FaultBadMessageID},
		"patient":      {append(append([]string{}, noPatient...), noDate...), handover.FaultPatientUnidentified},
		"date":         {noDate, handover.FaultInvalid},
		"braces":       {[]string{"<MsgId>" + id, "<MsgId>{" + id + "}"}, handover.FaultBadMessageID},
		"urn":          {[]string{"<MsgId>" + id, "<MsgId>urn:uuid:" + id}, handover.FaultBadMessageID},
		"upper case":   {[]string{"<MsgId>" + id, "<MsgId>" + strings.ToUpper(id)}, ""},
		"zone":         {[]string{"2026-03-02T08:15:30", "2026-03-02T08:15:30.123Z"}, ""},
		"type":         {[]string{`<Type V="LOG_INNLAGT" DN="Melding om innlagt pasient"/>`, "<Type/>"}, handover.FaultInvalid},
		"two types":    {[]string{"<MIGversion>", `<Type V="X"/><MIGversion>`}, handover.FaultInvalid},
		"version":      {[]string{"v1.2 2006-05-24", "v1.1 2006-02-15"}, handover.FaultUnsupported},
		"receiver":     {[]string{"<Id>80002</Id>", "<Id/>", "<Id>80201</Id>", "<Id/>"}, handover.FaultInvalid},
		"orgnumber":    {[]string{"999000118", "999000119"}, ""},
		"document":     {[]string{"Document>", "Annet>"}, handover.FaultInvalid},
		"doc type":     {[]string{`<MsgType V="XML"`, "<MsgType"}, handover.FaultInvalid},
		"content":      {[]string{"<Content>", "<Content/><Annet>", "</Content>", "</Annet>"}, handover.FaultInvalid},
		"body":         {[]string{"po/Pasientlogistikk/2012-04-01", "po/Pasientlogistikk/2031-01-01"}, handover.FaultUnsupported},
		"register":     {[]string{"<Document>", "<PatientReport><Document>", "</Document>", "</Document></PatientReport>"}, handover.FaultUnsupported},
		"no patient":   {[]string{"Patient>", "Pasient>"}, handover.FaultPatientUnidentified},
		"unknown code": {[]string{`Hendelsekode V="1"`, `Hendelsekode V="77"`}, ""},
	} {
		m, env := mustEnvelope(t, altered(t, "log_innlagt.xml", c.change...))
		fault := Codec{}.Check(m, env)
		if c.kind == "" {
			if fault != nil {
				t.Errorf("%s: %v", name, fault)
			}
			continue
		}
		if fault == nil || fault.Kind != c.kind || fault.Path == "" || fault.Line == 0 {
			t.Errorf("%s: %v, want %s", name, fault, c.kind)
			continue
		}
		for _, private := range []string{"MYRVANG", "Solveig", solveigFNR} {
			if strings.Contains(fault.Error(), private) {
				t.Errorf("%s: the fault quotes the message", name)
			}
		}
	}
}

func TestCheckLeavesReceiptsAlone(t *testing.T) {
	m, env := mustEnvelope(t, altered(t, "apprec_1_1_ok.xml", "5b2e8a10-77c4-4f0e-8a6b-000000000001", "17"))
	if fault := (Codec{}).Check(m, env); fault != nil {
		t.Error(fault)
	}
	if fault := (Codec{}).Check(nil, env); fault != nil {
		t.Error(fault)
	}
}

// TestCheckOfTestMessages: what is marked as a test is taken in a test installation only.
func TestCheckOfTestMessages(t *testing.T) {
	for status, test := range map[string]bool{"D": true, "T": true, " t": true, "P": false, "": false} {
		m, env := mustEnvelope(t, altered(t, "log_innlagt.xml", "</MsgId>", `</MsgId><ProcessingStatus V="`+status+`"/>`))
		if f := (Codec{}).Check(m, env); (f != nil) != test || f != nil && f.Kind != handover.FaultForbidden {
			t.Errorf("%q in production: %v", status, f)
		}
		if f := (Codec{Test: true}).Check(m, env); f != nil {
			t.Errorf("%q in a test installation: %v", status, f)
		}
	}
}
