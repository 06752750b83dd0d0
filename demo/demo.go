// Package demo plays a handover between three simulated parties through real wires: a
// hospital that speaks HL7 v2 over MLLP, a municipality that speaks the national XML over
// HTTP and refers over FHIR, and a rehabilitation institution that speaks FHIR.
//
// It uses nothing else of this project. The parties see only their own wire, send bytes
// from fixtures with times and ids filled in, and judge what they get by looking at the
// bytes, so that a mistake which an encoder and a decoder share is still found here.
//
//	demo.go      the parties, the directory that names them, and Run
//	scenario.go  the rows in order; stroke.go and exceptions.go play them
//	stage.go, gateway.go  what a row sends, waits for, and asks the gateway
//	hospital.go, municipality.go, institution.go  a party on its own wire
//	inbox.go, follow.go, http.go, fixture.go      what arrives, events, calls, bytes
//	timeline.go  what happened, in words
package demo

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// The parties, as their directory names them.
const (
	HospitalID     = "fjellheim-sykehus"
	MunicipalityID = "dalvik-kommune"
	InstitutionID  = "solbakken-rehabilitering"
)

// Parties are the three simulated parties with their servers running.
type Parties struct {
	Hospital     *Hospital
	Municipality *Municipality
	Institution  *Institution
}

// Tokens are the bearer tokens by which parties and gateway know each other.
type Tokens struct {
	// Hospital, Municipality and Institution are what the parties show the gateway.
	Hospital, Municipality, Institution string
	// ToMunicipality and ToInstitution are what the gateway must show them.
	ToMunicipality, ToInstitution string
	// Operator is the named person's, who reads for the hospital.
	Operator string
}

// NewTokens makes fresh tokens.
func NewTokens() Tokens {
	return Tokens{NewToken(), NewToken(), NewToken(), NewToken(), NewToken(), NewToken()}
}

// NewToken makes a bearer token of 192 random bits.
func NewToken() string {
	var b [24]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Start starts the parties' servers on free ports of the loopback interface. now is the
// time that their messages carry; nil is the clock.
func Start(tokens Tokens, now func() time.Time) (*Parties, error) {
	if now == nil {
		now = time.Now
	}
	p := &Parties{}
	var err error
	if p.Hospital, err = startHospital(now); err == nil {
		if p.Municipality, err = startMunicipality(tokens, now); err == nil {
			p.Institution, err = startInstitution(tokens, now)
		}
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Close stops the parties.
func (p *Parties) Close() {
	if p.Hospital != nil {
		p.Hospital.Close()
	}
	if p.Municipality != nil {
		p.Municipality.Close()
	}
	if p.Institution != nil {
		p.Institution.Close()
	}
}

// WriteDirectory writes the gateway's directory of the parties into dir, with a file for
// each token beside it, and returns its path. operator.token is the operator's.
func (p *Parties) WriteDirectory(dir string, tokens Tokens) (string, error) {
	values := map[string]string{"HOSPITAL_URL": p.Hospital.URL(), "MUNICIPALITY_KITH_URL": p.Municipality.KITHURL(),
		"MUNICIPALITY_FHIR_URL": p.Municipality.FHIRURL(), "INSTITUTION_FHIR_URL": p.Institution.URL()}
	for name, token := range map[string]string{"HOSPITAL_TOKEN": tokens.Hospital, "MUNICIPALITY_TOKEN": tokens.Municipality,
		"INSTITUTION_TOKEN": tokens.Institution, "MUNICIPALITY_SERVICE_TOKEN": tokens.ToMunicipality,
		"INSTITUTION_SERVICE_TOKEN": tokens.ToInstitution, "OPERATOR_TOKEN": tokens.Operator} {
		path, err := filepath.Abs(filepath.Join(dir, tokenFile(name)))
		if err != nil {
			return "", fmt.Errorf("demo: %w", err)
		}
		if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
			return "", fmt.Errorf("demo: %w", err)
		}
		values[name+"_FILE"] = path
	}
	text, err := fill("directory.yaml", values)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "directory.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return "", fmt.Errorf("demo: %w", err)
	}
	return path, nil
}

// tokenFile names the file of a token: HOSPITAL_TOKEN is hospital.token.
func tokenFile(name string) string {
	out := []byte(name)
	for i, c := range out {
		switch {
		case c >= 'A' && c <= 'Z':
			out[i] = c + 'a' - 'A'
		case c == '_':
			out[i] = '-'
		}
	}
	return string(out[:len(out)-len("-token")]) + ".token"
}

// Config says where the gateway is and how the scenario is played.
type Config struct {
	Parties *Parties
	Tokens  Tokens
	// MLLPAddr is host:port of the gateway's listener for the hospital.
	MLLPAddr string
	// KITHURL takes national XML; FHIRURL is the base of the FHIR API; APIURL is the base
	// of the gateway's own API (/messages, /handovers).
	KITHURL, FHIRURL, APIURL string
	// NATSURL is where the municipality follows events with its id and NATSPassword (its
	// bearer token when empty); empty leaves the events out.
	NATSURL, NATSPassword string
	// Now is the clock of the parties' messages.
	Now func() time.Time
	// Advance moves the gateway's clock forward, where the caller can; otherwise the
	// gateway must be configured with short deadlines.
	Advance func(time.Duration)
	// Wait bounds each wait for something to arrive; default 30 s.
	Wait time.Duration
	// OnEntry is called with each entry as it is completed.
	OnEntry func(Entry)
}

// Run plays the scenario row by row and stops at the first thing that is not as it should
// be. What happened until then stands in the timeline.
func Run(ctx context.Context, cfg Config) (Timeline, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.NATSPassword == "" {
		cfg.NATSPassword = cfg.Tokens.Municipality
	}
	if cfg.Wait <= 0 {
		cfg.Wait = 30 * time.Second
	}
	s, err := newScenario(ctx, cfg)
	if err != nil {
		return Timeline{}, err
	}
	defer s.close()
	for _, row := range s.rows() {
		s.step = row.name
		if err := row.play(ctx); err != nil {
			return s.timeline, fmt.Errorf("demo: %s: %w", row.name, err)
		}
	}
	return s.timeline, nil
}
