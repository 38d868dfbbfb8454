package stacks

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/template"
)

// maxBody is the limit of a template within a request, in bytes.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
const maxBody = 51200

// templateText returns the template of a request, or nil if it names none.
func (s *Service) templateText(ctx context.Context, body, url *string) ([]byte, error) {
	switch {
	case body != nil && url != nil:
		return nil, invalid("Either Template URL or Template Body must be specified, but not both.")
	case body != nil:
		if len(*body) > maxBody {
			return nil, invalid("1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to %d", maxBody)
		}
		if len(*body) == 0 {
			return nil, invalid("1 validation error detected: Value '' at 'templateBody' failed to satisfy constraint: Member must have length greater than or equal to 1")
		}
		if !utf8.ValidString(*body) {
			return nil, invalid("Template format error: the template is not UTF-8.")
		}
		return []byte(*body), nil
	case url != nil:
		return s.fetch(ctx, *url)
	}
	return nil, nil
}

// fetch reads a template from a bucket of this server. Nothing is ever fetched over the network.
func (s *Service) fetch(ctx context.Context, raw string) ([]byte, error) {
	bucket, key, version, err := objectOf(raw)
	if err != nil {
		return nil, err
	}
	if s.o.Objects == nil {
		return nil, refused("TemplateURL", "this server has no buckets")
	}
	if err := s.mayRead(ctx, bucket, key, version); err != nil {
		return nil, err
	}
	body, size, err := s.o.Objects.OpenObject(ctx, bucket, key, version)
	if err != nil {
		var se *shape.Error
		if errors.As(err, &se) && !se.Server {
			return nil, invalid("S3 error: %s (%s, bucket %s, key %s)", se.Message, se.Code, bucket, key)
		}
		return nil, err
	}
	defer body.Close()
	if size > template.MaxSize {
		return nil, tooLarge()
	}
	text, err := io.ReadAll(io.LimitReader(body, template.MaxSize+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > template.MaxSize:
		return nil, tooLarge()
	case len(text) == 0:
		return nil, invalid("Template format error: the template is empty.")
	case !utf8.Valid(text):
		return nil, invalid("Template format error: the template is not UTF-8.")
	}
	return text, nil
}

func tooLarge() error {
	return invalid("Template may not exceed %d bytes in size.", template.MaxSize)
}

// objectOf says which object a template's URL means:
//
//	http://127.0.0.1:4566/BUCKET/KEY
//	https://s3.amazonaws.com/BUCKET/KEY
//	https://s3.REGION.amazonaws.com/BUCKET/KEY, also s3-REGION and s3.dualstack.REGION
//	https://BUCKET.s3.amazonaws.com/KEY
//	https://BUCKET.s3.REGION.amazonaws.com/KEY, also s3-REGION and s3.dualstack.REGION
//	s3://BUCKET/KEY
func objectOf(raw string) (bucket, key, version string, err error) {
	bad := invalid("TemplateURL must be a supported URL.")
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return "", "", "", bad
	}
	path := strings.TrimPrefix(u.Path, "/")
	version = u.Query().Get("versionId")
	if u.Scheme == "s3" {
		bucket, key = u.Host, path
	} else if u.Scheme != "http" && u.Scheme != "https" {
		return "", "", "", bad
	} else if b, ok := virtualHost(strings.ToLower(u.Hostname())); ok {
		if bucket, key = b, path; b == "" {
			bucket, key, _ = strings.Cut(path, "/")
		}
	} else {
		return "", "", "", bad
	}
	if bucket == "" || key == "" {
		return "", "", "", bad
	}
	return bucket, key, version, nil
}

// virtualHost tells whether a host serves buckets, and which one it names, "" if the path does.
func virtualHost(host string) (bucket string, ok bool) {
	if host == "localhost" || net.ParseIP(host) != nil {
		return "", true
	}
	if b, ok := strings.CutSuffix(host, ".localhost"); ok {
		if b, isS3 := strings.CutSuffix(b, ".s3"); isS3 {
			return b, true
		}
		return b, b != "s3"
	}
	rest, ok := strings.CutSuffix(host, ".amazonaws.com")
	if !ok {
		rest, ok = strings.CutSuffix(host, ".amazonaws.com.cn")
	}
	if !ok {
		return "", false
	}
	labels := strings.Split(rest, ".")
	for i := len(labels) - 1; i >= 0 && i >= len(labels)-3; i-- {
		l := labels[i]
		if l == "s3" || strings.HasPrefix(l, "s3-") && i == len(labels)-1 {
			return strings.Join(labels[:i], "."), true
		}
	}
	return "", false
}
