package store_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

const killEnv = "GATEHOUSE_STORE_KILL_TEST"

// TestKill kills a process in the middle of its writing. What it had acknowledged is there, in
// whole transactions.
func TestKill(t *testing.T) {
	if url := os.Getenv(killEnv); url != "" {
		writeUntilKilled(t, url)
	}
	for name, url := range map[string]func(t *testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + t.TempDir() + "/test.db" },
		"postgres": func(t *testing.T) string { return storetest.PostgresURL(t) },
	} {
		t.Run(name, func(t *testing.T) { testKill(t, url(t)) })
	}
}

func testKill(t *testing.T, url string) {
	db, err := store.Open(t.Context(), store.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec("CREATE TABLE acks (worker BIGINT, n BIGINT, half BIGINT, PRIMARY KEY (worker, n, half))")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
		cmd.Env = append(os.Environ(), killEnv+"="+url)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		acked := map[int]int{} // worker: last acknowledged
		total := 0
		for sc := bufio.NewScanner(out); sc.Scan(); {
			w, n, ok := strings.Cut(sc.Text(), " ")
			if !ok {
				t.Errorf("child: %s", sc.Text())
				continue
			}
			worker, _ := strconv.Atoi(w)
			acked[worker], _ = strconv.Atoi(n)
			if total++; total == 300 {
				cmd.Process.Kill()
			}
		}
		cmd.Wait()
		if total < 300 {
			t.Fatalf("the child wrote only %d rows", total)
		}

		db, err := store.Open(t.Context(), store.Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(t.Context(), func(tx *store.Tx) error {
			for worker, n := range acked {
				var rows int
				if err := tx.QueryRow("SELECT count(*) FROM acks WHERE worker = $1 AND n <= $2", worker, n).Scan(&rows); err != nil {
					return err
				}
				if rows != 2*(n+1) {
					t.Errorf("worker %d was told of %d transactions; there are %d rows", worker, n+1, rows)
				}
			}
			var odd int
			if err := tx.QueryRow("SELECT count(*) FROM (SELECT 1 FROM acks GROUP BY worker, n HAVING count(*) <> 2) AS t").Scan(&odd); err != nil {
				return err
			}
			if odd != 0 {
				t.Errorf("%d transactions are there by half", odd)
			}
			_, err := tx.Exec("DELETE FROM acks")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func writeUntilKilled(t *testing.T, url string) {
	db, err := store.Open(t.Context(), store.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(time.Minute, func() { os.Exit(1) })
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for n := 0; ; n++ {
				err := db.Update(t.Context(), func(tx *store.Tx) error {
					for half := range 2 {
						if _, err := tx.Exec("INSERT INTO acks VALUES ($1, $2, $3)", worker, n, half); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					fmt.Println(err)
					return
				}
				fmt.Printf("%d %d\n", worker, n) // one write each
			}
		})
	}
	wg.Wait()
	os.Exit(1)
}
