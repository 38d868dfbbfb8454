package identitypools

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidentity"
	"github.com/gatehouse-dev/gatehouse/internal/session"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
)

const (
	sessionName    = "CognitoIdentityCredentials"
	credentialsFor = time.Hour
	openIDTokenFor = 10 * time.Minute
)

// guestPolicy bounds what guests can do with credentials of the enhanced flow, whatever their role allows.
// Cognito puts two session policies on them, an inline one and the managed
// AmazonCognitoUnAuthedIdentitiesSessionPolicy; session policies add up, so here they are one.
// https://docs.aws.amazon.com/cognito/latest/developerguide/iam-roles.html#access-policies
const guestPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["cloudwatch:*","logs:*","dynamodb:*","kinesis:*","mobileanalytics:*","s3:*","ses:*","sns:*","sqs:*",` +
	`"lambda:*","machinelearning:*","execute-api:*","iot:*","gamelift:*","cognito-identity:*","cognito-idp:*","lex:*","polly:*","comprehend:*","translate:*","transcribe:*","rekognition:*",` +
	`"mobiletargeting:*","firehose:*","appsync:*","personalize:*","sagemaker:InvokeEndpoint","cognito-sync:*","codewhisperer:*","textract:DetectDocumentText","textract:AnalyzeDocument","sdb:*",` +
	`"rum:PutRumEvents","geo:GetMap*","geo:ListMaps","geo:SearchPlaceIndex*","geo:GetPlace","geo:CalculateRoute*","geo:*Geofence","geo:*Geofences","geo:*DevicePosition*",` +
	`"kms:Encrypt","kms:Decrypt","kms:ReEncryptTo","kms:ReEncryptFrom","kms:GenerateDataKey","kms:GenerateDataKeyPair","kms:GenerateDataKeyPairWithoutPlaintext","kms:GenerateDataKeyWithoutPlaintext"],"Resource":"*"}]}`

// GetCredentialsForIdentity is the enhanced flow: credentials of the role that is the identity's.
func (s *Service) GetCredentialsForIdentity(ctx context.Context, in *cognitoidentity.GetCredentialsForIdentityInput) (*cognitoidentity.GetCredentialsForIdentityResponse, error) {
	c, err := s.authenticate(ctx, in.IdentityId, in.Logins)
	if err != nil {
		return nil, err
	}
	role, err := c.role(ctx, shape.Val(in.CustomRoleArn))
	if err != nil {
		return nil, err
	}
	creds, err := s.assume(ctx, c, role)
	if err != nil {
		return nil, err
	}
	return &cognitoidentity.GetCredentialsForIdentityResponse{IdentityId: shape.Ptr(c.pool.identityID(c.id.id)), Credentials: &cognitoidentity.Credentials{
		AccessKeyId: &creds.AccessKey, SecretKey: shape.Ptr(creds.Secret.Reveal()), SessionToken: &creds.Token, Expiration: shape.Ptr(creds.Expires.UTC())}}, nil
}

// assume gets credentials of a role for the caller, if the role's trust policy lets it in.
func (s *Service) assume(ctx context.Context, c *caller, role string) (session.Credentials, error) {
	id, pool, amr := c.pool.identityID(c.id.id), c.pool.id(), c.amr()
	req := &session.RoleRequest{RoleARN: role, SessionName: sessionName, Duration: credentialsFor, WebIdentity: &session.WebIdentity{
		Provider: Provider, Subject: id, Audience: []string{pool}, Tags: c.sessionTags(),
		Context: map[string][]string{Provider + ":aud": {pool}, Provider + ":sub": {id}, Provider + ":amr": amr}}}
	if len(c.logins) == 0 {
		req.Policies = []string{guestPolicy}
	}
	creds, _, err := s.o.STS.AssumeWithWebIdentity(ctx, req)
	if e := (*shape.Error)(nil); errors.As(err, &e) {
		trace.From(ctx).Fail("trust", "the role does not let the identity in: "+e.Message, role, "a role whose trust policy lets "+Provider+" in, with aud "+pool+" and amr "+amr[0])
		e := errConfiguration()
		e.Cause = err
		return creds, e
	}
	if err == nil {
		trace.From(ctx).Pass("trust", role+" lets the identity in")
	}
	return creds, err
}

// GetOpenIdToken begins the basic flow: a token with which the client asks STS for a role itself.
func (s *Service) GetOpenIdToken(ctx context.Context, in *cognitoidentity.GetOpenIdTokenInput) (*cognitoidentity.GetOpenIdTokenResponse, error) {
	_, p, err := s.identity(ctx, in.IdentityId)
	if err != nil {
		return nil, err
	}
	// A pool that does not say is as old as the flow: it may.
	if classic := p.Config.AllowClassicFlow; classic != nil && !*classic {
		trace.From(ctx).Fail("flow", "the basic flow is off", "AllowClassicFlow false", "AllowClassicFlow true, or GetCredentialsForIdentity")
		return nil, errInvalid("Basic (classic) flow is not enabled, please use enhanced flow.")
	}
	if len(p.RoleMappings) > 0 {
		trace.From(ctx).Fail("flow", "the pool maps roles, which the basic flow would go round", "RoleMappings", "GetCredentialsForIdentity")
		return nil, errInvalid("Basic (classic) flow is not supported with RoleMappings, please use enhanced flow.")
	}
	c, err := s.authenticate(ctx, in.IdentityId, in.Logins)
	if err != nil {
		return nil, err
	}
	tok, err := s.issue(ctx, c.pool, c.id, c.amr(), c.sessionTags(), openIDTokenFor)
	return &cognitoidentity.GetOpenIdTokenResponse{IdentityId: shape.Ptr(c.pool.identityID(c.id.id)), Token: &tok}, err
}
