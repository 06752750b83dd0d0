package hl7v2

import (
	"crypto/rand"
	"encoding/base32"
	"regexp"
	"slices"
	"time"

	"stafett/adapters"
	"stafett/handover"
	"stafett/message"
)

// typeNotice is a document with its content (HL7 2.5 section 9.6.2): all that is told on
// this wire is a text for people.
const typeNotice = "MDM^T02"

// The schemes of MLLP, without TLS and with it.
const (
	schemePlain     = "mllp"
	schemeEncrypted = "mllps"
)

// Schemes returns mllp and mllps.
func (c *Codec) Schemes() (plain, encrypted string) { return schemePlain, schemeEncrypted }

// NeedsPort is true: no port stands for MLLP.
func (c *Codec) NeedsPort() bool { return true }

// TypeFor returns MDM^T02.
func (c *Codec) TypeFor(handover.Kind, handover.EventName, bool) string { return typeNotice }

// Notice is true of MDM^T02.
func (c *Codec) Notice(typ string) bool { return typ == typeNotice }

// Cancels is false: the text says what is taken back.
func (c *Codec) Cancels(handover.EventName) bool { return false }

// Rank puts this wire behind the national messages, and last where FHIR carries more.
func (c *Codec) Rank(k handover.Kind) int {
	if k == handover.KindDischarge {
		return 2
	}
	return 3
}

// ReceiptType returns ACK, an application acknowledgement of its own (2.5 section 2.9.3).
func (c *Codec) ReceiptType() string { return "ACK" }

// FastReceipt is true: MLLP answers on the connection.
func (c *Codec) FastReceipt() bool { return true }

// NewID makes 20 characters for MSH-10 (HL7 2.5 section 2.15.9.10).
func (c *Codec) NewID() string {
	var b [12]byte
	rand.Read(b[:])
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:])
}

// Time spells a TS to the second (HL7 2.5 section 2.A.77).
func (c *Codec) Time(at time.Time, zone *time.Location) string {
	return at.In(zone).Format("20060102150405-0700")
}

// typeCodes are message types of HL7 table 0076, alone or with an event as table 0003 spells
// them. What is none of them is a sender's own spelling, and can be a person's name.
var typeCodes = regexp.MustCompile(`^(ACK|ADR|ADT|BAR|BPS|BRP|BRT|CRM|CSU|DFT|DOC|DSR|EAC|EAN|EAR|EDR|EHC|ESR|ESU|INR|INU|LSR|LSU|MCF|MDM|` +
	`MFD|MFK|MFN|MFQ|MFR|NMD|NMQ|NMR|OMB|OMD|OMG|OMI|OML|OMN|OMP|OMS|OPL|OPR|OPU|ORB|ORD|ORF|ORG|ORI|ORL|ORM|ORN|ORP|ORR|ORS|ORU|OSQ|OSR|OUL|` +
	`PEX|PGL|PIN|PMU|PPG|PPP|PPR|PPT|PPV|PRR|PTR|QBP|QCK|QCN|QRY|QSB|QSX|QVR|RAR|RAS|RCI|RCL|RDE|RDR|RDS|RDY|REF|RER|RGR|RGV|ROR|RPA|RPI|RPL|` +
	`RPR|RQA|RQC|RQI|RQP|RQQ|RRA|RRD|RRE|RRG|RRI|RSP|RTB|SIU|SPQ|SQM|SQR|SRM|SRR|SSR|SSU|STC|SUR|TBR|TCR|TCU|UDM|VQQ|VXQ|VXR|VXU|VXX)` +
	`(\^([A-Z][0-9]{2}|Z[0-9A-Z]{2}))?$`)

// TypeCode returns typ where it is one of HL7, as ADT^A16 or ACK.
func (c *Codec) TypeCode(typ string) string {
	if typ == "" || typeCodes.MatchString(typ) {
		return typ
	}
	return adapters.TypeUnreadable
}

// Refuses parks what a named person can put right here: a route, a receiver, an event
// that does not fit. The sender's interface could not.
func (c *Codec) Refuses(kind handover.FaultKind) bool {
	switch kind {
	case handover.FaultReceiverUnknown, handover.FaultNoRoute, handover.FaultIllegal, handover.FaultAmbiguous:
		return false
	}
	return true
}

// AskCommitAnswer asks for enhanced mode: a commit answer now and an application receipt
// later (HL7 2.5 section 2.9.3: MSH-15 and MSH-16 AL).
func (c *Codec) AskCommitAnswer(root *message.Node) {
	msh := segment(root, "MSH")
	if msh == nil {
		return
	}
	for _, name := range []string{"15", "16"} {
		if f := msh.Child(name); f != nil {
			f.Value, f.Children = "AL", nil
			continue
		}
		at := slices.IndexFunc(msh.Children, func(c *message.Node) bool { return len(c.Name) > 1 && c.Name > name })
		if at < 0 {
			at = len(msh.Children)
		}
		msh.Children = slices.Insert(msh.Children, at, &message.Node{Name: name, Value: "AL"})
	}
}
