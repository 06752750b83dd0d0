package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"stafett/handover"
)

// Ids of the fictitious parties that demo and bench play with.
const (
	sykehus     handover.PartyID = "fjellheim-sykehus"
	kommune     handover.PartyID = "dalvik-kommune"
	institusjon handover.PartyID = "solbakken-rehabilitering"
)

// sandbox is a whole gateway on embedded defaults in a folder of its own, with three
// fictitious parties whose systems listen on this machine.
type sandbox struct {
	dir string
	// hospital, municipality and institution are where the parties' systems listen.
	hospital, municipality, municipalityFHIR, institution string
	tokens                                                map[handover.PartyID]string
	operator                                              string
	natsPassword                                          map[handover.PartyID]string
}

func newSandbox(dir string) *sandbox {
	s := &sandbox{dir: dir, tokens: map[handover.PartyID]string{}, natsPassword: map[handover.PartyID]string{}, operator: newToken()}
	for _, p := range []handover.PartyID{sykehus, kommune, institusjon} {
		s.tokens[p], s.natsPassword[p] = newToken(), newToken()
	}
	return s
}

// newToken makes a bearer token of 192 random bits.
func newToken() string {
	var b [24]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func digestHex(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// config writes the files that the configuration refers to and returns it.
func (s *sandbox) config() (Config, error) {
	c := defaultConfig()
	c.HTTP.Listen = "127.0.0.1:0"
	c.MLLP = []MLLP{{Listen: "127.0.0.1:0", Party: sykehus}}
	c.Ledger.SQLite = filepath.Join(s.dir, "ledger.db")
	c.Events.Dir = filepath.Join(s.dir, "events")
	c.OperatorContact = sykehus
	c.Self = Self{Name: "Stafett", HER: "80009", Facility: "STAFETT"}
	for p, password := range s.natsPassword {
		file, err := s.secretFile("nats-"+string(p), password)
		if err != nil {
			return c, err
		}
		c.Events.Readers = append(c.Events.Readers, Reader{Party: p, Password: file})
	}
	token, err := s.secretFile("operator", s.operator)
	if err != nil {
		return c, err
	}
	c.Operators = []Operator{{Person: "Oda Operatør", Token: token}}
	c.Directory = filepath.Join(s.dir, "directory.yaml")
	if err := os.WriteFile(c.Directory, []byte(s.directory()), 0o600); err != nil {
		return c, err
	}
	return c, nil
}

func (s *sandbox) secretFile(name, value string) (string, error) {
	path := filepath.Join(s.dir, name+".secret")
	return "file:" + path, os.WriteFile(path, []byte(value), 0o600)
}

// directory is the YAML of the three parties.
func (s *sandbox) directory() string {
	var b strings.Builder
	fmt.Fprintf(&b, `parties:
  - id: %s
    name: Fjellheim sykehus
    type: hospital
    her: "80001"
    facilities: [FJELLHEIM]
    services:
      - {name: slagenheten, her: "80101", wire: hl7v2, url: "mllp://%s", takes: ["*"], application: EPJ, facility: FJELLHEIM}
    routes:
      - {kommunenummer: "9901", to: %s}
    contacts:
      - {name: Koordinator Slagenheten, service: slagenheten}
    credentials:
      - {tokenSHA256: %s}
    startPolicy: {knownRecipient: true, assessedNeed: true}
`, sykehus, s.hospital, kommune, digestHex(s.tokens[sykehus]))
	fmt.Fprintf(&b, `  - id: %s
    name: Dalvik kommune
    type: municipality
    her: "80002"
    kommunenummer: ["9901"]
    services:
      - {name: sykepleietjeneste, her: "80201", wire: kith, url: "http://%s", takes: [LOG_INNLAGT, LOG_UTSKREVET, DIALOG_HELSEFAGLIG, APPREC]}
      - {name: saksbehandling, her: "80202", wire: kith, url: "http://%s", takes: [LOG_UTSKRIVNINGSKLAR, LOG_AVMELDING]}
      - {name: koordinering, her: "80203", wire: fhir, url: "http://%s", takes: ["*"]}
    contacts:
      - {name: Vakttelefon sykepleietjenesten, service: sykepleietjeneste}
    credentials:
      - {tokenSHA256: %s}
    overlay: svarlinje-1
`, kommune, s.municipality, s.municipality, s.municipalityFHIR, digestHex(s.tokens[kommune]))
	fmt.Fprintf(&b, `  - id: %s
    name: Solbakken rehabilitering
    type: institution
    her: "80003"
    services:
      - {name: rehabilitering, her: "80301", wire: fhir, url: "http://%s", takes: ["*"]}
    contacts:
      - {name: Inntaksteam, service: rehabilitering}
    credentials:
      - {tokenSHA256: %s}
`, institusjon, s.institution, digestHex(s.tokens[institusjon]))
	return b.String()
}
