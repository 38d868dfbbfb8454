package buckets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/api/s3"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

func newTest(t *testing.T, db *store.DB) (*Service, context.Context) {
	return New(Options{DB: db, Account: "000000000000"}), wire.WithCall(t.Context(), &wire.Call{Account: "000000000000", Region: "eu-west-1"})
}

func code(err error) string {
	var e *shape.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return fmt.Sprint(err)
}

func put(t *testing.T, s *Service, ctx context.Context, key, text string) *s3.PutObjectOutput {
	t.Helper()
	out, err := s.PutObject(ctx, &s3.PutObjectRequest{Bucket: "app", Key: key, Body: io.NopCloser(strings.NewReader(text)), Metadata: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestObjects(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db)
		if _, err := s.PutObject(ctx, &s3.PutObjectRequest{Bucket: "app", Key: "k"}); code(err) != "NoSuchBucket" {
			t.Errorf("put into nothing: %v", err)
		}
		if _, err := s.CreateBucket(ctx, &s3.CreateBucketRequest{Bucket: "app"}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.CreateBucket(ctx, &s3.CreateBucketRequest{Bucket: "app"}); code(err) != "BucketAlreadyOwnedByYou" {
			t.Errorf("a second bucket: %v", err)
		}
		if out := put(t, s, ctx, "dir/k", "hello world"); *out.ETag != `"5eb63bbbe01eeed093cb22bb8f5acdc3"` {
			t.Errorf("ETag %s", *out.ETag)
		}
		read := func(rng *string) (string, error) {
			out, err := s.GetObject(ctx, &s3.GetObjectRequest{Bucket: "app", Key: "dir/k", Range: rng})
			if err != nil {
				return "", err
			}
			defer out.Body.Close()
			data, err := io.ReadAll(out.Body)
			if int64(len(data)) != *out.ContentLength {
				t.Errorf("length %d, said %d", len(data), *out.ContentLength)
			}
			return string(data) + " " + shape.Val(out.ContentRange), err
		}
		for _, tt := range []struct{ rng, want string }{
			{"", "hello world "},
			{"bytes=0-4", "hello bytes 0-4/11"},
			{"bytes=6-", "world bytes 6-10/11"},
			{"bytes=-5", "world bytes 6-10/11"},
			{"bytes=6-100", "world bytes 6-10/11"},
			{"bytes=4-2", "hello world "},
			{"lines=1-2", "hello world "},
		} {
			if got, err := read(opt(tt.rng)); err != nil || got != tt.want {
				t.Errorf("range %q: %q, %v; want %q", tt.rng, got, err, tt.want)
			}
		}
		if _, err := read(shape.Ptr("bytes=11-")); code(err) != "InvalidRange" {
			t.Errorf("a range beyond the end: %v", err)
		}
		head, err := s.HeadObject(ctx, &s3.HeadObjectRequest{Bucket: "app", Key: "dir/k"})
		if err != nil || *head.ContentLength != 11 || head.Metadata["a"] != "b" {
			t.Errorf("head: %+v, %v", head, err)
		}
		if _, err := s.GetObject(ctx, &s3.GetObjectRequest{Bucket: "app", Key: "dir/k", IfNoneMatch: head.ETag}); code(err) != "NotModified" {
			t.Errorf("not modified: %v", err)
		}
		if _, err := s.PutObject(ctx, &s3.PutObjectRequest{Bucket: "app", Key: "dir/k", IfNoneMatch: shape.Ptr("*")}); code(err) != "PreconditionFailed" {
			t.Errorf("put only if new: %v", err)
		}
		if _, err := s.DeleteBucket(ctx, &s3.DeleteBucketRequest{Bucket: "app"}); code(err) != "BucketNotEmpty" {
			t.Errorf("delete a full bucket: %v", err)
		}

		put(t, s, ctx, "same", "hello world") // shares its blob
		for range 2 {
			if _, err := s.DeleteObject(ctx, &s3.DeleteObjectRequest{Bucket: "app", Key: "dir/k"}); err != nil {
				t.Error(err)
			}
		}
		body, size, err := s.OpenObject(ctx, "app", "same", "")
		if err != nil || size != 11 {
			t.Fatalf("the other object with this content: %v", err)
		}
		data, _ := io.ReadAll(body)
		body.Close()
		if string(data) != "hello world" {
			t.Errorf("content %q", data)
		}
		put(t, s, ctx, "same", "other") // the last use of the first content
		if _, _, err := s.OpenObject(ctx, "app", "dir/k", ""); code(err) != "NoSuchKey" {
			t.Errorf("a deleted object: %v", err)
		}
		if _, err := s.DeleteObjects(ctx, &s3.DeleteObjectsRequest{Bucket: "app", Delete: &s3.Delete{Objects: []s3.ObjectIdentifier{{Key: "same"}, {Key: "none"}}}}); err != nil {
			t.Error(err)
		}
		if _, err := s.DeleteBucket(ctx, &s3.DeleteBucketRequest{Bucket: "app"}); err != nil {
			t.Error(err)
		}
	})
}

func TestList(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db)
		if _, err := s.CreateBucket(ctx, &s3.CreateBucketRequest{Bucket: "app"}); err != nil {
			t.Fatal(err)
		}
		for _, k := range []string{"a", "b/1", "b/2", "b/3", "c", "d/x/1", "d/x/2", "e", "z z"} {
			put(t, s, ctx, k, k)
		}
		for _, tt := range []struct{ prefix, delimiter, want string }{
			{"", "", "a b/1 b/2 b/3 c d/x/1 d/x/2 e z+z"},
			{"b/", "", "b/1 b/2 b/3"},
			{"", "/", "a b/ c d/ e z+z"},
			{"d/", "/", "d/x/"},
			{"b", "/", "b/"},
			{"nothing", "", ""},
		} {
			for _, page := range []int64{1, 2, 3, 1000} {
				var got []string
				var token *string
				for range 20 {
					out, err := s.ListObjectsV2(ctx, &s3.ListObjectsV2Request{Bucket: "app", Prefix: opt(tt.prefix), Delimiter: opt(tt.delimiter),
						MaxKeys: &page, ContinuationToken: token, EncodingType: shape.Ptr("url")})
					if err != nil {
						t.Fatal(err)
					}
					if n := int64(len(out.Contents) + len(out.CommonPrefixes)); n != *out.KeyCount || n > page {
						t.Errorf("a page of %d holds %d, says %d", page, n, *out.KeyCount)
					}
					names := map[string]bool{}
					for _, o := range out.Contents {
						names[*o.Key] = true
					}
					for _, p := range out.CommonPrefixes {
						names[*p.Prefix] = true
					}
					for _, k := range strings.Fields(tt.want) {
						if names[k] {
							got = append(got, k)
						}
					}
					if token = out.NextContinuationToken; token == nil {
						break
					}
				}
				if g := strings.Join(got, " "); g != tt.want {
					t.Errorf("prefix %q, delimiter %q, pages of %d: %s; want %s", tt.prefix, tt.delimiter, page, g, tt.want)
				}
			}
		}
	})
}

func TestRefused(t *testing.T) {
	s, ctx := newTest(t, storetest.Open(t, "memory:"))
	for _, name := range []string{"Upper", "a", "a..b", "127.0.0.1", "-a-", strings.Repeat("a", 64)} {
		if _, err := s.CreateBucket(ctx, &s3.CreateBucketRequest{Bucket: name}); code(err) != "InvalidBucketName" {
			t.Errorf("bucket %q: %v", name, err)
		}
	}
	for _, in := range []*s3.PutObjectRequest{
		{ACL: shape.Ptr("public-read")}, {ServerSideEncryption: shape.Ptr("aws:kms")}, {Tagging: shape.Ptr("a=b")}, {StorageClass: shape.Ptr("GLACIER")},
	} {
		in.Bucket, in.Key = "app", "k"
		if _, err := s.PutObject(ctx, in); code(err) != "NotImplemented" {
			t.Errorf("%+v: %v", in, err)
		}
	}
	if _, err := s.CreateBucket(ctx, &s3.CreateBucketRequest{Bucket: "app", CreateBucketConfiguration: &s3.CreateBucketConfiguration{LocationConstraint: shape.Ptr("us-west-2")}}); code(err) != "IllegalLocationConstraintException" {
		t.Errorf("another region: %v", err)
	}
}
