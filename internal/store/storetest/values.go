package storetest

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/store"
)

type (
	word  string
	count uint16
	raw   []byte
)

const valueTable = "CREATE TABLE vals (id BIGINT PRIMARY KEY, s TEXT, n BIGINT, b BOOLEAN, d BYTEA)"

func testValues(t *testing.T, db *store.DB) {
	exec(t, db, valueTable)
	big := bytes.Repeat([]byte{0, 1, 254, 255}, 300_000)
	word1, seven := word("w"), 7
	var noString *string
	type row struct {
		S *string
		N *int64
		B *bool
		D []byte
	}
	p := func(s string) *string { return &s }
	n := func(n int64) *int64 { return &n }
	b := func(b bool) *bool { return &b }
	for i, tt := range []struct {
		s, n, b, d any
		want       row
	}{
		{nil, nil, nil, nil, row{}},
		{"", 0, false, []byte{}, row{p(""), n(0), b(false), []byte{}}},
		{"Grüße 'x' \" \\ % \U0001F600", int64(math.MaxInt64), true, []byte{0}, row{p("Grüße 'x' \" \\ % \U0001F600"), n(math.MaxInt64), b(true), []byte{0}}},
		{"1e3", int64(math.MinInt64), true, big, row{p("1e3"), n(math.MinInt64), b(true), big}}, // text stays text
		{word1, count(3), new(bool), raw("r"), row{p("w"), n(3), b(false), []byte("r")}},
		{&word1, &seven, sql.NullBool{}, []byte(nil), row{p("w"), n(7), nil, nil}},
		{noString, sql.NullInt64{Int64: 5, Valid: true}, sql.NullBool{Bool: true, Valid: true}, []byte("{}"), row{nil, n(5), b(true), []byte("{}")}},
		{json.RawMessage(`{"a":1}`), uint8(255), true, []byte("x"), row{p(`{"a":1}`), n(255), b(true), []byte("x")}},
		{strings.Repeat("long ", 100_000), -1, true, []byte("x"), row{p(strings.Repeat("long ", 100_000)), n(-1), b(true), []byte("x")}},
	} {
		update(t, db, func(tx *store.Tx) error {
			_, err := tx.Exec("INSERT INTO vals (id, s, n, b, d) VALUES ($1, $2, $3, $4, $5)", i, tt.s, tt.n, tt.b, tt.d)
			return err
		})
		view(t, db, func(tx *store.Tx) error {
			var got row
			if err := tx.QueryRow("SELECT s, n, b, d FROM vals WHERE id = $1", i).Scan(&got.S, &got.N, &got.B, &got.D); err != nil {
				return fmt.Errorf("row %d: %w", i, err)
			}
			if fmt.Sprint(deref(got.S), deref(got.N), deref(got.B)) != fmt.Sprint(deref(tt.want.S), deref(tt.want.N), deref(tt.want.B)) || !bytes.Equal(got.D, tt.want.D) {
				t.Errorf("row %d: got %v %v %v, %d bytes", i, deref(got.S), deref(got.N), deref(got.B), len(got.D))
			}
			var isNull bool
			if err := tx.QueryRow("SELECT d IS NULL FROM vals WHERE id = $1", i).Scan(&isNull); err != nil {
				return err
			}
			if isNull != (tt.want.D == nil) {
				t.Errorf("row %d: bytes NULL: %v", i, isNull)
			}
			return nil
		})
	}
	view(t, db, func(tx *store.Tx) error {
		var (
			w  word
			c  count
			rw raw
			f  float64
			i  int
			a  any
			ns sql.NullString
		)
		if err := tx.QueryRow("SELECT s, n, d, n, n, s FROM vals WHERE id = 4").Scan(&w, &c, &rw, &f, &i, &a); err != nil {
			return err
		}
		if w != "w" || c != 3 || string(rw) != "r" || f != 3 || i != 3 || a != "w" {
			t.Error("named types:", w, c, rw, f, i, a)
		}
		if err := tx.QueryRow("SELECT s FROM vals WHERE id = 0").Scan(&ns); err != nil || ns.Valid {
			t.Error("NullString:", ns, err)
		}
		var sum, n int64
		var empty *int64
		if err := tx.QueryRow("SELECT sum(n), count(*), (SELECT sum(n) FROM vals WHERE id > 1000) FROM vals WHERE id IN (4, 5)").Scan(&sum, &n, &empty); err != nil {
			return err
		}
		if sum != 10 || n != 2 || empty != nil {
			t.Error("sum, count:", sum, n, empty)
		}
		return nil
	})
}

func deref[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

func testBadValues(t *testing.T, db *store.DB) {
	exec(t, db, valueTable, "INSERT INTO vals VALUES (1, 's', 300, TRUE, NULL)")
	for _, v := range []any{"a\x00b", "\xff", word("\xff"), time.Now(), uint64(math.MaxUint64), struct{}{}, []string{"a"}, make(chan int)} {
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec("UPDATE vals SET s = $1", v)
			return err
		})
		if err == nil {
			t.Errorf("a %T was stored: %v", v, v)
		}
	}
	for _, tt := range []struct {
		column string
		dest   any
	}{
		{"n", new(uint8)}, {"n", new(int8)}, {"n", new(bool)}, {"n", new(string)}, {"s", new(int)}, {"s", new(bool)},
		{"d", new(string)}, {"d", new(int)}, {"n", 5}, {"n", nil},
	} {
		err := db.View(t.Context(), func(tx *store.Tx) error {
			return tx.QueryRow("SELECT " + tt.column + " FROM vals").Scan(tt.dest)
		})
		if err == nil {
			t.Errorf("column %s was scanned into a %T", tt.column, tt.dest)
		}
	}
	err := db.View(t.Context(), func(tx *store.Tx) error { return tx.QueryRow("SELECT s, n FROM vals").Scan(new(string)) })
	if err == nil {
		t.Error("two columns were scanned into one value")
	}
	if err := db.View(t.Context(), func(tx *store.Tx) error { return tx.QueryRow("SELECT s FROM vals WHERE n = $1").Scan(new(string)) }); err == nil {
		t.Error("a query ran without its argument")
	}
}

// testSQL: what the services' statements rely on.
func testSQL(t *testing.T, db *store.DB) {
	// The collation comes from a column that a migration made: it is there that text columns
	// get one which does not depend on the database's locale.
	exec(t, db, "CREATE TABLE vals AS SELECT key AS s FROM meta WHERE FALSE",
		"ALTER TABLE vals ADD COLUMN id BIGINT", "ALTER TABLE vals ADD COLUMN n BIGINT", "ALTER TABLE vals ADD COLUMN b BOOLEAN",
		"CREATE UNIQUE INDEX vals_id ON vals (id)")
	update(t, db, func(tx *store.Tx) error {
		for i, s := range []string{"b", "B", "a", "A", "ab", "Ab", "ä", "a%", "_", "a\U0001F600"} {
			if _, err := tx.Exec("INSERT INTO vals (id, s, n, b) VALUES ($1, $2, $1, $3)", i, s, i%2 == 0); err != nil {
				return err
			}
		}
		return nil
	})
	list := func(want, query string, args ...any) {
		t.Helper()
		view(t, db, func(tx *store.Tx) error {
			rows, err := tx.Query(query, args...)
			if err != nil {
				return fmt.Errorf("%s: %w", query, err)
			}
			defer rows.Close()
			var got []string
			for rows.Next() {
				var s string
				if err := rows.Scan(&s); err != nil {
					return err
				}
				got = append(got, s)
			}
			if g := strings.Join(got, " "); g != want {
				t.Errorf("%s: got %s, want %s", query, g, want)
			}
			return rows.Err()
		})
	}
	list("A Ab B _ a a% ab a\U0001F600 b ä", "SELECT s FROM vals ORDER BY s")
	list("a% ab a\U0001F600 b ä", "SELECT s FROM vals WHERE s > $1 ORDER BY s", "a")
	list("a a% ab a\U0001F600", "SELECT s FROM vals WHERE s >= $1 AND s < $2 ORDER BY s", "a", store.PrefixEnd("a"))
	list("a a% ab a\U0001F600", "SELECT s FROM vals WHERE s LIKE 'a%' ORDER BY s")
	list("a%", `SELECT s FROM vals WHERE s LIKE 'a\%' ESCAPE '\' ORDER BY s`)
	list("B", "SELECT s FROM vals WHERE s = 'B'")
	list("B b", "SELECT s FROM vals WHERE lower(s) = $1 ORDER BY s", "b")
	list("b a", "SELECT s FROM vals WHERE b AND id < 4 ORDER BY id")
	list("B A", "SELECT s FROM vals WHERE NOT b AND id < 4 ORDER BY id")
	list("b a", "SELECT s FROM vals WHERE b = $1 AND id < 4 ORDER BY id", true)
	list("B a", "SELECT s FROM vals WHERE id > $2 AND id <= $1 AND n > $2 ORDER BY id", 2, 0) // out of order, repeated
	list("a A", "SELECT s FROM vals ORDER BY id LIMIT $1 OFFSET $2", 2, 2)
	list("A b", "SELECT CASE WHEN id = 0 THEN 'A' ELSE 'b' END FROM vals WHERE id IN (0, 1) ORDER BY id")
	list("b-0", "SELECT s || '-' || CAST(n AS TEXT) FROM vals WHERE id = 0")
	list("x", "SELECT coalesce(max(s), 'x') FROM vals WHERE id > 100")
	list("c", "WITH w AS (SELECT 'c' AS s) SELECT w.s FROM w LEFT JOIN vals ON vals.s = w.s WHERE vals.id IS NULL")
	update(t, db, func(tx *store.Tx) error {
		n, err := tx.Exec("UPDATE vals SET n = n + 1 WHERE id < $1", 3)
		if n != 3 || err != nil {
			t.Errorf("UPDATE: %d rows, %v", n, err)
		}
		n, err = tx.Exec("INSERT INTO vals (id, s) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING", 1, "no")
		if n != 0 || err != nil {
			t.Errorf("DO NOTHING: %d rows, %v", n, err)
		}
		var s string
		var was int
		err = tx.QueryRow("INSERT INTO vals (id, s, n) VALUES ($1, $2, 1) ON CONFLICT (id) DO UPDATE SET s = vals.s || excluded.s RETURNING s, n", 1, "+").Scan(&s, &was)
		if s != "B+" || was != 2 || err != nil {
			t.Errorf("upsert: %s %d, %v", s, was, err)
		}
		rows, err := tx.Query("DELETE FROM vals WHERE id < 2 RETURNING id")
		if err != nil {
			return err
		}
		var ids []int
		for rows.Next() {
			ids = append(ids, 0)
			if err := rows.Scan(&ids[len(ids)-1]); err != nil {
				return err
			}
		}
		slices.Sort(ids)
		if !slices.Equal(ids, []int{0, 1}) {
			t.Errorf("DELETE RETURNING: %v", ids)
		}
		return rows.Err()
	})
}

// testOpenRows: statements run while rows are read, the same statement among them, and rows may
// be left unread.
func testOpenRows(t *testing.T, db *store.DB) {
	exec(t, db, counterTable)
	for _, run := range []func(testing.TB, *store.DB, func(*store.Tx) error){update, view} {
		update(t, db, func(tx *store.Tx) error {
			for i := range 10 {
				if _, err := tx.Exec("INSERT INTO counters VALUES ($1, $2) ON CONFLICT DO NOTHING", fmt.Sprint(i), i); err != nil {
					return err
				}
			}
			return nil
		})
		run(t, db, func(tx *store.Tx) error {
			const query = "SELECT n FROM counters WHERE n >= $1 ORDER BY n"
			outer, err := tx.Query(query, 5)
			if err != nil {
				return err
			}
			got := ""
			for outer.Next() {
				var o int
				if err := outer.Scan(&o); err != nil {
					return err
				}
				inner, err := tx.Query(query, 8)
				if err != nil {
					return err
				}
				for inner.Next() {
					var i int
					if err := inner.Scan(&i); err != nil {
						return err
					}
					got += fmt.Sprint(o, i, " ")
				}
			}
			if want := "5 8 5 9 6 8 6 9 7 8 7 9 8 8 8 9 9 8 9 9 "; got != want {
				t.Errorf("nested: %s, want %s", got, want)
			}
			left, err := tx.Query(query, 0)
			if err != nil {
				return err
			}
			left.Next() // and never closed
			return nil
		})
		// The connection is as good as new.
		for range 6 {
			if n := number(t, db, "SELECT n FROM counters WHERE n >= $1 ORDER BY n", 3); n != 3 {
				t.Errorf("got %d, want 3", n)
			}
		}
	}
}
