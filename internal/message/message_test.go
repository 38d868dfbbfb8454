package message

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime/quotedprintable"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

func testKey(t testing.TB) *seal.Key {
	t.Helper()
	box, err := seal.FromBytes(make([]byte, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return box
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time       { c.mu.Lock(); defer c.mu.Unlock(); return c.at }
func (c *clock) pass(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.at = c.at.Add(d) }

func open(t *testing.T, url string, c *clock, smtp string) (*store.DB, *Outbox) {
	t.Helper()
	db := storetest.OpenOptions(t, store.Options{URL: url, Now: c.now})
	b, err := New(db, testKey(t), Options{SMTP: smtp, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return db, b
}

func enqueue(t *testing.T, db *store.DB, b *Outbox, m Message) {
	t.Helper()
	if err := db.Update(t.Context(), func(tx *store.Tx) error { return b.Enqueue(tx, m) }); err != nil {
		t.Fatal(err)
	}
}

func list(t *testing.T, b *Outbox, f Filter, limit int) []Message {
	t.Helper()
	l, err := b.List(t.Context(), f, limit)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestStored(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		c := &clock{at: time.UnixMilli(1.8e12)}
		db, b := open(t, url, c, "")
		for i := range 5 {
			enqueue(t, db, b, Message{Scope: "pool", Channel: Email, Kind: "SignUp", Username: fmt.Sprint("u", i), To: fmt.Sprintf("U%d@example.com", i), Subject: "Hi", Body: "Code 4711", Code: "4711"})
		}
		c.pass(time.Hour)
		enqueue(t, db, b, Message{Scope: "other", Channel: SMS, Kind: "Invitation", Username: "x", To: "+1", Body: "b"})
		all := list(t, b, Filter{}, 0)
		if len(all) != 6 || all[0].Username != "x" || all[1].Username != "u4" || all[5].Username != "u0" {
			t.Fatalf("%+v", all)
		}
		if m := all[5]; m.Subject != "Hi" || m.Body != "Code 4711" || m.Code != "4711" || m.State != Stored || m.From != DefaultFrom || !m.Created.Equal(time.UnixMilli(1.8e12)) || len(m.ID) != 32 {
			t.Errorf("%+v", m)
		}
		if all[0].From != "" {
			t.Errorf("an SMS from %s", all[0].From)
		}
		for _, x := range []struct {
			f    Filter
			want int
		}{{Filter{Scope: "pool"}, 5}, {Filter{Channel: SMS}, 1}, {Filter{Kind: "SignUp"}, 5}, {Filter{To: "u3@EXAMPLE.com"}, 1}, {Filter{Username: "u3"}, 1}, {Filter{Since: c.now()}, 1}, {Filter{Scope: "none"}, 0}} {
			if got := list(t, b, x.f, 10); len(got) != x.want {
				t.Errorf("%+v: %d messages", x.f, len(got))
			}
		}
		if got := list(t, b, Filter{}, 2); len(got) != 2 {
			t.Errorf("%d messages, limit 2", len(got))
		}

		// The code is not in the database as it is.
		err := db.View(t.Context(), func(tx *store.Tx) error {
			rows, err := tx.Query(`SELECT content FROM messages`)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var content []byte
				if err := rows.Scan(&content); err != nil {
					return err
				}
				if bytes.Contains(content, []byte("4711")) {
					t.Error("a code in clear")
				}
			}
			return rows.Err()
		})
		if err != nil {
			t.Error(err)
		}

		undone := errors.New("undone")
		if err := db.Update(t.Context(), func(tx *store.Tx) error {
			if err := b.Enqueue(tx, Message{Scope: "pool", Channel: Email, To: "a@b"}); err != nil {
				return err
			}
			return undone
		}); !errors.Is(err, undone) {
			t.Error(err)
		}
		if err := db.Update(t.Context(), func(tx *store.Tx) error { return b.DeleteScope(tx, "other") }); err != nil {
			t.Error(err)
		}
		if got := list(t, b, Filter{}, 0); len(got) != 5 {
			t.Errorf("%d messages", len(got))
		}
		c.pass(Retention)
		for range 2000 { // one in 128 sweeps
			enqueue(t, db, b, Message{Scope: "new", Channel: SMS, To: "+1"})
			if len(list(t, b, Filter{Scope: "pool"}, 0)) == 0 {
				return
			}
		}
		t.Error("old messages stay")
	})
}

// mailServer is an SMTP server (RFC 5321) that refuses the first messages.
type mailServer struct {
	addr   string
	mu     sync.Mutex
	refuse int
	got    []string
}

func newMailServer(t *testing.T, refuse int) *mailServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := &mailServer{addr: l.Addr().String(), refuse: refuse}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return s
}

func (s *mailServer) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	fmt.Fprint(conn, "220 test\r\n")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		switch verb := strings.ToUpper(line[:min(4, len(line))]); verb {
		case "EHLO":
			fmt.Fprint(conn, "250-test\r\n250 8BITMIME\r\n")
		case "DATA":
			fmt.Fprint(conn, "354 go\r\n")
			var text strings.Builder
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				text.WriteString(line)
			}
			s.mu.Lock()
			refused := s.refuse > 0
			if refused {
				s.refuse--
			} else {
				s.got = append(s.got, text.String())
			}
			s.mu.Unlock()
			if refused {
				fmt.Fprint(conn, "451 later\r\n")
			} else {
				fmt.Fprint(conn, "250 taken\r\n")
			}
		case "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return
		default:
			fmt.Fprint(conn, "250 fine\r\n")
		}
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatal("not in time: " + what)
}

func TestDelivery(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		server := newMailServer(t, 1)
		c := &clock{at: time.Now()}
		db, b := open(t, url, c, "smtp://"+server.addr)
		enqueue(t, db, b, Message{Scope: "pool", Channel: SMS, To: "+1", Body: "b"})
		enqueue(t, db, b, Message{Scope: "pool", Channel: Email, To: "ann@example.com", From: "Shop <shop@example.com>", Subject: "Grüße", Body: "Your code is <b>4711</b>", Code: "4711"})
		var m Message
		eventually(t, "the first attempt", func() bool { m = list(t, b, Filter{Channel: Email}, 1)[0]; return m.Attempts == 1 })
		if m.State != Queued || !strings.Contains(m.Error, "451") || (firstRetry-m.Next.Sub(c.now())).Abs() > time.Millisecond {
			t.Errorf("%+v", m)
		}
		c.pass(firstRetry)
		b.nudge() // the clock moved, not the time
		eventually(t, "delivery", func() bool { m = list(t, b, Filter{Channel: Email}, 1)[0]; return m.State == Sent })
		if m.Attempts != 2 || m.Error != "" || m.Sent.IsZero() {
			t.Errorf("%+v", m)
		}
		server.mu.Lock()
		defer server.mu.Unlock()
		if len(server.got) != 1 {
			t.Fatalf("%d mails", len(server.got))
		}
		head, body, _ := strings.Cut(server.got[0], "\r\n\r\n")
		for _, want := range []string{"To: <ann@example.com>", `From: "Shop" <shop@example.com>`, "Content-Type: text/html; charset=UTF-8", "Message-ID: <" + m.ID + "@gatehouse>"} {
			if !strings.Contains(head, want) {
				t.Errorf("no %s in\n%s", want, head)
			}
		}
		var text bytes.Buffer
		text.ReadFrom(quotedprintable.NewReader(strings.NewReader(body)))
		if strings.TrimSpace(text.String()) != "Your code is <b>4711</b>" {
			t.Errorf("body %q", text.String())
		}
		if m := list(t, b, Filter{Channel: SMS}, 1)[0]; m.State != Stored {
			t.Errorf("%+v", m)
		}
	})
}

// TestGivingUp: a message whose server never takes it fails in the end; one that waits survives.
func TestGivingUp(t *testing.T) {
	c := &clock{at: time.Now()}
	db, b := open(t, "memory:", c, "")
	b.send = func(context.Context, *Message) error { return errors.New("no") }
	enqueue(t, db, b, Message{Scope: "pool", Channel: Email, To: "ann@example.com"})
	var waits []time.Duration
	for range maxAttempts {
		next, err := b.deliverDue(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !next.IsZero() {
			waits = append(waits, next.Sub(c.now()).Round(time.Second))
			c.pass(next.Sub(c.now()))
		}
	}
	m := list(t, b, Filter{}, 1)[0]
	if m.State != Failed || m.Attempts != maxAttempts || m.Error != "no" {
		t.Errorf("%+v", m)
	}
	if fmt.Sprint(waits) != "[5s 10s 20s 40s 1m20s 2m40s 5m20s 10m40s 21m20s 42m40s 1h0m0s]" {
		t.Errorf("waits %v", waits)
	}
}

func TestOneNodeSends(t *testing.T) {
	c := &clock{at: time.Now()}
	db, a := open(t, "memory:", c, "")
	other, err := New(db, testKey(t), Options{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	sent := map[string]int{}
	send := func(_ context.Context, m *Message) error {
		mu.Lock()
		defer mu.Unlock()
		sent[m.To]++
		return nil
	}
	a.send, other.send = send, send
	for i := range 20 {
		enqueue(t, db, a, Message{Channel: Email, To: fmt.Sprint(i)})
	}
	var wg sync.WaitGroup
	for _, b := range []*Outbox{a, other} {
		wg.Go(func() {
			if _, err := b.deliverDue(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(sent) != 20 {
		t.Errorf("%d of 20 sent", len(sent))
	}
	for to, n := range sent {
		if n != 1 {
			t.Errorf("%s was sent %d times", to, n)
		}
	}
}

func TestBadSMTP(t *testing.T) {
	for _, url := range []string{"http://x", "smtp://", "smtp://user:s3cret@host:99999", "smtp://user:s3cret@ho st", ":"} {
		_, err := New(nil, nil, Options{SMTP: url})
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", url, err)
		}
	}
}
