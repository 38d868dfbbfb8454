package conformance

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	idp "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	idptypes "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
)

const accountID = "000000000000"

// statements is a policy of the statements.
func statements(list ...string) *string {
	return aws.String(`{"Version":"2012-10-17","Statement":[` + strings.Join(list, ",") + `]}`)
}

// keyUser makes a user with a policy and returns an SDK's settings with its key.
func keyUser(t testing.TB, root aws.Config, name string, policy *string) aws.Config {
	t.Helper()
	c := iam.NewFromConfig(root)
	must(c.CreateUser(t.Context(), &iam.CreateUserInput{UserName: &name}))(t)
	must(c.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: &name, PolicyName: aws.String("p"), PolicyDocument: policy}))(t)
	k := must(c.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: &name}))(t).AccessKey
	cfg := root.Copy()
	cfg.Credentials = credentials.NewStaticCredentialsProvider(*k.AccessKeyId, *k.SecretAccessKey, "")
	return cfg
}

// inSession returns an SDK's settings with temporary credentials.
func inSession(cfg aws.Config, c *ststypes.Credentials) aws.Config {
	cfg = cfg.Copy()
	cfg.Credentials = credentials.NewStaticCredentialsProvider(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
	return cfg
}

func whoAmI(t testing.TB, cfg aws.Config) string {
	t.Helper()
	return *must(sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), nil))(t).Arn
}

// Users, roles and sessions of both, by the SDK and the CLI: what a policy gives, and no more.
func TestSTS(t *testing.T) {
	each(t, func(t *testing.T, database string) {
		s := startOn(t, database)
		root, ctx := s.config(t), t.Context()
		admin := iam.NewFromConfig(root)
		alice := keyUser(t, root, "alice", statements(`{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession","sts:GetFederationToken"],"Resource":"*"}`, `{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}`))
		bob := keyUser(t, root, "bob", statements(`{"Effect":"Allow","Action":"s3:*","Resource":"*"}`))
		must(s3.NewFromConfig(root, func(o *s3.Options) { o.UsePathStyle = true }).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("things")}))(t)
		role := must(admin.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("reader"), Path: aws.String("/team/"),
			AssumeRolePolicyDocument: statements(`{"Effect":"Allow","Principal":{"AWS":"` + accountID + `"},"Action":["sts:AssumeRole","sts:TagSession"]}`)}))(t).Role
		must(admin.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: role.RoleName, PolicyName: aws.String("p"), PolicyDocument: statements(
			`{"Effect":"Allow","Action":["s3:ListBucket","s3:GetObject"],"Resource":["arn:aws:s3:::things","arn:aws:s3:::things/${aws:PrincipalTag/team}/*"]}`)}))(t)

		same(t, "the root", whoAmI(t, root), "arn:aws:iam::"+accountID+":root")
		same(t, "a user", whoAmI(t, alice), "arn:aws:iam::"+accountID+":user/alice")
		as := func(cfg aws.Config) *sts.Client { return sts.NewFromConfig(cfg) }
		wish := &sts.AssumeRoleInput{RoleArn: role.Arn, RoleSessionName: aws.String("s1"), Tags: []ststypes.Tag{{Key: aws.String("team"), Value: aws.String("blue")}}}
		out := must(as(alice).AssumeRole(ctx, wish))(t)
		session := inSession(root, out.Credentials)
		const arn = "arn:aws:sts::" + accountID + ":assumed-role/reader/s1"
		same(t, "the session", whoAmI(t, session), arn)
		same(t, "the session's id", *out.AssumedRoleUser.AssumedRoleId, *role.RoleId+":s1")
		objects := func(cfg aws.Config) *s3.Client {
			return s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
		}
		for _, key := range []string{"blue/a", "red/a"} {
			must(objects(root).PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("things"), Key: &key, Body: strings.NewReader("x")}))(t)
		}
		must(objects(session).GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("things"), Key: aws.String("blue/a")}))(t)
		coded(t, "another team's object", "AccessDenied", "")(objects(session).GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("things"), Key: aws.String("red/a")}))
		coded(t, "a write", "AccessDenied", "")(objects(session).DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("things"), Key: aws.String("blue/a")}))

		coded(t, "a user without leave", "AccessDenied", "User: arn:aws:iam::"+accountID+":user/bob is not authorized to perform: sts:AssumeRole on resource: "+*role.Arn)(as(bob).AssumeRole(ctx, wish))
		coded(t, "a role that is not there", "AccessDenied", "User: arn:aws:iam::"+accountID+":user/alice is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::"+accountID+":role/none")(
			as(alice).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::" + accountID + ":role/none"), RoleSessionName: aws.String("s1")}))
		coded(t, "the root", "AccessDenied", "Roles may not be assumed by root accounts.")(as(root).AssumeRole(ctx, wish))
		typed[*ststypes.MalformedPolicyDocumentException](t, "a policy that is none", "Syntax errors in policy.")(
			as(alice).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: role.Arn, RoleSessionName: aws.String("s1"), Policy: aws.String("{}")}))
		coded(t, "a short session", "ValidationError", "1 validation error detected: Value '60' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900")(
			as(alice).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: role.Arn, RoleSessionName: aws.String("s1"), DurationSeconds: aws.Int32(60)}))

		// The SDK's own provider of a role's credentials.
		provided := root.Copy()
		provided.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(as(alice), *role.Arn, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName, o.Policy, o.Duration = "s2", statements(`{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}`), 20*time.Minute
		}))
		must(objects(provided).ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("things")}))(t)
		coded(t, "what the session's policy leaves out", "AccessDenied", "")(objects(provided).GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("things"), Key: aws.String("blue/a")}))

		// Sessions of the user's own, and in another's name.
		own := inSession(root, must(as(alice).GetSessionToken(ctx, &sts.GetSessionTokenInput{}))(t).Credentials)
		same(t, "a session of the user's own", whoAmI(t, own), "arn:aws:iam::"+accountID+":user/alice")
		must(objects(own).ListBuckets(ctx, nil))(t)
		coded(t, "a session of a session's", "AccessDenied", "Cannot call GetSessionToken with session credentials")(as(own).GetSessionToken(ctx, &sts.GetSessionTokenInput{}))
		fed := must(as(alice).GetFederationToken(ctx, &sts.GetFederationTokenInput{Name: aws.String("carol")}))(t)
		carol := inSession(root, fed.Credentials)
		same(t, "a federated user", whoAmI(t, carol), "arn:aws:sts::"+accountID+":federated-user/carol")
		coded(t, "a federated user without policies", "AccessDenied", "")(objects(carol).ListBuckets(ctx, nil))
		coded(t, "a federation without leave", "AccessDenied", "")(as(bob).GetFederationToken(ctx, &sts.GetFederationTokenInput{Name: aws.String("carol")}))

		// Another process opens the token; a role that is gone takes its sessions along.
		s.kill()
		s.restart(t)
		same(t, "the session, after a crash", whoAmI(t, session), arn)
		must(admin.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: role.RoleName, PolicyName: aws.String("p")}))(t)
		must(admin.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: role.RoleName}))(t)
		coded(t, "a session whose role is gone", "InvalidClientTokenId", "The security token included in the request is invalid.")(as(session).GetCallerIdentity(ctx, nil))
	})
}

// A user pool as an OpenID Connect provider: whoever signs in there has a role, without a key.
func TestSTSWebIdentity(t *testing.T) {
	each(t, func(t *testing.T, database string) {
		s := startOn(t, database)
		root, ctx := s.config(t), t.Context()
		pools, admin := idp.NewFromConfig(root), iam.NewFromConfig(root)
		pool := must(pools.CreateUserPool(ctx, &idp.CreateUserPoolInput{PoolName: aws.String("p")}))(t).UserPool
		client := func(name string) string {
			return *must(pools.CreateUserPoolClient(ctx, &idp.CreateUserPoolClientInput{UserPoolId: pool.Id, ClientName: &name,
				ExplicitAuthFlows: []idptypes.ExplicitAuthFlowsType{"ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}}))(t).UserPoolClient.ClientId
		}
		known, other := client("known"), client("other")
		must(pools.AdminCreateUser(ctx, &idp.AdminCreateUserInput{UserPoolId: pool.Id, Username: aws.String("alice"), MessageAction: "SUPPRESS"}))(t)
		must(pools.AdminSetUserPassword(ctx, &idp.AdminSetUserPasswordInput{UserPoolId: pool.Id, Username: aws.String("alice"), Password: aws.String("Password1!"), Permanent: true}))(t)
		signIn := func(client string) *idptypes.AuthenticationResultType {
			return must(pools.InitiateAuth(ctx, &idp.InitiateAuthInput{AuthFlow: "USER_PASSWORD_AUTH", ClientId: &client,
				AuthParameters: map[string]string{"USERNAME": "alice", "PASSWORD": "Password1!"}}))(t).AuthenticationResult
		}
		tokens := signIn(known)

		url := "cognito-idp.us-east-1.amazonaws.com/" + *pool.Id
		nobody := root.Copy()
		nobody.Credentials = aws.AnonymousCredentials{}
		stranger := sts.NewFromConfig(nobody)
		wish := &sts.AssumeRoleWithWebIdentityInput{RoleArn: aws.String("arn:aws:iam::" + accountID + ":role/web"), RoleSessionName: aws.String("alice"), WebIdentityToken: tokens.IdToken}
		typed[*ststypes.InvalidIdentityTokenException](t, "an issuer that IAM does not know", "No OpenIDConnect provider found in your account for https://"+url)(stranger.AssumeRoleWithWebIdentity(ctx, wish))
		p := must(admin.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{Url: aws.String("https://" + url), ClientIDList: []string{known}}))(t)
		coded(t, "no role", "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")(stranger.AssumeRoleWithWebIdentity(ctx, wish))
		must(admin.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("web"), AssumeRolePolicyDocument: statements(
			fmt.Sprintf(`{"Effect":"Allow","Principal":{"Federated":%q},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"%s:aud":%q}}}`, *p.OpenIDConnectProviderArn, url, known))}))(t)
		out := must(stranger.AssumeRoleWithWebIdentity(ctx, wish))(t)
		same(t, "the provider", *out.Provider, *p.OpenIDConnectProviderArn)
		same(t, "the audience", *out.Audience, known)
		same(t, "the session", whoAmI(t, inSession(root, out.Credentials)), "arn:aws:sts::"+accountID+":assumed-role/web/alice")

		wish.WebIdentityToken = signIn(other).IdToken
		typed[*ststypes.InvalidIdentityTokenException](t, "another client's token", "Incorrect token audience")(stranger.AssumeRoleWithWebIdentity(ctx, wish))
		wish.WebIdentityToken = aws.String(*tokens.IdToken + "A")
		typed[*ststypes.InvalidIdentityTokenException](t, "a changed token", "")(stranger.AssumeRoleWithWebIdentity(ctx, wish))
		wish.WebIdentityToken = tokens.RefreshToken
		typed[*ststypes.InvalidIdentityTokenException](t, "a refresh token", "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")(stranger.AssumeRoleWithWebIdentity(ctx, wish))

		// A file with a token, as pods have it.
		file := filepath.Join(t.TempDir(), "token")
		ok(t, os.WriteFile(file, []byte(*tokens.IdToken), 0o600))
		provided := root.Copy()
		provided.Credentials = stscreds.NewWebIdentityRoleProvider(stranger, *wish.RoleArn, stscreds.IdentityTokenFile(file), func(o *stscreds.WebIdentityRoleOptions) { o.RoleSessionName = "pod" })
		same(t, "a pod", whoAmI(t, provided), "arn:aws:sts::"+accountID+":assumed-role/web/pod")
	})
}

// The CLI assumes a role and goes on with a profile that has its credentials.
func TestSTSCommandLine(t *testing.T) {
	s := start(t)
	root := s.aws(t)
	root.text(t, "iam", "create-user", "--user-name", "alice")
	var key struct {
		AccessKey struct{ AccessKeyId, SecretAccessKey string }
	}
	decode(t, root.text(t, "iam", "create-access-key", "--user-name", "alice"), &key)
	const arn = "arn:aws:iam::" + accountID + ":role/deployer"
	root.text(t, "iam", "create-role", "--role-name", "deployer", "--assume-role-policy-document",
		*statements(`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + accountID + `:user/alice"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"x-42"}}}`))
	root.text(t, "iam", "attach-role-policy", "--role-name", "deployer", "--policy-arn", "arn:aws:iam::aws:policy/AmazonCognitoPowerUser")
	home := t.TempDir()
	alice := newCLI(t, settings{Endpoint: s.URL, Region: "us-east-1", KeyID: key.AccessKey.AccessKeyId, Secret: key.AccessKey.SecretAccessKey}, home)
	alice.refused(t, "AssumeRole", "AccessDenied | User: arn:aws:iam::"+accountID+":user/alice is not authorized to perform: sts:AssumeRole on resource: "+arn,
		"sts", "assume-role", "--role-arn", arn, "--role-session-name", "cli")
	alice.refused(t, "ListUserPools", "AccessDeniedException | …", "cognito-idp", "list-user-pools", "--max-results", "5")
	var out struct {
		Credentials struct{ AccessKeyId, SecretAccessKey, SessionToken, Expiration string }
	}
	text := alice.text(t, "sts", "assume-role", "--role-arn", arn, "--role-session-name", "cli", "--external-id", "x-42", "--duration-seconds", "1800")
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(home, "credentials")
	ok(t, os.WriteFile(file, []byte(fmt.Sprintf("[deployer]\naws_access_key_id = %s\naws_secret_access_key = %s\naws_session_token = %s\n",
		out.Credentials.AccessKeyId, out.Credentials.SecretAccessKey, out.Credentials.SessionToken)), 0o600))
	deployer := newCLI(t, settings{Endpoint: s.URL, Region: "us-east-1"}, home)
	var env []string
	for _, kv := range deployer.env {
		if !strings.HasPrefix(kv, "AWS_ACCESS_KEY_ID=") && !strings.HasPrefix(kv, "AWS_SECRET_ACCESS_KEY=") && !strings.HasPrefix(kv, "AWS_SHARED_CREDENTIALS_FILE=") {
			env = append(env, kv)
		}
	}
	deployer.env = append(env, "AWS_SHARED_CREDENTIALS_FILE="+file, "AWS_PROFILE=deployer")
	same(t, "the profile", deployer.json(t, "sts", "get-caller-identity")["Arn"].(string), "arn:aws:sts::"+accountID+":assumed-role/deployer/cli")
	deployer.text(t, "cognito-idp", "list-user-pools", "--max-results", "5")
	deployer.refused(t, "CreateUser", "AccessDenied | User: arn:aws:sts::"+accountID+":assumed-role/deployer/cli is not authorized to perform: iam:CreateUser on resource: arn:aws:iam::"+accountID+":user/eve …", "iam", "create-user", "--user-name", "eve")
}
