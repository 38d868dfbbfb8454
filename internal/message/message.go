package message

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// Retention is how long the outbox keeps a message.
const Retention = 30 * 24 * time.Hour

// Channel is the way a message takes.
type Channel string

const (
	Email Channel = "email"
	SMS   Channel = "sms"
)

// State says what became of a message.
type State string

const (
	Stored State = "stored" // kept for reading; nobody delivers it
	Queued State = "queued" // waits for its next attempt
	Sent   State = "sent"   // the SMTP server took it
	Failed State = "failed" // given up
)

// Message is one message to one person.
type Message struct {
	ID       string // 32 hex digits, in order of time; set by Enqueue
	Created  time.Time
	Scope    string // whose message it is, such as a user pool's id
	Channel  Channel
	Kind     string // what for, in the sender's words: "SignUp", "ForgotPassword"
	Username string
	From     string // of a mail: an address, or a name and an address; empty: the outbox's own
	To       string // an address or an E.164 number
	Subject  string // of a mail
	Body     string // HTML in a mail, as in Cognito; plain text in an SMS
	Code     string // the code or password within, for those who read the outbox by program

	State    State
	Attempts int
	Next     time.Time // of a queued message
	Sent     time.Time
	Error    string // of the last attempt
}

// Options configure an Outbox.
type Options struct {
	// SMTP is where mail goes: smtp://USER:PASSWORD@HOST:PORT (STARTTLS where the server has it) or
	// smtps://… (TLS from the start). Empty: nothing is delivered.
	SMTP   string
	From   string           // sender where the message names none; empty: no-reply@verificationemail.com
	Logger *slog.Logger     // nil: discard
	Now    func() time.Time // nil: time.Now
}

// DefaultFrom is the sender that Cognito uses itself.
const DefaultFrom = "no-reply@verificationemail.com"

// Outbox stores messages and delivers them.
type Outbox struct {
	db     *store.DB
	box    *seal.Key
	log    *slog.Logger
	now    func() time.Time
	from   string
	send   func(ctx context.Context, m *Message) error // nil: nobody delivers
	tick   atomic.Uint64                               // of the newest id: milliseconds and a count within them
	wake   chan struct{}
	stop   context.CancelFunc
	closed sync.WaitGroup
}

// New returns the outbox of a database. With an SMTP server it begins at once to deliver what is
// due; Close ends that.
func New(db *store.DB, box *seal.Key, o Options) (*Outbox, error) {
	b := &Outbox{db: db, box: box, log: o.Logger, now: o.Now, from: o.From, wake: make(chan struct{}, 1)}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	if b.now == nil {
		b.now = time.Now
	}
	if b.from == "" {
		b.from = DefaultFrom
	}
	ctx, stop := context.WithCancel(context.Background())
	b.stop = stop
	if o.SMTP != "" {
		send, err := smtpSender(o.SMTP)
		if err != nil {
			stop()
			return nil, err
		}
		b.send = send
		b.closed.Add(1)
		go func() {
			defer b.closed.Done()
			b.deliver(ctx)
		}()
	}
	return b, nil
}

// Close stops delivering, waiting for the attempt under way.
func (b *Outbox) Close() error {
	b.stop()
	b.closed.Wait()
	return nil
}

// content is the part of a message that is sealed.
type content struct {
	Subject string `json:"s,omitempty"`
	Body    string `json:"b"`
	Code    string `json:"c,omitempty"`
}

func sealContext(id []byte) string { return "message/" + hex.EncodeToString(id) }

// Enqueue stores m as part of tx. ID, Created and the state of delivery are set here.
func (b *Outbox) Enqueue(tx *store.Tx, m Message) error {
	now := tx.Now()
	id := b.newID(now)
	plain, err := json.Marshal(content{m.Subject, m.Body, m.Code})
	if err != nil {
		return err
	}
	if m.From == "" && m.Channel == Email {
		m.From = b.from
	}
	state := Stored
	if b.send != nil && m.Channel == Email {
		state = Queued
		tx.AfterCommit(b.nudge)
	}
	_, err = tx.Exec(`INSERT INTO messages (id, scope, channel, kind, username, sender, recipient, content, state, attempts, next_attempt, sent, error)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, 0, '')`,
		id, m.Scope, string(m.Channel), m.Kind, m.Username, m.From, m.To, b.box.Seal(plain, sealContext(id)), string(state), now.UnixMilli())
	if err != nil {
		return err
	}
	// Now and then the writer sweeps: there is no clock that does.
	if mathrand.IntN(128) == 0 {
		_, err = tx.Exec(`DELETE FROM messages WHERE id < $1`, idFloor(now.Add(-Retention)))
	}
	return err
}

// Filter selects messages; empty fields select all.
type Filter struct {
	Scope    string
	Channel  Channel
	Kind     string
	Username string
	To       string // compared without case
	Since    time.Time
}

// List returns messages, newest first. limit <= 0 means 100.
func (b *Outbox) List(ctx context.Context, f Filter, limit int) ([]Message, error) {
	if limit <= 0 {
		limit = 100
	}
	where, args := []string{"id >= $1"}, []any{idFloor(f.Since)}
	add := func(cond string, arg any) {
		args = append(args, arg)
		where = append(where, fmt.Sprintf(cond, len(args)))
	}
	if f.Scope != "" {
		add("scope = $%d", f.Scope)
	}
	if f.Channel != "" {
		add("channel = $%d", string(f.Channel))
	}
	if f.Kind != "" {
		add("kind = $%d", f.Kind)
	}
	if f.Username != "" {
		add("username = $%d", f.Username)
	}
	if f.To != "" {
		add("lower(recipient) = $%d", strings.ToLower(f.To))
	}
	args = append(args, limit)
	var list []Message
	err := b.db.View(ctx, func(tx *store.Tx) error {
		list = nil
		return b.query(tx, &list, `WHERE `+strings.Join(where, " AND ")+fmt.Sprintf(` ORDER BY id DESC LIMIT $%d`, len(args)), args...)
	})
	return list, err
}

// DeleteScope removes all messages of a scope as part of tx.
func (b *Outbox) DeleteScope(tx *store.Tx, scope string) error {
	_, err := tx.Exec(`DELETE FROM messages WHERE scope = $1`, scope)
	return err
}

func (b *Outbox) query(tx *store.Tx, list *[]Message, tail string, args ...any) error {
	rows, err := tx.Query(`SELECT id, scope, channel, kind, username, sender, recipient, content, state, attempts, next_attempt, sent, error FROM messages `+tail, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var m Message
		var id, sealed []byte
		var channel, state string
		var attempts, next, sent int64
		if err := rows.Scan(&id, &m.Scope, &channel, &m.Kind, &m.Username, &m.From, &m.To, &sealed, &state, &attempts, &next, &sent, &m.Error); err != nil {
			return err
		}
		plain, err := b.box.Open(sealed, sealContext(id))
		if err != nil {
			return fmt.Errorf("message %x: %w", id, err)
		}
		var c content
		if err := json.Unmarshal(plain, &c); err != nil {
			return err
		}
		m.ID, m.Created = hex.EncodeToString(id), idTime(id)
		m.Channel, m.State, m.Attempts = Channel(channel), State(state), int(attempts)
		m.Subject, m.Body, m.Code = c.Subject, c.Body, c.Code
		if m.State == Queued {
			m.Next = time.UnixMilli(next)
		}
		if sent != 0 {
			m.Sent = time.UnixMilli(sent)
		}
		*list = append(*list, m)
	}
	return rows.Err()
}

// newID makes an id for a message of time t, greater than those that this outbox made before.
func (b *Outbox) newID(t time.Time) []byte {
	tick := uint64(t.UnixMilli()) << 16
	for {
		last := b.tick.Load()
		tick = max(tick, last+1)
		if b.tick.CompareAndSwap(last, tick) {
			break
		}
	}
	id := make([]byte, 16)
	binary.BigEndian.PutUint64(id, tick)
	rand.Read(id[8:])
	return id
}

// idFloor is the smallest id of a message made at t.
func idFloor(t time.Time) []byte {
	var ms uint64
	if !t.IsZero() && t.UnixMilli() > 0 {
		ms = uint64(t.UnixMilli())
	}
	id := make([]byte, 16)
	binary.BigEndian.PutUint64(id, ms<<16)
	return id
}

func idTime(id []byte) time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(id) >> 16))
}
