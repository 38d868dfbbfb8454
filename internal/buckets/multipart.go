package buckets

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/s3"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// Limits of uploads in parts: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
const (
	maxParts = 10000
	minPart  = 5 << 20 // bytes, but for the last part
)

// upload is an upload in parts that is under way.
type upload struct {
	id, bucket, key string
	created         int64
	headers         headers
}

// part is one part that has come.
type part struct {
	number         int64
	sum, etag      string
	size, modified int64
}

func partOwner(upload string, number int64) string {
	return fmt.Sprintf("buckets:upload:%s:%d", upload, number)
}

func noUpload(id string) error {
	return shape.Errorf("NoSuchUpload", http.StatusNotFound, "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.").With("UploadId", id)
}

// getUpload returns an upload with its parts in order.
func getUpload(tx *store.Tx, bucket, key, id string) (*upload, []part, error) {
	u := &upload{id: id}
	var h string
	err := tx.QueryRow("SELECT bucket, key, created, headers FROM object_uploads WHERE id = $1", id).Scan(&u.bucket, &u.key, &u.created, &h)
	if errors.Is(err, store.ErrNotFound) || err == nil && (u.bucket != bucket || u.key != key) {
		return nil, nil, noUpload(id)
	}
	if err != nil {
		return nil, nil, err
	}
	if err := json.Unmarshal([]byte(h), &u.headers); err != nil {
		return nil, nil, err
	}
	rows, err := tx.Query("SELECT number, sum, etag, size, modified FROM object_parts WHERE upload = $1 ORDER BY number", id)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	var list []part
	for rows.Next() {
		var p part
		if err := rows.Scan(&p.number, &p.sum, &p.etag, &p.size, &p.modified); err != nil {
			return nil, nil, err
		}
		list = append(list, p)
	}
	return u, list, rows.Err()
}

// dropUpload forgets an upload with its parts.
func dropUpload(tx *store.Tx, id string, parts []part) error {
	for _, p := range parts {
		if err := tx.UnlinkBlob(p.sum, partOwner(id, p.number)); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	if _, err := tx.Exec("DELETE FROM object_parts WHERE upload = $1", id); err != nil {
		return err
	}
	_, err := tx.Exec("DELETE FROM object_uploads WHERE id = $1", id)
	return err
}

// dropUploads forgets the uploads of a bucket.
func dropUploads(tx *store.Tx, bucket string) error {
	list, err := listUploads(tx, bucket, "", "", "", maxParts)
	for _, u := range list {
		_, parts, err := getUpload(tx, bucket, u.key, u.id)
		if err == nil {
			err = dropUpload(tx, u.id, parts)
		}
		if err != nil {
			return err
		}
	}
	return err
}

func listUploads(tx *store.Tx, bucket, prefix, key, id string, limit int) ([]upload, error) {
	rows, err := tx.Query("SELECT id, key, created FROM object_uploads WHERE bucket = $1 AND key >= $2 AND key < $3 AND (key > $4 OR key = $4 AND id > $5) ORDER BY key, id LIMIT $6",
		bucket, prefix, store.PrefixEnd(prefix), key, id, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []upload
	for rows.Next() {
		var u upload
		if err := rows.Scan(&u.id, &u.key, &u.created); err != nil {
			return nil, err
		}
		list = append(list, u)
	}
	return list, rows.Err()
}

func (s *Service) CreateMultipartUpload(ctx context.Context, in *s3.CreateMultipartUploadRequest) (*s3.CreateMultipartUploadOutput, error) {
	if err := refuse(map[string]bool{
		"An access control list": listed(in.ACL) || in.GrantFullControl != nil || in.GrantRead != nil || in.GrantReadACP != nil || in.GrantWriteACP != nil,
		"Object lock":            in.ObjectLockMode != nil || in.ObjectLockLegalHoldStatus != nil || in.ObjectLockRetainUntilDate != nil,
	}); err != nil {
		return nil, err
	}
	if err := refuseKinds(in.ServerSideEncryption, in.SSECustomerAlgorithm, in.Tagging, in.WebsiteRedirectLocation, in.StorageClass); err != nil {
		return nil, err
	}
	if err := checkKey(in.Key); err != nil {
		return nil, err
	}
	h, err := json.Marshal(headers{ContentType: shape.Val(in.ContentType), CacheControl: shape.Val(in.CacheControl), ContentDisposition: shape.Val(in.ContentDisposition),
		ContentEncoding: shape.Val(in.ContentEncoding), ContentLanguage: shape.Val(in.ContentLanguage), Metadata: in.Metadata})
	if err != nil {
		return nil, err
	}
	id := ident.Random(ident.AlphaNum, 64)
	err = s.DB.Update(ctx, func(tx *store.Tx) error {
		if _, err := bucketKind.Get(tx, in.Bucket); errors.Is(err, store.ErrNotFound) {
			return noBucket(in.Bucket)
		} else if err != nil {
			return err
		}
		_, err := tx.Exec("INSERT INTO object_uploads (id, bucket, key, created, headers) VALUES ($1, $2, $3, $4, $5)", id, in.Bucket, in.Key, s.Now().UnixMilli(), string(h))
		return err
	})
	if err != nil {
		return nil, err
	}
	return &s3.CreateMultipartUploadOutput{Bucket: &in.Bucket, Key: &in.Key, UploadId: &id, ServerSideEncryption: shape.Ptr("AES256"),
		ChecksumAlgorithm: in.ChecksumAlgorithm, ChecksumType: in.ChecksumType}, nil
}

func (s *Service) UploadPart(ctx context.Context, in *s3.UploadPartRequest) (*s3.UploadPartOutput, error) {
	if in.SSECustomerAlgorithm != nil {
		return nil, unsupported("Encryption with a key of your own")
	}
	body := io.ReadCloser(http.NoBody)
	if in.Body != nil {
		body = in.Body
	}
	p, err := s.putPart(ctx, in.Bucket, in.Key, in.UploadId, in.PartNumber, func() (io.ReadCloser, error) { return body, nil })
	if err != nil {
		return nil, err
	}
	return &s3.UploadPartOutput{ETag: &p.etag, ServerSideEncryption: shape.Ptr("AES256"), ChecksumCRC32: in.ChecksumCRC32, ChecksumCRC32C: in.ChecksumCRC32C,
		ChecksumCRC64NVME: in.ChecksumCRC64NVME, ChecksumSHA1: in.ChecksumSHA1, ChecksumSHA256: in.ChecksumSHA256}, nil
}

// UploadPartCopy makes a part of another object, or of a range of it.
func (s *Service) UploadPartCopy(ctx context.Context, in *s3.UploadPartCopyRequest) (*s3.UploadPartCopyOutput, error) {
	if in.SSECustomerAlgorithm != nil || in.CopySourceSSECustomerAlgorithm != nil {
		return nil, unsupported("Encryption with a key of your own")
	}
	bucket, key, version, err := copySource(in.CopySource)
	if err != nil {
		return nil, err
	}
	p, err := s.putPart(ctx, in.Bucket, in.Key, in.UploadId, in.PartNumber, func() (io.ReadCloser, error) {
		out, err := s.GetObject(ctx, &s3.GetObjectRequest{Bucket: bucket, Key: key, VersionId: version, Range: in.CopySourceRange, IfMatch: in.CopySourceIfMatch,
			IfNoneMatch: in.CopySourceIfNoneMatch, IfModifiedSince: in.CopySourceIfModifiedSince, IfUnmodifiedSince: in.CopySourceIfUnmodifiedSince})
		if err != nil {
			return nil, copyError(err)
		}
		return out.Body, nil
	})
	if err != nil {
		return nil, err
	}
	return &s3.UploadPartCopyOutput{ServerSideEncryption: shape.Ptr("AES256"),
		CopyPartResult: &s3.CopyPartResult{ETag: &p.etag, LastModified: shape.Ptr(time.UnixMilli(p.modified).UTC())}}, nil
}

// putPart stores a part of an upload. The body is opened when it is known that there is such an upload.
func (s *Service) putPart(ctx context.Context, bucket, key, id string, number int64, open func() (io.ReadCloser, error)) (*part, error) {
	if number < 1 || number > maxParts {
		return nil, shape.Errorf("InvalidArgument", 400, "Part number must be an integer between 1 and %d, inclusive", maxParts).With("ArgumentName", "partNumber")
	}
	if err := s.DB.View(ctx, func(tx *store.Tx) error {
		_, _, err := getUpload(tx, bucket, key, id)
		return err
	}); err != nil {
		return nil, err
	}
	body, err := open()
	if err != nil {
		return nil, err
	}
	defer body.Close()
	h := md5.New()
	p := &part{number: number, modified: s.Now().UnixMilli()}
	if p.sum, p.size, err = s.DB.PutBlob(ctx, io.TeeReader(body, h)); err != nil {
		return nil, err
	}
	p.etag = `"` + hex.EncodeToString(h.Sum(nil)) + `"`
	err = s.DB.Update(ctx, func(tx *store.Tx) error {
		_, parts, err := getUpload(tx, bucket, key, id)
		if err != nil {
			return err
		}
		owner := partOwner(id, number)
		if err := tx.LinkBlob(p.sum, owner); errors.Is(err, store.ErrNotFound) {
			return tryAgain()
		} else if err != nil {
			return err
		}
		for _, old := range parts {
			if old.number == number && old.sum != p.sum {
				if err := tx.UnlinkBlob(old.sum, owner); err != nil {
					return err
				}
			}
		}
		_, err = tx.Exec(`INSERT INTO object_parts (upload, number, sum, etag, size, modified) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (upload, number) DO UPDATE SET sum = excluded.sum, etag = excluded.etag, size = excluded.size, modified = excluded.modified`,
			id, number, p.sum, p.etag, p.size, p.modified)
		return err
	})
	return p, err
}

// CompleteMultipartUpload makes an object of the parts that the request lists.
func (s *Service) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadRequest) (*s3.CompleteMultipartUploadOutput, error) {
	var u *upload
	var have []part
	if err := s.DB.View(ctx, func(tx *store.Tx) (err error) {
		u, have, err = getUpload(tx, in.Bucket, in.Key, in.UploadId)
		return err
	}); err != nil {
		return nil, err
	}
	parts, err := chosen(have, in.MultipartUpload)
	if err != nil {
		return nil, err
	}
	sum, size, err := s.DB.PutBlob(ctx, &joined{ctx: ctx, db: s.DB, parts: parts})
	if err != nil {
		return nil, err
	}
	if in.MpuObjectSize != nil && *in.MpuObjectSize != size {
		return nil, shape.Errorf("InvalidRequest", 400, "The provided 'x-amz-mp-object-size' header value does not match what was computed.")
	}
	o := &object{key: in.Key, sum: sum, etag: joinedETag(parts), size: size, modified: s.Now().Truncate(time.Second).UnixMilli(), headers: u.headers}
	err = s.DB.Update(ctx, func(tx *store.Tx) error {
		_, now, err := getUpload(tx, in.Bucket, in.Key, in.UploadId)
		if err != nil {
			return err
		}
		if err := place(tx, in.Bucket, o, in.IfMatch, in.IfNoneMatch); err != nil {
			return err
		}
		return dropUpload(tx, in.UploadId, now)
	})
	if err != nil {
		return nil, err
	}
	return &s3.CompleteMultipartUploadOutput{Bucket: &in.Bucket, Key: &in.Key, ETag: &o.etag, Location: shape.Ptr("/" + in.Bucket + "/" + in.Key), ServerSideEncryption: shape.Ptr("AES256")}, nil
}

// chosen returns the parts that a request lists, of those that have come.
func chosen(have []part, list *s3.CompletedMultipartUpload) ([]part, error) {
	if list == nil || len(list.Parts) == 0 {
		return nil, shape.Errorf("MalformedXML", 400, "The XML you provided was not well-formed or did not validate against our published schema")
	}
	byNumber := map[int64]part{}
	for _, p := range have {
		byNumber[p.number] = p
	}
	var out []part
	last := int64(0)
	for _, want := range list.Parts {
		number := shape.Val(want.PartNumber)
		if number <= last {
			return nil, shape.Errorf("InvalidPartOrder", 400, "The list of parts was not in ascending order. Parts must be ordered by part number.")
		}
		last = number
		p, ok := byNumber[number]
		if !ok || strings.Trim(shape.Val(want.ETag), `"`) != strings.Trim(p.etag, `"`) {
			return nil, shape.Errorf("InvalidPart", 400, "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.").With("PartNumber", number)
		}
		out = append(out, p)
	}
	for _, p := range out[:len(out)-1] {
		if p.size < minPart {
			return nil, shape.Errorf("EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size").With("PartNumber", p.number).With("MinSizeAllowed", minPart).With("ProposedSize", p.size)
		}
	}
	return out, nil
}

// joinedETag is the MD5 of the parts' MD5s, and how many they are.
func joinedETag(parts []part) string {
	h := md5.New()
	for _, p := range parts {
		raw, _ := hex.DecodeString(strings.Trim(p.etag, `"`))
		h.Write(raw)
	}
	return fmt.Sprintf(`"%x-%d"`, h.Sum(nil), len(parts))
}

// joined reads parts one after the other, one open at a time.
type joined struct {
	ctx   context.Context
	db    *store.DB
	parts []part
	open  io.ReadCloser
}

func (j *joined) Read(b []byte) (int, error) {
	for {
		if j.open == nil {
			if len(j.parts) == 0 {
				return 0, io.EOF
			}
			r, err := j.db.OpenBlob(j.ctx, j.parts[0].sum)
			if err != nil {
				return 0, err
			}
			j.open, j.parts = r, j.parts[1:]
		}
		n, err := j.open.Read(b)
		if err == io.EOF {
			j.open.Close()
			j.open, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (s *Service) AbortMultipartUpload(ctx context.Context, in *s3.AbortMultipartUploadRequest) (*s3.AbortMultipartUploadOutput, error) {
	err := s.DB.Update(ctx, func(tx *store.Tx) error {
		_, parts, err := getUpload(tx, in.Bucket, in.Key, in.UploadId)
		if err != nil {
			return err
		}
		return dropUpload(tx, in.UploadId, parts)
	})
	if err != nil {
		return nil, err
	}
	return &s3.AbortMultipartUploadOutput{}, nil
}

func (s *Service) ListParts(ctx context.Context, in *s3.ListPartsRequest) (*s3.ListPartsOutput, error) {
	limit := int64(1000)
	if in.MaxParts != nil {
		limit = min(max(*in.MaxParts, 0), limit)
	}
	marker, err := strconv.ParseInt("0"+shape.Val(in.PartNumberMarker), 10, 64)
	if err != nil {
		return nil, shape.Errorf("InvalidArgument", 400, "Provided part-number-marker not an integer or within integer range")
	}
	out := &s3.ListPartsOutput{Bucket: &in.Bucket, Key: &in.Key, UploadId: &in.UploadId, MaxParts: &limit, PartNumberMarker: shape.Ptr(strconv.FormatInt(marker, 10)),
		IsTruncated: shape.Ptr(false), StorageClass: shape.Ptr("STANDARD"), Owner: &s3.Owner{ID: &s.Account}, Initiator: &s3.Initiator{ID: &s.Account}}
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		_, parts, err := getUpload(tx, in.Bucket, in.Key, in.UploadId)
		for _, p := range parts {
			if p.number <= marker {
				continue
			}
			if int64(len(out.Parts)) == limit {
				out.IsTruncated = shape.Ptr(true)
				break
			}
			out.Parts = append(out.Parts, s3.Part{PartNumber: &p.number, ETag: &p.etag, Size: &p.size, LastModified: shape.Ptr(time.UnixMilli(p.modified).UTC())})
			out.NextPartNumberMarker = shape.Ptr(strconv.FormatInt(p.number, 10))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Service) ListMultipartUploads(ctx context.Context, in *s3.ListMultipartUploadsRequest) (*s3.ListMultipartUploadsOutput, error) {
	if shape.Val(in.Delimiter) != "" {
		return nil, unsupported("A delimiter in a list of uploads")
	}
	if _, err := s.find(ctx, in.Bucket); err != nil {
		return nil, err
	}
	limit := int64(1000)
	if in.MaxUploads != nil {
		limit = min(max(*in.MaxUploads, 1), limit)
	}
	out := &s3.ListMultipartUploadsOutput{Bucket: &in.Bucket, Prefix: in.Prefix, MaxUploads: &limit, IsTruncated: shape.Ptr(false), KeyMarker: shape.Ptr(shape.Val(in.KeyMarker)),
		UploadIdMarker: shape.Ptr(shape.Val(in.UploadIdMarker))}
	id := shape.Val(in.UploadIdMarker)
	if id == "" && in.KeyMarker != nil { // a key alone stands for all its uploads
		id = "~"
	}
	err := s.DB.View(ctx, func(tx *store.Tx) error {
		list, err := listUploads(tx, in.Bucket, shape.Val(in.Prefix), shape.Val(in.KeyMarker), id, int(limit)+1)
		for i, u := range list {
			if int64(i) == limit {
				out.IsTruncated, out.NextKeyMarker, out.NextUploadIdMarker = shape.Ptr(true), &list[i-1].key, &list[i-1].id
				break
			}
			out.Uploads = append(out.Uploads, s3.MultipartUpload{Key: &u.key, UploadId: &u.id, Initiated: shape.Ptr(time.UnixMilli(u.created).UTC()), StorageClass: shape.Ptr("STANDARD"),
				Owner: &s3.Owner{ID: &s.Account}, Initiator: &s3.Initiator{ID: &s.Account}})
		}
		return err
	})
	return out, err
}
