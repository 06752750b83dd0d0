package kernel

import "sync"

// keyedLocks serialise acts on one thing inside this process; between processes the
// ledger's versions do. They only save repeated decisions.
type keyedLocks struct {
	mu sync.Mutex
	at map[string]*keyedLock
}

type keyedLock struct {
	sync.Mutex
	users int
}

// lock returns when nobody else holds key, and returns what gives it back. The empty key
// is everybody's.
func (l *keyedLocks) lock(key string) func() {
	if key == "" {
		return func() {}
	}
	l.mu.Lock()
	if l.at == nil {
		l.at = map[string]*keyedLock{}
	}
	k := l.at[key]
	if k == nil {
		k = &keyedLock{}
		l.at[key] = k
	}
	k.users++
	l.mu.Unlock()
	k.Lock()
	return func() {
		k.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if k.users--; k.users == 0 {
			delete(l.at, key)
		}
	}
}
