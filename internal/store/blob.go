package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"
)

// partSize is how a blob is cut: a write transaction holds one part.
const partSize = 512 << 10

// unownedFor is how long a blob is kept without an owner.
const unownedFor = time.Hour

// PutBlob stores what it reads from r, durably, and returns its lower-case hexadecimal SHA-256
// and its size in bytes. The same content is stored once. A blob that nothing owns an hour later
// (see [Tx.LinkBlob]) is deleted.
func (db *DB) PutBlob(ctx context.Context, r io.Reader) (sum string, size int64, err error) {
	upload := uploadID(db.now())
	hash := sha256.New()
	src := io.TeeReader(r, hash)
	buf := make([]byte, 0, 32<<10)
	var parts, saved int64
	defer func() {
		if err != nil && saved > 0 {
			// Best effort, even if ctx is over: else the daily collection takes them.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			db.Update(ctx, func(tx *Tx) error {
				_, err := tx.Exec("DELETE FROM blob_parts WHERE upload = $1", upload)
				return err
			})
		}
	}()
	for {
		var last bool
		if buf, last, err = fill(src, buf[:0]); err != nil {
			return "", 0, err
		}
		size += int64(len(buf))
		if last {
			break
		}
		err = db.Update(ctx, func(tx *Tx) error {
			_, err := tx.Exec("INSERT INTO blob_parts (upload, part, data) VALUES ($1, $2, $3)", upload, parts, buf)
			return err
		})
		if err != nil {
			return "", 0, err
		}
		parts++
		saved++
	}
	sum = hex.EncodeToString(hash.Sum(nil))
	err = db.Update(ctx, func(tx *Tx) error {
		n, err := tx.Exec("INSERT INTO blobs (sum, upload, size, created) VALUES ($1, $2, $3, $4) ON CONFLICT (sum) DO NOTHING",
			sum, upload, size, tx.Now().UnixMilli())
		if err != nil {
			return err
		}
		if n == 0 { // known content
			if _, err := tx.Exec("UPDATE blobs SET created = $2 WHERE sum = $1", sum, tx.Now().UnixMilli()); err != nil {
				return err
			}
			if parts > 0 {
				_, err = tx.Exec("DELETE FROM blob_parts WHERE upload = $1", upload)
			}
			return err
		}
		if len(buf) > 0 {
			if _, err := tx.Exec("INSERT INTO blob_parts (upload, part, data) VALUES ($1, $2, $3)", upload, parts, buf); err != nil {
				return err
			}
		}
		// An upload of more than an hour may have been collected, in part or whole.
		var have int64
		if err := tx.QueryRow("SELECT count(*) FROM blob_parts WHERE upload = $1", upload).Scan(&have); err != nil {
			return err
		}
		if want := parts + min(1, int64(len(buf))); have != want {
			return fmt.Errorf("store: an upload took so long that %d of its %d parts were collected", want-have, want)
		}
		return nil
	})
	if err != nil {
		return "", 0, err
	}
	return sum, size, nil
}

// uploadID sorts by time.
func uploadID(t time.Time) string { return fmt.Sprintf("%013d-%s", t.UnixMilli(), rand.Text()) }

// fill appends up to a part of r to buf, which grows as needed; last says that r is at its end.
func fill(r io.Reader, buf []byte) (_ []byte, last bool, err error) {
	for len(buf) < partSize {
		if len(buf) == cap(buf) {
			buf = append(make([]byte, 0, min(2*cap(buf), partSize)), buf...)
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, true, nil
		}
		if err != nil {
			return buf, false, err
		}
	}
	return buf, false, nil
}

// OpenBlob returns the content with the SHA-256, or ErrNotFound. It is read part by part, so
// a blob that is deleted meanwhile ends in an error.
func (db *DB) OpenBlob(ctx context.Context, sum string) (io.ReadCloser, error) {
	b := &blobReader{ctx: ctx, db: db, sum: sum}
	err := db.View(ctx, func(tx *Tx) error {
		if err := tx.QueryRow("SELECT upload, size FROM blobs WHERE sum = $1", sum).Scan(&b.upload, &b.left); err != nil {
			return err
		}
		if b.left == 0 {
			return nil
		}
		return b.read(tx)
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

type blobReader struct {
	ctx    context.Context
	db     *DB
	sum    string
	upload string
	part   int64
	buf    bytes.Reader
	left   int64 // bytes, those in buf included
	err    error
}

func (b *blobReader) read(tx *Tx) error {
	var data []byte
	err := tx.QueryRow("SELECT data FROM blob_parts WHERE upload = $1 AND part = $2", b.upload, b.part).Scan(&data)
	if err == ErrNotFound {
		return fmt.Errorf("store: blob %s was deleted while it was read", b.sum)
	}
	if err != nil {
		return err
	}
	b.part++
	b.buf.Reset(data)
	return nil
}

func (b *blobReader) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.left == 0 {
		return 0, io.EOF
	}
	if b.buf.Len() == 0 {
		if b.err = b.db.View(b.ctx, b.read); b.err != nil {
			return 0, b.err
		}
	}
	n, _ := b.buf.Read(p)
	b.left -= int64(n)
	return n, nil
}

func (b *blobReader) Close() error {
	b.err = errors.New("store: the blob is closed")
	b.buf.Reset(nil)
	return nil
}

// LinkBlob makes owner ("functions:us-east-1/name", "buckets:bucket/key") an owner of the blob,
// which it may be already. It returns ErrNotFound if there is no such blob.
func (tx *Tx) LinkBlob(sum, owner string) error {
	var one int64
	if err := tx.QueryRow("SELECT 1 FROM blobs WHERE sum = $1", sum).Scan(&one); err != nil {
		return err
	}
	_, err := tx.Exec("INSERT INTO blob_owners (sum, owner) VALUES ($1, $2) ON CONFLICT DO NOTHING", sum, owner)
	return err
}

// UnlinkBlob ends an ownership, and with the last one deletes the blob. It returns ErrNotFound
// if owner did not own the blob.
func (tx *Tx) UnlinkBlob(sum, owner string) error {
	n, err := tx.Exec("DELETE FROM blob_owners WHERE sum = $1 AND owner = $2", sum, owner)
	if err != nil {
		return err
	}
	if n == 0 {
		return ErrNotFound
	}
	var one int64
	err = tx.QueryRow("SELECT 1 FROM blob_owners WHERE sum = $1 LIMIT 1", sum).Scan(&one)
	if err != ErrNotFound {
		return err // nil: somebody else owns it
	}
	return tx.deleteBlob(sum)
}

func (tx *Tx) deleteBlob(sum string) error {
	if _, err := tx.Exec("DELETE FROM blob_parts WHERE upload = (SELECT upload FROM blobs WHERE sum = $1)", sum); err != nil {
		return err
	}
	_, err := tx.Exec("DELETE FROM blobs WHERE sum = $1", sum)
	return err
}

// collect deletes what uploads left: blobs that nobody came to own, parts without a blob.
func (db *DB) collect(ctx context.Context) error {
	before := db.now().Add(-unownedFor)
	const unowned = "SELECT sum FROM blobs WHERE created < $1 AND NOT EXISTS (SELECT 1 FROM blob_owners WHERE blob_owners.sum = blobs.sum)"
	const orphans = "SELECT DISTINCT upload FROM blob_parts WHERE upload < $1 AND NOT EXISTS (SELECT 1 FROM blobs WHERE blobs.upload = blob_parts.upload)"
	var sums, uploads []string
	err := db.View(ctx, func(tx *Tx) (err error) {
		if sums, err = column(tx, unowned, before.UnixMilli()); err != nil {
			return err
		}
		uploads, err = column(tx, orphans, uploadID(before))
		return err
	})
	if err != nil {
		return err
	}
	for _, sum := range sums {
		err := db.Update(ctx, func(tx *Tx) error {
			err := tx.QueryRow(unowned+" AND sum = $2", before.UnixMilli(), sum).Scan(new(string))
			if err == ErrNotFound {
				return nil // it has an owner by now
			}
			if err != nil {
				return err
			}
			return tx.deleteBlob(sum)
		})
		if err != nil {
			return err
		}
	}
	for _, upload := range uploads {
		err := db.Update(ctx, func(tx *Tx) error {
			_, err := tx.Exec("DELETE FROM blob_parts WHERE upload = $1 AND NOT EXISTS (SELECT 1 FROM blobs WHERE blobs.upload = $1)", upload)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// column returns the only column of a query.
func column(tx *Tx, query string, args ...any) ([]string, error) {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, rows.Err()
}

// collectDaily collects now and every day.
func (db *DB) collectDaily(ctx context.Context) {
	t := time.NewTicker(24 * time.Hour)
	defer t.Stop()
	for {
		if err := db.collect(ctx); err != nil && ctx.Err() == nil {
			db.log.Warn("collecting unowned blobs failed; it is tried again tomorrow", "error", err)
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}
