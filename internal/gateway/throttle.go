package gateway

import (
	"sync"
	"time"
)

// bucket is a token bucket.
type bucket struct {
	rate, burst float64

	mu     sync.Mutex
	tokens float64
	last   time.Time
}

func (b *bucket) take(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if passed := now.Sub(b.last).Seconds(); passed > 0 {
		if !b.last.IsZero() {
			b.tokens = min(b.burst, b.tokens+passed*b.rate)
		}
		b.last = now
	}
	if b.tokens < 1 || b.rate == 0 {
		return false
	}
	b.tokens--
	return true
}
