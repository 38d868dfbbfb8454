package message

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/gatehouse-dev/gatehouse/internal/store"
)

const (
	firstRetry  = 5 * time.Second
	maxRetry    = time.Hour
	maxAttempts = 12
	sendTimeout = 30 * time.Second
	lease       = 2 * time.Minute // how long a taken message stays this node's; longer than sendTimeout
)

// smtpSender returns what sends a mail through the server that rawURL names.
func smtpSender(rawURL string) (func(context.Context, *Message) error, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, errors.New("message: the SMTP address is not a URL of the form smtp://USER:PASSWORD@HOST:PORT") // err would quote the password
	}
	opts := []mail.Option{mail.WithTimeout(sendTimeout)}
	port := 587
	switch u.Scheme {
	case "smtp":
		opts = append(opts, mail.WithTLSPolicy(mail.TLSOpportunistic))
	case "smtps":
		port = 465
		opts = append(opts, mail.WithSSL())
	default:
		return nil, fmt.Errorf("message: SMTP address has scheme %q, must be smtp or smtps", u.Scheme)
	}
	if u.Hostname() == "" {
		return nil, errors.New("message: the SMTP address names no host")
	}
	if p := u.Port(); p != "" {
		if port, err = strconv.Atoi(p); err != nil || port < 1 || port > 65535 {
			return nil, fmt.Errorf("message: SMTP address has port %q", p)
		}
	}
	opts = append(opts, mail.WithPort(port))
	if u.User != nil {
		if u.Scheme == "smtp" && !loopback(u.Hostname()) {
			// A password is never sent in the clear over a network.
			opts = append(opts, mail.WithTLSPolicy(mail.TLSMandatory))
		}
		password, _ := u.User.Password()
		opts = append(opts, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(u.User.Username()), mail.WithPassword(password))
	}
	host := u.Hostname()
	return func(ctx context.Context, m *Message) error {
		msg := mail.NewMsg()
		if err := msg.From(m.From); err != nil {
			return fmt.Errorf("sender: %w", err)
		}
		if err := msg.To(m.To); err != nil {
			return fmt.Errorf("recipient: %w", err)
		}
		msg.Subject(m.Subject)
		msg.SetDateWithValue(m.Created)
		msg.SetMessageIDWithValue(m.ID + "@gatehouse")
		msg.SetBodyString(mail.TypeTextHTML, m.Body)
		c, err := mail.NewClient(host, opts...)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, sendTimeout)
		defer cancel()
		return c.DialAndSendWithContext(ctx, msg)
	}, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func (b *Outbox) nudge() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// deliver sends what is due until ctx ends. It sleeps until the next retry or a new message.
func (b *Outbox) deliver(ctx context.Context) {
	for ctx.Err() == nil {
		next, err := b.deliverDue(ctx)
		if err != nil && ctx.Err() == nil {
			b.log.Error("outbox", "err", err)
			next = b.now().Add(firstRetry)
		}
		var due <-chan time.Time
		var timer *time.Timer
		if !next.IsZero() {
			timer = time.NewTimer(max(0, next.Sub(b.now())))
			due = timer.C
		}
		select {
		case <-ctx.Done():
		case <-b.wake:
		case <-due:
		}
		if timer != nil {
			timer.Stop()
		}
	}
}

// deliverDue sends all messages that are due and says when the next one will be; zero: none waits.
func (b *Outbox) deliverDue(ctx context.Context) (time.Time, error) {
	for {
		now := b.now()
		var due []Message
		var next int64
		err := b.db.View(ctx, func(tx *store.Tx) error {
			due, next = nil, 0
			if err := b.query(tx, &due, `WHERE state = 'queued' AND next_attempt <= $1 ORDER BY next_attempt LIMIT 16`, now.UnixMilli()); err != nil {
				return err
			}
			err := tx.QueryRow(`SELECT next_attempt FROM messages WHERE state = 'queued' AND next_attempt > $1 ORDER BY next_attempt LIMIT 1`, now.UnixMilli()).Scan(&next)
			if errors.Is(err, store.ErrNotFound) {
				return nil
			}
			return err
		})
		if err != nil {
			return time.Time{}, err
		}
		if len(due) == 0 {
			if next == 0 {
				return time.Time{}, nil
			}
			return time.UnixMilli(next), nil
		}
		for i := range due {
			if err := b.attempt(ctx, &due[i]); err != nil {
				return time.Time{}, err
			}
		}
	}
}

// attempt takes m, unless another node has it, sends it and notes the outcome.
func (b *Outbox) attempt(ctx context.Context, m *Message) error {
	id, _ := hex.DecodeString(m.ID)
	taken := b.now().Add(lease).UnixMilli()
	var mine bool
	err := b.db.Update(ctx, func(tx *store.Tx) error {
		n, err := tx.Exec(`UPDATE messages SET next_attempt = $1 WHERE id = $2 AND state = 'queued' AND next_attempt = $3`, taken, id, m.Next.UnixMilli())
		mine = n == 1
		return err
	})
	if err != nil || !mine {
		return err
	}
	sendErr := b.send(ctx, m)
	if sendErr != nil && ctx.Err() != nil {
		return ctx.Err() // closing: the lease runs out and the message is tried again
	}
	m.Attempts++
	state, next, sent, text := Sent, int64(0), int64(0), ""
	if sendErr == nil {
		sent = b.now().UnixMilli()
	} else {
		text = sendErr.Error()
		state, next = Queued, b.now().Add(min(maxRetry, firstRetry<<min(m.Attempts-1, 20))).UnixMilli()
		if m.Attempts >= maxAttempts {
			state = Failed
		}
		b.log.Warn("mail not delivered", "id", m.ID, "attempt", m.Attempts, "state", string(state), "err", sendErr)
	}
	return b.db.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE messages SET state = $1, attempts = $2, next_attempt = $3, sent = $4, error = $5 WHERE id = $6 AND next_attempt = $7`,
			string(state), int64(m.Attempts), next, sent, text, id, taken)
		return err
	})
}
