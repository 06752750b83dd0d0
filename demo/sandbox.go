package demo

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Sandbox is the folder of a gateway for the three parties, whose systems listen on this
// machine at addresses of the caller's: for load and for tests.
type Sandbox struct {
	Dir string
	// Hospital (MLLP), Municipality (KITH), MunicipalityFHIR and Institution (FHIR) are where
	// the parties' systems listen, as host:port.
	Hospital, Municipality, MunicipalityFHIR, Institution string
	// Tokens and NATSPasswords are the parties', by party id.
	Tokens, NATSPasswords map[string]string
	// Operator is the token of the named person who works for no single party.
	Operator string
}

// NewSandbox makes fresh tokens.
func NewSandbox(dir string) *Sandbox {
	s := &Sandbox{Dir: dir, Tokens: map[string]string{}, NATSPasswords: map[string]string{}, Operator: NewToken()}
	for _, p := range []string{HospitalID, MunicipalityID, InstitutionID} {
		s.Tokens[p], s.NATSPasswords[p] = NewToken(), NewToken()
	}
	return s
}

// Secret writes a secret into the folder and returns the reference to it.
func (s *Sandbox) Secret(name, value string) (string, error) {
	path := filepath.Join(s.Dir, name+".secret")
	return "file:" + path, os.WriteFile(path, []byte(value), 0o600)
}

// WriteDirectory writes the gateway's directory of the parties and returns its path.
func (s *Sandbox) WriteDirectory() (string, error) {
	path := filepath.Join(s.Dir, "directory.yaml")
	return path, os.WriteFile(path, []byte(s.directory()), 0o600)
}

func digestHex(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// directory is the YAML of the three parties.
func (s *Sandbox) directory() string {
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
`, HospitalID, s.Hospital, MunicipalityID, digestHex(s.Tokens[HospitalID]))
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
`, MunicipalityID, s.Municipality, s.Municipality, s.MunicipalityFHIR, digestHex(s.Tokens[MunicipalityID]))
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
`, InstitutionID, s.Institution, digestHex(s.Tokens[InstitutionID]))
	return b.String()
}
