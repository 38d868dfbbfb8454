package userpools

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// All SQL of the package is in this file and in store_sessions.go. Functions take the transaction.

// newPoolNumber gives a pool its number.
func newPoolNumber(tx *store.Tx, id string) (int64, error) {
	var no int64
	if err := tx.QueryRow(`SELECT COALESCE(MAX(no), 0) + 1 FROM userpool_numbers`).Scan(&no); err != nil {
		return 0, err
	}
	_, err := tx.Exec(`INSERT INTO userpool_numbers (no, pool) VALUES ($1, $2)`, no, id)
	return no, err
}

// deletePoolRows removes all that the tables know of a pool.
func deletePoolRows(tx *store.Tx, pool int64) error {
	for _, q := range [...]string{
		`DELETE FROM userpool_failures WHERE pool = $1`,
		`DELETE FROM userpool_codes WHERE pool = $1`,
		`DELETE FROM userpool_challenges WHERE pool = $1`,
		`DELETE FROM userpool_sessions WHERE pool = $1`,
		`DELETE FROM userpool_names WHERE pool = $1`,
		`DELETE FROM userpool_users WHERE pool = $1`,
		`DELETE FROM userpool_counts WHERE pool = $1`,
		`DELETE FROM userpool_numbers WHERE no = $1`,
	} {
		if _, err := tx.Exec(q, pool); err != nil {
			return err
		}
	}
	return nil
}

// countUser adds to one of 256 counts of the pool's users: concurrent sign-ups rarely meet there.
func countUser(tx *store.Tx, u *user, delta int64) error {
	_, err := tx.Exec(`INSERT INTO userpool_counts (pool, shard, users) VALUES ($1, $2, $3)
		ON CONFLICT (pool, shard) DO UPDATE SET users = userpool_counts.users + excluded.users`, u.pool, int64(u.id[0]), delta)
	return err
}

func userCount(tx *store.Tx, pool int64) (n int64, err error) {
	err = tx.QueryRow(`SELECT CAST(COALESCE(SUM(users), 0) AS BIGINT) FROM userpool_counts WHERE pool = $1`, pool).Scan(&n)
	return n, err
}

// The attributes that have a column of their own, for search. A column holds the folded value; an
// attribute whose value is not its folded self is among the JSON attributes too.
var searchColumns = [...]string{"email", "phone_number", "name", "given_name", "family_name", "preferred_username"}

const userColumns = `pool, sub, username, state, verified, created, modified, password_expires, credential, email, phone_number, name, given_name, family_name, preferred_username, attributes`

// Bits of the column verified.
const (
	emailVerified = 1 << iota
	emailUnverified
	phoneVerified
	phoneUnverified
)

// row returns the values of userColumns.
func (u *user) row() ([]any, error) {
	var verified int64
	rest := map[string]string{}
	maps.Copy(rest, u.attrs)
	for name, bits := range map[string][2]int64{"email_verified": {emailVerified, emailUnverified}, "phone_number_verified": {phoneVerified, phoneUnverified}} {
		switch rest[name] {
		case "true":
			verified |= bits[0]
		case "false":
			verified |= bits[1]
		}
		delete(rest, name)
	}
	username := any(u.username)
	if u.username == u.id.String() {
		username = nil
	}
	state := 2 * int64(u.status)
	if u.enabled {
		state++
	}
	var expires any
	if !u.expires.IsZero() {
		expires = u.expires.UnixMilli()
	}
	args := []any{u.pool, u.id[:], username, state, verified, u.created.UnixMilli(), u.modified.UnixMilli(), expires, u.sealed}
	for _, name := range searchColumns {
		value, ok := rest[name]
		if !ok {
			args = append(args, nil)
			continue
		}
		folded := fold(value)
		if folded == value {
			delete(rest, name)
		}
		args = append(args, []byte(folded))
	}
	if len(rest) == 0 {
		return append(args, nil), nil
	}
	text, err := json.Marshal(rest)
	return append(args, string(text)), err
}

// scanUsers reads rows of userColumns.
func scanUsers(rows *store.Rows, err error) ([]*user, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []*user
	for rows.Next() {
		u := &user{attrs: map[string]string{}}
		var sub []byte
		var username, attrs *string
		var state, verified, created, modified int64
		var expires *int64
		var cols [len(searchColumns)][]byte
		dest := []any{&u.pool, &sub, &username, &state, &verified, &created, &modified, &expires, &u.sealed}
		for i := range cols {
			dest = append(dest, &cols[i])
		}
		if err := rows.Scan(append(dest, &attrs)...); err != nil {
			return nil, err
		}
		if copy(u.id[:], sub) != len(u.id) {
			return nil, fmt.Errorf("userpools: sub of %d bytes", len(sub))
		}
		u.username = u.id.String()
		if username != nil {
			u.username = *username
		}
		u.status, u.enabled = status(state/2), state%2 == 1
		u.created, u.modified = time.UnixMilli(created).UTC(), time.UnixMilli(modified).UTC()
		if expires != nil {
			u.expires = time.UnixMilli(*expires).UTC()
		}
		for i, name := range searchColumns {
			if cols[i] != nil {
				u.attrs[name] = string(cols[i])
			}
		}
		if attrs != nil {
			if err := json.Unmarshal([]byte(*attrs), &u.attrs); err != nil {
				return nil, err
			}
		}
		for bit, value := range map[int64][2]string{emailVerified: {"email_verified", "true"}, emailUnverified: {"email_verified", "false"},
			phoneVerified: {"phone_number_verified", "true"}, phoneUnverified: {"phone_number_verified", "false"}} {
			if verified&bit != 0 {
				u.attrs[value[0]] = value[1]
			}
		}
		list = append(list, u)
	}
	return list, rows.Err()
}

// nameTaken is the error of a login name that belongs to somebody else.
type nameTaken struct{ kind nameKind }

func (e *nameTaken) Error() string { return "userpools: " + e.kind.attribute() + " is taken" }

// insertUser adds a user with the names. The error is a *nameTaken if one of them is somebody's.
func insertUser(tx *store.Tx, p *Pool, u *user) error {
	for _, n := range p.loginNames(u) {
		if err := insertName(tx, u, n); err != nil {
			return err
		}
	}
	args, err := u.row()
	if err != nil {
		return err
	}
	if _, err := tx.Exec(`INSERT INTO userpool_users (`+userColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`, args...); err != nil {
		return err
	}
	return countUser(tx, u, 1)
}

func insertName(tx *store.Tx, u *user, n loginName) error {
	// A sub is a name too. A name in its form is fine, as long as it is nobody's sub.
	if id, ok := parseUserID(n.value); ok && id != u.id {
		switch _, err := userByID(tx, u.pool, id); {
		case err == nil:
			return &nameTaken{n.kind}
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
	}
	added, err := tx.Exec(`INSERT INTO userpool_names (pool, name, kind, sub) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, u.pool, []byte(n.value), int64(n.kind), u.id[:])
	if err == nil && added == 0 {
		err = &nameTaken{n.kind}
	}
	return err
}

// updateUser stores u, whose names were before. The error is a *nameTaken if a new one is
// somebody's.
func updateUser(tx *store.Tx, p *Pool, u *user, before []loginName) error {
	now := p.loginNames(u)
	for _, n := range before {
		if !slices.Contains(now, n) {
			if _, err := tx.Exec(`DELETE FROM userpool_names WHERE pool = $1 AND name = $2 AND sub = $3`, u.pool, []byte(n.value), u.id[:]); err != nil {
				return err
			}
		}
	}
	for _, n := range now {
		if !slices.Contains(before, n) {
			if err := insertName(tx, u, n); err != nil {
				return err
			}
		}
	}
	u.modified = tx.Now().UTC()
	args, err := u.row()
	if err != nil {
		return err
	}
	_, err = tx.Exec(`UPDATE userpool_users SET username = $3, state = $4, verified = $5, created = $6, modified = $7, password_expires = $8, credential = $9,
		email = $10, phone_number = $11, name = $12, given_name = $13, family_name = $14, preferred_username = $15, attributes = $16 WHERE pool = $1 AND sub = $2`, args...)
	return err
}

// deleteUser removes a user and all that belongs to him.
func deleteUser(tx *store.Tx, p *Pool, u *user) error {
	for _, n := range p.loginNames(u) {
		if _, err := tx.Exec(`DELETE FROM userpool_names WHERE pool = $1 AND name = $2 AND sub = $3`, u.pool, []byte(n.value), u.id[:]); err != nil {
			return err
		}
	}
	for _, q := range [...]string{
		`DELETE FROM userpool_failures WHERE pool = $1 AND sub = $2`,
		`DELETE FROM userpool_codes WHERE pool = $1 AND sub = $2`,
		`DELETE FROM userpool_sessions WHERE pool = $1 AND sub = $2`,
		`DELETE FROM userpool_users WHERE pool = $1 AND sub = $2`,
	} {
		if _, err := tx.Exec(q, u.pool, u.id[:]); err != nil {
			return err
		}
	}
	return countUser(tx, u, -1)
}

// userByID returns the user with the sub; store.ErrNotFound.
func userByID(tx *store.Tx, pool int64, id userID) (*user, error) {
	list, err := scanUsers(tx.Query(`SELECT `+userColumns+` FROM userpool_users WHERE pool = $1 AND sub = $2`, pool, id[:]))
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, store.ErrNotFound
	}
	return list[0], nil
}

// userByName returns the user whom a name signs in, or whose sub it is; store.ErrNotFound.
func userByName(tx *store.Tx, p *Pool, name string) (*user, error) {
	if id, ok := parseUserID(name); ok {
		if u, err := userByID(tx, p.No, id); !errors.Is(err, store.ErrNotFound) {
			return u, err
		}
	}
	id, err := nameOwner(tx, p.No, p.foldName(name))
	if err != nil {
		return nil, err
	}
	return userByID(tx, p.No, id)
}

func nameOwner(tx *store.Tx, pool int64, folded string) (id userID, err error) {
	var sub []byte
	if err := tx.QueryRow(`SELECT sub FROM userpool_names WHERE pool = $1 AND name = $2`, pool, []byte(folded)).Scan(&sub); err != nil {
		return id, err
	}
	copy(id[:], sub)
	return id, nil
}

// userPage is where a page of ListUsers ended: the value of the searched attribute, and the sub.
type userPage struct {
	Value []byte `json:"v,omitempty"`
	Sub   []byte `json:"s"`
}

// listUsers returns up to limit users whom the filter selects, in order of the attribute, strictly
// after the page. Every search goes by an index.
func listUsers(tx *store.Tx, p *Pool, f userFilter, after *userPage, limit int) ([]*user, error) {
	var column string
	var value []byte
	switch f.attribute {
	case "", "sub":
		return listBySub(tx, p, f, after, limit)
	case "username":
		if len(p.Config.UsernameAttributes) > 0 {
			f.attribute = "sub"
			return listBySub(tx, p, f, after, limit)
		}
		return listByUsername(tx, p, f, after, limit)
	case "status", "cognito:user_status":
		return listByState(tx, p, f, after, limit)
	case "email", "phone_number", "name", "given_name", "family_name", "preferred_username":
		column, value = f.attribute, []byte(fold(f.value))
	default:
		return nil, fmt.Errorf("userpools: filter on %s", f.attribute)
	}
	// The bound that a page goes on from stands alone, so that both engines seek to it.
	where, args, order := `pool = $1`, []any{p.No}, column+`, sub`
	bind := func(cond string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			cond = strings.Replace(cond, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		where += ` AND ` + cond
	}
	switch {
	case !f.prefix:
		order = `sub`
		if bind(column+` = ?`, value); after != nil {
			bind(`sub > ?`, after.Sub)
		}
	default:
		if after != nil {
			bind(`(`+column+`, sub) > (?, ?)`, after.Value, after.Sub)
		} else {
			bind(column+` >= ?`, value)
		}
		if end := prefixEnd(value); end != nil {
			bind(column+` < ?`, end)
		}
	}
	args = append(args, int64(limit))
	return scanUsers(tx.Query(fmt.Sprintf(`SELECT %s FROM userpool_users WHERE %s ORDER BY %s LIMIT $%d`, userColumns, where, order, len(args)), args...))
}

func listBySub(tx *store.Tx, p *Pool, f userFilter, after *userPage, limit int) ([]*user, error) {
	lo, hi, ok := subRange(f)
	if !ok {
		return nil, nil
	}
	from, bound := `>=`, any(lo)
	if after != nil {
		from, bound = `>`, after.Sub
	}
	return scanUsers(tx.Query(`SELECT `+userColumns+` FROM userpool_users WHERE pool = $1 AND sub `+from+` $2 AND sub <= $3 ORDER BY sub LIMIT $4`, p.No, bound, hi, int64(limit)))
}

func listByUsername(tx *store.Tx, p *Pool, f userFilter, after *userPage, limit int) ([]*user, error) {
	value := []byte(p.foldName(f.value))
	from, bound, to := `=`, value, ``
	args := []any{p.No, nil}
	if f.prefix {
		from = `>=`
		if end := prefixEnd(value); end != nil {
			to, args = ` AND n.name < $3`, append(args, end)
		}
		if after != nil {
			from, bound = `>`, after.Value
		}
	}
	args[1] = bound
	args = append(args, int64(limit))
	return scanUsers(tx.Query(fmt.Sprintf(`SELECT u.pool, u.sub, u.username, u.state, u.verified, u.created, u.modified, u.password_expires, u.credential,
		u.email, u.phone_number, u.name, u.given_name, u.family_name, u.preferred_username, u.attributes
		FROM userpool_names n JOIN userpool_users u ON u.pool = n.pool AND u.sub = n.sub
		WHERE n.pool = $1 AND n.kind = 0 AND n.name %s $2%s ORDER BY n.name LIMIT $%d`, from, to, len(args)), args...))
}

// listByState walks the states that match, one range of the index each.
func listByState(tx *store.Tx, p *Pool, f userFilter, after *userPage, limit int) ([]*user, error) {
	var list []*user
	for state := int64(0); state < 2*int64(len(statusNames)) && len(list) < limit; state++ {
		if !f.matchesState(state) {
			continue
		}
		from := []byte{}
		if after != nil {
			if int64(after.Value[0]) > state {
				continue
			}
			if int64(after.Value[0]) == state {
				from = after.Sub
			}
		}
		more, err := scanUsers(tx.Query(`SELECT `+userColumns+` FROM userpool_users WHERE pool = $1 AND state = $2 AND sub > $3 ORDER BY sub LIMIT $4`, p.No, state, from, int64(limit-len(list))))
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	return list, nil
}

// pageAfter says where a page that ends with u ends.
func pageAfter(p *Pool, f userFilter, u *user) *userPage {
	page := &userPage{Sub: u.id[:]}
	switch f.attribute {
	case "", "sub":
	case "username":
		page.Value = []byte(p.foldName(u.username))
	case "status", "cognito:user_status":
		state := byte(2 * u.status)
		if u.enabled {
			state++
		}
		page.Value = []byte{state}
	default:
		page.Value = []byte(fold(u.attrs[f.attribute]))
	}
	return page
}
