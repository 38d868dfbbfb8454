package buckets

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-dev/gatehouse/internal/api/s3"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// Resources returns the CloudFormation types that the service makes.
func (s *Service) Resources() []resource.Type {
	return []resource.Type{
		{Name: "AWS::S3::Bucket", Handler: bucketResource{s}, Properties: []string{"AccessControl", "BucketEncryption", "BucketName", "LifecycleConfiguration",
			"OwnershipControls", "PublicAccessBlockConfiguration", "Tags", "VersioningConfiguration"}},
		{Name: "AWS::S3::BucketPolicy", Handler: policyResource{s}},
	}
}

type bucketResource struct{ s *Service }

// idle checks the settings that change nothing here, and refuses what would: see the package's comment.
func idle(props map[string]any) error {
	no := func(what string) error { return &resource.Error{Message: what + " is not supported"} }
	if acl, ok := props["AccessControl"]; ok && acl != "Private" {
		return no("AccessControl " + fmt.Sprint(acl))
	}
	if e, ok := props["BucketEncryption"].(map[string]any); ok {
		rules, _ := e["ServerSideEncryptionConfiguration"].([]any)
		for _, r := range rules {
			r, _ := r.(map[string]any)
			if by, _ := r["ServerSideEncryptionByDefault"].(map[string]any); by["KMSMasterKeyID"] != nil {
				return no("BucketEncryption with a KMSMasterKeyID")
			}
		}
	}
	if o, ok := props["OwnershipControls"].(map[string]any); ok {
		rules, _ := o["Rules"].([]any)
		for _, r := range rules {
			if r, _ := r.(map[string]any); r["ObjectOwnership"] == "ObjectWriter" {
				return no("OwnershipControls with ObjectWriter")
			}
		}
	}
	if l, ok := props["LifecycleConfiguration"].(map[string]any); ok {
		rules, _ := l["Rules"].([]any)
		for _, r := range rules {
			r, _ := r.(map[string]any)
			for name := range r {
				switch name {
				case "Id", "Status", "Prefix", "AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration", "NoncurrentVersionExpirationInDays":
				default: // would expire or move what is there
					return no("LifecycleConfiguration with " + name)
				}
			}
		}
	}
	return nil
}

// idleProps are not for CreateBucket.
var idleProps = map[string]string{"BucketName": "Bucket", "Tags": "", "AccessControl": "", "BucketEncryption": "", "LifecycleConfiguration": "",
	"OwnershipControls": "", "PublicAccessBlockConfiguration": "", "VersioningConfiguration": ""}

func (h bucketResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	if err := idle(r.Props); err != nil {
		return resource.Result{}, err
	}
	in := new(s3.CreateBucketRequest)
	props := resource.With(map[string]any{"BucketName": r.PhysicalName(63, true)}, r.Props)
	if err := resource.Input(ctx, &s3.Model, in, props, idleProps); err != nil {
		return resource.Result{}, err
	}
	err := h.s.create(ctx, in, r.Token)
	if shape.HasCode(err, "BucketAlreadyOwnedByYou") {
		return resource.Result{}, s3.BucketAlreadyOwnedByYou("%s already exists", in.Bucket)
	}
	if err != nil {
		return resource.Result{}, err
	}
	r.PhysicalID = in.Bucket
	return h.Update(ctx, r)
}

func (h bucketResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	if err := idle(r.Props); err != nil {
		return resource.Result{}, err
	}
	tags, err := r.AllTags("Tags")
	if err != nil {
		return resource.Result{}, err
	}
	if r.Retags("Tags") { // a bucket that is being made has no old properties
		tag := &s3.PutBucketTaggingRequest{Bucket: r.PhysicalID, Tagging: &s3.Tagging{}}
		for k, v := range tags {
			tag.Tagging.TagSet = append(tag.Tagging.TagSet, s3.Tag{Key: k, Value: v})
		}
		if err := resource.Authorize(ctx, &s3.Model, tag); err != nil {
			return resource.Result{}, err
		}
	}
	err = h.s.DB.Update(ctx, func(tx *store.Tx) error {
		b, err := bucketKind.Get(tx, r.PhysicalID)
		if err != nil {
			return err
		}
		b.Tags = tags
		return bucketKind.Put(tx, bucketKey(b.Name), b)
	})
	if errors.Is(err, store.ErrNotFound) {
		err = noBucket(r.PhysicalID)
	}
	name, region := r.PhysicalID, wire.CallFrom(ctx).Region
	return resource.Result{PhysicalID: name, Attrs: map[string]any{
		"Arn": "arn:aws:s3:::" + name, "DomainName": name + ".s3.amazonaws.com",
		"RegionalDomainName": name + ".s3." + region + ".amazonaws.com", "DualStackDomainName": name + ".s3.dualstack." + region + ".amazonaws.com",
	}}, err
}

func (h bucketResource) Delete(ctx context.Context, r *resource.Request) error {
	in := &s3.DeleteBucketRequest{Bucket: r.PhysicalID}
	if err := resource.Authorize(ctx, &s3.Model, in); err != nil {
		return err
	}
	_, err := h.s.DeleteBucket(ctx, in)
	return resource.Gone(err, "NoSuchBucket")
}
