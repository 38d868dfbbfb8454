// Package access says what a call of an AWS API asks of policies, and asks.
//
// For every operation of every service that is served, tables hold the IAM actions, the resources as ARNs
// and the service's own condition keys, as the Service Authorization Reference has them
// (https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html).
// One file a service; what a table cannot say is a small function that the table names. [Map.Of] turns a
// decoded input into questions, [Authorizer] puts them to package iam and words the refusal.
//
// # Tables
//
// A table is text, a line for each resource that operations are about:
//
//	pool: AdminCreateUser ListUsers
//	object if VersionId: GetObject=GetObjectVersion
//
// means that AdminCreateUser is cognito-idp:AdminCreateUser on the ARN that the table's types call pool,
// and that GetObject is s3:GetObjectVersion if the input has a VersionId. An operation on several lines
// asks several questions, all of which must be answered with yes. ARNs have holes, filled with
// {region}, {account}, {partition} or members of the input: {UserPoolId}, {Names[]}, which makes
// a question for each, {StackName:stack}, which goes through a function, and {VersionId?}, which is
// empty where the member is absent; others become "*" then. Further lines:
//
//	none: GetCallerIdentity                        needs no permission at all
//	elsewhere: AssumeRole                          is decided by the service itself
//	key lambda:Layer Layers[]: CreateFunction      a condition key and where its values are
//	pass lambda.amazonaws.com Role: CreateFunction asks for iam:PassRole on the role, too
//
// Tags in an input are found by their names and give aws:RequestTag/… and aws:TagKeys. Paths are
// compiled to field indexes when a service is first asked about; an operation that a table does not know,
// or a path that leads nowhere, is a panic that the tests provoke. Nothing is computed for a condition key
// unless a policy names it.
//
// # What is not here
//
// Trust policies are decided by sts; who may invoke a function or an API on the data plane by those who
// serve them. DeleteObjects of S3 is allowed or refused as a whole, where S3 refuses key by key.
package access
