package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"stafett/handover"
)

// Limiter counts requests. ok is false for one above the caller's rate, which may come
// again after wait.
type Limiter interface {
	Allow(ctx context.Context, key string) (ok bool, wait time.Duration, err error)
}

// Limit holds each caller, by its token or else its address, to a rate, and has refuse
// answer what is above it. Where the count is out of reach nobody is held back: it guards
// speed, and losing it must not cost a message.
func Limit(l Limiter, refuse gin.HandlerFunc) gin.HandlerFunc {
	return func(c *gin.Context) {
		who := c.GetHeader("Authorization")
		if who == "" {
			who = c.ClientIP()
		}
		sum := sha256.Sum256([]byte(who))
		ok, wait, err := l.Allow(c, "rate|"+hex.EncodeToString(sum[:]))
		if err != nil || ok {
			return
		}
		c.Header("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		refuse(c)
		c.Abort()
	}
}

// Overload is the fault of a request above its caller's rate.
func Overload() error {
	return &handover.Fault{Kind: handover.FaultOverload, Op: "api.Limit", Text: "more requests than the limit: try again later"}
}

// TooManyRequests answers a request above its caller's rate.
func TooManyRequests(c *gin.Context) { fail(c, Overload()) }

// Recover answers a call that panicked as any unknown error. The value may hold content, so
// that only its type is logged.
func Recover(log *slog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler {
				panic(p)
			}
			log.Error("a call panicked", "route", c.FullPath(), "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			if !c.Writer.Written() {
				fail(c, &handover.Fault{Kind: handover.FaultUnknown, Op: "api.Recover"})
			}
		}()
		c.Next()
	}
}
