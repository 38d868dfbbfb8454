package openapi

import (
	"context"
	"fmt"
	"io"
)

// Opener opens an object of a bucket; version "" is the newest.
type Opener func(ctx context.Context, bucket, key, version string) (io.ReadCloser, int64, error)

// FromProperties returns the document in a resource's properties: Body, as text or as an object, or what BodyS3Location
// names. Nil is none.
func FromProperties(ctx context.Context, props map[string]any, open Opener) ([]byte, error) {
	switch body := props["Body"].(type) {
	case nil:
	case string:
		return []byte(body), nil
	default:
		return []byte(JSON(body)), nil
	}
	at := Object(props, "BodyS3Location")
	if at == nil {
		return nil, nil
	}
	bucket, key := Text(at, "Bucket"), Text(at, "Key")
	f, size, err := open(ctx, bucket, key, Text(at, "Version"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > MaxSize {
		return nil, fmt.Errorf("the API definition s3://%s/%s is larger than 6 MB", bucket, key)
	}
	return io.ReadAll(io.LimitReader(f, MaxSize))
}
