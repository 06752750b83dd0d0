package ephemeral

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis is a Store that nodes share.
type Redis struct{ client *redis.Client }

var _ Store = (*Redis)(nil)

var errAddress = errors.New("ephemeral: Redis address is not a redis:// URL")

// keyPrefix keeps this program's keys apart in a shared server.
const keyPrefix = "stafett:"

// CheckAddress refuses what is no redis:// or rediss:// URL. The error does not hold it,
// since a password may stand there.
func CheckAddress(url string) error {
	if _, err := redis.ParseURL(url); err != nil {
		return errAddress
	}
	return nil
}

// dial makes the client, which connects when it is first used.
func dial(url string) (*Redis, error) {
	opts, err := redis.ParseURL(url)
	if err != nil {
		return nil, errAddress
	}
	opts.DialTimeout, opts.ReadTimeout, opts.WriteTimeout = 2*time.Second, time.Second, time.Second
	// A caller can go on without this state, so it is told early.
	opts.MaxRetries, opts.DialerRetries = 1, 1
	redis.SetLogger(silent{})
	return &Redis{client: redis.NewClient(opts)}, nil
}

func (r *Redis) ping(ctx context.Context) error {
	if err := r.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("ephemeral: Redis does not answer: %w", err)
	}
	return nil
}

// takeToken is the bucket in one step on the server, by the server's clock: nodes whose
// clocks differ share one bucket.
var takeToken = redis.NewScript(`
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local t = redis.call('TIME')
local now = tonumber(t[1]) + tonumber(t[2]) / 1000000
local had = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(had[1]) or burst
local at = tonumber(had[2]) or now
tokens = math.min(burst, tokens + math.max(0, now - at) * rate)
local wait = 0
if tokens >= 1 then tokens = tokens - 1 else wait = math.ceil((1 - tokens) / rate * 1000) end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.9f', tokens), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.max(1, math.ceil((burst - tokens) / rate * 1000)))
return wait`)

// Allow implements Store.
func (r *Redis) Allow(ctx context.Context, key string, rate Rate) (bool, time.Duration, error) {
	if err := check(key, rate); err != nil {
		return false, 0, err
	}
	wait, err := takeToken.Run(ctx, r.client, []string{keyPrefix + "b:" + key}, rate.PerSecond, rate.Burst).Int64()
	if err != nil {
		return false, 0, wrap(err)
	}
	return wait == 0, time.Duration(wait) * time.Millisecond, nil
}

// Close implements Store.
func (r *Redis) Close() error { return wrap(r.client.Close()) }

func wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("ephemeral: Redis: %w", err)
}

// silent keeps the client from writing to standard error: what it would say is returned.
type silent struct{}

// Printf drops the line.
func (silent) Printf(context.Context, string, ...interface{}) {}
