package session

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
)

// MaxToken is the length, in characters, of the longest token that is made or looked at. Clients send
// it in a header, and servers bound those.
const MaxToken = 8192

// CacheSize is how many opened tokens are kept.
const CacheSize = 8192

var (
	// ErrInvalid is returned for a token that was not made here, or not for that access key.
	ErrInvalid = errors.New("session: the token is not one of this server for this access key")

	// ErrExpired is returned for a good token whose time is over.
	ErrExpired = errors.New("session: the token has expired")

	// ErrTooLarge is returned for a session that does not fit into a token.
	ErrTooLarge = errors.New("session: policies, tags and context do not fit into a token")
)

// Mint makes and opens credentials. It is safe for concurrent use.
type Mint struct {
	box   *seal.Key
	now   func() time.Time
	cache cache
}

// NewMint returns a mint whose tokens box seals: nodes with the same box open each other's. now may be
// nil: time.Now.
func NewMint(box *seal.Key, now func() time.Time) *Mint {
	if now == nil {
		now = time.Now
	}
	return &Mint{box: box, now: now, cache: cache{max: CacheSize}}
}

const (
	context = "session token of " // what tokens are sealed for, with the access key id behind
	prefix  = "ASIA"

	secretSize = 30 // bytes of a secret key; 40 characters in base64

	plain    = 0 // the session is JSON
	deflated = 1 // deflated JSON

	deflateFrom = 800      // bytes of JSON; shorter ones gain little, and deflating costs more than all the rest
	maxJSON     = 64 << 10 // of what is inflated; nothing longer is ever sealed
)

// Issue makes credentials for the session: a new access key id and secret, and the token. Issued is
// set to now if it is zero; Expires must be set, later than that. The error is ErrTooLarge, or says
// which field is missing.
func (m *Mint) Issue(s *Session) (Credentials, error) {
	if s.Issued == 0 {
		s.Issued = m.now().Unix()
	}
	switch {
	case s.Account == "" || s.OwnerID == "":
		return Credentials{}, errors.New("session: no account or owner")
	case s.Expires <= s.Issued:
		return Credentials{}, errors.New("session: it would end before it begins")
	}
	switch s.Type {
	case policy.RoleSession, policy.FederatedUser:
		if s.OwnerARN == "" || s.Name == "" || s.Type == policy.RoleSession && s.OwnerName == "" {
			return Credentials{}, errors.New("session: no name of it or its owner")
		}
	case policy.User:
		if s.OwnerARN == "" || s.OwnerName == "" {
			return Credentials{}, errors.New("session: no name of its owner")
		}
	case policy.RootUser:
	default:
		return Credentials{}, fmt.Errorf("session: a principal of type %d has none", s.Type)
	}
	text, err := json.Marshal(s)
	if err != nil {
		return Credentials{}, fmt.Errorf("session: %w", err)
	}
	if len(text) > maxJSON {
		return Credentials{}, ErrTooLarge
	}
	secret := ident.SecretKey()
	body, err := base64.StdEncoding.AppendDecode(make([]byte, 0, secretSize+1+len(text)), []byte(secret))
	if err != nil || len(body) != secretSize {
		return Credentials{}, errors.New("session: a secret key that is not base64")
	}
	if len(text) < deflateFrom {
		body = append(append(body, plain), text...)
	} else {
		body = deflate(append(body, deflated), text)
	}
	key := ident.AccessKeyID(prefix)
	token := base64.StdEncoding.EncodeToString(m.box.Seal(body, context+key))
	if len(token) > MaxToken {
		return Credentials{}, ErrTooLarge
	}
	return Credentials{AccessKey: key, Secret: seal.Secret(secret), Token: token, Expires: time.Unix(s.Expires, 0).UTC()}, nil
}

// Open returns the session of a token, and the secret key that the bearer signs with, if the token was
// made for the access key and is not over. The session is shared: it must not be modified. The error
// is ErrInvalid or ErrExpired.
func (m *Mint) Open(accessKey, token string) (*Session, seal.Secret, error) {
	if len(accessKey) != 20 || len(token) > MaxToken {
		return nil, "", ErrInvalid
	}
	var buf [2048]byte                                                   // most tokens fit
	id := sha256.Sum256(append(append(buf[:0], accessKey...), token...)) // the key's length is fixed
	e, ok := m.cache.get(id)
	if !ok {
		if e, ok = m.open(accessKey, token); !ok {
			return nil, "", ErrInvalid
		}
	}
	if m.now().Unix() >= e.session.Expires {
		return nil, "", ErrExpired
	}
	if !e.kept {
		e.kept = true
		m.cache.put(id, e)
	}
	return e.session, e.secret, nil
}

func (m *Mint) open(accessKey, token string) (entry, bool) {
	if strings.ContainsAny(token, "\r\n") { // the decoder skips them
		return entry{}, false
	}
	sealed, err := base64.StdEncoding.Strict().DecodeString(token)
	if err != nil {
		return entry{}, false
	}
	body, err := m.box.Open(sealed, context+accessKey)
	if err != nil || len(body) <= secretSize {
		return entry{}, false
	}
	secret, form, text := body[:secretSize], body[secretSize], body[secretSize+1:]
	switch form {
	case plain:
	case deflated:
		if text, err = inflate(text); err != nil {
			return entry{}, false
		}
	default:
		return entry{}, false
	}
	s := new(Session)
	if err := json.Unmarshal(text, s); err != nil {
		return entry{}, false
	}
	return entry{session: s, secret: seal.Secret(base64.StdEncoding.EncodeToString(secret))}, true
}

// deflaters holds *flate.Writer, which are large.
var deflaters sync.Pool

func deflate(to, text []byte) []byte {
	out := bytes.NewBuffer(to)
	w, ok := deflaters.Get().(*flate.Writer)
	if ok {
		w.Reset(out)
	} else {
		w, _ = flate.NewWriter(out, flate.DefaultCompression) // the level is a valid one
	}
	w.Write(text) // a buffer takes everything
	w.Close()
	deflaters.Put(w)
	return out.Bytes()
}

func inflate(b []byte) ([]byte, error) {
	r := flate.NewReader(bytes.NewReader(b))
	text, err := io.ReadAll(io.LimitReader(r, maxJSON+1))
	if err == nil && len(text) > maxJSON {
		err = ErrTooLarge
	}
	return text, err
}

type entry struct {
	session *Session
	secret  seal.Secret
	kept    bool
}

// cache holds opened tokens: the max/2 last used for certain, and at most max. Only tokens that did
// open and are not over get in.
type cache struct {
	max int

	mu       sync.RWMutex
	new, old map[[sha256.Size]byte]entry
}

func (c *cache) get(id [sha256.Size]byte) (entry, bool) {
	c.mu.RLock()
	e, ok := c.new[id]
	if !ok {
		if e, ok = c.old[id]; ok {
			e.kept = false // in the young half, where it will be put
		}
	}
	c.mu.RUnlock()
	return e, ok
}

func (c *cache) put(id [sha256.Size]byte, e entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.new == nil || len(c.new) >= c.max/2 {
		c.old, c.new = c.new, make(map[[sha256.Size]byte]entry)
	}
	c.new[id] = e
}
