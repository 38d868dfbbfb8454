package userpools

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/srp"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// fill adds n users straight to the tables, with one credential for all.
func (f *fixture) fill(p *Pool, n int) {
	f.t.Helper()
	model := &user{id: newUserID(), username: "x"}
	f.setPassword(p, model, goodPassword)
	for done := 0; done < n; {
		batch := min(2000, n-done)
		err := f.db.Update(f.ctx, func(tx *store.Tx) error {
			for i := done; i < done+batch; i++ {
				u := &user{pool: p.No, id: newUserID(), status: confirmed, enabled: true, created: f.now(), sealed: model.sealed, attrs: map[string]string{}}
				u.modified = u.created
				if err := p.nameNewUser(u, fmt.Sprintf("user%07d@example.com", i)); err != nil {
					return err
				}
				if err := insertUser(tx, p, u); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			f.t.Fatal(err)
		}
		done += batch
	}
}

func (f *fixture) benchPool() (pool, client string) {
	pool = f.newPool(cognitoidp.CreateUserPoolRequest{UsernameAttributes: []string{"email"}, UsernameConfiguration: &cognitoidp.UsernameConfigurationType{}})
	client = f.newClient(pool, cognitoidp.CreateUserPoolClientRequest{})
	f.confirmed(pool, client, "ann@example.com")
	return pool, client
}

// TestBytesPerUser keeps a user under 900 bytes of the database, indexes and all.
func TestBytesPerUser(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a database")
	}
	path := filepath.Join(t.TempDir(), "size.db")
	f := newFixture(t, "sqlite:"+path)
	pool, _ := f.benchPool()
	size := func() int64 {
		var pages, bytes int64
		err := f.db.View(f.ctx, func(tx *store.Tx) error {
			if err := tx.QueryRow(`SELECT page_count FROM pragma_page_count`).Scan(&pages); err != nil {
				return err
			}
			return tx.QueryRow(`SELECT page_size FROM pragma_page_size`).Scan(&bytes)
		})
		if err != nil {
			t.Fatal(err)
		}
		return pages * bytes
	}
	before := size()
	const n = 20000
	f.fill(must(f.pool(f.ctx, pool))(t), n)
	if per := (size() - before) / n; per > 900 {
		t.Errorf("%d bytes a user", per)
	} else {
		t.Logf("%d bytes a user", per)
	}
}

// benchUsers is how many users the pool of a benchmark has; GATEHOUSE_BENCH_USERS sets another.
func benchUsers() (n int) {
	if _, err := fmt.Sscan(os.Getenv("GATEHOUSE_BENCH_USERS"), &n); err != nil {
		return 1000
	}
	return n
}

func BenchmarkPasswordSignIn(b *testing.B) {
	f := newFixture(b, "sqlite:"+filepath.Join(b.TempDir(), "bench.db"))
	pool, client := f.benchPool()
	f.fill(must(f.pool(f.ctx, pool))(b), benchUsers())
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := f.signIn(client, "ann@example.com", goodPassword); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkSRPSignIn(b *testing.B) {
	f := newFixture(b, "sqlite:"+filepath.Join(b.TempDir(), "bench.db"))
	pool, client := f.benchPool()
	answers := make([]map[string]string, b.N)
	c := srp.NewClient(poolSuffix(pool))
	for i := range answers { // the client's share
		answers[i] = f.srpAnswer(c, must(f.srpBegin(client, "ann@example.com", c))(b), goodPassword)
	}
	var next atomic.Int64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := f.srpBegin(client, "ann@example.com", c); err != nil {
				b.Error(err)
			}
			if _, err := f.srpFinish(client, answers[next.Add(1)-1]); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkSignUp(b *testing.B) {
	f := newFixture(b, "sqlite:"+filepath.Join(b.TempDir(), "bench.db"))
	pool := f.newPool(cognitoidp.CreateUserPoolRequest{UsernameAttributes: []string{"email"}, AutoVerifiedAttributes: []string{"email"}})
	client := f.newClient(pool, cognitoidp.CreateUserPoolClientRequest{})
	var next atomic.Int64
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			in := &cognitoidp.SignUpRequest{ClientId: client, Username: fmt.Sprintf("new%d@example.com", next.Add(1)), Password: shape.Ptr(goodPassword)}
			if _, err := f.SignUp(f.ctx, in); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkListUsers(b *testing.B) {
	f := newFixture(b, "sqlite:"+filepath.Join(b.TempDir(), "bench.db"))
	pool, _ := f.benchPool()
	f.fill(must(f.pool(f.ctx, pool))(b), benchUsers())
	for name, filter := range map[string]string{"equal": `email = "user0000500@example.com"`, "prefix": `email ^= "user000050"`} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				out := must(f.ListUsers(f.ctx, &cognitoidp.ListUsersRequest{UserPoolId: pool, Filter: &filter}))(b)
				if len(out.Users) == 0 {
					b.Fatal("nobody")
				}
			}
		})
	}
}

func BenchmarkGetUser(b *testing.B) {
	f := newFixture(b, "sqlite:"+filepath.Join(b.TempDir(), "bench.db"))
	_, client := f.benchPool()
	token := *must(f.signIn(client, "ann@example.com", goodPassword))(b).AuthenticationResult.AccessToken
	for b.Loop() {
		must(0, f.getUser(token))(b)
	}
}
