package hl7v2

import (
	"encoding/base64"
	"mime"
	"strconv"
	"strings"

	"stafett/adapters"
	"stafett/handover"
	"stafett/message"
)

// attachMax bounds the lines of one attached document.
const attachMax = 20_000

// Attach adds OBX segments after the last OBX of the message, or at its end. Of a text it
// adds one OBX of type TX per line, the title first, all under the code
// DOK^title^99STAFETT in OBX-3; of any other content one OBX of type ED with the content
// in Base64 (2.5 section 2.A.24). OBX-1 goes on from the highest there is.
func (c *Codec) Attach(root *message.Node, doc adapters.Document) error {
	if root == nil || len(root.Children) == 0 {
		return attachFault("there is no message to attach to")
	}
	media, params, err := mime.ParseMediaType(doc.ContentType)
	if err != nil || !strings.Contains(media, "/") {
		return attachFault("the document's content type is not readable")
	}
	a := attachment{title: doc.Title}
	var after int
	after, a.number = lastObservation(root)
	if !strings.HasPrefix(media, "text/") {
		a.encapsulated(media, doc.Data)
	} else {
		if set := params["charset"]; set != "" && !strings.EqualFold(set, "utf-8") ||
			unicode.invalidAt(doc.Data) >= 0 {
			return attachFault("the document is not UTF-8 text")
		}
		lines := strings.Split(strings.TrimRight(strings.ReplaceAll(string(doc.Data), "\r\n", "\n"), "\n"), "\n")
		if len(lines) > attachMax {
			return attachFault("the document has more lines than can be attached")
		}
		a.line(doc.Title)
		for _, l := range lines {
			a.line(l)
		}
	}
	rest := append(a.segments, root.Children[after:]...)
	root.Children = append(root.Children[:after:after], rest...)
	return nil
}

func attachFault(text string) *handover.Fault {
	return &handover.Fault{Kind: handover.FaultInvalid, Op: "hl7v2.Attach", Text: text}
}

// lastObservation returns where segments go in, and the highest OBX-1.
func lastObservation(root *message.Node) (after, number int) {
	after = len(root.Children)
	for i, s := range root.Children {
		if s.Name != "OBX" {
			continue
		}
		after = i + 1
		if n, err := strconv.Atoi(childText(s, "1")); err == nil && n > number {
			number = n
		}
	}
	return after, number
}

// attachment is a document on its way into OBX segments.
type attachment struct {
	title    string
	number   int
	segments []*message.Node
}

// next starts one OBX with a value of typ.
func (a *attachment) next(typ string) *message.Node {
	a.number++
	obx := &message.Node{Name: "OBX"}
	set(obx, strconv.Itoa(a.number), "1")
	set(obx, typ, "2")
	set(obx, "DOK", "3", "1")
	set(obx, a.title, "3", "2")
	set(obx, "99STAFETT", "3", "3")
	set(obx, "F", "11")
	a.segments = append(a.segments, obx)
	return obx
}

func (a *attachment) line(text string) {
	set(a.next("TX"), strings.Map(printable, text), "5")
}

// printable drops what no message may hold; a line has no line break.
func printable(r rune) rune {
	if r < ' ' && r != '\t' || r == 0x7F {
		return ' '
	}
	return r
}

func (a *attachment) encapsulated(media string, data []byte) {
	typ, subtype, _ := strings.Cut(media, "/")
	obx := a.next("ED")
	set(obx, typ, "5", "2")
	set(obx, subtype, "5", "3")
	set(obx, "Base64", "5", "4")
	set(obx, base64.StdEncoding.EncodeToString(data), "5", "5")
}
