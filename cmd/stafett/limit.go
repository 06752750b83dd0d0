package main

import (
	"context"
	"time"

	"stafett/ephemeral"
)

// openShared opens what several gateways share for a short time: in Redis where one is
// configured, else in this process.
func (a *app) openShared(ctx context.Context) error {
	if a.cfg.Redis == "" {
		a.shared = ephemeral.NewMemory(nil)
		return nil
	}
	url, err := secret(a.cfg.Redis)
	if err != nil {
		return err
	}
	a.shared, err = ephemeral.NewRedis(ctx, url)
	return err
}

// Allow counts a request against the configured rate, together with the other gateways.
func (a *app) Allow(ctx context.Context, key string) (ok bool, wait time.Duration, err error) {
	perSecond := a.cfg.Limits.RequestsPerSecond
	return a.shared.Allow(ctx, key, ephemeral.Rate{PerSecond: float64(perSecond), Burst: 2 * perSecond})
}
