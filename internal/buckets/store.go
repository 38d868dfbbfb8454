package buckets

import (
	"encoding/json"
	"errors"

	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// object is a row of the objects table.
type object struct {
	key, sum, etag string
	size, modified int64
	headers        headers
}

// headers are what the writer of an object wants its readers to be told.
type headers struct {
	ContentType, CacheControl, ContentDisposition, ContentEncoding, ContentLanguage string            `json:",omitempty"`
	Metadata                                                                        map[string]string `json:",omitempty"`
	SHA256                                                                          string            `json:",omitempty"` // checksum that the writer gave, base64
}

func owner(bucket, key string) string { return "buckets:" + bucket + "/" + key }

// putObject stores o in a bucket, in the place of what was there.
func putObject(tx *store.Tx, bucket string, o *object) error {
	old, err := getObject(tx, bucket, o.key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	h, err := json.Marshal(o.headers)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(`INSERT INTO objects (bucket, key, sum, size, etag, modified, headers) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (bucket, key) DO UPDATE SET sum = excluded.sum, size = excluded.size, etag = excluded.etag, modified = excluded.modified, headers = excluded.headers`,
		bucket, o.key, o.sum, o.size, o.etag, o.modified, string(h)); err != nil {
		return err
	}
	if err := tx.LinkBlob(o.sum, owner(bucket, o.key)); err != nil {
		return err
	}
	if old != nil && old.sum != o.sum {
		return tx.UnlinkBlob(old.sum, owner(bucket, o.key))
	}
	return nil
}

const columns = "key, sum, size, etag, modified, headers"

func scanObject(scan func(...any) error) (*object, error) {
	var o object
	var h string
	if err := scan(&o.key, &o.sum, &o.size, &o.etag, &o.modified, &h); err != nil {
		return nil, err
	}
	return &o, json.Unmarshal([]byte(h), &o.headers)
}

func getObject(tx *store.Tx, bucket, key string) (*object, error) {
	return scanObject(tx.QueryRow("SELECT "+columns+" FROM objects WHERE bucket = $1 AND key = $2", bucket, key).Scan)
}

// deleteObject removes an object; one that is not there is no error.
func deleteObject(tx *store.Tx, bucket, key string) error {
	o, err := getObject(tx, bucket, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := tx.Exec("DELETE FROM objects WHERE bucket = $1 AND key = $2", bucket, key); err != nil {
		return err
	}
	return tx.UnlinkBlob(o.sum, owner(bucket, key))
}

// listObjects calls f for the objects of a bucket with the prefix and with keys after a given one, in
// order, until it returns false. It seeks again when f returns a key to skip to.
func listObjects(tx *store.Tx, bucket, prefix, after string, limit int, f func(*object) (skipTo string, more bool)) error {
	inclusive := after < prefix
	if inclusive {
		after = prefix
	}
	for {
		op := ">"
		if inclusive {
			op = ">="
		}
		q := "SELECT " + columns + " FROM objects WHERE bucket = $1 AND key " + op + " $2"
		args := []any{bucket, after, limit}
		if end := store.PrefixEnd(prefix); end != "" {
			q += " AND key < $4"
			args = append(args, end)
		}
		rows, err := tx.Query(q+" ORDER BY key LIMIT $3", args...)
		if err != nil {
			return err
		}
		n, skipTo, more := 0, "", true
		for more && skipTo == "" && rows.Next() {
			o, err := scanObject(rows.Scan)
			if err != nil {
				rows.Close()
				return err
			}
			n++
			after, inclusive = o.key, false
			skipTo, more = f(o)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		if !more || skipTo == "" && n < limit {
			return nil
		}
		if skipTo != "" {
			after, inclusive = skipTo, true
		}
	}
}
