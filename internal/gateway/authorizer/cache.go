package authorizer

import (
	"strings"
	"sync"
	"time"
)

// Cache keeps what functions have said, by authorizer and identity. The key is the whole of the identity, not
// a digest of it, so that nobody can be taken for somebody else. The zero value is ready; it may be used by
// many goroutines.
type Cache struct {
	mu      sync.RWMutex
	results map[string]kept
	bytes   int
}

type kept struct {
	res     *LambdaResult
	expires time.Time
}

// maxCacheBytes bounds the keys of a Cache together with a share for each result.
const (
	maxCacheBytes = 32 << 20
	resultShare   = 1 << 10
)

func (c *Cache) get(key []byte, now time.Time) *LambdaResult {
	c.mu.RLock()
	k, ok := c.results[string(key)]
	c.mu.RUnlock()
	if !ok || !now.Before(k.expires) {
		return nil
	}
	return k.res
}

func (c *Cache) put(key []byte, res *LambdaResult, expires, now time.Time) {
	size := len(key) + resultShare
	if size > maxCacheBytes/64 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.results == nil {
		c.results = make(map[string]kept)
	}
	if c.bytes+size > maxCacheBytes {
		for k, v := range c.results {
			if !now.Before(v.expires) || c.bytes+size > maxCacheBytes/2 { // what has expired, then whatever comes first
				delete(c.results, k)
				c.bytes -= len(k) + resultShare
			}
		}
	}
	if _, ok := c.results[string(key)]; !ok {
		c.bytes += size
	}
	c.results[string(key)] = kept{res, expires}
}

// Flush forgets what the authorizers of a stage have said; an empty stage stands for all of the API's.
func (c *Cache) Flush(apiID, stage string) {
	prefix := apiID + "/"
	if stage != "" {
		prefix += stage + "/"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for k := range c.results {
		if strings.HasPrefix(k, prefix) {
			delete(c.results, k)
			c.bytes -= len(k) + resultShare
		}
	}
}
