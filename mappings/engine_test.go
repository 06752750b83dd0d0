package mappings_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"stafett/conformance"
	"stafett/fhir"
	"stafett/handover"
	"stafett/mappings/account"
	"stafett/mappings/engine"
	"stafett/mappings/language"
	"stafett/message"
)

func adt(t testing.TB, typ string, segments ...string) (*language.Program, *message.Message) {
	t.Helper()
	raw := "MSH|^~\\&|DIPS|FJELLHEIM|STAFETT||20261120101500||" + typ + "|MSG1|P|2.5\r" + strings.Join(segments, "\r") + "\r"
	m, err := codecs[handover.WireHL7v2].Decode([]byte(raw), message.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	mapping, ok := embedded(t).For(handover.WireHL7v2, typ, "2.5", "")
	if !ok {
		t.Fatal("no mapping for", typ)
	}
	return mapping, m
}

func fateOf(r account.Report, path string) message.ElementFate {
	for _, f := range r.Fates {
		if f.Path == path {
			return f
		}
	}
	return message.ElementFate{}
}

const solveig = "PID|1||12034800241^^^FNR^FNR||MYRVANG^Solveig||19480312|F"

func TestPatientMustBeIdentified(t *testing.T) {
	for _, c := range []struct {
		name, pid string
		ok        bool
	}{
		{"number", solveig, true},
		{"D-number", "PID|1||70095100331^^^DNR^DNR||HAUGLAND^Torbjørn", true},
		{"joint emergency number", "PID|1||80000001205^^^FHN^FHN||HAUGLAND^Torbjørn", true},
		{"name, birth date and sex", "PID|1||||SÆTRE^Åshild||19390105|F", true},
		{"local number and name", "PID|1||998877^^^FJELLHEIM^HNR||SÆTRE^Åshild", false},
		{"number without a name", "PID|1||12034800241^^^FNR^FNR", false},
		{"name and birth date", "PID|1||||SÆTRE^Åshild||19390105", false},
		{"nothing", "PID|1", false},
		{"no PID", "ZXX|1", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			mapping, m := adt(t, "ADT^A16", "EVN|A16|20261120101400", c.pid, "PV1|1|I")
			_, report, err := engine.ToFHIR(mapping, m, engine.Context{})
			accounted(t, c.name, m, report)
			if c.ok {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var fault *handover.Fault
			if !errors.As(err, &fault) || fault.Kind != handover.FaultPatientUnidentified || fault.Path != "PID-3" {
				t.Fatalf("got %v", err)
			}
			if strings.HasPrefix(c.pid, "PID") && fault.Line != 3 {
				t.Errorf("line %d, want 3", fault.Line)
			}
		})
	}
}

// Invariant 7: an unknown code fails nothing; it is carried, and FHIR says unknown.
func TestInvariant7_UnknownCodesAreCarried(t *testing.T) {
	mapping, m := adt(t, "ADT^A01", "EVN|A01|20261120101400", "PID|1||12034800241^^^FNR^FNR||MYRVANG^Solveig||19480312|Q", "PV1|1|Y",
		"OBX|1|NM|X^Y||1,5||||||q|||igår", "OBX|2|QQ|X^Y||noe||||||F")
	c, report, err := engine.ToFHIR(mapping, m, engine.Context{})
	if err != nil {
		t.Fatal(err)
	}
	accounted(t, "unknown codes", m, report)
	for _, path := range []string{"PID-8", "PV1-2", "OBX[1]-5", "OBX[1]-11", "OBX[1]-14", "OBX[2]-2", "OBX[2]-5"} {
		if f := fateOf(report, path); f.Fate != message.FateCarried {
			t.Errorf("%s: %+v", path, f)
		}
	}
	for _, path := range []string{"PID-8", "PV1-2", "OBX[1]-5", "OBX[1]-11", "OBX[1]-14"} {
		if fateOf(report, path).Reason == "" {
			t.Errorf("%s is carried without a reason", path)
		}
	}
	if got := c.Resource("patient").Str("gender"); got != "unknown" {
		t.Errorf("gender %q", got)
	}
}

// A message whose body is another message's must not tell its type's event.
func TestBodyOfAnotherMessageIsAFault(t *testing.T) {
	data, _ := readGolden(t, "testdata/log-utskrivningsklar.txtar").section("message")
	for _, typ := range []string{"LOG_INNLAGT", "LOG_AVMELDING", "LOG_UTSKREVET"} {
		m, env := decode(t, handover.WireKITH, []byte(strings.Replace(string(data), `V="LOG_UTSKRIVNINGSKLAR"`, `V="`+typ+`"`, 1)))
		mapping, ok := embedded(t).For(handover.WireKITH, env.Type, env.Version, "")
		if !ok {
			t.Fatal(typ)
		}
		_, report, err := engine.ToFHIR(mapping, m, engine.Context{})
		accounted(t, typ, m, report)
		var fault *handover.Fault
		if !errors.As(err, &fault) || fault.Kind != handover.FaultInvalid || fault.Line == 0 {
			t.Errorf("%s with the body of another: %v", typ, err)
		}
	}
}

func TestExplicitNullIsNotAValue(t *testing.T) {
	mapping, m := adt(t, "ADT^A01", "EVN|A01|20261120101400", solveig+"|||\"\"", "PV1|1|I")
	c, report, err := engine.ToFHIR(mapping, m, engine.Context{})
	if err != nil {
		t.Fatal(err)
	}
	if f := fateOf(report, "PID-11"); f.Fate != message.FateCarried {
		t.Errorf("%+v", f)
	}
	if c.Resource("patient").Get("address") != nil {
		t.Error("an explicit null became an address")
	}
}

func TestKeysStayEqualAndHoldNoNumber(t *testing.T) {
	keys := map[string]string{}
	for i, typ := range []string{"ADT^A01", "ADT^A16", "ADT^A03"} {
		mapping, m := adt(t, typ, "EVN|A01|20261120101400", solveig, "PV1|1|I|SLAG||||9144889^Lie^Kari^^^^^^HPR^L^^^HPR||||||||||||S-1001")
		c, _, err := engine.ToFHIR(mapping, m, engine.Context{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range c.Resources {
			if r.Key == "" {
				t.Errorf("%s has no key", r.Name)
			}
			if strings.Contains(r.Key, "12034800241") || strings.Contains(r.Key, "MYRVANG") || strings.Contains(r.Key, "S-1001") {
				t.Errorf("%s: the key tells who it is", r.Name)
			}
			if i > 0 && keys[r.Name] != r.Key {
				t.Errorf("%s: the key differs in %s", r.Name, typ)
			}
			keys[r.Name] = r.Key
		}
	}
	if len(keys) != 5 {
		t.Errorf("keys of %d resources", len(keys))
	}
}

// Reports and faults are logged and shown: no value of a message may stand in them.
func TestReportsHoldPathsNeverValues(t *testing.T) {
	set := embedded(t)
	secrets := []string{"12034800241", "70095100331", "MYRVANG", "HAUGLAND", "SÆTRE", "Solveig", "Torbj", "shild", "Fjordveien", "22334455", "Penicillin", "Nina", "ledig plass"}
	for _, file := range goldenFiles(t) {
		g := readGolden(t, file)
		m, env := g.source(t)
		if m == nil {
			continue
		}
		in, _ := set.For(m.Wire, env.Type, env.Version, g.overlay)
		c, report, err := engine.ToFHIR(in, m, engine.Context{Header: headerOf(env)})
		if err != nil {
			t.Fatal(err)
		}
		reports := []account.Report{report}
		for _, out := range set.Programs() {
			_, r, err := engine.FromFHIR(out, c, engine.Context{Header: tellHeader(out.Wire)})
			reports = append(reports, r)
			if err != nil {
				reports = append(reports, account.Report{Mapping: err.Error()})
			}
		}
		for _, r := range reports {
			data, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range secrets {
				if strings.Contains(string(data), s) {
					t.Errorf("%s: the report of %s holds %q", file, r.Mapping, s)
				}
			}
		}
	}
}

// What a mapping makes is valid FHIR, once the gateway has set the Task's status.
func TestCanonicalResourcesAreValid(t *testing.T) {
	set := embedded(t)
	for _, file := range goldenFiles(t) {
		g := readGolden(t, file)
		m, env := g.source(t)
		if m == nil {
			continue
		}
		in, _ := set.For(m.Wire, env.Type, env.Version, g.overlay)
		c, _, err := engine.ToFHIR(in, m, engine.Context{Header: headerOf(env)})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range c.Resources {
			if r.Name == "task" {
				r.Resource.Set("status", fhir.Str("requested"))
			}
			for _, issue := range conformance.Validate(r.Resource) {
				t.Errorf("%s: %s: %+v", file, r.Name, issue)
			}
		}
	}
}

func TestReadableInTwoLanguages(t *testing.T) {
	g := readGolden(t, "testdata/adt-a16.txtar")
	m, env := g.source(t)
	set := embedded(t)
	in, _ := set.For(m.Wire, env.Type, env.Version, "")
	c, _, err := engine.ToFHIR(in, m, engine.Context{})
	if err != nil {
		t.Fatal(err)
	}
	c.Resources = append(c.Resources, account.Named{Name: "attachment-1", Resource: fhir.Obj("resourceType", "DocumentReference",
		"content", fhir.Arr(fhir.Obj("attachment", fhir.Obj("contentType", "application/pdf", "data", strings.Repeat("QUJD", 500)))))})
	out, _ := set.For(handover.WireHL7v2, "MDM^T02", "", "")
	c.Resources = append(c.Resources, account.Named{Name: "communication", Resource: fhir.Obj("resourceType", "Communication",
		"payload", fhir.Arr(fhir.Obj("contentString", "hei")))})
	_, report, err := engine.FromFHIR(out, c, engine.Context{Header: tellHeader(handover.WireHL7v2)})
	if err != nil {
		t.Fatal(err)
	}
	nb, en := string(account.Readable(report.Leftover, "nb")), string(account.Readable(report.Leftover, "en"))
	for _, want := range []string{"Opplysninger som ikke har egen plass", "Diagnose: Hjerneinfarkt (I63.9)", "Allergisk mot: Penicillin (PEN)", "Vedlegg av type application/pdf, 1500 byte"} {
		if !strings.Contains(nb, want) {
			t.Errorf("bokmål lacks %q:\n%s", want, nb)
		}
	}
	for _, want := range []string{"Information that has no place", "Diagnosis: Hjerneinfarkt (I63.9)", "Allergic to: Penicillin (PEN)"} {
		if !strings.Contains(en, want) {
			t.Errorf("English lacks %q:\n%s", want, en)
		}
	}
	if strings.Contains(nb, "QUJDQUJD") {
		t.Error("the document holds an attachment's bytes")
	}
	if account.Readable(nil, "nb") != nil {
		t.Error("a document of nothing")
	}
}

func TestMissingContentIsAFaultNotAMessage(t *testing.T) {
	out, _ := embedded(t).For(handover.WireKITH, "LOG_UTSKRIVNINGSKLAR", "", "")
	c := account.Canonical{Resources: []account.Named{{Name: "patient", Resource: fhir.Obj("resourceType", "Patient",
		"identifier", fhir.Arr(fhir.Identifier(fhir.SystemFNR, "12034800241")), "name", fhir.Arr(fhir.Obj("family", "MYRVANG")))}}}
	tree, _, err := engine.FromFHIR(out, c, engine.Context{Header: tellHeader(handover.WireKITH)})
	var fault *handover.Fault
	if tree != nil || !errors.As(err, &fault) || fault.Kind != handover.FaultInvalid || fault.Path == "" {
		t.Fatalf("%v %v", tree, err)
	}
}

func TestNothingToTranslate(t *testing.T) {
	for _, m := range embedded(t).Programs() {
		for _, msg := range []*message.Message{nil, {}, {Wire: m.Wire, Root: &message.Node{Name: "x"}}} {
			if _, _, err := engine.ToFHIR(m, msg, engine.Context{}); err == nil {
				t.Errorf("%s: nothing was translated without a fault", m.Name)
			}
		}
	}
}

// The same message makes the same bytes, also at once in many goroutines.
func TestTranslationIsDeterministicAndConcurrent(t *testing.T) {
	mapping, m, ctx := func() (*language.Program, *message.Message, engine.Context) {
		g := readGolden(t, "testdata/adt-a16.txtar")
		m, env := g.source(t)
		mapping, _ := embedded(t).For(m.Wire, env.Type, env.Version, "")
		return mapping, m, engine.Context{Header: headerOf(env)}
	}()
	out, _ := embedded(t).For(handover.WireKITH, "LOG_UTSKRIVNINGSKLAR", "", "")
	var mu sync.Mutex
	seen := map[string]bool{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			c, report, err := engine.ToFHIR(mapping, m, ctx)
			if err != nil {
				t.Error(err)
				return
			}
			tree, _, err := engine.FromFHIR(out, c, engine.Context{Header: tellHeader(handover.WireKITH)})
			if err != nil {
				t.Error(err)
				return
			}
			raw, err := codecs[handover.WireKITH].Encode(tree)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			seen[string(canonicalJSON(t, c))+string(fateLines(report.Fates))+string(raw)] = true
		})
	}
	wg.Wait()
	if len(seen) != 1 {
		t.Errorf("%d different results", len(seen))
	}
}
