package message

// Receipt is a receiving system's word that it has, or does not take, a message.
type Receipt struct {
	Positive bool
	// OriginalID, OriginalType and OriginalTime quote the message that is receipted.
	OriginalID, OriginalType, OriginalTime string
	Errors                                 []ReceiptError
}

// ReceiptError is one coded reason of a negative receipt (Volven 8221, HL7 table 0357).
type ReceiptError struct{ Code, System, Text string }
