package bench

import (
	"bytes"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// load calls f b.N times from a number of callers, and reports what each call took, and what it cost the
// process p (nil: the benchmark's own). It returns the processor time of one call, in microseconds.
func load(b *testing.B, p *process, callers int, f func() error) float64 {
	b.Helper()
	if err := f(); err != nil { // what is made on first use is not measured
		b.Fatal(err)
	}
	ask := used
	if p != nil {
		ask = p.ask
	}
	times := make([]time.Duration, b.N)
	var next atomic.Int64
	var failed atomic.Value
	before := ask()
	b.ResetTimer()
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= b.N {
					return
				}
				begun := time.Now()
				if err := f(); err != nil {
					failed.Store(err)
					return
				}
				times[i] = time.Since(begun)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	after := ask()
	if err := failed.Load(); err != nil {
		b.Fatal(err)
	}
	each := func(n float64) float64 { return n / float64(b.N) }
	b.ReportMetric(0, "ns/op") // req/s and the quantiles say it better
	report(b, times)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
	cost := each(float64(after.CPU-before.CPU) / 1e3)
	b.ReportMetric(cost, "cpu-µs")
	b.ReportMetric(each(float64(after.Allocs-before.Allocs)), "allocs/req")
	b.ReportMetric(each(float64(after.Bytes-before.Bytes)), "B/req")
	return cost
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

func report(b *testing.B, times []time.Duration) {
	b.ReportMetric(float64(median(times).Nanoseconds())/1e3, "p50-µs")
	b.ReportMetric(float64(times[len(times)*99/100].Nanoseconds())/1e3, "p99-µs")
}

// conn is a connection that sends one request over and over: a load generator that costs much less than
// what it measures.
type conn struct {
	net.Conn
	buf [4096]byte
}

// get returns a function that asks target with a token, on a connection from a pool.
func get(tb testing.TB, target, token string) func() error {
	return ask(tb, target, "Authorization", "Bearer "+token)
}

// ask returns a function that asks target with a header, names and values in turn, on a connection from a
// pool.
func ask(tb testing.TB, target string, header ...string) func() error {
	u, err := url.Parse(target)
	if err != nil {
		tb.Fatal(err)
	}
	text := "GET " + u.RequestURI() + " HTTP/1.1\r\nHost: " + u.Host + "\r\n"
	for i := 0; i+1 < len(header); i += 2 {
		text += header[i] + ": " + header[i+1] + "\r\n"
	}
	request := []byte(text + "\r\n")
	conns := make(chan *conn, 100)
	tb.Cleanup(func() {
		for len(conns) > 0 {
			(<-conns).Close()
		}
	})
	return func() error {
		var c *conn
		select {
		case c = <-conns:
		default:
			d, err := net.Dial("tcp", u.Host)
			if err != nil {
				return err
			}
			c = &conn{Conn: d}
		}
		if err := c.roundTrip(request); err != nil {
			c.Close()
			return err
		}
		conns <- c
		return nil
	}
}

var (
	headEnd = []byte("\r\n\r\n")
	ok      = []byte("HTTP/1.1 200")
	length  = []byte("Content-Length: ")
)

func (c *conn) roundTrip(request []byte) error {
	if _, err := c.Write(request); err != nil {
		return err
	}
	for n := 0; ; {
		m, err := c.Read(c.buf[n:])
		if err != nil {
			return err
		}
		n += m
		head, body, whole := bytes.Cut(c.buf[:n], headEnd)
		if !whole {
			continue
		}
		if !bytes.HasPrefix(head, ok) {
			return fmt.Errorf("answer: %s", c.buf[:n])
		}
		i := bytes.Index(head, length)
		if i < 0 {
			return fmt.Errorf("no length: %s", head)
		}
		text, _, _ := bytes.Cut(head[i+len(length):], headEnd[:2])
		if want, err := strconv.Atoi(string(text)); err != nil || len(body) >= want {
			return err
		}
	}
}
