package buckets

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/s3"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

const onlyTLS = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::app","arn:aws:s3:::app/*"],"Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`

func TestBucketPolicy(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db)
		if _, err := s.CreateBucket(ctx, &s3.CreateBucketRequest{Bucket: "app"}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.GetBucketPolicy(ctx, &s3.GetBucketPolicyRequest{Bucket: "app"}); code(err) != "NoSuchBucketPolicy" {
			t.Errorf("none: %v", err)
		}
		for _, bad := range []string{"", "{}", "no JSON", strings.ReplaceAll(onlyTLS, ":::app", ":::other"), strings.Replace(onlyTLS, `"Principal":"*",`, "", 1), strings.Replace(onlyTLS, `"Deny"`, `"Maybe"`, 1), onlyTLS + strings.Repeat(" ", maxPolicy)} {
			if _, err := s.PutBucketPolicy(ctx, &s3.PutBucketPolicyRequest{Bucket: "app", Policy: bad}); code(err) != "MalformedPolicy" {
				t.Errorf("%.60s: %v", bad, err)
			}
		}
		if _, err := s.PutBucketPolicy(ctx, &s3.PutBucketPolicyRequest{Bucket: "app", Policy: onlyTLS}); err != nil {
			t.Fatal(err)
		}
		if out, err := s.GetBucketPolicy(ctx, &s3.GetBucketPolicyRequest{Bucket: "app"}); err != nil || *out.Policy != onlyTLS {
			t.Errorf("%v, %v", out, err)
		}
		one, err := s.BucketPolicy(ctx, "app")
		if err != nil || one == nil {
			t.Fatal(one, err)
		}
		again, _ := s.BucketPolicy(ctx, "app")
		for range 100 { // the database's notice of the change may come late, and once
			if again == one {
				break
			}
			time.Sleep(10 * time.Millisecond)
			one = again
			again, _ = s.BucketPolicy(ctx, "app")
		}
		if again != one {
			t.Error("the policy is compiled each time")
		}
		if _, err := s.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyRequest{Bucket: "app"}); err != nil {
			t.Error(err)
		}
		for _, name := range []string{"app", "none"} {
			if p, err := s.BucketPolicy(ctx, name); p != (*policy.Compiled)(nil) || err != nil {
				t.Errorf("%s: %v, %v", name, p, err)
			}
		}
		if _, err := s.PutBucketPolicy(ctx, &s3.PutBucketPolicyRequest{Bucket: "none", Policy: strings.ReplaceAll(onlyTLS, ":::app", ":::none")}); code(err) != "NoSuchBucket" {
			t.Errorf("%v", err)
		}
	})
}

// TestIdleSettings: what templates of tools say of their buckets is taken, and what would mean something else is not.
func TestIdleSettings(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db)
		var h resource.Handler
		for _, typ := range s.Resources() {
			if typ.Name == "AWS::S3::Bucket" {
				h = typ.Handler
			}
		}
		create := func(props map[string]any) error {
			_, err := h.Create(context.WithoutCancel(ctx), &resource.Request{StackID: "s", StackName: "s", LogicalID: "B", Token: "t", Props: props})
			return err
		}
		rules := func(r ...any) map[string]any { return map[string]any{"Rules": r} }
		for want, props := range map[string]map[string]any{
			"AccessControl PublicRead": {"AccessControl": "PublicRead"},
			"KMSMasterKeyID": {"BucketEncryption": map[string]any{"ServerSideEncryptionConfiguration": []any{
				map[string]any{"ServerSideEncryptionByDefault": map[string]any{"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "k"}}}}},
			"ExpirationInDays": {"LifecycleConfiguration": rules(map[string]any{"Status": "Enabled", "ExpirationInDays": "1"})},
			"ObjectWriter":     {"OwnershipControls": rules(map[string]any{"ObjectOwnership": "ObjectWriter"})},
		} {
			if err := create(props); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		}
		if err := create(map[string]any{
			"AccessControl": "Private", "VersioningConfiguration": map[string]any{"Status": "Enabled"}, "PublicAccessBlockConfiguration": map[string]any{"BlockPublicAcls": "true"},
			"LifecycleConfiguration": rules(map[string]any{"Id": "x", "Status": "Enabled", "NoncurrentVersionExpiration": map[string]any{"NoncurrentDays": "30"}}),
			"BucketEncryption": map[string]any{"ServerSideEncryptionConfiguration": []any{
				map[string]any{"ServerSideEncryptionByDefault": map[string]any{"SSEAlgorithm": "aws:kms"}}}},
		}); err != nil {
			t.Error(err)
		}
	})
}
