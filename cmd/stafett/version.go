package main

import (
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// build is what this binary was made of.
type build struct {
	Version string `json:"version"`
	// Revision is the source's, with its time; Modified says that it was changed since.
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
}

func buildOf(info *debug.BuildInfo, ok bool) build {
	if !ok {
		return build{Version: "unknown"}
	}
	b := build{Version: info.Main.Version, Go: info.GoVersion}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// version is the revision that the binary was built from, or else the module's version.
func version() string {
	b := buildOf(debug.ReadBuildInfo())
	if b.Revision != "" {
		return b.Revision
	}
	return b.Version
}

func versionCommand() *cobra.Command {
	c := &client{}
	cmd := &cobra.Command{Use: "version", Short: "Print which source this binary was made of", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := buildOf(debug.ReadBuildInfo())
			return c.print(cmd, b, func(out io.Writer) {
				fmt.Fprintf(out, "stafett %s\n", b.Version)
				if b.Revision != "" {
					changed := ""
					if b.Modified {
						changed = ", with changes"
					}
					fmt.Fprintf(out, "revision %s of %s%s\n", b.Revision, b.Time, changed)
				}
				fmt.Fprintln(out, b.Go)
			})
		}}
	cmd.Flags().BoolVar(&c.asJSON, "json", false, "print it as JSON")
	return cmd
}
