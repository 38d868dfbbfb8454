package restapis

import "github.com/gatehouse-dev/gatehouse/internal/store"

// addUsage counts n more requests of a key on a day.
func addUsage(tx *store.Tx, plan, key string, day, n int64) error {
	_, err := tx.Exec("INSERT INTO restapis_usage (plan, api_key, day, used) VALUES ($1, $2, $3, $4) "+
		"ON CONFLICT (plan, api_key, day) DO UPDATE SET used = restapis_usage.used + excluded.used", plan, key, day, n)
	return err
}

// usedSince counts the requests of a key from one day to another, both included.
func usedSince(tx *store.Tx, plan, key string, from, to int64) (n int64, err error) {
	err = tx.QueryRow("SELECT CAST(COALESCE(SUM(used), 0) AS BIGINT) FROM restapis_usage WHERE plan = $1 AND api_key = $2 AND day >= $3 AND day <= $4",
		plan, key, from, to).Scan(&n)
	return n, err
}

// usedByDay returns the requests of a key by day.
func usedByDay(tx *store.Tx, plan, key string, from, to int64) (map[int64]int64, error) {
	rows, err := tx.Query("SELECT day, used FROM restapis_usage WHERE plan = $1 AND api_key = $2 AND day >= $3 AND day <= $4", plan, key, from, to)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[int64]int64{}
	for rows.Next() {
		var day, used int64
		if err := rows.Scan(&day, &used); err != nil {
			return nil, err
		}
		out[day] = used
	}
	return out, rows.Err()
}

// dropUsage forgets the counts of a plan, or of a key in all plans.
func dropUsage(tx *store.Tx, plan, key string) error {
	if key != "" {
		_, err := tx.Exec("DELETE FROM restapis_usage WHERE api_key = $1", key)
		return err
	}
	_, err := tx.Exec("DELETE FROM restapis_usage WHERE plan = $1", plan)
	if err == nil {
		_, err = grants.DeleteAll(tx, plan)
	}
	return err
}
