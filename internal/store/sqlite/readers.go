package sqlite

import (
	"context"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/store/backend"
)

// keepReaders connections stay open. Reading costs processor time and no waiting, so more would
// gain nothing; but a View within a View needs a second one, so when all are held for longer than
// patience another is opened, to be closed after use.
const (
	keepReaders = 4
	patience    = 2 * time.Millisecond
)

type readers struct {
	dial func() (*conn, error)
	idle chan *conn

	mu     sync.Mutex
	open   int // connections that exist
	closed bool
	wg     sync.WaitGroup // running views
}

func newReaders(dial func() (*conn, error)) *readers {
	return &readers{dial: dial, idle: make(chan *conn, keepReaders)}
}

// get takes an idle connection, or a new one while there are few, or waits a little.
func (r *readers) get(ctx context.Context) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case c := <-r.idle:
		return c, nil
	default:
	}
	r.mu.Lock()
	few := r.open < keepReaders
	if few {
		r.open++
	}
	r.mu.Unlock()
	if !few {
		t := time.NewTimer(patience)
		defer t.Stop()
		select {
		case c := <-r.idle:
			return c, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-t.C:
		}
		r.mu.Lock()
		r.open++
		r.mu.Unlock()
	}
	c, err := r.dial()
	if err != nil {
		r.gone()
		return nil, sqlError(err)
	}
	return c, nil
}

func (r *readers) gone() {
	r.mu.Lock()
	r.open--
	r.mu.Unlock()
}

func (r *readers) put(c *conn) {
	if !c.broken {
		select {
		case r.idle <- c:
			return
		default:
		}
	}
	c.close()
	r.gone()
}

func (r *readers) view(ctx context.Context, f func(backend.Conn) error) error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return backend.ErrClosed
	}
	r.wg.Add(1)
	r.mu.Unlock()
	defer r.wg.Done()

	c, err := r.get(ctx)
	if err != nil {
		return err
	}
	// Deferred, so that the connection comes back when f panics or ends its goroutine.
	defer func() {
		c.finish()
		if c.run("COMMIT") != nil {
			c.broken = true
		}
		r.put(c)
	}()
	if err := c.run("BEGIN"); err != nil {
		c.broken = true
		return err
	}
	return f(c)
}

// close waits for the running views and closes the connections.
func (r *readers) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.wg.Wait()
	for {
		select {
		case c := <-r.idle:
			c.close()
		default:
			return
		}
	}
}
