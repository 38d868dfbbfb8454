package buckets

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/internal/api/s3"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

func noBucket(name string) error {
	return shape.Errorf("NoSuchBucket", http.StatusNotFound, "The specified bucket does not exist").With("BucketName", name)
}

func noKey(key string) error {
	return shape.Errorf("NoSuchKey", http.StatusNotFound, "The specified key does not exist.").With("Key", key)
}

func unsupported(what string) error {
	return shape.Errorf("NotImplemented", http.StatusNotImplemented, "%s is not supported", what)
}

// refuse returns an error that names the first of the settings, in their names' order, that is given.
func refuse(settings map[string]bool) error {
	if name := shape.Given(settings); name != "" {
		return unsupported(name)
	}
	return nil
}

var bucketForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// validBucket checks a name by S3's rules for general purpose buckets
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html).
func validBucket(name string) bool {
	return bucketForm.MatchString(name) && !strings.Contains(name, "..") && net.ParseIP(name) == nil &&
		!strings.HasPrefix(name, "xn--") && !strings.HasSuffix(name, "-s3alias")
}

func (s *Service) CreateBucket(ctx context.Context, in *s3.CreateBucketRequest) (*s3.CreateBucketOutput, error) {
	err := s.create(ctx, in, "")
	if shape.HasCode(err, "BucketAlreadyOwnedByYou") {
		// Where the old region's clients are, a second creation by the owner succeeds, as on AWS.
		if old, e := s.find(ctx, in.Bucket); e == nil && old.Region == "us-east-1" && wire.CallFrom(ctx).Region == old.Region {
			err = nil
		}
	}
	if err != nil {
		return nil, err
	}
	return &s3.CreateBucketOutput{Location: shape.Ptr("/" + in.Bucket)}, nil
}

// create makes a bucket. token, if any, tells tries to make the same bucket.
func (s *Service) create(ctx context.Context, in *s3.CreateBucketRequest, token string) error {
	acl := shape.Val(in.ACL)
	if err := refuse(map[string]bool{
		"An access control list": acl != "" && acl != "private" || in.GrantFullControl != nil || in.GrantRead != nil || in.GrantReadACP != nil || in.GrantWrite != nil || in.GrantWriteACP != nil,
		"Object lock":            shape.Val(in.ObjectLockEnabledForBucket),
	}); err != nil {
		return err
	}
	if !validBucket(in.Bucket) {
		return shape.Errorf("InvalidBucketName", 400, "The specified bucket is not valid.").With("BucketName", in.Bucket)
	}
	region := wire.CallFrom(ctx).Region
	tags := map[string]string{}
	if c := in.CreateBucketConfiguration; c != nil {
		if c.LocationConstraint != nil && *c.LocationConstraint != region {
			return shape.Errorf("IllegalLocationConstraintException", 400, "The %s location constraint is incompatible for the region specific endpoint this request was sent to.", *c.LocationConstraint)
		}
		for _, t := range c.Tags {
			tags[t.Key] = t.Value
		}
	}
	b := &bucket{Name: in.Bucket, Region: region, Created: s.Now().UnixMilli(), Tags: tags, Token: token}
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		err := bucketKind.Insert(tx, bucketKey(b.Name), b)
		if !errors.Is(err, store.ErrExists) {
			return err
		}
		if old, err := bucketKind.Get(tx, b.Name); err != nil || token != "" && old.Token == token {
			return err
		}
		return s3.BucketAlreadyOwnedByYou("Your previous request to create the named bucket succeeded and you already own it.").With("BucketName", in.Bucket)
	})
}

func (s *Service) DeleteBucket(ctx context.Context, in *s3.DeleteBucketRequest) (*s3.DeleteBucketResponse, error) {
	err := s.DB.Update(ctx, func(tx *store.Tx) error {
		full := false
		err := listObjects(tx, in.Bucket, "", "", 1, func(*object) (string, bool) { full = true; return "", false })
		if err != nil {
			return err
		}
		if full {
			return shape.Errorf("BucketNotEmpty", http.StatusConflict, "The bucket you tried to delete is not empty").With("BucketName", in.Bucket)
		}
		if err := dropUploads(tx, in.Bucket); err != nil {
			return err
		}
		return bucketKind.Delete(tx, in.Bucket)
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, noBucket(in.Bucket)
	}
	return &s3.DeleteBucketResponse{}, err
}

func (s *Service) HeadBucket(ctx context.Context, in *s3.HeadBucketRequest) (*s3.HeadBucketOutput, error) {
	b, err := s.find(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	return &s3.HeadBucketOutput{BucketRegion: shape.Ptr(b.Region)}, nil
}

func (s *Service) GetBucketLocation(ctx context.Context, in *s3.GetBucketLocationRequest) (*s3.GetBucketLocationOutput, error) {
	b, err := s.find(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	out := &s3.GetBucketLocationOutput{}
	if b.Region != "us-east-1" { // which has no constraint
		out.LocationConstraint = shape.Ptr(b.Region)
	}
	return out, nil
}

// GetBucketEncryption gives what every bucket has on AWS since 2023; here the disk is the place for it.
func (s *Service) GetBucketEncryption(ctx context.Context, in *s3.GetBucketEncryptionRequest) (*s3.GetBucketEncryptionOutput, error) {
	if _, err := s.find(ctx, in.Bucket); err != nil {
		return nil, err
	}
	return &s3.GetBucketEncryptionOutput{ServerSideEncryptionConfiguration: &s3.ServerSideEncryptionConfiguration{Rules: []s3.ServerSideEncryptionRule{{
		ApplyServerSideEncryptionByDefault: &s3.ServerSideEncryptionByDefault{SSEAlgorithm: "AES256"}, BucketKeyEnabled: shape.Ptr(false),
	}}}}, nil
}

// GetBucketVersioning says that versions were never kept.
func (s *Service) GetBucketVersioning(ctx context.Context, in *s3.GetBucketVersioningRequest) (*s3.GetBucketVersioningOutput, error) {
	_, err := s.find(ctx, in.Bucket)
	return &s3.GetBucketVersioningOutput{}, err
}

func (s *Service) ListBuckets(ctx context.Context, in *s3.ListBucketsRequest) (*s3.ListBucketsOutput, error) {
	limit := 10000
	if in.MaxBuckets != nil {
		if limit = int(*in.MaxBuckets); limit < 1 || limit > 10000 {
			return nil, shape.Errorf("InvalidArgument", 400, "Argument max-buckets must be an integer between 1 and 10000")
		}
	}
	out := &s3.ListBucketsOutput{Buckets: []s3.Bucket{}, Prefix: in.Prefix,
		Owner: &s3.Owner{ID: shape.Ptr(s.Account)}}
	err := s.DB.View(ctx, func(tx *store.Tx) error {
		list, _, err := bucketKind.List(tx, "buckets", shape.Val(in.ContinuationToken), 0)
		for _, b := range list {
			if !strings.HasPrefix(b.Name, shape.Val(in.Prefix)) || in.BucketRegion != nil && *in.BucketRegion != b.Region {
				continue
			}
			if len(out.Buckets) == limit {
				out.ContinuationToken = out.Buckets[limit-1].Name
				break
			}
			out.Buckets = append(out.Buckets, s3.Bucket{Name: shape.Ptr(b.Name), CreationDate: shape.Ptr(time.UnixMilli(b.Created).UTC()), BucketRegion: shape.Ptr(b.Region)})
		}
		return err
	})
	return out, err
}

// listed tells whether an access control list says more than that the owner has all rights.
func listed(acl *string) bool {
	return acl != nil && *acl != "private" && *acl != "bucket-owner-full-control"
}

// refuseKinds names the first of the kinds of storing that are asked for and do not exist here.
func refuseKinds(sse, customer, tagging, redirect, class *string) error {
	return refuse(map[string]bool{
		"Server-side encryption " + val(sse): val(sse) != "" && *sse != "AES256",
		"Encryption with a key of your own":  customer != nil,
		"Object tagging":                     tagging != nil,
		"A redirect of a website":            redirect != nil,
		"Storage class " + val(class):        class != nil && *class != "STANDARD",
	})
}

func (s *Service) PutObject(ctx context.Context, in *s3.PutObjectRequest) (*s3.PutObjectOutput, error) {
	if err := refuse(map[string]bool{
		"An access control list": listed(in.ACL) || in.GrantFullControl != nil || in.GrantRead != nil || in.GrantReadACP != nil || in.GrantWriteACP != nil,
		"Object lock":            in.ObjectLockMode != nil || in.ObjectLockLegalHoldStatus != nil || in.ObjectLockRetainUntilDate != nil,
		"Appending to an object": in.WriteOffsetBytes != nil,
	}); err != nil {
		return nil, err
	}
	if err := refuseKinds(in.ServerSideEncryption, in.SSECustomerAlgorithm, in.Tagging, in.WebsiteRedirectLocation, in.StorageClass); err != nil {
		return nil, err
	}
	if err := checkKey(in.Key); err != nil {
		return nil, err
	}
	if _, err := s.find(ctx, in.Bucket); err != nil {
		return nil, err
	}
	body := io.Reader(strings.NewReader(""))
	if in.Body != nil {
		body = in.Body
		defer in.Body.Close()
	}
	h := md5.New()
	sum, size, err := s.DB.PutBlob(ctx, io.TeeReader(body, h))
	if err != nil {
		return nil, err
	}
	etag := `"` + hex.EncodeToString(h.Sum(nil)) + `"`
	o := &object{key: in.Key, sum: sum, etag: etag, size: size, modified: s.Now().Truncate(time.Second).UnixMilli(), headers: headers{
		ContentType: shape.Val(in.ContentType), CacheControl: shape.Val(in.CacheControl), ContentDisposition: shape.Val(in.ContentDisposition),
		ContentEncoding: strings.TrimPrefix(strings.TrimPrefix(shape.Val(in.ContentEncoding), "aws-chunked"), ","),
		ContentLanguage: shape.Val(in.ContentLanguage), Metadata: in.Metadata, SHA256: shape.Val(in.ChecksumSHA256)}}
	if err := s.DB.Update(ctx, func(tx *store.Tx) error { return place(tx, in.Bucket, o, in.IfMatch, in.IfNoneMatch) }); err != nil {
		return nil, err
	}
	return &s3.PutObjectOutput{ETag: &etag, ServerSideEncryption: shape.Ptr("AES256"), ChecksumSHA256: in.ChecksumSHA256}, nil
}

// place puts an object into a bucket, if the conditions on what is there hold.
func place(tx *store.Tx, bucket string, o *object, ifMatch, ifNone *string) error {
	if _, err := bucketKind.Get(tx, bucket); errors.Is(err, store.ErrNotFound) {
		return noBucket(bucket)
	} else if err != nil {
		return err
	}
	if ifNone != nil || ifMatch != nil {
		old, err := getObject(tx, bucket, o.key)
		switch {
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return err
		case ifMatch != nil && err != nil:
			return noKey(o.key)
		case ifMatch != nil && !matches(*ifMatch, old.etag), ifNone != nil && err == nil:
			return shape.Errorf("PreconditionFailed", http.StatusPreconditionFailed, "At least one of the pre-conditions you specified did not hold")
		}
	}
	err := putObject(tx, bucket, o)
	if errors.Is(err, store.ErrNotFound) {
		return tryAgain()
	}
	return err
}

// tryAgain is the answer when the content was in the store already, so that it was not kept once more,
// but went with its last owner just now. Clients send it again.
func tryAgain() error {
	return shape.Errorf("SlowDown", http.StatusServiceUnavailable, "Please reduce your request rate.")
}

func val(p *string) string { return shape.Val(p) }

// matches tells whether an If-Match or If-None-Match header names the tag.
func matches(header, etag string) bool {
	for t := range strings.SplitSeq(header, ",") {
		t = strings.TrimPrefix(strings.TrimSpace(t), "W/")
		if t == "*" || strings.Trim(t, `"`) == strings.Trim(etag, `"`) {
			return true
		}
	}
	return false
}

// object returns an object that a request's conditions allow to read.
func (s *Service) object(ctx context.Context, bucket, key string, version, ifMatch, ifNone *string, since, unless *time.Time) (*object, error) {
	if version != nil && *version != "null" {
		return nil, shape.Errorf("NoSuchVersion", http.StatusNotFound, "The specified version does not exist.")
	}
	if _, err := s.find(ctx, bucket); err != nil {
		return nil, err
	}
	var o *object
	err := s.DB.View(ctx, func(tx *store.Tx) (err error) {
		o, err = getObject(tx, bucket, key)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, noKey(key)
	}
	if err != nil {
		return nil, err
	}
	modified := time.UnixMilli(o.modified)
	switch {
	case ifMatch != nil && !matches(*ifMatch, o.etag), ifMatch == nil && unless != nil && modified.After(*unless):
		return nil, shape.Errorf("PreconditionFailed", http.StatusPreconditionFailed, "At least one of the pre-conditions you specified did not hold")
	case ifNone != nil && matches(*ifNone, o.etag), ifNone == nil && since != nil && !modified.After(*since):
		return nil, shape.Errorf("NotModified", http.StatusNotModified, "Not Modified")
	}
	return o, nil
}

func opt(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (s *Service) GetObject(ctx context.Context, in *s3.GetObjectRequest) (*s3.GetObjectOutput, error) {
	if err := refuse(map[string]bool{"Encryption with a key of your own": in.SSECustomerAlgorithm != nil, "Reading a part": in.PartNumber != nil}); err != nil {
		return nil, err
	}
	for _, v := range []*string{in.ResponseContentType, in.ResponseCacheControl, in.ResponseContentDisposition, in.ResponseContentEncoding, in.ResponseContentLanguage} {
		if v != nil && strings.ContainsFunc(*v, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return nil, shape.Errorf("InvalidArgument", 400, "Header value cannot be represented using ISO-8859-1.").With("ArgumentValue", *v)
		}
	}
	o, err := s.object(ctx, in.Bucket, in.Key, in.VersionId, in.IfMatch, in.IfNoneMatch, in.IfModifiedSince, in.IfUnmodifiedSince)
	if err != nil {
		return nil, err
	}
	out := &s3.GetObjectOutput{
		ETag: &o.etag, LastModified: shape.Ptr(time.UnixMilli(o.modified).UTC()), AcceptRanges: shape.Ptr("bytes"), ServerSideEncryption: shape.Ptr("AES256"),
		ContentType: first(in.ResponseContentType, o.headers.ContentType, "binary/octet-stream"), CacheControl: first(in.ResponseCacheControl, o.headers.CacheControl),
		ContentDisposition: first(in.ResponseContentDisposition, o.headers.ContentDisposition), ContentEncoding: first(in.ResponseContentEncoding, o.headers.ContentEncoding),
		ContentLanguage: first(in.ResponseContentLanguage, o.headers.ContentLanguage), Metadata: o.headers.Metadata,
	}
	from, n := int64(0), o.size
	if in.Range != nil {
		var ok, some bool
		if from, n, some, ok = parseRange(*in.Range, o.size); !ok {
			return nil, shape.Errorf("InvalidRange", http.StatusRequestedRangeNotSatisfiable, "The requested range is not satisfiable").With("ActualObjectSize", o.size)
		}
		if some {
			out.ContentRange = shape.Ptr(fmt.Sprintf("bytes %d-%d/%d", from, from+n-1, o.size))
		}
	}
	if out.ContentRange == nil && shape.Val(in.ChecksumMode) == "ENABLED" {
		out.ChecksumSHA256 = opt(o.headers.SHA256)
	}
	out.ContentLength = &n
	body, err := s.DB.OpenBlob(ctx, o.sum)
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, body, from); err != nil {
		body.Close()
		return nil, err
	}
	out.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(body, n), body}
	return out, nil
}

// first returns the first text that is not empty.
func first(override *string, texts ...string) *string {
	if override != nil {
		return override
	}
	for _, t := range texts {
		if t != "" {
			return &t
		}
	}
	return nil
}

// parseRange reads a Range header of one range (RFC 9110, 14.2). some is false if it is to be ignored:
// another unit, several ranges, a form that is wrong. ok is false if nothing lies within it.
func parseRange(h string, size int64) (from, n int64, some, ok bool) {
	spec, isBytes := strings.CutPrefix(h, "bytes=")
	a, b, isRange := strings.Cut(spec, "-")
	if !isBytes || !isRange || strings.Contains(spec, ",") {
		return 0, size, false, true
	}
	begin, errA := strconv.ParseInt(a, 10, 64)
	end, errB := strconv.ParseInt(b, 10, 64)
	switch {
	case a == "" && errB == nil && end >= 0:
		n = min(end, size)
		return size - n, n, true, n > 0
	case errA != nil || begin < 0 || b != "" && (errB != nil || end < begin):
		return 0, size, false, true
	case begin >= size:
		return 0, 0, true, false
	case b == "" || end >= size:
		end = size - 1
	}
	return begin, end - begin + 1, true, true
}

func (s *Service) HeadObject(ctx context.Context, in *s3.HeadObjectRequest) (*s3.HeadObjectOutput, error) {
	o, err := s.object(ctx, in.Bucket, in.Key, in.VersionId, in.IfMatch, in.IfNoneMatch, in.IfModifiedSince, in.IfUnmodifiedSince)
	if err != nil {
		return nil, err
	}
	return &s3.HeadObjectOutput{
		ETag: &o.etag, LastModified: shape.Ptr(time.UnixMilli(o.modified).UTC()), AcceptRanges: shape.Ptr("bytes"), ServerSideEncryption: shape.Ptr("AES256"),
		ContentLength: &o.size, ContentType: first(nil, o.headers.ContentType, "binary/octet-stream"), CacheControl: opt(o.headers.CacheControl),
		ContentDisposition: opt(o.headers.ContentDisposition), ContentEncoding: opt(o.headers.ContentEncoding),
		ContentLanguage: opt(o.headers.ContentLanguage), Metadata: maps.Clone(o.headers.Metadata),
	}, nil
}

func (s *Service) DeleteObject(ctx context.Context, in *s3.DeleteObjectRequest) (*s3.DeleteObjectOutput, error) {
	if _, err := s.find(ctx, in.Bucket); err != nil {
		return nil, err
	}
	err := s.DB.Update(ctx, func(tx *store.Tx) error { return deleteObject(tx, in.Bucket, in.Key) })
	return &s3.DeleteObjectOutput{}, err
}

func (s *Service) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsRequest) (*s3.DeleteObjectsOutput, error) {
	if _, err := s.find(ctx, in.Bucket); err != nil {
		return nil, err
	}
	if in.Delete == nil || len(in.Delete.Objects) == 0 || len(in.Delete.Objects) > 1000 {
		return nil, shape.Errorf("MalformedXML", 400, "The XML you provided was not well-formed or did not validate against our published schema")
	}
	out := &s3.DeleteObjectsOutput{}
	err := s.DB.Update(ctx, func(tx *store.Tx) error {
		out.Deleted = nil
		for _, o := range in.Delete.Objects {
			if err := deleteObject(tx, in.Bucket, o.Key); err != nil {
				return err
			}
			if !shape.Val(in.Delete.Quiet) {
				out.Deleted = append(out.Deleted, s3.DeletedObject{Key: shape.Ptr(o.Key)})
			}
		}
		return nil
	})
	return out, err
}

// ListObjectsV2 lists keys in their order, those with a common prefix up to the delimiter as one.
func (s *Service) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Request) (*s3.ListObjectsV2Output, error) {
	if _, err := s.find(ctx, in.Bucket); err != nil {
		return nil, err
	}
	limit := int64(1000)
	if in.MaxKeys != nil {
		if limit = min(*in.MaxKeys, 1000); limit < 0 {
			return nil, shape.Errorf("InvalidArgument", 400, "Argument maxKeys must be an integer between 0 and 2147483647")
		}
	}
	encode := func(t string) *string { return &t }
	switch shape.Val(in.EncodingType) {
	case "":
	case "url":
		encode = func(t string) *string { return shape.Ptr(encodeKey(t)) }
	default:
		return nil, shape.Errorf("InvalidArgument", 400, "Invalid Encoding Method specified in Request")
	}
	after := shape.Val(in.StartAfter)
	if in.ContinuationToken != nil {
		raw, err := base64.RawURLEncoding.DecodeString(*in.ContinuationToken)
		if err != nil || !utf8.Valid(raw) || bytes.IndexByte(raw, 0) >= 0 {
			return nil, shape.Errorf("InvalidArgument", 400, "The continuation token provided is incorrect")
		}
		after = string(raw)
	}
	prefix, delimiter := shape.Val(in.Prefix), shape.Val(in.Delimiter)
	out := &s3.ListObjectsV2Output{Name: &in.Bucket, Prefix: encode(prefix), MaxKeys: &limit, EncodingType: in.EncodingType, ContinuationToken: in.ContinuationToken,
		IsTruncated: shape.Ptr(false)}
	if delimiter != "" {
		out.Delimiter = encode(delimiter)
	}
	if in.StartAfter != nil {
		out.StartAfter = encode(*in.StartAfter)
	}
	count, last := int64(0), ""
	err := s.DB.View(ctx, func(tx *store.Tx) error {
		if limit == 0 {
			return nil
		}
		return listObjects(tx, in.Bucket, prefix, after, int(limit)+1, func(o *object) (string, bool) {
			group := ""
			if delimiter != "" {
				if i := strings.Index(o.key[len(prefix):], delimiter); i >= 0 {
					group = o.key[:len(prefix)+i+len(delimiter)]
				}
			}
			if group != "" && group <= after && strings.HasPrefix(after, group) {
				return store.PrefixEnd(group), true // the page before ended with this group
			}
			if count == limit {
				out.IsTruncated, out.NextContinuationToken = shape.Ptr(true), shape.Ptr(base64.RawURLEncoding.EncodeToString([]byte(last)))
				return "", false
			}
			count++
			if group != "" {
				last = group
				out.CommonPrefixes = append(out.CommonPrefixes, s3.CommonPrefix{Prefix: encode(group)})
				return store.PrefixEnd(group), true
			}
			last = o.key
			out.Contents = append(out.Contents, s3.Object{Key: encode(o.key), LastModified: shape.Ptr(time.UnixMilli(o.modified).UTC()),
				ETag: shape.Ptr(o.etag), Size: shape.Ptr(o.size), StorageClass: shape.Ptr("STANDARD")})
			return "", true
		})
	})
	out.KeyCount = &count
	return out, err
}

// ListObjects is the older form of [Service.ListObjectsV2].
func (s *Service) ListObjects(ctx context.Context, in *s3.ListObjectsRequest) (*s3.ListObjectsOutput, error) {
	v2, err := s.ListObjectsV2(ctx, &s3.ListObjectsV2Request{Bucket: in.Bucket, Delimiter: in.Delimiter, EncodingType: in.EncodingType,
		MaxKeys: in.MaxKeys, Prefix: in.Prefix, StartAfter: in.Marker})
	if err != nil {
		return nil, err
	}
	out := &s3.ListObjectsOutput{Name: v2.Name, Prefix: v2.Prefix, Delimiter: v2.Delimiter, MaxKeys: v2.MaxKeys, EncodingType: v2.EncodingType,
		IsTruncated: v2.IsTruncated, Contents: v2.Contents, CommonPrefixes: v2.CommonPrefixes, Marker: shape.Ptr(shape.Val(in.Marker))}
	if shape.Val(v2.IsTruncated) && in.Delimiter != nil {
		raw, _ := base64.RawURLEncoding.DecodeString(*v2.NextContinuationToken)
		out.NextMarker = shape.Ptr(string(raw))
	}
	return out, nil
}

// encodeKey writes a key as S3 does with encoding-type=url.
func encodeKey(key string) string {
	var b strings.Builder
	for i := range len(key) {
		c := key[i]
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.*/", c) >= 0:
			b.WriteByte(c)
		case c == ' ':
			b.WriteByte('+')
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// OpenObject returns an object's content and its length, for a service that reads what a deployment
// uploaded. Errors are S3's.
func (s *Service) OpenObject(ctx context.Context, bucket, key, versionID string) (io.ReadCloser, int64, error) {
	o, err := s.object(ctx, bucket, key, opt(versionID), nil, nil, nil, nil)
	if err != nil {
		return nil, 0, err
	}
	body, err := s.DB.OpenBlob(ctx, o.sum)
	return body, o.size, err
}
