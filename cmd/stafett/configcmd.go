package main

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"stafett/demo"
)

func configCommand() *cobra.Command {
	return group("config", "Check a configuration, or print one to begin with", configCheck(), configExample())
}

// checked is what config check prints as JSON.
type checked struct {
	File string `json:"file"`
	// Usable says that there are no problems: serve would go on to open its stores and ports.
	Usable   bool     `json:"usable"`
	Problems []string `json:"problems,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

func configCheck() *cobra.Command {
	var config string
	c := &client{}
	cmd := &cobra.Command{Use: "check", Short: "Read the configuration and all that it refers to, as serve does; exit 1 with every problem found", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := checkFile(configOf(config))
			if err := c.print(cmd, v, func(out io.Writer) { printChecked(out, v) }); err != nil {
				return err
			}
			if !v.Usable {
				return exitCode(1)
			}
			return nil
		}}
	cmd.Flags().StringVar(&config, "config", "", "the configuration file; else STAFETT_CONFIG, else stafett.yaml")
	cmd.Flags().BoolVar(&c.asJSON, "json", false, "print it as JSON")
	return cmd
}

func checkFile(path string) checked {
	v := checked{File: path}
	cfg, err := loadConfig(path)
	if err == nil {
		var in *installation
		if in, err = inspect(cfg); in != nil {
			v.Warnings = in.warnings
		}
	}
	if err != nil {
		v.Problems = strings.Split(err.Error(), "\n")
	}
	v.Usable = err == nil
	return v
}

func printChecked(out io.Writer, v checked) {
	for _, w := range v.Warnings {
		fmt.Fprintln(out, "warning:", w)
	}
	for _, p := range v.Problems {
		fmt.Fprintln(out, p)
	}
	if v.Usable {
		fmt.Fprintln(out, v.File, "can be used")
	}
}

//go:embed example.yaml
var exampleText string

// tokenPlace is where the example names whose token's digest stands there.
var tokenPlace = regexp.MustCompile(`\{\{([a-z-]+)\}\}`)

// exampleConfig is a whole configuration with new tokens, and these by whose they are.
func exampleConfig() (text string, tokens [][2]string) {
	text = tokenPlace.ReplaceAllStringFunc(exampleText, func(place string) string {
		token := demo.NewToken()
		tokens = append(tokens, [2]string{strings.Trim(place, "{}"), token})
		sum := sha256.Sum256([]byte(token))
		return hex.EncodeToString(sum[:])
	})
	return text, tokens
}

func configExample() *cobra.Command {
	return &cobra.Command{Use: "example", Short: "Print a whole configuration that starts as it is, and on standard error its new tokens", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, tokens := exampleConfig()
			for _, t := range tokens {
				fmt.Fprintf(cmd.ErrOrStderr(), "token of %s: %s\n", t[0], t[1])
			}
			fmt.Fprintln(cmd.ErrOrStderr(), "keep them: the configuration holds their digests only")
			_, err := io.WriteString(cmd.OutOrStdout(), text)
			return err
		}}
}
