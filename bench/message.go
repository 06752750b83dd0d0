package bench

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Message is the n-th ready-for-discharge message (ADT^A16) of a connection, in its MLLP frame:
// for a stay of its own.
func Message(connection, n int) []byte {
	visit := fmt.Sprintf("B%03d%07d", connection, n)
	now := time.Now()
	var b bytes.Buffer
	b.WriteByte(0x0b)
	fmt.Fprintf(&b, "MSH|^~\\&|EPJ|FJELLHEIM|STAFETT||%s||ADT^A16^ADT_A16|%s|P|2.5|||NE|NE||UNICODE UTF-8\r", now.Format("20060102150405-0700"), visit)
	fmt.Fprintf(&b, "EVN||%s||||%s\r", now.Format("20060102150405"), now.Format("20060102150405"))
	fmt.Fprintf(&b, "PID|1||%s^^^FNR^FNR||LASTTEST^BENK||19480312|F|||Prøveveien 1^^Dalvik^^9901^NO^H^^9901||70000000^PRN^PH\r", FNR(connection*1_000_003+n))
	b.WriteString("PD1||||||||||||N\r")
	fmt.Fprintf(&b, "PV1|1|I|SLAG^^^FJELLHEIM||||9999998^LEGE^LISE^^^^^^HPR^^^^HPR||||||||||||%s|||||||||||||||||||||||||%s\r", visit, now.AddDate(0, 0, -6).Format("20060102150405"))
	fmt.Fprintf(&b, "PV2|||||||||%s\r", now.Format("20060102"))
	b.WriteString("OBX|1|CE|KOMTJ^Mottar kommunale tjenester^99STAFETT||J^Ja\r")
	b.Write([]byte{0x1c, 0x0d})
	return b.Bytes()
}

// FNR is the n-th of the numbers of right form, by day of birth and serial number.
func FNR(n int) string {
	for ; ; n++ {
		day := time.Date(1920, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n%25_000)
		s := day.Format("020106") + fmt.Sprintf("%03d", n/25_000%500)
		k1 := checkDigit(s, []int{3, 7, 6, 1, 8, 9, 4, 5, 2})
		k2 := checkDigit(s+strconv.Itoa(k1), []int{5, 4, 3, 2, 7, 6, 5, 4, 3, 2})
		if k1 < 10 && k2 < 10 {
			return s + strconv.Itoa(k1) + strconv.Itoa(k2)
		}
	}
}

func checkDigit(s string, weights []int) int {
	sum := 0
	for i, w := range weights {
		sum += w * int(s[i]-'0')
	}
	return (11 - sum%11) % 11
}

func cut(raw []byte, before, after string) string {
	_, rest, _ := bytes.Cut(raw, []byte(before))
	v, _, _ := bytes.Cut(rest, []byte(after))
	return string(v)
}

// Receipt is the municipality's positive AppRec 1.1 to a message of the hospital's.
func Receipt(raw []byte) string {
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><AppRec xmlns="http://www.kith.no/xmlstds/apprec/2012-02-15"><MsgType V="APPREC"/><MIGversion>v1.1 2012-02-15</MIGversion><GenDate>%s</GenDate><Id>%s</Id><Sender><HCP><Inst><Name>Dalvik kommune</Name><Id>80002</Id><TypeId V="HER"/></Inst></HCP></Sender><Receiver><HCP><Inst><Name>Fjellheim sykehus</Name><Id>80001</Id><TypeId V="HER"/></Inst></HCP></Receiver><Status V="1" DN="OK"/><OriginalMsgId><MsgType V="%s"/><IssueDate>%s</IssueDate><Id>%s</Id></OriginalMsgId></AppRec>`,
		time.Now().Format(time.RFC3339), uuid.NewString(), cut(raw, `<Type V="`, `"`), cut(raw, "<GenDate>", "<"), cut(raw, "<MsgId>", "<"))
}
