package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"stafett/gateway/desk"
)

func translateCommand() *cobra.Command {
	c := &client{}
	var from, to, typ string
	cmd := &cobra.Command{Use: "translate FILE", Short: "Dry run: what a message would become; nothing is stored", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, err := readInput(args[0])
			if err != nil {
				return err
			}
			q := url.Values{"from": {from}, "to": {to}, "type": {typ}}
			b, err := c.send(cmd.Context(), "POST", "/translate?"+q.Encode(), "application/octet-stream", bytes.NewReader(raw))
			if err != nil {
				return err
			}
			var v desk.Translation
			if err := json.Unmarshal(b, &v); err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if v.Output != "" && !c.asJSON {
				fmt.Fprintln(out, v.Output)
				return nil
			}
			return writeJSON(out, v)
		}}
	c.flags(cmd)
	cmd.Flags().StringVar(&from, "from", "hl7v2", "the message's wire: hl7v2 or kith")
	cmd.Flags().StringVar(&to, "to", "", "also make a message on this wire: hl7v2, kith or fhir")
	cmd.Flags().StringVar(&typ, "type", "", "the type of that message; the one that tells the same event when not given")
	return cmd
}

// readInput reads a file, or standard input for "-".
func readInput(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(io.LimitReader(os.Stdin, 20<<20))
	}
	return os.ReadFile(name)
}
