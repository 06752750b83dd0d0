package demo

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// Entry is one thing that happened, as the parties saw it and the gateway told of it.
type Entry struct {
	At   time.Time
	Step string
	// Who acted, on which wire, and what was sent.
	Who, Format, What string
	// Became is what arrived, at whom.
	Became []string
	// State and Custodian are the handover's, after it.
	State, Custodian string
	Receipts         []string
	Events           []string
	// Carried are paths kept verbatim, Unmapped are paths without a place at the receiver,
	// which went along as a readable document.
	Carried, Unmapped []string
	// Notes are what a person should look at: attentions, deadlines, refusals.
	Notes []string
}

// Timeline is what happened, in order.
type Timeline []Entry

// widthMax is how many columns the rendering takes.
const widthMax = 100

// Render writes one entry; heading adds the step's name above it.
func (e Entry) Render(w io.Writer, colour, heading bool) error {
	p := painter(colour)
	var b strings.Builder
	if heading {
		line := strings.Repeat("─", max(0, widthMax-4-utf8.RuneCountInString(e.Step)))
		fmt.Fprintf(&b, "\n%s\n", p.paint("1;36", "── "+e.Step+" "+line))
	}
	head := fmt.Sprintf("%s  %s", e.At.In(oslo).Format("15:04:05"), e.Who)
	if e.Format != "" {
		head += " · " + e.Format
	}
	fmt.Fprintf(&b, "%s\n", p.paint("1", head))
	rows := []struct {
		label, code string
		items       []string
	}{
		{"sendt", "", []string{e.What}},
		{"ble til", "32", e.Became},
		{"overføring", "33", custody(e)},
		{"kvittering", "32", e.Receipts},
		{"hendelser", "35", joined(e.Events)},
		{"tatt med", "2", joined(e.Carried)},
		{"uten plass", "2", joined(e.Unmapped)},
		{"merk", "31", e.Notes},
	}
	for _, r := range rows {
		label := r.label
		for _, item := range r.items {
			if item == "" {
				continue
			}
			for _, line := range wrap(item, widthMax-22) {
				fmt.Fprintf(&b, "          %s%s\n", p.paint("2", fmt.Sprintf("%-12s", label)), p.paint(r.code, line))
				label = ""
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func custody(e Entry) []string {
	if e.State == "" {
		return nil
	}
	return []string{e.State + " · stafettpinnen hos " + e.Custodian}
}

func joined(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return []string{strings.Join(list, ", ")}
}

// painter colours text, or leaves it.
type painter bool

func (p painter) paint(code, s string) string {
	if !p || code == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// wrap breaks text at spaces into lines of at most width runes; a longer word is cut.
func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		for utf8.RuneCountInString(word) > width {
			if line != "" {
				lines, line = append(lines, line), ""
			}
			r := []rune(word)
			lines, word = append(lines, string(r[:width])), string(r[width:])
		}
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
