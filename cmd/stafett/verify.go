package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/gin-gonic/gin"
	"github.com/spf13/cobra"

	"stafett/api"
	"stafett/ledger"
	"stafett/ledger/sqlite"
)

// checkpointOf is where the checkpoint of a copy stands beside it.
func checkpointOf(copied string) string { return copied + ".checkpoint.json" }

func ledgerVerify(c *client) *cobra.Command {
	var against, file string
	cmd := &cobra.Command{Use: "verify", Short: "Verify the digest chain and every row it covers; exit 2 at the first finding", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file != "" {
				end, err := c.onCopy(file)
				if err != nil {
					return err
				}
				defer end()
				if _, err := os.Stat(checkpointOf(file)); against == "" && err == nil {
					against = checkpointOf(file)
				}
			}
			v, err := c.verify(cmd.Context(), against)
			if err == nil {
				err = c.print(cmd, v, func(out io.Writer) { printVerification(out, v, against) })
			}
			if err != nil {
				return err
			}
			return wholeOr2(v.Whole)
		}}
	cmd.Flags().StringVar(&against, "checkpoint", "", "also hold against a checkpoint that was kept outside")
	cmd.Flags().StringVar(&file, "file", "", "verify this SQLite file that nobody writes, as a backup, and against its checkpoint FILE.checkpoint.json where there is one")
	return cmd
}

func (c *client) verify(ctx context.Context, against string) (v api.Verification, err error) {
	cp, err := readCheckpoint(against)
	if err == nil {
		err = c.call(ctx, "POST", "/ledger/verify", cp, &v)
	}
	return v, err
}

// onCopy has calls about the record answered by a file of it.
func (c *client) onCopy(file string) (end func(), err error) {
	record, close, err := sqlite.OpenCopy(file)
	if err != nil {
		return nil, err
	}
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	api.Mount(r, api.Options{Record: record, Callers: atTheStore{}})
	c.http = &http.Client{Transport: inProcess{r}}
	return func() { _ = close() }, nil
}

func printVerification(out io.Writer, v api.Verification, against string) {
	fmt.Fprintf(out, "%d entries, %d events, %d erased by law, head %s\n", v.Entries, v.Events, v.Erased, v.Head)
	if f := v.Finding; f != nil {
		fmt.Fprintf(out, "NOT WHOLE: entry %d %s: %s\n", f.Entry, f.Problem, f.Detail)
		return
	}
	if against == "" {
		fmt.Fprintln(out, "the chain is whole; what was cut off at its end only a checkpoint shows (--checkpoint)")
		return
	}
	fmt.Fprintln(out, "the chain is whole, and holds the checkpoint", against)
}

func readCheckpoint(path string) (*ledger.Checkpoint, error) {
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	cp := &ledger.Checkpoint{}
	if err := json.Unmarshal(b, cp); err != nil || cp.Epoch == "" {
		return nil, fmt.Errorf("%s is no checkpoint", path)
	}
	return cp, nil
}

func ledgerCheckpoint(c *client) *cobra.Command {
	var to string
	cmd := &cobra.Command{Use: "checkpoint", Short: "Print the chain's head, to be kept outside the ledger", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var cp ledger.Checkpoint
			if err := c.call(cmd.Context(), "GET", "/ledger/checkpoint", nil, &cp); err != nil {
				return err
			}
			if to != "" {
				return writeCheckpoint(to, cp)
			}
			return writeJSON(cmd.OutOrStdout(), cp)
		}}
	cmd.Flags().StringVar(&to, "out", "", "write it into this new file, its owner's alone")
	return cmd
}

// writeCheckpoint makes a new file: an older checkpoint is never replaced.
func writeCheckpoint(path string, cp ledger.Checkpoint) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(writeJSON(f, cp), f.Sync(), f.Close())
}

// backedUp is what ledger backup prints as JSON.
type backedUp struct {
	File       string           `json:"file"`
	Checkpoint string           `json:"checkpoint"`
	Verified   api.Verification `json:"verified"`
}

func ledgerBackup(c *client) *cobra.Command {
	return &cobra.Command{Use: "backup FILE", Short: "Copy the SQLite ledger of --config into a new file, while the gateway runs or not, and verify the copy",
		Long: "backup writes a consistent copy with all that is committed, FILE.checkpoint.json with the head of its chain, and verifies the copy. " +
			"Both files are their owner's alone. PostgreSQL has pg_dump.", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadConfig(configOf(c.config))
			if err != nil {
				return err
			}
			if cfg.Ledger.SQLite == "" {
				return errors.New("the ledger is in PostgreSQL: copy it with pg_dump (docs/operations.md)")
			}
			v, err := c.backup(cmd.Context(), cfg.Ledger.SQLite, args[0])
			if err == nil {
				err = c.print(cmd, v, func(out io.Writer) {
					fmt.Fprintln(out, "copied to", v.File)
					printVerification(out, v.Verified, v.Checkpoint)
				})
			}
			if err != nil {
				return err
			}
			return wholeOr2(v.Verified.Whole)
		}}
}

// backup copies under a passing name, so that a copy which was broken off is never taken
// for one.
func (c *client) backup(ctx context.Context, from, to string) (backedUp, error) {
	v := backedUp{File: to, Checkpoint: checkpointOf(to)}
	for _, name := range []string{v.File, v.Checkpoint} {
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			return v, fmt.Errorf("%s is there already: a copy replaces nothing", name)
		}
	}
	part := to + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return v, err
	}
	if err := sqlite.Backup(ctx, from, part); err != nil {
		return v, err
	}
	var cp ledger.Checkpoint
	end, err := c.onCopy(part)
	if err != nil {
		return v, err
	}
	defer end()
	if err := c.call(ctx, "GET", "/ledger/checkpoint", nil, &cp); err != nil {
		return v, err
	}
	if v.Verified, err = c.verify(ctx, ""); err != nil {
		return v, err
	}
	if err := writeCheckpoint(v.Checkpoint, cp); err != nil {
		return v, err
	}
	return v, errors.Join(os.Rename(part, to), syncFolder(to))
}

// syncFolder makes a new name last.
func syncFolder(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
