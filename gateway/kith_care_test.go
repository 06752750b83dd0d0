package gateway_test

import (
	"encoding/base64"
	"regexp"
	"strings"
	"testing"

	"stafett/adapters"
	"stafett/handover"
)

var (
	contentPattern  = regexp.MustCompile(`(?s)<Content>.*</Content>`)
	attachedPattern = regexp.MustCompile(`<Base64Container[^>]*>([^<]*)<`)
)

// care sends a message about care: of a stay's messages it has the head.
func (b *bench) care(caller handover.PartyID, m logMessage, body, content string) adapters.Answer {
	b.t.Helper()
	raw := contentPattern.ReplaceAllLiteralString(m.String(), `<Content><b:`+body+` xmlns:b="http://www.kith.no/xmlstds/po/`+body+`/2012-04-01" xmlns="http://www.kith.no/xmlstds/po/poKomponent/2012-04-01"><InformasjonOmForsendelsen><Forsendelsesstatus V="N" DN="Ny"/></InformasjonOmForsendelsen>`+content+`</b:`+body+`></Content>`)
	return b.must(b.g.Take(b.t.Context(), adapters.Inbound{Wire: handover.WireKITH, Caller: caller, Raw: []byte(raw), Correlation: "c"}))
}

const diagnosis = `<InfoMedisinskDiagnose><MedisinskDiagnose><Hoveddiagnose>true</Hoveddiagnose><Diagnosekode V="I639" DN="Uspesifisert hjerneinfarkt" S="2.16.578.1.12.4.1.1.7110"/></MedisinskDiagnose></InfoMedisinskDiagnose>`

// TestKITH_WhatIsToBeKnownOfAPatient: health information and the report of a hospital reach the
// municipality in their own kind, and what the municipality tells the hospital as well; none of it
// moves the handover or its times.
func TestKITH_WhatIsToBeKnownOfAPatient(t *testing.T) {
	for _, takes := range []bool{true, false} {
		b := newBench(t, kithHospital, func(b *bench) {
			edits := []string{`wire: hl7v2, url: "mllp://127.0.0.1:2575", takes: ["*"], application: EPJ, facility: FJELLHEIM`,
				`wire: kith, url: "http://127.0.0.1:8091/", takes: [DIALOG_NOTAT, DIALOG_HELSEFAGLIG, LOG_INNLAGT, APPREC]`, "    facilities: [FJELLHEIM]\n", ""}
			if takes {
				edits[1] = `wire: kith, url: "http://127.0.0.1:8091/", takes: [DIALOG_NOTAT, DIALOG_HELSEFAGLIG, INNLEGGELSESRAPPORT, APPREC]`
				edits = append(edits, "takes: [LOG_INNLAGT,", "takes: [HELSEOPPL_SOKNAD, UTSKRIVNINGSRAPPORT, LOG_INNLAGT,")
			}
			b.edit = strings.NewReplacer(edits...)
		})
		b.out.answer = accepts
		b.applied(b.log(logMessage{typ: "LOG_INNLAGT", id: "m1"}))
		b.applied(b.log(logMessage{typ: "LOG_UTSKRIVNINGSKLAR", id: "m2", ref: uuidOf("m1")}))
		b.receiptAll()
		before := b.handover()
		stay := `<OpplysningOpphold><TidsfestetHendelse><Hendelsekode V="3" DN="Pasient utskrivningsklar" S="2.16.578.1.12.4.1.1.9121"/><TidspunktForHendelse V="2026-03-04"/><Anslag>true</Anslag></TidsfestetHendelse></OpplysningOpphold>`
		b.applied(b.care(sykehus, logMessage{typ: "HELSEOPPL_SOKNAD", id: "m3"}, "HelseopplysningerVedSoknad", `<TypeInnholdIMelding><TypeInnhold V="2" DN="Oppdaterte opplysninger" S="2.16.578.1.12.4.1.1.9140"/></TypeInnholdIMelding>`+stay+diagnosis))
		b.applied(b.care(sykehus, logMessage{typ: "UTSKRIVNINGSRAPPORT", id: "m4"}, "TverrfagligEpikrise", `<TypeInnholdIMelding><TypeInnhold V="11" DN="Utskrivningsrapport" S="2.16.578.1.12.4.1.1.9139"/></TypeInnholdIMelding>`+diagnosis))
		b.applied(b.care(kommune, logMessage{typ: "INNLEGGELSESRAPPORT", id: "m5", from: "80002", to: "80001"}, "Innleggelsesrapport", diagnosis))
		b.receiptAll()
		after := b.handover()
		if after.State != before.State || !after.Facts.ReadyAt.Equal(before.Facts.ReadyAt) || !after.Facts.AdmittedAt.Equal(before.Facts.AdmittedAt) {
			t.Errorf("%s of %+v has become %s of %+v", before.State, before.Facts, after.State, after.Facts)
		}
		for _, c := range []struct {
			to  handover.PartyID
			typ string
		}{{kommune, "HELSEOPPL_SOKNAD"}, {kommune, "UTSKRIVNINGSRAPPORT"}, {sykehus, "INNLEGGELSESRAPPORT"}} {
			typ := c.typ
			if !takes {
				typ = "DIALOG_HELSEFAGLIG"
			}
			told := 0
			for _, d := range b.ofType(c.to, typ) {
				// In words the diagnosis stands in the readable document that goes along.
				text := string(d.Raw)
				if m := attachedPattern.FindStringSubmatch(text); m != nil {
					data, err := base64.StdEncoding.DecodeString(m[1])
					if err != nil {
						t.Fatal(err)
					}
					text += string(data)
				}
				if strings.Contains(text, "I639") {
					told++
				}
			}
			if told == 0 || takes && told != 1 {
				t.Errorf("%s is told %d times as %s", c.typ, told, typ)
			}
		}
		b.balanced()
	}
}
