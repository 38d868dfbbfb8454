package buckets

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/api/s3"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// maxPolicy is the greatest length of a bucket's policy, in bytes.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html
const maxPolicy = 20 << 10

// BucketPolicy returns a bucket's policy, ready for evaluation; nil if it has none or there is no such bucket.
func (s *Service) BucketPolicy(ctx context.Context, name string) (*policy.Compiled, error) {
	b, err := bucketKind.Cached(ctx, s.DB, name)
	if errors.Is(err, store.ErrNotFound) || err == nil && b.Policy == "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if c := b.ready.Load(); c != nil {
		return c, nil
	}
	c, err := policy.Compile(policy.Resource, "the policy of bucket "+name, b.Policy)
	if err == nil {
		b.ready.Store(c)
	}
	return c, err
}

// checkPolicy tells whether a text can be a bucket's policy.
func checkPolicy(bucket, text string) error {
	malformed := func(why string) error {
		return shape.Errorf("MalformedPolicy", http.StatusBadRequest, "%s", why)
	}
	if len(text) > maxPolicy {
		return malformed("Policies must be at most 20480 bytes long")
	}
	if _, err := policy.Compile(policy.Resource, bucket, text); err != nil {
		return malformed(err.Error())
	}
	var doc struct {
		Statement json.RawMessage
	}
	type statement struct {
		Resource, NotResource any
	}
	var list []statement
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return malformed("Policies must be valid JSON and the first byte must be '{'")
	}
	if json.Unmarshal(doc.Statement, &list) != nil {
		var one statement
		if err := json.Unmarshal(doc.Statement, &one); err != nil {
			return malformed("Missing required field Statement")
		}
		list = []statement{one}
	}
	for _, st := range list {
		for _, v := range []any{st.Resource, st.NotResource} {
			names, ok := v.([]any)
			if !ok && v != nil {
				names = []any{v}
			}
			for _, n := range names {
				arn, _ := n.(string)
				_, its, ok := strings.Cut(arn, ":s3:::")
				if its, _, _ = strings.Cut(its, "/"); !ok || its != bucket {
					return malformed("Policy has invalid resource")
				}
			}
		}
	}
	return nil
}

// setPolicy gives a bucket a policy, or none. free says that it must have none, but for that of the same token.
func (s *Service) setPolicy(ctx context.Context, bucket, text, token string, free bool) error {
	err := s.DB.Update(ctx, func(tx *store.Tx) error {
		b, err := bucketKind.Get(tx, bucket)
		if err != nil {
			return err
		}
		if free && b.Policy != "" && (token == "" || b.PolicyToken != token) {
			return shape.Errorf("", 400, "The bucket policy already exists on bucket %s.", bucket)
		}
		b.Policy, b.PolicyToken = text, token
		return bucketKind.Put(tx, bucketKey(bucket), b)
	})
	if errors.Is(err, store.ErrNotFound) {
		return noBucket(bucket)
	}
	return err
}

// PutBucketPolicy gives a bucket a policy in the place of the one that it has.
func (s *Service) PutBucketPolicy(ctx context.Context, in *s3.PutBucketPolicyRequest) (*s3.PutBucketPolicyResponse, error) {
	if err := checkPolicy(in.Bucket, in.Policy); err != nil {
		return nil, err
	}
	return &s3.PutBucketPolicyResponse{}, s.setPolicy(ctx, in.Bucket, in.Policy, "", false)
}

// GetBucketPolicy returns a bucket's policy as it was given.
func (s *Service) GetBucketPolicy(ctx context.Context, in *s3.GetBucketPolicyRequest) (*s3.GetBucketPolicyOutput, error) {
	b, err := s.find(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	if b.Policy == "" {
		return nil, shape.Errorf("NoSuchBucketPolicy", http.StatusNotFound, "The bucket policy does not exist").With("BucketName", in.Bucket)
	}
	return &s3.GetBucketPolicyOutput{Policy: &b.Policy}, nil
}

// DeleteBucketPolicy takes a bucket's policy away. It is no error if there is none.
func (s *Service) DeleteBucketPolicy(ctx context.Context, in *s3.DeleteBucketPolicyRequest) (*s3.DeleteBucketPolicyResponse, error) {
	return &s3.DeleteBucketPolicyResponse{}, s.setPolicy(ctx, in.Bucket, "", "", false)
}

// policyResource is AWS::S3::BucketPolicy.
type policyResource struct{ s *Service }

func (h policyResource) put(ctx context.Context, r *resource.Request, token string, free bool) (resource.Result, error) {
	in := new(s3.PutBucketPolicyRequest)
	if err := resource.Input(ctx, &s3.Model, in, r.Props, map[string]string{"PolicyDocument": "Policy"}); err != nil {
		return resource.Result{}, err
	}
	if err := checkPolicy(in.Bucket, in.Policy); err != nil {
		return resource.Result{}, err
	}
	return resource.Result{PhysicalID: in.Bucket}, h.s.setPolicy(ctx, in.Bucket, in.Policy, token, free)
}

func (h policyResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	return h.put(ctx, r, r.Token, true)
}

func (h policyResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	return h.put(ctx, r, "", false)
}

func (h policyResource) Delete(ctx context.Context, r *resource.Request) error {
	in := &s3.DeleteBucketPolicyRequest{Bucket: r.PhysicalID}
	if err := resource.Authorize(ctx, &s3.Model, in); err != nil {
		return err
	}
	_, err := h.s.DeleteBucketPolicy(ctx, in)
	return resource.Gone(err, "NoSuchBucket")
}
