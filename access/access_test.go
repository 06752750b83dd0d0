package access_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stafett/access"
	"stafett/adapters/fhirbundle"
	"stafett/directory"
	"stafett/fhir"
	"stafett/handover"
)

const (
	hospital     handover.PartyID = "fjellheim-sykehus"
	municipality handover.PartyID = "dalvik-kommune"
	institution  handover.PartyID = "solbakken-rehabilitering"
)

var (
	nobody      = access.Caller{}
	party       = access.Caller{Kind: access.CallerParty, Party: hospital}
	outsider    = access.Caller{Kind: access.CallerParty, Party: institution}
	operator    = access.Caller{Kind: access.CallerOperator, Person: "Drift Vakt"}
	coordinator = access.Caller{Kind: access.CallerOperator, Person: "Koordinator Dalvik", Party: municipality}
	nameless    = access.Caller{Kind: access.CallerOperator, Party: hospital}
	partyless   = access.Caller{Kind: access.CallerParty, Person: "X"}
	kindless    = access.Caller{Party: hospital, Person: "X"}
)

var callers = map[string]access.Caller{"nobody": nobody, "party": party, "outsider": outsider, "operator": operator,
	"coordinator": coordinator, "nameless": nameless, "partyless": partyless, "kindless": kindless}

// expect holds a rule's answer for every caller to a table; callers that it leaves out
// must be refused as unauthenticated.
func expect(t *testing.T, rule func(access.Caller) error, want map[string]handover.FaultKind) {
	t.Helper()
	for name, c := range callers {
		kind, listed := want[name]
		if !listed {
			kind = handover.FaultUnauthenticated
		}
		err := rule(c)
		if got := faultKind(err); got != kind {
			t.Errorf("%s: %q, want %q", name, got, kind)
		}
	}
}

func faultKind(err error) handover.FaultKind {
	if err == nil {
		return ""
	}
	return handover.FaultOf(err).Kind
}

const forbidden = handover.FaultForbidden

func TestMayRead(t *testing.T) {
	expect(t, func(c access.Caller) error { return access.MayRead(c, []handover.PartyID{hospital, municipality}) },
		map[string]handover.FaultKind{"party": "", "outsider": forbidden, "operator": "", "coordinator": ""})
	expect(t, func(c access.Caller) error { return access.MayRead(c, nil) },
		map[string]handover.FaultKind{"party": forbidden, "outsider": forbidden, "operator": "", "coordinator": forbidden})
	expect(t, func(c access.Caller) error { return access.MayRead(c, []handover.PartyID{""}) },
		map[string]handover.FaultKind{"party": forbidden, "outsider": forbidden, "operator": "", "coordinator": forbidden})
}

func TestMayWriteResource(t *testing.T) {
	write := func(author handover.PartyID, typ string, exists bool) func(access.Caller) error {
		return func(c access.Caller) error { return access.MayWriteResource(c, author, typ, exists) }
	}
	anyParty := map[string]handover.FaultKind{"party": "", "outsider": "", "operator": forbidden, "coordinator": forbidden}
	author := map[string]handover.FaultKind{"party": "", "outsider": forbidden, "operator": forbidden, "coordinator": forbidden}
	none := map[string]handover.FaultKind{"party": forbidden, "outsider": forbidden, "operator": forbidden, "coordinator": forbidden}
	expect(t, write("", "CarePlan", false), anyParty)
	expect(t, write("", "AuditEvent", false), anyParty)
	for _, typ := range []string{"CarePlan", "ServiceRequest", "Task", "Observation", "Patient"} {
		expect(t, write(hospital, typ, true), author)
	}
	expect(t, write(hospital, "AuditEvent", true), none)
	expect(t, write(hospital, "Provenance", true), none)
	expect(t, write("", "CarePlan", true), none)
	expect(t, write(hospital, "", false), none)
}

func TestConfirmSender(t *testing.T) {
	confirm := func(named handover.PartyID) func(access.Caller) error {
		return func(c access.Caller) error { return access.ConfirmSender(c, named) }
	}
	expect(t, confirm(hospital), map[string]handover.FaultKind{"party": "", "outsider": forbidden, "operator": forbidden, "coordinator": forbidden})
	expect(t, confirm(municipality), map[string]handover.FaultKind{"party": forbidden, "outsider": forbidden, "operator": forbidden, "coordinator": forbidden})
	unknown := handover.FaultSenderUnknown
	expect(t, confirm(""), map[string]handover.FaultKind{"party": unknown, "outsider": unknown, "operator": unknown, "coordinator": unknown})
}

func TestMayOperate(t *testing.T) {
	expect(t, func(c access.Caller) error { return access.MayOperate(c, municipality) },
		map[string]handover.FaultKind{"party": forbidden, "outsider": forbidden, "operator": "", "coordinator": ""})
	expect(t, func(c access.Caller) error { return access.MayOperate(c, "") },
		map[string]handover.FaultKind{"party": forbidden, "outsider": forbidden, "operator": "", "coordinator": forbidden})
}

// taskElements is every top-level element of a Task (R4).
var taskElements = []string{"meta", "implicitRules", "language", "text", "contained", "extension", "modifierExtension",
	"identifier", "instantiatesCanonical", "instantiatesUri", "basedOn", "groupIdentifier", "partOf", "status",
	"statusReason", "businessStatus", "intent", "priority", "code", "description", "focus", "for", "encounter",
	"executionPeriod", "authoredOn", "lastModified", "requester", "performerType", "owner", "location", "reasonCode",
	"reasonReference", "insurance", "note", "relevantHistory", "restriction", "input", "output"}

func TestMayChangeTaskOverEveryRoleAndElement(t *testing.T) {
	may := map[handover.ActorRole]string{
		handover.RoleSender:   " status businessStatus priority description lastModified note restriction input ",
		handover.RoleReceiver: " status statusReason businessStatus executionPeriod lastModified location note relevantHistory output ",
	}
	for _, role := range append(handover.ActorRoles(), "", "owner") {
		for _, e := range taskElements {
			for _, name := range []string{e, "_" + e} {
				want := strings.Contains(may[role], " "+e+" ")
				err := access.MayChangeTask(party, role, []string{name}, fhir.Task{})
				if (err == nil) != want {
					t.Errorf("%s changes %s: %v", role, name, err)
				}
				if err != nil && faultKind(err) != forbidden {
					t.Errorf("%s changes %s: %v", role, name, err)
				}
			}
		}
	}
	expect(t, func(c access.Caller) error {
		return access.MayChangeTask(c, handover.RoleReceiver, []string{"status"}, fhir.Task{})
	},
		map[string]handover.FaultKind{"party": "", "outsider": "", "operator": forbidden, "coordinator": forbidden})
}

func TestMayChangeTaskOwnerOnlyInForwarding(t *testing.T) {
	for _, c := range []struct {
		changed, status, business string
		ok                        bool
	}{
		{"status businessStatus owner", "rejected", "forwarded", true},
		{"owner status businessStatus note lastModified", "rejected", "forwarded", true},
		{"owner", "rejected", "forwarded", false},
		{"owner status", "rejected", "forwarded", false},
		{"owner businessStatus", "rejected", "forwarded", false},
		{"owner status businessStatus", "rejected", "misaddressed", false},
		{"owner status businessStatus", "accepted", "forwarded", false},
		{"owner status businessStatus", "accepted", "", false},
	} {
		err := access.MayChangeTask(party, handover.RoleReceiver, strings.Fields(c.changed), taskOf(t, c.status, c.business))
		if (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
	forwarded := taskOf(t, "rejected", "forwarded")
	if err := access.MayChangeTask(party, handover.RoleSender, []string{"status", "businessStatus", "owner"}, forwarded); err == nil {
		t.Error("the sender changes the owner")
	}
}

func taskOf(t *testing.T, status, business string) fhir.Task {
	t.Helper()
	task, err := fhir.Read[fhir.Task](fhir.Obj("resourceType", "Task", "status", status, "businessStatus", fhir.Concept("", business, "")))
	if err != nil {
		t.Fatal(err)
	}
	return task
}

func TestFaultNamesTheElementButNoContent(t *testing.T) {
	f := handover.FaultOf(access.MayChangeTask(party, handover.RoleReceiver, []string{"status", "focus"}, fhir.Task{}))
	if f.Path != "Task.focus" {
		t.Errorf("path %q", f.Path)
	}
	f = handover.FaultOf(access.MayChangeTask(party, handover.RoleReceiver, []string{"12034800000"}, fhir.Task{}))
	if f.Path != "Task" || strings.Contains(f.Error(), "1203") {
		t.Errorf("fault %v", f)
	}
}

func sum(s string) string {
	d := sha256.Sum256([]byte(s))
	return hex.EncodeToString(d[:])
}

// parties is a directory of two parties with the credentials given.
func parties(t testing.TB, hospitalCredential, municipalityCredential string) *directory.Directory {
	t.Helper()
	text := "parties:\n"
	for i, c := range []string{hospitalCredential, municipalityCredential} {
		text += fmt.Sprintf(`  - id: %s
    name: N
    type: hospital
    services: [{name: s, wire: fhir, url: "http://127.0.0.1/", takes: ["*"]}]
    contacts: [{name: c, service: s}]
    credentials: [%s]
`, []handover.PartyID{hospital, municipality}[i], c)
	}
	d, err := directory.Parse("d.yaml", []byte(text), fhirbundle.Wire{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestTokens(t *testing.T) {
	t.Setenv("STAFETT_TEST_TOKEN", "hospital-token-0123456789")
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte("operator-token-0123456789\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := parties(t, "{token: env:STAFETT_TEST_TOKEN}, {certificateCN: f.example.test}", "{tokenSHA256: "+sum("municipality-token-012345")+"}")
	auth, err := access.NewTokens(dir, []access.Operator{
		{Person: "Drift Vakt", Token: "file:" + path},
		{Person: "Koordinator Dalvik", Party: municipality, TokenSHA256: sum("coordinator-token-0123456")},
	})
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]access.Caller{
		"hospital-token-0123456789": party,
		"municipality-token-012345": {Kind: access.CallerParty, Party: municipality},
		"operator-token-0123456789": operator,
		"coordinator-token-0123456": coordinator,
	} {
		if got, err := auth.Authenticate(context.Background(), token); err != nil || got != want {
			t.Errorf("%s: %+v %v", token, got, err)
		}
	}
	for _, token := range []string{"", "hospital", "hospital-token-012345678", "hospital-token-01234567890", "Hospital-token-0123456789",
		sum("municipality-token-012345"), "operator-token-0123456789\n", strings.Repeat("x", 5000)} {
		got, err := auth.Authenticate(context.Background(), token)
		if faultKind(err) != handover.FaultUnauthenticated || got != nobody {
			t.Errorf("token %q: %+v %v", token, got, err)
		}
	}
}

func TestNewTokensRefuses(t *testing.T) {
	t.Setenv("STAFETT_TEST_TOKEN", "hospital-token-0123456789")
	t.Setenv("STAFETT_TEST_SHORT", "kort-hemmelig")
	ok := "{token: env:STAFETT_TEST_TOKEN}"
	for name, c := range map[string]struct {
		dir       *directory.Directory
		operators []access.Operator
		want      string
	}{
		"unset":          {parties(t, ok, "{token: env:STAFETT_TEST_UNSET}"), nil, "env:STAFETT_TEST_UNSET"},
		"short":          {parties(t, ok, "{token: env:STAFETT_TEST_SHORT}"), nil, "16 to 4096 bytes"},
		"shared":         {parties(t, ok, "{tokenSHA256: "+sum("hospital-token-0123456789")+"}"), nil, "proves two callers"},
		"no person":      {parties(t, ok, ""), []access.Operator{{Person: " ", TokenSHA256: sum("x")}}, "needs a person's name"},
		"no token":       {parties(t, ok, ""), []access.Operator{{Person: "X"}}, "exactly one"},
		"two tokens":     {parties(t, ok, ""), []access.Operator{{Person: "X", Token: "env:X", TokenSHA256: sum("x")}}, "exactly one"},
		"bad digest":     {parties(t, ok, ""), []access.Operator{{Person: "X", TokenSHA256: "zz"}}, "64 hexadecimal"},
		"literal":        {parties(t, ok, ""), []access.Operator{{Person: "X", Token: "hemmelig-i-klartekst"}}, "by reference"},
		"no such party":  {parties(t, ok, ""), []access.Operator{{Person: "X", Party: "y", TokenSHA256: sum("x")}}, "no party"},
		"party's token":  {parties(t, ok, ""), []access.Operator{{Person: "X", Token: "env:STAFETT_TEST_TOKEN"}}, "proves two callers"},
		"several at all": {parties(t, "{token: env:STAFETT_TEST_UNSET}", "{token: env:STAFETT_TEST_SHORT}"), nil, "\n"},
	} {
		auth, err := access.NewTokens(c.dir, c.operators)
		if err == nil || auth != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "hemmelig") {
			t.Errorf("%s: the error holds a token", name)
		}
	}
}

func TestBearer(t *testing.T) {
	for header, want := range map[string]string{
		"Bearer abc": "abc", "bearer  abc ": "abc", "BEARER abc": "abc",
		"": "", "Bearer": "", "Bearer ": "", "Basic abc": "", "Bearerabc": "", "Bearer a b": "", "abc": "",
	} {
		if got := access.Bearer(header); got != want {
			t.Errorf("Bearer(%q) = %q, want %q", header, got, want)
		}
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	auth, err := access.NewTokens(parties(b, "{tokenSHA256: "+sum("hospital-token-0123456789")+"}", ""), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := auth.Authenticate(context.Background(), "hospital-token-0123456789"); err != nil {
			b.Fatal(err)
		}
	}
}
