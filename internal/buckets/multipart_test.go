package buckets

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/api/s3"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

func TestMultipart(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db)
		if _, err := s.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadRequest{Bucket: "app", Key: "big"}); code(err) != "NoSuchBucket" {
			t.Errorf("an upload into nothing: %v", err)
		}
		if _, err := s.CreateBucket(ctx, &s3.CreateBucketRequest{Bucket: "app"}); err != nil {
			t.Fatal(err)
		}
		begin := func(key string) string {
			t.Helper()
			out, err := s.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadRequest{Bucket: "app", Key: key, ContentType: shape.Ptr("text/plain")})
			if err != nil {
				t.Fatal(err)
			}
			return *out.UploadId
		}
		upload := func(id, key string, number int64, data []byte) (string, error) {
			out, err := s.UploadPart(ctx, &s3.UploadPartRequest{Bucket: "app", Key: key, UploadId: id, PartNumber: number, Body: io.NopCloser(bytes.NewReader(data))})
			if err != nil {
				return "", err
			}
			return *out.ETag, nil
		}
		complete := func(id, key string, parts ...any) (*s3.CompleteMultipartUploadOutput, error) {
			list := &s3.CompletedMultipartUpload{}
			for i := 0; i < len(parts); i += 2 {
				list.Parts = append(list.Parts, s3.CompletedPart{PartNumber: shape.Ptr(int64(parts[i].(int))), ETag: shape.Ptr(parts[i+1].(string))})
			}
			return s.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadRequest{Bucket: "app", Key: key, UploadId: id, MultipartUpload: list})
		}
		first, small, last := bytes.Repeat([]byte("a"), minPart), []byte("small"), []byte("the end")

		id := begin("big")
		if _, err := upload(id, "other", 1, first); code(err) != "NoSuchUpload" {
			t.Errorf("a part of another key: %v", err)
		}
		if _, err := upload(id, "big", 10001, first); code(err) != "InvalidArgument" {
			t.Errorf("part 10001: %v", err)
		}
		if _, err := upload(id, "big", 1, small); err != nil {
			t.Fatal(err)
		}
		one, err := upload(id, "big", 1, first) // in the place of the one before
		if err != nil {
			t.Fatal(err)
		}
		two, err := upload(id, "big", 2, small)
		if err != nil {
			t.Fatal(err)
		}
		three, err := upload(id, "big", 3, last)
		if err != nil {
			t.Fatal(err)
		}
		var seen []int64
		in := &s3.ListPartsRequest{Bucket: "app", Key: "big", UploadId: id, MaxParts: shape.Ptr(int64(2))}
		for {
			out, err := s.ListParts(ctx, in)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range out.Parts {
				seen = append(seen, *p.PartNumber)
			}
			if !*out.IsTruncated {
				break
			}
			in.PartNumberMarker = out.NextPartNumberMarker
		}
		if fmt.Sprint(seen) != "[1 2 3]" {
			t.Errorf("parts %v", seen)
		}
		for what, err := range map[string]error{
			"EntityTooSmall":   second(complete(id, "big", 1, one, 2, two, 3, three)),
			"InvalidPartOrder": second(complete(id, "big", 3, three, 1, one)),
			"InvalidPart":      second(complete(id, "big", 1, two)),
			"MalformedXML":     second(complete(id, "big")),
			"NoSuchUpload":     second(complete("x", "big", 1, one)),
		} {
			if code(err) != what {
				t.Errorf("%v, want %s", err, what)
			}
		}
		done, err := complete(id, "big", 1, one, 3, three)
		if err != nil {
			t.Fatal(err)
		}
		a, b := md5.Sum(first), md5.Sum(last)
		if want := fmt.Sprintf(`"%x-2"`, md5.Sum(append(a[:], b[:]...))); *done.ETag != want {
			t.Errorf("ETag %s, want %s", *done.ETag, want)
		}
		out, err := s.GetObject(ctx, &s3.GetObjectRequest{Bucket: "app", Key: "big"})
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(out.Body)
		out.Body.Close()
		if err != nil || !bytes.Equal(data, append(first, last...)) || *out.ContentType != "text/plain" || *out.ETag != *done.ETag {
			t.Errorf("%d bytes, %v", len(data), err)
		}
		if _, err := complete(id, "big", 1, one, 3, three); code(err) != "NoSuchUpload" {
			t.Errorf("completed twice: %v", err)
		}

		// Parts can be copies.
		id = begin("copied")
		cp := func(source string, number int64, rng *string) (string, error) {
			out, err := s.UploadPartCopy(ctx, &s3.UploadPartCopyRequest{Bucket: "app", Key: "copied", UploadId: id, PartNumber: number, CopySource: source, CopySourceRange: rng})
			if err != nil {
				return "", err
			}
			return *out.CopyPartResult.ETag, nil
		}
		if _, err := cp("app/none", 1, nil); code(err) != "NoSuchKey" {
			t.Errorf("a part of nothing: %v", err)
		}
		whole, err := cp("app/big", 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		some, err := cp("app/big", 2, shape.Ptr(fmt.Sprintf("bytes=%d-%d", minPart, minPart+2)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := complete(id, "copied", 1, whole, 2, some); err != nil {
			t.Fatal(err)
		}
		if r, n, err := s.OpenObject(ctx, "app", "copied", ""); err != nil || n != minPart+10 {
			t.Errorf("%d, %v", n, err)
		} else if data, err := io.ReadAll(r); !bytes.HasSuffix(data, []byte("the endthe")) || err != nil {
			t.Errorf("%q, %v", data[len(data)-20:], err)
		}

		// An upload of one part has the same content as its object.
		id = begin("one")
		tag, err := upload(id, "one", 1, small)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := complete(id, "one", 1, tag); err != nil {
			t.Fatal(err)
		}
		if r, n, err := s.OpenObject(ctx, "app", "one", ""); err != nil || n != 5 {
			t.Errorf("%d, %v", n, err)
		} else if data, err := io.ReadAll(r); string(data) != "small" || err != nil {
			t.Errorf("%s, %v", data, err)
		}

		aborted := begin("aborted")
		if _, err := upload(aborted, "aborted", 1, last); err != nil {
			t.Fatal(err)
		}
		begin("left")
		list, err := s.ListMultipartUploads(ctx, &s3.ListMultipartUploadsRequest{Bucket: "app", MaxUploads: shape.Ptr(int64(1))})
		if err != nil || len(list.Uploads) != 1 || !*list.IsTruncated || *list.Uploads[0].Key != "aborted" {
			t.Errorf("%+v, %v", list, err)
		}
		list, err = s.ListMultipartUploads(ctx, &s3.ListMultipartUploadsRequest{Bucket: "app", KeyMarker: list.NextKeyMarker, UploadIdMarker: list.NextUploadIdMarker})
		if err != nil || len(list.Uploads) != 1 || *list.Uploads[0].Key != "left" {
			t.Errorf("%+v, %v", list, err)
		}
		if _, err := s.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadRequest{Bucket: "app", Key: "aborted", UploadId: aborted}); err != nil {
			t.Fatal(err)
		}
		if _, err := upload(aborted, "aborted", 2, last); code(err) != "NoSuchUpload" {
			t.Errorf("a part of an aborted upload: %v", err)
		}
		if _, err := s.DeleteObjects(ctx, &s3.DeleteObjectsRequest{Bucket: "app", Delete: &s3.Delete{Objects: []s3.ObjectIdentifier{{Key: "big"}, {Key: "one"}, {Key: "copied"}}}}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.DeleteBucket(ctx, &s3.DeleteBucketRequest{Bucket: "app"}); err != nil {
			t.Fatal(err)
		}
		var left int64
		if err := db.View(ctx, func(tx *store.Tx) error {
			return tx.QueryRow("SELECT (SELECT count(*) FROM object_parts) + (SELECT count(*) FROM object_uploads) + (SELECT count(*) FROM blob_owners)").Scan(&left)
		}); err != nil || left != 0 {
			t.Errorf("%d rows are left, %v", left, err)
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestCopy(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db)
		for _, b := range []string{"app", "other"} {
			if _, err := s.CreateBucket(ctx, &s3.CreateBucketRequest{Bucket: b}); err != nil {
				t.Fatal(err)
			}
		}
		put(t, s, ctx, "a b/ü", "text")
		for i, source := range []string{"app/a%20b/%C3%BC", "/app/a b/ü"} {
			key := fmt.Sprint("copy", i)
			out, err := s.CopyObject(ctx, &s3.CopyObjectRequest{Bucket: "other", Key: key, CopySource: source})
			if err != nil || *out.CopyObjectResult.ETag != `"1cb251ec0d568de6a929b520c4aed8d1"` {
				t.Fatalf("%+v, %v", out, err)
			}
			head, err := s.HeadObject(ctx, &s3.HeadObjectRequest{Bucket: "other", Key: key})
			if err != nil || head.Metadata["a"] != "b" {
				t.Errorf("%+v, %v", head, err)
			}
		}
		if _, err := s.DeleteObject(ctx, &s3.DeleteObjectRequest{Bucket: "app", Key: "a b/ü"}); err != nil {
			t.Fatal(err)
		}
		r, _, err := s.OpenObject(ctx, "other", "copy0", "")
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(r); string(data) != "text" || err != nil {
			t.Errorf("%s, %v", data, err)
		}
		_, err = s.CopyObject(ctx, &s3.CopyObjectRequest{Bucket: "other", Key: "copy0", CopySource: "other/copy0", MetadataDirective: shape.Ptr("REPLACE"), ContentType: shape.Ptr("x/y")})
		if head, _ := s.HeadObject(ctx, &s3.HeadObjectRequest{Bucket: "other", Key: "copy0"}); err != nil || *head.ContentType != "x/y" || len(head.Metadata) != 0 {
			t.Errorf("%+v, %v", head, err)
		}
		for _, tt := range []struct {
			in   s3.CopyObjectRequest
			want string
		}{
			{s3.CopyObjectRequest{Bucket: "other", Key: "copy0", CopySource: "other/copy0"}, "InvalidRequest"},
			{s3.CopyObjectRequest{Bucket: "other", Key: "x", CopySource: "other/none"}, "NoSuchKey"},
			{s3.CopyObjectRequest{Bucket: "other", Key: "x", CopySource: "none/none"}, "NoSuchBucket"},
			{s3.CopyObjectRequest{Bucket: "none", Key: "x", CopySource: "other/copy0"}, "NoSuchBucket"},
			{s3.CopyObjectRequest{Bucket: "other", Key: "x", CopySource: "other"}, "InvalidArgument"},
			{s3.CopyObjectRequest{Bucket: "other", Key: "x", CopySource: "other/copy0?versionId=1"}, "NoSuchVersion"},
			{s3.CopyObjectRequest{Bucket: "other", Key: "x", CopySource: "other/copy0", CopySourceIfMatch: shape.Ptr("x")}, "PreconditionFailed"},
			{s3.CopyObjectRequest{Bucket: "other", Key: strings.Repeat("k", 1025), CopySource: "other/copy0"}, "KeyTooLongError"},
		} {
			if _, err := s.CopyObject(ctx, &tt.in); code(err) != tt.want {
				t.Errorf("%+v: %v, want %s", tt.in.CopySource, err, tt.want)
			}
		}
	})
}
