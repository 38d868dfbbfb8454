package access

import (
	"net/url"
	"reflect"
	"strings"
)

// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html,
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
var s3Table = &table{
	prefix: "s3",
	types: map[string]string{
		"bucket":  "arn:{partition}:s3:::{Bucket}",
		"object":  "arn:{partition}:s3:::{Bucket}/{Key}",
		"objects": "arn:{partition}:s3:::{Bucket}/{Delete.Objects[].Key}",
		"source":  "{CopySource:source}",
		"all":     "arn:{partition}:s3:::*",
	},
	rules: `
all: ListBuckets=ListAllMyBuckets ListDirectoryBuckets=s3express:ListAllMyDirectoryBuckets
bucket: CreateBucket DeleteBucket HeadBucket=ListBucket ListObjects=ListBucket ListObjectsV2=ListBucket
bucket: ListObjectVersions=ListBucketVersions ListMultipartUploads=ListBucketMultipartUploads GetBucketLocation
bucket if ACL: CreateBucket=PutBucketAcl
bucket if GrantFullControl: CreateBucket=PutBucketAcl
bucket if GrantRead: CreateBucket=PutBucketAcl
bucket if GrantReadACP: CreateBucket=PutBucketAcl
bucket if GrantWrite: CreateBucket=PutBucketAcl
bucket if GrantWriteACP: CreateBucket=PutBucketAcl
bucket if ObjectOwnership: CreateBucket=PutBucketOwnershipControls
bucket if ObjectLockEnabledForBucket: CreateBucket=PutBucketObjectLockConfiguration CreateBucket=PutBucketVersioning
bucket: GetBucketAbac PutBucketAbac GetBucketAcl PutBucketAcl GetBucketLogging PutBucketLogging GetBucketRequestPayment PutBucketRequestPayment
bucket: GetBucketTagging PutBucketTagging DeleteBucketTagging=PutBucketTagging GetBucketVersioning PutBucketVersioning
bucket: GetBucketWebsite PutBucketWebsite DeleteBucketWebsite GetBucketPolicy PutBucketPolicy DeleteBucketPolicy GetBucketPolicyStatus
bucket: GetBucketOwnershipControls PutBucketOwnershipControls DeleteBucketOwnershipControls=PutBucketOwnershipControls
bucket: GetBucketAccelerateConfiguration=GetAccelerateConfiguration PutBucketAccelerateConfiguration=PutAccelerateConfiguration
bucket: GetBucketAnalyticsConfiguration=GetAnalyticsConfiguration ListBucketAnalyticsConfigurations=GetAnalyticsConfiguration
bucket: PutBucketAnalyticsConfiguration=PutAnalyticsConfiguration DeleteBucketAnalyticsConfiguration=PutAnalyticsConfiguration
bucket: GetBucketIntelligentTieringConfiguration=GetIntelligentTieringConfiguration ListBucketIntelligentTieringConfigurations=GetIntelligentTieringConfiguration
bucket: PutBucketIntelligentTieringConfiguration=PutIntelligentTieringConfiguration DeleteBucketIntelligentTieringConfiguration=PutIntelligentTieringConfiguration
bucket: GetBucketInventoryConfiguration=GetInventoryConfiguration ListBucketInventoryConfigurations=GetInventoryConfiguration
bucket: PutBucketInventoryConfiguration=PutInventoryConfiguration DeleteBucketInventoryConfiguration=PutInventoryConfiguration
bucket: GetBucketMetricsConfiguration=GetMetricsConfiguration ListBucketMetricsConfigurations=GetMetricsConfiguration
bucket: PutBucketMetricsConfiguration=PutMetricsConfiguration DeleteBucketMetricsConfiguration=PutMetricsConfiguration
bucket: GetBucketCors=GetBucketCORS PutBucketCors=PutBucketCORS DeleteBucketCors=PutBucketCORS
bucket: GetBucketEncryption=GetEncryptionConfiguration PutBucketEncryption=PutEncryptionConfiguration DeleteBucketEncryption=PutEncryptionConfiguration
bucket: GetBucketLifecycleConfiguration=GetLifecycleConfiguration PutBucketLifecycleConfiguration=PutLifecycleConfiguration
bucket: DeleteBucketLifecycle=PutLifecycleConfiguration
bucket: GetBucketNotificationConfiguration=GetBucketNotification PutBucketNotificationConfiguration=PutBucketNotification
bucket: GetBucketReplication=GetReplicationConfiguration PutBucketReplication=PutReplicationConfiguration DeleteBucketReplication=PutReplicationConfiguration
bucket: GetPublicAccessBlock=GetBucketPublicAccessBlock PutPublicAccessBlock=PutBucketPublicAccessBlock DeletePublicAccessBlock=PutBucketPublicAccessBlock
bucket: GetObjectLockConfiguration=GetBucketObjectLockConfiguration PutObjectLockConfiguration=PutBucketObjectLockConfiguration
bucket: CreateBucketMetadataConfiguration=CreateBucketMetadataTableConfiguration CreateBucketMetadataTableConfiguration
bucket: DeleteBucketMetadataConfiguration=DeleteBucketMetadataTableConfiguration DeleteBucketMetadataTableConfiguration
bucket: GetBucketMetadataConfiguration=GetBucketMetadataTableConfiguration GetBucketMetadataTableConfiguration
bucket: UpdateBucketMetadataAnnotationTableConfiguration UpdateBucketMetadataInventoryTableConfiguration UpdateBucketMetadataJournalTableConfiguration
bucket: CreateSession=s3express:CreateSession RenameObject=s3express:CreateSession
*: WriteGetObjectResponse=s3-object-lambda:WriteGetObjectResponse

object unless VersionId: GetObject HeadObject=GetObject GetObjectAcl GetObjectTagging DeleteObject PutObjectAcl PutObjectTagging DeleteObjectTagging
object if VersionId: GetObject=GetObjectVersion HeadObject=GetObjectVersion GetObjectAcl=GetObjectVersionAcl GetObjectTagging=GetObjectVersionTagging
object if VersionId: DeleteObject=DeleteObjectVersion PutObjectAcl=PutObjectVersionAcl PutObjectTagging=PutObjectVersionTagging
object if VersionId: DeleteObjectTagging=DeleteObjectVersionTagging
object unless VersionId: GetObjectAttributes=GetObject GetObjectAttributes
object if VersionId: GetObjectAttributes=GetObjectVersion GetObjectAttributes=GetObjectVersionAttributes
objects: DeleteObjects=DeleteObject
arn:{partition}:s3:::{Bucket}/* if Delete.Objects[].VersionId: DeleteObjects=DeleteObjectVersion
object if BypassGovernanceRetention: DeleteObject=BypassGovernanceRetention PutObjectRetention=BypassGovernanceRetention
objects if BypassGovernanceRetention: DeleteObjects=BypassGovernanceRetention
object: GetObjectTorrent GetObjectLegalHold PutObjectLegalHold GetObjectRetention PutObjectRetention RestoreObject SelectObjectContent=GetObject
object: GetObjectAnnotation PutObjectAnnotation DeleteObjectAnnotation ListObjectAnnotations UpdateObjectEncryption
object: PutObject CopyObject=PutObject CreateMultipartUpload=PutObject UploadPart=PutObject UploadPartCopy=PutObject CompleteMultipartUpload=PutObject
object: AbortMultipartUpload ListParts=ListMultipartUploadParts
source unless CopySource:version: CopyObject=GetObject UploadPartCopy=GetObject
source if CopySource:version: CopyObject=GetObjectVersion UploadPartCopy=GetObjectVersion
object if ACL: PutObject=PutObjectAcl CopyObject=PutObjectAcl CreateMultipartUpload=PutObjectAcl
object if GrantFullControl: PutObject=PutObjectAcl CopyObject=PutObjectAcl CreateMultipartUpload=PutObjectAcl
object if GrantRead: PutObject=PutObjectAcl CopyObject=PutObjectAcl CreateMultipartUpload=PutObjectAcl
object if GrantReadACP: PutObject=PutObjectAcl CopyObject=PutObjectAcl CreateMultipartUpload=PutObjectAcl
object if GrantWriteACP: PutObject=PutObjectAcl CopyObject=PutObjectAcl CreateMultipartUpload=PutObjectAcl
object if Tagging: PutObject=PutObjectTagging CopyObject=PutObjectTagging CreateMultipartUpload=PutObjectTagging
object if ObjectLockMode: PutObject=PutObjectRetention CopyObject=PutObjectRetention CreateMultipartUpload=PutObjectRetention
object if ObjectLockLegalHoldStatus: PutObject=PutObjectLegalHold CopyObject=PutObjectLegalHold CreateMultipartUpload=PutObjectLegalHold

pass s3.amazonaws.com ReplicationConfiguration.Role: PutBucketReplication

key s3:prefix Prefix: ListObjects ListObjectsV2 ListObjectVersions ListMultipartUploads
key s3:delimiter Delimiter: ListObjects ListObjectsV2 ListObjectVersions
key s3:max-keys MaxKeys: ListObjects ListObjectsV2 ListObjectVersions
key s3:VersionId VersionId: GetObject HeadObject GetObjectAcl GetObjectTagging GetObjectAttributes DeleteObject PutObjectAcl PutObjectTagging DeleteObjectTagging
key s3:LocationConstraint CreateBucketConfiguration.LocationConstraint: CreateBucket
key s3:x-amz-acl ACL: CreateBucket PutBucketAcl PutObject CopyObject CreateMultipartUpload PutObjectAcl
key s3:x-amz-grant-full-control GrantFullControl: CreateBucket PutBucketAcl PutObject CopyObject CreateMultipartUpload PutObjectAcl
key s3:x-amz-grant-read GrantRead: CreateBucket PutBucketAcl PutObject CopyObject CreateMultipartUpload PutObjectAcl
key s3:x-amz-grant-read-acp GrantReadACP: CreateBucket PutBucketAcl PutObject CopyObject CreateMultipartUpload PutObjectAcl
key s3:x-amz-grant-write GrantWrite: CreateBucket PutBucketAcl PutObjectAcl
key s3:x-amz-grant-write-acp GrantWriteACP: CreateBucket PutBucketAcl PutObject CopyObject CreateMultipartUpload PutObjectAcl
key s3:x-amz-copy-source CopySource: CopyObject UploadPartCopy
key s3:x-amz-metadata-directive MetadataDirective: CopyObject
key s3:x-amz-server-side-encryption ServerSideEncryption: PutObject CopyObject CreateMultipartUpload
key s3:x-amz-server-side-encryption-aws-kms-key-id SSEKMSKeyId: PutObject CopyObject CreateMultipartUpload
key s3:x-amz-server-side-encryption-customer-algorithm SSECustomerAlgorithm: PutObject CopyObject CreateMultipartUpload GetObject HeadObject UploadPart
key s3:x-amz-storage-class StorageClass: PutObject CopyObject CreateMultipartUpload
key s3:x-amz-website-redirect-location WebsiteRedirectLocation: PutObject CopyObject CreateMultipartUpload
key s3:x-amz-object-ownership ObjectOwnership: CreateBucket
key s3:object-lock-mode ObjectLockMode: PutObject CopyObject CreateMultipartUpload
key s3:object-lock-legal-hold ObjectLockLegalHoldStatus: PutObject CopyObject CreateMultipartUpload
`,
	transforms: map[string]transform{
		"source":  func(a *asking, v string) string { object, _ := a.copySource(v); return object },
		"version": func(a *asking, v string) string { _, version := a.copySource(v); return version },
	},
	more: objectTags,
}

// objectTags gives the keys about the tags that an object gets.
func objectTags(a *asking, key string) (out []string) {
	name, one := strings.CutPrefix(key, "s3:requestobjecttag/")
	if !one && key != "s3:requestobjecttagkeys" {
		return nil
	}
	tag := func(k, v string) {
		if !one {
			out = append(out, k)
		} else if strings.EqualFold(k, name) {
			out = append(out, v)
		}
	}
	switch tagging := a.in.FieldByName("Tagging"); {
	case !tagging.IsValid():
	case tagging.Type() == reflect.TypeFor[*string](): // x-amz-tagging, in the form of a query
		for _, text := range walk(tagging, nil, nil) {
			q, _ := url.ParseQuery(text)
			for k, values := range q {
				for _, v := range values {
					tag(k, v)
				}
			}
		}
	case len(a.op.tags) == 2:
		values := walkAll(a, &a.op.tags[1])
		for i, k := range walkAll(a, &a.op.tags[0]) {
			tag(k, values[i])
		}
	}
	return out
}

// copySource reads x-amz-copy-source: BUCKET/KEY, encoded as in a URL, perhaps with ?versionId=….
func (a *asking) copySource(v string) (object, version string) {
	v, query, _ := strings.Cut(v, "?")
	if text, ok := strings.CutPrefix(query, "versionId="); ok {
		version, _ = url.QueryUnescape(text)
	}
	if text, err := url.PathUnescape(v); err == nil {
		v = text
	}
	v = strings.TrimPrefix(v, "/")
	if strings.HasPrefix(v, "arn:") {
		return v, version
	}
	return "arn:" + a.call.Partition + ":s3:::" + v, version
}
