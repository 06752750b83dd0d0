package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"stafett/api"
	"stafett/demo"
	"stafett/directory"
	"stafett/handover"
	"stafett/ledger"
)

func demoCommand() *cobra.Command {
	var once, verbose bool
	cmd := &cobra.Command{Use: "demo", Short: "Play a whole handover between three simulated parties, everything embedded",
		Long: "demo starts a gateway with an embedded ledger and event stream in a fresh folder on free ports, plays a stroke " +
			"patient's way from hospital to municipality and rehabilitation through real wires, prints what happened, and goes on " +
			"serving so that you can look around.", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), cmd.OutOrStdout(), once, verbose)
		}}
	cmd.Flags().BoolVar(&once, "once", false, "exit after the scenario: 0 when everything was as it should be, 1 when not")
	cmd.Flags().BoolVar(&verbose, "verbose", false, "also print the gateway's own log")
	return cmd
}

func runDemo(ctx context.Context, out io.Writer, once, verbose bool) error {
	dir, err := os.MkdirTemp("", "stafett-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tokens := demo.NewTokens()
	parties, err := demo.Start(tokens, nil)
	if err != nil {
		return err
	}
	defer parties.Close()
	cfg, err := demoConfig(dir, parties, tokens)
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	if verbose {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	start := time.Now()
	a, err := startApp(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { _ = a.shutdown() }()
	fmt.Fprintf(out, "Stafett is ready after %v: ledger and event stream in %s\n", time.Since(start).Round(time.Millisecond), dir)
	if err := playDemo(ctx, out, a, parties, tokens); err != nil || once {
		return err
	}
	if err := printNext(out, a, tokens, dir); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-a.failed:
		return err
	}
}

// demoConfig is the embedded defaults, with the answer's deadline short enough to watch.
func demoConfig(dir string, parties *demo.Parties, tokens demo.Tokens) (Config, error) {
	c := defaultConfig()
	c.HTTP.Listen = "127.0.0.1:0"
	c.MLLP = []MLLP{{Listen: "127.0.0.1:0", Party: demo.HospitalID}}
	c.Ledger.SQLite = filepath.Join(dir, "ledger.db")
	c.Events.Dir = filepath.Join(dir, "events")
	c.Self = Self{Name: "Stafett", HER: "80009", Facility: "STAFETT"}
	c.OperatorContact = demo.HospitalID
	c.Operators = []Operator{{Person: "Oda Operatør", Token: "file:" + filepath.Join(dir, "operator.token")}}
	c.Policy.AnswerDischarge = handover.Term{After: 4 * time.Second}
	c.Policy.AnswerDischargeThen = []time.Duration{3 * time.Second, 4 * time.Hour}
	c.Watch = 200 * time.Millisecond
	var err error
	if c.Directory, err = parties.WriteDirectory(dir, tokens); err != nil {
		return c, err
	}
	for party, name := range map[handover.PartyID]string{demo.HospitalID: "hospital", demo.MunicipalityID: "municipality", demo.InstitutionID: "institution"} {
		c.Events.Readers = append(c.Events.Readers, Reader{Party: party, Password: "file:" + filepath.Join(dir, name+".token")})
	}
	return c, c.validate()
}

// playDemo plays the scenario and prints each entry as it comes, then the record's own sum.
func playDemo(ctx context.Context, out io.Writer, a *app, parties *demo.Parties, tokens demo.Tokens) error {
	colour, step := isTerminal(out), ""
	base := "http://" + a.httpAddr
	_, err := demo.Run(ctx, demo.Config{Parties: parties, Tokens: tokens, MLLPAddr: a.mllpAddr[0],
		KITHURL: base + "/kith", FHIRURL: base + "/fhir", APIURL: base, NATSURL: a.bus.ClientURL(),
		OnEntry: func(e demo.Entry) {
			_ = e.Render(out, colour, e.Step != step)
			step = e.Step
		}})
	if err != nil {
		return err
	}
	b, err := a.ledger.Balance(ctx)
	if err != nil {
		return err
	}
	v, err := a.ledger.Verify(ctx, nil)
	if err != nil {
		return err
	}
	unheard, err := a.ledger.Unheard(ctx, ledger.ParkedFilter{Limit: 1})
	if err != nil {
		return err
	}
	fmt.Fprintln(out)
	printBalance(out, api.BalanceOf(b))
	if !b.Holds() || v.Finding != nil {
		return fmt.Errorf("the record is not whole: %+v", v.Finding)
	}
	if unheard.Total > 0 {
		return fmt.Errorf("%d messages were heard by nobody", unheard.Total)
	}
	fmt.Fprintf(out, "the chain of %d entries is whole, %d events published in order\n", v.Entries, v.Events)
	return nil
}

func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// printNext says what to try while the gateway goes on serving.
func printNext(out io.Writer, a *app, tokens demo.Tokens, dir string) error {
	nats, err := directory.ResolveSecret("file:" + filepath.Join(dir, "municipality.token"))
	if err != nil {
		return err
	}
	base := "http://" + a.httpAddr
	fmt.Fprintf(out, `
The gateway goes on serving. Try, in another terminal:

  what the municipality may read, over FHIR
    curl -s -H 'Authorization: Bearer %s' '%s/fhir/Task?status=accepted,in-progress'

  its events, from the first
    go run ./cmd/stafett events tail --nats %s --party %s --password %s

  open handovers, as the operator, and what happened to one message
    export STAFETT_URL=%s STAFETT_TOKEN=%s
    go run ./cmd/stafett handover list
    go run ./cmd/stafett parked list
    go run ./cmd/stafett ledger message ID

  proof that nothing is missing
    go run ./cmd/stafett ledger balance && go run ./cmd/stafett ledger verify && go run ./cmd/stafett ledger unheard

Ctrl-C ends it.
`, tokens.Municipality, base, a.bus.ClientURL(), demo.MunicipalityID, nats, base, tokens.Operator)
	return nil
}
