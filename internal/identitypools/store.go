package identitypools

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// All SQL of the package is in this file.

// uid is a UUID: of a pool, or of an identity.
type uid [16]byte

func (u uid) String() string {
	h := hex.EncodeToString(u[:])
	return h[0:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:32]
}

func parseUID(s string) (u uid, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' || strings.ToLower(s) != s {
		return u, false
	}
	_, err := hex.Decode(u[:], []byte(s[0:8]+s[9:13]+s[14:18]+s[19:23]+s[24:36]))
	return u, err == nil
}

// parseID splits REGION:UUID.
func parseID(id string) (region string, u uid, ok bool) {
	region, rest, _ := strings.Cut(id, ":")
	u, ok = parseUID(rest)
	return region, u, ok && region != ""
}

// State of an identity.
type state int64

const (
	guest         state = iota // has never had a login
	authenticated              // has logins
	disabled                   // merged into another, or its last login was removed
)

// identity is a row of identitypool_identities.
type identity struct {
	id, pool uid
	state    state
	merged   uid // the identity that took the place of a disabled one; zero: none
	created  time.Time
	modified time.Time
}

// link is a row of identitypool_logins.
type link struct{ provider, subject string }

const identityColumns = `id, pool, state, merged, created, modified`

func scanIdentity(scan func(...any) error) (*identity, error) {
	var n identity
	var id, pool, merged []byte
	var st, created, modified int64
	if err := scan(&id, &pool, &st, &merged, &created, &modified); err != nil {
		return nil, err
	}
	copy(n.id[:], id)
	copy(n.pool[:], pool)
	copy(n.merged[:], merged)
	n.state, n.created, n.modified = state(st), time.UnixMilli(created), time.UnixMilli(modified)
	return &n, nil
}

// identityByID returns an identity, or store.ErrNotFound.
func identityByID(tx *store.Tx, id uid) (*identity, error) {
	return scanIdentity(tx.QueryRow(`SELECT `+identityColumns+` FROM identitypool_identities WHERE id = $1`, id[:]).Scan)
}

// identitiesAfter returns up to limit identities of a pool, in the order of their ids.
func identitiesAfter(tx *store.Tx, pool, after uid, hideDisabled bool, limit int) (list []*identity, err error) {
	most := disabled
	if hideDisabled {
		most = authenticated
	}
	rows, err := tx.Query(`SELECT `+identityColumns+` FROM identitypool_identities WHERE pool = $1 AND id > $2 AND state <= $3 ORDER BY id LIMIT $4`,
		pool[:], after[:], int64(most), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		n, err := scanIdentity(rows.Scan)
		if err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	return list, rows.Err()
}

func insertIdentity(tx *store.Tx, n *identity) error {
	n.created = tx.Now()
	n.modified = n.created
	_, err := tx.Exec(`INSERT INTO identitypool_identities (id, pool, state, created, modified) VALUES ($1, $2, $3, $4, $4)`,
		n.id[:], n.pool[:], int64(n.state), n.created.UnixMilli())
	return err
}

// setState writes an identity's state and that it was modified.
func setState(tx *store.Tx, n *identity) error {
	n.modified = tx.Now()
	var merged any
	if n.merged != (uid{}) {
		merged = n.merged[:]
	}
	_, err := tx.Exec(`UPDATE identitypool_identities SET state = $2, merged = $3, modified = $4 WHERE id = $1`, n.id[:], int64(n.state), merged, n.modified.UnixMilli())
	return err
}

// deleteIdentity removes an identity with its logins.
func deleteIdentity(tx *store.Tx, id uid) error {
	if _, err := tx.Exec(`DELETE FROM identitypool_logins WHERE identity = $1`, id[:]); err != nil {
		return err
	}
	_, err := tx.Exec(`DELETE FROM identitypool_identities WHERE id = $1`, id[:])
	return err
}

// deletePoolRows removes all that the tables know of a pool.
func deletePoolRows(tx *store.Tx, pool uid) error {
	if _, err := tx.Exec(`DELETE FROM identitypool_logins WHERE pool = $1`, pool[:]); err != nil {
		return err
	}
	_, err := tx.Exec(`DELETE FROM identitypool_identities WHERE pool = $1`, pool[:])
	return err
}

// owner returns the identity that a login leads to; false: none yet.
func owner(tx *store.Tx, pool uid, l link) (id uid, ok bool, err error) {
	var b []byte
	err = tx.QueryRow(`SELECT identity FROM identitypool_logins WHERE pool = $1 AND provider = $2 AND subject = $3`, pool[:], l.provider, []byte(l.subject)).Scan(&b)
	if errors.Is(err, store.ErrNotFound) {
		return id, false, nil
	}
	copy(id[:], b)
	return id, err == nil, err
}

// insertLink links a login to an identity; false: it has got an identity meanwhile.
func insertLink(tx *store.Tx, n *identity, l link) (bool, error) {
	rows, err := tx.Exec(`INSERT INTO identitypool_logins (pool, provider, subject, identity) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		n.pool[:], l.provider, []byte(l.subject), n.id[:])
	return rows == 1, err
}

// moveLink gives a login to another identity.
func moveLink(tx *store.Tx, pool uid, l link, to uid) error {
	_, err := tx.Exec(`UPDATE identitypool_logins SET identity = $4 WHERE pool = $1 AND provider = $2 AND subject = $3`, pool[:], l.provider, []byte(l.subject), to[:])
	return err
}

func deleteLink(tx *store.Tx, n *identity, l link) (bool, error) {
	rows, err := tx.Exec(`DELETE FROM identitypool_logins WHERE pool = $1 AND provider = $2 AND subject = $3 AND identity = $4`, n.pool[:], l.provider, []byte(l.subject), n.id[:])
	return rows == 1, err
}

// links returns the logins of an identity, in the order of their providers.
func links(tx *store.Tx, id uid) ([]link, error) {
	return scanLinks(tx.Query(`SELECT provider, subject FROM identitypool_logins WHERE identity = $1 ORDER BY provider, subject`, id[:]))
}

// linksOf returns up to limit logins of an identity with one provider, whose subjects come after the given one.
func linksOf(tx *store.Tx, id uid, provider, after string, limit int) ([]link, error) {
	return scanLinks(tx.Query(`SELECT provider, subject FROM identitypool_logins WHERE identity = $1 AND provider = $2 AND subject > $3 ORDER BY subject LIMIT $4`,
		id[:], provider, []byte(after), limit))
}

func scanLinks(rows *store.Rows, err error) (list []link, _ error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var l link
		var subject []byte
		if err := rows.Scan(&l.provider, &subject); err != nil {
			return nil, err
		}
		l.subject = string(subject)
		list = append(list, l)
	}
	return list, rows.Err()
}

// providers returns the names of the links' providers, each once.
func providers(list []link) []string {
	names := []string{}
	for _, l := range list {
		if !slices.Contains(names, l.provider) {
			names = append(names, l.provider)
		}
	}
	return names
}
