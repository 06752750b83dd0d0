package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"stafett/handover"
	"stafett/ledger"
	"stafett/ledger/sqlite"
)

const docsRoot = "../.."

// documents are the Markdown files of the project by path from its root.
func documents(t *testing.T) map[string]string {
	t.Helper()
	docs := map[string]string{}
	err := filepath.WalkDir(docsRoot, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != docsRoot && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".md" {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(docsRoot, path)
		docs[filepath.ToSlash(name)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(docs) < 8 {
		t.Fatalf("only %d documents were read: the test looked in the wrong place", len(docs))
	}
	return docs
}

var (
	docLink    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	docFence   = regexp.MustCompile("(?s)```.*?```")
	docHeading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	notAnchor  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are the fragments by which a forge reaches the headings of a document.
func anchors(text string) []string {
	var out []string
	for _, m := range docHeading.FindAllStringSubmatch(docFence.ReplaceAllString(text, ""), -1) {
		out = append(out, strings.ReplaceAll(notAnchor.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return out
}

func TestDocs_RelativeLinksResolve(t *testing.T) {
	docs := documents(t)
	for name, text := range docs {
		for _, m := range docLink.FindAllStringSubmatch(docFence.ReplaceAllString(text, ""), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			to := name
			if target != "" {
				to = filepath.ToSlash(filepath.Join(filepath.Dir(name), target))
			}
			if _, err := os.Stat(filepath.Join(docsRoot, to)); err != nil {
				t.Errorf("%s links to %s, which is not there", name, m[1])
				continue
			}
			if anchor != "" && !slices.Contains(anchors(docs[to]), anchor) {
				t.Errorf("%s links to %s, which has no such heading", name, m[1])
			}
		}
	}
}

// docCode is `dir/file.ext` or `dir/file.go:Name` in a document.
var docCode = regexp.MustCompile("`((?:[A-Za-z0-9_.-]+/)+[A-Za-z0-9_.-]+\\.(?:go|md|map|txt|yml|sql|txtar))(?::([A-Za-z0-9_]+))?`")

// declared are the names that a source file declares, and its string literals: a suite
// names its tests by those.
func declared(t *testing.T, path string) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			names[n.Name.Name] = true
		case *ast.TypeSpec:
			names[n.Name.Name] = true
		case *ast.ValueSpec:
			for _, id := range n.Names {
				names[id.Name] = true
			}
		case *ast.BasicLit:
			if s, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
				names[s] = true
			}
		}
		return true
	})
	return names
}

func TestDocs_NamedCodeExists(t *testing.T) {
	read := map[string]map[string]bool{}
	named := 0
	for doc, text := range documents(t) {
		for _, m := range docCode.FindAllStringSubmatch(text, -1) {
			file, name := filepath.Join(docsRoot, m[1]), m[2]
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s names %s, which is not there", doc, m[1])
				continue
			}
			if name == "" {
				continue
			}
			if read[file] == nil {
				read[file] = declared(t, file)
			}
			if named++; !read[file][name] {
				t.Errorf("%s names %s in %s, which does not declare it", doc, name, m[1])
			}
		}
	}
	if named < 30 {
		t.Fatalf("only %d names were checked: the documents say them in another way", named)
	}
}

// invariantTest is how a test's name says which invariants it attacks.
var invariantTest = regexp.MustCompile(`^(?:Test)?Invariant(?:(?:1[01]|[1-9])_)+`)

var invariantHeading = regexp.MustCompile(`(?m)^## (1[01]|[1-9])\. `)

// TestDocs_EveryInvariantIsEnforcedAndAttacked holds docs/invariants.md to naming, for each
// number, code that enforces it and a test that carries the number in its name.
func TestDocs_EveryInvariantIsEnforcedAndAttacked(t *testing.T) {
	text := documents(t)["docs/invariants.md"]
	places := invariantHeading.FindAllStringSubmatchIndex(text, -1)
	if len(places) != 11 {
		t.Fatalf("docs/invariants.md has %d of 11 numbered headings", len(places))
	}
	for i, at := range places {
		number, end := text[at[2]:at[3]], len(text)
		if i+1 < len(places) {
			end = places[i+1][0]
		}
		enforced, attacked := false, false
		for _, m := range docCode.FindAllStringSubmatch(text[at[0]:end], -1) {
			test := strings.HasSuffix(m[1], "_test.go") || strings.Contains(m[1], "ledgertest/") || strings.Contains(m[1], "adaptertest/")
			switch {
			case !test:
				enforced = enforced || commentsOn(t, m[1], number)
			default:
				numbers := invariantTest.FindString(m[2])
				attacked = attacked || slices.Contains(strings.Split(strings.TrimPrefix(strings.TrimPrefix(numbers, "Test"), "Invariant"), "_"), number)
			}
		}
		if !enforced {
			t.Errorf("invariant %s: no file is named that says \"invariant %s\" where it enforces it", number, number)
		}
		if !attacked {
			t.Errorf("invariant %s: no test is named that carries the number", number)
		}
	}
}

func commentsOn(t *testing.T, file, number string) bool {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(docsRoot, file))
	if err != nil {
		t.Error(err)
		return false
	}
	text := strings.NewReplacer("\n// ", " ", "\n\t// ", " ").Replace(strings.ToLower(string(b)))
	return regexp.MustCompile("invariant " + number + `\b`).MatchString(text)
}

// TestDocs_EveryConfigurationKeyIsDescribed holds docs/operations.md to the keys that the
// gateway and the directory take.
func TestDocs_EveryConfigurationKeyIsDescribed(t *testing.T) {
	text := documents(t)["docs/operations.md"]
	for _, key := range configKeys(reflect.TypeFor[Config](), "") {
		if !strings.Contains(text, "`"+key+"`") {
			t.Errorf("docs/operations.md does not describe the key %s", key)
		}
	}
	parse, err := os.ReadFile(filepath.Join(docsRoot, "directory/parse.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^\t*"(\w+)": +(?:r\.|func)`).FindAllStringSubmatch(string(parse), -1) {
		if !strings.Contains(text, "`"+m[1]+"`") {
			t.Errorf("docs/operations.md does not describe the directory's %s", m[1])
		}
	}
}

func configKeys(t reflect.Type, prefix string) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]() {
		return []string{strings.TrimSuffix(prefix, ".")}
	}
	var out []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if name == "" {
			continue
		}
		// Terms, operators and connections are the same everywhere and described once.
		if strings.HasPrefix(prefix, "policy.") && (name == "after" || name == "workingDays") {
			out = append(out, strings.TrimSuffix(prefix, "."))
			continue
		}
		if prefix == "events.external.system." || prefix == "events.external.parties." {
			out = append(out, strings.TrimSuffix(prefix, "."))
			continue
		}
		out = append(out, configKeys(t.Field(i).Type, prefix+name+".")...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

var metricName = regexp.MustCompile(`stafett_[a-z_]+`)

// servedMetrics are the names of the gateway's own series.
func servedMetrics(t *testing.T) map[string]bool {
	t.Helper()
	source, err := os.ReadFile("metrics.go")
	if err != nil {
		t.Fatal(err)
	}
	served := map[string]bool{}
	for _, m := range regexp.MustCompile(`"(stafett_[a-z_]+)"`).FindAllStringSubmatch(string(source), -1) {
		served[m[1]] = true
	}
	if len(served) == 0 {
		t.Fatal("no metric was found in metrics.go")
	}
	return served
}

// TestDocs_MetricsAreTheOnesThatAreServed compares both ways.
func TestDocs_MetricsAreTheOnesThatAreServed(t *testing.T) {
	served := servedMetrics(t)
	text := documents(t)["docs/operations.md"]
	for name := range served {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("docs/operations.md does not name the metric %s", name)
		}
	}
	for _, m := range regexp.MustCompile("`(stafett_[a-z_]+)`").FindAllStringSubmatch(text, -1) {
		if metricName.MatchString(m[1]) && !served[m[1]] {
			t.Errorf("docs/operations.md names the metric %s, which is not served", m[1])
		}
	}
}

func TestDocs_EveryReasonOfTheUnheardIsDescribed(t *testing.T) {
	text := documents(t)["docs/operations.md"]
	for _, why := range handover.UnheardReasons() {
		if !strings.Contains(text, "`"+string(why)+"`") {
			t.Errorf("docs/operations.md does not say what %s means", why)
		}
	}
}

// docCommand is a call of our own command line, in a code block or between backquotes.
var docCommand = regexp.MustCompile("(?m)(?:^|`|\\| |\\./cmd/)stafett ((?:[a-z]+)(?: [a-z]+(?:-[a-z]+)*)?)((?: --[a-z]+| [^`\n#]*)*)")

// TestDocs_CommandsExist looks up every command that a document tells to run, with its flags.
func TestDocs_CommandsExist(t *testing.T) {
	found := 0
	for doc, text := range documents(t) {
		for _, m := range docCommand.FindAllStringSubmatch(text, -1) {
			root := rootCommand()
			words := strings.Fields(m[1])
			cmd, _, err := root.Find(words[:1])
			if err != nil || cmd == root {
				if doc != "README.md" || words[0] != "stands" {
					t.Errorf("%s tells to run %q: no such command", doc, "stafett "+m[1])
				}
				continue
			}
			if cmd.HasSubCommands() && len(words) > 1 {
				sub, _, err := cmd.Find(words[1:])
				if err != nil || sub == cmd {
					t.Errorf("%s tells to run %q: no such command", doc, "stafett "+m[1])
					continue
				}
				cmd = sub
			}
			found++
			for _, f := range regexp.MustCompile(`--([a-z]+)`).FindAllStringSubmatch(m[2], -1) {
				if !hasFlag(cmd, f[1]) {
					t.Errorf("%s tells to run %q with --%s, which it does not take", doc, cmd.CommandPath(), f[1])
				}
			}
		}
	}
	if found < 15 {
		t.Fatalf("only %d commands were checked: the documents say them in another way", found)
	}
}

func hasFlag(cmd *cobra.Command, name string) bool {
	return cmd.Flags().Lookup(name) != nil || cmd.PersistentFlags().Lookup(name) != nil || cmd.InheritedFlags().Lookup(name) != nil
}

// TestDocs_RoutesExist compares the routes that docs/operations.md lists with those in the
// source, both ways.
func TestDocs_RoutesExist(t *testing.T) {
	served := map[string]bool{}
	for _, file := range []string{"app.go", "../../api/api.go"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`r\.(GET|POST|PUT|DELETE)\("([^"]+)"`).FindAllStringSubmatch(string(b), -1) {
			served[m[1]+" "+m[2]] = true
		}
	}
	text := documents(t)["docs/operations.md"]
	for route := range served {
		if !strings.Contains(text, fmt.Sprintf("`%s", regexp.MustCompile(`:(\w+)`).ReplaceAllString(route, "{$1}"))) {
			t.Errorf("docs/operations.md does not list %s", route)
		}
	}
	for _, m := range regexp.MustCompile("`(GET|POST|PUT|DELETE) (/[^`?]*)`").FindAllStringSubmatch(text, -1) {
		route := m[1] + " " + regexp.MustCompile(`\{(\w+)\}`).ReplaceAllString(m[2], ":$1")
		if !served[route] && !strings.HasPrefix(m[2], "/fhir") {
			t.Errorf("docs/operations.md lists %s, which is not served", route)
		}
	}
}

var docSQL = regexp.MustCompile(`sqlite3 ledger\.db "([^"]+)"`)

// TestDocs_BackupAndNewEpochAreAsDescribed copies an open ledger and runs the statement that
// docs/operations.md tells an operator to run on the copy.
func TestDocs_BackupAndNewEpochAreAsDescribed(t *testing.T) {
	statements := docSQL.FindAllStringSubmatch(documents(t)["docs/operations.md"], -1)
	if len(statements) != 1 {
		t.Fatalf("docs/operations.md tells %d statements instead of a new epoch", len(statements))
	}
	ctx, dir := context.Background(), t.TempDir()
	file, backup := filepath.Join(dir, "ledger.db"), filepath.Join(dir, "backup.db")
	running, err := sqlite.Open(ctx, file, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	for i := range 50 {
		results, err := running.Apply(ctx, []ledger.Unit{{Audit: []ledger.Audit{{Action: ledger.AuditOperated, Outcome: strconv.Itoa(i)}},
			Events: []ledger.Event{{Handover: "h", Chain: "c", Kind: handover.KindReferral, Name: handover.EventRequested, From: "a", To: "b",
				State: handover.StateRequested}}}})
		if err != nil || results[0].Err != nil {
			t.Fatal(err, results[0].Err)
		}
	}
	if err := sqlite.Backup(ctx, file, backup); err != nil {
		t.Fatal(err)
	}
	head, err := running.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	before := restored(ctx, t, backup, &head)
	db, err := sql.Open("sqlite", backup)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, statements[0][1]); err != nil {
		t.Fatal(err)
	}
	if after := restored(ctx, t, backup, nil); after == before || after == "" {
		t.Fatalf("the epoch is %q after it was renewed, and was %q", after, before)
	}
}

// restored opens a copy as a gateway would, verifies it, and returns its epoch.
func restored(ctx context.Context, t *testing.T, file string, cp *ledger.Checkpoint) string {
	t.Helper()
	s, err := sqlite.Open(ctx, file, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	v, err := s.Verify(ctx, cp)
	if err != nil {
		t.Fatal(err)
	}
	if v.Finding != nil || v.Events != 50 {
		t.Fatalf("the copy is not whole: %+v", v)
	}
	m, err := s.Meta(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return m.Epoch
}

// TestDocs_NoticeNamesPresentVersions: each module of NOTICE stands in go.mod with its version.
func TestDocs_NoticeNamesPresentVersions(t *testing.T) {
	notice, err1 := os.ReadFile(filepath.Join(docsRoot, "NOTICE"))
	required, err2 := os.ReadFile(filepath.Join(docsRoot, "go.mod"))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	modules := regexp.MustCompile(`(?m)^([a-z0-9.-]+\.[a-z]+/\S+) (v\S+)$`).FindAllStringSubmatch(string(notice), -1)
	if len(modules) < 40 {
		t.Fatalf("NOTICE names %d modules", len(modules))
	}
	for _, m := range modules {
		if !regexp.MustCompile(`(?m)^(?:require )?\s*` + regexp.QuoteMeta(m[1]+" "+m[2]) + `(?: //.*)?$`).Match(required) {
			t.Errorf("go.mod does not require %s: go run .ci/notice.go > NOTICE", m[0])
		}
	}
}
