package buckets

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/s3"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// copySource reads the header x-amz-copy-source: BUCKET/KEY, URL-encoded, with or without a slash
// before it, perhaps with a version after it.
func copySource(text string) (bucket, key string, version *string, err error) {
	text, query, _ := strings.Cut(text, "?")
	if v, ok := strings.CutPrefix(query, "versionId="); ok {
		version = &v
	}
	text, uerr := url.PathUnescape(text)
	bucket, key, ok := strings.Cut(strings.TrimPrefix(text, "/"), "/")
	if uerr != nil || !ok || bucket == "" || key == "" {
		return "", "", nil, shape.Errorf("InvalidArgument", 400, "Invalid copy source object key").With("ArgumentName", "x-amz-copy-source").With("ArgumentValue", text)
	}
	return bucket, key, version, nil
}

// CopyObject makes an object of the content of another.
func (s *Service) CopyObject(ctx context.Context, in *s3.CopyObjectRequest) (*s3.CopyObjectOutput, error) {
	if err := refuse(map[string]bool{
		"An access control list":            listed(in.ACL) || in.GrantFullControl != nil || in.GrantRead != nil || in.GrantReadACP != nil || in.GrantWriteACP != nil,
		"Object lock":                       in.ObjectLockMode != nil || in.ObjectLockLegalHoldStatus != nil || in.ObjectLockRetainUntilDate != nil,
		"Encryption with a key of your own": in.CopySourceSSECustomerAlgorithm != nil,
	}); err != nil {
		return nil, err
	}
	if err := refuseKinds(in.ServerSideEncryption, in.SSECustomerAlgorithm, in.Tagging, in.WebsiteRedirectLocation, in.StorageClass); err != nil {
		return nil, err
	}
	bucket, key, version, err := copySource(in.CopySource)
	if err != nil {
		return nil, err
	}
	replace := shape.Val(in.MetadataDirective) == s3.MetadataDirectiveReplace
	if bucket == in.Bucket && key == in.Key && !replace {
		return nil, shape.Errorf("InvalidRequest", 400, "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
	}
	if err := checkKey(in.Key); err != nil {
		return nil, err
	}
	from, err := s.object(ctx, bucket, key, version, in.CopySourceIfMatch, in.CopySourceIfNoneMatch, in.CopySourceIfModifiedSince, in.CopySourceIfUnmodifiedSince)
	if err != nil {
		return nil, copyError(err)
	}
	o := *from
	o.key, o.modified = in.Key, s.Now().Truncate(time.Second).UnixMilli()
	if replace {
		o.headers = headers{ContentType: shape.Val(in.ContentType), CacheControl: shape.Val(in.CacheControl), ContentDisposition: shape.Val(in.ContentDisposition),
			ContentEncoding: shape.Val(in.ContentEncoding), ContentLanguage: shape.Val(in.ContentLanguage), Metadata: in.Metadata, SHA256: from.headers.SHA256}
	}
	if err := s.DB.Update(ctx, func(tx *store.Tx) error { return place(tx, in.Bucket, &o, in.IfMatch, in.IfNoneMatch) }); err != nil {
		return nil, err
	}
	return &s3.CopyObjectOutput{ServerSideEncryption: shape.Ptr("AES256"),
		CopyObjectResult: &s3.CopyObjectResult{ETag: &o.etag, LastModified: shape.Ptr(time.UnixMilli(o.modified).UTC()), ChecksumSHA256: opt(o.headers.SHA256)}}, nil
}

// copyError words what is wrong with the source of a copy, for which "not modified" has no meaning.
func copyError(err error) error {
	if e, ok := err.(*shape.Error); ok && e.Status == 304 {
		return shape.Errorf("PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold")
	}
	return err
}

func checkKey(key string) error {
	if len(key) > 1024 {
		return shape.Errorf("KeyTooLongError", 400, "Your key is too long")
	}
	return nil
}
