package storetest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// content returns n bytes that look random and are the same for the same seed.
func content(n int, seed byte) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func testBlobs(t *testing.T, db *store.DB) {
	const part = 512 << 10
	for _, n := range []int{0, 1, 1000, part - 1, part, part + 1, 3*part + 7} {
		data := content(n, 1)
		h := sha256.Sum256(data)
		want := hex.EncodeToString(h[:])
		for range 2 { // the second time it is known
			sum, size, err := db.PutBlob(t.Context(), iotest.HalfReader(bytes.NewReader(data)))
			if err != nil {
				t.Fatal(err)
			}
			if sum != want || size != int64(n) {
				t.Errorf("PutBlob of %d bytes = %s, %d; want %s", n, sum, size, want)
			}
			r, err := db.OpenBlob(t.Context(), sum)
			if err != nil {
				t.Fatal(err)
			}
			if err := iotest.TestReader(r, data); err != nil {
				t.Errorf("%d bytes: %v", n, err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			if _, err := r.Read(make([]byte, 1)); err == nil {
				t.Error("read after Close")
			}
		}
	}
	if n := number(t, db, "SELECT count(*) FROM blob_parts"); n != 0+1+1+1+1+2+4 {
		t.Errorf("%d parts", n)
	}
	_, err := db.OpenBlob(t.Context(), strings.Repeat("0", 64))
	wantErr(t, "OpenBlob of nothing", err, store.ErrNotFound)
	// The same content from several at once.
	var wg sync.WaitGroup
	data := content(2*part, 2)
	for range 4 {
		wg.Go(func() {
			if _, _, err := db.PutBlob(t.Context(), bytes.NewReader(data)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := number(t, db, "SELECT count(*) FROM blob_parts"); n != 10+2 {
		t.Errorf("%d parts", n)
	}
}

func testBlobOwners(t *testing.T, db *store.DB) {
	sum, _, err := db.PutBlob(t.Context(), bytes.NewReader(content(600<<10, 3)))
	if err != nil {
		t.Fatal(err)
	}
	update(t, db, func(tx *store.Tx) error {
		for _, owner := range []string{"a:1", "b:2", "a:1"} {
			if err := tx.LinkBlob(sum, owner); err != nil {
				return err
			}
		}
		wantErr(t, "LinkBlob of nothing", tx.LinkBlob("none", "a:1"), store.ErrNotFound)
		wantErr(t, "UnlinkBlob of another's", tx.UnlinkBlob(sum, "c:3"), store.ErrNotFound)
		return tx.UnlinkBlob(sum, "a:1")
	})
	r, err := db.OpenBlob(t.Context(), sum)
	if err != nil {
		t.Fatal("the blob went with its first owner")
	}
	update(t, db, func(tx *store.Tx) error { return tx.UnlinkBlob(sum, "b:2") })
	_, err = db.OpenBlob(t.Context(), sum)
	wantErr(t, "OpenBlob after the last owner", err, store.ErrNotFound)
	if n := number(t, db, "SELECT count(*) FROM blob_parts"); n != 0 {
		t.Errorf("%d parts left", n)
	}
	if _, err := io.ReadAll(r); err == nil {
		t.Error("a blob deleted while it was read seemed complete")
	}
}

func testBlobFailures(t *testing.T, db *store.DB) {
	own := errors.New("own")
	r := io.MultiReader(bytes.NewReader(content(1<<20, 4)), iotest.ErrReader(own))
	if _, _, err := db.PutBlob(t.Context(), r); err != own {
		t.Errorf("PutBlob: %v, want the reader's error", err)
	}
	if n := number(t, db, "SELECT count(*) FROM blob_parts"); n != 0 {
		t.Errorf("%d parts left", n)
	}
}
