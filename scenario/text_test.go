package scenario

import (
	"encoding/xml"
	"fmt"
	"html"
	"strings"
	"sync"
	"time"
)

// What the parties' systems write and read: texts of their own, with none of the gateway's
// encoders and decoders.

const configuration = `
http: {listen: 127.0.0.1:0}
mllp: [{listen: 127.0.0.1:0, party: nordvik-sykehus}]
ledger: {sqlite: {{DIR}}/ledger.db}
events: {dir: {{DIR}}/events, listen: 127.0.0.1:0}
self: {name: Stafett, her: "90009", facility: STAFETT}
operatorContact: nordvik-sykehus
operators: [{person: Oda Operatør, token: {{OPERATOR_TOKEN}}}]
delivery: {timeout: 5s, lease: 20s, retryMin: 50ms, retryMax: 1s, poll: 200ms}
log: warn
parties:
  - id: nordvik-sykehus
    name: Nordvik sykehus
    type: hospital
    her: "90001"
    facilities: [NORDVIK, NORDVIK2]
    services: [{name: slagenheten, her: "90101", wire: hl7v2, url: {{HOSPITAL_URL}}, takes: ["*"], application: EPJ, facility: NORDVIK}]
    routes: [{kommunenummer: "9911", to: sandvik-kommune}, {kommunenummer: "9912", to: innvik-kommune}]
    contacts: [{name: Koordinator, service: slagenheten}]
    credentials: [{token: {{NORDVIK_TOKEN}}}]
    startPolicy: {knownRecipient: true, assessedNeed: true}
  - id: berg-sykehus
    name: Berg sykehus
    type: hospital
    her: "90011"
    services: [{name: epj, her: "90111", wire: kith, url: {{BERG_URL}}, takes: ["*"]}]
    contacts: [{name: Koordinator, service: epj}]
    credentials: [{token: {{BERG_TOKEN}}}]
  - id: sandvik-kommune
    name: Sandvik kommune
    type: municipality
    her: "90002"
    kommunenummer: ["9911"]
    services:
      - {name: sykepleietjeneste, her: "90201", wire: kith, url: {{SANDVIK_URL}}, takes: [LOG_INNLAGT, LOG_UTSKREVET, DIALOG_HELSEFAGLIG, APPREC]}
      - {name: saksbehandling, her: "90202", wire: kith, url: {{SANDVIK_URL}}, takes: [LOG_UTSKRIVNINGSKLAR, LOG_AVMELDING]}
    contacts: [{name: Vakttelefon, service: sykepleietjeneste}]
    credentials: [{token: {{SANDVIK_TOKEN}}}]
    overlay: svarlinje-1
  - id: innvik-kommune
    name: Innvik kommune
    type: municipality
    her: "90003"
    kommunenummer: ["9912"]
    services: [{name: tildeling, her: "90301", wire: kith, url: {{INNVIK_URL}}, takes: ["*"]}]
    contacts: [{name: Vakttelefon, service: tildeling}]
    credentials: [{token: {{INNVIK_TOKEN}}}]
  - id: solheim-rehab
    name: Solheim rehabilitering
    type: institution
    her: "90004"
    services: [{name: inntak, her: "90401", wire: fhir, url: {{SOLHEIM_URL}}, takes: ["*"]}]
    contacts: [{name: Inntaksteam, service: inntak}]
    credentials: [{token: {{SOLHEIM_TOKEN}}}]
  - id: vestvik-kommune
    name: Vestvik kommune
    type: municipality
    her: "90005"
    kommunenummer: ["9913"]
    services: [{name: tildeling, her: "90501", wire: fhir, url: {{VESTVIK_URL}}, takes: ["*"]}]
    contacts: [{name: Vakttelefon, service: tildeling}]
    credentials: [{token: {{VESTVIK_TOKEN}}}]
  - id: fjordheim-rehab
    name: Fjordheim rehabilitering
    type: institution
    her: "90006"
    services: [{name: inntak, her: "90601", wire: fhir, url: {{FJORDHEIM_URL}}, takes: ["*"]}]
    contacts: [{name: Inntaksteam, service: inntak}]
    credentials: [{token: {{FJORDHEIM_TOKEN}}}]
`

const hl7Ack = "MSH|^~\\&|EPJ|NORDVIK|STAFETT||{{NOW}}||ACK|{{ID}}|P|2.5||||||UNICODE UTF-8\rMSA|AA|{{ORIGINAL}}\r"

// adt is any of the hospital's messages; the triggers differ in MSH-9, times and flags.
const adt = "MSH|^~\\&|EPJ|{{FACILITY}}|STAFETT||{{NOW}}||ADT^{{TRIGGER}}|{{ID}}|P|2.5||||||UNICODE UTF-8\r" +
	"EVN||{{NOW}}||||{{AT}}\r" +
	"PID|1||{{NUMBER}}^^^FNR^FNR||{{FAMILY}}^{{GIVEN}}^^^^^L||{{BORN}}|{{SEX}}|||{{STREET}}^^Vik^^9990^NO^H^^{{KOMMUNE}}||||||||||||||||||{{DEAD}}\r" +
	"PD1||||||||||||{{PROTECTED}}\r" +
	"PV1|1|I|{{UNIT}}^^^{{FACILITY}}||||9144889^Lie^Kari^^^^^^HPR^L^^^HPR||||||||||||{{STAY}}|||||||||||||||||{{TO}}||||||||{{ADMITTED}}|{{LEFT}}\r" +
	"{{READY}}" +
	"OBX|1|CE|KOMTJ^Mottar kommunale tjenester^99STAFETT||J^Ja||||||F\r" +
	"{{INFECTION}}"

const note = `<?xml version="1.0" encoding="UTF-8"?>
<MsgHead xmlns="http://www.kith.no/xmlstds/msghead/2006-05-24"><MsgInfo><Type V="DIALOG_NOTAT" DN="Notat"/><MIGversion>v1.2 2006-05-24</MIGversion><GenDate>{{NOW}}</GenDate><MsgId>{{ID}}</MsgId>` +
	`<ConversationRef><RefToParent>{{ORIGINAL}}</RefToParent><RefToConversation>{{ORIGINAL}}</RefToConversation></ConversationRef>` +
	`<Sender>{{FROM}}</Sender><Receiver>{{TO}}</Receiver>` +
	`<Patient><FamilyName>{{FAMILY}}</FamilyName><GivenName>{{GIVEN}}</GivenName><DateOfBirth>{{BORN}}</DateOfBirth><Sex V="{{SEX}}"/>` +
	`<Ident><Id>{{NUMBER}}</Id><TypeId V="FNR" S="2.16.578.1.12.4.1.1.8116" DN="Fødselsnummer"/></Ident></Patient></MsgInfo>` +
	`<Document><RefDoc><IssueDate V="{{NOW}}"/><MsgType V="XML" DN="XML-instans"/><Content><Dialogmelding xmlns="http://www.kith.no/xmlstds/dialog/2013-01-23">` +
	`<Notat><TemaKodet V="1" S="2.16.578.1.12.4.1.1.9155" DN="Tilbakemelding på mottak av utskrivningsklar pasient"/>` +
	`<TekstNotatInnhold>{{TEXT}}</TekstNotatInnhold>{{REMARK}}<DatoNotat>{{TODAY}}</DatoNotat></Notat>{{SECOND}}</Dialogmelding></Content></RefDoc></Document></MsgHead>`

// log is any notice of a hospital that speaks the national set itself.
const log = `<?xml version="1.0" encoding="UTF-8"?>
<MsgHead xmlns="http://www.kith.no/xmlstds/msghead/2006-05-24"><MsgInfo><Type V="{{TYPE}}" DN="Melding"/><MIGversion>v1.2 2006-05-24</MIGversion><GenDate>{{NOW}}</GenDate><MsgId>{{ID}}</MsgId>{{REF}}` +
	`<Sender>{{FROM}}</Sender><Receiver>{{TO}}</Receiver>` +
	`<Patient><FamilyName>{{FAMILY}}</FamilyName><GivenName>{{GIVEN}}</GivenName><DateOfBirth>{{BORN}}</DateOfBirth><Sex V="2" DN="Kvinne"/>` +
	`<Ident><Id>{{NUMBER}}</Id><TypeId V="FNR" DN="Fødselsnummer" S="2.16.578.1.12.4.1.1.8116"/></Ident><Address><StreetAdr>Storgata 1</StreetAdr><PostalCode>9990</PostalCode><City>Vik</City></Address></Patient></MsgInfo>` +
	`<Document><RefDoc><IssueDate V="{{NOW}}"/><MsgType V="XML" DN="XML-instans"/><Content>` +
	`<p1:Pasientlogistikk xmlns:p1="http://www.kith.no/xmlstds/po/Pasientlogistikk/2012-04-01" xmlns="http://www.kith.no/xmlstds/po/poKomponent/2012-04-01" xmlns:fk1="http://www.kith.no/xmlstds/felleskomponent1">` +
	`<InformasjonOmForsendelsen><Forsendelsesstatus V="{{STATUS}}" DN="Status"/></InformasjonOmForsendelsen>` +
	`<TilknyttetEnhet><Kontaktenhet><fk1:OrganisationName>Slagenheten</fk1:OrganisationName><fk1:Ident><fk1:Id>SLAG</fk1:Id><fk1:TypeId V="LAV" DN="Lokal identifikator for avdelinger" S="2.16.578.1.12.4.1.1.9051"/></fk1:Ident><fk1:TeleCom><fk1:TypeTelecom V="HP" DN="Hovedtelefon"/><fk1:TeleAddress V="tel:73000000"/></fk1:TeleCom></Kontaktenhet></TilknyttetEnhet>` +
	`<AnsvarForRapport><AnsvarligRapport><fk1:TypeHealthcareProfessional V="SP" DN="Sykepleier"/><fk1:RoleToPatient V="9" DN="Primærkontakt" S="2.16.578.1.12.4.1.1.9034"/><fk1:FamilyName>Lie</fk1:FamilyName><fk1:GivenName>Kari</fk1:GivenName><fk1:Ident><fk1:Id>9144889</fk1:Id><fk1:TypeId V="HPR" DN="HPR-nummer" S="2.16.578.1.12.4.1.1.8116"/></fk1:Ident></AnsvarligRapport></AnsvarForRapport>` +
	`<p1:{{ELEMENT}}>{{INSIDE}}</p1:{{ELEMENT}}></p1:Pasientlogistikk></Content></RefDoc></Document></MsgHead>`

const logReference = `<ConversationRef><RefToParent>{{FIRST}}</RefToParent><RefToConversation>{{FIRST}}</RefToConversation></ConversationRef>`

const logEvent = `<TidsfestetHendelse><Hendelsekode V="{{CODE}}" DN="Hendelse" S="2.16.578.1.12.4.1.1.9121"/><TidspunktForHendelse V="{{AT}}"/><Anslag>false</Anslag></TidsfestetHendelse>`

const logLeft = `<UtskrevetTil><UtTil V="1" DN="Bosted" S="2.16.578.1.12.4.1.1.8408"/></UtskrevetTil>`

// logTime is a time of an event, which the national set writes without a zone.
func logTime(code string, t time.Time) string {
	return fill(logEvent, map[string]string{"CODE": code, "AT": t.Format("2006-01-02T15:04:05")})
}

const organisation = `<Organisation><OrganisationName>{{NAME}}</OrganisationName><Ident><Id>{{HER}}</Id><TypeId V="HER" S="2.16.578.1.12.4.1.1.9051" DN="HER-id"/></Ident>` +
	`<Organisation><OrganisationName>{{NAME}}</OrganisationName><Ident><Id>{{SERVICE}}</Id><TypeId V="HER" S="2.16.578.1.12.4.1.1.9051" DN="HER-id"/></Ident></Organisation></Organisation>`

const receipt = `<?xml version="1.0" encoding="UTF-8"?>
<AppRec xmlns="http://www.kith.no/xmlstds/apprec/2012-02-15"><MsgType V="APPREC" DN="Applikasjonskvittering"/><MIGversion>v1.1 2012-02-15</MIGversion><SoftwareName>Fagsystem</SoftwareName>` +
	`<GenDate>{{NOW}}</GenDate><Id>{{ID}}</Id><Sender><Role V="PRIM" DN="Primærmottaker"/>{{OWN}}</Sender><Receiver><Role V="AVS" DN="Avsender"/>{{PEER}}</Receiver>` +
	`<Status V="1" DN="OK"/><OriginalMsgId><MsgType V="{{TYPE}}"/><IssueDate>{{DATE}}</IssueDate><Id>{{ORIGINAL}}</Id></OriginalMsgId></AppRec>`

const receiptParty = `<HCP><Inst><Name>{{NAME}}</Name><Id>{{HER}}</Id><TypeId V="HER" DN="HER-id"/>{{DEPT}}</Inst></HCP>`

const receiptDept = `<Dept><Name>{{NAME}}</Name><Id>{{HER}}</Id><TypeId V="HER" DN="HER-id"/></Dept>`

// fill puts values into a template.
func fill(template string, values map[string]string) string {
	pairs := make([]string, 0, 2*len(values))
	for k, v := range values {
		pairs = append(pairs, "{{"+k+"}}", v)
	}
	return strings.NewReplacer(pairs...).Replace(template)
}

func hl7Time(t time.Time) string { return t.Format("20060102150405-0700") }

// hl7Field is the n-th text between the separators of a segment; MSH-10 is number 9.
func hl7Field(raw, segment string, n int) string {
	for s := range strings.SplitSeq(raw, "\r") {
		if f := strings.Split(s, "|"); f[0] == segment && n < len(f) {
			return f[n]
		}
	}
	return ""
}

// node is an XML element; namespaces are left to the schemas.
type node struct {
	XMLName xml.Name
	Attrs   []xml.Attr `xml:",any,attr"`
	Text    string     `xml:",chardata"`
	Nodes   []node     `xml:",any"`
}

// at follows local names down; the zero node where there is none.
func (n node) at(path ...string) node {
	for _, name := range path {
		next := node{}
		for _, c := range n.Nodes {
			if c.XMLName.Local == name {
				next = c
				break
			}
		}
		n = next
	}
	return n
}

// find is the first element of a name anywhere below.
func (n node) find(name string) node {
	for _, c := range n.Nodes {
		if c.XMLName.Local == name {
			return c
		}
		if f := c.find(name); f.XMLName.Local != "" {
			return f
		}
	}
	return node{}
}

func (n node) v() string {
	for _, a := range n.Attrs {
		if a.Name.Local == "V" {
			return a.Value
		}
	}
	return ""
}

type address struct{ name, her, service, serviceHER string }

// kithMessage is what a system reads of a MsgHead; zero for a receipt.
type kithMessage struct {
	Type, ID, GenDate, Status, Dead string
	Number, Family                  string
	From, To                        address
}

// parsed keeps what was read of the messages of sequences that still run.
var parsed sync.Map

func readKITH(raw string) kithMessage {
	if m, ok := parsed.Load(raw); ok {
		return m.(kithMessage)
	}
	m := parseKITH(raw)
	parsed.Store(raw, m)
	return m
}

func parseKITH(raw string) kithMessage {
	var root node
	if xml.Unmarshal([]byte(raw), &root) != nil || root.XMLName.Local != "MsgHead" {
		return kithMessage{}
	}
	info := root.at("MsgInfo")
	where := func(side string) address {
		o := info.at(side, "Organisation")
		return address{o.at("OrganisationName").Text, o.at("Ident", "Id").Text,
			o.at("Organisation", "OrganisationName").Text, o.at("Organisation", "Ident", "Id").Text}
	}
	return kithMessage{Type: info.at("Type").v(), ID: info.at("MsgId").Text, GenDate: info.at("GenDate").Text,
		Status: root.find("Forsendelsesstatus").v(), Dead: root.find("Uttilstand").v(),
		Number: info.at("Patient", "Ident", "Id").Text, Family: info.at("Patient", "FamilyName").Text,
		From: where("Sender"), To: where("Receiver")}
}

// appRec is the receipt of a message, with its addresses mirrored.
func appRec(m kithMessage) string {
	party := func(a address) string {
		dept := ""
		if a.serviceHER != "" {
			dept = fill(receiptDept, map[string]string{"NAME": html.EscapeString(a.service), "HER": a.serviceHER})
		}
		return fill(receiptParty, map[string]string{"NAME": html.EscapeString(a.name), "HER": a.her, "DEPT": dept})
	}
	return fill(receipt, map[string]string{"NOW": xmlTime(time.Now()), "ID": newID(), "OWN": party(m.To), "PEER": party(m.From),
		"TYPE": m.Type, "DATE": m.GenDate, "ORIGINAL": m.ID})
}

func xmlTime(t time.Time) string { return t.Format("2006-01-02T15:04:05-07:00") }

func org(name, her, service string) string {
	return fill(organisation, map[string]string{"NAME": name, "HER": her, "SERVICE": service})
}

// person is an invented patient; the month of birth is above 80.
type person struct {
	number, family, given, born, sex string
}

// nationalNumber is the k-th valid number of a date.
func nationalNumber(day, month, year, k int) string {
	for i := 0; ; i++ {
		d := fmt.Sprintf("%02d%02d%02d%03d", day, month+80, year, i%1000)
		if n, ok := withCheckDigits(d); ok {
			if k == 0 {
				return n
			}
			k--
		}
	}
}

func withCheckDigits(d string) (string, bool) {
	for _, weights := range [][]int{{3, 7, 6, 1, 8, 9, 4, 5, 2}, {5, 4, 3, 2, 7, 6, 5, 4, 3, 2}} {
		sum := 0
		for i, w := range weights {
			sum += w * int(d[i]-'0')
		}
		c := (11 - sum%11) % 11
		if c == 10 {
			return "", false
		}
		d += string(rune('0' + c))
	}
	return d, true
}

// numbersPerPerson is room for corrections; dates is how many dates of birth there are. A date
// has more than 800 numbers.
const (
	numbersPerPerson = 4
	dates            = 28 * 12 * 60
)

var givenNames = []string{"Åse", "Brynjar", "Dagny", "Eivind", "Gøril", "Håkon", "Ingunn"}

// newPerson is the serial-th person of this world: no two share a number or a family name, and
// neighbours share neither date of birth nor given name, so that none is a correction of another.
func newPerson(serial int) person {
	p := person{family: family(serial), given: givenNames[serial%len(givenNames)], born: birth(serial), sex: "F"}
	p.number = p.corrected(serial, 0)
	return p
}

func dateOf(serial int) (day, month, year int) {
	date := serial % dates
	return date%28 + 1, date/28%12 + 1, 40 + date/336%60
}

func birth(serial int) string {
	day, month, year := dateOf(serial)
	return fmt.Sprintf("19%02d%02d%02d", year, month, day)
}

// corrected is the person's n-th number.
func (p person) corrected(serial, n int) string {
	day, month, year := dateOf(serial)
	return nationalNumber(day, month, year, serial/dates*numbersPerPerson+n)
}

func family(n int) string {
	out := []byte("Zzaaaaaa")
	for i := len(out) - 1; i >= 2; i-- {
		out[i] = byte('a' + n%26)
		n /= 26
	}
	return string(out)
}
