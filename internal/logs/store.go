package logs

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// group is a log group.
type group struct {
	Region, Name string
	Created      int64 // epoch milliseconds
	Retention    int64 // days; 0: for ever
	Class        string
	Tags         map[string]string
	Token        string `json:",omitempty"` // of the step of a stack that made it
}

var groups = store.Kind[group]{Name: "logs.group"}

func groupID(region, name string) string { return region + ":" + name }

func groupKey(region, name string) store.Key {
	return store.Key{ID: groupID(region, name), Parent: region}
}

// inserts are statements that write several events at once: fewer of them, and fewer round trips.
// There are few, for each is prepared on each connection.
var inserts = []struct {
	rows  int
	query string
}{{16, insert(16)}, {4, insert(4)}, {1, insert(1)}}

func insert(rows int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO log_events (grp, ts, seq, stream, ingested, message) VALUES ")
	for i := range rows {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "($%d, $%d, $%d, $%d, $%d, $%d)", 6*i+1, 6*i+2, 6*i+3, 6*i+4, 6*i+5, 6*i+6)
	}
	return b.String()
}

// storeLines writes events, and makes the groups and streams that they name.
func storeLines(tx *store.Tx, batch []line, now time.Time) error {
	type key struct{ region, group, stream string }
	type stat struct {
		key
		id                 string // of the group
		first, last, bytes int64
	}
	stats := map[key]*stat{}
	var st *stat // of the line before
	rows := make([]any, 0, 6*len(batch))
	ingested := any(now.UnixMilli())
	for i := range batch {
		l := &batch[i]
		if k := (key{l.region, l.group, l.stream}); st == nil || st.key != k {
			if st = stats[k]; st == nil {
				st = &stat{k, groupID(l.region, l.group), l.ts, l.ts, 0}
				stats[k] = st
			}
		}
		rows = append(rows, st.id, l.ts, l.seq, l.stream, ingested, l.text)
		st.first, st.last = min(st.first, l.ts), max(st.last, l.ts)
		st.bytes += int64(len(l.text)) + 26 // what CloudWatch counts for an event
	}
	for _, in := range inserts {
		for n := 6 * in.rows; len(rows) >= n; rows = rows[n:] {
			if _, err := tx.Exec(in.query, rows[:n]...); err != nil {
				return err
			}
		}
	}
	for _, st := range stats {
		if _, err := groups.Get(tx, st.id); errors.Is(err, store.ErrNotFound) {
			g := &group{Region: st.region, Name: st.group, Created: now.UnixMilli(), Class: "STANDARD"}
			if err := groups.Put(tx, groupKey(st.region, st.group), g); err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		if _, err := tx.Exec(`INSERT INTO log_streams (grp, stream, created, first_ts, last_ts, ingested, bytes) VALUES ($1, $2, $3, $4, $5, $3, $6)
			ON CONFLICT (grp, stream) DO UPDATE SET
				first_ts = CASE WHEN log_streams.last_ts = 0 OR excluded.first_ts < log_streams.first_ts THEN excluded.first_ts ELSE log_streams.first_ts END,
				last_ts = CASE WHEN excluded.last_ts > log_streams.last_ts THEN excluded.last_ts ELSE log_streams.last_ts END,
				ingested = excluded.ingested, bytes = log_streams.bytes + excluded.bytes`,
			st.id, st.stream, now.UnixMilli(), st.first, st.last, st.bytes); err != nil {
			return err
		}
	}
	return nil
}

func dropGroup(tx *store.Tx, id string) error {
	for _, q := range []string{"DELETE FROM log_events WHERE grp = $1", "DELETE FROM log_streams WHERE grp = $1"} {
		if _, err := tx.Exec(q, id); err != nil {
			return err
		}
	}
	return groups.Delete(tx, id)
}

// cursor is a place between events.
type cursor struct{ ts, seq int64 }

// stored is an event in the store.
type stored struct {
	ts, seq, ingested int64
	stream, message   string
}

// scan reads the events of a group, of one stream if stream is not empty, with times in [from, to) and
// strictly after the cursor (before it, newest first, if back is set), until f returns false or limit
// events were read. It tells whether it stopped before the end.
func scan(tx *store.Tx, id, stream string, from, to int64, at cursor, back bool, limit int, f func(*stored) bool) error {
	q := "SELECT ts, seq, ingested, stream, message FROM log_events WHERE grp = $1 AND ts >= $2 AND ts < $3"
	args := []any{id, from, to, at.ts, at.seq, limit}
	if back {
		q += " AND (ts < $4 OR ts = $4 AND seq < $5)"
	} else {
		q += " AND (ts > $4 OR ts = $4 AND seq > $5)"
	}
	if stream != "" {
		q += " AND stream = $7"
		args = append(args, stream)
	}
	if back {
		q += " ORDER BY ts DESC, seq DESC LIMIT $6"
	} else {
		q += " ORDER BY ts, seq LIMIT $6"
	}
	rows, err := tx.Query(q, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var e stored
		if err := rows.Scan(&e.ts, &e.seq, &e.ingested, &e.stream, &e.message); err != nil {
			return err
		}
		if !f(&e) {
			return nil
		}
	}
	return rows.Err()
}

// eachStored calls f for the events of a group from a time on whose seq is at most upTo, a page at a
// time, so that no read transaction waits for a slow reader.
func (s *Service) eachStored(ctx context.Context, id string, from, upTo int64, f func(Event) bool) error {
	at := cursor{from - 1, math.MaxInt64}
	for {
		var page []stored
		err := s.DB.View(ctx, func(tx *store.Tx) error {
			page = page[:0]
			return scan(tx, id, "", from, math.MaxInt64, at, false, 1000, func(e *stored) bool {
				page = append(page, *e)
				return true
			})
		})
		if err != nil {
			return err
		}
		for _, e := range page {
			at = cursor{e.ts, e.seq}
			if e.seq <= upTo && !f(Event{time.UnixMilli(e.ts), e.stream, e.message}) {
				return nil
			}
		}
		if len(page) < 1000 {
			return nil
		}
	}
}

// sweep deletes events past their group's retention.
func (s *Service) sweep(ctx context.Context) {
	var all []*group
	err := s.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query("SELECT DISTINCT grp FROM log_streams")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return err
			}
			g, err := groups.Get(tx, id)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			if g.Retention > 0 {
				all = append(all, g)
			}
		}
		return rows.Err()
	})
	for _, g := range all {
		if err == nil {
			oldest := s.Now().Add(-time.Duration(g.Retention) * 24 * time.Hour).UnixMilli()
			err = s.DB.Update(ctx, func(tx *store.Tx) error {
				_, err := tx.Exec("DELETE FROM log_events WHERE grp = $1 AND ts < $2", groupID(g.Region, g.Name), oldest)
				return err
			})
		}
	}
	if err != nil {
		s.Logger.Error("old log events could not be deleted", "err", err)
	}
}
