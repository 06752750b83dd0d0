package main

import (
	"context"
	"time"

	"stafett/ephemeral"
)

// openShared opens what several gateways share for a short time: in Redis where one is
// configured, else in this process.
func (a *app) openShared(redis string) error {
	if redis == "" {
		a.shared = ephemeral.NewMemory(nil)
		return nil
	}
	shared, err := ephemeral.NewShared(redis, ephemeral.SharedOptions{Changed: func(away error) {
		if away != nil {
			a.metrics.sharedAway.Set(1)
			a.log.Warn("Redis is out of reach: callers' rates are counted in this process alone", "cause", away.Error())
			return
		}
		a.metrics.sharedAway.Set(0)
		a.log.Info("Redis is back: callers' rates are counted together again")
	}})
	if err == nil {
		a.shared = shared
	}
	return err
}

// Allow counts a request against the configured rate, together with the other gateways.
func (a *app) Allow(ctx context.Context, key string) (ok bool, wait time.Duration, err error) {
	perSecond := a.cfg.Limits.RequestsPerSecond
	return a.shared.Allow(ctx, key, ephemeral.Rate{PerSecond: float64(perSecond), Burst: 2 * perSecond})
}
