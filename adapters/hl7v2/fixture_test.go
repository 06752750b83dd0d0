package hl7v2

import "strings"

// admission is an ADT^A01 of a fictitious woman, about as long as a real one.
var admission = er7(
	`MSH|^~\&|EPJ|FJELLHEIM|STAFETT||20260302081500+0100||ADT^A01^ADT_A01|FJ-0001|P|2.5|||AL|AL||UNICODE UTF-8`,
	`EVN||20260302081500+0100||||20260302080700+0100`,
	`PID|1||12034800241^^^FNR^FNR~F-4711^^^FJELLHEIM^HNR||MYRVANG^Solveig^Testdatter||19480312|F|||Fjordgata 3 \T\ 5^^Dalvik^^9990^NOR^H^^9901||^PRN^PH^^^^22225555|||G`,
	`PD1||||||||||||N`,
	`NK1|1|HAUGLAND^Torbjørn^Prøve|SPO||^PRN^PH^^^^22226666`,
	`PV1|1|I|SLAG^12^2^Fjellheim sykehus||||9144889^Lege^Kari^^^^^^HPR^^^^HPR|||MED||||||||A|OPPH-77001|||||||||||||||||||||||||20260302080700+0100`,
	`PV2|||^Hjerneslag||||||20260310`,
	`DG1|1||I63.9^Hjerneinfarkt, uspesifisert^ICD-10||20260302|A`,
	`OBX|1|CE|KOMTJ^Mottar kommunale tjenester^99STAFETT||J^Ja||||||F`,
	`OBX|2|CE|KOMBEHOV^Antatt behov for tjenester^99STAFETT||J^Ja||||||F`,
	`OBX|3|TX|FUNK^Funksjon^99STAFETT||Kan stå med støtte\.br\Spiser selv||||||F`,
)

// er7 joins segments as the wire does.
func er7(segments ...string) []byte { return []byte(strings.Join(segments, "\r") + "\r") }

// header is an MSH with the fields that an envelope needs, and what follows it.
func header(rest ...string) []byte {
	return er7(append([]string{`MSH|^~\&|EPJ|FJELLHEIM|STAFETT|DALVIK|20260302081500||ADT^A01|1|P|2.5`}, rest...)...)
}

// longAdmission is admission with observations up to the 2.8 KB of a usual ADT.
func longAdmission() []byte {
	out := append([]byte(nil), admission...)
	for i := 4; len(out) < 2800; i++ {
		out = append(out, "OBX|"+numberName(i)+"|NM|8867-4^Hjertefrekvens^LN||72|/min^per minutt^UCUM|60-100|N|||F|||20260302081000\r"...)
	}
	return out
}
