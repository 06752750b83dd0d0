package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stafett/api"
)

// client asks a running gateway as a named person or a party.
type client struct {
	url, token string
	asJSON     bool
}

// flags puts --url, --token and --json on a command; STAFETT_URL and STAFETT_TOKEN are
// defaults.
func (c *client) flags(cmd *cobra.Command) {
	def := os.Getenv("STAFETT_URL")
	if def == "" {
		def = "http://127.0.0.1:8080"
	}
	cmd.PersistentFlags().StringVar(&c.url, "url", def, "the gateway's address (STAFETT_URL)")
	cmd.PersistentFlags().StringVar(&c.token, "token", os.Getenv("STAFETT_TOKEN"), "your bearer token (STAFETT_TOKEN)")
	cmd.PersistentFlags().Lookup("token").DefValue = "" // help does not print it
	cmd.PersistentFlags().BoolVar(&c.asJSON, "json", false, "print the answer as JSON")
}

// print prints what the gateway answered: as JSON, or as readable does it.
func (c *client) print(cmd *cobra.Command, v any, readable func(out io.Writer)) error {
	if c.asJSON {
		return writeJSON(cmd.OutOrStdout(), v)
	}
	readable(cmd.OutOrStdout())
	return nil
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// wholeOr2 is the exit status of a command that proves something.
func wholeOr2(whole bool) error {
	if whole {
		return nil
	}
	return exitCode(2)
}

// listAll reads a list to its end, page by page.
func listAll[T any](ctx context.Context, c *client, path string, query url.Values) (api.List[T], error) {
	all := api.List[T]{Items: []T{}}
	query.Set("limit", "1000")
	for {
		var page api.List[T]
		if err := c.call(ctx, "GET", path+"?"+query.Encode(), nil, &page); err != nil {
			return all, err
		}
		all.Items, all.Total = append(all.Items, page.Items...), page.Total
		if page.Next == "" {
			return all, nil
		}
		query.Set("after", page.Next)
	}
}

// call sends in as JSON, when not nil, and reads the answer into out.
func (c *client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	raw, err := c.send(ctx, method, path, "application/json", body)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, out)
}

func (c *client) send(ctx context.Context, method, path, contentType string, body io.Reader) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(c.url, "/")+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("no answer from the gateway: %w", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 {
		var p api.Problem
		if json.Unmarshal(raw, &p) == nil && p.Title != "" {
			return nil, errors.New(p.String())
		}
		return nil, fmt.Errorf("the gateway answered %s", resp.Status)
	}
	return raw, nil
}

func escaped(s string) string { return url.PathEscape(s) }
