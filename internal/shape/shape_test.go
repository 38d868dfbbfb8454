package shape_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/api/logs"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// decode binds a JSON body to the input of an operation and validates it.
func decode(t *testing.T, m *shape.Model, op, body string) (any, error) {
	t.Helper()
	o := m.Operation(op)
	if o == nil {
		t.Fatalf("no operation %s", op)
	}
	in := o.New()
	if err := shape.DecodeJSON(m, o.Input, []byte(body), in); err != nil {
		return nil, err
	}
	return in, shape.Validate(m, o.Input, in)
}

func TestValidationWording(t *testing.T) {
	one := func(s string) string { return "1 validation error detected: " + s }
	const pool = "failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w-]+_[0-9a-zA-Z]+"
	for _, tc := range []struct {
		name     string
		m        *shape.Model
		op, body string
		code     string
		want     string // "" for none
	}{
		{"fine", &cognitoidp.Model, "DescribeUserPool", `{"UserPoolId":"us-east-1_QLBISRQwA"}`, "", ""},
		{"absent", &cognitoidp.Model, "DescribeUserPool", `{}`, "InvalidParameterException",
			one("Value null at 'userPoolId' failed to satisfy constraint: Member must not be null")},
		{"null", &cognitoidp.Model, "DescribeUserPool", `{"UserPoolId":null}`, "InvalidParameterException",
			one("Value null at 'userPoolId' failed to satisfy constraint: Member must not be null")},
		{"pattern", &cognitoidp.Model, "DescribeUserPool", `{"UserPoolId":"YOUR_USER POOL"}`, "InvalidParameterException",
			one("Value 'YOUR_USER POOL' at 'userPoolId' " + pool)},
		{"two on one", &cognitoidp.Model, "DescribeUserPool", `{"UserPoolId":""}`, "InvalidParameterException",
			"2 validation errors detected: Value '' at 'userPoolId' " + pool +
				"; Value '' at 'userPoolId' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"sensitive", &cognitoidp.Model, "AdminSetUserPassword", `{"UserPoolId":"a_b","Username":"u","Password":"a b"}`, "InvalidParameterException",
			one("Value at 'password' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\S]+")},
		{"sensitive length", &cognitoidp.Model, "SignUp", `{"ClientId":"abc","Username":"","Password":"x"}`, "InvalidParameterException",
			"2 validation errors detected: Value at 'username' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\p{L}\\p{M}\\p{S}\\p{N}\\p{P}]+; " +
				"Value at 'username' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"enum", &cognitoidp.Model, "InitiateAuth", `{"AuthFlow":"NO","ClientId":"abc"}`, "InvalidParameterException",
			one("Value 'NO' at 'authFlow' failed to satisfy constraint: Member must satisfy enum value set: [USER_SRP_AUTH, REFRESH_TOKEN_AUTH, REFRESH_TOKEN, CUSTOM_AUTH, ADMIN_NO_SRP_AUTH, USER_PASSWORD_AUTH, ADMIN_USER_PASSWORD_AUTH, USER_AUTH]")},
		{"list of structures", &cognitoidp.Model, "SignUp", `{"ClientId":"abc","Username":"u","Password":"x","UserAttributes":[{"Name":"email"},{"Value":"x"}]}`, "InvalidParameterException",
			one("Value null at 'userAttributes.2.member.name' failed to satisfy constraint: Member must not be null")},
		{"list of enums", &cognitoidp.Model, "CreateUserPool", `{"PoolName":"p","AliasAttributes":["email","x"]}`, "InvalidParameterException",
			one("Value '[email, x]' at 'aliasAttributes' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [phone_number, email, preferred_username]]")},
		{"number", &cognitoidp.Model, "ListUserPools", `{"MaxResults":61}`, "InvalidParameterException",
			one("Value '61' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 60")},
		{"number beyond 32 bits", &cognitoidp.Model, "ListUserPools", `{"MaxResults":99999999999}`, "InvalidParameterException",
			one("Value '99999999999' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 60")},
		{"required number", &cognitoidp.Model, "ListUserPools", `{}`, "InvalidParameterException",
			one("Value null at 'maxResults' failed to satisfy constraint: Member must not be null")},
		{"nested", &cognitoidp.Model, "CreateUserPool", `{"PoolName":"p","Policies":{"PasswordPolicy":{"MinimumLength":5}}}`, "InvalidParameterException",
			one("Value '5' at 'policies.passwordPolicy.minimumLength' failed to satisfy constraint: Member must have value greater than or equal to 6")},
		{"overlay", &cognitoidp.Model, "CreateUserPool", `{"PoolName":"p","Policies":{"PasswordPolicy":{"PasswordHistorySize":25}}}`, "InvalidParameterException",
			one("Value '25' at 'policies.passwordPolicy.passwordHistorySize' failed to satisfy constraint: Member must have value less than or equal to 24")},
		{"null in a list", &cognitoidp.Model, "SignUp", `{"ClientId":"abc","Username":"u","Password":"x","UserAttributes":[null]}`, "InvalidParameterException",
			one("Value null at 'userAttributes.1.member' failed to satisfy constraint: Member must not be null")},
		{"null in a map", &cognitoidp.Model, "InitiateAuth", `{"ClientId":"abc","AuthFlow":"REFRESH_TOKEN_AUTH","AuthParameters":{"REFRESH_TOKEN":"x","DEVICE_KEY":null}}`, "", ""},
		{"map keys", &lambda.Model, "CreateFunction", `{"FunctionName":"f","Role":"arn:aws:iam::000000000000:role/r","Code":{},"Environment":{"Variables":{"1x":"y"}}}`, "ValidationException",
			one("Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+, Member must not be null]")},
		{"list of strings, null clause", &lambda.Model, "CreateFunction", `{"FunctionName":"f","Role":"arn:aws:iam::000000000000:role/r","Code":{},"Architectures":["foo"]}`, "ValidationException",
			one("Value '[foo]' at 'architectures' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]")},
		{"NUL", &cognitoidp.Model, "CreateUserPool", `{"PoolName":"p","EmailVerificationMessage":"a{####}b\u0000"}`, "InvalidParameterException",
			one("Value at 'emailVerificationMessage' failed to satisfy constraint: Member must be valid UTF-8 text without NUL characters")},
		{"NUL where nothing else is asked", &lambda.Model, "CreateFunction", `{"FunctionName":"f","Role":"arn:aws:iam::000000000000:role/r","Code":{},"Tags":{"a":"\u0000"}}`, "ValidationException",
			one("Value at 'tags' failed to satisfy constraint: Member must be valid UTF-8 text without NUL characters")},
		{"not a number", &apigatewayv2.Model, "CreateStage", `{"stageName":"s","defaultRouteSettings":{"throttlingRateLimit":"NaN"}}`, "BadRequestException",
			"2 validation errors detected: Value null at 'apiId' failed to satisfy constraint: Member must not be null; " +
				"Value 'NaN' at 'defaultRouteSettings.throttlingRateLimit' failed to satisfy constraint: Member must be a finite number"},
		{"logs", &logs.Model, "DescribeLogGroups", `{"logGroupNamePrefix":""}`, "InvalidParameterException",
			"2 validation errors detected: Value '' at 'logGroupNamePrefix' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+; " +
				"Value '' at 'logGroupNamePrefix' failed to satisfy constraint: Member must have length greater than or equal to 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := decode(t, tc.m, tc.op, tc.body)
			if tc.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			e, ok := err.(*shape.Error)
			if !ok {
				t.Fatalf("error %v, want %s", err, tc.want)
			}
			if e.Code != tc.code || e.Message != tc.want || e.Status != 400 {
				t.Errorf("got  %d %s %s\nwant 400 %s %s", e.Status, e.Code, e.Message, tc.code, tc.want)
			}
		})
	}
}

// Values that were built in Go have no record of absence and are taken as they are.
func TestValidateGoValue(t *testing.T) {
	m := &iam.Model
	in := &iam.CreateRoleRequest{RoleName: "r", AssumeRolePolicyDocument: "{}", Tags: []iam.Tag{{Key: "", Value: ""}}}
	err := shape.Validate(m, m.Operation("CreateRole").Input, in)
	if err == nil || !strings.HasPrefix(err.Error(), "ValidationError: 2 validation errors detected: ") || !strings.Contains(err.Error(), "'tags.1.member.key'") {
		t.Error(err)
	}
	in.Tags[0].Key = "k"
	if err := shape.Validate(m, m.Operation("CreateRole").Input, in); err != nil {
		t.Error(err)
	}
}

func TestDecodeErrors(t *testing.T) {
	const ser = "SerializationException"
	for _, tc := range []struct {
		m        *shape.Model
		op, body string
		code     string
		want     string
	}{
		{&cognitoidp.Model, "ListUserPools", `{"MaxResults":"1"}`, ser, "STRING_VALUE can not be converted to an Integer"},
		{&cognitoidp.Model, "ListUserPools", `{"MaxResults":true}`, ser, "TRUE_VALUE can not be converted to an Integer"},
		{&cognitoidp.Model, "ListUserPools", `{"MaxResults":[1]}`, ser, "Start of list found where not expected"},
		{&cognitoidp.Model, "ListUserPools", `{"MaxResults":{"a":1}}`, ser, "Start of structure or map found where not expected."},
		{&cognitoidp.Model, "ListUserPools", `{"NextToken":1}`, ser, "NUMBER_VALUE can not be converted to a String"},
		{&cognitoidp.Model, "ListUserPools", `{"NextToken":1.5}`, ser, "DECIMAL_VALUE can not be converted to a String"},
		{&cognitoidp.Model, "ListUserPools", `{"NextToken":false}`, ser, "FALSE_VALUE can not be converted to a String"},
		{&cognitoidp.Model, "SignUp", `{"UserAttributes":"x"}`, ser, "Expected list or null"},
		{&cognitoidp.Model, "SignUp", `{"UserAttributes":{}}`, ser, "Start of structure or map found where not expected."},
		{&cognitoidp.Model, "SignUp", `{"UserAttributes":["x"]}`, ser, "Expected null"},
		{&cognitoidp.Model, "SignUp", `{"AnalyticsMetadata":"x"}`, ser, "Expected null"},
		{&cognitoidp.Model, "SignUp", `{"ClientMetadata":[]}`, ser, "Start of list found where not expected"},
		{&cognitoidp.Model, "AdminSetUserPassword", `{"Permanent":1}`, ser, "NUMBER_VALUE can not be converted to a Boolean"},
		{&cognitoidp.Model, "AdminSetUserPassword", `{"Permanent":"maybe"}`, ser, "STRING_VALUE can not be converted to an Boolean"},
		{&logs.Model, "GetLogEvents", `{"startTime":"x"}`, ser, "STRING_VALUE can not be converted to a Long"},
		{&cognitoidp.Model, "SignUp", ``, ser, ""},
		{&cognitoidp.Model, "SignUp", `{`, ser, ""},
		{&cognitoidp.Model, "SignUp", `null`, ser, ""},
		{&cognitoidp.Model, "SignUp", `"x"`, ser, ""},
		{&cognitoidp.Model, "SignUp", `[]`, ser, "Start of list found where not expected"},
		{&cognitoidp.Model, "SignUp", `{"Username":"u",}`, ser, ""},
		{&cognitoidp.Model, "SignUp", `{"Username":"u"} x`, ser, ""},
		{&cognitoidp.Model, "SignUp", `{"Username":"\ud800"}`, ser, ""},
		{&cognitoidp.Model, "SignUp", "{\"Username\":\"\xff\"}", ser, ""},
		{&cognitoidp.Model, "SignUp", `{"Unknown":` + strings.Repeat("[", 5000), ser, ""},
		{&cognitoidp.Model, "ListUserPools", `{"MaxResults":99999999999999999999}`, ser, ""},
		{&lambda.Model, "CreateFunction", `{"Code":{"ZipFile":1}}`, ser, "only base-64-encoded strings are convertible to bytes"},
		{&lambda.Model, "CreateFunction", `{"Code":{"ZipFile":"23456"}}`, ser, "Base64 encoded length is expected a multiple of 4 bytes but found: 5"},
		{&lambda.Model, "CreateFunction", `{"Code"`, "InvalidRequestContentException", "Could not parse request body into json: Unexpected content at position 7"},
	} {
		_, err := decode(t, tc.m, tc.op, tc.body)
		e, ok := err.(*shape.Error)
		if !ok || e.Code != tc.code || e.Message != tc.want || e.Status != 400 {
			t.Errorf("%s %.60s: got %#v, want %s %q", tc.op, tc.body, err, tc.code, tc.want)
		}
	}
}

func TestDecode(t *testing.T) {
	_, err := decode(t, &cognitoidp.Model, "SignUp", ` { "Foo": [1, {"a":null}], "ClientId" : "abc", "Username":"x", "Username":"J\u00fcrgen \ud83d\ude00\n",
		"Password":"p", "ClientMetadata":{"a":"b","c":""}, "UserAttributes":[{"Name":"n","Value":null}, {"Name":"m","Value":""}], "ValidationData":[] }`)
	if err == nil {
		t.Fatal("a line break in a user name was taken")
	}
	in, err := decode(t, &cognitoidp.Model, "SignUp", ` { "Foo": [1, {"a":null}], "ClientId" : "abc", "Username":"x", "Username":"J\u00fcrgen\ud83d\ude00",
		"Password":"p", "ClientMetadata":{"a":"b","c":""}, "UserAttributes":[{"Name":"n","Value":null}, {"Name":"m","Value":""}], "ValidationData":[] }`)
	if err != nil {
		t.Fatal(err)
	}
	got := in.(*cognitoidp.SignUpRequest)
	if got.Username != "Jürgen😀" || len(got.UserAttributes) != 2 || got.UserAttributes[0].Value != nil ||
		*got.UserAttributes[1].Value != "" || got.ClientMetadata["a"] != "b" || got.ValidationData == nil || len(got.ValidationData) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestFromMap(t *testing.T) {
	m := &apigatewayv2.Model
	in := new(apigatewayv2.CreateApiRequest)
	r := m.Operation("CreateApi").Input
	err := shape.FromMap(m, r, map[string]any{
		"Name": "n", "ProtocolType": "HTTP", "DisableExecuteApiEndpoint": "true",
		"CorsConfiguration": map[string]any{"MaxAge": "300", "AllowOrigins": []any{"*", 5}},
		"Tags":              map[string]any{"a": 1},
	}, in)
	if err != nil {
		t.Fatal(err)
	}
	if in.Name != "n" || !*in.DisableExecuteApiEndpoint || *in.CorsConfiguration.MaxAge != 300 ||
		in.CorsConfiguration.AllowOrigins[1] != "5" || in.Tags["a"] != "1" || in.Absent != 0 {
		t.Errorf("%+v", in)
	}
	doc := shape.ToMap(m, r, in)
	again := new(apigatewayv2.CreateApiRequest)
	if err := shape.FromMap(m, r, doc, again); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		doc  map[string]any
		want string
	}{
		{map[string]any{"CorsConfiguration": map[string]any{"Foo": 1}}, "Encountered unsupported property CorsConfiguration.Foo"},
		{map[string]any{"CorsConfiguration": 5}, "Value of property CorsConfiguration must be an object"},
		{map[string]any{"DisableExecuteApiEndpoint": "x"}, "Value of property DisableExecuteApiEndpoint must be of type Boolean"},
		{map[string]any{"CorsConfiguration": map[string]any{"AllowOrigins": []any{map[string]any{}}}}, "Value of property CorsConfiguration.AllowOrigins.0 must be of type String"},
	} {
		err := shape.FromMap(m, r, tc.doc, new(apigatewayv2.CreateApiRequest))
		if e, ok := err.(*shape.Error); !ok || e.Message != tc.want {
			t.Errorf("%v: got %v, want %s", tc.doc, err, tc.want)
		}
	}
}

func TestNotImplemented(t *testing.T) {
	_, err := cognitoidp.Unimplemented{}.CreateGroup(t.Context(), nil)
	e, ok := err.(*shape.Error)
	if !ok || e.Code != "NotImplementedException" || e.Status != 501 || !strings.Contains(e.Message, "cognito-idp CreateGroup") {
		t.Error(err)
	}
}

func TestErrorCodes(t *testing.T) {
	for _, tc := range []struct {
		err    *shape.Error
		code   string
		status int
	}{
		{cognitoidp.UserNotFoundException("User does not exist."), "UserNotFoundException", 400},
		{cognitoidp.InternalErrorException("x"), "InternalErrorException", 500},
		{iam.NoSuchEntityException("x"), "NoSuchEntity", 404},
		{iam.EntityAlreadyExistsException("x"), "EntityAlreadyExists", 409},
		{cloudformation.AlreadyExistsException("x"), "AlreadyExistsException", 400},
		{cloudformation.ChangeSetNotFoundException("x"), "ChangeSetNotFound", 404},
		{lambda.ResourceNotFoundException("x"), "ResourceNotFoundException", 404},
		{apigatewayv2.NotFoundException("x"), "NotFoundException", 404},
	} {
		if tc.err.Code != tc.code || tc.err.Status != tc.status || tc.err.Server != (tc.status >= 500) {
			t.Errorf("%s: %+v", tc.code, tc.err)
		}
	}
}

const adminCreateUser = `{"UserPoolId":"us-east-1_QLBISRQwA","Username":"somebody@example.com","UserAttributes":[
{"Name":"email","Value":"somebody@example.com"},{"Name":"email_verified","Value":"true"},{"Name":"name","Value":"Some Body"}],
"TemporaryPassword":"Passw0rd!x","ForceAliasCreation":false,"MessageAction":"SUPPRESS","DesiredDeliveryMediums":["EMAIL"],"ClientMetadata":{"a":"b"}}`

func BenchmarkAdminCreateUser(b *testing.B) {
	m := &cognitoidp.Model
	op := m.Operation("AdminCreateUser")
	body := []byte(adminCreateUser)
	b.ReportAllocs()
	for b.Loop() {
		in := op.New()
		if err := shape.DecodeJSON(m, op.Input, body, in); err != nil {
			b.Fatal(err)
		}
		if err := shape.Validate(m, op.Input, in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	m := &cognitoidp.Model
	op := m.Operation("AdminCreateUser")
	in := op.New()
	if err := shape.DecodeJSON(m, op.Input, []byte(adminCreateUser), in); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := shape.EncodeJSON(m, op.Input, in); err != nil {
			b.Fatal(err)
		}
	}
}
