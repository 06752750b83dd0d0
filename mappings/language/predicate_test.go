package language

import (
	"strconv"
	"strings"
	"testing"

	"stafett/message"
)

// field builds the repetitions of one field as the decoder does, by the standard separators.
func field(text string) *message.Node {
	parent := &message.Node{Name: "PID"}
	for _, repetition := range strings.Split(text, "~") {
		parent.Children = append(parent.Children, parts("3", repetition, "^&"))
	}
	return parent
}

func parts(name, text, separators string) *message.Node {
	n := &message.Node{Name: name}
	if separators == "" || !strings.ContainsAny(text, separators) {
		n.Value = text
		return n
	}
	for i, part := range strings.Split(text, separators[:1]) {
		if part != "" {
			n.Children = append(n.Children, parts(strconv.Itoa(i+1), part, separators[1:]))
		}
	}
	return n
}

// which names the predicates of a list that hold of each repetition.
func which(text string, names ...string) string {
	var out []string
	parent := field(text)
	for _, n := range parent.Children {
		held := ""
		for _, name := range names {
			if predicates[name](parent, n) {
				held += name
			}
		}
		out = append(out, held)
	}
	return strings.Join(out, " ")
}

func TestPredicates_NumbersByDigitsAndAuthority(t *testing.T) {
	for text, want := range map[string]string{
		"12834840187":           "fnr",
		"128348 40187^^^^FNR":   "fnr",
		"12834840187^^^NIN^NIN": "fnr",
		"12834840187^^^&2.16.578.1.12.4.1.4.1&ISO^NNNOR":      "fnr",
		"12834840187^^^&urn:oid:2.16.578.1.12.4.1.4.1&ISO^PI": "fnr",
		"12834840187^^^Folkeregisteret&2.16.578.1.12.4.1.4.2": "fnr", // its digits know better
		"52834840170^^^^FNR":                            "dnr",
		"12434840013^^^^FNR":                            "hnr",
		"12434840013":                                   "hnr",
		"F-4711^^^FJELLHEIM^HNR":                        "hnr",
		"80000001205^^^^NIN":                            "fhn",
		"201234567890^^^^DUF":                           "duf",
		"12834840188^^^^fnr":                            "flawed",
		"12834840188^^^NIN^NIN":                         "flawed",
		"1283484018^^^^FNR":                             "flawed",
		"12834840188":                                   "unnamed",
		"12834840187^^^FJELLHEIM^MR":                    "unnamed",
		"12834840187^^^SWE&1.2.752.129.2.1.3.1&ISO^NIN": "unnamed", // another nation's
		"191212121212^^^^NIN":                           "unnamed",
		"P-77^^^^PNR":                                   "volven",
		`""`:                                            "unnamed",
		"12834840187^^^^FNR~E6980^^^EPIC^MRN~52834840170^^^^NI": "fnr unnamed dnr",
	} {
		if got := which(text, "fnr", "dnr", "hnr", "fhn", "duf", "flawed", "volven", "unnamed"); got != want {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
}

func TestPredicates_TheNameThatCounts(t *testing.T) {
	const main, other = "main-name", "other-name"
	for text, want := range map[string]string{
		"A^B":                              main,
		"A^B^^^^^A~C^D^^^^^L":              other + " " + main,
		"A^B^^^^^A~C^D^^^^^D":              other + " " + main,
		"A^B^^^^^D~C^D^^^^^L":              other + " " + main,
		"A^B^^^^^A~C^D":                    other + " " + main,
		"A^B^^^^^PREVIOUS~C^D^^^^^CURRENT": other + " " + main,
		"A^B^^^^^M~C^D^^^^^P":              main + " " + other,
		"~C^D^^^^^A":                       other + " " + main,
		"A^B^^^^^L~C^D^^^^^L":              main + " " + other,
	} {
		if got := which(text, main, other); got != want {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
}

func TestPredicates_TelecomsAreWhole(t *testing.T) {
	for text, want := range map[string]string{
		"22334455":                       "telephone 22334455",
		"22334455^PRN^PH^ola@example.no": "telephone 22334455",
		"^PRN^PH^^47^22^334455":          "telephone +4722334455",
		"^PRN^PH^^0047^22^334455^12":     "telephone +4722334455x12",
		"^PRN^PH^^+47^^22334455":         "telephone +4722334455",
		"22334455^PRN^PH^^47^^22334455":  "telephone +4722334455",
		"^PRN^PH^^^^22334455":            "telephone 22334455",
		"^PRN^PH^^^^^^^^^+47 22334455":   "telephone +47 22334455",
		"^NET^Internet^ola@example.no":   "email ola@example.no",
		"ola@example.no^NET^Internet":    "email ola@example.no",
		"^PRN^PH":                        "numberless",
		"^PRN^PH^^47":                    "",
		`""`:                             "",
	} {
		parent := field(text)
		n := parent.Children[0]
		number, _ := phoneOf(n)
		held := which(text, "telephone", "email", "numberless")
		got := strings.TrimSpace(held + " " + either(number != "", number, mailOf(n)))
		if got != want {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
}

func TestPredicates_PersonsOfADialogue(t *testing.T) {
	person := &message.Node{Name: "HealthcareProfessional", Children: []*message.Node{{Name: "FamilyName", Value: "Lie"}}}
	role := func(in ...*message.Node) *message.Node {
		return &message.Node{Name: "RollerRelatertNotat", Children: in}
	}
	first, second, other := role(person), role(person), role(&message.Node{Name: "Person"})
	for _, c := range []struct {
		name      string
		parent, n *message.Node
		want      bool
	}{
		{"the first", &message.Node{Children: []*message.Node{first, second}}, first, true},
		{"another", &message.Node{Children: []*message.Node{first, second}}, second, false},
		{"the first health professional, not the first named", &message.Node{Children: []*message.Node{other, second}}, second, false},
		{"a relative", &message.Node{Children: []*message.Node{other}}, other, false},
		{"nobody", &message.Node{}, role(&message.Node{Name: "HealthcareProfessional"}), false},
	} {
		if got := predicates["author"](c.parent, c.n); got != c.want {
			t.Errorf("%s is author: %v", c.name, got)
		}
	}
	if unit := (&message.Node{Children: []*message.Node{{Name: "Organisation"}, person}}); predicates["addressee"](unit, person) {
		t.Error("a person beside a service is the addressee")
	}
	if !predicates["addressee"](&message.Node{Children: []*message.Node{person}}, person) {
		t.Error("a person without a service is not the addressee")
	}
}
