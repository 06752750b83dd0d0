package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

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

// limitRequests holds each caller, by its token or else its address, to a rate that all
// gateways count together. Where the count is out of reach nobody is held back: it guards
// speed, and losing it must not cost a message.
func (a *app) limitRequests(c *gin.Context) {
	perSecond := a.cfg.Limits.RequestsPerSecond
	if perSecond <= 0 {
		return
	}
	who := c.GetHeader("Authorization")
	if who == "" {
		who = c.ClientIP()
	}
	sum := sha256.Sum256([]byte(who))
	ok, wait, err := a.shared.Allow(c, "rate|"+hex.EncodeToString(sum[:]), ephemeral.Rate{PerSecond: float64(perSecond), Burst: 2 * perSecond})
	if err != nil || ok {
		return
	}
	c.Header("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
	c.AbortWithStatus(http.StatusTooManyRequests)
}
