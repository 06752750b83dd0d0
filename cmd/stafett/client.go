package main

import (
	"bytes"
	"cmp"
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
	"stafett/transport"
)

// client asks a running gateway as a named person or a party, or, with a configuration,
// the store that it names.
type client struct {
	url, token, ca string
	asJSON         bool

	config string       // --config: ask the store itself
	http   *http.Client // made at the first call
}

// flags puts --url, --token, --ca and --json on a command. What the environment says is read
// when a call is made, so that no help text prints it.
func (c *client) flags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVar(&c.url, "url", "", "the gateway's address; else STAFETT_URL, else http://127.0.0.1:8080")
	f.StringVar(&c.token, "token", "", "your bearer token, or env:NAME or file:PATH; else STAFETT_TOKEN")
	f.StringVar(&c.ca, "ca", "", "PEM file of who signed the gateway's certificate; else STAFETT_CA, else the system's")
	f.BoolVar(&c.asJSON, "json", false, "print the answer as JSON")
}

// connect makes the HTTP client.
func (c *client) connect() error {
	if c.http != nil {
		return nil
	}
	config, err := transport.ClientTLS(transport.Files{CA: cmp.Or(c.ca, os.Getenv("STAFETT_CA"))})
	if err != nil {
		return err
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = config
	c.http = &http.Client{Transport: t}
	return nil
}

// print prints what the gateway answered: as JSON, or as readable does it.
func (c *client) print(cmd *cobra.Command, v any, readable func(out io.Writer)) error {
	if c.asJSON {
		return writeJSON(cmd.OutOrStdout(), v)
	}
	readable(cmd.OutOrStdout())
	return nil
}

// counted is a number of things, in words: 1 message, 2 messages.
func counted(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
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
	token, err := secret(cmp.Or(c.token, os.Getenv("STAFETT_TOKEN")))
	if err == nil {
		err = c.connect()
	}
	if err != nil {
		return nil, err
	}
	base := cmp.Or(c.url, os.Getenv("STAFETT_URL"), "http://127.0.0.1:8080")
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(base, "/")+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := c.http.Do(req)
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
