package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// client asks a running gateway as a named person or a party.
type client struct {
	url, token string
}

// flags puts --url and --token on a command; STAFETT_URL and STAFETT_TOKEN are their defaults.
func (c *client) flags(cmd *cobra.Command) {
	def := os.Getenv("STAFETT_URL")
	if def == "" {
		def = "http://127.0.0.1:8080"
	}
	cmd.PersistentFlags().StringVar(&c.url, "url", def, "the gateway's address (STAFETT_URL)")
	cmd.PersistentFlags().StringVar(&c.token, "token", os.Getenv("STAFETT_TOKEN"), "your bearer token (STAFETT_TOKEN)")
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
		var p problem
		if json.Unmarshal(raw, &p) == nil && p.Title != "" {
			return nil, fmt.Errorf("%s: %s (correlation %s)%s", p.Title, p.Detail, p.Correlation, allowed(p))
		}
		return nil, fmt.Errorf("the gateway answered %s", resp.Status)
	}
	return raw, nil
}

func allowed(p problem) string {
	if len(p.Allowed) == 0 {
		return ""
	}
	s := make([]string, len(p.Allowed))
	for i, e := range p.Allowed {
		s[i] = string(e)
	}
	return "; allowed now: " + strings.Join(s, ", ")
}

func escaped(s string) string { return url.PathEscape(s) }
