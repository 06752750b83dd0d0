package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"stafett/directory"
	"stafett/handover"
)

// Lengths of a bearer token in bytes. Under the minimum it can be guessed.
const (
	TokenLengthMin = 16
	TokenLengthMax = 4096
)

// Operator is a named person with a token of their own.
type Operator struct {
	// Person is the name that stands in the audit.
	Person string
	// Party limits the person to what that party may see and do; empty for an operator of
	// the gateway as a whole.
	Party handover.PartyID
	// Token references the bearer token (env:NAME or file:PATH); TokenSHA256 is its
	// digest as 64 hexadecimal digits. Exactly one is set.
	Token, TokenSHA256 string
}

// tokens authenticates by the digests of bearer tokens; it holds no token.
type tokens struct {
	// key makes a look-up's position depend on something no caller knows, so that its
	// timing tells nothing about how much of a digest was right.
	key      [sha256.Size]byte
	byDigest map[[sha256.Size]byte]known
}

type known struct {
	digest [sha256.Size]byte
	caller Caller
}

// NewTokens resolves the tokens of every party and operator. Its error names every
// credential that cannot be resolved, is shorter than TokenLengthMin, or would prove two
// callers; it holds no token.
func NewTokens(dir *directory.Directory, operators []Operator) (Authenticator, error) {
	t := &tokens{byDigest: map[[sha256.Size]byte]known{}}
	if _, err := rand.Read(t.key[:]); err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	var all []error
	for _, p := range dir.Parties() {
		for _, k := range p.Credentials {
			if k.Token == "" && k.TokenSHA256 == "" {
				continue
			}
			c := Caller{Kind: CallerParty, Party: p.ID}
			if err := t.add(k.Token, k.TokenSHA256, c); err != nil {
				all = append(all, fmt.Errorf("access: token of party %s (line %d): %w", p.ID, k.Line, err))
			}
		}
	}
	for _, o := range operators {
		if err := t.addOperator(dir, o); err != nil {
			all = append(all, err)
		}
	}
	if len(all) > 0 {
		return nil, errors.Join(all...)
	}
	return t, nil
}

func (t *tokens) addOperator(dir *directory.Directory, o Operator) error {
	if strings.TrimSpace(o.Person) == "" {
		return errors.New("access: an operator needs a person's name")
	}
	if _, ok := dir.Party(o.Party); o.Party != "" && !ok {
		return fmt.Errorf("access: operator %s reads for %q, which is no party", o.Person, o.Party)
	}
	c := Caller{Kind: CallerOperator, Party: o.Party, Person: o.Person}
	if err := t.add(o.Token, o.TokenSHA256, c); err != nil {
		return fmt.Errorf("access: token of operator %s: %w", o.Person, err)
	}
	return nil
}

func (t *tokens) add(ref, digestHex string, c Caller) error {
	digest, err := digestOf(ref, digestHex)
	if err != nil {
		return err
	}
	place := t.place(digest)
	if other, ok := t.byDigest[place]; ok && other.caller != c {
		return errors.New("the same token proves two callers")
	}
	t.byDigest[place] = known{digest, c}
	return nil
}

func digestOf(ref, digestHex string) (digest [sha256.Size]byte, err error) {
	if (ref == "") == (digestHex == "") {
		return digest, errors.New("exactly one of a reference and a SHA-256 digest is needed")
	}
	if digestHex != "" {
		raw, err := hex.DecodeString(digestHex)
		if err != nil || len(raw) != sha256.Size {
			return digest, errors.New("the digest is not 64 hexadecimal digits")
		}
		return [sha256.Size]byte(raw), nil
	}
	token, err := directory.ResolveSecret(ref)
	if err != nil {
		return digest, err
	}
	if len(token) < TokenLengthMin || len(token) > TokenLengthMax {
		return digest, fmt.Errorf("%s: a token has %d to %d bytes", ref, TokenLengthMin, TokenLengthMax)
	}
	return sha256.Sum256([]byte(token)), nil
}

func (t *tokens) place(digest [sha256.Size]byte) [sha256.Size]byte {
	var keyed [2 * sha256.Size]byte
	copy(keyed[:], t.key[:])
	copy(keyed[sha256.Size:], digest[:])
	return sha256.Sum256(keyed[:])
}

// Authenticate implements Authenticator.
func (t *tokens) Authenticate(_ context.Context, bearer string) (Caller, error) {
	const op = "access.Authenticate"
	if bearer == "" {
		return Caller{}, &handover.Fault{Kind: handover.FaultUnauthenticated, Op: op, Text: "a bearer token is needed"}
	}
	refused := &handover.Fault{Kind: handover.FaultUnauthenticated, Op: op, Text: "the bearer token is not known"}
	if len(bearer) < TokenLengthMin || len(bearer) > TokenLengthMax {
		return Caller{}, refused
	}
	digest := sha256.Sum256([]byte(bearer))
	k, ok := t.byDigest[t.place(digest)]
	if subtle.ConstantTimeCompare(digest[:], k.digest[:]) != 1 || !ok {
		return Caller{}, refused
	}
	return k.caller, nil
}

// Bearer returns the token of an Authorization header's value, "" when it is not one
// (RFC 6750 section 2.1).
func Bearer(header string) string {
	const scheme = "bearer "
	if len(header) <= len(scheme) || !strings.EqualFold(header[:len(scheme)], scheme) {
		return ""
	}
	token := strings.TrimSpace(header[len(scheme):])
	if strings.ContainsAny(token, " \t") {
		return ""
	}
	return token
}
