package identitypools

import (
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// fill adds n identities with a login each straight to the tables.
func (f *fixture) fill(pool string, n int) {
	f.t.Helper()
	_, p, _ := parseID(pool)
	for done := 0; done < n; {
		batch := min(5000, n-done)
		err := f.db.Update(f.ctx, func(tx *store.Tx) error {
			for i := done; i < done+batch; i++ {
				id := &identity{pool: p, state: authenticated}
				rand.Read(id.id[:])
				if err := insertIdentity(tx, id); err != nil {
					return err
				}
				if _, err := insertLink(tx, id, link{people, fmt.Sprintf("%08d-0000-4000-8000-000000000000", i)}); err != nil {
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

// BenchmarkReturning is GetId and GetCredentialsForIdentity of somebody who is known, among so many
// identities: token from the verifier's cache, look-ups, credentials.
func BenchmarkReturning(b *testing.B) {
	for _, n := range []int{0, 1_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f := newFixture(b, "sqlite:"+b.TempDir()+"/bench.db")
			pool := f.newPool(nil)
			f.fill(pool, n)
			logins := f.user("ann")
			id, err := f.getID(pool, logins)
			if err != nil {
				b.Fatal(err)
			}
			b.Run("GetId", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if got, err := f.getID(pool, logins); err != nil || got != id {
						b.Fatal(got, err)
					}
				}
			})
			b.Run("GetCredentials", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					f.asked = f.asked[:0]
					if got, err := f.credentials(id, logins); err != nil || got != id {
						b.Fatal(got, err)
					}
				}
			})
		})
	}
}

// BenchmarkNew is the first GetId of guests, and of logins.
func BenchmarkNew(b *testing.B) {
	f := newFixture(b, "sqlite:"+b.TempDir()+"/bench.db")
	pool := f.newPool(nil)
	b.Run("guest", func(b *testing.B) {
		for b.Loop() {
			if _, err := f.getID(pool, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}
