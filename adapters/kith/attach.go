package kith

import (
	"encoding/base64"
	"mime"
	"slices"

	"stafett/adapters"
	"stafett/handover"
	"stafett/message"
)

// Attach adds doc as a further Document of a MsgHead, after those it has: an attachment
// (Volven 8114 code A) in a Base64Container. It returns a fault of kind invalid for a tree
// of another kind or a content type that is none.
func (Codec) Attach(root *message.Node, doc adapters.Document) error {
	fault := func(text string) error {
		return &handover.Fault{Kind: handover.FaultInvalid, Op: "kith.Attach", Text: text}
	}
	if root == nil || root.Name != rootMsgHead || root.Space != nsMsgHead {
		return fault("only a MsgHead takes attachments")
	}
	// MimeType is the media type alone, as in the standard's examples.
	media, _, err := mime.ParseMediaType(doc.ContentType)
	if err != nil {
		return fault("the attachment's content type is not a media type")
	}
	at := len(root.Children)
	for at > 0 && root.Children[at-1].Space == nsSignature {
		at--
	}
	root.Children = slices.Insert(root.Children, at, element(nsMsgHead, "Document",
		element(nsMsgHead, "RefDoc",
			coded(nsMsgHead, "MsgType", "A", "Vedlegg"),
			value(nsMsgHead, "MimeType", media),
			value(nsMsgHead, "Description", doc.Title),
			element(nsMsgHead, "Content", value(nsBase64, "Base64Container", base64.StdEncoding.EncodeToString(doc.Data))))))
	return nil
}
